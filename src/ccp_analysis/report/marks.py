"""Numbers that know where they come from, and the marks by which text keeps it.

A traced number says its place: a cell of the results, ``abcdefgh.estimate``, or of another file,
``flow.json#/stages/0/n``. What is written of it carries the place in marks that nobody sees, so
that it travels through sentences and cells without any section knowing. Who writes a document turns
marks into links (`resolved`) or takes them off (`plain`).

A place can be a sum of products, as of a share and a number of people; a whole record counts one.
Behind an @ stands to what power of ten it was rounded, where that is not seen in the digits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

# A place is written with the characters of a private plane of Unicode, one for each of its own.
_PLANE = 0xF0000
_END = chr(_PLANE)
_SHIFT = {code: _PLANE + code for code in range(1, 0x80)}
_BACK = {there: here for here, there in _SHIFT.items()}
_MARKS = re.compile(f"[{_END}-{chr(_PLANE + 0x7F)}]+")
_MARKED = re.compile(f"([{chr(_PLANE + 1)}-{chr(_PLANE + 0x7F)}]+)([^{_END}]*){_END}")


class Traced:
    """What numbers of either kind share: a place, and that writing them keeps it."""

    __slots__ = ()
    origin: str

    def __format__(self, spec: str) -> str:
        return marked(format(_alone(self), spec), self.origin)

    def __str__(self) -> str:
        return format(self, "")

    def __abs__(self) -> Any:
        return told(abs(_alone(self)), self.origin)

    def __neg__(self) -> Any:
        return told(-_alone(self), self.origin)

    def __round__(self, places: SupportsIndex | None = None) -> Any:
        return told(round(_alone(self), places), self.origin)

    def __mul__(self, other: Any) -> Any:
        # As a share of a number, or per cent of a share: the cells still say what it is.
        if isinstance(other, Traced):
            times, of = _alone(self) * _alone(other), other.origin
        else:
            times, of = _alone(self) * other, str(other) if type(other) is int else "-"
        # A place is a sum of products, and of nothing else.
        return times if set("+-") & set(self.origin + of) else told(times, f"{self.origin}*{of}")

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Traced):
            return told(_alone(self) + _alone(other), f"{self.origin}+{other.origin}")
        # As a sum begins.
        return self if type(other) is int and other == 0 else _alone(self) + other

    __radd__ = __add__


class ToldFloat(Traced, float):
    """A number with its place."""

    __slots__ = ("origin",)
    origin: str


class ToldInt(Traced, int):
    """A whole number with its place."""

    origin: str


class Withheld(float):
    """In the place of a number that is not shown, nor anything that is reckoned of it."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return SUPPRESSED

    def __str__(self) -> str:
        return SUPPRESSED

    def _same(self, *_: object) -> Any:
        return self

    __abs__ = __neg__ = __round__ = __add__ = __radd__ = __sub__ = __rsub__ = _same
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _same


SUPPRESSED = "[suppressed]"
WITHHELD = Withheld("nan")


def withheld(part: Any, word: str) -> Any:
    """Put what is printed for a number in the place of those that a word stands for."""
    if isinstance(part, dict):
        return {
            key: value if key == "suppressed" else withheld(value, word)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [withheld(value, word) for value in part]
    return WITHHELD if part == word else part


def _alone(number: Any) -> Any:
    """Return a number without its place."""
    return int.__int__(number) if isinstance(number, int) else float.__float__(number)


def told(value: float, origin: str) -> Any:
    """Return a number that knows its place; one that is withheld stays so."""
    if isinstance(value, Withheld):
        return value
    number = ToldInt(value) if isinstance(value, int) else ToldFloat(value)
    number.origin = origin
    return number


def origin_of(value: object, places: int = 0) -> str | None:
    """Return the place of a number that is written with so many places; None where it has none."""
    if not isinstance(value, Traced):
        return None
    return f"{value.origin}@{places}" if places < 0 else value.origin


def how_many(numbers: Iterable[float]) -> int:
    """Return how many numbers there are, and the records that they are of as the place."""
    every = list(numbers)
    places = [value.origin for value in every if isinstance(value, Traced)]
    if not places or any(isinstance(value, Withheld) for value in every):
        return len(every)
    return told(len(every), "+".join(map(_record_of, places)))


def _record_of(origin: str) -> str:
    name, slash, pointer = origin.partition("#")
    return f"{name}#{pointer.rpartition('/')[0]}" if slash else origin.partition(".")[0]


def marked(text: str, origin: str | None) -> str:
    """Return text with marks of the place that it was read at."""
    return f"{origin.translate(_SHIFT)}{text}{_END}" if origin else text


def plain(text: str) -> str:
    """Return text without marks, of which none is ASCII."""
    return text if text.isascii() else _MARKS.sub("", text)


def numbered(text: str) -> tuple[str, list[str]]:
    """Return text with numbers for places, which are shorter, and the places of the numbers."""
    places: dict[str, int] = {}

    def short(found: re.Match[str]) -> str:
        number = places.setdefault(found[1].translate(_BACK), len(places))
        return marked(found[2], str(number))

    return _MARKED.sub(short, text), list(places)


def resolved(text: str, write: Callable[[str, str], str]) -> str:
    """Return text in which `write`, called with place and words, has replaced what was marked."""
    return plain(_MARKED.sub(lambda found: write(found[1].translate(_BACK), found[2]), text))


def parts(text: str) -> list[tuple[str, str]]:
    """Return a text in pieces: place and words, the place empty of what is not marked."""
    if text.isascii():
        return [("", text)] * bool(text)
    found, end = [], 0
    for piece in _MARKED.finditer(text):
        found += [("", text[end : piece.start()])] * (piece.start() > end)
        found.append((piece[1].translate(_BACK), piece[2]))
        end = piece.end()
    return found + [("", text[end:])] * (end < len(text))


def anchor(place: str) -> str:
    """Return by what a place is found in the page of all results: its row, if it is in one."""
    factors = [f for f in re.split(r"[+*]", place.partition("@")[0]) if not f.isdigit()]
    rows = {factor.partition(".")[0] for factor in factors}
    if len(rows) == 1 and "#" not in place:
        return rows.pop()
    return f"p{hashlib.sha256(place.encode()).hexdigest()[:15]}"


def origins(text: str) -> list[tuple[str, str]]:
    """Return place and words of everything that is marked in a text."""
    return [(place.translate(_BACK), words) for place, words in _MARKED.findall(text)]
