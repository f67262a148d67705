"""What a run of a study starts from and what it makes: the files that its configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ccp_analysis.archive import CHECKSUMS, RESULTS, kept
from ccp_analysis.config.study import Study
from ccp_analysis.config.trial import Trial, configuration_files
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import CODEBOOK, DECISIONS, DOCUMENTS, RELEASED, STUDY
from ccp_analysis.report.catalogue import files_of

CONFIG = Path("config")
RAW = Path("data/raw")
RAW_README = RAW / "README.md"


def input_files(study: Study) -> list[Path]:
    """Return what a run of the study in the current folder starts from: configuration and raw data.

    Parameters
    ----------
    study : Study
        Its raw files have to be there.

    Returns
    -------
    list of Path
        Sorted, relative to the study folder: the files of ``config/`` that are read, the raw files
        that ``config/study.yaml`` names, and what is written beside them in ``README.md``.

    Raises
    ------
    StudyError
        If a file is missing or lies outside the study folder.
    """
    config = {Path(path) for paths in configuration_files().values() for path in paths}
    raw = {file.path for file in study.files.values()}
    for name, file in study.files.items():
        _inside(file.path, f"{STUDY}: the raw file '{name}'", "data/raw/name.csv")
        if not file.path.is_file():
            raise StudyError(f"{file.path}: the raw file is missing; {_to_do()}.")
    for path in sorted(config):
        _inside(path, f"{CONFIG}: the table", "config/name.csv")
        if not path.is_file():
            raise StudyError(f"{path}: the file is missing; the study's configuration names it.")
    return sorted({*config, *raw, *([RAW_README] if RAW_README.is_file() else [])})


def report_files() -> list[Path]:
    """Return the results table, tables, figures and documents that a run of the study makes.

    Raises
    ------
    StudyError
        If one is missing.
    """
    reports = [RESULTS, *files_of(Trial()), *RELEASED, *DOCUMENTS, *CODEBOOK]
    for path in reports:
        if not path.is_file():
            raise StudyError(f"{path}: the file is missing; run `make run` first.")
    return reports


def _to_do() -> str:
    """Return what is to be done about a raw file that is missing."""
    if CHECKSUMS.is_file():
        return (
            f"participants' data are not in this archive, only their checksums ({CHECKSUMS}): put "
            "the files there, or run the synthetic twin under examples/"
        )
    return f"expected by {STUDY}"


def of_people(study: Study) -> list[Path]:
    """Return the input files that hold data of participants: raw data, and decisions on them.

    Parameters
    ----------
    study : Study
        For its raw files.

    Returns
    -------
    list of Path
        Sorted, relative to the study folder.
    """
    raw = {file.path for file in study.files.values()}
    return sorted(raw | ({DECISIONS} if DECISIONS.is_file() else set()))


def _inside(path: Path, what: str, example: str) -> None:
    if path.is_absolute() or ".." in path.parts:
        raise StudyError(
            f"{what} ({path}) lies outside the study folder; expected a path in it, such as "
            f"{example}."
        )


def unnamed_files(named: Iterable[Path]) -> list[Path]:
    """Return what else lies in the folders of configuration and raw data of the current study."""
    return sorted({*kept_files(CONFIG), *kept_files(RAW)} - set(named))


def kept_files(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, without hidden and derived ones.

    Parameters
    ----------
    folder : Path
        A folder; one that is not there holds nothing.

    Returns
    -------
    list of Path
        Sorted; each begins with `folder`. A link to a folder is one of them and is not followed.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if kept(name)]
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name) for name in [*names, *links] if kept(name)]
    return sorted(found)


def refuse_links(paths: Iterable[Path], folder: Path) -> None:
    """Stop where the content of a file does not lie in the folder from which it is packed.

    Parameters
    ----------
    paths : iterable of Path
        Files in the folder.
    folder : Path
        The folder; it may itself be reached by a link.

    Raises
    ------
    StudyError
        Names the first link that leads out of the folder, to another folder, or nowhere.
    """
    top = folder.resolve()
    for path in paths:
        parts = path.relative_to(folder).parts
        steps = (folder.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1))
        link = next((step for step in steps if step.is_symlink()), None)
        if link is None:
            continue
        if not path.resolve().is_relative_to(top):
            fault = f"is a link that leads out of {top}"
        elif path.is_dir():
            fault = "is a link to a folder"
        elif not path.exists():
            fault = "is a link that leads nowhere"
        else:
            continue
        raise StudyError(
            f"{link}: {fault}; an archive holds files of its own folder only: put the file itself "
            "there, or take the link away."
        )
