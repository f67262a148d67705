"""What drawn studies say of an analysis, each measure with its Monte Carlo band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from ccp_analysis.results.terms import Term

BAND = 0.95  # level of Monte Carlo intervals
LEVELS = (0.04, 0.06)  # between which the level of a 5 % test is as it should be


@dataclass(frozen=True)
class Measure:
    """A measure of draws.

    Attributes
    ----------
    estimate, error : float
        With its Monte Carlo standard error.
    low, high : float
        Monte Carlo interval: of shares Wilson's, of means the normal one.
    draws : int
        Drawn studies it rests on.
    """

    estimate: float
    error: float
    low: float
    high: float
    draws: int

    @property
    def off(self) -> bool:
        """Whether all of the interval lies outside `LEVELS`."""
        return self.high < LEVELS[0] or self.low > LEVELS[1]


def share(hits: np.ndarray) -> Measure:
    """Return a share with Wilson's interval (1927, J Am Stat Assoc 22:209-212).

    Examples
    --------
    >>> import numpy as np
    >>> from ccp_analysis.characteristics.measures import share
    >>> found = share(np.arange(2000) < 100)
    >>> print(found.estimate, round(found.low, 4), round(found.high, 4))
    0.05 0.0413 0.0604
    """
    n, p, z = len(hits), float(np.mean(hits)), float(ndtri(0.5 + BAND / 2))
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Measure(p, (p * (1 - p) / n) ** 0.5, low, high, n)


def mean(values: np.ndarray, less: float = 0.0) -> Measure:
    """Return a mean, less the truth, with its normal interval."""
    n, centre = len(values), float(np.mean(values)) - less
    error = float(np.std(values, ddof=1)) / n**0.5 if n > 1 else np.nan
    half = float(ndtri(0.5 + BAND / 2)) * error
    return Measure(centre, error, centre - half, centre + half, n)


def measures(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray], true: float, level: float, seeks: bool
) -> dict[Term, Measure]:
    """Measure an analysis on draws whose true difference is known.

    Parameters
    ----------
    drawn : tuple of numpy.ndarray
        Estimate, standard error and degrees of freedom of every drawn study; those without a
        standard error are left out.
    true : float
        The difference that the analysis estimates.
    level : float
        Confidence level.
    seeks : bool
        Whether there is a difference to be found.

    Returns
    -------
    dict
        Without a difference the level of the test, with one its power, and of the tests that reject
        the share with the wrong sign and how much larger the estimates are than the truth (Gelman &
        Carlin 2014, Perspect Psychol Sci 9:641-651); coverage, bias and width of the intervals.
    """
    estimate, error, df = drawn
    there = np.isfinite(error) & ~np.isnan(df)
    if not there.any():
        return {}
    estimate, error, df = estimate[there], error[there], df[there]
    half = stdtrit(df, 0.5 + level / 2) * error
    rejects = 2.0 * stdtr(df, -np.abs(estimate / error)) < 1.0 - level
    found = {
        Term.COVERAGE: share(np.abs(estimate - true) <= half),
        Term.BIAS: mean(estimate, true),
        Term.INTERVAL_WIDTH: mean(2.0 * half),
    }
    if not true:
        return {Term.TEST_LEVEL: share(rejects), **found}
    if not seeks:
        return found
    found[Term.POWER] = share(rejects)
    if rejects.any():
        found[Term.SIGN_ERROR] = share(estimate[rejects] * true < 0.0)
        found[Term.SIZE_ERROR] = mean(np.abs(estimate[rejects] / true))
    return found
