"""One raw column at a time: what is taken, what is changed, what is set missing.

Columns with their cells, and what becomes of each, are in data/values.yaml; ``python
tests/cleaning/test_decode.py`` writes it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support import kept

from ccp_analysis.cleaning import decode as decoding
from ccp_analysis.cleaning.decode import decode, decode_one, note_spellings
from ccp_analysis.cleaning.limits import check_limits
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.sheet import Sheet, categorical_of
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile


def column(type: str, **more) -> Column:
    plain = {"file": "f", "column": "x", "name": "x", "visit": "", "label": "X", "type": type}
    plain |= {"codes": {}, "missing": {}, "minimum": None, "maximum": None, "unit": ""}
    return Column.model_validate(plain | more)


FILE = RawFile(path=Path("f.csv"), rows="participant")
GENDER = {"female": ["Female", "F", "Femal"], "male": ["Male", "M"]}


def decoded(
    cells: list[str], asked: Column, file: RawFile = FILE, **more
) -> tuple[pd.Series, pd.DataFrame]:
    """A column through decoding, limits and notes, as in cleaning a file."""
    people = pd.Series([f"P{i}" for i in range(len(cells))], dtype="str")
    sheet = Sheet(
        Path("f.csv"),
        pd.DataFrame({"x": categorical_of(cells)}),
        np.arange(2, 2 + len(cells)),
        participant=people,
        hidden=frozenset({"x"} if asked.hidden else ()),
        **more,
    )
    queries = Queries()
    found = decode(sheet, asked, file, queries)
    impossible = check_limits(found, asked, sheet, queries)
    values = found.values if impossible is None else found.values.mask(impossible)
    note_spellings(sheet, asked, found, values, queries)
    return values, queries.table().set_index("row")


KEPT = Path(__file__).with_name("data") / "values.yaml"
CASES = kept.read(KEPT)["cases"]


def ending(case: kept.Case) -> str:
    """Return each cell with its value and the query about it, behind those about the column."""
    about = {key: case[key] for key in ("labels", "missing") if key in case}
    asked, file = column(**case["column"]), FILE.model_copy(update=case.get("file", {}))
    before, decoding.FEW = decoding.FEW, case.get("few", decoding.FEW)
    try:
        values, queries = decoded(case["cells"], asked, file, **about)
    finally:
        decoding.FEW = before
    told = queries[["severity", "raw_value", "action", "rule"]].agg(", ".join, axis=1)
    lines = ["column: " + said for said in told[told.index == 0]]
    for line, (cell, value) in enumerate(zip(case["cells"], values, strict=True), start=2):
        taken = "nothing" if pd.isna(value) else f"{value:.17g}" if values.dtype == float else value
        lines.append(f"{cell!r} → {taken}".removesuffix(" 00:00:00"))
        lines += ["  " + said for said in told[told.index == line]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_what_is_taken_and_what_is_asked(case):
    assert ending(case) == case["ends"]


@given(st.lists(st.text(max_size=8), max_size=12))
def test_every_cell_is_taken_or_asked_about(cells):
    """A cell is blank, or its value stands in the table as written, or there is a query."""
    asked = column("number", minimum=-5, maximum=5, missing={"na": "not recorded"})
    values, queries = decoded(cells, asked)
    for line, (cell, value) in enumerate(zip(cells, values, strict=True), start=2):
        if pd.isna(value):
            assert not cell.split() or line in queries.index
        else:
            assert float(cell) == value
            assert -5 <= value <= 5
            assert cell == cell.strip() or line in queries.index


@given(st.lists(st.text(max_size=8), min_size=1, max_size=12), st.sampled_from(["number", "id"]))
def test_the_quick_path_reads_as_the_careful_one(cells, kind):
    """Many spellings are read at once; the same cells, few and many, mean the same."""
    asked = column(kind, missing={"-9": "refused"})
    cells = [*cells, "0", "-0", "-9", "-9.0", "007", "1.50", "P1", "p1", "12345678901234567890"]
    few, queries = decoded(cells, asked)
    before, decoding.FEW = decoding.FEW, 0
    try:
        many, asked_again = decoded(cells, asked)
    finally:
        decoding.FEW = before
    pd.testing.assert_series_equal(few, many)
    pd.testing.assert_frame_equal(queries, asked_again)


def test_one_value_for_a_correction():
    asked = column("integer", minimum=0, maximum=9)
    assert decode_one(" 7 ", asked, FILE) == 7
    assert [decode_one(text, asked, FILE) for text in ("10", "7.5", "", "x")] == [None] * 4
    assert decode_one("Female", column("category", codes=GENDER), FILE) == "female"
    assert decode_one("2020-01-31", column("date"), FILE) == pd.Timestamp("2020-01-31")


if __name__ == "__main__":
    for case in CASES:
        case["ends"] = ending(case)
    kept.write(KEPT, {"cases": CASES})
