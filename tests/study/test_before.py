"""Ten different faults of one study are all said before the first job, with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from support.cases import cases

from ccp_analysis import before
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.salvage import salvage
from ccp_analysis.config.trial import Trial

ROOT = Path(__file__).parents[2]
PLAN, STUDY = "config/analysis.yaml", "config/study.yaml"
FAULTS = cases("study/data/ten_faults.csv")


def plant(folder: Path, *names: str) -> None:
    for name in names:
        file, old, new, _ = FAULTS[name]
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, name
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part in ("config", "data/raw"):
        shutil.copytree(ROOT / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_by_itself(study, name):
    plant(study, name)
    found = before.faults(Trial())
    said = [fault for fault in found if FAULTS[name][3] in fault]
    assert len(said) == 1
    file = FAULTS[name][0]
    where = "config/" if file.endswith(("study.yaml", "costs.csv")) else file
    assert said[0].startswith(where)
    assert ", line " in said[0]
    assert "Traceback" not in said[0]


def test_ten_faults_are_said_in_one_go(study):
    plant(study, *FAULTS)
    found = before.faults(Trial())
    for name, (*_, sentence) in FAULTS.items():
        assert sum(sentence in fault for fault in found) == 1, name
    assert len(found) == len(set(found))


def test_rules_and_decisions_name_what_is_there(study):
    rules = study / "config/rules.yaml"
    rules.write_text(rules.read_text().replace("since: recruited", "since: recruted", 1))
    with (study / "config/decisions.csv").open("a") as handle:
        handle.write("baseline.csv,,CP001,agge,900,keep,,A,2020-01-31,as written\n")
        handle.write("basline.csv,,CP001,age,900,kept,,A,2020-01-31,as written\n")
    said = "\n".join(before.faults(Trial()))
    assert "config/rules.yaml, line 13: baseline_window: " in said
    assert "'recruted'" in said
    assert "decisions.csv, line 2: column: 'agge' is not one of the columns of baseline.csv" in said
    assert "config/decisions.csv, line 3: file 'basline.csv' found" in said
    assert "config/decisions.csv, line 3: action 'kept' found" in said


def test_what_names_an_entry_of_a_wrong_shape_is_no_further_fault(study):
    plan = yaml.safe_load((study / PLAN).read_text())
    plan["analyses"][0]["model"] = "anova"  # families, subgroups and deltas name it
    (study / PLAN).write_text(yaml.safe_dump(plan))
    found = before.faults(Trial())
    assert len(found) == 1
    assert "most like it: 'ancova'" in found[0]


def test_a_shape_that_is_wrong_leaves_the_rest(study):
    plan = yaml.safe_load((study / PLAN).read_text())
    plan["imputation"]["donors"] = "five"
    plan["outcomes"][1]["role"] = "tertiary"
    plan["seed"] = -1
    (study / PLAN).write_text(yaml.safe_dump(plan))
    read = salvage(Plan, study / PLAN)
    assert len(read.faults) == 3
    assert read.value is None  # neither donors nor the seed has a value by default
    plan["seed"], plan["imputation"]["donors"] = 1, 5
    (study / PLAN).write_text(yaml.safe_dump(plan))
    read = salvage(Plan, study / PLAN)
    assert [o.id for o in read.value.outcomes][:2] == ["social_capital", "wellbeing"]
    assert read.left_out == {"recovery"}


@pytest.mark.parametrize("folder", [ROOT, ROOT / "examples/beat_the_blues"])
def test_the_shipped_studies_have_none(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert before.faults(Trial()) == []


@pytest.mark.parametrize("kind", ["xlsx", "sav", "dta"])
def test_the_headers_of_other_formats_are_read_too(study, kind):
    import pandas as pd
    import pyreadstat

    table = pd.read_csv(study / "data/raw/teams.csv", dtype=str)
    table = table.rename(columns={table.columns[-1]: "another"})
    path = study / f"data/raw/teams.{kind}"
    if kind == "xlsx":
        table.to_excel(path, index=False)
    else:
        {"sav": pyreadstat.write_sav, "dta": pyreadstat.write_dta}[kind](table, str(path))
    text = (study / STUDY).read_text().replace("data/raw/teams.csv", f"data/raw/teams.{kind}")
    (study / STUDY).write_text(text)
    found = before.faults(Trial())
    unknown = [fault for fault in found if "'another' is not in the data dictionary" in fault]
    assert len(unknown) == 1
    assert unknown[0].startswith(f"data/raw/teams.{kind}")
