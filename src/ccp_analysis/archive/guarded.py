"""What is packed is read before: what could name a person stops the archive, and is not repeated.

Raw files are read by the dictionary, as in cleaning; every other file as text. Names of people are
looked for in raw files alone, since in prose anything may be called something. Figures as PNG and
the report as PDF are not read: they are drawn of what the SVG and the HTML say; nor are signatures.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import openpyxl

from ccp_analysis.cleaning.guard import KINDS, guard
from ccp_analysis.cleaning.read import read_raw
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.study import Study

UNREAD = (".png", ".pdf", ".sig")
MARKUP = (".html", ".svg", ".xml")
ZIPPED = (".docx", ".xlsx")
TABLES = (".csv", ".tsv", ".txt", ".json", ".xlsx")
A_NAME = "a name"
A_BIRTH = "a date that can be a date of birth"

_UNSEEN = re.compile(r"<(style|script)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
# Figures draw their letters and say them in comments.
_COMMENT = re.compile(r"<!--|-->")
_SAID = re.compile(r'<[^>]*?\b(?:alt|title|content|href)="([^"#][^"]*)"[^>]*>')
_ENDS = re.compile(r"</(?:w:p|si|c|row|p|td|th|li|div|text|h\d)>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_DATA = re.compile(r"data:[\w/+.-]*;base64,[\w+/=\s]*")
# A checksum or an identifier of a program holds ten digits in a row now and then.
_HASH = re.compile(r"\b(?=[0-9]*[a-z])(?=[a-z]*[0-9])[0-9a-z]{12,}\b")


def identifiable_study(study: Study, paths: Iterable[Path]) -> list[str]:
    """Return what in files of the study in the current folder could identify a person.

    Parameters
    ----------
    study : Study
        For its raw files and the date of its data.
    paths : iterable of Path
        Files of the study folder, relative to it.

    Returns
    -------
    list of str
        Each names file, place and kind, and never what stands there. Columns that the dictionary
        allows to identify are not looked at.
    """
    dictionary = load_dictionary(study)
    faults = []
    for path in paths:
        raw = {name: file for name, file in study.files.items() if file.path == path}
        sheets = set()
        for name, file in raw.items():
            columns = [column for column in dictionary if column.file == name]
            sheet = read_raw(file, columns)
            sheets.add(sheet.name)
            faults += guard(sheet, columns, study.data_date)
        if any(file.kind == "xlsx" for file in raw.values()):
            faults += _other_sheets(path, sheets, study.data_date)
        elif not raw:
            faults += identifiable(path, study.data_date)
    return faults


def allowed_columns(study: Study) -> list[str]:
    """Return the columns of raw files that may identify people, by the dictionary."""
    return [f"{c.column} ({c.file})" for c in load_dictionary(study) if c.identifying]


def _other_sheets(path: Path, read: set[str], data_date: dt.date) -> Iterator[str]:
    """Look at the sheets of a workbook that no analysis reads and that are packed all the same."""
    with path.open("rb") as handle:
        book = openpyxl.load_workbook(handle, read_only=True)
        for name in (name for name in book.sheetnames if name not in read):
            for number, row in enumerate(book[name].iter_rows(values_only=True), start=1):
                for kind in _kinds(" | ".join(str(c) for c in row if c is not None), data_date):
                    yield _fault(f"{path}, sheet '{name}', row {number}", kind)


def identifiable(path: Path, data_date: dt.date | None = None) -> list[str]:
    """Return what in a file could identify a person, one sentence for each line and kind.

    Parameters
    ----------
    path : Path
        Any file; a picture, or what is no text, is not looked at.
    data_date : datetime.date, optional
        Full dates many years before it can be dates of birth; they are looked for in tables alone.
    """
    if path.suffix.lower() in UNREAD:
        return []
    if path.suffix.lower() not in TABLES:
        data_date = None
    return [
        _fault(f"{path}, {place}", kind)
        for place, text in _texts(path)
        for kind in _kinds(text, data_date)
    ]


def _fault(place: str, kind: str) -> str:
    return (
        f"{place}: {kind} stands there; nothing that can identify a person is packed: take it out, "
        "or mend the file that it comes from and run again."
    )


def _kinds(text: str, data_date: dt.date | None) -> Iterator[str]:
    text = _HASH.sub(" ", text)
    for kind, prefix, test in KINDS:
        if kind == A_NAME or (kind == A_BIRTH and data_date is None):
            continue
        if re.search(prefix, text) and test(text, data_date or dt.date.max):
            yield kind


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the texts of a file, each with its place: lines, or what a document says."""
    if path.suffix.lower() in ZIPPED and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            for name in (name for name in parts.namelist() if name.endswith(".xml")):
                for text in _said(parts.read(name).decode("utf-8", "replace")):
                    yield f"part {name}", text
        return
    content = path.read_bytes().decode("utf-8", "replace")
    if path.suffix.lower() in MARKUP:
        for text in _said(content):
            yield "in the text", text
        return
    for number, line in enumerate(content.splitlines(), start=1):
        # A cell of a table is a text of its own.
        for text in line.split(",") if path.suffix.lower() == ".csv" else [line]:
            yield f"line {number}", text


def _said(markup: str) -> Iterator[str]:
    """Yield what a page says, and what its tags say of pictures and addresses."""
    seen = _COMMENT.sub("\n", _UNSEEN.sub(" ", _DATA.sub(" ", markup)))
    yield from (html.unescape(text) for text in _SAID.findall(seen))
    for text in _TAG.sub("", _ENDS.sub("\n", seen)).splitlines():
        if said := html.unescape(text).strip():
            yield said
