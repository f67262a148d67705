"""Groups have one name, one code and one order, whatever type the data have."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.analyses.design import Sample
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.groups import groups, in_order, names_of, place

TYPES = {
    "whole numbers": lambda k: k,
    "numbers": float,
    "text": str,
    "zero-padded": lambda k: f"{k:05}",
    "lower case": lambda k: f"ward {k}",
    "mixed case": lambda k: f"{'wW'[k % 2]}ard{k}a",
    "in a column of objects": lambda k: [k, str(k), float(k)][k % 3],
}


@pytest.mark.parametrize("typed", TYPES.values(), ids=TYPES)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_codes_are_those_of_the_numbers_in_the_names(typed, numbers: list[int]) -> None:
    found = groups(pd.Series([typed(k) for k in numbers]))
    expected, first, codes = np.unique(numbers, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(found.codes, codes)
    np.testing.assert_array_equal(found.first, first)
    assert len(found.names) == len(expected)
    np.testing.assert_array_equal(found.indicators, codes[:, None] == np.arange(len(expected)))
    assert found.categories.tolist() == [found.names[code] for code in codes]
    assert list(found.categories.categories) == found.names


@given(st.lists(st.text(max_size=6) | st.from_regex(r"[a-zA-Z]?0{0,2}[0-9]{1,3}", fullmatch=True)))
def test_the_order_of_names_is_one_order(names: list[str]) -> None:
    ordered = in_order(names)
    assert sorted(set(names), key=place) == ordered == in_order(names[::-1])
    assert len({place(name) for name in names}) == len(set(names))
    for kept in (ordered[::2], ordered[1::2]):  # whoever else there is
        assert in_order(kept[::-1]) == kept


@pytest.mark.parametrize(
    "names",
    [
        ["-2", "-1", "0", "1", "1.5", "2", "10", "1a", "a"],
        ["T1", "t2", "T10", "team"],
        ["T1", "t1", "t01x"],
        ["01", "1", "02"],
        ["month2", "month6", "month12"],
        ["a", "B", "c"],
        ["trust_2_b", "trust_2_C", "trust_10_a"],
    ],
)
def test_names_are_sorted_as_people_sort_them(names: list[str]) -> None:
    assert in_order(names[::-1]) == names


def test_a_name_is_the_number_without_what_says_nothing() -> None:
    assert groups(np.array([2.0, 10.0, 2.5])).names == ["2", "2.5", "10"]
    assert names_of(pd.Series([7.0, np.nan, 1234567.0])).tolist()[::2] == ["7", "1234567"]
    assert names_of(pd.Series([7.0, np.nan])).isna().tolist() == [False, True]


def test_a_group_without_a_value_or_in_two_others_is_an_error() -> None:
    with pytest.raises(ValueError, match="missing"):
        groups(pd.Series([1.0, np.nan]))
    with pytest.raises(ValueError, match="'2' lies in two others"):
        groups(np.array([1, 2, 2])).within(groups(np.array(["a", "a", "b"])))


@pytest.mark.parametrize("typed", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_every_team_has_its_own_pair_and_arm(typed, seed: int) -> None:
    numbers = np.repeat(np.arange(1, 11), 3)
    pair = np.array(list("aabbccddee"))[numbers - 1]
    active = np.random.default_rng(seed).permuted(np.tile([True, False], (5, 1)), axis=1).ravel()
    arm = np.where(active, "i", "c")[numbers - 1]
    team = pd.Series([typed(k) for k in numbers.tolist()], dtype=object).infer_objects()
    frame = pd.DataFrame({"team": team, "trust": pair, "arm": arm})
    frame = frame.sample(frac=1, random_state=seed, ignore_index=True)
    study = SimpleNamespace(
        clusters=SimpleNamespace(unit="team", pair="trust"),
        arms=SimpleNamespace(variable="arm", active="i"),
    )
    names, team, pair_of_team, arm_of_team = teams_of(study, Sample(frame, 1, False, ""))
    assert [names[code] for code in pair_of_team[team]] == frame["trust"].tolist()
    assert ["ci"[code] for code in arm_of_team[team]] == frame["arm"].tolist()
