"""Numbers as a journal prints them, and text that stays text wherever it is put."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TypeGuard

from ccp_analysis.report.marks import SUPPRESSED, Withheld, marked, origin_of

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EN DASH}"
MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_SPACE = re.compile(r"[\x00-\x20\x7f\x85\u2028\u2029]+")  # but not the no-break space
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def escape(text: object) -> Markdown:
    """Escape text so that Markdown and HTML in it are shown as they are written.

    Parameters
    ----------
    text : object
        Anything; None is empty, and `Markdown` is returned as it is.

    Returns
    -------
    Markdown
        On one line, every ASCII punctuation mark behind a backslash.
    """
    if isinstance(text, Markdown):
        return text
    plain = "" if text is None else _SPACE.sub(" ", str(text)).strip(" ")
    return Markdown(_PUNCTUATION.sub(r"\\\1", plain))


def known(value: float | None) -> TypeGuard[float]:
    """Return whether there is a number."""
    return value is not None and math.isfinite(value)


def decimals(spread: float | None) -> int:
    """Return how many decimals suit numbers with such a standard deviation or standard error.

    Parameters
    ----------
    spread : float or None
        In the unit of the numbers; without one, two decimals are taken.

    Returns
    -------
    int
        0 from 30, 1 from 1, 2 from 0.1, 3 from 0.01, otherwise 4.
    """
    if not known(spread) or spread <= 0:
        return 2
    steps = [(30, 0), (1, 1), (0.1, 2), (0.01, 3)]
    return next((places for floor, places in steps if spread >= floor), 4)


def number(value: float | None, places: int = 0, unit: str = "") -> str | None:
    """Write a number with a true minus sign and commas at thousands; None where there is none.

    A number that is rounded to nothing loses its sign. With a negative number of places it is
    rounded to tens, hundreds and so on. A unit, as that of a currency, stands before the digits.
    """
    if not known(value):
        return SUPPRESSED if isinstance(value, Withheld) else None
    plain = float(value) if places >= 0 else round(float(value), places)
    text = f"{plain:,.{max(0, places)}f}"
    sign = MINUS if text.startswith("-") and text.strip("-0.,") else ""
    return marked(f"{sign}{unit}{text.lstrip('-')}", origin_of(value, places))


def interval(low: float | None, high: float | None, places: int) -> str | None:
    """Write an interval as in ``−0.4 to 1.2``; None where there is none."""
    if not (known(low) and known(high)):
        return None
    return f"{number(low, places)} to {number(high, places)}"


def p_value(p: float | None) -> str | None:
    """Write a p-value: two decimals from 0.10, three below, never 0.000 or 1.00."""
    if not known(p):
        return None
    text = f"{float(p):.{2 if round(p, 3) >= 0.1 else 3}f}"
    return marked("<0.001" if p < 0.001 else ">0.99" if p > 0.99 else text, origin_of(p))


def degrees(df: float | None) -> str | None:
    """Write degrees of freedom, with one decimal below 100."""
    return number(df, 1 if known(df) and df < 100 else 0)


def percent(share: float | None, places: int = 0) -> str | None:
    """Write a proportion in per cent, without the sign."""
    return number(share * 100 if known(share) else share, places)


def capitalised(text: str) -> str:
    """Return the text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def uncapitalised(text: str) -> str:
    """Return a sentence's first word without its capital, unless it is an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def sentence(text: str) -> str:
    """Return text with a capital at its beginning and a full stop, if no other, at its end."""
    text = capitalised(text.strip())
    return text if text.endswith((".", "!", "?", ".]")) else f"{text}."


def listed(parts: list[str], last: str = "and") -> str:
    """Join words as in ``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def inside(label: str) -> str:
    """Return a label as it stands inside a sentence, unless it has capitals of its own."""
    return uncapitalised(label) if label[1:] == label[1:].lower() else label


def written_date(date: dt.date) -> str:
    """Return a date as in 31 March 2021, whatever the machine's language."""
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"
