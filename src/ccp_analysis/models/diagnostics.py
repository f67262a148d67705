"""Diagnostics of linear models: residuals and their variance, curvature, what a unit carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr

from ccp_analysis.models.inference import Inference, as_contrasts, inference, linear, quadratic
from ccp_analysis.models.ols import OlsFit, RankDeficientError, fit_ols, grouping, times
from ccp_analysis.models.robust import cluster_robust, hc3
from ccp_analysis.models.small_sample import JointTest

# A row is fitted by a column of its own when no more than this share of it is left to the others.
OWN_TOLERANCE = 1e-10
# Quantiles of the four knots of a restricted cubic spline (Harrell 2015, section 2.4.6).
KNOTS = (0.05, 0.35, 0.65, 0.95)
ARM = 1  # position of the arm among the columns of a design


@dataclass(frozen=True)
class Residuals:
    """Residuals of a batch of linear models, with or without a random intercept.

    Attributes
    ----------
    fitted : numpy.ndarray
        X b, without predicted group effects, shape (..., n).
    effects : numpy.ndarray
        Predicted group effects (best linear unbiased predictions), shape (..., G); (..., 0) without
        groups.
    residuals : numpy.ndarray
        Outcome less `fitted` less the effect of the group, shape (..., n).
    scale : numpy.ndarray
        Residual standard deviation, shape (...).
    leverage : numpy.ndarray
        Diagonal of the matrix that turns outcomes into predictions, shape (..., n).
    standardised : numpy.ndarray
        Residuals over their own standard errors, scale times root (1 - leverage), shape (..., n).
        Zero where a row is fitted by a column of its own.
    cook : numpy.ndarray
        Cook's distances, shape (..., n). Zero where a row is fitted by a column of its own.
    """

    fitted: np.ndarray
    effects: np.ndarray
    residuals: np.ndarray
    scale: np.ndarray
    leverage: np.ndarray
    standardised: np.ndarray
    cook: np.ndarray


def residuals_of(
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None = None,
    ratio: np.ndarray | float = 0.0,
) -> Residuals:
    """Return what generalised least squares leaves of the outcome.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p).
    y : array_like
        Outcome, shape (..., n).
    groups : array_like of int, optional
        Group of each row, shape (n,).
    ratio : array_like
        Variance of the groups' random intercept over the residual variance, shape (...); zero
        gives ordinary least squares.

    Returns
    -------
    Residuals

    Raises
    ------
    ValueError
        As `fit_ols`, or if there is a ratio without groups.

    Notes
    -----
    With V = I + ratio ZZ' and P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1 the conditional residuals are
    Py, of covariance scale^2 P (Robinson 1991, Statistical Science 6: 15-32), so that the leverage
    is 1 - P_ii; Cook's distance is r_i^2 h_i / (p (1 - h_i)) (Cook 1977) with these.
    """
    ols = fit_ols(X, y)
    basis, y = ols.basis, np.asarray(y, dtype=float)
    n, p = basis.shape[-2:]
    if groups is None:
        if np.any(np.asarray(ratio) != 0.0):
            raise ValueError("A variance between groups needs groups.")
        weighted, left = basis, np.ones(n)
    else:
        clusters = grouping(groups, n)
        # What of a group's mean is taken away, and per row of the group.
        share = np.asarray(ratio, dtype=float)[..., None] * clusters.sizes
        share = share / (1.0 + share)
        means = clusters.means(basis) * share[..., None]
        weighted = basis - means[..., clusters.codes, :]
        left = 1.0 - (share / clusters.sizes)[..., clusters.codes]
    inverse = np.linalg.inv(np.swapaxes(basis, -1, -2) @ weighted)
    # Of what least squares leaves, so that nothing large cancels.
    gamma = times(times(ols.residuals, weighted), inverse)
    marginal = ols.residuals - times(gamma, np.swapaxes(basis, -1, -2))
    conditional, effects = marginal, np.zeros((*marginal.shape[:-1], 0))
    if groups is not None:
        effects = share * clusters.means(marginal[..., None])[..., 0]
        conditional = marginal - effects[..., clusters.codes]
    scale = np.sqrt((marginal * conditional).sum(axis=-1) / (n - p))
    left = left - ((weighted @ inverse) * weighted).sum(axis=-1)
    own = left <= OWN_TOLERANCE
    safe = np.where(own, 1.0, left)
    standardised = np.where(own, 0.0, conditional / (scale[..., None] * np.sqrt(safe)))
    return Residuals(
        fitted=y - marginal,
        effects=effects,
        residuals=conditional,
        scale=scale,
        leverage=1.0 - left,
        standardised=standardised,
        cook=standardised**2 * (1.0 - left) / (p * safe),
    )


def normal_scores(n: int) -> np.ndarray:
    """Return the normal quantiles at which n ordered values are drawn, shape (n,).

    At (i - a) / (n + 1 - 2 a), a = 3/8 up to ten values and 1/2 above, as in R's ``qqnorm``.
    """
    a = 3.0 / 8.0 if n <= 10 else 0.5
    return ndtri((np.arange(1, n + 1) - a) / (n + 1.0 - 2.0 * a))


def spread_slope(parts: Residuals, arm: np.ndarray, groups: np.ndarray | None = None) -> Inference:
    """Infer whether the spread of the residuals changes with the fitted values.

    Parameters
    ----------
    parts : Residuals
        Of the models.
    arm : array_like
        Arm of each row, 0 or 1, shape (n,).
    groups : array_like of int, optional
        Cluster of each row, shape (n,).

    Returns
    -------
    Inference
        Shape (..., 1): the change of the residual standard deviation, as a share of it, for one
        standard deviation of the fitted values, the arm being the same.

    Notes
    -----
    The regression of Glejser (1969, JASA 64: 316-323) of the absolute standardised residuals, over
    their normal expectation, with cluster-robust inference (CR2) or, without clusters, HC3. The
    squares of Breusch & Pagan (1979) keep their level as well, but their long tail costs power:
    with 127 people in ten teams, a spread that grows 2.7-fold from one standard deviation below the
    mean of the baseline to one above is found in .75 of draws by squares, in .94 by these.
    """
    fitted = parts.fitted - parts.fitted.mean(axis=-1, keepdims=True)
    fitted = fitted / fitted.std(axis=-1, ddof=1, keepdims=True)
    ones, arm = np.ones_like(fitted), np.broadcast_to(arm, fitted.shape)
    spread = np.abs(parts.standardised) * np.sqrt(np.pi / 2.0)
    fit = fit_ols(np.stack([ones, arm, fitted], axis=-1), spread)
    return _robust(fit, groups, np.eye(3)[2:])


def variance_ratio(
    parts: Residuals, arm: np.ndarray, groups: np.ndarray | None = None
) -> Inference:
    """Infer the ratio of the residual variances of the arms, on the logarithmic scale.

    Parameters
    ----------
    parts, arm, groups
        As in `spread_slope`.

    Returns
    -------
    Inference
        Shape (..., 1): log of the variance in arm 1 over that in arm 0.

    Notes
    -----
    Delta method on the mean squares of the standardised residuals by arm, whose covariance is
    cluster-robust (CR2), or HC3 without clusters.
    """
    arm = np.asarray(arm, dtype=float)
    fit = fit_ols(np.column_stack([1.0 - arm, arm]), parts.standardised**2)
    gradient = (np.array([-1.0, 1.0]) / fit.coef)[..., None, :]
    found = _robust(fit, groups, gradient)
    ratio = np.log(fit.coef[..., 1:]) - np.log(fit.coef[..., :1])
    return Inference(ratio, found.std_error, found.df)


def spline_terms(x: np.ndarray) -> np.ndarray:
    """Return the curved terms of a restricted cubic spline with four knots.

    Parameters
    ----------
    x : array_like
        Values, shape (..., n).

    Returns
    -------
    numpy.ndarray
        Shape (..., n, 2): with a constant and x they span the cubic splines that are linear beyond
        the outer knots, `KNOTS`.

    Raises
    ------
    ValueError
        If two knots fall together because the values have too many ties.

    Notes
    -----
    Harrell (2015, Regression Modeling Strategies, section 2.4.5), over the range of the knots.
    """
    x = np.asarray(x, dtype=float)
    knots = np.moveaxis(np.quantile(x, KNOTS, axis=-1), 0, -1)
    spread = knots[..., -1:] - knots[..., :1]
    if (np.diff(knots, axis=-1) <= 1e-8 * spread).any() or (spread <= 0.0).any():
        raise ValueError("The knots of a spline fall together: the variable has too many ties.")

    def cubed(k: int) -> np.ndarray:
        return np.maximum((x - knots[..., k, None]) / spread, 0.0) ** 3

    last, before = knots[..., -1, None], knots[..., -2, None]
    terms = [
        cubed(k)
        - cubed(-2) * (last - knots[..., k, None]) / (last - before)
        + cubed(-1) * (before - knots[..., k, None]) / (last - before)
        for k in range(2)
    ]
    return np.stack(terms, axis=-1)


def classical_f(fit: OlsFit, L: np.ndarray) -> JointTest:
    """Test that several contrasts are all zero by the model's own covariance.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.
    L : array_like
        Contrasts, shape (q, p), independent of one another.

    Returns
    -------
    JointTest
        The F test with q and n - p degrees of freedom, arrays of shape (...).
    """
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    q = contrasts.shape[-2]
    estimate = linear(contrasts, fit.coef)
    shape = contrasts @ fit.bread @ np.swapaxes(contrasts, -1, -2)
    wald = (np.linalg.solve(shape, estimate[..., None])[..., 0] * estimate).sum(axis=-1)
    statistic = wald / (q * fit.sigma2)
    return JointTest(statistic, q, np.full(statistic.shape, float(fit.df_resid)), np.ones(()))


def leave_one_out(
    infer: Callable[[np.ndarray, np.ndarray, np.ndarray], Inference],
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    units: np.ndarray,
) -> Inference:
    """Repeat an inference without one unit at a time.

    Parameters
    ----------
    infer : callable
        Called with design, outcome and groups of those left; returns arrays of shape (..., 1).
    X, y : array_like
        Design, shape (..., n, p), and outcome, shape (..., n).
    groups : array_like of int
        Cluster of each row, shape (n,).
    units : array_like of int
        What is left out, 0 to U - 1 for each row, shape (n,): clusters, or pairs of them.

    Returns
    -------
    Inference
        Arrays of shape (..., U).

    Raises
    ------
    ValueError
        As `infer`; or if without a unit the arm, at position `ARM`, can be told from the other
        columns. Other columns that then depend on those before them, such as the indicator of the
        unit, are left out.
    """
    X, y, groups, units = (np.asarray(values) for values in (X, y, groups, units))
    found = []
    for unit in range(int(units.max()) + 1):
        stay = units != unit
        design, outcome, clusters = X[..., stay, :], y[..., stay], groups[stay]
        try:
            found.append(infer(design, outcome, clusters))
        except RankDeficientError as error:
            if ARM in error.columns:
                raise ValueError("Without one unit the arms cannot be compared.") from error
            found.append(infer(np.delete(design, error.columns, axis=-1), outcome, clusters))
    return Inference(
        *(
            np.concatenate([getattr(one, name) for one in found], axis=-1)
            for name in ("estimate", "std_error", "df")
        )
    )


def without_each(fit: OlsFit, column: int = ARM) -> np.ndarray:
    """Return a coefficient without each row in turn.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits of a batch.
    column : int
        Position of the coefficient.

    Returns
    -------
    numpy.ndarray
        Shape (..., n); NaN where a row is fitted by a column of its own.

    Notes
    -----
    b - (X'X)^-1 x_i e_i / (1 - h_i) (Belsley, Kuh & Welsch 1980, equation 2.1): exact, no fit is
    repeated.

    Examples
    --------
    The mean of 1, 2 and 6 without each of them:

    >>> import numpy as np
    >>> from ccp_analysis.models.diagnostics import without_each
    >>> from ccp_analysis.models.ols import fit_ols
    >>> print(without_each(fit_ols(np.ones((3, 1)), [1, 2, 6]), 0).round(3))
    [4.  3.5 1.5]
    """
    weights = fit.basis @ fit.inverse[..., column, -fit.basis.shape[-1] :, None]
    left, weights = 1.0 - np.square(fit.basis).sum(axis=-1), weights[..., 0]
    if (absorbed := fit.absorbed) is not None:
        own = absorbed.column
        left = left - np.square(own)
        weights = weights + own * fit.inverse[..., column, absorbed.groups.codes]
    change = weights * fit.residuals / np.where(left > OWN_TOLERANCE, left, np.nan)
    return fit.coef[..., column, None] - change


def deletion_t(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare each of k differences with the others.

    Parameters
    ----------
    differences : array_like
        Differences of pairs, shape (..., k).

    Returns
    -------
    statistic : numpy.ndarray
        Externally studentised deviations (Cook & Weisberg 1982, section 2.2.1), shape (..., k), to
        be referred to t with k - 2 degrees of freedom.
    p_value : numpy.ndarray
        Two-sided, of each by itself, shape (..., k).

    Raises
    ------
    ValueError
        If there are fewer than three differences.
    """
    d = np.asarray(differences, dtype=float)
    k = d.shape[-1]
    if k < 3:
        raise ValueError(f"To call one difference outlying takes at least three, {k} found.")
    total, square = d.sum(axis=-1, keepdims=True), np.square(d).sum(axis=-1, keepdims=True)
    mean = (total - d) / (k - 1)
    variance = (square - d**2 - (k - 1) * mean**2) / (k - 2)
    statistic = (d - mean) / np.sqrt(variance * k / (k - 1))
    return statistic, 2.0 * stdtr(k - 2, -np.abs(statistic))


def _robust(fit: OlsFit, groups: np.ndarray | None, L: np.ndarray) -> Inference:
    if groups is not None:
        return cluster_robust(fit, groups, L)
    return inference(linear(L, fit.coef), quadratic(L, hc3(fit)), fit.df_resid)
