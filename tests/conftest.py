"""Small copies of the two studies, and what comes out of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings
from support.project import Project, run_watched
from support.study import (
    BTHEB,
    CCP,
    DERIVED,
    ROOT,
    StudyFolder,
    copy_study,
    inside,
    once,
    report_by,
    run_reduced,
)

from ccp_analysis.results.table import read_results

# The same examples at every run, however slow or busy the machine.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")


# What runs a study, or a copy of one that was run: too slow for every keystroke.
RUN = {
    "run_whole",
    "done",
    "ccp_reported",
    "btheb_reported",
    "ccp_done",
    "btheb_done",
    "copy_of_ccp",
    "results_of",
    "ccp_study",
    "btheb_study",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "simulations with all their draws, and every damage (make test-long)"
    parser.addoption("--long", action="store_true", help=text)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether simulations make all their draws, rather than the first ones."""
    return request.config.getoption("--long")


# What waits for the whole study that Snakemake runs, on both cores.
WHOLE = {"run_whole", "done", "ccp_reported"}


def needed(item: pytest.Item) -> set[str]:
    """Return the fixtures that a test asks for, those that its parameters name among them."""
    callspec = getattr(item, "callspec", None)
    named = (
        {value for value in callspec.params.values() if isinstance(value, str)}
        if callspec
        else set()
    )
    return named | set(getattr(item, "fixturenames", ()))


def in_halves(items: list[pytest.Item]) -> list[pytest.Item]:
    """Put the longest first in both halves, of which two workers take one each.

    The first begins with what waits for the whole study, the second with what runs studies of its
    own; whoever has ended takes over from the other.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    parts: list[list[pytest.Item]] = [[], [], []]
    for own in modules.values():
        waits = any(WHOLE & needed(item) for item in own)
        long = any(item.get_closest_marker(name) for item in own for name in ("pipeline", "study"))
        parts[0 if waits else 1 if long else 2] += own
    first, second, quick = parts
    room = max(0, len(items) // 2 - len(first))
    return first + quick[:room] + second + quick[room:]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as `study` the tests that need a study that was run; begin with the longest."""
    for item in items:
        if RUN & needed(item):
            item.add_marker("study")
    if not config.getoption("--long"):
        left = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    items.sort(key=lambda item: item.get_closest_marker("pipeline") is None)
    items[:] = in_halves(items)


@pytest.fixture(scope="session")
def run_whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The whole Connecting People study, run once by Snakemake; not to be changed."""
    return Project(once(tmp_path_factory, "whole", run_watched))


@pytest.fixture(scope="session")
def done(run_whole: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """This worker's own copy of the study that was run, to be edited."""
    folder = tmp_path_factory.mktemp("first") / "project"
    return Project(shutil.copytree(run_whole.folder, folder))


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
    return StudyFolder(once(tmp_path_factory, "ccp", partial(run_reduced, CCP)))


@pytest.fixture(scope="session")
def btheb_done(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Beat the Blues, reduced, with all its results; not to be changed."""
    return StudyFolder(once(tmp_path_factory, "btheb", partial(run_reduced, BTHEB)))


@pytest.fixture(scope="session")
def ccp_reported(run_whole: Project) -> StudyFolder:
    """The whole CCP study with its report; not to be changed."""
    return StudyFolder(run_whole.folder)


@pytest.fixture(scope="session")
def btheb_reported(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Beat the Blues, reduced, with its report, by a process of its own; not to be changed."""
    make = partial(report_by, ROOT, BTHEB)
    return StudyFolder(once(tmp_path_factory, "btheb_reported", make))


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


@pytest.fixture
def cleaned_ccp(
    ccp_done: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StudyFolder:
    """A copy, as the current folder, of the CCP study with what cleaning makes and no more."""
    folder = copy_study(CCP, tmp_path)
    (folder / "data/derived").mkdir()
    for file in ("participants.parquet", "queries.csv", "flow.json", "scales.csv"):
        shutil.copy(ccp_done / f"data/derived/{file}", folder / "data/derived")
    monkeypatch.chdir(tmp_path)
    return folder
