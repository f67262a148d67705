"""The study in one file with all that made its results, and the check that they come out again."""

from __future__ import annotations

import os
from pathlib import Path

from ccp_analysis.errors import StudyError
from ccp_analysis.study import STUDY, Study

# The code is used from a copy of the repository, where Snakefile and Makefile stand beside src/.
REPOSITORY = Path(__file__).resolve().parents[3]

CONFIG = Path("config")
RAW = Path("data/raw")
RESULTS = Path("reports/results.csv")
ARCHIVED_RESULTS = Path("archived/results.csv")

_HIDDEN = (".", "~")
_DERIVED = ("__pycache__", ".egg-info", ".pyc", "~")


def kept_files(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, without hidden and derived ones.

    Parameters
    ----------
    folder : Path
        A folder; one that is not there holds nothing.

    Returns
    -------
    list of Path
        Sorted; each begins with `folder`. Left out is what begins with ``.`` (``.gitkeep`` apart)
        or ``~``, editors' copies, byte code and the metadata of an installation.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _kept(name)]
        found += [Path(place, name) for name in names if _kept(name)]
    return sorted(found)


def _kept(name: str) -> bool:
    return name == ".gitkeep" or not (name.startswith(_HIDDEN) or name.endswith(_DERIVED))


def input_files(study: Study) -> list[Path]:
    """Return what a run of the study in the current folder starts from: configuration and raw data.

    Parameters
    ----------
    study : Study
        Its raw files have to be there.

    Returns
    -------
    list of Path
        Sorted, relative to the study folder: all of ``config/`` and ``data/raw/``, and the raw
        files that stand elsewhere in the folder.

    Raises
    ------
    StudyError
        If a raw file is missing or lies outside the study folder.
    """
    for name, file in study.files.items():
        if file.path.is_absolute() or ".." in file.path.parts:
            raise StudyError(
                f"{STUDY}: the raw file '{name}' ({file.path}) lies outside the study folder; "
                "expected a path in it, such as data/raw/name.csv."
            )
        if not file.path.is_file():
            raise StudyError(f"{file.path}: the raw file is missing; expected by {STUDY}.")
    raw = {file.path for file in study.files.values()}
    return sorted({*kept_files(CONFIG), *kept_files(RAW), *raw})
