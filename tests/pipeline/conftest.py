"""A project that was run once, shared by the tests of the pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pipeline_project import Project, copy_project
from support.study import once


def run_once(folder: Path) -> None:
    result = copy_project(folder).run("--cores", "4")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run once on four cores; this worker's own copy."""
    run = once(tmp_path_factory, "project", run_once)
    return Project(shutil.copytree(run, tmp_path_factory.mktemp("first") / "project"))
