"""Fixtures of the archiving tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_repository import make_repository

from ccp_analysis import archive as package


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the small repository; it is the current one."""
    folder = make_repository(tmp_path / "repository")
    monkeypatch.setattr(package, "REPOSITORY", folder)
    monkeypatch.chdir(folder)
    return folder
