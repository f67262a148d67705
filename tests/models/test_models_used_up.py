"""Where single clusters use up a contrast: measured, refused, whatever the units and the coding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import eigh
from support.benchmarks import load

from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised
from ccp_analysis.models.ols import fit_ols, grouping
from ccp_analysis.models.robust import KINDS, cluster_robust, cluster_robust_f
from ccp_analysis.models.sur import fit_sur
from ccp_analysis.models.used_up import LARGEST_SHARE, UsedUp

pytestmark = pytest.mark.simulation
teams = load("used_up_teams")
LAYOUTS = {layout.name: layout for layout in teams.LAYOUTS}
# Least shares of the layouts whose levels are .10 to .95 by CR2; of all others it is zero.
LOST = {
    "four teams lost": 0.99,
    "two subgroups A": 0.8,
    "two subgroups C": 0.6,
    "two subgroups D": 0.99,
    "three subgroups": 0.99,
    "2 pairs, 1 team covariates": 0.99,
    "3 pairs, 2 team covariates": 0.99,
    "5 pairs, 4 team covariates": 0.99,
}
DRAWS = 2_000
BAND = stats.norm.ppf(0.995) * (0.05 * 0.95 / DRAWS) ** 0.5
ROBUST = (teams.ANCOVA, teams.CHANGE, teams.JOINT)


@pytest.mark.parametrize("name", LAYOUTS)
def test_levels_lie_in_their_band_or_are_refused(name):
    layout = LAYOUTS[name]
    found = teams.measured(layout, 0.05, 40, DRAWS // 40)
    for inference in (i for i in ROBUST if i in found):
        level = found[inference]
        if name in LOST:
            assert level.refused == 1.0 and LOST[name] <= level.share <= 1.0 + 1e-9
            continue
        assert level.refused == 0.0 and level.share < 0.001
        assert level.rejects <= 0.05 + BAND
        # With fewer than two degrees of freedom Satterthwaite's t errs on the safe side.
        assert level.rejects >= 0.05 - BAND or level.df < 1.9
    if teams.PAIRED in found:
        assert abs(found[teams.PAIRED].rejects - 0.05) <= BAND
        assert found[teams.FLIPPED].rejects <= 0.05 + BAND
    mixed = found[teams.MIXED]
    assert np.isnan(mixed.rejects) or mixed.rejects <= 0.05 + BAND


def one(layout, seed=1):
    """Return design (n, p), outcome (n,), contrasts and teams of one draw."""
    X, y, _ = teams.draw(layout, 0.05, 1, 1, np.random.default_rng(seed))
    return X[0, 0], y[0, 0], layout.contrasts(X.shape[-1]), layout.people


def by_hand(X, L, groups):
    """Return the share of the working variance on directions of one cluster, and whose is most."""
    fit = fit_ols(X, np.arange(len(X)) % 7.0)
    values, vectors = np.linalg.eigh(grouping(groups, len(X)).squares(fit.basis))
    parts = np.square((L @ fit.inverse) @ vectors[:, :, :]) * values[:, None, :]
    lost = np.where(values[:, None, :] > 1.0 - 1e-10, parts, 0.0).sum(axis=-1)
    return lost.sum(axis=0) / parts.sum(axis=(0, 2)), lost.argmax(axis=0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_share_is_that_of_the_working_variance(name):
    X, y, L, groups = one(LAYOUTS[name])
    found = cluster_robust(fit_ols(X, y), groups, L)
    share, whose = by_hand(X, L, groups)
    np.testing.assert_allclose(found.used_up.share, share, atol=1e-9)
    if share[0] > LARGEST_SHARE:
        assert found.used_up.largest[0] > 0.0
        np.testing.assert_array_equal(found.used_up.cluster[0], whose[0])


def test_every_kind_of_sandwich_is_refused():
    X, y, L, groups = one(LAYOUTS["three subgroups"])
    for kind in KINDS:
        found = cluster_robust(fit_ols(X, y), groups, L, kind)
        assert np.isfinite(found.estimate).all() and found.used_up.refused.all()
        assert np.isnan([found.std_error, found.df, found.p_value]).all()


def test_a_joint_test_loses_what_its_worst_combination_loses():
    """One interaction is sound, the other rests on a single team."""
    X, y, L, groups = one(LAYOUTS["nobody lost"])
    own = np.column_stack([X, groups == 4])
    pair = np.eye(own.shape[1])[[1, -1]]
    single = cluster_robust(fit_ols(own, y), groups, pair)
    assert single.used_up.refused.tolist() == [False, True]
    fit = fit_ols(own, y)
    values, vectors = np.linalg.eigh(grouping(groups, len(y)).squares(fit.basis))
    alone = (
        (vectors * (values > 1.0 - 1e-10)[:, None, :]).transpose(1, 0, 2).reshape(len(L.T) + 1, -1)
    )
    directions = pair @ fit.inverse
    lost_part = directions @ alone @ alone.T @ directions.T
    worst = eigh(lost_part, directions @ directions.T, eigvals_only=True)[-1]
    assert worst >= single.used_up.share.max() > 0.5
    for turned in (pair, np.array([[1.0, 1.0], [1.0, -1.0]]) @ pair):
        joint = cluster_robust_f(fit_ols(own, y), groups, turned)
        np.testing.assert_allclose(joint.used_up.share, [worst], atol=1e-9)
        assert joint.used_up.cluster[0] in (4, 5)  # the pair of which one team has its own column
        assert np.isnan([joint.statistic, joint.df, joint.p_value]).all()


def test_fewer_than_one_degree_of_freedom_is_no_joint_test():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(4), 12)
    level = np.array([0, 0, 1, 1])[groups]
    X = np.column_stack([np.ones(48), level, rng.normal(size=(48, 2)) + groups[:, None]])
    y = rng.normal(size=48)
    found = [cluster_robust_f(fit_ols(X, y), groups, np.eye(4)[1:k]) for k in (2, 3, 4)]
    assert all(np.isnan(f.p_value) or f.df >= 1.0 for f in found)
    assert np.isnan(found[-1].p_value) and not found[-1].used_up.refused.any()


def test_counts_and_two_outcomes_are_refused_too():
    layout = LAYOUTS["3 pairs, 2 team covariates"]
    X, y, L, groups = one(layout)
    counts = np.random.default_rng(2).poisson(np.exp(1.0 + 0.3 * y)).astype(float)
    for family, outcome, more in (
        ("poisson", counts, {}),
        ("power", counts, {"power": 1.5}),
        ("binomial", (y > np.median(y)).astype(float), {}),
    ):
        fit = fit_glm(X, outcome, family, **more)
        ratio = on_link_scale(fit, L, groups=groups)
        assert ratio.used_up.refused.all() and np.isnan([ratio.std_error, ratio.df]).all()
        marginal = standardised(fit, *counterfactual(X, 1), groups=groups)
        assert np.isfinite(marginal.estimate).all() and np.isnan(marginal.std_error[2])
    both = fit_sur(X, y, X, counts)
    wide = np.hstack([L, np.zeros_like(L)])
    found = cluster_robust(both.working, np.tile(groups, 2), wide)
    assert found.used_up.refused.all() and np.isnan(found.std_error).all()


def test_a_batch_is_refused_where_its_members_are():
    sound, lost = one(LAYOUTS["nobody lost"]), one(LAYOUTS["two subgroups A"])
    X, y, L, groups = sound
    own = np.column_stack([X, groups == 4])
    bad = np.column_stack([X, X[:, 1] * (groups < 2)])  # the arm in the other pairs, and in this
    found = cluster_robust(fit_ols(np.stack([own, bad]), y), groups, np.eye(own.shape[1])[[1, -1]])
    assert found.used_up.refused.tolist() == [[False, True], [False, True]]
    assert np.isnan(found.std_error).tolist() == [[False, True], [False, True]]
    part = found.part((..., [1]))
    assert part.used_up.share.shape == (2, 1) and part.used_up.refused.all()
    X, y, L, groups = lost
    batch = cluster_robust(fit_ols(X, np.stack([y, -y])), groups, L)
    assert batch.std_error.shape == (2, 1) and np.isnan(batch.std_error).all()
    assert batch.part(np.s_[1]).used_up.sentence() == batch.used_up.sentence()


powers = st.floats(-6.0, 6.0).map(lambda x: 10.0**x)


@given(
    name=st.sampled_from(list(LAYOUTS)),
    seed=st.integers(0, 2**16),
    scales=st.tuples(powers, powers),
    shift=st.floats(-100.0, 100.0),
)
@settings(max_examples=60)
def test_refused_or_not_whatever_units_order_and_reference(name, seed, scales, shift):
    X, y, L, groups = one(LAYOUTS[name], seed)
    rng = np.random.default_rng(seed)
    found = cluster_robust(fit_ols(X, y), groups, L)
    share = found.used_up.share
    assert (share > LARGEST_SHARE).any() == (name in LOST)

    other = X.copy()
    other[:, -1] = scales[0] * (other[:, -1] + shift)
    order = rng.permutation(len(y))
    moved = cluster_robust(fit_ols(other, scales[1] * y), groups, L)
    shuffled = cluster_robust(fit_ols(X[order], y[order]), rng.permutation(20)[groups[order]], L)
    # Another pair is the reference: its indicator in place of one of the others'.
    pairs = np.flatnonzero([set(np.unique(c)) == {0.0, 1.0} for c in X.T])[-1]
    dummies = X.copy()
    first = max(LAYOUTS[name].level, default=0) + 2 + max(LAYOUTS[name].level, default=0)
    dummies[:, pairs] = 1.0 - X[:, first : pairs + 1].sum(axis=1)
    recoded = cluster_robust(fit_ols(dummies, y), groups, L)
    for again in (moved, shuffled, recoded):
        np.testing.assert_allclose(again.used_up.share, share, atol=1e-7)
        np.testing.assert_array_equal(again.used_up.refused, found.used_up.refused)
        np.testing.assert_array_equal(np.isnan(again.std_error), np.isnan(found.std_error))
    for kept in (shuffled, recoded):
        np.testing.assert_allclose(kept.std_error, found.std_error, rtol=1e-5)


def test_what_is_used_up_is_said_by_name():
    lost = UsedUp(np.array([0.0, 0.62]), np.array([0.0, 0.62]), np.array([0, 3]))
    assert lost.sentence().startswith("one cluster alone identifies 62% of what the comparison")
    named = UsedUp(
        np.array([0.9]), np.array([0.5]), np.array([3]), label="team", names={3: "Northfield"}
    )
    assert named.sentence() == (
        "team 'Northfield' alone identifies 50% of what the comparison rests on, and other single "
        "teams 40%: nothing sets what is particular to a team apart from it"
    )
    assert UsedUp(np.array([0.009]), np.array([0.009]), np.array([1])).sentence() == ""
