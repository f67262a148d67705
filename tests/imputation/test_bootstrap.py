"""Bootstrap followed by imputation."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.imputation.bootstrap import boot_impute, pool_bootstrap, resample_groups
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.models.pooling import pool


def test_by_hand():
    statistics = np.array([[1.0, 3.0], [4.0, 6.0], [2.0, 2.0]])
    # Means 2, 5, 2: MSB = 2 * 3 = 6. Within variances 2, 2, 0: MSW = 4/3.
    pooled = pool_bootstrap(statistics)
    variance = 4 / 6 * 6 - (4 / 3) / 2
    assert pooled.estimate == pytest.approx(3.0)
    assert pooled.std_error == pytest.approx(np.sqrt(variance))
    assert pooled.df == pytest.approx(variance**2 / (4.0**2 / 2 + (2 / 3) ** 2 / 3))
    assert pooled.between == pytest.approx((6 - 4 / 3) / 2)
    assert pooled.within == pytest.approx(4 / 3)


def test_without_missing_values_it_is_the_bootstrap():
    rng = np.random.default_rng(1)
    means = rng.normal(2, 0.3, (5000, 4))
    pooled = pool_bootstrap(np.repeat(means[:, None], 2, axis=1))
    np.testing.assert_allclose(pooled.std_error, 0.3, rtol=0.05)
    np.testing.assert_allclose(pooled.within, 0.0)
    assert (pooled.df > 4000).all()


def test_a_variance_that_is_not_positive_is_missing():
    pooled = pool_bootstrap(np.array([[[0.0, 0.0], [9.0, 1.0]], [[9.0, 5.0], [0.0, 6.0]]]))
    assert np.isnan(pooled.std_error).tolist() == [True, False]
    assert (pooled.df >= 1).all()


@pytest.mark.parametrize("shape", [(3,), (1, 2), (3, 1)])
def test_too_few(shape):
    with pytest.raises(ValueError, match="at least two data sets"):
        pool_bootstrap(np.zeros(shape))


def test_components_are_recovered():
    rng = np.random.default_rng(2)
    sets = rng.normal(0, 2.0, (20_000, 1, 1)) + rng.normal(0, 1.0, (20_000, 2, 1))
    pooled = pool_bootstrap(sets)
    assert pooled.between[0] == pytest.approx(4.0, rel=0.05)
    assert pooled.within[0] == pytest.approx(1.0, rel=0.05)


def test_groups_are_drawn_whole_and_told_apart():
    groups = np.array([5, 5, 7, 7, 7, 9])
    seen = []

    def complete(rows, copies):
        seen.append((rows.tolist(), copies.tolist()))
        return np.zeros((2, 1)) + len(rows)

    boot_impute(groups, [np.array([0, 0, 2]), np.array([1, 2, 1])], complete)
    assert seen[0] == ([0, 1, 0, 1, 5], [0, 0, 1, 1, 2])
    assert seen[1] == ([2, 3, 4, 5, 2, 3, 4], [0, 0, 0, 1, 2, 2, 2])
    drawn = resample_groups(groups, 4000, np.random.default_rng(3))
    assert all(len(d) == 3 for d in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=3)
    assert np.abs(counts / 12_000 - 1 / 3).max() < 0.02


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

    def complete(rows, copies):
        assert len(np.unique(copies)) == n
        drawn = impute(data[rows], plan, m=2, iterations=1, rng=rng).values
        return drawn[:, :, 0].mean(axis=1)

    people = np.arange(n)
    boot = boot_impute(people, resample_groups(people, 1500, rng), complete)
    assert boot.std_error == pytest.approx(rubin.std_error, rel=0.08)
    assert abs(boot.estimate - rubin.estimate) < 4 * np.sqrt(
        rubin.mc_error**2 + boot.std_error**2 / 1500
    )
