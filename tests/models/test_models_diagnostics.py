"""Residuals, influence and tests of assumptions: against R, as a batch, and where they end."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from visits_data import read

from ccp_analysis.models.diagnostics import (
    classical_f,
    deletion_t,
    leave_one_out,
    normal_scores,
    residuals_of,
    spline_terms,
    spread_slope,
    variance_ratio,
)
from ccp_analysis.models.ols import RankDeficientError, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust

REFERENCE = read("diagnostics.json")
TERMS = ("arm", "y0", "age", "trust")
CLOSED = {"rtol": 1e-8}


def arm_by_cr2(X, y, groups):
    return cluster_robust(fit_ols(X, y), groups, np.eye(X.shape[-1])[1:2])


@pytest.fixture
def parts(trial):
    return residuals_of(trial.design(*TERMS), trial["y1"])


def test_residuals_and_influence_of_least_squares_are_those_of_r(parts):
    expected = REFERENCE["lm"]
    np.testing.assert_allclose(parts.standardised, expected["rstandard"], atol=1e-10)
    np.testing.assert_allclose(parts.leverage, expected["hat"], **CLOSED)
    np.testing.assert_allclose(parts.cook, expected["cook"], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(parts.fitted, expected["fitted"], **CLOSED)
    np.testing.assert_allclose(parts.scale, expected["sigma"], **CLOSED)
    assert parts.effects.shape == (0,)
    found = stats.shapiro(parts.standardised)
    np.testing.assert_allclose([found.statistic, found.pvalue], expected["shapiro"], rtol=1e-6)


def test_conditional_residuals_and_predicted_effects_are_those_of_lme4(trial):
    expected = REFERENCE["lmer"]
    X, y = trial.design(*TERMS), trial["y1"]
    ours = residuals_of(X, y, trial.groups, expected["ratio"])
    np.testing.assert_allclose(ours.standardised, expected["rstandard"], atol=1e-7)
    np.testing.assert_allclose(ours.leverage, expected["hat"], rtol=1e-7)
    np.testing.assert_allclose(ours.cook, expected["cook"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ours.fitted, expected["fitted"], rtol=1e-7)
    np.testing.assert_allclose(ours.scale, expected["sigma"], rtol=1e-7)
    np.testing.assert_allclose(ours.effects, expected["ranef"], rtol=1e-6)
    fit = fit_random_intercept(X, y, trial.groups)
    ratio = fit.var_group / fit.var_resid
    np.testing.assert_allclose(ratio, expected["ratio"], rtol=1e-4)
    again = residuals_of(X, y, trial.groups, ratio)
    np.testing.assert_allclose(again.scale**2, fit.var_resid, rtol=1e-10)
    np.testing.assert_allclose(again.fitted, X @ fit.coef, rtol=1e-10)


def test_without_a_group_variance_the_groups_do_not_matter(trial, parts):
    ours = residuals_of(trial.design(*TERMS), trial["y1"], trial.groups, 0.0)
    for name in ("standardised", "cook", "leverage", "fitted", "scale"):
        np.testing.assert_allclose(getattr(ours, name), getattr(parts, name), atol=1e-12)
    assert not ours.effects.any()


def test_inference_for_the_residual_variance_is_that_of_clubsandwich_and_sandwich(trial, parts):
    expected = REFERENCE["variance"]
    slope, ratio = (f(parts, trial["arm"], trial.groups) for f in (spread_slope, variance_ratio))
    for ours, name, key in ((slope, "slope", "slope"), (ratio, "ratio", "log_ratio")):
        np.testing.assert_allclose(ours.estimate, [expected[key]], **CLOSED)
        np.testing.assert_allclose(ours.std_error, [expected[f"{name}_se"]], **CLOSED)
        np.testing.assert_allclose(ours.df, [expected[f"{name}_df"]], **CLOSED)
    plain = spread_slope(parts, trial["arm"]), variance_ratio(parts, trial["arm"])
    for ours, name, df in zip(plain, ("slope", "ratio"), (148, 149), strict=True):
        np.testing.assert_allclose(ours.std_error, [expected[f"{name}_hc3"]], **CLOSED)
        assert ours.df == df


def test_the_spline_spans_that_of_r(trial):
    expected = REFERENCE["spline"]
    X = np.column_stack([trial.design(*TERMS), spline_terms(trial["y0"])])
    ours = classical_f(fit_ols(X, trial["y1"]), np.eye(X.shape[-1])[-2:])
    np.testing.assert_allclose(ours.statistic, expected["Fstat"], **CLOSED)
    np.testing.assert_allclose(ours.p_value, expected["p"], rtol=1e-7)
    assert (ours.df_num, ours.df) == (expected["df"], expected["df_resid"])


def test_the_spline_is_a_straight_line_beyond_its_outer_knots():
    x = np.concatenate([np.linspace(0, 1, 101), [3.0, 4.0, 5.0], [-3.0, -4.0, -5.0]])
    terms = spline_terms(x)
    np.testing.assert_allclose(terms[-3:], 0.0)
    np.testing.assert_allclose(terms[101] + terms[103], 2 * terms[102], rtol=1e-10)


@pytest.mark.parametrize("unit", ["team", "trust"])
def test_leaving_out_is_fitting_anew_in_r(trial, unit):
    codes = {"team": trial.groups, "trust": trial.trust}[unit]
    ours = leave_one_out(arm_by_cr2, trial.design(*TERMS), trial["y1"], trial.groups, codes)
    expected = REFERENCE["without"][unit]
    labels = trial.table[unit].unique().tolist()
    order = [labels.index(one["left_out"]) for one in expected]
    for name, key in (("estimate", "beta"), ("std_error", "SE"), ("df", "df")):
        found = getattr(ours, name)[order]
        np.testing.assert_allclose(found, [one[key] for one in expected], rtol=1e-7)


def test_deletion_residuals_and_normal_scores_are_those_of_r():
    expected = REFERENCE["deletion"]
    statistic, p = deletion_t(expected["differences"])
    np.testing.assert_allclose(statistic, expected["rstudent"], **CLOSED)
    np.testing.assert_allclose(p, 2 * stats.t.sf(np.abs(statistic), 3), rtol=1e-10)
    np.testing.assert_allclose(normal_scores(5), REFERENCE["scores"]["five"], atol=1e-12)
    np.testing.assert_allclose(normal_scores(12), REFERENCE["scores"]["twelve"], atol=1e-12)


def test_cook_is_what_leaving_a_person_out_moves(trial, parts):
    """By definition: D_i = (b - b_(i))' X'X (b - b_(i)) / (p s^2)."""
    X, y = trial.design(*TERMS), trial["y1"]
    full = fit_ols(X, y)
    for i in (0, 40, int(np.argmax(parts.cook))):
        moved = full.coef - fit_ols(np.delete(X, i, 0), np.delete(y, i)).coef
        distance = moved @ X.T @ X @ moved / (X.shape[1] * full.sigma2)
        np.testing.assert_allclose(parts.cook[i], distance, rtol=1e-7)


def test_a_batch_equals_its_members(trial):
    rng = np.random.default_rng(20261124)
    X, arm = trial.design(*TERMS), trial["arm"]
    y = trial["y1"] + rng.normal(0, 2, (3, len(X)))
    designs = X + np.zeros((3, 1, 1))
    designs[..., 3] += rng.normal(0, 1, (3, len(X)))

    def numbers(X, y, ratio):
        parts = residuals_of(X, y, trial.groups, ratio)
        found = [f(parts, arm, trial.groups).p_value for f in (spread_slope, variance_ratio)]
        found.append(leave_one_out(arm_by_cr2, X, y, trial.groups, trial.trust).p_value)
        return [*vars(parts).values(), *found, spline_terms(X[..., 3])]

    ratio = np.array([0.0, 0.1, 0.5])
    whole = numbers(designs, y, ratio)
    for k in range(3):
        for many, alone in zip(whole, numbers(designs[k], y[k], ratio[k]), strict=True):
            np.testing.assert_allclose(many[k], alone, rtol=1e-8, atol=1e-11)


def test_a_row_with_a_column_of_its_own_has_no_influence(trial):
    own = np.zeros(len(trial["y1"]))
    own[7] = 1.0
    parts = residuals_of(np.column_stack([trial.design("arm", "y0"), own]), trial["y1"])
    assert parts.leverage[7] == pytest.approx(1.0)
    assert (parts.cook[7], parts.standardised[7]) == (0.0, 0.0)
    assert np.isfinite(parts.cook).all()


def test_what_cannot_be_asked(trial):
    X, y = trial.design(*TERMS), trial["y1"]
    with pytest.raises(ValueError, match="needs groups"):
        residuals_of(X, y, ratio=0.1)
    with pytest.raises(ValueError, match="too many ties"):
        spline_terms(np.repeat([0.0, 1.0], [90, 10]))
    with pytest.raises(ValueError, match="at least three, 2 found"):
        deletion_t([1.0, 2.0])
    halves = (trial["arm"] == 1).astype(int)
    with pytest.raises(ValueError, match="Without one unit the arms cannot be compared"):
        leave_one_out(arm_by_cr2, X, y, trial.groups, halves)
    with pytest.raises(RankDeficientError):
        residuals_of(np.column_stack([X, X[:, 2]]), y)
