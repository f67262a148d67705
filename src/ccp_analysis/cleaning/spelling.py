"""What one spelling means in a column of the data dictionary."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from ccp_analysis.dictionary import Column, key_of
from ccp_analysis.study import RawFile

BLANK, INVALID = "blank", "not valid"
AS_IS, AS_LABEL, OTHERWISE = 0, 1, 2  # how a valid value is spelt
ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
DAY_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
NUMBERS = {
    "point": re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"),
    "comma": re.compile(r"[+-]?([0-9]+,?[0-9]*|,[0-9]+)(e[+-]?[0-9]+)?"),
}
EXPECTED = {
    "id": "an identifier",
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "category": "one of the codes",
    "ordinal": "one of the codes",
    "date": "a date as in 2020-01-31",
}


class Spelling(NamedTuple):
    """What a text means.

    Attributes
    ----------
    value : float, str, datetime.date or None
        None where there is no valid value.
    why : str
        Why there is none: `BLANK`, `INVALID`, or the meaning of a missing code; empty otherwise.
    spelt : int
        `AS_IS`, `AS_LABEL` (a category by its label) or `OTHERWISE`.
    """

    value: float | str | dt.date | None
    why: str
    spelt: int = AS_IS


def reader_of(
    column: Column,
    file: RawFile,
    labels: dict[str, str] | None = None,
    declared: dict[str, str] | None = None,
) -> Callable[[str], Spelling]:
    """Return the function that reads the texts of a column.

    Parameters
    ----------
    column : Column
        Type, codes and missing codes.
    file : RawFile
        Decimal sign and order of dates.
    labels : dict, optional
        Text → value label in the file; it stands for the text where the dictionary knows labels.
    declared : dict, optional
        Text → reason, of values that the file itself declares missing.

    Returns
    -------
    callable
        text → `Spelling`. Limits are not looked at.
    """
    reasons = {key_of(code): why for code, why in column.missing.items()}
    numbers = missing_numbers(column)
    value_of = _VALUE_OF[column.type](column, file)
    shown = labels if labels and _speaks(column, labels) else {}
    declared = declared or {}

    def read(text: str) -> Spelling:
        key = key_of(text)
        if not key:
            return Spelling(None, BLANK)
        if key in reasons:
            return Spelling(None, reasons[key])
        if numbers:
            number = _number(key, file.decimal)
            if number in numbers:
                return Spelling(None, numbers[number])
        if text in declared:
            return Spelling(None, declared[text])
        label = shown.get(text)
        if label is None:
            return value_of(text, key)
        key = key_of(label)
        return Spelling(None, reasons[key]) if key in reasons else value_of(label, key)

    return read


def missing_numbers(column: Column) -> dict[float, str]:
    """Return the missing codes of a number that are numbers themselves: -99.0 is -99."""
    if not column.numeric:
        return {}
    point = NUMBERS["point"]
    return {float(c): why for c, why in column.missing.items() if point.fullmatch(key_of(c))}


def _speaks(column: Column, labels: dict[str, str]) -> bool:
    """Whether the value labels of a file are those of the dictionary."""
    meanings = column.meanings()
    return column.type in ("category", "ordinal") and any(
        key_of(label) in meanings for label in labels.values()
    )


def _number(key: str, decimal: str) -> float | None:
    # Words that a parser takes for numbers ("inf", "nan", "1_0") do not fit the pattern.
    if not NUMBERS[decimal].fullmatch(key):
        return None
    number = float(key.replace(",", "."))
    # Neither 1e400 nor 1e-400 is a number that can be kept.
    vanished = number == 0 and any(digit in "123456789" for digit in key.partition("e")[0])
    return number + 0.0 if math.isfinite(number) and not vanished else None


ValueOf = Callable[[str, str], Spelling]
_INVALID = Spelling(None, INVALID)


def _texts(column: Column, file: RawFile) -> ValueOf:
    def value(text: str, key: str) -> Spelling:
        bare = text.strip()
        if column.type == "text":
            # Free text is not kept, so nothing of it is changed; and no query may repeat it.
            return Spelling(bare, "")
        return Spelling(bare.upper(), "", AS_IS if bare.upper() == text else OTHERWISE)

    return value


def _numbers(column: Column, file: RawFile) -> ValueOf:
    whole = column.type == "integer"

    def value(text: str, key: str) -> Spelling:
        number = _number(key, file.decimal)
        if number is None or (whole and not number.is_integer()):
            return _INVALID
        return Spelling(number, "", AS_IS if text == text.strip() else OTHERWISE)

    return value


def _categories(column: Column, file: RawFile) -> ValueOf:
    meanings = column.meanings()
    labels = {code: (names or [code])[0] for code, names in column.codes.items()}

    def value(text: str, key: str) -> Spelling:
        code = meanings.get(key)
        if code is None:
            return _INVALID
        spelt = AS_IS if text == code else AS_LABEL if text == labels[code] else OTHERWISE
        return Spelling(float(code) if column.type == "ordinal" else code, "", spelt)

    return value


def _dates(column: Column, file: RawFile) -> ValueOf:
    def value(text: str, key: str) -> Spelling:
        found = ISO.fullmatch(key)
        parts = found.groups() if found else ()
        if not parts and file.dates == "day-first" and (found := DAY_FIRST.fullmatch(key)):
            parts = found.groups()[::-1]
        try:
            day = dt.date(*map(int, parts))
        except (ValueError, TypeError):
            return _INVALID
        return Spelling(day, "", AS_IS if text == text.strip() else OTHERWISE)

    return value


_VALUE_OF: dict[str, Callable[[Column, RawFile], ValueOf]] = {
    "id": _texts,
    "text": _texts,
    "integer": _numbers,
    "number": _numbers,
    "category": _categories,
    "ordinal": _categories,
    "date": _dates,
}
