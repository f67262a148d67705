"""Two made-up studies and their reports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_up import Folder, make
from support.study import StudyFolder, inside, once


@pytest.fixture(scope="session")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Synthetic, in clusters, with costs, one follow-up: the finished report."""
    folder = make("clustered", tmp_path_factory.mktemp("clustered") / "study")
    folder.report()
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Public, without clusters, costs, queries or missing values, two follow-ups."""
    folder = make("plain", tmp_path_factory.mktemp("plain") / "study")
    folder.report()
    return folder


def reported(factory: pytest.TempPathFactory, done: StudyFolder, name: str) -> StudyFolder:
    """Return a copy of a study that was run, with its report."""

    def make_it(folder: Path) -> None:
        shutil.copytree(done.path, folder, dirs_exist_ok=True)
        with inside(folder):
            StudyFolder(folder).report()

    return StudyFolder(once(factory, name, make_it))


@pytest.fixture(scope="session")
def ccp_reported(tmp_path_factory: pytest.TempPathFactory, ccp_done: StudyFolder) -> StudyFolder:
    """The CCP study, reduced, with its report; not to be changed."""
    return reported(tmp_path_factory, ccp_done, "ccp_reported")


@pytest.fixture(scope="session")
def btheb_reported(
    tmp_path_factory: pytest.TempPathFactory, btheb_done: StudyFolder
) -> StudyFolder:
    """Beat the Blues, reduced, with its report; not to be changed."""
    return reported(tmp_path_factory, btheb_done, "btheb_reported")
