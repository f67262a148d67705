"""The numbers of the shipped studies: a changed one is a difference in the change that makes it.

``make golden`` runs both studies and writes the tables again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis.archive.verify import IDENTICAL, WITHIN, compare
from ccp_analysis.results.table import KEY

ROOT = Path(__file__).parents[2]
STUDIES = {"connecting_people": ROOT, "beat_the_blues": ROOT / "examples" / "beat_the_blues"}
TABLE = Path("reports/results.csv")


@pytest.mark.pipeline
@pytest.mark.parametrize("name", STUDIES)
def test_results_of_a_shipped_study_are_those_kept(name: str, tmp_path: Path) -> None:
    for folder in ("config", "data/raw"):
        shutil.copytree(STUDIES[name] / folder, tmp_path / folder)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"]
    done = subprocess.run(
        [*snakemake, "--cores", "2", "--directory", tmp_path, TABLE],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kept, found = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (Path(__file__).with_name(f"{name}.csv"), tmp_path / TABLE)
    )
    compared = compare(kept, found)
    changed = compared[~compared["comparison"].isin([IDENTICAL, WITHIN])]
    shown = changed[[*KEY, "comparison", "column", "reference", "rerun"]].head(20)
    assert changed.empty, f"{len(changed)} rows:\n{shown.to_csv(index=False)}"
