"""What an archive of an edited repository holds and says, and what is said of an edited archive.

``python tests/archive/test_archive_cases.py`` writes how they end into data/cases.yaml again.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from small_repository import make_repository, make_study  # noqa: E402
from support import kept  # noqa: E402

from ccp_analysis import __version__  # noqa: E402
from ccp_analysis import archive as package  # noqa: E402
from ccp_analysis.archive import checksums, pack  # noqa: E402
from ccp_analysis.errors import StudyError  # noqa: E402

FILE = Path(__file__).with_name("data") / "cases.yaml"
ZIP = Path("dist/packed.zip")
HOME = tempfile.TemporaryDirectory()


@cache
def repository() -> Path:
    """The small repository; not to be changed."""
    return make_repository(Path(HOME.name) / "repository")


@cache
def unpacked() -> Path:
    """What an archive of it holds; not to be changed."""
    with at_work(repository()):
        said(Path(HOME.name) / "packed.zip", {})
    with zipfile.ZipFile(Path(HOME.name) / "packed.zip") as archive:
        archive.extractall(Path(HOME.name) / "unpacked")
    [top] = (Path(HOME.name) / "unpacked").iterdir()
    return top


@contextlib.contextmanager
def at_work(folder: Path, study: str = ".") -> Iterator[None]:
    """Let the code of a folder be that which runs, in one of its studies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "REPOSITORY", folder)
        patch.chdir(folder / study)
        yield


def said(out: Path, case: kept.Case) -> str:
    """Pack, and return what is said of it, without sizes and checksums."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        pack.run(out=out, with_data=case.get("with_data", False))
    text = re.sub(r"\b[0-9a-f]{64}\b", "…", printed.getvalue())
    text = re.sub(r"\d+ files, [\d.]+ MB", "…", text)
    return text.replace(f"-{__version__} ", "-VERSION ")


def edited(folder: Path, case: kept.Case) -> None:
    for study, status in case.get("studies", {}).items():
        make_study(folder / study, Path(study).name or "small", status)
    for name in case.get("moved", []):  # with a link in its place
        shutil.move(folder / name, folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")
    for name in case.get("folders", []):  # in the place of a file
        (folder / name).unlink()
        (folder / name).mkdir()
    for name in case.get("gone", []):
        shutil.rmtree(folder / name)
    kept.edit_all(folder, case.get("edits", {}))
    for name, target in case.get("links", {}).items():
        (folder / name).symlink_to(target)


def ending(place: Path, case: kept.Case) -> str:
    """Return the sentence with which a case stops, or what is said and held otherwise."""
    of_archive = case.get("unpacked", False)
    folder = shutil.copytree(unpacked() if of_archive else repository(), place / "repository")
    edited(folder, case)
    with at_work(folder, case.get("study", ".")):
        try:
            if of_archive:
                with contextlib.redirect_stdout(io.StringIO()):
                    text = "\n".join(checksums.check() or ["as it was packed"])
            else:
                text = said(ZIP, case) + held()
        except StudyError as error:
            assert not ZIP.exists()
            text = "\n".join(error.faults or [str(error)])
            assert "\n" not in str(error)
    text = text.replace(str(folder), "REPOSITORY").replace(str(place), "ELSEWHERE")
    return kept.without_secrets(text.rstrip("\n") + "\n")


def held() -> str:
    """Return what an archive holds that the one without edits does not, and the other way round."""
    with zipfile.ZipFile(ZIP) as archive:
        found = {name.partition("/")[2] for name in archive.namelist()}
    files = (path for path in unpacked().rglob("*") if path.is_file())
    known = {path.relative_to(unpacked()).as_posix() for path in files}
    lines = [f"more: {name}" for name in sorted(found - known)]
    lines += [f"not there: {name}" for name in sorted(known - found)]
    # What tables and figures a report has is told elsewhere.
    return "\n".join(line for line in lines if not re.search("(tables|figures)/(?!flow)", line))


CASES = kept.read(FILE)["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_an_archive_ends_as_is_kept(tmp_path: Path, case: kept.Case) -> None:
    assert ending(tmp_path, case).splitlines() == case["ends"].splitlines()


if __name__ == "__main__":
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            case["ends"] = ending(Path(folder), case)
    kept.write(FILE, {"cases": CASES})
