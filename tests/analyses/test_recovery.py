"""Recovery of truth: draw the design of the study, lose people, impute, analyse, pool.

Ten teams in five pairs with the sizes of the Connecting People study; scores with a team variance
of 5 % at both visits and a correlation of 0.6; 16 % are lost, the likelier the lower their
baseline. Every draw is imputed and analysed as the pipeline does it, the models in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from support.small_study import drawn

from ccp_analysis.analyses.comparison import Question, compare
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.models.averaged import AVERAGED, pool_by
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.pooling import Pooled
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.random import stream

pytestmark = pytest.mark.simulation

DRAWS, M, ITERATIONS = 500, 5, 4
MEAN, SD, ICC, CORRELATION, LOST = 14.0, 5.0, 0.05, 0.6, 0.16
SIZES = np.array([22, 18, 13, 19, 10, 17, 20, 9, 15, 8])
ARM_OF_TEAM = np.array([1, 0, 0, 1, 1, 0, 0, 1, 1, 0])
TEAM = np.repeat(np.arange(10), SIZES)
PAIR = TEAM // 2
ARM = ARM_OF_TEAM[TEAM].astype(float)
TEAMS = (TEAM[:, None] == np.arange(1, 10)).astype(float)
PAIRS = (PAIR[:, None] == np.arange(1, 5)).astype(float)
NOMINAL = 0.95
LOWEST = NOMINAL - 3 * np.sqrt(NOMINAL * (1 - NOMINAL) / DRAWS)


def draw(effect: float, rng: np.random.Generator) -> np.ndarray:
    """Return age, baseline and follow-up, shape (n, 3), the follow-up of some NaN."""
    n = len(TEAM)
    corr = np.linalg.cholesky(np.array([[1, CORRELATION], [CORRELATION, 1]]))
    pair = rng.normal(size=(5, 1))[PAIR]
    team = (rng.normal(size=(10, 2)) @ corr.T)[TEAM]
    person = rng.normal(size=(n, 2)) @ corr.T
    age = rng.normal(45, 12, size=n)
    scores = MEAN + pair + SD * (np.sqrt(ICC) * team + np.sqrt(1 - ICC) * person)
    scores[:, 1] += effect * ARM + 0.02 * (age - 45)
    odds = np.log(LOST / (1 - LOST)) - 0.16 - 0.6 * (scores[:, 0] - MEAN) / SD
    scores[rng.random(n) < 1 / (1 + np.exp(-odds)), 1] = np.nan
    return np.column_stack([age, scores])


@dataclass(frozen=True)
class Recovered:
    """Completed draws (m, draws, n, 3), share of people lost, pooled results by model."""

    values: np.ndarray
    lost: float
    fits: dict[str, Pooled]
    boundary: float


def recover(effect: float, method: str) -> Recovered:
    rng = stream(20261122, "recovery", method, str(effect))
    plan = [Conditional(2, (0, 1), method=method)]
    observed = [draw(effect, rng) for _ in range(DRAWS)]
    values = np.stack(
        [
            impute(d, plan, m=M, iterations=ITERATIONS, rng=rng, fixed=TEAMS).values
            for d in observed
        ],
        axis=1,
    )
    fixed = np.column_stack([np.ones(len(TEAM)), ARM, PAIRS])
    X = np.concatenate(
        [np.broadcast_to(fixed, (*values.shape[:3], fixed.shape[1])), values[..., :2]], axis=-1
    )
    y, contrast = values[..., 2], np.eye(X.shape[-1])[1:2]
    mixed = fit_random_intercept(X, y, TEAM)
    by_rule = {
        "ancova, CR2, averaged": (AVERAGED, cluster_robust(fit_ols(X, y), TEAM, contrast)),
        "mixed, Kenward-Roger, Rubin": ("barnard-rubin", kenward_roger(mixed, contrast)),
    }
    pooled = {name: pool_by(rule, fit.part(np.s_[..., 0])) for name, (rule, fit) in by_rule.items()}
    lost = float(np.mean([np.isnan(d).any(axis=1).mean() for d in observed]))
    return Recovered(values, lost, pooled, float((mixed.status == "boundary").mean()))


LONG = pytest.mark.long
CASES = [
    pytest.param((1.5, "lrd"), id="effect 1.5, lrd"),
    pytest.param((0.0, "lrd"), id="effect 0, lrd", marks=LONG),
    pytest.param((1.5, "norm"), id="effect 1.5, norm", marks=LONG),
]


@pytest.fixture(scope="module", params=CASES)
def case(request) -> tuple[float, str, Recovered]:
    return *request.param, recover(*request.param)


def test_bias_and_coverage(case, capsys):
    effect, method, found = case
    assert found.lost == pytest.approx(LOST, abs=0.02)
    for name, fit in found.fits.items():
        assert np.isfinite(fit.estimate).all()
        error = fit.estimate - effect
        bias, of_bias = error.mean(), error.std(ddof=1) / np.sqrt(DRAWS)
        low, high = fit.interval(NOMINAL)
        coverage = ((low <= effect) & (effect <= high)).mean()
        with capsys.disabled():
            print(
                f"\n  effect {effect}, {method}, {name}: bias {bias:+.3f} (Monte Carlo error "
                f"{of_bias:.3f}), coverage {coverage:.3f} (at least {LOWEST:.3f} asked), mean SE "
                f"{fit.std_error.mean():.3f} for an SD of {error.std(ddof=1):.3f}, mean df "
                f"{fit.df.mean():.1f}, team variance zero in {found.boundary:.0%}"
            )
        assert abs(bias) <= 3 * of_bias
        assert coverage >= LOWEST


def test_the_pipeline_gives_what_the_batch_gives(case):
    """A few draws through `compare`, as the analyse stage calls it."""
    _, _, found = case
    study = drawn()
    people = {"arm": np.where(ARM == 1, "b", "a"), "team": TEAM.astype(str), "pair": PAIR}
    ask = Question("y", "y1", "y0", ["age"], "points", NOMINAL)
    for number in range(3):
        tables = pd.concat(
            [
                pd.DataFrame(done, columns=["age", "y0", "y1"]).assign(imputation=k, **people)
                for k, done in enumerate(found.values[:, number], start=1)
            ],
            ignore_index=True,
        )
        for model, fit in zip(("ancova", "mixed"), found.fits.values(), strict=True):
            row = compare(model, study, tables, "imputed", replace(ask, pooling=fit.rule))[0]
            assert row["estimate"] == pytest.approx(fit.estimate[number], abs=1e-8)
            assert row["std_error"] == pytest.approx(fit.std_error[number], rel=1e-6)
            assert row["df"] == pytest.approx(fit.df[number], rel=1e-6)
