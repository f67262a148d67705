"""Fieller's set against its definition and against R."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from visits_data import read

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ratio import fieller

many = settings(max_examples=200, deadline=None, derandomize=True)


CASES = read("ratio.json")["cases"]


def arrays(case):
    covariance = np.array([[case["vaa"], case["vab"]], [case["vab"], case["vbb"]]])
    return np.array([case["a"], case["b"]]), covariance, case.get("df", np.inf)


def excess(r, estimate, covariance, df, level):
    """Return |a - r b| less t se(a - r b): not positive inside the set."""
    weights = np.array([1.0, -r])
    se = np.sqrt(weights @ covariance @ weights)
    return abs(weights @ estimate) - student.ppf(0.5 + level / 2.0, df) * se


@pytest.mark.parametrize("case", CASES)
def test_as_r(case):
    found = fieller(*arrays(case), case["level"])
    assert found.kind == "interval"
    np.testing.assert_allclose([found.low, found.high], [case["low"], case["high"]], rtol=1e-12)


def test_a_batch_equals_its_single_sets():
    every = [arrays(case) for case in CASES]
    estimate, covariance, df = (
        np.stack(parts).reshape(2, 3, *np.shape(parts[0])) for parts in zip(*every, strict=True)
    )
    whole = fieller(estimate, covariance, df, 0.95)
    assert whole.low.shape == whole.high.shape == whole.kind.shape == (2, 3)
    for index in np.ndindex(2, 3):
        one = fieller(estimate[index], covariance[index], df[index], 0.95)
        assert (one.low, one.high, one.kind) == tuple(
            getattr(whole, name)[index] for name in ("low", "high", "kind")
        )


@many
@given(
    st.floats(-6.0, 6.0),
    st.floats(-2.0, 2.0),
    st.floats(-0.99, 0.99),
    st.floats(-4.0, 4.0),
    st.floats(2.0, 200.0),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_by_its_definition(a, b, correlation, magnitude, df, level):
    """The set ends at the roots, and holds what is not excluded, whatever the units."""
    unit = 10.0**magnitude
    size = np.array([unit, 1.0])
    covariance = np.array([[1.0, correlation], [correlation, 1.0]]) * np.multiply.outer(size, size)
    case = np.array([a, b]) * size, covariance, df, level
    found = fieller(*case)
    low, high = Inference(case[0][1], np.sqrt(covariance[1, 1]), np.array(df)).interval(level)
    assert (found.kind == "interval") == (low > 0.0 or high < 0.0)
    limits = {"interval": (found.low, found.high), "complement": (found.below, found.above)}
    for kind, ends in limits.items():
        assert np.isfinite(ends).all() == (found.kind == kind)
        if found.kind == kind and np.abs(ends).max() < 1e4 * unit:
            gaps = [excess(end, *case) / unit for end in ends]
            np.testing.assert_allclose(gaps, 0.0, atol=1e-8 * (1.0 + np.abs(ends).max() / unit))
    grid = np.concatenate([np.linspace(-30.0, 30.0, 61), np.array([-1e9, 1e9])]) * unit
    gaps = np.array([excess(r, *case) for r in grid])
    held = np.array([found.holds(r) for r in grid])
    sure = np.abs(gaps) > 1e-9 * (np.abs(grid) + unit)
    np.testing.assert_array_equal(held[sure], (gaps <= 0.0)[sure])
    # Where there is no interval ratios of any size are in the set, of either sign.
    assert found.kind == "interval" or held[-2:].all()
    assert found.kind != "line" or held.all()


def test_a_known_denominator_gives_the_interval_of_the_numerator():
    found = fieller([12.0, -4.0], [[9.0, 0.0], [0.0, 0.0]], 5.0)
    half = student.ppf(0.975, 5.0) * 3.0
    np.testing.assert_allclose([found.low, found.high], [(-12 - half) / 4, (half - 12) / 4])


def test_what_was_not_estimated_has_no_set():
    estimate = np.array([[1.0, 2.0], [np.nan, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    covariance = np.stack([np.eye(2) / 10.0] * 5)
    covariance[2, 1, 1], covariance[3, 0, 1] = -1.0, np.nan
    found = fieller(estimate, covariance, np.array([9.0, 9.0, 9.0, 9.0, np.nan]))
    assert found.kind.tolist() == ["interval", *["undefined"] * 4]
    assert np.isnan([found.low[1:], found.high[1:]]).all() and np.isfinite(found.low[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1.0, 2.0, 3.0], np.eye(2), 4.0), "two estimates"),
        (([1.0, 2.0], np.eye(3), 4.0), "two estimates"),
        (([1.0, 2.0], np.eye(2), 4.0, 95.0), "between 0 and 1"),
    ],
)
def test_wrong_calls_end_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        fieller(*arguments)
