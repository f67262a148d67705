"""The benchmark of the next trial in small: formulas of power and assurance beside drawn trials."""

from __future__ import annotations

import pytest
from support.benchmarks import load

pytestmark = pytest.mark.simulation


def test_formulas_are_what_drawn_trials_find(long):
    benchmark, draws = load("next_trial"), 4000 if long else 250
    found = [
        *(line[-2:] for line in benchmark.powers(draws, (8, 20) if long else (8,))),
        *(line[-2:] for line in benchmark.assurances(draws, (8,))),
    ]
    for formula, drawn in found:
        error = (formula * (1.0 - formula) / draws) ** 0.5
        # The formula is an approximation where sizes differ: to a fiftieth.
        assert abs(drawn - formula) < 3.5 * error + 0.02, (formula, drawn)
