"""Data that no model can answer from: one plain sentence, whatever the model."""

from __future__ import annotations

import pandas as pd
import pytest
import trial
from trial import ask

from ccp_analysis.analyses.comparison import attempt
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError

MODELS = ("ancova", "change", "did", "mixed", "team-means", "clda", "logistic")


@pytest.fixture(scope="module")
def study() -> Study:
    return trial.study()


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


def one_team(tables: pd.DataFrame) -> pd.DataFrame:
    return tables[tables["team"].isin(["T01", "T02"])].assign(trust="Trust1")


def empty_arm(tables: pd.DataFrame) -> pd.DataFrame:
    return tables[tables["arm"] == "control"]


def nobody(tables: pd.DataFrame) -> pd.DataFrame:
    return tables.assign(age=float("nan"))


def constant(tables: pd.DataFrame) -> pd.DataFrame:
    same = {f"{stem}_{visit}": 1.0 for stem in ("y", "high") for visit in ("before", "after")}
    return tables.assign(**same)


FAULTS = {
    one_team: "has a single team: what sets it apart cannot be told from what sets the arms apart",
    empty_arm: "nobody in the arm 'Intervention' has all that the analysis needs",
    nobody: "nobody has a value of 'age'",
    constant: "the outcome is 1 for everyone",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_supporting_analysis_leaves_a_row_and_a_primary_one_stops(study, tables, model, fault):
    data = "observed"
    broken = fault(tables)
    [row] = attempt("a", "supporting", model, study, broken, data, asked(model))
    assert row["status"] == "failed"
    assert FAULTS[fault] in row["note"]
    assert "estimate" not in row
    with pytest.raises(StudyError, match="^The primary analysis failed: a, y: "):
        attempt("a", "primary", model, study, broken, data, asked(model))


@pytest.mark.parametrize("model", [m for m in MODELS if m != "team-means"])
def test_collinear_columns_are_named(study, tables, model):
    asking = asked(model)
    twice = tables.assign(twelfths=tables["age"] * 12)
    question = ask(value=asking.value, baseline=asking.baseline, covariates=["age", "twelfths"])
    [row] = attempt("a", "supporting", model, study, twice, "observed", question)
    assert row["note"] == "'twelfths' follows from 'age': what each explains cannot be told apart"
    advice = r"cannot be told apart; leave 'age' or 'twelfths' out of the covariates \(config/"
    with pytest.raises(StudyError, match=advice):
        attempt("a", "primary", model, study, twice, "observed", question)


@pytest.mark.parametrize("data", ["imputed", "observed"])
@pytest.mark.parametrize("model", ["ancova", "mixed", "team-means", "clda"])
def test_a_constant_baseline_is_named_as_such(study, tables, model, data):
    flat = tables.assign(y_before=0.1)
    [row] = attempt("a", "supporting", model, study, flat, data, asked(model))
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
    asking = ask(covariates=["group"])
    [row] = attempt("a", "supporting", "ancova", study, same, "observed", asking)
    assert row["note"] == "'group' follows from the arm: what each explains cannot be told apart"


@pytest.mark.parametrize("model", ["did", "clda"])
def test_a_pair_that_nobody_of_was_seen_again_is_named(study, tables, model):
    gone = tables.assign(y_after=tables["y_after"].mask(tables["trust"] == "Trust3"))
    [row] = attempt("a", "supporting", model, study, gone, "observed", asked(model))
    assert row["note"] == "nobody whose 'trust' is 'Trust3' was seen at 'after'"


@pytest.mark.parametrize("model", ["did", "clda"])
def test_a_visit_that_an_arm_missed_is_named(study, tables, model):
    gone = tables.assign(y_after=tables["y_after"].where(tables["arm"] == "control"))
    [row] = attempt("a", "supporting", model, study, gone, "observed", asked(model))
    assert row["note"] == "nobody in the arm 'Intervention' has the outcome at After"
