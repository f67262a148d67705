"""Binary outcomes and counts, as ratios and as differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ccp_analysis.config.models import RATIOS
from ccp_analysis.report.cells import (
    contrast,
    inference_of,
    level_of,
    method,
    notes_of,
    with_interval,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, fits
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import decimals, number, p_value
from ccp_analysis.results.terms import Status, Term


def ratios(source: Source) -> Table[Any]:
    """Set out ratios, and differences of risks or rates, of binary outcomes and counts."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    for outcome in source.plan.outcomes:
        for analysis in source.plan.analyses:
            if analysis.model not in RATIOS:
                continue
            shared = {"analysis": analysis.id, "outcome": outcome.id}
            ratio = source.one(**shared, term=RATIOS[analysis.model])
            difference = source.one(**shared, term=Term.DIFFERENCE)
            row = ratio or difference
            if row is None:
                continue
            places = decimals((difference or row)["std_error"])
            means = [
                source.one(**shared, term=Term.ADJUSTED_MEAN, level=a)
                for a in source.study.arms.ordered
            ]
            failed = "not estimated" if row["status"] in (Status.FAILED, Status.REFUSED) else None
            inference = inference_of(row)
            rows.append(
                [
                    source.outcome(outcome.id),
                    f"{method(row)} ({', '.join(filter(None, [row['role'], inference]))})",
                    *(number(mean["estimate"], places) if mean else None for mean in means),
                    with_interval(ratio, 2) if ratio else failed,
                    p_value(row["p_value"]),
                    with_interval(difference, places) if difference else None,
                    number(row["n"]),
                ]
            )
            notes += [
                (label, one["note"])
                for label, one in (("Ratio", ratio), ("Difference", difference))
                if one and one["note"]
            ]
    level = level_of(source)
    names = dict.fromkeys(RATIOS[a.model] for a in source.plan.analyses if a.model in RATIOS)
    return positional(
        caption=f"Binary outcomes and counts: ratios and differences ({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, mean" for _, label in source.arms),
            f"{' or '.join(names).capitalize() or 'Ratio'} ({level} CI)",
            "p",
            f"Difference ({level} CI)",
            "n",
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[32, 13, 13, 22, 8, 24, 6],
        grouped=True,
        stub="Analysis",
        notes=notes_of(notes),
    )


def _items(of: Configured) -> Iterator[Item]:
    if fits(of, *RATIOS):
        yield TableItem("ratios", ratios)


SECTION = Section("ratios", _items)
