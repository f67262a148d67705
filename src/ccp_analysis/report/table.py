"""A table of the report, and how it is written as CSV and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

import pandas as pd

from ccp_analysis.files import escaped
from ccp_analysis.layout import TABLES, WORKBOOK
from ccp_analysis.report.marks import origins, plain
from ccp_analysis.report.words import ABSENT, Markdown, escape, listed

Cells = list[str | None]
R = TypeVar("R")
_LONG, _LONG_TEXT = 20, 1500  # lines, characters: a longer table may break over pages
_FACTORS = re.compile(r"[+*]|@.*")
_WIDE = 400  # dashes of the line under a header: more than pandoc's line, so widths are heeded


@dataclass(frozen=True)
class Column(Generic[R]):
    """A column of a table.

    Attributes
    ----------
    head : str
        Its name.
    cell : callable
        Returns what stands in it for a record: text, or None where there is nothing to show.
    width : int
        Relative to the others; of the first column of a grouped table none is needed.
    side : {"l", "r"}
        Where the text stands: numbers on the right.
    group : str
        What it shares with its neighbours of the same group, over which that stands once.
    """

    head: str
    cell: Callable[[R], str | None]
    width: int = 0
    side: Literal["l", "r"] = "r"
    group: str = ""

    @property
    def name(self) -> str:
        """Its name where it stands alone."""
        return f"{self.group}, {self.head}" if self.group else self.head


@dataclass(frozen=True)
class Table(Generic[R]):
    """Records with what is needed to set them.

    Attributes
    ----------
    caption : str
        What the table shows, without its number.
    columns : list of Column
        From left to right.
    records : list
        A line for each.
    grouped : bool
        Whether the first column groups the second: documents then set it as a line of its own, or
        on the same line where the second cell is empty.
    stub : str
        In a document the name of the first column of a grouped table, if not that of the groups.
    notes : list of str
        Sentences to stand under the table.
    """

    caption: str
    columns: list[Column[R]]
    records: list[R]
    grouped: bool = False
    stub: str = ""
    notes: list[str] = field(default_factory=list)

    @cached_property
    def rows(self) -> list[Cells]:
        """A cell for each record and column."""
        return [[column.cell(record) for column in self.columns] for record in self.records]

    def places(self) -> list[str]:
        """Return the places of all numbers in cells and notes, each once, in their order."""
        texts = [cell for row in self.rows for cell in row if cell] + [*self.header, *self.notes]
        return list(dict.fromkeys(place for text in texts for place, _ in origins(text)))

    @property
    def header(self) -> list[str]:
        """The name of each column."""
        return [column.name for column in self.columns]

    def spans(self, skip: int = 0) -> list[tuple[str, int]]:
        """Return, from left to right, groups of columns and how many are in each, or none and 1."""
        found: list[tuple[str, int]] = []
        for column in self.columns[skip:]:
            if column.group and found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found


def saying(columns: list[Column[R]], records: Iterable[R]) -> list[R]:
    """Return the records of which any of the columns has something to show."""
    return [record for record in records if any(column.cell(record) for column in columns)]


def to_csv(table: Table[Any], data_status: str) -> pd.DataFrame:
    """Return the table as it is written as CSV.

    Parameters
    ----------
    table : Table
        Cells as the report shows them.
    data_status : str
        synthetic, public or real: the last column.

    Returns
    -------
    pandas.DataFrame
        Text; what a spreadsheet would take for a formula is `escaped`. A table without rows says
        so, and of what kind of data.
    """
    there = table.rows or [["none", *[None] * (len(table.columns) - 1)]]
    rows = [[escaped(plain(cell or "")) for cell in [*row, data_status]] for row in there]
    header = [escaped(plain(name)) for name in table.header]
    return pd.DataFrame(rows, columns=[*header, "data_status"])


def to_markdown(table: Table[Any], name: str, label: str, files: bool = True) -> Markdown:
    """Return the table as a pandoc pipe table with caption, identifier and notes.

    Parameters
    ----------
    table : Table
        The table.
    name : str
        By which it can be referred to.
    label : str
        What stands before the caption, such as ``Table 1``.
    files : bool, optional
        Whether it is also written as CSV and in the workbook, to which it then leads.

    Returns
    -------
    Markdown
        All cells escaped.
    """
    skip = int(table.grouped)
    set_out = table.columns[skip:]
    total = sum(column.width for column in set_out)
    rules = [
        (":" if column.side == "l" else "-")
        + "-" * round(_WIDE * column.width / total)
        + "-:"[column.side == "r"]
        for column in set_out
    ]
    names = [table.stub or table.columns[0].head, *(c.head for c in table.columns[skip + 1 :])]
    spans = table.spans(skip)
    spanned = any(group for group, _ in spans)
    # Pandoc's Markdown has one line of names: report.lua makes two of it and of the first row.
    over = [escape(group if at == 0 else "") for group, n in spans for at in range(n)]
    below = _line([escape(name) for name in names])
    lines = [_line(over), _line(rules), below] if spanned else [below, _line(rules)]
    group = None
    for row in table.rows:
        cells = [escape(ABSENT if cell is None else cell) for cell in row]
        if table.grouped:
            first, item, *rest = cells
            if item and first != group:
                lines.append(_line([first, *[""] * (len(rest))]))
            indented = Markdown("\\ \\ \\ " + item) if item else first
            cells, group = [indented, *rest], first
        lines.append(_line(cells))
    wide = f' spans="{" ".join(str(n) if group else "0" for group, n in spans)}"' * spanned
    caption = f": **{escape(label)}.** {escape(table.caption)} {{#tbl-{name}{wide}}}"
    size = sum(len(plain(cell or "")) for row in table.rows for cell in row)
    long = " .long" * (len(lines) > _LONG or size > _LONG_TEXT)
    parts = [f"::: {{.tableblock{long}}}", *lines, "", caption]
    if table.notes:
        parts += ["", "::: {.note}", " ".join(escape(note) for note in table.notes), ":::"]
    if places := table.places():
        parts += ["", ":::: {.print-only}", "::: {.rows}", _rows(places), ":::", "::::"]
    if files:
        parts += ["", ":::: {.html-only}", "::: {.downloads}", _downloads(name, label)]
        parts += [":::", "::::"]
    return Markdown("\n".join([*parts, ":::"]))


def _rows(places: list[str]) -> Markdown:
    """Say for print from which rows of the results, and which other files, the numbers are."""
    factors = [f for place in places for f in _FACTORS.split(place) if f and not f.isdigit()]
    rows = dict.fromkeys(f.partition(".")[0] for f in factors if "#" not in f)
    others = dict.fromkeys(f.partition("#")[0] for f in factors if "#" in f)
    said = [f"Rows: {' '.join(rows)}."] * bool(rows)
    said += [f"From {listed(list(others))}."] * bool(others)
    return escape(" ".join(said))


def _downloads(name: str, label: str) -> str:
    here = f"{TABLES.name}/{name}.csv"
    return f"[{label} as CSV]({here}) [all tables as a workbook]({WORKBOOK.name})"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
