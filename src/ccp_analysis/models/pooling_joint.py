"""Pooling a test of several parameters at once over imputations."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.inference import positive_inverse
from ccp_analysis.models.small_sample import JointTest

# Denominator degrees of freedom that stand for infinitely many: F is then chi-square over k.
MANY = 1e12


def pool_joint(
    estimates: np.ndarray,
    covariances: np.ndarray,
    df: np.ndarray | float = np.inf,
    null: np.ndarray | float = 0.0,
) -> JointTest:
    """Test that several parameters all have their null value (the statistic D1).

    Parameters
    ----------
    estimates : array_like
        Estimates of k parameters in each of m completed data sets, shape (m, ..., k).
    covariances : array_like
        Their covariances, shape (m, ..., k, k).
    df : array_like
        Complete-data degrees of freedom of each fit, shape (m, ...) or a scalar; they may be
        infinite. Their harmonic mean is used.
    null : array_like
        Null values, shape (k,) or a scalar.

    Returns
    -------
    JointTest
        Arrays of shape (...), to be referred to F(k, df), df at most `MANY`. NaN where an average
        covariance is not positive definite, or where the complete-data degrees of freedom are too
        few for the approximation (see the notes).

    Raises
    ------
    ValueError
        If there are fewer than two imputations or the shapes do not fit.

    Notes
    -----
    Li, Raghunathan & Rubin (1991), J Am Stat Assoc 86:1065-1073: the between covariance is taken to
    be proportional to the within covariance, with r their average ratio, so that
    D1 = (Q - null)' W^-1 (Q - null) / (k (1 + r)). Denominator degrees of freedom by their equation
    1.14 (with k (m - 1) <= 4 by Rubin 1987, equation 3.2.25), and for finite df by Reiter (2007),
    Biometrika 94:502-508. Reiter's formula needs nu (nu + 1) / (nu + 3) > 4 (1 + a), so about seven
    complete-data degrees of freedom, and k (m - 1) > 4; with fewer there is no joint test. With
    k = 1 and infinite df it is Rubin's rules. The same as ``mice::D1``.
    """
    estimates, covariances = (np.asarray(v, dtype=float) for v in (estimates, covariances))
    if estimates.ndim < 2 or covariances.shape != (*estimates.shape, estimates.shape[-1]):
        raise ValueError(
            "A joint test needs estimates (m, ..., k) and covariances (m, ..., k, k); their shapes "
            f"are {estimates.shape} and {covariances.shape}."
        )
    m, k = len(estimates), estimates.shape[-1]
    if m < 2:
        raise ValueError("A joint test needs at least two imputations.")
    df = np.asarray(df, dtype=float)
    if df.ndim and df.shape != estimates.shape[:-1]:
        raise ValueError(
            f"Degrees of freedom are one number, or one for each fit: {estimates.shape[:-1]} "
            f"expected, {df.shape} found."
        )
    mean = estimates.mean(axis=0)
    inverse = positive_inverse(covariances.mean(axis=0))
    deviation = estimates - mean
    # The trace of B W^-1, from the quadratic forms of the deviations.
    spread = ((deviation[..., None, :] @ inverse)[..., 0, :] * deviation).sum(axis=(0, -1))
    r = (1.0 + 1.0 / m) * spread / ((m - 1) * k)
    away = mean - null
    wald = ((away[..., None, :] @ inverse)[..., 0, :] * away).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        complete = 1.0 / np.mean(1.0 / np.broadcast_to(df, estimates.shape[:-1]), axis=0)
        pooled_df = np.where(
            np.isinf(complete), _li_df(r, k, m), _reiter_df(r, k * (m - 1.0), complete)
        )
    pooled_df = np.minimum(pooled_df, MANY)
    statistic = wald / (k * (1.0 + r))
    statistic = np.where(np.isnan(pooled_df), np.nan, statistic)
    return JointTest(statistic=statistic, df_num=k, df=pooled_df, scaling=np.ones_like(r))


def _li_df(r: np.ndarray, k: int, m: int) -> np.ndarray:
    t = k * (m - 1.0)
    if t > 4.0:
        return 4.0 + (t - 4.0) * (1.0 + (1.0 - 2.0 / t) / r) ** 2
    return t * (1.0 + 1.0 / k) * (1.0 + 1.0 / r) ** 2 / 2.0


def _reiter_df(r: np.ndarray, t: float, complete: np.ndarray) -> np.ndarray:
    """Return nu_f of Reiter (2007), in the symbols of the paper."""
    if t <= 4.0:
        return np.full_like(r, np.nan)
    a = r * t / (t - 2.0)
    shrunk = (complete + 1.0) / (complete + 3.0) * complete
    c0, c1, c2 = 1.0 / (t - 4.0), shrunk - 2.0 * (1.0 + a), shrunk - 4.0 * (1.0 + a)
    z = (
        1.0 / c2
        + c0 * (a**2 * c1 / ((1.0 + a) ** 2 * c2))
        + c0 * (8.0 * a**2 * c1 / ((1.0 + a) * c2**2) + 4.0 * a**2 / ((1.0 + a) * c2))
        + c0 * (4.0 * a**2 / (c2 * c1) + 16.0 * a**2 * c1 / c2**3)
        + c0 * (8.0 * a**2 / c2**2)
    )
    return np.where(c2 > 0.0, 4.0 + 1.0 / z, np.nan)
