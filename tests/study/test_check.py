"""What of the configuration does not agree: a sentence each, all at once, before any job."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from support.cases import cases

from ccp_analysis.before import check_rights
from ccp_analysis.config.check import faults
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError

ECONOMICS = "config/economics.yaml"
# File, what is changed in it, what is said, and what stands in the line named or that below it.
FAULTS = cases("study/data/faults_with_lines.csv")


def check() -> None:
    found = faults(Trial())
    if found:
        raise first_of(found)


def line_of(message: str) -> int:
    return int(message.partition(", line ")[2].partition(":")[0])


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_names_its_line(ccp_study, fault):
    file, old, new, sentence, near = FAULTS[fault]
    ccp_study.change(f"config/{file}", old, new)
    text = (ccp_study / "config" / file).read_text().splitlines()
    with pytest.raises(StudyError) as caught:
        check()
    message, *_ = [one for one in caught.value.faults or [str(caught.value)] if sentence in one]
    assert message.startswith(f"config/{file}, line ")
    assert near in "\n".join(text[line_of(message) - 1 :][:2])


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
        check()
    [fault] = [f for f in caught.value.faults if f": {key}: " in f]
    assert f"'{name}' is ordinal" in fault
    assert "only if ordinal_as_numbers lists it" in fault
    lines = (ccp_study / PLAN).read_text().splitlines()
    assert lines[line_of(fault) - 1].startswith(f"{key}:")
    ccp_study.change(PLAN, "covariates:", f"ordinal_as_numbers: [{name}]\ncovariates:")
    check()
    (ccp_study / DICTIONARY).write_text(text)
    with pytest.raises(StudyError, match=f"ordinal_as_numbers names '{name}'; expected"):
        check()


def test_items_of_an_instrument_are_numbers_by_its_score(ccp_study):
    _ordinal(ccp_study, "rgu_01", "rgu_02")
    check()


def test_what_may_not_be_read_or_written_is_a_sentence_each(ccp_study, monkeypatch):
    """Rights are asked for, not tried: whoever runs tests as root has them all."""
    shut = {"data/raw/teams.csv": os.R_OK, "data": os.W_OK}
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK or shut.get(path) != mode)
    with pytest.raises(StudyError, match=r"1 more in the log") as caught:
        check_rights(["data/raw/baseline.csv", "data/raw/teams.csv", "data/raw/teams.csv"])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "data/raw/teams.csv",
        str(ccp_study / "data"),
    ]
    assert all("give the account that runs this" in fault for fault in caught.value.faults)
    monkeypatch.undo()
    check_rights(["data/raw/nowhere.csv"])  # what is not there is no question of rights


def test_studies_as_they_are_shipped_are_consistent(ccp_study):
    check()
    Path(ECONOMICS).unlink()
    with pytest.raises(StudyError, match=r"next_study\.costs is in the currency of config/econ"):
        check()


DESIGN = {"team": "the team", "trust": "the Trust", "arm": "the arm", "participant": "the identif"}
LISTED = {
    "covariates": ("covariates: [age, years_in_contact]", "covariates: [age, {}]"),
    "imputation.auxiliary": ("auxiliary: []", "auxiliary: [gender, {}]"),
    "subgroups.variable": ("{variable: years_in_contact,", "{variable: {},"),
    "baseline_table": ("baseline_table: [age,", "baseline_table: [{},"),
    "outcomes.id": ("  - {id: eq_vas,", "  - {id: {}, role: secondary}\n  - {id: eq_vas,"),
}


@pytest.mark.parametrize("name", DESIGN)
@pytest.mark.parametrize("key", LISTED)
def test_a_design_variable_is_nothing_that_was_measured(ccp_study, key, name):
    old, new = LISTED[key]
    new = new.replace("{}", name)
    ccp_study.change(PLAN, old, new)
    text = (ccp_study / PLAN).read_text().splitlines()
    line = next(n for n, row in enumerate(text, start=1) if new.splitlines()[0] in row)
    with pytest.raises(StudyError) as caught:
        check()
    start = f"{PLAN}, line {line}: {key} names '{name}', which is {DESIGN[name]}"
    assert str(caught.value).startswith(start)
    if (key, name) == ("covariates", "team"):  # all are named that are listed
        ccp_study.change(PLAN, new, "covariates: [team, trust, arm]")
        with pytest.raises(StudyError) as caught:
            check()
        assert len(caught.value.faults) == 3


@pytest.mark.parametrize("name", ["imputation", "left", "months", "person", "table", "value"])
def test_a_variable_called_as_a_column_of_the_pipeline_is_refused_by_line(ccp_study, name):
    """Silently taken, it would be overwritten by, or mistaken for, the pipeline's own."""
    row = f"baseline,gender,{name},,"
    ccp_study.change("config/dictionary.csv", "baseline,gender,gender,,", row)
    text = (ccp_study / "config/dictionary.csv").read_text().splitlines()
    line = next(n for n, one in enumerate(text, start=1) if one.startswith(row))
    sentence = f"config/dictionary.csv, line {line}: the variable '{name}' has a name that the"
    with pytest.raises(StudyError, match=sentence):
        load_dictionary(load_study())


RESERVED = {
    "alive_month6": ("config/dictionary.csv", "followup,eq_vas,eq_vas,", "followup,eq_vas,alive,"),
    "interviewed_month6": (PLAN, "  methods: {}", "  derived: {interviewed_month6: age * 2}"),
    "cost_baseline": ("config/instruments.yaml", "  wellbeing:", "  cost:"),
    "cost_month6": ("config/dictionary.csv", "followup,eq_vas,eq_vas,", "followup,eq_vas,cost,"),
}


@pytest.mark.parametrize("name", RESERVED)
def test_what_the_pipeline_computes_at_a_visit_is_no_name_either(ccp_study, name):
    file, old, new = RESERVED[name]
    ccp_study.change(file, old, new)
    with pytest.raises(StudyError) as caught:
        check()
    [fault] = [f for f in caught.value.faults if f"the variable '{name}' has a name" in f]
    assert fault.startswith(f"{file}, line ")
    if name == "cost_month6":  # without an evaluation it is a variable like any other
        Path(ECONOMICS).unlink()
        with pytest.raises(StudyError) as caught:  # for want of the outcome that it was
            check()
        assert not [fault for fault in caught.value.faults if "has a name" in fault]


def test_a_mixed_model_without_clusters_is_a_fault_of_the_plan(btheb_study):
    btheb_study.change(PLAN, "model: mmrm", "model: mixed, visit: month8")
    with pytest.raises(StudyError, match=r"\(model: mixed\) needs clusters, which config/study"):
        check()


STUDY = "config/study.yaml"


def test_a_randomised_study_may_not_answer_for_others(btheb_study):
    check()
    btheb_study.change(STUDY, "\nstatements:\n", "\nstatements:\n  trend: {1: Said}\n")
    with pytest.raises(
        StudyError, match=r"statements\.trend: this is for studies whose arms were not"
    ):
        check()
