"""The numbers of the shipped studies: a changed one is a difference in the change that makes it.

``make golden`` runs both studies and writes the tables again.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.study import STUDIES, copy_whole, inside

from ccp_analysis.archive.compared import FINE, compare
from ccp_analysis.results.table import KEY


@pytest.mark.pipeline
@pytest.mark.parametrize("name", STUDIES)
def test_results_of_a_shipped_study_are_those_kept(name: str, tmp_path: Path) -> None:
    """By the functions that the commands of the pipeline call, all in this process."""
    study = copy_whole(STUDIES[name], tmp_path)
    with inside(tmp_path):
        study.all_results()
    kept, found = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (Path(__file__).with_name(f"{name}.csv"), study / "reports/results.csv")
    )
    compared = compare(kept, found)
    changed = compared[~compared["comparison"].isin(FINE)]
    shown = changed[[*KEY, "comparison", "column", "reference", "rerun"]].head(20)
    assert changed.empty, f"{len(changed)} rows:\n{shown.to_csv(index=False)}"
