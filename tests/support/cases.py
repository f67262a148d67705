"""Cases of a parametrised test that are long and plain text: a table beside the tests."""

from __future__ import annotations

import csv
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def cases(name: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of a CSV file below the tests, by what stands first in them.

    A line break is written ``\\n`` in them, a bell ``\\a``.
    """
    with (TESTS / name).open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    said = {"\\n": "\n", "\\a": "\a"}
    plain = [[re.sub(r"\\[na]", lambda one: said[one[0]], cell) for cell in row] for row in rows]
    found = {first: tuple(rest) for first, *rest in plain}
    assert len(found) == len(rows), f"{name}: a case stands twice"
    return found


def edits(name: str, of: str = "") -> dict[str, tuple[list[tuple[str, ...]], str]]:
    """Return changes of text by case, as (file, what stands there, what it becomes); what is said.

    The first column says whose cases they are, so that one file serves several tests. A case of
    several changes has a line for each, all with the same sentence.
    """
    with (TESTS / name).open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    found: dict[str, tuple[list[tuple[str, ...]], str]] = {}
    for whose, case, *change, said in rows:
        if whose == of:
            plain = tuple(cell.replace("\\n", "\n") for cell in change)
            found.setdefault(case, ([], said))[0].append(plain)
    return found
