"""The rows of drawn studies as Markdown, to be read or kept as evidence."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ccp_analysis.results.terms import Status, Term

HEADS = [
    "analysis",
    "draws",
    "level",
    "coverage",
    "power",
    "bias",
    "width",
    "wrong sign",
    "exaggeration",
]


def _share(row: pd.Series) -> str:
    flag = " **flagged**" * (row["status"] == Status.FLAGGED)
    places = f"{row['estimate']:.3f} ({row['conf_low']:.3f} to {row['conf_high']:.3f})"
    return places.replace("0.", ".") + flag


def _number(row: pd.Series) -> str:
    return f"{row['estimate']:.3f} ± {row['mc_error']:.3f}"


SHOWN: dict[Term, Callable[[pd.Series], str]] = {
    Term.TEST_LEVEL: _share,
    Term.COVERAGE: _share,
    Term.POWER: _share,
    Term.BIAS: _number,
    Term.INTERVAL_WIDTH: _number,
    Term.SIGN_ERROR: _share,
    Term.SIZE_ERROR: _number,
}


def markdown(table: pd.DataFrame) -> str:
    """Return a table for each outcome and scenario: shares with Monte Carlo intervals, ± errors."""
    lines = []
    for (outcome, name), own in table.groupby(["outcome", "perspective"], sort=False):
        [note] = own.loc[own["term"] == Term.COVERAGE, "note"].iloc[:1].tolist() or [""]
        if not name:
            lines += [f"{outcome}: {own['note'].iloc[0]}.", ""]
            continue
        lines += [f"## {outcome}: {name}", "", f"{note.capitalize()}.", ""]
        lines += [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
        for analysis, rows in own.groupby("level", sort=False):
            by_term = {row["term"]: row for _, row in rows.iterrows()}
            draws = f"{by_term[Term.COVERAGE]['n']:,}"
            cells = [write(by_term[t]) if t in by_term else "" for t, write in SHOWN.items()]
            lines.append(f"| {' | '.join([str(analysis), draws, *cells])} |")
        lines.append("")
    return "\n".join(lines)
