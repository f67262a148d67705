"""Ask for a table, a figure or the text of a report by name."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.figure import Figure

from ccp_analysis.report import catalogue, stage
from ccp_analysis.report.section import Configured, FigureItem
from ccp_analysis.report.sections import summary as said
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

DERIVED = Path("data/derived")


def tables(source: Source) -> dict[str, Table]:
    return stage.Report(source).tables


def text(source: Source) -> str:
    return stage.Report(source).text()


def summary(source: Source) -> dict[str, str]:
    """Return the paragraphs of the summary by their headings; of several alike the first."""
    found: dict[str, str] = {}
    for heading, paragraph in said.summary(source):
        found.setdefault(heading, paragraph)
    return found


def table_names(of: Configured) -> list[str]:
    return [item.name for item in catalogue.tables_of(of)]


def figure_names(of: Configured) -> list[str]:
    return [item.name for item in catalogue.figures_of(of)]


def figure(source: Source, name: str) -> FigureItem:
    return next(item for item in catalogue.figures_of(source) if item.name == name)


def is_drawn(source: Source, name: str) -> bool:
    return figure(source, name).there(source)


def draw(source: Source, name: str) -> Figure:
    return figure(source, name).draw(source)


def legend(source: Source, name: str) -> tuple[str, str]:
    return figure(source, name).legend(source)


def claimed_in_vain(source: Source, *checklists: str) -> list[list[str]]:
    """Return the rows of checklists that name a place which the report does not have."""
    report = stage.Report(source)
    written = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", report.text())
    there = set(re.findall(r"^#+ (.+)$", written, flags=re.MULTILINE))
    there |= set(re.findall(r"\*\*((?:Table|Figure) \d+)\.\*\*", written))
    places = re.compile(r"(?<=“)[^”]+(?=”)|(?:Table|Figure) \d+")
    rows = [row for name in checklists for row in report.tables[name].rows]
    return [row for row in rows if not there.issuperset(places.findall(row[3]))]
