"""Fieller's set against its definition and against R."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ratio import fieller

many = settings(max_examples=200, deadline=None, derandomize=True)


def cases():
    path = Path(__file__).parent / "data" / "ratio.json"
    return json.loads(path.read_text())["cases"]


def arrays(case):
    covariance = np.array([[case["vaa"], case["vab"]], [case["vab"], case["vbb"]]])
    return np.array([case["a"], case["b"]]), covariance, case.get("df", np.inf)


def excess(r, estimate, covariance, df, level):
    """Return |a - r b| less t se(a - r b): not positive inside the set."""
    weights = np.array([1.0, -r])
    se = np.sqrt(weights @ covariance @ weights)
    return abs(weights @ estimate) - student.ppf(0.5 + level / 2.0, df) * se


@pytest.mark.parametrize("case", cases())
def test_as_r(case):
    found = fieller(*arrays(case), case["level"])
    assert found.kind == "interval"
    np.testing.assert_allclose([found.low, found.high], [case["low"], case["high"]], rtol=1e-12)


@many
@given(st.floats(-3.0, 3.0), st.floats(-1.0, 1.0), st.floats(-0.9, 0.9), st.floats(-9.0, 9.0))
def test_half_lines_end_at_the_roots_and_the_set_holds_what_is_not_excluded(a, b, r, ratio):
    case = np.array([a, b]), np.array([[1.0, r / 2.0], [r / 2.0, 0.25]]), 7.0
    found = fieller(*case)
    limits = {"interval": (found.low, found.high), "complement": (found.below, found.above)}
    for kind, ends in limits.items():
        assert np.isfinite(ends).all() == (found.kind == kind)
        if found.kind == kind and np.abs(ends).max() < 1e4:
            gaps = [excess(end, *case, 0.95) for end in ends]
            np.testing.assert_allclose(gaps, 0.0, atol=1e-8 * (1.0 + np.abs(ends).max()))
    gap = excess(ratio, *case, 0.95)
    assert abs(gap) < 1e-9 or found.holds(ratio) == (gap < 0.0)


def test_a_batch_equals_its_single_sets():
    every = [arrays(case) for case in cases()]
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
    st.floats(-6.0, 6.0),
    st.floats(-0.99, 0.99),
    st.floats(-4.0, 4.0),
    st.floats(2.0, 200.0),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_by_its_definition(a, b, correlation, magnitude, df, level):
    size = np.array([10.0**magnitude, 1.0])
    estimate = np.array([a, b]) * size
    covariance = np.array([[1.0, correlation], [correlation, 1.0]]) * np.multiply.outer(size, size)
    found = fieller(estimate, covariance, df, level)
    low, high = Inference(estimate[1], np.sqrt(covariance[1, 1]), np.array(df)).interval(level)
    assert (found.kind == "interval") == (low > 0.0 or high < 0.0)
    unit = size[0] / size[1]
    grid = np.concatenate([np.linspace(-30.0, 30.0, 241), np.array([-1e9, 1e9])]) * unit
    inside = np.array([excess(r, estimate, covariance, df, level) <= 0.0 for r in grid])
    if found.kind == "interval":
        assert found.low <= estimate[0] / estimate[1] <= found.high
        width = 1e-9 * unit * (1.0 + abs(found.high - found.low) / unit)
        for limit, outwards in ((found.low, -1.0), (found.high, 1.0)):
            slack = 1e-9 * (abs(estimate[0]) + abs(limit * estimate[1]) + size[0])
            assert abs(excess(limit, estimate, covariance, df, level)) <= slack
            assert excess(limit + outwards * 1e3 * width, estimate, covariance, df, level) > 0.0
        between = (grid >= found.low) & (grid <= found.high)
        np.testing.assert_array_equal(inside, between)
    else:
        assert np.isnan(found.low) and np.isnan(found.high)
        # Ratios of any size are in the set, of either sign.
        assert inside[-2:].all()
        if found.kind == "line":
            assert inside.all()
        else:
            assert found.kind == "complement"


def test_all_but_a_gap():
    estimate, covariance = np.array([3.0, 0.5]), np.diag([0.25, 1.0])
    found = fieller(estimate, covariance, 10.0)
    assert found.kind == "complement" and np.isnan(found.low)
    assert excess(0.0, estimate, covariance, 10.0, 0.95) > 0.0
    assert excess(6.0, estimate, covariance, 10.0, 0.95) < 0.0
    assert fieller(np.array([0.2, 0.5]), covariance, 10.0).kind == "line"


def test_units_and_signs():
    estimate, covariance, df = arrays(cases()[0])
    once = fieller(estimate, covariance, df)
    size = np.array([1e-3, 365.25])
    scaled = fieller(estimate * size, covariance * np.multiply.outer(size, size), df)
    np.testing.assert_allclose(scaled.low * size[1] / size[0], once.low, rtol=1e-12)
    np.testing.assert_allclose(scaled.high * size[1] / size[0], once.high, rtol=1e-12)
    # Both signs turned: the same ratio. One turned: the interval turned over.
    turned = fieller(-estimate, covariance, df)
    np.testing.assert_allclose([turned.low, turned.high], [once.low, once.high], rtol=1e-14)
    sign = np.array([-1.0, 1.0])
    mirrored = fieller(estimate * sign, covariance * np.multiply.outer(sign, sign), df)
    np.testing.assert_allclose([mirrored.high, mirrored.low], [-once.low, -once.high], rtol=1e-14)


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
