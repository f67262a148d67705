"""Which variables are imputed, from which predictors, by which method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_study

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.encoding import decode, encode
from ccp_analysis.imputation.plan import Variable, imputation_variables, with_derived
from ccp_analysis.imputation.rules import check_plan, method_of, never_exist

NAN = np.nan
STUDY = small_study.study(clusters=None)


def plan(**imputation) -> Plan:
    return small_study.plan(
        outcomes=[{"id": "pain", "role": "primary"}, {"id": "mood", "role": "secondary"}],
        covariates=["age", "sex"],
        imputation=small_study.PLAN["imputation"] | imputation,
    )


def column(name: str, kind: str = "number", visit: str = "", **more) -> Column:
    plain = {"file": "people", "label": "", "codes": {}, "missing": {}, "unit": ""}
    plain |= {"minimum": None, "maximum": None} | more
    return Column(column=name + visit, name=name, visit=visit, type=kind, **plain)


DICTIONARY = [
    column("age"),
    column("sex", "category", codes={"f": [], "m": []}),
    column("pain", visit="before", minimum=0, maximum=10),
    column("pain", visit="after", minimum=0, maximum=10),
    column("income", visit="before"),
    column("note", "text"),
    column("visits", "integer", visit="before"),
    column("stage", "ordinal", codes={"1": ["mild"], "2": ["severe"]}),
    column("home", "category", codes={"own": [], "rent": [], "other": []}),
    column("i", "integer", visit="before", minimum=0, maximum=9),
    column("i", "integer", visit="after", minimum=0, maximum=9),
    column("seen", "date"),
]
MOOD = Instrument(label="", items=["i"], score="sum", range=(0, 9), benefit="higher")
PEOPLE = pd.DataFrame(
    {
        "age": [30.0, 40, NAN, 50],
        "sex": ["m", None, "f", "f"],
        "pain_before": [1.0, 2, 3, 4],
        "pain_after": [1.0, NAN, 3, NAN],
        "mood_before": [1.0, 2, NAN, 4],
        "mood_after": [5.0, 6, 7, 8],
        "income_before": [1.0, 2, 3, NAN],
        "note": ["x", "y", "z", "w"],
        "seen": pd.Timestamp("2020-01-01"),
        "cost_before": [0.0, 1, 2, 3],
        "cost_after": [0.0, 1, NAN, 3],
        "utility_after": [1.0, 1, 1, 1],
        "visits_before": [0.0, 3, NAN, 1],
        "stage": [1.0, 2, NAN, 1],
        "home": ["own", "rent", None, "other"],
        "i_before": [1.0, 2, NAN, 4],
        "i_after": [5.0, 6, 7, 8],
    }
)


def variables(economics=None, people=PEOPLE, **imputation) -> list[Variable]:
    return imputation_variables(
        STUDY, plan(**imputation), economics, DICTIONARY, {"mood": MOOD}, people
    )


def test_every_variable_of_any_analysis_once():
    found = variables(auxiliary=["income_before", "pain_before"])
    measured = ["pain_before", "pain_after", "mood_before", "mood_after"]
    assert [v.name for v in found] == ["age", "sex", *measured, "income_before"]
    assert [v.covariate for v in found] == [True, True] + [False] * 5
    assert [v.stem for v in found][2:] == ["pain", "pain", "mood", "mood", "income_before"]


def test_costs_and_utilities_come_with_an_economic_evaluation():
    economics = Economics(
        price_year=2020,
        currency="GBP",
        unit_costs="c.csv",
        perspectives={"health": {"label": "Health", "services": ["su_*"]}},
        utility="utility",
        months=6,
        thresholds=[0, 20000],
        main_thresholds=[20000],
    )
    found = {v.name: v for v in variables(economics)}
    assert {"cost_before", "cost_after", "utility_after"} <= set(found)
    assert found["cost_after"].bounds == (0, np.inf)


def test_the_method_follows_the_scale_and_the_plan():
    asked_for = ["income_before", "visits_before", "stage", "home"]
    found = {v.name: v for v in variables(auxiliary=asked_for)}
    by_rule = {name: method_of(v, plan()) for name, v in found.items()}
    measured = ["pain_before", "pain_after", "mood_before", "mood_after", "visits_before"]
    assert by_rule == dict.fromkeys(measured, "lrd") | {
        **{"age": "norm", "income_before": "norm"},
        **{"sex": "logreg", "stage": "pmm", "home": "polyreg"},
    }
    asked = plan(methods={"pain_after": "norm", "age": "pmm", "sex": "pmm"})
    assert [method_of(found[n], asked) for n in asked.imputation.methods] == ["norm", "pmm", "pmm"]
    check_plan(STUDY, list(found.values()), asked)


@pytest.mark.parametrize(
    ("imputation", "sentence"),
    [
        ({"methods": {"pane_after": "norm"}}, "imputation.methods names 'pane_after'"),
        ({"bounds": {"pane_after": [0, 1]}}, "imputation.bounds names 'pane_after'"),
        ({"predictors": {"pane_after": {}}}, "imputation.predictors names 'pane_after'"),
        ({"methods": {"change": "pmm"}}, "'change', which is derived and never imputed"),
        ({"methods": {"home": "pmm"}}, "'home' is a category of more than two codes"),
        ({"methods": {"sex": "norm"}}, "'sex' is a category; expected logreg or pmm"),
        ({"methods": {"age": "logreg"}}, "'age' is a number; the method logreg does not go"),
        ({"methods": {"age": "2l.norm"}}, "'age' has 2l.norm, which needs the clusters"),
        (
            {"bounds": {"pain_after": [0, 5]}, "methods": {"pain_after": "pmm"}},
            "'pain_after' is imputed by pmm",
        ),
    ],
)
def test_what_the_plan_cannot_ask(imputation, sentence):
    asked = {"auxiliary": ["home"], "derived": {"change": "pain_after - pain_before"}} | imputation
    listed = variables(**asked)
    with pytest.raises(StudyError) as caught:
        check_plan(STUDY, listed, plan(**asked))
    assert sentence in str(caught.value)


# --- derived variables and items ------------------------------------------------------------------


def test_derived_variables_come_last_and_in_order():
    asked = {"late": "2 * change", "change": "pain_after - income_before"}
    found = variables(derived=asked)
    assert [v.name for v in found][-3:] == ["income_before", "change", "late"]
    assert method_of(found[-1], plan()) == "derived"
    people = with_derived(found, PEOPLE)
    np.testing.assert_array_equal(people["change"], [0, NAN, 0, NAN])
    np.testing.assert_array_equal(people["late"], [0, NAN, 0, NAN])
    assert "change" not in PEOPLE


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"derived": {"x": "y_after"}}, "'y_after' is not a variable of the participants table"),
        ({"derived": {"x": "note"}}, "'note' is a variable of the type text"),
        ({"derived": {"x": "age + sex"}}, "'sex' is a category; a number is expected"),
        ({"derived": {"age": "pain_after"}}, "'age' is already a variable"),
        ({"derived": {"x": "y", "y": "x + age"}}, "x and y follow from each other"),
        ({"derived": {"x": "age +"}}, "is not a formula"),
        (
            {"derived": {"x": "age + 1"}, "auxiliary": ["x"]},
            "'x' is named among the covariates, subgroups or aux",
        ),
        ({"auxiliary": ["hight"]}, "'hight' is not a variable of the participants table"),
        ({"auxiliary": ["note"]}, "the type text; expected a number or a category"),
        ({"auxiliary": ["seen"]}, "the type date; expected a number or a category"),
        (
            {"people": PEOPLE.drop(columns=["mood_before", "mood_after"])},
            "outcome 'mood' is neither an instrument nor a variable",
        ),
        ({"level": {"rage": "items"}}, "imputation.level names 'rage'"),
    ],
)
def test_variables_and_formulas_that_cannot_be_used(asked, sentence):
    with pytest.raises(StudyError, match=r"config/analysis\.yaml") as caught:
        variables(**asked)
    assert sentence in str(caught.value)


def test_bounds_that_are_no_range_and_a_formula_without_a_value_for_somebody():
    with pytest.raises(ValueError, match="bounds of 'age'"):
        plan(bounds={"age": [3, 3]})
    found = variables(derived={"x": "log(pain_before - 1)"})
    with pytest.raises(StudyError, match=r"'log\(pain_before - 1\)' is not a finite number"):
        with_derived(found, PEOPLE)


def test_items_stand_in_for_their_score():
    found = {v.name: v for v in variables(level={"mood": "items"})}
    assert found["mood_after"].rule.parts == ("i_after",)
    assert found["i_after"].group == "mood"
    assert found["i_after"].stem == found["i_before"].stem == "i"
    assert method_of(found["i_before"], plan()) == "pmm"
    plain = {v.name: v for v in variables(level={"mood": "score"})}
    assert plain["mood_after"].rule is None and "i_after" not in plain


# --- values that cannot exist ---------------------------------------------------------------------

WITH_LOSSES = small_study.study(
    clusters=None,
    files=small_study.STUDY["files"] | {"status": {"path": "s.csv", "rows": "event"}},
    losses={
        **{"file": "status", "event": "event", "date": "date", "reason": "reason"},
        "ending": ["death", "moved"],
    },
)


def test_the_dead_have_no_value_after_their_last_interview():
    people = PEOPLE.assign(
        left=[None, "death", None, "moved"],
        interviewed_before=True,
        interviewed_after=[True, False, True, False],
    )
    asked = plan(not_after=["death"], derived={"change": "pain_after - pain_before"})
    found = variables(derived={"change": "pain_after - pain_before"}, auxiliary=["income_before"])
    people = with_derived(found, people)
    names = [v.name for v in found]
    table = pd.DataFrame(never_exist(WITH_LOSSES, asked, found, people), columns=names)
    assert table.loc[1, ["pain_after", "change"]].all()
    assert not table.loc[1, ["mood_after", "pain_before", "age"]].any()  # mood_after was observed
    assert not table.loc[[0, 2, 3]].any(axis=None)
    assert not never_exist(WITH_LOSSES, plan(), found, people).any()
    seen = people.assign(left="death", interviewed_after=True)  # after the event: has values
    assert not never_exist(WITH_LOSSES, asked, found, seen).any()


def test_an_event_that_ends_nothing():
    for study, words in ((WITH_LOSSES, "death, moved"), (STUDY, "none, as the study declares")):
        with pytest.raises(StudyError) as caught:
            never_exist(study, plan(not_after=["divorce"]), variables(), PEOPLE)
        assert "'divorce' is not an event" in str(caught.value)
        assert words in str(caught.value)


def category(*codes: str) -> Variable:
    return Variable("c", "c", True, None, codes)


@pytest.mark.parametrize("codes", [("x", "y"), ("x", "w", "y", "z")])
@given(st.lists(st.sampled_from(["x", "y", None]), min_size=1, max_size=12))
def test_a_category_comes_back_as_it_was(codes, cells):
    people = pd.DataFrame({"c": pd.Series(cells, dtype=object), "x": 1.5})
    asked = [category(*codes), Variable("x", "x", False, None, ())]
    back = decode(asked, encode(asked, people), people)
    assert [None if pd.isna(v) else v for v in back["c"]] == cells
    assert (back["x"] == 1.5).all()


def test_a_category_becomes_indicators_of_all_codes_but_the_first():
    encoded = encode([category("x", "w", "y", "z")], pd.DataFrame({"c": ["y", "x", "z", None]}))
    np.testing.assert_array_equal(encoded.values, [[1, 0], [0, 0], [0, 1], [NAN, NAN]])
    assert encoded.owner == [0, 0] and encoded.levels == ["y", "z"]
