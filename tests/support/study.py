"""Study folders of tests: the stages run in them, and copies that are made once a session."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ccp_analysis import layout
from ccp_analysis.cli import COMMANDS
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.report.source import Source, load

ROOT = Path(__file__).parents[2]
CCP = ROOT
BTHEB = ROOT / "examples" / "beat_the_blues"
STUDIES = {"connecting_people": CCP, "beat_the_blues": BTHEB}
DERIVED = layout.DERIVED
# What the items of a report are written to.
WRITTEN = ("tables", "figures", "text", "origins", "exchanged", "book")


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

    def run(self, command: str, analysis: str = "") -> pd.DataFrame | None:
        """Call the function of a command in the current folder; return the results it writes."""
        module, _, name = COMMANDS[command].partition(":")
        given = options_of(command, analysis)
        getattr(importlib.import_module(module), name)(**given)
        path = given.get("results")
        return pd.read_parquet(path) if path and path.suffix == ".parquet" else None

    clean = partialmethod(run, "clean")
    cost = partialmethod(run, "cost")
    impute = partialmethod(run, "impute")
    analyse = partialmethod(run, "analyse")
    check = partialmethod(run, "check")
    sensitivity = partialmethod(run, "sensitivity")
    describe = partialmethod(run, "describe")
    evaluate = partialmethod(run, "evaluate")
    balance = partialmethod(run, "balance")
    expose = partialmethod(run, "expose")
    implement = partialmethod(run, "implement")

    def characterise(self) -> None:
        """Draw the studies of the quick form, and measure the analyses on them."""
        plan = load_plan().characteristics
        for _, batch in plan.batches("quick" if plan.form != "off" else "off"):
            self.run("characterise_batch", str(batch))
        if plan.form != "off":
            self.run("characterise")

    def up_to_imputation(self) -> None:
        self.clean()
        if layout.ECONOMICS.is_file():
            self.cost()
        self.impute()

    def source(self) -> Source:
        """Load all that the study has to report."""
        with inside(self.path):
            given = options_of("items")
            return load(**{name: path for name, path in given.items() if name not in WRITTEN})

    def report(self) -> None:
        """Write tables, figures and documents of the results, and the codebook."""
        for command in ("items", "report", "codebook"):
            self.run(command)

    def all_results(self) -> None:
        """Run everything that makes the results table."""
        self.up_to_imputation()
        for analysis in load_plan().analyses:
            self.analyse(analysis.id)
        for analysis in load_plan().checks:
            self.check(analysis)
        self.characterise()
        for command, there in (
            ("sensitivity", True),
            ("describe", True),
            ("balance", True),
            ("evaluate", layout.ECONOMICS.is_file()),
            ("expose", layout.IMPLEMENTATION.is_file()),
            ("implement", layout.IMPLEMENTATION.is_file()),
            ("next_study", load_plan().next_study is not None),
            ("results", True),
        ):
            if there:
                self.run(command)


def options_of(command: str, analysis: str = "ancova") -> dict[str, Any]:
    """Return the options of a command for the study in the current folder, as its rule has them."""
    results, figures = DERIVED / "results", DERIVED / "figure_data"
    quick, batch = DERIVED / "characteristics/quick", int(analysis) if analysis.isdigit() else 0
    study, money = load_study(), layout.ECONOMICS.is_file()

    def tables(*names: str) -> dict[str, Path]:
        return {name: DERIVED / f"{name}.parquet" for name in names}

    def made(name: str) -> dict[str, Path]:
        return {"results": results / f"{name}.parquet", "figures": figures / f"{name}.parquet"}

    people, done = tables("participants"), tables("participants", "imputed")
    prices = tables("prices", "intervention") if money else {}
    there = {"practitioners": study.practitioners, "delivery": study.delivery}
    delivered = tables(*(name for name, of in there.items() if of))
    contacts = {name: path for name, path in delivered.items() if name == "delivery"}
    events = tables("events") if study.losses else {}
    medication = tables("medication") if study.medication else {}
    strange = DERIVED / "price_queries.csv"
    exposed = tables("exposed")
    listed = {"queries": layout.QUERIES, "flow": layout.FLOW, "scales": DERIVED / "scales.csv"}
    models = {"models": DERIVED / "imputation_models.csv"}
    drawn = {
        "traces": "imputation_traces",
        "values": "imputation_values",
        "patterns": "missing_patterns",
        "losses": "losses",
    }
    html, docx, pdf = layout.DOCUMENTS
    text = {"text": DERIVED / "report.md"}
    origins = {"origins": DERIVED / "origins.json"}
    options: dict[str, Callable[[], dict[str, Any]]] = {
        "clean": lambda: people | listed | tables("codebook") | delivered | events | medication,
        "cost": lambda: (
            people | tables("costs", "prices", "intervention") | medication | {"queries": strange}
        ),
        "impute": lambda: (
            done
            | (tables("costs", "prices") if money else {})
            | models
            | {name: figures / f"{file}.parquet" for name, file in drawn.items()}
        ),
        "analyse": lambda: (
            tables("imputed") | {"analysis": analysis, "results": results / f"{analysis}.parquet"}
        ),
        "check": lambda: tables("imputed") | {"analysis": analysis} | made(f"checks_{analysis}"),
        "sensitivity": lambda: (
            done
            | {"results": results / "sensitivity.parquet", "figures": figures / "tipping.parquet"}
        ),
        "describe": lambda: done | events | {"results": results / "descriptive.parquet"},
        "evaluate": lambda: done | tables("costs", "prices", "intervention") | made("economics"),
        "balance": lambda: (
            done
            | {"parts": [results / f"{a.id}.parquet" for a in load_plan().analyses]}
            | made("balance")
        ),
        "characterise_batch": lambda: (
            tables("imputed")
            | models
            | {"form": "quick", "scenario": "as_estimated", "batch": batch}
            | {"drawn": quick / f"as_estimated.{batch}.parquet"}
        ),
        "characterise": lambda: (
            tables("imputed")
            | models
            | {"drawn": sorted(quick.glob("*.parquet"))}
            | {"results": results / "characteristics.parquet"}
        ),
        "characterise_whole": lambda: (
            done
            | models
            | (tables("costs", "prices") if money else {})
            | {"batch": 0, "drawn": DERIVED / "characteristics/whole/0.parquet"}
        ),
        "expose": lambda: (
            people | contacts | (tables("costs", "prices") if money else {}) | exposed
        ),
        "implement": lambda: people | exposed | delivered | made("implementation"),
        "next_study": lambda: (
            tables("imputed")
            | ({"intervention": DERIVED / "intervention.parquet"} if money else {})
            | {"results": results / "next_study.parquet"}
        ),
        "results": lambda: {
            "parts": sorted(results.glob("*.parquet")),
            "out": layout.RESULTS,
            "flow": layout.FLOW,
            "released": layout.SHOWN,
        },
        "items": lambda: (
            listed
            | models
            | prices
            | text
            | origins
            | ({"price_queries": strange} if money else {})
            | {"results": layout.RESULTS, "points": figures}
            | ({"flow": layout.SHOWN} if layout.SHOWN.is_file() else {})
            | {"tables": layout.TABLES, "figures": layout.FIGURES}
            | {"exchanged": layout.EXCHANGED, "book": layout.WORKBOOK}
        ),
        "report": lambda: (
            text
            | origins
            | {"figures": layout.FIGURES, "html": html, "docx": docx, "pdf": pdf}
            | {"results": layout.BROWSED}
        ),
        "codebook": lambda: (
            tables("codebook") | dict(zip(("html", "csv"), layout.CODEBOOK, strict=True))
        ),
    }
    return options[command]()


def copy_whole(source: Path, target: Path) -> StudyFolder:
    """Copy configuration and raw data."""
    for part in ("config", "data/raw"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)
    return StudyFolder(target)


def copy_study(source: Path, target: Path) -> StudyFolder:
    """Copy configuration and raw data: two imputations, five iterations, 500 draws, 100 studies.

    The plan that was locked is another one and stays behind.
    """
    folder = copy_whole(source, target)
    shutil.rmtree(target / layout.LOCKED, ignore_errors=True)
    if (target / layout.ECONOMICS).is_file():
        folder.change("config/economics.yaml", "draws: 5000", "draws: 500")
    plan = (target / "config/analysis.yaml").read_text(encoding="utf-8")
    for key, few in (("imputations", 2), ("iterations", 5)):
        [whole] = re.findall(rf"(?m)^  {key}: \d+", plan)
        folder.change("config/analysis.yaml", whole, f"  {key}: {few}")
    folder.change("config/analysis.yaml", "quick: 2000", "quick: 100")
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
