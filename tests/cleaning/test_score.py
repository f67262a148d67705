"""Items to scores: reversal, proration at its edge, value set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.cleaning.score import prorated, score_instruments
from ccp_analysis.cleaning.value_set import read_value_set, utility
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument, load_instruments
from ccp_analysis.errors import StudyError

NAN = np.nan


def items(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[f"i{k}" for k in range(len(rows[0]))], dtype=float)


def columns(*names: str, visits=("a",), **more) -> list[Column]:
    plain = {"file": "f", "label": "", "type": "integer", "codes": {}, "missing": {}, "unit": ""}
    plain |= {"minimum": 0, "maximum": 4} | more
    return [
        Column(column=f"{name}{visit}", name=name, visit=visit, **plain)
        for visit in visits
        for name in names
    ]


def instrument(**more) -> Instrument:
    plain = {"label": "", "items": ["i0", "i1"], "score": "sum", "range": (0, 8)}
    return Instrument(**(plain | {"benefit": "higher"} | more))


def test_a_sum_is_the_mean_of_the_answered_items_times_their_number():
    table = items([1, 2, 3, 4, 5], [1, 2, 3, 4, NAN])
    assert prorated(table, "sum", 0.8).tolist() == [15, 12.5]
    assert prorated(table, "mean", 0.8).tolist() == [3, 2.5]
    assert prorated(items([NAN, NAN]), "sum", 0.0).isna().all()  # even if none is asked for


@pytest.mark.parametrize(("k", "share"), [(5, 0.8), (10, 0.3), (3, 1 / 3), (15, 0.8), (14, 0.75)])
def test_the_minimum_answered_is_enough_and_one_less_is_not(k, share):
    need = int(np.ceil(round(share * k, 9)))
    edge = [1.0] * need + [NAN] * (k - need)
    below = [1.0] * (need - 1) + [NAN] * (k - need + 1)
    assert prorated(items(edge, below), "mean", share).isna().tolist() == [False, True]


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=9), st.floats(0, 1))
def test_a_prorated_sum_stays_within_the_scale(answers, share):
    score = prorated(items(answers), "sum", share).iloc[0]
    answered = [a for a in answers if a is not None]
    if not answered or len(answered) < share * len(answers) - 1e-9:
        assert np.isnan(score)
    else:
        assert min(answered) * len(answers) - 1e-9 <= score <= max(answered) * len(answers) + 1e-9


def test_reversed_items_are_counted_from_the_other_end():
    values = items([0, 1], [4, NAN], [3, 3]).set_axis(["i0_a", "i1_a"], axis=1)
    asked = {"s": instrument(reversed=["i1"], minimum_answered=0.5)}
    scores = score_instruments(values, asked, columns("i0", "i1"))
    assert scores["s_a"].tolist() == [0 + 3, 8, 3 + 1]


def test_reversal_uses_the_limits_of_the_item_or_its_codes():
    values = items([1, 5]).set_axis(["i0_a", "i1_a"], axis=1)
    asked = {"s": instrument(reversed=["i0", "i1"], range=(2, 10))}
    limits = columns("i0", "i1", minimum=1, maximum=5)
    assert score_instruments(values, asked, limits)["s_a"].tolist() == [5 + 1]
    codes = {str(code): [] for code in range(1, 6)}
    ordinal = columns("i0", "i1", type="ordinal", codes=codes, minimum=None, maximum=None)
    assert score_instruments(values, asked, ordinal)["s_a"].tolist() == [5 + 1]


def test_scores_and_subscales_at_every_visit():
    values = items([1, 2, 3, 4]).set_axis(["i0_a", "i1_a", "i0_b", "i1_b"], axis=1)
    asked = {"s": instrument(subscales={"one": {"label": "One", "items": ["i1"]}})}
    scores = score_instruments(values, asked, columns("i0", "i1", visits=("a", "b")))
    assert scores.iloc[0].to_dict() == {"s_a": 3, "s_one_a": 2, "s_b": 7, "s_one_b": 4}
    # Items asked once make a score without a visit.
    once = score_instruments(items([1, 2]), {"s": instrument()}, columns("i0", "i1", visits=("",)))
    assert once.columns.tolist() == ["s"]


FAULTS = {
    "unknown item": (columns("i0"), {}, "item 'i1' of 's' is not a name in the data dictionary"),
    "other visits": (
        columns("i0", visits=("a", "b")) + columns("i1"),
        {},
        "item 'i1' of 's' is not asked at the same visits as 'i0'; expected a, b.",
    ),
    "no limits": (
        columns("i0", "i1", minimum=None),
        {"reversed": ["i0"]},
        "item 'i0' is reversed: the data dictionary must give its minimum and maximum.",
    ),
    "text": (
        columns("i0", "i1", type="text", minimum=None, maximum=None),
        {},
        "item 'i0' of 's' is no number in config/dictionary.csv",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_instruments(fault):
    dictionary, more, sentence = FAULTS[fault]
    names = {c.variable: [1.0] for c in dictionary}
    with pytest.raises(StudyError, match="config/instruments.yaml") as caught:
        score_instruments(pd.DataFrame(names), {"s": instrument(**more)}, dictionary)
    assert sentence in str(caught.value)


def test_a_score_may_not_hide_a_variable():
    values = items([1, 2]).set_axis(["i0_a", "i1_a"], axis=1).assign(s_a=3.0)
    with pytest.raises(StudyError, match="the score 's_a' has the name of a variable"):
        score_instruments(values, {"s": instrument()}, columns("i0", "i1"))


@pytest.fixture
def england(monkeypatch) -> tuple[Instrument, dict]:
    monkeypatch.chdir(Path(__file__).parents[2])
    scale = load_instruments()["utility"]
    return scale, read_value_set(scale)


@pytest.mark.parametrize(
    ("state", "value"),
    [("11111", 1.0), ("21345", 0.314), ("55555", -0.285), ("11112", 0.922), ("21111", 0.942)],
)
def test_health_states_of_the_value_set_for_england(england, state, value):
    scale, decrements = england
    levels = pd.DataFrame([[float(level) for level in state]], columns=scale.items)
    assert utility(levels, decrements).tolist() == [value]
    assert utility(levels.assign(**{scale.items[2]: NAN}), decrements).isna().all()


VALUE_SETS = {
    "a level lacks": ("i0,2,.1\ni0,3,.2\ni1,2,.1\n", "no decrement for level 3 of 'i1'"),
    "an item lacks": ("i0,2,.1\n", "no decrement for level 2 of 'i1'"),
    "empty": ("", "there is no decrement for 'i0'"),
    "twice": ("i0,2,.1\ni0,2,.2\ni1,2,.1\n", "line 3: 'i0' already has a decrement for level 2"),
    "word": ("i0,2,much\n", "line 2: level and decrement must be numbers"),
    "nan": ("i0,2,nan\n", "line 2: level and decrement must be numbers"),
    "stranger": ("i9,2,.1\n", "line 2: dimension 'i9' is not an item"),
    # With a row for each state instead.
    "a state lacks": ("11,1\n12,.5\n21,.4\n", "there is no utility for the state 22"),
    "a state twice": ("11,1\n11,1\n", "line 3: the state 11 stands twice"),
    "digits": ("111,1\n", "line 2: profile '111' found; expected 2 digits"),
    "word for a state": ("11,full\n", "line 2: utility must be a number"),
}


@pytest.mark.parametrize("fault", VALUE_SETS)
def test_faults_of_a_value_set(tmp_path, fault):
    rows, sentence = VALUE_SETS[fault]
    path = tmp_path / "values.csv"
    header = "profile,utility" if rows[:1] == "1" else "dimension,level,decrement"
    path.write_text(f"{header}\n{rows}")
    scale = instrument(score="value_set", value_set=path, range=(-1, 1))
    with pytest.raises(StudyError) as caught:
        read_value_set(scale)
    assert sentence in str(caught.value)
    assert "values.csv" in str(caught.value)
