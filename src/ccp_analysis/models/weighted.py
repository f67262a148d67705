"""Weighted ANCOVA by team: CR2 with weights taken as known, or with their estimation counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.cr2 import Clusters
from ccp_analysis.models.inference import Inference, as_contrasts, linear
from ccp_analysis.models.ols import OlsFit, fit_ols


@dataclass(frozen=True)
class WeightedFit:
    """Weighted least squares fits of a batch.

    Attributes
    ----------
    whitened : OlsFit
        The fit of sqrt(w) y on sqrt(w) X: coefficients, status and note.
    weights : numpy.ndarray
        As given, shape (..., n).
    """

    whitened: OlsFit
    weights: np.ndarray

    def clusters(self, groups: np.ndarray) -> Clusters:
        """Return CR2 with equal working variances, whatever the weights."""
        weights = np.where(np.isfinite(self.weights), self.weights, 1.0)
        return Clusters(self.whitened, groups, weights**-0.5, weights)


def fit_weighted(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> WeightedFit:
    """Fit linear models by weighted least squares.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p), with its intercept.
    y : array_like
        Outcome, shape (..., n).
    weights : array_like
        Positive, of no known scale, shape (..., n); NaN, as of refused weights, fails a fit alone.

    Returns
    -------
    WeightedFit

    Raises
    ------
    RankDeficientError, ValueError
        As `fit_ols`, or if a weight is not positive.
    """
    X, y, weights = (np.asarray(v, dtype=float) for v in (X, y, weights))
    if (weights <= 0.0).any():
        raise ValueError(
            f"Weights are positive, but {weights[weights <= 0.0].flat[0]:g} was found."
        )
    root = np.sqrt(weights)
    return WeightedFit(fit_ols(root[..., None] * X, root * y), weights)


def weighted_cluster_robust(fit: WeightedFit, groups: np.ndarray, L: np.ndarray) -> Inference:
    """Infer from contrasts with CR2 standard errors and Satterthwaite df, weights taken as known.

    Parameters
    ----------
    fit : WeightedFit
        Weighted least squares fits.
    groups : array_like of int
        Cluster of each row, shape (n,).
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.

    Returns
    -------
    Inference
        Arrays of shape (..., k), refused as by `robust.cluster_robust`; with contributions.

    Raises
    ------
    ValueError
        As `robust.cluster_robust`.

    Notes
    -----
    A weight of a propensity or of balancing says for how many of the target population a person
    stands, not how precisely their outcome was measured: the working model is Var(e) = s^2 I
    whatever W is. With M = (X'WX)^-1 and H = X M X'W residuals have the variance
    s^2 (I - H)(I - H)', whose block of cluster g is s^2 times

        B_g = I - H_g - H_g' + X_g M (X'W^2 X) M X_g'.

    With A_g = B_g^(-1/2), E(A_g e_g e_g'A_g) = s^2 I, so that the sum over clusters of
    M X_g'W_g A_g e_g e_g'A_g W_g X_g M is unbiased for s^2 M X'W^2 X M, the variance of the
    coefficients (Pustejovsky & Tipton 2018, theorem 1, with Phi = I). Degrees of freedom are
    tr(P)^2 / tr(P^2), P_gh = f_g'((I - H)(I - H)')_gh f_h, f_g = A_g W_g X_g M l. R's clubSandwich
    computes this for `lm(weights = )`. Were weights inverse variances (its `inverse_var = TRUE`,
    Phi = W^-1, here `Clusters(whitened, groups, 1 / w)`), the sum would be unbiased for s^2 M,
    which is not the variance with weights as these.
    """
    contrasts = as_contrasts(L, fit.whitened.coef.shape[-1])
    return fit.clusters(groups).infer(linear(contrasts, fit.whitened.coef), contrasts)


def stacked_overlap(
    fit: WeightedFit,
    groups: np.ndarray,
    L: np.ndarray,
    *,
    arm: np.ndarray,
    propensity: np.ndarray,
    Z: np.ndarray,
) -> Inference:
    """Infer with the estimation of the propensity counted, by stacked estimating equations.

    Parameters
    ----------
    fit, groups, L
        As for `weighted_cluster_robust`, with overlap weights.
    arm : array_like of int
        Arm of each person, 0 or 1, shape (n,).
    propensity : array_like
        Its fitted probability, shape (..., n), by maximum likelihood.
    Z : array_like
        Design of the propensity, with intercept, shape (..., n, r).

    Returns
    -------
    Inference
        Arrays of shape (..., k); degrees of freedom are those with weights taken as known.

    Raises
    ------
    ValueError
        As `weighted_cluster_robust`.

    Notes
    -----
    The equations sum z (a - e) = 0 and sum w x (y - x'b) = 0, w = a (1 - e) + (1 - a) e, stacked
    (Stefanski & Boos 2002, Am Stat 56:29-38). As dw = (1 - a - e) w z'dg, what team g adds to l'b
    is its (CR2) contribution plus l'M D A^-1 sum_g z (a - e), with D = sum (1 - a - e) w x r z',
    r the residual, and A = sum e (1 - e) z z'.
    """
    clusters, whitened = fit.clusters(groups), fit.whitened
    a, e, Z = (np.asarray(v, dtype=float) for v in (arm, propensity, Z))
    e = np.where(np.isfinite(e), e, 0.5)
    contrasts = as_contrasts(L, whitened.coef.shape[-1])
    rows = contrasts @ whitened.inverse @ np.swapaxes(whitened.basis, -1, -2)
    bent = rows * ((1.0 - a - e) * whitened.residuals)[..., None, :] @ Z
    information = np.swapaxes(Z, -1, -2) @ ((e * (1.0 - e))[..., None] * Z)
    pulls = clusters.groups.sums(Z * (a - e)[..., None])
    moved = bent @ np.linalg.solve(information, np.swapaxes(pulls, -1, -2))
    return clusters.infer(linear(contrasts, whitened.coef), contrasts, moved)


def without_each_pair(pair: np.ndarray, estimate: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return estimates without one pair of teams after the other, for a jackknife.

    Parameters
    ----------
    pair : array_like of int
        Pair of each person, shape (n,).
    estimate : callable
        From the positions of the people who stay to estimates (...), with weights of their own.

    Returns
    -------
    numpy.ndarray
        Shape (pairs, ...), in the order of the codes.
    """
    pair = np.asarray(pair)
    return np.stack([estimate(np.flatnonzero(pair != code)) for code in np.unique(pair)])
