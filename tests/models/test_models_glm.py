"""Events, counts, and costs with variance mu^power: agreement with R, and what cannot be fitted."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
from every_model import FAMILIES, POWERS, draw, everything, fails_alone, glm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from visits_data import column, read

from ccp_analysis.models.families import power_family
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import (
    counterfactual,
    cr2_covariance,
    on_link_scale,
    standardised,
)
from ccp_analysis.models.robust import cluster_covariance

REFERENCE = {
    (file, name): rows
    for file in ("glm", "power")
    for name, rows in read(f"{file}.json").items()
    if name != "session"
}
COSTS = "power 1"  # a cost, whatever the power


class Case:
    """A fit, its design and clusters, and what R says of it; the arm stands in column 1."""

    def __init__(self, key, trial, btheb_long) -> None:
        self.rows = REFERENCE[key]
        outcome, _, terms = self.rows["formula"].partition(" ~ ")
        if "treatment" in terms:
            self.X, self.groups = btheb_long.X[:, [0, 3, 1, 2]], btheb_long.groups
            y = btheb_long.y if outcome == "bdi" else btheb_long.y >= 14.0
        else:
            y1, cost, person = trial["y1"], trial["cost"], np.arange(151)
            count, zeros = np.round(y1), np.where(person % 6 == 5, 0.0, cost)
            y = {
                **{"high": y1 > np.median(y1), "rare": y1 > 18.0},
                **{"count": np.maximum(0.0, count), "sparse": np.maximum(0.0, count - 15.0)},
                **{"cost": cost, "costk": cost / 1000.0, "zeros": zeros, "zerosk": zeros / 1000.0},
                "heavy": np.where(person == 39, 20.0 * cost, zeros),
            }[outcome]
            self.X = trial.design(*terms.split(" + "))
            few = self.rows.get("clusters") == 5 or self.rows.get("cluster") == "trust"
            self.groups = trial.trust if few else trial.groups
        assert self.rows["n"] == len(y) and self.rows.get("score", 0.0) < 1e-14
        power = self.rows.get("power")
        family = "power" if power else self.rows["family"]
        self.fit = fit_glm(self.X, y.astype(float), family, power=power)
        # R has numbers too where single clusters use up a contrast; here it is refused.
        self.own_columns = key[1] == "own_columns"


def agree(case, ours, theirs):
    """Compare with R's scoring as it stops, or, of powers of the mean, to the last digit."""
    if "power" in case.rows:
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.fixture(params=REFERENCE, ids="-".join)
def case(request, trial, btheb_long) -> Case:
    return Case(request.param, trial, btheb_long)


def test_coefficients_as_in_r(case):
    fit, rows, L, close = case.fit, case.rows, np.eye(case.X.shape[1]), partial(agree, case)
    assert fit.status == "ok" and fit.note == ""
    model = on_link_scale(fit, L, kind="model")
    close(model.estimate, column(rows["model"], "Estimate"))
    close(model.std_error, column(rows["model"], "Std. Error"))
    close(model.p_value, column(rows["model"], "Pr(>|t|)" if "power" in rows else "Pr(>|z|)"))
    close(fit.working.sigma2, rows.get("dispersion", 1.0))
    close(on_link_scale(fit, L, kind="HC3").std_error, rows["hc3"])
    robust = on_link_scale(fit, L, groups=case.groups)
    stands = ~robust.used_up.refused
    assert stands.all() != case.own_columns and stands[1]
    for part, name in (("std_error", "SE"), ("df", "df_Satt"), ("p_value", "p_Satt")):
        ours = getattr(robust, part)
        close(ours[stands], column(rows["cr2"], name)[stands])
        assert np.isnan(ours[~stands]).all()
    covariance = cr2_covariance(fit, case.groups)
    # Relative to the standard errors: a covariance may be near zero.
    scale = np.sqrt(np.multiply.outer(np.diagonal(covariance), np.diagonal(covariance)))
    close(1.0 + covariance / scale, 1.0 + rows["vcov_cr2"] / scale)
    for kind in ("CR0", *(["CR3"] if rows.get("cr3") else [])):
        found = cluster_covariance(fit.working, case.groups, kind)
        close(np.sqrt(np.diagonal(found)), rows[kind.lower()])


def test_marginal_means_as_in_r(case):
    """By recycled predictions, their errors by the chain rule."""
    designs, marginal = counterfactual(case.X, 1), case.rows["marginal"]
    robust = standardised(case.fit, *designs, groups=case.groups)
    agree(case, robust.estimate, column(marginal, "estimate"))
    stands = ~robust.used_up.refused
    assert stands.all() != case.own_columns and np.isnan(robust.std_error[~stands]).all()
    agree(case, robust.std_error[stands], column(marginal, "se_cr2")[stands])
    agree(case, robust.df[stands], column(marginal, "df")[stands])
    for kind, name in (("model", "se_model"), ("HC3", "se_hc3")):
        independent = standardised(case.fit, *designs, kind=kind)
        agree(case, independent.std_error, column(marginal, name))
        estimated = kind == "model" and "power" in case.rows
        df = len(case.groups) - case.X.shape[1] if estimated else np.inf
        assert (independent.df == df).all()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from(FAMILIES[2:]), st.sampled_from([1e-9, 1e-3, 1e9]))
def test_units_of_money(seed, family, unit):
    X, y, groups = draw(family, seed)
    once, found = (everything(family, X, scale * y, groups)[0] for scale in (1.0, unit))
    # A factor is a shift of the intercept on the log scale, and a factor of the means.
    for name, values in once.items():
        factor = unit if "means" in name and name.endswith(("estimate", "std_error")) else 1.0
        shift = np.log(unit) * np.array([1.0, 0.0, 0.0]) * (name.endswith("estimate"))
        kept = slice(1, None) if name.endswith("p_value") else slice(None)
        moved = factor * values + (0.0 if "means" in name else shift)
        np.testing.assert_allclose(found[name][kept], moved[kept], rtol=1e-8, atol=1e-9 * factor)


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


# --- the optimum is found -------------------------------------------------------------------------


@pytest.mark.parametrize("power", [2.2, 2.6, 3.0])
def test_above_the_gamma_distribution_a_maximum_is_found_with_zeros_too(trial, power):
    """Its score is zero and its observed information positive, in every fit of a batch."""
    X, rng = trial.design("arm", "y0", "trust"), np.random.default_rng(5)
    y = trial["cost"] * rng.lognormal(0.0, 1.0, size=(6, len(X)))
    y[3:, ::12] = 0.0
    fit = fit_glm(X, y, "power", power=power)
    assert (fit.status == "ok").all(), fit.note
    family, eta = power_family(power), np.log(fit.fitted)
    score = family.score(y, eta)
    np.testing.assert_allclose((score @ X) / (np.abs(score) @ np.abs(X)), 0.0, atol=1e-9)
    information = np.einsum("np,mn,nq->mpq", X, family.information(y, eta), X)
    assert (np.linalg.eigvalsh(information) > 0).all()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("size", [30.0, 1e3, 1e6])
def test_one_enormous_cost(power, size):
    X, y, groups = draw(COSTS, 5)
    y[np.argmax(X[:, 2])] = size * y.max()
    fit = fit_glm(X, y, "power", power=power, iterations=25)
    assert fit.status == "ok"
    weight = fit.fitted ** (1.0 - power)
    score = X.T @ ((y - fit.fitted) * weight)
    np.testing.assert_allclose(score / (X.T @ ((y + fit.fitted) * weight)), 0.0, atol=1e-12)
    numbers, _ = everything(f"power {power:g}", X, y, groups)
    assert all(np.isfinite(v).all() for k, v in numbers.items() if k.endswith("std_error"))


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_covariate_with_outliers_still_converges(family):
    X, y, _ = draw(family, 6)
    X[:3, 2], y[:3] = 40.0, 1.0
    fit = glm(X, y, family)
    assert fit.status == "ok"
    score = X.T @ (y - fit.fitted) / np.abs(X).sum(axis=0)
    np.testing.assert_allclose(score, 0.0, atol=1e-9)


def test_a_start_far_from_the_optimum():
    x = np.concatenate([np.zeros(30), [1.0]])
    y = np.concatenate([np.tile([0.0, 0.0, 1.0], 10), [1e6]])
    X = np.column_stack([np.ones(31), x, np.linspace(-1.0, 1.0, 31) ** 2])
    fit = fit_glm(X, y, "poisson")
    assert fit.status == "ok"
    np.testing.assert_allclose(X.T @ (y - fit.fitted) / y.sum(), 0.0, atol=1e-12)


@pytest.mark.parametrize("family", ["binomial", "power 1.5"])
def test_too_few_iterations_are_a_status(family):
    X, y, _ = draw(family, 7, (3,))
    fit = glm(X, y, family, iterations=1)
    assert fit.status.tolist() == ["failed"] * 3
    assert "did not converge" in fit.note[0] and np.isnan(fit.coef).all()


# --- there is no optimum --------------------------------------------------------------------------


def threshold(X, y, family):
    """Let a covariate predict perfectly: nobody of a subgroup has any count or cost."""
    if family == "binomial":
        y[1] = X[1, :, 2] > 3.0
    else:
        X[..., 2] = X[..., 2] > 5.0
        y[1, X[1, :, 2] == 1.0] = 0.0


# What is done to the second of four fits beside what fails every model, and what is said of it.
IMPOSSIBLE = {
    "no event in one arm": (lambda X, y, f: np.copyto(y[1], 0.0, where=X[1, :, 1] == 1.0), "separ"),
    "a threshold": (threshold, "separation"),
    "nobody": (lambda X, y, f: y[1].fill(0.0), "same for everyone"),
    "exact": (lambda X, y, f: np.copyto(y[1], 2.0 + 3.0 * X[1, :, 1]), "fitted exactly"),
}
# Means of events are fitted exactly by separation alone.
PAIRS = [pair for pair in product(IMPOSSIBLE, FAMILIES) if pair != ("exact", "binomial")]


@pytest.mark.parametrize(("kind", "family"), PAIRS)
def test_an_impossible_fit_fails_alone_with_a_sentence(kind, family):
    change, sentence = IMPOSSIBLE[kind]
    X, y, *codes = draw(family, 3, (4,))
    change(X, y, family)
    fails_alone(family, X, y, codes, 1, sentence)
    fit = glm(X, y, family)
    assert np.isnan(fit.coef[1]).all() and np.isnan(fit.fitted[1]).all()
    assert "power" not in family or np.isnan(fit.working.sigma2[1])


def infinite(X, y, family):
    """Whether the quasi-likelihood rises for ever in some direction, by linear programming.

    Of events, where one predicts perfectly. Of counts and costs with zeros, in direction d it never
    falls if d leaves the means of all others alone and raises that of no zero; at power 2, whose
    every term is linear in the end, also if it lowers the mean of no cost and the sum of all linear
    predictors does not rise.
    """
    zeros, others = X[y == 0.0], X[y > 0.0]
    if family == "binomial":
        rows, fixed = (1.0 - 2.0 * y)[:, None] * X, None
        gain = rows.sum(axis=0)
    elif family == "power 2":
        rows, fixed = np.vstack([-others, X.sum(axis=0)[None]]), None
        gain = zeros.sum(axis=0) - others.sum(axis=0)
    else:
        rows, gain, fixed = zeros, zeros.sum(axis=0), others
    bounds = {"b_ub": np.zeros(len(rows)), "bounds": [(-1.0, 1.0)] * X.shape[1]}
    if fixed is not None:
        bounds |= {"A_eq": fixed, "b_eq": np.zeros(len(fixed))}
    return -linprog(gain, A_ub=rows, **bounds).fun > 1e-7


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
        fit, expected = glm(X, y, family), infinite(X, y, family)
        assert fit.status == ("failed" if expected else "ok")
        assert ("separation" in str(fit.note)) == expected
        found.append(expected)
    assert len(found) > 100 and 5 < sum(found) < 80


def test_a_nearly_separated_outcome_is_none():
    X, _, groups = draw("binomial", 4)
    y = np.where(X[:, 1] == 1.0, 0.0, np.arange(len(X)) % 2)
    y[np.flatnonzero(X[:, 1])[0]] = 1.0
    fit = fit_glm(X[:, :2], y, "binomial")
    assert fit.status == "ok"
    rate = y[X[:, 1] == 1.0].mean()
    np.testing.assert_allclose(fit.fitted[X[:, 1] == 1.0], rate, rtol=1e-9)
    assert np.isfinite(on_link_scale(fit, np.eye(2), groups=groups).p_value).all()


def on(X, y, **options):
    return on_link_scale(fit_glm(X, y, "binomial"), options.pop("L", np.eye(3)), **options)


def powered(power, family="power"):
    return lambda X, y, g: fit_glm(X, y, family, power=power)


CALLS = [
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
    (lambda X, y, g: standardised(glm(X, y, "binomial"), X[:, :2], X[:, :2]), "has 3 columns"),
    (lambda X, y, g: cr2_covariance(glm(X, y, "binomial"), 0 * g), "At least two groups"),
    (powered(0.5), "between 1 and 3, not at 0.5"),
    (powered(3.5), "between 1 and 3, not at 3.5"),
    (powered(np.nan), "between 1 and 3, not at nan"),
    (powered(None), "A power is given for the family power"),
    (powered(1.5, "poisson"), "A power is given for the family power"),
]


@pytest.mark.parametrize(("call", "sentence"), CALLS)
def test_wrong_calls_end_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(*draw("binomial", 9))
