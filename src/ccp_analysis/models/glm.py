"""Binary and count outcomes, and costs: generalised linear models on a batch.

At its optimum such a model is a weighted least squares fit, and its standard errors are those of
the whitened fit: design (s / sqrt(v)) x and residual (y - mu) / sqrt(v), v the variance of the
outcome and s = d mu / d eta the slope of its mean in the linear predictor, which a canonical link
makes equal. `GlmFit.working` is that fit, so that `robust` serves it too; for CR2 see
`glm_inference`.

Scoring is written out here because statsmodels fits one outcome at a time and only warns of
separation; the tests hold both to the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ccp_analysis.models.families import FAMILIES, Family, power_family
from ccp_analysis.models.inference import linear
from ccp_analysis.models.ols import OlsFit, fit_ols, times

# Converged: a scoring step shorter than this, in standard errors of the coefficients ...
STEP_TOLERANCE = 1e-8
# ... that moves no linear predictor by more than this. Under separation they move for ever.
PREDICTOR_TOLERANCE = 1e-6
# Information (as its square root) that has vanished, as a share of that at the overall mean.
VANISHED = 1e-7
HALVINGS = 30
# The logarithm of a mean that no outcome has: squared, it would be zero or infinite.
ENDLESS = 300.0
# An outcome is fitted exactly when its residuals are shorter than this share of it.
EXACT_TOLERANCE = 1e-10

CONSTANT = "The outcome is the same for everyone."
NOT_CONVERGED = "The fit did not converge."
EXACT = "The outcome is fitted exactly: no variation is left to infer from."


@dataclass(frozen=True)
class GlmFit:
    """Generalised linear fits of a batch.

    Attributes
    ----------
    family : str
        "binomial" (logit link), "poisson" or "power" (log link).
    members : Family
        Mean and variance as functions of the linear predictor.
    coef : numpy.ndarray
        Coefficients on the scale of the link, shape (..., p); NaN where the fit failed.
    fitted : numpy.ndarray
        Fitted probabilities or means, shape (..., n).
    working : OlsFit
        The weighted least squares fit at the optimum, whitened: design (s / sqrt(v)) x, s the
        slope of the mean, Pearson residuals (y - mu) / sqrt(v), and as residual variance the
        dispersion: one, for the family "power" the sum of their squares over n - p.
    variance : numpy.ndarray
        v, the variance of each outcome by the family but for the dispersion, shape (..., n).
    status : numpy.ndarray of str
        "ok" or "failed", shape (...).
    note : numpy.ndarray of str
        One plain sentence where the fit failed, else empty; shape (...).
    known : dict
        What was made of the fit for one inference and serves the next.
    """

    family: str
    members: Family
    coef: np.ndarray
    fitted: np.ndarray
    working: OlsFit
    variance: np.ndarray
    status: np.ndarray
    note: np.ndarray
    known: dict[bytes, Any] = field(default_factory=dict, compare=False, repr=False)


def fit_glm(
    X: np.ndarray,
    y: np.ndarray,
    family: str,
    *,
    power: float | None = None,
    iterations: int = 100,
) -> GlmFit:
    """Fit logistic or Poisson regressions, or others with a log link, by maximum likelihood.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p). An intercept is a column of it.
    y : array_like
        Outcome, shape (..., n): 0 and 1, or counts (not necessarily whole: only the mean model
        matters to robust inference), or costs. Leading axes of the two broadcast.
    family : {"binomial", "poisson", "power"}
        Distribution, with logit, log and log link; "power" is a quasi-likelihood with variance
        mu^power and free dispersion.
    power : float, optional
        For the family "power", and only there: between 1 and 3.
    iterations : int
        Steps after which a fit that has not converged is given up.

    Returns
    -------
    GlmFit
        A fit fails alone, with status and note: where values are missing, columns dependent, the
        outcome constant or fitted exactly, where the maximum likelihood estimate is infinite
        (separation; with a log link: a subgroup with nothing but zeros), or without convergence.

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns; it names their positions.
    ValueError
        If the family is unknown, its power missing, out of range or given to another family, an
        outcome out of its range, the shapes do not fit, or no fit of the batch is without missing
        values.

    Notes
    -----
    Newton's method in the orthonormal basis of the design, with steps halved until the likelihood
    rises. For a canonical link that is Fisher scoring (McCullagh & Nelder 1989, section 2.5). For
    variances mu^power the observed information is taken: as the quasi-likelihood is concave it is
    never negative; scoring may cycle where one cost is thirty times the next, and keeps its
    information where a mean goes to zero. Where it is not concave, as powers above 2 allow, and the
    observed information not positive definite, the step is one of scoring. Under separation (Albert
    & Anderson 1984; Santos Silva & Tenreyro 2010 for counts) the steps do not get shorter and the
    information in that direction decays to nothing, which is what is looked for.

    Examples
    --------
    The randomised trial with counts of Dobson (1990), as in R's help for ``glm``:

    >>> import numpy as np
    >>> from ccp_analysis.models.glm import fit_glm
    >>> from ccp_analysis.models.glm_inference import on_link_scale
    >>> counts = [18, 17, 15, 20, 10, 20, 25, 13, 12]
    >>> outcome, treatment = np.tile([1, 2, 3], 3), np.repeat([1, 2, 3], 3)
    >>> columns = [np.ones(9), outcome == 2, outcome == 3, treatment == 2, treatment == 3]
    >>> fit = fit_glm(np.column_stack(columns), counts, "poisson")
    >>> found = on_link_scale(fit, np.eye(5)[:3], kind="model")
    >>> print(found.estimate.round(4), found.std_error.round(4))
    [ 3.0445 -0.4543 -0.293 ] [0.1709 0.2022 0.1927]
    """
    members = _members(family, power)
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    linear_fit = fit_ols(X, y)
    outside = np.isfinite(y) & ~members.allowed(y)
    if outside.any():
        raise ValueError(f"{members.range}, but {y[outside].flat[0]:g} was found.")
    usable = np.isfinite(linear_fit.coef).all(axis=-1)
    y = np.broadcast_to(y, linear_fit.residuals.shape)
    y = np.where(usable[..., None], y, 0.0)
    constant = (y == y[..., :1]).all(axis=-1)
    scores, converged, separated = _maximise(
        linear_fit.basis, y, members, usable & ~constant, iterations
    )
    predictor = _predict(linear_fit.basis, np.where(converged[..., None], scores, 0.0))
    if members.free_dispersion:
        endless = (np.abs(predictor) > ENDLESS).any(axis=-1)
        predictor = np.where(endless[..., None], 0.0, predictor)
        separated = separated | endless
    exact = _length(members.residual(y, predictor)) <= EXACT_TOLERANCE * _length(y)
    note = np.select(
        [~usable, constant, separated, ~converged, exact],
        [linear_fit.note, CONSTANT, members.infinite, NOT_CONVERGED, EXACT],
        default="",
    )
    coef = np.where(note[..., None] == "", linear(linear_fit.inverse, scores), np.nan)
    return _whiten(X, y, family, members, coef, note)


def _members(family: str, power: float | None) -> Family:
    if family != "power" and family not in FAMILIES:
        raise ValueError(f"The family is one of {', '.join((*FAMILIES, 'power'))}, not {family}.")
    if (power is None) == (family == "power"):
        raise ValueError("A power is given for the family power, and only there.")
    return FAMILIES[family] if power is None else power_family(power)


def _maximise(
    basis: np.ndarray, y: np.ndarray, family: Family, active: np.ndarray, iterations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients in the orthonormal basis, and whether they converged or diverged."""
    centre = np.where(active, y.mean(axis=-1), 0.5)
    null = family.link(centre)
    at_mean = np.sqrt(family.weight(null))
    floor = VANISHED * at_mean
    # A free dispersion has the units of the outcome; a step is then measured as if it were such
    # that the variation about the overall mean is as large as that.
    unit = at_mean if family.free_dispersion else 1.0
    start = np.where(active[..., None], 0.5 * (y + centre[..., None]), centre[..., None])
    predictor = family.link(start)
    weights, slope = family.weight(predictor), family.slope(predictor)
    target = weights / slope * (slope * predictor + y - start)
    scores, _, _ = _newton_step(basis, weights, target, floor)
    scores = np.where(active[..., None], scores, 0.0)
    converged = separated = np.zeros(active.shape, dtype=bool)
    for _ in range(iterations):
        predictor = _predict(basis, scores)
        step, length, vanished = _newton_step(
            basis, _weights(basis, y, predictor, family, floor), family.score(y, predictor), floor
        )
        separated = separated | (active & vanished)
        active = active & ~vanished
        step = np.where(active[..., None], step, 0.0)
        moved = np.abs(_predict(basis, step)).max(axis=-1)
        scores = scores + _halved(basis, y, family, scores, step, unit)
        arrived = active & (length <= STEP_TOLERANCE * unit) & (moved <= PREDICTOR_TOLERANCE)
        converged, active = converged | arrived, active & ~arrived
        if not active.any():
            break
    return scores, converged, separated


def _weights(
    basis: np.ndarray, y: np.ndarray, predictor: np.ndarray, family: Family, floor: np.ndarray
) -> np.ndarray:
    """Return the observed information; where it is not positive definite, the expected one."""
    observed = family.information(y, predictor)
    if not (observed < 0.0).any():
        return observed
    curved = np.linalg.eigvalsh(_gram(basis, observed)).min(axis=-1) > floor**2
    return np.where(curved[..., None], observed, family.weight(predictor))


def _gram(basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.swapaxes(basis, -1, -2) * weights[..., None, :] @ basis


def _newton_step(
    basis: np.ndarray, weights: np.ndarray, target: np.ndarray, floor: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (Q'WQ)^-1 Q't, its length in standard errors, and whether there is no inverse."""
    if (weights < 0.0).any():
        values, vectors = np.linalg.eigh(_gram(basis, weights))
        vanished = values.min(axis=-1) <= floor**2
        scale = np.sqrt(np.where(vanished[..., None], 1.0, values))
        half = times(times(target, basis), vectors) / scale
        return linear(vectors / scale[..., None, :], half), _length(half), vanished
    triangle = np.linalg.qr(np.sqrt(weights)[..., None] * basis, mode="r")
    diagonal = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    vanished = diagonal.min(axis=-1) <= floor
    inverse = np.linalg.inv(np.where(vanished[..., None, None], np.eye(basis.shape[-1]), triangle))
    half = times(times(target, basis), inverse)
    return linear(inverse, half), _length(half), vanished


def _halved(
    basis: np.ndarray,
    y: np.ndarray,
    family: Family,
    scores: np.ndarray,
    step: np.ndarray,
    unit: np.ndarray | float,
) -> np.ndarray:
    """Return the steps, each halved until it does not lower the likelihood; zero if none does."""

    def likelihood(at: np.ndarray) -> np.ndarray:
        predictor = _predict(basis, at)
        with np.errstate(over="ignore"):
            return family.likelihood(y, predictor).sum(axis=-1)

    before = likelihood(scores)
    before = before - 1e-10 * (unit**2 + np.abs(before))
    for _ in range(HALVINGS):
        lower = ~(likelihood(scores + step) >= before)
        if not lower.any():
            return step
        step = np.where(lower[..., None], 0.5 * step, step)
    return np.where(lower[..., None], 0.0, step)


def _whiten(
    X: np.ndarray,
    y: np.ndarray,
    family: str,
    members: Family,
    coef: np.ndarray,
    note: np.ndarray,
) -> GlmFit:
    """Set up the weighted least squares fit at the optimum."""
    solved = note == ""
    known = np.where(solved[..., None], coef, 0.0)
    finite = np.where(np.isfinite(X), X, 0.0)
    predictor = times(known, np.swapaxes(finite, -1, -2))
    variance = np.where(solved[..., None], members.variance(predictor), 0.0)
    weight = np.where(solved[..., None], members.weight(predictor), 0.0)
    whitened = np.sqrt(weight)[..., None] * finite
    basis, triangle = np.linalg.qr(whitened)
    p = X.shape[-1]
    inverse = np.linalg.inv(np.where(solved[..., None, None], triangle, np.eye(p)))
    # Where a mean is so extreme that its variance underflows, the residual is zero too.
    root = np.sqrt(variance)
    pearson = members.residual(y, predictor) / np.where(root > 0.0, root, np.inf)
    df_resid = y.shape[-1] - p
    dispersion = np.square(pearson).sum(axis=-1) / df_resid if members.free_dispersion else 1.0
    status = np.where(solved, "ok", "failed")
    working = OlsFit(
        coef=coef,
        residuals=np.where(solved[..., None], pearson, np.nan),
        sigma2=np.where(solved, dispersion, np.nan),
        df_resid=df_resid,
        X=whitened,
        basis=basis,
        inverse=np.where(solved[..., None, None], inverse, np.nan),
        status=status,
        note=note,
    )
    fitted = np.where(solved[..., None], members.mean(predictor), np.nan)
    return GlmFit(family, members, coef, fitted, working, variance, status, note)


def _predict(basis: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return times(scores, np.swapaxes(basis, -1, -2))


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(vectors).sum(axis=-1))
