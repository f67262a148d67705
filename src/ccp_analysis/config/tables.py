"""Tables of the configuration, and the one reader of delimited text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ccp_analysis.config.reading import read_text, unshown
from ccp_analysis.errors import StudyError


def numbered(
    path: Path, text: Iterable[str], between: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """Yield every row of delimited text that has content, and the line on which it begins.

    Parameters
    ----------
    path : Path
        Of the file, for sentences.
    text : iterable of str
        Its lines, with their ends.
    between : str
        What stands between cells.

    Raises
    ------
    StudyError
        If the text is not delimited as it should be.
    """
    reader, begin = csv.reader(text, delimiter=between, strict=True), 1
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise StudyError(f"{path}, line {begin}: not readable as CSV ({error}).") from error


def csv_rows(path: Path, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every row with content, the header first, and the line on which it begins.

    Parameters
    ----------
    path : Path
        A CSV file (UTF-8, comma).
    expected : str
        As in `read_text`.

    Raises
    ------
    StudyError
        If the file is missing, is not UTF-8, is empty, is not readable as CSV, or a row has another
        number of cells than the header.
    """
    cells = None
    for begin, row in numbered(path, io.StringIO(read_text(path, expected), newline="")):
        cells = len(row) if cells is None else cells
        if len(row) != cells:
            raise StudyError(
                f"{path}, line {begin}: {len(row)} cells found, {cells} expected as in the header."
            )
        if strange := unshown("".join(row)):
            raise StudyError(f"{path}, line {begin}: {strange}; leave it out.")
        yield begin, row
    if cells is None:
        raise StudyError(f"{path}: the file is empty; expected a header and rows.")


def read_table(
    path: Path, columns: Sequence[str], optional: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a configuration table with their line numbers (the header is line 1).

    Parameters
    ----------
    path : Path
        A CSV file (UTF-8, comma).
    columns : sequence of str
        The columns it must have.
    optional : sequence of str, optional
        The columns it may have beside them; any by default.

    Raises
    ------
    StudyError
        If the file cannot be read (see `csv_rows`), a column is missing or stands twice, or is
        neither expected nor optional.
    """
    rows = csv_rows(path, "expected a CSV file there")
    line, names = next(rows)
    header = [name.strip() for name in names]
    for name in columns:
        if header.count(name) != 1:
            what = "stands twice" if name in header else "is missing from the header"
            raise StudyError(f"{path}, line {line}: column '{name}' {what}.")
    known = None if optional is None else {*columns, *optional}
    for name in header:
        if known is not None and (name not in known or header.count(name) > 1):
            raise StudyError(
                f"{path}, line {line}: column '{name}' is not expected there or stands twice; "
                f"expected {', '.join([*columns, *(optional or ())])}."
            )
    for line, row in rows:
        yield line, dict(zip(header, (cell.strip() for cell in row), strict=True))
