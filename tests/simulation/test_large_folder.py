"""A synthetic study of a thousand people in forty teams runs to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.study import ROOT
from synthetic.folder import write_folder

pytestmark = [pytest.mark.simulation, pytest.mark.long]


def test_a_study_of_a_thousand_people_runs_to_its_end(tmp_path: Path) -> None:
    write_folder(tmp_path / "study", people=1000, teams=40)
    where = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).parent / "snakemake"), "--cores", "2"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path / "study")]
    done = subprocess.run(command, env=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = pd.read_csv(tmp_path / "study/reports/results.csv", dtype={"subgroup": str})
    primary = results[(results["role"] == "primary") & (results["term"] == "difference")]
    # The primary analysis of every outcome.
    assert primary["outcome"].is_unique and "social_capital" in set(primary["outcome"])
    assert (primary["n_clusters"] == 40).all() and (primary["status"] == "ok").all()
    assert (primary["conf_low"] < primary["conf_high"]).all()
    assert not (results["status"] == "failed").any(), results[results["status"] == "failed"]
    assert all((tmp_path / f"study/reports/report.{end}").stat().st_size for end in ("html", "pdf"))
