"""Distributions of generalised linear models, as functions of the linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

Values = np.ndarray

SEPARATED = (
    "Some combination of the covariates predicts the outcome perfectly (separation): the estimate "
    "is infinite."
)
ONLY_ZEROS = (
    "Some combination of the covariates singles out people whose outcome is always zero "
    "(separation): the logarithm of their mean is infinite."
)


@dataclass(frozen=True)
class Family:
    """A variance as a function of the mean, with a link.

    Attributes
    ----------
    link, mean : callable
        Linear predictor eta of a mean mu, and mean of a linear predictor.
    slope, variance, weight : callable
        Of the linear predictor: d mu / d eta, the variance of the outcome (but for the dispersion),
        and slope^2 / variance, the expected information. One and the same for a canonical link.
    residual : callable
        Outcome minus mean, from the outcome and the linear predictor, without cancellation.
    likelihood, score, information : callable
        Of outcome and linear predictor: the log (quasi-)likelihood of each outcome but for a
        constant, and its first and, with its sign turned, second derivative.
    free_dispersion : bool
        Whether the dispersion is estimated; else it is one.
    allowed : callable
        Which outcomes are possible.
    range : str
        The same in words.
    infinite : str
        What it means that the estimate is infinite, in one sentence.
    """

    link: Callable[[Values], Values]
    mean: Callable[[Values], Values]
    slope: Callable[[Values], Values]
    variance: Callable[[Values], Values]
    weight: Callable[[Values], Values]
    residual: Callable[[Values, Values], Values]
    likelihood: Callable[[Values, Values], Values]
    score: Callable[[Values, Values], Values]
    information: Callable[[Values, Values], Values]
    free_dispersion: bool
    allowed: Callable[[Values], Values]
    range: str
    infinite: str


def _canonical(
    *,
    mean: Callable[[Values], Values],
    variance: Callable[[Values], Values],
    cumulant: Callable[[Values], Values],
    residual: Callable[[Values, Values], Values],
    link: Callable[[Values], Values],
    allowed: Callable[[Values], Values],
    range: str,
) -> Family:
    """Return the family whose linear predictor is its natural parameter.

    The cumulant function is the integral of the mean; the slope of the mean is the variance, and
    expected and observed information agree.
    """
    return Family(
        mean=mean,
        slope=variance,
        variance=variance,
        weight=variance,
        residual=residual,
        likelihood=lambda y, eta: y * eta - cumulant(eta),
        score=residual,
        information=lambda y, eta: variance(eta),
        free_dispersion=False,
        infinite=SEPARATED,
        link=link,
        allowed=allowed,
        range=range,
    )


FAMILIES = {
    "binomial": _canonical(
        link=logit,
        mean=expit,
        variance=lambda eta: expit(eta) * expit(-eta),
        cumulant=lambda eta: np.logaddexp(0.0, eta),
        residual=lambda y, eta: y * expit(-eta) - (1.0 - y) * expit(eta),
        allowed=lambda y: (y == 0.0) | (y == 1.0),
        range="A binary outcome is 0 or 1",
    ),
    "poisson": _canonical(
        link=np.log,
        mean=np.exp,
        variance=np.exp,
        cumulant=np.exp,
        residual=lambda y, eta: y - np.exp(eta),
        allowed=lambda y: y >= 0.0,
        range="A count is not negative",
    ),
}


def power_family(power: float) -> Family:
    """Return the quasi-likelihood with log link and variance mu^power, of free dispersion.

    Parameters
    ----------
    power : float
        From 1 (as an overdispersed count) over 2 (as a gamma distribution: a constant coefficient
        of variation) to 3 (as an inverse Gaussian). Outcomes may be zero.

    Returns
    -------
    Family

    Raises
    ------
    ValueError
        If the power is not between 1 and 3.

    Notes
    -----
    Wedderburn (1974, Biometrika 61:439-447): the quasi-likelihood of one outcome is the integral of
    (y - t) / t^power from some constant to mu. In eta = log mu it is
    y h(1 - power) - h(2 - power) with h(a) = (exp(a eta) - 1) / a, or eta for a = 0. It is concave
    in eta exactly for powers from 1 to 2. Above, its second derivative has the other sign for
    outcomes below (power - 2) / (power - 1) of their mean, so that there may be several maxima:
    that is taken to which the steps lead from the overall mean.
    """
    if not 1.0 <= power <= 3.0:
        raise ValueError(f"The power of the variance lies between 1 and 3, not at {power:g}.")
    down, up = 1.0 - power, 2.0 - power

    def first(function: Callable[[float, Values], Values], y: Values, eta: Values) -> Values:
        # Where the outcome is zero so is the first term, however far the predictor has gone.
        with np.errstate(over="ignore"):
            return y * function(down, np.where(y > 0.0, eta, 0.0))

    return Family(
        link=np.log,
        mean=np.exp,
        slope=np.exp,
        variance=lambda eta: _exp(power, eta),
        weight=lambda eta: _exp(up, eta),
        residual=lambda y, eta: y - np.exp(eta),
        likelihood=lambda y, eta: first(_growth, y, eta) - _growth(up, eta),
        score=lambda y, eta: first(_exp, y, eta) - _exp(up, eta),
        information=lambda y, eta: up * _exp(up, eta) - down * first(_exp, y, eta),
        free_dispersion=True,
        allowed=lambda y: y >= 0.0,
        range="An outcome with a log link is not negative",
        infinite=ONLY_ZEROS,
    )


def _exp(rate: float, eta: Values) -> Values:
    return np.exp(rate * eta)


def _growth(rate: float, eta: Values) -> Values:
    """Return the integral of exp(rate eta) from 0 to eta."""
    return eta if rate == 0.0 else np.expm1(rate * eta) / rate
