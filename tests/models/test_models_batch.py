"""A batch equals its single fits; units, origins, order and labels do not matter."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from every_model import FAMILIES, LINEAR, MODELS, VISITS, draw, everything, same
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import draw as draw_visits

from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.models.small_sample import kenward_roger, satterthwaite
from ccp_analysis.models.team_level import paired_team_means, sign_flip

few = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
# How a number moves with the unit of the outcome: by which power of it.
POWERS = {"estimate": 1, "std_error": 1, "set, low": 1, "set, high": 1, "set, below": 1}
POWERS |= {"set, above": 1, "hc3": 2, "covariance": 2, "covariance of teams": 2}


@pytest.mark.parametrize("shared", ["", "design", "outcome"])
@pytest.mark.parametrize("model", MODELS)
def test_a_batch_equals_its_single_fits(model, shared):
    X, y, *codes = draw(model, 1, (2, 3), group_sd=0.2)
    X, y = X[0, 0] if shared == "design" else X, y[0, 0] if shared == "outcome" else y
    numbers, fit = everything(model, X, y, *codes)
    if model == "random intercept" and not shared:
        assert {"ok", "boundary"} == set(fit.status.ravel())
    for index in np.ndindex(2, 3):
        design, outcome = (v if v.ndim == own else v[index] for v, own in ((X, 2), (y, 1)))
        single, alone = everything(model, design, outcome, *codes)
        assert alone.status == fit.status[index] != "failed"
        same({name: values[index] for name, values in numbers.items()}, single)


@pytest.mark.parametrize("model", LINEAR)
@few
@given(seeds, st.floats(-1e3, 1e3), st.floats(-6.0, 6.0))
def test_units_and_origin_of_the_outcome(model, seed, shift, log_scale):
    X, y, *codes = draw(model, seed)
    scale = 10.0**log_scale
    before, fit = everything(model, X, y, *codes)
    after, moved = everything(model, X, scale * (y + shift), *codes)
    assert fit.status == moved.status
    for name in after:
        if name == "deviance":
            after[name] = after[name] - 2.0 * log_scale * np.log(10.0) * (len(y) - X.shape[1])
        elif name != "CR2 estimate" or model != "two equations":
            power = POWERS.get(name, POWERS.get(name.rpartition(" ")[2], 0))
            after[name] = after[name] / scale**power
    if model == "two equations":  # of which one alone has the outcome
        before, after = ({"correlation": one["correlation"]} for one in (before, after))
    same(after, before, 1e-6)


@pytest.mark.parametrize("model", MODELS)
@few
@given(seeds, st.floats(-4.0, 4.0), st.floats(-50.0, 50.0))
def test_units_and_origin_of_a_covariate(model, seed, log_scale, shift):
    """Of the third column, or of a visit's covariate; the arm's numbers are as they were."""
    X, y, *codes = draw(model, seed)
    moved, at = X.copy(), 6 if model in VISITS else 2
    moved[:, at] = (moved[:, at] + shift) * 10.0**log_scale
    (before, fit), (after, other) = (everything(model, one, y, *codes) for one in (X, moved))
    assert fit.status == other.status
    for name in [n for n in before if n.startswith(("F", "deviance", "covariance", "hc3"))]:
        del before[name], after[name]
    for name, values in before.items():  # the arm, or its differences over the visits
        kept = slice(0, 3) if model in VISITS or "means" in name else slice(0, 1)
        if model in FAMILIES and "means" not in name:
            kept = slice(1, 2)
        if np.ndim(values):
            before[name], after[name] = values[kept], after[name][kept]
    same(after, before, 1e-6)


@pytest.mark.parametrize("model", MODELS)
@few
@given(seeds)
def test_order_of_rows_and_names_of_groups(model, seed):
    X, y, *codes = draw(model, seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(y)), [rng.permutation(500)[:60] for _ in codes]
    if model in VISITS:
        names[1] = np.array([2, 5, 11])
    elif model == "pairs":  # whose teams are numbered without gaps
        names[0] = rng.permutation(8)
    renamed = [new[old][order] for new, old in zip(names, codes, strict=True)]
    (before, fit), (after, other) = (
        everything(model, X, y, *codes),
        everything(model, X[order], y[order], *renamed),
    )
    assert fit.status == other.status
    same(after, before, 1e-6 if model in VISITS else 1e-7)


@pytest.mark.parametrize("family", FAMILIES)
@few
@given(seeds)
def test_which_arm_is_the_reference_only_turns_signs(family, seed):
    X, y, groups = draw(family, seed)
    turned = X.copy()
    turned[:, 1] = 1.0 - X[:, 1]
    before, after = (everything(family, design, y, groups)[0] for design in (X, turned))
    for name, values in before.items():
        sign = -1.0 if name.endswith("estimate") else 1.0
        found, at = after[name], 2 if "means" in name else 1
        same({name: found[at]}, {name: sign * values[at]})
        if "means" in name:
            same({name: found[:2]}, {name: values[[1, 0]]})


def test_contrasts_may_differ_within_a_batch():
    X, y, groups, _ = draw("least squares", 3, (5,))
    L = np.stack([X.mean(axis=-2)] * 2, axis=-2)
    L[:, :, 1] = (0.0, 1.0)

    def inferred(X, y, L):
        ols, mixed = fit_ols(X, y), fit_random_intercept(X, y, groups)
        found = [classical(ols, L), cluster_robust(ols, groups, L)]
        found += [kenward_roger(mixed, L), satterthwaite(mixed, L)]
        return [np.stack([f.estimate, f.std_error, f.df], axis=-1) for f in found]

    for i in range(5):
        for whole, alone in zip(inferred(X, y, L), inferred(X[i], y[i], L[i]), strict=True):
            np.testing.assert_allclose(whole[i], alone, rtol=1e-9)


@few
@given(seeds, st.sampled_from(["CR2", "CR3"]))
def test_cluster_covariances_written_out(seed, kind):
    X, y, groups, _ = draw("least squares", seed)
    fit = fit_ols(X, y)
    bread = np.linalg.inv(X.T @ X)
    meat = np.zeros((4, 4))
    for group in range(8):
        rows = X[groups == group]
        values, vectors = np.linalg.eigh(np.eye(len(rows)) - rows @ bread @ rows.T)
        power = -0.5 if kind == "CR2" else -1.0
        powers = np.where(values > 1e-10, np.maximum(values, 1e-10) ** power, 0.0)
        score = rows.T @ (vectors * powers) @ vectors.T @ fit.residuals[groups == group]
        meat += np.outer(score, score)
    np.testing.assert_allclose(
        cluster_covariance(fit, groups, kind), bread @ meat @ bread, rtol=1e-7, atol=1e-12
    )


def test_team_level_batches():
    rng = np.random.default_rng(5)
    team = rng.permutation(np.repeat(np.arange(8), [3, 9, 4, 5, 6, 3, 7, 5]))
    pair, arm = np.array([3, 1, 0, 3, 1, 2, 2, 0]), np.array([0, 1, 1, 1, 0, 1, 0, 0])
    y, adjust = rng.normal(size=(3, 1, 42)), rng.normal(size=(2, 42, 2))
    ours = paired_team_means(y, adjust, team, pair, arm)
    assert ours.slope.shape == (3, 2, 2) and ours.pair_differences.shape == (3, 2, 4)
    dummies = np.equal.outer(team, np.arange(8)).astype(float)
    for i, j in np.ndindex(3, 2):
        # Slopes beside a fixed effect for every team are those pooled within teams.
        whole = np.linalg.lstsq(np.column_stack([adjust[j], dummies]), y[i, 0], rcond=None)[0]
        means = whole[2:]
        differences = means[[2, 1, 5, 3]] - means[[7, 4, 6, 0]]
        np.testing.assert_allclose(ours.slope[i, j], whole[:2], rtol=1e-9)
        np.testing.assert_allclose(ours.adjusted_means[i, j], means, rtol=1e-9)
        np.testing.assert_allclose(ours.pair_differences[i, j], differences, rtol=1e-9)
        error = differences.std(ddof=1) / 2.0
        np.testing.assert_allclose(ours.inference.std_error[i, j], [error], rtol=1e-9)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 12))
def test_sign_flip_lists_every_choice(seed, pairs):
    differences = np.random.default_rng(seed).normal(0.5, size=(2, pairs)).round(1)
    signs = np.array(np.meshgrid(*[(-1, 1)] * pairs)).reshape(pairs, -1)
    means = np.abs(differences @ signs)
    expected = (means >= np.abs(differences.sum(axis=-1))[:, None] - 1e-9).mean(axis=-1)
    np.testing.assert_allclose(sign_flip(differences), expected)
    np.testing.assert_allclose(sign_flip(1e-9 * differences), expected)


@few
@given(seeds)
def test_missed_visits_may_be_rows_without_an_outcome(seed):
    X, y, *codes = draw_visits(seed)
    gone = np.random.default_rng(seed).random(len(y)) < 0.1
    kept = [values[~gone] for values in (X, y, *codes)]
    before, fit = everything("us, teams cs", *kept)
    after, other = everything("us, teams cs", X, np.where(gone, np.nan, y), *codes)
    assert fit.status == other.status
    same(after, before, 1e-11)


@few
@given(seeds)
def test_compound_symmetry_is_a_random_intercept(seed):
    X, y, person, visit, _ = draw_visits(seed, people=60)
    fit, other = fit_mixed(X, y, person, visit, "cs"), fit_random_intercept(X, y, person)
    assert other.status == "ok"
    np.testing.assert_allclose(fit.deviance, other.deviance, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance[0, 1], other.var_group, rtol=1e-6)
    ways = [partial(kenward_roger, information=kind) for kind in ("expected", "observed")]
    for infer in (*ways, satterthwaite):
        ours, theirs = (infer(one, np.eye(7)) for one in (fit, other))
        np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-7)
        np.testing.assert_allclose(ours.df, theirs.df, rtol=1e-6)


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
    ("people", "dropout", "gaps"), [(1000, 0.0, 0.0), (1000, 0.6, 0.0), (400, 0.38, 0.3)]
)
def test_every_draw_converges_whatever_is_missing(people, dropout, gaps):
    for seed in range(3):
        fit = fit_mixed(*long_trial(seed, people, dropout, gaps))
        assert fit.status == "ok" and fit.steps <= 20, str(fit.note)


@pytest.mark.parametrize(
    ("structure", "more"),
    [
        ("cs", {"people": 150, "teams": 10, "batch": (100,)}),
        ("us", {"people": 150, "teams": 10, "batch": (100,)}),
        ("us", {"people": 60, "teams": 6, "batch": (50,), "visits": 5}),
    ],
)
def test_teams_of_a_simulation_all_converge(structure, more):
    """At the edge too, where few teams have unstructured effects."""
    X, y, person, visit, team = draw_visits(33, team_sd=0.3, **more)
    fit = fit_mixed(X, y, person, visit, team=team, team_structure=structure)
    assert {"ok", "boundary"} >= set(fit.status) and fit.steps.max() <= 40
    assert np.all(np.linalg.eigvalsh(fit.team_covariance)[:, 0] > -1e-10)
    found = kenward_roger(fit, np.eye(X.shape[-1]))
    assert np.isfinite(found.df).all() and np.all(found.df > 0.0)


def test_a_large_trial_takes_linear_memory():
    X, y, person, visit, team = draw_visits(34, people=50_000, teams=1_000)
    tracemalloc.start()
    fit = fit_mixed(X, y, person, visit, team=team)
    found = kenward_roger(fit, np.eye(7))
    robust = cluster_robust(fit_ols(X, y), team, np.eye(7)[[3]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.status == "ok" and peak < 15 * X.nbytes
    # A thousand teams tell the arm at one visit; other visits help to tell its variance.
    assert 998.0 < found.df[3] < 3.0 * 998.0
    np.testing.assert_allclose(fit.team_covariance[0, 1], 0.25, rtol=0.2)
    np.testing.assert_allclose(robust.std_error, found.std_error[3], rtol=0.1)
