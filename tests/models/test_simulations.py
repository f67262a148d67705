"""Benchmarks in small: weighting, takers, and the formulas of the next trial beside drawn ones."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmarks import load

pytestmark = pytest.mark.simulation


def three_errors(values):
    return 3.0 * values.std(axis=0, ddof=1) / len(values) ** 0.5


def assert_covered(covered, level=0.95, name=""):
    assert abs(covered.mean() - level) < 3.0 * (level * (1 - level) / len(covered)) ** 0.5, name


# --- weighting: what is measured goes, what teams differ in stays ---------------------------------


@pytest.fixture(scope="module")
def weighting():
    return load("weighting")


def test_measured_confounding_goes_and_intervals_cover(weighting):
    parts = [weighting.chunk(weighting.LINEAR, 0.05, k) for k in range(4)]
    for name in parts[0]:
        estimate, error, df = np.concatenate([part[name] for part in parts]).T
        off, plain = estimate - weighting.EFFECT, name == "ANCOVA without the covariates"
        assert abs(off.mean() - (0.334 if plain else 0.0)) < three_errors(off), name
        if not plain:
            low, high = weighting.Inference(estimate, error, df).interval(0.95)
            assert_covered((low <= weighting.EFFECT) & (high >= weighting.EFFECT), name=name)


def test_confounding_of_teams_stays_and_the_tipping_point_is_what_was_drawn(weighting):
    hidden = weighting.HIDDEN[0]
    found = np.concatenate([weighting.unmeasured(hidden, 0.05, k) for k in range(4)])
    three = three_errors(found)
    assert abs(found[:, 0].mean()) < three[0]  # the estimate: the effect is hidden
    assert abs(found[:, 2].mean() - weighting.SLOPE * hidden.mean) < three[2]
    assert found[:, 3].mean() > 0.92 > 0.85 > found[:, 1].mean()
    assert found[:, 5:7].max() < 1e-8  # the formula is the regression with the confounder known
    assert found[:, [12, 14]].sum() == 0  # none within the robustness value changes the sign


# --- takers: the sets cover however weak the arm, regression does not -----------------------------


@pytest.fixture(scope="module")
def takers():
    return load("takers")


@pytest.mark.parametrize("uptake", [0.1, 0.3, 0.8])
def test_sets_cover_at_every_uptake(takers, uptake):
    parts = [takers.chunk(takers.Cell(uptake, 5.0), k) for k in range(8)]
    for name in takers.LEVELS:
        found = np.concatenate([part[name] for part in parts])
        kept = found[found[:, 0] == 1.0]
        assert len(kept) > 0.99 * len(found)
        assert_covered(kept[:, 3], name=name)
        np.testing.assert_array_equal(kept[:, 4:7].sum(axis=1), 1.0)
        # With hardly any uptake the set is rarely an interval, with much always.
        assert (kept[:, 4].mean() < 0.3) == (uptake == 0.1)
        assert (kept[:, 4].mean() > 0.999) == (uptake == 0.8)


def test_what_the_arms_differ_in_besides_is_divided_by_the_uptake(takers):
    cell = takers.Cell(0.8, 0.0, direct=1.0)
    found = np.concatenate([takers.chunk(cell, k)["people"] for k in range(4)])
    assert abs(found[:, 8].mean() - 1.0 / found[:, 1].mean()) < three_errors(found[:, 8])


def test_regression_on_the_exposure_is_off_by_confounding_alone(takers):
    for r, covers in ((0.0, 0.92), (0.3, 0.8)):
        parts = [takers.exposed(takers.Cell(0.3, 5.0, r), k) for k in range(4)]
        off, covered = np.concatenate(parts)[:, :2].T
        off = off - 5.0
        assert (abs(off.mean()) < three_errors(off)) == (r == 0.0)
        assert (covered.mean() > covers) == (r == 0.0)


# --- the next trial -------------------------------------------------------------------------------


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
