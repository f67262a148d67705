"""The primary outcome by every analysis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from ccp_analysis.report.cells import (
    by_method,
    contrast,
    difference_cells,
    difference_header,
    inference_of,
    level_of,
    named,
    notes_of,
    primary_names,
)
from ccp_analysis.report.drawing import Mark, axis_label, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import decimals, known, number
from ccp_analysis.results.terms import Average, Model, Role, Status


def methods(source: Source) -> Table[Any]:
    """Set out the primary outcome by every analysis that has it."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    assumed = (Model.ANCOVA, Model.CHANGE, Model.DID) if not source.study.randomised else ()
    outcomes_rows: list[Row] = []
    for outcome in source.primary:
        spread = (source.primary_row(outcome.id) or {}).get("std_error")
        for row in by_method(source, outcome.id):
            outcomes_rows.append(row)
            name = named(source, row)
            rows.append(
                [
                    source.outcome(outcome.id),
                    f"{name} ({row['role']})",
                    inference_of(row),
                    *difference_cells(row, decimals(spread), source.plan.confidence_level),
                ]
            )
            # What these assume is said in the section on allocation.
            if row["note"] and not (row["status"] == Status.OK and row["model"] in assumed):
                notes.append((", ".join(filter(None, [name, rows[-1][2]])), row["note"]))
            if row["model"] == Model.REPEATED and known(row["n"]):
                notes.append((name, f"{number(row['n'])} observations"))
    return positional(
        caption=f"The primary outcome by every analysis ({contrast(source)})",
        header=["Outcome", "Analysis", "Inference", *difference_header(source)],
        rows=rows,
        align="lllrrrr",
        widths=[46, 22, 27, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=[*_whose(source, outcomes_rows), *notes_of(notes)],
    )


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
        first = source.primary_row(outcome.id) or {}
        places = decimals(first.get("std_error"))
        several = f"{source.name(outcome.id)}: " if len(source.primary) > 1 else ""
        for row in by_method(source, outcome.id):
            if known(row["conf_low"]):
                inference = inference_of(row)
                label = f"{several}{named(source, row)}\n({inference})"
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
    yield TableItem("methods", methods)
    yield FigureItem("methods", draw_methods, _legend, lambda s: bool(_marks(s)))


def _said(source: Source) -> dict[str, Any]:
    mixed = source.rows(model=Model.MIXED)
    return {"boundary": any(row["status"] == Status.BOUNDARY for row in mixed)}


SECTION = Section("every_analysis", _items, _said)
