"""Files as other programs write them: read in full, or the run stops and says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny import Tiny

from ccp_analysis.errors import StudyError

CASES = Path(__file__).parent / "data"
DAYS = pd.date_range("2020-01-01", periods=20)


@pytest.fixture
def case(tiny):
    """Put a case in the place of the study of five people."""

    def put(name: str) -> Tiny:
        (tiny.path / "data/raw").mkdir(parents=True)
        for path in (CASES / name).iterdir():
            place = "data/raw" if path.stem == "p" else "config"
            shutil.copy(path, tiny.path / place / path.name)
        return tiny

    return put


def test_codes_saved_as_fractions_of_zero(case):
    people, queries, _ = case("cat_float_codes_all").clean()
    assert people["sex_baseline"].tolist() == ["2", "1"] * 10
    assert queries[["column", "action", "rule"]].to_numpy().tolist() == [
        ["sex", "20 cells read, this one as 2", "written with a fraction of zero"]
    ]


@pytest.mark.parametrize("name", ["date_german", "date_midnight_times"])
def test_dates_with_dots_or_midnight(case, name):
    people, queries, _ = case(name).clean()
    assert people["interview_date_baseline"].tolist() == DAYS.tolist()
    assert queries["action"].tolist() == ["20 cells read, this one as 2020-01-01"]


def test_limits_and_missing_codes_of_single_precision(case):
    people, queries, _ = case("dta_float32_limit").clean()
    assert people["util_baseline"].tolist()[:3] == [0.6, 0.3, -0.6]
    assert people["util_baseline"].isna().tolist() == [False, False, False, True] * 5
    assert people["util_month6"].tolist() == [0.6, 0.3] * 10
    assert set(queries["severity"]) == {"note"}
    assert (queries["rule"] == "missing code").sum() == 5


def test_a_missing_code_of_single_precision_without_limits(case):
    people, queries, _ = case("stata_float32_missing_code").clean()
    assert people["hb_baseline"].isna().tolist() == [False, False, False, True] * 5
    assert set(people["hb_baseline"].dropna()) == {0.6, 0.3, -0.6}
    assert queries.loc[queries["rule"] == "missing code", "raw_value"].tolist() == ["-9.9"] * 5


def test_decimal_commas_that_nobody_declared_stop_the_run(case):
    study = case("csv_deccomma_not_declared")
    error = study.fails()
    assert str(error.faults[0]) == (
        "data/raw/p.csv, column 'bdi_0': 10 of 20 filled cells are not valid, as '20,5' (line 2), "
        "'21,5' (line 4), '22,5' (line 6); expected a number within 0 to 63. Change "
        "config/dictionary.csv or what config/study.yaml says of the file (decimal: comma, or "
        "either), or raise its limit (invalid) to go on with these cells missing."
    )
    assert "column 'bdi_6': 15 of 20" in error.faults[1]
    stopped = pd.read_csv("stop.csv", dtype=str, keep_default_na=False)
    assert stopped["column"].tolist()[:2] == ["bdi_0", "bdi_6"]
    assert (stopped["severity"] == "error").sum() == 25
    for decimal in ("comma", "either"):
        study.change("config/study.yaml", "delimiter: semicolon", "delimiter: semicolon\n    DEC")
        study.change("config/study.yaml", "DEC", f"decimal: {decimal}")
        people, _, _ = study.clean()
        np.testing.assert_array_equal(people["bdi_baseline"], 20.5 + 0.5 * np.arange(20))
        study.change("config/study.yaml", f"\n    decimal: {decimal}", "")


def test_points_and_commas_in_every_second_row(case):
    study = case("csv_deccomma_not_declared")
    rows = (study.path / "data/raw/p.csv").read_text().splitlines()
    rows[2::2] = [row.replace(",", ".") for row in rows[2::2]]
    study.write("data/raw/p.csv", "\n".join(rows) + "\n")
    assert "column 'bdi_0': 10 of 20 filled cells are not valid" in str(study.fails().faults[0])
    study.change("config/study.yaml", "delimiter:", "decimal: either\n    delimiter:")
    people, queries, _ = study.clean()
    np.testing.assert_array_equal(people["bdi_baseline"], 20.5 + 0.5 * np.arange(20))
    np.testing.assert_array_equal(people["bdi_month6"], 10.25 + 0.25 * np.arange(20))
    assert set(queries["rule"]) == {"written with a decimal comma"}


def test_numbers_with_a_unit_stop_the_run(case):
    error = case("num_all_invalid").fails()
    assert "column 'age': 20 of 20 filled cells are not valid, as '21 years' (line 2)" in str(error)
    assert "expected a whole number within 16 to 100" in str(error)


def test_the_study_may_raise_the_limit(case):
    study = case("num_all_invalid")
    study.change("config/study.yaml", "randomised:", "invalid: {share: 1}\nrandomised:")
    people, queries, _ = study.clean()
    assert people["age_baseline"].isna().all()
    assert (queries["rule"] == "not a whole number").sum() == 20


def people_of(tiny: Tiny, n: int) -> list[str]:
    """Let so many people be recruited, and return their identifiers."""
    who = [f"P{i}" for i in range(1000, 1000 + n)]
    rows = [f"{w},{'AB'[i % 2]}\n" for i, w in enumerate(who)]
    tiny.write("roster.csv", "who,team\n" + "".join(rows))
    tiny.write("second.csv", "who,score\nP1000,6\n")
    tiny.write("events.csv", "who,event,date,reason\nP1001,harm,2020-03-01,none\n")
    return who


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
    answers = [wrong] * invalid + ["5"] * (n - invalid)
    who = people_of(tiny, n)
    rows = [f"{w},-99,{a},fine\n" for w, a in zip(who, answers, strict=True)]
    # Neither blanks nor codes for missing are filled cells.
    tiny.write("first.csv", "who,age,score,remark\n" + "".join(rows))
    tiny.change("config/study.yaml", "randomised:", f"{limit}randomised:")
    if not stops:
        people, _, _ = tiny.clean()
        assert people["score_before"].isna().sum() == invalid
        return
    assert f"column 'score': {invalid} of {n} filled cells are not valid" in str(tiny.fails())


def test_cells_that_decisions_answer_do_not_stop_the_run(tiny):
    who = people_of(tiny, 6)
    tiny.write("first.csv", "who,age,score,remark\n" + "".join(f"{w},30,11,\n" for w in who))
    tiny.fails()
    tiny.write(
        "config/decisions.csv",
        "file,row,participant,column,raw_value,action,value,who,when,why\n"
        "first.csv,2,P1000,score,11,correct,1,A. B.,2020-02-01,seen in the file\n"
        "first.csv,3,P1001,score,11,set missing,,A. B.,2020-02-01,cannot be read\n",
    )
    people, _, _ = tiny.clean()
    assert people["score_before"].tolist()[0] == 1


def test_what_is_hidden_stands_in_no_sentence(case):
    study = case("num_all_invalid")
    text = (study.path / "config/dictionary.csv").read_text()
    study.write("config/dictionary.csv", text.replace("years,\n", "years,cleaning only\n"))
    error = study.fails()
    assert "20 of 20 filled cells are not valid, the first in line 2; expected" in str(error)
    assert "21 years" not in Path("stop.csv").read_text() + str(error)


def test_columns_of_all_files_are_named(tiny):
    tiny.change("config/study.yaml", "randomised:", "invalid: {cells: 1}\nrandomised:")
    tiny.change("first.csv", "P1,30,5", "P1,30,five")
    tiny.change("second.csv", "P1,6", "P1,66")
    with pytest.raises(StudyError) as caught:
        tiny.clean()
    places = [fault.partition(": ")[0] for fault in caught.value.faults]
    assert places == ["first.csv, column 'score'", "second.csv, column 'score'"]


def test_a_note_about_a_column_is_answered_by_keeping_it(case):
    study = case("cat_float_codes_all")
    header = "file,row,participant,column,raw_value,action,value,who,when,why\n"
    line = "p.csv,0,,sex,2.0,{},,A. B.,2020-02-01,agreed with the site\n"
    study.write("config/decisions.csv", header + line.format("set missing"))
    assert "is about all cells of a column; it can only be kept" in str(study.fails())
    study.write("config/decisions.csv", header + line.format("keep"))
    assert study.clean()[1]["decided_by"].tolist() == ["A. B."]


def test_days_before_months_are_told_how_to_be_declared(tiny):
    rows = "".join(f"P{k},lost,{13 + k}/02/2020,moved\n" for k in range(1, 6))
    tiny.write("events.csv", "who,event,date,reason\n" + rows)
    assert "what config/study.yaml says of the file (dates: day-first), or raise" in str(
        tiny.fails()
    )
