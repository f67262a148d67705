"""What was altered after it was written: set aside before the first job, so that it is made anew.

Dates do not count: every file that a run wrote is compared with the SHA-256 that was kept of it.
What killed runs and verifications left goes too.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ccp_analysis import files
from ccp_analysis.layout import ALTERED, CAPTIONS, RECORDS, RERUN

# What `files.write_whole` leaves where it is killed.
_HALF = re.compile(r"\.[0-9a-f]{16}(\.\w+)?")
# Options with which Snakemake runs nothing.
_LOOKS = re.compile(
    r"-[pFkqr]*[nlSD][pFkqr]*"
    r"|--(dr|lint|list|lt|summary|detailed|dag|d3dag|rulegraph|filegraph|report).*"
)


def only_looks(words: Iterable[str]) -> bool:
    """Return whether Snakemake is asked what it would do, and not to do it.

    Examples
    --------
    >>> [only_looks([word]) for word in ("-n", "-pn", "--dry-run", "--lint", "-jall", "--notemp")]
    [True, True, True, True, False, False]
    """
    return any(_LOOKS.fullmatch(word) for word in words)


def altered() -> Iterator[Path]:
    """Yield the files of the study in the current folder that are not as a run wrote them."""
    for record in sorted(RECORDS.rglob("*.sha256")):
        path = record.relative_to(RECORDS).with_suffix("")
        if path.is_file() and files.digest(path) != files.recorded(record):
            yield path


def noticed() -> list[str]:
    """Return a sentence for each altered file, and leave all as it is."""
    return [
        f"{path}: it was changed after it was written; a run makes it anew." for path in altered()
    ]


def set_aside() -> list[str]:
    """Move altered files of the study in the current folder away, and remove what is left over.

    Returns
    -------
    list of str
        A sentence for each altered file: nothing that somebody wrote is lost.
    """
    said = []
    for path in altered():
        if not path.is_file():  # it went with its folder
            continue
        # A folder that a rule makes as a whole is made anew as a whole.
        moved = CAPTIONS if path.is_relative_to(CAPTIONS) else path
        aside = ALTERED / moved
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        moved.replace(aside)
        said.append(
            f"{path}: it was changed after it was written; what was changed was moved to {aside}, "
            "and the run that needs it makes it anew."
        )
    records = [RECORDS, *(path for path in RECORDS.rglob("*") if path.is_dir())]
    folders = {*records, *(folder.relative_to(RECORDS) for folder in records)}
    for path in (path for folder in folders if folder.is_dir() for path in folder.iterdir()):
        if _HALF.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
    clear()
    return said


def clear() -> None:
    """Remove the folders of verifications that were killed."""
    for folder in RERUN.parent.glob(f"{RERUN.name}*"):
        if (held := hold(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def hold(folder: Path) -> int | None:
    """Lock a folder until this process ends, however it ends; None where another one holds it."""
    import fcntl  # not everywhere, and asked for by verifications alone

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def wanted(made: Callable[[str], bool]) -> list[str]:
    """Return what was set aside and is not there anew: files, or the folder that a rule makes.

    Parameters
    ----------
    made : callable
        Whether a rule makes a file or folder.
    """
    gone = [aside.relative_to(ALTERED) for aside in ALTERED.rglob("*") if aside.is_file()]
    found = (
        next((place for place in (path, *path.parents[:-1]) if made(place.as_posix())), None)
        for path in sorted(gone)
        if not path.exists()
    )
    return list(dict.fromkeys(place.as_posix() for place in found if place))
