"""Log link with variance mu^power: agreement with R, invariances, and costs that cannot be."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ccp_analysis.models.families import power_family
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import (
    counterfactual,
    cr2_covariance,
    on_link_scale,
    standardised,
)
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust

CASES = (
    "gamma",
    "squared_zeros",
    "linear_zeros",
    "between_zeros",
    "between_thousands",
    "between_few_clusters",
    "steep_heavy",
    "squared_heavy",
    "above_gamma",
    "above_gamma_thousands",
    "inverse_gaussian",
)
POWERS = (1.0, 1.2, 1.5, 1.9, 2.0)

few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
powers = st.sampled_from(POWERS)


@pytest.fixture(scope="session")
def reference() -> dict:
    return json.loads((Path(__file__).parent / "data" / "power.json").read_text())


@pytest.fixture
def case(request, trial, reference):
    """Return design, costs, clusters and R's results; the arm stands in column 1."""
    name, rows = request.param, reference[request.param]
    by_trust, by_age = trial.design("arm", "y0", "trust"), trial.design("arm", "y0", "age")
    zeros = np.where(np.arange(1, 152) % 6 == 0, 0.0, trial["cost"])
    heavy = zeros.copy()
    heavy[39] = 20.0 * trial["cost"][39]
    data = {
        "gamma": (by_trust, trial["cost"]),
        "squared_zeros": (by_trust, zeros),
        "linear_zeros": (by_trust, zeros),
        "between_zeros": (by_trust, zeros),
        "between_thousands": (by_age, zeros / 1000.0),
        "between_few_clusters": (trial.design("arm", "y0"), zeros / 1000.0),
        "steep_heavy": (by_trust, heavy),
        "squared_heavy": (by_age, heavy),
        "above_gamma": (by_trust, trial["cost"]),
        "above_gamma_thousands": (by_age, trial["cost"] / 1000.0),
        "inverse_gaussian": (by_trust, trial["cost"]),
    }
    X, y = data[name]
    assert rows["n"] == len(y) and rows["score"] < 1e-14
    return X, y, trial.groups if rows["cluster"] == "team" else trial.trust, rows


every_case = pytest.mark.parametrize("case", CASES, indirect=True)


def column(rows, name):
    return np.array([row[name] for row in rows], dtype=float)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@every_case
def test_coefficients_as_in_r(case):
    X, y, groups, rows = case
    fit = fit_glm(X, y, "power", power=rows["power"])
    L = np.eye(X.shape[1])
    assert fit.status == "ok" and fit.note == ""
    model = on_link_scale(fit, L, kind="model")
    close(model.estimate, column(rows["model"], "Estimate"))
    close(model.std_error, column(rows["model"], "Std. Error"))
    close(model.p_value, column(rows["model"], "Pr(>|t|)"))
    close(fit.working.sigma2, rows["dispersion"])
    close(on_link_scale(fit, L, kind="HC3").std_error, rows["hc3"])
    robust = on_link_scale(fit, L, groups=groups)
    close(robust.std_error, column(rows["cr2"], "SE"))
    close(robust.df, column(rows["cr2"], "df_Satt"))
    close(robust.p_value, column(rows["cr2"], "p_Satt"))
    scale = np.multiply.outer(robust.std_error, robust.std_error)
    covariance = cr2_covariance(fit, groups)
    np.testing.assert_allclose(covariance / scale, rows["vcov_cr2"] / scale, atol=1e-11)


@every_case
def test_other_sandwiches_through_the_working_fit(case):
    X, y, groups, rows = case
    working = fit_glm(X, y, "power", power=rows["power"]).working
    found = [kind for kind in ("CR0", "CR3") if rows.get(kind.lower())]
    assert "CR0" in found
    for kind in found:
        covariance = cluster_covariance(working, groups, kind)
        close(np.sqrt(np.diagonal(covariance)), rows[kind.lower()])


@every_case
def test_recycled_predictions_as_in_r(case):
    X, y, groups, rows = case
    fit, designs = fit_glm(X, y, "power", power=rows["power"]), counterfactual(X, 1)
    marginal = rows["marginal"]
    robust = standardised(fit, *designs, groups=groups)
    close(robust.estimate, column(marginal, "estimate"))
    close(robust.std_error, column(marginal, "se_cr2"))
    close(robust.df, column(marginal, "df"))
    close(standardised(fit, *designs, kind="HC3").std_error, column(marginal, "se_hc3"))
    model = standardised(fit, *designs, kind="model")
    close(model.std_error, column(marginal, "se_model"))
    assert (model.df == len(y) - X.shape[1]).all()


@pytest.mark.parametrize("power", [2.2, 2.6, 3.0])
def test_above_the_gamma_distribution_a_maximum_is_found_with_zeros_too(trial, power):
    """Its score is zero and its observed information positive, in every fit of a batch."""
    X, rng = trial.design("arm", "y0", "trust"), np.random.default_rng(5)
    y = trial["cost"] * rng.lognormal(0.0, 1.0, size=(6, len(X)))
    y[3:, ::12] = 0.0
    fit = fit_glm(X, y, "power", power=power)
    assert (fit.status == "ok").all(), fit.note
    family = power_family(power)
    eta = np.log(fit.fitted)
    score = family.score(y, eta) @ X
    size = np.abs(family.score(y, eta)) @ np.abs(X)
    np.testing.assert_allclose(score / size, 0.0, atol=1e-9)
    information = np.einsum("np,mn,nq->mpq", X, family.information(y, eta), X)
    assert (np.linalg.eigvalsh(information) > 0).all()


def stopped_early(X, y):
    """Scoring for a gamma distribution with R's start and R's rule for stopping."""
    mu, deviance = y, None
    while True:
        eta = np.log(mu)
        coef = np.linalg.lstsq(X, eta + (y - mu) / mu, rcond=None)[0]
        mu = np.exp(X @ coef)
        last, deviance = deviance, -2.0 * (np.log(y / mu) - (y - mu) / mu).sum()
        if last is not None and abs(deviance - last) < 1e-8 * (abs(deviance) + 0.1):
            return coef


def test_gamma_reference_and_where_r_stopped(trial, clustered_reference):
    """R's default stops 1e-5 standard errors early; its own rule gives back its every digit."""
    rows, X, y = clustered_reference["gamma"], trial.design("arm", "y0", "trust"), trial["cost"]
    estimate, std_error = column(rows["coef"], "Estimate"), column(rows["coef"], "Std. Error")
    fit = fit_glm(X, y, "power", power=2.0)
    model = on_link_scale(fit, np.eye(7), kind="model")
    assert np.all(np.abs(model.estimate - estimate) <= 1e-4 * std_error)
    np.testing.assert_allclose(model.std_error, std_error, rtol=1e-4)
    difference = standardised(fit, *counterfactual(X, 1), kind="model")
    assert abs(difference.estimate[2] - rows["recycled_difference"]) <= (
        1e-4 * difference.std_error[2]
    )

    coef = stopped_early(X, y)
    np.testing.assert_allclose(coef, estimate, rtol=1e-11)
    X0, X1 = counterfactual(X, 1)
    recycled = np.exp(X1 @ coef).mean() - np.exp(X0 @ coef).mean()
    np.testing.assert_allclose(recycled, rows["recycled_difference"], rtol=1e-11)
    residuals = y / np.exp(X @ coef) - 1.0
    variance = np.square(residuals).sum() / 144.0 * np.diagonal(np.linalg.inv(X.T @ X))
    np.testing.assert_allclose(np.sqrt(variance), std_error, rtol=1e-11)


def draw(seed, batch=()):
    """Return design, costs with zeros and clusters of unequal size; the arm is column 1."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 20, size=8) + np.array([0, 0, 0, 0, 1, 2, 9, 20])
    groups = rng.permutation(np.repeat(np.arange(8), sizes))
    x = rng.normal(3.0, 2.0, size=(*batch, len(groups)))
    arm = np.broadcast_to((groups % 2).astype(float), x.shape)
    X = np.stack([np.ones(x.shape), arm, x], axis=-1)
    mean = np.exp(7.0 + 0.1 * x + 0.3 * rng.normal(size=(*batch, 8))[..., groups])
    y = mean * rng.gamma(0.8, 1.0 / 0.8, x.shape) * (rng.random(x.shape) < 0.8)
    return X, y, groups


def numbers(X, y, groups, power):
    """Return every number of every inference, shape (..., kinds, estimate/se/df, 3)."""
    fit = fit_glm(X, y, "power", power=power)
    found = []
    for kind, clusters in (("CR2", groups), ("HC3", None), ("model", None)):
        found.append(on_link_scale(fit, np.eye(3), groups=clusters, kind=kind))
        found.append(standardised(fit, *counterfactual(X, 1), groups=clusters, kind=kind))
    return np.stack([np.stack([f.estimate, f.std_error, f.df], axis=-2) for f in found], axis=-3)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_a_batch_equals_its_single_fits(power):
    X, y, groups = draw(1, (2, 3))
    whole = numbers(X, y, groups, power)
    assert whole.shape == (2, 3, 6, 3, 3)
    shared = numbers(X[0, 0], y, groups, power)
    one_outcome = numbers(X, y[0, 0], groups, power)
    for index in np.ndindex(2, 3):
        same(whole[index], numbers(X[index], y[index], groups, power))
        same(shared[index], numbers(X[0, 0], y[index], groups, power))
        same(one_outcome[index], numbers(X[index], y[0, 0], groups, power))


@few
@given(seeds, powers, st.sampled_from([1e-9, 1e-3, 100.0, 1e9]))
def test_units_of_money(seed, power, unit):
    X, y, groups = draw(seed)
    once, found = numbers(X, y, groups, power), numbers(X, unit * y, groups, power)
    # A factor is a shift of the intercept on the log scale, and a factor of the means.
    moved = once[0::2, 0] + np.log(unit) * np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(found[0::2, 0], moved, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found[0::2, 1:], once[0::2, 1:], rtol=1e-8)
    np.testing.assert_allclose(found[1::2, :2], unit * once[1::2, :2], rtol=1e-8)
    np.testing.assert_allclose(found[1::2, 2], once[1::2, 2], rtol=1e-8)


@few
@given(seeds, powers)
def test_order_of_rows_labels_of_clusters_and_reference_arm(seed, power):
    X, y, groups = draw(seed)
    rng = np.random.default_rng(seed)
    expected = numbers(X, y, groups, power)
    order = rng.permutation(len(y))
    same(numbers(X[order], y[order], groups[order], power), expected)
    same(numbers(X, y, rng.choice(1000, size=8, replace=False)[groups], power), expected)
    turned = X.copy()
    turned[:, 1] = 1.0 - X[:, 1]
    found = numbers(turned, y, groups, power)
    same(found[0::2, :, 1], expected[0::2, :, 1] * np.array([-1.0, 1.0, 1.0]))
    same(found[1::2, :, :2], expected[1::2][..., [1, 0]])


@few
@given(seeds)
def test_power_one_is_a_poisson_fit_with_free_dispersion(seed):
    X, y, groups = draw(seed)
    free, fixed = fit_glm(X, y, "power", power=1.0), fit_glm(X, y, "poisson")
    same(free.coef, fixed.coef)
    how = {"groups": groups}
    for infer in (
        lambda fit, **kind: on_link_scale(fit, np.eye(3), **kind),
        lambda fit, **kind: standardised(fit, *counterfactual(X, 1), **kind),
    ):
        same(infer(free, **how).std_error, infer(fixed, **how).std_error)
        ours, theirs = infer(free, kind="model"), infer(fixed, kind="model")
        same(ours.std_error, np.sqrt(free.working.sigma2) * theirs.std_error)


@few
@given(seeds, powers)
def test_without_covariates_the_difference_is_that_of_the_means(seed, power):
    X, y, groups = draw(seed)
    arms = X[:, :2]
    fit = fit_glm(arms, y, "power", power=power)
    ours = standardised(fit, *counterfactual(arms, 1), groups=groups)
    theirs = cluster_robust(
        fit_ols(arms, y), groups, np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    )
    same(ours.estimate, theirs.estimate)
    np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-8)
    np.testing.assert_allclose(ours.df[:2], theirs.df[:2], rtol=1e-8)


@pytest.mark.parametrize("power", [*POWERS, 1.0 + 1e-9, 2.0 - 1e-9])
def test_derivatives_of_the_quasi_likelihood(power):
    family = power_family(power)
    y, eta = np.array([0.0, 0.3, 2.0, 50.0]), np.array([-2.0, 0.5, 1.0, 3.0])
    h = 1e-5
    slope = (family.likelihood(y, eta + h) - family.likelihood(y, eta - h)) / (2.0 * h)
    np.testing.assert_allclose(family.score(y, eta), slope, rtol=1e-6, atol=1e-7)
    curvature = (family.score(y, eta + h) - family.score(y, eta - h)) / (2.0 * h)
    np.testing.assert_allclose(family.information(y, eta), -curvature, rtol=1e-6, atol=1e-7)
    mu = np.exp(eta)
    np.testing.assert_allclose(family.score(y, eta), (y - mu) * mu ** (1.0 - power), rtol=1e-9)
    np.testing.assert_allclose(family.variance(eta), mu**power)
    np.testing.assert_allclose(family.weight(eta), family.slope(eta) ** 2 / family.variance(eta))
    assert (family.information(y, eta) >= 0.0).all()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("size", [30.0, 1e3, 1e6])
def test_one_enormous_cost(power, size):
    X, y, groups = draw(2)
    y[np.argmax(X[:, 2])] = size * y.max()
    fit = fit_glm(X, y, "power", power=power, iterations=25)
    assert fit.status == "ok"
    weight = fit.fitted ** (1.0 - power)
    score = X.T @ ((y - fit.fitted) * weight)
    np.testing.assert_allclose(score / (X.T @ ((y + fit.fitted) * weight)), 0.0, atol=1e-12)
    assert np.isfinite(numbers(X, y, groups, power)[..., :2, :]).all()


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_scoring_would_not_arrive(power):
    """Why the observed information is taken: steps by the expected one cycle or overflow."""
    X, y, _ = draw(2)
    y[np.argmax(X[:, 2])] = 30.0 * y.max()
    fit = fit_glm(X, y, "power", power=power, iterations=7)
    assert fit.status == "ok"
    family, coef = power_family(power), np.array([np.log(y.mean()), 0.0, 0.0])
    distances = []
    for _ in range(100):
        eta = X @ coef
        distances.append(np.abs(eta - np.log(fit.fitted)).max())
        if distances[-1] > 50.0:
            break
        score = X.T @ family.score(y, eta)
        coef = coef + np.linalg.solve((X.T * family.weight(eta)) @ X, score)
    assert min(distances[-20:]) > 0.01


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("an arm without costs", "always zero (separation)"),
        ("a subgroup without costs", "always zero (separation)"),
        ("the same cost", "same for everyone"),
        ("no cost at all", "same for everyone"),
        ("a cost for each arm", "fitted exactly"),
        ("missing", "missing or infinite"),
        ("dependent", "depend"),
    ],
)
def test_an_impossible_fit_fails_alone_with_a_sentence(power, kind, sentence):
    X, y, groups = draw(3, (4,))
    if kind == "an arm without costs":
        y[1, X[1, :, 1] == 1.0] = 0.0
    elif kind == "a subgroup without costs":
        X[..., 2] = X[..., 2] > 5.0
        y[1, X[1, :, 2] == 1.0] = 0.0
    elif kind == "the same cost":
        y[1] = 250.0
    elif kind == "no cost at all":
        y[1] = 0.0
    elif kind == "a cost for each arm":
        y[1] = 100.0 + 50.0 * X[1, :, 1]
    elif kind == "missing":
        y[1, 4] = np.nan
    elif kind == "dependent":
        X[1, :, 2] = 1.0 - 2.0 * X[1, :, 1]
    fit = fit_glm(X, y, "power", power=power)
    assert fit.status.tolist() == ["ok", "failed", "ok", "ok"]
    assert sentence in fit.note[1] and fit.note[1].endswith(".")
    assert np.isnan(fit.coef[1]).all() and np.isnan(fit.working.sigma2[1])
    whole = numbers(X, y, groups, power)
    assert np.isnan(whole[1, :, :2]).all()
    for i in (0, 2, 3):
        same(whole[i], numbers(X[i], y[i], groups, power))


def infinite(X, y, power):
    """Whether the quasi-likelihood rises for ever in some direction, by linear programming.

    With zeros in direction d it never falls if d leaves the means of all costs alone and raises
    that of no zero; at power 2, whose every term is linear in the end, also if it lowers the mean
    of no cost and the sum of all linear predictors does not rise.
    """
    zeros, costs = X[y == 0.0], X[y > 0.0]
    if power < 2.0:
        rows, gain, fixed = zeros, zeros.sum(axis=0), costs
    else:
        rows, fixed = np.vstack([-costs, X.sum(axis=0)[None]]), None
        gain = zeros.sum(axis=0) - costs.sum(axis=0)
    found = linprog(
        gain,
        A_ub=rows,
        b_ub=np.zeros(len(rows)),
        A_eq=fixed,
        b_eq=None if fixed is None else np.zeros(len(fixed)),
        bounds=[(-1.0, 1.0)] * X.shape[1],
    )
    return -found.fun > 1e-7


@pytest.mark.parametrize("power", POWERS)
def test_infinite_estimates_are_recognised_where_they_are_and_only_there(power):
    rng = np.random.default_rng(12)
    found = Counter()
    for _ in range(120):
        n, p = rng.integers(12, 40), rng.integers(1, 4)
        subgroups = rng.random(p) < 0.5
        covariates = np.where(subgroups, rng.random((n, p)) < 0.3, rng.standard_t(1.5, (n, p)))
        X = np.column_stack([np.ones(n), covariates])
        spent = rng.poisson(0.3 * np.exp(rng.normal(size=n)))
        y = spent * np.exp(rng.normal(6.0, 1.0, n))
        if np.linalg.matrix_rank(X) <= p or (y == y[0]).all():
            continue
        fit = fit_glm(X, y, "power", power=power)
        expected = infinite(X, y, power)
        assert fit.status == ("failed" if expected else "ok")
        assert ("separation" in str(fit.note)) == expected
        found[bool(expected)] += 1
    assert found[False] > 60 and found[True] > 5


def test_too_few_iterations_are_a_status():
    X, y, _ = draw(7, (3,))
    fit = fit_glm(X, y, "power", power=1.5, iterations=1)
    assert fit.status.tolist() == ["failed"] * 3
    assert "did not converge" in fit.note[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"family": "power", "power": 0.5}, "between 1 and 3, not at 0.5"),
        ({"family": "power", "power": 3.5}, "between 1 and 3, not at 3.5"),
        ({"family": "power", "power": np.nan}, "between 1 and 3, not at nan"),
        ({"family": "power"}, "A power is given for the family power"),
        ({"family": "poisson", "power": 1.5}, "A power is given for the family power"),
    ],
)
def test_wrong_powers_end_in_one_sentence(options, sentence):
    X, y, _ = draw(8)
    with pytest.raises(ValueError, match=sentence):
        fit_glm(X, y, **options)


def test_a_negative_cost_is_refused():
    X, y, _ = draw(8)
    y[3] = -120.0
    with pytest.raises(ValueError, match="not negative, but -120 was found"):
        fit_glm(X, y, "power", power=1.5)
