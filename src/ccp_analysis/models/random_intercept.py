"""Linear models with a random intercept for groups: the mixed model with a single visit."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.mixed import MixedFit, fit_mixed
from ccp_analysis.models.ols import grouping


def fit_random_intercept(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, *, method: str = "REML"
) -> MixedFit:
    """Fit linear models with a random intercept for groups, its variance at least zero.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p).
    y : array_like
        Outcome, shape (..., n); leading axes broadcast against those of the design.
    groups : array_like of int
        Group of each row, shape (n,), shared by the batch.
    method : {"REML", "ML"}
        Restricted maximum likelihood, or maximum likelihood.

    Returns
    -------
    MixedFit
        With the variances `var_group`, exactly 0.0 on the boundary, and `var_resid`.

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns.
    ValueError
        If shapes do not fit, there are fewer than two groups, no group has two rows, or the method
        is unknown.

    Notes
    -----
    y = X b + Z u + e with V = var_group Z Z' + var_resid I (Laird & Ware 1982).
    """
    n = np.shape(X)[-2] if np.ndim(X) > 1 else 0
    if grouping(groups, n).sizes.max() == 1:
        raise ValueError("No group has two rows: group and residual variance cannot be told apart.")
    rows, once = np.arange(n), np.zeros(n, dtype=int)
    return fit_mixed(X, y, rows, once, team=groups, team_structure="intercept", method=method)
