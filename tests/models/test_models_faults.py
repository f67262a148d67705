"""What cannot be fitted: one sentence where all of a batch is at fault, a status where some is."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import RankDeficientError, classical, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_covariance, cluster_robust, hc3
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite
from ccp_analysis.models.team_level import paired_team_means, sign_flip

L = np.array([[0.0, 1.0, 0.0]])
GROUPS = np.repeat(np.arange(6), 5)
PAIR, ARM = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])


@pytest.fixture
def data():
    rng = np.random.default_rng(11)
    X = np.column_stack([np.ones(30), GROUPS % 2, rng.normal(size=30)])
    y = rng.normal(size=(4, 30)) + rng.normal(size=(4, 6))[:, GROUPS]
    return X, y


def numbers(X, y, groups=GROUPS):
    """Return estimate, standard error and df of the arm by every model, shape (..., 5, 3)."""
    ols, mixed = fit_ols(X, y), fit_random_intercept(X, y, groups)
    found = [
        classical(ols, L),
        cluster_robust(ols, groups, L),
        cluster_robust(ols, groups, L, "CR3"),
        kenward_roger(mixed, L),
        satterthwaite(mixed, L),
    ]
    rows = [np.concatenate([f.estimate, f.std_error, f.df], axis=-1) for f in found]
    return np.stack(rows, axis=-2), mixed


def assert_others_untouched(X, y, bad, others):
    whole, mixed = numbers(X, y)
    for i in others:
        alone, fit = numbers(X if X.ndim == 2 else X[i], y[i])
        np.testing.assert_allclose(whole[i], alone, rtol=1e-9)
        assert mixed.status[i] == fit.status
    assert mixed.status[bad] == "failed"
    assert np.isnan(mixed.coef[bad]).all()
    assert np.isnan([mixed.var_group[bad], mixed.var_resid[bad], mixed.deviance[bad]]).all()
    assert np.isnan(whole[bad][:, 1]).all()
    joint = kenward_roger_f(mixed, np.eye(3)[1:])
    assert np.isnan(joint.p_value[bad]) and np.isfinite(joint.p_value[others]).all()
    assert mixed.note[bad].endswith(".")
    return mixed.note[bad]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_value_fails_its_own_fit(data, value):
    X, y = data
    y[2, 7] = value
    assert "missing or infinite" in assert_others_untouched(X, y, 2, [0, 1, 3])
    fit = fit_ols(X, y)
    assert fit.status.tolist() == ["ok", "ok", "failed", "ok"]
    assert np.isnan(hc3(fit)[2]).all() and np.isfinite(hc3(fit)[[0, 1, 3]]).all()
    with pytest.raises(ValueError, match="missing or infinite"):
        fit_ols(X, y[2])


@pytest.mark.parametrize("constant", [0.0, 7.3, 1e6])
def test_a_constant_outcome(data, constant):
    X, y = data
    y[0] = constant
    assert "residual variance is zero" in assert_others_untouched(X, y, 0, [1, 2, 3])
    fit = fit_ols(X, y)
    assert fit.status[0] == "failed"
    assert fit.sigma2[0] == 0.0
    np.testing.assert_allclose(fit.coef[0], [constant, 0.0, 0.0], atol=1e-9 * (1.0 + constant))
    assert np.isnan(classical(fit, L).p_value[0]).all()
    assert fit_random_intercept(X, y[0], GROUPS).status == "failed"


def test_dependent_columns_are_named(data):
    X, y = data
    wide = np.column_stack([X, X[:, 0] - X[:, 1], X[:, 2] ** 2, np.zeros(30)])
    for fit in (fit_ols, lambda *xy: fit_random_intercept(*xy, GROUPS)):
        with pytest.raises(RankDeficientError, match="position 3, 5") as caught:
            fit(wide, y)
        assert caught.value.columns == (3, 5)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("fault", ["missing or infinite", "depend"])
def test_a_fault_of_one_design_fails_alone(data, fault):
    X, y = data
    designs = np.stack([X] * 4)
    if fault == "depend":
        designs[1, :, 2] = 2.0 * designs[1, :, 1] - 1.0
    else:
        designs[1, 3, 2] = np.nan
    assert fault in assert_others_untouched(designs, y, 1, [0, 2, 3])


def test_group_codes(data):
    X, y = data
    sparse = np.array([2, 30, 4, 51, 6, 9])[GROUPS]
    for ours, expected in zip(numbers(X, y, sparse)[0], numbers(X, y)[0], strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-9)
    fit = fit_ols(X, y)
    with pytest.raises(ValueError, match="At least two groups are needed, 1 found"):
        cluster_covariance(fit, np.zeros(30, dtype=int))
    with pytest.raises(ValueError, match="At least two groups are needed, 1 found"):
        fit_random_intercept(X, y, np.zeros(30, dtype=int))
    with pytest.raises(ValueError, match="one integer code for each of the 30 rows"):
        cluster_robust(fit, GROUPS.astype(float), L)
    with pytest.raises(ValueError, match="No group has two rows"):
        fit_random_intercept(X, y, np.arange(30))


def test_groups_explained_by_the_design(data):
    X, y = data
    dummies = np.equal.outer(GROUPS, np.arange(6)).astype(float)
    absorbing = np.column_stack([dummies, X[:, 2]])
    assert (fit_random_intercept(absorbing, y, GROUPS).status == "failed").all()
    other = np.column_stack([X, *(X[:, 2] ** power for power in (2, 3, 4, 5))])
    fit = fit_random_intercept(np.stack([absorbing, other]), y[:2], GROUPS)
    assert fit.status[0] == "failed" and fit.status[1] in ("ok", "boundary")
    assert "explains every difference" in fit.note[0]


def test_nothing_varies_within_groups(data):
    X, y = data
    by_group = np.array([1.0, 2.5, 2.0, 4.0, 3.0, 0.5])[GROUPS]
    y[1] = by_group
    designs = X[:, :2]
    fit = fit_random_intercept(designs, y, GROUPS)
    assert fit.status[1] == "failed"
    assert "within teams" in fit.note[1]
    assert (fit.status[[0, 2, 3]] != "failed").all()
    assert fit.status[0] == fit_random_intercept(designs, y[0], GROUPS).status


def test_clusters_alone_identify_a_contrast(data):
    X, y = data
    dummies = np.equal.outer(GROUPS, np.arange(6)).astype(float)
    for kind in ("CR2", "CR3"):
        found = cluster_robust(fit_ols(dummies, y), GROUPS, np.eye(6), kind)
        assert np.isfinite(found.estimate).all()
        assert np.isnan([found.std_error, found.df, found.p_value]).all()
    own = np.column_stack([X, GROUPS == 4])
    others = GROUPS != 4
    arm = cluster_robust(fit_ols(own, y), GROUPS, np.eye(4)[[1]])
    without = cluster_robust(fit_ols(X[others], y[:, others]), GROUPS[others], L)
    assert np.isfinite(arm.std_error).all()
    np.testing.assert_allclose(arm.df, without.df, rtol=0.2)


def test_leverage_of_one(data):
    X, y = data
    single = np.column_stack([X, np.arange(30) == 0])
    with_row, without = hc3(fit_ols(single, y)), hc3(fit_ols(X[1:], y[:, 1:]))
    np.testing.assert_allclose(with_row[:, :3, :3], without, rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda X, y: fit_ols(X, y[:, :-1]), "same n"),
        (lambda X, y: fit_ols(X[:3], y[:, :3]), "3 rows, 3 columns"),
        (lambda X, y: classical(fit_ols(X, y), np.eye(2)), "3 expected, 2 found"),
        (lambda X, y: cluster_covariance(fit_ols(X, y), GROUPS, "CR9"), "not CR9"),
        (lambda X, y: fit_random_intercept(X, y, GROUPS, method="MAP"), "not MAP"),
        (
            lambda X, y: kenward_roger(fit_random_intercept(X, y, GROUPS, method="ML"), L),
            "needs a fit by REML",
        ),
        (
            lambda X, y: kenward_roger(fit_random_intercept(X, y, GROUPS), L, information="no"),
            "not no",
        ),
        (
            lambda X, y: kenward_roger_f(fit_random_intercept(X, y, GROUPS), np.ones((2, 3))),
            "independent of one another",
        ),
        (lambda X, y: classical(fit_ols(X, y), L).interval(95), "not at 95"),
        (lambda X, y: sign_flip(np.ones(21)), "not 21"),
        (lambda X, y: pool(np.ones(3), np.ones(2)), "same shape"),
        (lambda X, y: pool(np.ones((3, 3)), np.ones((3, 3)), np.ones(3)), "one for each estimate"),
    ],
)
def test_wrong_calls_end_in_one_sentence(data, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(*data)


@pytest.mark.parametrize(
    ("pair", "arm", "sentence"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 0], "two teams, one in each arm"),
        ([0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], "two teams, one in each arm"),
        ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 2], "an arm, 0 or 1"),
        ([0, 0, 1, 1], [0, 1, 0, 1], "6 teams have rows and 4 pair codes"),
        ([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1, 0, 1], "6 teams have rows and 8"),
    ],
)
def test_pairs_that_are_none(data, pair, arm, sentence):
    _, y = data
    with pytest.raises(ValueError, match=sentence):
        paired_team_means(y, None, GROUPS, np.array(pair), np.array(arm))


def test_a_single_pair(data):
    with pytest.raises(ValueError, match="two pairs"):
        paired_team_means(data[1][:, :10], None, GROUPS[:10], PAIR[:2], ARM[:2])


def test_covariate_constant_within_teams(data):
    X, y = data
    level = np.array([0.1, 0.7, 0.3, 0.9, 0.2, 0.6])[GROUPS]
    with pytest.raises(RankDeficientError) as caught:
        paired_team_means(y, np.column_stack([X[:, 2], level]), GROUPS, PAIR, ARM)
    assert caught.value.columns == (1,)
    adjust = np.stack([X[:, [2]], level[:, None], X[:, [2]], X[:, [2]]])
    found = paired_team_means(y, adjust, GROUPS, PAIR, ARM)
    assert found.status.tolist() == ["ok", "failed", "ok", "ok"]
    assert np.isnan(sign_flip(found.pair_differences)).tolist() == [False, True, False, False]
    alone = paired_team_means(y[0], X[:, 2], GROUPS, PAIR, ARM)
    np.testing.assert_allclose(found.inference.std_error[0], alone.inference.std_error)


def test_pair_differences_that_do_not_vary(data):
    X, y = data
    y[0] = 3.2
    found = paired_team_means(y, X[:, 2], GROUPS, PAIR, ARM)
    assert found.status.tolist() == ["failed", "ok", "ok", "ok"]
    assert "do not vary" in found.note[0]
    assert np.isnan(found.inference.p_value[0]).all()


def test_sign_flip_of_five_pairs_has_a_floor():
    assert sign_flip(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == 0.0625
    assert sign_flip(np.zeros(5)) == 1.0


def test_pooling_where_nothing_is_missing():
    once = pool(np.array([[1.0, 2.0]]), np.array([[0.5, 0.25]]), np.array([[4.0, np.inf]]))
    same = pool(np.full(3, 0.1 + 0.2), np.full(3, 0.5), 4.0)
    np.testing.assert_array_equal(once.df, [4.0, np.inf])
    np.testing.assert_allclose(same.df, 4.0, rtol=1e-12)
    for pooled in (once, same):
        assert np.all(pooled.between < 1e-30) and np.all(pooled.mc_error < 1e-15)
        np.testing.assert_array_equal(pooled.fmi, np.zeros(pooled.fmi.shape))
        assert np.isfinite(pooled.p_value).all()
    np.testing.assert_allclose(once.std_error, [np.sqrt(0.5), 0.5])


def test_pooling_of_a_failed_fit_is_missing_alone():
    pooled = pool(np.array([[1.0, 2.0], [np.nan, 2.5]]), np.ones((2, 2)), np.full((2, 2), 10.0))
    assert np.isnan(pooled.estimate).tolist() == [True, False]
    assert np.isnan(pooled.p_value).tolist() == [True, False]
    flat = pool(np.ones((2, 1)), np.zeros((2, 1)), 5.0)
    assert np.isnan(flat.std_error).all() and np.isnan(flat.p_value).all()


def test_infinite_degrees_of_freedom_are_the_normal():
    found = Inference(np.array(1.96), np.array(1.0), np.array(np.inf))
    np.testing.assert_allclose(found.p_value, 0.04999579029644087, rtol=1e-12)
    np.testing.assert_allclose(found.interval()[0], 1.96 - 1.959963984540054, rtol=1e-9)
