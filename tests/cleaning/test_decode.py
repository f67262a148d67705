"""One raw column at a time: what is taken, what is changed, what is set missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.cleaning import decode as decoding
from ccp_analysis.cleaning.decode import decode, decode_one, note_spellings
from ccp_analysis.cleaning.limits import check_limits
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.sheet import Sheet, categorical_of
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile


def column(kind: str, **more) -> Column:
    plain = {"file": "f", "column": "x", "name": "x", "visit": "", "label": "X", "type": kind}
    plain |= {"codes": {}, "missing": {}, "minimum": None, "maximum": None, "unit": ""}
    return Column.model_validate(plain | more)


FILE = RawFile(path=Path("f.csv"), rows="participant")
GENDER = {"female": ["Female", "F", "Femal"], "male": ["Male", "M"]}
ORDERED = {"0": ["Never"], "1": ["Some of the time"], "2": ["Always"]}
WORDS = [
    *("1e400", "-1e400", "inf", "-Infinity", "nan", "NaN", "None", "1,5", "0x10", "1_000", "5e"),
    *(".", "٣", "seven", "1.2.3", "TRUE", "1 2"),
]


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


DAY, LEAP, APRIL = map(pd.Timestamp, ("2020-03-01", "2020-02-29", "2020-04-03"))
FEMALE, NEVER = column("category", codes=GENDER), "not one of the codes"
NO_DATE, ZERO = "not a date as in 2020-01-31", "written with a fraction of zero"
# A column; its cells; what is taken of them, None where nothing; and the rule or the action of each
# query by its line, which begins with 2; 0 is that of the whole column.
TAKEN = {
    "numbers": (
        column("number"),
        ["7", "-3", "+3", "1.50", "1e2", ".5"],
        [7, -3, 3, 1.5, 100, 0.5],
        {},
    ),
    "space": (
        column("number"),
        [" 7", "7 ", " 7\t", "\xa07"],
        [7] * 4,
        dict.fromkeys(range(2, 6), ("note", "spelling", "read as 7")),
    ),
    "no numbers": (
        column("number"),
        WORDS,
        [None] * len(WORDS),
        dict.fromkeys(range(2, 2 + len(WORDS)), ("error", "not a number", "set missing")),
    ),
    "integers": (
        column("integer"),
        ["2", "2.0", "2.5"],
        [2, 2, None],
        {0: ZERO, 4: "not a whole number"},
    ),
    "least": (column("number", minimum=0), ["5", "-1"], [5, None], {3: "outside 0 to inf"}),
    "most": (column("number", maximum=6), ["5", "9"], [5, None], {3: "outside -inf to 6"}),
    "large": (
        column("number", minimum=0, maximum=9999999),
        [" 1234567.25", "12345678"],
        [1234567.25, None],
        {2: ("note", "spelling", "read as 1234567.25"), 3: "outside 0 to 9999999"},
    ),
    "missing within limits": (
        column("integer", missing={"-99": "refused"}, minimum=0, maximum=5),
        ["-99"],
        [None],
        {2: "missing code"},
    ),
    "missing however written": (
        column("number", missing={"-99": "x"}),
        ["-99", "-99.0", "-9.9e1", "99"],
        [None, None, None, 99],
        dict.fromkeys([2, 3, 4], "missing code"),
    ),
    "code, label and synonym in any case": (
        FEMALE,
        ["female", "female", "Female", "F", "  FEMALE ", "fEmAl", "male"],
        ["female"] * 6 + ["male"],
        dict.fromkeys([4, 5, 6, 7], ("note", "spelling", "read as female")),
    ),
    "a file written in labels": (
        FEMALE,
        ["Male", "Female", "Female", "F"],
        ["male", *["female"] * 3],
        {5: "spelling"},
    ),
    "no code": (FEMALE, ["femmale"], [None], {2: ("error", NEVER, "set missing")}),
    "an ordinal is a number": (
        column("ordinal", codes=ORDERED),
        ["0", "some of  the TIME", "2", "3", ""],
        [0, 1, 2, None, None],
        {3: "spelling", 5: NEVER},
    ),
    "dates": (
        column("date"),
        ["2020-02-29", " 2020-03-01", "2021-02-29", "01/02/2020", "2020-13-01", "yesterday"],
        [LEAP, DAY, *[None] * 4],
        {3: ("note", "spelling", "read as 2020-03-01")} | dict.fromkeys(range(4, 8), NO_DATE),
    ),
    "the day first where that is declared": (
        column("date"),
        ["03/04/2020", "2020-04-03", "31/04/2020", "3/4/2020"],
        [APRIL, APRIL, None, APRIL],
        {4: NO_DATE},
    ),
    "a decimal comma where it is declared": (
        column("number"),
        ["1,5", "-,25", "3", "1.5", "1,2,3"],
        [1.5, -0.25, 3, None, None],
        dict.fromkeys([5, 6], "not a number"),
    ),
    "identifiers": (
        column("id"),
        ["CP001", "cp002", " CP003 "],
        ["CP001", "CP002", "CP003"],
        {3: ("note", "spelling", "read as CP002"), 4: ("note", "spelling", "read as CP003")},
    ),
    "free text stands in no query": (column("text"), ["  Mrs Smith ", ""], ["Mrs Smith", None], {}),
}

DECLARED = {
    "the day first where that is declared": {"dates": "day-first"},
    "a decimal comma where it is declared": {"decimal": "comma"},
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken_and_what_is_asked(case):
    asked, cells, taken, rules = TAKEN[case]
    values, queries = decoded(cells, asked, FILE.model_copy(update=DECLARED.get(case, {})))
    assert [None if pd.isna(value) else value for value in values] == taken
    assert sorted(queries.index) == sorted(rules)
    for row, expected in rules.items():
        query = queries.loc[row]
        if isinstance(expected, str):
            assert query["rule"] == expected
        else:
            assert tuple(query[["severity", "rule", "action"]]) == expected
        assert row == 0 or query["raw_value"] == cells[row - 2]


def test_limits_belong_to_the_range():
    asked = column("number", minimum=0, maximum=10)
    values, queries = decoded(["0", "10", "-0.1", "10.1", "1000000"], asked)
    assert values[:2].tolist() == [0, 10]
    assert values[2:].isna().all()
    assert queries["rule"].to_dict() == dict.fromkeys([4, 5, 6], "outside 0 to 10")
    assert set(queries["severity"]) == {"error"}


@pytest.mark.parametrize("kind", ["number", "category", "date", "text", "ordinal", "integer"])
def test_missing_codes_whatever_the_type(kind):
    codes = {"1": ["One"]} if kind in ("category", "ordinal") else {}
    asked = column(kind, codes=codes, missing={"-99": "not answered", "not asked": "never asked"})
    values, queries = decoded(["-99", "Not  ASKED ", "", "   "], asked)
    assert values.isna().all()
    assert queries["rule"].to_dict() == {2: "missing code", 3: "missing code"}
    assert queries["action"].tolist() == ["set missing: not answered", "set missing: never asked"]


def test_a_column_without_rows():
    for kind in ("number", "category", "date", "id", "text", "ordinal"):
        codes = {"1": ["One"]} if kind in ("category", "ordinal") else {}
        values, queries = decoded([], column(kind, codes=codes, minimum=None))
        assert values.empty
        assert queries.empty


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


def test_soft_limits_keep_the_value_and_ask():
    asked = column("number", minimum=0, maximum=100, soft_minimum=10, soft_maximum=50)
    values, queries = decoded(["5", "10", "50", "51", "101", ""], asked)
    assert values[:4].tolist() == [5, 10, 50, 51]
    assert values[4:].isna().all()
    assert queries[["severity", "action", "rule"]].to_numpy().tolist() == [
        ["query", "kept", "implausible: not within 10 to 50"],
        ["query", "kept", "implausible: not within 10 to 50"],
        ["error", "set missing", "outside 0 to 100"],
    ]


def test_value_labels_and_missing_values_of_the_file_mean_what_the_dictionary_says():
    labels = {"x": {"1": "Female", "2": "Male", "9": "Refused"}}
    asked = column("category", codes=GENDER, missing={"refused": "refused to say"})
    values, queries = decoded(["1", "2", "9", "3", "1"], asked, labels=labels)
    assert values[[0, 1, 4]].tolist() == ["female", "male", "female"]
    assert queries[["rule", "action"]].to_numpy().tolist() == [
        ["missing code", "set missing: refused to say"],
        ["not one of the codes", "set missing"],
    ]
    values, queries = decoded(["5", "-98"], column("number"), missing={"x": {"-98": "do not know"}})
    assert pd.isna(values[1])
    assert queries["action"].tolist() == ["set missing: do not know"]


def test_one_value_for_a_correction():
    asked = column("integer", minimum=0, maximum=9)
    assert decode_one(" 7 ", asked, FILE) == 7
    assert [decode_one(text, asked, FILE) for text in ("10", "7.5", "", "x")] == [None] * 4
    assert decode_one("Female", column("category", codes=GENDER), FILE) == "female"
    assert decode_one("2020-01-31", column("date"), FILE) == pd.Timestamp("2020-01-31")
