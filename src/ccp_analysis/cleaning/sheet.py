"""A raw file as it was read: every cell text, every row with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from ccp_analysis.config.reading import first_of
from ccp_analysis.errors import SHOWN, StudyError, few, like
from ccp_analysis.layout import DICTIONARY, STUDY

STRINGS = pd.StringDtype(na_value=np.nan)
Rows = Sequence[tuple[int, Sequence[str]]]
QUOTED = 40  # letters of a cell that a remark quotes


class Note(NamedTuple):
    """How all cells of one form in a column were read: how many, and one of them."""

    column: str
    n: int
    found: str
    value: str
    rule: str


class Mark(NamedTuple):
    """Empty cells of a column that look filled in the program that wrote the file, and why."""

    column: str
    rule: str
    rows: frozenset[int]


@dataclass(frozen=True)
class Sheet:
    """A raw file, or the sheet of one, before anything is interpreted.

    Attributes
    ----------
    path : Path
        The file.
    cells : pandas.DataFrame, shape (n, columns)
        Text exactly as it stands there, one categorical column for each raw column: a spelling is
        kept, and later read, once however often it occurs.
    rows : numpy.ndarray of int, shape (n,)
        Where each row stands: line in a CSV file (the header is line 1), row in a spreadsheet,
        case in a statistical file.
    name : str
        Name of the sheet; empty where the format has none.
    word : str
        What a row is called: line, row or case.
    labels : dict
        Column → text of a cell → its value label, where the file has any.
    missing : dict
        Column → text of a cell → reason, for values that the file itself declares missing.
    hidden : frozenset of str
        Columns whose contents may be repeated nowhere.
    participant : pandas.Series, shape (n,)
        Identifier of each row; empty text until it is known.
    remarks : tuple of str
        What is strange about the file as a whole.
    notes : tuple of Note
        What the reader of the file has read otherwise than it stands there.
    marks : tuple of Mark
        Cells that lose what somebody sees in them.
    """

    path: Path
    cells: pd.DataFrame
    rows: np.ndarray
    name: str = ""
    word: str = "line"
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    participant: pd.Series | None = None
    remarks: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    marks: tuple[Mark, ...] = ()

    def take(self, keep: np.ndarray) -> Sheet:
        """Return the sheet with some of its rows.

        Parameters
        ----------
        keep : numpy.ndarray of bool, shape (n,)
            Which.
        """
        if keep.all():
            return self
        who = None if self.participant is None else self.participant[keep].reset_index(drop=True)
        cells = self.cells[keep].reset_index(drop=True)
        return replace(self, cells=cells, rows=self.rows[keep], participant=who)

    def place(self, position: int, column: str = "") -> str:
        """Return words for a place: file, sheet, row and column."""
        sheet = f", sheet '{self.name}'" if self.name else ""
        what = f", column '{column}'" if column else ""
        return f"{self.path}{sheet}, {self.word} {self.rows[position]}{what}"

    def found(self, where: np.ndarray, column: str) -> np.ndarray:
        """Return the texts of a column at some positions; empty where they may not be repeated."""
        if not column or column in self.hidden:
            return np.full(len(where), "", dtype=object)
        return self.cells[column].array[where].astype(object)


def categorical(chunks: pa.ChunkedArray) -> pd.Categorical:
    """Return text as a categorical: codes, and each spelling once.

    Parameters
    ----------
    chunks : pyarrow.ChunkedArray
        Text without missing values, plain or as a dictionary.
    """
    if not pa.types.is_dictionary(chunks.type):
        chunks = chunks.dictionary_encode()
    whole = chunks.unify_dictionaries()
    spellings = whole.chunk(0).dictionary if whole.num_chunks else pa.array([], pa.string())
    codes = [chunk.indices.to_numpy() for chunk in whole.chunks]
    return pd.Categorical.from_codes(
        np.concatenate(codes) if codes else np.zeros(0, np.int8),
        categories=pd.Index(STRINGS.__from_arrow__(spellings)),
    )


def categorical_of(texts: Sequence[str]) -> pd.Categorical:
    """Return a column of text as a categorical."""
    return categorical(pa.chunked_array([pa.array(texts, pa.string())]))


def names_of(
    rows: Sequence[tuple[int, Sequence[str]]], columns: Collection[str]
) -> tuple[int, list[str]]:
    """Return the row of a header that names the columns, with its number, as bare names.

    Parameters
    ----------
    rows : sequence of (int, sequence of str)
        The rows of the header and their numbers, one at least.
    columns : collection of str
        The names that are expected; the row with the most of them, and of several the first, is it.
    """
    number, names = max(rows, key=lambda row: len({name.strip() for name in row[1]} & {*columns}))
    return number, [name.strip() for name in names]


def passed_over(top: Rows, first: int, below: Rows) -> tuple[str, ...]:
    """Say which rows under the names of a header look like those below it, and are passed over."""
    forms = [{_form(cell) for cell in column} for column in zip_longest(*(r for _, r in below))]

    def alike(row: Sequence[str]) -> bool:
        filled = [(cell, of) for cell, of in zip(row, forms, strict=False) if cell.strip()]
        return 2 * sum(_form(cell) in of for cell, of in filled) > len(filled)

    under = [(number, row[0][:QUOTED]) for number, row in top if number > first and alike(row)]
    if not under:
        return ()
    shown = ", ".join(f"{number} ('{cell}')" for number, cell in under)
    return (
        f"passed over as rows of the header, by header_rows in {STUDY}, though they look like the "
        f"rows below: {shown}",
    )


def _form(cell: str | None) -> str:
    """Return a cell with one letter for each word and one digit for each number."""
    return re.sub("[0-9]+", "9", re.sub(r"[^\W\d_]+", "a", (cell or "").strip()))


def check_header(
    path: Path,
    place: str,
    header: Sequence[str],
    columns: Sequence[str],
    below: Sequence[tuple[int, Sequence[str]]] = (),
) -> None:
    """Compare a header with the data dictionary.

    Parameters
    ----------
    path : Path
        The file.
    place : str
        Where the header stands, behind the file.
    header, columns : sequence of str
        Found and expected names.
    below : sequence of (int, sequence of str), optional
        The next rows: the names may stand in one of them, under a title.

    Raises
    ------
    StudyError
        Names the first column that stands twice, is missing, or is unknown; `faults` lists all.
    """
    found, known = Counter(header), set(columns)
    faults = [f"{path}{place}: column '{name}' stands twice." for name in found if found[name] > 1]
    unknown = [name for name in found if name not in known]
    missing = [name for name in columns if name not in found]
    if missing and (delimiter := _delimiter(header)):
        raise StudyError(
            f"{path}{place}: column '{missing[0]}' is missing; the data dictionary expects it (is "
            f"the delimiter: {delimiter}?); say 'delimiter: {delimiter}' for this file in {STUDY}."
        )
    for number, name in enumerate(missing):
        most = like(name, unknown) if number < SHOWN else ""
        if len(missing) == len(unknown) == 1:
            most = f"; most like it: '{unknown[0]}'"
        faults.append(
            f"{path}{place}: column '{name}' is missing; the data dictionary expects it{most}; "
            f"name it so in the file, or change {DICTIONARY} to what the file has."
        )
    faults += [
        f"{path}{place}: column '{name}' is not in the data dictionary; describe it in "
        f"{DICTIONARY}, or delete it."
        for name in header
        if name not in known
    ]
    if faults and below:
        number, names = names_of(below, columns)
        if known <= {*names} and len(names) == len({*names}):
            at = [n for n, _ in below].index(number)
            faults.insert(
                0,
                f"{path}{place}: the columns are not named there but in row {number}; say "
                f"'header_rows: {at + 2}' for this file in {STUDY}, or delete what stands above.",
            )
    if faults:
        raise first_of(faults)


def _delimiter(header: Sequence[str]) -> str:
    """Return by what a header may be delimited that stands in one cell as a whole."""
    names = {";": "semicolon", "\t": "tab", ",": "comma"}
    marks = [names[mark] for mark in names if len(header) == 1 and mark in header[0]]
    return marks[0] if marks else ""


def spans(numbers: Sequence[int]) -> str:
    """Return increasing numbers as text: 2, 5 to 9, 12."""
    series = pd.Series(numbers, dtype=int)
    groups = series.groupby((series.diff() != 1).cumsum())
    ends = zip(groups.first(), groups.last(), strict=True)
    return few(f"{a}" if a == b else f"{a} to {b}" for a, b in ends)
