"""Reading delimited text: comma, semicolon or tab; UTF-8, Latin-1 or Windows-1252."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from ccp_analysis.cleaning.sheet import Sheet, categorical, check_header, names_of, passed_over
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import RawFile
from ccp_analysis.config.tables import numbered
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import STUDY

LARGE = 5_000_000  # bytes from which on a file in good order is read all at once
ROWS = 20_000  # rows held as Python text at a time
BLOCK = 1 << 20
MOST = 9  # rows under the header among which its names are looked for
ZIPPED, COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
CUT = "does not end with a line break; it may be cut off"
# Cells without quotation marks, or between two of them, with a comma or line break behind each.
ORDERLY = rb'(?:(?:"(?:[^"\r\n]|"")*+"|[^",\r\n]*+)(?:,|\r?\n|$))*+'
CODECS = {"utf-8": "utf-8-sig", "latin-1": "latin-1", "windows-1252": "cp1252"}


@dataclass(frozen=True)
class _Content:
    """What a look at the bytes has shown: size, lines, whether in good order, whether ended.

    In good order is a file whose quotation marks all stand around cells of one line.
    """

    size: int
    lines: int
    orderly: bool
    ended: bool


def read_delimited(file: RawFile, columns: Sequence[str]) -> Sheet:
    """Read a delimited text file without interpreting a single cell.

    Parameters
    ----------
    file : RawFile
        Path, delimiter and encoding (UTF-8, with or without byte order mark, by default).
    columns : sequence of str
        Columns the data dictionary expects.

    Returns
    -------
    Sheet
        Rows without any content are left out.

    Raises
    ------
    StudyError
        If the file is not text of that encoding, has no header or not just the expected columns, is
        not readable as delimited text, or a row has another number of cells than the header.
    """
    content = _look(file)
    with file.path.open(encoding=codec_of(file), newline="") as handle:
        rows = numbered(file.path, handle, file.separator)
        top = list(islice(rows, file.header_rows))
        if not top:
            raise StudyError(f"{file.path}: the file is empty; expected a header and rows.")
        first, header = names_of(top, columns)
        below = list(islice(rows, MOST))
        check_header(file.path, f", line {first}", header, columns, below)
        rows = chain(below, rows)
        table = None
        if content.size >= LARGE and top[-1][0] == 1 and content.orderly:
            table = _all_at_once(file, header, content.lines)
        lines = np.arange(2, content.lines + 1)
        if table is None:
            lines, table = _row_by_row(file, header, rows)
    with ThreadPoolExecutor() as pool:
        each = pool.map if content.size >= LARGE else map
        cells = pd.DataFrame(dict(zip(header, each(categorical, table), strict=True)))
    remarks = passed_over(top, first, below) + (() if content.ended else (CUT,))
    sheet = Sheet(file.path, cells, lines, remarks=remarks)
    return sheet.take(~_blank(cells))


def codec_of(file: RawFile) -> str:
    """Return the codec of a file's letters."""
    return CODECS[file.encoding or "utf-8"]


def _row_by_row(
    file: RawFile, header: list[str], rows: Iterator[tuple[int, list[str]]]
) -> tuple[np.ndarray, list[pa.ChunkedArray]]:
    """Read the rows behind the header; every fault is reported with its line."""
    lines: list[int] = []
    faults: list[str] = []
    parts: list[list[pa.Array]] = [[] for _ in header]
    held: list[list[str]] = []
    for line, row in rows:
        if len(row) != len(header):
            faults.append(
                f"{file.path}, line {line}: {len(row)} cells found, {len(header)} expected as in "
                "the header."
            )
            continue
        lines.append(line)
        held.append(row)
        if len(held) == ROWS:
            _store(parts, held)
    _store(parts, held)
    if faults:
        raise first_of(faults)
    return np.array(lines, dtype=np.int64), [pa.chunked_array(p, pa.string()) for p in parts]


def _store(parts: list[list[pa.Array]], held: list[list[str]]) -> None:
    """Move rows of text into columns."""
    if held:
        for part, column in zip(parts, zip(*held, strict=True), strict=True):
            part.append(pa.array(column, pa.string()))
        held.clear()


def _all_at_once(file: RawFile, header: list[str], lines: int) -> list[pa.ChunkedArray] | None:
    """Read the rows of a large file in which every line is a row; None where one is not.

    Then the rows are read one by one, which is slower and knows the line of every fault.
    """
    kind = pa.dictionary(pa.int32(), pa.string())
    try:
        table = arrow_csv.read_csv(
            file.path,
            arrow_csv.ReadOptions(column_names=header, skip_rows=1, encoding=codec_of(file)),
            arrow_csv.ParseOptions(delimiter=file.separator),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, kind)),
        )
    except pa.ArrowInvalid:
        return None
    return table.columns if table.num_rows == lines - 1 else None


def _blank(cells: pd.DataFrame) -> np.ndarray:
    """Return which rows have no content."""
    blank = np.ones(len(cells), dtype=bool)
    for name in sorted(cells, key=lambda name: len(cells[name].cat.categories)):
        if not blank.any():
            break
        spellings = cells[name].cat.categories
        empty = np.array([not text.strip() for text in spellings], dtype=bool)
        blank &= empty[cells[name].cat.codes.to_numpy()] if len(empty) else True
    return blank


def _look(file: RawFile) -> _Content:
    """Look at the bytes of a file once; StudyError if it is not text of its encoding."""
    path, codec = file.path, codec_of(file)
    name = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1"}[codec]
    decoder = codecs.getincrementaldecoder(codec)()
    order = re.compile(ORDERLY.replace(b",", file.separator.encode()))
    size, breaks, orderly, rest, last = 0, 0, True, b"", b"\n"
    with path.open("rb") as handle:
        if handle.read(len(ZIPPED)) in (ZIPPED, COMPOUND):
            raise StudyError(
                f"{path}: this is a ZIP file or a spreadsheet, not delimited text; say its format "
                f"in {STUDY} if it is one of .xlsx, otherwise save it as text."
            )
        handle.seek(0)
        while block := handle.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line = breaks + error.object[: error.start].count(b"\n") + 1
                raise StudyError(
                    f"{path}, line {line}: not {name} text; expected a file saved as {name}, or "
                    f"its encoding in {STUDY}."
                ) from error
            if b"\x00" in block:
                line = breaks + block[: block.index(b"\x00")].count(b"\n") + 1
                raise StudyError(
                    f"{path}, line {line}: a NUL byte stands there; expected a text file."
                )
            size += len(block)
            breaks += block.count(b"\n")
            lines, rest = _whole_lines(rest + block)
            orderly = orderly and (b'"' not in lines or order.fullmatch(lines) is not None)
            last = block[-1:]
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise StudyError(
                f"{path}, line {breaks + 1}: not {name} text; the file ends within a letter."
            ) from error
    orderly = orderly and (b'"' not in rest or order.fullmatch(rest) is not None)
    return _Content(size, breaks + (last != b"\n"), orderly, last in (b"\n", b"\r"))


def _whole_lines(block: bytes) -> tuple[bytes, bytes]:
    """Return the lines that are complete, and what stands behind them."""
    end = block.rfind(b"\n") + 1
    return block[:end], block[end:]
