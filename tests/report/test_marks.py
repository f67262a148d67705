"""Numbers keep their place through arithmetic and text, or lose it rather than say a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.report.cells import quantity, with_p
from ccp_analysis.report.marks import (
    anchor,
    how_many,
    marked,
    numbered,
    origin_of,
    origins,
    parts,
    plain,
    resolved,
    told,
)
from ccp_analysis.report.words import interval, number, p_value, percent

ESTIMATE = told(-0.04, "abcdefgh.estimate")
N = told(151, "abcdefgh.n")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (abs(ESTIMATE), "abcdefgh.estimate"),
        (-N, "abcdefgh.n"),
        (round(ESTIMATE, 1), "abcdefgh.estimate"),
        (ESTIMATE * N, "abcdefgh.estimate*abcdefgh.n"),
        (100 * ESTIMATE, "abcdefgh.estimate*100"),
        (sum([N, told(2, "flow.json#/n")]), "abcdefgh.n+flow.json#/n"),
        (max(N, 3), "abcdefgh.n"),
        (how_many([N, told(2, "flow.json#/stages/0/n")]), "abcdefgh+flow.json#/stages/0"),
        # What no place can say has none.
        (N + 1, None),
        (N - N, None),
        (1.5 * ESTIMATE, None),
        ((N + N) * 100, None),
        (-1 * N, None),
        (N / 2, None),
        (np.float64(2.0) * ESTIMATE, None),
        (how_many([]), None),
    ],
)
def test_arithmetic_keeps_the_place_that_is_still_true(value: float, place: str | None) -> None:
    assert origin_of(value) == place


def test_numbers_are_numbers_still() -> None:
    assert ESTIMATE == -0.04
    assert {N: "here"}[151] == "here"
    assert np.array([ESTIMATE, 1.0]).dtype == float
    assert repr(N) == "151"
    assert sorted([N, 3.0]) == [3, 151]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (number(ESTIMATE, 2), "−0.04"),
        (number(ESTIMATE, 1), "0.0"),
        (number(told(209876.0, "abcdefgh.estimate"), -4, "£"), "£210,000"),
        (number(told(-1234.5, "abcdefgh.estimate"), 0, "£"), "−£1,234"),
        (percent(told(0.125, "abcdefgh.estimate")), "12"),
        (p_value(told(0.0002, "abcdefgh.p_value")), "<0.001"),
        (quantity(ESTIMATE, 2, "points"), "−0.04 points"),
        (
            with_p({"p_value": told(0.0002, "abcdefgh.p_value")}),
            "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001",
        ),
        (
            with_p({"p_value": told(0.25, "abcdefgh.p_value")}),
            "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.25",
        ),
        (interval(ESTIMATE, told(2.0, "abcdefgh.conf_high"), 1), "0.0 to 2.0"),
        (f"{N} of {N:,}", "151 of 151"),
    ],
)
def test_text_keeps_the_place_and_nobody_sees_it(text: str, words: str) -> None:
    assert plain(text) == words
    assert text != words
    assert "".join(piece for _, piece in parts(text)) == words
    assert {anchor(place) for place, _ in origins(text)} == {"abcdefgh"}


def test_rounding_beyond_the_digits_is_said() -> None:
    text = number(told(209876.0, "abcdefgh.estimate"), -4)
    assert origins(text or "") == [("abcdefgh.estimate@-4", "210,000")]


def test_marks_are_resolved_one_by_one() -> None:
    text = f"({marked('1', 'a.b')} to {marked('2', 'a.c')}; {marked('3', 'a.b')})"
    short, places = numbered(text)
    assert places == ["a.b", "a.c"]
    said = resolved(short, lambda place, words: f"[{words}]({places[int(place)]})")
    assert said == "([1](a.b) to [2](a.c); [3](a.b))"


def test_places_of_one_row_lead_there_and_others_to_a_name_of_their_own() -> None:
    assert anchor("abcdefgh.estimate*abcdefgh.n") == "abcdefgh"
    other = anchor("abcdefgh.n+bcdefghi.n")
    assert len(other) == 16
    assert other == anchor("abcdefgh.n+bcdefghi.n") != anchor("flow.json#/n")
