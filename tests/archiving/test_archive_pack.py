"""The archive: what is in it, and that the same contents give the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from small_repository import CODE, LEFT_OUT, make_study, write

from ccp_analysis import __version__, archiving
from ccp_analysis.archiving import pack
from ccp_analysis.errors import StudyError

TOP = f"small-{__version__}"
ZIP = Path(f"dist/{TOP}.zip")


def names_in(path: Path, top: str = TOP) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removeprefix(f"{top}/") for name in archive.namelist()]


def unpack(path: Path, folder: Path) -> Path:
    """Unpack an archive and return its one folder."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    (top,) = folder.iterdir()
    return top


def set_dates(folder: Path, when: int) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            os.utime(Path(place, name), (when, when))


def test_it_holds_code_configuration_raw_data_and_results_and_nothing_else(repository):
    pack.run()
    expected = {
        *CODE,
        "archived/MANIFEST.sha256",
        "archived/results.csv",
        "archived/report.html",
        "archived/report.docx",
        "archived/report.pdf",
        "archived/codebook.csv",
        "archived/codebook.html",
        "config/analysis.yaml",
        "config/study.yaml",
        "data/raw/README.md",
        "data/raw/people.csv",
        "reports/README.md",
        "examples/other/config/analysis.yaml",
        "examples/other/config/study.yaml",
        "examples/other/data/raw/README.md",
        "examples/other/data/raw/people.csv",
        "examples/other/reports/README.md",
    }
    found = names_in(ZIP)
    shown = {n for n in found if n.startswith(("archived/tables/", "archived/figures/"))}
    assert {"archived/tables/flow.csv", "archived/figures/forest.svg"} <= shown
    assert "archived/tables/of_an_earlier_plan.csv" not in shown
    assert set(found) - shown == expected
    assert found == sorted(found)
    assert not set(LEFT_OUT) - {"archived/results.csv"} & set(found)


def test_the_archived_results_are_those_of_the_run(repository, tmp_path):
    pack.run()
    top = unpack(ZIP, tmp_path / "unpacked")
    assert (top / "archived/results.csv").read_bytes() == Path("reports/results.csv").read_bytes()
    assert (top / "data/raw/people.csv").read_text() == Path("data/raw/people.csv").read_text()
    assert (top / "src/small/templates/report.md").read_text(encoding="utf-8") == "# Report ü\n"


def test_the_same_contents_give_the_same_bytes(repository, tmp_path, monkeypatch):
    pack.run()
    first = ZIP.read_bytes()
    set_dates(repository, 1_500_000_000)
    Path("README.md").chmod(0o600)
    pack.run()
    assert ZIP.read_bytes() == first

    copy = tmp_path / "another place" / "copy"
    shutil.copytree(repository, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setattr(archiving, "REPOSITORY", copy)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        pack.run(out=tmp_path / "other.zip")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (tmp_path / "other.zip").read_bytes() == first


def test_other_contents_give_other_bytes(repository):
    pack.run()
    first = ZIP.read_bytes()
    write(Path("data/raw/people.csv"), "participant,arm\nsmall1,b\n")
    pack.run()
    assert ZIP.read_bytes() != first


def test_an_unpacked_archive_that_was_run_gives_the_same_archive(repository, tmp_path, monkeypatch):
    pack.run()
    first = ZIP.read_bytes()
    top = unpack(ZIP, tmp_path / "unpacked")
    for path in (top / "archived").rglob("*"):
        if path.is_file() and path.name != "MANIFEST.sha256":
            copy = top / "reports" / path.relative_to(top / "archived")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    monkeypatch.chdir(top)
    monkeypatch.setattr(archiving, "REPOSITORY", top)
    pack.run()
    assert ZIP.read_bytes() == first


def test_every_entry_has_the_same_date_and_permissions_by_rule(repository):
    pack.run()
    with zipfile.ZipFile(ZIP) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.create_system for entry in entries} == {3}
    modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    assert modes.pop(f"{TOP}/.ci/run") == 0o100755
    assert set(modes.values()) == {0o100644}


def test_the_manifest_lists_every_other_file_as_sha256sum_reads_it(repository, tmp_path):
    pack.run()
    top = unpack(ZIP, tmp_path / "unpacked")
    manifest = (top / "archived/MANIFEST.sha256").read_text(encoding="utf-8").splitlines()
    listed = [line[66:] for line in manifest]
    assert listed == [name for name in names_in(ZIP) if name != "archived/MANIFEST.sha256"]
    for line in manifest:
        digest, name = line[:64], line[66:]
        assert line[64:66] == "  "
        assert hashlib.sha256((top / name).read_bytes()).hexdigest() == digest


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_accepts_the_manifest_and_finds_a_changed_file(repository, tmp_path):
    pack.run()
    top = unpack(ZIP, tmp_path / "unpacked")
    check = ["sha256sum", "--check", "--strict", "--quiet", "archived/MANIFEST.sha256"]
    assert subprocess.run(check, cwd=top, capture_output=True).returncode == 0
    write(top / "data/raw/people.csv", "changed")
    changed = subprocess.run(check, cwd=top, capture_output=True, text=True)
    assert changed.returncode == 1
    assert "data/raw/people.csv: FAILED" in changed.stdout


def test_a_study_under_examples_comes_with_the_whole_code(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository / "examples/other")
    pack.run()
    top = f"other-{__version__}"
    found = set(names_in(Path(f"dist/{top}.zip"), top))
    assert set(CODE) <= found
    assert {"config/study.yaml", "data/raw/people.csv"} <= found
    assert {
        "examples/other/config/study.yaml",
        "examples/other/data/raw/people.csv",
        "examples/other/archived/results.csv",
        "examples/other/archived/report.pdf",
        "examples/other/archived/MANIFEST.sha256",
    } <= found
    assert not [name for name in found if name.startswith("archived/")]
    assert "'make verify STUDY=examples/other'" in capsys.readouterr().out


def test_a_study_outside_the_repository_stands_under_examples(repository, tmp_path, monkeypatch):
    make_study(tmp_path / "elsewhere", "other", "synthetic")
    write(tmp_path / "elsewhere/data/raw/people.csv", "participant,arm\nnew,a\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    pack.run(out=tmp_path / "other.zip")
    top = unpack(tmp_path / "other.zip", tmp_path / "unpacked")
    raw = (top / "examples/other/data/raw/people.csv").read_text()
    assert raw == "participant,arm\nnew,a\n"


def test_synthetic_data_are_called_so(repository, capsys):
    pack.run()
    said = capsys.readouterr().out
    digest = hashlib.sha256(ZIP.read_bytes()).hexdigest()
    assert said.startswith(f"{ZIP}: {len(names_in(ZIP))} files, ")
    assert f"SYNTHETIC DATA, SHA-256 {digest}." in said
    assert "participants' data" not in said


def test_real_data_are_packed_and_said_to_be(repository, capsys):
    make_study(repository, "small", "real")
    pack.run()
    assert "It contains participants' data (data/raw)" in capsys.readouterr().out
    assert "data/raw/people.csv" in names_in(ZIP)


def test_real_data_of_another_study_are_left_out(repository, capsys):
    make_study(repository / "examples/other", "other", "real")
    pack.run()
    found = names_in(ZIP)
    assert "examples/other/config/study.yaml" in found
    assert "examples/other/data/raw/people.csv" not in found
    assert "Left out: the raw data of examples/other" in capsys.readouterr().out


def test_a_raw_file_that_is_a_link_is_packed_with_its_content(repository, tmp_path):
    write(tmp_path / "drive/people.csv", "participant,arm\nlinked,a\n")
    Path("data/raw/people.csv").unlink()
    Path("data/raw/people.csv").symlink_to(tmp_path / "drive/people.csv")
    pack.run()
    with zipfile.ZipFile(ZIP) as archive:
        assert archive.read(f"{TOP}/data/raw/people.csv") == b"participant,arm\nlinked,a\n"


@pytest.mark.parametrize(
    "name",
    ["results.csv", "report.html", "report.docx", "report.pdf", "tables/flow.csv"]
    + ["figures/forest.png"],
)
def test_without_results_or_reports_it_says_to_run_first(repository, name):
    Path("reports", name).unlink()
    with pytest.raises(StudyError, match=rf"^reports/{name}: the file is missing; run `make run`"):
        pack.run()
    assert not ZIP.exists()


def test_a_missing_raw_file_is_named(repository):
    Path("data/raw/people.csv").unlink()
    with pytest.raises(StudyError, match=r"^data/raw/people.csv: the raw file is missing;"):
        pack.run()
    assert not ZIP.exists()


@pytest.mark.parametrize("path", ["../people.csv", "/people.csv"])
def test_a_raw_file_outside_the_study_is_refused(repository, path):
    config = Path("config/study.yaml")
    write(config, config.read_text().replace("data/raw/people.csv", path))
    with pytest.raises(StudyError, match="'people' .* lies outside the study folder"):
        pack.run()


@pytest.mark.parametrize("name", ["Makefile", "Snakefile", "pyproject.toml", "requirements.lock"])
def test_an_archive_that_could_not_be_run_is_not_made(repository, name):
    Path(name).unlink()
    with pytest.raises(StudyError, match=rf"{name}: the file is missing; an archive is made from"):
        pack.run()


def test_a_failure_leaves_the_older_archive_and_nothing_else(repository, monkeypatch):
    write(ZIP, "older")

    def fail(target: Path, top: str, content: dict[str, bytes]) -> None:
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pack, "write_zip", fail)
    with pytest.raises(OSError, match="no space left"):
        pack.run()
    assert ZIP.read_text() == "older"
    assert sorted(path.name for path in Path("dist").iterdir()) == ["older.zip", ZIP.name]


def test_an_archive_beside_the_code_does_not_hold_the_one_before(repository):
    out = Path("docs/small.zip")
    pack.run(out=out)
    first = out.read_bytes()
    pack.run(out=out)
    assert out.read_bytes() == first


def test_every_committed_file_is_in_the_archive():
    root = archiving.REPOSITORY
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False
    )
    committed = set(listing.stdout.split("\0")) - {""}
    if not (root / ".git").exists() or not committed:
        pytest.skip("not in a git checkout")
    assert {n for n in committed if (root / n).is_file()} <= set(pack.repository_files(root)[0])
