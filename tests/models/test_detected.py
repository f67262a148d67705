"""The true difference that a two-sided t test finds, by the noncentral t distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from ccp_analysis.models.inference import detected_multiple, power_of_t


def by_fine_grid(true: float, df: float, level: float) -> float:
    """Average over the logarithm of the standard error itself, by 400,001 nodes."""
    critical = t.ppf(0.5 + level / 2, df)
    reach = 45 / df + 0.5
    v = np.linspace(-reach, min(reach, 3), 400_001)
    density = np.exp(df * (v - np.expm1(2 * v) / 2))
    power = norm.sf(critical * np.exp(v) - true) + norm.cdf(-critical * np.exp(v) - true)
    return float(density @ power / density.sum())


@pytest.mark.parametrize("df", [0.5, 0.86, 1.0, 1.3, 2.4, 3.9, 10.0, 47.0, 1e3, 1e5, 1e6])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_few_nodes_are_as_good_as_a_fine_grid(df, level):
    for true in (0.0, 0.1, 1.0, 2.8, 8.0, 16.0, 40.0):
        fine = by_fine_grid(true, df, level)
        assert power_of_t(true, df, level) == pytest.approx(fine, abs=2e-14, rel=0), true


def test_power_is_that_of_thirty_digits():
    """By mpmath 1.4.1, `quad` of 30 digits at the critical value that SciPy gives."""
    assert power_of_t(3.0, 0.5, 0.95) == pytest.approx(0.10367231020797471, abs=1e-15)
    assert power_of_t(40.0, 1.0, 0.95) == pytest.approx(0.9983010614669934, abs=1e-15)
    assert power_of_t(4.0, 2.4, 0.95) == pytest.approx(0.6581527751700297, abs=1e-15)
    assert power_of_t(0.01, 4.0, 0.95) == pytest.approx(0.05000710239091789, abs=1e-15)
    assert power_of_t(2.5, 47.0, 0.9) == pytest.approx(0.7935965345822877, abs=1e-15)


@pytest.mark.parametrize("df", [0.86, 1.0, 1.3, 2.4, 3.9, 10.0, 47.0, 1000.0])
@pytest.mark.parametrize(("level", "power"), [(0.95, 0.8), (0.9, 0.5), (0.99, 0.999999)])
def test_the_power_at_what_is_detected_is_the_power_wanted(df, level, power):
    found = detected_multiple(df, level, power)
    assert by_fine_grid(found, df, level) == pytest.approx(power, abs=2e-14)
    assert power_of_t(0.0, df, level) == pytest.approx(1 - level, abs=1e-13)
    assert power_of_t(-found, df, level) == pytest.approx(power, abs=2e-14)


def test_quantile_plus_quantile_finds_less_often_than_it_says():
    quantiles = t.ppf(0.975, 2.4) + t.ppf(0.8, 2.4)
    assert by_fine_grid(quantiles, 2.4, 0.95) == pytest.approx(0.775, abs=5e-4)
    assert detected_multiple(2.4, 0.95, 0.8) > quantiles


def test_many_degrees_of_freedom_are_the_normal():
    normal = norm.ppf(0.975) + norm.ppf(0.8)
    assert detected_multiple(np.inf, 0.95, 0.8) == pytest.approx(normal, abs=1e-5)
    assert detected_multiple(1e7, 0.95, 0.8) == pytest.approx(normal, abs=1e-5)
    assert np.isnan(detected_multiple(0.0, 0.95, 0.8)) and np.isnan(power_of_t(1.0, 0.0))
    assert power_of_t(1e300, 1.0) == power_of_t(np.inf, 4.0) == pytest.approx(1.0, abs=1e-15)
    assert detected_multiple(4.0, 0.95, 0.05) == 0.0


def test_draws_are_found_as_often():
    rng = np.random.default_rng(20261129)
    true, draws = detected_multiple(4.0, 0.95, 0.8), 100_000
    ratio = (rng.normal(size=draws) + true) / np.sqrt(rng.chisquare(4.0, draws) / 4.0)
    assert (np.abs(ratio) > t.ppf(0.975, 4.0)).mean() == pytest.approx(0.8, abs=0.004)
