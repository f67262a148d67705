"""The benchmark of takers in small: the sets cover however weak the arm, regression does not."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmarks import load

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def benchmark():
    return load("takers")


@pytest.mark.parametrize("uptake", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("effect", [0.0, 5.0])
def test_sets_cover_at_every_uptake(benchmark, uptake, effect):
    parts = [benchmark.chunk(benchmark.Cell(uptake, effect), k) for k in range(8)]
    for name in benchmark.LEVELS:
        found = np.concatenate([part[name] for part in parts])
        kept = found[found[:, 0] == 1.0]
        assert len(kept) > 0.99 * len(found)
        assert abs(kept[:, 3].mean() - 0.95) < 3.0 * (0.05 * 0.95 / len(kept)) ** 0.5, name
        np.testing.assert_array_equal(kept[:, 4:7].sum(axis=1), 1.0)
        # With hardly any uptake the set is rarely an interval, with much always.
        assert (kept[:, 4].mean() < 0.3) == (uptake == 0.1)
        assert (kept[:, 4].mean() > 0.999) == (uptake == 0.8)


def test_what_the_arms_differ_in_besides_is_divided_by_the_uptake(benchmark):
    cell = benchmark.Cell(0.8, 0.0, direct=1.0)
    found = np.concatenate([benchmark.chunk(cell, k)["people"] for k in range(8)])
    error = 3.0 * found[:, 8].std(ddof=1) / len(found) ** 0.5
    assert abs(found[:, 8].mean() - 1.0 / found[:, 1].mean()) < error


def test_regression_on_the_exposure_is_off_by_confounding_alone(benchmark):
    for r, covers in ((0.0, 0.92), (0.3, 0.8)):
        found = np.concatenate(
            [benchmark.exposed(benchmark.Cell(0.3, 5.0, r), k) for k in range(4)]
        )
        off = found[:, 0] - 5.0
        three = 3.0 * off.std(ddof=1) / len(off) ** 0.5
        assert (abs(off.mean()) < three) == (r == 0.0)
        assert (found[:, 1].mean() > covers) == (r == 0.0)
