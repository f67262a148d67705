"""Averaged contributions of clusters: what the rule is where it can be said exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visits_data import read

from ccp_analysis.characteristics.imputing import Column, completed
from ccp_analysis.characteristics.trials import Layout, Loss, Truth, draw, lose
from ccp_analysis.models.averaged import (
    covariance,
    imputations_for,
    pool_averaged,
    pool_by,
    rule_for,
    variances,
)
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import on_link_scale
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.team_level import paired_team_means

DATA = Path(__file__).parent / "data"
LAYOUT = Layout.of_pairs([[9, 7], [8, 8], [6, 7], [7, 5], [6, 6]])
M = 6


def tables(seed: int = 1, *, lost: bool = True, baseline: bool = False, m: int = M):
    """Return designs (m, n, p) and outcomes (m, n) of one trial, imputed m times."""
    rng = np.random.default_rng(seed)
    trial = draw(LAYOUT, Truth(effect=0.4, icc=0.1), 1, rng)
    gone = lose(LAYOUT, trial.baseline, Loss(0.25, 1.0), rng) if lost else np.zeros((1, 69), bool)
    absent = rng.random((1, LAYOUT.n)) < 0.1 if baseline else np.zeros((1, LAYOUT.n), bool)
    columns = [Column(trial.baseline, absent), Column(trial.outcome, gone)]
    x, y = (values[:, 0] for values in completed(columns, LAYOUT.team, m, 4, rng))
    shape = (m, LAYOUT.n)
    own = [np.ones(shape), np.broadcast_to(LAYOUT.active, shape), x]
    pairs = np.broadcast_to(LAYOUT.pairs, (*shape, 4))
    return np.concatenate([np.stack(own, axis=-1), pairs], axis=-1), y


def arms(p: int = 7) -> np.ndarray:
    return np.eye(p)[1:3]


def fits(X: np.ndarray, y: np.ndarray) -> Inference:
    return cluster_robust(fit_ols(X, y), LAYOUT.team, arms(X.shape[-1]))


def test_contributions_add_up_to_the_variance_and_to_the_contrast():
    X, y = tables(baseline=True)
    fit = fit_ols(X, y)
    found = cluster_robust(fit, LAYOUT.team, arms())
    parts = found.contributions
    np.testing.assert_allclose(np.square(parts.adjusted).sum(-1), found.std_error**2, rtol=1e-12)
    np.testing.assert_allclose(parts.scores.sum(-1), 0.0, atol=1e-13)
    np.testing.assert_allclose(
        parts.weights.sum(-2), np.broadcast_to(arms(), (M, 2, 7)), atol=1e-12
    )
    apart = found.estimate - found.estimate.mean(axis=0)
    np.testing.assert_allclose(parts.own().sum(-1), apart, atol=1e-12)


def test_without_missing_values_it_is_cr2_to_the_last_bit():
    """And with a single imputation that of its data set."""
    for found in (fits(*tables(lost=False)), fits(*tables(m=1))):
        pooled = pool_averaged(found)
        for name in ("estimate", "std_error", "df"):
            np.testing.assert_array_equal(getattr(pooled, name), getattr(found, name)[0])
        np.testing.assert_array_equal(pooled.mc_error, 0.0)


def test_with_the_outcome_alone_missing_v_is_the_cr2_of_the_averaged_outcome():
    X, y = tables()
    averaged = fits(X[0], y.mean(axis=0))
    pooled = pool_averaged(fits(X, y))
    np.testing.assert_allclose(pooled.estimate, averaged.estimate, rtol=1e-12)
    np.testing.assert_allclose(pooled.within, averaged.std_error**2, rtol=1e-12)
    np.testing.assert_allclose(pooled.df, averaged.df, rtol=1e-12)
    assert (pooled.total >= pooled.within).all()


@settings(max_examples=25)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3))
def test_another_origin_and_unit_of_the_outcome_change_t_by_its_square_alone(a, k):
    """And another origin of a covariate that was imputed changes nothing."""
    X, y = tables(baseline=True)
    plain = pool_averaged(fits(X, y))
    X[..., 2] += 5.0
    moved = pool_averaged(fits(X, a + k * y))
    # What is lost by adding a large number to small ones is not the rule's.
    rounding = 1e-9 * (1.0 + abs(a) / abs(k))
    np.testing.assert_allclose(moved.total, k**2 * plain.total, rtol=rounding)
    np.testing.assert_allclose(moved.df, plain.df, rtol=1e-9)


def test_the_covariance_of_contrasts_has_their_variances_on_its_diagonal():
    X, y = tables(3, baseline=True)
    found = fits(X, y)
    together, apart = covariance(found), pool_averaged(found).total
    assert np.linalg.eigvalsh(together).min() > 0.0
    # Cutting off what is negative of two at once takes off no less than of each.
    assert (np.diagonal(together) >= apart * (1.0 - 1e-12)).all()
    single = fits(X, y).part(np.s_[..., :1])
    np.testing.assert_allclose(covariance(single)[0, 0], apart[0], rtol=1e-12)


def test_other_models_have_contributions_too():
    """Of a generalised linear model; of pairs, whose rule is the t test of averaged differences."""
    X, y = tables(baseline=True)
    fit = fit_glm(X, (y > y.mean()).astype(float), "binomial")
    found = on_link_scale(fit, arms(), groups=LAYOUT.team)
    parts = np.square(found.contributions.adjusted).sum(-1)
    np.testing.assert_allclose(parts, found.std_error**2, rtol=1e-10)
    whole, second = pool_averaged(found), pool_averaged(found.part(np.s_[..., [1]]))
    assert (whole.std_error < pool_by("barnard-rubin", found).std_error).all()
    np.testing.assert_array_equal(second.total, whole.total[[1]])
    X, y = tables()
    units = LAYOUT.team, LAYOUT.pair, LAYOUT.arm
    for adjust in (X[0][:, 2:3], None):
        fit = paired_team_means(y, adjust, *units)
        pooled, differences = pool_averaged(fit.inference), fit.pair_differences.mean(axis=0)
        assert pooled.within[0] == pytest.approx(differences.var(ddof=1) / 5, rel=1e-12)
        assert adjust is None or pooled.df[0] == pytest.approx(4.0)
    _, between, shared = variances(fit.inference)
    own = (fit.pair_differences / 5).var(axis=0, ddof=1).sum()
    assert shared[0] == pytest.approx(between[0] - own, rel=1e-12)


def test_the_rule_falls_back_where_nothing_can_be_averaged():
    plain = Inference(np.zeros((3, 1)), np.ones((3, 1)), np.full((3, 1), 4.0))
    assert rule_for(plain, "averaged") == "barnard-rubin"
    assert rule_for(plain, "satterthwaite") == "satterthwaite"
    with pytest.raises(ValueError, match="needs an inference by clusters"):
        pool_averaged(plain)


def test_a_fit_without_inference_leaves_none():
    found = fits(*tables())
    error = found.std_error.copy()
    error[2, 0] = np.nan
    broken = Inference(found.estimate, error, found.df, contributions=found.contributions)
    pooled = pool_averaged(broken)
    assert np.isnan(pooled.std_error[0])
    assert np.isfinite(pooled.std_error[1])


def test_the_error_of_the_standard_error_is_that_of_repeated_imputation():
    # The jackknife's coefficient of variation against 200 imputations of the same trial anew.
    rng = np.random.default_rng(5)
    trial = draw(LAYOUT, Truth(icc=0.1), 1, rng)
    gone = lose(LAYOUT, trial.baseline, Loss(0.3), rng)
    columns = [Column(trial.baseline, np.zeros_like(gone)), Column(trial.outcome, gone)]
    own = [np.ones(LAYOUT.n), LAYOUT.active, trial.baseline[0]]
    X = np.column_stack([*own, LAYOUT.pairs])
    errors, asked = [], []
    for _ in range(200):
        y = completed(columns, LAYOUT.team, 20, 1, rng)[1][:, 0]
        found = fits(X, y)
        pooled = pool_averaged(found)
        errors.append(pooled.std_error[0])
        asked.append(imputations_for(found, pooled, cv=0.02)[0])
    measured = np.std(errors, ddof=1) / np.mean(errors)
    wanted = 20 * (measured / 0.02) ** 2
    assert np.mean(asked) == pytest.approx(wanted, rel=0.25)


@pytest.mark.parametrize("what", ["outcome", "all"])
def test_an_implementation_in_r_gives_the_same(what):
    kept = read("averaged_contributions.reference.json")[what]
    raw = np.loadtxt(DATA / f"averaged_contributions_{what}.csv", delimiter=",", skiprows=1)
    m = int(raw[:, 0].max())
    x, y = (raw[:, k].reshape(m, -1) for k in (4, 5))
    n = x.shape[1]
    team, pair, active = (raw[:n, k] for k in (1, 2, 3))
    pairs = (pair[:, None] == np.unique(pair)[1:]).astype(float)
    shape = (m, n)
    own = np.stack([np.ones(shape), np.broadcast_to(active, shape), x], axis=-1)
    X = np.concatenate([own, np.broadcast_to(pairs, (*shape, 4))], axis=-1)
    found = cluster_robust(fit_ols(X, y), team.astype(int), np.eye(7)[1:2])
    pooled = pool_averaged(found)
    for name, value in {
        "estimate": pooled.estimate[0],
        "V": pooled.within[0],
        "B": pooled.between[0],
        "T": pooled.total[0],
        "df": pooled.df[0],
    }.items():
        assert value == pytest.approx(kept[name], rel=1e-8), name
