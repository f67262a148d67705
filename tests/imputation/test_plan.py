"""Which variables are imputed, from which predictors, by which method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.dictionary import Column
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.plan import (
    Encoded,
    Variable,
    check_methods,
    choose_predictors,
    decode,
    encode,
    imputation_variables,
    method_of,
)
from ccp_analysis.plan import Plan
from ccp_analysis.study import Economics, Instrument, Study

NAN = np.nan
STUDY = Study.model_validate(
    {
        "id": "s",
        "title": "S",
        "short_title": "S",
        "registration": "none",
        "data_status": "synthetic",
        "data_date": "2021-01-01",
        "randomised": True,
        "arms": {"variable": "arm", "reference": "a", "levels": {"a": "A", "b": "B"}},
        "visits": [
            {"id": "before", "label": "0", "months": 0},
            {"id": "after", "label": "6", "months": 6},
        ],
        "files": {"people": {"path": "people.csv", "rows": "participant"}},
    }
)


def plan(**imputation) -> Plan:
    return Plan.model_validate(
        {
            "seed": 1,
            "confidence_level": 0.95,
            "estimand": "treatment-policy",
            "outcomes": [{"id": "pain", "role": "primary"}, {"id": "mood", "role": "secondary"}],
            "covariates": ["age", "sex"],
            "imputation": {"imputations": 2, "iterations": 1, "donors": 5} | imputation,
            "analyses": [
                {
                    "id": "a",
                    "role": "primary",
                    "model": "ancova",
                    "visit": "after",
                    "data": "imputed",
                }
            ],
        }
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
    }
)


def variables(economics=None, people=PEOPLE, **imputation) -> list[Variable]:
    return imputation_variables(
        STUDY, plan(**imputation), economics, DICTIONARY, {"mood": MOOD}, people
    )


def test_every_variable_of_any_analysis_once():
    found = variables(auxiliary=["income_before", "pain_before"])
    names = [v.name for v in found]
    assert names == [
        "age",
        "sex",
        "pain_before",
        "pain_after",
        "mood_before",
        "mood_after",
        "income_before",
    ]
    assert [v.covariate for v in found] == [True, True] + [False] * 5
    assert [v.stem for v in found][2:] == ["pain", "pain", "mood", "mood", "income_before"]


def test_costs_and_utilities_come_with_an_economic_evaluation():
    economics = Economics(
        price_year=2020,
        currency="GBP",
        unit_costs="c.csv",
        services="su_",
        utility="utility",
        months=6,
    )
    found = {v.name: v for v in variables(economics)}
    assert {"cost_before", "cost_after", "utility_after"} <= set(found)
    assert found["cost_after"].bounds == (0, np.inf)


def test_the_method_follows_the_scale_and_the_plan():
    found = {v.name: v for v in variables(auxiliary=["income_before"])}
    by_rule = {name: method_of(v, plan()) for name, v in found.items()}
    assert by_rule["pain_after"] == by_rule["mood_before"] == by_rule["sex"] == "pmm"
    assert by_rule["age"] == by_rule["income_before"] == "norm"
    asked = plan(methods={"pain_after": "norm", "age": "pmm"})
    assert method_of(found["pain_after"], asked) == "norm"
    assert method_of(found["age"], asked) == "pmm"
    check_methods(list(found.values()), asked)
    with pytest.raises(StudyError, match="imputation.methods names 'pane_after'"):
        check_methods(list(found.values()), plan(methods={"pane_after": "norm"}))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hight", "'hight' is not a variable of the participants table"),
        ("note", "'note' is a variable of the type text; expected a number or a category"),
        ("seen", "'seen' is a variable of the type date; expected a number or a category"),
    ],
)
def test_variables_that_cannot_be_used(name, sentence):
    with pytest.raises(StudyError, match="config/analysis.yaml") as caught:
        variables(auxiliary=[name])
    assert sentence in str(caught.value)


def test_an_outcome_that_was_never_measured():
    with pytest.raises(StudyError, match="outcome 'mood' is neither an instrument nor a variable"):
        variables(people=PEOPLE.drop(columns=["mood_before", "mood_after"]))


def category(*codes: str) -> Variable:
    return Variable("c", "c", True, None, codes)


def test_a_category_becomes_indicators_of_all_codes_but_the_first():
    people = pd.DataFrame({"c": ["y", "x", "z", "x"]})
    encoded = encode([category("x", "w", "y", "z")], people)
    assert encoded.values.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]
    assert encoded.owner == [0, 0]
    assert decode([category("x", "w", "y", "z")], encoded, people)["c"].tolist() == list("yxzx")


@given(st.lists(st.sampled_from(["x", "y", None]), min_size=1, max_size=12))
def test_a_category_of_two_comes_back_as_it_was(cells):
    people = pd.DataFrame({"c": pd.Series(cells, dtype=object), "x": 1.5})
    asked = [category("x", "y"), Variable("x", "x", False, None, ())]
    if None in cells and len(set(cells)) < 3:
        with pytest.raises(StudyError, match="'c' has . different values"):
            encode(asked, people)
        return
    back = decode(asked, encode(asked, people), people)
    assert [None if pd.isna(v) else v for v in back["c"]] == cells
    assert (back["x"] == 1.5).all()


def test_a_nominal_variable_with_missing_values_is_refused():
    people = pd.DataFrame({"c": ["x", "y", "z", None]})
    with pytest.raises(StudyError) as caught:
        encode([category("x", "y", "z")], people)
    assert str(caught.value) == (
        "config/analysis.yaml: 'c' has 1 missing values and 3 categories; only numbers and "
        "categories of two can be imputed."
    )


def test_a_variable_without_any_value_is_refused():
    people = pd.DataFrame({"x": [NAN, NAN]})
    with pytest.raises(StudyError, match="'x' has 0 different values among the participants"):
        encode([Variable("x", "x", False, None, ())], people)


def chosen_from(values: np.ndarray, names: list[tuple[str, str, bool]], maximum: int):
    listed = [Variable(n, s, c, None, ()) for n, s, c in names]
    return choose_predictors(listed, Encoded(values, list(range(len(names)))), maximum)


def test_own_baseline_and_covariates_come_first_then_correlation():
    rng = np.random.default_rng(1)
    y0, strong = rng.normal(size=(2, 200))
    y1 = 0.2 * y0 + strong + 0.1 * rng.normal(size=200)
    weak = y1 + 5 * rng.normal(size=200)
    noise = rng.normal(size=200)
    age = rng.normal(size=200)
    y1[:40] = NAN
    strong[150:] = NAN
    values = np.column_stack([y1, noise, weak, strong, age, y0])
    names = [
        ("y_after", "y", False),
        ("noise", "noise", False),
        ("weak", "weak", False),
        ("strong", "strong", False),
        ("age", "age", True),
        ("y_before", "y", False),
    ]
    table = chosen_from(values, names, 9)[0]
    assert table["predictor"].tolist()[:3] == [5, 4, 3]
    assert table["why"].tolist()[:3] == [
        "same measure at another visit",
        "covariate of the analyses",
        "correlation",
    ]
    assert table["predictor"].tolist()[3] == 2
    both = ~np.isnan(y1) & ~np.isnan(strong)
    assert table["usable"].tolist()[2] == both.sum()
    expected = np.corrcoef(y1[both], strong[both])[0, 1]
    assert table["correlation"].tolist()[2] == pytest.approx(expected, abs=1e-8)
    assert chosen_from(values, names, 2)[0]["predictor"].tolist() == [5, 4]
    assert set(chosen_from(values, names, 9)) == {0, 3}


def test_what_goes_with_being_missing_is_a_predictor():
    rng = np.random.default_rng(2)
    y, cause, noise = rng.normal(size=(3, 300))
    y[cause > 0.8] = NAN
    values = np.column_stack([y, noise, cause])
    names = [("y", "y", False), ("noise", "noise", False), ("cause", "cause", False)]
    assert chosen_from(values, names, 1)[0]["predictor"].tolist() == [2]


def test_a_constant_is_no_fault():
    values = np.column_stack([[1.0, NAN, 3, 4], np.ones(4), [2.0, 1, 4, 3]])
    names = [("y", "y", False), ("one", "one", False), ("x", "x", False)]
    assert chosen_from(values, names, 2)[0]["predictor"].tolist() == [2, 1]
