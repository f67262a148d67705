"""How alike two arms are: standardised differences of people and team means, size of weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import grouping
from ccp_analysis.models.team_level import paired_team_means

# A covariate is constant when it varies by no more than this share of its size.
CONSTANT = 1e-10


@dataclass(frozen=True)
class Balance:
    """Differences between the arms in p covariates.

    Attributes
    ----------
    means : numpy.ndarray
        (Weighted) means of arm 0 and of arm 1, shape (..., 2, p).
    scale : numpy.ndarray
        Pooled standard deviation, without weights, shape (..., p).
    difference : numpy.ndarray
        Mean of arm 1 less that of arm 0, over `scale`, shape (..., p); NaN where nobody differs.
    ratio : numpy.ndarray
        (Weighted) variance of arm 1 over that of arm 0, shape (..., p); NaN where one is zero.
    """

    means: np.ndarray
    scale: np.ndarray
    difference: np.ndarray
    ratio: np.ndarray


def balance(X: np.ndarray, arm: np.ndarray, weights: np.ndarray | None = None) -> Balance:
    """Compare the arms person by person.

    Parameters
    ----------
    X : array_like
        Covariates, shape (..., n, p).
    arm : array_like of int
        Arm of each person, 0 or 1, shape (n,).
    weights : array_like, optional
        Positive, shape (..., n); of no known scale. Equal if left out.

    Returns
    -------
    Balance

    Notes
    -----
    Austin (2009, Stat Med 28:3083-3107). The denominator is the root of the mean of both arms'
    *unweighted* variances, before and after weighting, so that weights that narrow an arm do not
    seem to unbalance it. With weights of sum one in an arm a weighted variance is
    sum w (x - mean)^2 / (1 - sum w^2), which is the usual one where they are equal.
    """
    X, arm = np.asarray(X, dtype=float), np.asarray(arm)
    weights = np.ones(X.shape[:-1]) if weights is None else np.asarray(weights, dtype=float)
    means, variances = [], []
    for a in (0, 1):
        x, w = X[..., arm == a, :], weights[..., arm == a, None]
        w = w / w.sum(axis=-2, keepdims=True)
        means.append((w * x).sum(axis=-2))
        spread = (w * np.square(x - means[a][..., None, :])).sum(axis=-2)
        variances.append(varies(x) * _over(spread, 1.0 - np.square(w).sum(axis=-2)))
    scale = np.broadcast_to(pooled_sd(X, arm), means[0].shape)
    return Balance(
        means=np.stack(means, axis=-2),
        scale=scale,
        difference=_over(means[1] - means[0], scale),
        ratio=_over(variances[1], np.where(variances[1] > 0.0, variances[0], 0.0)),
    )


def team_balance(
    X: np.ndarray,
    team: np.ndarray,
    pair: np.ndarray,
    arm: np.ndarray,
    weights: np.ndarray | None = None,
) -> Inference:
    """Compare the (weighted) means of paired teams, in standard deviations of people.

    Parameters
    ----------
    X : array_like
        Covariates, shape (..., n, p).
    team : array_like of int
        Team of each person, 0 to T - 1, shape (n,).
    pair, arm : array_like of int
        Pair code and arm (0 or 1) of each team, shape (T,).
    weights : array_like, optional
        Positive, shape (..., n).

    Returns
    -------
    Inference
        Mean difference within pairs over the pooled standard deviation of people, as in `balance`,
        with the standard error of the paired t test and pairs - 1 degrees of freedom, arrays of
        shape (..., p). Every pair counts alike; the denominator counts as known.

    Raises
    ------
    ValueError
        If shapes do not fit, or a pair is not one team of each arm; it says which.
    """
    X, team, pair, arm = np.asarray(X, dtype=float), *map(np.asarray, (team, pair, arm))
    for code in np.unique(pair):
        if sorted(arm[pair == code]) != [0, 1]:
            raise ValueError(f"Pair {code} is not one team of each arm.")
    teams = grouping(team, X.shape[-2])
    weights = np.ones(X.shape[:-1]) if weights is None else np.asarray(weights, dtype=float)
    means = teams.sums(weights[..., None] * X) / teams.sums(weights[..., None])
    scaled = _over(means, pooled_sd(X, arm[team])[..., None, :])
    known = np.isfinite(scaled).all(axis=-2)
    # A covariate in which nobody differs has no difference to infer.
    values = np.where(known[..., None, :], scaled, 0.0)
    found = paired_team_means(np.swapaxes(values, -1, -2), None, np.arange(len(arm)), pair, arm)
    paired = found.inference.part((..., 0))
    return Inference(np.where(known, paired.estimate, np.nan), paired.std_error, paired.df)


def effective_sizes(weights: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many people weights are worth, and the largest share of one person, by group.

    Parameters
    ----------
    weights : array_like
        Not negative, shape (..., n).
    groups : array_like of int
        Code of each person: arm or team, shape (n,).

    Returns
    -------
    sizes, shares : numpy.ndarray
        (sum w)^2 / sum w^2 (Kish 1965, Survey Sampling, section 11.7) and max w / sum w of each
        group, in the order of the codes, shape (..., G).
    """
    weights = np.asarray(weights, dtype=float)
    by_group = grouping(groups, weights.shape[-1])
    total, squares = (by_group.sums(v[..., None])[..., 0] for v in (weights, weights**2))
    largest = np.maximum.reduceat(weights[..., by_group.order], by_group.starts, axis=-1)
    return _over(total**2, squares), _over(largest, total)


def pooled_sd(X: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Return the root of the mean of both arms' unweighted variances: (..., n, p) to (..., p)."""
    sides = [X[..., arm == a, :] for a in (0, 1)]
    variances = [varies(x) * x.var(axis=-2, ddof=min(1, x.shape[-2] - 1)) for x in sides]
    return np.sqrt(sum(variances) / 2.0)


def varies(X: np.ndarray) -> np.ndarray:
    """Return which columns are not constant but for rounding: (..., n, p) to (..., p)."""
    return np.ptp(X, axis=-2) > CONSTANT * np.abs(X).max(axis=-2)


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide, with NaN where the divisor is not positive."""
    return above / np.where(below > 0.0, below, np.nan)
