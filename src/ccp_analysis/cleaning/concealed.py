"""What a spreadsheet shows otherwise than it is: merged cells, hidden rows, columns and sheets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import IO
from xml.parsers import expat

import numpy as np
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.cell import get_column_letter, range_boundaries

from ccp_analysis.cleaning.sheet import Mark, Sheet, spans
from ccp_analysis.cleaning.spreadsheet import BROKEN
from ccp_analysis.errors import StudyError, few

BLOCK = 1 << 20
WIDEST = 16_384  # columns of a sheet


@dataclass
class _Look:
    """What the sheet's own description says: ranges, and numbers from 1."""

    merged: list[tuple[int, ...]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    filtered: bool = False
    row: int = 0

    def start(self, tag: str, of: dict[str, str]) -> None:
        """Take note of an element that begins."""
        name = tag.rpartition(":")[2]
        hidden = of.get("hidden") in ("1", "true")
        if name == "row":
            self.row = int(float(of.get("r", self.row + 1)))
            if hidden:
                self.rows.append(self.row)
        elif name == "col" and hidden:
            self.columns += range(int(of["min"]), min(int(of["max"]), WIDEST) + 1)
        elif name == "mergeCell":
            self.merged.append(tuple(map(int, range_boundaries(of["ref"]))))
        elif name == "autoFilter":
            self.filtered = True


def look(sheet: Sheet) -> Sheet:
    """Return a sheet of a workbook with what its file conceals.

    Parameters
    ----------
    sheet : Sheet
        As it was read, all columns from the first.

    Returns
    -------
    Sheet
        With a mark for the cells of merged ranges that hold nothing, all but the first, and remarks
        on rows, columns or a sheet that somebody has hidden; they are read like the others.

    Raises
    ------
    StudyError
        If the workbook is damaged.
    """
    found = _Look()
    try:
        state = _see(sheet, found)
    except (*BROKEN, expat.ExpatError) as error:
        raise StudyError(
            f"{sheet.path}, sheet '{sheet.name}': the workbook is damaged where it says what is "
            "merged and hidden; save it again in a spreadsheet program."
        ) from error
    remarks = list(_hidden(sheet, found))
    if state != "visible":
        remarks.insert(0, f"the sheet '{sheet.name}' is hidden; it is read like any other")
    marks = tuple(_merged(sheet, found.merged))
    return replace(sheet, marks=sheet.marks + marks, remarks=(*sheet.remarks, *remarks))


def _see(sheet: Sheet, found: _Look) -> str:
    """Look at a sheet in its file; return its state: visible or hidden."""
    with sheet.path.open("rb") as handle:
        reader = ExcelReader(handle, read_only=True)
        reader.read_manifest()
        reader.read_workbook()
        state, target = next(
            (part.state, of.target)
            for part, of in reader.parser.find_sheets()
            if part.name == sheet.name
        )
        with reader.archive.open(target) as source:
            _parse(source, found)
    return str(state)


def _parse(source: IO[bytes], found: _Look) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = found.start
    while block := source.read(BLOCK):
        parser.Parse(block, False)
    parser.Parse(b"", True)


def _merged(sheet: Sheet, ranges: Sequence[tuple[int, ...]]) -> Iterator[Mark]:
    """Yield the cells that lose what somebody sees in them, range by range and column by column."""
    for left, top, right, bottom in ranges:
        if _blank(sheet, top, left):
            continue
        name = f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"
        for number in range(left, min(right, len(sheet.cells.columns)) + 1):
            first = top + 1 if number == left else top
            rows = sheet.rows[(sheet.rows >= first) & (sheet.rows <= bottom)]
            if len(rows):
                column = str(sheet.cells.columns[number - 1])
                rule = f"inside the merged cells {name}, of which only the first holds a value"
                yield Mark(column, rule, frozenset(rows.tolist()))


def _blank(sheet: Sheet, row: int, number: int) -> bool:
    """Whether the cell that a merged range shows holds nothing, as far as it is one of the data."""
    at = np.flatnonzero(sheet.rows == row)
    inside = len(at) and number <= len(sheet.cells.columns)
    return bool(inside and not str(sheet.cells.iat[at[0], number - 1]).strip())


def _hidden(sheet: Sheet, found: _Look) -> Iterator[str]:
    rows = sheet.rows[np.isin(sheet.rows, found.rows)].tolist()
    if rows:
        why = " (a filter is on)" if found.filtered else ""
        word = "row" if len(rows) == 1 else "rows"
        yield f"hidden {word}{why}, read like the others: {spans(rows)}"
    names = [str(sheet.cells.columns[n - 1]) for n in found.columns if n <= sheet.cells.shape[1]]
    if names:
        word = "column" if len(names) == 1 else "columns"
        yield f"hidden {word}, read like the others: {few(names)}"
