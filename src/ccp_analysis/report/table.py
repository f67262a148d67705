"""A table of the report, and how it is written as CSV and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from ccp_analysis.files import escaped
from ccp_analysis.report.words import ABSENT, Markdown, escape

Cells = list[str | None]
_LONG, _LONG_TEXT = 20, 3000  # lines, characters: a longer table may break over pages
_WIDE = 400  # dashes of the line under a header: more than pandoc's line, so widths are heeded


@dataclass(frozen=True)
class Table:
    """Cells with what is needed to set them.

    Attributes
    ----------
    caption : str
        What the table shows, without its number.
    header : list of str
        A name for each column.
    rows : list of list
        A cell for each column: text, or None where there is nothing to show.
    align : str
        ``l`` or ``r`` for each column.
    widths : list of int
        Relative widths; of a grouped table without the first column.
    grouped : bool
        Whether the first column groups the second: documents then set it as a line of its own, or
        on the same line where the second cell is empty.
    stub : str
        In a document the name of the first column of a grouped table, if not that of the groups.
    notes : list of str
        Sentences to stand under the table.
    """

    caption: str
    header: list[str]
    rows: list[Cells]
    align: str
    widths: list[int]
    grouped: bool = False
    stub: str = ""
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise ValueError unless every row has a cell for each column."""
        columns = len(self.header)
        wrong = [row for row in self.rows if len(row) != columns]
        if wrong or len(self.align) != columns or len(self.widths) != columns - self.grouped:
            raise ValueError(f"table '{self.caption}': {columns} names, other numbers of cells")


def to_csv(table: Table, data_status: str) -> pd.DataFrame:
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
        Text; what a spreadsheet would take for a formula is `escaped`.
    """
    rows = [[escaped(cell or "") for cell in [*row, data_status]] for row in table.rows]
    return pd.DataFrame(rows, columns=[*map(escaped, table.header), "data_status"])


def to_markdown(table: Table, name: str, label: str) -> Markdown:
    """Return the table as a pandoc pipe table with caption, identifier and notes.

    Parameters
    ----------
    table : Table
        The table.
    name : str
        By which it can be referred to.
    label : str
        What stands before the caption, such as ``Table 1``.

    Returns
    -------
    Markdown
        All cells escaped.
    """
    skip = int(table.grouped)
    align = table.align[skip:]
    total = sum(table.widths)
    rules = [
        (":" if side == "l" else "-") + "-" * round(_WIDE * width / total) + "-:"[side == "r"]
        for width, side in zip(table.widths, align, strict=True)
    ]
    names = [table.stub or table.header[0], *table.header[skip + 1 :]]
    lines = [_line([escape(name) for name in names]), _line(rules)]
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
    caption = f": **{escape(label)}.** {escape(table.caption)} {{#tbl-{name}}}"
    size = sum(len(cell or "") for row in table.rows for cell in row)
    long = " .long" * (len(lines) > _LONG or size > _LONG_TEXT)
    parts = [f"::: {{.tableblock{long}}}", *lines, "", caption]
    if table.notes:
        parts += ["", "::: {.note}", " ".join(escape(note) for note in table.notes), ":::"]
    return Markdown("\n".join([*parts, ":::"]))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
