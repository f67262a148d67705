"""Log link with variance mu^power: agreement with R, invariances, and costs that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from glm_data import POWERS, draw, few, numbers, same, seeds
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.models.families import power_family
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import (
    counterfactual,
    cr2_covariance,
    on_link_scale,
    standardised,
)
from ccp_analysis.models.robust import cluster_covariance

CASES = [
    *("gamma", "squared_zeros", "linear_zeros", "between_zeros", "between_thousands"),
    *("between_few_clusters", "steep_heavy", "squared_heavy", "above_gamma"),
    *("above_gamma_thousands", "inverse_gaussian"),
]
# A cost, whatever the power.
COSTS = "power 1"
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


@few
@given(seeds, powers, st.sampled_from([1e-9, 1e-3, 100.0, 1e9]))
def test_units_of_money(seed, power, unit):
    X, y, groups = draw(seed, COSTS)
    family = f"power {power:g}"
    once, found = numbers(X, y, groups, family), numbers(X, unit * y, groups, family)
    # A factor is a shift of the intercept on the log scale, and a factor of the means.
    moved = once[0::2, 0] + np.log(unit) * np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(found[0::2, 0], moved, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found[0::2, 1:], once[0::2, 1:], rtol=1e-8)
    np.testing.assert_allclose(found[1::2, :2], unit * once[1::2, :2], rtol=1e-8)
    np.testing.assert_allclose(found[1::2, 2], once[1::2, 2], rtol=1e-8)


@few
@given(seeds)
def test_power_one_is_a_poisson_fit_with_free_dispersion(seed):
    X, y, groups = draw(seed, COSTS)
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
    X, y, groups = draw(2, COSTS)
    y[np.argmax(X[:, 2])] = size * y.max()
    fit = fit_glm(X, y, "power", power=power, iterations=25)
    assert fit.status == "ok"
    weight = fit.fitted ** (1.0 - power)
    score = X.T @ ((y - fit.fitted) * weight)
    np.testing.assert_allclose(score / (X.T @ ((y + fit.fitted) * weight)), 0.0, atol=1e-12)
    assert np.isfinite(numbers(X, y, groups, f"power {power:g}")[..., :2, :]).all()


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_scoring_would_not_arrive(power):
    """Why the observed information is taken: steps by the expected one cycle or overflow."""
    X, y, _ = draw(2, COSTS)
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
    X, y, _ = draw(8, COSTS)
    with pytest.raises(ValueError, match=sentence):
        fit_glm(X, y, **options)
