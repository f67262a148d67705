"""The same study in every format gives the same bytes; files that are not what they say stop."""

from __future__ import annotations

import datetime as dt
import itertools
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_as import as_delimited, as_statistical, as_xlsx, redirect

from ccp_analysis.cleaning import delimited
from ccp_analysis.cleaning.delimited import read_delimited
from ccp_analysis.cleaning.spreadsheet import read_spreadsheet, text_of
from ccp_analysis.cleaning.statistical import read_statistical
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError

PARTICIPANTS = "data/derived/participants.parquet"


def raw(path: Path | str, **more) -> RawFile:
    return RawFile(path=Path(path), rows="participant", **more)


@pytest.fixture(scope="module")
def expected(ccp_done) -> bytes:
    return (ccp_done / PARTICIPANTS).read_bytes()


@pytest.mark.parametrize("kind", ["xlsx", "sav", "dta"])
def test_the_study_in_another_format_gives_the_same_bytes(ccp_study, expected, kind):
    save = {"xlsx": as_xlsx}.get(kind, lambda path: as_statistical(path, kind))
    for path in sorted(Path("data/raw").glob("*.csv")):
        save(path)
        path.unlink()
    redirect(kind)
    ccp_study.clean()
    assert Path(PARTICIPANTS).read_bytes() == expected
    if kind == "xlsx":  # queries about a sheet name sheet and row
        queries = pd.read_csv("data/derived/queries.csv", dtype=str, keep_default_na=False)
        [age] = queries[queries["rule"] == "outside 18 to 100"].to_dict("records")
        book = openpyxl.load_workbook("data/raw/baseline.xlsx")
        header = [cell.value for cell in book["Export"][1]]
        assert (age["file"], age["sheet"]) == ("baseline.xlsx", "Export")
        assert book["Export"].cell(int(age["row"]), header.index("age") + 1).value == 193


DELIMITED = [
    (";", "utf-8", ", delimiter: semicolon, decimal: comma"),
    ("\t", "utf-8-sig", ", delimiter: tab"),
    (",", "latin-1", ", encoding: latin-1"),
    (";", "cp1252", ", delimiter: semicolon, encoding: windows-1252"),
]


@pytest.mark.parametrize("turn", range(2))
def test_other_delimiters_and_encodings_give_the_same_bytes(ccp_study, expected, turn):
    """Each file has a form of its own; the two interviews, which come first, have all in turn."""
    paths = sorted(Path("data/raw").glob("*.csv"), key=lambda p: (p.name != "followup.csv", p))
    forms = itertools.cycle(DELIMITED[2 * turn :] + DELIMITED[: 2 * turn])
    for path, (delimiter, encoding, declared) in zip(paths, forms, strict=False):
        as_delimited(path, delimiter, encoding)
        ccp_study.change("config/study.yaml", f"{path.name},", f"{path.name}{declared},")
    ccp_study.clean()
    assert Path(PARTICIPANTS).read_bytes() == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (5, "5"),
        (5.0, "5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e22, "1e+22"),
        (float("nan"), ""),
        (True, "TRUE"),
        (" x ", " x "),
        (dt.datetime(2020, 1, 31), "2020-01-31"),
        (dt.datetime(2020, 1, 31, 9, 30), "2020-01-31 09:30:00"),
        (dt.date(2020, 1, 31), "2020-01-31"),
        (dt.time(9, 30), "09:30:00"),
    ],
)
def test_cells_of_spreadsheets_as_text(value, text):
    assert text_of(value) == text


def workbook(path: Path, *rows: list, sheets: tuple[str, ...] = ("Sheet",)) -> RawFile:
    book = openpyxl.Workbook()
    book.active.title = sheets[0]
    for name in sheets[1:]:
        book.create_sheet(name)
    for row in rows:
        book[sheets[-1]].append(row)
    book.save(path)
    return raw(path)


def test_formulas_are_their_own_text_and_blank_rows_move_no_number(tmp_path):
    file = workbook(tmp_path / "a.xlsx", [], ["a", "b"], [1, "=1+1"], [], [None, 2])
    sheet = read_spreadsheet(file, ["a", "b"])
    assert sheet.cells["b"].tolist() == ["=1+1", "2"]
    assert sheet.rows.tolist() == [3, 5]
    assert sheet.place(0, "b").endswith("a.xlsx, sheet 'Sheet', row 3, column 'b'")


def test_one_of_several_sheets_must_be_named(tmp_path):
    file = workbook(tmp_path / "a.xlsx", ["a"], [1], sheets=("Notes", "Data"))
    with pytest.raises(StudyError, match=r"a\.xlsx: 2 sheets found \(Notes, Data\)"):
        read_spreadsheet(file, ["a"])
    named = raw(file.path, sheet="Data")
    assert read_spreadsheet(named, ["a"]).cells["a"].tolist() == ["1"]
    with pytest.raises(StudyError, match="there is no sheet 'data'; expected one of Notes, Data"):
        read_spreadsheet(raw(file.path, sheet="data"), ["a"])
    with pytest.raises(StudyError, match="sheet 'Notes': the sheet is empty"):
        read_spreadsheet(raw(file.path, sheet="Notes"), ["a"])


def test_a_cell_beside_the_table_stops(tmp_path):
    file = workbook(tmp_path / "a.xlsx", ["a", "b"], [1, 2], [1, 2, None, "total"])
    with pytest.raises(StudyError, match="row 3: 4 cells found, 2 expected as in the header"):
        read_spreadsheet(file, ["a", "b"])


def not_a_workbook(path: Path) -> None:
    path.write_bytes(b"who,score\n")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note.txt", "hello")


def cut_workbook(path: Path) -> None:
    workbook(path, ["a"], [1])
    path.write_bytes(path.read_bytes()[:-200])


def broken_workbook(path: Path) -> None:
    workbook(path, ["a"], *[[n] for n in range(2000)])
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    content[start + 300 : start + 400] = bytes(100)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("make", [not_a_workbook, other_zip, cut_workbook, broken_workbook])
def test_what_is_no_workbook_is_a_sentence(tmp_path, make):
    path = tmp_path / "a.xlsx"
    make(path)
    with pytest.raises(StudyError, match=r"a\.xlsx.*(not readable|damaged)") as caught:
        read_spreadsheet(raw(path), ["a"])
    assert "\n" not in str(caught.value)


def test_labels_and_missing_values_of_spss(tmp_path):
    table = pd.DataFrame({"who": ["P1", "P2", "P3"], "x": [1.0, -99.0, np.nan], "g": [1.0, 2, 9]})
    pyreadstat.write_sav(
        table,
        str(tmp_path / "a.sav"),
        variable_value_labels={"g": {1: "Female", 2: "Male"}, "x": {-99: "refused"}},
        missing_ranges={"x": [{"lo": -100, "hi": -90}], "g": [9]},
    )
    sheet = read_statistical(raw(tmp_path / "a.sav"), ["who", "x", "g"])
    assert sheet.cells["x"].tolist() == ["1", "-99", ""]
    assert sheet.missing == {"x": {"-99": "refused"}, "g": {"9": "missing by the file"}}
    assert sheet.labels["g"] == {"1": "Female", "2": "Male"}
    assert sheet.place(1, "x").endswith("a.sav, case 2, column 'x'")


def test_extended_missing_values_of_stata(tmp_path):
    table = pd.DataFrame({"g": pd.Series([1, "a", 2], dtype=object)})
    pyreadstat.write_dta(
        table,
        str(tmp_path / "a.dta"),
        variable_value_labels={"g": {1: "Female", 2: "Male", "a": "Refused"}},
        missing_user_values={"g": ["a"]},
    )
    sheet = read_statistical(raw(tmp_path / "a.dta"), ["g"])
    assert sheet.cells["g"].tolist() == ["1", ".a", "2"]
    assert sheet.missing == {"g": {".a": "Refused"}}


@pytest.mark.parametrize("kind", ["sav", "dta"])
@pytest.mark.parametrize("cut", [0, 10, 200, -20])
def test_a_cut_statistical_file_is_a_sentence_or_whole(tmp_path, kind, cut):
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": ["x", "y", "z"]})
    path = tmp_path / f"a.{kind}"
    getattr(pyreadstat, f"write_{kind}")(table, str(path))
    path.write_bytes(path.read_bytes()[:cut])
    try:
        sheet = read_statistical(raw(path), ["a", "b"])
    except StudyError as error:
        assert f"a.{kind}: not readable as" in str(error)
    else:
        assert sheet.cells["a"].tolist() == ["1", "2", "3"]


def test_a_spreadsheet_that_is_called_csv(tmp_path):
    workbook(tmp_path / "a.xlsx", ["a"], [1])
    path = tmp_path / "a.csv"
    path.write_bytes((tmp_path / "a.xlsx").read_bytes())
    with pytest.raises(StudyError, match=r"a\.csv: this is a ZIP file or a spreadsheet"):
        read_delimited(raw(path), ["a"])


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"path": "a.ods"}, "'a.ods' is of no format that is read; save it as .xlsx"),
        ({"path": "a.xls"}, "'a.xls' is of no format that is read; save it as .xlsx"),
        ({"path": "a.dta", "header_rows": 2}, "'header_rows' does not go with the format dta"),
        ({"path": "a.xlsx", "delimiter": "comma"}, "'delimiter' does not go with the format xlsx"),
        ({"path": "a.csv", "sheet": "x"}, "'sheet' does not go with the format csv"),
        ({"path": "a.sav", "decimal": "comma"}, "a decimal comma does not go with the format sav"),
    ],
)
def test_what_does_not_go_with_a_format(declared, fault):
    with pytest.raises(ValueError, match=fault):
        RawFile(rows="participant", **declared)


cell = st.text(alphabet='ab"\r\n ,;é1', max_size=4)


@given(st.lists(st.lists(cell, min_size=2, max_size=2), max_size=6), st.booleans(), st.booleans())
def test_large_files_are_read_as_small_ones(tmp_path_factory, rows, quoted, ended):
    """The quick way gives what the careful one gives, or leaves the file to it."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    mark = '"' if quoted else ""
    lines = ["x,y", *(",".join(f"{mark}{c}{mark}" for c in row) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n" * ended).encode())

    def read(large: int) -> object:
        before, delimited.LARGE = delimited.LARGE, large
        try:
            sheet = read_delimited(raw(path), ["x", "y"])
        except StudyError as error:
            return str(error), error.faults
        finally:
            delimited.LARGE = before
        return sheet.cells.astype("str").to_dict("list"), sheet.rows.tolist(), sheet.remarks

    assert read(0) == read(10**9)
