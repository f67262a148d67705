"""A small repository with a study at its root and one under examples/, both run already."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd

from ccp_analysis.config.trial import Trial
from ccp_analysis.report.catalogue import figures_of, tables_of
from ccp_analysis.results.table import results_table

PLAN = """
seed: 1
confidence_level: 0.95
estimand: treatment-policy
outcomes: [{id: score, role: primary}]
covariates: []
imputation: {imputations: 2, iterations: 2, donors: 5}
analyses: [{id: ancova, role: primary, model: ancova, visit: later, data: imputed}]
"""
STUDY = """\
id: {name}
title: A small study
short_title: Small
registration: none
data_status: {status}
data_date: 2020-01-01
randomised: true
arms: {{variable: arm, reference: a, levels: {{a: A, b: B}}}}
visits:
  - {{id: baseline, label: Baseline, months: 0}}
  - {{id: month6, label: Six months, months: 6}}
files:
  people: {{path: data/raw/people.csv, rows: participant}}
"""
DICTIONARY = """\
file,column,name,visit,label,type,codes,missing,minimum,maximum,unit,identifying
people,participant,participant,,Participant,id,,,,,,
people,arm,arm,,Arm,category,a=A; b=B,,,,,
"""

CODE = {
    ".ci/run": "#!/bin/sh\nexec make test\n",
    ".gitignore": "/.venv/\n",
    "Makefile": "verify:\n\ttrue\n",
    "Snakefile": "rule all:\n",
    "pyproject.toml": "[project]\n",
    "requirements.lock": "numpy==2.0\n",
    "README.md": "# Small\n",
    "LICENSE": "MIT\n",
    "NOTICE": "Instruments of others.\n",
    "docs/statistics.md": "# Statistics\n",
    "profiles/default/config.yaml": "cores: 4\n",
    "src/small/__init__.py": '"""Small."""\n',
    "src/small/templates/report.md": "# Report ü\n",
    "tests/test_small.py": "def test_it(): assert 1\n",
}

RELEASED = ("results.html", "results.json", "tables.xlsx")

# None of these may come into an archive.
LEFT_OUT = [
    ".git/HEAD",
    ".venv/bin/python",
    ".venv/.complete",
    ".cache/matplotlib/fontlist.json",
    ".snakemake/log/1.log",
    ".run.lock",
    "archived/results.csv",
    "data/derived/participants.parquet",
    "data/derived/verify-x/data/raw/people.csv",
    "data/raw/.~lock.people.csv#",
    "data/raw/contacts.csv",
    "data/raw/Thumbs.db",
    "config/study.yaml~",
    "config/contacts.csv",
    "docs/contacts.xlsx",
    "dist/older.zip",
    "logs/clean.log",
    "notes.txt",
    "reports/tables/of_an_earlier_plan.csv",
    "src/small.egg-info/PKG-INFO",
    "src/small/__pycache__/__init__.cpython-311.pyc",
    "tests/.pytest_cache/README.md",
    "examples/other/data/derived/participants.parquet",
    "examples/other/logs/clean.log",
]

ROWS = [
    {"analysis": "ancova", "outcome": "score", "term": "difference", "estimate": 1.5}
    | {"std_error": 0.5, "df": 4.2, "p_value": 0.0421, "n": 151, "m": 50},
    {"analysis": "ancova", "outcome": "score", "term": "adjusted mean", "level": "a"}
    | {"estimate": 10.25, "std_error": 0.3, "df": 4.0, "n": 151, "m": 50},
    {"analysis": "mixed", "outcome": "score", "term": "variance", "estimate": 0.0}
    | {"status": "boundary", "note": "the team variance is zero", "n": 151},
]


def write(path: Path, text: str) -> None:
    """Write a text file and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_results(path: Path, rows: list[dict[str, object]] = ROWS) -> pd.DataFrame:
    """Write a results table as a run does and return it as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    results_table(rows, "synthetic").to_csv(path, index=False, lineterminator="\n")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def make_study(folder: Path, name: str, status: str) -> None:
    """Make a study folder with raw data, results and reports."""
    write(folder / "config/study.yaml", STUDY.format(name=name, status=status))
    write(folder / "config/analysis.yaml", PLAN)
    write(folder / "config/dictionary.csv", DICTIONARY)
    write(folder / "config/instruments.yaml", "instruments: {}\n")
    write(folder / "data/raw/people.csv", f"participant,arm\n{name}1,a\n{name}2,b\n")
    write(folder / "data/raw/README.md", "The raw data.\n")
    write(folder / "reports/README.md", "Reports are written here.\n")
    write_results(folder / "reports/results.csv")
    with contextlib.chdir(folder):
        tables, figures = tables_of(Trial()), figures_of(Trial())
    for table in tables:
        write(folder / f"reports/tables/{table.name}.csv", "a\n1\n")
    for figure in figures:
        write(folder / f"reports/figures/{figure.name}.svg", "<svg/>")
        write(folder / f"reports/figures/{figure.name}.png", "png")
    for kind in ("html", "docx", "pdf"):
        write(folder / f"reports/report.{kind}", kind)
    for kind in ("html", "csv"):
        write(folder / f"reports/codebook.{kind}", kind)
    for name in RELEASED:
        write(folder / "reports" / name, name)
    write(folder / "reports/results.json", '{"displays": []}')


def make_repository(folder: Path) -> Path:
    """Make the repository with all that may and may not be packed."""
    for name, text in CODE.items():
        write(folder / name, text)
    (folder / ".ci/run").chmod(0o755)
    make_study(folder, "small", "synthetic")
    make_study(folder / "examples/other", "other", "public")
    for name in LEFT_OUT:
        write(folder / name, "left out")
    return folder
