"""The tables of the report as one workbook, with every number in a cell of its own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from ccp_analysis.report.head import Head
from ccp_analysis.report.marks import origins, parts, plain
from ccp_analysis.report.table import Table
from ccp_analysis.report.traced import Values
from ccp_analysis.report.words import MINUS

CONTENTS = "Contents"
TOP = 4  # rows above the header of a table
WIDE = 48  # characters: widest column
# What stands between the numbers of a cell and needs no place where each has its own.
_WORDS = re.compile(r"(?!\b(?:to|of)\b)\b[^\W\d]{2,}")
_PLANNED = re.compile(rf"{MINUS}?\d[\d,]*(\.\d+)?")
_BETWEEN = re.compile(r"[\s(),;%]*(?:\b(?:to|of)\b)?[\s(),;]*")


def write(
    target: Path, head: Head, tables: dict[str, tuple[str, Table[Any]]], values: Values
) -> None:
    """Write the workbook: a sheet of contents, then one for each table.

    Parameters
    ----------
    target : Path
        The file to write; its bytes hang on nothing but the other parameters.
    head : Head
        Title, kind of data, and the date that the file bears as that of its creation.
    tables : dict
        Name → label, as ``Table 1``, and table with marked cells.
    values : Values
        What the numbers in the cells are at full precision.
    """
    book = xlsxwriter.Workbook(target, {"strings_to_formulas": False, "strings_to_urls": False})
    created = head.moment.replace(tzinfo=None)
    book.set_properties({"title": head.title, "comments": head.data_label, "created": created})
    styles = _Styles(book)
    contents = book.add_worksheet(CONTENTS)
    contents.write_row(0, 0, [head.title], styles.bold)
    contents.write_row(1, 0, [f"Tables of the report; data as of {head.written_date}"])
    contents.write_row(2, 0, [head.data_label], styles.bold)
    contents.write_row(TOP, 0, ["Table", "Name", "Caption"], styles.head)
    contents.set_column(0, 1, 16)
    contents.set_column(2, 2, 100)
    for at, (name, (label, table)) in enumerate(tables.items(), start=TOP + 1):
        sheet = book.add_worksheet(label or name[:31])
        contents.write_url(at, 0, f"internal:'{sheet.name}'!A1", string=sheet.name)
        contents.write_row(at, 1, [name, plain(table.caption)])
        _sheet(sheet, f"{label}. " if label else "", table, values, styles)
    book.close()


class _Styles:
    """Formats of cells, made once each."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._numbers: dict[str, Format] = {}
        self.bold = book.add_format({"bold": True})
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.over = book.add_format({"bold": True, "bottom": 1, "align": "center"})
        self.text = book.add_format({"text_wrap": True, "valign": "top"})
        self.place = book.add_format({"font_color": "#5f6368", "font_size": 8, "valign": "top"})

    def number(self, shown: str) -> Format:
        if shown not in self._numbers:
            self._numbers[shown] = self._book.add_format({"num_format": shown, "valign": "top"})
        return self._numbers[shown]


def _sheet(
    sheet: Worksheet, label: str, table: Table[Any], values: Values, styles: _Styles
) -> None:
    """Write caption, header, a line for each record, the notes, and beside them the places."""
    sheet.write(0, 0, f"{label}{plain(table.caption)}", styles.bold)
    sheet.write_url(1, 0, f"internal:{CONTENTS}!A1", string=CONTENTS)
    at, starts = 0, []
    for place, column in enumerate(table.columns):
        cells = [row[place] or "" for row in table.rows]
        names = _names(cells)
        sheet.write(TOP - 1, at, plain(column.head), styles.head)
        sheet.write_row(TOP, at, names, styles.head)
        wide = min(WIDE, max([8, *map(len, map(plain, cells))]))
        sheet.set_column(at, at + max(1, len(names)) - 1, 14 if names else wide)
        starts.append(at)
        at += max(1, len(names))
    _groups(sheet, table, [*starts, at], styles)
    beside = at + 1
    sheet.write(TOP - 1, beside, "Row of results.csv, or other place, of each", styles.place)
    sheet.set_column(beside, beside + at, 18, None, {"level": 1})
    for line, row in enumerate(table.rows, start=TOP + 1):
        for cell, start in zip(row, starts, strict=True):
            _cell(sheet, line, start, cell or "", values, styles)
            places = [place for place, _ in origins(cell or "")]
            if not _is_numeric(cell or ""):
                places = [" ".join(places)] * bool(places)
            sheet.write_row(line, beside + start, places, styles.place)
    sheet.freeze_panes(TOP + 1, 1)
    for line, note in enumerate(table.notes, start=TOP + 2 + len(table.rows)):
        sheet.write_string(line, 0, plain(note))


def _groups(sheet: Worksheet, table: Table[Any], starts: list[int], styles: _Styles) -> None:
    """Write what columns share over all of them."""
    place = 0
    for group, n in table.spans():
        first, last = starts[place], starts[place + n] - 1
        if group and last > first:
            sheet.merge_range(TOP - 2, first, TOP - 2, last, plain(group), styles.over)
        elif group:
            sheet.write(TOP - 2, first, plain(group), styles.over)
        place += n


@cache
def _is_numeric(cell: str) -> bool:
    """Return whether a cell is made of numbers, with no more than signs between them."""
    found = parts(cell)
    return any(p for p, _ in found) and not any(_WORDS.search(w) for p, w in found if not p)


def _names(cells: list[str]) -> list[str]:
    """Return what the numbers in the cells of a column are, by the cell that has most of them."""
    places = max((origins(cell) for cell in cells if _is_numeric(cell)), key=len, default=[])
    return [_name(place.partition("@")[0]) for place, _ in places]


def _name(place: str) -> str:
    if "+" in place:
        return "count"
    factors = [f.rpartition("/")[2] if "#" in f else f.rpartition(".")[2] for f in place.split("*")]
    return " \N{MULTIPLICATION SIGN} ".join(factors)


def _cell(sheet: Worksheet, line: int, at: int, cell: str, values: Values, styles: _Styles) -> None:
    """Write the numbers of a cell side by side; as text if there are words, or it is a note."""
    found = parts(cell)
    numbers = [values.at(place) for place, _ in found if place]
    if not _is_numeric(cell) or None in numbers:
        if _PLANNED.fullmatch(cell):
            value = float(cell.replace(",", "").replace(MINUS, "-"))
            sheet.write_number(line, at, value, styles.number(_format(cell, "")))
        elif cell:
            sheet.write_string(line, at, plain(cell), styles.text)
        return
    before = ""
    for number, (place, words) in enumerate(found):
        if not place:
            before = words
            continue
        after = next((words for place, words in found[number + 1 : number + 2] if not place), "")
        shown = _format(f"{before.strip(' (,')}{words}" if number == 1 else words, after)
        sheet.write_number(line, at, numbers.pop(0), styles.number(shown))
        at += 1


def _format(text: str, after: str) -> str:
    """Return the number format by which a spreadsheet shows what was printed."""
    digits = re.search(r"\d[\d,]*(?:\.(\d+))?", text)
    if digits is None or text[:1] in "<>":
        return f'"{text}"'
    before = text[: digits.start()].replace(MINUS, "")
    rest = _BETWEEN.sub("", after, count=1).strip(" ()")
    places = f".{'0' * len(digits[1])}" if digits[1] else ""
    first, last = (f'"{part}"' if part else "" for part in (before, rest))
    shown = f"{first}#,##0{places}{last}"
    # Without a sign where none is printed: a number rounded to nothing, or its size alone.
    return shown if MINUS in text else f"{shown};{shown}"
