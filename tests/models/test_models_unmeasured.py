"""Unmeasured confounding: robustness values, the bias that strengths imply, and tipping points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import read

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.models.unmeasured import (
    adjusted,
    contours,
    measured,
    paired_strengths,
    partial_r2,
    robustness_value,
    tipping,
)

REFERENCE = read("weighting.json")
few = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def of(t: float, df: float, se: float = 1.0) -> Inference:
    return Inference(np.array([t * se]), np.array([se]), np.array([float(df)]))


@pytest.mark.parametrize("case", REFERENCE["robustness"], ids=str)
def test_robustness_values_agree_with_the_formula_and_with_the_worst_confounder(case):
    level = None if case["alpha"] is None else 1.0 - case["alpha"]
    found = robustness_value(of(case["t"], case["df"]), case["q"], level)
    np.testing.assert_allclose(found, case["rv"], rtol=1e-8)
    if level is not None:
        np.testing.assert_allclose(found, case["worst"], atol=1e-8)


def test_the_same_t_is_worth_more_with_few_degrees_of_freedom():
    found = [round(float(robustness_value(of(1.0, df))[0]), 2) for df in (145, 4)]
    assert found == [0.08, 0.39]


@pytest.mark.parametrize("q", [1.0, 0.5])
@pytest.mark.parametrize("df", [4, 12, 145])
def test_a_confounder_of_that_strength_takes_the_share_away(q, df):
    found = of(-6.0, df, se=0.7)
    rv = robustness_value(found, q)
    left = adjusted(found, rv, rv).estimate
    np.testing.assert_allclose(left, (1.0 - q) * found.estimate, rtol=1e-8, atol=1e-10)
    # And no confounder that is no stronger does it to the interval before RV_{q, alpha}.
    rv = robustness_value(found, q, 0.95)
    grid = np.linspace(0.0, float(rv[0]), 400)
    high = contours(found, grid, grid).interval(0.95)[1]
    assert high.max() <= (1.0 - q) * found.estimate[0] + 1e-6 or rv == 0.0


def test_with_a_single_degree_of_freedom_nothing_is_left():
    found = of(3.0, 1)
    assert np.isnan(robustness_value(found, level=0.95)).all()
    assert np.isfinite(robustness_value(found)).all()
    assert np.isnan(adjusted(found, 0.1, 0.1).std_error).all()


@few
@given(seed=seeds)
def test_bias_and_standard_error_are_exact_for_a_confounder_that_is_known(seed):
    rng = np.random.default_rng(seed)
    y, u = rng.normal(size=5), rng.normal(size=(5, 1)) + rng.normal()
    short = classical(fit_ols(np.ones((5, 1)), y), np.eye(1))
    long = classical(fit_ols(np.column_stack([np.ones(5), u]), y), np.eye(2)[:1])
    strengths = paired_strengths(y, u)
    towards = long.estimate[0] + np.sign(long.estimate[0] - short.estimate[0])
    found = adjusted(short, strengths.arm, strengths.outcome, towards)
    np.testing.assert_allclose(found.estimate, long.estimate, rtol=1e-8)
    np.testing.assert_allclose(found.std_error, long.std_error, rtol=1e-8)
    assert found.df == long.df == 3


def test_the_paired_t_test_is_the_regression_of_team_means(trial):
    units = trial.table.drop_duplicates("team")
    pair = np.unique(units["trust"], return_inverse=True)[1]
    arm = (units["arm"] == "intervention").to_numpy(int)
    found = paired_team_means(trial["y1"], None, trial.groups, pair, arm)
    wanted = REFERENCE["teams"]
    ours = [v[0] for v in (found.inference.estimate, found.inference.std_error, found.inference.df)]
    np.testing.assert_allclose(ours, [wanted["estimate"], wanted["se"], wanted["df"]], rtol=1e-8)
    np.testing.assert_allclose(
        partial_r2(found.inference),
        found.inference.statistic**2 / (found.inference.statistic**2 + 4),
    )
    names = ("age", "y0", "cost")
    d = [
        paired_team_means(trial[name], None, trial.groups, pair, arm).pair_differences
        for name in names
    ]
    strengths = paired_strengths(found.pair_differences, np.stack(d, axis=-1))
    for k, name in enumerate(names):
        case = REFERENCE["benchmarks"][name]
        np.testing.assert_allclose(strengths.arm[k], case["arm"], rtol=1e-8)
        np.testing.assert_allclose(strengths.outcome[k], case["outcome"], rtol=1e-7)


def test_covariates_of_teams_that_tell_nothing_are_refused():
    y = np.array([[1.0, 2.0, 0.5, 1.5, 3.0]] * 2)
    d = np.stack([np.zeros(5), np.full(5, 0.3), np.array([1.0, -1.0, 2.0, 0.0, 0.5])], axis=-1)
    found = paired_strengths(y, np.stack([d, d]))
    assert found.status.tolist() == [["refused", "refused", "ok"]] * 2
    assert "does not differ" in found.note[0, 0] and "apart from the arm" in found.note[0, 1]
    assert np.isnan(found.arm[:, :2]).all() and np.isfinite(found.outcome[:, 2]).all()


def test_contours_are_a_grid_of_adjusted_comparisons():
    found = Inference(np.array([[2.0], [-1.0]]), np.array([[1.0], [0.5]]), np.array([[4.0], [4.0]]))
    arm, outcome = np.array([0.0, 0.2, 0.5]), np.array([0.0, 0.9])
    grid = contours(found, arm, outcome)
    assert grid.estimate.shape == grid.std_error.shape == grid.df.shape == (2, 1, 3, 2)
    np.testing.assert_allclose(grid.estimate[..., 0, 0], found.estimate)
    one = adjusted(found, 0.5, 0.9)
    np.testing.assert_allclose(grid.estimate[..., 2, 1], one.estimate)
    np.testing.assert_allclose(grid.std_error[..., 2, 1], one.std_error)
    assert (np.sign(found.estimate) * (found.estimate - one.estimate) > 0.0).all()


@few
@given(seed=seeds)
def test_a_difference_at_the_tipping_point_moves_the_interval_there(seed):
    rng = np.random.default_rng(seed)
    found = Inference(
        rng.normal(0, 2, (20, 1)), rng.uniform(0.3, 2, (20, 1)), np.full((20, 1), 4.0)
    )
    for mcid in (1.5, -1.5):
        points = tipping(found, mcid)
        low, high = found.interval(0.95)
        moved = np.minimum(np.abs(low - points.to_zero), np.abs(high - points.to_zero))
        np.testing.assert_allclose(moved, 0.0, atol=1e-12)
        assert (np.abs(points.to_zero) <= np.minimum(np.abs(low), np.abs(high)) + 1e-12).all()
        there = (low - points.to_mcid <= mcid + 1e-9) & (mcid - 1e-9 <= high - points.to_mcid)
        assert there.all()
        assert ((points.to_mcid == 0.0) == ((low <= mcid) & (mcid <= high))).all()
        np.testing.assert_allclose(found.estimate - points.hides_mcid, mcid)
    nothing = Inference(np.ones(1), np.array([np.nan]), np.array([np.nan]))
    points = tipping(nothing, 1.0)
    assert np.isnan([points.to_zero, points.to_mcid, points.hides_mcid]).all()


def test_what_a_measured_covariate_moves_is_what_leaving_it_out_does(trial):
    X = trial.design("arm", "y0", "age", "female", "trust")
    fit = fit_ols(X, np.stack([trial["y1"], trial["costk"]]))
    sd = X[:, 2:5].std(axis=0, ddof=1)
    per_sd, moved = measured(fit, np.eye(X.shape[1])[1:2], [2, 3, 4], sd)
    np.testing.assert_allclose(moved[0, 0], REFERENCE["moved"], rtol=1e-8)
    np.testing.assert_allclose(per_sd, fit.coef[:, 2:5] * sd)
    for k, column in enumerate((2, 3, 4)):
        without = fit_ols(np.delete(X, column, axis=1), trial["costk"]).coef[1]
        np.testing.assert_allclose(moved[1, 0, k], without - fit.coef[1, 1], rtol=1e-8)
