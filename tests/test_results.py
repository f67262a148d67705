"""The results table: columns, key, order, full precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import small_study

from ccp_analysis import files
from ccp_analysis.config.plan import Family
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.random import stream
from ccp_analysis.results.families import adjusted
from ccp_analysis.results.stage import run
from ccp_analysis.results.table import (
    COLUMNS,
    KEY,
    NUMBERS,
    WHOLE,
    not_estimated,
    read_results,
    results_table,
)
from ccp_analysis.results.terms import Term, require_known

ROW = {"analysis": "a", "outcome": "x", "term": "difference", "estimate": 0.1 + 0.2, "n": 3}


def test_rows_get_all_columns_and_the_status_of_the_data():
    table = results_table([ROW, ROW | {"term": "mean", "status": "boundary"}], "synthetic")
    assert table.columns.tolist() == COLUMNS
    assert table["status"].tolist() == ["ok", "boundary"]
    assert table["data_status"].tolist() == ["synthetic"] * 2
    assert table["estimate"].tolist()[0] == 0.1 + 0.2
    assert table["subgroup"].tolist() == ["", ""]
    assert table["std_error"].isna().all()
    assert table["n"].dtype == "Int64"
    assert results_table([ROW | {"status": None}], "real")["status"].tolist() == ["ok"]
    assert len(results_table([], "real")) == 0


def test_rows_are_sorted_by_the_key():
    rows = [ROW | {"outcome": o, "term": t} for o in "zxy" for t in ("difference", "adjusted mean")]
    table = results_table(rows, "real")
    assert table["outcome"].tolist() == list("xxyyzz")
    assert table["term"].tolist() == ["adjusted mean", "difference"] * 3
    shuffled = results_table(rows[::-1], "real")
    pd.testing.assert_frame_equal(table, shuffled)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([ROW, ROW | {"estimate": 2.0}], "two results have one key"),
        ([ROW | {"outcome": str(n)} for n in range(40)], "two keys have one id"),
        ([ROW | {"pvalue": 1}], "unknown columns of the results table: pvalue"),
        ([ROW | {"term": "diference"}], "'diference' is not one of the words for 'term'"),
        ([ROW | {"model": "anova"}], "'anova' is not one of the words for 'model'"),
    ],
)
def test_rows_that_are_no_results_are_refused(monkeypatch, rows, sentence):
    assert len(results_table([ROW, ROW | {"delta": 1.0}], "real")) == 2
    monkeypatch.setattr("ccp_analysis.results.table.ID_LENGTH", 1)
    with pytest.raises(ValueError, match=sentence):
        results_table(rows, "real")


def test_a_row_is_named_by_its_key_alone():
    rows = [ROW | {"outcome": o, "threshold": t} for o in "xyz" for t in (None, 0.0, 20000.0)]
    table = results_table(rows, "real")
    assert table["row"].is_unique
    assert table["row"].str.fullmatch("[a-z][a-z2-7]{7}").all()
    others = results_table([row | {"estimate": 2.0, "note": "n"} for row in rows[3:]], "synthetic")
    assert set(others["row"]) < set(table["row"])
    assert results_table([ROW | {"row": "mine"}], "real")["row"].tolist() != ["mine"]


def test_the_columns_are_those_of_the_design():
    assert len(set(COLUMNS)) == len(COLUMNS) == 37
    assert set(KEY) <= set(COLUMNS)
    assert set(WHOLE) <= set(NUMBERS) <= set(COLUMNS)


@settings(max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_a_csv_file_keeps_every_number(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("results") / "r.csv"
    rows = [ROW | {"level": f"t{k:03d}", "estimate": x} for k, x in enumerate(numbers)]
    table = results_table(rows, "real")
    files.write_csv(path, table)
    back = read_results(path)
    np.testing.assert_array_equal(back["estimate"], numbers)
    pd.testing.assert_frame_equal(back, table, check_dtype=False, check_exact=True)


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    rows = [ROW | {"level": level, "note": 'NA, or "none"'} for level in ("NA", "1e5", "", "x")]
    files.write_csv(tmp_path / "r.csv", results_table(rows, "real"))
    back = read_results(tmp_path / "r.csv")
    assert back["level"].tolist() == ["", "1e5", "NA", "x"]
    assert set(back["note"]) == {'NA, or "none"'}
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StudyError, match=r"r\.csv: not a results table; expected the columns"):
        read_results(tmp_path / "r.csv")


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A study folder whose plan has one family."""
    monkeypatch.chdir(tmp_path)
    roles = {"x": "primary", "y": "secondary", "z": "secondary"}
    family = {"id": "both", "analysis": "a", "outcomes": ["y", "z"], "method": "holm"}
    more = {
        "outcomes": [{"id": o, "role": role} for o, role in roles.items()],
        "analyses": [small_study.ANALYSIS | {"visit": "week4", "data": "observed"}],
        "families": [family],
    }
    (tmp_path / "config").mkdir()
    for name, content in (("study", STUDY), ("analysis", small_study.PLAN | more)):
        (tmp_path / f"config/{name}.yaml").write_text(json.dumps(content), encoding="utf-8")


def test_parts_are_put_together(tmp_path, plan):
    for name in ("b", "a"):
        files.write_parquet(
            tmp_path / f"{name}.parquet",
            results_table(
                [ROW | {"analysis": name, "outcome": o, "p_value": 0.03, "n": 40} for o in "xyz"],
                "real",
            ),
        )
    out = tmp_path / "reports" / "results.csv"
    run(parts=[tmp_path / "b.parquet", tmp_path / "a.parquet"], out=out)
    table = read_results(out)
    assert table["analysis"].tolist() == list("aaabbb")
    assert table["family"].tolist() == ["", "both", "both", "", "", ""]
    np.testing.assert_array_equal(table["p_adjusted"], [np.nan, 0.06, 0.06] + [np.nan] * 3)
    with pytest.raises(ValueError, match="two results have one key"):
        run(parts=[tmp_path / "a.parquet"] * 2, out=tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


R = json.loads((Path(__file__).parent / "analyses/data/analyses.json").read_text())["multiplicity"]
OUTCOMES = "uvwxyz"


VISITS = {"start": 0, "week1": 1, "week2": 2, "week4": 4, "week12": 12}
STUDY = {key: value for key, value in small_study.STUDY.items() if key != "clusters"} | {
    "data_status": "real",
    "visits": [{"id": v, "label": v, "months": months} for v, months in VISITS.items()],
}


def family(method: str) -> Family:
    return Family(id="f", analysis="a", outcomes=list(OUTCOMES), method=method)


def adjust(table: pd.DataFrame, group: Family, visit: str | None = None) -> pd.DataFrame:
    """Adjust by a plan of one family, whose analysis may have all visits."""
    plan = small_study.plan(
        outcomes=[{"id": o, "role": "secondary"} for o in group.outcomes],
        analyses=[small_study.ANALYSIS | {"model": "mmrm", "visit": visit, "data": "observed"}],
        families=[group.model_dump()],
    )
    return adjusted(table, plan, Study.model_validate(STUDY))


def p_table(p_values: dict[str, float | None], **more) -> pd.DataFrame:
    rows = [
        ROW | {"outcome": o, "inference": "cr2", "p_value": p} | more for o, p in p_values.items()
    ]
    return results_table(rows, "real")


@pytest.mark.parametrize("method", ["holm", "hochberg", "benjamini-hochberg"])
def test_families_are_adjusted_as_by_r(method):
    table = p_table(dict(zip(OUTCOMES, R["p"], strict=True)))
    found = adjust(table, family(method))
    np.testing.assert_allclose(found["p_adjusted"], R[method], rtol=1e-12)
    np.testing.assert_array_equal(found["p_value"], R["p"])
    assert set(found["family"]) == {"f"}
    assert set(table["family"]) == {""}


@settings(max_examples=10)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from(["holm", "hochberg"]))
def test_adjusting_raises_p_values_and_keeps_their_order(p_values, method):
    outcomes = "abcdefgh"[: len(p_values)]
    table = p_table(dict(zip(outcomes, p_values, strict=True)))
    group = Family(id="f", analysis="a", outcomes=list(outcomes), method=method)
    found = adjust(table, group)
    assert (found["p_adjusted"] >= found["p_value"] - 1e-15).all()
    assert found["p_adjusted"].max() <= 1
    ordered = found.sort_values("p_value")["p_adjusted"]
    assert (ordered.diff().dropna() >= -1e-15).all()


def test_each_inference_is_adjusted_by_itself_and_other_rows_are_left_alone():
    values = dict(zip(OUTCOMES, R["p"], strict=True))
    parts = [
        p_table(values),
        p_table(dict.fromkeys(OUTCOMES, 0.01), inference="paired-t"),
        p_table(values, term="standardised difference"),
        p_table(values, analysis="b"),
        p_table({"t": 0.001}),
    ]
    found = adjust(pd.concat(parts, ignore_index=True), family("holm"))
    np.testing.assert_allclose(found["p_adjusted"][:6], R["holm"])
    np.testing.assert_allclose(found["p_adjusted"][6:12], 0.06)
    assert found["p_adjusted"][12:].isna().all()
    assert set(found["family"][12:]) == {""}


@pytest.mark.parametrize("visit", [None, "week2"])
def test_an_outcome_counts_once_however_many_its_visits(visit):
    """By default at the last visit in time, which is not the last of the names."""
    p_values = dict(zip(OUTCOMES, R["p"], strict=True))
    parts = [
        p_table(p_values if at == (visit or "week12") else dict.fromkeys(OUTCOMES, 0.4), visit=at)
        for at in list(VISITS)[1:]
    ]
    found = adjust(pd.concat(parts, ignore_index=True), family("holm"), visit)
    stands = found["visit"] == (visit or "week12")
    np.testing.assert_allclose(found["p_adjusted"][stands], R["holm"], rtol=1e-12)
    assert found["p_adjusted"][~stands].isna().all()
    assert set(found["family"][~stands]) == {""}


def test_visits_are_in_time_in_the_table(tmp_path, plan):
    rows = [
        ROW | {"outcome": o, "visit": v, "p_value": 0.03}
        for o in "xyz"
        for v in ("", "week12", "week4", "start")
    ]
    files.write_parquet(tmp_path / "a.parquet", results_table(rows, "real"))
    run(parts=[tmp_path / "a.parquet"], out=tmp_path / "r.csv")
    assert (
        read_results(tmp_path / "r.csv")["visit"].tolist() == ["", "start", "week4", "week12"] * 3
    )


def test_a_hypothesis_that_could_not_be_tested_still_counts():
    values = dict(zip(OUTCOMES, R["p"], strict=True))
    table = p_table(values)
    gone = table["outcome"] == "z"  # the one with the largest p-value
    table.loc[gone, ["p_value", "estimate"]] = np.nan
    table.loc[gone, ["status", "inference"]] = ["failed", ""]
    found = adjust(table, family("holm"))
    np.testing.assert_allclose(found["p_adjusted"][:5], R["holm"][:5])
    assert np.isnan(found["p_adjusted"][5])
    assert set(found["family"]) == {"f"}


def test_a_family_without_results():
    table = p_table({"u": 0.01}, analysis="b")  # of an analysis that is elsewhere: left alone
    pd.testing.assert_frame_equal(adjust(table, family("holm")), table)
    with pytest.raises(StudyError, match="family 'f' holds 'z', for which analysis 'a' has no"):
        adjust(p_table(dict.fromkeys("uvwxy", 0.5)), family("holm"))


def test_streams_belong_to_seed_and_name():
    def first(*names):
        return stream(*names).integers(2**62)

    assert first(1, "a", "b") == first(1, "a", "b")
    others = {first(1, "a", "b"), first(2, "a", "b"), first(1, "b", "a"), first(1, "ab"), first(1)}
    assert len(others) == 5
    assert first(20261122, "imputation", "chained") == first(20261122, "imputation", "chained")


def test_what_could_not_be_estimated_is_one_line_for_the_screen(tmp_path):
    fine = {"analysis": "a", "outcome": "x", "term": "difference", "estimate": 1.0}
    bad = fine | {"outcome": "y", "estimate": None, "status": "failed", "note": "nobody"}
    path = tmp_path / "results.csv"
    files.write_csv(path, results_table([fine], "synthetic"))
    assert not_estimated(path) == ""
    files.write_csv(path, results_table([fine, bad], "synthetic"))
    sentence = "1 of 2 results could not be estimated (y): the report says why.\n"
    assert not_estimated(path) == sentence


def test_a_variance_is_of_a_part_and_nothing_else_is():
    require_known("term", Term.VARIANCE.of("team"))
    with pytest.raises(ValueError, match="not one of the words"):
        require_known("term", "difference: team")
