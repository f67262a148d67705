"""Analyses whose design uses up the teams: a row that says so, and no number to be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import trial
from trial import ask, failing, pick

from ccp_analysis.analyses.comparison import attempt, compare
from ccp_analysis.errors import RefusedError, StudyError

PROPERTIES = [f"z{k}" for k in range(4)]
UNSAID = ("std_error", "df", "statistic", "p_value", "conf_low", "conf_high", "conf_level")


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    """Return the trial with four properties of the team, and one of three kinds."""
    tables = trial.tables()
    teams = np.sort(tables["team"].unique())
    values = np.random.default_rng(20261129).normal(size=(len(teams), 4))
    of_team = pd.DataFrame(values, index=teams, columns=PROPERTIES)
    of_team["kind"] = list("caacabaabb")
    tables = tables.join(of_team, on="team")
    return tables.assign(
        y_high=(tables["y_after"] > tables["y_after"].median()).astype(float),
        y_count=tables["y_after"].round().clip(lower=0.0),
    )


def without_teams(tables: pd.DataFrame, trusts: int) -> pd.DataFrame:
    """Take one team, by turns of either arm, out of as many of the Trusts."""
    arms, gone = ("control", "intervention"), []
    for k, trust in enumerate(sorted(tables["trust"].unique())[:trusts]):
        own = tables[(tables["trust"] == trust) & (tables["arm"] == arms[k % 2])]
        gone.append(own["team"].iloc[0])
    return tables[~tables["team"].isin(gone)]


CASES = {
    "ancova": {},
    "change": {},
    "did": {},
    "logistic": {"outcome": "high", "value": "y_high"},
    "poisson": {"outcome": "count", "value": "y_count"},
}


@pytest.mark.parametrize("model", CASES)
@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_a_secondary_analysis_is_one_row_without_a_number(study, tables, model, data):
    question = ask(covariates=["age", *PROPERTIES], **CASES[model])
    with pytest.raises(RefusedError, match="alone identifies"):
        compare(model, study, tables, data, question)
    row = failing(model, study, tables, data, question, status="refused")
    assert row["term"] == "difference" and "p_value" not in row
    named = [team for team in tables["team"].unique() if f"team '{team}' alone" in row["note"]]
    assert len(named) == 1 and "% of what the comparison rests on" in row["note"]


def test_a_primary_analysis_stops(study, tables):
    question = ask(covariates=PROPERTIES)
    with pytest.raises(StudyError, match=r"The primary analysis failed: first, y: team '.*' alone"):
        attempt("first", "primary", "ancova", study, tables, "observed", question)


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_a_subgroup_by_a_property_of_the_team(study, tables, data, caplog):
    rows = compare("subgroup", study, tables, data, ask(subgroup="kind"))
    joint = pick(rows, "interaction", subgroup="kind, all levels")
    assert joint["status"] == "refused" and "alone identifies" in joint["note"]
    assert "p_value" not in joint
    others = [row for row in rows if row is not joint]
    assert len(others) == 5
    for row in others:
        assert row["status"] == "refused" and "alone identifies" in row["note"]
        assert all(pd.isna(row[column]) for column in ("estimate", *UNSAID))
    assert sum("no inference" in record.message for record in caplog.records) == 6


def test_lost_teams_leave_the_difference_and_take_the_interval_of_a_mean(study, tables):
    """One lost team: its Trust has no difference, but the means of the arms rest on it."""
    some = without_teams(tables, 1)
    difference, *means = compare("ancova", study, some, "observed", ask())[:3]
    full = compare("ancova", study, tables, "observed", ask())[0]
    assert np.isfinite(difference["p_value"]) and "status" not in difference
    assert 2.0 < difference["df"] < full["df"]
    for row in means:
        assert (row["term"], row["status"]) == ("adjusted mean", "refused")
        assert np.isfinite(row["estimate"]) and pd.isna(row["conf_low"])
        assert "alone identifies" in row["note"]
    paired = pick(
        compare("change", study, some, "observed", ask()), "difference", inference="paired-t"
    )
    assert paired["status"] == "failed" and "one in each arm" in paired["note"]
    with pytest.raises(RefusedError):
        compare("ancova", study, without_teams(tables, 4), "observed", ask())


def test_other_inferences_stand_where_they_know_the_variance_of_teams(study, tables):
    question = ask(covariates=PROPERTIES)
    means = compare("team-means", study, tables, "observed", question)
    assert pick(means, "difference", inference="paired-t")["df"] == 4
    with pytest.raises(ValueError, match="explains every difference"):
        compare("mixed", study, tables, "observed", question)
    mixed = compare("mixed", study, without_teams(tables, 3), "observed", ask())[0]
    assert np.isfinite(mixed["p_value"])


def test_without_clusters_a_participant_is_not_named(tables):
    plain = trial.study(clusters=None)
    single = tables.assign(lone=(tables["index"] == 7).astype(float))
    found = compare("did", plain, single, "observed", ask(covariates=["lone"]))
    assert np.isfinite(found[0]["p_value"])
    notes = " ".join(str(row.get("note")) for row in found)
    assert "participant '" not in notes
