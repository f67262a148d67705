"""The numbers of the shipped studies: a changed one is a difference in the change that makes it.

``make golden`` runs both studies and writes the tables again.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.project import Project
from support.study import BTHEB, copy_whole, inside

from ccp_analysis.archive.compared import FINE, compare
from ccp_analysis.results.table import KEY


def assert_kept(name: str, results: Path) -> None:
    kept, found = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (Path(__file__).with_name(f"{name}.csv"), results)
    )
    compared = compare(kept, found)
    changed = compared[~compared["comparison"].isin(FINE)]
    shown = changed[[*KEY, "comparison", "column", "reference", "rerun"]].head(20)
    assert changed.empty, f"{len(changed)} rows:\n{shown.to_csv(index=False)}"


@pytest.mark.pipeline
def test_results_of_the_study_as_snakemake_runs_it_are_those_kept(run_whole: Project) -> None:
    assert_kept("connecting_people", run_whole.folder / "reports/results.csv")


@pytest.mark.pipeline
def test_results_of_the_second_study_are_those_kept(tmp_path: Path) -> None:
    """By the functions that the commands of the pipeline call, all in this process."""
    study = copy_whole(BTHEB, tmp_path)
    with inside(tmp_path):
        study.all_results()
    assert_kept("beat_the_blues", study / "reports/results.csv")
