"""Fixtures of the archiving tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_repository import make_repository

from ccp_analysis import archive as package


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small repository; not to be changed."""
    return make_repository(tmp_path_factory.mktemp("made") / "repository")


@pytest.fixture
def repository(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a copy of the small repository; it is the current one."""
    folder = shutil.copytree(made, tmp_path / "repository")
    monkeypatch.setattr(package, "REPOSITORY", folder)
    monkeypatch.chdir(folder)
    return folder
