"""Binary and count outcomes: logistic and Poisson regression on a batch.

At its optimum a model with canonical link is a weighted least squares fit, and its standard errors
are those of the whitened fit: design sqrt(v) x and residual (y - mu) / sqrt(v), v the variance of
the outcome. `GlmFit.working` is that fit, so that `robust` serves it too; for CR2 see
`glm_inference`.

Scoring is written out here because statsmodels fits one outcome at a time and only warns of
separation; the tests hold both to the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from ccp_analysis.models.inference import linear
from ccp_analysis.models.ols import OlsFit, fit_ols, times

# Converged: a scoring step shorter than this, in standard errors of the coefficients ...
STEP_TOLERANCE = 1e-8
# ... that moves no linear predictor by more than this. Under separation they move for ever.
PREDICTOR_TOLERANCE = 1e-6
# Information (as its square root) that has vanished, as a share of that at the overall mean.
VANISHED = 1e-7
HALVINGS = 30
# An outcome is fitted exactly when its residuals are shorter than this share of it.
EXACT_TOLERANCE = 1e-10

CONSTANT = "The outcome is the same for everyone."
SEPARATED = (
    "Some combination of the covariates predicts the outcome perfectly (separation): the estimate "
    "is infinite."
)
NOT_CONVERGED = "The fit did not converge."
EXACT = "The outcome is fitted exactly: no variation is left to infer from."


@dataclass(frozen=True)
class Family:
    """A distribution with its canonical link.

    Attributes
    ----------
    link, mean, variance, cumulant : callable
        Linear predictor of a mean; and, as functions of the linear predictor, the mean, the
        variance (which is the derivative of the mean) and the integral of the mean.
    residual : callable
        Outcome minus mean, from the outcome and the linear predictor, without cancellation.
    allowed : callable
        Which outcomes are possible.
    range : str
        The same in words.
    """

    link: Callable[[np.ndarray], np.ndarray]
    mean: Callable[[np.ndarray], np.ndarray]
    variance: Callable[[np.ndarray], np.ndarray]
    cumulant: Callable[[np.ndarray], np.ndarray]
    residual: Callable[[np.ndarray, np.ndarray], np.ndarray]
    allowed: Callable[[np.ndarray], np.ndarray]
    range: str


FAMILIES = {
    "binomial": Family(
        link=logit,
        mean=expit,
        variance=lambda eta: expit(eta) * expit(-eta),
        cumulant=lambda eta: np.logaddexp(0.0, eta),
        residual=lambda y, eta: y * expit(-eta) - (1.0 - y) * expit(eta),
        allowed=lambda y: (y == 0.0) | (y == 1.0),
        range="A binary outcome is 0 or 1",
    ),
    "poisson": Family(
        link=np.log,
        mean=np.exp,
        variance=np.exp,
        cumulant=np.exp,
        residual=lambda y, eta: y - np.exp(eta),
        allowed=lambda y: y >= 0.0,
        range="A count is not negative",
    ),
}


@dataclass(frozen=True)
class GlmFit:
    """Logistic or Poisson fits of a batch.

    Attributes
    ----------
    family : str
        "binomial" (logit link) or "poisson" (log link).
    coef : numpy.ndarray
        Coefficients on the scale of the link, shape (..., p); NaN where the fit failed.
    fitted : numpy.ndarray
        Fitted probabilities or means, shape (..., n).
    working : OlsFit
        The weighted least squares fit at the optimum, whitened: design sqrt(v) x, Pearson
        residuals (y - mu) / sqrt(v), and a residual variance of one, the dispersion of both
        families.
    variance : numpy.ndarray
        v, the variance of each outcome by the family, shape (..., n).
    status : numpy.ndarray of str
        "ok" or "failed", shape (...).
    note : numpy.ndarray of str
        One plain sentence where the fit failed, else empty; shape (...).
    """

    family: str
    coef: np.ndarray
    fitted: np.ndarray
    working: OlsFit
    variance: np.ndarray
    status: np.ndarray
    note: np.ndarray


def fit_glm(X: np.ndarray, y: np.ndarray, family: str, *, iterations: int = 100) -> GlmFit:
    """Fit logistic or Poisson regressions by maximum likelihood.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p). An intercept is a column of it.
    y : array_like
        Outcome, shape (..., n): 0 and 1, or counts (not necessarily whole: only the mean model
        matters to robust inference). Leading axes of the two broadcast.
    family : {"binomial", "poisson"}
        Distribution, with logit or log link.
    iterations : int
        Scoring steps after which a fit that has not converged is given up.

    Returns
    -------
    GlmFit
        A fit fails alone, with status and note: where values are missing, columns dependent, the
        outcome constant or fitted exactly, where the maximum likelihood estimate is infinite
        (separation), or without convergence.

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns; it names their positions.
    ValueError
        If the family is unknown, an outcome is out of its range, the shapes do not fit, or no fit
        of the batch is without missing values.

    Notes
    -----
    Fisher scoring (McCullagh & Nelder 1989, section 2.5), in the orthonormal basis of the design
    and with steps halved until the likelihood rises. Under separation (Albert & Anderson 1984;
    Santos Silva & Tenreyro 2010 for counts) every step moves some linear predictor by about one and
    the information in that direction decays to nothing, which is what is looked for.
    """
    if family not in FAMILIES:
        raise ValueError(f"The family is one of {', '.join(FAMILIES)}, not {family}.")
    members = FAMILIES[family]
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
    exact = _length(members.residual(y, _predict(linear_fit.basis, scores)))
    exact = exact <= EXACT_TOLERANCE * _length(y)
    note = np.select(
        [~usable, constant, separated, ~converged, exact],
        [linear_fit.note, CONSTANT, SEPARATED, NOT_CONVERGED, EXACT],
        default="",
    )
    coef = np.where(note[..., None] == "", linear(linear_fit.inverse, scores), np.nan)
    return _whiten(X, y, family, coef, note)


def _maximise(
    basis: np.ndarray, y: np.ndarray, family: Family, active: np.ndarray, iterations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients in the orthonormal basis, and whether they converged or diverged."""
    centre = np.where(active, y.mean(axis=-1), 0.5)
    null = family.link(centre)
    floor = VANISHED * np.sqrt(family.variance(null))
    start = np.where(active[..., None], 0.5 * (y + centre[..., None]), centre[..., None])
    predictor = family.link(start)
    weights = family.variance(predictor)
    scores, _, _ = _scoring_step(basis, weights, weights * predictor + y - start, floor)
    scores = np.where(active[..., None], scores, 0.0)
    converged = separated = np.zeros(active.shape, dtype=bool)
    for _ in range(iterations):
        predictor = _predict(basis, scores)
        step, length, vanished = _scoring_step(
            basis, family.variance(predictor), family.residual(y, predictor), floor
        )
        separated = separated | (active & vanished)
        active = active & ~vanished
        step = np.where(active[..., None], step, 0.0)
        moved = np.abs(_predict(basis, step)).max(axis=-1)
        scores = scores + _halved(basis, y, family, scores, step)
        arrived = active & (length <= STEP_TOLERANCE) & (moved <= PREDICTOR_TOLERANCE)
        converged, active = converged | arrived, active & ~arrived
        if not active.any():
            break
    return scores, converged, separated


def _scoring_step(
    basis: np.ndarray, weights: np.ndarray, target: np.ndarray, floor: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (Q'WQ)^-1 Q't, its length in standard errors, and whether there is no inverse."""
    triangle = np.linalg.qr(np.sqrt(weights)[..., None] * basis, mode="r")
    diagonal = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    vanished = diagonal.min(axis=-1) <= floor
    inverse = np.linalg.inv(np.where(vanished[..., None, None], np.eye(basis.shape[-1]), triangle))
    half = times(times(target, basis), inverse)
    return linear(inverse, half), _length(half), vanished


def _halved(
    basis: np.ndarray, y: np.ndarray, family: Family, scores: np.ndarray, step: np.ndarray
) -> np.ndarray:
    """Return the steps, each halved until it does not lower the likelihood; zero if none does."""

    def likelihood(at: np.ndarray) -> np.ndarray:
        predictor = _predict(basis, at)
        with np.errstate(over="ignore"):
            return (y * predictor - family.cumulant(predictor)).sum(axis=-1)

    before = likelihood(scores)
    before = before - 1e-10 * (1.0 + np.abs(before))
    for _ in range(HALVINGS):
        lower = ~(likelihood(scores + step) >= before)
        if not lower.any():
            return step
        step = np.where(lower[..., None], 0.5 * step, step)
    return np.where(lower[..., None], 0.0, step)


def _whiten(
    X: np.ndarray, y: np.ndarray, family: str, coef: np.ndarray, note: np.ndarray
) -> GlmFit:
    """Set up the weighted least squares fit at the optimum."""
    members, solved = FAMILIES[family], note == ""
    known = np.where(solved[..., None], coef, 0.0)
    finite = np.where(np.isfinite(X), X, 0.0)
    predictor = times(known, np.swapaxes(finite, -1, -2))
    variance = np.where(solved[..., None], members.variance(predictor), 0.0)
    root = np.sqrt(variance)
    whitened = root[..., None] * finite
    basis, triangle = np.linalg.qr(whitened)
    p = X.shape[-1]
    inverse = np.linalg.inv(np.where(solved[..., None, None], triangle, np.eye(p)))
    # Where a mean is so extreme that its variance underflows, the residual is zero too.
    pearson = members.residual(y, predictor) / np.where(root > 0.0, root, np.inf)
    status = np.where(solved, "ok", "failed")
    working = OlsFit(
        coef=coef,
        residuals=np.where(solved[..., None], pearson, np.nan),
        sigma2=np.where(solved, 1.0, np.nan),
        df_resid=y.shape[-1] - p,
        X=whitened,
        basis=basis,
        inverse=np.where(solved[..., None, None], inverse, np.nan),
        status=status,
        note=note,
    )
    fitted = np.where(solved[..., None], members.mean(predictor), np.nan)
    return GlmFit(family, coef, fitted, working, variance, status, note)


def _predict(basis: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return times(scores, np.swapaxes(basis, -1, -2))


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(vectors).sum(axis=-1))
