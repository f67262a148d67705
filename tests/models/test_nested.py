"""Nested random intercepts: agreement with lme4, pbkrtest and lmerTest, invariances, faults."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import DATA, Dense, assert_rows, clustered, nested_shape, read

from ccp_analysis.models.nested import fit_nested
from ccp_analysis.models.ols import RankDeficientError
from ccp_analysis.models.reml import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite

few = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
REPEATED = read("repeated.json")
SHAPES = ("many_small", "few_large", "unbalanced", "near_singular", "boundary")


def variances(rows, *names):
    found = {row["grp"]: row["vcov"] for row in rows}
    return [found[name] for name in names]


def test_teams_within_trusts():
    reference = read("clustered_nested.json")["lmm_nested"]
    table = pd.read_csv(DATA / "clustered_trial.csv")
    arm = (table["arm"] == "intervention").to_numpy(float)
    X = np.column_stack([np.ones(len(table)), arm, table[["y0", "age", "female"]]])
    groups = [pd.factorize(table[name])[0] for name in ("trust", "team")]
    fit = fit_nested(X, table["y1"], groups)
    assert fit.status == "ok" and fit.note == ""
    expected = variances(reference["vc"], "trust", "team:trust", "Residual")
    np.testing.assert_allclose(fit.variances, expected, rtol=1e-5)
    np.testing.assert_allclose(fit.deviance, reference["reml_deviance"], rtol=1e-10)
    assert_rows(satterthwaite(fit, np.eye(5)), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, np.eye(5)), reference["kenward_roger"])


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_nesting(shape):
    reference = REPEATED[f"nested_{shape}"]
    X, y, groups = nested_shape(shape)
    fit = fit_nested(X, y, groups)
    assert fit.status == ("boundary" if shape == "boundary" else "ok")
    names = ("outer", "inner:outer", "Residual")
    np.testing.assert_allclose(fit.variances, variances(reference["vc"], *names), rtol=1e-4)
    np.testing.assert_allclose(fit.deviance, reference["reml_deviance"], rtol=1e-9)
    assert_rows(satterthwaite(fit, np.eye(4)), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, np.eye(4)), reference["kenward_roger"])
    joint, expected = kenward_roger_f(fit, np.eye(4)[2:]), reference["joint"]
    np.testing.assert_allclose(joint.statistic, expected["stat"], rtol=1e-4)
    np.testing.assert_allclose(joint.df, expected["ddf"], rtol=1e-4)
    np.testing.assert_allclose(joint.scaling, expected["F.scaling"], rtol=1e-4)
    ml = fit_nested(X, y, groups, method="ML")
    np.testing.assert_allclose(ml.deviance, reference["ml_deviance"], rtol=1e-9)
    np.testing.assert_allclose(ml.variances[[1, 0, 2]], reference["ml_vc"], rtol=1e-3)


def test_three_levels():
    reference = REPEATED["three_levels"]
    X, y, person, _, team = clustered(arm=False)
    fit = fit_nested(X, y, [team % 2, team, person])
    assert fit.status == "boundary"
    assert "estimated at zero" in str(fit.note)
    names = ("arm", "team:arm", "person:(team:arm)", "Residual")
    expected = variances(reference["vc"], *names)
    assert fit.variances[0] == 0.0 == expected[0]
    np.testing.assert_allclose(fit.variances, expected, rtol=1e-5)
    np.testing.assert_allclose(fit.deviance, reference["reml_deviance"], rtol=1e-10)
    assert_rows(satterthwaite(fit, np.eye(4)), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, np.eye(4)), reference["kenward_roger"])


def draw(seed, batch=(), sd=(0.8, 0.7), rows=120):
    """Return X, y and two levels of unbalanced groups, rows in no order."""
    rng = np.random.default_rng(seed)
    outer = rng.integers(0, 6, rows)
    inner = rng.integers(0, 2 + outer % 3)
    outer[:12], inner[:12] = np.repeat(np.arange(6), 2), np.tile([0, 1], 6)
    order = rng.permutation(rows)
    outer, inner = outer[order], inner[order]
    X = np.column_stack([np.ones(rows), (outer + inner) % 2, rng.normal(3.0, 2.0, size=rows)])
    y = 5.0 + 0.4 * X[:, 2] + rng.normal(size=(*batch, rows))
    y = y + sd[0] * rng.normal(size=(*batch, 6))[..., outer]
    y = y + sd[1] * rng.normal(size=(*batch, 24))[..., 4 * outer + inner]
    return X, y, [outer, inner]


def everything(X, y, groups):
    """Return every number of a fit, and its status."""
    fit, L = fit_nested(X, y, groups), np.eye(3)[1:]
    numbers = {"variances": fit.variances, "deviance": fit.deviance}
    for infer in (kenward_roger, satterthwaite):
        found = infer(fit, L)
        for part in ("estimate", "std_error", "df", "p_value"):
            numbers[f"{infer.__name__} {part}"] = getattr(found, part)
    joint = kenward_roger_f(fit, L)
    return numbers | {"F": joint.statistic, "F df": joint.df}, fit.status


def assert_same(ours, theirs, rtol):
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=rtol, atol=1e-9, err_msg=name)


def test_a_batch_equals_its_single_fits():
    X, y, groups = draw(1, (2, 4), sd=(0.2, 0.3))
    numbers, statuses = everything(X, y, groups)
    assert {"ok", "boundary"} == set(statuses.ravel())
    for index in np.ndindex(2, 4):
        single, status = everything(X, y[index], groups)
        assert status == statuses[index]
        assert_same({name: values[index] for name, values in numbers.items()}, single, 1e-9)


def test_designs_of_a_batch_may_differ():
    X, y, groups = draw(2, (3,))
    designs = np.stack([X] * 3)
    designs[:, :, 2] += np.random.default_rng(2).normal(size=designs.shape[:2])
    numbers, _ = everything(designs, y[0], groups)
    for i in range(3):
        single, _ = everything(designs[i], y[0], groups)
        assert_same({name: values[i] for name, values in numbers.items()}, single, 1e-9)


@few
@given(seeds, st.floats(-1e4, 1e4), st.floats(-6.0, 6.0))
def test_units_and_origin_of_the_outcome(seed, shift, log_scale):
    X, y, groups = draw(seed)
    scale = 10.0**log_scale
    before, status = everything(X, y, groups)
    after, moved_status = everything(X, scale * (y + shift), groups)
    assert status == moved_status
    for name in after:
        if name.endswith(("estimate", "std_error")):
            after[name] = after[name] / scale
    after["variances"] = after["variances"] / scale**2
    after["deviance"] = after["deviance"] - 2.0 * np.log(scale) * (len(y) - 3)
    assert_same(after, before, 1e-6)


@few
@given(seeds)
def test_order_of_rows_names_of_groups_and_origin_of_a_covariate(seed):
    X, y, groups = draw(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    moved = X.copy()
    moved[:, 2] += 50.0
    outer, inner = rng.permutation(40)[groups[0]], rng.permutation(40)[groups[1]]
    before, status = everything(X, y, groups)
    after, moved_status = everything(moved[order], y[order], [outer[order], inner[order]])
    assert status == moved_status
    assert_same(after, before, 1e-6)
    unique = 100 * groups[0] + groups[1]
    assert_same(everything(X, y, [groups[0], unique])[0], before, 1e-12)


@few
@given(seeds, st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from([0.0, 0.5, 3.0]))
def test_the_fit_written_out(seed, outer_sd, inner_sd):
    X, y, groups = draw(seed, sd=(outer_sd, inner_sd))
    fit = fit_nested(X, y, groups)
    whole = 100 * groups[0] + groups[1]
    G = [np.equal.outer(codes, codes).astype(float) for codes in (groups[0], whole)]
    G.append(np.eye(len(y)))

    def dense(theta):
        return Dense(X, y, sum(t * g for t, g in zip(theta, G, strict=True)), G)

    at = dense(fit.variances)
    constant = (len(y) - 3) * np.log(2.0 * np.pi)
    np.testing.assert_allclose(fit.deviance, at.value + constant, rtol=1e-10)
    np.testing.assert_allclose(fit.coef, at.coef, rtol=1e-8, atol=1e-10)
    zero = fit.variances == 0.0
    np.testing.assert_allclose(at.gradient[~zero] * fit.variances[~zero], 0.0, atol=1e-6)
    assert np.all(at.gradient[zero] >= -1e-6)
    for factor in (1e-4, 0.3, 3.0):
        for k in range(3):
            other = fit.variances + (fit.variances + 1e-3 * (factor > 1.0)) * (factor - 1.0) * (
                np.arange(3) == k
            )
            assert dense(other).value >= at.value - 1e-9
    errors, df = at.kenward_roger("expected")
    found = kenward_roger(fit, np.eye(3))
    np.testing.assert_allclose(found.std_error, errors, rtol=1e-7)
    np.testing.assert_allclose(found.df, df, rtol=1e-6)
    if not zero.any():
        expected = at.satterthwaite()
        np.testing.assert_allclose(satterthwaite(fit, np.eye(3)).df, expected, rtol=1e-6)


@few
@given(seeds)
def test_one_level_is_a_random_intercept(seed):
    X, y, groups = draw(seed)
    fit, other = fit_nested(X, y, groups[:1]), fit_random_intercept(X, y, groups[0])
    assert fit.status == other.status
    ours = [fit.deviance, *fit.variances]
    theirs = [other.deviance, other.var_group, other.var_resid]
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)
    for infer in (kenward_roger, satterthwaite):
        one, two = infer(fit, np.eye(3)), infer(other, np.eye(3))
        np.testing.assert_allclose(one.std_error, two.std_error, rtol=1e-7)
        np.testing.assert_allclose(one.df, two.df, rtol=1e-6)


def test_faults_of_single_fits():
    X, y, groups = draw(5, (4,))
    y[1], y[2, 3] = 7.3, np.nan
    fit = fit_nested(X, y, groups)
    assert [status == "failed" for status in fit.status] == [False, True, True, False]
    assert "residual variance is zero" in fit.note[1] and "missing or infinite" in fit.note[2]
    assert np.isnan(fit.coef[1:3]).all() and np.isnan(fit.variances[1:3]).all()
    for infer in (kenward_roger, satterthwaite):
        found = infer(fit, np.eye(3))
        assert np.isnan(found.df[1:3]).all() and np.isfinite(found.df[[0, 3]]).all()
        alone = infer(fit_nested(X, y[3], groups), np.eye(3))
        np.testing.assert_allclose(found.df[3], alone.df, rtol=1e-9)


def test_groups_explained_by_one_design_fail_alone():
    X, y, groups = draw(10, (3,))
    dummies = np.equal.outer(groups[0], np.arange(1, 6)).astype(float)
    designs = np.stack([np.column_stack([X, dummies])] * 3)
    designs[1:, :, 3:] += np.random.default_rng(1).normal(size=(2, len(X), 5))
    fit = fit_nested(designs, y, groups)
    assert [status == "failed" for status in fit.status] == [True, False, False]
    assert "explains every difference" in fit.note[0]


def test_nothing_varies_within_groups():
    X, y, groups = draw(6, (2,))
    y[0] = np.random.default_rng(6).normal(size=24)[4 * groups[0] + groups[1]]
    fit = fit_nested(X[:, :2], y, groups)
    assert fit.status[0] == "failed" and "within groups" in fit.note[0]
    assert fit.status[1] != "failed"


def test_wrong_calls_end_in_one_sentence():
    X, y, (outer, inner) = draw(7)
    dummies = np.equal.outer(outer, np.arange(1, 6)).astype(float)
    calls = [
        ((X, y, []), {}, "At least one level"),
        ((X, y, [outer, inner]), {"method": "MAP"}, "REML or ML, not MAP"),
        ((X, y, [outer, outer]), {}, "Level 2 of the groups .* divides no group"),
        ((X, y, [np.zeros_like(outer), inner]), {}, "At least two groups are needed, 1 found"),
        ((X, y, [outer, np.arange(len(y))]), {}, "No group has two rows"),
        ((X, y, [outer[1:], inner]), {}, "one integer code for each of the 120 rows"),
        ((np.column_stack([X, dummies]), y, [outer, inner]), {}, "groups of level 1"),
    ]
    for arguments, options, sentence in calls:
        with pytest.raises(ValueError, match=sentence):
            fit_nested(*arguments, **options)
    with pytest.raises(RankDeficientError, match="position 3"):
        fit_nested(np.column_stack([X, X[:, 2]]), y, [outer, inner])
    with pytest.raises(ValueError, match="needs a fit by REML"):
        kenward_roger(fit_nested(X, y, [outer, inner], method="ML"), np.eye(3))


def test_many_draws_all_converge():
    X, y, groups = draw(8, (300,), sd=(0.3, 0.3))
    fit = fit_nested(X, y, groups)
    assert {"ok", "boundary"} == set(fit.status)
    assert np.isfinite(kenward_roger(fit, np.eye(3)).df).all()


def test_a_large_trial_takes_linear_memory_and_little_time():
    rng = np.random.default_rng(9)
    person = np.repeat(np.arange(100_000), 3)
    team = rng.integers(0, 1_000, 100_000)[person]
    X = np.column_stack([np.ones(len(team)), team % 2, rng.normal(size=(len(team), 5))])
    y = X[:, 2] + 0.5 * rng.normal(size=1_000)[team] + rng.normal(size=100_000)[person]
    y = y + rng.normal(size=len(y))
    tracemalloc.start()
    started = time.process_time()
    fit = fit_nested(X, y, [team, person])
    found = kenward_roger(fit, np.eye(7)[1])
    seconds = time.process_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.status == "ok"
    assert seconds < 10.0
    assert peak < 8 * X.nbytes
    np.testing.assert_allclose(fit.variances, [0.25, 1.0, 1.0], rtol=0.15)
    np.testing.assert_allclose(found.df, 998.0, rtol=1e-2)
