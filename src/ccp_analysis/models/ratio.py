"""The ratio of two estimates, and the set of ratios that the data do not exclude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

INTERVAL, COMPLEMENT, LINE, UNDEFINED = "interval", "complement", "line", "undefined"


@dataclass(frozen=True)
class RatioSet:
    """Confidence sets of a ratio; all arrays of shape (...).

    Attributes
    ----------
    low, high : numpy.ndarray
        Limits where the set is an interval, else NaN.
    kind : numpy.ndarray of str
        "interval"; "complement" (all ratios but those between two limits) or "line" (all ratios),
        where the interval of the denominator includes zero; "undefined" where the estimates have
        no covariance.
    below, above : numpy.ndarray
        Where the set is a complement: ratios up to the one and from the other on; else NaN.
    """

    low: np.ndarray
    high: np.ndarray
    kind: np.ndarray
    below: np.ndarray
    above: np.ndarray

    def holds(self, ratio: np.ndarray | float) -> np.ndarray:
        """Return whether the set holds a ratio, shape (...); never where it is undefined."""
        inside = (self.low <= ratio) & (ratio <= self.high)
        outside = (ratio <= self.below) | (ratio >= self.above)
        return inside | outside | (self.kind == LINE)


def fieller(
    estimate: np.ndarray, covariance: np.ndarray, df: np.ndarray | float, level: float = 0.95
) -> RatioSet:
    """Return Fieller's confidence set of the ratio of two estimates.

    Parameters
    ----------
    estimate : array_like
        Numerator and denominator, shape (..., 2).
    covariance : array_like
        Their covariance, shape (..., 2, 2).
    df : array_like
        Degrees of freedom of the covariance, shape (...) or a scalar; they may be infinite.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    RatioSet

    Raises
    ------
    ValueError
        If the shapes do not fit or the level is not between 0 and 1.

    Notes
    -----
    Fieller (1954, J R Stat Soc B 16:175-185): with numerator a and denominator b, the set of r with
    |a - r b| <= t se(a - r b), which is A r^2 - 2 B r + C <= 0 with A = b^2 - t^2 v_bb,
    B = a b - t^2 v_ab, C = a^2 - t^2 v_aa. It is an interval just where the denominator differs
    from zero (A > 0). B^2 - A C is written without the difference of two large numbers.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"A confidence level lies between 0 and 1, not at {level}.")
    estimate, covariance = np.asarray(estimate, dtype=float), np.asarray(covariance, dtype=float)
    if estimate.shape[-1:] != (2,) or covariance.shape[-2:] != (2, 2):
        raise ValueError(
            "A ratio has two estimates (..., 2) with their covariance (..., 2, 2); the shapes are "
            f"{estimate.shape} and {covariance.shape}."
        )
    df = np.asarray(df, dtype=float)
    a, b = estimate[..., 0], estimate[..., 1]
    vaa, vbb, vab = covariance[..., 0, 0], covariance[..., 1, 1], covariance[..., 0, 1]
    a, b, vaa, vbb, vab, df = np.broadcast_arrays(a, b, vaa, vbb, vab, df)
    finite = np.isfinite([a, b, vaa, vbb, vab]).all(axis=0)
    defined = finite & (vaa >= 0.0) & (vbb >= 0.0) & (df > 0.0)
    a, b, vaa, vbb, vab = (np.where(defined, v, 1.0) for v in (a, b, vaa, vbb, vab))
    t2 = stdtrit(np.where(defined, df, 1.0), 0.5 + level / 2.0) ** 2

    A, B, C = b**2 - t2 * vbb, a * b - t2 * vab, a**2 - t2 * vaa
    interval = defined & (A > 0.0)
    spread = vaa * b**2 - 2.0 * vab * a * b + vbb * a**2
    discriminant = t2 * (spread - t2 * (vaa * vbb - vab**2))
    # The root with the larger numerator first; the product of the two is C / A.
    larger = B + np.copysign(np.sqrt(np.maximum(discriminant, 0.0)), B)
    complement = defined & ~interval & (discriminant > 0.0)
    limited = interval | complement
    # With a denominator at the very edge of its interval one half-line is infinitely far away.
    with np.errstate(divide="ignore"):
        one = larger / np.where(limited, np.where(interval, A, -np.abs(A)), 1.0)
    divisible = limited & (larger != 0.0)
    other = np.where(divisible, C / np.where(divisible, larger, 1.0), one)
    kind = np.select(
        [~defined, interval, complement], [UNDEFINED, INTERVAL, COMPLEMENT], default=LINE
    )
    first, second = np.minimum(one, other), np.maximum(one, other)
    return RatioSet(
        low=np.where(interval, first, np.nan),
        high=np.where(interval, second, np.nan),
        kind=kind,
        below=np.where(complement, first, np.nan),
        above=np.where(complement, second, np.nan),
    )
