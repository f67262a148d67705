"""Raw files as spreadsheets, survey platforms and registries write them: read, asked or refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from tiny import RAW, STUDY

FIRST = [line.split(",") for line in RAW["first.csv"].splitlines()]


def as_workbook(tiny, change: Callable[[Worksheet], None], rows: list | None = None) -> None:
    """Save the first interview as a workbook, changed as somebody may have."""
    book = openpyxl.Workbook()
    for row in rows or FIRST:
        book.active.append([int(cell) if cell.isdecimal() else cell or None for cell in row])
    change(book.active)
    book.save(tiny.path / "first.xlsx")
    tiny.write("config/study.yaml", STUDY.replace("first.csv", "first.xlsx"))


def unmade(tiny) -> None:
    """Remove what an earlier cleaning has written."""
    for name in ("p.parquet", "q.csv", "f.json"):
        (tiny.path / name).unlink()


def asked(queries: pd.DataFrame) -> list[list[str]]:
    return queries[["row", "participant", "column", "action", "rule"]].to_numpy().tolist()


def test_cells_that_lose_their_value_to_a_merged_range_are_asked_about(tiny):
    as_workbook(tiny, lambda sheet: sheet.merge_cells("C2:C4"))
    people, queries, _ = tiny.clean()
    rule = "inside the merged cells C2:C4, of which only the first holds a value"
    assert asked(queries) == [
        ["3", "P2", "score", "read as empty", rule],
        ["4", "P3", "score", "read as empty", rule],
    ]
    assert people["score_before"].isna().tolist() == [False, True, True, False, True]
    missing = pd.read_parquet("m.parquet").set_index(["variable", "participant"])["reason"]
    assert missing["score_before"].astype(str).to_dict() == {
        "P2": "inside merged cells",
        "P3": "inside merged cells",
        "P5": "no interview: no reason recorded",
    }


def test_a_decision_can_fill_a_merged_cell(tiny):
    as_workbook(tiny, lambda sheet: sheet.merge_cells("B2:C2"))
    tiny.write(
        "config/decisions.csv",
        "file,participant,column,raw_value,action,value,who,when,why\n"
        "first.xlsx,P1,score,,correct,5,AB,2021-01-01,on paper\n",
    )
    people, queries, _ = tiny.clean()
    assert people.loc["P1", "score_before"] == 5
    assert queries["decision"].tolist() == ["corrected to 5"]


@pytest.mark.parametrize("ref", ["nowhere", "A:C", "", "C2:"])
def test_a_range_that_is_none_is_a_damaged_workbook(tiny, ref):
    as_workbook(tiny, lambda sheet: sheet.merge_cells("C2:C4"))
    path = tiny.path / "first.xlsx"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b'ref="C2:C4"', f'ref="{ref}"'.encode()))
    assert "the workbook is damaged" in str(tiny.fails())


def test_merged_identifiers_stop_with_the_range(tiny):
    as_workbook(tiny, lambda sheet: sheet.merge_cells("A2:A3"))
    assert str(tiny.fails()) == (
        "first.xlsx, sheet 'Sheet', row 3, column 'who': the identifier is empty (inside the "
        "merged cells A2:A3, of which only the first holds a value)."
    )


def test_merged_cells_beside_the_rows_lose_nothing(tiny):
    as_workbook(tiny, lambda sheet: sheet.merge_cells("D3:D4"))  # both empty but for free text
    _, queries, _ = tiny.clean()
    assert asked(queries) == []


def rows(*numbers: int) -> Callable[[Worksheet], None]:
    def hide(sheet: Worksheet) -> None:
        for number in numbers:
            sheet.row_dimensions[number].hidden = True
        sheet.auto_filter.ref = "A1:D5" if numbers == (3,) else None

    return hide


def columns(sheet: Worksheet) -> None:
    for letter in "BD":
        sheet.column_dimensions[letter].hidden = True


def whole(sheet: Worksheet) -> None:
    sheet.parent.create_sheet("Notes")
    sheet.sheet_state, sheet.parent.active = "hidden", 1


@pytest.mark.parametrize(
    ("hide", "said"),
    [
        (rows(2, 4, 5), "hidden rows, read like the others: 2, 4 to 5"),
        (rows(3), "hidden row (a filter is on), read like the others: 3"),
        (columns, "hidden columns, read like the others: age, remark"),
        (whole, "the sheet 'Sheet' is hidden; it is read like any other"),
    ],
)
def test_what_somebody_has_hidden_is_read_and_asked_about(tiny, hide, said):
    expected = tiny.clean()[0]
    as_workbook(tiny, hide)
    tiny.change("config/study.yaml", "first.xlsx,", "first.xlsx, sheet: Sheet,")
    people, queries, _ = tiny.clean()
    pd.testing.assert_frame_equal(people, expected)
    assert asked(queries) == [["0", "", "", "read as it stands", said]]


TITLES = [["", "Before", "", ""], *FIRST]
QUALTRICS = [
    FIRST[0],
    ["ID", "How old?", "Score (0-10)", "Remark"],
    ['{"ImportId":"QID1"}', '{"ImportId":"QID2"}', '{"ImportId":"QID3"}', '{"ImportId":"QID4"}'],
    *FIRST[1:],
]
UNITS = [FIRST[0], ["-", "years", "points", ""], *FIRST[1:]]


def as_csv(tiny, rows: list[list[str]], more: str = "") -> None:
    frame = pd.DataFrame(rows)
    frame.to_csv(tiny.path / "first.csv", header=False, index=False, lineterminator="\n")
    tiny.write("config/study.yaml", STUDY.replace("first.csv,", f"first.csv,{more}"))


@pytest.mark.parametrize(
    ("rows", "number", "sentence"),
    [
        (QUALTRICS, 3, "first.csv, lines 2 to 3: more of the header seems to stand there"),
        (UNITS, 2, "first.csv, line 2: more of the header seems to stand there"),
        (TITLES, 2, "first.csv, line 1: the columns are not named there but in row 2"),
    ],
)
def test_headers_over_several_rows_are_recognised_and_can_be_declared(tiny, rows, number, sentence):
    expected = tiny.clean()[0]
    as_csv(tiny, rows)
    unmade(tiny)
    error = str(tiny.fails())
    assert error.startswith(sentence)
    assert f"say 'header_rows: {number}' for this file in config/study.yaml" in error
    as_csv(tiny, rows, f" header_rows: {number},")
    people, queries, _ = tiny.clean()
    pd.testing.assert_frame_equal(people, expected)
    assert queries.empty
    as_workbook(tiny, lambda sheet: None, rows)
    tiny.change("config/study.yaml", "first.xlsx,", f"first.xlsx, header_rows: {number},")
    pd.testing.assert_frame_equal(tiny.clean()[0], expected)


def test_somebody_with_strange_answers_is_no_header(tiny):
    tiny.change("first.csv", "P1,30,5,fine", "P1,unknown,nothing,fine")
    assert tiny.clean()[0].loc["P1", ["age", "score_before"]].isna().all()


def statistical(tiny, labels: dict) -> None:
    tiny.change(
        "config/dictionary.csv", "Score,integer,,,0,10,", "Score,category,0=Low; 1=High,,,,"
    )
    table = pd.DataFrame({"who": ["P1", "P2", "P4"], "score": [0.0, 1.0, 1.0]})
    pyreadstat.write_sav(table, str(tiny.path / "second.sav"), variable_value_labels=labels)
    tiny.write("config/study.yaml", STUDY.replace("second.csv", "second.sav"))
    tiny.write("first.csv", "who,age,score,remark\nP1,30,0,\nP2,40,1,\nP3,50,1,\nP4,60,0,\n")


@pytest.mark.parametrize("labels", [{}, {0: "Low", 1: "High"}, {0: "low ", 1: "HIGH", 7: "Other"}])
def test_labels_that_agree_with_the_dictionary_are_no_question(tiny, labels):
    statistical(tiny, {"score": labels} if labels else {})
    people, queries, _ = tiny.clean()
    assert people["score_after"].dropna().tolist() == ["0", "1", "1"]
    assert set(queries["severity"]) <= {"note"}


def test_labels_that_contradict_the_dictionary_stop(tiny):
    statistical(tiny, {"score": {0: "High", 1: "Low"}})
    error = tiny.fails()
    assert error.faults == [
        "second.sav, column 'score': the file itself labels 0 as 'High', which by "
        "config/dictionary.csv is 1 (0=Low); find out which is right and correct the other.",
        "second.sav, column 'score': the file itself labels 1 as 'Low', which by "
        "config/dictionary.csv is 0 (1=High); find out which is right and correct the other.",
    ]


def test_labels_that_the_dictionary_does_not_know_are_asked_about(tiny):
    statistical(tiny, {"score": {0: "Niedrig", 1: "Hoch"}})
    people, queries, _ = tiny.clean()
    assert people["score_after"].dropna().tolist() == ["0", "1", "1"]
    assert queries["rule"].tolist() == [
        "labels of 'score' in the file that the dictionary does not know: 0 is 'Niedrig' (0=Low), "
        "1 is 'Hoch' (1=High)"
    ]


@pytest.mark.parametrize("found", ["0019-02-01", "1899-12-31", "2101-01-01"])
def test_a_year_that_no_study_has_is_an_error(tiny, found):
    tiny.change("events.csv", "2020-02-01", found)
    _, queries, _ = tiny.clean()
    dates = queries[queries["column"] == "date"]
    assert dates[["severity", "action", "rule"]].to_numpy().tolist() == [
        ["error", "set missing", "the year is outside 1900 to 2100"]
    ]
    tiny.write(
        "config/decisions.csv",
        "file,participant,column,raw_value,action,value,who,when,why\n"
        f"events.csv,P3,date,{found},correct,0020-02-01,AB,2021-01-01,asked\n",
    )
    unmade(tiny)
    assert "'0020-02-01' is not a valid value of 'date'" in str(tiny.fails())


LONG = "who,visit,age,score,remark\n" + "".join(
    f"P{n},{visit},{30 if visit == 'first' else ''},{score},\n"
    for n, scores in enumerate([(5, 6), (6, 7), (7, None), (8, 9)], start=1)
    for visit, score in zip(("first", "Second "), scores, strict=True)
    if score is not None
)


def shared(tiny) -> None:
    """Let both interviews stand in one file, told apart by a column that is no variable."""
    study = STUDY.replace("first.csv,", "first.csv, where: {visit: first},")
    study = study.replace("second.csv,", "first.csv, where: {visit: second},")
    tiny.write("config/study.yaml", study)
    if "first,visit" not in (tiny.path / "config/dictionary.csv").read_text():
        row = "first,visit,wave,,Visit,text,,,,,\nfirst,age"
        tiny.change("config/dictionary.csv", "first,age", row)


def test_several_rows_for_each_person_can_be_told_apart(tiny):
    expected = tiny.clean()[0]
    unmade(tiny)
    tiny.write("first.csv", LONG)
    tiny.change(
        "config/dictionary.csv", "first,age", "first,visit,wave,,Visit,text,,,,,\nfirst,age"
    )
    error = str(tiny.fails())
    assert error.startswith("first.csv, lines 2 and 3: 'P1' has rows that differ; one row is")
    assert "as the column 'visit' suggests, list the file once for each of them" in error
    assert "'where: {visit: …}'" in error
    # One file of the study for each visit; what the other takes is not of its dictionary.
    shared(tiny)
    tiny.write("first.csv", LONG + "P5,third,,3,\n")
    people, queries, flow = tiny.clean()
    assert people["score_before"].equals(expected["score_before"])
    assert people["score_after"].equals(expected["score_after"])
    assert [entry["rows"] for entry in flow["files"]] == [5, 4, 4, 3, 2]
    assert flow["files"][2]["file"] == "first.csv (visit: first)"
    assert queries["rule"].tolist() == ["lines that no file's 'where' takes: 9"]


def test_a_decision_about_a_shared_file_changes_the_row_that_it_names(tiny):
    tiny.write("first.csv", LONG.replace("P2,Second ,,7", "P2,Second ,,77"))
    shared(tiny)
    tiny.write(
        "config/decisions.csv",
        "file,participant,column,raw_value,action,value,who,when,why\n"
        "first.csv,P2,score,77,correct,7,AB,2021-01-01,asked\n",
    )
    people, queries, _ = tiny.clean()
    assert people.loc["P2", ["score_before", "score_after"]].tolist() == [6, 7]
    assert queries["decision"].tolist() == ["corrected to 7"]


def test_a_column_of_where_must_be_in_the_dictionary(tiny):
    tiny.change("config/study.yaml", "first.csv,", "first.csv, where: {visit: first},")
    assert "where names the column 'visit', which config/dictionary.csv does not" in str(
        tiny.fails()
    )


def test_an_older_or_locked_workbook_is_told_to_be_saved_again(tiny):
    tiny.write("first.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    tiny.write("config/study.yaml", STUDY.replace("first.csv", "first.xlsx"))
    assert "has a password; open it and save it as .xlsx without one" in str(tiny.fails())


def test_the_name_of_the_identifier_is_said(tiny):
    tiny.change("config/dictionary.csv", "first,who,participant,", "first,who,somebody,")
    assert str(tiny.fails()) == (
        "config/dictionary.csv: the file 'first' has no column of the name 'participant', which "
        "identifies its rows; write 'participant' as the name of the raw column that does, "
        "whatever its header."
    )


def test_very_many_columns_that_nobody_knows_are_listed_at_once(tiny):
    names = [f"c{n}" for n in range(30_000)]
    tiny.write("second.csv", ",".join(["who", "score", *names]) + "\n")
    error = tiny.fails()
    assert len(error.faults) == 30_000
    assert "column 'c0' is not in the data dictionary" in str(error)


def test_rows_passed_over_under_the_names_are_said(tiny):
    tiny.change("config/study.yaml", "first.csv,", "first.csv, header_rows: 3,")
    queries = tiny.clean()[1]
    [rule] = [r for r in queries["rule"] if "header_rows" in r]
    assert "though they look like the rows below: 2 ('P1'), 3 ('P2')" in rule
