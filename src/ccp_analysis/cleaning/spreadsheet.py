"""Reading a sheet of an XLSX workbook, as text."""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from ccp_analysis.cleaning.sheet import (
    Note,
    Sheet,
    categorical_of,
    check_header,
    names_of,
    passed_over,
)
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import STUDY

COMPOUND = b"\xd0\xcf\x11\xe0"  # how files of the older Office formats begin
# What openpyxl raises for files that are no workbooks, or broken ones.
BROKEN = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)


FORMULA = "formulas, read as last computed"
MOST = 9  # rows under the header among which its names are looked for
Rows = list[tuple[int, list[str]]]


def text_of(value: object) -> str:
    """Return a cell's content as text: whole numbers without a fraction, dates as in 2020-01-31.

    Parameters
    ----------
    value : object
        As a reader of spreadsheets or statistical files gives it; None and NaN are empty.

    Returns
    -------
    str
        Numbers with the fewest digits that give the same number back.
    """
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(value).upper()
    if isinstance(value, float | np.floating):
        number = float(value)
        if number != number:
            return ""
        whole = number.is_integer() and abs(number) < 1e15
        return str(int(number)) if whole else repr(number)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, ArrayFormula | DataTableFormula):
        return getattr(value, "text", None) or "="
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def read_spreadsheet(file: RawFile, columns: Sequence[str]) -> Sheet:
    """Read a sheet without interpreting a single cell.

    A formula is what the program that saved the file has computed; otherwise it is its own text.

    Parameters
    ----------
    file : RawFile
        Path, and the sheet where there are several.
    columns : sequence of str
        Columns the data dictionary expects.

    Returns
    -------
    Sheet
        Rows without any content are left out.

    Raises
    ------
    StudyError
        If the file is no workbook, the sheet is not there or not named, has no header or not just
        the expected columns, or a cell stands beside them.
    """
    with warnings.catch_warnings():
        # Extensions that openpyxl does not know; dates out of range, which it gives as an error.
        warnings.simplefilter("ignore")
        # The file is opened here, so that it is closed whatever openpyxl makes of it.
        with file.path.open("rb") as handle:
            try:
                book = openpyxl.load_workbook(handle, read_only=True, data_only=False)
            except BROKEN as error:
                raise StudyError(_unreadable(file.path, handle)) from error
            name = _sheet(file, book.sheetnames)
            rows = list(_rows(file.path, name, book[name]))
            try:
                formulas = _formulas(handle, name, rows)
            except BROKEN as error:
                raise StudyError(
                    f"{file.path}, sheet '{name}': the values of its formulas are damaged."
                ) from error
            # What formulas leave empty is a row without content, too.
            rows = [(number, row) for number, row in rows if any(text.strip() for text in row)]
            top, rows = rows[: file.header_rows], rows[file.header_rows :]
    if not top:
        raise StudyError(
            f"{file.path}, sheet '{name}': the sheet is empty; expected a header and rows."
        )
    sheet = _table(file.path, name, top, rows, columns)
    notes = [
        Note(list(sheet.cells)[at], len(cells), *cells[0], FORMULA)
        for at, cells in sorted(formulas.items())
    ]
    return replace(sheet, notes=tuple(notes))


def _formulas(
    handle: BinaryIO, name: str, rows: list[tuple[int, list[str]]]
) -> dict[int, list[tuple[str, str]]]:
    """Put in place of formulas what was last computed; return position → formulas and values.

    A formula that no program has computed stays its own text.
    """
    found: dict[int, list[tuple[str, str]]] = {}
    if not any(text.startswith("=") for _, row in rows[1:] for text in row):
        return found
    sheet = openpyxl.load_workbook(handle, read_only=True, data_only=True)[name]
    sheet.reset_dimensions()
    cells = dict(enumerate(sheet.iter_rows(), start=1))
    for number, row in rows[1:]:
        for at, text in enumerate(row):
            if text.startswith("="):
                cell = cells[number][at]
                # An empty text is a value as well: that of =IF(B2="","",B2*2).
                has_value = cell.value is not None or cell.data_type == "str"
                row[at] = text_of(cell.value) if has_value else text
                if row[at] != text:
                    found.setdefault(at, []).append((text, row[at]))
    return found


def _unreadable(path: Path, handle: BinaryIO) -> str:
    """Return the sentence for what is no XLSX workbook; an older one or a locked one begins so."""
    handle.seek(0)
    if handle.read(len(COMPOUND)) == COMPOUND:
        return (
            f"{path}: this is a workbook of the older format (.xls) or has a password; open it and "
            "save it as .xlsx without one."
        )
    return (
        f"{path}: not readable as an XLSX workbook; expected one that a spreadsheet program has "
        "saved."
    )


def _sheet(file: RawFile, names: list[str]) -> str:
    if file.sheet is not None and file.sheet not in names:
        raise StudyError(
            f"{file.path}: there is no sheet '{file.sheet}'; expected one of {few(names)}."
        )
    if file.sheet is None and len(names) != 1:
        raise StudyError(
            f"{file.path}: {len(names)} sheets found ({few(names)}); {STUDY} must say which "
            "(sheet: …)."
        )
    return file.sheet or names[0]


def _rows(path: Path, name: str, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        if not hasattr(sheet, "reset_dimensions"):
            raise StudyError(f"{path}, sheet '{name}': a sheet of cells is expected, not a chart.")
        sheet.reset_dimensions()
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            row = [text_of(value) for value in values]
            while row and not row[-1].strip():
                row.pop()
            if row:
                yield number, row
    except BROKEN as error:
        raise StudyError(
            f"{path}, sheet '{name}', row {number + 1}: the workbook is damaged from there on."
        ) from error


def _table(path: Path, name: str, top: Rows, rows: Rows, columns: Sequence[str]) -> Sheet:
    first, header = names_of(top, columns)
    place = f", sheet '{name}', row"
    check_header(path, f"{place} {first}", header, columns, rows[:MOST])
    wide = len(header)
    faults = [
        f"{path}{place} {number}: {len(row)} cells found, {wide} expected as in the header."
        for number, row in rows
        if len(row) > wide
    ]
    if faults:
        raise first_of(faults)
    filled = [row + [""] * (wide - len(row)) for _, row in rows]
    texts = zip(*filled, strict=True) if filled else [[] for _ in header]
    cells = pd.DataFrame(
        {column: categorical_of(text) for column, text in zip(header, texts, strict=True)}
    )
    numbers = np.array([n for n, _ in rows], np.int64)
    remarks = passed_over(top, first, rows[:MOST])
    return Sheet(path, cells, numbers, name=name, word="row", remarks=remarks)
