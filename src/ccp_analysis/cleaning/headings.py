"""Headers over several rows: which of them names the columns, and which look like data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.cleaning.spelling import BLANK, INVALID, reader_of
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import STUDY

MOST = 10  # rows of a header, beside the first, that are looked for
IMPORTED = re.compile(r'\s*\{\s*"ImportId"')  # as Qualtrics writes under its questions


def check_headings(sheet: Sheet, columns: Sequence[Column], key: Column, file: RawFile) -> None:
    """Raise StudyError where the first rows are no data but more of the header.

    Such a row has an identifier of another form than the row behind it, texts that differ from cell
    to cell, and not one valid value where the dictionary expects numbers, dates or codes.
    """
    readers = {
        column.column: reader_of(column, file, sheet.labels.get(column.column))
        for column in columns
        if column.type not in ("id", "text")
    }
    rows = sheet.cells.head(MOST + 1).astype(object)
    above = 0
    for above, row in enumerate(rows.to_dict("records")):  # noqa: B007 - the first that is data
        invalid, valid = set(), 0
        for name, read in readers.items():
            why = read(row[name]).why
            valid += why not in (BLANK, INVALID)
            invalid |= {row[name]} if why == INVALID else set()
        imported = any(IMPORTED.match(str(text)) for text in row.values())
        if valid or not (imported or len(invalid) > 1):
            break
    else:
        return  # not one row that is data: something else is wrong with all of them
    forms = [_form(text) for text in rows[key.column].iloc[: above + 1]]
    if not above or forms[-1] in forms[:-1]:
        return
    first, last = sheet.rows[0], sheet.rows[above - 1]
    which = f"{sheet.word} {first}" if above == 1 else f"{sheet.word}s {first} to {last}"
    where = f"{sheet.path}, sheet '{sheet.name}'" if sheet.name else str(sheet.path)
    raise StudyError(
        f"{where}, {which}: more of the header seems to stand there, and no {key.name}; say "
        f"'header_rows: {file.header_rows + above}' for this file in {STUDY}, or delete what is "
        "not data."
    )


def _form(text: str) -> str:
    """Return the form of an identifier: CP001 is a word and a number."""
    return re.sub("[A-Za-z]+", "A", re.sub("[0-9]+", "9", text.strip()))
