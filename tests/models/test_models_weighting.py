"""Weights, balance and weighted ANCOVA: agreement with R, what is promised, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import read

from ccp_analysis.models.averaged import pool_averaged
from ccp_analysis.models.balance import balance, effective_sizes, team_balance
from ccp_analysis.models.cr2 import Clusters
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.weighted import (
    fit_weighted,
    stacked_overlap,
    weighted_cluster_robust,
    without_each_pair,
)
from ccp_analysis.models.weighting import TARGETS, entropy_weights, overlap_weights
from ccp_analysis.models.weighting_pairs import Weights

REFERENCE = read("weighting.json")
TEAM = np.repeat(np.arange(10), [22, 19, 17, 16, 14, 14, 13, 14, 11, 11])
PAIR, ARM = TEAM // 2, TEAM % 2
few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def arms(trial):
    """Return covariates, arm and Trust of the clustered trial."""
    X = np.column_stack([trial["age"], trial["female"], trial["y0"]])
    return X, trial["arm"].astype(int), trial.trust


def drawn(seed: int, batch: int = 6) -> np.ndarray:
    """Return covariates, of which two differ between the arms and one is binary."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(batch, len(TEAM), 4)) + ARM[:, None] * np.array([0.5, -0.3, 0.0, 0.0])
    X[..., 3] = X[..., 3] > 0.5
    return X


def designs(trial, case):
    outcome, _, right = case["formula"].partition(" ~ ")
    terms = [{"a": "arm"}.get(term, term) for term in right.split(" + ")]
    return trial.design(*terms), trial[outcome]


# --- weights ---------------------------------------------------------------------------------


def test_overlap_weights_agree_with_glm(arms, trial):
    """And the effective sizes of arms and teams with their definition."""
    found, wanted = overlap_weights(*arms), REFERENCE["overlap"]
    np.testing.assert_allclose(found.propensity, wanted["propensity"], rtol=1e-6)
    for groups, name in ((arms[1], "ess"), (trial.groups, "ess_team")):
        sizes, shares = effective_sizes(found.weights, groups)
        np.testing.assert_allclose(sizes, wanted[name], rtol=1e-8)
        people = np.bincount(groups)
        assert ((shares >= 1.0 / people) & (shares < 1.0)).all()
        equal = effective_sizes(np.ones(len(groups)), groups)
        np.testing.assert_allclose(equal, [people, 1.0 / people])


@pytest.mark.parametrize("target", TARGETS)
def test_entropy_balancing_agrees_with_optim(arms, target):
    found = entropy_weights(*arms, target=target)
    assert found.status == "ok"
    np.testing.assert_allclose(found.weights, REFERENCE["entropy"][target], rtol=1e-6)


def test_the_penalised_propensity_agrees_with_optim(trial):
    lone = np.array(REFERENCE["firth"]["lone"])
    X, arm = np.column_stack([trial["age"], trial["y0"], lone]), trial["arm"].astype(int)
    found = overlap_weights(X, arm, firth=True)
    np.testing.assert_allclose(found.propensity, REFERENCE["firth"]["propensity"], rtol=1e-6)
    refused = overlap_weights(X, arm)
    assert refused.status == "refused" and refused.column == 2


@few
@given(seed=seeds)
def test_what_is_promised_holds_in_every_imputation(seed):
    X = drawn(seed)
    inside = np.concatenate(
        [X, np.broadcast_to(PAIR[:, None] == np.arange(1, 5), (*X.shape[:2], 4))], axis=-1
    )
    found = {"overlap": overlap_weights(X, ARM, PAIR)}
    found |= {target: entropy_weights(X, ARM, PAIR, target=target) for target in TARGETS}
    means = {
        "treated": inside[:, ARM == 1].mean(axis=1),
        "control": inside[:, ARM == 0].mean(axis=1),
    }
    means["all"] = inside.mean(axis=1)
    for name, weights in found.items():
        ok = weights.status == "ok"
        assert ok.all() or name != "overlap"
        after = balance(inside[ok], ARM, weights.weights[ok])
        np.testing.assert_allclose(after.difference, 0.0, atol=1e-8)
        np.testing.assert_allclose(weights.left[ok], 0.0, atol=1e-8)
        for a in (0, 1):
            np.testing.assert_allclose(weights.weights[ok][:, a == ARM].sum(axis=1), 1.0)
            if name in means:
                np.testing.assert_allclose(after.means[:, a], means[name][ok], atol=1e-8)
        assert (weights.weights[ok] > 0.0).all()
        # Exact balance of the pairs: every pair weighs alike in both arms.
        by_team = np.add.reduceat(weights.weights[ok], np.flatnonzero(np.diff(TEAM, prepend=-1)), 1)
        np.testing.assert_allclose(by_team[:, ::2], by_team[:, 1::2], atol=1e-8)


@few
@given(seed=seeds)
def test_units_coding_and_order_do_not_matter(seed):
    X = drawn(seed, 2)
    A = np.diag([3.0, 0.01, 100.0, 2.0]) + np.triu(np.ones((4, 4)), 1)
    order = np.random.default_rng(seed).permutation(len(ARM))
    for function in (overlap_weights, lambda *v: entropy_weights(*v, target="all")):
        plain, turned = function(X, ARM, PAIR), function(X @ A - 7.0, ARM, 4 - PAIR)
        np.testing.assert_allclose(turned.weights, plain.weights, rtol=1e-6)
        shuffled = function(X[:, order], ARM[order], PAIR[order])
        np.testing.assert_allclose(shuffled.weights, plain.weights[:, order], rtol=1e-6)
        swapped = function(X, 1 - ARM, PAIR)
        np.testing.assert_allclose(swapped.weights, plain.weights, rtol=1e-6)
        for k in range(2):
            np.testing.assert_allclose(
                function(X[k], ARM, PAIR).weights, plain.weights[k], rtol=1e-8
            )


@pytest.mark.parametrize("scheme", [overlap_weights, partial(entropy_weights, target="all")])
def test_absorbed_pairs_change_nothing(
    scheme: Callable[..., Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    age = rng.normal(50, 9, (3, len(ARM))) + 2 * ARM
    X = np.stack([age, age + 6 * PAIR + rng.normal(0, 5, age.shape), age > 52], axis=-1)
    absorbed = scheme(X, ARM, PAIR)
    monkeypatch.setattr("ccp_analysis.models.weighting.within_pairs", lambda *_: None)
    whole = scheme(X, ARM, PAIR)
    assert (whole.status == "ok").all()
    for name in ("weights", "propensity", "left"):
        one, other = getattr(absorbed, name), getattr(whole, name)
        assert (one is None) == (other is None)
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


# --- what stands in the way --------------------------------------------------------------------

NAMES = ("age", "women", "score", "alone")


def spoiled(how: str) -> np.ndarray:
    X, rng = drawn(5), np.random.default_rng(6)
    n = len(ARM)
    if how == "constant":
        X[2, :, 2] = 7.3
    elif how == "one arm":
        X[2, :, 3] *= ARM
    elif how == "separates":
        X[2, :, 0] = rng.normal(size=n) + 12.0 * ARM
    elif how == "together":
        X[2, :, 1] = 2.0 * X[2, :, 0] + 6.0 * ARM + 0.2 * rng.normal(size=n)
    elif how == "is the arm":
        X[2, :, 2] = ARM
    elif how == "depends":
        X[2, :, 2] = 3.0 * X[2, :, 1] - 1.0
    elif how == "missing":
        X[2, 7, 1] = np.nan
    return X


SCHEMES = {
    "overlap": overlap_weights,
    **{t: (lambda *a, t=t, **k: entropy_weights(*a, target=t, **k)) for t in TARGETS},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("how", "column"),
    [("constant", 2), ("one arm", 3), ("separates", 0), ("is the arm", 2), ("depends", 2)]
    + [("together", None), ("missing", None)],
)
def test_a_fault_refuses_its_own_fit_and_is_named(scheme, how, column):
    found = SCHEMES[scheme](spoiled(how), ARM, PAIR, names=NAMES)
    assert found.status[2] == ("failed" if how == "missing" else "refused")
    assert (found.status[[0, 1, 3]] == "ok").all()
    if how == "missing":
        assert "missing" in found.note[2]
        return
    if how == "together":  # covariates that separate only together are named
        assert found.column[2] in (0, 1)
        assert "women" in found.note[2] and ("age" in found.note[2] or scheme != "overlap")
        return
    assert found.column[2] == column and NAMES[column] in found.note[2]
    assert found.note[2].endswith(".") and (found.note[[0, 1, 3]] == "").all()
    assert np.isnan(found.weights[2]).all() and np.isnan(found.left[2]).all()
    clean = SCHEMES[scheme](drawn(5), ARM, PAIR)
    np.testing.assert_allclose(found.weights[[0, 1, 3]], clean.weights[[0, 1, 3]], rtol=1e-9)
    # All of a batch, too, is refused and not raised.
    alone = SCHEMES[scheme](spoiled(how)[2], ARM, PAIR)
    assert alone.status == "refused" and f"position {column} " in str(alone.note)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("pair", [0, 3])
def test_a_pair_with_one_team_is_named(scheme, pair):
    kept = ~((pair == PAIR) & (ARM == 0))
    found = SCHEMES[scheme](drawn(7)[:, kept], ARM[kept], PAIR[kept])
    assert (found.status == "refused").all()
    assert (found.note == f"Only one arm has people in pair {pair}.").all()
    assert (found.column == (3 + pair if pair else -1)).all()


def test_a_level_that_the_target_has_and_the_other_arm_has_not():
    X = drawn(8, 1)
    X[..., 3] = np.where(ARM == 0, X[..., 3], 0.0)
    # Nobody of the target has it: the weight of those who have it would be zero.
    assert entropy_weights(X, ARM, target="treated").column == 3


@pytest.mark.parametrize(("scheme", "shift"), [("overlap", 1.4), ("all", 1.2)])
def test_weights_that_explode_are_refused(scheme, shift):
    X = drawn(9, 2)[..., [0, 2]]
    X[1, :, 0] = np.linspace(-1.0, 1.0, len(ARM)) + shift * ARM
    found = SCHEMES[scheme](X, ARM, names=NAMES, limit=0.10)
    assert found.status.tolist() == ["ok", "refused"] and found.column[1] == 0
    assert "of the weight of arm" in found.note[1] and "the limit of 10%" in found.note[1]
    assert "to make up for age." in found.note[1]


def test_the_target_outside_of_the_hull_and_on_its_edge():
    X = np.linspace(-1.0, 1.0, 40)[:, None]
    arm = (np.arange(40) % 4 == 0).astype(int)
    for shift, status in ((0.0, "ok"), (1.4, "refused"), (3.0, "refused")):
        moved = X + shift * arm[:, None]
        assert entropy_weights(moved, arm, names=["x"], limit=0.9).status == status
    edge = np.where(arm == 1, 1.0, X[:, 0])[:, None] + 1e-3 * (arm * np.arange(40))[:, None]
    found = entropy_weights(edge - 1e-3 * arm[:, None] * edge, arm, names=["x"])
    assert found.status == "refused" and "edge" in str(found.note)


def test_a_penalty_gives_separated_arms_weights_and_promises_no_balance():
    for how in ("one arm", "separates", "together", "is the arm"):
        found = overlap_weights(spoiled(how), ARM, PAIR, names=NAMES, firth=True, limit=1.0)
        assert (found.status == "ok").all(), how
        assert ((found.propensity > 0.0) & (found.propensity < 1.0)).all()
    assert np.abs(found.left).max() > 1e-3
    for how in ("constant", "depends"):
        assert overlap_weights(spoiled(how), ARM, PAIR, firth=True).status[2] == "refused"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda X: overlap_weights(X, np.zeros(len(ARM), dtype=int)), "both with people"),
        (lambda X: overlap_weights(X[1:], ARM), "both with people"),
        (lambda X: overlap_weights(np.ones((6, 5)), np.array([0, 1, 0, 1, 0, 1])), "too many"),
        (lambda X: entropy_weights(X, ARM, target="overlap"), "target"),
        (lambda X: fit_weighted(X, ARM, np.zeros(len(ARM))), "positive"),
    ],
)
def test_shapes_that_do_not_fit(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(drawn(1, 1)[0])


# --- weighted ANCOVA ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "short", "qaly", "by_trust"])
def test_weighted_ancova_agrees_with_clubsandwich(trial, arms, name):
    case = REFERENCE["ancova"][name]
    X, y = designs(trial, case)
    fit = fit_weighted(X, y, overlap_weights(*arms).weights)
    groups, L = (trial.trust if name == "by_trust" else trial.groups), np.eye(X.shape[1])[1:2]
    clusters = fit.clusters(groups)
    found = weighted_cluster_robust(fit, groups, L)
    wanted = case["equal"]
    np.testing.assert_allclose(found.estimate[0], wanted["beta"], rtol=1e-8)
    if name == "by_trust":
        # Trusts alone identify their columns; the arm is not among them.
        assert np.linalg.eigvalsh(clusters.squares)[..., -1].max() > 1.0 - 1e-12
    np.testing.assert_allclose(found.std_error[0], wanted["SE"], rtol=1e-8)
    np.testing.assert_allclose(found.df[0], wanted["df"], rtol=1e-8)
    # As inverse variances, for which `lm` is a generalised linear model.
    other = Clusters(fit.whitened, groups, 1.0 / fit.weights).infer(found.estimate, L)
    for convention in ("inverse", "target"):
        np.testing.assert_allclose(other.std_error[0], case[convention]["SE"], rtol=1e-8)
        np.testing.assert_allclose(other.df[0], case[convention]["df"], rtol=1e-8)


def test_the_propensity_enters_as_case_weights_say(trial, arms):
    X, y = designs(trial, REFERENCE["ancova"]["full"])
    weights, L = overlap_weights(*arms), np.eye(X.shape[1])[1:2]
    fit = fit_weighted(X, y, weights.weights)
    known = weighted_cluster_robust(fit, trial.groups, L)
    stacked = stacked_overlap(
        fit,
        trial.groups,
        L,
        arm=arms[1],
        propensity=weights.propensity,
        Z=np.delete(X, 1, axis=1),
    )
    moved = stacked.contributions.adjusted - known.contributions.adjusted
    # Without small-sample adjustment this is the influence of a team.
    ours = (known.contributions.scores + moved)[0]
    order = np.argsort(np.unique(trial.table["team"], return_index=True)[1])
    np.testing.assert_allclose(ours, np.array(REFERENCE["influence"])[order], rtol=1e-6)
    assert stacked.estimate == known.estimate and stacked.df == known.df


def test_equal_weights_are_no_weights_and_their_scale_is_none(trial, arms):
    X, y = designs(trial, REFERENCE["ancova"]["full"])
    L = np.eye(X.shape[1])[:3]
    plain = cluster_robust(fit_ols(X, y), trial.groups, L)
    equal = weighted_cluster_robust(fit_weighted(X, y, np.full(len(y), 4.0)), trial.groups, L)
    weights = overlap_weights(*arms).weights
    one, other = (
        weighted_cluster_robust(fit_weighted(X, y, s * weights), trial.groups, L) for s in (1.0, 50)
    )
    for a, b in ((plain, equal), (one, other)):
        for attribute in ("estimate", "std_error", "df"):
            np.testing.assert_allclose(getattr(a, attribute), getattr(b, attribute), rtol=1e-9)
        np.testing.assert_allclose(a.contributions.adjusted, b.contributions.adjusted, atol=1e-12)
        np.testing.assert_allclose(a.contributions.weights, b.contributions.weights, atol=1e-12)


def test_a_refused_fit_has_no_inference_and_leaves_the_others_alone():
    X, rng = spoiled("separates"), np.random.default_rng(1)
    y = rng.normal(size=X.shape[:2])
    design = np.concatenate(
        [np.broadcast_to(np.column_stack([np.ones(len(ARM)), ARM]), (*y.shape, 2)), X], axis=-1
    )
    weights, L = overlap_weights(X, ARM), np.eye(6)[1:2]
    fit = fit_weighted(design, y, weights.weights)
    known = weighted_cluster_robust(fit, TEAM, L)
    stacked = stacked_overlap(
        fit, TEAM, L, arm=ARM, propensity=weights.propensity, Z=np.delete(design, 1, axis=-1)
    )
    for found in (known, stacked):
        assert np.isnan(found.std_error[2]).all() and np.isfinite(found.std_error[[0, 1, 3]]).all()
    alone = weighted_cluster_robust(fit_weighted(design[0], y[0], weights.weights[0]), TEAM, L)
    np.testing.assert_allclose(known.std_error[0], alone.std_error, rtol=1e-9)
    assert np.isfinite(pool_averaged(known.part([0, 1, 3])).std_error).all()


def test_estimates_without_each_pair():
    y = np.random.default_rng(2).normal(size=(3, len(ARM)))
    left = without_each_pair(PAIR, lambda rows: y[:, rows].mean(axis=1))
    assert left.shape == (5, 3)
    np.testing.assert_allclose(left[2], y[:, PAIR != 2].mean(axis=1))


# --- balance -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["age", "y0", "cost"])
def test_balance_agrees_with_its_definition(trial, arms, name):
    wanted, weights = REFERENCE["balance"][name], overlap_weights(*arms).weights
    x, arm = trial[name][:, None], arms[1]
    units = trial.table.drop_duplicates("team")
    pair = np.unique(units["trust"], return_inverse=True)[1]
    active = (units["arm"] == "intervention").to_numpy(int)
    for w, people, teams in ((None, "plain", "teams"), (weights, "weighted", "teams_weighted")):
        found = balance(x, arm, w)
        ours = [found.difference[0], found.ratio[0]]
        np.testing.assert_allclose(ours, wanted[people], rtol=1e-8, atol=1e-8)
        found = team_balance(x, trial.groups, pair, active, w)
        ours = [found.estimate[0], found.std_error[0], found.df[0]]
        np.testing.assert_allclose(ours, wanted[teams], rtol=1e-7)


def test_balance_of_what_does_not_differ_and_of_a_lone_team():
    X = drawn(2, 3)
    X[..., 1] = 4.0
    X[..., 2] = np.where(ARM == 0, 1.0, X[..., 2])
    found = balance(X, ARM)
    assert np.isnan(found.difference[:, 1]).all() and np.isnan(found.ratio[:, 1:3]).all()
    assert np.isfinite(found.difference[:, [0, 2, 3]]).all()
    pair, arm = np.arange(10) // 2, np.arange(10) % 2
    teams = team_balance(X, TEAM, pair, arm)
    assert np.isnan(teams.estimate[:, 1]).all() and np.isnan(teams.std_error[:, 1]).all()
    assert np.isfinite(teams.std_error[:, [0, 3]]).all()
    with pytest.raises(ValueError, match="Pair 4 is not one team of each arm"):
        team_balance(X[:, TEAM < 9], TEAM[TEAM < 9], pair[:9], arm[:9])
