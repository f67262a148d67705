"""Planned subgroups: interactions, differences within levels, the joint test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import trial
from trial import CLOSED, agrees, ask, failing, pick

from ccp_analysis.analyses.comparison import compare
from ccp_analysis.errors import StudyError
from ccp_analysis.models.pooling_joint import pool_joint

ALL = "third, all levels"


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    tables = trial.tables()
    third = pd.cut(tables["age"], [-np.inf, 40, 55, np.inf], labels=list("abc"))
    return tables.assign(third=third.astype(object), sex=tables["female"].map({0: "m", 1: "f"}))


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_the_interaction_with_a_number(study, tables, reference, data):
    rows = compare("subgroup", study, tables, data, ask(subgroup="age"))
    expected = reference["subgroup_number"]
    agrees(pick(rows, "interaction", subgroup="age, per SD"), expected["interaction"])
    for side in ("below", "above"):
        row = pick(rows, "subgroup difference", subgroup=f"age, 1 SD {side} the mean")
        agrees(row, expected[side])
    assert len(rows) == 3
    assert {(r["model"], r["inference"], r["n"]) for r in rows} == {("ancova", "cr2", 151)}
    towards_zero = ["draws the imputed one towards zero" in row["note"] for row in rows]
    assert set(towards_zero) == {data == "imputed"}


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_the_interactions_with_a_category_and_their_joint_test(study, tables, reference, data):
    rows = compare("subgroup", study, tables, data, ask(subgroup="third"))
    expected = reference["subgroup_category"]
    for code in "bc":
        agrees(pick(rows, "interaction", subgroup=f"third, {code} - a"), expected[code])
    within = pick(rows, "subgroup difference", subgroup="third, c")
    agrees(within, expected["within_c"])
    assert within["n"] == (tables["third"] == "c").sum() / 3
    joint = pick(rows, "interaction", subgroup="third, all levels")
    for column, value in expected["f"].items():
        assert joint[column] == pytest.approx(value, **CLOSED), column
    assert (joint["inference"], joint["population"]) == ("aht-f", "complete-case")
    assert joint["note"] == "joint test on the observed data"
    assert "estimate" not in joint
    assert len(rows) == 2 + 3 + 1


def test_without_clusters_the_joint_test_is_the_classical_one(tables, reference):
    question = ask(subgroup="third", covariates=["age", "female", "trust"])
    rows = compare("subgroup", trial.study(clusters=None), tables, "observed", question)
    joint = pick(rows, "interaction", subgroup=ALL)
    [expected] = reference["subgroup_category"]["classical_f"]
    assert joint["statistic"] == pytest.approx(expected["F"], **CLOSED)
    assert joint["p_value"] == pytest.approx(expected["Pr(>F)"], **CLOSED)
    assert (joint["inference"], joint["df_num"], joint["df"]) == ("f", 2, expected["Res.Df"])


def test_without_clusters_imputed_data_have_a_pooled_joint_test(tables):
    """D1 of least squares fits, one completed table at a time."""
    first, rng, m = tables[tables["imputation"] == 0], np.random.default_rng(5), 4
    y = first["y_after"].to_numpy() + rng.normal(scale=2.0, size=(m, len(first)))
    completed = [first.assign(imputation=k, y_after=one) for k, one in enumerate(y, start=1)]
    many = pd.concat([first, *completed], ignore_index=True)
    question = ask(subgroup="third", covariates=["age", "female"])
    rows = compare("subgroup", trial.study(clusters=None), many, "imputed", question)
    joint = pick(rows, "interaction", subgroup=ALL)
    arm = (first["arm"] == "intervention").to_numpy(dtype=float)[:, None]
    third = np.column_stack([first["third"] == code for code in "bc"]).astype(float)
    plus = first[["y_before", "age", "female"]].to_numpy(dtype=float)
    X = np.column_stack([np.ones(len(first)), arm, third, arm * third, plus])
    inverse, df = np.linalg.inv(X.T @ X), len(X) - X.shape[1]
    beta = y @ X @ inverse
    variances = ((y - beta @ X.T) ** 2).sum(axis=1) / df
    covariances = variances[:, None, None] * inverse[4:6, 4:6]
    expected = pool_joint(beta[:, 4:6], covariances, float(df))
    for column in ("statistic", "df", "p_value"):
        assert joint[column] == pytest.approx(float(getattr(expected, column)), rel=1e-9), column
    assert (joint["df_num"], joint["m"], joint["inference"]) == (2, m, "d1")
    assert joint["population"] == "all-with-baseline"
    assert "pooled over imputations (D1)" in joint["note"] and "towards zero" in joint["note"]


def test_with_few_imputations_the_joint_test_is_of_the_observed_data(tables):
    """Two imputations leave D1 no degrees of freedom."""
    plain = trial.study(clusters=None)
    rows = compare("subgroup", plain, tables, "imputed", ask(subgroup="third"))
    joint = pick(rows, "interaction", subgroup=ALL)
    assert (joint["inference"], joint["population"]) == ("f", "complete-case")
    assert joint["note"] == "joint test on the observed data"


def test_two_levels_have_one_interaction_and_no_joint_test(study, tables):
    asked = ask(subgroup="sex", covariates=["age"])
    turned = replace(asked, codes=("m", "f", "x"))
    # The level of a covariate is not adjusted for twice.
    both = replace(asked, covariates=["age", "sex"])
    rows, turned, both = (
        compare("subgroup", study, tables, "observed", one) for one in (asked, turned, both)
    )
    assert [(row["term"], row["subgroup"]) for row in rows] == [
        ("interaction", "sex, m - f"),
        ("subgroup difference", "sex, f"),
        ("subgroup difference", "sex, m"),
    ]
    assert rows[0]["estimate"] == pytest.approx(rows[2]["estimate"] - rows[1]["estimate"])
    assert turned[0]["subgroup"] == "sex, f - m"
    assert turned[0]["estimate"] == pytest.approx(-rows[0]["estimate"])
    assert both == rows


def test_a_level_without_people_in_an_arm_fails_alone(study, tables):
    lone = tables["third"].mask((tables["third"] == "c") & (tables["arm"] == "intervention"), "b")
    question = ask(subgroup="third")
    row = failing("subgroup", study, tables.assign(third=lone), "observed", question)
    assert row["note"] == "nobody in the arm 'Intervention' has third c"
    assert (row["term"], row["subgroup"], row["model"]) == ("interaction", "third", "ancova")


def test_subgroups_need_complete_variables_of_the_imputation(study, tables):
    with pytest.raises(StudyError, match="'height' is not in the completed tables"):
        compare("subgroup", study, tables, "imputed", ask(subgroup="height"))
    gaps = tables.assign(third=tables["third"].mask(tables["index"] == 3))
    with pytest.raises(ValueError, match="'third' has missing values that were not imputed"):
        compare("subgroup", study, gaps, "imputed", ask(subgroup="third"))
    observed = compare("subgroup", study, gaps, "observed", ask(subgroup="third"))
    assert observed[0]["n"] == 150


def test_too_few_teams_for_a_joint_test_are_said(study, tables):
    twelfths = tables.assign(twelfth=(tables["index"] % 12).map(dict(enumerate("abcdefghijkl"))))
    rows = compare("subgroup", study, twelfths, "observed", ask(subgroup="twelfth"))
    joint = pick(rows, "interaction", subgroup="twelfth, all levels")
    assert joint["status"] == "failed"
    assert joint["note"] == "too few teams for a joint test of 11 interactions"
    assert "statistic" not in joint
    assert len(rows) == 11 + 12 + 1
