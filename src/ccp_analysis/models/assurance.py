"""How likely the next trial is to find a difference, given what is known of its variances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import betainc, gammainc, ndtri, stdtrit

from ccp_analysis.models.components import Components
from ccp_analysis.models.inference import MANY_DF

TINY = 1e-15  # what a term of the series may be left out below
SPAN = 8.5  # standard deviations of the true difference over which is integrated


@dataclass(frozen=True)
class Size:
    """How large a trial is.

    Attributes
    ----------
    people : float
        Analysed of each cluster, on average; of each arm where people are allocated.
    pairs : int, optional
        Pairs of clusters, one of each pair in either arm; None where people are allocated.
    cv : float
        Coefficient of variation of the pairs' weights n1 n0 / (n1 + n0).
    kept : float
        Mean of these weights for 1 of pairs of equal clusters, at most 1.
    taken : int
        Degrees of freedom that covariates take where people are allocated.
    """

    people: float
    pairs: int | None = None
    cv: float = 0.0
    kept: float = 1.0
    taken: int = 0

    @property
    def df(self) -> float:
        """Degrees of freedom of the comparison of pairs, or of two arms.

        Notes
        -----
        With pairs of weights w, of sum 1, CR2 is sum w^2 e^2 / (1 - w), and with a^2 = w^2 / (1 -
        w) Satterthwaite's degrees of freedom are 1 / (sum w^2 + (sum a^2)^2 - sum a^4): pairs - 1
        for equal weights, one where a single pair has all of it, and otherwise nearly pairs / (1 +
        cv^2) - 1.
        """
        if self.pairs:
            return max(self.pairs / (1.0 + self.cv**2) - 1.0, 1.0)
        return 2.0 * self.people - 2.0 - self.taken

    def variance(self, icc: np.ndarray | float) -> np.ndarray:
        """Return the variance of the difference between arms for a residual variance of 1.

        Notes
        -----
        2 ((1 - icc) / (m kept) + (1 + cv^2) icc) / pairs for m people of a cluster. Least squares
        with fixed pairs weighs these by w = n1 n0 / (n1 + n0), so that its variance is 2 icc sum
        w^2 / (sum w)^2 + (1 - icc) / sum w; with alike pairs of unequal clusters that is near the
        design effect 1 + ((1 + cv^2) m - 1) icc of Eldridge, Ashby & Kerry (2006, Int J Epidemiol
        35:1292-1300). The residual variance is that beside the baseline: the factor 1 - retest^2 of
        Teerenstra et al. (2012, Stat Med 31:2169-2178) stands in it already; pairs take what they
        share of it (Hayes & Moulton 2017, chapter 7).
        """
        icc = np.asarray(icc, dtype=float)
        if self.pairs is None:
            return 2.0 / self.people * np.ones_like(icc)
        return (
            2.0 * ((1.0 - icc) / (self.people * self.kept) + (1.0 + self.cv**2) * icc) / self.pairs
        )

    @property
    def floor(self) -> Size:
        """The same pairs with any number of people in each cluster."""
        return replace(self, people=np.inf)


@lru_cache(maxsize=512)
def _missed(df: float, level: float) -> np.ndarray:
    """Return the chances that T^2 stays below its limit, the numerator having 1 + 2 j df."""
    tail = 0.5 + level / 2.0
    limit = float(ndtri(tail) if df > MANY_DF else stdtrit(df, tail)) ** 2
    count = 64
    while True:
        half = 0.5 + np.arange(count)
        if df > MANY_DF:
            found = gammainc(half, limit / 2.0)
        else:
            found = betainc(half, df / 2.0, limit / (limit + df))
        if found[-1] < TINY:
            return np.asarray(found[: np.argmax(found < TINY) + 1])
        count *= 2


def assurance(
    difference: float, size: Size, known: Components, level: float = 0.95, sd: float = 0.0
) -> float:
    """Return the power of a trial averaged over what is known of variances and difference.

    Parameters
    ----------
    difference : float
        True difference between the arms, in units of the outcome.
    size : Size
        Of the trial.
    known : Components
        Posterior of the variances.
    level : float
        Confidence level, one less that of the two-sided t test.
    sd : float
        Standard deviation of a true difference that is normal about `difference`.

    Returns
    -------
    float
        Chance that the test finds a difference, in either direction.

    Notes
    -----
    A t test with noncentrality delta finds nothing with the chance sum_j Poisson(j; delta^2 / 2)
    c_j, c_j the chance that a central beta variable with 1 + 2 j and df degrees of freedom stays
    below t^2 / (t^2 + df). Given the intraclass correlation rho, delta^2 / 2 = difference^2 / (2
    tau^2 v(rho)) is gamma distributed with shape k and scale s = difference^2 / (2 v(rho)
    rate(rho)), so that the mixture is negative binomial:

        1 - sum_j C(k + j - 1, j) (s / (1 + s))^j (1 + s)^-k c_j

    is the assurance given rho, and the mean over the nodes of rho that of the posterior. O'Hagan,
    Stevens & Campbell (2005, Pharm Stat 4:187-201) average over the difference too: by the
    trapezoidal rule where `sd` is given. Averaging over the variances at a fixed difference is the
    hybrid approach of Williamson, Tishkovskaya & Wilson (2025, Clin Trials, doi
    10.1177/17407745241312635) and Spiegelhalter (2001).

    Examples
    --------
    Twenty in each arm, a true difference of one standard deviation. The power is .869 where this is
    known to be 1, and lower where ten degrees of freedom are all that is known of it:

    >>> from ccp_analysis.models.assurance import Size, assurance
    >>> from ccp_analysis.models.components import alone
    >>> for df in (10**9, 10):
    ...     print(round(assurance(1.0, Size(20), alone(df, df)), 3))
    0.869
    0.806
    """
    missed = _missed(float(size.df), level)
    half = 1.0 / (2.0 * size.variance(known.icc) * known.rate)
    if sd == 0.0:
        return 1.0 - float(known.weights @ _mixture(difference**2 * half, known.shape, missed))
    # The power changes over a standard error: the nodes stand closer than half of one.
    narrow = float((half * known.shape * 2.0).max()) ** -0.5
    count = int(np.ceil(SPAN / min(0.25, 0.5 * narrow / sd)))
    z = np.linspace(-SPAN, SPAN, 2 * count + 1)
    density = np.exp(-0.5 * z**2)
    found = [
        float(known.weights @ _mixture((difference + sd * at) ** 2 * half, known.shape, missed))
        for at in z
    ]
    return 1.0 - float(density @ np.array(found) / density.sum())


def _mixture(scale: np.ndarray, shape: float, missed: np.ndarray) -> np.ndarray:
    """Return sum_j NB(j; shape, scale) missed_j, of shape (k,)."""
    j = np.arange(len(missed), dtype=float)
    ways = np.concatenate([[0.0], np.cumsum(np.log((shape + j[:-1]) / (1.0 + j[:-1])))])
    share = np.maximum(scale, 1e-300)
    logs = ways + np.outer(np.log(share) - np.log1p(scale), j)
    chance: np.ndarray = np.exp(logs - shape * np.log1p(scale)[:, None])
    return chance @ missed


def fewest(chance: Callable[[int], float], wanted: float, least: int, most: int) -> int | None:
    """Return the smallest whole number with a chance of at least what is wanted.

    Parameters
    ----------
    chance : callable
        Rises with the number.
    wanted : float
        Between 0 and 1.
    least, most : int
        Between which is sought.

    Returns
    -------
    int or None
        None where `most` is not enough.
    """
    if chance(most) < wanted:
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= wanted else (middle, high)
    return high


def cheapest_people(
    cluster: float, person: float, icc: float, cv: float = 0.0, kept: float = 1.0
) -> float:
    """Return how many analysed people of a cluster make a difference of given precision cheapest.

    Parameters
    ----------
    cluster, person : float
        Cost of a cluster, and of each analysed person in it.
    icc : float
        Intraclass correlation, above 0.
    cv, kept : float
        As in `Size`.

    Returns
    -------
    float
        sqrt(cluster / person (1 - icc) / (icc (1 + cv^2) kept)) (Raudenbush 1997, Psychol Methods
        2:173-185); infinite where nothing lies between clusters.

    Examples
    --------
    >>> from ccp_analysis.models.assurance import cheapest_people
    >>> print(round(cheapest_people(2000, 100, 0.05), 2))
    19.49
    """
    if icc <= 0.0:
        return np.inf
    return float((cluster / person * (1.0 - icc) / (icc * (1.0 + cv**2) * kept)) ** 0.5)
