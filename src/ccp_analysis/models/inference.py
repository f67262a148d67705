"""Estimates with their standard errors and degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy  # reads its functions when something is first inferred

from ccp_analysis.models.contributions import Contributions, Index
from ccp_analysis.models.used_up import LEAST_DF, UsedUp

MANY_DF = 1e6  # from here on t is the normal distribution
ROUNDING = 2e-15  # of a power that is a sum over nodes


@dataclass(frozen=True)
class Inference:
    """Estimates to be referred to a t distribution.

    Attributes
    ----------
    estimate, std_error, df : numpy.ndarray
        Shape (..., k): k contrasts for each fit of the batch. Infinite degrees of freedom stand for
        the normal distribution. NaN where a fit failed, a variance is zero or the inference is
        refused.
    used_up : UsedUp, optional
        What single clusters use up of each contrast; None where that is no question.
    contributions : Contributions, optional
        What each cluster adds to each contrast, where the inference is by clusters.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    df: np.ndarray
    used_up: UsedUp | None = field(default=None, kw_only=True)
    contributions: Contributions | None = field(default=None, kw_only=True)

    def part(self, where: Index) -> Inference:
        """Return what an index of NumPy picks of the arrays (..., k)."""
        shape = np.shape(self.estimate)
        arrays = (self.estimate, self.std_error, self.df)
        return Inference(
            *(np.broadcast_to(v, shape)[where] for v in arrays),
            used_up=self.used_up and self.used_up.part(where, shape),
            contributions=self.contributions and self.contributions.part(where, shape),
        )

    @property
    def by_cluster(self) -> Contributions:
        """The contributions of the clusters.

        Raises
        ------
        ValueError
            If the inference is not by clusters.
        """
        if self.contributions is None:
            raise ValueError("Averaging contributions needs an inference by clusters.")
        return self.contributions

    @property
    def statistic(self) -> np.ndarray:
        """Estimate divided by its standard error, shape (..., k)."""
        return self.estimate / self.std_error

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided p-value of the hypothesis that the estimand is zero, shape (..., k)."""
        return 2.0 * scipy.special.stdtr(self.df, -np.abs(self.statistic))

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return the two-sided confidence interval.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.

        Returns
        -------
        low, high : numpy.ndarray
            Limits, shape (..., k).

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"A confidence level lies between 0 and 1, not at {level}.")
        half = scipy.special.stdtrit(self.df, 0.5 + level / 2.0) * self.std_error
        return self.estimate - half, self.estimate + half


def inference(
    estimate: np.ndarray,
    variance: np.ndarray,
    df: np.ndarray | float,
    lost: UsedUp | None = None,
) -> Inference:
    """Bring estimates, variances and degrees of freedom to one shape.

    Parameters
    ----------
    estimate, variance, df : array_like
        Shapes that broadcast against each other. A variance that is not positive has no standard
        error: NaN.
    lost : UsedUp, optional
        Of a cluster-robust inference. Where it is refused, or where fewer than one degree of
        freedom is left, standard error and degrees of freedom are NaN.

    Returns
    -------
    Inference
    """
    df = np.asarray(df, dtype=float)
    if lost is not None:
        stands = (df >= LEAST_DF) & ~lost.refused
        variance, df = np.where(stands, variance, np.nan), np.where(stands, df, np.nan)
    estimate, variance, df = np.broadcast_arrays(estimate, variance, df)
    return Inference(estimate.copy(), standard_error(variance), df.copy(), used_up=lost)


def standard_error(variance: np.ndarray) -> np.ndarray:
    """Return the square root where the variance is positive, NaN elsewhere."""
    return np.sqrt(np.where(np.asarray(variance) > 0.0, variance, np.nan))


def power_of_t(noncentrality: float, df: float, level: float = 0.95) -> float:
    """Return the power of the two-sided t test.

    Parameters
    ----------
    noncentrality : float
        True difference in standard errors.
    df : float
        Degrees of freedom, at least one; infinite for the normal distribution.
    level : float
        Confidence level, one less that of the test.

    Returns
    -------
    float
        P(|T| > t) of the noncentral t distribution, both tails; NaN without degrees of freedom.

    Notes
    -----
    The mean over the standard error s, in units of the true one, of Phi(d - t s) + Phi(-d - t s).
    SciPy's noncentral t has no value for many arguments with few degrees of freedom.
    """
    if not df > 0.0 or np.isnan(noncentrality):
        return np.nan
    critical = float(scipy.special.stdtrit(df, 0.5 + level / 2.0))
    errors, chances = _standard_errors(df, critical, abs(noncentrality))
    return float(chances @ _beyond(noncentrality, critical * errors))


def _beyond(mean: float, limits: np.ndarray) -> np.ndarray:
    """Return the chance that a normal deviate with a mean lies beyond limits on either side."""
    return scipy.special.ndtr(mean - limits) + scipy.special.ndtr(-mean - limits)


def _standard_errors(df: float, critical: float, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return estimated standard errors, for a true one of 1, and their chances.

    Notes
    -----
    s^2 is chi-square over its degrees of freedom, so that v = log s has a density of exp(df (v -
    e^(2v) / 2)). In t with v = t - e^(-t) both its tails fall doubly exponentially, and what is
    averaged has no corner: the trapezoidal rule converges geometrically (Trefethen & Weideman 2014,
    SIAM Rev 56:385-458). The step goes with how narrow the density is, and with the power as a
    function of s for a noncentrality up to `most`; what is cut off is below e^(-42).
    """
    if df > MANY_DF:
        return np.ones(1), np.ones(1)
    tail = 42.0 / df
    low = -(tail + 0.5) if tail > 1.0 / 6.0 else -((1.5 * tail) ** 0.5)
    high = 0.5 * np.log1p(2.0 * tail + 2.0 * tail**0.5)
    first, last = (v + float(scipy.special.wrightomega(-v)) for v in (low, high))
    # Beyond the largest of these standard errors every difference is found.
    most = max(min(most, critical * np.exp(high) + 40.0), 6.0)
    steps = np.hypot(most, (2.0 * df) ** 0.5) * (1.0 + np.log(max(critical / most, 1.0))) / 0.35
    t = np.linspace(first, last, 1 + int(np.ceil((last - first) * steps)))
    small = np.exp(-t)
    errors = np.exp(t - small)
    chances = np.exp(df * (t - small - 0.5 * np.expm1(2.0 * (t - small)))) * (1.0 + small)
    return errors, chances / chances.sum()


def detected_multiple(df: float, level: float, power: float) -> float:
    """Return the true difference, in standard errors, that a two-sided t test finds.

    Parameters
    ----------
    df : float
        Degrees of freedom, infinite for the normal distribution.
    level : float
        Confidence level.
    power : float
        With which it is to be found.

    Returns
    -------
    float
        Exact; NaN where there are no degrees of freedom, and 0 for no more power than the level of
        the test. Quantile plus quantile (t of the level plus t of the power) has a power of .775
        for .8 at 2.4 degrees of freedom.
    """
    if not df > 0.0:
        return np.nan
    if power <= 1.0 - level:
        return 0.0
    critical = float(scipy.special.stdtrit(df, 0.5 + level / 2.0))
    # Half of what may be missed is a larger standard error, half a larger deviation.
    known, half = min(df, MANY_DF), (1.0 - power) / 2.0
    variance = scipy.special.chdtri(known, half) / known
    low, high = 0.0, float(critical * variance**0.5 - scipy.special.ndtri(half))
    errors, chances = _standard_errors(df, critical, high)
    limits, found = critical * errors, high / 1.5
    # Newton's method; where it would leave what is known to hold the root, that is halved.
    while True:
        excess = float(chances @ _beyond(found, limits)) - power
        low, high = (found, high) if excess < 0.0 else (low, found)
        rise = np.exp(-0.5 * (found - limits) ** 2) - np.exp(-0.5 * (found + limits) ** 2)
        slope = float(chances @ rise) / (2.0 * np.pi) ** 0.5
        newton = found - excess / slope if slope > 0.0 else np.inf
        inside = low < newton < high
        if abs(excess) < ROUNDING or np.nextafter(low, high) >= high:
            return float(newton) if inside else found
        found = newton if inside else (low + high) / 2.0


def as_contrasts(L: np.ndarray, p: int) -> np.ndarray:
    """Check a matrix of contrasts.

    Parameters
    ----------
    L : array_like
        Shape (k, p), or (p,) for one contrast, or (..., k, p) where contrasts differ between the
        fits of a batch (adjusted means at each imputation's own covariate means).
    p : int
        Number of coefficients.

    Returns
    -------
    numpy.ndarray
        Shape (..., k, p).

    Raises
    ------
    ValueError
        If the last axis is not p long.
    """
    contrasts = np.atleast_2d(np.asarray(L, dtype=float))
    if contrasts.shape[-1] != p:
        raise ValueError(
            f"A contrast has one weight per coefficient: {p} expected, {contrasts.shape[-1]} found."
        )
    return contrasts


def quadratic(contrasts: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return l'Ml for every row l of (..., k, p) and matrices (..., p, p): shape (..., k)."""
    return ((contrasts @ matrix) * contrasts).sum(axis=-1)


def linear(contrasts: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Return l'b for every row l of (..., k, p) and vectors (..., p): shape (..., k)."""
    return (contrasts @ coef[..., None])[..., 0]


def positive_inverse(matrix: np.ndarray) -> np.ndarray:
    """Invert symmetric (..., k, k) where it is positive definite; NaN elsewhere, alone."""
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    proper = np.isfinite(matrix).all(axis=(-2, -1)) & (diagonal > 0.0).all(axis=-1)
    scale = np.where(proper[..., None], diagonal, 1.0) ** -0.5
    both = scale[..., :, None] * scale[..., None, :]
    scaled = np.where(proper[..., None, None], both * matrix, np.eye(matrix.shape[-1]))
    proper &= np.linalg.eigvalsh(scaled)[..., 0] > 0.0
    scaled = np.where(proper[..., None, None], scaled, np.eye(matrix.shape[-1]))
    return np.where(proper[..., None, None], both * np.linalg.inv(scaled), np.nan)
