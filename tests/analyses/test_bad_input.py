"""Data that no model can answer from: one plain sentence, whatever the model."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import trial
from trial import ask, failing

from ccp_analysis.analyses.comparison import attempt
from ccp_analysis.errors import StudyError

MODELS = ("ancova", "change", "did", "mixed", "team-means", "clda", "logistic")


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    tables = trial.tables()
    for visit in ("before", "after"):
        tables[f"high_{visit}"] = (tables[f"y_{visit}"] > 13).astype(float)
    return tables


def asked(model: str):
    if model == "logistic":
        return ask(value="high_after", baseline="high_before")
    return ask(value="y" if model == "clda" else "y_after")


SAME = {f"{stem}_{visit}": 1.0 for stem in ("y", "high") for visit in ("before", "after")}
# What is done to the tables, and what is said.
FAULTS = {
    "one team in an arm": (
        lambda tables: tables[tables["team"].isin(["T01", "T02"])].assign(trust="Trust1"),
        "has a single team: what sets it apart cannot be told from what sets the arms apart",
    ),
    "an empty arm": (
        lambda tables: tables[tables["arm"] == "control"],
        "nobody in the arm 'Intervention' has all that the analysis needs",
    ),
    "nobody": (lambda tables: tables.assign(age=float("nan")), "nobody has a value of 'age'"),
    "a constant": (lambda tables: tables.assign(**SAME), "the outcome is 1 for everyone"),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_supporting_analysis_leaves_a_row_and_a_primary_one_stops(study, tables, model, fault):
    broken, said = FAULTS[fault]
    given = study, broken(tables), "observed", asked(model)
    assert said in failing(model, *given)["note"]
    with pytest.raises(StudyError, match="^The primary analysis failed: a, y: "):
        attempt("a", "primary", model, *given)


@pytest.mark.parametrize("model", [m for m in MODELS if m != "team-means"])
def test_collinear_columns_are_named(study, tables, model):
    question = replace(asked(model), covariates=["age", "twelfths"])
    given = study, tables.assign(twelfths=tables["age"] * 12), "observed", question
    note = "'twelfths' follows from 'age': what each explains cannot be told apart"
    assert failing(model, *given)["note"] == note
    advice = r"cannot be told apart; leave 'age' or 'twelfths' out of the covariates \(config/"
    with pytest.raises(StudyError, match=advice):
        attempt("a", "primary", model, *given)


@pytest.mark.parametrize("data", ["imputed", "observed"])
@pytest.mark.parametrize("model", ["ancova", "mixed", "team-means", "clda"])
def test_a_constant_baseline_is_named_as_such(study, tables, model, data):
    row = failing(model, study, tables.assign(y_before=0.1), data, asked(model))
    at_visit = "the outcome is 0.1 for everyone at Before"
    adjusted = "'y_before' is the same for everyone, and cannot be adjusted for"
    assert row["note"] == (at_visit if model == "clda" else adjusted)


def test_a_change_score_stands_where_the_baseline_is_constant(study, tables):
    flat = tables.assign(y_before=0.1)
    rows = attempt("a", "supporting", "change", study, flat, "observed", asked("change"))
    failed = [row for row in rows if row.get("status") == "failed"]
    assert [row["term"] for row in failed] == ["ancova minus change score"]
    assert "'y_before' is the same for everyone" in failed[0]["note"]


def test_no_internal_name_is_said(study, tables):
    """A category that is the arm under another name."""
    same = tables.assign(group=tables["arm"].str.upper())
    row = failing("ancova", study, same, "observed", ask(covariates=["group"]))
    assert row["note"] == "'group' follows from the arm: what each explains cannot be told apart"


@pytest.mark.parametrize("model", ["did", "clda"])
@pytest.mark.parametrize(
    ("column", "value", "note"),
    [
        ("trust", "Trust3", "nobody whose 'trust' is 'Trust3' was seen at 'after'"),
        ("arm", "intervention", "nobody in the arm 'Intervention' has the outcome at After"),
    ],
)
def test_who_was_not_seen_again_is_named(study, tables, model, column, value, note):
    gone = tables.assign(y_after=tables["y_after"].mask(tables[column] == value))
    assert failing(model, study, gone, "observed", asked(model))["note"] == note
