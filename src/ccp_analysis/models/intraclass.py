"""An interval for the intraclass correlation that exists where the group variance is zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from ccp_analysis.models.absorbed import localised
from ccp_analysis.models.ols import OlsFit, grouping

# Share of the largest group's size below which the design has taken a direction between groups.
ABSORBED = 1e-10
BISECTIONS = 200


@dataclass(frozen=True)
class IntraclassInterval:
    """Interval for var_group / (var_group + var_resid).

    Attributes
    ----------
    low, high : float
        Limits; both lie in [0, 1), or where they may be negative below 1.
    truncated : bool
        Whether the lower limit would be negative and was set to zero.
    df_between, df_within : int
        Degrees of freedom between and within groups that the design leaves.
    moments : float
        Estimate from the two mean squares (analysis of variance); negative where groups differ less
        than their members would make them differ by chance.
    """

    low: float
    high: float
    truncated: bool
    df_between: int
    df_within: int
    moments: float


@dataclass(frozen=True)
class Strata:
    """Sums of squares of y = X b + Z u + e between and within groups: all that data say of both.

    Attributes
    ----------
    values : numpy.ndarray
        d_i, the eigenvalues of Z'(I - H)Z, shape (m, groups); 0 where the design has taken a
        direction between groups.
    squares : numpy.ndarray
        t_i^2, of a normal variable with variance var_resid + d_i var_group, shape (m, groups); 0
        where d_i is.
    within : numpy.ndarray
        Sum of squares within groups, var_resid times chi-square with `df_within`, shape (m,).
    df_between, df_within : int
        Degrees of freedom between and within groups that the design leaves.
    """

    values: np.ndarray
    squares: np.ndarray
    within: np.ndarray
    df_between: int
    df_within: int


def strata(fit: OlsFit, groups: np.ndarray) -> Strata:
    """Split the residual sums of squares of fits into parts between and within groups.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits of y on X, in one table or in m imputed ones (leading axis).
    groups : array_like of int
        Group of each row, shape (n,).

    Returns
    -------
    Strata

    Raises
    ------
    ValueError
        If the design leaves no degree of freedom between or within groups.
    """
    lead, n, p = fit.residuals.shape[:-1], fit.residuals.shape[-1], fit.inverse.shape[-1]
    residuals = fit.residuals.reshape(-1, n)
    clusters = grouping(groups, n)
    local = localised(fit, clusters)
    taken = local.spread(clusters.sums(local.basis))
    taken = np.broadcast_to(taken, lead + taken.shape[-2:]).reshape(-1, *taken.shape[-2:])
    between = np.diag(clusters.sizes.astype(float)) - taken @ np.swapaxes(taken, -1, -2)
    values, vectors = np.linalg.eigh(between)
    kept = values > ABSORBED * clusters.sizes.max()
    df_between = int(kept.sum(axis=-1).min())
    df_within = n - p - df_between
    if df_between < 1 or df_within < 1:
        raise ValueError(
            f"The design leaves {df_between} degrees of freedom between and {df_within} within "
            "groups; an intraclass correlation needs both."
        )
    sums = clusters.sums(residuals[..., None])[..., 0]
    along = (np.swapaxes(vectors, -1, -2) @ sums[..., None])[..., 0]
    squares = np.where(kept, along**2 / np.where(kept, values, 1.0), 0.0)
    within = np.square(residuals).sum(axis=-1) - squares.sum(axis=-1)
    return Strata(np.where(kept, values, 0.0), squares, within, df_between, df_within)


def intraclass_interval(
    fit: OlsFit, groups: np.ndarray, level: float = 0.95, *, negative: bool = False
) -> IntraclassInterval:
    """Return the exact interval for the intraclass correlation of y = X b + Z u + e.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits of y on X, in one table or in m imputed ones (leading axis).
    groups : array_like of int
        Group of each row, shape (n,).
    level : float
        Confidence level.
    negative : bool
        Whether limits may lie below zero, as `moments` may.

    Returns
    -------
    IntraclassInterval
        Of the m fits the sums of squares are averaged before they are inverted, so that the
        interval does not allow for the variation between imputations.

    Raises
    ------
    ValueError
        If the design leaves no degree of freedom between or within groups.

    Notes
    -----
    Wald's interval (Harville & Fenech 1985, Biometrics 41:137-152, section 3): with the nonzero
    eigenvalues d_i of Z'(I - H)Z, t_i the residuals' group sums along their eigenvectors over
    sqrt(d_i) and r = var_group / var_resid, the pivot

        sum t_i^2 / (1 + r d_i) / df_between / (SSE / df_within)

    is F distributed and falls in r. It needs no estimate of r, so it exists at zero. At r = 0 the
    pivot has the expectation (1 + r mean(d_i)) of its numerator, by which `moments` estimates r.
    Members of a group can also be less alike than by chance: r may then be as low as -1 / max(d_i),
    where the pivot is infinite, so that each limit has a root. `moments` is linear in the pivot and
    knows no such end: near it (in 6 of 400 draws of nothing shared) it lies below `low`.

    Examples
    --------
    Of the batches of dyestuff in `fit_random_intercept`, whose intraclass correlation is .418:

    >>> import numpy as np
    >>> from ccp_analysis.models.intraclass import intraclass_interval
    >>> from ccp_analysis.models.ols import fit_ols
    >>> yields = [
    ...     [1545, 1440, 1440, 1520, 1580], [1540, 1555, 1490, 1560, 1495],
    ...     [1595, 1550, 1605, 1510, 1560], [1445, 1440, 1595, 1465, 1545],
    ...     [1595, 1630, 1515, 1635, 1625], [1520, 1455, 1450, 1480, 1445],
    ... ]
    >>> batch = np.repeat(range(6), 5)
    >>> found = intraclass_interval(fit_ols(np.ones((30, 1)), np.ravel(yields)), batch)
    >>> print(round(found.low, 3), round(found.high, 3), found.df_between, found.df_within)
    0.084 0.848 5 24
    >>> print(round(found.moments, 3))
    0.418
    """
    parts = strata(fit, groups)
    squares, values = parts.squares, parts.values
    df_between, df_within = parts.df_between, parts.df_within
    within = parts.within.mean() / df_within

    def pivot(ratio: float) -> float:
        return float((squares / (1.0 + ratio * values)).sum(axis=-1).mean()) / df_between / within

    tail = (1.0 - level) / 2.0
    least = -1.0 / float(values.max()) if negative else 0.0
    low, high = (
        _root(pivot, float(fdtri(df_between, df_within, share)), least)
        for share in (1.0 - tail, tail)
    )
    truncated = not negative and pivot(0.0) < float(fdtri(df_between, df_within, 1.0 - tail))
    ratio = (pivot(0.0) - 1.0) / (values.sum(axis=-1).mean() / df_between)
    return IntraclassInterval(
        low=low / (1 + low),
        high=high / (1 + high),
        truncated=truncated,
        df_between=df_between,
        df_within=df_within,
        moments=float(ratio / (1.0 + ratio)),
    )


def _root(pivot: Callable[[float], float], target: float, least: float) -> float:
    """Return the ratio at which the falling pivot meets the target; the least if it is below."""
    if least == 0.0 and pivot(0.0) <= target:
        return 0.0
    low, high = least, 1.0
    while pivot(high) > target:
        low, high = high, 2.0 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if pivot(middle) > target else (low, middle)
    return (low + high) / 2.0
