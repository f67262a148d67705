"""What a section of the report is: its tables and figures, its template, its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ccp_analysis.config.economics import Economics
from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table


class Configured(Protocol):
    """The configuration of a study, on which it hangs what a report has: a trial or a source."""

    @property
    def study(self) -> Study:
        """Design and files."""

    @property
    def plan(self) -> Plan:
        """The statistical analysis plan."""

    @property
    def implementation(self) -> Implementation | None:
        """How the intervention was put into practice, where that is asked."""

    @property
    def economics(self) -> Economics | None:
        """The economic evaluation, where there is one."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of the tables and figures that documents show, by name."""

    tables: dict[str, int]
    figures: dict[str, int]


@dataclass(frozen=True)
class TableItem:
    """A table: the stem of its file, what builds it, and whether documents may show it."""

    name: str
    build: Callable[[Source], Table[Any]]
    shown: Callable[[Source], bool] = lambda source: True


@dataclass(frozen=True)
class Checklist:
    """A table that names the others by their numbers, and so is built after them."""

    name: str
    build: Callable[[Source, Numbers], Table[Any]]


@dataclass(frozen=True)
class FigureItem:
    """A figure.

    Attributes
    ----------
    name : str
        Stem of its files.
    draw : callable
        Draws it.
    legend : callable
        Returns the caption and, for those who cannot see it, what it shows: plain text.
    there : callable
        Whether there is anything to draw.
    """

    name: str
    draw: Callable[[Source], Figure]
    legend: Callable[[Source], tuple[str, str]]
    there: Callable[[Source], bool] = lambda source: True


Item = TableItem | Checklist | FigureItem


def nothing(of: Configured) -> Iterator[Item]:
    """Yield no item: a section of text alone."""
    yield from ()


@dataclass(frozen=True)
class Section:
    """What the report says of one subject.

    Attributes
    ----------
    name : str
        Stem of its template.
    items : callable
        Yields its tables and figures, in the order of their numbers, of a study's configuration.
    said : callable
        Returns what the template says beside them.
    there : callable
        Whether a study has the section at all.
    title : str
        Heading of a section that has its items alone, and no template of its own.
    """

    name: str
    items: Callable[[Configured], Iterator[Item]] = nothing
    said: Callable[[Source], dict[str, Any]] = lambda source: {}
    there: Callable[[Configured], bool] = lambda of: True
    title: str = ""


@dataclass(frozen=True)
class Part:
    """A part of the appendix: its heading and sections."""

    title: str
    sections: list[Section]


def fits(of: Configured, *models: str) -> bool:
    """Return whether any analysis of the plan is by one of these models."""
    return any(analysis.model in models for analysis in of.plan.analyses)


def not_allocated(of: Configured) -> bool:
    """Return whether arms were not allocated at random."""
    return not of.study.randomised


def has_economics(of: Configured) -> bool:
    """Return whether there is an economic evaluation."""
    return of.economics is not None
