from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pooled import DATA, assert_as_mice, read

from ccp_analysis.imputation.chained import Conditional, draw_donors, impute
from ccp_analysis.imputation.matching import GRID

METHODS = ("norm", "pmm")


def correlated(rng, n, v, *, rho=0.5):
    """Draw standard normal columns with equal correlations."""
    return np.sqrt(rho) * rng.normal(size=(n, 1)) + np.sqrt(1 - rho) * rng.normal(size=(n, v))


def punched(rng, n=80, v=6, share=0.2, complete=2):
    """Draw data with holes in all but the last columns."""
    data = 10 + 3 * correlated(rng, n, v)
    holes = rng.random((n, v)) < share
    holes[:, v - complete :] = False
    data[holes] = np.nan
    return data


def full_plan(data, method, **options):
    columns = range(data.shape[1])
    return [
        Conditional(j, tuple(k for k in columns if k != j), method, **options)
        for j in columns
        if np.isnan(data[:, j]).any()
    ]


@pytest.mark.parametrize("method", METHODS)
def test_agrees_with_mice_on_beat_the_blues(method):
    frame = pd.read_csv(DATA / "btheb.csv")
    for column, second in {"drug": "Yes", "length": ">6m", "treatment": "BtheB"}.items():
        frame[column] = frame[column] == second
    data, names = frame.to_numpy(dtype=float), list(frame.columns)
    m = 500
    rng = np.random.default_rng(20260917)
    values = impute(data, full_plan(data, method), m=m, iterations=20, rng=rng).values

    columns = [names.index(c) for c in ("treatment", "bdi.pre", "drug", "length")]
    labels = ["treatmentBtheB", "bdi.pre", "drugYes", "length>6m"]
    rows = [{"m": m} | row for row in read("btheb_mice")[method]]
    assert_as_mice(values, names.index("bdi.8m"), columns, labels, rows)


# --- the conditional models -----------------------------------------------------------------------


def test_norm_draws_have_the_posterior_predictive_moments():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(24, 3)) * [1, 20, 0.1] + [0, 500, 3]
    y = x @ [2.0, 0.1, -5.0] + rng.normal(size=24)
    y[20:] = np.nan
    m = 20_000
    data = np.column_stack([y, x[:, :2]])
    plan = [Conditional(0, (1, 2))]
    drawn = impute(data, plan, m=m, iterations=1, rng=rng, fixed=x[:, 2:]).values[:, 20:, 0]

    design = np.column_stack([np.ones(24), x])
    seen, unseen = design[:20], design[20:]
    beta, (rss,), *_ = np.linalg.lstsq(seen, y[:20], rcond=None)
    df = 20 - 4
    spread = np.eye(4) + unseen @ np.linalg.inv(seen.T @ seen) @ unseen.T
    covariance = rss / (df - 2) * spread  # multivariate t
    error = np.sqrt(np.diag(covariance) / m)
    assert (np.abs(drawn.mean(axis=0) - unseen @ beta) < 4 * error).all()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.06 * covariance.max())


def test_bounds_hold_only_where_declared():
    rng = np.random.default_rng(5)
    data = punched(rng)
    free = impute(data, full_plan(data, "norm"), m=20, iterations=3, rng=rng).values
    assert free.min() < 5 and free.max() > 15
    narrow = full_plan(data, "norm", bounds=(9.0, 11.0))
    filled = impute(data, narrow, m=20, iterations=3, rng=rng).values[:, np.isnan(data)]
    assert filled.min() == 9.0 and filled.max() == 11.0
    assert np.unique(filled).size > 100


# --- donors ---------------------------------------------------------------------------------------


def brute_force_pool(observed, x, k):
    """Probability of every row to be the donor."""
    distance = np.abs(np.rint(observed * GRID) - np.rint(x * GRID))
    k = min(k, len(observed))
    kth = np.sort(distance)[k - 1]
    nearer, ties = distance < kth, distance == kth
    return nearer / k + ties * (k - nearer.sum()) / (k * ties.sum())


@pytest.mark.parametrize("k", [1, 3, 5, 50])
@pytest.mark.parametrize("decimals", [12, 1, 0])  # no ties, some, nearly all
def test_donors_equal_brute_force(k, decimals):
    rng = np.random.default_rng(8)
    m, n = 4, 30
    observed = np.round(rng.normal(size=(m, n)), decimals)
    missing = np.concatenate([observed[:, :3], np.round(2 * rng.normal(size=(m, 6)), decimals)], 1)
    missing[:, -1] = 1e7  # far beyond the observed
    steps = 20_000
    uniform = (np.arange(steps) + 0.5) / steps
    for i in range(missing.shape[1]):
        x = np.repeat(missing[:, i : i + 1], steps, axis=1)
        chosen = draw_donors(observed, x, np.broadcast_to(uniform, x.shape), k)
        for row in range(m):
            share = np.bincount(chosen[row], minlength=n) / steps
            expected = brute_force_pool(observed[row], min(missing[row, i], 1e3), k)
            # A donor among ties has one interval of uniform numbers in each of at most k places.
            np.testing.assert_allclose(share, expected, rtol=0, atol=min(k, n) / steps)


def test_donors_do_not_depend_on_last_bits():
    rng = np.random.default_rng(10)
    observed, missing = rng.normal(size=(3, 200)), rng.normal(size=(3, 50))
    observed[:, 100:] = observed[:, :100]
    uniform = rng.random((3, 50))
    noise = 1 + 4e-16 * rng.choice([-1, 0, 1], size=observed.shape)
    first = draw_donors(observed, missing, uniform, 5)
    np.testing.assert_array_equal(draw_donors(observed * noise, missing, uniform, 5), first)
    with pytest.raises(ValueError, match="too far apart"):
        draw_donors(np.array([[0.0, 1e12]]), np.zeros((1, 1)), np.zeros((1, 1)), 5)


# --- what must hold for every run -----------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_bytes_and_observed_untouched(method):
    data = punched(np.random.default_rng(11))
    before = data.copy()
    plan = full_plan(data, method)
    fixed = np.random.default_rng(12).normal(size=(80, 2))
    first, second, other = (
        impute(data, plan, m=7, iterations=5, rng=np.random.default_rng(seed), fixed=fixed)
        for seed in (1, 1, 2)
    )
    for name in ("values", "chain_mean", "chain_sd", "ridged"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert (first.values != other.values).any()
    assert data.tobytes() == before.tobytes()
    seen = ~np.isnan(data)
    for completed in first.values:
        assert completed[seen].tobytes() == data[seen].tobytes()
        assert np.isfinite(completed).all()


def test_units_of_predictors_do_not_matter():
    # Another unit changes the last bits of everything, as another processor does.
    data = punched(np.random.default_rng(13), n=200)
    teams = (np.arange(200)[:, None] % 5 == np.arange(5)).astype(float)  # equal eigenvalues
    unit = np.array([1.0, 1.0, 0.3, 7.0, 1 / 3, 1.1])
    for method in METHODS:
        runs = [
            impute(
                data * scale,
                full_plan(data, method),
                m=5,
                iterations=5,
                rng=np.random.default_rng(1),
                fixed=teams * factor,
            ).values[:, :, :2]
            for scale, factor in ((1.0, 1.0), (unit, 0.7))
        ]
        if method == "pmm":
            np.testing.assert_array_equal(runs[0], runs[1])
        else:
            np.testing.assert_allclose(runs[0], runs[1], rtol=1e-9)


def test_history_of_the_chains():
    rng = np.random.default_rng(14)
    data = punched(rng)
    data[1:, 0] = correlated(rng, 79, 1)[:, 0]
    data[0, 0] = np.nan  # one missing value has no standard deviation
    calls = []
    result = impute(
        data, full_plan(data, "norm"), m=3, iterations=4, rng=rng, on_iteration=calls.append
    )
    assert calls == [0, 1, 2, 3]
    assert result.chain_mean.shape == result.chain_sd.shape == (4, 6, 3)
    for j in range(1, 4):
        last = result.values[:, np.isnan(data[:, j]), j]
        np.testing.assert_allclose(result.chain_mean[-1, j], last.mean(axis=1), rtol=1e-14)
        np.testing.assert_allclose(result.chain_sd[-1, j], last.std(axis=1, ddof=1), rtol=1e-14)
    assert np.isfinite(result.chain_mean[:, 0]).all() and np.isnan(result.chain_sd[:, 0]).all()
    assert np.isnan(result.chain_mean[:, 4:]).all()
    assert (result.ridged == 0).all()


# --- hard cases -----------------------------------------------------------------------------------


def test_nothing_missing_returns_copies():
    data = np.random.default_rng(15).normal(size=(10, 3))
    result = impute(data, [Conditional(0, (1, 2))], m=3, iterations=2, rng=np.random.default_rng(1))
    assert result.values.tobytes() == np.stack([data] * 3).tobytes()
    assert not np.shares_memory(result.values, data)
    assert np.isnan(result.chain_mean).all()
    # What is outside of the plan stays as it is, complete or not.
    data = punched(np.random.default_rng(21))
    values = impute(
        data, [Conditional(0, (4, 5))], m=2, iterations=1, rng=np.random.default_rng(1)
    ).values
    assert not np.isnan(values[:, :, 0]).any()
    np.testing.assert_array_equal(values[1, :, 1:], data[:, 1:])


@pytest.mark.parametrize("method", METHODS)
def test_constant_and_single_observed_values_are_imputed_as_they_are(method):
    rng = np.random.default_rng(16)
    data = punched(rng)
    data[~np.isnan(data[:, 0]), 0] = 0.1
    data[1:, 1] = np.nan
    values = impute(data, full_plan(data, method), m=4, iterations=3, rng=rng).values
    assert (values[:, :, 0] == 0.1).all()
    assert (values[:, :, 1] == data[0, 1]).all()
    assert np.isfinite(values).all()


@pytest.mark.parametrize("method", METHODS)
def test_redundant_and_constant_columns_change_nothing(method):
    data = punched(np.random.default_rng(17))
    teams = (np.arange(80)[:, None] % 4 == np.arange(1, 4)).astype(float)
    spare = np.column_stack([teams, np.ones(80), 3 - 2 * teams[:, :1], teams.sum(axis=1)])
    m = 400
    plain, redundant = (
        impute(
            data, full_plan(data, method), m=m, iterations=5, rng=np.random.default_rng(1), fixed=f
        ).values
        for f in (teams, spare)
    )
    error = np.sqrt(plain.var(axis=0) * 2 / m)
    assert (np.abs(plain.mean(axis=0) - redundant.mean(axis=0)) <= 4.5 * error).all()


@pytest.mark.parametrize("method", METHODS)
def test_copies_among_incomplete_variables_are_carried_by_the_ridge(method):
    rng = np.random.default_rng(18)
    data = punched(rng)
    data = np.column_stack([data, 2 * data[:, 0] - 5, data[:, 0] + data[:, 1]])
    result = impute(data, full_plan(data, method), m=10, iterations=20, rng=rng)
    assert np.nanmin(data) - 20 < result.values.min() and result.values.max() < np.nanmax(data) + 20
    if method == "norm":  # copies stay copies, so the others' models need the ridge
        assert (result.ridged[1:4] > 100).all()
        gap = result.values[:, :, 6] - (2 * result.values[:, :, 0] - 5)
        assert np.abs(gap).max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("complete", [2, 30])
def test_more_predictors_than_observed_rows(method, complete):
    rng = np.random.default_rng(19)
    data = punched(rng, n=25, v=40, share=0.3, complete=complete)
    result = impute(data, full_plan(data, method), m=5, iterations=10, rng=rng)
    assert result.ridged.sum() > 0
    assert np.isfinite(result.values).all()
    assert np.abs(result.values - 10).max() < 60


def test_a_team_without_values_is_imputed_at_the_average_of_teams():
    rng = np.random.default_rng(20)
    team = np.arange(100) % 5
    y = 10.0 * team + rng.normal(size=100)
    y[team == 4] = np.nan
    indicators = (team[:, None] == np.arange(5)).astype(float)
    x = rng.normal(size=100)
    for method in METHODS:
        plan = [Conditional(0, (1,), method)]
        values = impute(
            np.column_stack([y, x]), plan, m=200, iterations=2, rng=rng, fixed=indicators
        ).values[:, team == 4, 0]
        assert abs(values.mean() - 15) < (0.5 if method == "norm" else 6)
        assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gone": 2}, "column 2 cannot be imputed: it has no observed value"),
        ({"plan": [Conditional(0, (1, 4))]}, "column 1, a predictor of column 0, has missing"),
        ({"plan": [Conditional(0, (4,)), Conditional(0, (5,))]}, "target of two"),
        ({"plan": [Conditional(0, (6,))]}, "names column 6, but there are 6"),
        ({"fixed": np.ones((79, 1))}, "same number of rows"),
        ({"fixed": np.full((80, 1), np.nan)}, "finite"),
        ({"m": 0}, "at least one imputation"),
        ({"iterations": 0}, "one iteration"),
        ({"model": {"method": "cart"}}, "column 1: method must be"),
        ({"model": {"predictors": (1, 2)}}, "own predictor"),
        ({"model": {"predictors": (2, 2)}}, "named twice"),
        ({"model": {"donors": 0}}, "at least one donor"),
        ({"model": {"bounds": (2.0, 1.0)}}, "lower bound"),
    ],
)
def test_what_cannot_be_imputed_is_refused(change, sentence):
    data, asked = punched(np.random.default_rng(22)), dict(change)
    model = {"target": 1, "predictors": (2,)} | asked.pop("model", {})
    data[:, asked.pop("gone", [])] = np.nan
    arguments = {"plan": full_plan(data, "norm"), "m": 2, "iterations": 2, "fixed": None} | asked
    with pytest.raises(ValueError, match=sentence):
        Conditional(**model)
        impute(data, rng=np.random.default_rng(1), **arguments)
