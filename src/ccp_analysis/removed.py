"""What cleaning has set missing in the outcomes of the plan: for the screen and for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ccp_analysis import files
from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import first_few
from ccp_analysis.layout import QUERIES


def removed_of(plan: Plan, flow: dict[str, Any]) -> dict[str, str]:
    """Return outcome → how many values were set missing and why, of outcomes that lost any.

    Parameters
    ----------
    plan : Plan
        Its outcomes.
    flow : dict
        With ``set_missing``, from cleaning.
    """
    found = {entry["name"]: entry for entry in flow["set_missing"]}
    return {o.id: _in_words(found[o.id]) for o in plan.outcomes if o.id in found}


def _in_words(entry: dict[str, Any]) -> str:
    parts = [f"{n:,} {reason}" for reason, n in entry["reasons"].items()]
    return parts[0] if len(parts) == 1 else f"{entry['n']:,} ({', '.join(parts)})"


def lines_of(plan: Plan, flow: Path) -> list[str]:
    """Return one line for each outcome of which cleaning, if it ran, has set values missing."""
    if not flow.is_file():
        return []
    found = removed_of(plan, files.read_json(flow))
    lines = [
        f"{outcome}: answers or values set missing by cleaning: {words}; see {QUERIES.as_posix()}"
        for outcome, words in found.items()
    ]
    return first_few(lines, QUERIES.as_posix())
