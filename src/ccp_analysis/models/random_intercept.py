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

    Examples
    --------
    Yields of dyestuff from six batches (Davies & Goldsmith 1972; ``Dyestuff`` of R's lme4, which
    gives the same numbers):

    >>> import numpy as np
    >>> from ccp_analysis.models.random_intercept import fit_random_intercept
    >>> from ccp_analysis.models.small_sample import kenward_roger
    >>> yields = [
    ...     [1545, 1440, 1440, 1520, 1580], [1540, 1555, 1490, 1560, 1495],
    ...     [1595, 1550, 1605, 1510, 1560], [1445, 1440, 1595, 1465, 1545],
    ...     [1595, 1630, 1515, 1635, 1625], [1520, 1455, 1450, 1480, 1445],
    ... ]
    >>> batch = np.repeat(range(6), 5)
    >>> fit = fit_random_intercept(np.ones((30, 1)), np.ravel(yields), batch)
    >>> print(fit.status, fit.var_group.round(2), fit.var_resid.round(2), fit.deviance.round(2))
    ok 1764.05 2451.25 319.65
    >>> found = kenward_roger(fit, [1])
    >>> print(found.estimate.round(1), found.std_error.round(3), found.df.round(2))
    [1527.5] [19.383] [5.]
    """
    n = np.shape(X)[-2] if np.ndim(X) > 1 else 0
    if grouping(groups, n).sizes.max() == 1:
        raise ValueError("No group has two rows: group and residual variance cannot be told apart.")
    rows, once = np.arange(n), np.zeros(n, dtype=int)
    return fit_mixed(X, y, rows, once, team=groups, team_structure="intercept", method=method)
