"""Logistic and Poisson fits: agreement with R and statsmodels, invariances, and what cannot be."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from glm_data import FAMILIES, draw, families, few, fitted, infinite, numbers, same, seeds
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import (
    counterfactual,
    cr2_covariance,
    on_link_scale,
    standardised,
)
from ccp_analysis.models.inference import quadratic
from ccp_analysis.models.ols import RankDeficientError, fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust

CASES = [
    *("binary", "rare", "count", "sparse", "few_clusters", "own_columns"),
    *("many_clusters_binary", "many_clusters_count"),
]
STATSMODELS = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}


@pytest.fixture(scope="session")
def reference() -> dict:
    return json.loads((Path(__file__).parent / "data" / "glm.json").read_text())


@pytest.fixture
def case(request, trial, btheb_long, reference):
    """Return design, outcome, clusters and R's results; the arm stands in column 1."""
    name, y1 = request.param, trial["y1"]
    by_team, whole = trial.design("arm", "y0"), trial.design("arm", "y0", "trust")
    by_age = trial.design("arm", "y0", "age")
    high, count = (y1 > np.median(y1)).astype(float), np.maximum(0.0, np.round(y1))
    longitudinal = btheb_long.X[:, [0, 3, 1, 2]]
    data = {
        "binary": (whole, high, trial.groups),
        "rare": (by_team, (y1 > 18.0).astype(float), trial.groups),
        "count": (whole, count, trial.groups),
        "sparse": (by_age, np.maximum(0.0, np.round(y1) - 15.0), trial.groups),
        "few_clusters": (by_team, high, trial.trust),
        "own_columns": (whole, count, trial.trust),
        "many_clusters_binary": (longitudinal, btheb_long.y >= 14.0, btheb_long.groups),
        "many_clusters_count": (longitudinal, btheb_long.y, btheb_long.groups),
    }
    X, y, groups = data[name]
    rows = reference[name]
    assert (rows["n"], rows["clusters"]) == (len(y), len(np.unique(groups)))
    return X, y.astype(float), groups, rows


every_case = pytest.mark.parametrize("case", CASES, indirect=True)


def column(rows, name):
    return np.array([row[name] for row in rows], dtype=float)


def assert_estimates(ours, theirs, std_error):
    assert np.all(np.abs(ours - theirs) <= 1e-6 * std_error)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@every_case
def test_coefficients_as_in_r(case, request):
    X, y, groups, rows = case
    fit = fit_glm(X, y, rows["family"])
    L = np.eye(X.shape[1])
    assert fit.status == "ok" and fit.note == ""
    model = on_link_scale(fit, L, kind="model")
    model_error = column(rows["model"], "Std. Error")
    assert_estimates(model.estimate, column(rows["model"], "Estimate"), model_error)
    close(model.std_error, model_error)
    np.testing.assert_allclose(model.p_value, column(rows["model"], "Pr(>|z|)"), rtol=1e-5)
    close(on_link_scale(fit, L, kind="HC3").std_error, rows["hc3"])
    robust = on_link_scale(fit, L, groups=groups)
    # R has numbers too where single clusters use up a contrast; here it is refused.
    stands = ~robust.used_up.refused
    assert stands.all() == (request.node.callspec.id != "own_columns") and stands[1]
    close(robust.std_error[stands], column(rows["cr2"], "SE")[stands])
    np.testing.assert_allclose(robust.df[stands], column(rows["cr2"], "df_Satt")[stands], rtol=1e-6)
    np.testing.assert_allclose(
        robust.p_value[stands], column(rows["cr2"], "p_Satt")[stands], rtol=1e-5
    )
    assert np.isnan([robust.std_error[~stands], robust.df[~stands], robust.p_value[~stands]]).all()
    covariance = cr2_covariance(fit, groups)
    # Relative to the standard errors: a covariance may be near zero.
    scale = np.sqrt(np.multiply.outer(np.diagonal(covariance), np.diagonal(covariance)))
    np.testing.assert_allclose(covariance / scale, rows["vcov_cr2"] / scale, atol=1e-6)


@every_case
def test_other_sandwiches_through_the_working_fit(case):
    X, y, groups, rows = case
    working = fit_glm(X, y, rows["family"]).working
    found = [k for k in ("CR0", "CR3") if rows.get(k.lower())]
    assert "CR0" in found
    for kind in found:
        covariance = cluster_covariance(working, groups, kind)
        close(np.sqrt(np.diagonal(covariance)), rows[kind.lower()])


@every_case
def test_marginal_means_as_in_r(case, request):
    X, y, groups, rows = case
    fit, designs = fit_glm(X, y, rows["family"]), counterfactual(X, 1)
    marginal = rows["marginal"]
    robust = standardised(fit, *designs, groups=groups)
    assert_estimates(robust.estimate, column(marginal, "estimate"), column(marginal, "se_model"))
    stands = ~robust.used_up.refused
    close(robust.std_error[stands], column(marginal, "se_cr2")[stands])
    np.testing.assert_allclose(robust.df[stands], column(marginal, "df")[stands], rtol=1e-6)
    assert np.isnan(robust.std_error[~stands]).all()
    assert stands.all() == (request.node.callspec.id != "own_columns")
    for kind, name in (("model", "se_model"), ("HC3", "se_hc3")):
        independent = standardised(fit, *designs, kind=kind)
        close(independent.std_error, column(marginal, name))
        assert np.isinf(independent.df).all()


@every_case
def test_as_statsmodels(case):
    X, y, _, rows = case
    fit = fit_glm(X, y, rows["family"])
    theirs = sm.GLM(y, X, family=STATSMODELS[rows["family"]]()).fit(tol=1e-14, maxiter=100)
    assert_estimates(fit.coef, theirs.params, theirs.bse)
    close(on_link_scale(fit, np.eye(X.shape[1]), kind="model").std_error, theirs.bse)
    np.testing.assert_allclose(fit.fitted, theirs.fittedvalues, rtol=1e-6)
    np.testing.assert_allclose(fit.working.residuals, theirs.resid_pearson, rtol=1e-5, atol=1e-9)


def test_risk_difference_as_statsmodels(trial):
    X, y = trial.design("arm", "y0"), (trial["y1"] > 18.0).astype(float)
    effects = sm.Logit(y, X).fit(disp=0, tol=1e-12).get_margeff(dummy=True)
    ours = standardised(fit_glm(X, y, "binomial"), *counterfactual(X, 1), kind="model")
    close(ours.estimate[2], effects.margeff[0])
    close(ours.std_error[2], effects.margeff_se[0])


@pytest.mark.parametrize("family", ["binomial", "poisson", "power 1", "power 1.5", "power 2"])
def test_a_batch_equals_its_single_fits(family):
    X, y, groups = draw(1, family, (2, 3))
    whole = numbers(X, y, groups, family)
    assert whole.shape == (2, 3, 6, 3, 3)
    shared = numbers(X[0, 0], y, groups, family)
    one_outcome = numbers(X, y[0, 0], groups, family)
    for index in np.ndindex(2, 3):
        same(whole[index], numbers(X[index], y[index], groups, family))
        same(shared[index], numbers(X[0, 0], y[index], groups, family))
        same(one_outcome[index], numbers(X[index], y[0, 0], groups, family))


@few
@given(seeds, families)
def test_order_of_rows_labels_of_clusters_and_reference_arm(seed, family):
    X, y, groups = draw(seed, family)
    rng = np.random.default_rng(seed)
    expected = numbers(X, y, groups, family)
    order = rng.permutation(len(y))
    same(numbers(X[order], y[order], groups[order], family), expected)
    same(numbers(X, y, rng.choice(1000, size=8, replace=False)[groups], family), expected)
    # Which arm is the reference only turns signs.
    turned = X.copy()
    turned[:, 1] = 1.0 - X[:, 1]
    found, signs = numbers(turned, y, groups, family), np.array([-1.0, 1.0, 1.0])
    same(found[0::2, :, 1], expected[0::2, :, 1] * signs)
    same(found[1::2, :, 2], expected[1::2, :, 2] * signs)
    same(found[1::2, :, :2], expected[1::2][..., [1, 0]])


@few
@given(seeds, st.sampled_from([*STATSMODELS]), st.floats(-50.0, 50.0), st.floats(0.01, 100.0))
def test_units_and_origin_of_a_covariate(seed, family, shift, scale):
    X, y, groups = draw(seed, family)
    expected = numbers(X, y, groups, family)
    moved = X.copy()
    moved[:, 2] = (X[:, 2] + shift) * scale
    found = numbers(moved, y, groups, family)
    # Not the intercept; marginal means (rows 1, 3, 5) whole.
    same(found[1::2], expected[1::2])
    same(found[0::2, :, 1], expected[0::2, :, 1])
    slope = found[0::2, :, 2] * np.array([scale, scale, 1.0])
    same(slope, expected[0::2, :, 2])


@few
@given(seeds)
def test_which_outcome_is_the_event_only_turns_signs(seed):
    X, y, groups = draw(seed, "binomial")
    expected, found = (numbers(X, v, groups, "binomial") for v in (y, 1.0 - y))
    same(found[:, 1:], expected[:, 1:])
    same(found[0::2, 0], -expected[0::2, 0])
    same(found[1::2, 0], np.array([1.0, 1.0, 0.0]) - expected[1::2, 0])


@few
@given(seeds, families)
def test_without_covariates_the_difference_is_that_of_the_means(seed, family):
    X, y, groups = draw(seed, family)
    arms = X[:, :2]
    ours = standardised(fitted(arms, y, family), *counterfactual(arms, 1), groups=groups)
    means = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    theirs = cluster_robust(fit_ols(arms, y), groups, means)
    same(ours.estimate, theirs.estimate)
    np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-8)
    # The means of the two arms rest on their own teams: the same df whatever the variances.
    np.testing.assert_allclose(ours.df[:2], theirs.df[:2], rtol=1e-8)


def test_gradient_of_a_marginal_mean(trial):
    X, y = trial.design("arm", "y0"), np.maximum(0.0, np.round(trial["y1"]))
    fit, designs = fit_glm(X, y, "poisson"), counterfactual(X, 1)
    h = 1e-5 * np.eye(3)

    def means(coef):
        rates = [np.exp(design @ coef).mean() for design in designs]
        return np.array([*rates, rates[1] - rates[0]])

    gradient = np.stack([means(fit.coef + e) - means(fit.coef - e) for e in h], axis=-1) / 2e-5
    by_hand = np.sqrt(quadratic(gradient, cr2_covariance(fit, trial.groups)))
    found = standardised(fit, *designs, groups=trial.groups)
    np.testing.assert_allclose(found.std_error, by_hand, rtol=1e-6)
    linear = on_link_scale(fit, gradient, groups=trial.groups)
    np.testing.assert_allclose(found.df, linear.df, rtol=1e-6)


def test_overdispersion_changes_only_the_model_based_error():
    X, y, groups = draw(5, "poisson")
    once, thrice = (numbers(X, scale * y, groups, "poisson") for scale in (1.0, 3.0))
    # On the log scale a factor is a shift of the intercept: CR2 and HC3 do not see it.
    same(thrice[[0, 2], 1:], once[[0, 2], 1:])
    same(thrice[0::2, 0, 1:], once[0::2, 0, 1:])
    np.testing.assert_allclose(thrice[4, 1], once[4, 1] / np.sqrt(3.0), rtol=1e-8)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_covariate_with_outliers_still_converges(family):
    X, y, _ = draw(6, family)
    X[:3, 2], y[:3] = 40.0, 1.0
    fit = fit_glm(X, y, family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = sm.GLM(y, X, family=STATSMODELS[family]()).fit(tol=1e-14, maxiter=100)
    assert fit.status == "ok"
    assert_estimates(fit.coef, theirs.params, theirs.bse)
    score = X.T @ (y - fit.fitted)
    np.testing.assert_allclose(score / np.abs(X).sum(axis=0), 0.0, atol=1e-9)


def test_a_start_far_from_the_optimum():
    x = np.concatenate([np.zeros(30), [1.0]])
    y = np.concatenate([np.tile([0.0, 0.0, 1.0], 10), [1e6]])
    X = np.column_stack([np.ones(31), x, np.linspace(-1.0, 1.0, 31) ** 2])
    fit = fit_glm(X, y, "poisson")
    assert fit.status == "ok"
    np.testing.assert_allclose(X.T @ (y - fit.fitted) / y.sum(), 0.0, atol=1e-12)


def threshold(X, y, family):
    """Let a covariate predict perfectly: nobody of a subgroup has any count or cost."""
    if family == "binomial":
        y[1] = X[1, :, 2] > 3.0
    else:
        X[..., 2] = X[..., 2] > 5.0
        y[1, X[1, :, 2] == 1.0] = 0.0


# What is done to the second of four fits, and what is said of it.
IMPOSSIBLE = {
    "no event in one arm": (lambda X, y, f: np.copyto(y[1], 0.0, where=X[1, :, 1] == 1.0), "separ"),
    "a threshold": (threshold, "separation"),
    "constant": (lambda X, y, f: y[1].fill(250.0 if "w" in f else 1.0), "same for everyone"),
    "nobody": (lambda X, y, f: y[1].fill(0.0), "same for everyone"),
    "exact": (lambda X, y, f: np.copyto(y[1], 2.0 + 3.0 * X[1, :, 1]), "fitted exactly"),
    "missing": (lambda X, y, f: y.__setitem__((1, 4), np.nan), "missing or infinite"),
    "missing covariate": (lambda X, y, f: X.__setitem__((1, 4, 2), np.nan), "missing or infinite"),
    "dependent": (lambda X, y, f: X.__setitem__((1, ..., 2), 1.0 - 2.0 * X[1, :, 1]), "depend"),
}


# Means of events are fitted exactly by separation alone.
PAIRS = [pair for pair in product(IMPOSSIBLE, FAMILIES) if pair != ("exact", "binomial")]


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_an_impossible_fit_fails_alone_with_a_sentence(kind, family):
    change, sentence = IMPOSSIBLE[kind]
    X, y, groups = draw(3, family, (4,))
    change(X, y, family)
    fit = fitted(X, y, family)
    assert fit.status.tolist() == ["ok", "failed", "ok", "ok"]
    assert sentence in fit.note[1] and fit.note[1].endswith(".")
    assert np.isnan(fit.coef[1]).all() and np.isnan(fit.fitted[1]).all()
    assert "power" not in family or np.isnan(fit.working.sigma2[1])
    whole = numbers(X, y, groups, family)
    assert np.isnan(whole[1, :, :2]).all()
    for i in (0, 2, 3):
        same(whole[i], numbers(X[i], y[i], groups, family))
    intervals = standardised(fit, *counterfactual(X, 1), groups=groups).interval()
    assert np.isnan(intervals)[:, 1].all() and np.isfinite(intervals)[:, [0, 2, 3]].all()


@pytest.mark.parametrize("family", FAMILIES)
def test_infinite_estimates_are_recognised_where_they_are_and_only_there(family):
    rng = np.random.default_rng(12)
    found = []
    for _ in range(150):
        n, p = rng.integers(12, 40), rng.integers(1, 4)
        # Rare subgroups, and covariates with wild outliers.
        subgroups = rng.random(p) < 0.5
        covariates = np.where(subgroups, rng.random((n, p)) < 0.3, rng.standard_t(1.5, (n, p)))
        X = np.column_stack([np.ones(n), covariates])
        y = rng.poisson(0.3 * np.exp(rng.normal(size=n))).astype(float)
        if family == "binomial":
            y = np.minimum(y, 1.0)
        elif family != "poisson":
            y *= np.exp(rng.normal(6.0, 1.0, n))
        if np.linalg.matrix_rank(X) <= p or (y == y[0]).all():
            continue
        fit = fitted(X, y, family)
        expected = infinite(X, y, family)
        assert fit.status == ("failed" if expected else "ok")
        assert ("separation" in str(fit.note)) == expected
        found.append(expected)
    assert len(found) > 100 and 5 < sum(found) < 80


def test_a_nearly_separated_outcome_is_none():
    X, _, groups = draw(4, "binomial")
    arms = X[:, :2]
    y = np.where(X[:, 1] == 1.0, 0.0, np.arange(len(X)) % 2)
    y[np.flatnonzero(X[:, 1])[0]] = 1.0
    fit = fit_glm(arms, y, "binomial")
    assert fit.status == "ok"
    rate = y[X[:, 1] == 1.0].mean()
    np.testing.assert_allclose(fit.fitted[X[:, 1] == 1.0], rate, rtol=1e-9)
    assert np.isfinite(on_link_scale(fit, np.eye(2), groups=groups).p_value).all()


@pytest.mark.parametrize("family", ["binomial", "power 1.5"])
def test_too_few_iterations_are_a_status(family):
    X, y, _ = draw(7, family, (3,))
    fit = fitted(X, y, family, iterations=1)
    assert fit.status.tolist() == ["failed"] * 3
    assert "did not converge" in fit.note[0]
    assert np.isnan(fit.coef).all()


def test_clusters_alone_identify_a_contrast():
    _, y, groups = draw(8, "poisson")
    dummies = np.equal.outer(groups, np.arange(8)).astype(float)
    found = on_link_scale(fit_glm(dummies, y, "poisson"), np.eye(8), groups=groups)
    assert np.isfinite(found.estimate).all()
    assert np.isnan([found.std_error, found.df, found.p_value]).all()


def on(X, y, **options):
    return on_link_scale(fit_glm(X, y, "binomial"), options.pop("L", np.eye(3)), **options)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda X, y, g: fit_glm(X, y, "gamma"), "binomial, poisson, power, not gamma"),
        (lambda X, y, g: fit_glm(X, y + 1.0, "binomial"), "0 or 1, but 2 was found"),
        (lambda X, y, g: fit_glm(X, -2.0 * y, "poisson"), "not negative, but -2 was found"),
        (lambda X, y, g: fit_glm(X, -2.0 * y, "power", power=1.5), "not negative, but -2 was"),
        (lambda X, y, g: fit_glm(X, y[:-1], "binomial"), "same n"),
        (lambda X, y, g: fit_glm(X, np.full(len(y), np.nan), "binomial"), "missing or infinite"),
        (lambda X, y, g: on(X, y), "for CR2 only"),
        (lambda X, y, g: on(X, y, groups=g, kind="HC3"), "for CR2 only"),
        (lambda X, y, g: on(X, y, kind="CR9"), "not CR9"),
        (lambda X, y, g: on(X, y, L=np.eye(2), kind="model"), "3 expected, 2 found"),
        (
            lambda X, y, g: standardised(fit_glm(X, y, "binomial"), *[X[:, :2]] * 2, kind="model"),
            "has 3 columns",
        ),
        (
            lambda X, y, g: cr2_covariance(fit_glm(X, y, "binomial"), np.zeros(len(y), dtype=int)),
            "At least two groups",
        ),
    ],
)
def test_wrong_calls_end_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(*draw(9, "binomial"))


def test_dependent_columns_are_named():
    X, y, _ = draw(9, "binomial")
    with pytest.raises(RankDeficientError, match="position 3") as caught:
        fit_glm(np.column_stack([X, X[:, 0] - X[:, 1]]), y, "binomial")
    assert caught.value.columns == (3,)
