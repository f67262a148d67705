"""The simulation of ``benchmarks/imputation_study.py``, reduced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.benchmarks import load

pytestmark = pytest.mark.simulation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    return load("imputation_study")


@pytest.fixture(scope="module")
def found(benchmark):
    table = benchmark.simulate(0.05, "MAR", draws=150, m=20)
    return table.set_index(["method", "rule"])


def test_nothing_is_biased(found):
    assert (found["bias"].abs() < 4 * found["bias_error"]).all()


def test_coverage_follows_the_rule_for_degrees_of_freedom(found):
    fixed = found.loc["FCS, fixed teams"]
    slack = 3 * np.sqrt(0.05 * 0.95 / 150)
    for rule in (
        "the fits', Barnard-Rubin",
        "the fits', complete-data",
        "the fits', Satterthwaite",
    ):
        assert fixed.loc[rule, "covers"] >= 0.95 - slack
    # Infinite df cover too little, Barnard-Rubin's too much; the alternatives lie between.
    widths = fixed["width"]
    order = [
        "infinite",
        "the fits', Satterthwaite",
        "the fits', complete-data",
        "the fits', Barnard-Rubin",
    ]
    assert widths[order].is_monotonic_increasing
    assert fixed.loc["the fits', Barnard-Rubin", "covers"] >= 0.98
    assert fixed.loc["infinite", "covers"] <= 0.97


def test_fixed_teams_overstate_and_no_teams_understate_the_variance(found):
    rule = "the fits', Barnard-Rubin"
    fixed, ignored = (found.loc[(f"FCS, {name}", rule)] for name in ("fixed teams", "no teams"))
    assert fixed["se_ratio"] > ignored["se_ratio"] + 0.1
    assert fixed["width"] > ignored["width"]


@pytest.mark.parametrize("method", ["norm", "pmm"])
def test_few_observed_values_have_standard_errors_large_enough_or_are_refused(benchmark, method):
    found = benchmark.few_observed(method, draws=60, m=10).set_index("deleted")
    assert (found["wrongly"] == 0).all()
    assert (found.loc[:0.2, "refused"] == 0).all()
    assert (found.loc[0.95:, "refused"] == 60).all()
    judged = found[found["fitted"] >= 30]
    assert {0.0, 0.2, 0.4, 0.6} <= set(judged.index)
    # .93, less two standard errors of a standard deviation of so many.
    assert (judged["se_ratio"] > 0.93 * (1 - 2 / np.sqrt(2 * judged["fitted"]))).all()


def test_the_share_lost_is_as_declared(benchmark):
    study = benchmark.Study()
    rng = np.random.default_rng(1)
    for mechanism in benchmark.MECHANISMS:
        lost = np.array([study.lose(mechanism, rng) for _ in range(300)])
        assert lost.mean() == pytest.approx(benchmark.LOSS, abs=0.01)
        slope = np.polyfit(study.baseline, lost.mean(axis=0), 1)[0]
        assert (slope > 0.01) == (mechanism == "MAR")
