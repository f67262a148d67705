"""Sums of outcomes that were fitted on one design, at no further fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccp_analysis.models.inference import Inference, inference
from ccp_analysis.models.ols import EXACT_TOLERANCE


def sums_of_outcomes(found: Inference, weights: np.ndarray) -> Inference:
    """Infer from weighted sums of outcomes that were fitted on one design.

    Parameters
    ----------
    found : Inference
        By clusters, arrays of shape (m, o, c): c contrasts of o outcomes in m data sets.
    weights : array_like
        Of the outcomes in each sum, shape (k, o).

    Returns
    -------
    Inference
        Arrays of shape (m, k, c). What a cluster contributes is linear in the outcome, and degrees
        of freedom depend on the design alone.
    """
    parts = found.by_cluster

    def summed(values: np.ndarray) -> np.ndarray:
        return np.einsum("ko,mo...->mk...", np.asarray(weights, dtype=float), values)

    added = replace(
        parts,
        adjusted=summed(parts.adjusted),
        scores=summed(parts.scores),
        coef=summed(parts.coef),
    )
    variance = np.square(added.adjusted).sum(axis=-1)
    used = found.used_up and found.used_up.part((slice(None), [0]), found.estimate.shape)
    result = inference(summed(found.estimate), variance, found.df[:, :1], used)
    return replace(result, contributions=added)


def sums_nearly_exact(residuals: np.ndarray, values: np.ndarray, weights: np.ndarray) -> bool:
    """Say whether what is left of any weighted sum of outcomes may be nothing but rounding.

    Parameters
    ----------
    residuals, values : numpy.ndarray
        Of the outcomes, shape (m, o, n).
    weights : array_like
        Of the outcomes in each sum, shape (k, o).

    Returns
    -------
    bool
        True wherever `ols.fit_ols` would call a sum exact. It may be true of a sum in which the
        outcomes nearly cancel, and which has to be fitted itself to be told.
    """
    weights = np.asarray(weights, dtype=float)
    left = np.linalg.norm(weights @ residuals, axis=-1)
    lengths = np.linalg.norm(values, axis=-1) @ np.abs(weights).T
    return bool((left <= EXACT_TOLERANCE * lengths).any())
