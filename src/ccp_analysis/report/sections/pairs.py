"""The pairs of clusters one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    contrast,
    estimate,
    level_of,
    method,
    primary_names,
    primary_places,
)
from ccp_analysis.report.drawing import Mark, axis_label, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem, fits
from ccp_analysis.report.source import Row, Source, entries_of
from ccp_analysis.report.table import Column, Table, saying
from ccp_analysis.report.words import capitalised, decimals, interval, p_value
from ccp_analysis.results.terms import Inference, Model, Term

PAIRED = {"term": Term.DIFFERENCE, "inference": Inference.PAIRED_T}
BY_PEOPLE = {"term": Term.OF_PARTICIPANTS, "inference": Inference.CR2}
JACKKNIFE = {"term": Term.OF_PARTICIPANTS, "inference": Inference.JACKKNIFE}
BY_SIZE = {"term": Term.BY_SIZE}


class Line(NamedTuple):
    """A line of the table: which row of each analysis it shows, and how."""

    outcome: str
    label: str
    where: dict[str, str]
    write: Callable[[Row, int], str | None]


def pair_differences(source: Source) -> Table[Line]:
    """Set out differences within each pair of clusters, and their mean, primary outcome."""
    pair, label = source.clusters.pair, source.clusters.pair_label
    entries = {
        entry.id: capitalised(method(row).partition(", ")[2])
        for entry in entries_of(source, Model.TEAM_MEANS)
        for outcome in source.primary
        for row in source.rows(analysis=entry.id, outcome=outcome.id, **PAIRED)
    }

    def cell(entry: str, line: Line) -> str | None:
        row = source.one(analysis=entry, outcome=line.outcome, **line.where)
        return line.write(row, primary_places(source, line.outcome)) if row else None

    columns = [Column(name, partial(cell, entry), 30) for entry, name in entries.items()]
    records: list[Line] = []
    for outcome in (o.id for o in source.primary):
        within = {"outcome": outcome, "term": Term.PAIR_DIFFERENCE}
        found = [row for entry in entries for row in source.rows(analysis=entry, **within)]
        at = {row["level"]: {"term": row["term"], "level": row["level"]} for row in found}
        records += [Line(outcome, source.category(pair, name), at[name], estimate) for name in at]
        over = [Line(outcome, *line) for line in _over_pairs(level_of(source)) if found]
        records += saying(columns, over)
    return Table(
        f"The primary outcome within each {label}: differences between baseline-adjusted "
        f"{source.clusters.unit_label} means ({contrast(source)})",
        [
            Column("Outcome", lambda line: source.outcome(line.outcome)),
            Column(capitalised(label), attrgetter("label"), 40, "l"),
            *columns,
        ],
        records,
        grouped=True,
        stub=capitalised(label),
        notes=[
            f"The cluster-average gives every {label} the same weight, the participant-average "
            "every participant; where effects go with size they differ. The change is of the "
            "difference with the number of participants, an interval and no test."
        ],
    )


def _over_pairs(level: str) -> list[tuple[Any, ...]]:
    """Return the lines below those of the pairs: label, which row, and how it is written."""

    def limits(row: Row, places: int) -> str | None:
        return interval(row["conf_low"], row["conf_high"], places)

    return [
        ("All alike (cluster-average)", PAIRED, estimate),
        (f"{level} CI", PAIRED, limits),
        ("p, paired t", PAIRED, lambda row, places: p_value(row["p_value"])),
        ("By participants (participant-average)", BY_PEOPLE, estimate),
        (f"{level} CI, CR2", BY_PEOPLE, limits),
        (f"{level} CI, jackknife", JACKKNIFE, limits),
        ("Change per SD of participants", BY_SIZE, estimate),
        (f"{level} CI of the change", BY_SIZE, limits),
    ]


def _marks(source: Source) -> list[Mark]:
    marks = []
    pair = source.clusters.pair
    imputed_first = sorted(entries_of(source, Model.TEAM_MEANS), key=lambda e: e.data != "imputed")
    for outcome in source.primary:
        for entry in imputed_first[:1]:
            shared = {"analysis": entry.id, "outcome": outcome.id}
            mean = source.one(**shared, term=Term.DIFFERENCE, inference=Inference.PAIRED_T)
            if mean is None:
                continue
            places = decimals((source.primary_row(outcome.id) or mean)["std_error"])
            marks += [
                Mark(
                    source.category(pair, row["level"]),
                    row,
                    estimate_text(row, places),
                    hollow=True,
                )
                for row in source.rows(**shared, term=Term.PAIR_DIFFERENCE)
            ]
            label = "Mean of the pairs (paired t)"
            marks.append(Mark(label, mean, estimate_text(mean, places), strong=True))
    return marks


def draw_pair_differences(source: Source) -> Figure:
    """Draw the difference within each pair of clusters, and their mean with its interval."""
    marks = _marks(source)
    return forest(
        marks,
        axis_label(source, marks[-1].row),
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, source.primary[0].id) if source.primary else [None, None],
        last=True,  # the mean
    )


def _legend(source: Source) -> tuple[str, str]:
    pair = source.clusters.pair_label
    return (
        f"{primary_names(source)}: difference within each {pair} ({contrast(source)}), and "
        f"their mean with its {level_of(source)} confidence interval by a paired t test.",
        f"Dot plot with one point for each {pair} and their mean; the table of differences has "
        "the numbers.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if of.study.clusters and fits(of, Model.TEAM_MEANS):
        yield FigureItem(
            "pair_differences", draw_pair_differences, _legend, lambda s: bool(_marks(s))
        )


def _details(of: Configured) -> Iterator[Item]:
    if of.study.clusters and fits(of, Model.TEAM_MEANS):
        yield TableItem("pair_differences", pair_differences)


SECTION = Section("pairs", _items)
DETAILS = Section("pairs_details", _details, title="Pairs in numbers")
