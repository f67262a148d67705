"""The one generator of trials: teams in pairs, a baseline, an outcome, and who is lost.

Everything is drawn for a whole batch of trials at once, in standard deviations of the outcome given
the baseline within teams' arms; all that is drawn is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

# Halvings of the interval in which the intercept of a loss is sought.
_HALVINGS = 40
_REACH = 30.0


@dataclass(frozen=True)
class Layout:
    """Who belongs to which team, and which teams make a pair.

    Attributes
    ----------
    team : numpy.ndarray of int
        Team of each person, 0 to T - 1, shape (n,).
    pair, arm : numpy.ndarray of int
        Pair code of each team and its arm, 0 (reference) or 1, shape (T,).
    """

    team: np.ndarray
    pair: np.ndarray
    arm: np.ndarray

    @classmethod
    def of_pairs(cls, sizes: np.ndarray) -> Layout:
        """Return the layout of pairs of teams.

        Parameters
        ----------
        sizes : array_like of int
            People of the reference team and of the active team of each pair, shape (pairs, 2).

        Returns
        -------
        Layout
        """
        sizes = np.asarray(sizes)
        teams = np.repeat(np.arange(sizes.size), sizes.ravel())
        return cls(teams, np.repeat(np.arange(len(sizes)), 2), np.tile([0, 1], len(sizes)))

    @property
    def n(self) -> int:
        """Number of people."""
        return len(self.team)

    @property
    def active(self) -> np.ndarray:
        """Indicator of the active arm, of people, shape (n,)."""
        return self.arm[self.team].astype(float)

    @property
    def sizes(self) -> np.ndarray:
        """People of each team, shape (T,)."""
        return np.bincount(self.team)

    @property
    def teams(self) -> np.ndarray:
        """Indicators of the teams, shape (n, T)."""
        return (self.team[:, None] == np.arange(len(self.pair))).astype(float)

    @property
    def pairs(self) -> np.ndarray:
        """Indicators of all pairs but the first, shape (n, pairs - 1)."""
        codes = np.unique(self.pair)
        return (self.pair[self.team][:, None] == codes[1:]).astype(float)


@dataclass(frozen=True)
class Truth:
    """What is true of every trial that is drawn.

    Attributes
    ----------
    effect : float
        Mean difference between the arms, of a pair of average size.
    icc : float
        Share of the residual variance that lies between teams.
    retest : float
        Slope of the outcome on the baseline.
    covariates : tuple of float
        Slopes of the outcome on standard normal covariates of people.
    auxiliary : float
        Correlation of a further variable with the residual; 0 where there is none.
    interaction : float
        How much the effect changes with the first covariate.
    effect_by_pair, slope_by_team : float
        Standard deviations of the effect over pairs and of `retest` over teams.
    effect_by_size : float
        How much the effect changes with a standard deviation of the people of a pair.
    sd_ratio : float
        Residual standard deviation in the active arm, for 1 in the reference arm.
    skewed : bool
        Whether residuals of people are log-normal (skewness 2) instead of normal.
    """

    effect: float = 0.0
    icc: float = 0.0
    retest: float = 0.6
    covariates: tuple[float, ...] = ()
    auxiliary: float = 0.0
    interaction: float = 0.0
    effect_by_pair: float = 0.0
    slope_by_team: float = 0.0
    effect_by_size: float = 0.0
    sd_ratio: float = 1.0
    skewed: bool = False


@dataclass(frozen=True)
class Trials:
    """A batch of trials without losses.

    Attributes
    ----------
    baseline, outcome, auxiliary : numpy.ndarray
        Shape (draws, n).
    covariates : numpy.ndarray
        Shape (draws, n, q).
    """

    baseline: np.ndarray
    outcome: np.ndarray
    covariates: np.ndarray
    auxiliary: np.ndarray


def draw(layout: Layout, truth: Truth, draws: int, rng: np.random.Generator) -> Trials:
    """Draw trials.

    Parameters
    ----------
    layout : Layout
        The same for all of them.
    truth : Truth
        What holds in each.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    Trials
    """
    count, n = len(layout.pair), layout.n
    between = truth.icc**0.5 * rng.standard_normal((draws, count))
    baseline_team = truth.icc**0.5 * rng.standard_normal((draws, count))
    baseline = baseline_team[:, layout.team] + rng.standard_normal((draws, n))
    covariates = rng.standard_normal((draws, n, len(truth.covariates)))
    noise = _residuals(truth, rng, (draws, n)) * np.where(layout.active, truth.sd_ratio, 1.0)
    by_pair = truth.effect_by_pair * rng.standard_normal((draws, layout.pair.max() + 1))
    slopes = truth.retest + truth.slope_by_team * rng.standard_normal((draws, count))
    effect = truth.effect + by_pair[:, layout.pair] + truth.effect_by_size * size_scores(layout)
    effect = np.broadcast_to(effect[:, layout.team], (draws, n))
    if truth.interaction:
        effect = effect + truth.interaction * covariates[..., 0]
    outcome = (
        slopes[:, layout.team] * baseline
        + covariates @ np.asarray(truth.covariates, dtype=float)
        + effect * layout.active
        + between[:, layout.team]
        + noise
    )
    r = truth.auxiliary
    auxiliary = r * noise + (1.0 - r**2) ** 0.5 * rng.standard_normal((draws, n))
    return Trials(baseline, outcome, covariates, auxiliary)


def _residuals(truth: Truth, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return residuals of people, of variance 1 - icc."""
    plain = rng.standard_normal(shape)
    if truth.skewed:
        s = 0.5513  # log-normal of skewness 2
        plain = (np.exp(s * plain) - np.exp(s**2 / 2)) / (np.exp(s**2 / 2) * np.expm1(s**2) ** 0.5)
    return (1.0 - truth.icc) ** 0.5 * plain


def draw_given(
    layout: Layout, truth: Truth, expected: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw outcomes of people of whom the baseline and covariates are known, the same in all draws.

    Parameters
    ----------
    layout : Layout
        The same for all of them.
    truth : Truth
        What holds in each; slopes and interactions of covariates are in what is expected.
    expected : numpy.ndarray
        Mean of each person in the reference arm, in residual standard deviations, shape (n,).
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    outcome, auxiliary, apart : numpy.ndarray
        Shape (draws, n): outcomes; a standard normal variable whose correlation with what sets
        people of a team apart is `Truth.auxiliary`; and the latter, of unit variance but for
        `Truth.sd_ratio`.
    """
    count, n = len(layout.pair), layout.n
    between = truth.icc**0.5 * rng.standard_normal((draws, count))
    apart = _residuals(replace(truth, icc=0.0), rng, (draws, n))
    r = truth.auxiliary
    auxiliary = r * apart + (1.0 - r**2) ** 0.5 * rng.standard_normal((draws, n))
    apart = apart * np.where(layout.active, truth.sd_ratio, 1.0)
    by_pair = truth.effect_by_pair * rng.standard_normal((draws, int(layout.pair.max()) + 1))
    effect = truth.effect + by_pair[:, layout.pair] + truth.effect_by_size * size_scores(layout)
    of_team = between + effect * layout.arm
    outcome = expected + of_team[:, layout.team] + (1.0 - truth.icc) ** 0.5 * apart
    return outcome, auxiliary, apart


def size_scores(layout: Layout) -> np.ndarray:
    """Return the people of each team's pair, standardised over the pairs, shape (1, T)."""
    people = np.bincount(layout.pair, weights=layout.sizes)
    spread = people.std(ddof=1) if len(people) > 1 else 0.0
    scores = (people - people.mean()) / (spread if spread > 0 else 1.0)
    return scores[layout.pair][None]


@dataclass(frozen=True)
class Loss:
    """Who is lost.

    Attributes
    ----------
    share : float
        Expected share of people.
    steepness : float
        Log odds of loss for each standard deviation of the baseline; 0 is completely at random.
    by_arm : bool
        Whether the sign of the slope differs between the arms.
    least : int
        People of every team who stay.
    """

    share: float
    steepness: float = 0.0
    by_arm: bool = False
    least: int = 2


def lose(layout: Layout, baseline: np.ndarray, loss: Loss, rng: np.random.Generator) -> np.ndarray:
    """Return who is lost, shape (draws, n).

    Parameters
    ----------
    layout : Layout
        For arms and teams.
    baseline : numpy.ndarray
        On which the loss depends, shape (draws, n).
    loss : Loss
        How many, and of whom.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    numpy.ndarray of bool
        Draws in which fewer than `Loss.least` of a team would stay are drawn again.
    """
    z = baseline - baseline.mean(axis=1, keepdims=True)
    z /= z.std(axis=1, keepdims=True)
    sign = 2.0 * layout.active - 1.0 if loss.by_arm else 1.0
    score = loss.steepness * sign * z
    low = np.full((len(z), 1), -_REACH)
    high = -low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = expit(middle + score).mean(axis=1, keepdims=True) > loss.share
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    chance = expit((low + high) / 2 + score)
    lost = rng.random(z.shape) < chance
    while True:
        again = ((~lost) @ layout.teams < loss.least).any(axis=1)
        if not again.any():
            return lost
        lost[again] = rng.random((int(again.sum()), layout.n)) < chance[again]


def lose_by(layout: Layout, chance: np.ndarray, least: int, rng: np.random.Generator) -> np.ndarray:
    """Return who is lost by chances of their own, shape (draws, n).

    Parameters
    ----------
    layout : Layout
        For teams.
    chance : numpy.ndarray
        Chance of being lost, shape (draws, n).
    least : int
        People of every team who stay: teams in which fewer would are drawn again.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    lost = rng.random(chance.shape) < chance
    teams = layout.teams
    while True:
        short = ((~lost) @ teams < least)[:, layout.team]
        if not short.any():
            return lost
        lost[short] = rng.random(int(short.sum())) < chance[short]
