"""The two-stage bootstrap of costs and effects.

The reference is R on fixed resampling indices (``data/bootstrap_of_trusts.R``): least squares on
each resampled data set, and the correction of the two stages written out with n by n matrices.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.economics.bootstrap import Draws, two_stage_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.resampled import two_stage
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.pooling import pool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REFERENCE = json.loads((HERE / "data" / "bootstrap_of_trusts.json").read_text())
TRIAL = pd.read_csv(ROOT / "tests" / "models" / "data" / "clustered_trial.csv")
TEAM, PAIR = (np.unique(TRIAL[name], return_inverse=True)[1] for name in ("team", "trust"))
ARM = (TRIAL["arm"] == "intervention").to_numpy(dtype=float)
N = len(TRIAL)
GROUPS = {"arm": ARM, "team": TEAM, "pair": PAIR}


def outcomes(n: int, v: int, cost: int, effect: int) -> dict:
    """Return weights and offsets that take two of v columns as they are."""
    weights = np.zeros((2, n, v))
    weights[0, :, cost] = weights[1, :, effect] = 1.0
    return {"weights": weights, "offsets": np.zeros((2, n))}


def bootstrap(data: np.ndarray, completed: np.ndarray | None = None, **more) -> Draws:
    """Return draws of the trial: cost and effect stand first, what is adjusted for behind them."""
    plain = outcomes(N, data.shape[1], 0, 1) | GROUPS | {"adjust": (2, 3, 4)}
    return two_stage_bootstrap(data, data[None] if completed is None else completed, **plain | more)


def laid_out(indices: list) -> np.ndarray:
    """Return R's resampled rows as the bootstrap lays them out, shape (B, 10, L)."""
    longest = max(len(team) for draw in indices for copy in draw for team in copy)
    rows = np.full((len(indices), 10, longest), -1)
    for draw, copies in zip(rows, indices, strict=True):
        for slot, team in zip(draw, [team for copy in copies for team in copy], strict=True):
            slot[: len(team)] = np.array(team) - 1
    return rows


def r_case(name: str) -> np.ndarray:
    data = TRIAL[["cost", "qaly", *REFERENCE["adjust"]]].to_numpy(dtype=float)
    data[:, :2] += np.array(REFERENCE["shifts"][name])[TEAM]
    return data


@pytest.mark.parametrize("name", ["none", "some", "strong"])
@pytest.mark.parametrize("shrink", [False, True])
def test_equals_r_on_fixed_indices(name, shrink):
    expected = REFERENCE["cases"][name]
    found = bootstrap(r_case(name), rows=laid_out(REFERENCE["indices"]), shrink=shrink)
    each = np.array(expected["corrected" if shrink else "as_drawn"])
    assert found.failed == 0
    np.testing.assert_allclose(found.cost, each[:, 0], rtol=1e-8)
    np.testing.assert_allclose(found.effect, each[:, 1], rtol=1e-8, atol=1e-12)
    if shrink:
        np.testing.assert_allclose(found.shrinkage, expected["K"], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("shrink", [False, True])
def test_everybody_once_is_the_pooled_estimate(shrink):
    data = r_case("some")
    rng = np.random.default_rng(1)
    data += rng.normal(size=data.shape) * (rng.random(data.shape) < 0.2) * data.std(axis=0)
    found = bootstrap(data, rows=two_stage(TEAM, PAIR).everybody(), shrink=shrink)
    X = np.column_stack([np.ones(N), ARM, np.equal.outer(PAIR, range(1, 5)), data[:, 2:]])
    coef = fit_ols(X, data[:, :2].T).coef[:, 1]
    np.testing.assert_allclose([found.cost[0], found.effect[0]], coef, rtol=1e-9)


def lost(data: np.ndarray, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Take values away; return the data and ten imputations."""
    rng = np.random.default_rng(2)
    data = data.copy()
    for column in columns:
        data[rng.choice(len(data), len(data) // 7, replace=False), column] = np.nan
    others = range(data.shape[1])
    plan = [Conditional(t, tuple(c for c in others if c != t)) for t in columns]
    fixed = np.equal.outer(TEAM, range(10)).astype(float)
    return data, impute(data, plan, m=10, iterations=5, rng=rng, fixed=fixed).values


def test_same_bytes_for_any_number_of_threads():
    data, completed = lost(r_case("some"), (0, 1, 2, 3))

    def once(seed: int, threads: int) -> bytes:
        rng = np.random.default_rng(seed)
        found = bootstrap(data, completed, draws=700, iterations=2, rng=rng, threads=threads)
        assert len(found.cost) == len(found.effect) == 700
        return found.cost.tobytes() + found.effect.tobytes()

    assert once(1, 1) == once(1, 2) == once(1, 3)
    assert once(1, 1) != once(2, 1)


def test_net_benefit_is_treated_as_if_it_had_been_the_outcome():
    data, completed = lost(r_case("some"), (0, 1, 2))
    data[np.isnan(data[:, :2]).any(axis=1), :2] = np.nan
    both = outcomes(N, 5, 0, 1)["weights"]
    benefit = np.stack([20_000 * both[1] - both[0], both[1]])
    plain, other = (
        bootstrap(
            *(data, completed), weights=w, draws=300, iterations=2, rng=np.random.default_rng(3)
        )
        for w in (both, benefit)
    )
    np.testing.assert_allclose(other.effect, plain.effect, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.cost, 20_000 * plain.effect - plain.cost, rtol=1e-6, atol=1e-3)


def test_what_an_arm_costs_moves_every_draw_by_as_much():
    offsets = np.stack([310 * ARM, np.zeros(N)])
    before, after = (
        bootstrap(r_case("some"), offsets=share * offsets, draws=200, rng=np.random.default_rng(4))
        for share in (0.0, 1.0)
    )
    np.testing.assert_allclose(after.cost, before.cost + 310, rtol=1e-9)
    np.testing.assert_allclose(after.effect, before.effect, rtol=1e-9)


def test_a_weight_of_zero_leaves_an_imputed_value_without_effect():
    """The dead: utility 0 from then on, whatever the imputation draws for the second interview."""
    rng = np.random.default_rng(5)
    utility = rng.normal(0.6, 0.2, size=(N, 2))
    data = np.column_stack([TRIAL["cost"], utility, TRIAL["age"]])
    dead = rng.choice(N, 9, replace=False)
    weights = np.zeros((2, N, 4))
    weights[0, :, 0], weights[1, :, 1:3] = 1.0, 0.25
    weights[1, dead, 1], weights[1, dead, 2] = 0.1, 0.0
    qaly = (weights[1] * data).sum(axis=1)
    data[dead, 2] = np.nan
    options = {"draws": 150, "iterations": 1, "adjust": (1, 3)}
    completed = np.nan_to_num(data, nan=99.0)[None]
    rng, again = np.random.default_rng(6), np.random.default_rng(6)
    found = bootstrap(data, completed, weights=weights, rng=rng, **options)
    # The same people drawn, their years given.
    plain = np.column_stack([data[:, :2], qaly, data[:, 3]])
    given = bootstrap(plain, **options | outcomes(N, 4, 0, 2), rng=again)
    np.testing.assert_allclose(found.effect, given.effect, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(found.cost, given.cost, rtol=1e-9)


def test_without_teams_people_are_drawn_within_arms():
    rng = np.random.default_rng(7)
    n = 300
    arm = (rng.random(n) < 0.4).astype(float)
    x = rng.normal(size=n)
    cost, effect = 1000 + 300 * x + 500 * rng.normal(size=n), 0.4 + 0.1 * rng.normal(size=n)
    effect -= 1e-4 * cost
    data = np.column_stack([cost, effect, x])
    alone = outcomes(n, 3, 0, 1) | {"adjust": (2,), "arm": arm, "rng": rng}
    found = two_stage_bootstrap(data, data[None], draws=4000, **alone)
    fit = fit_ols(np.column_stack([np.ones(n), arm, x]), data[:, :2].T)
    model = classical(fit, np.eye(3)[1:2])
    for draws, estimate, error in zip(
        (found.cost, found.effect), model.estimate[:, 0], model.std_error[:, 0], strict=True
    ):
        assert draws.std() == pytest.approx(error, rel=0.08)
        assert abs(draws.mean() - estimate) < 4 * error / np.sqrt(4000)
    residual = np.corrcoef(fit.residuals)[0, 1]
    assert np.corrcoef(found.cost, found.effect)[0, 1] == pytest.approx(residual, abs=0.06)


def test_one_imputation_in_each_draw_has_the_spread_of_rubins_rules():
    rng = np.random.default_rng(8)
    n = 400
    arm = np.repeat([0.0, 1.0], n // 2)
    x = rng.normal(size=n)
    y = np.column_stack([x, x]) * [400, -0.1] + rng.normal(size=(n, 2)) * [300, 0.1]
    data = np.column_stack([y, x])
    data[rng.random(n) < 0.25, :2] = np.nan
    plan = [Conditional(0, (1, 2)), Conditional(1, (0, 2))]
    done = impute(data, plan, m=100, iterations=5, rng=rng, fixed=arm[:, None]).values
    X = np.stack([np.ones((100, n)), np.broadcast_to(arm, (100, n)), done[:, :, 2]], axis=2)
    alone = outcomes(n, 3, 0, 1) | {"adjust": (2,), "arm": arm, "rng": rng}
    found = two_stage_bootstrap(data, done, draws=3000, iterations=5, **alone)
    for k, draws in enumerate((found.cost, found.effect)):
        fit = classical(fit_ols(X, done[:, :, k]), np.eye(3)[1:2])
        rubin = pool(fit.estimate[:, 0], fit.std_error[:, 0] ** 2)
        # Somewhat wider: the noise of one imputation instead of a hundred.
        assert 0.97 < draws.std() / rubin.std_error < 1.25
        bound = 4 * (draws.std() / np.sqrt(3000) + rubin.mc_error)
        assert abs(draws.mean() - rubin.estimate) < bound


def test_means_of_fewer_people_vary_more_by_chance_and_are_shrunken_more():
    """Half of the outcomes missing: team means have about twice the variance by chance."""
    data = r_case("strong")
    observed = data.copy()
    observed[::2, :2] = np.nan
    rng = np.random.default_rng(14)
    first, second = (
        bootstrap(given, data[None], draws=10, iterations=1, rng=rng).shrinkage
        for given in (data, observed)
    )
    # k^2 = c (1 - 1 / share): with twice the variance by chance each share is halved.
    before, after = (np.sort(np.linalg.eigvals(K)) ** 2 for K in (first, second))
    shares = np.sort(REFERENCE["cases"]["strong"]["shares"])
    ratio = before / (1 - 1 / shares)
    np.testing.assert_allclose(ratio[0], ratio[1], rtol=1e-9)
    np.testing.assert_allclose(after, ratio * (1 - 2 / shares), rtol=0.1, atol=0.05)
    assert (after < before).all()


def test_an_outcome_without_variation_does_no_harm():
    data = r_case("some")
    data[:, 1] = 0.37
    found = bootstrap(data, draws=50, rng=np.random.default_rng(10))
    np.testing.assert_allclose(found.effect, 0.0, atol=1e-12)
    assert found.cost.std() > 100


def test_a_covariate_that_does_not_vary_in_a_draw_counts_as_absent():
    data = r_case("some")
    data[:, 4] = 0.0
    data[17, 4] = 1.0
    rows = two_stage(TEAM, PAIR).draw(40, np.random.default_rng(13))
    found = bootstrap(data, adjust=(2, 4), rows=rows, shrink=False)
    with_person = (rows == 17).any(axis=(1, 2))
    assert 5 < with_person.sum() < 35
    for draw, cost, effect in zip(rows, found.cost, found.effect, strict=True):
        slot, place = np.nonzero(draw >= 0)
        people = draw[slot, place]
        copies = np.equal.outer(slot // 2, np.arange(5))
        X = np.column_stack([ARM[people], copies, data[people][:, [2, 4]]])
        coef = np.linalg.lstsq(X, data[people, :2], rcond=None)[0][0]
        np.testing.assert_allclose([cost, effect], coef, rtol=1e-8, atol=1e-10)


def test_draws_that_do_not_identify_the_difference_are_counted():
    """The arm itself as a covariate, but for one person: often nothing is left of it."""
    data = r_case("none")
    data[:, 2] = ARM
    data[0, 2] = 1 - ARM[0]
    found = bootstrap(data, adjust=(2,), draws=400, rng=np.random.default_rng(11))
    # Without the Trust (0.8 ** 5), or with it and without the person (18 people a team).
    assert 0.3 < found.failed / 400 < 0.75
    assert len(found.cost) == 400 - found.failed
    assert np.isfinite(found.cost).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pair": None}, "together"),
        ({"pair": np.zeros(N, dtype=int)}, "two pairs"),
        ({"arm": np.zeros(N)}, "0 or 1"),
        ({"offsets": np.zeros((2, 3))}, "do not fit"),
        ({"offsets": np.full((2, N), np.nan)}, "Offsets must be finite"),
        ({"rng": None}, "generator"),
        ({"adjust": (2, 2)}, "independent columns"),
        ({"completed": np.full((1, N, 5), np.nan)}, "must be finite"),
    ],
)
def test_faults(changes, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(r_case("none"), **{"rng": np.random.default_rng(12)} | changes)
