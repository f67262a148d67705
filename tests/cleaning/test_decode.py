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
    plain = {
        "file": "f",
        "column": "x",
        "name": "x",
        "visit": "",
        "label": "X",
        "type": kind,
        "codes": {},
        "missing": {},
        "minimum": None,
        "maximum": None,
        "unit": "",
    }
    return Column.model_validate(plain | more)


FILE = RawFile(path=Path("f.csv"), rows="participant")


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


def one(cell: str, asked: Column) -> tuple[object, pd.DataFrame]:
    values, queries = decoded([cell], asked)
    return values.iloc[0], queries


@pytest.mark.parametrize(
    ("cell", "value"), [("7", 7), ("-3", -3), ("+3", 3), ("1.50", 1.5), ("1e2", 100), (".5", 0.5)]
)
def test_a_number_is_taken_as_it_stands(cell, value):
    found, queries = one(cell, column("number"))
    assert found == value
    assert queries.empty


@pytest.mark.parametrize("cell", [" 7", "7 ", " 7\t", "\xa07"])
def test_white_space_around_a_number_is_a_note(cell):
    found, queries = one(cell, column("number"))
    assert found == 7
    assert queries.loc[2, ["severity", "rule", "action"]].tolist() == [
        "note",
        "spelling",
        "read as 7",
    ]
    assert queries.loc[2, "raw_value"] == cell


WORDS = [
    "1e400",
    "-1e400",
    "inf",
    "-Infinity",
    "nan",
    "NaN",
    "None",
    "1,5",
    "0x10",
    "1_000",
    "5e",
    ".",
    "٣",
    "seven",
    "1.2.3",
    "TRUE",
]


@pytest.mark.parametrize("cell", [*WORDS, "1 2"])
def test_what_is_no_number_is_set_missing_with_an_error(cell):
    found, queries = one(cell, column("number"))
    assert pd.isna(found)
    assert queries.loc[2, ["severity", "action", "rule", "raw_value"]].tolist() == [
        "error",
        "set missing",
        "not a number",
        cell,
    ]


def test_an_integer_has_no_fraction():
    values, queries = decoded(["2", "2.0", "2.5"], column("integer"))
    assert values.tolist()[:2] == [2, 2]
    assert pd.isna(values[2])
    assert queries["rule"].to_dict() == {
        0: "written with a fraction of zero",
        4: "not a whole number",
    }


def test_limits_belong_to_the_range():
    asked = column("number", minimum=0, maximum=10)
    values, queries = decoded(["0", "10", "-0.1", "10.1", "1000000"], asked)
    assert values[:2].tolist() == [0, 10]
    assert values[2:].isna().all()
    assert queries["rule"].to_dict() == dict.fromkeys([4, 5, 6], "outside 0 to 10")
    assert set(queries["severity"]) == {"error"}


def test_one_sided_limits():
    assert decoded(["5", "-1"], column("number", minimum=0))[0].isna().tolist() == [False, True]
    assert decoded(["5", "9"], column("number", maximum=6))[0].isna().tolist() == [False, True]


def test_large_values_are_reported_in_full():
    _, queries = one(" 1234567.25", column("number", minimum=0, maximum=9999999))
    assert queries.loc[2, "action"] == "read as 1234567.25"
    _, queries = one("12345678", column("number", minimum=0, maximum=9999999))
    assert queries.loc[2, "rule"] == "outside 0 to 9999999"


@pytest.mark.parametrize("kind", ["number", "category", "date", "text", "ordinal", "integer"])
def test_missing_codes_whatever_the_type(kind):
    codes = {"1": ["One"]} if kind in ("category", "ordinal") else {}
    asked = column(kind, codes=codes, missing={"-99": "not answered", "not asked": "never asked"})
    values, queries = decoded(["-99", "Not  ASKED ", "", "   "], asked)
    assert values.isna().all()
    assert queries["rule"].to_dict() == {2: "missing code", 3: "missing code"}
    assert queries["action"].tolist() == ["set missing: not answered", "set missing: never asked"]


def test_a_missing_code_wins_over_the_limits():
    asked = column("integer", missing={"-99": "refused"}, minimum=0, maximum=5)
    assert set(decoded(["-99"], asked)[1]["rule"]) == {"missing code"}


GENDER = {"female": ["Female", "F", "Femal"], "male": ["Male", "M"]}


def test_categories_by_code_label_and_synonym_in_any_case():
    cells = ["female", "female", "Female", "F", "  FEMALE ", "fEmAl", "male"]
    values, queries = decoded(cells, column("category", codes=GENDER))
    assert values.tolist() == ["female"] * 6 + ["male"]
    assert queries.index.tolist() == [4, 5, 6, 7]
    assert set(queries["action"]) == {"read as female"}
    assert set(queries["rule"]) == {"spelling"}


def test_a_file_written_in_labels_is_not_queried_for_it():
    values, queries = decoded(["Male", "Female", "Female", "F"], column("category", codes=GENDER))
    assert values.tolist() == ["male", "female", "female", "female"]
    assert queries.index.tolist() == [5]


def test_an_unknown_category_is_set_missing():
    found, queries = one("femmale", column("category", codes=GENDER))
    assert pd.isna(found)
    assert queries.loc[2, ["severity", "rule"]].tolist() == ["error", "not one of the codes"]


def test_an_ordinal_is_a_number():
    asked = column("ordinal", codes={"0": ["Never"], "1": ["Some of the time"], "2": ["Always"]})
    values, queries = decoded(["0", "some of  the TIME", "2", "3", ""], asked)
    assert values[:3].tolist() == [0, 1, 2]
    assert values[3:].isna().all()
    assert queries["rule"].to_dict() == {3: "spelling", 5: "not one of the codes"}


def test_dates():
    cells = ["2020-02-29", " 2020-03-01", "2021-02-29", "01/02/2020", "2020-13-01", "yesterday"]
    values, queries = decoded(cells, column("date"))
    assert values[:2].tolist() == [pd.Timestamp("2020-02-29"), pd.Timestamp("2020-03-01")]
    assert values[2:].isna().all()
    assert queries.loc[3, "action"] == "read as 2020-03-01"
    assert set(queries.loc[4:, "rule"]) == {"not a date as in 2020-01-31"}


def test_identifiers_in_another_case_and_spaces():
    values, queries = decoded(["CP001", "cp002", " CP003 "], column("id"))
    assert values.tolist() == ["CP001", "CP002", "CP003"]
    assert queries["action"].to_dict() == {3: "read as CP002", 4: "read as CP003"}


def test_free_text_stands_in_no_query():
    values, queries = decoded(["  Mrs Smith ", ""], column("text"))
    assert values[0] == "Mrs Smith"
    assert pd.isna(values[1])
    assert queries.empty


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


def test_a_missing_code_is_one_however_its_number_is_written():
    values, queries = decoded(
        ["-99", "-99.0", "-9.9e1", "99"], column("number", missing={"-99": "x"})
    )
    assert values.isna().tolist() == [True, True, True, False]
    assert set(queries["rule"]) == {"missing code"}


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


def test_a_decimal_comma_is_one_only_where_it_is_declared():
    german = RawFile(path=Path("f.csv"), rows="participant", decimal="comma")
    values, queries = decoded(["1,5", "-,25", "3", "1.5", "1,2,3"], column("number"), german)
    assert values[:3].tolist() == [1.5, -0.25, 3]
    assert values[3:].isna().all()
    assert queries.index.tolist() == [5, 6]


def test_dates_with_the_day_first_only_where_that_is_declared():
    british = RawFile(path=Path("f.csv"), rows="participant", dates="day-first")
    cells = ["03/04/2020", "2020-04-03", "31/04/2020", "3/4/2020"]
    values, queries = decoded(cells, column("date"), british)
    april = pd.Timestamp("2020-04-03")
    assert values[[0, 1, 3]].tolist() == [april] * 3
    assert queries.index.tolist() == [4]


def test_value_labels_of_the_file_mean_what_the_dictionary_says():
    labels = {"x": {"1": "Female", "2": "Male", "9": "Refused"}}
    asked = column("category", codes=GENDER, missing={"refused": "refused to say"})
    values, queries = decoded(["1", "2", "9", "3", "1"], asked, labels=labels)
    assert values[[0, 1, 4]].tolist() == ["female", "male", "female"]
    assert queries[["rule", "action"]].to_numpy().tolist() == [
        ["missing code", "set missing: refused to say"],
        ["not one of the codes", "set missing"],
    ]


def test_missing_values_that_the_file_declares_are_missing():
    values, queries = decoded(["5", "-98"], column("number"), missing={"x": {"-98": "do not know"}})
    assert pd.isna(values[1])
    assert queries["action"].tolist() == ["set missing: do not know"]


def test_one_value_for_a_correction():
    asked = column("integer", minimum=0, maximum=9)
    assert decode_one(" 7 ", asked, FILE) == 7
    assert [decode_one(text, asked, FILE) for text in ("10", "7.5", "", "x")] == [None] * 4
    assert decode_one("Female", column("category", codes=GENDER), FILE) == "female"
    assert decode_one("2020-01-31", column("date"), FILE) == pd.Timestamp("2020-01-31")
