"""Each file of an unpacked archive by its checksum, before anything else of the archive is used.

In go ``archived/MANIFEST.sha256`` of the study in the current folder and all files of the unpacked
archive. Every file that is changed, missing or added is named; then the study is run again
(`verify`). What a run makes is no part of the archive and is not compared.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path, PurePosixPath

from ccp_analysis import archive as package
from ccp_analysis.archive import ARCHIVED_RESULTS, CHECKSUMS, MANIFEST, kept
from ccp_analysis.errors import StudyError, few

LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>.+)")
STUDY = re.compile(r"((?:examples/[^/]+/)?)config/study\.yaml")
# What running a study makes in its folder.
MADE = ("data/derived", "dist", "logs", "reports")


def run(*, against: Path | None = None, cores: int = 4) -> int:
    """Compare the files of an archive with its checksums, and its results with those of a rerun.

    Parameters
    ----------
    against : Path, optional
        Results table to compare with; by default ``archived/results.csv``, or
        ``reports/results.csv`` where that is not there.
    cores : int
        How many jobs may run at once.

    Returns
    -------
    int
        0 if every file is as it was packed and every result is identical or equal within tolerance,
        otherwise 1.

    Raises
    ------
    StudyError
        If the manifest is not one, there is nothing to compare with, or the rerun fails.
    """
    for kind in ("csv", "html", "json"):  # of an earlier verification
        Path(f"logs/verification.{kind}").unlink(missing_ok=True)
    try:
        faults = check()
    except StudyError as error:
        from ccp_analysis.archive import verification

        step = "reading the list of the archive's files"
        verification.write(verification.Verification(step=step, stopped=str(error)))
        raise
    # Loaded only now: a file of the code that was changed has been named, whatever it does.
    from ccp_analysis.archive import verify

    listed = len(read_manifest(MANIFEST)) if MANIFEST.is_file() else 0
    status = verify.run(against=against, cores=cores, listed=listed, faults=faults)
    if faults:
        print(f"Not verified: not as packed: {few(f.partition(':')[0] for f in faults)}.")
    return int(bool(faults or status))


def check() -> list[str]:
    """Compare the files of the unpacked archive around the current study with its manifest.

    Returns
    -------
    list of str
        ``name: changed``, ``missing`` or ``added``, by name; all are printed. Empty too where the
        study is not that of an unpacked archive.

    Raises
    ------
    StudyError
        If the manifest is not one, or the study does not lie where it says.
    """
    if not MANIFEST.is_file():
        faults = [f"{MANIFEST}: missing"] if ARCHIVED_RESULTS.parent.is_dir() else []
        if faults:
            print(f"{MANIFEST} is missing: no file of the archive can be compared.", flush=True)
        return faults
    listed = read_manifest(MANIFEST)
    top, place = _top(listed)
    print(
        f"{MANIFEST}: {len(listed)} files; its own SHA-256, to be compared with the published one:"
    )
    print(f"  {_digest(MANIFEST)}")
    withheld = _withheld(place, listed)
    back = {name: digest for name, digest in withheld.items() if (top / name).exists()}
    found = {name: _changed(top / name, digest) for name, digest in (listed | back).items()}
    own = f"{place}{MANIFEST.as_posix()}"
    found |= dict.fromkeys(_present(top, place, listed) - {own, *listed, *back}, "added")
    faults = [f"{name}: {what}" for name, what in sorted(found.items()) if what]
    if package.REPOSITORY.resolve() != top.resolve():
        print(f"The code that runs is that of {package.REPOSITORY}, not that of the archive.")
    if not faults:
        print(f"All {len(listed)} files are as they were packed.", flush=True)
        if withheld:
            print(
                f"Participants' data are not packed: {len(back)} of {len(withheld)} files were put "
                "where they belong, and are those that the results are of.",
                flush=True,
            )
        return []
    print(f"Not as packed ({len(faults)} of the files):")
    print(*(f"  {fault}" for fault in faults), sep="\n", flush=True)
    for fault in faults:
        logging.error("not as it was packed: %s", fault)
    return faults


def _withheld(place: str, listed: dict[str, str]) -> dict[str, str]:
    """Return the checksums of files with participants' data, where the archive has them not."""
    if f"{place}{CHECKSUMS.as_posix()}" not in listed or not CHECKSUMS.is_file():
        return {}
    return {f"{place}{name}": digest for name, digest in read_manifest(CHECKSUMS).items()}


def read_manifest(path: Path) -> dict[str, str]:
    """Read a list of files as ``sha256sum`` writes it: name → SHA-256.

    Raises
    ------
    StudyError
        Names the first line that is none of such a list.
    """
    listed: dict[str, str] = {}
    for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").split("\n"), 1):
        found = LINE.fullmatch(line)
        if found is None and (line or not listed):
            raise StudyError(
                f"{path}, line {number}: expected a SHA-256, two blanks and the name of a file; "
                "unpack the archive again."
            )
        if found is None:
            continue
        name = found["name"]
        if name in listed or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
            raise StudyError(
                f"{path}, line {number}: '{name}' stands twice or lies outside the archive; "
                "unpack the archive again."
            )
        listed[name] = found["digest"]
    return listed


def _top(listed: dict[str, str]) -> tuple[Path, str]:
    """Return the folder of the unpacked archive, and where in it the study stands."""
    results = ARCHIVED_RESULTS.as_posix()
    places = [n.removesuffix(results) for n in listed if n == results or n.endswith(f"/{results}")]
    here = Path.cwd()
    for place in places:
        depth = len(PurePosixPath(place).parts)
        if here.parts[len(here.parts) - depth :] == PurePosixPath(place).parts:
            return (here.parents[depth - 1] if depth else here), place
    raise StudyError(
        f"{MANIFEST}: it is not that of {here}; expected the study folder of an archive as it was "
        f"unpacked, with {results} among the files listed."
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changed(path: Path, digest: str) -> str:
    if not path.is_file():
        return "missing"
    try:
        return "" if _digest(path) == digest else "changed"
    except OSError:
        return "cannot be read"


def _present(top: Path, place: str, listed: dict[str, str]) -> set[str]:
    """Return the names of all files of the archive's folder but those that running it makes."""
    studies = [place, *(found[1] for name in listed if (found := STUDY.fullmatch(name)))]
    made = {top / f"{study}{folder}" for study in studies for folder in MADE}
    present = set()
    for place, folders, names in os.walk(top):
        folders[:] = [n for n in folders if kept(n) and Path(place, n) not in made]
        links = [name for name in folders if Path(place, name).is_symlink()]
        there = (Path(place, name) for name in [*names, *links] if kept(name))
        present |= {path.relative_to(top).as_posix() for path in there}
    return present
