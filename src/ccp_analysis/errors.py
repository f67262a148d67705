"""The one error a user can cause."""

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
