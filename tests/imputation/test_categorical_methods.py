"""Binary and nominal variables: agreement with mice, and separation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from ccp_analysis.imputation.categorical import (
    _measures,
    _places,
    fit_multinomial,
    independent,
    probabilities,
)
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.rows import Patterned, Whole
from ccp_analysis.models.ols import grouping

DATA = Path(__file__).parent / "data"


class Coded:
    """A table of numbers and categories as columns, with a model for each incomplete variable."""

    def __init__(self, frame: pd.DataFrame) -> None:
        columns, self.of = [], {}
        for name in frame:
            values = frame[name]
            if values.dtype != object:
                self.of[name] = (len(columns),)
                columns.append(values.to_numpy(dtype=float))
                continue
            # white comes first, as in the reference; elsewhere the order of the alphabet
            levels = sorted(values.dropna().unique(), key=lambda v: (v != "white", v))
            self.of[name] = tuple(range(len(columns), len(columns) + len(levels) - 1))
            for level in levels[1:]:
                columns.append(np.where(values.isna(), np.nan, values == level))
        self.data = np.column_stack(columns).astype(float)
        everything = range(self.data.shape[1])
        self.plan = [
            Conditional(
                own[0],
                tuple(c for c in everything if c not in own),
                "polyreg" if len(own) > 1 else "logreg" if frame[name].dtype == object else "norm",
                indicators=own[1:],
            )
            for name, own in self.of.items()
            if np.isnan(self.data[:, own[0]]).any()
        ]


def pooled_lm(values: np.ndarray, y: int, columns: list[int]):
    m, n, _ = values.shape
    x = np.concatenate([np.ones((m, n, 1)), values[:, :, columns]], axis=2)
    bread = np.linalg.inv(x.swapaxes(1, 2) @ x)
    coef = np.einsum("mij,mnj,mn->mi", bread, x, values[:, :, y])
    residual = values[:, :, y] - np.einsum("mnj,mj->mn", x, coef)
    sigma2 = (residual**2).sum(axis=1) / (n - x.shape[2])
    within = (sigma2[:, None] * np.diagonal(bread, axis1=1, axis2=2)).mean(axis=0)
    between = coef.var(axis=0, ddof=1)
    return coef.mean(axis=0), np.sqrt(within + (1 + 1 / m) * between), between


@pytest.mark.parametrize(
    ("name", "outcome", "terms", "labels"),
    [
        (
            "birthwt",
            "bwt",
            ["age", "lwt", "race", "smoke"],
            ["age", "lwt", "raceblack", "raceother", "smoke1"],
        ),
        (
            "survey",
            "Height",
            ["Sex", "Wr.Hnd", "M.I", "Clap"],
            ["SexMale", "Wr.Hnd", "M.IMetric", "ClapNeither", "ClapRight"],
        ),
    ],
)
def test_agrees_with_mice(name, outcome, terms, labels):
    text = {"birthwt": ["smoke", "race"], "survey": ["Sex", "Clap", "M.I"]}[name]
    frame = pd.read_csv(DATA / f"{name}.csv", dtype=dict.fromkeys(text, object))
    coded = Coded(frame)
    m = 400
    result = impute(coded.data, coded.plan, m=m, iterations=10, rng=np.random.default_rng(5))
    columns = [c for term in terms for c in coded.of[term]]
    estimate, error, between = pooled_lm(result.values, coded.of[outcome][0], columns)
    rows = json.loads((DATA / "categories_mice.reference.json").read_text())[name]
    theirs = {row["term"]: row for row in rows}
    assert len(theirs) == len(labels) + 1
    assert {c.method for c in coded.plan} >= {"logreg", "polyreg", "norm"}
    for position, label in enumerate(labels, start=1):
        row = theirs[label]
        print(label, estimate[position], row["estimate"], error[position], row["std.error"])
        allowed = 3.5 * np.sqrt(row["b"] / row["m"] + between[position] / m)
        assert abs(estimate[position] - row["estimate"]) <= allowed, label
        assert error[position] == pytest.approx(row["std.error"], rel=0.05), label


def test_logistic_fit_is_the_maximum():
    rng = np.random.default_rng(1)
    X = np.concatenate([np.ones((3, 60, 1)), rng.normal(size=(3, 60, 3))], axis=2)
    category = rng.integers(0, 3, 60)
    response = (category[:, None] == np.arange(3)).astype(float)
    weight = rng.uniform(0.5, 2, 60)
    beta, root = fit_multinomial(X, response, weight)
    for i in range(3):

        def lost(flat, i=i):
            chance = probabilities(X[i] @ flat.reshape(2, 4).T)
            return -(weight * np.log((chance * response).sum(axis=1))).sum()

        found = minimize(lost, np.zeros(8), tol=1e-12)
        np.testing.assert_allclose(beta[i].ravel(), found.x, atol=2e-5)
        step = 1e-4
        hessian = np.empty((8, 8))
        at = beta[i].ravel()
        for a in range(8):
            for b in range(8):
                e, f = step * np.eye(8)[a], step * np.eye(8)[b]
                four = lost(at + e + f) - lost(at + e - f) - lost(at - e + f) + lost(at - e - f)
                hessian[a, b] = four / (4 * step**2)
        np.testing.assert_allclose(root[i] @ root[i].T, hessian, rtol=1e-3, atol=1e-3)


def test_a_start_elsewhere_ends_at_the_same_place():
    rng = np.random.default_rng(2)
    X = np.concatenate([np.ones((2, 50, 1)), rng.normal(size=(2, 50, 2))], axis=2)
    response = (rng.integers(0, 2, 50)[:, None] == np.arange(2)).astype(float)
    here, _ = fit_multinomial(X, response, np.ones(50))
    there, _ = fit_multinomial(X, response, np.ones(50), np.full((2, 1, 3), 4.0))
    np.testing.assert_allclose(here, there, atol=1e-7)


def test_pseudo_observations_by_hand():
    X = np.array([[[1.0, 0.0, 1.0], [1.0, 0.0, 3.0], [1.0, 3.0, 5.0]]])
    mean, sd = X[0, :, 1:].mean(axis=0), X[0, :, 1:].std(axis=0, ddof=1)
    expected = [
        [1, mean[0] + sd[0] / 2, mean[1]],
        [1, mean[0] - sd[0] / 2, mean[1]],
        [1, mean[0], mean[1] + sd[1] / 2],
        [1, mean[0], mean[1] - sd[1] / 2],
    ]
    np.testing.assert_allclose(_places(*_measures(X[:, :, 1:]))[0], expected)
    few = np.array([0.0] * 9 + [1.0])[None, :, None]  # half a deviation is more than the mean
    assert _places(*_measures(few))[0, 1, 1] == 0.0  # not below the least that there is


def test_perfect_prediction_stays_uncertain():
    rng = np.random.default_rng(3)
    x = rng.normal(size=120)
    y = (x > 0).astype(float)
    y[100:] = np.nan
    plan = [Conditional(0, (1,), "logreg")]
    values = impute(np.column_stack([y, x]), plan, m=300, iterations=1, rng=rng).values[:, 100:, 0]
    share = values.mean(axis=0)
    assert set(np.unique(values)) == {0.0, 1.0}
    far = np.abs(x[100:]) > 1
    assert (np.abs(share - (x[100:] > 0))[far] < 0.15).all()
    assert ((share > 0) & (share < 1)).any()


def nominal(rng, n=150, k=4):
    x = rng.normal(size=(n, 2))
    logit = np.column_stack([np.zeros(n), x[:, :1] @ np.linspace(-1, 1, k - 1)[None]])
    code = np.array([rng.choice(k, p=p) for p in probabilities(logit[:, 1:])])
    indicators = (code[:, None] == np.arange(1, k)).astype(float)
    data = np.column_stack([indicators, x])
    data[rng.random(n) < 0.2, : k - 1] = np.nan
    data[rng.random(n) < 0.1, k - 1] = np.nan
    plan = [
        Conditional(0, (k - 1, k), "polyreg", indicators=tuple(range(1, k - 1))),
        Conditional(k - 1, (*range(k - 1), k), "norm"),
    ]
    return data, plan


def test_a_nominal_variable_is_one_category_in_every_row():
    data, plan = nominal(np.random.default_rng(4))
    first, again = (
        impute(data, plan, m=6, iterations=4, rng=np.random.default_rng(1)) for _ in range(2)
    )
    own = first.values[:, :, :3]
    assert np.isin(own, (0.0, 1.0)).all() and (own.sum(axis=2) <= 1).all()
    assert first.values.tobytes() == again.values.tobytes()
    seen = ~np.isnan(data)
    for completed in first.values:
        assert completed[seen].tobytes() == data[seen].tobytes()
    assert np.isfinite(first.chain_mean[:, :4]).all()


def test_probabilities_are_those_of_the_model():
    rng = np.random.default_rng(5)
    n = 4000
    x = rng.normal(size=n)
    chance = probabilities(np.column_stack([0.5 + x, -0.5 * x]))
    code = (rng.random((n, 1)) > np.cumsum(chance, axis=1)[:, :2]).sum(axis=1)
    data = np.column_stack([code == 1, code == 2, x]).astype(float)
    data[2000:, :2] = np.nan
    plan = [Conditional(0, (2,), "polyreg", indicators=(1,))]
    drawn = impute(data, plan, m=40, iterations=1, rng=rng).values[:, 2000:, :2].mean(axis=0)
    for column in (0, 1):
        slope = np.polyfit(chance[2000:, column + 1], drawn[:, column], 1)
        assert slope[0] == pytest.approx(1.0, abs=0.1)
        assert slope[1] == pytest.approx(0.0, abs=0.04)


@pytest.mark.parametrize("method", ["logreg", "polyreg"])
def test_hard_cases_end_well(method):
    rng = np.random.default_rng(6)
    n = 40
    teams = (np.arange(n)[:, None] % 5 == np.arange(5)).astype(float)
    x = rng.normal(size=(n, 50))  # more predictors than people
    y = (rng.random(n) < 0.3).astype(float)
    y[teams[:, 0] == 1] = np.nan  # a whole team
    y[1] = 1.0
    once = np.zeros(n)
    once[2] = 1.0  # a category seen once
    constant = np.ones(n)
    for column in (y, once, constant):
        column = column.copy()
        column[30:] = np.nan
        data = np.column_stack([column, x, x[:, :2].sum(axis=1), np.ones(n)])
        plan = [Conditional(0, tuple(range(1, 53)), method)]
        values = impute(data, plan, m=5, iterations=2, rng=rng, fixed=teams).values
        assert np.isin(values[:, :, 0], (0.0, 1.0)).all()
        known = set(column[~np.isnan(column)])
        assert set(values[:, :, 0].ravel()) <= known


def test_no_predictor_at_all():
    rng = np.random.default_rng(7)
    y = np.repeat([0.0, 1.0, 1.0, np.nan], 100)[:, None]
    values = impute(y, [Conditional(0, (), "logreg")], m=200, iterations=1, rng=rng).values
    assert values[:, 300:, 0].mean() == pytest.approx(2 / 3, abs=0.02)


def test_dependent_columns_are_found():
    x = np.random.default_rng(8).normal(size=(20, 3))
    columns = np.column_stack(
        [np.ones(20), x[:, 0], 2 * x[:, 0] - 1, x[:, 1], np.zeros(20), x[:, 2]]
    )
    assert independent(columns) == [0, 1, 3, 5]


@pytest.mark.parametrize(
    ("data", "plan", "sentence"),
    [
        ([[0.0], [1.0], [2.0], [np.nan]], Conditional(0, (), "logreg"), "more than two values"),
        (
            [[1.0, 1.0], [0.0, 0.0], [np.nan, np.nan]],
            Conditional(0, (), "polyreg", indicators=(1,)),
            "at most one is 1",
        ),
        (
            [[1.0, 0.0], [0.0, np.nan], [np.nan, np.nan]],
            Conditional(0, (), "polyreg", indicators=(1,)),
            "missing together",
        ),
    ],
)
def test_what_is_no_category_is_refused(data, plan, sentence):
    with pytest.raises(ValueError, match=sentence):
        impute(np.array(data), [plan], m=2, iterations=1, rng=np.random.default_rng(1))


def test_patterns_of_fixed_columns_give_the_numbers_of_the_whole_design():
    rng = np.random.default_rng(20261129)
    m, n, teams = 3, 90, 7
    codes = rng.permutation(np.arange(n) % teams)
    lines = np.column_stack([np.ones(teams), rng.normal(size=(teams, 3))])
    rest, added = rng.normal(size=(m, n, 2)), rng.normal(size=(m, 5, 6))
    first = np.broadcast_to(lines[codes], (m, n, 4))
    X = np.concatenate([np.concatenate([first, rest], axis=2), added], axis=1)
    response = np.full((n + 5, 3), 1.0 / 3.0)
    response[:n] = rng.integers(0, 3, n)[:, None] == np.arange(3)
    weight = np.append(np.ones(n), np.full(5, 0.7))
    patterned = Patterned(grouping(codes, n), lines, rest, Whole(added))
    assert patterned.shape == X.shape
    found, expected = (fit_multinomial(rows, response, weight) for rows in (patterned, X))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
