"""The synthetic twin: the shape of a study, nothing of its data, and the pipeline runs on it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from support.study import BTHEB, CCP, STUDIES, copy_study, copy_whole, inside

from ccp_analysis import before
from ccp_analysis.archive import twin
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import Trial


def drawn(source: Path, folder: Path) -> Path:
    """Draw the twin of a study of which no raw file is there."""
    study, out = folder / "study", folder / "twin"
    copy_study(source, study)
    for path in (study / "data/raw").iterdir():
        path.unlink()
    with inside(study):
        found = twin.files(Trial())
        assert twin.files(Trial()) == found
    for name, content in found.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(content)
    return out


@pytest.mark.parametrize("name", STUDIES)
def test_it_has_the_files_columns_levels_and_ranges_of_the_study(tmp_path, name):
    out = drawn(STUDIES[name], tmp_path)
    with inside(out):
        assert before.faults(Trial()) == []
        study, dictionary = load_study(), Trial().dictionary
        assert (study.data_status, study.data_label) == ("synthetic", "SYNTHETIC DATA")
        assert study.title.startswith("SYNTHETIC TWIN of: ")
        assert "SYNTHETIC DATA" in Path("data/raw/README.md").read_text()
        for column in dictionary:
            table = pd.read_csv(study.files[column.file].path, dtype=str, keep_default_na=False)
            found = {cell for cell in table[column.column] if cell}
            if column.codes:
                assert found <= set(column.codes)
            elif column.numeric:
                for limit, sign in ((column.minimum, 1), (column.maximum, -1)):
                    if limit is not None:
                        assert all(sign * (float(cell) - limit) >= 0 for cell in found)
            assert not found & {"", "nan"}
    for file in study.files:
        real = next(csv.reader(io.StringIO((STUDIES[name] / f"data/raw/{file}.csv").read_text())))
        mine = next(csv.reader(io.StringIO((out / f"data/raw/{file}.csv").read_text())))
        assert mine == [c.column for c in dictionary if c.file == file]
        assert set(mine) <= set(real)


def test_it_has_the_teams_arms_and_visits_that_the_design_says(tmp_path):
    out = drawn(CCP, tmp_path)
    teams = pd.read_csv(out / "data/raw/teams.csv")
    assert (teams.groupby("trust")["arm"].apply(sorted) == [["control", "intervention"]] * 5).all()
    count = {
        name: len(pd.read_csv(out / f"data/raw/{name}.csv"))
        for name in ("recruitment", "baseline", "followup")
    }
    assert count == {"recruitment": 159, "baseline": 151, "followup": 127}
    people = pd.read_csv(out / "data/raw/recruitment.csv")
    assert people["team"].value_counts().between(15, 16).all()
    assert people["participant"].str.startswith("SYN").all()


def test_other_forms_of_raw_files_become_plain_ones(tmp_path):
    copy_whole(BTHEB, tmp_path)
    config = tmp_path / "config/study.yaml"
    text = config.read_text().replace("data_status: public", "data_status: real")
    spec = "{path: data/raw/answers.xlsx, rows: participant, sheet: A, header_rows: 2, expected: 7}"
    config.write_text(
        text.replace("{path: data/raw/btheb.csv, rows: participant}", spec)
        + "statistician: A. Name\n"
    )
    with inside(tmp_path):
        found = twin.files(Trial())
    assert set(found) == {
        "README.md",
        "data/raw/README.md",
        "data/raw/btheb.csv",
        *(
            f"config/{name}"
            for name in ("analysis.yaml", "dictionary.csv", "instruments.yaml", "study.yaml")
        ),
    }
    said = found["config/study.yaml"].decode()
    assert "path: data/raw/btheb.csv" in said
    assert not any(word in said for word in ("A. Name", "xlsx", "expected: '7'", "real"))


@pytest.mark.simulation
@pytest.mark.long
@pytest.mark.parametrize("name", STUDIES)
def test_the_pipeline_runs_on_it(tmp_path, name, another_folder):
    folder = drawn(STUDIES[name], tmp_path)
    study = another_folder(folder)
    with inside(folder):
        study.all_results()
        study.report()
        results = pd.read_csv("reports/results.csv")
    assert (results["data_status"] == "synthetic").all()
    primary = results[(results["role"] == "primary") & (results["term"] == "difference")]
    assert primary["std_error"].gt(0).all() and not primary.empty
    page = (folder / "reports/report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC TWIN of: " in page and "SYNTHETIC DATA" in page
