"""What is at fault where the columns of a design cannot be told apart, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccp_analysis.analyses.design import ACTIVE, said
from ccp_analysis.models.ols import RANK_TOLERANCE

# Share of a column's length below which another column does not count towards it.
NEGLIGIBLE = 1e-6
MOST = 3  # more names than these say no more than "the others"


def at_fault(columns: Sequence[str], X: np.ndarray, dependent: Sequence[int] = ()) -> str:
    """Say which columns of a design cannot be told from the others, and why.

    Parameters
    ----------
    columns : sequence of str
        What each column is, as `design` names them.
    X : numpy.ndarray
        Designs, shape (..., n, p).
    dependent : sequence of int
        Positions that a fit found to depend on the columns before them; looked for otherwise.

    Returns
    -------
    str
        A sentence without its full stop; empty where no column depends on others.
    """
    stack = np.asarray(X, dtype=float).reshape(-1, *np.shape(X)[-2:])
    flags = _dependent(stack)
    where = np.flatnonzero(flags.any(axis=-1))
    one = stack[where[0] if len(where) else 0]
    positions = np.flatnonzero(flags[where[0]]).tolist() if len(where) else list(dependent)
    reasons: dict[str, None] = {}
    for position in positions:
        name = said(columns[position])
        if ACTIVE not in columns[position] and _constant(one[:, position]):
            reasons[_flat(columns[position])] = None
            continue
        others = [n for n in _made_of(columns, one, position) if n != name]
        known = 0 < len(others) <= MOST
        source = " and ".join(others) if known else "the other columns of the design"
        reasons[f"{name} follows from {source}: what each explains cannot be told apart"] = None
    return "; ".join(reasons)


def _flat(column: str) -> str:
    """Say that a column does not vary; of a category at one visit, that nobody was seen there."""
    inside, _, visit = column.partition("[T.")[2].rpartition("], ")
    if visit:
        return f"nobody whose {said(column)} is '{inside}' was seen at '{visit}'"
    return f"{said(column)} is the same for everyone, and cannot be adjusted for"


def _dependent(stack: np.ndarray) -> np.ndarray:
    """Tell which columns depend on those before them, as `fit_ols` does; (b, n, p) to (b, p)."""
    left = np.abs(np.diagonal(np.linalg.qr(stack, mode="r"), axis1=-2, axis2=-1))
    return left <= RANK_TOLERANCE * np.sqrt(np.square(stack).sum(axis=-2))


def _constant(column: np.ndarray) -> bool:
    """Tell whether a centred column, or one that counts at one visit alone, does not vary."""
    inside = column[column != 0]
    return not inside.size or float(np.ptp(inside)) == 0.0


def _made_of(columns: Sequence[str], X: np.ndarray, position: int) -> list[str]:
    """Name what the columns are of which one is a sum."""
    before, column = X[:, :position], X[:, position]
    weights = np.linalg.lstsq(before, column, rcond=None)[0]
    share = np.abs(weights) * np.sqrt(np.square(before).sum(axis=0))
    counts = share > NEGLIGIBLE * np.sqrt(np.square(column).sum())
    names = [said(columns[k]) for k in np.flatnonzero(counts).tolist() if columns[k] != "Intercept"]
    return list(dict.fromkeys(names))
