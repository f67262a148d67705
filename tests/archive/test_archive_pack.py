"""The archive: what is in it, and that the same contents give the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest
from small_repository import CODE, DICTIONARY, LEFT_OUT, make_study, write

from ccp_analysis import __version__
from ccp_analysis import archive as package
from ccp_analysis.archive import checksums, pack
from ccp_analysis.errors import StudyError

TOP = f"small-{__version__}"
ZIP = Path(f"dist/{TOP}.zip")
CONFIG = ["analysis.yaml", "dictionary.csv", "instruments.yaml", "study.yaml"]


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
    raw = ("data/raw/README.md", "data/raw/people.csv", "reports/README.md")
    kinds = ("results.csv", "results.html", "results.json", "tables.xlsx", "report.html")
    kinds += ("report.docx", "report.pdf", "codebook.csv", "codebook.html", "MANIFEST.sha256")
    expected = {
        *(*CODE, "REPLICATION.md", "ro-crate-metadata.json"),
        *(f"archived/{name}" for name in kinds),
        *(f"config/{name}" for name in CONFIG),
        *raw,
        *(f"examples/other/config/{name}" for name in CONFIG),
        *(f"examples/other/{name}" for name in raw),
    }
    found = names_in(ZIP)
    shown = {n for n in found if n.startswith(("archived/tables/", "archived/figures/"))}
    assert {"archived/tables/flow.csv", "archived/figures/forest.svg"} <= shown
    assert "archived/tables/of_an_earlier_plan.csv" not in shown
    assert set(found) - shown == expected
    assert found == sorted(found)
    assert not set(LEFT_OUT) - {"archived/results.csv"} & set(found)
    with zipfile.ZipFile(ZIP) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    assert {entry.create_system for entry in entries} == {3}
    modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    assert modes.pop(f"{TOP}/.ci/run") == 0o100755
    assert set(modes.values()) == {0o100644}


def test_the_same_contents_give_the_same_bytes(repository, tmp_path, monkeypatch):
    pack.run()
    first = ZIP.read_bytes()
    set_dates(repository, 1_500_000_000)
    Path("README.md").chmod(0o600)
    pack.run()
    assert ZIP.read_bytes() == first

    people = Path("data/raw/people.csv")
    kept = people.read_text()
    write(people, "participant,arm\nsmall1,b\n")
    pack.run()
    assert ZIP.read_bytes() != first
    write(people, kept)

    copy = tmp_path / "another place" / "copy"
    shutil.copytree(repository, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setattr(package, "REPOSITORY", copy)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        pack.run(out=tmp_path / "other.zip")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (tmp_path / "other.zip").read_bytes() == first


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
    monkeypatch.setattr(package, "REPOSITORY", top)
    pack.run()
    assert ZIP.read_bytes() == first


def test_the_manifest_lists_every_other_file_as_sha256sum_reads_it(repository, tmp_path, capsys):
    pack.run()
    said = capsys.readouterr().out
    top = unpack(ZIP, tmp_path / "unpacked")
    for packed in ("archived/results.csv", "data/raw/people.csv"):
        own = Path(packed.replace("archived", "reports"))
        assert (top / packed).read_bytes() == own.read_bytes()
    assert (top / "src/small/templates/report.md").read_text(encoding="utf-8") == "# Report ü\n"
    manifest = top / "archived/MANIFEST.sha256"
    lines = manifest.read_text(encoding="utf-8").splitlines()
    listed = [line[66:] for line in lines]
    assert listed == [name for name in names_in(ZIP) if name != "archived/MANIFEST.sha256"]
    for line in lines:
        digest, name = line[:64], line[66:]
        assert line[64:66] == "  "
        assert hashlib.sha256((top / name).read_bytes()).hexdigest() == digest
    # What is said can be compared with what was published.
    digest = hashlib.sha256(ZIP.read_bytes()).hexdigest()
    assert said.startswith(f"{ZIP}: {len(names_in(ZIP))} files, ")
    assert f"SYNTHETIC DATA, SHA-256 {digest}." in said
    assert "participants' data" not in said
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert f"archived/MANIFEST.sha256 in it: SHA-256 {digest}." in said
    if shutil.which("sha256sum"):
        check = ["sha256sum", "--check", "--strict", "--quiet", "archived/MANIFEST.sha256"]
        assert subprocess.run(check, cwd=top, capture_output=True).returncode == 0
        write(top / "data/raw/people.csv", "changed")
        changed = subprocess.run(check, cwd=top, capture_output=True, text=True)
        assert changed.returncode == 1
        assert "data/raw/people.csv: FAILED" in changed.stdout


def test_a_study_outside_the_repository_stands_under_examples(repository, tmp_path, monkeypatch):
    make_study(tmp_path / "elsewhere", "other", "synthetic")
    write(tmp_path / "elsewhere/data/raw/people.csv", "participant,arm\nnew,a\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    pack.run(out=tmp_path / "other.zip")
    top = unpack(tmp_path / "other.zip", tmp_path / "unpacked")
    raw = (top / "examples/other/data/raw/people.csv").read_text()
    assert raw == "participant,arm\nnew,a\n"


def test_real_data_stay_where_they_are_unless_asked_for(repository, tmp_path, capsys):
    make_study(repository, "small", "real")
    write(
        Path("config/decisions.csv"),
        "file,row,participant,column,raw_value,action,value,who,when,why\n",
    )
    pack.run()
    said = capsys.readouterr().out
    assert "no participants' data: their checksums are in data/raw/CHECKSUMS.sha256" in said
    found = names_in(ZIP)
    assert not {"data/raw/people.csv", "config/decisions.csv"} & set(found)
    top = unpack(ZIP, tmp_path / "unpacked")
    everything = b"".join(path.read_bytes() for path in top.rglob("*") if path.is_file())
    assert b"small1,a" not in everything
    listed = (top / "data/raw/CHECKSUMS.sha256").read_text().splitlines()
    digest = hashlib.sha256(Path("data/raw/people.csv").read_bytes()).hexdigest()
    assert f"{digest}  data/raw/people.csv" in listed
    assert [line[66:] for line in listed] == ["config/decisions.csv", "data/raw/people.csv"]
    twin = top / "examples/small_twin"
    assert "data_status: synthetic" in (twin / "config/study.yaml").read_text()
    assert (twin / "data/raw/people.csv").read_text().startswith("participant,arm\nSYN0001,")
    assert "examples/small_twin/" in (top / "REPLICATION.md").read_text()

    pack.run(with_data=True)
    assert "It contains participants' data (data/raw)" in capsys.readouterr().out
    found = names_in(ZIP)
    assert {"data/raw/people.csv", "config/decisions.csv"} <= set(found)
    assert not [name for name in found if "twin" in name.split("/")[1:2] or "CHECKSUMS" in name]


def test_an_archive_without_data_says_where_they_belong(repository, tmp_path, monkeypatch):
    make_study(repository, "small", "real")
    pack.run()
    first, raw = ZIP.read_bytes(), Path("data/raw/people.csv").read_bytes()
    top = unpack(ZIP, tmp_path / "unpacked")
    shutil.copytree(top / "archived", top / "reports", dirs_exist_ok=True)
    monkeypatch.chdir(top)
    monkeypatch.setattr(package, "REPOSITORY", top)
    with pytest.raises(
        StudyError, match=r"people.csv: the raw file is missing; participants' data"
    ):
        pack.run()
    assert checksums.check() == []
    (top / "data/raw/people.csv").write_bytes(raw + b"\n")
    assert checksums.check() == ["data/raw/people.csv: changed"]
    (top / "data/raw/people.csv").write_bytes(raw)
    assert checksums.check() == []
    pack.run()
    assert ZIP.read_bytes() == first


# --- links ----------------------------------------------------------------------------------------


def test_a_folder_that_is_reached_by_a_link_is_what_it_leads_to(repository, tmp_path, monkeypatch):
    (tmp_path / "short").symlink_to(repository)
    monkeypatch.chdir(tmp_path / "short")
    pack.run()
    assert "data/raw/people.csv" in names_in(ZIP)


# --- what could identify a person -----------------------------------------------------------------


def test_a_document_is_read_whole(repository):
    with zipfile.ZipFile("reports/report.docx", "w") as document:
        text = "<w:p><w:r><w:t>Ask a</w:t></w:r><w:r><w:t>@b.org</w:t></w:r></w:p><w:p>Yes</w:p>"
        document.writestr("word/document.xml", text)
    with pytest.raises(
        StudyError, match=r"^reports/report.docx, part word/document.xml: an e-mail"
    ):
        pack.run()


def test_a_sheet_that_is_not_read_is_looked_at_too(repository):
    book = openpyxl.Workbook()
    for row in (["participant", "arm"], ["p1", "a"]):
        book.active.append(row)
    book.active.title = "data"
    book.create_sheet("addresses").append(["p1", "a@b.org"])
    book.save("data/raw/people.xlsx")
    config = Path("config/study.yaml")
    raw = "data/raw/people.xlsx, sheet: data"
    write(config, config.read_text().replace("data/raw/people.csv", raw))
    with pytest.raises(StudyError, match="people.xlsx, sheet 'addresses', row 1: an e-mail"):
        pack.run()


def test_every_sheet_is_read_by_what_the_dictionary_says_of_it(repository):
    book = openpyxl.Workbook()
    book.active.title = "people"
    for row in (["participant", "arm"], ["p1", "a"]):
        book.active.append(row)
    for row in (["participant", "mail"], ["p1", "a@b.org"]):
        (book["mails"] if "mails" in book.sheetnames else book.create_sheet("mails")).append(row)
    book.save("data/raw/people.xlsx")
    config, dictionary = Path("config/study.yaml"), Path("config/dictionary.csv")
    old, raw = "{path: data/raw/people.csv, rows: participant}", "path: data/raw/people.xlsx"
    one, other = (f"{{{raw}, rows: participant, sheet: {name}}}" for name in book.sheetnames)
    write(config, config.read_text().replace(old, f"{one}\n  mails: {other}"))
    mails = "mails,participant,participant,,Participant,id,,,,,,\nmails,mail,mail,,Mail,text,,,,,,"
    write(dictionary, DICTIONARY + mails + "allowed\n")
    pack.run()
    write(dictionary, DICTIONARY + mails + "\n")
    with pytest.raises(StudyError, match="sheet 'mails', row 2, column 'mail': an e-mail address"):
        pack.run()


def test_what_only_programs_read_identifies_nobody(repository):
    path = '<path d="M 943\n476 5919 L e3 6ea SW1A 2AA" style="stroke: #e3e6ea"/>'
    image = '<image xlink:href="data:image/png;base64,iVBO\nSW1A2AA\nN6 2BE=="/>'
    write(Path("reports/figures/forest.svg"), f"<svg>{path}{image}</svg>")
    digits = "8375962579d537364cc0efa19b1474481915d3a793f9fc0774901814"
    write(Path("docs/hashes.md"), f"sha256:{digits}\n")
    pack.run()


def test_a_failure_leaves_the_older_archive_and_nothing_else(repository, monkeypatch):
    write(ZIP, "older")

    def fail(target: Path, *_: object) -> None:
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
    root = package.REPOSITORY
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False
    )
    committed = set(listing.stdout.split("\0")) - {""}
    if not (root / ".git").exists() or not committed:
        pytest.skip("not in a git checkout")
    assert {n for n in committed if (root / n).is_file()} <= set(pack.repository_files(root).files)
