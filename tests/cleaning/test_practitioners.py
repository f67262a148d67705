"""Practitioners and contacts: rows of their own, beside the participants."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny import DICTIONARY, STUDY, Tiny

from ccp_analysis import before
from ccp_analysis.cleaning import stage
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError

FILES = """\
  staff:
    path: staff.csv
    rows: practitioner
    occasions: [{id: early, label: Early}, {id: late, label: Late}]
  work: {path: work.csv, rows: event}
losses"""
DELIVERY = "delivery: {file: work, practitioner: practitioner, date: contact, step: step}\n"
COLUMNS = """\
staff,code,practitioner,,Practitioner,id,,,,,
staff,team,team,,Team,category,A=Team A; B=Team B; C=Team C; D=Team D; E=Team E,,,,
staff,job,profession,,Profession,category,nurse=Nurse|RMN; other=Other,,,,
staff,load,caseload,,Caseload,integer,,,0,80,
staff,use1,use,early,Useful,integer,,-99=not answered,1,5,
staff,use2,use,late,Useful,integer,,-99=not answered,1,5,
staff,remark,remark_of_staff,,Remark,text,,,,,
work,who,participant,,Participant,id,,,,,
work,by,practitioner,,Practitioner,id,,,,,
work,on,contact,,Date,date,,,,,
work,step,step,,Step,category,first=First step|1st; second=Second,,,,
"""
STAFF = (
    "code,team,job,load,use1,use2,remark\n"
    "S2,B,nurse,20,4,5,\nS1,A,RMN,30,,,\nS3,D,other,25,-99,2,likes tea\n"
)
WORK = "who,by,on,step\nP2,S2,2020-02-03,first\nP2,S2,2020-01-20,1st\nP1,S1,2020-01-07,second\n"


@pytest.fixture
def staffed(tiny: Tiny) -> Tiny:
    tiny.write("config/study.yaml", STUDY.replace("losses", FILES, 1) + DELIVERY)
    tiny.write("config/dictionary.csv", DICTIONARY + COLUMNS)
    # A team that nobody was recruited from has practitioners nevertheless.
    tiny.change("config/dictionary.csv", "D=Team D,,,,", "D=Team D; E=Team E,,,,")
    tiny.change("teams.csv", "D,y,t\n", "D,y,t\nE,y,c\n")
    tiny.write("staff.csv", STAFF)
    tiny.write("work.csv", WORK)
    return tiny


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of practitioners and of contacts."""
    made = ("practitioners", "delivery")
    stage.run(
        participants=Path("p.parquet"),
        queries=Path("q.csv"),
        flow=Path("f.json"),
        **{name: Path(f"{name}.parquet") for name in made},
    )
    staff, work = (pd.read_parquet(f"{name}.parquet") for name in made)
    return staff.set_index("practitioner"), work


def test_a_practitioner_is_a_row_with_pair_and_arm(staffed):
    staffed.write("staff.csv", STAFF + "S4,E,nurse,10,1,1,\n")
    staff, _ = tables()
    assert staff.columns.tolist() == [
        *("team", "trust", "arm", "profession", "caseload", "use_early", "use_late"),
    ]
    assert staff.index.tolist() == ["S1", "S2", "S3", "S4"]
    assert staff["arm"].tolist() == ["c", "t", "t", "c"]
    assert staff["trust"].tolist() == ["x", "x", "y", "y"]
    assert staff["profession"].tolist() == ["nurse", "nurse", "other", "nurse"]
    assert staff["use_early"].isna().tolist() == [True, False, True, False]
    assert staff.loc["S3", "use_late"] == 2


def test_contacts_are_sorted_by_person_and_date(staffed):
    _, work = tables()
    assert work.astype(str).to_numpy().tolist() == [
        ["P1", "S1", "2020-01-07", "second"],
        ["P2", "S2", "2020-01-20", "first"],
        ["P2", "S2", "2020-02-03", "first"],
    ]


def test_participants_are_what_they_are_without(staffed, tiny):
    people, _, flow = staffed.clean()
    codebook = pd.read_parquet("c.parquet").set_index("variable")
    for name, text in (("study.yaml", STUDY), ("dictionary.csv", DICTIONARY)):
        staffed.write(f"config/{name}", text)
    staffed.change("config/dictionary.csv", "D=Team D,,,,", "D=Team D; E=Team E,,,,")
    alone, _, _ = staffed.clean()
    pd.testing.assert_frame_equal(people, alone)
    assert codebook.loc["use_late", ["visit_label", "n", "missing"]].tolist() == ["Late", 2, 1]
    accounts = {account.pop("file"): account for account in flow["rows"]}
    assert accounts["staff.csv"] == {
        "rows": 3,
        "identical_rows_left_out": 0,
        "with_participants": 3,
        "without_participants": 0,
    }
    assert accounts["work.csv"] == {
        "rows": 3,
        "identical_rows_left_out": 0,
        "of_itt": 3,
        "of_others": 0,
    }


def test_values_of_practitioners_are_checked_as_all_others(staffed):
    staffed.write("staff.csv", STAFF + "S4,A,surgeon,200,6,5,\nS4,A,surgeon,200,6,5,\n")
    _, queries, _ = staffed.clean()
    found = queries[queries["file"] == "staff.csv"]
    keys = ["row", "participant", "column", "action", "rule"]
    assert found[keys].to_numpy().tolist()[2:] == [
        ["5", "S4", "job", "set missing", "not one of the codes"],
        ["5", "S4", "load", "set missing", "outside 0 to 80"],
        ["5", "S4", "use1", "set missing", "outside 1 to 5"],
        ["6", "S4", "", "row left out", "identical row repeated"],
    ]


def test_two_rows_of_a_practitioner_stop(staffed):
    staffed.write("staff.csv", STAFF + "s2,B,nurse,21,4,5,\n")
    assert str(staffed.fails()) == (
        "staff.csv, lines 2 and 5: 'S2' has rows that differ; one row is expected; they "
        "differ in 'load': delete the wrong one."
    )


def test_a_practitioner_of_an_unknown_team_stops(staffed):
    staffed.write("teams.csv", "team,trust,arm\nA,x,c\nB,x,t\nC,y,c\nD,y,t\n")
    staffed.write("staff.csv", STAFF + "S4,E,nurse,10,1,1,\nS5,,nurse,10,1,1,\n")
    error = staffed.fails()
    assert error.faults == [
        "staff.csv, line 5, column 'team': 'E' is not in teams.csv; expected one of A, B, C, D; "
        "correct the cell, or add a row for it to teams.csv.",
        "staff.csv, line 6, column 'team': the cell is empty or not valid; expected one of A, B, "
        "C, D; correct the cell, or change what config/dictionary.csv says of the column.",
    ]


def test_contacts_of_nobody_and_by_nobody_are_queries(staffed):
    staffed.write("work.csv", WORK + "P9,S1,2020-01-08,first\nP3,S9,2020-01-09,first\n")
    _, work = tables()
    queries = pd.read_csv("q.csv", dtype=str, keep_default_na=False)
    found = queries[queries["severity"] == "query"]
    keys = ["file", "row", "participant", "column", "raw_value", "action", "rule"]
    assert found[keys].to_numpy().tolist() == [
        ["work.csv", "5", "P9", "who", "P9", "row left out", "a participant who was not recruited"],
        ["work.csv", "6", "P3", "by", "S9", "set missing", "not one of the practitioners"],
    ]
    assert work["participant"].tolist() == ["P1", "P2", "P2", "P3"]
    assert work["practitioner"].isna().tolist() == [False, False, False, True]
    _, _, flow = staffed.clean()
    account = next(entry for entry in flow["rows"] if entry["file"] == "work.csv")
    assert (account["rows"], account["of_itt"], account["of_nobody"]) == (5, 4, 1)


def test_an_event_of_nobody_in_the_losses_still_stops(staffed):
    staffed.change("events.csv", "P4,harm", "P9,harm")
    assert "'P9' was not recruited" in str(staffed.fails())


def test_a_missing_file_is_said_before_the_first_job(staffed):
    (staffed.path / "staff.csv").unlink()
    faults = before.faults(Trial())
    assert any("staff.csv: the file is missing; config/study.yaml lists it;" in f for f in faults)
    with pytest.raises(StudyError, match=r"staff\.csv"):
        staffed.clean()


def test_events_are_written_without_free_text(tiny):
    made = {"participants": Path("p.parquet"), "queries": Path("q.csv"), "flow": Path("f.json")}
    stage.run(**made, events=Path("e.parquet"))
    events = pd.read_parquet("e.parquet")
    assert list(events.columns) == ["participant", "event", "date", "reason"]
    assert events[["participant", "event", "reason"]].to_numpy().tolist() == [
        ["P3", "lost", "moved"],
        ["P4", "harm", "none"],
    ]
    tiny.change("config/dictionary.csv", "category,moved=Moved; none=None given", "text,")
    stage.run(**made, events=Path("e.parquet"))
    assert pd.read_parquet("e.parquet")["reason"].isna().all()


@pytest.mark.parametrize("asked", ["practitioners", "delivery", "events"])
def test_a_table_of_no_file_is_not_made(tiny, asked):
    if asked == "events":
        text = (tiny.path / "config/study.yaml").read_text()
        tiny.write("config/study.yaml", text.partition("losses:")[0])
    with pytest.raises(StudyError, match=f"no {asked} are declared"):
        stage.run(
            participants=Path("p.parquet"),
            queries=Path("q.csv"),
            flow=Path("f.json"),
            **{asked: Path("x.parquet")},
        )


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("study.yaml", "rows: practitioner", "rows: cluster", "go with 'rows: practitioner'"),
        ("study.yaml", "id: late", "id: early", "an id of its own"),
        ("study.yaml", "file: work,", "file: events,", "its file is that of the losses"),
        ("study.yaml", "file: work,", "file: staff,", "'staff' needs rows: event"),
        ("study.yaml", "work.csv, rows: event", "work.csv, rows: practitioner", "needs rows"),
        ("study.yaml", "clusters: {unit: team", "#", "practitioners belong to clusters"),
        ("dictionary.csv", "use,late", "use,after", "occasion 'after' is not in"),
        ("dictionary.csv", "score,after", "score,late", "visit 'late' is not in"),
        ("dictionary.csv", "staff,team,team", "staff,team,squad", "no column of the name 'team'"),
        ("dictionary.csv", "work,on,contact", "work,on,day", "no column of the name 'contact'"),
        ("dictionary.csv", "staff,load,caseload", "staff,load,arm", "is that of their cluster"),
    ],
)
def test_what_does_not_agree_is_said(staffed, file, old, new, said):
    staffed.change(f"config/{file}", old, new)
    assert any(said in fault for fault in before.faults(Trial()))


def test_rules_do_not_speak_of_practitioners(staffed):
    staffed.write(
        "config/rules.yaml",
        "rules:\n  - {id: a, label: a, kind: agree, variables: [use_early, use_late]}\n",
    )
    assert any("'use_early' belongs to practitioners" in f for f in before.faults(Trial()))
