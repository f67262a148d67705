"""The value of information on which of two arms is worth more."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, ndtr, stdtr

from ccp_analysis.models.inference import MANY_DF


def perfect_information(
    estimate: np.ndarray, std_error: np.ndarray, df: np.ndarray | float = np.inf
) -> np.ndarray:
    """Return the expected value of perfect information on a difference in net benefit.

    Parameters
    ----------
    estimate, std_error : array_like
        Difference in net benefit between two arms and its standard error; shapes that broadcast.
    df : array_like
        Degrees of freedom, more than one; infinite for the normal distribution.

    Returns
    -------
    numpy.ndarray
        Per person, in the unit of the estimate. NaN where a t distribution has no mean.

    Notes
    -----
    What is known of the difference is t distributed with location d, scale s and nu degrees of
    freedom. Without further information the arm with the higher expected net benefit is chosen;
    with perfect information the better one. With t = |d| / s, f and F density and distribution
    function of t, the expected gain E[max(0, D)] - max(0, E[D]) is

        s ((nu + t^2) / (nu - 1) f(t) - t (1 - F(t)))

    and with the normal distribution s (phi(t) - t (1 - Phi(t))): the unit loss integral (Raiffa &
    Schlaifer 1961, section 5.4; Claxton 1999, J Health Econ 18:341-364).

    Examples
    --------
    Where nothing is known but that the difference has the scale s, the normal limit is s / sqrt(2
    pi) and t with four degrees of freedom has half as much again or so:

    >>> from ccp_analysis.models.information import perfect_information
    >>> print(perfect_information(0.0, 100.0).round(3), perfect_information(0.0, 100.0, 4).round(3))
    39.894 50.0
    """
    estimate, std_error, df = (np.asarray(v, dtype=float) for v in (estimate, std_error, df))
    t = np.abs(estimate) / std_error
    nu = np.where(df > 1.0, np.minimum(df, MANY_DF), np.nan)
    constant = gammaln((nu + 1.0) / 2.0) - gammaln(nu / 2.0) - 0.5 * np.log(nu * np.pi)
    density = np.exp(constant - (nu + 1.0) / 2.0 * np.log1p(t**2 / nu))
    heavy = (nu + t**2) / (nu - 1.0) * density - t * stdtr(nu, -t)
    light = np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi) - t * ndtr(-t)
    return std_error * np.where(df > MANY_DF, light, heavy)


def of_population(people: float, years: int, discount: float) -> float:
    """Return how many people a decision concerns, those of later years discounted.

    Parameters
    ----------
    people : float
        In a year.
    years : int
        For which the decision stands.
    discount : float
        Rate a year; the people of year k count (1 + discount)^-(k - 1).

    Returns
    -------
    float

    Examples
    --------
    >>> from ccp_analysis.models.information import of_population
    >>> print(of_population(100, 3, 0.0), round(of_population(100, 3, 0.035), 2))
    300.0 289.97
    """
    return float(people * ((1.0 + discount) ** -np.arange(years, dtype=float)).sum())
