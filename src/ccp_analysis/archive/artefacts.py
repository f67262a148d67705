"""Two files of a study's reports: the same bytes, or the same text, cells and pixels, or different.

A table is read by its cells, a document by its paragraphs and tables, a page by its visible text, a
figure by its elements or pixels, a PDF by the lines of its pages (its figures are those beside it).
Numbers printed in them are equal by `same`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openpyxl
from matplotlib import image

from ccp_analysis.archive.compared import (
    DIFFERENT,
    EQUAL,
    IDENTICAL,
    LOST,
    NEW,
    TOLERANCE,
)

NOTHING = 1e-10  # of any number of a table or document, in whatever units
DRAWN = 1e-3  # of a coordinate of a figure, in points
SHADES = 2 / 255  # of a channel of a pixel
# Of pixels on the edge of a line, which fall on either side; a digit has more of a whole figure.
EDGES = 1e-5
LONG = 6  # digits from which on the last one may round either way

Cell = tuple[str, str]
_UNREADABLE = (ValueError, KeyError, SyntaxError, OSError, zipfile.BadZipFile, zlib.error)
_NUMBER = re.compile(r"[-\u2212+]?\d[\d,]*(?:\.\d+)?(?:[eE][-\u2212+]?\d+)?")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_UNSEEN = ("script", "style", "title")


@dataclass(frozen=True)
class Compared:
    """What was found of a file; of a different one the first place, with both values."""

    name: str
    comparison: str
    place: str = ""
    reference: str = ""
    rerun: str = ""
    differences: int = 0


def compare_files(name: str, old: Path, new: Path) -> Compared:
    """Compare a file of the reference with that of the rerun.

    Parameters
    ----------
    name : str
        What it is called.
    old, new : Path
        The two files; either may be missing.

    Returns
    -------
    Compared
        "identical" of bytes, "equal" of what is read in them, or "different".
    """
    if not (old.is_file() and new.is_file()):
        return Compared(name, LOST if old.is_file() else NEW, differences=1)
    before, after = old.read_bytes(), new.read_bytes()
    if before == after:
        return Compared(name, IDENTICAL)
    kind = old.suffix.lower()
    try:
        found = _pixels(before, after) if kind == ".png" else _read(kind, before, after)
    except _UNREADABLE as error:
        found = [("the file", f"cannot be read as {kind[1:]}", f"{type(error).__name__}: {error}")]
    if not found:
        return Compared(name, EQUAL)
    return Compared(name, DIFFERENT, *found[0], differences=len(found))


def same(old: str, new: str, apart: float = NOTHING) -> bool:
    """Return whether two texts say the same.

    Words are the same to the letter, and whole numbers to the digit; other numbers within 1e-8 of
    the larger one or `apart`, those of six digits or more within one of the last digit printed.

    Examples
    --------
    >>> same("1,234.5678 (p = .03)", "1,234.5679 (p = .03)"), same("p = .03", "p = .04")
    (True, False)
    """
    if old == new:
        return True
    if _NUMBER.split(old) != _NUMBER.split(new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(a == b or _close(a, b, apart) for a, b in pairs)


def _close(old: str, new: str, apart: float) -> bool:
    if not any(sign in old + new for sign in ".eE"):
        return False
    old, new = (text.replace(",", "").replace("\u2212", "-") for text in (old, new))
    a, b = float(old), float(new)
    mantissa, _, power = old.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if len(re.sub(r"\D", "", mantissa).lstrip("0")) >= LONG:
        apart = max(apart, 1.001 * 10.0 ** (int(power or 0) - decimals))
    return abs(a - b) <= max(TOLERANCE * max(abs(a), abs(b)), apart)


def _read(kind: str, before: bytes, after: bytes) -> list[tuple[str, str, str]]:
    """Return the places in which two files of a kind differ, with what stands there."""
    reader = READERS.get(kind, _lines)
    old, new = list(reader(before)), list(reader(after))
    apart = DRAWN if kind == ".svg" else NOTHING
    found = [
        (place, a, b) for (place, a), (_, b) in zip(old, new, strict=False) if not same(a, b, apart)
    ]
    if len(old) != len(new):
        longer = old if len(old) > len(new) else new
        place = longer[min(len(old), len(new))][0]
        found.append((place, f"{len(old):,} parts", f"{len(new):,} parts"))
    if kind == ".docx":
        found += _media(before, after)
    return found


def _lines(content: bytes) -> Iterator[Cell]:
    for number, line in enumerate(content.decode("utf-8").split("\n"), start=1):
        yield f"line {number}", line


def _csv(content: bytes) -> Iterator[Cell]:
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    heads: list[str] = []
    for number, row in enumerate(rows, start=1):
        heads = heads or row
        yield f"line {number}", f"{len(row)} cells"
        names = [*heads, *[""] * (len(row) - len(heads))]
        yield from (
            (f"line {number}, {n or 'no heading'}", c) for n, c in zip(names, row, strict=False)
        )


def _json(content: bytes) -> Iterator[Cell]:
    def walk(place: str, value: Any) -> Iterator[Cell]:
        if isinstance(value, dict | list):
            yield place or "/", f"{type(value).__name__} of {len(value)}"
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, part in pairs:
                yield place, str(key)
                yield from walk(f"{place}/{key}", part)
        else:
            yield place, json.dumps(value, ensure_ascii=False)

    yield from walk("", json.loads(content))


def _xlsx(content: bytes) -> Iterator[Cell]:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    for sheet in book.worksheets:
        yield "sheets", sheet.title
        for row in sheet.iter_rows():
            for cell in row:
                if cell.value is not None:
                    yield f"{sheet.title}!{cell.coordinate}", str(cell.value)


class _Page(HTMLParser):
    """The visible text of a page, by the heading above it."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[Cell] = []
        self._unseen, self._heading, self._place = 0, False, "the beginning"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if re.fullmatch(r"h\d|caption|figcaption", tag):
            self._heading, self._place = True, ""
        # Pictures, and what stands in for them.
        told = [value for name, value in attrs if name in ("alt", "aria-label", "src") and value]
        self.cells += [(self._place, value[:10_000]) for value in told]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        if re.fullmatch(r"h\d|caption|figcaption", tag):
            self._heading = False

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self._unseen:
            if self._heading:
                self._place = f"{self._place} {text}".strip()[:80]
            self.cells.append((self._place, text))


def _html(content: bytes) -> Iterator[Cell]:
    page = _Page()
    page.feed(content.decode("utf-8"))
    page.close()
    yield from ((f"under '{place}'", text) for place, text in page.cells)


def _docx(content: bytes) -> Iterator[Cell]:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for name in sorted(parts.namelist()):
            yield "parts", name
            if not name.endswith(".xml"):
                continue
            root = ElementTree.fromstring(parts.read(name))  # noqa: S314 - of our own archive
            for number, paragraph in enumerate(root.iter(f"{_WORD}p"), start=1):
                text = "".join(part.text or "" for part in paragraph.iter(f"{_WORD}t"))
                yield f"{name}, paragraph {number}", text


def _media(before: bytes, after: bytes) -> list[tuple[str, str, str]]:
    """Compare the pictures in two Word documents."""
    with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(io.BytesIO(after)) as new:
        names = sorted({n for n in old.namelist() if n.endswith(".png")} & {*new.namelist()})
        return [
            (f"{name}, {place}", a, b)
            for name in names
            for place, a, b in _pixels(old.read(name), new.read(name))
        ]


_OBJECT = re.compile(rb"(\d+) 0 obj\s(.*?)\sendobj", re.DOTALL)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_CONTROL = dict(zip(b"nrtbf", b"\n\r\t\b\f", strict=True))
# A font that is chosen, or a line in the font chosen last.
_SHOWN = re.compile(
    rb"/(f\d+) [\d.]+ Tf|\[((?:\((?:[^\\()]|\\.)*\)|<[0-9A-Fa-f]*>|[-\d.\s])*)\]\s*TJ", re.DOTALL
)


def _pdf(content: bytes) -> Iterator[Cell]:
    """Read a PDF as typst writes it: fonts of two-byte glyphs, each with what it stands for."""
    objects = dict(_OBJECT.findall(content))

    def behind(key: bytes, body: bytes) -> bytes:
        found = objects[(re.search(key + rb" (\d+) 0 R", body) or {1: b""})[1]]
        head, _, stream = found.partition(b"stream\n")
        return zlib.decompress(stream) if b"/FlateDecode" in head else found

    def glyphs(body: bytes) -> dict[bytes, str]:
        pairs = re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", behind(b"/ToUnicode", body))
        return {
            bytes.fromhex(a.decode()): bytes.fromhex(b.decode()).decode("utf-16-be")
            for a, b in pairs
        }

    fonts = {key: glyphs(body) for key, body in objects.items() if b"/Type0" in body}
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    for number, page in enumerate(pages, start=1):
        names = dict(re.findall(rb"/(f\d+) (\d+) 0 R", behind(b"/Resources", page)))
        for name, line in _SHOWN.findall(behind(b"/Contents", page)):
            if name:
                font = fonts[names[name]]
                continue
            codes = b"".join(
                map(_literal, re.findall(rb"\(((?:[^\\()]|\\.)*)\)|<(.*?)>", line, re.DOTALL))
            )
            text = (font[codes[at : at + 2]] for at in range(0, len(codes), 2))
            yield f"page {number}", "".join(text)
    if not pages:
        raise ValueError("it has no pages")


def _literal(found: tuple[bytes, bytes]) -> bytes:
    """Return the bytes of a string of a PDF, in brackets or as hexadecimal digits."""
    if found[1]:
        return bytes.fromhex(found[1].decode())
    return _ESCAPED.sub(
        lambda m: bytes([int(m[1], 8) if m[1].isdigit() else _CONTROL.get(m[1][0], m[1][0])]),
        found[0],
    )


def _svg(content: bytes) -> Iterator[Cell]:
    root = ElementTree.fromstring(content)  # noqa: S314 - of our own archive
    for number, element in enumerate(root.iter(), start=1):
        place = f"element {number} ({element.tag.rpartition('}')[2]})"
        yield place, element.tag
        yield from ((f"{place}, {key}", value) for key, value in sorted(element.items()))
        if text := (element.text or "").strip():
            yield place, text


def _pixels(before: bytes, after: bytes) -> list[tuple[str, str, str]]:
    old, new = (image.imread(io.BytesIO(content), format="png") for content in (before, after))
    if old.shape != new.shape:
        one, other = (f"{array.shape[1]} x {array.shape[0]}" for array in (old, new))
        return [("size in pixels", one, other)]
    apart = np.abs(old - new)
    others = int((apart > SHADES + 1e-6).any(axis=-1).sum())
    if others <= EDGES * old.shape[0] * old.shape[1]:
        return []
    row, column, channel = np.unravel_index(int(apart.argmax()), apart.shape)
    a, b = (f"{array[row, column, channel]:.3f}" for array in (old, new))
    return [(f"pixel {column}, {row} of {others}", a, b)]


READERS: dict[str, Callable[[bytes], Iterator[Cell]]] = {
    ".csv": _csv,
    ".json": _json,
    ".xlsx": _xlsx,
    ".html": _html,
    ".docx": _docx,
    ".pdf": _pdf,
    ".svg": _svg,
}
