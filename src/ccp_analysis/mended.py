"""What was altered after it was written: set aside before the first job, so that it is made anew.

Dates do not count: every file that a run wrote is compared with the SHA-256 that was kept of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

from ccp_analysis import files
from ccp_analysis.layout import ALTERED, CAPTIONS, RECORDS

# What `files.write_whole` leaves where it is killed.
_HALF = re.compile(r"\.[0-9a-f]{16}(\.\w+)?")


def set_aside() -> list[str]:
    """Move altered files of the study in the current folder away, and remove half-written ones.

    Returns
    -------
    list of str
        A sentence for each altered file: nothing that somebody wrote is lost.
    """
    said, folders = [], {RECORDS}
    for record in sorted(RECORDS.rglob("*.sha256")):
        path = record.relative_to(RECORDS).with_suffix("")
        folders |= {path.parent, record.parent}
        if not path.is_file() or files.digest(path) == files.recorded(record):
            continue
        # A folder that a rule makes as a whole is made anew as a whole.
        moved = CAPTIONS if path.is_relative_to(CAPTIONS) else path
        aside = ALTERED / moved
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        moved.replace(aside)
        said.append(
            f"{path}: it was changed after it was written; it is made anew, and what was changed "
            f"was moved to {aside}."
        )
    for path in (path for folder in folders if folder.is_dir() for path in folder.iterdir()):
        if _HALF.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
    return said


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
