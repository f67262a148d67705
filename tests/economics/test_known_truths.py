"""The simulation of ``benchmarks/economic_evaluation.py``, reduced, and its generator."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr
from support.benchmarks import load
from support.small_study import drawn
from synthetic.trial_with_costs import (
    EQUAL,
    POPULATIONS,
    TRUTHS,
    UNEQUAL,
    Population,
    Truth,
    draw,
    moments,
)
from synthetic.trial_with_costs import QALY as QALY_WEIGHTS

from ccp_analysis.economics.compared import compared
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import (
    BASELINE_COST,
    BASELINE_UTILITY,
    COST,
    QALY,
    Evaluated,
)
from ccp_analysis.random import stream

pytestmark = pytest.mark.simulation

DRAWS = 1_000
CELLS = [("moderate", name, icc) for name in TRUTHS for icc in (0.0, 0.05)]
CELLS += [("strong", "trade-off", 0.05), ("strong", "dominant", 0.05)]


@pytest.fixture(scope="module")
def benchmark():
    return load("known_truths")


@pytest.fixture(scope="module")
def found(benchmark):
    """What every method finds, by costs, truth and intraclass correlation."""
    return {
        (costs, name, icc): benchmark.simulate(
            TRUTHS[name], replace(POPULATIONS[costs], icc=icc), DRAWS, "reduced", name, str(icc)
        )
        for costs, name, icc in CELLS
    }


# The generator ----------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
@pytest.mark.parametrize("costs", POPULATIONS)
@pytest.mark.parametrize("icc", [0.0, 0.05])
def test_differences_and_intraclass_correlations_are_exact(truth, costs, icc):
    mean, between, within = moments(truth, replace(POPULATIONS[costs], icc=icc))
    difference = mean[:, 1] - mean[:, 0]
    assert np.allclose(difference, [0, truth.cost, 0, truth.utility], rtol=1e-12, atol=1e-9)
    assert np.allclose(difference @ QALY_WEIGHTS, truth.effect, atol=1e-12)
    assert truth.net_benefit(30_000.0) == pytest.approx(30_000 * truth.effect - truth.cost)
    shares = np.diagonal(between / (between + within), axis1=-2, axis2=-1)
    assert np.allclose(shares, icc, atol=1e-12)
    assert (np.linalg.eigvalsh(within) > 0).all()


@pytest.mark.parametrize(
    ("population", "truth", "design"),
    [
        (Population(icc=0.05), TRUTHS["trade-off"], UNEQUAL),
        (Population(icc=0.0, correlation=0.5), TRUTHS["dominant"], EQUAL),
        (
            Population(icc=0.05, correlation=0.5, team_correlation=0.6),
            Truth(-300.0, 50.0, 0.05, proportional=True),
            UNEQUAL,
        ),
    ],
)
def test_draws_have_the_moments_they_should(population, truth, design):
    draws = 2_000
    trials = draw(truth, population, design, draws, stream(5, "moments", str(population)))
    mean, between, within = moments(truth, population)
    values = np.concatenate([trials.cost, trials.utility], axis=-1)
    seen = []
    for team, (trust, arm) in enumerate(zip(design.trusts, design.arms, strict=True)):
        x = values[:, design.team == team] - mean[trust, arm]
        n = x.shape[1]
        own = np.einsum("dik,dil->dkl", x, x) / n
        total = x.sum(axis=1)
        pairs = (total[:, :, None] * total[:, None] - n * own) / (n * (n - 1))
        whole = between[trust, arm] + within[trust, arm]
        scale = np.sqrt(np.diagonal(whole))
        apart = np.stack([own - whole, pairs - between[trust, arm]], axis=1)
        apart /= scale[:, None] * scale
        seen.append(np.concatenate([x.mean(axis=1) / scale, apart.reshape(draws, 32)], axis=1))
    by_team = np.stack(seen)  # team, draw, moment; each of expectation zero
    z = by_team.mean(axis=1) / (by_team.std(axis=1, ddof=1) / draws**0.5)
    assert np.abs(z).max() < 4.5
    overall = by_team.mean(axis=0)
    error = overall.std(axis=0, ddof=1) / draws**0.5
    assert (np.abs(overall.mean(axis=0)) < 3.5 * error).all()
    assert error[:4].max() < 0.02  # and this says something


# The estimates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_net_benefit_is_unbiased_and_covered_within_the_band(benchmark, found, cell):
    for method in (benchmark.METHODS[0], benchmark.METHODS[1]):
        p = benchmark.performance(found[cell][method], TRUTHS[cell[1]])
        assert (np.abs(p.bias) <= 3 * p.bias_error).all(), (method, p.bias / p.bias_error)
    p = benchmark.performance(found[cell][benchmark.METHODS[0]], TRUTHS[cell[1]])
    band = 3 * benchmark.coverage_error(DRAWS)
    # Of the outcomes, QALYs and the net benefit from 20,000 pounds; the cost alone covers more.
    chosen = np.delete(p.covers, 1)
    assert (chosen >= 0.95 - band).all() and (chosen <= 0.95 + band).all(), p.covers
    assert 0.95 - band <= p.covers[1] <= 0.965 + band, p.covers
    assert (np.abs(p.se_ratio - 1) < 0.1).all(), p.se_ratio


def test_inference_blind_to_teams_is_as_wrong_as_the_documentation_says(benchmark, found):
    for costs, name, icc in CELLS:
        *_, raw, blind = (
            benchmark.performance(one, TRUTHS[name]).covers[1:]
            for one in found[costs, name, icc].values()
        )
        assert (raw < 0.80).all()
        if icc:
            assert (blind < 0.92).all()
        else:
            assert (blind > 0.93).all()


@pytest.mark.parametrize("cell", [c for c in CELLS if c[1] == "trade-off"], ids=str)
def test_acceptability_is_one_half_where_cost_is_worth_the_effect(benchmark, found, cell):
    truth = TRUTHS["trade-off"]
    where = benchmark.crossing(benchmark.curves(found[cell][benchmark.METHODS[0]]), truth)
    for value, error in (where.net_benefit, where.curve):
        assert abs(value - truth.threshold) <= 3 * error
        assert error < 1_500
    for value, error in (where.at_truth, where.above):
        assert abs(value - 0.5) <= 3 * error


@pytest.mark.parametrize("cell", [c for c in CELLS if c[1] == "dominant"], ids=str)
def test_acceptability_of_the_dominant_rises(benchmark, found, cell):
    curves = benchmark.curves(found[cell][benchmark.METHODS[0]])
    rising = benchmark.monotone(curves)
    assert (np.diff(rising.expected) > 0).all()
    assert (np.diff(rising.mean) > 0).all()
    assert rising.expected[0] > 0.5
    # A single curve need not rise: its slope has the sign of a linear function of the threshold.
    assert 0.5 < rising.share < 1.0
    grid, (cost, effect, both) = benchmark.GRID, curves.variances
    start = curves.effect * cost - curves.cost * both
    slope = start + grid[:, None] * (curves.cost * effect - curves.effect * both)
    falls = (np.diff(curves.at(grid), axis=1) < 0).any(axis=1)
    assert not falls[(slope[0] >= 0) & (slope[-1] >= 0)].any()
    assert falls[(slope[1] < 0) | (slope[-2] < 0)].all()


def test_the_pipeline_gives_what_the_batch_gives(benchmark):
    """Two data sets as if they were imputed, through the net-benefit rows of the evaluation."""
    trials = draw(TRUTHS["trade-off"], Population(icc=0.05), UNEQUAL, 2, stream(5, "rows"))
    fits = benchmark.regress(trials, benchmark.outcomes(trials))
    pooled = benchmark.pool(fits.estimate, fits.std_error**2, fits.df)
    arm = np.where(UNEQUAL.arm == 1, "b", "a")
    people = {"arm": arm, "team": UNEQUAL.team.astype(str), "pair": UNEQUAL.trust}
    tables = []
    for k in range(3):
        cost, utility = trials.cost[k % 2], trials.utility[k % 2]
        values = {COST: cost[:, 1], QALY: trials.qaly[k % 2], BASELINE_COST: cost[:, 0]}
        values |= people | {BASELINE_UTILITY: utility[:, 0], "imputation": k}
        tables.append(pd.DataFrame(values | {"participant": np.arange(151)}))
    plan = {"pooling": "barnard-rubin", "confidence_level": 0.95, "covariates": []}
    plan = SimpleNamespace(**plan, estimand="e", seed=1)
    values = Evaluated(None, pd.concat(tables), [BASELINE_COST, BASELINE_UTILITY], "")
    rows = net_benefit_rows(compared(drawn(), plan, values, "imputed"), list(benchmark.THRESHOLDS))
    for k, (difference, probability) in enumerate(zip(rows[::2], rows[1::2], strict=True), 1):
        for name in ("estimate", "std_error", "df"):
            assert difference[name] == pytest.approx(getattr(pooled, name)[k], rel=1e-8)
        share = stdtr(pooled.df[k], pooled.estimate[k] / pooled.std_error[k])
        assert probability["estimate"] == pytest.approx(share, rel=1e-8)


def test_imputed_follow_ups_leave_it_unbiased_and_covered(benchmark):
    truth, draws = TRUTHS["trade-off"], 60
    found = benchmark.lose_and_impute(truth, Population(icc=0.05), draws, "reduced")
    for name, one in found.items():
        p = benchmark.performance(one, truth)
        assert (np.abs(p.bias) <= 3 * p.bias_error).all(), (name, p.bias / p.bias_error)
        if name != benchmark.NOBODY_LOST:  # whose coverage is measured above
            assert (p.covers >= 0.95 - 3 * benchmark.coverage_error(draws)).all(), name


def test_the_bootstrap_varies_about_as_the_estimates_do(benchmark):
    found = benchmark.bootstrap(TRUTHS["trade-off"], Population(icc=0.05), 30, "reduced")
    for name, (covers, ratio, by_t) in found.items():
        assert 0.7 < ratio < 1.4, name
        assert 0.6 < covers <= 1.0, name
        assert by_t > 0.8, name
