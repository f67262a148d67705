"""The check stage on whole studies: rows and points of every outcome, failures, refusals."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from trial import one

from ccp_analysis import files
from ccp_analysis.analyses import checks
from ccp_analysis.errors import StudyError
from ccp_analysis.results import stage
from ccp_analysis.results.table import read_results


def run(folder, analysis: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = folder.check(analysis)
    return rows, pd.read_parquet(f"data/derived/figure_data/checks_{analysis}.parquet")


def test_the_stage_checks_every_outcome_and_its_rows_join_the_results(copy_of_ccp):
    found = []
    for analysis in ("ancova", "mixed"):
        rows, points = run(copy_of_ccp, analysis)
        found.append(rows)
        assert set(rows["analysis"]) == {f"checks_{analysis}"}
        assert set(points["analysis"]) == {analysis}
        assert set(rows["role"]) == {"descriptive"}
        assert set(rows["population"]) == {"complete-case"}
        assert set(rows["status"]) <= {"ok", "flagged"}
        along = rows["term"] == "difference along the baseline"
        assert rows.loc[~along, "note"].str.len().min() > 10
        assert set(rows["data_status"]) == set(points["data_status"]) == {"synthetic"}
        assert rows["outcome"].nunique() == points["outcome"].nunique() == 7
        assert rows["term"].nunique() == 14
    people = pd.read_parquet("data/derived/participants.parquet")
    names = set(people["participant"])
    assert not names & set(pd.concat(found)[["level", "note"]].to_numpy().ravel())
    parts = sorted(Path("data/derived/results").glob("*.parquet"))
    stage.run(parts=parts, out=Path("reports/results.csv"))
    table = read_results(Path("reports/results.csv"))
    assert (table["analysis"] == "checks_ancova").sum() == len(found[0])


def test_an_outcome_that_cannot_be_fitted_leaves_a_row(copy_of_ccp):
    path = Path("data/derived/imputed.parquet")
    tables = pd.read_parquet(path)
    tables["recovery_month6"] = 3.0
    files.write_parquet(path, tables)
    rows, points = run(copy_of_ccp, "ancova")
    row = one(rows, outcome="recovery")
    assert (row["term"], row["status"]) == ("all checks", "failed")
    assert row["note"] == "the outcome is 3 for everyone"
    assert "recovery" not in set(points["outcome"])
    assert rows["outcome"].nunique() == 7


def test_the_stage_without_clusters(btheb_done, tmp_path, monkeypatch):
    monkeypatch.chdir(btheb_done.path)
    out = tmp_path / "rows.parquet", tmp_path / "points.parquet"
    imputed = Path("data/derived/imputed.parquet")
    checks.run(analysis="ancova_complete", imputed=imputed, results=out[0], figures=out[1])
    rows, points = (pd.read_parquet(path) for path in out)
    assert set(rows["n"]) == {52}
    assert set(rows["visit"]) == {"month8"}
    assert "random_effect_qq" not in set(points["check"])
    with pytest.raises(StudyError, match="of the kind 'repeated'; expected one of the kind ancova"):
        checks.run(analysis="repeated", imputed=imputed, results=out[0], figures=out[1])
