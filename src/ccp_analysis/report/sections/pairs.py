"""The pairs of clusters one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from ccp_analysis.report.cells import contrast, level_of, method, primary_names
from ccp_analysis.report.drawing import Mark, axis_label, direction_labels, estimate_text, forest
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem, fits
from ccp_analysis.report.source import Source, entries_of
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import capitalised, decimals, interval, number, p_value
from ccp_analysis.results.terms import Inference, Model, Term


def pair_differences(source: Source) -> Table[Any]:
    """Set out differences within each pair of clusters, and their mean, primary outcome."""
    pair = source.clusters.pair
    rows: list[Cells] = []
    header: dict[str, str] = {}
    paired = {"term": Term.DIFFERENCE, "inference": Inference.PAIRED_T}
    for entry in entries_of(source, Model.TEAM_MEANS):
        for outcome in source.primary:
            for row in source.rows(analysis=entry.id, outcome=outcome.id, **paired):
                header[entry.id] = capitalised(method(row).partition(", ")[2])
    for outcome in source.primary:
        places = decimals((source.primary_row(outcome.id) or {}).get("std_error"))
        by_pair: dict[str, dict[str, str | None]] = {}
        last: list[Cells] = [
            ["All alike (cluster-average)"],
            [f"{level_of(source)} CI"],
            ["p, paired t"],
            ["By participants (participant-average)"],
            [f"{level_of(source)} CI, CR2"],
            [f"{level_of(source)} CI, jackknife"],
            ["Change per SD of participants"],
            [f"{level_of(source)} CI of the change"],
        ]
        for entry in header:
            shared = {"analysis": entry, "outcome": outcome.id}
            for row in source.rows(**shared, term=Term.PAIR_DIFFERENCE):
                by_pair.setdefault(row["level"], {})[entry] = number(row["estimate"], places)
            mean = source.one(**shared, **paired)
            last[0].append(number(mean["estimate"], places) if mean else None)
            low, high = (mean["conf_low"], mean["conf_high"]) if mean else (None, None)
            last[1].append(interval(low, high, places))
            last[2].append(p_value(mean["p_value"]) if mean else None)
            people = {
                row["inference"]: row for row in source.rows(**shared, term=Term.OF_PARTICIPANTS)
            }
            weighted, jackknife = people.get(Inference.CR2), people.get(Inference.JACKKNIFE)
            slope = source.one(**shared, term=Term.BY_SIZE)
            last[3].append(number(weighted["estimate"], places) if weighted else None)
            for cells, row in zip(last[4:6], (weighted, jackknife), strict=True):
                cells.append(interval(row["conf_low"], row["conf_high"], places) if row else None)
            last[6].append(number(slope["estimate"], places) if slope else None)
            last[7].append(
                interval(slope["conf_low"], slope["conf_high"], places) if slope else None
            )
        rows += [
            [source.outcome(outcome.id), source.category(pair, name), *map(cells.get, header)]
            for name, cells in by_pair.items()
        ]
        there = [cells for cells in last if by_pair and any(cells[1:])]
        rows += [[source.outcome(outcome.id), *cells] for cells in there]
    return positional(
        caption=f"The primary outcome within each {source.clusters.pair_label}: differences "
        f"between baseline-adjusted {source.clusters.unit_label} means ({contrast(source)})",
        header=["Outcome", capitalised(source.clusters.pair_label), *header.values()],
        rows=rows,
        align="ll" + "r" * len(header),
        widths=[40, *[30] * len(header)],
        grouped=True,
        stub=capitalised(source.clusters.pair_label),
        notes=[
            "The cluster-average gives every "
            f"{source.clusters.pair_label} the same weight, the participant-average every "
            "participant; where effects go with size they differ. The change is of the difference "
            "with the number of participants, an interval and no test."
        ]
        if rows
        else [],
    )


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
        yield TableItem("pair_differences", pair_differences)
        yield FigureItem(
            "pair_differences", draw_pair_differences, _legend, lambda s: bool(_marks(s))
        )


SECTION = Section("pairs", _items)
