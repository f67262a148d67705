"""The primary outcome without one pair, one cluster or one person."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    check_rows,
    contrast,
    estimate,
    has_interval,
    level_of,
    model_name,
    n_column,
    notes_of,
    p_column,
    primary_names,
    primary_places,
    with_interval,
)
from ccp_analysis.report.drawing import Mark, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import decimals
from ccp_analysis.results.terms import Population, Term


def left_out(source: Source) -> Table[Row]:
    """List the primary outcome's difference without each pair and each cluster in turn."""
    clusters = source.clusters
    kinds = {
        Term.WITHOUT_PAIR: (clusters.pair, clusters.pair_label, Term.CHANGE_WITHOUT_PAIR),
        Term.WITHOUT_CLUSTER: (clusters.unit, clusters.unit_label, Term.CHANGE_WITHOUT_CLUSTER),
    }
    records = [
        row
        for analysis in source.plan.checks
        for outcome in source.primary
        for term in kinds
        for row in among(check_rows(source, analysis, outcome.id), term=term)
        if row["level"]
    ]

    def group(row: Row) -> str:
        name = model_name(source, row["analysis"].removeprefix("checks_"))
        return f"{source.name(row['outcome'])}, {name}: without one {kinds[row['term']][1]}"

    def change(row: Row) -> str | None:
        same = {key: row[key] for key in ("analysis", "outcome", "level")}
        return estimate(source.one(**same, term=kinds[row["term"]][2]), 2)

    remarks = [row["note"] for row in among(records, term=Term.WITHOUT_CLUSTER) if row["note"]]
    return Table(
        f"The primary outcome without one {clusters.pair_label} or {clusters.unit_label}, "
        "complete cases",
        [
            Column("Analysis", group),
            Column(
                "Left out",
                lambda row: source.category(kinds[row["term"]][0], row["level"]),
                36,
                "l",
            ),
            Column(
                f"Difference ({level_of(source)} CI)",
                lambda row: with_interval(row, primary_places(source, row["outcome"])),
                26,
            ),
            p_column(8),
            Column("Change in standard errors", change, 16),
            n_column(8),
        ],
        records,
        grouped=True,
        stub="Left out",
        notes=notes_of([(f"Without one {clusters.unit_label}", note) for note in remarks]),
    )


def draw_pairs(source: Source, analysis: str) -> Figure:
    """Draw the primary outcome's difference with everyone and without each pair of clusters."""
    marks: list[Mark] = []
    pair = source.clusters
    for outcome in source.primary:
        several = f"{source.name(outcome.id)}: " * (len(source.primary) > 1)
        first = next(
            (
                row
                for row in source.rows(outcome=outcome.id, term=Term.DIFFERENCE)
                if row["population"] == Population.COMPLETE_CASES
                and row["model"] == source.plan.analysis(analysis).model
            ),
            None,
        )
        rows = check_rows(source, analysis, outcome.id)
        left = [r for r in rows if r["term"] == Term.WITHOUT_PAIR and has_interval(r)]
        places = decimals(left[0]["std_error"]) if left else 1
        if first is not None and has_interval(first):
            label = f"{several}Everyone observed"
            marks.append(Mark(label, first, estimate_text(first, places), strong=True))
        marks += [
            Mark(f"{several}Without {source.pair(row['level'])}", row, estimate_text(row, places))
            for row in left
        ]
    unit = marks[0].row["scale"] if marks else ""
    name = ", ".join(source.name(outcome.id) for outcome in source.primary)
    return forest(
        marks,
        f"{name}, difference ({unit}), {model_name(source, analysis)} without one "
        f"{pair.pair_label}",
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, source.primary[0].id) if source.primary else [None, None],
    )


def has_pairs(source: Source, analysis: str) -> bool:
    """Return whether there are differences without one pair to draw."""
    return any(
        row["term"] == Term.WITHOUT_PAIR and has_interval(row)
        for outcome in source.primary
        for row in check_rows(source, analysis, outcome.id)
    )


def _legend(source: Source, analysis: str) -> tuple[str, str]:
    pair = source.clusters.pair_label
    return (
        f"{primary_names(source)}: difference ({contrast(source)}) by the "
        f"{model_name(source, analysis)} with everyone observed, "
        f"and without each {pair} in turn, with {level_of(source)} confidence intervals.",
        f"Forest plot with one line for each {pair} left out; the table of what was left out "
        "has the numbers.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if not of.study.clusters or not of.plan.checks:
        return
    yield TableItem("left_out", left_out)
    for analysis in of.plan.checks:
        yield FigureItem(
            f"check_pairs_{analysis}",
            partial(draw_pairs, analysis=analysis),
            partial(_legend, analysis=analysis),
            partial(has_pairs, analysis=analysis),
        )


SECTION = Section("left_out", _items)
