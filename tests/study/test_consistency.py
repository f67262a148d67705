"""What the evaluation names and the study does not have: a sentence each, before any job."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis import consistency
from ccp_analysis.consistency import check_economics, check_ordinals, check_rights
from ccp_analysis.errors import StudyError
from ccp_analysis.study import load_economics, load_plan, load_study

ECONOMICS = "config/economics.yaml"
FAULTS = {
    "horizon": ("months: 6 ", "months: 5 ", "the horizon is 5 months, at which there is no visit"),
    "no utility": ("utility: utility ", "utility: wellbeing ", "utility is 'wellbeing'; expected"),
    "unknown utility": ("utility: utility ", "utility: utilty ", "utility is 'utilty'; expected"),
    "another utility": ("utility: utility_3l", "utility: eq_vas", "value_set.utility is 'eq_vas'"),
    "cost per": (
        "[social_capital]",
        "[happiness]",
        "cost_per names 'happiness'; expected outcomes",
    ),
    "arm": ("{cost: {intervention: 500}}", "{cost: {active: 500}}", "names the arm 'active'"),
    "index": ("price_index.csv", "index.csv", "price_index: config/index.csv: the file is missing"),
}


def check() -> None:
    check_economics(load_study(), load_plan(), load_economics())


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_names_its_line(ccp_study, fault):
    old, new, sentence = FAULTS[fault]
    ccp_study.change(ECONOMICS, old, new)
    text = (ccp_study / ECONOMICS).read_text().splitlines()
    with pytest.raises(StudyError) as caught:
        check()
    message = str(caught.value)
    assert sentence in message
    line = int(message.partition(", line ")[2].partition(":")[0])
    near = "\n".join(text[line - 1 : line + 1])
    assert new.strip() in near


def test_all_faults_are_listed(ccp_study):
    ccp_study.change(ECONOMICS, "months: 6 ", "months: 5 ")
    Path("config/unit_costs.csv").unlink()
    Path("config/intervention_cost.csv").unlink()
    with pytest.raises(StudyError, match=r"2 more in the log") as caught:
        check()
    assert len(caught.value.faults) == 3
    assert "intervention.costs: config/intervention_cost.csv: the file is missing" in str(
        caught.value.faults
    )


PLAN, DICTIONARY = "config/analysis.yaml", "config/dictionary.csv"


def _ordinal(study, *names: str) -> None:
    """Make numbers of the study ordinal, with two codes."""
    table = pd.read_csv(study / DICTIONARY, dtype=str, keep_default_na=False)
    where = table["name"].isin(names)
    table.loc[where, ["type", "codes"]] = ["ordinal", "0=No;1=Yes"]
    table.loc[where, [c for c in table if c.endswith("imum")]] = ""
    table.to_csv(study / DICTIONARY, index=False)


@pytest.mark.parametrize(
    ("name", "key"),
    [("eq_vas", "outcomes"), ("age", "covariates"), ("years_in_contact", "baseline_table")],
)
def test_ordinals_are_numbers_only_if_the_plan_says_so(ccp_study, name, key):
    text = (ccp_study / DICTIONARY).read_text()
    _ordinal(ccp_study, name)
    with pytest.raises(StudyError) as caught:
        check_ordinals(load_study(), load_plan())
    [fault] = [f for f in caught.value.faults if f": {key}: " in f]
    assert f"'{name}' is ordinal" in fault
    assert "only if ordinal_as_numbers lists it" in fault
    line = int(fault.partition(", line ")[2].partition(":")[0])
    assert (ccp_study / PLAN).read_text().splitlines()[line - 1].startswith(f"{key}:")
    ccp_study.change(PLAN, "covariates:", f"ordinal_as_numbers: [{name}]\ncovariates:")
    check_ordinals(load_study(), load_plan())
    (ccp_study / DICTIONARY).write_text(text)
    with pytest.raises(StudyError, match=f"ordinal_as_numbers names '{name}'; expected"):
        check_ordinals(load_study(), load_plan())


def test_items_of_an_instrument_are_numbers_by_its_score(ccp_study):
    _ordinal(ccp_study, "rgu_01", "rgu_02")
    check_ordinals(load_study(), load_plan())


def test_what_may_not_be_read_or_written_is_a_sentence_each(ccp_study, monkeypatch):
    """Rights are asked for, not tried: whoever runs tests as root has them all."""
    shut = {"data/raw/teams.csv": os.R_OK, "data": os.W_OK}
    monkeypatch.setattr(
        consistency.os, "access", lambda path, mode: mode == os.F_OK or shut.get(path) != mode
    )
    with pytest.raises(StudyError, match=r"1 more in the log") as caught:
        check_rights(["data/raw/baseline.csv", "data/raw/teams.csv", "data/raw/teams.csv"])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "data/raw/teams.csv",
        str(ccp_study / "data"),
    ]
    assert all("give the account that runs this" in fault for fault in caught.value.faults)


def test_what_is_not_there_is_no_question_of_rights(ccp_study):
    check_rights(["data/raw/nowhere.csv"])


def test_studies_as_they_are_shipped_are_consistent(ccp_study):
    check()
    Path(ECONOMICS).unlink()
    check()
