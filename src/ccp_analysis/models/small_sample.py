"""Small-sample inference from mixed models: Kenward-Roger and Satterthwaite.

Both rest on the derivatives of the model in the K parameters theta of its covariance V, which is
linear in them. A fit brings these as its `pieces`: in some basis of the design, which its `inverse`
carries to coefficients, and in some unit of variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from ccp_analysis.models.inference import (
    Inference,
    as_contrasts,
    inference,
    linear,
    positive_inverse,
    quadratic,
)
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.mixed_pieces import MixedPieces
from ccp_analysis.models.ols import times
from ccp_analysis.models.used_up import UsedUp

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
    used_up : UsedUp, optional
        What single clusters use up of the contrasts, shape (..., 1); of a cluster-robust test.
    """

    statistic: np.ndarray
    df_num: int
    df: np.ndarray
    scaling: np.ndarray
    used_up: UsedUp | None = None

    @property
    def p_value(self) -> np.ndarray:
        """Upper tail of the F distribution."""
        return fdtrc(self.df_num, self.df, self.statistic)


def kenward_roger(fit: MixedFit, L: np.ndarray, *, information: str | None = None) -> Inference:
    """Infer from contrasts with Kenward-Roger standard errors and degrees of freedom.

    Parameters
    ----------
    fit : MixedFit
        REML fits, on the boundary too.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.
    information : {"expected", "observed"}, optional
        Information matrix of theta: expected as in the paper and in R's pbkrtest, or observed as in
        R's mmrm. If omitted, the one that the fit names.

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

    Examples
    --------
    Hours of sleep that ten patients gained by two drugs (Student 1908; ``sleep`` in R). With a
    random intercept for patients this is the paired t test, t = 4.062 with 9 degrees of freedom:

    >>> import numpy as np
    >>> from ccp_analysis.models.random_intercept import fit_random_intercept
    >>> from ccp_analysis.models.small_sample import kenward_roger
    >>> first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    >>> second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    >>> X = np.column_stack([np.ones(20), np.repeat([0, 1], 10)])
    >>> fit = fit_random_intercept(X, first + second, np.tile(range(10), 2))
    >>> found = kenward_roger(fit, [0, 1])
    >>> print(found.estimate.round(2), found.statistic.round(3), found.df.round(2))
    [1.58] [4.062] [9.]
    """
    pieces = fit.pieces()
    weights = _parameter_covariance(fit, pieces, information)
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    directions = contrasts @ fit.inverse
    adjusted = quadratic(directions, _adjusted(pieces, weights)) * pieces.unit[..., None]
    gradient = _gradient(pieces, directions) / quadratic(directions, pieces.phi)[..., None]
    spread = quadratic(gradient, weights)
    with np.errstate(divide="ignore"):
        df = 2.0 / spread
    return inference(linear(contrasts, fit.coef), adjusted, df)


def kenward_roger_f(fit: MixedFit, L: np.ndarray, *, information: str | None = None) -> JointTest:
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
    pieces = fit.pieces()
    weights = _parameter_covariance(fit, pieces, information)
    directions = contrasts @ fit.inverse
    turned = np.swapaxes(directions, -1, -2)
    unadjusted = np.linalg.inv(directions @ pieces.phi @ turned)
    # (..., K, q, q): (L Phi L')^-1 L Phi P_k Phi L'.
    bends = unadjusted[..., None, :, :] @ (
        (directions @ pieces.phi)[..., None, :, :]
        @ pieces.P
        @ (pieces.phi @ turned)[..., None, :, :]
    )
    traces = np.trace(bends, axis1=-2, axis2=-1)
    a1 = (times(traces, weights) * traces).sum(axis=-1)
    mixed = np.einsum("...ij,...iab->...jab", weights, bends)
    a2 = np.einsum("...jab,...jba->...", mixed, bends)
    df, scaling = _scaled_f(a1, a2, q)
    estimate = linear(contrasts, fit.coef)
    covariance = directions @ _adjusted(pieces, weights) @ turned * pieces.unit[..., None, None]
    wald = (np.linalg.solve(covariance, estimate[..., None])[..., 0] * estimate).sum(axis=-1)
    return JointTest(scaling * wald / q, q, df, scaling)


def satterthwaite(fit: MixedFit, L: np.ndarray) -> Inference:
    """Infer from contrasts with model standard errors and Satterthwaite degrees of freedom.

    Parameters
    ----------
    fit : MixedFit
        Fits by REML or ML.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.

    Returns
    -------
    Inference
        Arrays of shape (..., k). On the boundary a variance of zero counts as known, as in R's
        lmerTest, which may leave the residual degrees of freedom: not to be trusted with few
        groups.

    Raises
    ------
    ValueError
        If the contrasts do not fit the coefficients.

    Notes
    -----
    Giesbrecht & Burns (1985); Fai & Cornelius (1996), with the observed information (Kuznetsova et
    al. 2017).
    """
    pieces = fit.pieces()
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    directions = contrasts @ fit.inverse
    variance = quadratic(directions, pieces.phi)
    with np.errstate(divide="ignore"):
        df = 2.0 * variance**2 / quadratic(_gradient(pieces, directions), pieces.spread)
    return inference(linear(contrasts, fit.coef), variance * pieces.unit[..., None], df)


def _parameter_covariance(
    fit: MixedFit, pieces: MixedPieces, information: str | None
) -> np.ndarray:
    """Return W, the asymptotic covariance of theta, shape (..., K, K)."""
    information = fit.information if information is None else information
    if information not in INFORMATION:
        raise ValueError(f"The information is expected or observed, not {information}.")
    if fit.method != "REML":
        raise ValueError("Kenward-Roger inference needs a fit by REML.")
    return 2.0 * positive_inverse(pieces.expected if information == "expected" else pieces.observed)


def _adjusted(pieces: MixedPieces, weights: np.ndarray) -> np.ndarray:
    """Return Phi_A = Phi + 2 Phi [sum W_ij (Q_ij - P_i Phi P_j)] Phi."""
    moved = pieces.P @ pieces.phi[..., None, :, :]
    mixed = np.einsum("...ij,...jab->...iab", weights, pieces.P)
    bias = pieces.second(weights) - (moved @ mixed).sum(axis=-3)
    return pieces.phi + 2.0 * pieces.phi @ bias @ pieces.phi


def _gradient(pieces: MixedPieces, directions: np.ndarray) -> np.ndarray:
    """Return the derivatives of l'Phi l in theta, (..., k, p) to (..., k, K)."""
    solved = directions @ pieces.phi
    bent = solved[..., None, :, :] @ pieces.P
    return -np.moveaxis((bent * solved[..., None, :, :]).sum(axis=-1), -2, -1)


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
