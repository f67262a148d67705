"""Columns too much of which is not valid: they stop the run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ccp_analysis.cleaning.decode import OUTSIDE
from ccp_analysis.cleaning.limits import range_of
from ccp_analysis.cleaning.spelling import EXPECTED, INVALID
from ccp_analysis.cleaning.table import RawTable, tally
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import Study
from ccp_analysis.errors import few
from ccp_analysis.layout import DICTIONARY, STUDY

EXAMPLES = 3
DAY_FIRST = r"^\s*[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{4}"
LONG = 40  # letters of an example


def check_valid(study: Study, tables: dict[str, RawTable]) -> None:
    """Stop where more of a column is not valid than `Study.invalid` allows.

    Parameters
    ----------
    study : Study
        The limit.
    tables : dict
        File id → `RawTable`, with the corrections of decisions.

    Raises
    ------
    StudyError
        Names the first column, how many of its filled cells are not valid, and some of them;
        `faults` lists all columns.
    """
    faults = [fault for table in tables.values() for fault in _faults(study, table)]
    if faults:
        raise first_of(faults)


def _faults(study: Study, table: RawTable) -> Iterator[str]:
    for column in table.columns:
        why = table.why[column.variable]
        found = tally(why)
        n = found.get(INVALID, 0) + found.get(OUTSIDE, 0)
        if n >= study.invalid.cells and n > study.invalid.share * (
            filled := n + int(table.values[column.variable].notna().sum())
        ):
            invalid, sheet = why.isin([INVALID, OUTSIDE]).to_numpy(), table.sheet
            name = f", sheet '{sheet.name}'" if sheet.name else ""
            hint = _hint(table, column, invalid)
            yield (
                f"{sheet.path}{name}, column '{column.column}': {n} of {filled} filled cells are "
                f"not valid{_examples(table, column, invalid)}; expected {_expected(column)}. "
                f"Change {DICTIONARY} or what {STUDY} says of the file{hint}, or raise its limit "
                "(invalid) to go on with these cells missing."
            )


def _examples(table: RawTable, column: Column, invalid: np.ndarray) -> str:
    """Quote some different cells with their places; nothing where they may not be repeated."""
    sheet, at = table.sheet, np.flatnonzero(invalid)[::-1]
    if column.hidden:
        return f", the first in {sheet.word} {sheet.rows[at[-1]]}"
    first = dict(zip(sheet.found(at, column.column), sheet.rows[at], strict=True))
    places = sorted((row, text) for text, row in first.items())[:EXAMPLES]
    quoted = [f"'{_short(text)}' ({sheet.word} {row})" for row, text in places]
    return f", as {', '.join(quoted)}"


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _expected(column: Column) -> str:
    if column.codes:
        return f"one of the codes {few(column.codes)}"
    limits = (column.minimum, column.maximum)
    within = "" if limits == (None, None) else f" within {range_of(*limits)}"
    return EXPECTED[column.type] + within


def _hint(table: RawTable, column: Column, invalid: np.ndarray) -> str:
    """Say what to declare where it is commas, or days before months, that are not valid."""
    texts = table.sheet.cells[column.column][invalid]
    if column.type == "date" and texts.str.contains(DAY_FIRST).mean() > 0.5:
        late = texts.astype("str").str.extract(r"^\s*[0-9]+[/-]([0-9]+)", expand=False)
        if (late.dropna().astype(int) > 12).any():  # no month: the month stands first
            return ", write the month between year and day"
        return " (dates: day-first)"
    marks = texts.str.contains(",", regex=False)
    commas = column.type in ("number", "integer", "ordinal") and marks.mean() > 0.5
    return " (decimal: comma, or either)" if commas else ""
