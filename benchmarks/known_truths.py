"""What each inference of the economic evaluation finds where the true values are known.

The computations of ``economic_evaluation.py``, which prints them: batches of synthetic trials
(`tools/synthetic/trial_with_costs.py`) analysed as the evaluation does it.
"""

from __future__ import annotations

from dataclasses import dataclass

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr
from synthetic.trial_with_costs import (
    QALY,
    TRUTHS,
    UNEQUAL,
    Design,
    Population,
    Trials,
    Truth,
    draw,
    lose,
)

from ccp_analysis.economics.bootstrap import two_stage_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.random import stream

SEED, CHUNK, LEVEL = 20261123, 100, 0.95  # chunks fit into the cache
ICC = (0.0, 0.05)
MAIN = 20_000.0
# Net benefit is examined at these, the acceptability curve at all of the grid.
THRESHOLDS = np.array([0.0, 20_000.0, 30_000.0, 50_000.0])
GRID = np.arange(0.0, 50_001.0, 2_500.0)
OUTCOMES = ("QALYs × 1000", *(f"{value:,.0f}" for value in THRESHOLDS))
AT_MAIN = 2
METHODS = ("CR2, Satterthwaite", "paired t on team means", "CR0, normal", "ignoring teams")
LOST, STEEPNESS, M, ITERATIONS = 24, 0.5, 10, 5
NOBODY_LOST = "nobody lost"
BOOTSTRAP_DRAWS = 500


def outcomes(trials: Trials) -> np.ndarray:
    """Return QALYs × 1000 and the net benefit at each threshold, shape (draws, k, n)."""
    qaly, cost = trials.qaly[:, None], trials.cost[:, None, :, 1]
    return np.concatenate([1000 * qaly, THRESHOLDS[:, None] * qaly - cost], axis=1)


def true_values(truth: Truth) -> np.ndarray:
    """Return the true differences in `outcomes`, shape (k,)."""
    return np.array([1000 * truth.effect, *truth.net_benefit(THRESHOLDS)])


def regress(trials: Trials, y: np.ndarray, *, adjust: bool = True) -> Inference:
    """Return CR2 inference on the arm for outcomes (draws, k, n): arrays (draws, k).

    Without adjustment the design has the arm and the Trusts only.
    """
    X = trials.X if adjust else np.delete(trials.X, [2, 3], axis=-1)
    L = np.eye(X.shape[-1])[1:2]
    return first(cluster_robust(fit_ols(X[:, None], y), trials.design.team, L, kind="CR2"))


def first(inference: Inference) -> Inference:
    """Drop the axis of contrasts, of which there is one."""
    return Inference(*(v[..., 0] for v in (inference.estimate, inference.std_error, inference.df)))


def compare(trials: Trials) -> dict[str, Inference]:
    """Return the difference between the arms by every method, arrays (draws, k)."""
    y, X, where = outcomes(trials), trials.X, trials.design
    L = np.eye(X.shape[-1])[1:2]
    fit = fit_ols(X[:, None], y)
    baselines = np.stack([trials.cost[..., 0], trials.utility[..., 0]], axis=-1)[:, None]
    pairs = np.asarray(where.trusts), np.asarray(where.arms)
    raw = np.sqrt(cluster_covariance(fit, where.team, kind="CR0")[..., 1, 1])
    return {
        METHODS[0]: first(cluster_robust(fit, where.team, L, kind="CR2")),
        METHODS[1]: first(paired_team_means(y, baselines, where.team, *pairs).inference),
        METHODS[2]: Inference(fit.coef[..., 1], raw, np.full_like(raw, np.inf)),
        METHODS[3]: first(classical(fit, L)),
    }


def simulate(
    truth: Truth, population: Population, draws: int, *names: str, design: Design = UNEQUAL
) -> dict[str, Inference]:
    """Return what `compare` finds in data sets drawn chunk by chunk, arrays (draws, k)."""
    rng = stream(SEED, "economic evaluation", *names)
    sizes = [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]
    parts = [compare(draw(truth, population, design, size, rng)) for size in sizes]
    return {
        method: Inference(
            *(
                np.concatenate([getattr(part[method], name) for part in parts])
                for name in ("estimate", "std_error", "df")
            )
        )
        for method in METHODS
    }


@dataclass(frozen=True)
class Performance:
    """How an inference fares against the truth; arrays (k,).

    Attributes
    ----------
    bias, bias_error : numpy.ndarray
        Mean deviation of the estimates from the truth, and its Monte Carlo error.
    covers : numpy.ndarray
        Share of the 95 % intervals that contain the truth.
    rejects : numpy.ndarray
        Share of the two-sided 5 % tests that reject a difference of zero.
    se_ratio : numpy.ndarray
        Root mean square standard error over the standard deviation of the estimates.
    """

    bias: np.ndarray
    bias_error: np.ndarray
    covers: np.ndarray
    rejects: np.ndarray
    se_ratio: np.ndarray


def performance(found: Inference, truth: Truth) -> Performance:
    """Set an inference (draws, k) against the truth."""
    true = true_values(truth)
    low, high = found.interval(LEVEL)
    sd = found.estimate.std(axis=0, ddof=1)
    return Performance(
        bias=found.estimate.mean(axis=0) - true,
        bias_error=sd / len(found.estimate) ** 0.5,
        covers=((low <= true) & (true <= high)).mean(axis=0),
        rejects=(found.p_value < 1 - LEVEL).mean(axis=0),
        se_ratio=np.sqrt(np.square(found.std_error).mean(axis=0)) / sd,
    )


def coverage_error(draws: int) -> float:
    """Return the Monte Carlo error of a coverage of 95 %."""
    return (LEVEL * (1 - LEVEL) / draws) ** 0.5


@dataclass(frozen=True)
class Curves:
    """Acceptability curves of data sets: all that they follow from.

    Attributes
    ----------
    cost, effect : numpy.ndarray
        Estimated differences, pounds and QALYs, shape (draws,).
    variances : numpy.ndarray
        Of cost, of effect, and their covariance, shape (3, draws).
    df : numpy.ndarray
        Degrees of freedom, shape (draws,).
    """

    cost: np.ndarray
    effect: np.ndarray
    variances: np.ndarray
    df: np.ndarray

    def at(self, thresholds: np.ndarray) -> np.ndarray:
        """Return P(t_df <= net benefit / standard error), shape (draws, thresholds)."""
        worth = np.asarray(thresholds, dtype=float)
        cost, effect, both = self.variances[..., None]
        error = np.sqrt(worth**2 * effect - 2 * worth * both + cost)
        net_benefit = worth * self.effect[:, None] - self.cost[:, None]
        return stdtr(self.df[:, None], net_benefit / error)

    def average(self) -> Curves:
        """Return the one curve of the mean estimates, mean covariance and median df."""
        return Curves(
            self.cost.mean(keepdims=True),
            self.effect.mean(keepdims=True),
            self.variances.mean(axis=1, keepdims=True),
            np.median(self.df, keepdims=True),
        )

    def peak(self) -> np.ndarray:
        """Return the threshold at which net benefit / standard error turns, shape (draws,)."""
        cost, effect, both = self.variances
        return (self.effect * cost - self.cost * both) / (self.effect * both - self.cost * effect)


def curves(found: Inference) -> Curves:
    """Return the curves that follow from the CR2 inference on `outcomes`.

    The covariance of cost and effect follows from the variances of both and of a net benefit; the
    degrees of freedom depend on the design alone and are the same for all.
    """
    effect, cost, net = (np.square(found.std_error[:, k]) for k in (0, 1, AT_MAIN))
    effect = effect / 1000**2
    both = (MAIN**2 * effect + cost - net) / (2 * MAIN)
    return Curves(
        -found.estimate[:, 1],
        found.estimate[:, 0] / 1000,
        np.stack([cost, effect, both]),
        found.df[:, 1],
    )


@dataclass(frozen=True)
class Crossing:
    """Where acceptability is one half, against the true ratio of cost and effect.

    Every entry is a value and its Monte Carlo error.

    Attributes
    ----------
    net_benefit : tuple of float
        Threshold at which the mean estimated net benefit is zero: mean difference in cost over mean
        difference in effect; error by the delta method. The curve of the mean estimate is one half
        there, whatever its standard error.
    curve : tuple of float
        Threshold at which the mean of the curves is one half; error of the mean there over the
        slope of the mean.
    at_truth : tuple of float
        Mean of the curves at the true threshold.
    above : tuple of float
        Share of curves above one half at the true threshold.
    """

    net_benefit: tuple[float, float]
    curve: tuple[float, float]
    at_truth: tuple[float, float]
    above: tuple[float, float]


def crossing(found: Curves, truth: Truth) -> Crossing:
    """Find where curves cross one half."""
    root = len(found.cost) ** 0.5
    ratio = found.cost.mean() / found.effect.mean()
    error = (found.cost - ratio * found.effect).std(ddof=1) / root / found.effect.mean()

    def mean(threshold: float) -> float:
        return float(found.at(np.array([threshold])).mean())

    half = brentq(lambda threshold: mean(threshold) - 0.5, GRID[0], 2 * GRID[-1])
    slope = (mean(half + 250.0) - mean(half - 250.0)) / 500.0
    here, there = (found.at(np.array([value]))[:, 0] for value in (half, truth.threshold))
    return Crossing(
        (ratio, error),
        (half, here.std(ddof=1) / root / slope),
        (there.mean(), there.std(ddof=1) / root),
        ((there > 0.5).mean(), 0.5 / root),
    )


@dataclass(frozen=True)
class Monotone:
    """Whether acceptability rises over the grid of thresholds.

    Attributes
    ----------
    expected : numpy.ndarray
        Curve of the mean estimates, mean covariance and median df, at the grid.
    peak : float
        Threshold at which that curve turns; NaN if it rises for ever.
    mean : numpy.ndarray
        Mean of the curves, at the grid.
    share : float
        Share of data sets whose own curve never falls over the grid.
    """

    expected: np.ndarray
    peak: float
    mean: np.ndarray
    share: float


def monotone(found: Curves) -> Monotone:
    """See how far curves rise."""
    average, own = found.average(), found.at(GRID)
    peak = float(average.peak()[0])
    return Monotone(
        average.at(GRID)[0],
        peak if peak > 0 else np.nan,
        own.mean(axis=0),
        float((np.diff(own, axis=1) >= 0).all(axis=1).mean()),
    )


def lose_and_impute(
    truth: Truth, population: Population, draws: int, *names: str
) -> dict[str, Inference]:
    """Return the pooled differences, by rule for the df, and of complete cases, (draws, k).

    The last entry is what would have been found had nobody been lost. Of the follow-ups, `LOST` are
    lost depending on cost and utility at baseline; utility and the cost of services are imputed by
    predictive mean matching with fixed team effects, `M` times. The intervention's cost is known.
    """
    rng = stream(SEED, "economic evaluation, imputed", *names)
    trials = draw(truth, population, UNEQUAL, draws, rng)
    lost = lose(trials, LOST, STEEPNESS, rng)
    teams = (UNEQUAL.team[:, None] == np.unique(UNEQUAL.team)).astype(float)
    plan = [Conditional(t, others, method="pmm") for t, others in ((1, (0, 2, 3)), (3, (0, 2, 1)))]
    data = np.concatenate([trials.cost, trials.utility], axis=-1)
    intervention = truth.intervention * UNEQUAL.arm
    data[..., 1] -= intervention
    data[..., [1, 3]] = np.where(lost[..., None], np.nan, data[..., [1, 3]])
    how = {"m": M, "iterations": ITERATIONS, "rng": rng, "fixed": teams}
    done = np.stack([impute(one, plan, **how).values for one in data], axis=1)  # (m, draws, n, 4)
    done[..., 1] += intervention
    completed = Trials(
        *(done[..., part].reshape(M * draws, -1, 2) for part in (slice(2), slice(2, 4))), UNEQUAL
    )
    fits = regress(completed, outcomes(completed))
    estimate, error, df = (
        v.reshape(M, draws, -1) for v in (fits.estimate, fits.std_error, fits.df)
    )
    found: dict[str, Inference] = {
        f"pooled, {label}": pool(estimate, error**2, df, rule=rule)
        for label, rule in (("Barnard-Rubin", "barnard-rubin"), ("complete-data", "complete-data"))
    }
    y, X, L = outcomes(trials), trials.X, np.eye(trials.X.shape[-1])[1:2]
    cases = [
        first(cluster_robust(fit_ols(X[k][kept], y[k][:, kept]), UNEQUAL.team[kept], L))
        for k, kept in enumerate(~lost)
    ]
    found["complete cases, Satterthwaite"] = Inference(
        *(
            np.stack([getattr(one, name) for one in cases])
            for name in ("estimate", "std_error", "df")
        )
    )
    found[NOBODY_LOST] = regress(trials, y)
    return found


def bootstrap(truth: Truth, population: Population, draws: int, *names: str) -> dict[str, tuple]:
    """Return, for cost, effect and net benefit, how the two-stage bootstrap fares.

    For each: coverage of the percentile interval, SD of the draws over that of the estimates, and
    of the same data sets coverage by CR2.
    """
    rng = stream(SEED, "economic evaluation, bootstrap", *names)
    trials = draw(truth, population, UNEQUAL, draws, rng)
    data = np.concatenate([trials.cost, trials.utility], axis=-1)
    n = data.shape[1]
    weights = np.zeros((2, n, 4))
    weights[0, :, 1], weights[1] = 1.0, QALY
    intervals, spread = [], []
    for one in data:
        found = two_stage_bootstrap(
            one,
            one[None],
            weights=weights,
            offsets=np.zeros((2, n)),
            adjust=(0, 2),
            arm=UNEQUAL.arm,
            team=UNEQUAL.team,
            pair=UNEQUAL.trust,
            draws=BOOTSTRAP_DRAWS,
            rng=rng,
        )
        net = MAIN * found.effect - found.cost
        values = np.stack([1000 * found.effect, -found.cost, net])
        intervals.append(np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1))
        spread.append(values.var(axis=1, ddof=1))
    low, high = np.stack(intervals, axis=1)
    chosen = [0, 1, AT_MAIN]
    true = true_values(truth)[chosen]
    fits = regress(trials, outcomes(trials)[:, chosen])
    sd = fits.estimate.std(axis=0, ddof=1)
    by_t = fits.interval(LEVEL)
    return {
        name: (
            ((low <= true) & (true <= high)).mean(axis=0)[k],
            (np.sqrt(np.mean(spread, axis=0)) / sd)[k],
            ((by_t[0] <= true) & (true <= by_t[1])).mean(axis=0)[k],
        )
        for k, name in enumerate(("QALYs", "cost", "net benefit"))
    }


def coverage_of_cost(population: Population, design: Design, adjust: bool, draws: int) -> float:
    """Return how often the CR2 interval of a difference in cost covers, where there is none."""
    truth = TRUTHS["no difference"]
    rng = stream(SEED, "economic evaluation, reasons", str(population), str(design), str(adjust))
    covered = 0
    for start in range(0, draws, CHUNK):
        trials = draw(truth, population, design, min(CHUNK, draws - start), rng)
        low, high = regress(trials, trials.cost[:, None, :, 1], adjust=adjust).interval(LEVEL)
        covered += int(((low <= 0) & (high >= 0)).sum())
    return covered / draws
