"""What other programs write, and how much of it may be wrong, where a table of cases is too small.

The rest is in data/cases/.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from test_cases import as_workbook

from ccp_analysis.cleaning import stage
from ccp_analysis.cleaning.delimited import read_delimited
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError


@pytest.mark.parametrize("ref", ["nowhere", "A:C", "", "C2:"])
def test_a_range_that_is_none_is_a_damaged_workbook(tiny, ref):
    as_workbook(tiny, {"merged": ["C2:C4"]})
    path = tiny.path / "first.xlsx"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b'ref="C2:C4"', f'ref="{ref}"'.encode()))
    assert "the workbook is damaged" in str(tiny.fails())


SAID = "second.sav, column 'score': the file itself labels"
STOPPED = [
    f"{SAID} 0 as 'High', which by config/dictionary.csv is 1 (0=Low); find out which is right and "
    "correct the other.",
    f"{SAID} 1 as 'Low', which by config/dictionary.csv is 0 (1=High); find out which is right and "
    "correct the other.",
]
UNKNOWN = (
    "labels of 'score' in the file that the dictionary does not know: 0 is 'Niedrig' (0=Low), "
    "1 is 'Hoch' (1=High)"
)


@pytest.mark.parametrize(
    ("labels", "rules"),
    [
        ({}, []),
        ({0: "Low", 1: "High"}, []),
        ({0: "low ", 1: "HIGH", 7: "Other"}, []),
        ({0: "Niedrig", 1: "Hoch"}, [UNKNOWN]),
        ({0: "High", 1: "Low"}, STOPPED),
    ],
)
def test_labels_of_a_file_agree_with_the_dictionary_are_asked_about_or_stop(tiny, labels, rules):
    coded = "Score,category,0=Low; 1=High,,,,"
    tiny.change("config/dictionary.csv", "Score,integer,,,0,10,", coded)
    table = pd.DataFrame({"who": ["P1", "P2", "P4"], "score": [0.0, 1.0, 1.0]})
    known = {"score": labels} if labels else {}
    pyreadstat.write_sav(table, str(tiny.path / "second.sav"), variable_value_labels=known)
    tiny.change("config/study.yaml", "second.csv", "second.sav")
    tiny.write("first.csv", "who,age,score,remark\nP1,30,0,\nP2,40,1,\nP3,50,1,\nP4,60,0,\n")
    if rules == STOPPED:
        assert tiny.fails().faults == STOPPED
        return
    people, queries, _ = tiny.clean()
    assert people["score_after"].dropna().tolist() == ["0", "1", "1"]
    assert queries.loc[queries["severity"] != "note", "rule"].tolist() == rules


def test_very_many_columns_that_nobody_knows_are_listed_at_once(tiny):
    names = [f"c{n}" for n in range(30_000)]
    tiny.write("second.csv", ",".join(["who", "score", *names]) + "\n")
    error = tiny.fails()
    assert len(error.faults) == 30_000
    assert "column 'c0' is not in the data dictionary" in str(error)


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


@pytest.mark.parametrize(
    ("n", "invalid", "limit", "stops"),
    [
        (20, 4, "", False),  # fewer than five
        (20, 5, "", True),
        (100, 5, "", False),  # no more than 5 %
        (100, 6, "", True),
        (100, 6, "invalid: {share: 0.06}\n", False),
        (100, 6, "invalid: {cells: 7}\n", False),
        (20, 2, "invalid: {cells: 2}\n", True),
    ],
)
@pytest.mark.parametrize("wrong", ["x", "11"])
def test_more_than_a_share_and_as_many_as_a_number(tiny, n, invalid, limit, stops, wrong):
    people = [f"P{number},{team}" for number, team in zip(range(n), "AB" * n, strict=False)]
    tiny.write("roster.csv", "\n".join(["who,team", *people, ""]))
    # Neither blanks nor codes for missing are filled cells.
    answers = [wrong] * invalid + ["5"] * (n - invalid)
    rows = [f"P{number},-99,{answer},fine" for number, answer in enumerate(answers)]
    tiny.write("first.csv", "\n".join(["who,age,score,remark", *rows, ""]))
    tiny.write("second.csv", "who,score\nP1,6\n")
    tiny.write("events.csv", "who,event,date,reason\nP1,harm,2020-03-01,none\n")
    tiny.change("config/study.yaml", "randomised:", f"{limit}randomised:")
    if stops:
        assert f"column 'score': {invalid} of {n} filled cells are not valid" in str(tiny.fails())
    else:
        assert tiny.clean()[0]["score_before"].isna().sum() == invalid


@pytest.mark.parametrize("asked", ["practitioners", "delivery", "events"])
def test_a_table_of_no_file_is_not_made(tiny, asked):
    text = (tiny.path / "config/study.yaml").read_text()
    tiny.write("config/study.yaml", text.partition("losses:")[0])
    made = {"participants": "p.parquet", "queries": "q.csv", "flow": "f.json", asked: "x.parquet"}
    with pytest.raises(StudyError, match=f"no {asked} are declared"):
        stage.run(**{name: Path(file) for name, file in made.items()})
