"""The results table: columns, key, order, full precision."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.random import stream
from ccp_analysis.results import COLUMNS, KEY, NUMBERS, WHOLE, read_results, results_table, run

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


def test_rows_without_any_status():
    assert results_table([ROW], "real")["status"].tolist() == ["ok"]
    assert results_table([ROW | {"status": None}], "real")["status"].tolist() == ["ok"]
    assert len(results_table([], "real")) == 0


def test_rows_are_sorted_by_the_key():
    rows = [ROW | {"outcome": o, "term": t} for o in "zxy" for t in ("b", "a")]
    table = results_table(rows, "real")
    assert table["outcome"].tolist() == list("xxyyzz")
    assert table["term"].tolist() == ["a", "b"] * 3
    shuffled = results_table(rows[::-1], "real")
    pd.testing.assert_frame_equal(table, shuffled)


def test_two_results_of_one_key_are_refused():
    with pytest.raises(ValueError, match="two results have one key"):
        results_table([ROW, ROW | {"estimate": 2.0}], "real")
    assert len(results_table([ROW, ROW | {"delta": 1.0}], "real")) == 2


def test_an_unknown_column_is_refused():
    with pytest.raises(ValueError, match="unknown columns of the results table: pvalue"):
        results_table([ROW | {"pvalue": 1}], "real")


def test_the_columns_are_those_of_the_design():
    assert len(set(COLUMNS)) == len(COLUMNS) == 34
    assert set(KEY) <= set(COLUMNS)
    assert set(WHOLE) <= set(NUMBERS) <= set(COLUMNS)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_a_csv_file_keeps_every_number(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("results") / "r.csv"
    rows = [ROW | {"term": f"t{k:03d}", "estimate": x} for k, x in enumerate(numbers)]
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


def test_parts_are_put_together(tmp_path):
    for name in ("b", "a"):
        files.write_parquet(
            tmp_path / f"{name}.parquet", results_table([ROW | {"analysis": name}], "real")
        )
    out = tmp_path / "reports" / "results.csv"
    run(parts=[tmp_path / "b.parquet", tmp_path / "a.parquet"], out=out)
    assert read_results(out)["analysis"].tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="two results have one key"):
        run(parts=[tmp_path / "a.parquet"] * 2, out=tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_a_table_that_is_none(tmp_path):
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StudyError, match=r"r\.csv: not a results table; expected the columns"):
        read_results(tmp_path / "r.csv")


def test_streams_belong_to_seed_and_name():
    def first(*names):
        return stream(*names).integers(2**62)

    assert first(1, "a", "b") == first(1, "a", "b")
    others = {first(1, "a", "b"), first(2, "a", "b"), first(1, "b", "a"), first(1, "ab"), first(1)}
    assert len(others) == 5
    assert first(20261122, "imputation", "chained") == first(20261122, "imputation", "chained")
