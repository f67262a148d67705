"""The report's sections in their order, and what of them a study has."""

from __future__ import annotations

from pathlib import Path

from ccp_analysis.layout import FIGURES, TABLES
from ccp_analysis.report.section import (
    Checklist,
    Configured,
    FigureItem,
    Item,
    Part,
    Section,
    TableItem,
)
from ccp_analysis.report.sections import (
    alike,
    chains,
    characteristics,
    checklist,
    checks,
    congenial,
    consort,
    costs,
    could_be,
    departures,
    design,
    deviations,
    estimands,
    every_analysis,
    failed,
    harms,
    implementation,
    imputation,
    intraclass,
    left_out,
    limits,
    methods,
    missed,
    missing,
    net_benefit,
    next_study,
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

# What everybody reads.
MAIN: list[Section] = [
    summary.SECTION,
    design.SECTION,
    participants.SECTION,
    alike.SECTION,
    outcomes.SECTION,
    ratios.SECTION,
    visits.SECTION,
    every_analysis.SECTION,
    pairs.SECTION,
    subgroups.SECTION,
    harms.SECTION,
    not_randomised.SECTION,
    unmeasured.SECTION,
    implementation.SECTION,
    received.SECTION,
    takers.SECTION,
    missing.SECTION,
    departures.SECTION,
    checks.SECTION,
    characteristics.SECTION,
    setting.SECTION,
    costs.SECTION,
    net_benefit.SECTION,
    plane.SECTION,
    variations.SECTION,
    missed.SECTION,
    deviations.SECTION,
    limits.SECTION,
    could_be.SECTION,
    next_study.SECTION,
    failed.SECTION,
]
# What a reviewer looks up.
APPENDIX: list[Part] = [
    Part("Methods", [estimands.SECTION, methods.SECTION, target_trial.SECTION]),
    Part("Participants", [participants.DETAILS, alike.DETAILS, alike.WEIGHTS]),
    Part(
        "Outcomes",
        [
            outcomes.DETAILS,
            every_analysis.DETAILS,
            pairs.DETAILS,
            subgroups.DETAILS,
            intraclass.SECTION,
            unmeasured.DETAILS,
            could_be.DETAILS,
            next_study.DETAILS,
        ],
    ),
    Part("Implementation", [implementation.DETAILS, received.DETAILS, takers.DETAILS]),
    Part(
        "Missing data",
        [
            missing.DETAILS,
            imputation.SECTION,
            congenial.SECTION,
            chains.SECTION,
            departures.DETAILS,
        ],
    ),
    Part(
        "Checks of the models",
        [checks.DETAILS, left_out.SECTION, checks.OTHERS, characteristics.DETAILS],
    ),
    Part(
        "Costs and quality-adjusted life years",
        [
            resources.SECTION,
            costs.DETAILS,
            net_benefit.DETAILS,
            plane.DETAILS,
            variations.DETAILS,
            missed.DETAILS,
        ],
    ),
    Part("Reproduction", [records.SECTION]),
    Part(
        "Checklists",
        [
            checklist.SECTION,
            consort.SECTION,
            trend.SECTION,
            target.SECTION,
            stari.SECTION,
            tidier.SECTION,
        ],
    ),
]


def parts_of(of: Configured) -> list[Part]:
    """Return the parts of a study's report, those of the appendix with a heading."""
    parts = [Part("", MAIN), *APPENDIX, Part("", [Section("references")])]
    there = [Part(p.title, [s for s in p.sections if s.there(of)]) for p in parts]
    return [part for part in there if part.sections]


def sections_of(of: Configured) -> list[Section]:
    """Return the sections that the report of a study has."""
    return [section for part in parts_of(of) for section in part.sections]


def items_of(of: Configured) -> list[Item]:
    """Return the tables and figures of a study, in the order of their numbers."""
    return [item for section in sections_of(of) for item in section.items(of)]


def tables_of(of: Configured) -> list[TableItem | Checklist]:
    """Return the tables of a study: each is a file in ``reports/tables``."""
    return [item for item in items_of(of) if not isinstance(item, FigureItem)]


def figures_of(of: Configured) -> list[FigureItem]:
    """Return the figures of a study: each is an SVG and a PNG file in ``reports/figures``."""
    return [item for item in items_of(of) if isinstance(item, FigureItem)]


def shelves(of: Configured) -> dict[Path, tuple[str, str]]:
    """Return what an overview of a run shows of tables and figures, with kind and part."""
    found: dict[Path, tuple[str, str]] = {}
    for part in parts_of(of):
        for item in (item for section in part.sections for item in section.items(of)):
            drawn = isinstance(item, FigureItem)
            file = FIGURES / f"{item.name}.svg" if drawn else TABLES / f"{item.name}.csv"
            kind = "Figures" if drawn else "Tables"
            found.setdefault(file, (kind, part.title or "Main report"))
    return found


def files_of(of: Configured) -> list[Path]:
    """Return the files of the tables and figures that the report of a study has."""
    tables = [TABLES / f"{table.name}.csv" for table in tables_of(of)]
    drawn = figures_of(of)
    return tables + [FIGURES / f"{one.name}.{kind}" for one in drawn for kind in ("svg", "png")]
