"""Pooling over imputations by the averaged contributions of clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccp_analysis.models.inference import Inference, standard_error
from ccp_analysis.models.pooling import Pooled


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
    With psi_gj the adjusted contribution of cluster g in completed data set j (the square root of
    its part in the CR2 variance), c_gj its own part of the estimate about the pooled coefficients,
    B the variance of the estimates over j and B_g that of c_gj,

        V = sum_g (mean_j psi_gj)^2,  B_shared = max(0, B - sum_g B_g),  T = V + (1 + 1/m) B_shared.

    Where missing values are drawn about effects of their own cluster, clusters are independent
    given the parameters that they share, and V already holds what lies between imputations; adding
    B, as Rubin's rules do, counts it twice (Andridge 2011, Biom J 53:57-74). The idea is that of
    Robins & Wang (2000, Biometrika 87:113-124), at the level of clusters. ``docs/imputation.md``
    derives it and says where it fails: it needs fixed cluster effects in the imputation model, and
    every term of the analysis.
    """
    if found.contributions is None:
        raise ValueError("Averaging contributions needs an inference by clusters.")
    m = len(found.estimate)
    adjusted = found.contributions.adjusted
    known = np.isfinite(found.std_error).all(axis=0)
    within = np.square(adjusted.mean(axis=0)).sum(axis=-1)
    between, shared = between_and_shared(found)
    total = within + (1.0 + 1.0 / m) * shared
    with np.errstate(divide="ignore", invalid="ignore"):
        df = 1.0 / np.mean(1.0 / found.df, axis=0)
        riv = (1.0 + 1.0 / m) * shared / within
    error = standard_error(np.where(known, total, np.nan))
    # Where nothing was imputed the fit's own numbers stand, to the last bit.
    same = (found.estimate == found.estimate[0]).all(axis=0)
    same &= (adjusted == adjusted[0]).all(axis=(0, -1))
    return Pooled(
        estimate=np.where(same, found.estimate[0], found.estimate.mean(axis=0)),
        std_error=np.where(same, found.std_error[0], error),
        df=np.where(same, found.df[0], np.where(known, df, np.nan)),
        within=within,
        between=between,
        total=total,
        riv=riv,
        fmi=riv / (1.0 + riv),
        mc_error=np.sqrt(between / m),
        used_up=found.used_up,
    )


def between_and_shared(found: Inference) -> tuple[np.ndarray, np.ndarray]:
    """Return B and B_shared, shape (..., k); zero where there is a single imputation."""
    if len(found.estimate) == 1:
        return np.zeros(found.estimate.shape[1:]), np.zeros(found.estimate.shape[1:])
    between = found.estimate.var(axis=0, ddof=1)
    own = found.contributions.own().var(axis=0, ddof=1).sum(axis=-1)
    return between, np.maximum(between - own, 0.0)


def imputations_for(found: Inference, cv: float = 0.05) -> np.ndarray:
    """Return how many imputations would make the averaged standard errors repeatable.

    Parameters
    ----------
    found : Inference
        As in `pool_averaged`, of at least three imputations.
    cv : float
        Wanted coefficient of variation of the standard error over repeated imputation.

    Returns
    -------
    numpy.ndarray of float
        Whole numbers, at least 2, shape (..., k).

    Notes
    -----
    The variation is that of the delete-one jackknife over the imputations (Efron & Tibshirani
    1993, An Introduction to the Bootstrap, section 11.5), which falls with 1 / m.
    """
    m = len(found.estimate)
    left_out = [pool_averaged(_without(found, j)).std_error for j in range(m)]
    errors = np.stack(left_out)
    variance = (m - 1) / m * np.square(errors - errors.mean(axis=0)).sum(axis=0)
    relative = variance / np.square(pool_averaged(found).std_error)
    return np.maximum(np.ceil(m * relative / cv**2 - 1e-9), 2.0)


def _without(found: Inference, j: int) -> Inference:
    """Leave out an imputation."""
    there = np.arange(len(found.estimate)) != j
    parts = found.contributions
    kept = replace(
        parts,
        adjusted=parts.adjusted[there],
        scores=parts.scores[there],
        weights=parts.weights[there] if len(parts.weights) == len(there) else parts.weights,
        coef=parts.coef[there],
    )
    return Inference(
        found.estimate[there], found.std_error[there], found.df[there], contributions=kept
    )
