r"""Trials with costs and utilities whose true differences are known exactly.

Costs of services and the loss of utility (1 - utility) are non-negative and skewed, with zeros. At
either visit they are, for person i of team j in Trust t and arm a,

.. math:: X_{ij} = T_j (u_{ta} P_{ij} + v_{ta} Q_{ij})

a part that a person keeps (P, correlated over the visits), one that comes anew (Q, such as a stay
in hospital, independent of the other visit), and a factor of the team. P, Q and T are
log-normal of mean one, P and Q times B / pi with a Bernoulli variable B of mean pi. So the mean is
u + v, and the arms differ by what `Truth` says in every Trust. Second moments have a closed form
too (`moments`): with F the vector of all P and Q of a person and W its weights,

.. math:: E[X X'] = e^{\Omega} \circ W E[F F'] W',\quad
    E[F_k F_l] = e^{\sigma_{kl}} P(B_k B_l = 1) / (\pi_k \pi_l)

for one person, and exp(Omega) times the product of the means for two people of a team. The spread
of the teams is such that the intraclass correlation is the same in every Trust and arm.

The intervention acts on what comes anew, so that the arms have the same slope on the baseline;
where it is `Truth.proportional` it acts on both parts alike and the slopes differ. Baselines have
the same distribution in both arms: what these trials teach concerns inference, not confounding.
Utilities are at most 1, and below the worst EQ-5D state (-0.285 in the value set for England) in
about one of 100. Whole data sets are drawn in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VARIABLES = ("cost_baseline", "cost_month6", "utility_baseline", "utility_month6")
# Weights of utilities in the quality-adjusted life years of half a year: area under the line.
QALY = np.array([0.0, 0.0, 0.25, 0.25])
_COSTS = [0, 1]


@dataclass(frozen=True)
class Truth:
    """True differences between the arms, intervention less control.

    Attributes
    ----------
    services : float
        Difference in the mean cost of services up to the follow-up, pounds.
    intervention : float
        Cost of the intervention, pounds for each person of that arm.
    utility : float
        Difference in mean utility at the follow-up.
    proportional : bool
        Whether costs of services and losses of utility change in proportion to what they would have
        been, and not only what comes anew.
    """

    services: float
    intervention: float
    utility: float
    proportional: bool = False

    @property
    def cost(self) -> float:
        """Difference in mean cost, pounds."""
        return self.services + self.intervention

    @property
    def effect(self) -> float:
        """Difference in mean QALYs over half a year."""
        return float(QALY[3] * self.utility)

    @property
    def threshold(self) -> float:
        """Pounds per QALY at which the net benefit is zero; NaN without a difference in effect."""
        return self.cost / self.effect if self.effect else np.nan

    def net_benefit(self, threshold: float | np.ndarray) -> float | np.ndarray:
        """Difference in mean net monetary benefit at thresholds in pounds per QALY."""
        return threshold * self.effect - self.cost


TRUTHS = {
    "no difference": Truth(services=0.0, intervention=0.0, utility=0.0),
    "dominant": Truth(services=-450.0, intervention=200.0, utility=0.08),
    "trade-off": Truth(services=200.0, intervention=300.0, utility=0.10),
}


@dataclass(frozen=True)
class Design:
    """Teams, their sizes, Trusts and arms; two teams of either arm in each Trust.

    Attributes
    ----------
    sizes : tuple of int
        People of each team.
    trusts, arms : tuple of int
        Trust (from 0) and arm (0 control, 1 intervention) of each team.
    """

    sizes: tuple[int, ...]
    trusts: tuple[int, ...] = (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)
    arms: tuple[int, ...] = (1, 0, 0, 1, 1, 0, 0, 1, 1, 0)

    @property
    def team(self) -> np.ndarray:
        """Team of each person, shape (n,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def trust(self) -> np.ndarray:
        """Trust of each person, shape (n,)."""
        return np.asarray(self.trusts)[self.team]

    @property
    def arm(self) -> np.ndarray:
        """Arm of each person, 0 or 1, shape (n,)."""
        return np.asarray(self.arms)[self.team]


UNEQUAL = Design(sizes=(22, 18, 13, 19, 10, 17, 20, 9, 15, 8))
EQUAL = Design(sizes=(15,) * 10)


@dataclass(frozen=True)
class Population:
    """What the people and teams are like.

    Attributes
    ----------
    cost, utility : tuple of float
        Mean cost of services (pounds in half a year) and mean utility of each Trust, in the control
        arm and at baseline.
    anew : tuple of float
        Share of mean cost, and of mean loss of utility, that comes anew at every visit.
    spread, spread_anew : tuple of float
        SD of the logarithm of cost, and of loss of utility, between the people of a team who have
        any: of what they keep, and of what comes anew.
    some, some_anew : tuple of float
        Share of people who have any, of the same.
    persistence : float
        Of the people, the share who have any cost to keep at the follow-up because they had at the
        baseline (or none because none); the others are drawn afresh. The same for loss of utility.
    tracking, team_tracking : float
        Correlation of the logarithms between the visits: of what people keep, and of teams.
    correlation, team_correlation : float
        Correlation of the logarithm of cost with that of loss of utility at the same visit, within
        and between teams, with the sign reversed: negative where the costlier have less utility.
    icc : float
        Intraclass correlation of cost and of utility in the teams of one arm and Trust, at either
        visit, on their own scale.
    """

    cost: tuple[float, ...] = (1920.0, 2160.0, 2400.0, 2640.0, 2880.0)
    utility: tuple[float, ...] = (0.54, 0.57, 0.60, 0.63, 0.66)
    anew: tuple[float, float] = (0.35, 0.35)
    spread: tuple[float, float] = (0.6, 0.7)
    spread_anew: tuple[float, float] = (0.5, 0.4)
    some: tuple[float, float] = (0.85, 0.95)
    some_anew: tuple[float, float] = (0.40, 0.70)
    persistence: float = 0.5
    tracking: float = 0.7
    team_tracking: float = 0.5
    correlation: float = -0.4
    team_correlation: float = -0.4
    icc: float = 0.0

    @property
    def logs(self) -> np.ndarray:
        """Covariance of the logarithms of a person's P and Q, shape (8, 8)."""
        logs = np.zeros((8, 8))
        for part, spread, tracking in (
            (slice(4), self.spread, self.tracking),
            (slice(4, 8), self.spread_anew, 0.0),
        ):
            sd = np.repeat(spread, 2)
            logs[part, part] = _correlations(tracking, self.correlation) * sd[:, None] * sd
        return logs

    @property
    def products(self) -> np.ndarray:
        """E[FF'] of a person's P and Q, shape (8, 8)."""
        some = np.repeat([*self.some, *self.some_anew], 2)
        both = some[:, None] * some
        np.fill_diagonal(both, some)
        for k in range(4):
            both[k, k ^ 1] += self.persistence * some[k] * (1 - some[k])
        return np.exp(self.logs) * both / (some[:, None] * some)


# Half a year's cost with an SD of about 0.8 and 1.4 times its mean.
POPULATIONS = {
    "moderate": Population(),
    "strong": Population(spread=(1.1, 0.7), spread_anew=(0.8, 0.4), some_anew=(0.25, 0.70)),
}


@dataclass(frozen=True)
class Trials:
    """A batch of data sets of one design.

    Attributes
    ----------
    cost, utility : numpy.ndarray
        Pounds, and utility, shape (draws, n, 2): baseline and follow-up. The cost of the
        intervention is in the follow-up cost.
    design : Design
        Teams, Trusts and arms.
    """

    cost: np.ndarray
    utility: np.ndarray
    design: Design

    @property
    def qaly(self) -> np.ndarray:
        """Quality-adjusted life years over half a year, shape (draws, n)."""
        return self.utility @ QALY[2:]

    @property
    def X(self) -> np.ndarray:
        """Design of the comparison, shape (draws, n, 8).

        Intercept, arm, cost and utility at baseline, indicators of all Trusts but the first.
        """
        trust = self.design.trust
        others = trust[:, None] == np.unique(trust)[1:]
        same = np.column_stack([np.ones(len(trust)), self.design.arm, others]).astype(float)
        same = np.broadcast_to(same, (*self.cost.shape[:2], same.shape[1]))
        baselines = np.stack([self.cost[..., 0], self.utility[..., 0]], axis=-1)
        return np.concatenate([same[..., :2], baselines, same[..., 2:]], axis=-1)


def draw(
    truth: Truth, population: Population, design: Design, draws: int, rng: np.random.Generator
) -> Trials:
    """Draw data sets.

    Parameters
    ----------
    truth : Truth
        True differences between the arms.
    population : Population
        Distribution of people and teams.
    design : Design
        Teams, with as many Trusts as the population has.
    draws : int
        Number of data sets.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Trials

    Raises
    ------
    ValueError
        If a mean would not be positive, or the intraclass correlation is out of reach.
    """
    team, n = design.team, sum(design.sizes)
    weights, cell = _weights(truth, population), (design.trust, design.arm)
    people = _log_normal(population.logs, (draws, n), rng)
    for k, share in enumerate([*population.some, *population.some_anew]):
        first, afresh = rng.random((2, draws, n)) < share
        stays = rng.random((draws, n)) < (population.persistence if k < 2 else 0.0)
        people[..., 2 * k] *= first / share
        people[..., 2 * k + 1] *= np.where(stays, first, afresh) / share
    values = weights[0][cell] * people[..., :4] + weights[1][cell] * people[..., 4:]
    logs = _team_logs(truth, population)[np.asarray(design.trusts), np.asarray(design.arms)]
    values *= _log_normal(logs, (draws, len(design.sizes)), rng)[:, team]
    cost, utility = values[..., :2], 1.0 - values[..., 2:]
    cost[..., 1] += truth.intervention * design.arm
    return Trials(cost, utility, design)


def moments(truth: Truth, population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return exact moments of the four `VARIABLES` in every Trust and arm.

    Parameters
    ----------
    truth : Truth
        True differences between the arms.
    population : Population
        Distribution of people and teams.

    Returns
    -------
    mean : numpy.ndarray
        Shape (trusts, 2, 4).
    between, within : numpy.ndarray
        Covariance of two people of one team, and of one person's values less that; their sum is the
        covariance matrix of a person. Shape (trusts, 2, 4, 4).
    """
    weights = _weights(truth, population)
    mu = weights.sum(axis=0)
    square = mu[..., :, None] * mu[..., None, :]
    teams = np.exp(_team_logs(truth, population))
    sign = np.where(np.isin(np.arange(4), _COSTS), 1.0, -1.0)
    both = sign[:, None] * sign
    between = both * square * (teams - 1.0)
    within = both * teams * (_second_moments(weights, population) - square)
    mean = np.where(sign > 0, mu, 1.0 - mu)
    mean[:, 1, 1] += truth.intervention
    return mean, between, within


def lose(trials: Trials, count: int, steepness: float, rng: np.random.Generator) -> np.ndarray:
    """Choose who has no follow-up, at random given utility and cost at baseline.

    Parameters
    ----------
    trials : Trials
        Data sets.
    count : int
        People lost in each data set.
    steepness : float
        Change in the log of the relative weight of being lost, for each SD of lower utility and for
        each SD of higher log cost (plus £100) at baseline; 0 means completely at random.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    numpy.ndarray of bool
        Shape (draws, n), `count` true in each row.

    Notes
    -----
    Drawn one after the other without replacement, in proportion to the weights: the largest of the
    log weights plus Gumbel noise (Yellott 1977, J Math Psychol 15:109-144).
    """
    score = _standard(np.log(trials.cost[..., 0] + 100.0)) - _standard(trials.utility[..., 0])
    keys = steepness * score + rng.gumbel(size=score.shape)
    last = np.partition(keys, -count, axis=1)[:, -count]
    return keys >= last[:, None]


def _correlations(tracking: float, correlation: float) -> np.ndarray:
    """Correlations of the logarithms (4, 4): of the visits times of cost and loss of utility."""
    visits = np.array([[1.0, tracking], [tracking, 1.0]])
    return np.kron(np.array([[1.0, -correlation], [-correlation, 1.0]]), visits)


def _log_normal(logs: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw log-normal factors of mean one, (*shape, k), of covariances (..., k, k) of logs."""
    value, vector = np.linalg.eigh(logs)
    root = vector * np.sqrt(np.maximum(value, 0.0))[..., None, :]
    normal = rng.standard_normal((*shape, logs.shape[-1]))
    half = 0.5 * np.diagonal(logs, axis1=-2, axis2=-1)
    return np.exp((root @ normal[..., None])[..., 0] - half)


def _weights(truth: Truth, population: Population) -> np.ndarray:
    """Mean of what people keep and of what comes anew, shape (2, trusts, 2, 4)."""
    cost, loss = np.array(population.cost), 1.0 - np.array(population.utility)
    control = np.stack([cost, cost, loss, loss], axis=-1)
    anew = np.repeat(population.anew, 2)
    change = np.array([0.0, truth.services, 0.0, -truth.utility])
    treated = np.stack([control * (1.0 - anew), control * anew + change])
    if truth.proportional:
        treated = np.stack([1.0 - anew, anew])[:, None] * (control + change)
    weights = np.stack([np.stack([control * (1.0 - anew), control * anew]), treated], axis=2)
    if not (weights >= 0.0).all():
        raise ValueError("The intervention cannot avert more than comes anew.")
    return weights


def _second_moments(weights: np.ndarray, population: Population) -> np.ndarray:
    """E[XX'] in a team whose factor is one, shape (trusts, 2, 4, 4)."""
    kept, anew = weights
    products = population.products
    # P and Q of a person are independent and of mean one.
    return (
        kept[..., :, None] * kept[..., None, :] * products[:4, :4]
        + anew[..., :, None] * anew[..., None, :] * products[4:, 4:]
        + kept[..., :, None] * anew[..., None, :]
        + anew[..., :, None] * kept[..., None, :]
    )


def _team_logs(truth: Truth, population: Population) -> np.ndarray:
    """Covariance of the logarithms of the teams' factors, shape (trusts, 2, 4, 4)."""
    weights, icc = _weights(truth, population), population.icc
    ratio = np.diagonal(_second_moments(weights, population), axis1=-2, axis2=-1)
    ratio = ratio / weights.sum(axis=0) ** 2
    if not (icc >= 0.0 and (icc * ratio < 1.0).all()):
        raise ValueError(
            f"An intraclass correlation of {icc:g} is not possible: it must be at least 0 and "
            f"below {1.0 / ratio.max():.2f} where people vary so much."
        )
    sd = np.sqrt(np.log((1.0 - icc) / (1.0 - icc * ratio)))
    correlations = _correlations(population.team_tracking, population.team_correlation)
    return correlations * sd[..., :, None] * sd[..., None, :]


def _standard(values: np.ndarray) -> np.ndarray:
    """Return values less their mean over people, in SDs."""
    centred = values - values.mean(axis=1, keepdims=True)
    return centred / values.std(axis=1, keepdims=True)
