"""Two results tables, row by row: identical, equal, different, or on one side only.

Two numbers are equal if they differ by no more than their kind allows (`TOLERANCE` of a yardstick).
Of numbers in units of the outcome, whose row has a standard error, that is the yardstick: a change
of a millionth of it is a hundred times too large. Statistics, p-values and fractions are measured
by one or, where that is larger, by themselves; all other numbers by themselves. What two processors
make of the same sum differs by less than `ROUNDING` of it, and is no difference.
"""

from __future__ import annotations

import math

import pandas as pd

from ccp_analysis.results.table import COLUMNS, KEY, NUMBERS

TOLERANCE = 1e-8
ROUNDING = 1e-12
IN_UNITS = ("estimate", "std_error", "conf_low", "conf_high", "mc_error")
WITHOUT_UNITS = ("statistic", "p_value", "p_adjusted", "fmi")

IDENTICAL, EQUAL, DIFFERENT = "identical", "equal", "different"
LOST, NEW = "only in reference", "only in rerun"
# What stands against no verification.
FINE = (IDENTICAL, EQUAL)


def compare(reference: pd.DataFrame, rerun: pd.DataFrame) -> pd.DataFrame:
    """Compare two results tables row by row.

    Parameters
    ----------
    reference, rerun : pandas.DataFrame
        Results tables as text, columns `COLUMNS`; rows with the same text in all columns of `KEY`
        belong together.

    Returns
    -------
    pandas.DataFrame
        One row for each row of either table, sorted by key: the key; `comparison`, one of
        "identical" (the same text throughout), "equal", "different", "only in
        reference", "only in rerun"; then, of the cell that differs most, `column`, its text in
        `reference` and in `rerun`, and `difference`: relative, infinite where a text or a missing
        value stands on one side only.
    """
    old, new = (
        {tuple(r[k] for k in KEY): r for r in t.to_dict("records")} for t in (reference, rerun)
    )
    rows = []
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            found: dict[str, str | float] = {"comparison": LOST}
        elif key not in old:
            found = {"comparison": NEW}
        else:
            found = _compare_row(old[key], new[key])
        rows.append(dict(zip(KEY, key, strict=True)) | found)
    columns = [*KEY, "comparison", "column", "reference", "rerun", "difference"]
    return pd.DataFrame(rows, columns=columns)


def _compare_row(old: dict[str, str], new: dict[str, str]) -> dict[str, str | float]:
    unequal = {c: _distance(c, old, new) for c in COLUMNS if old[c] != new[c]}
    if not unequal:
        return {"comparison": IDENTICAL}
    column = max(unequal, key=unequal.__getitem__)
    return {
        "comparison": EQUAL if unequal[column] <= TOLERANCE else DIFFERENT,
        "column": column,
        "reference": old[column],
        "rerun": new[column],
        "difference": unequal[column],
    }


def _distance(column: str, old: dict[str, str], new: dict[str, str]) -> float:
    """Return how far two unequal cells are apart, by their yardstick."""
    a, b = number(old[column]), number(new[column])
    if column not in NUMBERS or a is None or b is None:
        return math.inf
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    size, apart = max(abs(a), abs(b)), abs(a - b)
    if column in WITHOUT_UNITS:
        return apart / max(size, 1.0)
    std_error = number(old["std_error"]) if column in IN_UNITS else None
    if std_error and math.isfinite(std_error) and column != "std_error":
        # Of what is far larger than its standard error the last digits are rounding.
        return 0.0 if apart <= ROUNDING * size else apart / abs(std_error)
    return apart / size


def number(text: str) -> float | None:
    """Return a cell's number, NaN for an empty cell, None for what is no number."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None
