"""Sums of outcomes that were fitted on one design, at no further fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccp_analysis.models.inference import Inference, inference


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
