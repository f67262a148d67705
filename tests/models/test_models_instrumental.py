"""The arm as instrument: agreement with R, what must hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import read

from ccp_analysis.models.averaged import pool_averaged
from ccp_analysis.models.instrumental import (
    CONSTANT,
    NOBODY,
    ONE_TEAM,
    anderson_rubin,
    anderson_rubin_averaged,
    paired_reduced_forms,
    reduced_forms,
    strength,
    two_stage,
)
from ccp_analysis.models.ols import DEPENDENT, NOT_FINITE, fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.within_between import within_between

DATA = Path(__file__).parent / "data"
REFERENCE = read("instrumental.json")
SIZES = [22, 19, 17, 16, 14, 14, 13, 14, 11, 11]
TEAM = np.repeat(np.arange(10), SIZES)
PAIRS, ARMS = np.repeat(np.arange(5), 2), np.tile([0, 1], 5)
PAIR, ARM = PAIRS[TEAM], ARMS[TEAM]
few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def exposures():
    return pd.read_csv(DATA / "instrumental.csv").rename(columns={"arm": "full"})


def drawn(seed: int, m: int = 4, uptake: float = 0.4):
    """Return outcome, exposure, and a design without the arm, (m, n) and (m, n, p)."""
    rng = np.random.default_rng(seed)
    shape = (m, len(TEAM))
    taken = (rng.random(shape) < np.where(ARM == 1, uptake, 0.05)).astype(float)
    x = rng.normal(size=shape)
    y = 2.0 * taken + x + rng.normal(size=(m, 10))[:, TEAM] + rng.normal(size=shape)
    fixed = np.column_stack([np.ones(len(TEAM)), PAIR[:, None] == np.arange(1, 5)])
    X = np.concatenate([np.broadcast_to(fixed, (m, *fixed.shape)), x[..., None]], axis=-1)
    return y, taken, X


def both_levels(y, taken, X):
    """Return the reduced forms of people and of team means."""
    return (
        reduced_forms(y, taken, X, ARM, TEAM),
        paired_reduced_forms(y, taken, X[..., -1:], TEAM, PAIRS, ARMS),
    )


def imputed(seed: int, m: int = 20, exposure: bool = True):
    """Return completed data sets that differ in a sixth of the outcomes, and of the exposures."""
    y, taken, X = (v[:1].repeat(m, axis=0) for v in drawn(seed))
    rng = np.random.default_rng(seed)
    lost = rng.random(len(TEAM)) < 0.16
    shared = 0.4 * rng.normal(size=(m, 1)) * ARM
    y = y + lost * (shared + rng.normal(size=y.shape))
    if exposure:
        taken = np.where(lost, rng.random(y.shape) < np.where(ARM == 1, 0.4, 0.05), taken)
    return y, taken, X


# --- agreement with R -------------------------------------------------------------------------


def people(trial, exposures, case):
    terms = {"plain": ("trust",), "full": ("y0", "age", "female", "trust")}[case["covariates"]]
    arm = trial["arm"].astype(int)
    exposure = exposures[case["exposure"]].to_numpy(float)
    return reduced_forms(trial["y1"], exposure, trial.design(*terms), arm, trial.groups)


def teams(trial, exposures, case):
    adjust = None if case["covariates"] == "none" else trial.design("y0", "age")[:, 1:]
    units = trial.table.drop_duplicates("team")
    pair, arm = pd.factorize(units["trust"])[0], (units["arm"] == "intervention").to_numpy(int)
    exposure = exposures[case["exposure"]].to_numpy(float)
    return paired_reduced_forms(trial["y1"], exposure, adjust, trial.groups, pair, arm)


LEVELS = {"people": people, "teams": teams}
CASES = [(level, case) for level in LEVELS for case in REFERENCE[level]]


def named(value):
    if isinstance(value, dict):
        return f"{value['exposure']}-{value['covariates']}-{value['level']}"
    return value


def agrees(found, wanted):
    for ours, key in ((found.estimate, "beta"), (found.std_error, "SE"), (found.df, "df")):
        np.testing.assert_allclose(ours[..., 0], wanted[key], rtol=1e-8)


@pytest.mark.parametrize(("level", "case"), CASES, ids=named)
def test_as_ivreg_with_clubsandwich_and_on_team_means(trial, exposures, level, case):
    reduced = LEVELS[level](trial, exposures, case)
    assert reduced.status == "ok" and reduced.note == ""
    agrees(two_stage(reduced), case["iv"])
    power = strength(reduced.exposure)
    if case["exposure"] == "full":
        assert np.isinf(power.f) and np.isnan(reduced.exposure.std_error).all()
        np.testing.assert_allclose(power.bias_factor, 1.0)
        return
    first = case["first"]
    agrees(reduced.exposure, first)
    np.testing.assert_allclose(power.f, (first["beta"] / first["SE"]) ** 2, rtol=1e-8)
    np.testing.assert_allclose(power.bias_factor, 1.0 / first["beta"], rtol=1e-8)


@pytest.mark.parametrize(("level", "case"), CASES, ids=named)
def test_anderson_rubin_as_by_searching(trial, exposures, level, case):
    found = anderson_rubin(LEVELS[level](trial, exposures, case), case["level"])
    roots, tails = case["ar"]["roots"], case["ar"]["tails"]
    if not roots:
        assert tails == [True, True] and found.kind == "line"
    elif tails == [True, True]:
        assert found.kind == "complement"
        np.testing.assert_allclose([found.below, found.above], roots, rtol=1e-6)
    else:
        assert found.kind == "interval" and tails == [False, False]
        np.testing.assert_allclose([found.low, found.high], roots, rtol=1e-6)
    assert found.holds(case["iv"]["beta"])


def test_the_reference_has_every_kind_of_set():
    seen = {(len(case["ar"]["roots"]), *case["ar"]["tails"]) for _, case in CASES}
    assert seen == {(2, False, False), (2, True, True), (0, True, True)}


def test_dose_and_response_within_and_between_teams(trial, exposures):
    columns = within_between(exposures["fidelity"].to_numpy(float), trial.groups)
    X = np.column_stack([columns, trial.design("y0", "age")])
    found = cluster_robust(fit_ols(X, trial["y1"]), trial.groups, np.eye(X.shape[1])[:2])
    for k, name in enumerate(("between", "within")):
        agrees(found.part((slice(k, k + 1),)), REFERENCE["within_between"][name])


# --- what must hold --------------------------------------------------------------------------


@few
@given(seed=seeds, uptake=st.sampled_from([0.08, 0.4, 0.9]), b=st.floats(-20.0, 20.0))
def test_the_set_holds_what_the_test_does_not_reject(seed, uptake, b):
    y, taken, X = drawn(seed, uptake=uptake)
    whole = both_levels(y, taken, X)
    shifted = both_levels(y - b * taken, taken, X)
    for reduced, moved in zip(whole, shifted, strict=True):
        accepted = moved.inference.part((..., 0)).p_value >= 0.05
        np.testing.assert_array_equal(anderson_rubin(reduced).holds(b), accepted)
        # The estimate is always in, so that the set is never empty.
        assert anderson_rubin(reduced).holds(two_stage(reduced).estimate[..., 0]).all()
        interval = strength(reduced.exposure).f > _critical(reduced)
        np.testing.assert_array_equal(anderson_rubin(reduced).kind == "interval", interval)


def _critical(reduced):
    low, high = reduced.exposure.interval()
    return ((high - low)[..., 0] / 2.0 / reduced.exposure.std_error[..., 0]) ** 2


@few
@given(seed=seeds, c=st.floats(-3.0, 3.0))
def test_units_and_a_known_effect_move_the_set_as_they_must(seed, c):
    y, taken, X = imputed(seed)
    for k, functions in enumerate([(anderson_rubin,), (anderson_rubin, anderson_rubin_averaged)]):
        for function in functions:
            plain = function(both_levels(y, taken, X)[k])
            scaled = function(both_levels(10.0 * y + 3.0, 5.0 * taken, X)[k])
            assert (plain.kind == scaled.kind).all()
            for name in ("low", "high", "below", "above"):
                np.testing.assert_allclose(
                    getattr(scaled, name), 2.0 * getattr(plain, name), rtol=1e-6
                )
        reduced = both_levels(y, taken, X)[k]
        moved = both_levels(y + c * taken, taken, X)[k]
        np.testing.assert_allclose(
            two_stage(moved).estimate, two_stage(reduced).estimate + c, atol=1e-8
        )
        np.testing.assert_allclose(two_stage(moved).std_error, two_stage(reduced).std_error)
        np.testing.assert_allclose(
            anderson_rubin(moved).low, anderson_rubin(reduced).low + c, rtol=1e-6, atol=1e-6
        )


# --- over imputations ------------------------------------------------------------------------


def rule_holds(y, taken, X, k, b):
    """Whether the rule of averaged contributions does not reject b."""
    found = pool_averaged(both_levels(y - b * taken, taken, X)[k].inference.part((..., slice(1))))
    low, high = found.interval(0.95)
    return bool(low[0] <= 0.0 <= high[0])


@pytest.mark.parametrize("k", [0, 1])
@pytest.mark.parametrize("seed", range(2))
def test_the_averaged_set_holds_all_that_the_rule_holds(seed, k):
    grid = np.concatenate([np.linspace(-8.0, 12.0, 41), [-1e3, -50.0, 50.0, 1e3]])
    for exposure in (True, False):
        y, taken, X = imputed(seed, exposure=exposure)
        found = anderson_rubin_averaged(both_levels(y, taken, X)[k])
        ours = np.array([found.holds(b) for b in grid])
        rule = np.array([rule_holds(y, taken, X, k, b) for b in grid])
        assert (ours | ~rule).all()
        # Only the outcome imputed: what clusters share has one sign for all b.
        assert exposure or (ours == rule).all()
        assert (ours != rule).sum() <= 1


@pytest.mark.parametrize("k", [0, 1])
def test_without_imputed_values_it_is_the_set_of_the_data(k):
    y, taken, X = (v[:1].repeat(5, axis=0) for v in drawn(7))
    reduced = both_levels(y, taken, X)[k]
    found, single = anderson_rubin_averaged(reduced), anderson_rubin(reduced)
    assert found.kind == single.kind[0] == "interval"
    np.testing.assert_allclose([found.low, found.high], [single.low[0], single.high[0]])
    pooled, effect = pool_averaged(two_stage(reduced)), two_stage(reduced)
    np.testing.assert_allclose(pooled.std_error, effect.std_error[0])
    one = anderson_rubin_averaged(both_levels(y[:1], taken[:1], X[:1])[k])
    np.testing.assert_allclose(one.low, single.low[0])


def test_what_teams_contribute_adds_up_to_the_estimate():
    y, taken, X = imputed(5)
    effect = two_stage(reduced_forms(y, taken, X, ARM, TEAM))
    apart = effect.estimate - effect.estimate.mean(axis=0)
    np.testing.assert_allclose(effect.by_cluster.own().sum(axis=-1), apart, atol=1e-10)
    np.testing.assert_allclose(effect.by_cluster.scores.sum(axis=-1), 0.0, atol=1e-10)
    assert np.isfinite(pool_averaged(effect).std_error).all()


def test_a_refused_imputation_has_no_pooled_numbers():
    y, taken, X = imputed(6)
    taken = taken.copy()
    taken[3] = 0.0
    for reduced in both_levels(y, taken, X):
        assert anderson_rubin_averaged(reduced).kind == "undefined"
        assert np.isnan(pool_averaged(two_stage(reduced)).std_error).all()


# --- what is refused -------------------------------------------------------------------------


def nobody(y, taken, X):
    taken[2] *= ARM == 0
    taken[2, 0] = 1.0


# What is done to the third of four fits, beside what fails every model.
FAULTS = {
    CONSTANT: lambda y, taken, X: taken[2].fill(1.0),
    NOBODY: nobody,
    NOT_FINITE: lambda y, taken, X: taken.__setitem__((2, 5), np.nan),
    DEPENDENT: lambda y, taken, X: X.__setitem__((2, ..., -1), 2.0 * X[2, :, 1] - 1.0),
}


@pytest.mark.parametrize("note", FAULTS)
def test_a_fault_refuses_its_own_fit_alone(note):
    y, taken, X = drawn(11)
    FAULTS[note](y, taken, X)
    others = [0, 1, 3]
    for reduced, clean in zip(both_levels(y, taken, X), both_levels(*drawn(11)), strict=True):
        assert reduced.note.tolist() == ["", "", note, ""] and note.endswith(".")
        assert reduced.status[2] in ("refused", "failed")
        assert (reduced.status[others] == "ok").all()
        effect, found = two_stage(reduced), anderson_rubin(reduced)
        assert np.isnan(effect.estimate[2]).all() and np.isnan(effect.std_error[2]).all()
        assert found.kind[2] == "undefined" and not found.holds(0.0)[2]
        assert np.isnan(strength(reduced.exposure).bias_factor[2])
        errors = two_stage(clean).std_error[others]
        np.testing.assert_allclose(effect.std_error[others], errors, rtol=1e-9)
    if note in (CONSTANT, NOBODY):  # alone it is refused, and not raised
        for reduced in both_levels(*(v[2] for v in (y, taken, X))):
            assert reduced.status == "refused" and reduced.note == note
    y, taken, X = drawn(3)
    for reduced in both_levels(y, taken * ARM, X):  # nobody in the reference arm is no fault
        assert (reduced.status == "ok").all() and np.isfinite(two_stage(reduced).std_error).all()


def test_one_pair_only():
    y, taken, X = (v[:, PAIR == 0] for v in drawn(13))
    X = X[..., [0, -1]]
    reduced = reduced_forms(y, taken, X, ARM[PAIR == 0], TEAM[PAIR == 0])
    assert (reduced.status == "refused").all() and (reduced.note == ONE_TEAM).all()
    assert (anderson_rubin(reduced).kind == "undefined").all()
    with pytest.raises(ValueError, match="two pairs"):
        paired_reduced_forms(y, taken, None, TEAM[PAIR == 0], PAIRS[:2], ARMS[:2])


def test_exactly_equal_uptake_has_no_estimate_and_excludes_nothing():
    rng, team = np.random.default_rng(15), np.repeat(range(10), 8)
    y, taken = rng.normal(size=80), np.tile([1.0, 0.0, 0.0, 0.0], 20)
    X = np.column_stack([np.ones(80), PAIRS[team][:, None] == np.arange(1, 5)])
    for reduced in (
        reduced_forms(y, taken, X, ARMS[team], team),
        paired_reduced_forms(y, taken, None, team, PAIRS, ARMS),
    ):
        assert reduced.status == "ok" and reduced.same
        assert np.isnan(two_stage(reduced).estimate).all()
    # Where uptake differs at all between the teams, the set is everything or outside of a gap.
    taken[:4] = 0.0, 1.0, 1.0, 1.0
    taken[8:12] = taken[:4]
    reduced = reduced_forms(y, taken, X, ARMS[team], team)
    assert reduced.same and anderson_rubin(reduced).kind != "interval"


CALLS = [
    (lambda y, d, X: both_levels(y, np.nan * d, X), "missing"),
    (lambda y, d, X: both_levels(np.nan * y, d, X), "missing"),
    (lambda y, d, X: paired_reduced_forms(np.nan * y, d, None, TEAM, PAIRS, ARMS), "missing"),
    (lambda y, d, X: reduced_forms(y, d, X, np.ones_like(TEAM), TEAM), "instrument is the arm"),
    (lambda y, d, X: reduced_forms(y, d, X, ARM[1:], TEAM), "instrument is the arm"),
    (lambda y, d, X: reduced_forms(y, d, X, ARM * 2, TEAM), "instrument is the arm"),
    (lambda y, d, X: anderson_rubin(reduced_forms(y, d, X, ARM, TEAM), 1.0), "level"),
    # The arm itself among the covariates: what is dependent is the instrument.
    (
        lambda y, d, X: reduced_forms(y, d, np.insert(X, 5, ARM, axis=-1), ARM, TEAM),
        "position 7",
    ),
    (lambda y, d, X: within_between(0.1 * TEAM + 0.7, TEAM), "does not vary within teams"),
    (lambda y, d, X: within_between(np.tile([0.1, 0.3], 4), np.arange(8) // 2), "same mean"),
    (lambda y, d, X: within_between(np.nan * y, TEAM), "missing"),
    (lambda y, d, X: within_between(y, TEAM[1:]), "integer code"),
]


@pytest.mark.parametrize(("call", "sentence"), CALLS)
def test_wrong_calls_end_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(*drawn(12, 1))


def test_exposures_within_and_between_teams():
    values = np.random.default_rng(1).normal(size=(2, len(TEAM)))
    columns = within_between(values, TEAM)
    np.testing.assert_allclose(columns.sum(axis=-1), values)
    np.testing.assert_allclose(
        np.add.reduceat(columns[..., 1], np.cumsum([0, *SIZES[:-1]]), 1), 0, atol=1e-12
    )
    # Rounding within teams is nothing, and is found as a dependent column.
    values[1] = 0.1 * TEAM + 0.7
    columns = within_between(values, TEAM)
    assert not columns[1, :, 1].any()
    X = np.concatenate([np.ones((2, len(TEAM), 1)), columns], axis=-1)
    assert fit_ols(X, values[:1] + 1.0).note[1] == DEPENDENT
