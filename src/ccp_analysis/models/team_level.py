"""Analysis of team means in pairs of teams, one in each arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ccp_analysis.models.contributions import Contributions
from ccp_analysis.models.inference import Inference, inference
from ccp_analysis.models.ols import Grouping, classical, fit_ols, grouping
from ccp_analysis.models.robust import cluster_robust

# A covariate does not vary within teams when no more than this share of its length does.
CONSTANT_TOLERANCE = 1e-10
MAX_PAIRS = 20
# Mean differences that are equal but for rounding count as equal.
TIE_TOLERANCE = 1e-12
_BLOCK = 2**10

NO_VARIATION = "The differences of the pairs do not vary, so that they have no standard error."


@dataclass(frozen=True)
class PairedTeams:
    """Adjusted team means and their differences within pairs.

    Attributes
    ----------
    slope : numpy.ndarray
        Common slopes of the outcome on the covariates within teams, shape (..., q).
    adjusted_means : numpy.ndarray
        Mean over each team of outcome - covariates times slope, shape (..., teams).
    pair_differences : numpy.ndarray
        Arm 1 minus arm 0 in each pair, in the order of the pair codes, shape (..., pairs).
    people : numpy.ndarray of int
        People in both teams of each pair, shape (pairs,).
    inference : Inference
        Mean difference with the standard error and degrees of freedom (pairs - 1) of the paired t
        test, arrays of shape (..., 1).
    status : numpy.ndarray of str
        "ok" or "failed", shape (...).
    note : numpy.ndarray of str
        One plain sentence where the status is "failed", else empty; shape (...).
    """

    slope: np.ndarray
    adjusted_means: np.ndarray
    pair_differences: np.ndarray
    people: np.ndarray
    inference: Inference
    status: np.ndarray
    note: np.ndarray


def paired_team_means(
    y: np.ndarray,
    adjust: np.ndarray | None,
    team: np.ndarray,
    pair: np.ndarray,
    arm: np.ndarray,
) -> PairedTeams:
    """Compare adjusted team means within pairs of teams.

    Parameters
    ----------
    y : array_like
        Outcome, shape (..., n).
    adjust : array_like or None
        Covariates, shape (..., n, q), or (n,) for one; None for none. Their slopes are those within
        teams, pooled over the teams, so that no difference between teams enters them.
    team : array_like of int
        Team of each row, 0 to T - 1, shape (n,).
    pair : array_like of int
        Pair code of each team, shape (T,).
    arm : array_like of int
        Arm of each team, 0 (reference) or 1, shape (T,).

    Returns
    -------
    PairedTeams

    Raises
    ------
    RankDeficientError
        If in every fit of the batch a covariate does not vary within teams or depends on the
        others there.
    ValueError
        If shapes do not fit, a team has no rows, a pair is not one team of each arm, or there are
        fewer than two pairs.

    Notes
    -----
    The two-stage analysis of a pair-matched cluster trial (Hayes & Moulton 2017, Cluster Randomised
    Trials, chapters 10 and 12), with an individual-level first stage.

    Examples
    --------
    Darwin's maize: in each of four pots (pairs) some cross-fertilised plants (arm 1) and as many
    self-fertilised ones (arm 0); their heights in eighths of an inch:

    >>> import numpy as np
    >>> from ccp_analysis.models.team_level import paired_team_means
    >>> cross = [188, 96, 168, 176, 153, 172, 177, 163, 146, 173, 186, 168, 177, 184, 96]
    >>> own = [139, 163, 160, 160, 147, 149, 149, 122, 132, 144, 130, 144, 102, 124, 144]
    >>> pot = np.repeat([0, 1, 2, 3], [3, 3, 5, 4])
    >>> inches, team = np.divide(cross + own, 8), np.append(2 * pot + 1, 2 * pot)
    >>> fit = paired_team_means(inches, None, team, np.repeat(range(4), 2), [0, 1] * 4)
    >>> print(fit.pair_differences.round(2))
    [-0.42  1.88  4.2   3.47]
    >>> found = fit.inference
    >>> print(found.estimate.round(3), found.std_error.round(3), found.df, found.p_value.round(3))
    [2.282] [1.022] [3.] [0.112]
    """
    y = np.asarray(y, dtype=float)
    team, pair, arm = np.asarray(team), np.asarray(pair), np.asarray(arm)
    teams = grouping(team, y.shape[-1])
    count = len(teams.sizes)
    if pair.shape != (count,) or team.min() != 0 or team.max() != count - 1:
        raise ValueError(
            f"Teams are numbered from 0 without gaps, one pair code for each: {count} teams have "
            f"rows and {pair.size} pair codes are given."
        )
    control, treated = _arms(pair, arm)
    covariates = _covariates(adjust, y.shape[-1])
    slope, note = _within_slopes(y, covariates, teams)
    adjusted = y - (covariates @ slope[..., None])[..., 0]
    means = teams.means(adjusted[..., None])[..., 0]
    differences = means[..., treated] - means[..., control]
    pairs = len(control)
    variance = differences.var(axis=-1, ddof=1) / pairs
    size = np.abs(means).max(axis=-1)
    flat = variance <= (TIE_TOLERANCE * size) ** 2
    note = np.where((note == "") & flat, NO_VARIATION, note)
    found = inference(
        differences.mean(axis=-1, keepdims=True),
        np.where(flat, 0.0, variance)[..., None],
        pairs - 1,
    )
    spread = differences - differences.mean(axis=-1, keepdims=True)
    apart = teams.means(covariates)
    apart = apart[..., treated, :] - apart[..., control, :]
    added = Contributions(
        adjusted=spread[..., None, :] / (pairs * (pairs - 1)) ** 0.5,
        scores=differences[..., None, :] / pairs,
        weights=apart[..., None, :, :] / pairs,
        coef=slope[..., None, None, :],
    )
    return PairedTeams(
        slope=slope,
        adjusted_means=means,
        pair_differences=differences,
        people=teams.sizes[control] + teams.sizes[treated],
        inference=replace(found, contributions=added),
        status=np.where(note == "", "ok", "failed"),
        note=note,
    )


def weighted_by_people(fit: PairedTeams) -> Inference:
    """Infer the participant-average difference: pairs weighted by their people.

    Parameters
    ----------
    fit : PairedTeams
        Differences within pairs.

    Returns
    -------
    Inference
        CR2 with Satterthwaite degrees of freedom, every pair being a cluster, under a working
        variance that falls with the people of a pair; arrays of shape (..., 1). Whether effects
        differ between pairs, and how, is not assumed (Kahan, Li, Copas & Harhay 2023, Int J
        Epidemiol 52:107-118; Su & Ding 2021, J R Stat Soc B 83:994-1015).
    """
    root = np.sqrt(fit.people)
    found = cluster_robust(
        fit_ols(root[:, None], root * fit.pair_differences), np.arange(len(root)), np.eye(1)
    )
    share = fit.people / fit.people.sum()
    paired = fit.inference.by_cluster
    added = replace(
        found.by_cluster,
        scores=(share * fit.pair_differences)[..., None, :],
        weights=paired.weights * len(share) * share[:, None],
        coef=paired.coef,
    )
    return replace(found, contributions=added)


def jackknife_by_people(fit: PairedTeams) -> Inference:
    """Infer the participant-average difference by leaving out one pair at a time.

    Parameters
    ----------
    fit : PairedTeams
        Differences within pairs.

    Returns
    -------
    Inference
        Delete-one jackknife (Efron & Tibshirani 1993, equation 11.5) with pairs - 1 degrees of
        freedom; arrays of shape (..., 1).
    """
    differences, pairs, whole = fit.pair_differences, len(fit.people), fit.people.sum()
    total = (differences @ fit.people)[..., None]
    left = (total - fit.people * differences) / (whole - fit.people)
    variance = (pairs - 1) / pairs * np.square(left - left.mean(axis=-1, keepdims=True))
    return inference(total / whole, variance.sum(axis=-1, keepdims=True), pairs - 1)


def by_size(fit: PairedTeams) -> Inference:
    """Infer how the difference changes with a standard deviation of the people of a pair.

    Parameters
    ----------
    fit : PairedTeams
        Differences within three pairs or more.

    Returns
    -------
    Inference
        Least squares over the pairs with pairs - 2 degrees of freedom; arrays of shape (..., 1).

    Raises
    ------
    ValueError
        If there are fewer than three pairs, or all have as many people.
    """
    spread = fit.people.std(ddof=1)
    if len(fit.people) < 3 or spread == 0.0:
        raise ValueError("At least three pairs, not all of one size, are needed.")
    X = np.column_stack([np.ones(len(fit.people)), (fit.people - fit.people.mean()) / spread])
    return classical(fit_ols(X, fit.pair_differences), np.array([[0.0, 1.0]]))


def sign_flip(pair_differences: np.ndarray) -> np.ndarray:
    """Return the exact two-sided p-value of the sign-flip test.

    Parameters
    ----------
    pair_differences : array_like
        Differences, shape (..., pairs).

    Returns
    -------
    numpy.ndarray
        Share of the 2^pairs choices of signs whose mean is at least as far from zero as the
        observed one, shape (...); never below 2^(1 - pairs). NaN where a difference is NaN.

    Raises
    ------
    ValueError
        If there are no pairs, or more than 20: the test lists every choice of signs.

    Notes
    -----
    Fisher (1935), The Design of Experiments, section 21.

    Examples
    --------
    Fisher's own: of the 32,768 choices of signs of Darwin's fifteen differences, 863 have a sum of
    314 eighths of an inch or more, and as many one of -314 or less:

    >>> from ccp_analysis.models.team_level import sign_flip
    >>> eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    >>> print(sign_flip(eighths).round(5), round(2 * 863 / 32768, 5))
    0.05267 0.05267
    """
    differences = np.asarray(pair_differences, dtype=float)
    pairs = differences.shape[-1] if differences.ndim else 0
    if not 1 <= pairs <= MAX_PAIRS:
        raise ValueError(f"The sign-flip test is for 1 to {MAX_PAIRS} pairs, not {pairs}.")
    observed = np.abs(differences.sum(axis=-1, keepdims=True))
    least = observed - TIE_TOLERANCE * np.abs(differences).sum(axis=-1, keepdims=True)
    # The first sign stays: a choice and its opposite are equally far from zero.
    choices = 2 ** (pairs - 1)
    extreme = np.zeros(differences.shape[:-1])
    for start in range(0, choices, _BLOCK):
        numbers = np.arange(start, min(start + _BLOCK, choices))
        signs = 1.0 - 2.0 * (numbers[:, None] >> np.arange(pairs) & 1)
        extreme += (np.abs(differences @ signs.T) >= least).sum(axis=-1)
    return np.where(np.isnan(observed[..., 0]), np.nan, extreme / choices)


def sign_flip_interval(pair_differences: np.ndarray, level: float) -> tuple[float, float, float]:
    """Return the confidence set of the sign-flip test, at the nearest level that it allows.

    Parameters
    ----------
    pair_differences : array_like
        Differences, shape (pairs,).
    level : float
        Confidence level that is wanted.

    Returns
    -------
    low, high, level : float
        The limits, and the largest level not above the wanted one that is 1 less a multiple of
        2^(1 - pairs): with five pairs 93.75 % for 95 %, from the least to the greatest difference.

    Raises
    ------
    ValueError
        If there are fewer than two pairs, more than 20, or no level as low as the wanted one.

    Notes
    -----
    The means of all subsets of the differences but the empty one divide the line into 2^pairs
    intervals that are equally likely to hold the centre of symmetry (Hartigan 1969, J Am Stat Assoc
    64:1303-1317), so the k-th smallest and largest are limits at the level 1 - k 2^(1 - pairs).
    """
    differences = np.asarray(pair_differences, dtype=float)
    pairs = len(differences)
    if not 2 <= pairs <= MAX_PAIRS:
        raise ValueError(f"A confidence set takes 2 to {MAX_PAIRS} pairs, not {pairs}.")
    step = 2.0 ** (1 - pairs)
    k = max(1, int(np.ceil((1.0 - level) / step - TIE_TOLERANCE)))
    if 1.0 - k * step <= 0.0:
        raise ValueError(f"{pairs} pairs allow no confidence set at a level of {level:g} or below.")
    chosen = (np.arange(1, 2**pairs)[:, None] >> np.arange(pairs)) & 1
    means = np.sort(chosen @ differences / chosen.sum(axis=1))
    return float(means[k - 1]), float(means[-k]), 1.0 - k * step


def _arms(pair: np.ndarray, arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the team of each arm, pair by pair."""
    if arm.shape != pair.shape or not np.isin(arm, (0, 1)).all():
        raise ValueError("Every team has an arm, 0 or 1.")
    codes, sizes = np.unique(pair, return_counts=True)
    order = np.lexsort((arm, pair))
    if (sizes != 2).any() or (arm[order] != np.tile((0, 1), len(codes))).any():
        raise ValueError("Every pair must be two teams, one in each arm.")
    if len(codes) < 2:
        raise ValueError("At least two pairs of teams are needed.")
    return order[0::2], order[1::2]


def _covariates(adjust: np.ndarray | None, n: int) -> np.ndarray:
    covariates = np.empty((n, 0)) if adjust is None else np.asarray(adjust, dtype=float)
    covariates = covariates[:, None] if covariates.ndim == 1 else covariates
    if covariates.shape[-2] != n:
        raise ValueError(f"The covariates must be (..., {n}, q); they are {covariates.shape}.")
    return covariates


def _within_slopes(
    y: np.ndarray, covariates: np.ndarray, teams: Grouping
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes (..., q) and a sentence (...) for every fit that has none."""
    if covariates.shape[-1] == 0:
        return np.zeros(y.shape[:-1] + (0,)), np.zeros(y.shape[:-1], dtype="<U1")
    centred = covariates - teams.means(covariates)[..., teams.codes, :]
    size, left = (np.sqrt(np.square(v).sum(axis=-2)) for v in (covariates, centred))
    # Rounding leaves something of a covariate that is constant within teams; least squares would
    # take it for variation.
    centred = np.where((left <= CONSTANT_TOLERANCE * size)[..., None, :], 0.0, centred)
    within = fit_ols(centred, y - teams.means(y[..., None])[..., teams.codes, 0])
    solved = ~np.isnan(within.coef).any(axis=-1)
    return within.coef, np.where(solved, "", within.note)
