"""The jackknife: how an estimate changes as one unit after the other is left out."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.absorbed import fit_absorbed, with_indicators
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import fit_ols, independent_columns


def jackknife(full: np.ndarray, left_out: np.ndarray, df: float) -> Inference:
    """Infer from an estimate and those without one unit after the other.

    Parameters
    ----------
    full : numpy.ndarray
        Estimates from everybody, shape (...).
    left_out : numpy.ndarray
        Estimates with a unit left out, shape (u, ...).
    df : float
        Degrees of freedom.

    Returns
    -------
    Inference
        The variance is (u - 1) / u times the sum of squared deviations from their mean (Efron &
        Stein 1981), as in rbmi.
    """
    u = len(left_out)
    spread = np.square(left_out - left_out.mean(axis=0)).sum(axis=0)
    return Inference(full, np.sqrt((u - 1) / u * spread), np.full(full.shape, df))


def arm_means(X: np.ndarray, y: np.ndarray, pairs: np.ndarray | None = None) -> np.ndarray:
    """Return the difference between the arms and the adjusted mean of each by least squares.

    Parameters
    ----------
    X : numpy.ndarray
        Intercept, active arm, covariates; shape (n, p). Covariates that depend on others are left
        out, and all are centred.
    y : numpy.ndarray
        Outcomes, shape (..., n).
    pairs : numpy.ndarray of int, optional
        Pair of each person, shape (n,), whose centred indicators are in the model and not in X.

    Returns
    -------
    numpy.ndarray
        Shape (..., 3): difference, mean of the reference arm, of the active arm.
    """
    X = X.copy()
    X[:, 2:] -= X[:, 2:].mean(axis=0)
    fit = fit_absorbed(X, y, pairs) if pairs is not None else None
    if fit is None:
        X = with_indicators(X, pairs)
        X[:, 2:] -= X[:, 2:].mean(axis=0)
        fit = fit_ols(X[:, independent_columns(X)], y)
    coef = fit.coef
    return np.stack([coef[..., 1], coef[..., 0], coef[..., 0] + coef[..., 1]], axis=-1)
