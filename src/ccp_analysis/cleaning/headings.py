"""Headers over several rows: which of them names the columns, and which look like data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from zipfile import BadZipFile

from ccp_analysis.cleaning.delimited import codec_of
from ccp_analysis.cleaning.sheet import Sheet, check_header, names_of
from ccp_analysis.cleaning.spelling import BLANK, INVALID, reader_of
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile, Study
from ccp_analysis.config.tables import numbered
from ccp_analysis.errors import StudyError, like
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


def check_columns(study: Study, file: str, dictionary: Sequence[Column]) -> None:
    """Raise StudyError where the header of a raw file has not just the dictionary's columns.

    No more than the header is read; a file that cannot be read is left to whoever reads all of it.
    """
    spec = study.files[file]
    if not spec.path.is_file():
        listed = [other.path.name for other in study.files.values()]
        beside = {path.name for path in spec.path.parent.glob("*")}.difference(listed)
        raise StudyError(
            f"{spec.path}: the file is missing; {STUDY} lists it{like(spec.path.name, beside)}; "
            f"put the file there, or correct its path in {STUDY}."
        )
    sharing = {name for name, other in study.files.items() if other.path == spec.path}
    names = list(dict.fromkeys(c.column for c in dictionary if c.file in sharing))
    try:
        where, rows = _header(spec)
    except (OSError, ValueError, KeyError, StudyError, BadZipFile):
        return
    counted = list(enumerate(rows, start=1))
    if counted:
        number, header = names_of(counted[: spec.header_rows], names)
        below = counted[spec.header_rows :]
        check_header(spec.path, where.format(number), header, names, below)


def _header(file: RawFile) -> tuple[str, list[list[str]]]:
    """Return the rows of a header and some below, and how the place of one is said."""
    if file.kind == "csv":
        with file.path.open(encoding=codec_of(file), newline="") as handle:
            found = islice(numbered(file.path, handle, file.separator), file.header_rows + MOST)
            return ", line {}", [row for _, row in found]
    if file.kind == "xlsx":
        import openpyxl  # slow to import, and only where there is a workbook
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            book = openpyxl.load_workbook(file.path, read_only=True)
        except InvalidFileException as error:
            raise ValueError(str(error)) from error
        name = file.sheet or book.sheetnames[0]
        rows = book[name].iter_rows(values_only=True)
        filled = (["" if v is None else str(v) for v in row] for row in rows if any(row))
        top = list(islice(filled, file.header_rows + MOST))
        for row in top:
            while row and not row[-1].strip():
                row.pop()
        return f", sheet '{name}', row {{}}", top
    import pyreadstat  # as openpyxl

    read = {"sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}[str(file.kind)]
    try:
        _, meta = read(str(file.path), metadataonly=True, encoding=file.encoding)
    except pyreadstat.ReadstatError as error:
        raise ValueError(str(error)) from error
    return "", [list(meta.column_names)]


def _form(text: str) -> str:
    """Return the form of an identifier: CP001 is a word and a number."""
    return re.sub("[A-Za-z]+", "A", re.sub("[0-9]+", "9", text.strip()))
