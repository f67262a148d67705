"""Rules across columns and files, and decisions that answer what they and the dictionary ask."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny import DICTIONARY, RAW, STUDY

DATED = {
    "roster.csv": "who,team,signed,born\nP1,A,2020-01-01,1990-03-01\nP2,B,2020-01-02,1980-01-01\n"
    "P3,C,2020-01-03,1970-01-01\nP4,D,2020-01-04,1960-01-01\nP5,A,2020-01-05,\n",
    "first.csv": "who,seen,age,score,remark\nP1,2020-01-10,30,5,fine\nP2,2020-01-11,40,6,\n"
    "P3,2020-01-12,50,7,\nP4,2020-01-13,60,8,likes tea\n",
    "second.csv": "who,seen,score\nP1,2020-07-10,6\nP2,2020-07-11,7\nP4,2020-07-12,9\n",
}
ROWS = (
    "roster,signed,signed,,Signed,date,,,,,\n"
    "roster,born,born,,Born,date,,,,,,cleaning only\n"
    "first,seen,seen,before,Seen,date,,,,,\n"
    "second,seen,seen,after,Seen,date,,,,,\n"
)
RULES = """
rules:
  - {id: order, kind: order, label: seen before signing, first: signed, then: seen_before}
  - {id: window, kind: window, label: outside the window, since: seen_before, date: seen_after,
     days: [150, 210]}
  - {id: age, kind: age, label: age against birth, age: age, birth: born, at: seen_before}
  - {id: events, kind: order, label: event before signing, first: signed, then: date}
  - {id: ended, kind: nothing after, label: seen after the loss, events: [lost],
     dates: [seen_after]}
  - {id: skip, kind: skip, label: no score for those in Team B, when: team, is: [B],
     missing: [score_after], action: set missing}
"""
QUIET = RULES.replace("is: [B]", "is: [C]")
HEADER = "file,row,participant,column,raw_value,action,value,who,when,why\n"


def line(text: str) -> str:
    return HEADER + text + ",AB,2021-02-01,asked the site\n"


@pytest.fixture
def dated(tiny):
    for name, text in DATED.items():
        tiny.write(name, text)
    header, rows = DICTIONARY.split("\n", 1)
    rows = "".join(row + "\n" for row in (rows + ROWS).splitlines())
    pad = "".join(r + "," * (11 - r.count(",")) + "\n" for r in rows.splitlines())
    tiny.write("config/dictionary.csv", header + ",identifying\n" + pad)
    tiny.write("config/study.yaml", STUDY.replace("file: second}", "file: second, date: seen}"))
    tiny.write("config/rules.yaml", QUIET)
    return tiny


def asked(queries: pd.DataFrame) -> list[list[str]]:
    return queries[["file", "row", "participant", "column", "rule"]].to_numpy().tolist()


def test_data_in_order_break_no_rule(dated):
    people, queries, _ = dated.clean()
    assert queries.empty
    assert "born" not in people  # for cleaning only


CASES = {
    "order": ("first.csv", "2020-01-10", "2019-12-31", "seen_before", "seen before signing"),
    "early": ("second.csv", "2020-07-10", "2020-05-10", "seen_after", "outside the window"),
    "late": ("second.csv", "2020-07-10", "2020-12-10", "seen_after", "outside the window"),
    "age": ("first.csv", ",30,", ",35,", "age", "age against birth"),
    "event": ("events.csv", "2020-02-01", "2019-02-01", "date", "event before signing"),
    "data date": ("events.csv", "2020-03-01", "2021-01-02", "date", "after the date of the data"),
    "loss": ("events.csv", "P3,lost", "P4,lost", "seen_after", "seen after the loss"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_rule_finds_its_cell_and_keeps_it(dated, case):
    file, old, new, variable, rule = CASES[case]
    dated.change(file, old, new)
    people, queries, _ = dated.clean()
    raw = pd.read_csv(file, dtype=str)
    column = {"seen_before": "seen", "seen_after": "seen"}.get(variable, variable)
    [query] = queries.to_dict("records")
    if case == "loss":  # of an interview that stands in another file
        assert asked(queries) == [["second.csv", "4", "P4", "seen", rule]]
        return
    assert (query["rule"], query["column"], query["action"]) == (rule, column, "kept")
    assert raw[column].iloc[int(query["row"]) - 2] == query["raw_value"] == new.strip(",")
    if variable in people:
        assert str(people.loc[query["participant"], variable]).startswith(new.strip(","))


def test_a_skip_pattern_removes_the_answer_with_a_query(dated):
    dated.write("config/rules.yaml", RULES)
    people, queries, _ = dated.clean()
    assert asked(queries) == [["second.csv", "3", "P2", "score", "no score for those in Team B"]]
    assert queries["action"].tolist() == ["set missing: no score for those in Team B"]
    assert pd.isna(people.loc["P2", "score_after"])
    missing = pd.read_parquet("m.parquet").query(
        "participant == 'P2' and variable == 'score_after'"
    )
    assert missing["reason"].tolist() == ["no score for those in Team B"]


def test_what_was_rightly_not_asked_has_the_value_that_the_rule_declares(dated):
    """P1 of Team A answers, P5 is not interviewed; in Team B a blank is worth 0, in D not."""
    worth = QUIET.replace("is: [C]", "is: [A, B]").replace("action: set missing", "value: 0")
    dated.write("config/rules.yaml", worth)
    dated.write("second.csv", DATED["second.csv"].replace("-11,7", "-11,").replace("-12,9", "-12,"))
    people, queries, _ = dated.clean()
    assert people.loc["P1", "score_after"] == 6  # kept, and asked about
    assert asked(queries) == [["second.csv", "2", "P1", "score", "no score for those in Team B"]]
    assert people.loc["P2", "score_after"] == 0
    assert people.loc[["P3", "P4", "P5"], "score_after"].isna().all()
    missing = pd.read_parquet("m.parquet").query("variable == 'score_after'")
    assert set(missing["participant"]) == {"P3", "P4", "P5"}


def test_variables_of_two_files_must_agree(dated):
    dated.change(
        "config/dictionary.csv",
        "first,age,age,",
        "first,team,team_noted,,Team,text,,,,,,\nfirst,age,age,",
    )
    dated.change(
        "config/dictionary.csv",
        "team_noted,,Team,text,",
        "team_noted,,Team,category,A=A; B=B; C=C; D=D",
    )
    text = DATED["first.csv"].replace("\nP", "\n~P").replace("who,", "team,who,")
    for who, team in (("P1", "A"), ("P2", "B"), ("P3", "D"), ("P4", "D")):
        text = text.replace(f"~{who}", f"{team},{who}")
    dated.write("first.csv", text)
    rule = "\n  - {id: agree, kind: agree, label: another team, variables: [team, team_noted]}\n"
    dated.write("config/rules.yaml", QUIET + rule)
    assert asked(dated.clean()[1]) == [["first.csv", "4", "P3", "team", "another team"]]


RULE_FAULTS = {
    "first: signed": ("first: singed", "order: 'singed' is not a variable of the data dictionary"),
    "id: window": ("id: order", "order: the id stands twice"),
    "then: seen_before": ("then: age", "order: 'age' is not a date in the data dictionary"),
    "is: [C]": ("is: [Z]", "skip: 'Z' is not one of the codes of 'team'"),
    "events: [lost]": ("events: [found]", "ended: 'found' is not one of the codes of 'event'"),
    "days: [150, 210]": ("days: [210, 150]", "days: the first must not be larger"),
    "kind: age": ("kind: years", "line 6: rules.2: "),
    "action: set missing}": ("value: 11}", "the value 11 lies outside the limits of 'score_after'"),
    "missing: [score_after], action: set missing": (
        "missing: [seen_after], value: 0",
        "a value does not go with 'seen_after', which is not a number",
    ),
    "team, is: [C],\n     missing: [score_after], action: set missing": (
        "event, is: [lost],\n     missing: [score_after], value: 0",
        "a value goes with variables of participants, not with those of events",
    ),
}


@pytest.mark.parametrize("old", RULE_FAULTS)
def test_faults_of_rules(dated, old):
    new, sentence = RULE_FAULTS[old]
    dated.change("config/rules.yaml", old, new)
    error = dated.fails()
    assert str(error).startswith("config/rules.yaml")
    assert sentence in str(error)


def test_decisions_change_values_and_answer_queries(dated):
    dated.change("first.csv", "P1,2020-01-10,30,5", "P1,2020-01-10,300,5")
    dated.change("first.csv", "P2,2020-01-11,40,6", "P2,2020-01-11,-99,6")
    dated.change("second.csv", "2020-07-12,9", "2020-12-12, 9")
    dated.write(
        "config/decisions.csv",
        HEADER
        + "first.csv,2,P1,age,300,correct,30,AB,2021-02-01,typed twice\n"
        + "first.csv,,P2,age,-99,correct,40,AB,2021-02-02,from the letter\n"
        + "second.csv,,P4,seen,2020-12-12,set missing,,CD,2021-02-03,not credible\n"
        + "second.csv,,P4,score, 9,keep,,CD,2021-02-03,seen on paper\n",
    )
    people, queries, _ = dated.clean()
    assert people.loc[["P1", "P2"], "age"].tolist() == [30, 40]
    assert pd.isna(people.loc["P4", "seen_after"])
    assert people.loc["P4", "score_after"] == 9
    said = ["decision", "decided_by", "decided_on", "answer"]
    answers = queries.set_index(["participant", "column"])[said]
    first = ["corrected to 30", "AB", "2021-02-01", "typed twice"]
    assert answers.loc[("P1", "age")].tolist() == first
    assert answers.loc[("P4", "seen"), "decision"] == "set missing"
    assert answers.loc[("P4", "score"), "decision"] == "keep"
    assert (answers["decision"] != "").all()


def test_a_decision_keeps_what_a_rule_would_remove(dated):
    dated.write("config/rules.yaml", RULES)
    dated.write("config/decisions.csv", line("second.csv,,P2,score,7,keep,"))
    people, queries, _ = dated.clean()
    assert people.loc["P2", "score_after"] == 7
    assert queries["decision"].tolist() == ["keep"]


def test_what_a_correction_breaks_is_asked_about(dated):
    dated.change("second.csv", "2020-07-10", "yesterday")
    dated.write("config/decisions.csv", line("second.csv,,P1,seen,yesterday,correct,2020-12-10"))
    people, queries, _ = dated.clean()
    assert people.loc["P1", "seen_after"] == pd.Timestamp("2020-12-10")
    assert queries["rule"].tolist() == ["not a date as in 2020-01-31", "outside the window"]


DECISION_FAULTS = {
    "no match": ("first.csv,,P1,age,30,keep,", "line 2: no query about '30' of participant 'P1'"),
    "other row": ("first.csv,9,P2,age,400,keep,", "no query about '400'"),
    "impossible": ("first.csv,,P2,age,400,keep,", "is impossible (outside 18 to 99) and cannot be"),
    "not valid": ("first.csv,,P2,age,400,correct,401", "'401' is not a valid value of 'age'"),
    "no value": ("first.csv,,P2,age,400,correct,", "a value goes with the action 'correct'"),
    "value": ("first.csv,,P2,age,400,keep,4", "a value goes with the action 'correct', and only"),
    "action": ("first.csv,,P2,age,400,drop,", "action 'drop' found; expected one of keep, set"),
    "file": ("third.csv,,P2,age,400,keep,", "file 'third.csv' found; expected one of roster.csv"),
    "row": ("first.csv,two,P2,age,400,keep,", "row 'two' found; expected a number"),
}


@pytest.mark.parametrize("fault", DECISION_FAULTS)
def test_faults_of_decisions(dated, fault):
    text, sentence = DECISION_FAULTS[fault]
    dated.change("first.csv", "P2,2020-01-11,40", "P2,2020-01-11,400")
    dated.write("config/decisions.csv", line(text))
    error = dated.fails()
    assert str(error).startswith("config/decisions.csv, line 2: ")
    assert sentence in str(error)
    one = line("first.csv,,P2,age,400,set missing,")
    dated.write("config/decisions.csv", one + one.removeprefix(HEADER))
    assert "line 3: another decision answers the same query already" in str(dated.fails())


def test_who_when_and_why_are_asked_for(dated):
    dated.write("config/decisions.csv", HEADER + "first.csv,,P2,age,400,keep,,,soon,\n")
    faults = dated.fails().faults
    assert [fault.partition(": ")[2] for fault in faults] == [
        "'who' is empty; every decision says who took it and why.",
        "'why' is empty; every decision says who took it and why.",
        "when 'soon' found; expected a date as in 2020-01-31.",
    ]


@pytest.mark.parametrize("found", ["-3", "-2.5", "'-3", "=1+1"])
def test_a_decision_is_about_a_value_as_it_stands_in_any_list(dated, found):
    """Tables for spreadsheets put an apostrophe before what begins with a minus sign."""
    dated.change("second.csv", "P1,2020-07-10,6", f"P1,2020-07-10,{found}")
    for copied in {found, "'" + found.removeprefix("'")}:
        dated.write(
            "config/decisions.csv", line(f"second.csv,,P1,score,{copied},correct,3").rstrip()
        )
        people, queries, _ = dated.clean()
        assert people.loc["P1", "score_after"] == 3
        [answered] = queries[queries["column"] == "score"].to_dict("records")
        assert answered["decision"] == "corrected to 3"


def test_what_stopped_the_run_is_listed_with_its_place(tiny):
    tiny.write("first.csv", RAW["first.csv"] + "P2,41,6,\n")
    tiny.write("second.csv", RAW["second.csv"].replace("P1,6", "P1,66"))
    error = tiny.fails()
    listed = pd.read_csv("stop.csv", dtype=str, keep_default_na=False)
    stops = listed[listed["severity"] == "stop"]
    assert stops[["file", "row", "rule"]].to_numpy().tolist() == [["first.csv", "3", str(error)]]
    tiny.write("first.csv", RAW["first.csv"])
    tiny.clean()
    assert not Path("stop.csv").exists()
