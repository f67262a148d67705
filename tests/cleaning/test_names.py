"""Teams, people, arms and events are names, whatever type the dictionary declares."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from support.study import CCP, StudyFolder, copy_study, inside

from ccp_analysis.errors import StudyError

PARTICIPANTS = "data/derived/participants.parquet"


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


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> StudyFolder:
    """The CCP study with numbers for names, cleaned; not to be changed."""
    study = copy_study(CCP, tmp_path_factory.mktemp("numbered"))
    numbers_for_names(study)
    with inside(study.path):
        study.clean()
    return study


def test_numbers_become_names_in_the_order_of_numbers(numbered, ccp_done) -> None:
    before, people = (pd.read_parquet(study / PARTICIPANTS) for study in (ccp_done, numbered))
    assert (people["team"] == before["team"].str[1:].str.lstrip("0")).all()
    assert (
        people["trust"] == before["trust"].str[-1].map(dict(zip("abcde", "12345", strict=True)))
    ).all()
    assert (people["arm"] == (before["arm"] == "intervention").map({True: "1", False: "0"})).all()
    flow = json.loads((numbered / "data/derived/flow.json").read_text(encoding="utf-8"))
    teams = [entry["cluster"] for entry in flow["stages"][0]["by_cluster"]]
    assert teams == [str(k) for k in range(1, 11)]
    codebook = pd.read_parquet(numbered / "data/derived/codebook.parquet")
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


def test_a_decision_corrects_a_numbered_team(numbered, tmp_path, monkeypatch) -> None:
    study = StudyFolder(shutil.copytree(numbered.path, tmp_path / "study"))
    monkeypatch.chdir(study.path)
    before = pd.read_parquet(PARTICIPANTS)
    study.cell("data/raw/recruitment.csv", 6, "team", "seven")
    with (study / "config/decisions.csv").open("a", encoding="utf-8") as file:
        file.write("recruitment.csv,,CP005,team,seven,correct,7,NN,2021-01-01,the form says 7\n")
    study.clean()
    pd.testing.assert_frame_equal(pd.read_parquet(PARTICIPANTS), before)
    assert before.loc[4, "team"] == "7"
