"""A batch equals its single fits; units, origins, order and labels do not matter."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import KINDS, cluster_covariance, cluster_robust, hc3
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite
from ccp_analysis.models.team_level import paired_team_means, sign_flip

few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def draw(seed, batch=(), shared_design=False, group_sd=0.7):
    """Return an unbalanced design with rows in no order: X, y, groups."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, size=8) + np.array([0, 0, 0, 0, 1, 2, 3, 9])
    groups = rng.permutation(np.repeat(np.arange(8), sizes))
    n = len(groups)
    treated = (groups % 2).astype(float)
    covariates = rng.normal(3.0, 2.0, size=(*(() if shared_design else batch), n, 2))
    fixed = np.broadcast_to(np.column_stack([np.ones(n), treated]), (*covariates.shape[:-1], 2))
    X = np.concatenate([fixed, covariates], axis=-1)
    effects = group_sd * rng.normal(size=(*batch, 8))[..., groups]
    y = 5.0 + 0.4 * X[..., 2] + effects + rng.normal(size=(*batch, n))
    return X, y, groups


def everything(X, y, groups):
    """Return every number of every model, and the statuses, as two dictionaries."""
    L = np.eye(4)[1:]
    ols, mixed = fit_ols(X, y), fit_random_intercept(X, y, groups)
    inferences = {
        "classical": classical(ols, L),
        "kenward_roger": kenward_roger(mixed, L),
        "satterthwaite": satterthwaite(mixed, L),
        **{kind: cluster_robust(ols, groups, L, kind) for kind in KINDS},
    }
    numbers = {
        f"{name} {part}": getattr(found, part)
        for name, found in inferences.items()
        for part in ("estimate", "std_error", "df", "p_value")
    }
    joint = kenward_roger_f(mixed, L)
    numbers |= {"hc3": hc3(ols), "F": joint.statistic, "F df": joint.df, "F p": joint.p_value}
    numbers |= {"group": mixed.var_group, "resid": mixed.var_resid, "deviance": mixed.deviance}
    return numbers, mixed.status


@pytest.mark.parametrize("shared", ["", "design", "outcome"])
def test_a_batch_equals_its_single_fits(shared):
    X, y, groups = draw(1, (2, 3), shared == "design", group_sd=0.2)
    y = y[0, 0] if shared == "outcome" else y
    numbers, statuses = everything(X, y, groups)
    assert {"ok", "boundary"} == set(statuses.ravel()) or shared == "outcome"
    for index in np.ndindex(2, 3):
        design, outcome = (v if v.ndim == own else v[index] for v, own in ((X, 2), (y, 1)))
        single, status = everything(design, outcome, groups)
        assert status == statuses[index]
        for name, values in numbers.items():
            np.testing.assert_allclose(
                values[index], single[name], rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_contrasts_may_differ_within_a_batch():
    X, y, groups = draw(3, (5,))
    L = np.stack([X.mean(axis=-2)] * 2, axis=-2)
    L[:, :, 1] = (0.0, 1.0)
    ols, mixed = fit_ols(X, y), fit_random_intercept(X, y, groups)
    for i in range(5):
        one, single = fit_ols(X[i], y[i]), fit_random_intercept(X[i], y[i], groups)
        for batch, alone in (
            (classical(ols, L), classical(one, L[i])),
            (cluster_robust(ols, groups, L), cluster_robust(one, groups, L[i])),
            (kenward_roger(mixed, L), kenward_roger(single, L[i])),
            (satterthwaite(mixed, L), satterthwaite(single, L[i])),
        ):
            np.testing.assert_allclose(batch.estimate[i], alone.estimate, rtol=1e-9)
            np.testing.assert_allclose(batch.std_error[i], alone.std_error, rtol=1e-9)
            np.testing.assert_allclose(batch.df[i], alone.df, rtol=1e-9)


@few
@given(seeds, st.floats(-1e4, 1e4), st.floats(-6.0, 6.0))
def test_units_and_origin_of_the_outcome(seed, shift, log_scale):
    X, y, groups = draw(seed)
    scale = 10.0**log_scale
    before, status = everything(X, y, groups)
    after, moved_status = everything(X, scale * (y + shift), groups)
    assert status == moved_status
    for name, values in after.items():
        if name.endswith(("estimate", "std_error")):
            values = values / scale
        elif name in ("hc3", "group", "resid"):
            values = values / scale**2
        elif name == "deviance":
            values = values - 2.0 * np.log(scale) * (X.shape[0] - X.shape[1])
        np.testing.assert_allclose(values, before[name], rtol=1e-6, atol=1e-9, err_msg=name)


@few
@given(seeds, st.floats(-6.0, 6.0), st.floats(-100.0, 100.0))
def test_units_and_origin_of_a_covariate(seed, log_scale, shift):
    X, y, groups = draw(seed)
    moved = X.copy()
    moved[:, 3] = (moved[:, 3] + shift) * 10.0**log_scale
    before, after = fit_random_intercept(X, y, groups), fit_random_intercept(moved, y, groups)
    assert before.status == after.status
    arm = np.eye(4)[[1]]
    for infer in (kenward_roger, satterthwaite):
        one, other = infer(before, arm), infer(after, arm)
        np.testing.assert_allclose(other.estimate, one.estimate, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.std_error, one.std_error, rtol=1e-6)
        np.testing.assert_allclose(other.df, one.df, rtol=1e-6)


@few
@given(seeds)
def test_order_of_rows_and_names_of_groups(seed):
    X, y, groups = draw(seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(y)), rng.permutation(40)[:8]
    before, status = everything(X, y, groups)
    after, moved_status = everything(X[order], y[order], names[groups][order])
    assert status == moved_status
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, rtol=1e-7, atol=1e-12, err_msg=name)


def dense_deviance(X, y, groups, var_group, var_resid):
    V = var_group * np.equal.outer(groups, groups) + var_resid * np.eye(len(y))
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    left = y - X @ np.linalg.solve(information, X.T @ inverse @ y)
    constant = (len(y) - X.shape[1]) * np.log(2.0 * np.pi)
    determinants = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
    return determinants + left @ inverse @ left + constant


@few
@given(seeds, st.sampled_from([0.0, 0.3, 1.0, 30.0]))
def test_the_fit_is_the_minimum_of_the_criterion_written_out(seed, group_sd):
    X, y, groups = draw(seed, group_sd=group_sd)
    fit = fit_random_intercept(X, y, groups)
    at = dense_deviance(X, y, groups, fit.var_group, fit.var_resid)
    np.testing.assert_allclose(fit.deviance, at, rtol=1e-9)
    others = [fit.var_group + step * fit.var_resid for step in (-0.3, -1e-2, 1e-2, 0.3, 3.0)]
    for var_group in others:
        if var_group >= 0.0:
            assert dense_deviance(X, y, groups, var_group, fit.var_resid) >= at - 1e-9
    for var_resid in (0.9 * fit.var_resid, 1.1 * fit.var_resid):
        assert dense_deviance(X, y, groups, fit.var_group, var_resid) > at


@few
@given(seeds)
def test_kenward_roger_written_out(seed):
    X, y, groups = draw(seed)
    fit = fit_random_intercept(X, y, groups)
    Z = np.equal.outer(groups, groups).astype(float)
    G = [Z, np.eye(len(y))]
    inverse = np.linalg.inv(fit.var_group * Z + fit.var_resid * G[1])
    phi = np.linalg.inv(X.T @ inverse @ X)
    projected = inverse - inverse @ X @ phi @ X.T @ inverse
    W = 2.0 * np.linalg.inv([[np.trace(projected @ a @ projected @ b) for b in G] for a in G])
    bends = [X.T @ inverse @ a @ inverse @ X for a in G]
    bias = sum(
        W[i, j] * X.T @ inverse @ G[i] @ projected @ G[j] @ inverse @ X
        for i in range(2)
        for j in range(2)
    )
    adjusted = phi + 2.0 * phi @ bias @ phi
    shares = np.array([np.diagonal(phi @ b @ phi) / np.diagonal(phi) for b in bends])
    ours = kenward_roger(fit, np.eye(4))
    np.testing.assert_allclose(ours.std_error, np.sqrt(np.diagonal(adjusted)), rtol=1e-7)
    np.testing.assert_allclose(
        ours.df, 2.0 / np.einsum("ik,ij,jk->k", shares, W, shares), rtol=1e-7
    )


@few
@given(seeds, st.sampled_from(["CR2", "CR3"]))
def test_cluster_covariances_written_out(seed, kind):
    X, y, groups = draw(seed)
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
    assert ours.slope.shape == (3, 2, 2)
    assert ours.pair_differences.shape == (3, 2, 4)
    dummies = np.equal.outer(team, np.arange(8)).astype(float)
    for i, j in np.ndindex(3, 2):
        single = paired_team_means(y[i, 0], adjust[j], team, pair, arm)
        np.testing.assert_allclose(ours.pair_differences[i, j], single.pair_differences, rtol=1e-9)
        np.testing.assert_allclose(
            ours.inference.std_error[i, j], single.inference.std_error, rtol=1e-9
        )
        # Slopes beside a fixed effect for every team are those pooled within teams.
        whole = np.linalg.lstsq(np.column_stack([adjust[j], dummies]), y[i, 0], rcond=None)[0]
        means = whole[2:]
        np.testing.assert_allclose(single.slope, whole[:2], rtol=1e-9)
        np.testing.assert_allclose(single.adjusted_means, means, rtol=1e-9)
        expected = means[[2, 1, 5, 3]] - means[[7, 4, 6, 0]]
        np.testing.assert_allclose(single.pair_differences, expected, rtol=1e-9)


@few
@given(seeds, st.integers(1, 12))
def test_sign_flip_lists_every_choice(seed, pairs):
    differences = np.random.default_rng(seed).normal(0.5, size=(2, pairs)).round(1)
    signs = np.array(np.meshgrid(*[(-1, 1)] * pairs)).reshape(pairs, -1)
    means = np.abs(differences @ signs)
    expected = (means >= np.abs(differences.sum(axis=-1))[:, None] - 1e-9).mean(axis=-1)
    np.testing.assert_allclose(sign_flip(differences), expected)
    np.testing.assert_allclose(sign_flip(1e-9 * differences), expected)


def test_pooling_of_any_shape():
    rng = np.random.default_rng(6)
    estimates, variances = rng.normal(size=(7, 2, 3)), rng.uniform(0.5, 1.0, size=(7, 2, 3))
    df = rng.uniform(3.0, 9.0, size=(7, 2, 3))
    pooled = pool(estimates, variances, df)
    low, high = pooled.interval(0.9)
    for index in np.ndindex(2, 3):
        single = pool(*(values[(slice(None), *index)] for values in (estimates, variances, df)))
        assert single.df == pooled.df[index]
        assert single.interval(0.9) == (low[index], high[index])
        harmonic = 7.0 / (1.0 / df[(slice(None), *index)]).sum()
        shared = pool(estimates[(slice(None), *index)], variances[(slice(None), *index)], harmonic)
        np.testing.assert_allclose(shared.df, single.df, rtol=1e-12)


def test_a_large_trial_takes_linear_memory():
    rng = np.random.default_rng(7)
    n, G = 100_000, 1_000
    groups = rng.integers(0, G, n)
    X = np.column_stack([np.ones(n), groups % 2, rng.normal(size=(n, 6))])
    y = X[:, 2] + rng.normal(size=G)[groups] + rng.normal(size=n)
    tracemalloc.start()
    fit = fit_random_intercept(X, y, groups)
    ours = kenward_roger(fit, np.eye(8)[[1]])
    robust = cluster_robust(fit_ols(X, y), groups, np.eye(8)[[1]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * X.nbytes
    np.testing.assert_allclose([fit.var_group, fit.var_resid], [1.0, 1.0], rtol=0.15)
    np.testing.assert_allclose(ours.df, 998.0, rtol=1e-3)
    np.testing.assert_allclose(robust.std_error, ours.std_error, rtol=0.1)
