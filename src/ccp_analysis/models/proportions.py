"""Intervals for a share of people who sit in clusters, inside 0 and 1 and at either end."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, expit, logit, stdtrit


def logit_limits(
    share: np.ndarray | float, std_error: np.ndarray | float, df: np.ndarray | float, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval that is symmetrical on the scale of the log odds.

    Parameters
    ----------
    share : array_like
        Estimated share, more than 0 and less than 1.
    std_error : array_like
        Of the share itself, as CR2 over the clusters gives it.
    df : array_like
        Degrees of freedom.
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray
        Limits, which never leave 0 to 1.

    Notes
    -----
    By the delta method the standard error of the log odds is that of the share over p (1 - p). Of a
    share with nothing but an intercept it is that of the logistic model with CR2, digit for digit:
    the working variance p (1 - p) is the same for everyone and cancels from the adjustment.
    """
    share = np.asarray(share, dtype=float)
    half = stdtrit(df, 0.5 + level / 2.0) * std_error / (share * (1.0 - share))
    return expit(logit(share) - half), expit(logit(share) + half)


def worth(sizes: np.ndarray, icc: float) -> float:
    """Return how many independent people those in clusters are worth.

    Parameters
    ----------
    sizes : array_like of int
        People of each cluster, shape (G,).
    icc : float
        Intraclass correlation.

    Returns
    -------
    float
        n / (1 + (m - 1) icc), m the mean size of the cluster that a person is in (Kish 1965).

    Examples
    --------
    >>> from ccp_analysis.models.proportions import worth
    >>> worth([15, 15, 15, 15, 15], 0.0), worth([15, 15, 15, 15, 15], 1.0)
    (75.0, 5.0)
    """
    sizes = np.asarray(sizes, dtype=float)
    n = float(sizes.sum())
    return n / (1.0 + (float(np.square(sizes).sum()) / n - 1.0) * icc)


def exact_limits(
    count: float, n: int, sizes: np.ndarray | None, icc: float, level: float
) -> tuple[float, float]:
    """Return the exact interval for a share (Clopper & Pearson 1934), of what people are worth.

    Parameters
    ----------
    count : float
        People who have it.
    n : int
        People.
    sizes : array_like of int or None
        People of each cluster; None where people count as independent.
    icc : float
        Intraclass correlation that is assumed.
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Limits.

    Notes
    -----
    Count and n are both multiplied by `worth` / n, as Korn & Graubard (1998, Survey Methodology
    24:193-201) do; quantiles of the beta distribution take any number.

    Examples
    --------
    Of 20 people who had no event the upper limit is 17 percent (Hanley & Lippman-Hand 1983 give
    3 / n for a one-sided one):

    >>> from ccp_analysis.models.proportions import exact_limits
    >>> low, high = exact_limits(0, 20, None, 0.0, 0.95)
    >>> print(low, round(high, 3))
    0.0 0.168
    """
    size = float(n) if sizes is None else worth(sizes, icc)
    have = count * size / n
    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(betaincinv(have, size - have + 1.0, tail))
    high = 1.0 if count == n else float(betaincinv(have + 1.0, size - have, 1.0 - tail))
    return low, high


def difference_limits(
    active: tuple[float, float, float], reference: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the interval for a difference of two shares, from the interval of each.

    Parameters
    ----------
    active, reference : tuple of float
        Share, lower and upper limit of each; the difference is the first minus the second.

    Returns
    -------
    low, high : float
        Limits, which never leave -1 to 1.

    Notes
    -----
    The method of variance estimates recovered (Newcombe 1998, Stat Med 17:873-890, method 10; Zou &
    Donner 2008, Stat Med 27:1693-1702): each side takes the variance that the limits of the two
    shares imply on that side, so that nobody with an event in one arm is no certainty about it.

    Examples
    --------
    Of 70 people 56 had it, and of 80 people 48; with Wilson's intervals Newcombe has 0.0524 to
    0.3339 (his table II):

    >>> from ccp_analysis.models.proportions import difference_limits
    >>> limits = difference_limits((0.8, 0.69183, 0.87695), (0.6, 0.49045, 0.70038))
    >>> print(*(round(limit, 4) for limit in limits))
    0.0524 0.3339
    """
    (p, low, high), (q, least, most) = active, reference
    down, up = np.hypot(p - low, most - q), np.hypot(high - p, q - least)
    return float(p - q - down), float(p - q + up)
