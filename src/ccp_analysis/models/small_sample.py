"""Small-sample inference from random-intercept fits: Kenward-Roger and Satterthwaite.

Both rest on the derivatives of the model in its variances theta = (var_group, var_resid), in which
V is linear: V = theta_1 Z Z' + theta_2 I. In a group's own space Z Z' and V^-1 share their
eigenvectors (the mean, and what is left of it), so that every matrix below is a weighted sum over
groups. Everything is in units of the residual variance and in the orthonormal basis of the design.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import fdtrc

from ccp_analysis.models.inference import (
    Inference,
    as_contrasts,
    inference,
    linear,
    quadratic,
)
from ccp_analysis.models.ols import times
from ccp_analysis.models.reml import RandomInterceptFit

INFORMATION = ("expected", "observed")


@dataclass(frozen=True)
class JointTest:
    """Tests that k contrasts are all zero, shapes (...).

    Attributes
    ----------
    statistic : numpy.ndarray
        Scaled F statistic.
    df_num : int
        k.
    df : numpy.ndarray
        Denominator degrees of freedom.
    scaling : numpy.ndarray
        The factor that the Wald statistic / k was multiplied by.
    """

    statistic: np.ndarray
    df_num: int
    df: np.ndarray
    scaling: np.ndarray

    @property
    def p_value(self) -> np.ndarray:
        """Upper tail of the F distribution."""
        return fdtrc(self.df_num, self.df, self.statistic)


def kenward_roger(
    fit: RandomInterceptFit, L: np.ndarray, *, information: str = "expected"
) -> Inference:
    """Infer from contrasts with Kenward-Roger standard errors and degrees of freedom.

    Parameters
    ----------
    fit : RandomInterceptFit
        REML fits, on the boundary too.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.
    information : {"expected", "observed"}
        Information matrix of the variances: expected as in the paper and in R's pbkrtest, or
        observed as in R's mmrm.

    Returns
    -------
    Inference
        Arrays of shape (..., k).

    Raises
    ------
    ValueError
        If the fit is not by REML, the information is unknown or the contrasts do not fit.

    Notes
    -----
    Kenward & Roger (1997), with the linear covariance structure (no second derivatives); for one
    contrast the scaling is 1 and df = 2 / A_1 (Halekoh & Hojsgaard 2014).
    """
    pieces = _Pieces(fit)
    weights = _variance_weights(pieces, information)
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    directions = contrasts @ fit.inverse
    adjusted = quadratic(directions, pieces.adjusted(weights)) * fit.var_resid[..., None]
    gradient = pieces.gradient(directions) / quadratic(directions, pieces.phi)[..., None]
    spread = quadratic(gradient, weights)
    with np.errstate(divide="ignore"):
        df = 2.0 / spread
    return inference(linear(contrasts, fit.coef), adjusted, df)


def kenward_roger_f(
    fit: RandomInterceptFit, L: np.ndarray, *, information: str = "expected"
) -> JointTest:
    """Test that several contrasts are all zero.

    Parameters
    ----------
    fit, L, information
        As for `kenward_roger`; the contrasts must be independent of one another.

    Returns
    -------
    JointTest

    Raises
    ------
    ValueError
        As `kenward_roger`, or if the contrasts are dependent.

    Notes
    -----
    Kenward & Roger (1997), with the safeguards of pbkrtest where a term vanishes.
    """
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    q = contrasts.shape[-2]
    if np.any(np.linalg.matrix_rank(contrasts) < q):
        raise ValueError("The contrasts of a joint test must be independent of one another.")
    pieces = _Pieces(fit)
    weights = _variance_weights(pieces, information)
    directions = contrasts @ fit.inverse
    turned = np.swapaxes(directions, -1, -2)
    unadjusted = np.linalg.inv(directions @ pieces.phi @ turned)
    # (..., 2, q, q): (L Phi L')^-1 L Phi P_i Phi L' for both variances.
    bends = unadjusted[..., None, :, :] @ (
        (directions @ pieces.phi)[..., None, :, :]
        @ pieces.P
        @ (pieces.phi @ turned)[..., None, :, :]
    )
    traces = np.trace(bends, axis1=-2, axis2=-1)
    a1 = (times(traces, weights) * traces).sum(axis=-1)
    a2 = np.einsum("...ij,...iab,...jba->...", weights, bends, bends)
    df, scaling = _scaled_f(a1, a2, q)
    estimate = linear(contrasts, fit.coef)
    covariance = directions @ pieces.adjusted(weights) @ turned * fit.var_resid[..., None, None]
    wald = (np.linalg.solve(covariance, estimate[..., None])[..., 0] * estimate).sum(axis=-1)
    return JointTest(scaling * wald / q, q, df, scaling)


def satterthwaite(fit: RandomInterceptFit, L: np.ndarray) -> Inference:
    """Infer from contrasts with model standard errors and Satterthwaite degrees of freedom.

    Parameters
    ----------
    fit : RandomInterceptFit
        Fits by REML or ML.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.

    Returns
    -------
    Inference
        Arrays of shape (..., k). On the boundary the group variance counts as known, as in R's
        lmerTest, which makes the residual degrees of freedom: do not trust them with few groups.

    Raises
    ------
    ValueError
        If the contrasts do not fit the coefficients.

    Notes
    -----
    Giesbrecht & Burns (1985); Fai & Cornelius (1996), with the observed information (Kuznetsova et
    al. 2017).
    """
    pieces = _Pieces(fit)
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    directions = contrasts @ fit.inverse
    variance = quadratic(directions, pieces.phi)
    gradient = pieces.gradient(directions)
    spread = quadratic(gradient, 2.0 * _inverse_2x2(pieces.observed))
    with np.errstate(divide="ignore"):
        df = 2.0 * variance**2 / spread
    known = fit.df_resid if fit.method == "REML" else fit.df_resid + fit.coef.shape[-1]
    df = np.where((fit.status == "boundary")[..., None], known, df)
    return inference(linear(contrasts, fit.coef), variance * fit.var_resid[..., None], df)


class _Pieces:
    """Matrices of Kenward & Roger (1997), with their symbols; variances along an axis of two."""

    def __init__(self, fit: RandomInterceptFit) -> None:
        self.fit = fit
        self.moments = fit.moments
        sizes = fit.moments.sizes
        with np.errstate(invalid="ignore"):
            ratio = (fit.var_group / fit.var_resid)[..., None]
        self.shrinkage = 1.0 / (1.0 + sizes * ratio)
        self.phi = np.linalg.inv(self._product(1, 0))

    def _product(self, inverses: int, groups: int) -> np.ndarray:
        """Return Q' V^-a (ZZ')^b Q for a inverses and b group matrices, in any order."""
        sizes = self.moments.sizes
        between = self.moments.weighted(self.shrinkage**inverses * sizes ** (groups + 1.0))
        return between if groups else self.moments.within + between

    @cached_property
    def P(self) -> np.ndarray:
        """P_i = -Q' V^-1 G_i V^-1 Q, shape (..., 2, p, p)."""
        return -np.stack([self._product(2, 1), self._product(2, 0)], axis=-3)

    @cached_property
    def Q(self) -> np.ndarray:
        """Q_ij = Q' V^-1 G_i V^-1 G_j V^-1 Q, shape (..., 2, 2, p, p)."""
        mixed = self._product(3, 1)
        rows = [[self._product(3, 2), mixed], [mixed, self._product(3, 0)]]
        return np.stack([np.stack(row, axis=-3) for row in rows], axis=-4)

    @cached_property
    def traces(self) -> np.ndarray:
        """tr(V^-1 G_i V^-1 G_j), shape (..., 2, 2)."""
        sizes, square = self.moments.sizes, self.shrinkage**2
        mixed = (square * sizes).sum(axis=-1)
        resid = (sizes - 1.0 + square).sum(axis=-1)
        return _symmetric((square * sizes**2).sum(axis=-1), mixed, resid)

    @cached_property
    def expected(self) -> np.ndarray:
        """tr(P G_i P G_j) of the projected inverse, twice the expected information."""
        moved = self.phi[..., None, :, :] @ self.P
        cross = np.einsum("...ab,...ijba->...ij", self.phi, self.Q)
        return self.traces - 2.0 * cross + np.einsum("...iab,...jba->...ij", moved, moved)

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the deviance, twice the observed information."""
        moments = self.moments
        left, sizes, shrinkage = moments.resid_means, moments.sizes, self.shrinkage
        square = sizes * left**2 * shrinkage**3
        forms = _symmetric(
            (square * sizes**2).sum(axis=-1),
            (square * sizes).sum(axis=-1),
            square.sum(axis=-1) + moments.resid_square,
        )
        weights = shrinkage**2 * sizes * left
        group = times(weights * sizes, moments.means)
        scores = np.stack([group, times(weights, moments.means) + moments.resid_cross], axis=-2)
        forms = forms - scores @ self.phi @ np.swapaxes(scores, -1, -2)
        lost = self.expected if self.fit.method == "REML" else self.traces
        return 2.0 * forms - lost

    def adjusted(self, weights: np.ndarray) -> np.ndarray:
        """Return Phi_A = Phi + 2 Phi [sum W_ij (Q_ij - P_i Phi P_j)] Phi."""
        moved = self.P @ self.phi[..., None, :, :]
        second = self.Q - moved[..., :, None, :, :] @ self.P[..., None, :, :, :]
        bias = np.einsum("...ij,...ijab->...ab", weights, second)
        return self.phi + 2.0 * self.phi @ bias @ self.phi

    def gradient(self, directions: np.ndarray) -> np.ndarray:
        """Return the derivatives of l'Phi l in the two variances, (..., k, p) to (..., k, 2)."""
        solved = directions @ self.phi
        bent = solved[..., None, :, :] @ self.P
        return -np.moveaxis((bent * solved[..., None, :, :]).sum(axis=-1), -2, -1)


def _variance_weights(pieces: _Pieces, information: str) -> np.ndarray:
    """Return W, the asymptotic covariance of the two variances, shape (..., 2, 2)."""
    if information not in INFORMATION:
        raise ValueError(f"The information is expected or observed, not {information}.")
    if pieces.fit.method != "REML":
        raise ValueError("Kenward-Roger inference needs a fit by REML.")
    return 2.0 * _inverse_2x2(pieces.expected if information == "expected" else pieces.observed)


def _scaled_f(a1: np.ndarray, a2: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return denominator df and scaling of a joint test of q contrasts."""
    with np.errstate(divide="ignore", invalid="ignore"):
        b = (a1 + 6.0 * a2) / (2.0 * q)
        g = ((q + 1.0) * a1 - (q + 4.0) * a2) / ((q + 2.0) * a2)
        divisor = 3.0 * q + 2.0 * (1.0 - g)
        v0 = 1.0 + g / divisor * b
        v1 = 1.0 - (q - g) / divisor * b
        v2 = 1.0 - (q + 2.0 - g) / divisor * b
        v0 = np.where(np.abs(v0) < 1e-10, 0.0, v0)
        mean = 1.0 - a2 / q
        both_vanish = (np.abs(mean) < 1e-14) & (np.abs(v1) < 1e-14)
        rho = np.where(both_vanish, 1.0, mean / v1) ** 2 * v0 / (v2 * q)
        df = 4.0 + (q + 2.0) / (q * rho - 1.0)
        scaling = np.where(np.abs(df - 2.0) < 0.01, 1.0, df * mean / (df - 2.0))
    return df, scaling


def _symmetric(first: np.ndarray, mixed: np.ndarray, second: np.ndarray) -> np.ndarray:
    rows = np.broadcast_arrays(first, mixed, mixed, second)
    return np.stack(rows, axis=-1).reshape(rows[0].shape + (2, 2))


def _inverse_2x2(matrix: np.ndarray) -> np.ndarray:
    """Invert (..., 2, 2) where it is positive definite; NaN elsewhere, alone."""
    first, mixed, second = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 1]
    determinant = first * second - mixed**2
    proper = (determinant > 0.0) & (first > 0.0)
    return (
        _symmetric(second, -mixed, first) / np.where(proper, determinant, np.nan)[..., None, None]
    )
