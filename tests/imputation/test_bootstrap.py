"""Pooling of imputed bootstrap data sets."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.imputation.bootstrap import pool_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.resampled import impute_resampled, two_stage
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
