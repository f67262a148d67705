"""How strong an unmeasured difference between teams must be to change what a comparison says.

Partial R2 and what follows from it (Cinelli & Hazlett 2020, J R Stat Soc B 82:39-67) depend on the
degrees of freedom: t = 1 is a robustness value of .08 with 145 and of .39 with 4. The arm varies
between teams, so they are for regressions of team means with the df of these: Y on the arm and
pairs of teams, which is the paired t test. `tipping` needs no R2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ccp_analysis.models.inference import Inference, as_contrasts
from ccp_analysis.models.ols import OlsFit

STILL = "The covariate does not differ within any pair of teams."
WITH_ARM = "The covariate differs alike in every pair: nothing sets it apart from the arm."
# A part of a sum of squares below this share is rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Strengths:
    """Partial R2 of covariates, shape (..., q); NaN where refused.

    Attributes
    ----------
    arm, outcome : numpy.ndarray
        With the arm, given pairs; and with the outcome, given arm and pairs.
    status, note : numpy.ndarray of str
        "ok" or "refused", and one plain sentence.
    """

    arm: np.ndarray
    outcome: np.ndarray
    status: np.ndarray
    note: np.ndarray


@dataclass(frozen=True)
class Tipping:
    """Unmeasured differences between the arms, in points of the outcome, shapes (...).

    Positive where the active teams would have done better without the intervention. Each is the
    one nearest to none; without an interval NaN.

    Attributes
    ----------
    to_zero : numpy.ndarray
        Moves the nearer end of the interval to zero: an interval that held zero then excludes it
        (beyond the other end it does so on the other side), one that excluded it holds it.
    to_mcid : numpy.ndarray
        Brings the interval to the minimal important difference; zero where it already holds it.
    hides_mcid : numpy.ndarray
        Makes an effect of the minimal important difference look like the estimate.
    """

    to_zero: np.ndarray
    to_mcid: np.ndarray
    hides_mcid: np.ndarray


def partial_r2(found: Inference) -> np.ndarray:
    """Return t^2 / (t^2 + df), the share of residual variance that the arm explains."""
    squared = found.statistic**2
    return squared / (squared + found.df)


def robustness_value(found: Inference, q: float = 1.0, level: float | None = None) -> np.ndarray:
    """Return the strength, with arm and outcome alike, that takes away a share of an estimate.

    Parameters
    ----------
    found : Inference
        Of regressions of team means; its degrees of freedom count.
    q : float
        Share of the estimate that is to go: 1 for all of it.
    level : float, optional
        Confidence level. If given, the strength at which the interval reaches (1 - q) times the
        estimate; else that at which the estimate does.

    Returns
    -------
    numpy.ndarray
        RV_q or RV_{q, 1 - level}: a partial R2, shape as the estimate. Zero where the interval is
        already there; NaN where fewer than two degrees of freedom leave none to an adjusted model.

    Notes
    -----
    Cinelli & Hazlett (2020), equations 19 and 21: with f = q |t| / sqrt(df), less
    c = t_{df - 1} / sqrt(df - 1) where an interval is asked for,
    RV = (sqrt(f^4 + 4 f^2) - f^2) / 2. That takes the strongest confounder for the worst. One that
    explains less of the outcome leaves a larger standard error, and is worse where (f + c) c > 1;
    then RV = ((f + c)^2 - c^2) / (1 + (f + c)^2), at outcome strengths below it (the minimum over
    R2_Y of the adjusted t is sqrt(f^2 (1 - R2_D) - R2_D)). With four degrees of freedom c is 1.84
    and it is always so.

    Examples
    --------
    Darfur, from table 1 of Cinelli & Hazlett (2020): 13.9 % and, for the interval, 7.6 %:

    >>> from ccp_analysis.models.inference import Inference
    >>> from ccp_analysis.models.unmeasured import robustness_value
    >>> found = Inference(0.097, 0.0232, 783)
    >>> print(robustness_value(found).round(3), robustness_value(found, level=0.95).round(3))
    0.139 0.076

    The same estimate from five pairs of teams:

    >>> found = Inference(0.097, 0.0232, 4)
    >>> print(robustness_value(found).round(3), robustness_value(found, level=0.95).round(3))
    0.839 0.185
    """
    whole = q * np.abs(found.statistic) / np.sqrt(found.df)
    if level is None:
        return _equal_strength(whole)
    critical = _critical(found.df, level)
    within = np.where(
        whole * critical > 1.0,
        (whole**2 - critical**2) / (1.0 + whole**2),
        _equal_strength(whole - critical),
    )
    return np.where(whole < critical, 0.0, within)


def adjusted(
    found: Inference, r2_arm: np.ndarray, r2_outcome: np.ndarray, towards: float = 0.0
) -> Inference:
    """Return what a comparison would be with an unmeasured confounder of given strength.

    Parameters
    ----------
    found : Inference
        Of regressions of team means.
    r2_arm, r2_outcome : array_like
        Partial R2 of the confounder with the arm, below 1, and with the outcome given the arm, in
        shapes that broadcast against the estimate.
    towards : float
        The estimate moves towards this value, and past it.

    Returns
    -------
    Inference
        With one degree of freedom less.

    Notes
    -----
    Cinelli & Hazlett (2020), equations 9 and 12: the estimate moves by
    se sqrt(df R2_Y R2_D / (1 - R2_D)), and the standard error is multiplied by
    sqrt((1 - R2_Y) / (1 - R2_D) df / (df - 1)). Exact for a confounder that is known.
    """
    r2_arm, r2_outcome = np.asarray(r2_arm, dtype=float), np.asarray(r2_outcome, dtype=float)
    bias = found.std_error * np.sqrt(found.df * r2_outcome * r2_arm / (1.0 - r2_arm))
    less = np.where(found.df > 1.0, found.df - 1.0, np.nan)
    wider = np.sqrt((1.0 - r2_outcome) / (1.0 - r2_arm) * found.df / less)
    way = np.where(found.estimate < towards, 1.0, -1.0)
    shape = np.broadcast_shapes(np.shape(bias), np.shape(found.estimate))
    parts = (found.estimate + way * bias, found.std_error * wider, less)
    return Inference(*(np.broadcast_to(part, shape) for part in parts))


def contours(
    found: Inference, r2_arm: np.ndarray, r2_outcome: np.ndarray, towards: float = 0.0
) -> Inference:
    """Return `adjusted` on the grid of strengths (a,) and (b,): arrays of shape (..., a, b)."""
    parts = (
        np.asarray(part)[..., None, None] for part in (found.estimate, found.std_error, found.df)
    )
    return adjusted(Inference(*parts), np.asarray(r2_arm)[:, None], np.asarray(r2_outcome), towards)


def paired_strengths(outcome: np.ndarray, covariates: np.ndarray) -> Strengths:
    """Return partial R2 of covariates of teams, each alone beside arm and pairs.

    Parameters
    ----------
    outcome : array_like
        Differences within pairs of team means, shape (..., pairs).
    covariates : array_like
        Those of the covariates, shape (..., pairs, q).

    Returns
    -------
    Strengths

    Notes
    -----
    In differences the arm is the intercept: R2 with the arm is (sum d)^2 / (K sum d^2), and with
    the outcome the squared correlation. There are too few teams for all covariates at once.
    """
    d = np.asarray(covariates, dtype=float)
    y = np.asarray(outcome, dtype=float)[..., None]
    K = d.shape[-2]
    size = np.square(d).sum(axis=-2)
    apart, y_apart = d - d.mean(axis=-2, keepdims=True), y - y.mean(axis=-2, keepdims=True)
    own, y_own = np.square(apart).sum(axis=-2), np.square(y_apart).sum(axis=-2)
    still, alike = size == 0.0, own <= ROUNDING * size
    note = np.select([still, alike], [STILL, WITH_ARM], default="")
    stands = note == ""
    with_arm = d.sum(axis=-2) ** 2 / (K * np.where(stands, size, np.nan))
    with_outcome = (apart * y_apart).sum(axis=-2) ** 2 / (
        np.where(stands, own, np.nan) * np.where(y_own > 0.0, y_own, np.nan)
    )
    return Strengths(with_arm, with_outcome, np.where(stands, "ok", "refused"), note)


def tipping(found: Inference, mcid: float, level: float = 0.95) -> Tipping:
    """Return how much unmeasured difference between the arms changes what an interval says.

    Parameters
    ----------
    found : Inference
        Comparisons, active arm minus reference.
    mcid : float
        Minimal important difference, with the sign of benefit.
    level : float
        Confidence level.

    Returns
    -------
    Tipping
        Shapes as the estimate.

    Notes
    -----
    An unmeasured difference d between the arms, in points, moves estimate and interval by d; what
    is known of it beside is nothing, so the interval keeps its width: [low - d, high - d]. As a
    tipping point of missing data, it is read by whether a difference so large is plausible.
    """
    low, high = found.interval(level)
    nearest = np.where(np.abs(low) <= np.abs(high), low, high)
    return Tipping(
        to_zero=nearest,
        to_mcid=np.maximum(low - mcid, 0.0) + np.minimum(high - mcid, 0.0),
        hides_mcid=np.where(np.isfinite(low), found.estimate - mcid, np.nan),
    )


def measured(
    fit: OlsFit, L: np.ndarray, columns: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what measured covariates of people do, as units for `tipping`.

    Parameters
    ----------
    fit : OlsFit
        Comparisons that hold the covariates.
    L : array_like
        Contrasts, shape (k, p), zero at the covariates.
    columns : array_like of int
        Positions of q covariates in the design.
    sd : array_like
        Their standard deviations, shape (..., q).

    Returns
    -------
    per_sd : numpy.ndarray
        Change of the outcome with a standard deviation of each, in points, shape (..., q). A
        tipping point over the largest is the standardised difference between the arms that a
        covariate as strong as any measured would need.
    moved : numpy.ndarray
        What each contrast changes by when the covariate is left out, in points, shape (..., k, q).

    Notes
    -----
    Without column j least squares coefficients are b - M e_j b_j / M_jj, M = (X'X)^-1.
    """
    columns = np.asarray(columns)
    crossed = (as_contrasts(L, fit.coef.shape[-1]) @ fit.bread)[..., columns]
    own = np.diagonal(fit.bread, axis1=-2, axis2=-1)[..., None, columns]
    slopes = fit.coef[..., columns]
    return slopes * np.asarray(sd), -crossed * slopes[..., None, :] / own


def _equal_strength(f: np.ndarray) -> np.ndarray:
    return 0.5 * (np.sqrt(f**4 + 4.0 * f**2) - f**2)


def _critical(df: np.ndarray, level: float) -> np.ndarray:
    """Return t_{df - 1} / sqrt(df - 1); NaN without a degree of freedom."""
    less = np.where(np.asarray(df) > 1.0, np.asarray(df) - 1.0, np.nan)
    return stdtrit(less, 0.5 + level / 2.0) / np.sqrt(less)
