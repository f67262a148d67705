"""Costs with a log link and effects of many groups, whose indicators stand in no array."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.absorbed import fit_absorbed, newton_step
from ccp_analysis.models.families import power_family
from ccp_analysis.models.glm import ENDLESS, PREDICTOR_TOLERANCE, STEP_TOLERANCE, GlmFit
from ccp_analysis.models.ols import grouping

STEPS = 50
# By which share of its size a likelihood may fall, which is rounding.
SLACK = 1e-10


def fit_glm_absorbed(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, power: float
) -> GlmFit | None:
    """Fit regressions with log link and variance mu^power, with an effect of each group.

    Parameters
    ----------
    X : array_like
        Design without the groups, shape (..., n, p), the intercept first.
    y : array_like
        Outcomes, shape (..., n).
    groups : array_like of int
        Group of each row, shape (n,), at least two.
    power : float
        Between 1 and 3.

    Returns
    -------
    GlmFit or None
        As of `glm.fit_glm` with the centred indicators of the groups in the design; `working` is a
        fit of `absorbed.fit_absorbed`. None where any fit of the batch would fail, or one of
        Newton's steps lowers the likelihood: `glm.fit_glm` says what is the matter.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    members, inside = power_family(power), grouping(groups, X.shape[-2])
    if not (np.isfinite(X).all() and np.isfinite(y).all() and members.allowed(y).all()):
        return None
    centre = y.mean(axis=-1, keepdims=True)
    spread = X[..., 1:].std(axis=-2, keepdims=True)
    if not (centre > 0.0).all() or not (spread > 0.0).all():
        return None
    x = (X[..., 1:] - X[..., 1:].mean(axis=-2, keepdims=True)) / spread
    unit = np.sqrt(members.weight(members.link(centre)))[..., 0]
    first = 0.5 * (y + centre)
    eta = members.link(first)
    target = eta + (y - first) / members.slope(eta)
    begun = fit_absorbed(X, target, groups, members.weight(eta))
    if begun is None or begun.absorbed is None:
        return None
    eta = (
        begun.absorbed.effects[..., inside.codes] + (X[..., 1:] @ begun.coef[..., 1:, None])[..., 0]
    )
    likelihood = members.likelihood(y, eta).sum(axis=-1)
    for _ in range(STEPS):
        information = members.information(y, eta)
        found = None
        if (information >= 0.0).all():
            found = newton_step(x, information, members.score(y, eta), inside)
        if found is None:
            return None
        slopes, levels, length = found
        step = (x @ slopes[..., None])[..., 0] + levels[..., inside.codes]
        eta = eta + step
        before, likelihood = likelihood, members.likelihood(y, eta).sum(axis=-1)
        least = before - SLACK * (np.square(unit) + np.abs(before))
        if not (likelihood >= least).all() or np.abs(eta).max() > ENDLESS:
            return None
        near = np.sqrt(length) <= STEP_TOLERANCE * unit
        if near.all() and np.abs(step).max() <= PREDICTOR_TOLERANCE:
            break
    else:
        return None
    target = eta + members.residual(y, eta) / members.slope(eta)
    working = fit_absorbed(X, target, groups, members.weight(eta))
    if working is None:
        return None
    status, note = working.status, working.note
    fitted, variance = members.mean(eta), members.variance(eta)
    return GlmFit("power", members, working.coef, fitted, working, variance, status, note)
