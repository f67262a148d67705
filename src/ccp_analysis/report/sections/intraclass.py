"""What clusters, or visits of one person, share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ccp_analysis.report.cells import level_of, method, with_interval
from ccp_analysis.report.section import Configured, Item, Section, TableItem, fits
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import decimals, number
from ccp_analysis.results.terms import Model, Term


def intraclass(source: Source) -> Table[Any]:
    """List the intraclass correlation of every outcome, with its interval."""
    term = Term.INTRACLASS
    rows: list[Cells] = []
    part = Term.VARIANCE.of("")
    truncated = False
    order = [analysis.id for analysis in source.plan.analyses]
    groups: dict[str, None] = {}
    for outcome in source.plan.outcomes:
        found = [r for r in source.rows(outcome=outcome.id, term=term) if r["analysis"] in order]
        for row in sorted(found, key=lambda row: order.index(row["analysis"])):
            shared = {key: row[key] for key in ("analysis", "outcome", "visit", "inference")}
            parts = {
                r["term"].removeprefix(part): r["estimate"]
                for r in source.rows(**shared)
                if r["term"].startswith(part)
            }
            within = parts.pop("residual", None)
            between = next(iter(parts.values()), None)
            groups |= dict.fromkeys(parts)
            cut = "truncated" in row["note"]
            truncated |= cut
            shown = with_interval(row, 3)
            rows.append(
                [
                    source.outcome(outcome.id),
                    method(row),
                    f"{shown}\N{DAGGER}" if shown and cut else shown,
                    number(between, decimals(between)),
                    number(within, decimals(within)),
                ]
            )
    group = " or ".join(groups)
    return positional(
        caption="Intraclass correlations: the share of the variance beside the model that lies "
        f"between {group}s",
        header=[
            "Outcome",
            "Analysis",
            f"Intraclass correlation ({level_of(source)} CI)",
            f"Variance between {group}s",
            "Residual variance",
        ],
        rows=rows,
        align="llrrr",
        widths=[44, 30, 18, 18],
        grouped=True,
        stub="Analysis",
        notes=[
            "Exact intervals (Harville and Fenech 1985), which exist where the estimate is zero.",
            *["\N{DAGGER} truncated at zero."] * truncated,
        ]
        if rows
        else [],
    )


def _items(of: Configured) -> Iterator[Item]:
    if fits(of, Model.MIXED, Model.REPEATED):
        yield TableItem("intraclass", intraclass)


SECTION = Section("intraclass", _items)
