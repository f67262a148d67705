"""An archive from elsewhere unpacked, or refused before a byte of it is written.

In goes a ZIP file that nobody has looked at, out comes its one folder. Names that lead out of the
folder, or mean another file on another system, links, entries that lie over each other and more
bytes than an archive has are refused in a sentence; a failure leaves nothing behind.
"""

from __future__ import annotations

import re
import secrets
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from ccp_analysis.errors import StudyError

# The shipped study's has about 900 files and 25 MB; deflated text comes to a fifth to a fiftieth.
ENTRIES = 20_000
BYTES = 2 << 30
RATIO = 200
SMALL = 1 << 20  # of fewer bytes the ratio says nothing
LENGTH = 240  # of a name, so that it can be unpacked in a folder on Windows
CHUNK = 1 << 20

_LETTERS = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def run(*, archive: Path, into: Path = Path()) -> None:
    """Unpack the ZIP file of an archive, unless it could do harm.

    Parameters
    ----------
    archive : Path
        The ZIP file.
    into : Path
        A folder in which the archive's one folder is to stand; the current one by default.

    Raises
    ------
    StudyError
        As in `unpack`.
    """
    top = unpack(archive, into)
    print(f"Unpacked: {top}. To check it: run 'make verify' there.")


def unpack(archive: Path, into: Path) -> Path:
    """Unpack the ZIP file of an archive.

    Parameters
    ----------
    archive : Path
        The ZIP file.
    into : Path
        A folder in which the archive's one folder is to stand; it is made where there is none.

    Returns
    -------
    Path
        The folder of the archive.

    Raises
    ------
    StudyError
        If the file is no ZIP file, or damaged; if one of its names could lead elsewhere or stands
        twice; if it is, or would become, more than an archive has; if the folder is there already.
        Nothing has been unpacked then.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            for fault in _faults(entries):
                raise StudyError(f"{archive}: {fault}; nothing was unpacked.")
            top = into / entries[0].orig_filename.split("/")[0]
            if top.exists() or top.is_symlink():
                raise StudyError(f"{top}: it is there already; unpack into another folder.")
            return _written(opened, entries, top)
    except FileNotFoundError as error:
        raise StudyError(f"{archive}: the file is missing; expected an archive there.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise StudyError(
            f"{archive}: it is damaged, or no ZIP file ({error}); nothing was unpacked: get the "
            "archive again."
        ) from error


def _written(opened: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], top: Path) -> Path:
    """Write all entries beside where they are to stand, then give the folder its name."""
    top.parent.mkdir(parents=True, exist_ok=True)
    part = top.parent / f".{secrets.token_hex(8)}"
    try:
        for entry in entries:
            target = part.joinpath(*_parts(entry)[1:])
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as source, target.open("xb") as written:
                shutil.copyfileobj(source, written, CHUNK)
            target.chmod(0o755 if entry.external_attr >> 16 & stat.S_IXUSR else 0o644)
        part.rename(top)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return top


def _faults(entries: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield why an archive is refused, by what its directory says of it alone."""
    if not entries:
        yield "there is nothing in it"
        return
    if len(entries) > ENTRIES:
        yield f"it has {len(entries)} files, more than the {ENTRIES} that an archive may have"
        return
    for entry in entries:
        if why := _strange(entry):
            yield f"the name {entry.orig_filename[:LENGTH]!r} in it {why}"
    size = sum(entry.file_size for entry in entries)
    if size > BYTES:
        yield f"it would become {size} bytes, more than the {BYTES} that an archive may have"
    for entry in entries:
        if entry.file_size > max(SMALL, RATIO * entry.compress_size):
            yield (
                f"'{entry.filename}' in it would become {entry.file_size} bytes out of "
                f"{entry.compress_size}, more than {RATIO} for one"
            )
    placed = sorted(entries, key=lambda entry: entry.header_offset)
    for first, second in pairwise(placed):
        if first.header_offset + first.compress_size + 30 > second.header_offset:
            yield f"'{second.filename}' in it lies over '{first.filename}'"
    yield from _doubled(entries)
    tops = sorted({_parts(entry)[0] for entry in entries})
    if len(tops) > 1 or all(len(_parts(entry)) == 1 for entry in entries):
        yield f"expected all of it in one folder, found {', '.join(tops[:3])}"


def _strange(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is not unpacked, by its name and its kind; empty where it is."""
    name, parts = entry.orig_filename, _parts(entry)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is neither a file nor a folder"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in another way than stored or deflated"
    if name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name):
        return "begins at the top of a disk"
    if ".." in re.split(r"[/\\]", name):
        return "leads out of the folder"
    if _LETTERS.search(name) or len(name) > LENGTH or not all(parts) or "." in parts:
        return "is no name that every system can have"
    if any(_DEVICES.fullmatch(part) or part.endswith((".", " ")) for part in parts):
        return "means another file on another system"
    return ""


def _parts(entry: zipfile.ZipInfo) -> list[str]:
    return entry.orig_filename.removesuffix("/").split("/")


def _doubled(entries: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield names that stand twice, that some systems take for one, and files that are folders."""
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for entry in entries:
        name = entry.orig_filename.removesuffix("/")
        key = unicodedata.normalize("NFC", name).casefold()
        if key in seen:
            same = (
                "stands twice in it" if seen[key] == name else f"is '{seen[key]}' on some systems"
            )
            yield f"'{name}' {same}"
        seen[key] = name
        steps = key.split("/")[: None if entry.is_dir() else -1]
        folders |= {"/".join(steps[:depth]) for depth in range(1, len(steps) + 1)}
    for entry in entries:
        key = unicodedata.normalize("NFC", entry.orig_filename).casefold()
        if key in folders:
            yield f"'{entry.orig_filename}' is a file in it and a folder"
