"""The primary outcome by every analysis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    by_method,
    contrast,
    difference_columns,
    inference_of,
    level_of,
    named,
    notes_of,
    outcome_column,
    primary_names,
    primary_places,
)
from ccp_analysis.report.drawing import Mark, axis_label, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import known, number
from ccp_analysis.results.terms import Average, Model, Role, Status


def methods(source: Source) -> Table[Row]:
    """Set out the primary outcome by every analysis that has it."""
    records = [row for outcome in source.primary for row in by_method(source, outcome.id)]
    return Table(
        f"The primary outcome by every analysis ({contrast(source)})",
        [
            outcome_column(source),
            Column("Analysis", lambda row: f"{named(source, row)} ({row['role']})", 46, "l"),
            Column("Inference", inference_of, 22, "l"),
            *difference_columns(
                source, lambda row: primary_places(source, row["outcome"]), (27, 6, 8, 6)
            ),
        ],
        records,
        grouped=True,
        stub="Analysis",
        notes=[*_whose(source, records), *notes_of([*_remarks(source, records)])],
    )


def _remarks(source: Source, rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Yield what is to be said of single analyses."""
    assumed = (Model.ANCOVA, Model.CHANGE, Model.DID) if not source.study.randomised else ()
    for row in rows:
        name = named(source, row)
        # What these assume is said in the section on allocation.
        if row["note"] and not (row["status"] == Status.OK and row["model"] in assumed):
            yield ", ".join(filter(None, [name, inference_of(row)])), row["note"]
        if row["model"] == Model.REPEATED and known(row["n"]):
            yield name, f"an average over the visits, of {number(row['n'])} observations"


def _whose(source: Source, rows: list[Row]) -> list[str]:
    """Say of whom the differences are averages, where that is not the same for all."""
    of = {row["average"] for row in rows} - {""}
    if of <= {Average.PARTICIPANTS} or source.study.clusters is None:
        return []
    pair = source.study.clusters.pair_label
    return [
        f"Paired analyses are cluster-averages, in which every {pair} counts alike; all others are "
        "participant-averages."
    ]


def _marks(source: Source) -> list[Mark]:
    marks = []
    for outcome in source.primary:
        places = primary_places(source, outcome.id)
        several = f"{source.name(outcome.id)}: " if len(source.primary) > 1 else ""
        rows = [row for row in by_method(source, outcome.id) if known(row["conf_low"])]
        names = Counter(named(source, row) for row in rows)
        for row in rows:
            # How it was inferred tells apart what is called alike; the table has it of all.
            name = named(source, row)
            how = f"\n({inference_of(row)})" if names[name] > 1 else ""
            label = f"{several}{name}{how}"
            strong = row["role"] == Role.PRIMARY
            text = estimate_text(row, places, source.plan.confidence_level)
            marks.append(Mark(label, row, text, strong=strong))
    return marks


def draw_methods(source: Source) -> Figure:
    """Draw the primary outcome by every analysis of the plan."""
    marks = _marks(source)
    return forest(
        marks,
        axis_label(source, marks[0].row),
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, source.primary[0].id) if source.primary else [None, None],
    )


def _legend(source: Source) -> tuple[str, str]:
    return (
        f"{primary_names(source)}: differences ({contrast(source)}) with {level_of(source)} "
        "confidence intervals by every analysis. The primary analysis is set in bold.",
        "Forest plot with one line for each analysis; the table of analyses has the numbers.",
    )


def _items(of: Configured) -> Iterator[Item]:
    yield FigureItem("methods", draw_methods, _legend, lambda s: bool(_marks(s)))


def _said(source: Source) -> dict[str, Any]:
    mixed = source.rows(model=Model.MIXED)
    return {"boundary": any(row["status"] == Status.BOUNDARY for row in mixed)}


SECTION = Section("every_analysis", _items, _said)
DETAILS = Section(
    "every_analysis_details",
    lambda of: iter([TableItem("methods", methods)]),
    title="Every analysis in numbers",
)
