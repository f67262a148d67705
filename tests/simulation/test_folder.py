"""A study folder of another size: its configuration fits its data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from synthetic.folder import write_folder

from ccp_analysis import before
from ccp_analysis.cleaning import stage as cleaning
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics import costs
from ccp_analysis.errors import StudyError

pytestmark = pytest.mark.simulation


def test_a_study_of_another_size_is_found_as_drawn(tmp_path, monkeypatch):
    write_folder(tmp_path / "study", people=330, teams=24)
    monkeypatch.chdir(tmp_path / "study")
    assert before.faults(Trial()) == []
    made = ("participants.parquet", "queries.csv", "flow.json", "scales.csv", "codebook.parquet")
    cleaning.run(**{Path(name).stem: Path(name) for name in made})
    people = pd.read_parquet("participants.parquet")
    assert len(people) == 330
    assert people["team"].nunique() == 24 and people["trust"].nunique() == 12
    queries = pd.read_csv("queries.csv")
    assert not queries["rule"].fillna("").str.contains("expected").any()
    made = ("costs.parquet", "prices.parquet", "intervention.parquet")
    costs.run(participants=Path("participants.parquet"), **{Path(n).stem: Path(n) for n in made})


@pytest.mark.parametrize(
    ("people", "teams", "said"),
    [(20, 40, "too few for 40 teams"), (50, 7, "cannot stand in pairs")],
)
def test_what_cannot_be_drawn_is_said(tmp_path, people, teams, said):
    with pytest.raises(StudyError, match=said):
        write_folder(tmp_path / "study", people, teams)
    assert not (tmp_path / "study").exists()


def test_a_folder_with_files_is_left_as_it_is(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(StudyError, match="something already"):
        write_folder(tmp_path, 159, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
