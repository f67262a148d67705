"""ZIP files that nobody has looked at: what could do harm is refused, and nothing is written."""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from ccp_analysis.archive import unpack, zipped
from ccp_analysis.errors import StudyError

PACKED = "057c1ac93309d45daf5a0e8cf83cd07fe50beff86e55c51149bf2bf3256c863d"
GOOD = {"README.md": b"# Read\n", "data/raw/a.csv": b"x\n1\n" * 999, "ü.txt": b"", ".ci/run": b"#!"}


def forge(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def refused(archive: Path, into: Path, why: str) -> None:
    with pytest.raises(StudyError, match=why) as caught:
        unpack.unpack(archive, into)
    assert str(caught.value).startswith(f"{archive}: ")
    assert "nothing was unpacked" in str(caught.value)
    assert not into.exists() or not list(into.iterdir())
    assert not (into.parent / "evil").exists()


def test_what_was_packed_comes_out_once(tmp_path, capsys):
    archive = tmp_path / "good.zip"
    zipped.write_zip(archive, "top", GOOD, [".ci/run"])
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        assert {i.filename: i.compress_type for i in opened.infolist()} == {
            "top/.ci/run": zipfile.ZIP_STORED,
            "top/README.md": zipfile.ZIP_STORED,
            "top/data/raw/a.csv": zipfile.ZIP_DEFLATED,
            "top/ü.txt": zipfile.ZIP_STORED,
        }
    top = tmp_path / "into/top"
    unpack.run(archive=archive, into=tmp_path / "into")
    assert f"Unpacked: {top}." in capsys.readouterr().out
    found = {p.relative_to(top).as_posix(): p.read_bytes() for p in top.rglob("*") if p.is_file()}
    assert found == GOOD
    assert (top / ".ci/run").stat().st_mode & 0o777 == 0o755
    assert (top / "README.md").stat().st_mode & 0o777 == 0o644
    with pytest.raises(StudyError, match="it is there already"):
        unpack.unpack(archive, tmp_path / "into")


def test_deflated_bytes_are_those_of_every_system():
    """The bytes that zlib 1.3 makes at level 9: those of archives hang on them."""
    text = "".join(f"{n * n % 97},{n % 13},row {n}\n" for n in range(20_000)).encode()
    packed, method = zipped._smaller(text)
    assert method == zipped.DEFLATED
    assert zlib.decompress(packed, -15) == text
    assert hashlib.sha256(packed).hexdigest() == PACKED


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("top/../../evil", "leads out of the folder"),
        ("../evil", "leads out of the folder"),
        ("top/..\\evil", "leads out of the folder"),
        ("/evil", "begins at the top of a disk"),
        ("C:\\evil", "begins at the top of a disk"),
        ("\\\\host\\evil", "begins at the top of a disk"),
        ("top/a:evil", "no name that every system can have"),
        ("top//evil", "no name that every system can have"),
        ("top/./evil", "no name that every system can have"),
        ("top/a\x1bevil", "no name that every system can have"),
        ("top/" + "a" * 300, "no name that every system can have"),
        ("top/NUL.csv", "means another file on another system"),
        ("top/evil. ", "means another file on another system"),
        ("top/README.MD", r"'top/README.MD' is 'top/README.md' on some systems"),
        ("top/README.md", "'top/README.md' stands twice"),
        ("top/README.md/evil", "is a file in it and a folder"),
        ("other/evil", "expected all of it in one folder, found other, top"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, why):
    archive = forge(tmp_path / "forged.zip", ("top/README.md", b"good"), (name, b"evil"))
    refused(archive, tmp_path / "into", why)


@pytest.mark.parametrize(
    ("mode", "why"),
    [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO | 0o644, "neither a file nor a folder")],
)
def test_links_and_pipes_are_refused(tmp_path, mode, why):
    link = (entry("top/link", mode), b"/etc/passwd")
    refused(forge(tmp_path / "a.zip", ("top/a", b"a"), link), tmp_path / "into", why)


def test_bombs_are_refused_by_what_they_say_of_themselves(tmp_path, monkeypatch):
    bomb = forge(tmp_path / "bomb.zip", ("top/a", b"a"), ("top/b", bytes(20_000_000)))
    refused(bomb, tmp_path / "into", "would become 20000000 bytes out of .*, more than 200 for one")
    monkeypatch.setattr(unpack, "BYTES", 1000)
    refused(bomb, tmp_path / "into", "it would become 20000001 bytes, more than the 1000")
    monkeypatch.setattr(unpack, "ENTRIES", 1)
    refused(bomb, tmp_path / "into", "it has 2 files, more than the 1 that")


def _directory(archive: Path, at: int, fields: str, value: int) -> None:
    """Write a field of the last entry of the directory, which the file itself does not have."""
    content = bytearray(archive.read_bytes())
    place = content.rindex(b"PK\x01\x02") + at
    content[place : place + struct.calcsize(fields)] = struct.pack(fields, value)
    archive.write_bytes(content)


def test_a_bomb_that_says_it_is_small_is_read_no_further(tmp_path):
    bomb = forge(tmp_path / "bomb.zip", ("top/a", b"a"), ("top/b", bytes(20_000_000)))
    _directory(bomb, 24, "<L", 1000)
    refused(bomb, tmp_path / "into", "it is damaged, or no ZIP file")


def test_entries_over_each_other_are_refused(tmp_path):
    archive = forge(tmp_path / "over.zip", ("top/a", b"a" * 99), ("top/b", b"b"))
    _directory(archive, 42, "<L", 0)
    refused(archive, tmp_path / "into", "'top/b' in it lies over 'top/a'")


@pytest.mark.parametrize("kind", ["none", "text", "empty", "cut", "flipped", "bzip2", "encrypted"])
def test_what_is_no_whole_archive_is_refused(tmp_path, kind):
    archive = forge(tmp_path / "a.zip", ("top/a", b"0123456789" * 9), ("top/b", b"b"))
    content = archive.read_bytes()
    if kind == "text":
        archive.write_text("no archive")
    elif kind == "empty":
        forge(archive)
    elif kind == "cut":
        archive.write_bytes(content[:-30])
    elif kind == "flipped":
        archive.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    elif kind == "bzip2":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as other:
            other.writestr("top/a", "a")
    elif kind == "encrypted":
        _directory(archive, 8, "<H", 1)
    if kind == "none":
        archive.unlink()
        with pytest.raises(StudyError, match="the file is missing; expected an archive there"):
            unpack.unpack(archive, tmp_path / "into")
        return
    why = {"empty": "there is nothing in it", "bzip2": "packed in another way"}
    why |= {"encrypted": "is encrypted"}
    refused(archive, tmp_path / "into", why.get(kind, "it is damaged, or no ZIP file"))
