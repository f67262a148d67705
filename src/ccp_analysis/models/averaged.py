"""Pooling over imputations by the averaged contributions of clusters."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.inference import Inference, standard_error
from ccp_analysis.models.pooling import Pooled, imputations_needed, pool

AVERAGED = "averaged"


def rule_for(found: Inference, asked: str) -> str:
    """Return the rule asked for, or Rubin's where there are no contributions to average."""
    possible = asked != AVERAGED or found.contributions is not None
    return asked if possible else "barnard-rubin"


def pool_by(rule: str, found: Inference) -> Pooled:
    """Pool inferences of m completed data sets, arrays (m, ..., k), by a rule.

    Parameters
    ----------
    rule : {"averaged", "barnard-rubin", "complete-data", "satterthwaite"}
        `pool_averaged`, or a rule of `pooling.pool`.
    found : Inference
        Of every completed data set.

    Returns
    -------
    Pooled

    Raises
    ------
    ValueError
        As `pool_averaged` and `pooling.pool`.
    """
    if rule == AVERAGED:
        return pool_averaged(found)
    return pool(found.estimate, found.std_error**2, found.df, rule=rule)


def pool_averaged(found: Inference) -> Pooled:
    """Pool cluster-robust inferences of m completed data sets whose clusters were imputed apart.

    Parameters
    ----------
    found : Inference
        Arrays of shape (m, ..., k), with the contributions of the clusters.

    Returns
    -------
    Pooled
        `within` is V, the variance of the averaged contributions, and `total` is T; the degrees of
        freedom are the harmonic mean of the complete-data df. `fmi` is the share of T that clusters
        share. NaN where a fit has no inference.

    Raises
    ------
    ValueError
        If the inference has no contributions of clusters.

    Notes
    -----
    With psi_gj the adjusted contribution of cluster g in completed data set j (whose squares add up
    to the CR2 variance), c_gj its own part of the estimate about the pooled coefficients, B the
    variance of the estimates over j and B_g that of c_gj,

        V = sum_g (mean_j psi_gj)^2,  B_shared = max(0, B - sum_g B_g),  T = V + (1 + 1/m) B_shared.

    Where missing values are drawn about effects of their own cluster, clusters are independent
    given the parameters that they share, and V already holds what lies between imputations; adding
    B, as Rubin's rules do, counts it twice (Andridge 2011, Biom J 53:57-74). The idea is that of
    Robins & Wang (2000, Biometrika 87:113-124), at the level of clusters. ``docs/imputation.md``
    derives it and says where it fails: it needs fixed cluster effects in the imputation model, and
    every term of the analysis there.

    Examples
    --------
    Six teams of two people; one of the last team was lost, and is drawn three times about an effect
    of that team. Clusters share nothing, so nothing is added to V; Rubin's rules add B:

    >>> import numpy as np
    >>> from ccp_analysis.models.averaged import pool_averaged
    >>> from ccp_analysis.models.pooling import pool
    >>> from ccp_analysis.models.team_level import paired_team_means
    >>> seen = [12, 15, 11, 14, 9, 13, 10, 16, 14, 17, 12]
    >>> completed = [[*seen, drawn] for drawn in (14, 18, 13)]
    >>> team, pair, arm = np.repeat(range(6), 2), [0, 0, 1, 1, 2, 2], [0, 1] * 3
    >>> found = paired_team_means(completed, None, team, pair, arm).inference
    >>> pooled = pool_averaged(found)
    >>> print(pooled.estimate.round(3), pooled.std_error.round(3), pooled.df.round(2))
    [-0.333] [1.202] [2.]
    >>> rubin = pool(found.estimate, found.std_error**2, found.df)
    >>> print(rubin.estimate.round(3), rubin.std_error.round(3), rubin.df.round(2))
    [-0.333] [1.354] [1.02]
    """
    m = len(found.estimate)
    within, between, shared = variances(found)
    shared = np.maximum(shared, 0.0)
    total = within + (1.0 + 1.0 / m) * shared
    known = np.isfinite(found.std_error).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = 1.0 / np.mean(1.0 / np.broadcast_to(found.df, found.estimate.shape), axis=0)
        riv = (1.0 + 1.0 / m) * shared / within
    # Where nothing was imputed the fit's own numbers stand, to the last bit.
    same = (found.estimate == found.estimate[0]).all(axis=0)
    same &= (found.std_error == found.std_error[0]).all(axis=0)
    error = standard_error(np.where(known, total, np.nan))
    return Pooled(
        estimate=np.where(same, found.estimate[0], found.estimate.mean(axis=0)),
        std_error=np.where(same, found.std_error[0], error),
        df=np.where(same, found.df[0], np.where(known, df, np.nan)),
        within=within,
        between=between,
        total=total,
        riv=riv,
        fmi=riv / (1.0 + riv),
        mc_error=np.where(same, 0.0, np.sqrt(between / m)),
        used_up=found.used_up,
        rule=AVERAGED,
    )


def variances(found: Inference) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return V, B and B - sum_g B_g of inferences (m, ..., k), each of shape (..., k).

    All three are quadratic in the outcome. With a single imputation the last two are zero.

    Raises
    ------
    ValueError
        If the inference has no contributions of clusters.
    """
    within = np.square(found.by_cluster.adjusted.mean(axis=0)).sum(axis=-1)
    if len(found.estimate) == 1:
        return within, np.zeros_like(within), np.zeros_like(within)
    between = found.estimate.var(axis=0, ddof=1)
    own = found.by_cluster.own().var(axis=0, ddof=1).sum(axis=-1)
    return within, between, between - own


def covariance(found: Inference) -> np.ndarray:
    """Return T of all contrasts together, shape (..., k, k).

    Parameters
    ----------
    found : Inference
        Arrays of shape (m, ..., k), with the contributions of the clusters.

    Returns
    -------
    numpy.ndarray
        With the positive semidefinite part of what clusters share.
    """
    m = len(found.estimate)
    mean = found.by_cluster.adjusted.mean(axis=0)
    total = mean @ np.swapaxes(mean, -1, -2)
    if m == 1:
        return total
    apart = (found.estimate - found.estimate.mean(axis=0))[..., None]
    own = found.by_cluster.own()
    own = own - own.mean(axis=0)
    shared = apart @ np.swapaxes(apart, -1, -2) - own @ np.swapaxes(own, -1, -2)
    values, vectors = np.linalg.eigh(shared.sum(axis=0) / (m - 1))
    positive = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return total + (1.0 + 1.0 / m) * positive


def imputations_for(found: Inference, pooled: Pooled, cv: float = 0.05) -> np.ndarray:
    """Return how many imputations would make standard errors repeatable.

    Parameters
    ----------
    found : Inference
        Of m completed data sets, arrays (m, ..., k).
    pooled : Pooled
        What they were pooled to, by whatever rule.
    cv : float
        Wanted coefficient of variation of the standard error over repeated imputation.

    Returns
    -------
    numpy.ndarray of float
        Whole numbers, at least 2, shape (..., k); NaN where that is not known.

    Notes
    -----
    By Rubin's rules those of `imputations_needed`, from the share of the variance that lies between
    imputations: `fmi` has a term for the degrees of freedom besides, and where clusters are few
    would ask for imputations in their place. By averaged contributions the coefficient of variation
    of the standard error is that of the delete-one jackknife over the imputations (Efron &
    Tibshirani 1993, section 11.5), whose square falls with 1 / m.
    """
    m = len(found.estimate)
    with np.errstate(invalid="ignore"):
        if pooled.rule != AVERAGED:
            few = 2.0 / (pooled.df + 3.0)
            share = np.clip((pooled.fmi - few) / (1.0 - few), 0.0, 1.0)
            return imputations_needed(share, m=m, cv=cv)
        if m < 3:
            return np.full(pooled.estimate.shape, np.nan)
        errors = errors_without_each(found)
        spread = np.square(errors - errors.mean(axis=0)).sum(axis=0) * (m - 1) / m
        relative = spread / np.square(pooled.std_error)
        return np.maximum(np.ceil(m * relative / cv**2 - 1e-9), 2.0)


def errors_without_each(found: Inference) -> np.ndarray:
    """Return the standard errors of `pool_averaged` without each imputation in turn.

    Parameters
    ----------
    found : Inference
        Of m completed data sets, at least three, arrays (m, ..., k).

    Returns
    -------
    numpy.ndarray
        Shape (m, ..., k).

    Notes
    -----
    Without j the mean coefficients are b - d_j / (m - 1), d_j = b_j - b, and a cluster's own part
    of estimate i is c_gi + w_gi'd_j / (m - 1), w its `weights`. Sums of squares about the mean fall
    by m / (m - 1) times the square of what is left out, so that nothing is summed anew.
    """
    m, parts = len(found.estimate), found.by_cluster

    def each(values: np.ndarray, behind: int) -> np.ndarray:
        # What all share has no axis of imputations, or one of length one.
        values = values.reshape(*[1] * (found.estimate.ndim + behind - values.ndim), *values.shape)
        return np.broadcast_to(values, (m, *values.shape[1:]))

    def apart(values: np.ndarray, behind: int) -> np.ndarray:
        return each(values, behind) - each(values, behind).mean(axis=0)

    less = m / (m - 1.0)
    adjusted = each(parts.adjusted, 1)
    within = np.square((adjusted.sum(axis=0) - adjusted) / (m - 1.0)).sum(axis=-1)
    estimate, own, weights = (
        apart(values, behind)
        for behind, values in enumerate((found.estimate, parts.own(), parts.weights))
    )
    between = np.square(estimate).sum(axis=0) - less * np.square(estimate)
    moved = apart(parts.coef, 2) / (m - 1.0)
    crossed = (own[..., None] * weights).sum(axis=0)
    of_weights = np.moveaxis(weights, 0, -1) @ np.moveaxis(weights, 0, -2)
    bent = (of_weights @ moved[..., None])[..., 0]
    apart_now = own + (weights * moved).sum(axis=-1)
    shared = np.square(own).sum(axis=0) - less * np.square(apart_now)
    shared = shared + ((2.0 * crossed + bent) * moved).sum(axis=-1)
    more = np.maximum((between - shared.sum(axis=-1)) / (m - 2.0), 0.0)
    total = within + less * more
    known = np.isfinite(found.std_error)
    others = known.sum(axis=0) - known == m - 1
    errors = standard_error(np.where(others, total, np.nan))
    # Where nothing was imputed in the others their own numbers stand.
    first = np.broadcast_to(found.std_error[0], errors.shape).copy()
    first[0] = found.std_error[1]
    alike = (found.estimate == found.estimate[0]) & (found.std_error == found.std_error[0])
    same = alike.sum(axis=0) - alike == m - 1
    behind = (found.estimate[1:] == found.estimate[1]) & (found.std_error[1:] == found.std_error[1])
    same[0] = behind.all(axis=0)
    return np.where(same, first, errors)
