"""The effect of an exposure, with the arm of a cluster as its instrument.

One instrument and one exposure: everything follows from two regressions on the arm side by side,
that of the outcome and that of the exposure (the reduced forms). Their ratio is the estimate of
two-stage least squares, and what their clusters contribute gives its CR2 variance and the
Anderson-Rubin set, on people as on team means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ccp_analysis.models import averaged
from ccp_analysis.models.absorbed import fit_absorbed, with_indicators
from ccp_analysis.models.contributions import Contributions
from ccp_analysis.models.inference import Inference, inference
from ccp_analysis.models.ols import EXACT, NOT_FINITE, fit_ols
from ccp_analysis.models.pooling import Pooled
from ccp_analysis.models.ratio import RatioSet, fieller
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.team_level import CONSTANT_TOLERANCE, NO_VARIATION, paired_team_means

# A difference in exposure of no more than this share of the largest exposure is rounding.
NO_DIFFERENCE = 1e-12

CONSTANT = "The exposure is the same for everyone, so that nothing can be told of its effect."
NOBODY = "Nobody in arm 1 has more of the exposure than the least that anybody has."
SAME = "The arms do not differ in the exposure, so that two-stage least squares has no estimate."
ONE_TEAM = "Too few teams for each arm: what is particular to a team cannot be told from its arm."


@dataclass(frozen=True)
class ReducedForms:
    """Differences between the arms in the outcome and in the exposure, side by side.

    Attributes
    ----------
    inference : Inference
        Outcome and exposure in that order, arrays of shape (..., 2), with what the clusters
        contribute to both. Where the arm alone determines the exposure, its difference is exact
        and has no standard error (NaN).
    status : numpy.ndarray of str
        "ok", "refused" or "failed", shape (...).
    note : numpy.ndarray of str
        One plain sentence where the status is not "ok", else empty; shape (...).
    size : numpy.ndarray
        The largest exposure in absolute value, shape (...).
    """

    inference: Inference
    status: np.ndarray
    note: np.ndarray
    size: np.ndarray

    @property
    def exposure(self) -> Inference:
        """The first stage: the difference in exposure, arrays of shape (..., 1)."""
        return self.inference.part((..., slice(1, 2)))

    @property
    def same(self) -> np.ndarray:
        """Whether the arms do not differ in the exposure, but for rounding; `SAME` says it."""
        return np.abs(self.inference.estimate[..., 1]) <= NO_DIFFERENCE * self.size


@dataclass(frozen=True)
class Strength:
    """How much the arm moves the exposure, arrays of shape (...).

    Attributes
    ----------
    difference : numpy.ndarray
        Difference in exposure between the arms, units of the exposure.
    f : numpy.ndarray
        Effective F; infinite where the arm alone determines the exposure.
    bias_factor : numpy.ndarray
        By how much a difference in outcome between the arms that does not come from the exposure
        is multiplied in the estimate: 1 / `difference`.
    """

    difference: np.ndarray
    f: np.ndarray
    bias_factor: np.ndarray


def reduced_forms(
    y: np.ndarray,
    exposure: np.ndarray,
    X: np.ndarray,
    arm: np.ndarray,
    groups: np.ndarray,
    pairs: np.ndarray | None = None,
) -> ReducedForms:
    """Regress outcome and exposure of people on the arm of their cluster.

    Parameters
    ----------
    y, exposure : array_like
        Shape (..., n); the exposure is binary (0, 1) or a number.
    X : array_like
        An intercept and covariates, without the arm, shape (..., n, p).
    arm : array_like of int
        Arm of each person, 0 (reference) or 1, shape (n,).
    groups : array_like of int
        Cluster of each person, shape (n,).
    pairs : array_like of int, optional
        Pair of clusters of each person, 0 to H - 1, each with an effect in the model; shape (n,).

    Returns
    -------
    ReducedForms
        With CR2 and Satterthwaite's degrees of freedom, which depend on the design alone and are
        those of every combination of the two.

    Raises
    ------
    RankDeficientError
        If in every fit the columns of X, with the arm behind them, depend on each other.
    ValueError
        If shapes do not fit, an arm is empty or no fit is without missing or infinite values.
    """
    y, exposure = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (y, exposure)))
    X, arm = np.asarray(X, dtype=float), np.asarray(arm)
    _check_arm(arm, y.shape[-1])
    column = np.broadcast_to(arm[:, None], (*X.shape[:-1], 1))
    design, both = np.concatenate([X, column], axis=-1), np.stack([y, exposure], axis=-2)
    fit = None if pairs is None else fit_absorbed(design[..., None, :, :], both, pairs)
    if fit is None:
        design = np.concatenate([with_indicators(X, pairs), column], axis=-1)
        fit = fit_ols(design[..., None, :, :], both)
    found = cluster_robust(fit, groups, np.eye(fit.coef.shape[-1])[-1:]).part((..., 0))
    # An exposure that the arm and the covariates determine is no fault.
    ours = np.where(fit.note[..., 1] == EXACT, "", fit.note[..., 1])
    note = np.where(fit.note[..., 0] == "", ours, fit.note[..., 0])
    refused = found.used_up is not None and found.used_up.refused[..., 0]
    return _reduced(found, note, refused | np.isnan(found.df[..., 0]), exposure, arm == 1)


def paired_reduced_forms(
    y: np.ndarray,
    exposure: np.ndarray,
    adjust: np.ndarray | None,
    team: np.ndarray,
    pair: np.ndarray,
    arm: np.ndarray,
) -> ReducedForms:
    """Compare adjusted team means of outcome and exposure within pairs of teams.

    Parameters
    ----------
    y, exposure : array_like
        Of people, shape (..., n).
    adjust, team, pair, arm
        As for `team_level.paired_team_means`: covariates of people, whose slopes within teams are
        taken from both, the team of each person, and pair and arm of each team.

    Returns
    -------
    ReducedForms
        With the variances of the paired t test and pairs - 1 degrees of freedom: the teams of a
        pair are one cluster.

    Raises
    ------
    RankDeficientError, ValueError
        As `team_level.paired_team_means`, or where no fit is without missing or infinite values.
    """
    y, exposure = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (y, exposure)))
    both = np.stack([y, exposure], axis=-2)
    finite = np.isfinite(both).all(axis=(-2, -1))
    if not finite.any():
        raise ValueError(NOT_FINITE)
    if adjust is not None:
        adjust = np.asarray(adjust, dtype=float)
        adjust = (adjust[:, None] if adjust.ndim == 1 else adjust)[..., None, :, :]
        finite = finite & np.isfinite(adjust).all(axis=(-3, -2, -1))
    fit = paired_team_means(both, adjust, team, pair, arm)
    rest = (NO_VARIATION, EXACT)
    ours = np.where(np.isin(fit.note[..., 1], rest), "", fit.note[..., 1])
    note = np.where(fit.note[..., 0] == "", ours, fit.note[..., 0])
    note = np.where(finite, note, NOT_FINITE)
    active = np.asarray(arm)[np.asarray(team)] == 1
    return _reduced(fit.inference.part((..., 0)), note, False, exposure, active)


def two_stage(reduced: ReducedForms) -> Inference:
    """Infer the effect of the exposure by two-stage least squares.

    Parameters
    ----------
    reduced : ReducedForms
        Of people or of team means.

    Returns
    -------
    Inference
        Per unit of the exposure, arrays of shape (..., 1), with contributions for
        `averaged.pool_averaged`. NaN where the reduced forms are refused or the arms do not differ
        in the exposure. With a weak instrument neither estimate nor interval can be relied on:
        `anderson_rubin` can.

    Notes
    -----
    With one instrument the estimate is b = a_y / a_d, the ratio of the reduced forms. Its
    residuals e = y - d b - X c are those of the regression of y - d b on arm and X, whose
    coefficient of the arm is zero, and the columns fitted by the first stage span the same space
    as arm and X. So the CR2 adjustments are the same, cluster g contributes
    (psi_yg - b psi_dg) / a_d, and degrees of freedom are those of the reduced forms: what R's
    clubSandwich computes for `ivreg`. On team means this is the delta method for the ratio of two
    mean differences of pairs.

    Examples
    --------
    Four pairs of teams of two; of each active team half took part. The mean outcomes of the pairs
    differ by 1, 3, 2 and 2, hence by 4 for each who took part:

    >>> import numpy as np
    >>> from ccp_analysis.models.instrumental import paired_reduced_forms, two_stage
    >>> team, pair, arm = np.repeat(range(8), 2), np.repeat(range(4), 2), [0, 1] * 4
    >>> y = np.array([4, 6, 5, 7, 3, 5, 6, 8, 2, 6, 5, 7, 5, 5, 6, 8])
    >>> took_part = np.array([0, 0, 0, 1] * 4)
    >>> found = two_stage(paired_reduced_forms(y, took_part, None, team, pair, arm))
    >>> print(found.estimate, found.std_error.round(3), found.df)
    [4.] [0.816] [3.]
    """
    found, parts = reduced.inference, reduced.inference.by_cluster
    outcome, exposure = found.estimate[..., 0], found.estimate[..., 1]
    exposure = np.where(reduced.same, np.nan, exposure)
    ratio = outcome / exposure

    def combined(pair: np.ndarray, axis: int) -> np.ndarray:
        """Return that of y - d b, an axis of one in place of the two."""
        y, d = np.moveaxis(pair, axis, 0)
        shape = ratio.shape + (1,) * (y.ndim - ratio.ndim)
        return np.expand_dims(y - ratio.reshape(shape) * d, axis)

    by = exposure[..., None, None]
    adjusted, scores = combined(parts.adjusted, -2) / by, combined(parts.scores, -2) / by
    slopes, weights = combined(parts.coef, -3), parts.weights[..., :1, :, :]
    # What a cluster has of the exposure itself, at coefficients common to all imputations.
    whole = parts.scores[..., 1, :] + (weights[..., 0, :, :] * parts.coef[..., 1, :, :]).sum(-1)
    weights = np.concatenate([weights, whole[..., None, :, None]], axis=-1) / by[..., None]
    last = np.broadcast_to(ratio[..., None, None, None], (*slopes.shape[:-1], 1))
    added = Contributions(
        adjusted=adjusted,
        scores=scores,
        weights=weights,
        coef=np.concatenate([slopes, last], axis=-1),
    )
    variance = np.square(adjusted).sum(axis=-1)
    lost = found.used_up and found.used_up.part((..., slice(0, 1)), found.estimate.shape)
    result = inference(ratio[..., None], variance, found.df[..., :1], lost)
    return replace(result, contributions=added)


def strength(first: Inference | Pooled) -> Strength:
    """Return how strong the instrument is.

    Parameters
    ----------
    first : Inference or Pooled
        The first stage, `ReducedForms.exposure`, of one fit or pooled to arrays (..., 1).

    Returns
    -------
    Strength

    Notes
    -----
    With one instrument the effective F of Montiel Olea & Pflueger (2013, J Bus Econ Stat
    31:358-369) is the square of the cluster-robust t. A direct difference between the arms of u
    points in the outcome moves the estimate by u / a_d, whatever its standard error.
    """
    difference = first.estimate[..., 0]
    exact = np.isnan(first.std_error[..., 0]) & (first.df[..., 0] > 0.0) & (difference != 0.0)
    with np.errstate(divide="ignore"):
        f = np.where(exact, np.inf, np.square(difference / first.std_error[..., 0]))
        return Strength(difference, f, 1.0 / difference)


def anderson_rubin(reduced: ReducedForms, level: float = 0.95) -> RatioSet:
    """Return the Anderson-Rubin confidence set of the effect of the exposure.

    Parameters
    ----------
    reduced : ReducedForms
        Of people or of team means.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    RatioSet
        Arrays of shape (...): an interval; two half-lines ("complement"), where the exposure's
        interval includes zero; all numbers ("line"); or "undefined" where the reduced forms are
        refused. It is never empty: there is one instrument, and the set holds the estimate of
        two-stage least squares.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Notes
    -----
    Anderson & Rubin (1949, Ann Math Stat 20:46-63): every b with which y - b d does not differ
    between the arms, by the cluster-robust t test with the degrees of freedom of the design. The
    difference a_y - b a_d has the CR2 variance sum_g (psi_yg - b psi_dg)^2, so that the set is
    Fieller's of a_y / a_d. It holds its level however weak the instrument.
    """
    adjusted = reduced.inference.by_cluster.adjusted
    return _ratio(reduced.inference, adjusted @ np.swapaxes(adjusted, -1, -2), level)


def anderson_rubin_averaged(reduced: ReducedForms, level: float = 0.95) -> RatioSet:
    """Return the Anderson-Rubin set over imputations, by averaged contributions.

    Parameters
    ----------
    reduced : ReducedForms
        Of m completed data sets, arrays of shape (m, ...).
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    RatioSet
        Arrays of the shape without m; "undefined" where the reduced forms of any completed data
        set are refused.

    Raises
    ------
    ValueError
        As `anderson_rubin`.

    Notes
    -----
    What `averaged.pool_averaged` averages is linear in the outcome. So at every b the variance V
    of y - b d is a quadratic form of (1, -b), and so is B - sum_g B_g, of which that rule takes
    what is positive at b. Here its positive semidefinite part is taken, in units of V, once for
    all b: the set has a closed form and holds all that the rule holds at every b. Both are the
    same where B - sum_g B_g has one sign for all b, as where the exposure is not imputed and the
    shared parts are positive. The set lies about the ratio of the mean differences, which is not
    the mean of the ratios.
    """
    found, parts = reduced.inference, reduced.inference.by_cluster
    scale = np.sqrt(np.square(parts.adjusted.mean(axis=0)).sum(axis=-1))
    scale = np.where(scale > 0.0, scale, 1.0)
    by = scale[..., None]
    coef = parts.coef / by[..., None]
    scaled = replace(parts, adjusted=parts.adjusted / by, scores=parts.scores / by, coef=coef)
    shared = averaged.covariance(
        Inference(found.estimate / scale, found.std_error, found.df, contributions=scaled)
    )
    with np.errstate(divide="ignore"):
        mean = Inference(
            found.estimate.mean(axis=0), found.std_error[0], 1.0 / np.mean(1.0 / found.df, axis=0)
        )
    return _ratio(mean, shared * by * scale[..., None, :], level)


def _ratio(found: Inference, covariance: np.ndarray, level: float) -> RatioSet:
    return fieller(found.estimate, covariance, found.df[..., 0], level)


def _check_arm(arm: np.ndarray, n: int) -> None:
    if arm.shape != (n,) or not np.array_equal(np.unique(arm), (0, 1)):
        raise ValueError(f"The instrument is the arm of each of the {n} people, 0 or 1, both used.")


def _reduced(
    found: Inference,
    note: np.ndarray,
    lost: np.ndarray | bool,
    exposure: np.ndarray,
    active: np.ndarray,
) -> ReducedForms:
    """Say what is refused, and leave no numbers there."""
    note, low = np.asarray(note), exposure.min(axis=-1)
    size = np.abs(exposure).max(axis=-1)
    least = low + CONSTANT_TOLERANCE * size
    constant = exposure.max(axis=-1) <= least
    nobody = exposure[..., active].max(axis=-1) <= least
    refusals = [(note != "", note), (constant, CONSTANT), (nobody, NOBODY), (lost, ONE_TEAM)]
    conditions, sentences = zip(*refusals, strict=True)
    shape = found.estimate.shape[:-1]
    said = np.select(
        [np.broadcast_to(c, shape) for c in conditions],
        [np.broadcast_to(s, shape) for s in sentences],
        default="",
    )
    status = np.select(
        [said == "", np.broadcast_to(note != "", shape)], ["ok", "failed"], "refused"
    )
    there = (status == "ok")[..., None]
    arrays = (np.where(there, v, np.nan) for v in (found.estimate, found.std_error, found.df))
    kept = Inference(*arrays, used_up=found.used_up, contributions=found.contributions)
    return ReducedForms(kept, status, said, np.broadcast_to(size, shape))
