"""Teams, people, arms and events are names, whatever type the dictionary declares."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis.errors import StudyError

PARTICIPANTS = Path("data/derived/participants.parquet")


def numbers_for_names(study) -> None:
    """Number the teams, Trusts and arms of the CCP study, and declare them whole numbers."""
    trusts = {f"trust_{letter}": k for k, letter in enumerate("abcde", start=1)}
    arms = {"control": 0, "intervention": 1}
    teams = pd.read_csv(study / "data/raw/teams.csv").replace({"trust": trusts, "arm": arms})
    teams["team"] = teams["team"].str[1:].astype(int)
    teams.to_csv(study / "data/raw/teams.csv", index=False)
    for name, column in (
        ("recruitment", "team"),
        ("status", "to_team"),
        ("practitioners", "team"),
    ):
        table = pd.read_csv(study / f"data/raw/{name}.csv", dtype=str, keep_default_na=False)
        table[column] = table[column].str.replace("T0?", "", regex=True)
        table.to_csv(study / f"data/raw/{name}.csv", index=False)
    dictionary = pd.read_csv(study / "config/dictionary.csv", dtype=str, keep_default_na=False)
    numbered = dictionary["name"].isin(["team", "to_team", "trust", "arm"])
    dictionary.loc[numbered, ["type", "codes"]] = ["integer", ""]
    dictionary.to_csv(study / "config/dictionary.csv", index=False)
    study.change("config/study.yaml", "reference: control", 'reference: "0"')
    study.change("config/study.yaml", "    control: Usual", '    "0": Usual')
    study.change("config/study.yaml", "    intervention: Conn", '    "1": Conn')


def cleaned(study) -> pd.DataFrame:
    study.clean()
    return pd.read_parquet(PARTICIPANTS)


def test_numbers_become_names_in_the_order_of_numbers(ccp_study) -> None:
    before = cleaned(ccp_study)
    numbers_for_names(ccp_study)
    people = cleaned(ccp_study)
    assert (people["team"] == before["team"].str[1:].str.lstrip("0")).all()
    assert (
        people["trust"] == before["trust"].str[-1].map(dict(zip("abcde", "12345", strict=True)))
    ).all()
    assert (people["arm"] == (before["arm"] == "intervention").map({True: "1", False: "0"})).all()
    flow = json.loads(Path("data/derived/flow.json").read_text(encoding="utf-8"))
    teams = [entry["cluster"] for entry in flow["stages"][0]["by_cluster"]]
    assert teams == [str(k) for k in range(1, 11)]
    codebook = pd.read_parquet("data/derived/codebook.parquet")
    counts = json.loads(codebook.loc[codebook["name"] == "team", "counts"].iloc[0])
    assert counts == people["team"].value_counts().to_dict()
    assert list(counts) == teams


def test_a_fault_names_a_numbered_team_as_it_is_written(ccp_study) -> None:
    numbers_for_names(ccp_study)
    ccp_study.cell("data/raw/recruitment.csv", 6, "team", "11")
    with pytest.raises(StudyError, match=r"recruitment\.csv, line 6, .*: '11' is not in data/raw"):
        ccp_study.clean()
    ccp_study.cell("data/raw/recruitment.csv", 6, "team", "7")
    ccp_study.cell("data/raw/teams.csv", 9, "team", "7")
    with pytest.raises(StudyError, match=r"teams\.csv, lines 8 and 9: '7' has rows that differ"):
        ccp_study.clean()


def test_a_decision_corrects_a_numbered_team(ccp_study) -> None:
    numbers_for_names(ccp_study)
    before = cleaned(ccp_study)
    ccp_study.cell("data/raw/recruitment.csv", 6, "team", "seven")
    decisions = ccp_study / "config/decisions.csv"
    with decisions.open("a", encoding="utf-8") as file:
        file.write("recruitment.csv,,CP005,team,seven,correct,7,NN,2021-01-01,the form says 7\n")
    pd.testing.assert_frame_equal(cleaned(ccp_study), before)
    assert before.loc[4, "team"] == "7"


@pytest.mark.parametrize("order", [1, -1], ids=["as named", "the other way round"])
def test_of_two_events_of_a_day_the_one_named_first_ends_participation(
    ccp_study, order: int
) -> None:
    path = ccp_study / "data/raw/status.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    two = ["CP001,loss,2019-05-20,discharged,", "CP001,withdrawal,2019-05-20,no_reason_given,"]
    path.write_text("\n".join([*lines, *two[::order]]) + "\n", encoding="utf-8")
    followup = pd.read_csv(ccp_study / "data/raw/followup.csv", dtype=str, keep_default_na=False)
    followup[followup["participant"] != "CP001"].to_csv(
        ccp_study / "data/raw/followup.csv", index=False
    )
    people = cleaned(ccp_study).set_index("participant")
    assert people.loc["CP001", "left"] == "loss"
