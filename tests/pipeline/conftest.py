"""A project that was run once, shared by the tests of the pipeline."""

from __future__ import annotations

import pytest
from pipeline_project import Project, copy_project


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run once on four cores."""
    project = copy_project(tmp_path_factory.mktemp("first"))
    result = project.run("--cores", "4")
    assert result.returncode == 0, result.stdout + result.stderr
    return project
