"""Two-stage resampling, the imputation of what was resampled, and pooling."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.imputation.bootstrap import pool_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.resampled import gather, impute_resampled, two_stage
from ccp_analysis.models.pooling import pool

TEAM = np.repeat([0, 1, 2, 3, 4, 5], [9, 14, 11, 12, 8, 13])
UNIT = np.array([7, 7, 3, 3, 5, 5])[TEAM]
N = len(TEAM)


def trial(rng: np.random.Generator) -> np.ndarray:
    """Return five columns that belong together: four to be made incomplete, one complete."""
    common = rng.normal(size=(N, 1)) + 0.7 * np.sin(TEAM)[:, None]
    data = 0.8 * common + rng.normal(size=(N, 5))
    data[:, 0] = 4000 + 2500 * data[:, 0]
    return data


def incomplete(rng: np.random.Generator) -> np.ndarray:
    data = trial(rng)
    data[rng.choice(N, 10, replace=False), 0] = np.nan
    lost = rng.choice(N, 14, replace=False)
    data[lost, 1] = data[lost[:12], 2] = np.nan
    data[rng.choice(N, 4, replace=False), 3] = np.nan
    return data


def test_units_are_drawn_whole_and_people_within_their_teams():
    design = two_stage(TEAM, UNIT)
    B = 3000
    rows = design.draw(B, np.random.default_rng(1))
    assert rows.shape == (B, 6, 14)
    there = rows >= 0
    teams = np.where(there, TEAM[rows], -1).max(axis=2)
    assert (np.where(there, TEAM[rows], teams[..., None]) == teams[..., None]).all()
    assert (there.sum(axis=2) == np.bincount(TEAM)[teams]).all()
    pairs = teams.reshape(B, 3, 2)
    units = UNIT[np.searchsorted(TEAM, pairs)]
    assert (units[..., 0] == units[..., 1]).all()
    assert (pairs[..., 0] < pairs[..., 1]).all()
    # Each unit a third of the time, and independently: all three alike in a ninth of the draws.
    share = np.array([(units[..., 0] == u).mean() for u in (3, 5, 7)])
    assert np.abs(share - 1 / 3).max() < 4 * np.sqrt(2 / 9 / (3 * B))
    alike = (units[..., 0] == units[:, :1, 0]).all(axis=1).mean()
    assert abs(alike - 1 / 9) < 4 * np.sqrt(8 / 81 / B)
    # Each person as often as the others of the team.
    times = np.bincount(rows[there], minlength=N) / np.bincount(teams.ravel())[TEAM]
    assert np.abs(times - 1).max() < 5 / np.sqrt(B)
    # A unit drawn twice has people of its own.
    twice = (units[:, 0, 0] == units[:, 1, 0]).nonzero()[0]
    assert (rows[twice, 0] != rows[twice, 2]).any(axis=1).mean() > 0.99


def test_everybody_once():
    design = two_stage(TEAM[::-1], UNIT[::-1])
    rows = design.everybody()
    assert sorted(rows[rows >= 0]) == list(range(N))
    table = np.arange(2.0 * N).reshape(N, 2) + 1
    laid = gather(table, rows)
    assert laid.shape == (1, 2, rows.shape[1] * rows.shape[2])
    flat = rows.reshape(-1)
    np.testing.assert_array_equal(laid[0][:, flat >= 0], table[flat[flat >= 0]].T)
    assert (laid[0][:, flat < 0] == 0).all()


def test_units_with_different_numbers_of_teams():
    team, unit = np.array([0, 0, 1, 2, 3, 3, 3]), np.array([0, 0, 0, 0, 1, 1, 1])
    design = two_stage(team, unit)
    rows = design.draw(500, np.random.default_rng(2))
    assert rows.shape == (500, 6, 3)
    first, second = rows.reshape(500, 2, 3, 3).transpose(1, 0, 2, 3)
    for copy in (first, second):
        people = (copy >= 0).sum(axis=2)
        large = people[:, 1] == 0
        assert (people[large] == [3, 0, 0]).all()
        assert (people[~large] == [2, 1, 1]).all()
    with pytest.raises(ValueError, match="lies in two"):
        two_stage(np.array([0, 0, 1]), np.array([0, 1, 1]))


def test_nothing_missing_nothing_changed():
    rng = np.random.default_rng(3)
    data = trial(rng)
    rows = two_stage(TEAM, UNIT).draw(50, rng)
    before = rng.bit_generator.state
    np.testing.assert_array_equal(
        impute_resampled(data, rows, iterations=3, rng=rng), gather(data, rows)
    )
    assert rng.bit_generator.state == before


def test_observed_values_bit_for_bit_and_missing_ones_filled():
    rng = np.random.default_rng(4)
    data = incomplete(rng)
    rows = two_stage(TEAM, UNIT).draw(200, rng)
    values = impute_resampled(data, rows, iterations=4, rng=rng)
    given = gather(data, rows)
    observed = ~np.isnan(given)
    np.testing.assert_array_equal(values[observed], given[observed])
    assert np.isfinite(values).all()
    # A person drawn twice has two imputations, not one.
    again = values[0, 1][~observed[0, 1]]
    assert len(np.unique(again)) == len(again)


def test_agrees_in_distribution_with_chained_equations():
    data = incomplete(np.random.default_rng(6))
    B = 3000
    rng = np.random.default_rng(7)
    rows = two_stage(TEAM, UNIT).everybody()
    values = impute_resampled(data, np.repeat(rows, B, axis=0), iterations=8, rng=rng)
    flat = rows.reshape(-1)
    here = np.empty((B, N, 5))
    here[:, flat[flat >= 0]] = values[:, :, flat >= 0].swapaxes(1, 2)
    plan = [Conditional(t, tuple(c for c in range(5) if c != t)) for t in range(4)]
    teams = np.equal.outer(TEAM, np.arange(6)).astype(float)
    there = impute(data, plan, m=B, iterations=8, rng=rng, fixed=teams).values
    missing = np.isnan(data)
    ours, theirs = here[:, missing], there[:, missing]
    spread = theirs.std(axis=0)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / spread).max() < 4.5 * np.sqrt(2 / B)
    # Tails are Student's, with some 45 degrees of freedom.
    assert np.abs(np.log(ours.std(axis=0) / spread)).max() < 4.5 * np.sqrt(1.1 / B)
    # Values are drawn together: how they covary between columns, over all people.
    for one, other in ((0, 1), (1, 2), (2, 3)):
        product = [
            ((x[..., one] - x[..., one].mean()) * x[..., other]).mean(axis=1) for x in (here, there)
        ]
        gap = product[0].mean() - product[1].mean()
        assert abs(gap) < 4 * product[1].std() * np.sqrt(2 / B)


def test_a_team_with_nobody_observed_has_the_average_effect():
    rng = np.random.default_rng(8)
    effect = np.array([0.0, 6.0, -3.0, 2.0, 9.0, 4.0])
    x = rng.normal(size=N)
    y = 2 * x + effect[TEAM] + 0.01 * rng.normal(size=N)
    y[TEAM == 2] = np.nan
    data = np.column_stack([y, x])
    rows = np.repeat(two_stage(TEAM, UNIT).everybody(), 300, axis=0)
    values = impute_resampled(data, rows, iterations=1, rng=rng)
    people = np.flatnonzero(np.append(TEAM == 2, False)[rows[0].reshape(-1)])
    effects = (values[:, 0] - 2 * values[:, 1])[:, people]
    average = effect[TEAM][TEAM != 2].mean()
    assert effects.mean() == pytest.approx(average, abs=0.01)
    assert effects.std() < 0.02


def test_constants_and_redundant_columns_do_no_harm():
    rng = np.random.default_rng(10)
    data = np.column_stack([incomplete(rng), np.full(N, 0.1), np.full(N, 3.0), UNIT])
    data[:6, 5] = np.nan
    data = np.column_stack([data, data[:, 4] * 2 - 1])
    rows = two_stage(TEAM, UNIT).draw(100, rng)
    values = impute_resampled(data, rows, iterations=4, rng=rng)
    there = rows.reshape(100, -1) >= 0
    assert (values[:, 5][there] == 0.1).all()
    low, high = np.nanmin(data, axis=0), np.nanmax(data, axis=0)
    reach = 2 * (high - low)
    people = values.swapaxes(1, 2)[there]
    assert ((people >= low - reach) & (people <= high + reach)).all()


def test_columns_that_nobody_has_are_refused():
    data = trial(np.random.default_rng(11))
    rows = two_stage(TEAM, UNIT).everybody()
    rng = np.random.default_rng(12)
    with pytest.raises(ValueError, match="must be finite"):
        impute_resampled(np.where(data > 4500, np.inf, data), rows, iterations=1, rng=rng)
    data[:, 2] = np.nan
    with pytest.raises(ValueError, match="Column 2"):
        impute_resampled(data, rows, iterations=1, rng=rng)


# --- pooling of what was resampled and imputed ----------------------------------------------------


def test_pooling_by_hand():
    statistics = np.array([[1.0, 3.0], [4.0, 6.0], [2.0, 2.0]])
    # Means 2, 5, 2: MSB = 2 * 3 = 6. Within variances 2, 2, 0: MSW = 4/3.
    pooled = pool_bootstrap(statistics)
    variance = 4 / 6 * 6 - (4 / 3) / 2
    assert pooled.estimate == pytest.approx(3.0)
    assert pooled.std_error == pytest.approx(np.sqrt(variance))
    assert pooled.df == pytest.approx(variance**2 / (4.0**2 / 2 + (2 / 3) ** 2 / 3))
    assert pooled.between == pytest.approx((6 - 4 / 3) / 2)
    assert pooled.within == pytest.approx(4 / 3)


def test_a_variance_that_is_not_positive_is_missing():
    pooled = pool_bootstrap(np.array([[[0.0, 0.0], [9.0, 1.0]], [[9.0, 5.0], [0.0, 6.0]]]))
    assert np.isnan(pooled.std_error).tolist() == [True, False]
    assert (pooled.df >= 1).all()


@pytest.mark.parametrize("shape", [(3,), (1, 2), (3, 1)])
def test_too_few_are_not_pooled(shape):
    with pytest.raises(ValueError, match="at least two data sets"):
        pool_bootstrap(np.zeros(shape))


def test_agrees_with_rubins_rules_where_both_hold():
    rng = np.random.default_rng(4)
    n = 300
    x = rng.normal(size=n)
    y = 0.8 * x + rng.normal(size=n)
    y[rng.random(n) < 0.4] = np.nan
    data = np.column_stack([y, x])
    plan = [Conditional(0, (1,))]

    values = impute(data, plan, m=200, iterations=1, rng=rng).values[:, :, 0]
    rubin = pool(values.mean(axis=1), values.var(axis=1, ddof=1) / n)

    everyone = np.zeros(n, dtype=int)
    rows = two_stage(everyone, everyone).draw(1500, rng)
    drawn = impute_resampled(data, np.repeat(rows, 2, axis=0), iterations=1, rng=rng)
    boot = pool_bootstrap(drawn[:, 0].mean(axis=1).reshape(1500, 2))
    assert boot.std_error == pytest.approx(rubin.std_error, rel=0.08)
    assert abs(boot.estimate - rubin.estimate) < 4 * np.sqrt(
        rubin.mc_error**2 + boot.std_error**2 / 1500
    )
