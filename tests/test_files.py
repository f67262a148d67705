"""Files are whole or not there; a fingerprint is of contents."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis import files, mended
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import ALTERED, CAPTIONS, DERIVED, RERUN, RESULTS


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


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Files of each kind where a run writes them, in the current folder."""
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"x": [0.5, 1.5], "s": ["a", "b"]})
    files.write_parquet(DERIVED / "people.parquet", table)
    files.write_csv(DERIVED / "queries.csv", table)
    files.write_json(DERIVED / "flow.json", {"a": [1, 2]})
    files.write_text(DERIVED / "report.md", "# Text\n")
    files.write_text(CAPTIONS / "table.rst", "A table\n")
    files.write_csv(RESULTS, table)
    files.write_text(Path("elsewhere.txt"), "x")
    return tmp_path


READERS = {
    "people.parquet": files.read_parquet,
    "queries.csv": files.read_csv,
    "flow.json": files.read_json,
    "report.md": files.read_text,
}


def flip(path: Path, place: int = 5) -> None:
    """Flip a bit of a byte and leave the dates as they were."""
    dates, content = path.stat(), bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, (dates.st_atime, dates.st_mtime))


@pytest.mark.parametrize("name", READERS)
def test_an_altered_byte_is_noticed_in_reading_whatever_the_date(written, name):
    READERS[name](DERIVED / name)
    flip(DERIVED / name)
    os.utime(DERIVED / name, (0, 0))
    with pytest.raises(StudyError, match=f"^data/derived/{name}: it was changed after it was"):
        READERS[name](DERIVED / name)


def test_every_byte_of_a_page_has_a_checksum_of_its_own(written):
    """Where a file was copied in without its record, Parquet notices by itself."""
    path = DERIVED / "people.parquet"
    files.record_of(path).unlink()
    whole, table = path.read_bytes(), files.read_parquet(path)
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    noticed = 0
    for place in range(4, pages):
        flip(path, place)
        try:  # a byte that nothing reads, as that of a statistic, may change
            pd.testing.assert_frame_equal(files.read_parquet(path), table)
        except StudyError:
            noticed += 1
        path.write_bytes(whole)
    assert noticed > pages / 2


def test_altered_files_are_set_aside_and_asked_for_and_nothing_else(written):
    assert mended.set_aside() == []
    assert mended.wanted(lambda _: True) == []
    for path in (DERIVED / "flow.json", RESULTS, CAPTIONS / "table.rst"):
        flip(path)
    (DERIVED / ".0123456789abcdef.csv").write_text("half")
    record = files.record_of(DERIVED / "report.md")
    record.write_bytes(b"")
    noticed = [line.partition(": it was")[0] for line in mended.noticed()]
    assert (DERIVED / "flow.json").exists()
    said = mended.set_aside()
    assert [line.partition(": it was")[0] for line in said] == noticed
    assert [line.partition(":")[0] for line in said] == [
        *("data/derived/captions/table.rst", "data/derived/flow.json", "data/derived/report.md"),
        "reports/results.csv",
    ]
    assert not (DERIVED / "flow.json").exists()
    assert not (DERIVED / ".0123456789abcdef.csv").exists()
    assert b"\x60" not in (ALTERED / RESULTS).read_bytes()
    made = {CAPTIONS.as_posix(), "data/derived/flow.json", "reports/results.csv"}
    assert mended.wanted(made.__contains__) == sorted(made)
    files.write_json(DERIVED / "flow.json", {"a": [1, 2]})
    assert mended.set_aside() == []
    assert mended.wanted(made.__contains__) == sorted(made - {"data/derived/flow.json"})


def test_what_a_killed_verification_left_goes_and_what_one_at_work_has_stays(written):
    dead, alive = (Path(f"{RERUN}{name}") for name in ("dead", "alive"))
    for folder in (dead, alive):
        (folder / "data/raw").mkdir(parents=True)
    held = mended.hold(alive)
    assert mended.hold(alive) is None
    mended.set_aside()
    assert alive.is_dir()
    assert not dead.exists()
    os.close(held)
    mended.clear()
    assert not alive.exists()


def test_what_no_run_wrote_has_no_record(written):
    assert files.record_of(Path("elsewhere.txt")) is None
    assert files.record_of(Path("/elsewhere.txt")) is None
    assert files.record_of(written / RESULTS) == files.record_of(RESULTS)
    assert files.record_of(Path("/other/reports/a.csv")) is None
    other = Path("/other/data/derived")
    assert files.record_of(other / "a.csv") == other / ".sha256/data/derived/a.csv.sha256"


def test_a_full_disk_leaves_the_older_file_and_a_record_that_makes_it_anew(written, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "digest", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_json(DERIVED / "flow.json", {"b": 1})
    assert files.read_json(DERIVED / "flow.json") == {"a": [1, 2]}
    assert not [p for p in written.rglob(".*") if p.is_file()]
