"""Data that no model can answer from: one plain sentence, whatever the model."""

from __future__ import annotations

import pandas as pd
import pytest
import trial
from trial import ask

from ccp_analysis.analyses.comparison import attempt
from ccp_analysis.errors import StudyError
from ccp_analysis.study import Study

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
    nobody: "nobody was observed on all that the analysis needs",
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
    twice = tables.assign(months=tables["age"] * 12)
    question = ask(value=asking.value, baseline=asking.baseline, covariates=["age", "months"])
    with pytest.raises(StudyError, match="rank deficient: .*months.* can be told from the other"):
        attempt("a", "supporting", model, study, twice, "observed", question)
