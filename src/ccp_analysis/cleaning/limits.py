"""Hard and soft limits of the data dictionary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.decode import Decoded
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.config.dictionary import Column

HARD, SOFT = "hard", "soft"
YEARS = (1900, 2100)  # in which a date can lie; 0019 is a year that lost its century


def _outside(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Return which values, of those that are known, lie beyond limits."""
    lower, upper = _ends(low, high)
    return ~np.isnan(values) & ~((values >= lower) & (values <= upper))


def _ends(low: float | None, high: float | None) -> tuple[float, float]:
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def check_limits(
    decoded: Decoded, column: Column, sheet: Sheet, queries: Queries
) -> np.ndarray | None:
    """Compare the numbers of a column with their limits.

    Parameters
    ----------
    decoded : Decoded
        The column's values; each spelling is compared once.
    column : Column
        A row of the data dictionary.
    sheet : Sheet
        The raw file.
    queries : Queries
        Receives an error for each value outside the hard limits, a query for each that is only
        implausible.

    Returns
    -------
    numpy.ndarray of bool, shape (n,), or None
        Which values are impossible and are to be set missing; None where no value is.
    """
    if column.type == "date":
        return _check_years(decoded.values, column, sheet, queries)
    limits = {
        HARD: (column.minimum, column.maximum),
        SOFT: (column.soft_minimum, column.soft_maximum),
    }
    if all(ends == (None, None) for ends in limits.values()):
        return None
    values = np.asarray(decoded.spellings, dtype=float)
    masks = {name: _outside(values, *ends)[decoded.codes] for name, ends in limits.items()}
    if not any(mask.any() for mask in masks.values()):
        return None
    said = f"outside {range_of(column.minimum, column.maximum)}"
    queries.add("error", sheet, masks[HARD], column=column.column, action="set missing", rule=said)
    said = f"implausible: not within {range_of(column.soft_minimum, column.soft_maximum)}"
    soft = masks[SOFT] & ~masks[HARD]
    queries.add("query", sheet, soft, column=column.column, action="kept", rule=said)
    return masks[HARD] if masks[HARD].any() else None


def possible(day: pd.Timestamp) -> bool:
    """Whether a date lies in a year in which one can."""
    return YEARS[0] <= day.year <= YEARS[1]


def _check_years(
    days: pd.Series, column: Column, sheet: Sheet, queries: Queries
) -> np.ndarray | None:
    """Add an error for each date that is none of the study; return where, as `check_limits`."""
    where = (days.notna() & ~days.dt.year.between(*YEARS)).to_numpy()
    said = f"the year is outside {YEARS[0]} to {YEARS[1]}"
    queries.add("error", sheet, where, column=column.column, action="set missing", rule=said)
    return where if where.any() else None


def range_of(low: float | None, high: float | None) -> str:
    """Return limits as text, as in ``0 to 10``."""
    lower, upper = _ends(low, high)
    return f"{lower:.15g} to {upper:.15g}"
