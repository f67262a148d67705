"""Two made-up studies and their reports."""

from __future__ import annotations

import pytest
from made_up import Folder, make


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
