"""Derived variables: the formulas, and their place inside the chains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.chained import Conditional, Derived, impute
from ccp_analysis.imputation.derived import parse, scoring


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("after - before", lambda a, b: a - b),
        ("after", lambda a, b: a),
        ("-(after + 2) * before / 4", lambda a, b: -(a + 2) * b / 4),
        ("after ** 2 + +1.5", lambda a, b: a**2 + 1.5),
        ("max(after, before, 2)", lambda a, b: np.maximum(np.maximum(a, b), 2)),
        ("min(after, before)", np.minimum),
        ("mean(after, before, after)", lambda a, b: (2 * a + b) / 3),
        ("sum(after, before) + abs(after - before)", lambda a, b: a + b + np.abs(a - b)),
        ("log(exp(after)) + sqrt(before)", lambda a, b: a + np.sqrt(b)),
    ],
)
def test_formulas(text, expected):
    rule = parse("x", text)
    values = {"after": np.array([1.0, 2.5, 4.0]), "before": np.array([3.0, 2.0, 0.5])}
    got = rule.function(np.column_stack([values[part] for part in rule.parts]))
    np.testing.assert_allclose(got, expected(values["after"], values["before"]), rtol=1e-14)
    assert set(rule.parts) <= set(values)


FORBIDDEN = [
    *("__import__('os').system('true')", "a.b", "a[0]", "a if b else c", "a > b", "a and b"),
    *("lambda: a", "[a]", "open(a)", "log(a, b)", "log()", "max(*a)", "max(a, key=b)", "a + 'b'"),
    *("True + a", "a // b", "a := 3", "a +", "", "3 + 4", "1j * a", "a + " * 200 + "a"),
]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_everything_else_is_refused(text):
    with pytest.raises(StudyError, match="imputation.derived.x"):
        parse("x", text)


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_text_does_anything_but_compute_or_be_refused(text):
    try:
        rule = parse("x", text)
    except StudyError:
        return
    assert rule.parts


# --- inside the chains ----------------------------------------------------------------------------


def parts_and_change(rng, n=80):
    before = rng.normal(10, 3, n)
    after = 0.7 * before + rng.normal(3, 2, n)
    other = after - before + rng.normal(size=n)
    data = np.column_stack([before, after, other, after - before])
    data[rng.random(n) < 0.2, 0] = np.nan
    data[rng.random(n) < 0.3, 1] = np.nan
    data[rng.random(n) < 0.2, 2] = np.nan
    data[np.isnan(data[:, :2]).any(axis=1), 3] = np.nan
    return data


CHANGE = Derived(3, (0, 1), lambda parts: parts[:, 1] - parts[:, 0])


@pytest.mark.parametrize("method", ["norm", "pmm"])
def test_a_derived_variable_follows_exactly_from_its_parts(method):
    data = parts_and_change(np.random.default_rng(1))
    plan = [
        Conditional(0, (1, 2), method),
        Conditional(1, (0, 2), method),
        Conditional(2, (3,), method),
    ]
    first, again = (
        impute(data, plan, m=5, iterations=6, rng=np.random.default_rng(2), derived=[CHANGE])
        for _ in range(2)
    )
    values = first.values
    np.testing.assert_array_equal(values[:, :, 3], values[:, :, 1] - values[:, :, 0])
    assert values.tobytes() == again.values.tobytes()
    assert np.isfinite(first.chain_mean[:, 3]).all()
    gone = np.isnan(data[:, 3])
    np.testing.assert_allclose(first.chain_mean[-1, 3], values[:, gone, 3].mean(axis=1))


def test_a_derived_predictor_is_that_of_the_current_parts():
    rng = np.random.default_rng(3)
    n = 400
    x, z = rng.normal(size=(2, n))
    y = x * z + 0.05 * rng.normal(size=n)  # nothing but the interaction says anything of y
    data = np.column_stack([x, z, y, np.full(n, np.nan)])
    data[40:100, 0] = np.nan
    data[40:140, 2] = np.nan
    product = Derived(3, (0, 1), lambda parts: parts[:, 0] * parts[:, 1])
    plan = [Conditional(0, (1,)), Conditional(2, (3,))]
    values = impute(data, plan, m=10, iterations=5, rng=rng, derived=[product]).values
    gap = values[:, 40:140, 2] - values[:, 40:140, 0] * values[:, 40:140, 1]
    assert np.abs(gap).max() < 0.4
    assert gap.std() == pytest.approx(0.05, rel=0.2)


def test_derived_of_derived_and_of_complete_columns():
    rng = np.random.default_rng(4)
    data = np.full((50, 6), np.nan)
    data[:, :3] = rng.normal(size=(50, 3))
    data[:20, 0] = np.nan
    total = Derived(3, (0, 1), lambda p: p.sum(axis=1))
    twice = Derived(4, (3, 2), lambda p: 2 * p[:, 0] + p[:, 1])
    complete = Derived(5, (1, 2), lambda p: p[:, 0] * p[:, 1])
    plan = [Conditional(0, (1, 5))]
    values = impute(data, plan, m=3, iterations=2, rng=rng, derived=[total, twice, complete]).values
    np.testing.assert_array_equal(values[..., 3], values[..., [0, 1]].sum(axis=2))
    np.testing.assert_array_equal(values[..., 4], 2 * values[..., 3] + values[..., 2])
    np.testing.assert_array_equal(values[..., 5], values[..., 1] * values[..., 2])


def test_a_prorated_score_gives_way_to_the_total_of_completed_items():
    rng = np.random.default_rng(5)
    items = rng.integers(0, 5, (60, 4)).astype(float)
    items[:10, 0] = np.nan
    score = np.nanmean(items, axis=1) * 4
    total = Derived(4, (0, 1, 2, 3), lambda p: p.sum(axis=1))
    plan = [Conditional(0, (1, 2, 3), "pmm")]
    data = np.column_stack([items, score])
    values = impute(data, plan, m=20, iterations=1, rng=rng, derived=[total]).values
    assert (values[:, 10:, 4] == score[10:]).all()
    assert (values[:, :10, 4] == values[:, :10, :4].sum(axis=2)).all()
    assert (values[:, :10, 4] % 1 == 0).all()


@pytest.mark.parametrize(
    ("derived", "sentence"),
    [
        ([Derived(3, (2,), lambda p: np.log(p[:, 0] - 1e9))], "not a finite number"),
        ([Derived(3, (4,), lambda p: p[:, 0])], "whose missing values no"),
        ([Derived(0, (1,), lambda p: p[:, 0])], "target of two"),
        (
            [Derived(3, (4,), lambda p: p[:, 0]), Derived(4, (0,), lambda p: p[:, 0])],
            "derived after it",
        ),
        ([Derived(9, (0,), lambda p: p[:, 0])], "names column 9"),
    ],
)
def test_what_cannot_be_derived(derived, sentence):
    data = np.column_stack([parts_and_change(np.random.default_rng(7)), np.full(80, np.nan)])
    plan = [Conditional(0, (2,)), Conditional(2, (0,))]
    with pytest.raises(ValueError, match=sentence):
        impute(data, plan, m=2, iterations=1, rng=np.random.default_rng(1), derived=derived)


# --- values that cannot exist ---------------------------------------------------------------------


def test_what_cannot_exist_is_missing_and_tells_nothing():
    rng = np.random.default_rng(8)
    data = parts_and_change(rng)[:, :3]
    never = np.zeros(data.shape, dtype=bool)
    never[:12, 1] = True  # of some, the value is there: that stays
    plan = [Conditional(j, tuple(k for k in range(3) if k != j)) for j in range(3)]
    result = impute(data, plan, m=6, iterations=4, rng=rng, never=never)
    gone = never & np.isnan(data)
    assert gone.any()
    assert np.isnan(result.values[:, gone]).all()
    assert np.isfinite(result.values[:, ~gone]).all()
    shown = np.isnan(data[:, 1]) & ~never[:, 1]
    np.testing.assert_allclose(
        result.chain_mean[-1, 1], result.values[:, shown, 1].mean(axis=1), rtol=1e-12
    )


# --- scores of items ------------------------------------------------------------------------------

ITEMS = ["a", "b", "c"]


def item(name: str, low=0.0, high=4.0) -> Column:
    plain = {"file": "f", "label": "", "codes": {}, "missing": {}, "unit": ""}
    return Column(
        column=name, name=name, visit="v", type="integer", minimum=low, maximum=high, **plain
    )


@pytest.mark.parametrize("score", ["sum", "mean"])
@pytest.mark.parametrize("limits", [(0.0, 4.0), (None, None)])
def test_the_quick_score_is_the_score(score, limits):
    reverse = ["b"] if limits[0] is not None else []
    instrument = Instrument(
        label="", items=ITEMS, score=score, range=(0, 12), reversed=reverse, benefit="higher"
    )
    rule = scoring("s_v", "s", instrument, [item(n, *limits) for n in ITEMS], "v")
    values = np.random.default_rng(9).integers(0, 5, (30, 3)).astype(float)
    points = values.copy()
    if reverse:
        points[:, 1] = 4 - points[:, 1]
    expected = points.sum(axis=1) / (1 if score == "sum" else 3)
    np.testing.assert_allclose(rule.function(values), expected, rtol=1e-12)
    if limits[0] is not None:
        np.testing.assert_allclose(rule.quick(values), expected, rtol=1e-12)
    assert rule.parts == ("a_v", "b_v", "c_v")
