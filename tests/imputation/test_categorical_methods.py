"""Binary and nominal variables: agreement with mice, and separation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from pooled import DATA, assert_as_mice, read
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


@pytest.mark.parametrize(
    ("name", "outcome", "terms", "labels"),
    [
        ("birthwt", "bwt", "age lwt race smoke", "age lwt raceblack raceother smoke1"),
        (
            *("survey", "Height", "Sex Wr.Hnd M.I Clap"),
            "SexMale Wr.Hnd M.IMetric ClapNeither ClapRight",
        ),
    ],
)
def test_agrees_with_mice(name, outcome, terms, labels):
    text = {"birthwt": ["smoke", "race"], "survey": ["Sex", "Clap", "M.I"]}[name]
    frame = pd.read_csv(DATA / f"{name}.csv", dtype=dict.fromkeys(text, object))
    coded = Coded(frame)
    terms, labels, m = terms.split(), labels.split(), 400
    result = impute(coded.data, coded.plan, m=m, iterations=10, rng=np.random.default_rng(5))
    columns = [c for term in terms for c in coded.of[term]]
    assert {c.method for c in coded.plan} >= {"logreg", "polyreg", "norm"}
    rows = read("categories_mice")[name]
    assert_as_mice(result.values, coded.of[outcome][0], columns, labels, rows)


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
        at, hessian, steps = beta[i].ravel(), np.empty((8, 8)), 1e-4 * np.eye(8)
        for (a, e), (b, f) in product(enumerate(steps), repeat=2):
            four = lost(at + e + f) - lost(at + e - f) - lost(at - e + f) + lost(at - e - f)
            hessian[a, b] = four / 4e-8
        np.testing.assert_allclose(root[i] @ root[i].T, hessian, rtol=1e-3, atol=1e-3)


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


def test_no_predictor_and_dependent_ones():
    rng = np.random.default_rng(7)
    y = np.repeat([0.0, 1.0, 1.0, np.nan], 100)[:, None]
    values = impute(y, [Conditional(0, (), "logreg")], m=200, iterations=1, rng=rng).values
    assert values[:, 300:, 0].mean() == pytest.approx(2 / 3, abs=0.02)
    x = np.random.default_rng(8).normal(size=(20, 3))
    one, zero = np.ones(20), np.zeros(20)
    columns = np.column_stack([one, x[:, 0], 2 * x[:, 0] - 1, x[:, 1], zero, x[:, 2]])
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
