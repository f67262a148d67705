"""From text to values, by the data dictionary; every spelling is read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.sheet import Note, Sheet
from ccp_analysis.cleaning.spelling import (
    AS_IS,
    AS_LABEL,
    BLANK,
    EXPECTED,
    INVALID,
    Spelling,
    missing_numbers,
    reader_of,
)
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile
from ccp_analysis.groups import name_of

OUTSIDE = "outside the limits"
# What needs no reading: written as nearly every number and identifier is.
PLAIN = {
    "number": r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?$",
    "integer": r"^-?(?:0|[1-9][0-9]{0,14})$",
    "id": r"^[A-Z0-9_-]+$",
}
FEW = 1000
_of_reasons = cache(pd.CategoricalDtype)  # most columns have the same ones


@dataclass(frozen=True)
class Decoded:
    """A raw column after decoding.

    Attributes
    ----------
    values : pandas.Series, shape (n,)
        float for integer, number and ordinal columns, text for id, category and text, datetime64
        for dates; missing where nothing valid was found.
    why : pandas.Series, shape (n,)
        Categorical: why a value is missing; missing where it is not.
    changed : numpy.ndarray of bool, shape (n,)
        Whether the value was not taken as it stands.
    codes : numpy.ndarray of int, shape (n,)
        The spelling of each row.
    spellings : numpy.ndarray, shape (spellings,)
        The value of each spelling; missing where it has none.
    """

    values: pd.Series
    why: pd.Series
    changed: np.ndarray
    codes: np.ndarray
    spellings: np.ndarray


@dataclass
class _Spellings:
    """All spellings of a column: what each means, why it means nothing, how it is spelt."""

    values: np.ndarray
    why: np.ndarray  # positions in `reasons`; -1 where there is a value
    spelt: np.ndarray
    reasons: list[str]
    forms: np.ndarray  # in which form each is written; empty where in the dictionary's


def decode(sheet: Sheet, column: Column, file: RawFile, queries: Queries) -> Decoded:
    """Turn one raw column into values; what is missing or not valid becomes a query.

    Parameters
    ----------
    sheet : Sheet
        The raw file.
    column : Column
        What the dictionary says of the column.
    file : RawFile
        How numbers and dates are written.
    queries : Queries
        Receives a note for each missing code, an error for each value that is not valid.
    """
    cells = sheet.cells[column.column]
    codes = cells.cat.codes.to_numpy()
    found = _read(cells.cat.categories, sheet, column, file)
    counts = np.bincount(codes, minlength=len(found.why))
    for number, reason in enumerate(found.reasons):
        where = found.why == number
        if reason == BLANK or not where.any():
            continue
        invalid = reason == INVALID
        queries.add(
            "error" if invalid else "note",
            sheet,
            where[codes],
            column=column.column,
            action="set missing" if invalid else f"set missing: {reason}",
            rule=f"not {EXPECTED[column.type]}" if invalid else "missing code",
        )
    valid = found.why < 0
    _note_forms(sheet, column, found, np.where(valid, counts, 0), queries)
    valid &= found.forms == ""
    changed = valid & (found.spelt != AS_IS)
    if column.codes:
        # A file is written in codes or in labels, whichever are more; the rest is spelt otherwise.
        by_code, by_label = (counts[valid & (found.spelt == s)].sum() for s in (AS_IS, AS_LABEL))
        changed = valid & (found.spelt != (AS_IS if by_code >= by_label else AS_LABEL))
    return Decoded(
        pd.Series(_series(found.values, column).array.take(codes)),
        pd.Series(
            pd.Categorical.from_codes(found.why[codes], dtype=_of_reasons(tuple(found.reasons)))
        ),
        changed[codes],
        codes,
        found.values,
    )


def _note_forms(
    sheet: Sheet, column: Column, found: _Spellings, counts: np.ndarray, queries: Queries
) -> None:
    """Add a note for each form, other than the dictionary's, in which values are written."""
    for form in sorted(set(found.forms[counts > 0]) - {""}):
        where = np.flatnonzero((counts > 0) & (found.forms == form))
        read = plain(_series(found.values[where[:1]], column).iloc[0])
        text = sheet.cells[column.column].cat.categories[where[0]]
        n = int(counts[where].sum())
        queries.add_note(sheet, Note(column.column, n, text, read, form))


def _read(texts: pd.Index, sheet: Sheet, column: Column, file: RawFile) -> _Spellings:
    """Read every spelling of a column, those that need no reading all at once."""
    labels = sheet.labels.get(column.column, {})
    declared = sheet.missing.get(column.column, {})
    read = reader_of(column, file, labels, declared)
    n = len(texts)
    values = np.full(n, np.nan) if column.numeric else np.full(n, None, dtype=object)
    odd = np.ones(n, dtype=bool)
    # A point is no decimal sign everywhere, so that fractions are then read one by one.
    kind = "integer" if column.type == "number" and file.decimal != "point" else column.type
    if n > FEW and kind in PLAIN and not declared:
        plain, quick = _plain(texts, column, PLAIN[kind])
        values[plain] = quick
        odd = ~plain
    spellings = [read(text) for text in texts[odd]]
    doubtful = {one.form for one in spellings if one.why == INVALID and one.form}
    if doubtful:
        spellings = [Spelling(None, INVALID) if s.form in doubtful else s for s in spellings]
    values[odd] = _values(spellings, column)
    reasons = list(dict.fromkeys(one.why for one in spellings if one.why))
    number = {reason: at for at, reason in enumerate(reasons)} | {"": -1}
    why = np.full(n, -1, dtype=np.int16)
    why[odd] = [number[one.why] for one in spellings]
    spelt = np.full(n, AS_IS, dtype=np.int8)
    spelt[odd] = [one.spelt for one in spellings]
    forms = np.full(n, "", dtype=object)
    forms[odd] = [one.form for one in spellings]
    return _Spellings(values, why, spelt, reasons, forms)


def _values(spellings: list[Spelling], column: Column) -> np.ndarray:
    if column.numeric:
        return np.array([np.nan if s.value is None else s.value for s in spellings], dtype=float)
    values = np.empty(len(spellings), dtype=object)
    values[:] = [one.value for one in spellings]
    return values


def _plain(texts: pd.Index, column: Column, pattern: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which texts need no reading, and their values."""
    array = pa.array(texts, pa.string())
    plain = pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False)
    found = array.filter(pa.array(plain))
    if column.numeric:
        values = found.cast(pa.float64()).to_numpy() + 0.0
        coded = np.isin(values, list(missing_numbers(column)))
    else:
        values = found.to_numpy(zero_copy_only=False)
        coded = np.isin(values, [code.upper() for code in column.missing])
    # Whatever may be a missing code is read one by one.
    plain[np.flatnonzero(plain)[coded]] = False
    return plain, values[~coded]


def _series(values: np.ndarray, column: Column) -> pd.Series:
    if column.numeric:
        return pd.Series(values, dtype=float)
    if column.type == "date":
        return pd.Series(values.astype("datetime64[D]").astype("datetime64[us]"))
    return pd.Series(values, dtype="str")


def decode_one(text: str, column: Column, file: RawFile) -> object | None:
    """Return the value that a text means in a column; None where it is not valid there.

    The hard limits of the column count.
    """
    value = reader_of(column, file)(text).value
    if isinstance(value, float):
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        return value if low <= value <= high else None
    return value if isinstance(value, str) or value is None else pd.Timestamp(value)


def note_spellings(
    sheet: Sheet, column: Column, decoded: Decoded, kept: pd.Series, queries: Queries
) -> None:
    """Add a note for each value that is kept, but not as it stands.

    Parameters
    ----------
    sheet, column, queries
        As in `decode`.
    decoded : Decoded
        From `decode`.
    kept : pandas.Series, shape (n,)
        The values, after all limits.
    """
    if not decoded.changed.any():
        return
    changed = decoded.changed & kept.notna().to_numpy()
    action = np.full(len(changed), "", dtype=object)
    # What was read is as little to be repeated as what stands there.
    action[changed] = [
        "read without white space" if column.hidden else f"read as {plain(value)}"
        for value in kept[changed]
    ]
    queries.add("note", sheet, changed, column=column.column, action=action, rule="spelling")


def plain(value: object) -> str:
    """Return a value as text: 15 significant digits at most, dates as in 2020-01-31."""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return name_of(value)
