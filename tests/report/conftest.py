"""Made-up studies and their reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up import VILE, Folder, make
from support.study import once


def made_up(
    factory: pytest.TempPathFactory, name: str, study: str, queries: int = 0, **other: Any
) -> Folder:
    """Return a made-up study with its report; if wanted, with so many queries and one more."""

    def make_it(folder: Path) -> None:
        study_folder = make(study, folder / "study", **other)
        if queries:
            header, first, *_ = study_folder.text("queries.csv").splitlines()
            more = [first.replace("Q0001", f"Q{n:04d}") for n in range(1, queries + 1)]
            last = more[0].replace("Q0001", f"Q{queries + 1:04d}").replace("note", "error")
            text = "\n".join([header, *more, last]) + "\n"
            (study_folder.path / "queries.csv").write_text(text)
        study_folder.report()

    return Folder(once(factory, name, make_it) / "study")


@pytest.fixture(scope="session")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Synthetic, in clusters, with costs, one follow-up: the finished report."""
    return made_up(tmp_path_factory, "clustered", "clustered")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Public, without clusters, costs, queries or missing values, two follow-ups."""
    return made_up(tmp_path_factory, "plain", "plain")


@pytest.fixture(scope="session")
def vile(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The first one, its primary outcome called what no document may obey, with 31 queries."""
    return made_up(tmp_path_factory, "vile", "clustered", queries=30, label=VILE)
