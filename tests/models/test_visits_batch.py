"""A batch equals its single fits; units, origins, order and labels do not matter."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import draw

from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite

few = settings(max_examples=8, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
models = st.sampled_from([("us", None), ("cs", None), ("csh", None), ("us", "cs"), ("cs", "us")])


def everything(X, y, person, visit, team, model):
    """Return every number of a fit, and its status."""
    structure, team_structure = model
    options = {} if team_structure is None else {"team": team, "team_structure": team_structure}
    fit = fit_mixed(X, y, person, visit, structure, **options)
    L = np.eye(X.shape[-1])[3:]
    numbers = {}
    for infer in (kenward_roger, satterthwaite):
        found = infer(fit, L)
        for part in ("estimate", "std_error", "df", "p_value"):
            numbers[f"{infer.__name__} {part}"] = getattr(found, part)
    joint = kenward_roger_f(fit, L)
    numbers |= {"F": joint.statistic, "F df": joint.df}
    numbers |= {"covariance": fit.covariance, "deviance": fit.deviance}
    if fit.team_covariance is not None:
        numbers["teams"] = fit.team_covariance
    return numbers, fit.status


def assert_same(ours, theirs, rtol, scale=1.0):
    for name, values in ours.items():
        atol = 1e-9 if name != "teams" else 1e-9 * np.abs(ours["covariance"]).max()
        np.testing.assert_allclose(
            values * scale, theirs[name] * scale, rtol=rtol, atol=atol, err_msg=name
        )


@pytest.mark.parametrize("shared", ["", "design", "outcome"])
@pytest.mark.parametrize("model", [("us", None), ("cs", None), ("csh", None), ("us", "us")])
def test_a_batch_equals_its_single_fits(model, shared):
    X, y, *codes = draw(31, batch=(2, 3), shared_design=shared == "design")
    y = y[0, 0] if shared == "outcome" else y
    numbers, statuses = everything(X, y, *codes, model)
    for index in np.ndindex(2, 3):
        design, outcome = (v if v.ndim == own else v[index] for v, own in ((X, 2), (y, 1)))
        single, status = everything(design, outcome, *codes, model)
        assert status == statuses[index] != "failed"
        assert_same({name: values[index] for name, values in numbers.items()}, single, 1e-9)


@few
@given(seeds, models, st.floats(-1e3, 1e3), st.floats(-6.0, 6.0))
def test_units_and_origin_of_the_outcome(seed, model, shift, log_scale):
    X, y, *codes = draw(seed, people=60)
    scale = 10.0**log_scale
    before, status = everything(X, y, *codes, model)
    after, moved_status = everything(X, scale * (y + shift), *codes, model)
    assert status == moved_status
    for name, values in before.items():
        moved = after[name]
        if name.endswith(("estimate", "std_error")):
            moved = moved / scale
        elif name in ("covariance", "teams"):
            moved = moved / scale**2
        elif name == "deviance":
            moved = moved - 2.0 * np.log(scale) * (len(y) - X.shape[1])
        np.testing.assert_allclose(moved, values, rtol=1e-6, atol=1e-7, err_msg=name)


@few
@given(seeds, models, st.floats(-4.0, 4.0), st.floats(-100.0, 100.0))
def test_units_and_origin_of_a_covariate(seed, model, log_scale, shift):
    X, y, *codes = draw(seed, people=60)
    moved = X.copy()
    moved[:, 6] = (moved[:, 6] + shift) * 10.0**log_scale
    before, status = everything(X, y, *codes, model)
    after, moved_status = everything(moved, y, *codes, model)
    assert status == moved_status
    for name in ("estimate", "std_error", "df"):
        for infer in ("kenward_roger", "satterthwaite"):
            key = f"{infer} {name}"
            np.testing.assert_allclose(
                after[key][:3], before[key][:3], rtol=1e-6, atol=1e-7, err_msg=key
            )


@few
@given(seeds, models)
def test_order_of_rows_and_names_of_people_visits_and_teams(seed, model):
    X, y, person, visit, team = draw(seed, people=60)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    names = [rng.permutation(500)[:60], np.array([2, 5, 11]), rng.permutation(40)[:6]]
    codes = [new[old][order] for new, old in zip(names, (person, visit, team), strict=True)]
    before, status = everything(X, y, person, visit, team, model)
    after, moved_status = everything(X[order], y[order], *codes, model)
    assert status == moved_status
    assert_same(after, before, 1e-6)


@few
@given(seeds)
def test_missed_visits_may_be_rows_without_an_outcome(seed):
    X, y, person, visit, team = draw(seed)
    gone = np.random.default_rng(seed).random(len(y)) < 0.1
    holes = np.where(gone, np.nan, y)
    before, status = everything(
        X[~gone], y[~gone], person[~gone], visit[~gone], team[~gone], ("us", "cs")
    )
    after, moved_status = everything(X, holes, person, visit, team, ("us", "cs"))
    assert status == moved_status
    assert_same(after, before, 1e-12)


@few
@given(seeds)
def test_compound_symmetry_is_a_random_intercept(seed):
    X, y, person, visit, _ = draw(seed, people=60)
    fit, other = fit_mixed(X, y, person, visit, "cs"), fit_random_intercept(X, y, person)
    assert other.status == "ok"
    np.testing.assert_allclose(fit.deviance, other.deviance, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance[0, 1], other.var_group, rtol=1e-6)
    for information in ("expected", "observed"):
        ours, theirs = (kenward_roger(f, np.eye(7), information=information) for f in (fit, other))
        np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-7)
        np.testing.assert_allclose(ours.df, theirs.df, rtol=1e-6)
    np.testing.assert_allclose(
        satterthwaite(fit, np.eye(7)).df, satterthwaite(other, np.eye(7)).df, rtol=1e-6
    )


@few
@given(seeds, models.filter(lambda model: model[0] == "us"))
def test_general_covariances_fit_at_least_as_well(seed, model):
    X, y, *codes = draw(seed, people=60)
    best, _ = everything(X, y, *codes, model)
    for structure in ("cs", "csh"):
        worse, _ = everything(X, y, *codes, (structure, model[1]))
        assert best["deviance"] <= worse["deviance"] + 1e-8


def long_trial(seed, people, dropout, gaps, visits=10):
    """Return X with 23 columns, y, person, visit; dropout by the last visit, visits missed."""
    rng = np.random.default_rng(seed)
    arm, covariates = np.arange(people) % 2, rng.normal(size=(people, 3))
    lag = np.abs(np.subtract.outer(range(visits), range(visits)))
    sd = np.linspace(1.0, 2.0, visits)
    factor = np.linalg.cholesky(0.85**lag * np.outer(sd, sd))
    whole = (covariates @ [0.5, 0.3, 0.2])[:, None] + rng.normal(size=(people, visits)) @ factor.T
    left = rng.random((people, visits)) < 1.0 - (1.0 - dropout) ** (1.0 / (visits - 1))
    left[:, 0] = False
    seen = ~np.maximum.accumulate(left, axis=1) & (rng.random((people, visits)) >= gaps)
    person, visit = np.nonzero(seen)
    times = np.eye(visits)[visit]
    X = np.column_stack([times, times * arm[person, None], covariates[person]])
    return X, whole[seen], person, visit


@pytest.mark.parametrize(
    ("people", "dropout", "gaps", "draws"),
    [(1000, 0.0, 0.0, 5), (1000, 0.38, 0.0, 5), (1000, 0.6, 0.0, 5), (400, 0.38, 0.3, 3)],
)
def test_every_draw_converges_whatever_is_missing(people, dropout, gaps, draws):
    for seed in range(draws):
        fit = fit_mixed(*long_trial(seed, people, dropout, gaps))
        assert fit.status == "ok", str(fit.note)
        assert fit.steps <= 20


def test_teams_of_a_simulation_all_converge():
    X, y, person, visit, team = draw(33, people=150, teams=10, batch=(200,), team_sd=0.3)
    for team_structure in ("cs", "us"):
        fit = fit_mixed(X, y, person, visit, team=team, team_structure=team_structure)
        assert {"ok", "boundary"} == set(fit.status)
        inference = kenward_roger(fit, np.eye(7))
        assert np.isfinite(inference.df).all() and np.all(inference.df > 0.0)


def test_unstructured_effects_of_few_teams_converge_at_the_edge():
    X, y, person, visit, team = draw(35, people=60, visits=5, teams=6, batch=(50,), team_sd=0.3)
    fit = fit_mixed(X, y, person, visit, team=team, team_structure="us")
    assert {"ok", "boundary"} >= set(fit.status)
    assert np.all(np.linalg.eigvalsh(fit.team_covariance)[:, 0] > -1e-10)
    assert fit.steps.max() <= 40


def test_a_large_trial_takes_linear_memory():
    X, y, person, visit, team = draw(34, people=100_000, teams=1_000)
    for options in ({}, {"team": team}):
        tracemalloc.start()
        fit = fit_mixed(X, y, person, visit, **options)
        found = kenward_roger(fit, np.eye(7))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert fit.status == "ok"
        assert peak < 8 * X.nbytes
    # A thousand teams tell the arm at one visit; other visits help to tell its variance.
    assert 998.0 < found.df[3] < 3.0 * 998.0
    np.testing.assert_allclose(fit.team_covariance[0, 1], 0.25, rtol=0.2)
