"""The true difference that a two-sided t test finds, by the noncentral t distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import chdtri
from scipy.stats import norm, t

from ccp_analysis.models.inference import detected_multiple, power_of_t


def by_quadrature(true: float, df: float, level: float) -> float:
    """Integrate the power over the variance, where the code does over the normal."""
    critical = t.ppf(0.5 + level / 2, df)

    def given_variance(u: float) -> float:
        s = np.sqrt(chdtri(df, 1 - u) / df)
        return norm.sf(critical * s - true) + norm.cdf(-critical * s - true)

    return quad(given_variance, 0, 1, limit=1000, epsabs=1e-12)[0]


@pytest.mark.parametrize("df", [0.86, 1.0, 1.3, 2.4, 3.9, 10.0, 47.0, 1000.0])
@pytest.mark.parametrize(("level", "power"), [(0.95, 0.8), (0.95, 0.9), (0.9, 0.5), (0.99, 0.8)])
def test_the_power_at_what_is_detected_is_the_power_wanted(df, level, power):
    found = detected_multiple(df, level, power)
    assert by_quadrature(found, df, level) == pytest.approx(power, abs=2e-6)
    assert power_of_t(0.0, df, level) == pytest.approx(1 - level, abs=2e-6)
    assert power_of_t(-found, df, level) == pytest.approx(power, abs=1e-9)


def test_quantile_plus_quantile_finds_less_often_than_it_says():
    quantiles = t.ppf(0.975, 2.4) + t.ppf(0.8, 2.4)
    assert by_quadrature(quantiles, 2.4, 0.95) == pytest.approx(0.775, abs=5e-4)
    assert detected_multiple(2.4, 0.95, 0.8) > quantiles


def test_many_degrees_of_freedom_are_the_normal():
    normal = norm.ppf(0.975) + norm.ppf(0.8)
    assert detected_multiple(np.inf, 0.95, 0.8) == pytest.approx(normal, abs=1e-5)
    assert detected_multiple(1e7, 0.95, 0.8) == pytest.approx(normal, abs=1e-5)
    assert np.isnan(detected_multiple(0.0, 0.95, 0.8))
    assert detected_multiple(4.0, 0.95, 0.05) == 0.0


def test_draws_are_found_as_often():
    rng = np.random.default_rng(20261129)
    true, draws = detected_multiple(4.0, 0.95, 0.8), 100_000
    ratio = (rng.normal(size=draws) + true) / np.sqrt(rng.chisquare(4.0, draws) / 4.0)
    assert (np.abs(ratio) > t.ppf(0.975, 4.0)).mean() == pytest.approx(0.8, abs=0.004)
