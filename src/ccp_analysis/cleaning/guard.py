"""A guard against identifiable data: what could name a person stops the run.

The sentences say what kind of thing stands where; they never repeat it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import first_of
from ccp_analysis.layout import DICTIONARY

# Texts of up to four letters and numbers of up to eight digits identify nobody.
HARMLESS = r"^(?:.{0,4}|-?[0-9]{1,8}(?:[.,][0-9]*)?)$"
YOUNGEST = 15  # years before the data date from which on a full date can be a date of birth

# Headers under which registers keep identities, in words.
HEADERS = re.compile(
    r"(^| )(surname|forename|first ?name|last ?name|full ?name|family ?name|given ?name|initials"
    r"|e ?mail|telephone|phone|mobile|address|post ?code|nhs ?(number|no|num)|dob"
    r"|date ?of ?birth|birth ?date|birth ?day)( |$)",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[\w.%+-]+@[\w-]+(\.[\w-]+)+")
PHONE = re.compile(
    r"(?<![\d.])(\+44[\s().-]*(0\)?[\s.-]*)?|\(?0)[1-9](?:[\s().-]*\d){8,9}(?![\d.])"
)
POSTCODE = re.compile(
    r"(?<![A-Z0-9])(GIR ?0AA|[A-PR-UWYZ][A-HK-Y]?[0-9][0-9A-HJKPSTUW]? ?[0-9][ABD-HJLNP-UW-Z]{2})"
    r"(?![A-Z0-9])",
    re.IGNORECASE,
)
TEN = re.compile(r"(?<![\d.])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d.])")
TITLE = re.compile(r"(?i:\b(?:mr|mrs|ms|miss|mx|dr|prof|professor))\.? +[A-Z][a-z'’-]+")
NAMED = re.compile(r"(?i:\b(?:name is|named|called)) +[A-Z][a-z'’-]+")
DATES = re.compile(
    r"(?<!\d)(?:(?P<y>(?:19|20)\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<d2>\d{1,2})[-/.](?P<m2>\d{1,2})[-/.](?P<y2>(?:19|20)\d\d))(?!\d)"
)


def nhs_number(digits: str) -> bool:
    """Return whether ten digits are an NHS number by their check digit.

    The weights 10 to 2 of the first nine digits; eleven minus the remainder by eleven is the tenth,
    11 counting as 0; 10 does not occur (NHS Data Dictionary, NHS NUMBER).
    """
    total = sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True))
    return len(set(digits)) > 1 and (11 - total % 11) % 11 == int(digits[9])


def _nhs(text: str, data_date: dt.date) -> bool:
    return any(nhs_number(re.sub(r"\D", "", found)) for found in TEN.findall(text))


def _birth(text: str, data_date: dt.date) -> bool:
    latest = data_date.year - YOUNGEST
    for found in DATES.finditer(text):
        parts = [found[key] or found[f"{key}2"] for key in "ymd"]
        try:
            # Day and month either way round: both are dates of the same year.
            year, month, day = map(int, parts)
            dt.date(year, min(month, day), max(month, day)) if min(month, day) <= 12 else None
        except ValueError:
            continue
        if year <= latest:
            return True
    return False


# What is looked for, its name, and what a text must hold to be looked at: letters that are quick
# to find in a million texts.
KINDS: list[tuple[str, str, Callable[[str, dt.date], bool]]] = [
    ("an e-mail address", "@", lambda text, _: EMAIL.search(text) is not None),
    (
        "a telephone number",
        r"(?:[+]44|0)[ ().0-9-]{8}",
        lambda text, _: PHONE.search(text) is not None,
    ),
    (
        "a postcode",
        r"[A-Za-z][A-Za-z]?[0-9].?.? ?[0-9][A-Za-z]{2}",
        lambda text, _: POSTCODE.search(text) is not None,
    ),
    ("an NHS number", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", _nhs),
    (
        "a date that can be a date of birth",
        r"(?:19|20)[0-9]{2}[-/.]|[-/.](?:19|20)[0-9]{2}",
        _birth,
    ),
    (
        "a name",
        r"(?i)\b(?:m[rsx]|mrs|miss|dr|prof|professor|name is|named|called)\b",
        lambda text, _: bool(TITLE.search(text) or NAMED.search(text)),
    ),
]


def guard(sheet: Sheet, columns: Sequence[Column], data_date: dt.date) -> list[str]:
    """Return what in a raw file could identify a person, one sentence for each column and kind.

    Parameters
    ----------
    sheet : Sheet
        The raw file.
    columns : sequence of Column
        What the dictionary says of it; columns that are allowed to identify are not looked at.
    data_date : datetime.date
        Date of the data: a full date many years before it can be a date of birth.

    Returns
    -------
    list of str
        Each names file, row and column, and never what stands there.
    """
    faults = []
    for column in columns:
        if column.identifying:
            continue
        words = re.sub(r"[\W_]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.column))
        if HEADERS.search(words):
            faults.append(
                f"{sheet.path}{_sheet(sheet)}, column '{column.column}': by its name it identifies "
                f"people; {DICTIONARY} must allow that (identifying) or the column must go."
            )
            continue
        faults += _found(sheet, column, data_date)
    return faults


def _sheet(sheet: Sheet) -> str:
    return f", sheet '{sheet.name}'" if sheet.name else ""


def _found(sheet: Sheet, column: Column, data_date: dt.date) -> Iterator[str]:
    cells = sheet.cells[column.column]
    texts = pa.array(cells.cat.categories, pa.string())
    nobody = pc.match_substring_regex(texts, HARMLESS).to_numpy(zero_copy_only=False)
    at = np.flatnonzero(~nobody)
    if not len(at):
        return
    texts = texts.take(pa.array(at))
    known = {spelling for code, names in column.codes.items() for spelling in (code, *names)}
    for kind, prefix, test in KINDS:
        if kind == "a name" and column.type != "text":
            continue
        likely = np.flatnonzero(
            pc.match_substring_regex(texts, prefix).to_numpy(zero_copy_only=False)
        )
        found = zip(likely, texts.take(pa.array(likely)).to_pylist(), strict=True)
        hits = [at[i] for i, text in found if text not in known and test(text, data_date)]
        if hits:
            where = np.flatnonzero(np.isin(cells.cat.codes.to_numpy(), hits))
            more = f" (and {len(where) - 1} more in this column)" if len(where) > 1 else ""
            yield (
                f"{sheet.place(where[0], column.column)}: {kind} stands there{more}; such data "
                f"must not be analysed unless {DICTIONARY} allows the column (identifying)."
            )


def refuse(faults: list[str]) -> None:
    """Stop the run where there are faults; StudyError names the first and carries all."""
    if faults:
        raise first_of(faults)
