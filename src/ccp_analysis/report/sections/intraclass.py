"""What clusters, or visits of one person, share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ccp_analysis.report.cells import level_of, method, outcome_column, with_interval
from ccp_analysis.report.section import Configured, Item, Section, TableItem, fits
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import decimals, number
from ccp_analysis.results.terms import Model, Term

RESIDUAL = "residual"


def intraclass(source: Source) -> Table[Row]:
    """List the intraclass correlation of every outcome, with its interval."""
    records = [
        row
        for outcome in source.plan.outcomes
        for analysis in source.plan.analyses
        for row in source.rows(outcome=outcome.id, term=Term.INTRACLASS, analysis=analysis.id)
    ]
    parts = dict.fromkeys(name for row in records for name in _variances(source, row))
    group = " or ".join(name for name in parts if name != RESIDUAL)

    def shown(row: Row) -> str | None:
        correlation = with_interval(row, 3)
        return f"{correlation}\N{DAGGER}" if correlation and _truncated(row) else correlation

    def variance(row: Row, *, residual: bool) -> str | None:
        named = {(name == RESIDUAL): value for name, value in _variances(source, row).items()}
        return number(named.get(residual), decimals(named.get(residual)))

    return Table(
        "Intraclass correlations: the share of the variance beside the model that lies "
        f"between {group}s",
        [
            outcome_column(source),
            Column("Analysis", method, 44, "l"),
            Column(f"Intraclass correlation ({level_of(source)} CI)", shown, 30),
            Column(f"Variance between {group}s", partial(variance, residual=False), 18),
            Column("Residual variance", partial(variance, residual=True), 18),
        ],
        records,
        grouped=True,
        stub="Analysis",
        notes=[
            "Exact intervals (Harville and Fenech 1985), which exist where the estimate is zero.",
            *["\N{DAGGER} truncated at zero."] * any(map(_truncated, records)),
        ],
    )


def _truncated(row: Row) -> bool:
    return "truncated" in row["note"]


def _variances(source: Source, row: Row) -> dict[str, float | None]:
    """Return the variances of which a correlation is made, by what they are of."""
    shared = {key: row[key] for key in ("analysis", "outcome", "visit", "inference")}
    part = Term.VARIANCE.of("")
    rows = [r for r in source.rows(**shared) if r["term"].startswith(part)]
    return {r["term"].removeprefix(part): r["estimate"] for r in rows}


def _items(of: Configured) -> Iterator[Item]:
    if fits(of, Model.MIXED, Model.REPEATED):
        yield TableItem("intraclass", intraclass)


SECTION = Section("intraclass", _items)
