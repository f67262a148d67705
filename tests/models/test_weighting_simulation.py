"""The benchmark of weighting in small: what is measured goes, what teams differ in stays."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmarks import load

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def benchmark():
    return load("weighting")


def test_measured_confounding_goes_and_intervals_cover(benchmark):
    parts = [benchmark.chunk(benchmark.LINEAR, 0.05, k) for k in range(4)]
    for name in parts[0]:
        estimate, error, df = np.concatenate([part[name] for part in parts]).T
        off = estimate - benchmark.EFFECT
        three = 3.0 * off.std(ddof=1) / len(off) ** 0.5
        if name == "ANCOVA without the covariates":
            assert abs(off.mean() - 0.334) < three
            continue
        assert abs(off.mean()) < three, name
        found = benchmark.Inference(estimate, error, df)
        low, high = found.interval(0.95)
        covered = ((low <= benchmark.EFFECT) & (high >= benchmark.EFFECT)).mean()
        assert abs(covered - 0.95) < 3.0 * (0.05 * 0.95 / len(off)) ** 0.5, name


def test_confounding_of_teams_stays_and_the_tipping_point_is_what_was_drawn(benchmark):
    hidden = benchmark.HIDDEN[0]
    found = np.concatenate([benchmark.unmeasured(hidden, 0.05, k) for k in range(4)])
    three = 3.0 * found.std(axis=0, ddof=1) / len(found) ** 0.5
    assert abs(found[:, 0].mean()) < three[0]  # the estimate: the effect is hidden
    assert abs(found[:, 2].mean() - benchmark.SLOPE * hidden.mean) < three[2]
    assert found[:, 3].mean() > 0.92 > 0.85 > found[:, 1].mean()
    assert found[:, 5:7].max() < 1e-8  # the formula is the regression with the confounder known
    assert found[:, [12, 14]].sum() == 0  # none within the robustness value changes the sign
