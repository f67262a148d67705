"""Cronbach's alpha, with an interval that knows that people sit in clusters."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit


def cronbach_alpha(items: np.ndarray) -> float:
    """Return Cronbach's alpha of items.

    Parameters
    ----------
    items : array_like
        Answers, shape (n, k): people by items, nothing missing.

    Returns
    -------
    float
        k / (k - 1) times one minus the sum of the items' variances over the variance of their sum
        (Cronbach 1951); NaN with fewer than two people or items, or where the sum does not vary.

    Examples
    --------
    Items that all say the same, and items that say nothing of each other:

    >>> from ccp_analysis.models.reliability import cronbach_alpha
    >>> cronbach_alpha([[1, 1], [2, 2], [4, 4]])
    1.0
    >>> cronbach_alpha([[1, 1], [1, 2], [2, 1], [2, 2]])
    0.0
    """
    items = np.asarray(items, dtype=float)
    n, k = items.shape
    if n < 2 or k < 2:
        return np.nan
    whole = items.sum(axis=1).var(ddof=1)
    if not whole > 0.0:
        return np.nan
    return float(k / (k - 1) * (1.0 - items.var(axis=0, ddof=1).sum() / whole))


def alpha_limits(items: np.ndarray, groups: np.ndarray, level: float) -> tuple[float, float, int]:
    """Return an interval for alpha by the jackknife over clusters.

    Parameters
    ----------
    items : array_like
        Shape (n, k), as in `cronbach_alpha`.
    groups : array_like
        Cluster of each person, shape (n,).
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Limits; NaN where a value without one of the clusters does not exist, or there is one only.
    df : int
        Degrees of freedom: clusters less one.

    Notes
    -----
    Of log(1 - alpha), whose distribution is nearly symmetrical (van Zyl, Neudecker & Nel 2000,
    Psychometrika 65:271-280), so that the upper limit stays below 1.
    """
    items, groups = np.asarray(items, dtype=float), np.asarray(groups)
    clusters = np.unique(groups)
    count = len(clusters)
    values = np.array([cronbach_alpha(items[groups != one]) for one in clusters])
    apart = 1.0 - np.append(values, cronbach_alpha(items))
    if count < 2 or not (apart > 0.0).all():
        return np.nan, np.nan, count - 1
    logs = np.log(apart)
    spread = np.square(logs[:-1] - logs[:-1].mean()).sum() * (count - 1) / count
    half = float(stdtrit(count - 1, 0.5 + level / 2.0)) * float(np.sqrt(spread))
    return 1.0 - float(np.exp(logs[-1] + half)), 1.0 - float(np.exp(logs[-1] - half)), count - 1
