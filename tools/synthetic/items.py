"""From a latent normal value to answered items: thresholds that give a score its stated moments.

Each answer follows a graded-response model with a normal ogive (Samejima 1969): behind item j
stands ``lambda * theta + sqrt(1 - lambda**2) * e_j`` with theta and e_j standard normal, and
thresholds cut it into answers. Thresholds are equally spaced on an item's own line; their centre,
their spacing and lambda are solved so that the score has its stated mean, SD and Cronbach's alpha.

Given theta the items are independent, so every moment of the score is an integral over theta
alone (Gauss-Hermite). The covariance of two scores whose thetas correlate by rho is
``sum_k a_k b_k rho**k`` with the Hermite coefficients a, b of their conditional means (Mehler's
formula), which turns a correlation asked of scores into the one needed of latent values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq, root
from scipy.special import gammaln, ndtr, ndtri

from synthetic.parameters import Scale

_DEGREE = 10
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_HERMITE = np.polynomial.hermite_e.hermevander(_NODES, _DEGREE) / np.exp(
    gammaln(np.arange(_DEGREE + 1) + 1) / 2
)


@dataclass(frozen=True)
class Calibration:
    """What is needed to draw a scale's items from its latent value.

    Attributes
    ----------
    thresholds : ndarray (items, answers - 1)
        On the item's latent standard normal scale, increasing.
    points : ndarray (items, answers)
        What each answer, from the lowest latent category up, adds to the score.
    answers : ndarray (answers,)
        The raw answer of each category.
    loading : float
        lambda: correlation of an item's latent value with theta.
    shift : float
        Of theta at six months, giving the mean change.
    effect_shift : float
        Further shift in the intervention arm, giving the effect.
    mean, sd : float
        Of the baseline score.
    sd_follow_up : float
        Of the six-month score without the intervention.
    latent_trust, latent_team : float
        Variance of theta between Trusts, and between teams of a Trust (both visits' parts).
    latent_retest : float
        Correlation of theta at baseline and six months.
    reliability : float
        Squared correlation of the score with theta.
    """

    thresholds: np.ndarray
    points: np.ndarray
    answers: np.ndarray
    loading: float
    shift: float
    effect_shift: float
    mean: float
    sd: float
    sd_follow_up: float
    latent_trust: float
    latent_team: float
    latent_retest: float
    reliability: float


def _above(thresholds: np.ndarray, loading: float, theta: np.ndarray) -> np.ndarray:
    """Probability of an answer above each threshold given theta: (theta, items, answers - 1)."""
    z = loading * theta[:, None, None] - thresholds
    return ndtr(z / np.sqrt(1 - loading**2))


def _conditional(
    thresholds: np.ndarray, points: np.ndarray, loading: float, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the score given theta, at the quadrature nodes shifted by `shift`."""
    above = _above(thresholds, loading, _NODES + shift)
    step, step2 = np.diff(points, axis=1), np.diff(points**2, axis=1)
    mean = points[:, 0] + (above * step).sum(2)
    square = points[:, 0] ** 2 + (above * step2).sum(2)
    return mean.sum(1), (square - mean**2).sum(1)


def _mean_sd(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    centre = float(_WEIGHTS @ mean)
    return centre, float(np.sqrt(_WEIGHTS @ (variance + (mean - centre) ** 2)))


def _places(count: int) -> np.ndarray:
    """Places of the items between -1/2 and 1/2, so mixed that no subscale is all easy or hard."""
    return (np.argsort(np.argsort(np.arange(1, count + 1) * 0.6180339887 % 1)) + 0.5) / count - 0.5


def _ordinal_thresholds(scale: Scale) -> np.ndarray:
    """Solve centre and spacing for the mean and the average variance of the items."""
    count, answers = len(scale.items), scale.high - scale.low + 1
    total_mean = scale.mean * (count if scale.score == "mean" else 1)
    total_var = (scale.sd * (count if scale.score == "mean" else 1)) ** 2
    item_var = total_var
    if count > 1:
        item_var = total_var * (1 - scale.alpha * (count - 1) / count) / count
    item_mean = total_mean / count - scale.low
    cuts, places = np.arange(1, answers) - 0.5, _places(count)

    def thresholds(solved: np.ndarray) -> np.ndarray:
        centre, log_spread = solved
        spread = np.exp(log_spread)
        if answers == 2:  # one threshold has no spacing: the spread of the items' places is solved
            return (centre + spread * places)[:, None]
        return (cuts - centre - scale.spread * answers * places[:, None]) / spread

    def faults(solved: np.ndarray) -> list[float]:
        above = ndtr(-thresholds(solved))
        mean = above.sum(1)
        square = (above * (2 * np.arange(1, answers) - 1)).sum(1)
        return [mean.mean() - item_mean, (square - mean**2).mean() / item_var - 1]

    start = [0.0, 0.0] if answers == 2 else [item_mean, 0.5 * np.log(item_var)]
    found = root(faults, start, tol=1e-13)
    if np.abs(faults(found.x)).max() > 1e-8:
        raise ValueError(f"{scale.name}: no items have this mean, SD and alpha")
    return thresholds(found.x)


def _ordinal(scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return thresholds, points, answers and loading of a summed or averaged scale."""
    thresholds = _ordinal_thresholds(scale)
    answers = np.arange(scale.low, scale.high + 1)
    count = len(scale.items)
    points = np.tile(answers / (count if scale.score == "mean" else 1.0), (count, 1))
    if count == 1:
        return thresholds, points, answers, float(np.sqrt(scale.alpha))

    def fault(loading: float) -> float:
        return _mean_sd(*_conditional(thresholds, points, loading))[1] - scale.sd

    return thresholds, points, answers, float(brentq(fault, 0.01, 0.995, xtol=1e-12))


def _value_set(scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return thresholds, points, answers and loading of an instrument with a value set.

    High theta is good health, hence the lowest level: categories run from the worst level down.
    """
    shares = np.array(scale.levels)[:, ::-1]
    thresholds = ndtri(np.cumsum(shares, axis=1)[:, :-1])
    points = 1 / len(scale.items) - np.array(scale.weights)[:, ::-1]
    return thresholds, points, np.arange(scale.high, scale.low - 1, -1), scale.item_loading


@lru_cache(maxsize=256)
def calibrate(scale: Scale, effect: float = 0.0) -> Calibration:
    """Solve everything that drawing a scale needs from what is stated of its score.

    Parameters
    ----------
    scale : Scale
        The stated moments.
    effect : float
        True effect of the arm on the mean score at six months, in points.

    Returns
    -------
    Calibration
        See there.

    Raises
    ------
    ValueError
        If no latent model has these moments.
    """
    build = _value_set if scale.score == "value_set" else _ordinal
    thresholds, points, answers, loading = build(scale)
    conditional, variance = _conditional(thresholds, points, loading)
    mean, sd = _mean_sd(conditional, variance)

    def shift_for(target: float) -> float:
        def fault(shift: float) -> float:
            return _mean_sd(*_conditional(thresholds, points, loading, shift))[0] - target

        try:
            return float(brentq(fault, -4, 4, xtol=1e-13))
        except ValueError as error:
            raise ValueError(f"{scale.name}: a mean of {target:.3g} is out of reach") from error

    shift = shift_for(mean + scale.change)
    effect_shift = shift_for(mean + scale.change + effect) - shift if effect else 0.0
    later, later_variance = _conditional(thresholds, points, loading, shift)
    sd_later = _mean_sd(later, later_variance)[1]
    a = _HERMITE.T @ (_WEIGHTS * conditional)
    b = _HERMITE.T @ (_WEIGHTS * later)

    def latent(target: float, first: np.ndarray, second: np.ndarray, scale_by: float) -> float:
        power = np.arange(1, _DEGREE + 1)

        def fault(rho: float) -> float:
            return float((first[1:] * second[1:] * rho**power).sum()) / scale_by - target

        if fault(1.0) < 0:
            raise ValueError(f"{scale.name}: a correlation of {target:.3g} is out of reach")
        return float(brentq(fault, 0.0, 1.0, xtol=1e-13))

    trust = latent(scale.icc_trust, a, a, sd**2)
    cluster = latent(scale.icc_trust + scale.icc_team, a, a, sd**2)
    return Calibration(
        thresholds,
        points,
        answers,
        loading,
        shift,
        effect_shift,
        mean,
        sd,
        sd_later,
        trust,
        cluster - trust,
        latent(scale.retest, a, b, sd * sd_later),
        float(a[1] ** 2 / sd**2),
    )


def draw_answers(
    calibration: Calibration, theta: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the answers to all items given the latent values.

    Parameters
    ----------
    calibration : Calibration
        Of the scale.
    theta : ndarray (n,)
        Latent values, shifts included.
    rng : numpy.random.Generator
        Source of the items' own errors.

    Returns
    -------
    answers : ndarray of int (n, items)
        Raw answers.
    score : ndarray (n,)
        The complete score.
    """
    errors = rng.standard_normal((len(theta), len(calibration.thresholds)))
    latent = calibration.loading * theta[:, None] + np.sqrt(1 - calibration.loading**2) * errors
    category = np.stack(
        [np.searchsorted(t, latent[:, j]) for j, t in enumerate(calibration.thresholds)], axis=1
    )
    points = np.take_along_axis(calibration.points, category.T, axis=1)
    return calibration.answers[category], points.sum(0)
