"""Files are whole or not there; a fingerprint is of contents."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis import files


def test_a_failing_writer_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old\n")

    def broken(target):
        target.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, broken)
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_final_name_is_not_there_while_writing(tmp_path):
    path = tmp_path / "deep" / "a.csv"
    seen = []

    def write(target):
        seen.append((path.exists(), target.suffix, target.parent == path.parent))
        target.write_text("x")

    files.write_whole(path, write)
    assert seen == [(False, ".csv", True)]
    assert path.read_text() == "x"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_rights_are_those_that_the_mask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "a.txt", "x")
        files.write_csv(tmp_path / "a.csv", pd.DataFrame({"a": [1]}))
        files.write_parquet(tmp_path / "a.parquet", pd.DataFrame({"a": [1]}))
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_writer_in_another_folder_writes_to_the_right_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def from_elsewhere(target: Path) -> None:
        subprocess.run(["cp", "/dev/stdin", target], input=b"all", cwd="elsewhere", check=True)

    files.write_whole(Path("reports/report.html"), from_elsewhere)
    assert Path("reports/report.html").read_bytes() == b"all"


def test_text_and_json_are_utf_8_with_the_newlines_given(tmp_path):
    files.write_text(tmp_path / "a", "é\r\n\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\r\n\n"
    files.write_json(tmp_path / "b", {"a": [1, "é"]})
    assert json.loads((tmp_path / "b").read_text(encoding="utf-8")) == {"a": [1, "é"]}
    assert "é" in (tmp_path / "b").read_text(encoding="utf-8")


def test_tables_keep_every_bit(tmp_path):
    table = pd.DataFrame({"x": [0.1 + 0.2, 1e-300, None, -0.0], "s": ["a,b", 'q"', "", "é\n"]})
    files.write_csv(tmp_path / "t.csv", table)
    again = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, na_values={"x": [""]})
    pd.testing.assert_frame_equal(again, table, check_exact=True, check_dtype=False)
    files.write_parquet(tmp_path / "t.parquet", table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table, check_exact=True)
    first = (tmp_path / "t.parquet").read_bytes()
    files.write_parquet(tmp_path / "t.parquet", table)
    assert (tmp_path / "t.parquet").read_bytes() == first


def test_a_fingerprint_is_of_contents_and_names_not_of_places_dates_or_order(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / name).write_text(name)
    here = [tmp_path / "here" / name for name in ("a", "b")]
    there = [tmp_path / "there" / name for name in ("b", "a")]
    found = files.fingerprint(here)
    assert len(found) == 64
    assert files.fingerprint(there) == found
    os.utime(here[0], (1, 1))
    assert files.fingerprint(here) == found
    here[0].write_text("A")
    assert files.fingerprint(here) != found
    here[0].write_text("b")
    here[1].write_text("a")
    assert files.fingerprint(here) != found


def test_a_file_that_is_not_there_counts_as_empty(tmp_path):
    missing = files.fingerprint([tmp_path / "a"])
    (tmp_path / "a").write_text("")
    assert files.fingerprint([tmp_path / "a"]) == missing
    (tmp_path / "a").write_text("x")
    assert files.fingerprint([tmp_path / "a"]) != missing
