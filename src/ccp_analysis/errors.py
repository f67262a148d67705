"""The one error a user can cause, what the data do not allow, and what the system refuses.

And how many names and faults a sentence and the screen hold.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Collection, Iterable, Sequence

SHOWN = 20  # names in a sentence, and faults on the screen, at most
COMPARED = 10_000  # names among which the one most like another is looked for, at most


class StudyError(Exception):
    """Something in the study's files is not as it must be.

    The message is what the user reads: one plain sentence that says what is wrong, where, and what
    was expected.

    Parameters
    ----------
    message : str
        The sentence.
    faults : sequence of str, optional
        Every fault found, one line each, where there are more than the sentence can name; they go
        to the log.
    """

    def __init__(self, message: str, faults: list[str] | tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = list(faults)


class RefusedError(ValueError):
    """The data leave no inference: a row has the status refused, and a primary analysis stops.

    The message is the note of the row.
    """


def few(names: Iterable[object], between: str = ", ") -> str:
    """Return names with commas between them; of many the first ones, and how many more there are.

    Examples
    --------
    >>> from ccp_analysis.errors import few
    >>> few(["c", "t"])
    'c, t'
    >>> few(range(103))[-16:]
    '19 and 83 more'
    """
    texts = [str(name) for name in names]
    more = f" and {len(texts) - SHOWN:,} more" if len(texts) > SHOWN else ""
    return between.join(texts[:SHOWN]) + more


def like(name: str, known: Collection[str]) -> str:
    """Say which of the known names another is most like; empty where it is like none."""
    if len(known) > COMPARED:  # each comparison takes its time
        return ""
    folded = {text.casefold(): text for text in sorted(known, reverse=True)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; most like it: '{folded[found[0]]}'" if found else ""


def first_few(faults: Sequence[str], log: str) -> list[str]:
    """Return what the screen holds of faults, and how many more there are in a log."""
    more = len(faults) - SHOWN
    said = [f"and {more:,} more; all of them are in {log}"] if more > 0 else []
    return [*faults[:SHOWN], *said]


def status_of(error: ValueError) -> str:
    """Return the status of a row that stands for an error."""
    return "refused" if isinstance(error, RefusedError) else "failed"


_RIGHTS = (
    "give the account that runs this the right to read there, and to write in the study folder"
)
# Why the operating system refuses a file, and what to do.
REFUSED = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "copy the study folder to where files can be written",
    errno.ENOSPC: "make room on the disk and run it again",
    errno.EDQUOT: "make room on the disk and run it again",
    errno.EIO: "the disk or its connection fails; copy the study folder elsewhere",
}


def denied(error: OSError) -> str:
    """Return the sentence for a file that the operating system does not let be read or written."""
    where = f"{error.filename}: " if error.filename else ""
    advice = REFUSED.get(error.errno or 0, "see to it and run it again")
    return f"{where}{error.strerror or error}; {advice}."
