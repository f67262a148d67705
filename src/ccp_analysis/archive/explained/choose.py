"""Words that pick one row of the results."""

from __future__ import annotations

from collections.abc import Sequence

from ccp_analysis.archive.explained.facts import Row
from ccp_analysis.errors import StudyError, like
from ccp_analysis.groups import name_of

# In which columns a word is looked for, in this order.
COLUMNS = (
    *("analysis", "outcome", "term", "visit", "level", "subgroup", "perspective", "threshold"),
    *("delta", "inference", "population", "model", "scale", "estimand", "status"),
)
LISTED = 20  # candidates that are shown


class Several(StudyError):
    """More than one row has all the words; `lines` list them."""

    def __init__(self, sentence: str, lines: list[str]) -> None:
        super().__init__(sentence)
        self.lines = lines


def text_of(row: Row, column: str) -> str:
    """Return a cell as it is asked for: a number without needless decimals."""
    value = row[column]
    return "" if value is None else name_of(value)


def chosen(rows: dict[str, Row], words: Sequence[str]) -> Row:
    """Return the one row that some words pick.

    Parameters
    ----------
    rows : dict
        Id → row.
    words : sequence of str
        An id; or words of a row, each that of one column, or ``column=word``. Words that follow one
        another may be one value, as ``adjusted mean``. A word is taken for the first of `COLUMNS`
        that has it among the rows that are left.

    Raises
    ------
    Several
        If more than one row is left.
    StudyError
        If none is left; it says which word is like one that there is.
    """
    if not words:
        raise StudyError(
            "which number? Give its id, the column 'row' of reports/results.csv, or words of it, "
            "as in: explain ancova social_capital difference."
        )
    if len(words) == 1 and words[0] in rows:
        return rows[words[0]]
    left, rest, taken = list(rows.values()), list(words), set[str]()
    while rest:
        for length in range(len(rest), 0, -1):
            found = _matching(left, " ".join(rest[:length]), taken)
            if found:
                column, left = found
                taken.add(column)
                rest = rest[length:]
                break
        else:
            raise StudyError(_unknown(list(rows.values()), rest[0], words))
    if len(left) > 1:
        raise Several(
            f"{len(left)} numbers have all of these words; give the id of one, or a word more.",
            _listed(left),
        )
    return left[0]


def _matching(rows: list[Row], word: str, taken: set[str]) -> tuple[str, list[Row]] | None:
    """Return the column in which a word stands, and the rows that have it there."""
    name, equals, value = word.partition("=")
    columns = [name] if equals and name in COLUMNS else [c for c in COLUMNS if c not in taken]
    asked = value if equals and name in COLUMNS else word
    for column in columns:
        found = [row for row in rows if text_of(row, column).casefold() == asked.casefold()]
        if found:
            return column, found
    return None


def _unknown(rows: list[Row], word: str, words: Sequence[str]) -> str:
    """Say that nothing has a word, and what is like it."""
    asked = word.rpartition("=")[2]
    known = {text_of(row, column) for row in rows for column in COLUMNS} - {""}
    if asked.casefold() in {name.casefold() for name in known}:
        return f"no number has all of these words: {', '.join(words)}."
    known |= {row["row"] for row in rows}
    return f"'{asked}' is no word of the results, and no id of a row{like(asked, known)}."


def _listed(rows: list[Row]) -> list[str]:
    """Return a line for each candidate: its id, and what tells it apart."""
    apart = [c for c in COLUMNS if len({text_of(row, c) for row in rows}) > 1]

    def told(row: Row) -> str:
        return ", ".join(f"{c} {text}" if (text := text_of(row, c)) else f"no {c}" for c in apart)

    lines = [f"{row['row']}  {told(row)}" for row in rows[:LISTED]]
    return lines + [f"and {len(rows) - LISTED} more"] * (len(rows) > LISTED)
