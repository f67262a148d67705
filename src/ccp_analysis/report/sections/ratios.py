"""Binary outcomes and counts, as ratios and as differences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ccp_analysis.config.models import RATIOS
from ccp_analysis.report.cells import (
    adjusted_mean,
    by_arm,
    contrast,
    estimate,
    estimated,
    inference_of,
    level_of,
    method,
    n_column,
    notes_of,
    outcome_column,
    p_column,
    places_of,
    with_interval,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, fits
from ccp_analysis.report.source import Row, Source, entries_of
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import known, uncapitalised
from ccp_analysis.results.terms import Term


def ratios(source: Source) -> Table[Row]:
    """Set out ratios, and differences of risks or rates, of binary outcomes and counts."""
    entries, level = entries_of(source, *RATIOS), level_of(source)
    names = dict.fromkeys(RATIOS[entry.model] for entry in entries)
    found = [
        row
        for outcome in source.plan.outcomes
        for entry in entries
        for term in (RATIOS[entry.model], Term.DIFFERENCE)
        for row in source.rows(analysis=entry.id, outcome=outcome.id, term=term)
    ]
    # A line for each analysis and outcome: its ratio, or the difference where there is none.
    first = {(row["analysis"], row["outcome"]): row for row in found[::-1]}

    visits = {row["visit"] for row in first.values()}

    def difference(row: Row) -> Row | None:
        return source.one(analysis=row["analysis"], outcome=row["outcome"], term=Term.DIFFERENCE)

    def mean(arm: str, row: Row) -> str | None:
        return estimate(adjusted_mean(source, row, arm), places_of(difference(row) or row))

    def ratio(row: Row) -> str | None:
        without = row["term"] == Term.DIFFERENCE and known(row["estimate"])
        return None if without else estimated(row, 2)

    return Table(
        f"Binary outcomes and counts: ratios and differences ({contrast(source)})",
        [
            outcome_column(source),
            Column("Analysis", partial(_analysis, source, len(visits) > 1), 32, "l"),
            *by_arm(source, ("mean", mean, 13)),
            Column(f"{' or '.join(names).capitalize() or 'Ratio'} ({level} CI)", ratio, 22),
            p_column(8),
            Column(
                f"Difference ({level} CI)",
                lambda row: with_interval(difference(row), places_of(difference(row))),
                24,
            ),
            n_column(6),
        ],
        list(first.values())[::-1],
        grouped=True,
        stub="Analysis",
        notes=notes_of(
            [
                ("Difference" if row["term"] == Term.DIFFERENCE else "Ratio", row["note"])
                for row in found
                if row["note"]
            ]
        ),
    )


def _analysis(source: Source, dated: bool, row: Row) -> str:
    """Name an analysis, with its visit where visits tell analyses apart."""
    visit = uncapitalised(source.visit(row["visit"])) if dated else ""
    name = " at ".join(filter(None, [method(row), visit]))
    return f"{name} ({', '.join(filter(None, [row['role'], inference_of(row)]))})"


def _items(of: Configured) -> Iterator[Item]:
    if fits(of, *RATIOS):
        yield TableItem("ratios", ratios)


SECTION = Section("ratios", _items)
