"""Numbers of single precision, as Stata's float: read as the decimals that were entered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ccp_analysis.cleaning.sheet import Note, Sheet
from ccp_analysis.cleaning.spelling import NUMBERS
from ccp_analysis.config.dictionary import Column, key_of
from ccp_analysis.groups import name_of

SINGLE = "stored in single precision"
DIGITS = 1e-14  # what spreadsheets keep of a number, relative to it
ENTERED = 7  # significant digits that somebody enters and single precision keeps
EXACT = 15  # significant digits that no double shares with a number of single precision by chance
# More digits than are entered, and a fraction.
LONG = r"^\s*[+-]?[0.,]*[1-9](?:[.,]?[0-9]){7,}(?:[eE][+-]?[0-9]+)?\s*$"
FRACTION = "[.,eE]"


def as_entered(sheet: Sheet, columns: Sequence[Column], decimal: str) -> Sheet:
    """Return a sheet with the numbers of single precision in it as they were entered.

    The 0.6 of such a column comes as 0.6000000238418579, or with fewer digits as 0.60000002,
    whatever a later program stored it as. The long numbers of a column are read as the shortest
    decimals that are the same in single precision if all of them are such numbers to the digits
    that they have. If some are not, those are that a code or a limit of the dictionary is.
    """
    cells_as_entered, notes, changed = {}, [], {}
    for name, column in sheet.cells.items():
        own = [c for c in columns if c.column == name and c.type not in ("id", "text", "date")]
        if not own:
            continue
        cells = column.cat
        entered = _entered(cells.categories, _marks(own), decimal)
        n = int(column.isin(list(entered)).sum()) if entered else 0
        if not n:
            continue
        texts = [entered.get(t, t) for t in cells.categories]
        changed[name] = entered
        cells_as_entered[name] = _recoded(cells.codes.to_numpy(), texts)
        text, value = next(iter(entered.items()))
        notes.append(Note(name, n, text, value, SINGLE))
    labels, missing = (_renamed(part, changed) for part in (sheet.labels, sheet.missing))
    return replace(
        sheet,
        cells=sheet.cells.assign(**cells_as_entered),
        labels=labels,
        missing=missing,
        notes=(*sheet.notes, *notes),
    )


def _recoded(codes: np.ndarray, texts: list[str]) -> pd.Categorical:
    """Return a categorical of texts of which some may now be the same."""
    at, spellings = pd.factorize(pd.Index(texts, dtype="str"))
    return pd.Categorical.from_codes(at[codes], spellings)


def _marks(columns: Sequence[Column]) -> dict[float, str]:
    """Return the numbers that the dictionary gives a meaning: number → as it is written there."""
    limits = {
        name_of(float(limit))
        for c in columns
        for limit in (c.minimum, c.maximum, c.soft_minimum, c.soft_maximum)
        if limit is not None
    }
    texts = limits.union(*(map(key_of, (*c.missing, *c.codes)) for c in columns))
    return {float(text): text for text in sorted(texts) if NUMBERS["point"].fullmatch(text)}


def _entered(texts: pd.Index, marks: dict[float, str], decimal: str) -> dict[str, str]:
    """Return text → the decimal that was entered, for numbers of single precision."""
    array = pa.array(texts, pa.string())
    fits = pc.and_(pc.match_substring_regex(array, LONG), pc.match_substring_regex(array, FRACTION))
    found = [t for t in array.filter(fits).to_pylist() if NUMBERS[decimal].fullmatch(key_of(t))]
    if not found:
        return {}
    points = [key_of(t).replace(",", ".") for t in found]
    numbers = np.array(points, dtype=float)
    digits = np.array([_digits(point) for point in points])
    with np.errstate(over="ignore", under="ignore"):
        single = numbers.astype(np.float32)
        known = {np.float32(number): text for number, text in marks.items()}
    value = single.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        last = 10.0 ** (np.floor(np.log10(np.abs(numbers))) - digits + 1)
        same = np.abs(numbers - value) <= last / 2 + DIGITS * np.abs(value)
    entered = {}
    for at in np.flatnonzero(same):
        # NumPy writes a number of single precision with the fewest digits that tell it from others.
        text = known.get(single[at], "")
        if not text and same.all():
            shortest = str(single[at])
            if digits[at] >= EXACT or _digits(shortest) <= ENTERED:
                text = name_of(float(shortest))
        if text and float(text) != numbers[at] and numbers[at] not in marks:
            entered[found[at]] = text.replace(".", ",") if "," in found[at] else text
    return entered


def _digits(number: str) -> int:
    """Return how many significant digits a number is written with."""
    return len(number.partition("e")[0].lstrip("+-").replace(".", "").lstrip("0"))


def _renamed(
    meanings: dict[str, dict[str, str]], changed: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    return {
        column: {changed.get(column, {}).get(text, text): meaning for text, meaning in of.items()}
        for column, of in meanings.items()
    }
