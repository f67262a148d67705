"""Seemingly unrelated regressions: agreement with R's systemfit and clubSandwich, and faults."""

from __future__ import annotations

import numpy as np
import pytest
from linearmodels.system import SUR
from visits_data import column, read

from ccp_analysis.models.ols import RankDeficientError, fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.models.sur import fit_sur

DIVISORS = ("none", "geometric")
BLOCK = {"none": "sur_nodf", "geometric": "sur"}


@pytest.fixture(scope="session")
def reference() -> dict:
    return read("sur.json")


@pytest.fixture
def equations(trial):
    """Return X1, y1, X2, y2: costs with Trusts, QALYs with age."""
    costs, qalys = trial.design("arm", "y0", "trust"), trial.design("arm", "y0", "age")
    return costs, trial["cost"], qalys, trial["qaly"]


def coefficients(fit):
    return np.concatenate([fit.coef1, fit.coef2], axis=-1)


def errors(fit):
    return np.sqrt(np.diagonal(fit.covariance, axis1=-2, axis2=-1))


def printed(ours, theirs):
    """Equal in the twelve digits that were printed, but for one unit in the last."""
    np.testing.assert_allclose(ours, theirs, rtol=1e-11)


@pytest.mark.parametrize("df", DIVISORS)
def test_as_systemfit(equations, clustered_reference, df):
    rows = clustered_reference[BLOCK[df]]
    fit = fit_sur(*equations, df=df)
    assert fit.status == "ok" and fit.note == ""
    printed(coefficients(fit), column(rows["coef"], "Estimate"))
    printed(errors(fit), column(rows["coef"], "Std. Error"))
    printed(coefficients(fit) / errors(fit), column(rows["coef"], "t value"))
    printed(fit.sigma, rows["resid_cov"])


@pytest.mark.parametrize("df", DIVISORS)
def test_cr2_as_clubsandwich_on_the_whitened_stack(equations, trial, reference, df):
    rows = reference[df]
    fit = fit_sur(*equations, df=df)
    assert np.all(np.abs(coefficients(fit) - rows["estimate"]) <= 1e-11 * errors(fit))
    np.testing.assert_allclose(errors(fit), rows["se_model"], rtol=1e-12)
    np.testing.assert_allclose(fit.weights, rows["sigma_weights"], rtol=1e-12)
    np.testing.assert_allclose(fit.sigma, rows["sigma"], rtol=1e-12)
    np.testing.assert_allclose(fit.correlation, rows["correlation"], rtol=1e-12)
    groups = np.tile(trial.groups, 2)
    robust = cluster_robust(fit.working, groups, np.eye(11))
    np.testing.assert_allclose(robust.std_error, column(rows["cr2"], "SE"), rtol=1e-11)
    np.testing.assert_allclose(robust.df, column(rows["cr2"], "df"), rtol=1e-11)
    np.testing.assert_allclose(robust.p_value, column(rows["cr2"], "p"), rtol=1e-11)
    scale = np.multiply.outer(robust.std_error, robust.std_error)
    covariance = cluster_covariance(fit.working, groups)
    np.testing.assert_allclose(covariance / scale, rows["vcov_cr2"] / scale, atol=1e-11)


@pytest.mark.parametrize("df", DIVISORS)
def test_the_working_fit_is_the_same_estimate(equations, df):
    fit = fit_sur(*equations, df=df)
    working = fit.working
    assert working.X.shape == (302, 11) and working.residuals.shape == (302,)
    np.testing.assert_allclose(working.coef, coefficients(fit), rtol=1e-12)
    scale = np.multiply.outer(errors(fit), errors(fit))
    np.testing.assert_allclose(working.bread / scale, fit.covariance / scale, atol=1e-12)
    # Whitened residuals: each person's quadratic form in the inverse of the weights.
    X1, y1, X2, y2 = equations
    e = np.stack([y1 - X1 @ fit.coef1, y2 - X2 @ fit.coef2], axis=-1)
    forms = np.einsum("ni,ij,nj->n", e, np.linalg.inv(fit.weights), e)
    squares = np.square(working.residuals.reshape(2, -1)).sum(axis=0)
    np.testing.assert_allclose(squares, forms, rtol=1e-10)


@pytest.mark.parametrize("df", DIVISORS)
def test_a_batch_equals_the_library(equations, df):
    X1, y1, X2, y2 = equations
    rng = np.random.default_rng(1)
    y1 = y1 + rng.normal(0.0, 300.0, (2, 3, len(y1)))
    X2 = X2 + rng.normal(0.0, 0.1, (3, *X2.shape)) * [0.0, 0.0, 1.0, 1.0]
    whole = fit_sur(X1, y1, X2, y2, df=df)
    assert whole.status.shape == (2, 3) and whole.working.X.shape == (2, 3, 302, 11)
    for i, j in np.ndindex(2, 3):
        system = {"a": (y1[i, j], X1), "b": (y2, X2[j])}
        theirs = SUR(system).fit(method="gls", cov_type="unadjusted", debiased=df == "geometric")
        np.testing.assert_allclose(coefficients(whole)[i, j], theirs.params, rtol=1e-9)
        np.testing.assert_allclose(errors(whole)[i, j], theirs.std_errors, rtol=1e-9)


def test_equal_designs_give_least_squares_of_each(equations, trial):
    X, y1, _, y2 = equations
    fit = fit_sur(X, y1, X, y2)
    for ours, y in ((fit.coef1, y1), (fit.coef2, y2)):
        np.testing.assert_allclose(ours, fit_ols(X, y).coef, rtol=1e-9)
    # The coefficients are then least squares, but the working covariance of CR2 is of pairs: the
    # cross-products of the equations' own CR2 stand on the diagonal.
    groups = np.tile(trial.groups, 2)
    robust = cluster_robust(fit.working, groups, np.eye(14))
    own = [cluster_robust(fit_ols(X, y), trial.groups, np.eye(7)) for y in (y1, y2)]
    np.testing.assert_allclose(
        robust.std_error, np.concatenate([f.std_error for f in own]), rtol=1e-9
    )
    np.testing.assert_allclose(robust.df, np.concatenate([f.df for f in own]), rtol=1e-9)


@pytest.mark.parametrize(
    ("spoiled", "sentence"),
    [
        (lambda y1: 0.4, "fitted exactly"),
        (lambda y1: 3.0 - 0.001 * y1, "perfectly correlated"),
    ],
)
def test_an_impossible_fit_fails_alone_with_a_sentence(equations, trial, spoiled, sentence):
    """Beside what fails every model (`test_models_faults.py`)."""
    X1, y1, _, y2 = equations
    y1, y2 = (np.stack([y, y[::-1], y[::2].repeat(2)[: len(y)]]) for y in (y1, y2))
    y2[1] = spoiled(y1[1])
    fit = fit_sur(X1, y1, X1, y2)
    assert fit.status.tolist() == fit.working.status.tolist() == ["ok", "failed", "ok"]
    assert sentence in fit.note[1] and fit.note[1].endswith(".") and fit.note[0] == ""
    robust = cluster_robust(fit.working, np.tile(trial.groups, 2), np.eye(14))
    arrays = (coefficients(fit), fit.covariance, fit.sigma, fit.weights, fit.correlation)
    for array in (*arrays, robust.estimate, robust.std_error):
        assert np.isnan(array[1]).all() and np.isfinite(array[[0, 2]]).all()
    alone = fit_sur(X1, y1[1], X1, y2[1])
    assert alone.status == "failed" and np.isnan(alone.working.coef).all()


def test_dependent_columns_are_named_in_either_equation(equations):
    X1, y1, X2, y2 = equations
    twice = np.column_stack([X2, X2[:, 3]])
    with pytest.raises(RankDeficientError) as raised:
        fit_sur(twice, y2, X1, y1)
    assert raised.value.columns == (4,)
    with pytest.raises(RankDeficientError) as raised:
        fit_sur(X1, y1, twice, y2)
    assert raised.value.columns == (11,)


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (lambda e: (e[0], e[1], e[2][1:], e[3][1:]), {}, "151 and 150 rows"),
        (lambda e: e, {"df": "n"}, "none, geometric, not n"),
        (lambda e: (e[0], e[1][1:], e[2], e[3]), {}, "same n"),
    ],
)
def test_wrong_calls_end_in_one_sentence(equations, change, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_sur(*change(equations), **options)
