"""Joint cluster-robust tests, sign-flip sets and intervals for the intraclass correlation."""

from __future__ import annotations

import numpy as np
import pytest
from visits_data import read

from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.random_signs import random_sign_flip
from ccp_analysis.models.robust import cluster_robust_f
from ccp_analysis.models.team_level import sign_flip, sign_flip_interval

pytestmark = pytest.mark.simulation

REFERENCE = read("few_clusters.json")
COLUMN = {"armintervention": "arm"}


def cases(kind: str) -> list:
    return [pytest.param(case, id=str(k)) for k, case in enumerate(REFERENCE[kind])]


@pytest.mark.parametrize("case", cases("joint"))
def test_joint_test_agrees_with_clubsandwich(trial, case):
    outcome, _, right = case["formula"].partition(" ~ ")
    terms = right.split(" + ")
    columns = ["1", *(c for t in terms for c in ([t] if t != "trust" else ["trust"] * 4))]
    fit = fit_ols(trial.design(*terms), trial[outcome])
    wanted = np.atleast_1d(case["terms"])
    chosen = [columns.index(COLUMN.get(name, name)) for name in wanted]
    ours = cluster_robust_f(fit, trial.groups, np.eye(len(columns))[chosen], kind=case["kind"])
    np.testing.assert_allclose(ours.statistic, case["Fstat"], rtol=1e-8)
    np.testing.assert_allclose(ours.df, case["df_denom"], rtol=1e-8)
    np.testing.assert_allclose(ours.p_value, case["p_val"], rtol=1e-7)
    assert ours.df_num == case["df_num"]


def test_a_batch_of_joint_tests_equals_its_members(trial):
    rng = np.random.default_rng(20261123)
    y = trial["y1"] + rng.normal(0, 1, (4, len(trial["y1"])))
    X, L = trial.design("arm", "y0", "age"), np.eye(4)[1:3]
    batch = cluster_robust_f(fit_ols(X, y), trial.groups, L)
    singles = [cluster_robust_f(fit_ols(X, row), trial.groups, L) for row in y]
    np.testing.assert_allclose(batch.statistic, [s.statistic for s in singles], rtol=1e-10)
    np.testing.assert_allclose(batch.df, [s.df for s in singles], rtol=1e-10)


def test_more_contrasts_than_the_clusters_can_tell_have_no_test(trial):
    X = trial.design("y0", "age", "female")
    ours = cluster_robust_f(fit_ols(X, trial["y1"]), trial.trust % 2, np.eye(4)[1:])
    assert np.isnan(ours.statistic)
    assert np.isnan(ours.p_value)


@pytest.mark.parametrize("case", cases("icc"))
def test_interval_of_the_intraclass_correlation(trial, case):
    fit = fit_ols(trial.design("arm", "y0", "trust"), trial[case["outcome"]])
    ours = intraclass_interval(fit, trial.groups, case["level"])
    np.testing.assert_allclose([ours.low, ours.high], [case["low"], case["high"]], atol=1e-9)
    assert (ours.df_between, ours.df_within) == (case["df_between"], case["df_within"])
    assert bool(ours.truncated) == (case["low"] == 0)


def test_equal_imputations_have_the_interval_of_one(trial):
    X = trial.design("arm", "y0", "trust")
    one = intraclass_interval(fit_ols(X, trial["y1"]), trial.groups)
    three = intraclass_interval(fit_ols(X, np.tile(trial["y1"], (3, 1))), trial.groups)
    np.testing.assert_allclose([one.low, one.high], [three.low, three.high], rtol=1e-12)


def test_limits_below_zero_cover_at_their_level(trial):
    """Where nothing is shared both limits can miss; above zero they are the same limits."""
    rng = np.random.default_rng(20261129)
    X, draws = trial.design("arm", "y0", "trust"), 400
    fits = [fit_ols(X, y) for y in rng.normal(0, 1, (draws, len(trial.groups)))]
    free = [intraclass_interval(fit, trial.groups, negative=True) for fit in fits]
    covered = np.mean([i.low <= 0 <= i.high for i in free])
    assert abs(covered - 0.95) <= 3 * (0.95 * 0.05 / draws) ** 0.5
    assert all(i.low < i.high and i.moments < i.high and not i.truncated for i in free)
    # Near the least value that there can be, the estimate by moments falls below the limit.
    assert np.mean([i.low > i.moments for i in free]) < 0.03
    cut = intraclass_interval(fit_ols(X, trial["y1"]), trial.groups)
    both = intraclass_interval(fit_ols(X, trial["y1"]), trial.groups, negative=True)
    assert both.high == pytest.approx(cut.high, abs=1e-12) or cut.high == 0


def test_a_design_that_takes_all_groups_has_no_intraclass_correlation(trial):
    X = np.eye(10)[trial.groups]
    with pytest.raises(ValueError, match="0 degrees of freedom between"):
        intraclass_interval(fit_ols(X, trial["y1"]), trial.groups)


@pytest.mark.parametrize("case", cases("sign_flip"))
def test_sign_flip_set_is_what_the_test_does_not_reject(case):
    low, high, level = sign_flip_interval(np.array(case["differences"]), case["level"])
    np.testing.assert_allclose([low, high], [case["low"], case["high"]], atol=1.01e-4)
    assert level == case["level"]
    for limit, inwards in ((low, 1e-9), (high, -1e-9)):
        differences = np.array(case["differences"]) - limit
        assert sign_flip(differences - inwards) > 1 - level
        assert sign_flip(differences + inwards) <= 1 - level


def test_random_signs_agree_with_the_list_of_all():
    differences = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])
    found = random_sign_flip(differences, 0.95, np.random.default_rng(1))
    exact, (low, high, level) = sign_flip(differences), sign_flip_interval(differences, 0.95)
    assert found.mc_low < exact < found.mc_high and found.level == pytest.approx(0.95, abs=1e-12)
    assert found.p_value == pytest.approx(exact, abs=3 * found.mc_error)
    # By 10,000 subsets a limit has an error of a sixteenth of the mean's standard error.
    error = differences.std(ddof=1) / 15**0.5
    assert level < 0.95 or max(abs(found.low - low), abs(found.high - high)) < 0.2 * error
    none = random_sign_flip(np.full(30, 2.0), 0.95, np.random.default_rng(1))
    assert none.p_value == 1e-4 and none.mc_low == 0.0


def test_five_pairs_allow_a_level_of_ninety_four_percent():
    assert sign_flip_interval(np.array([1.0, 5.0, 2.0, 4.0, 3.0]), 0.95) == (1.0, 5.0, 0.9375)
    with pytest.raises(ValueError, match="2 to 20 pairs"):
        sign_flip_interval(np.array([1.0]), 0.95)
