"""The report's sections in their order, and what of them a study has."""

from __future__ import annotations

from pathlib import Path

from ccp_analysis.layout import FIGURES, TABLES
from ccp_analysis.report.section import Checklist, Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections import (
    alike,
    chains,
    checklist,
    checks,
    congenial,
    costs,
    could_be,
    departures,
    estimands,
    every_analysis,
    failed,
    implementation,
    imputation,
    intraclass,
    left_out,
    limits,
    methods,
    missed,
    missing,
    net_benefit,
    not_randomised,
    outcomes,
    pairs,
    participants,
    plane,
    ratios,
    received,
    records,
    resources,
    setting,
    stari,
    subgroups,
    summary,
    takers,
    target,
    target_trial,
    tidier,
    trend,
    unmeasured,
    variations,
    visits,
)

SECTIONS: list[Section] = [
    summary.SECTION,
    participants.SECTION,
    alike.SECTION,
    estimands.SECTION,
    outcomes.SECTION,
    ratios.SECTION,
    every_analysis.SECTION,
    pairs.SECTION,
    not_randomised.SECTION,
    unmeasured.SECTION,
    target_trial.SECTION,
    visits.SECTION,
    intraclass.SECTION,
    subgroups.SECTION,
    implementation.SECTION,
    received.SECTION,
    takers.SECTION,
    could_be.SECTION,
    missing.SECTION,
    imputation.SECTION,
    congenial.SECTION,
    chains.SECTION,
    departures.SECTION,
    checks.SECTION,
    left_out.SECTION,
    setting.SECTION,
    resources.SECTION,
    costs.SECTION,
    net_benefit.SECTION,
    plane.SECTION,
    variations.SECTION,
    missed.SECTION,
    failed.SECTION,
    methods.SECTION,
    limits.SECTION,
    records.SECTION,
    alike.DETAILS,
    checks.OTHERS,
    checklist.SECTION,
    trend.SECTION,
    target.SECTION,
    stari.SECTION,
    tidier.SECTION,
    Section("references"),
]


def sections_of(of: Configured) -> list[Section]:
    """Return the sections that the report of a study has."""
    return [section for section in SECTIONS if section.there(of)]


def items_of(of: Configured) -> list[Item]:
    """Return the tables and figures of a study, in the order of their numbers."""
    return [item for section in sections_of(of) for item in section.items(of)]


def tables_of(of: Configured) -> list[TableItem | Checklist]:
    """Return the tables of a study: each is a file in ``reports/tables``."""
    return [item for item in items_of(of) if not isinstance(item, FigureItem)]


def figures_of(of: Configured) -> list[FigureItem]:
    """Return the figures of a study: each is an SVG and a PNG file in ``reports/figures``."""
    return [item for item in items_of(of) if isinstance(item, FigureItem)]


def files_of(of: Configured) -> list[Path]:
    """Return the files of the tables and figures that the report of a study has."""
    tables = [TABLES / f"{table.name}.csv" for table in tables_of(of)]
    drawn = figures_of(of)
    return tables + [FIGURES / f"{one.name}.{kind}" for one in drawn for kind in ("svg", "png")]
