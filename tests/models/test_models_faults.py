"""What cannot be fitted: one sentence where all of a batch is at fault, a status where some is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from every_model import FAMILIES, MODELS, VISITS, draw, everything, fails_alone
from visits_data import draw as draw_visits

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.ols import RankDeficientError, classical, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_covariance, cluster_robust, hc3
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f
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


# --- one of a batch -------------------------------------------------------------------------------

# What is done to the second of four fits, and what is said of it.
FAULTS = {
    "missing": (lambda X, y: y.__setitem__((1, 7), np.nan), "missing or infinite"),
    "infinite": (lambda X, y: y.__setitem__((1, 7), np.inf), "missing or infinite"),
    "missing covariate": (lambda X, y: X.__setitem__((1, 3, 2), np.nan), "missing or infinite"),
    "dependent": (
        lambda X, y: X.__setitem__((1, ..., 6 if X.shape[-1] == 7 else 2), 1 - 2 * X[1, :, 1]),
        "depend",
    ),
    "constant": (lambda X, y: y[1].fill(1.0), ""),
}
OF_CONSTANTS = {"random intercept": "residual variance is zero", "pairs": "do not vary"}
OF_CONSTANTS |= dict.fromkeys(VISITS, "residual variance is zero")
OF_CONSTANTS |= dict.fromkeys(FAMILIES, "The outcome is the same for everyone")


# Means of teams know what is missing, not what is infinite.
EVERY = [pair for pair in product(MODELS, FAULTS) if pair != ("pairs", "infinite")]


@pytest.mark.parametrize(("model", "fault"), EVERY)
def test_a_fault_of_one_fit_fails_alone(model, fault):
    X, y, *codes = draw(model, 3, (4,))
    change, said = FAULTS[fault]
    change(X, y)
    fails_alone(model, X, y, codes, 1, said or OF_CONSTANTS.get(model, "fitted exactly"))


@pytest.mark.parametrize("model", ["least squares", "random intercept", "us", "binomial"])
def test_dependent_columns_are_named(model):
    X, y, *codes = draw(model, 1)
    p = X.shape[-1]
    wide = np.column_stack([X, X[:, 0] - X[:, 1], X[:, -1] ** 2, np.zeros(len(y))])
    with pytest.raises(RankDeficientError, match=f"position {p}, {p + 2}") as caught:
        everything(model, wide, y, *codes)
    assert caught.value.columns == (p, p + 2) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize("constant", [0.0, 7.3, 1e6])
def test_a_constant_outcome(data, constant):
    X, y = data
    y[0] = constant
    fit = fit_ols(X, y)
    assert fit.status.tolist() == ["failed", "ok", "ok", "ok"] and fit.sigma2[0] == 0.0
    np.testing.assert_allclose(fit.coef[0], [constant, 0.0, 0.0], atol=1e-9 * (1.0 + constant))
    assert fit_random_intercept(X, y[0], GROUPS).status == "failed"


def test_groups_explained_by_the_design(data):
    X, y = data
    dummies = np.equal.outer(GROUPS, np.arange(6)).astype(float)
    absorbing = np.column_stack([dummies, X[:, 2]])
    other = np.column_stack([X, *(X[:, 2] ** power for power in (2, 3, 4, 5))])
    fit = fit_random_intercept(np.stack([absorbing, other]), y[:2], GROUPS)
    assert fit.status[0] == "failed" and fit.status[1] in ("ok", "boundary")
    assert "explains every difference" in fit.note[0]
    X, y, person, visit, team = draw_visits(41, batch=(4,))
    dummies = np.equal.outer(team, np.arange(1, 6)).astype(float)
    designs = np.stack([np.column_stack([X[:, :3], dummies])] * 4)
    designs[1:, :, 3:] += np.random.default_rng(1).normal(size=(3, len(team), 5))
    fit = fit_mixed(designs, y, person, visit, team=team)
    assert (fit.status == "failed").tolist() == [True, False, False, False]
    assert "explains every difference between teams" in fit.note[0]


def test_nothing_varies_within_groups(data):
    X, y = data
    y[1] = np.array([1.0, 2.5, 2.0, 4.0, 3.0, 0.5])[GROUPS]
    fit = fit_random_intercept(X[:, :2], y, GROUPS)
    assert (fit.status == "failed").tolist() == [False, True, False, False]
    assert "within teams" in fit.note[1]


def test_visits_that_repeat_each_other_and_fewer_people_than_visits():
    X, y, person, visit, _ = draw_visits(41, batch=(4,))
    # Everyone's second visit is the first again: a covariance without an inverse.
    first = np.full(person.max() + 1, np.nan)
    first[person[visit == 0]] = y[3][visit == 0]
    again = (visit == 1) & ~np.isnan(first[person])
    y[3][again] = first[person[again]] + 0.5
    fit = fit_mixed(X, y, person, visit)
    assert fit.status.tolist() == ["ok", "ok", "ok", "failed"]
    assert "without bound" in fit.note[3]
    few = np.isin(person, [0, 1, 2])
    fit = fit_mixed(X[few][:, :3], y[:, few], person[few], visit[few])
    assert (fit.status == "failed").all()


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


# --- wrong calls ----------------------------------------------------------------------------------


def ri(X, y, groups=GROUPS, **more):
    return fit_random_intercept(X, y, groups, **more)


NOBODY = np.zeros(30, dtype=int)
CALLS = [
    (lambda X, y: fit_ols(X, y[:, :-1]), "same n"),
    (lambda X, y: fit_ols(X[:3], y[:, :3]), "3 rows, 3 columns"),
    (lambda X, y: fit_ols(X, np.where(np.arange(30) == 7, np.nan, y[2])), "missing or infinite"),
    (lambda X, y: classical(fit_ols(X, y), np.eye(2)), "3 expected, 2 found"),
    (lambda X, y: cluster_covariance(fit_ols(X, y), GROUPS, "CR9"), "not CR9"),
    (lambda X, y: cluster_covariance(fit_ols(X, y), NOBODY), "two groups are needed, 1 found"),
    (lambda X, y: cluster_robust(fit_ols(X, y), 1.0 * GROUPS, L), "code for each of the 30 rows"),
    (lambda X, y: ri(X, y, NOBODY), "At least two groups are needed, 1 found"),
    (lambda X, y: ri(X, y, np.arange(30)), "No group has two rows"),
    (lambda X, y: ri(X, y, method="MAP"), "not MAP"),
    (lambda X, y: kenward_roger(ri(X, y, method="ML"), L), "needs a fit by REML"),
    (lambda X, y: kenward_roger(ri(X, y), L, information="no"), "not no"),
    (lambda X, y: kenward_roger_f(ri(X, y), np.ones((2, 3))), "independent of one another"),
    (lambda X, y: classical(fit_ols(X, y), L).interval(95), "not at 95"),
    (lambda X, y: sign_flip(np.ones(21)), "not 21"),
    (lambda X, y: pool(np.ones(3), np.ones(2)), "same shape"),
    (lambda X, y: pool(np.ones((3, 3)), np.ones((3, 3)), np.ones(3)), "one for each estimate"),
]


@pytest.mark.parametrize(("call", "sentence"), CALLS)
def test_wrong_calls_end_in_one_sentence(data, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(*data)


def changed(**more):
    """Return what changes arguments of `fit_mixed`: functions of the data, or values."""
    return lambda given: given | {k: v(given) if callable(v) else v for k, v in more.items()}


def of_rows(where):
    """Keep rows, and two columns that these leave independent."""
    return lambda d: {
        **{k: v[where(d)] for k, v in d.items() if k in ("person", "visit")},
        **{"X": d["X"][where(d)][:, [0, 3]], "y": d["y"][:, where(d)]},
    }


OF_VISITS = [
    (changed(structure="ar1"), "us, cs or csh, not ar1"),
    (changed(team_structure="csh"), "us, cs or intercept, not csh"),
    (changed(method="MAP"), "REML or ML, not MAP"),
    (changed(team=lambda d: 0 * d["team"]), "At least two teams are needed, 1 found"),
    (changed(team=lambda d: np.arange(len(d["team"]))), "has rows in more than one team"),
    (changed(team=lambda d: 1.0 * d["team"]), "Teams must be one integer code"),
    (changed(y=lambda d: d["y"][:, 1:]), "same n"),
    (changed(person=lambda d: d["person"][1:]), "People must be one integer code for each of the"),
    (changed(y=lambda d: np.full(d["y"].shape, np.nan)), "Every outcome is missing"),
    (changed(visit=lambda d: np.minimum(d["visit"], 1)), "has visit 1 more than once"),
    (of_rows(lambda d: d["visit"] == 0), "There is a single visit"),
    (
        of_rows(lambda d: (d["visit"] == 2) == (d["person"] % 2 == 0)),
        "Visits 0 and 2 are never seen in the same person",
    ),
    (
        lambda d: of_rows(lambda d: d["visit"] == d["person"] % 3)(d) | {"structure": "cs"},
        "Nobody was seen at two visits",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), OF_VISITS)
def test_wrong_calls_of_visits_end_in_one_sentence(change, sentence):
    names = ("X", "y", "person", "visit", "team")
    given = change(dict(zip(names, draw_visits(41, batch=(4,)), strict=True)))
    with pytest.raises(ValueError, match=sentence):
        fit_mixed(**given)


# --- team means, pooling, the normal --------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "arm", "sentence"),
    [
        ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 0], "two teams, one in each arm"),
        ([0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], "two teams, one in each arm"),
        ([0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 2], "an arm, 0 or 1"),
        ([0, 0, 1, 1], [0, 1, 0, 1], "6 teams have rows and 4 pair codes"),
        ([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1, 0, 1], "6 teams have rows and 8"),
        ([0, 0], [0, 1], "two pairs"),
    ],
)
def test_pairs_that_are_none(data, pair, arm, sentence):
    n = 10 if len(pair) == 2 else 30
    with pytest.raises(ValueError, match=sentence):
        paired_team_means(data[1][:, :n], None, GROUPS[:n], np.array(pair), np.array(arm))


def test_covariates_constant_within_teams_and_differences_that_do_not_vary(data):
    X, y = data
    level = np.array([0.1, 0.7, 0.3, 0.9, 0.2, 0.6])[GROUPS]
    with pytest.raises(RankDeficientError) as caught:
        paired_team_means(y, np.column_stack([X[:, 2], level]), GROUPS, PAIR, ARM)
    assert caught.value.columns == (1,)
    y[0] = 3.2
    adjust = np.stack([X[:, [2]], level[:, None], X[:, [2]], X[:, [2]]])
    found = paired_team_means(y, adjust, GROUPS, PAIR, ARM)
    assert found.status.tolist() == ["failed", "failed", "ok", "ok"]
    assert "do not vary" in found.note[0] and np.isnan(found.inference.p_value[:2]).all()
    assert np.isnan(sign_flip(found.pair_differences)).tolist() == [False, True, False, False]
    alone = paired_team_means(y[2], X[:, 2], GROUPS, PAIR, ARM)
    np.testing.assert_allclose(found.inference.std_error[2], alone.inference.std_error)


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
    assert np.isnan([pooled.estimate, pooled.p_value]).tolist() == [[True, False]] * 2
    flat = pool(np.ones((2, 1)), np.zeros((2, 1)), 5.0)
    assert np.isnan(flat.std_error).all() and np.isnan(flat.p_value).all()


def test_infinite_degrees_of_freedom_are_the_normal():
    found = Inference(np.array(1.96), np.array(1.0), np.array(np.inf))
    np.testing.assert_allclose(found.p_value, 0.04999579029644087, rtol=1e-12)
    np.testing.assert_allclose(found.interval()[0], 1.96 - 1.959963984540054, rtol=1e-9)
