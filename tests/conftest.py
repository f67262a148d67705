"""Small copies of the two studies, and what comes out of them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

from ccp_analysis.analyses import checks, descriptive, sensitivity
from ccp_analysis.analyses import stage as analyses
from ccp_analysis.cleaning import stage as cleaning
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.confounding import stage as confounding
from ccp_analysis.economics import costs
from ccp_analysis.economics import stage as economics
from ccp_analysis.implementation import expose
from ccp_analysis.implementation import stage as implementation
from ccp_analysis.imputation import stage as imputation
from ccp_analysis.layout import EVENTS
from ccp_analysis.results import stage
from ccp_analysis.results.table import read_results

ROOT = Path(__file__).parents[1]
CCP = ROOT
BTHEB = ROOT / "examples" / "beat_the_blues"
DERIVED = Path("data/derived")

# The same examples at every run, however slow or busy the machine.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")


# What runs a study, or a copy of one that was run: too slow for every keystroke.
RUN = {"done", "ccp_done", "btheb_done", "copy_of_ccp", "another_ccp", "results_of", "ccp_study"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `study` the tests that need a study that was run."""
    for item in items:
        if RUN & set(getattr(item, "fixturenames", ())):
            item.add_marker("study")


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
        there = {name: getattr(study, name) for name in ("practitioners", "delivery", "medication")}
        there["events"] = study.losses
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
            queries=DERIVED / "price_queries.csv",
            medication=DERIVED / "medication.parquet" if load_study().medication else None,
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
            events=EVENTS if load_study().losses else None,
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
        costed = Path("config/economics.yaml").is_file()
        expose.run(
            participants=DERIVED / "participants.parquet",
            exposed=DERIVED / "exposed.parquet",
            delivery=DERIVED / "delivery.parquet",
            costs=DERIVED / "costs.parquet" if costed else None,
            prices=DERIVED / "prices.parquet" if costed else None,
        )
        implementation.run(
            participants=DERIVED / "participants.parquet",
            exposed=DERIVED / "exposed.parquet",
            practitioners=DERIVED / "practitioners.parquet",
            delivery=DERIVED / "delivery.parquet",
            results=out,
            figures=DERIVED / "figure_data/implementation.parquet",
        )
        return pd.read_parquet(out)

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
        stage.run(parts=parts, out=Path("reports/results.csv"))


def copy_study(source: Path, target: Path) -> StudyFolder:
    """Copy configuration and raw data, with two imputations after five iterations."""
    for part in ("config", "data/raw"):
        shutil.copytree(source / part, target / part, dirs_exist_ok=True)
    folder = StudyFolder(target)
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


@pytest.fixture
def ccp_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """The CCP study, reduced, as the current folder."""
    monkeypatch.chdir(tmp_path)
    return copy_study(CCP, tmp_path)


@pytest.fixture
def btheb_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """Beat the Blues, reduced, as the current folder."""
    monkeypatch.chdir(tmp_path)
    return copy_study(BTHEB, tmp_path)


@pytest.fixture(scope="session")
def another_ccp(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], StudyFolder]:
    """Return what makes one more copy of the CCP study, reduced, to be changed and run."""
    return lambda: copy_study(CCP, tmp_path_factory.mktemp("another_ccp"))


@pytest.fixture(scope="session")
def another_folder() -> Callable[[Path], StudyFolder]:
    """Return what runs the rules in a folder that a test wrote."""

    def of(path: Path) -> StudyFolder:
        for name in ("results", "figure_data"):
            (path / DERIVED / name).mkdir(parents=True, exist_ok=True)
        return StudyFolder(path)

    return of


@pytest.fixture(scope="session")
def ccp_done(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The CCP study, reduced, with all its results; not to be changed."""
    folder = copy_study(CCP, tmp_path_factory.mktemp("ccp"))
    with inside(folder.path):
        folder.all_results()
    return folder


@pytest.fixture(scope="session")
def btheb_done(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Beat the Blues, reduced, with all its results; not to be changed."""
    folder = copy_study(BTHEB, tmp_path_factory.mktemp("btheb"))
    with inside(folder.path):
        folder.all_results()
    return folder


@pytest.fixture(scope="session")
def results_of() -> Callable[..., pd.DataFrame]:
    """Run a copy of a study, reduced and then changed, and return its results."""

    def run(source: Path, target: Path, *changes: Callable[[Path], None]) -> pd.DataFrame:
        folder = copy_study(source, target)
        for change in changes:
            change(target)
        with inside(target):
            folder.all_results()
        return read_results(target / "reports/results.csv")

    return run


@pytest.fixture
def copy_of_ccp(
    ccp_done: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StudyFolder:
    """A copy, as the current folder, of the CCP study with everything derived."""
    shutil.copytree(ccp_done.path, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return StudyFolder(tmp_path)
