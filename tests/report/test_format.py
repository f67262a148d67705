from __future__ import annotations

import pytest

from ccp_analysis.report.cells import quantity
from ccp_analysis.report.words import (
    Markdown,
    capitalised,
    decimals,
    degrees,
    escape,
    interval,
    listed,
    number,
    p_value,
    percent,
    uncapitalised,
)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (-1.25, 1, "−1.2"),
        (1234567.0, 0, "1,234,567"),
        (-0.04, 1, "0.0"),
        (0.0, 2, "0.00"),
        (12, 0, "12"),
        (None, 1, None),
        (float("nan"), 1, None),
        (float("inf"), 1, None),
    ],
)
def test_number(value: float | None, places: int, text: str | None) -> None:
    assert number(value, places) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.00099, "<0.001"),
        (0.001, "0.001"),
        (0.0521, "0.052"),
        (0.0996, "0.10"),
        (0.184, "0.18"),
        (0.99, "0.99"),
        (0.996, ">0.99"),
        (1.0, ">0.99"),
        (None, None),
    ],
)
def test_p_value(p: float | None, text: str | None) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("spread", "places"), [(800, 0), (30, 0), (5, 1), (1, 1), (0.5, 2), (0.03, 3), (0.002, 4)]
)
def test_decimals(spread: float, places: int) -> None:
    assert decimals(spread) == places


def test_decimals_without_a_spread() -> None:
    assert decimals(None) == decimals(0.0) == decimals(float("nan")) == 2


def test_interval() -> None:
    assert interval(-0.42, 1.05, 1) == "−0.4 to 1.1"
    assert interval(None, 1.0, 1) is None


def test_degrees_percent_and_quantities() -> None:
    assert degrees(2.44) == "2.4"
    assert degrees(148.6) == "149"
    assert percent(0.6316) == "63"
    for value, places, unit, text in (
        (-250.4, 0, "pounds", "−£250"),
        (250.6, 0, "pounds", "£251"),
        (1.5, 1, "points", "1.5 points"),
        (0.5, 2, "utility", "0.50"),
    ):
        assert quantity(value, places, unit) == text


def test_escape_leaves_no_markup() -> None:
    assert escape("a|b <i>") == r"a\|b \<i\>"
    assert escape("two\n\n# lines\x00 end") == r"two \# lines end"
    assert escape("n\N{NO-BREAK SPACE}=") == "n\N{NO-BREAK SPACE}\\="
    assert escape(None) == ""


def test_markdown_is_not_escaped_again() -> None:
    assert escape(Markdown("**a**")) == "**a**"
    assert escape(escape("*")) == r"\*"


def test_words() -> None:
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"
    assert listed([]) == ""
    assert capitalised("team") == "Team"
    assert uncapitalised("Six months") == "six months"
    assert uncapitalised("EQ-5D") == "EQ-5D"
