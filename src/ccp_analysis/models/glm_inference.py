"""Inference from generalised linear fits: CR2 by cluster, on the link's and the outcome's scale.

The bias-reduced covariance of a generalised linear model is not that of its whitened least squares
fit (as CR0, CR3 and HC3 are, through `robust`): the adjustment of the residuals depends on their
coordinates, and the literature's is used here.
"""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.cr2 import Clusters
from ccp_analysis.models.glm import GlmFit
from ccp_analysis.models.inference import Inference, as_contrasts, inference, linear, quadratic
from ccp_analysis.models.ols import times
from ccp_analysis.models.robust import hc3

INFERENCES = ("model", "HC3", "CR2")


def counterfactual(X: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two copies of a design (..., n, p), one column set to 0 and to 1 for everyone."""
    X0, X1 = np.array(X, dtype=float), np.array(X, dtype=float)
    X0[..., column], X1[..., column] = 0.0, 1.0
    return X0, X1


def on_link_scale(
    fit: GlmFit, L: np.ndarray, *, groups: np.ndarray | None = None, kind: str = "CR2"
) -> Inference:
    """Infer from contrasts of the coefficients: log odds ratios, log ratios of rates or costs.

    Parameters
    ----------
    fit : GlmFit
        Generalised linear fits.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.
    groups : array_like of int
        Cluster of each row, shape (n,); for CR2, and only there.
    kind : {"CR2", "HC3", "model"}
        CR2 with Satterthwaite degrees of freedom; or, for independent people, the sandwich HC3 or
        the dispersion times the inverse expected information (too small where counts are
        overdispersed, as theirs is one), both with the normal distribution (infinite df; n - p for
        the model's own errors where the dispersion is estimated).

    Returns
    -------
    Inference
        Arrays of shape (..., k), NaN where a fit failed. Under CR2, standard errors and degrees of
        freedom are NaN too where single clusters use up more than `LARGEST_SHARE` of a contrast, as
        in `robust.cluster_robust`; `used_up` says how much it is, by the weights of the fit.

    Raises
    ------
    ValueError
        If the contrasts do not fit the coefficients, the kind is unknown, or groups are missing
        from CR2 or given to another kind.

    Notes
    -----
    CR2 and its degrees of freedom are those of `cr2_covariance`. As both are free of the scale of
    the working covariance, the dispersion changes neither.
    """
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    return _infer(fit, linear(contrasts, fit.coef), contrasts, groups, kind)


def standardised(
    fit: GlmFit,
    X0: np.ndarray,
    X1: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    kind: str = "CR2",
) -> Inference:
    """Infer from marginal risks, rates or costs with everyone in one arm, and then in the other.

    Parameters
    ----------
    fit : GlmFit
        Generalised linear fits.
    X0, X1 : array_like
        Designs of the people to average over, shape (..., n', p), with the arm set to 0 and to 1
        for everyone (`counterfactual`), in its interactions too. Of a fit with absorbed groups they
        are designs of its own people.
    groups, kind
        As for `on_link_scale`.

    Returns
    -------
    Inference
        Arrays of shape (..., 3): the mean outcome under X0, under X1, and their difference, in
        units of the outcome (a risk, a rate, pounds). The limits of an interval are not held to the
        range of the outcome.

    Raises
    ------
    ValueError
        As `on_link_scale`, or if the designs have another number of columns.

    Notes
    -----
    Standardisation over the covariates as they were observed, which count as fixed (Lane & Nelder
    1982). Delta method: the standard error is that of the linear contrast of the coefficients whose
    weights are the gradient of the marginal mean (sum of s x over people, divided by their number),
    and the degrees of freedom are the Satterthwaite df of that same contrast.
    """
    parts = [_marginal(fit, np.asarray(design, dtype=float)) for design in (X0, X1)]
    (mean0, gradient0), (mean1, gradient1) = parts
    estimate = np.stack([mean0, mean1, mean1 - mean0], axis=-1)
    gradient = np.stack([gradient0, gradient1, gradient1 - gradient0], axis=-2)
    if fit.working.absorbed is None:
        return _infer(fit, estimate, gradient, groups, kind)
    if groups is None:
        raise ValueError("Where groups are absorbed the inference is CR2, and clusters are given.")
    return _clusters(fit, groups).infer(estimate, directions=gradient)


def cr2_covariance(fit: GlmFit, groups: np.ndarray) -> np.ndarray:
    """Return the bias-reduced cluster-robust covariance of the coefficients.

    Parameters
    ----------
    fit : GlmFit
        Generalised linear fits.
    groups : array_like of int
        Cluster of each row, shape (n,).

    Returns
    -------
    numpy.ndarray
        Shape (..., p, p).

    Raises
    ------
    ValueError
        If there is not one integer code per row, or there are fewer than two clusters.

    Notes
    -----
    Pustejovsky & Tipton (2018), with the family's variance as working covariance Phi_g = diag(v)
    and weights 1 / v: A_g = D_g B_g^(-1/2) D_g, D_g = Phi_g^(1/2), B_g = D_g (I - H)_g Phi
    (I - H)_g' D_g, applied to the residuals y - mu of the design s x, s = d mu / d eta; as in R's
    clubSandwich, also where the link is not canonical, with the pseudo-inverse where a cluster
    alone identifies a direction of the design. In whitened coordinates, with orthonormal columns Q
    of (s / sqrt(v)) x, B_g = diag(v) (I - Q_g Q_g') diag(v): not a multiple of the
    identity less something of rank p, so matrices of the size of a cluster are decomposed, O(n_g^3)
    each.
    """
    return Clusters(fit.working, groups, fit.variance).covariance()


def _marginal(fit: GlmFit, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean outcome over the rows of a design, and its gradient in the coefficients.

    Where groups are absorbed the rows are those of the fit, and the gradient is in its basis.
    """
    if X.ndim < 2 or X.shape[-1] != fit.coef.shape[-1]:
        raise ValueError(
            f"A design to average over has {fit.coef.shape[-1]} columns, not the shape {X.shape}."
        )
    if (absorbed := fit.working.absorbed) is not None:
        # In the orthonormal basis, as coefficients do not tell the groups apart.
        predictor = (X[..., 1:] @ fit.coef[..., 1:, None])[..., 0]
        predictor = predictor + absorbed.effects[..., absorbed.groups.codes]
        slope = fit.members.slope(predictor)[..., None] / X.shape[-2]
        level = absorbed.groups.sums(slope)[..., 0]
        beside = (slope * X[..., 1:]).sum(axis=-2) - times(level, absorbed.means)
        back = fit.working.inverse[..., 1:, len(absorbed.groups.sizes) :]
        gradient = np.concatenate([level / absorbed.size, times(beside, back)], axis=-1)
        return fit.members.mean(predictor).mean(axis=-1), gradient
    predictor = times(fit.coef, np.swapaxes(X, -1, -2))
    gradient = times(fit.members.slope(predictor), X) / X.shape[-2]
    return fit.members.mean(predictor).mean(axis=-1), gradient


def _infer(
    fit: GlmFit, estimate: np.ndarray, contrasts: np.ndarray, groups: np.ndarray | None, kind: str
) -> Inference:
    """Infer from estimates whose gradients in the coefficients are the contrasts."""
    if kind not in INFERENCES:
        raise ValueError(f"The inference is one of {', '.join(INFERENCES)}, not {kind}.")
    if (groups is None) == (kind == "CR2"):
        raise ValueError("Groups are given for CR2, and for CR2 only.")
    if groups is None:
        if kind == "HC3":
            return inference(estimate, quadratic(contrasts, hc3(fit.working)), np.inf)
        variance = fit.working.sigma2[..., None] * quadratic(contrasts, fit.working.bread)
        df: np.ndarray | float = fit.working.df_resid if fit.members.free_dispersion else np.inf
        return inference(estimate, variance, df)
    return _clusters(fit, groups).infer(estimate, contrasts)


def _clusters(fit: GlmFit, groups: np.ndarray) -> Clusters:
    """Return the clusters of a fit, decomposed once."""
    key = np.asarray(groups).tobytes()
    if key not in fit.known:
        fit.known[key] = Clusters(fit.working, groups, fit.variance)
    found: Clusters = fit.known[key]
    return found
