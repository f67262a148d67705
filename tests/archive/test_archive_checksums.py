"""The files of an unpacked archive: what is changed, missing or added is named, no more."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_repository import ROWS, write, write_results

from ccp_analysis import archive as package
from ccp_analysis import cli
from ccp_analysis.archive import MANIFEST, checksums, pack, verify

# One of each kind: the title in the configuration, a line of the source, a number in the report and
# in a table, a cell of the raw data.
TAMPERED = {
    "archived/report.html": ("html", "html, p = .04"),
    "archived/tables/flow.csv": ("1", "2"),
    "config/study.yaml": ("A small study", "A large study"),
    "data/raw/people.csv": ("small1,a", "small1,b"),
    "src/small/__init__.py": ('"""Small."""', '"""Large."""'),
}


def unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pack the study in the current folder and unpack it; its code counts from then on."""
    pack.run(out=folder / "packed.zip")
    with zipfile.ZipFile(folder / "packed.zip") as archive:
        archive.extractall(folder / "unpacked")
    [top] = (folder / "unpacked").iterdir()
    monkeypatch.setattr(package, "REPOSITORY", top)
    return top


@pytest.fixture(scope="module")
def archived(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked archive; not to be changed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(package, "REPOSITORY", made)
        monkeypatch.chdir(made)
        return unpacked(tmp_path_factory.mktemp("archived"), monkeypatch)


@pytest.fixture
def top(archived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a copy of the unpacked archive; it is the current one."""
    found = shutil.copytree(archived, tmp_path / archived.name)
    monkeypatch.setattr(package, "REPOSITORY", found)
    monkeypatch.chdir(found)
    return found


def tamper(name: str) -> None:
    old, new = TAMPERED[name]
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_an_archive_as_it_was_unpacked_and_without_its_manifest(top, capsys):
    assert checksums.check() == []
    said = capsys.readouterr().out
    digest = hashlib.sha256(MANIFEST.read_bytes()).hexdigest()
    number = len(MANIFEST.read_text().splitlines())
    assert f"published one:\n  {digest}\n" in said
    assert said.endswith(f"All {number} files are as they were packed.\n")
    MANIFEST.unlink()
    assert checksums.check() == ["archived/MANIFEST.sha256: missing"]
    assert "no file of the archive can be compared" in capsys.readouterr().out


def test_all_changed_files_are_named_in_one_go_before_the_rerun(top, capsys, monkeypatch):
    for name in TAMPERED:
        tamper(name)
    rerun = write_results(top / "reports/results.csv", ROWS).to_csv(index=False)
    script = (
        "import pathlib, sys; f = pathlib.Path(sys.argv[1], 'reports'); f.mkdir(); "
        "(f / 'results.csv').write_text(sys.argv[2])"
    )
    command = [sys.executable, "-c", script]
    monkeypatch.setattr(verify, "snakemake", lambda folder, *_: [*command, str(folder), rerun])
    assert cli.main(["verify", "--log", "logs/verify.log"]) == 1
    said = capsys.readouterr().out
    named = [line.strip() for line in said.partition("Running the study again")[0].splitlines()]
    assert named[-6] == "Not as packed (5 of the files):"
    assert named[-5:] == [f"{name}: changed" for name in TAMPERED]
    assert "Verified: 3 rows identical" in said
    assert said.endswith(f"Not verified: not as packed: {', '.join(TAMPERED)}.\n")
    assert all(f"{name}: changed" in Path("logs/verify.log").read_text() for name in TAMPERED)


@pytest.mark.parametrize("name", [*TAMPERED, "docs/statistics.md", "src/small/more.py"])
def test_one_change_is_named_and_ends_with_another_status(top, name, capsys, monkeypatch):
    """Also where every number comes out again."""
    seen = {}
    monkeypatch.setattr(verify, "run", lambda **given: seen.update(given) or 0)
    assert cli.main(["verify"]) == 0
    if name in TAMPERED:
        tamper(name)
    elif Path(name).exists():
        Path(name).unlink()
    else:
        write(Path(name), "x = 1\n")
    assert cli.main(["verify"]) == 1
    assert capsys.readouterr().out.endswith(f"Not verified: not as packed: {name}.\n")
    assert [fault.partition(":")[0] for fault in seen["faults"]] == [name]
    assert seen["listed"] == len(MANIFEST.read_text().splitlines())


def test_dates_permissions_and_place_do_not_count(top, monkeypatch):
    for path in top.rglob("*"):
        os.utime(path, (1_500_000_000, 1_500_000_000))
        if path.is_file():
            path.chmod(0o600)
    monkeypatch.chdir(top.parent)
    moved = top.rename(top.parent / "in another place")
    monkeypatch.chdir(moved)
    assert checksums.check() == []


def test_a_study_under_examples_speaks_for_the_whole_archive(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository / "examples/other")
    top = unpacked(tmp_path, monkeypatch)
    monkeypatch.chdir(top / "examples/other")
    assert checksums.check() == []
    write(top / "docs/statistics.md", "# Other\n")
    write(Path("archived/report.html"), "other")
    assert checksums.check() == [
        "docs/statistics.md: changed",
        "examples/other/archived/report.html: changed",
    ]


def test_a_study_that_is_no_archive_has_no_checksums(repository, capsys):
    shutil.rmtree("archived")
    assert checksums.check() == []
    assert capsys.readouterr().out == ""


def test_a_verification_that_ends_there_leaves_its_page_and_none_of_an_earlier_one(top):
    write(Path("logs/verification.csv"), "earlier")
    MANIFEST.write_text("hello\n")
    assert cli.main(["verify"]) == 1
    found = json.loads(Path("logs/verification.json").read_text())
    assert found["stopped"]["step"] == "reading the list of the archive's files"
    assert "line 1: expected a SHA-256" in found["stopped"]["sentence"]
    assert not found["verified"]
    assert "Not verified" in Path("logs/verification.html").read_text(encoding="utf-8")
    assert not Path("logs/verification.csv").exists()


def test_other_code_than_that_of_the_archive_is_said(top, capsys, monkeypatch, made):
    monkeypatch.setattr(package, "REPOSITORY", made)
    assert checksums.check() == []
    assert f"The code that runs is that of {made}, not that of" in capsys.readouterr().out


def test_checksums_need_no_more_of_the_code_than_their_own():
    """So that a file of the code is named, whatever a change to it does."""
    script = (
        "import sys, ccp_analysis.cli, ccp_analysis.archive.checksums; "
        "print(*sorted(n for n in sys.modules if n.startswith('ccp_analysis')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(Path(checksums.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        *("ccp_analysis", "ccp_analysis.archive", "ccp_analysis.archive.checksums"),
        *("ccp_analysis.cli", "ccp_analysis.errors"),
    ]
