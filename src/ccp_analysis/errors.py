"""The one error a user can cause, and what the data do not allow."""

from __future__ import annotations


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
