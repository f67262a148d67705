"""What one spelling means in a column of the data dictionary."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ccp_analysis.config.dictionary import Column, key_of
from ccp_analysis.config.study import RawFile

BLANK, INVALID = "blank", "not valid"
AS_IS, AS_LABEL, OTHERWISE = 0, 1, 2  # how a valid value is spelt
ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
DAY_FIRST = re.compile(r"([0-9]{1,2})([/.])([0-9]{1,2})\2([0-9]{4})")
FRACTION_OF_ZERO = re.compile(r"([+-]?[0-9]+)[.,]0*")
AT_MIDNIGHT = re.compile(r"(.*[0-9])[ t]0?0:00(?::00(?:\.0+)?)?z?")
# Forms that a program gives to what can only mean one thing.
WHOLE = "written with a fraction of zero"
MIDNIGHT = "written with the time of midnight"
DOTTED = "written with dots, the day first"
COMMA = "written with a decimal comma"
NUMBERS = {
    "point": re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"),
    "comma": re.compile(r"[+-]?([0-9]+,?[0-9]*|,[0-9]+)(e[+-]?[0-9]+)?"),
    # Of 1,234 nobody knows: it may be a thousand or little more than one.
    "either": re.compile(
        r"(?![+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$)[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)(e[+-]?[0-9]+)?"
    ),
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
    form : str
        The form in which it is written, where that is another one than the dictionary's.
    """

    value: float | str | dt.date | None
    why: str
    spelt: int = AS_IS
    form: str = ""


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
    numbers, answers = missing_numbers(column), column.meanings()
    value_of = _VALUE_OF[column.type](column, file)
    days = _missing_days(column, value_of)
    shown = labels if labels and _speaks(column, labels) else {}
    declared = declared or {}

    def read(text: str) -> Spelling:
        key = key_of(text)
        if not key:
            return Spelling(None, BLANK)
        if key in reasons:
            return Spelling(None, reasons[key])
        if numbers and key not in answers:
            number = _number(key, file.decimal)
            if number in numbers:
                return Spelling(None, numbers[number])
        if text in declared:
            return Spelling(None, declared[text])
        label = shown.get(text)
        if label is None:
            found = value_of(text, key)
            return Spelling(None, days[found.value]) if found.value in days else found
        key = key_of(label)
        return Spelling(None, reasons[key]) if key in reasons else value_of(label, key)

    return read


def missing_numbers(column: Column) -> dict[float, str]:
    """Return the missing codes that are numbers: -99.0 is -99."""
    if not column.numeric and not column.codes:
        return {}
    point = NUMBERS["point"]
    return {float(c): why for c, why in column.missing.items() if point.fullmatch(key_of(c))}


def _missing_days(column: Column, value_of: ValueOf) -> dict[object, str]:
    """Return the missing codes that are dates: 1900-01-01 00:00:00 is 1900-01-01."""
    if column.type != "date":
        return {}
    days = {value_of(code, key_of(code)).value: why for code, why in column.missing.items()}
    return {day: why for day, why in days.items() if day is not None}


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
        form = WHOLE if whole and FRACTION_OF_ZERO.fullmatch(key) else ""
        if file.decimal == "either" and "," in key:
            form = COMMA
        return Spelling(number, "", AS_IS if text == text.strip() else OTHERWISE, form)

    return value


def _categories(column: Column, file: RawFile) -> ValueOf:
    meanings = column.meanings()
    labels = {code: (names or [code])[0] for code, names in column.codes.items()}

    def value(text: str, key: str) -> Spelling:
        code, form = meanings.get(key), ""
        whole = FRACTION_OF_ZERO.fullmatch(key)
        if code is None and whole and _number(key, file.decimal) is not None:
            code, form = meanings.get(whole[1]), WHOLE
        if code is None:
            return _INVALID
        spelt = AS_IS if text == code else AS_LABEL if text == labels[code] else OTHERWISE
        return Spelling(float(code) if column.type == "ordinal" else code, "", spelt, form)

    return value


def _dates(column: Column, file: RawFile) -> ValueOf:
    def value(text: str, key: str) -> Spelling:
        midnight = AT_MIDNIGHT.fullmatch(key)
        bare, form = (midnight[1], MIDNIGHT) if midnight else (key, "")
        parts = None
        if found := ISO.fullmatch(bare):
            parts = found.groups()
        elif (found := DAY_FIRST.fullmatch(bare)) and (found[2] == "." or day_first):
            parts = found[4], found[3], found[1]
            form = DOTTED if found[2] == "." else form
        day = _day(parts) if parts else None
        if day is None:
            # One month first, as in 01.31.2020, makes the others of its column doubtful.
            swapped = (parts[0], parts[2], parts[1]) if parts and not day_first else None
            doubtful = swapped and form == DOTTED and _day(swapped)
            return Spelling(None, INVALID, form=DOTTED if doubtful else "")
        return Spelling(day, "", AS_IS if text == text.strip() else OTHERWISE, form)

    day_first = file.dates == "day-first"
    return value


def _day(parts: Sequence[str]) -> dt.date | None:
    try:
        return dt.date(*map(int, parts))
    except ValueError:
        return None


_VALUE_OF: dict[str, Callable[[Column, RawFile], ValueOf]] = {
    "id": _texts,
    "text": _texts,
    "integer": _numbers,
    "number": _numbers,
    "category": _categories,
    "ordinal": _categories,
    "date": _dates,
}
