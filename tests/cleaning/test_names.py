"""Teams, people, arms and events are names, whatever type the dictionary declares."""

from __future__ import annotations

import pandas as pd

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
