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
