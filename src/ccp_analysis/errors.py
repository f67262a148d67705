"""The one error a user can cause, what the data do not allow, and what the system refuses."""

from __future__ import annotations

import errno


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
