"""Level of every inference on the arm, on the design of ten teams in five pairs, reduced."""

from __future__ import annotations

import pytest
from support.benchmarks import load

from ccp_analysis.random import stream

DRAWS = 2_000
BAND = 3 * (0.05 * 0.95 / DRAWS) ** 0.5


@pytest.fixture(scope="module")
def study():
    return load("operating_characteristics")


@pytest.mark.parametrize("icc", [0.0, 0.05])
def test_levels_lie_in_their_monte_carlo_bands(study, icc):
    data, X = study.design()
    rng = stream(20261123, "reduced operating characteristics", str(icc))
    found = study.compare(data, X, study.draw(data, icc, 0.0, DRAWS, rng))
    rejected = {
        name: float((inference.p_value < 0.05).mean())
        for name, inference in found.items()
        if not name.startswith("_")
    }
    for name in ("CR2, Satterthwaite", "paired t on adjusted team means"):
        assert abs(rejected[name] - 0.05) <= BAND, (name, rejected[name])
    assert rejected["Kenward-Roger, team variance ≥ 0"] <= 0.05 + BAND
    # What the report never uses errs as often as the documentation says.
    assert rejected["CR0, normal"] > 0.2
    assert rejected["CR1, t(9)"] > 0.15
    assert abs((found["_sign_flip"] < 0.0626).mean() - 0.0625) <= BAND * 1.2
