"""Raw files: lines, headers, repeated and contradicting rows, joins; each fault is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import RAW, STUDY

from ccp_analysis.cleaning.delimited import read_delimited
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError


def test_everyone_recruited_is_one_row(tiny):
    people, queries, flow = tiny.clean()
    assert people.index.tolist() == ["P1", "P2", "P3", "P4", "P5"]
    assert people["arm"].tolist() == ["c", "t", "c", "t", "c"]
    assert people["interviewed_before"].tolist() == [True, True, True, True, False]
    assert people["interviewed_after"].tolist() == [True, True, False, True, False]
    assert people.loc["P3", "left"] == "lost"
    assert people.drop("P3")["left"].isna().all()
    assert queries.empty
    assert flow["files"][0] == {
        "file": "roster.csv",
        "rows": 5,
        "identical_rows_left_out": 0,
        "kept": 5,
    }


def test_flow_counts_and_reasons(tiny):
    stages = {stage["stage"]: stage for stage in tiny.clean()[2]["stages"]}
    assert [stages[s]["n"] for s in ("recruited", "before", "after")] == [5, 4, 3]
    [gone] = stages["before"]["missing"]
    assert (gone["reason"], gone["n"], gone["by_arm"]) == (
        "no reason recorded",
        1,
        {"c": 1, "t": 0},
    )
    [gone] = stages["after"]["missing"]
    assert (gone["reason"], gone["n"], gone["by_arm"]) == ("lost", 1, {"c": 1, "t": 0})
    assert gone["recorded"] == {"moved": 1}


def test_free_text_goes_no_further(tiny):
    people, _, _ = tiny.clean()
    assert "remark" not in people
    content = b"".join(Path(name).read_bytes() for name in ("p.parquet", "q.csv", "f.json"))
    assert b"likes tea" not in content


def test_lines_are_those_of_the_file(tiny):
    """A quoted cell of several lines, blank lines and a byte order mark move no line number."""
    tiny.write(
        "first.csv",
        "\ufeffwho,age,score,remark\r\n"
        'P1,30,99,"one\r\ntwo\r\nthree"\r\n'
        "\r\n"
        "P2,-99,6,\r\n"
        ",,,\r\n"
        "P3,50, 7,\r\n"
        "P4,60,8,\r\n",
    )
    _, queries, flow = tiny.clean()
    found = queries[["row", "participant", "column", "raw_value", "rule"]].to_numpy().tolist()
    assert found == [
        ["2", "P1", "score", "99", "outside 0 to 10"],
        ["6", "P2", "age", "-99", "missing code"],
        ["8", "P3", "score", " 7", "spelling"],
    ]
    assert queries["id"].tolist() == ["Q0001", "Q0002", "Q0003"]
    assert set(queries["data_status"]) == {"synthetic"}
    assert flow["files"][2]["rows"] == 4


def test_identical_rows_become_one_with_a_query(tiny):
    tiny.write("first.csv", RAW["first.csv"] + "P2,40,6,\nP2,40,6,\n")
    people, queries, flow = tiny.clean()
    assert len(people) == 5
    assert people.loc["P2", "score_before"] == 6
    assert queries[["row", "participant", "action"]].to_numpy().tolist() == [
        ["6", "P2", "row left out"],
        ["7", "P2", "row left out"],
    ]
    assert set(queries["rule"]) == {"identical row repeated"}
    assert flow["files"][2] == {
        "file": "first.csv",
        "rows": 6,
        "identical_rows_left_out": 2,
        "kept": 4,
    }


def test_rows_that_differ_stop_the_run(tiny):
    tiny.write("first.csv", RAW["first.csv"] + "P2,41,6,\np4,60,8,\n")
    error = tiny.fails()
    assert str(error) == (
        "first.csv, lines 3 and 6: 'P2' has rows that differ; one row is expected; they differ in "
        "'age': delete the wrong one. (1 more in the log)"
    )
    assert error.faults[1] == (
        "first.csv, lines 5 and 7: 'P4' has rows that differ; one row is expected; they differ in "
        "'remark': delete the wrong one."
    )


def test_an_interview_without_a_baseline_is_a_query(tiny):
    tiny.write("second.csv", RAW["second.csv"] + "P5,1\n")
    _, queries, flow = tiny.clean()
    assert queries[["file", "row", "participant", "action"]].to_numpy().tolist() == [
        ["second.csv", "5", "P5", "not in any analysis"]
    ]
    assert flow["stages"][2]["n"] == 3


def test_identifiers_join_whatever_their_case(tiny):
    tiny.write("second.csv", "who,score\n p1 ,6\n")
    people, queries, _ = tiny.clean()
    assert people.loc["P1", "score_after"] == 6
    assert queries[["participant", "raw_value"]].to_numpy().tolist() == [["P1", " p1 "]]


def test_the_earliest_ending_event_is_the_reason(tiny):
    tiny.write("config/study.yaml", STUDY.replace("ending: [lost]", "ending: [lost, harm]"))
    rows = "P3,lost,2020-05-01,moved\nP3,harm,2020-02-01,none\nP3,lost,,none\n"
    tiny.write("events.csv", "who,event,date,reason\n" + rows)
    people, _, flow = tiny.clean()
    assert people.loc["P3", "left"] == "harm"
    assert flow["stages"][2]["missing"][0]["recorded"] == {"none": 1}


def test_a_visit_of_nobody_stops_unless_it_is_still_to_come(tiny):
    tiny.write("events.csv", "who,event,date,reason\n")
    tiny.write("second.csv", "who,score\n")
    assert str(tiny.fails()) == (
        "second.csv: no row found, and so nobody interviewed at 'after'; where that visit is still "
        "to come, say 'expected: {after: 0}' in config/study.yaml and ask for "
        "data/derived/participants.parquet and reports/codebook.html: nothing can be analysed at "
        "it yet."
    )
    tiny.write("config/study.yaml", STUDY + "expected: {after: 0}\n")
    people, queries, flow = tiny.clean()
    assert not people["interviewed_after"].any()
    assert people["left"].isna().all()
    assert queries[["file", "rule"]].to_numpy().tolist() == [["events.csv", "a header and no rows"]]
    assert flow["stages"][2]["missing"][0]["reason"] == "no reason recorded"


# What is written into a file, None where it is not there, and what is said of it.
SECOND = {
    "no file": (None, ": the file is missing; config/study.yaml lists it."),
    "empty": ("", ": the file is empty; expected a header and rows."),
    "blank": ("\n , \n", ": the file is empty; expected"),
    "no column": ("who\nP1\n", ", line 1: column 'score' is missing"),
    "strange column": (
        "who,score,hue\nP1,1,r\n",
        ", line 1: column 'hue' is not in the data dicti",
    ),
    "column twice": ("who,score,score\nP1,1,1\n", ", line 1: column 'score' stands twice."),
    "semicolons": ("who;score\nP1;1\n", ""),
    "cells": ("who,score\nP1,1\nP2,1,\n", ", line 3: 3 cells found, 2"),
    "few cells": ("who,score\nP1\n", ", line 2: 1 cells found, 2 expected"),
    "latin": (b"who,score\nP1,1\nP2,\xe9\n", ", line 3: not UTF-8 text"),
    "utf-16": ("who,score\nP1,1\n".encode("utf-16"), ", line 1: not UTF-8"),
    "open quote": ('who,score\nP1,"1\n', ", line 2: not readable as CSV"),
    "open quote in header": ('who,"score\n', ", line 1: not readable as CSV"),
    "no id": ("who,score\nP1,1\n  ,2\n", ", line 3, column 'who': the identifier is empty."),
    "nobody recruited": (RAW["second.csv"] + "P9,1\n", ", line 5, column 'who': 'P9' was not recr"),
}
# What is changed in the files of people, teams and events, and what is said of it.
CHANGED = {
    "roster.csv": [("P2,B", "P2,Z", "roster.csv, line 3, column 'team'")],
    "events.csv": [
        ("P4,harm", "P9,harm", "events.csv, line 3, column 'who': 'P9' was not recruit")
    ],
    "teams.csv": [
        (
            "D,y,t\n",
            "",
            "roster.csv, line 5, column 'team': 'D' is not in teams.csv; expected one of A, B, C; "
            "correct the cell, or add a row for it to teams.csv.",
        ),
        ("D,y,t\n", "D,y,t\nA,x,t\n", "teams.csv, lines 2 and 6: 'A' has rows that differ"),
        (
            "B,x,t",
            "B,x,",
            "teams.csv, line 3, column 'arm': '' is no arm; expected c (Control) or t (Treated), "
            "the arms in config/study.yaml; correct the cell.",
        ),
        (
            "B,x,t",
            "B,x,Treatd",
            "expected c (Control) or t (Treated), the arms in config/study.yaml; most like it: "
            "'Treated'; correct the cell.",
        ),
        ("B,x,t", "B,,t", "line 3, column 'trust'"),
        (",t\n", ",c\n", "Nobody is in the arm 't'; expected two arms with participants."),
        ("B,x,t\nC,y,c\nD,y,t", "B,y,t\nC,x,c\nD,y,c", "Trust 'x' has participants in one arm"),
    ],
}
SENTENCES = [("second.csv", text, f"second.csv{said}") for text, said in SECOND.values()]
SENTENCES.append(
    ("second.csv", SECOND["semicolons"][0], "expects it (is the delimiter: semicolon?)")
)
SENTENCES += [
    (file, RAW[file].replace(old, new), said)
    for file, changes in CHANGED.items()
    for old, new, said in changes
]


@pytest.mark.parametrize(("name", "text", "sentence"), SENTENCES)
def test_each_fault_is_a_sentence_with_its_place(tiny, name, text, sentence):
    if text is None:
        (tiny.path / name).unlink()
    else:
        tiny.write(name, text)
    error = tiny.fails()
    assert sentence in str(error)
    assert "\n" not in str(error)
    assert "nan" not in str(error)


@pytest.mark.parametrize(
    ("column", "teams", "roster", "sentence"),
    [
        (
            "arm,arm,,Arm",
            "trust\nA,x\nB,x\nC,y\nD,y\n",
            "arm\nP1,A,c\nP2,B,t\nP3,C,c\nP4,D,t\nP5,A,t\n",
            "roster.csv: team 'A' has participants in both arms; the arm is expected to be a "
            "property of the team.",
        ),
        (
            "trust,trust,,Trust",
            "arm\nA,c\nB,t\nC,c\nD,t\n",
            "trust\nP1,A,x\nP2,B,x\nP3,C,y\nP4,D,y\nP5,A,y\n",
            "team 'A' stands in more than one Trust",
        ),
    ],
)
def test_what_people_have_must_be_that_of_their_team(tiny, column, teams, roster, sentence):
    tiny.change("config/dictionary.csv", f"teams,{column}", f"roster,{column}")
    tiny.write("teams.csv", f"team,{teams}")
    tiny.write("roster.csv", f"who,team,{roster}")
    assert sentence in str(tiny.fails())


def test_losses_must_name_columns_of_their_file(tiny):
    tiny.change("config/study.yaml", "reason: reason", "reason: motive")
    assert str(tiny.fails()) == (
        "config/study.yaml: losses names 'motive', which config/dictionary.csv does not have in "
        "the file 'events'."
    )


def test_faults_of_a_header_come_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "raw.csv"
    path.write_text("b,b,a,a,z\n")
    with pytest.raises(StudyError) as caught:
        read_delimited(RawFile(path=path, rows="event"), ["a", "c"])
    places = [fault.partition("column '")[2].partition("'")[0] for fault in caught.value.faults]
    assert places == ["b", "a", "c", "b", "b", "z"]


def test_cells_are_not_interpreted(tmp_path):
    path = tmp_path / "raw.csv"
    path.write_text("a, b \n007,NA\nnull, 1.50 \n")
    sheet = read_delimited(RawFile(path=path, rows="event"), ["a", "b"])
    assert sheet.cells["a"].tolist() == ["007", "null"]
    assert sheet.cells["b"].tolist() == ["NA", " 1.50 "]
    assert sheet.rows.tolist() == [2, 3]
