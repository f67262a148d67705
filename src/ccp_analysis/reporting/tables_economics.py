"""The table of the economic evaluation: adjusted costs and quality-adjusted life years."""

from __future__ import annotations

from ccp_analysis.reporting.format import decimals, number
from ccp_analysis.reporting.lookup import CURRENCY, INFERENCE, Source, method
from ccp_analysis.reporting.table import Cells, Table
from ccp_analysis.reporting.tables_outcomes import (
    DIFFERENCE,
    contrast,
    difference_cells,
    difference_header,
    notes_of,
)


def economics(source: Source) -> Table:
    """Set out adjusted costs and quality-adjusted life years, and their differences."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    symbol = CURRENCY[source.economics.currency]
    units = {"pounds": symbol, "years": "years"}
    found = source.rows(analysis="economics", term=DIFFERENCE)
    for outcome in dict.fromkeys(row["outcome"] for row in found):
        own = [row for row in found if row["outcome"] == outcome]
        places = decimals(next((r["std_error"] for r in own if r["std_error"]), None))
        for row in sorted(own, key=lambda r: (r["population"], r["model"], r["df"] is None)):
            keys = ("analysis", "outcome", "population", "model", "inference")
            means = [
                source.one(**{k: row[k] for k in keys}, term="adjusted mean", level=arm)
                for arm in source.study.arms.ordered
            ]
            inference = INFERENCE.get(row["inference"], row["inference"])
            rows.append(
                [
                    f"{source.outcome(outcome)} ({units.get(row['scale'], row['scale'])})",
                    f"{method(row)} ({inference})",
                    *(number(mean["estimate"], places) if mean else None for mean in means),
                    *difference_cells(row, places, source.plan.confidence_level),
                ]
            )
            if row["note"]:
                notes.append((rows[-1][1], row["note"]))
    return Table(
        name="economics",
        caption=f"Costs and quality-adjusted life years over {source.economics.months:g} months "
        f"({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, adjusted mean" for _, label in source.arms),
            *difference_header(source),
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[46, 14, 16, 26, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=notes_of(notes),
    )
