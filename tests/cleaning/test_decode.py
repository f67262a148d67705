"""One raw column at a time: what is taken, what is changed, what is set missing."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis.cleaning.decode import decode
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.read import LINE
from ccp_analysis.dictionary import Column


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


def decoded(cells: list[str], asked: Column) -> tuple[pd.Series, pd.DataFrame]:
    raw = pd.DataFrame({"x": pd.Series(cells, dtype=str), LINE: range(2, 2 + len(cells))})
    queries = Queries()
    people = pd.Series([f"P{i}" for i in range(len(cells))], index=raw.index, dtype=str)
    values = decode(raw, asked, "f.csv", people, queries)
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
    assert queries["rule"].to_dict() == {4: "not a whole number"}


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
