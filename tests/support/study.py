"""Study folders of tests: the stages run in them, and copies that are made once a session."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis import layout
from ccp_analysis.analyses import checks, descriptive, sensitivity
from ccp_analysis.analyses import stage as analyses
from ccp_analysis.cleaning import stage as cleaning
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.confounding import stage as confounding
from ccp_analysis.economics import costs
from ccp_analysis.economics import stage as economics
from ccp_analysis.implementation import stage as implementation
from ccp_analysis.imputation import stage as imputation
from ccp_analysis.report import codebook, documents
from ccp_analysis.report import stage as items
from ccp_analysis.report.source import Source, load
from ccp_analysis.results import stage

ROOT = Path(__file__).parents[2]
CCP = ROOT
BTHEB = ROOT / "examples" / "beat_the_blues"
STUDIES = {"connecting_people": CCP, "beat_the_blues": BTHEB}
DERIVED = layout.DERIVED


@dataclass(frozen=True)
class StudyFolder:
    """A study folder of its own, and the stages run in it."""

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def change(self, name: str, old: str, new: str, count: int = 1) -> None:
        """Replace text in a file, in which it must stand."""
        file = self.path / name
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        file.write_text(text.replace(old, new, count), encoding="utf-8")

    def cell(self, name: str, line: int, column: str, value: str) -> None:
        """Write a value into a cell of a CSV file; the header is line 1."""
        file = self.path / name
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        table.loc[line - 2, column] = value
        table.to_csv(file, index=False, lineterminator="\n")

    def clean(self) -> None:
        study = load_study()
        there = {"practitioners": study.practitioners, "delivery": study.delivery}
        cleaning.run(
            participants=DERIVED / "participants.parquet",
            queries=DERIVED / "queries.csv",
            flow=DERIVED / "flow.json",
            scales=DERIVED / "scales.csv",
            codebook=DERIVED / "codebook.parquet",
            **{name: DERIVED / f"{name}.parquet" for name, of in there.items() if of},
        )

    def cost(self) -> None:
        costs.run(
            participants=DERIVED / "participants.parquet",
            costs=DERIVED / "costs.parquet",
            prices=DERIVED / "prices.parquet",
            intervention=DERIVED / "intervention.parquet",
        )

    def impute(self) -> None:
        money = Path("config/economics.yaml").is_file()
        imputation.run(
            participants=DERIVED / "participants.parquet",
            costs=DERIVED / "costs.parquet" if money else None,
            prices=DERIVED / "prices.parquet" if money else None,
            imputed=DERIVED / "imputed.parquet",
            models=DERIVED / "imputation_models.csv",
            traces=DERIVED / "figure_data/imputation_traces.parquet",
            values=DERIVED / "figure_data/imputation_values.parquet",
            patterns=DERIVED / "figure_data/missing_patterns.parquet",
            losses=DERIVED / "figure_data/losses.parquet",
        )

    def analyse(self, analysis: str) -> pd.DataFrame:
        out = DERIVED / "results" / f"{analysis}.parquet"
        analyses.run(analysis=analysis, imputed=DERIVED / "imputed.parquet", results=out)
        return pd.read_parquet(out)

    def describe(self) -> pd.DataFrame:
        out = DERIVED / "results" / "descriptive.parquet"
        descriptive.run(
            imputed=DERIVED / "imputed.parquet",
            participants=DERIVED / "participants.parquet",
            results=out,
        )
        return pd.read_parquet(out)

    def evaluate(self) -> pd.DataFrame:
        out = DERIVED / "results" / "economics.parquet"
        economics.run(
            imputed=DERIVED / "imputed.parquet",
            costs=DERIVED / "costs.parquet",
            prices=DERIVED / "prices.parquet",
            intervention=DERIVED / "intervention.parquet",
            participants=DERIVED / "participants.parquet",
            results=out,
            figures=DERIVED / "figure_data/economics.parquet",
        )
        return pd.read_parquet(out)

    def up_to_imputation(self) -> None:
        self.clean()
        if Path("config/economics.yaml").is_file():
            self.cost()
        self.impute()

    def check(self, analysis: str) -> None:
        checks.run(
            analysis=analysis,
            imputed=DERIVED / "imputed.parquet",
            results=DERIVED / f"results/checks_{analysis}.parquet",
            figures=DERIVED / f"figure_data/checks_{analysis}.parquet",
        )

    def sensitivity(self) -> None:
        sensitivity.run(
            participants=DERIVED / "participants.parquet",
            imputed=DERIVED / "imputed.parquet",
            results=DERIVED / "results/sensitivity.parquet",
            figures=DERIVED / "figure_data/tipping.parquet",
        )

    def balance(self) -> pd.DataFrame:
        out = DERIVED / "results" / "balance.parquet"
        confounding.run(
            participants=DERIVED / "participants.parquet",
            imputed=DERIVED / "imputed.parquet",
            parts=[DERIVED / f"results/{a.id}.parquet" for a in load_plan().analyses],
            results=out,
            figures=DERIVED / "figure_data/balance.parquet",
        )
        return pd.read_parquet(out)

    def implement(self) -> pd.DataFrame:
        out = DERIVED / "results" / "implementation.parquet"
        implementation.run(
            participants=DERIVED / "participants.parquet",
            imputed=DERIVED / "imputed.parquet",
            practitioners=DERIVED / "practitioners.parquet",
            delivery=DERIVED / "delivery.parquet",
            results=out,
            figures=DERIVED / "figure_data/implementation.parquet",
        )
        return pd.read_parquet(out)

    def _made(self) -> dict[str, Path]:
        """What there is of all that the report is made of."""
        made = {name: DERIVED / f"{name}.parquet" for name in ("prices", "intervention")}
        made |= {"points": DERIVED / "figure_data", "scales": DERIVED / "scales.csv"}
        return {
            "results": layout.RESULTS,
            "flow": layout.FLOW,
            "queries": layout.QUERIES,
            "models": DERIVED / "imputation_models.csv",
        } | {name: path for name, path in made.items() if (self.path / path).exists()}

    def source(self) -> Source:
        """Load all that the study has to report."""
        with inside(self.path):
            return load(**self._made())

    def report(self) -> None:
        """Write tables, figures and documents of the results, and the codebook."""
        text = DERIVED / "report.md"
        folders = {"tables": layout.TABLES, "figures": layout.FIGURES}
        items.run(**self._made(), **folders, text=text)
        html, docx, pdf = layout.DOCUMENTS
        documents.run(text=text, figures=layout.FIGURES, html=html, docx=docx, pdf=pdf)
        html, csv = layout.CODEBOOK
        codebook.run(codebook=DERIVED / "codebook.parquet", html=html, csv=csv)

    def all_results(self) -> None:
        """Run everything that makes the results table."""
        self.up_to_imputation()
        for analysis in load_plan().analyses:
            self.analyse(analysis.id)
        for analysis in load_plan().checks:
            self.check(analysis)
        self.sensitivity()
        self.describe()
        self.balance()
        if Path("config/economics.yaml").is_file():
            self.evaluate()
        if Path("config/implementation.yaml").is_file():
            self.implement()
        parts = sorted((DERIVED / "results").glob("*.parquet"))
        stage.run(parts=parts, out=layout.RESULTS)


def copy_whole(source: Path, target: Path) -> StudyFolder:
    """Copy configuration and raw data."""
    for part in ("config", "data/raw"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)
    return StudyFolder(target)


def copy_study(source: Path, target: Path) -> StudyFolder:
    """Copy configuration and raw data, with two imputations after five iterations, 500 draws."""
    folder = copy_whole(source, target)
    if (target / layout.ECONOMICS).is_file():
        folder.change("config/economics.yaml", "draws: 5000", "draws: 500")
    folder.change("config/analysis.yaml", "imputations: 50", "imputations: 2")
    folder.change("config/analysis.yaml", "iterations: 20", "iterations: 5")
    return folder


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that whichever worker asks first makes, for the others of the session too."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / name, base / f"{name}.made"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def run_reduced(source: Path, folder: Path) -> None:
    """Run a copy of a study, reduced."""
    study = copy_study(source, folder)
    with inside(folder):
        study.all_results()


SCRIPT = """if True:
    import sys
    from pathlib import Path
    from support.study import copy_study, inside
    study = copy_study(Path(sys.argv[1]), Path(sys.argv[2]))
    with inside(study.path):
        study.all_results()
        study.report()
"""


def report_by(code: Path, source: Path, folder: Path) -> Path:
    """Run and report a study, reduced, by another copy of the code; return its reports."""
    path = os.pathsep.join(str(part) for part in (ROOT / "tests", code / "src"))
    command = [sys.executable, "-c", SCRIPT, str(source), str(folder)]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "reports"
