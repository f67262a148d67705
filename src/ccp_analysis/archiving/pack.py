"""Code, configuration, raw data and results in one ZIP file.

In go the study in the current folder, with the results and reports of a run, and the repository
whose code made them. Out comes a file whose bytes depend on nothing but what is in it: names in
order, every time 1980-01-01 (the first that ZIP can hold), permissions by rule. Files are stored,
not deflated: deflated bytes differ between zlib, its versions and zlib-ng, while most of the size
(PDF, DOCX, PNG) is compressed already.

What belongs to it is decided by a list of names, so that the same comes out of a git checkout, of a
copy of the folder and of an unpacked archive.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from pathlib import Path, PurePosixPath

from ccp_analysis import __version__, archiving, files
from ccp_analysis.archiving import ARCHIVED_RESULTS, CONFIG, RAW, RESULTS, input_files, kept_files
from ccp_analysis.errors import StudyError
from ccp_analysis.reporting.contents import figures_of, tables_of
from ccp_analysis.study import STUDY, Study, load_economics, load_plan, load_study

# Without these an unpacked archive cannot run.
NEEDED = ("Makefile", "Snakefile", "pyproject.toml", "requirements.lock")
CODE_FILES = (
    *NEEDED,
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "environment.yml",
    "examples/README.md",
)
CODE_FOLDERS = (".ci", "benchmarks", "docs", "profiles", "src", "tests")
STUDY_FILES = ("LICENSE", "README.md", "data/README.md", "reports/README.md")
EXECUTABLE = (".ci/run",)
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def run(*, out: Path | None = None) -> None:
    """Pack the study, its results and the code into one file.

    Parameters
    ----------
    out : Path, optional
        The ZIP file; ``dist/<study id>-<version>.zip`` in the study folder by default.

    Raises
    ------
    StudyError
        If a result, a report or a raw file is missing.
    """
    study = load_study()
    top = f"{study.id}-{__version__}"
    out = out or Path("dist", f"{top}.zip")
    place = _place(study)
    contents, withheld = _contents(study, place)
    content = {
        name: path.read_bytes()
        for name, path in contents.items()
        if path.resolve() != out.resolve()
    }
    content[(place / ARCHIVED_RESULTS.parent / "MANIFEST.sha256").as_posix()] = manifest(content)
    files.write_whole(out, lambda target: write_zip(target, top, content))
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    size = out.stat().st_size / 1e6
    print(f"{out}: {len(content)} files, {size:.1f} MB, {study.data_label}, SHA-256 {digest}.")
    for folder in withheld:
        print(
            f"Left out: the raw data of {folder}, which is not marked synthetic or public and is "
            "not the study packed."
        )
    if study.data_status == "real":
        print("It contains participants' data (data/raw): keep it and pass it on as such.")
    named = f" STUDY={place}" if place.parts else ""
    print(f"To check it: unpack it, and in the folder {top} run 'make verify{named}'.")


def _place(study: Study) -> PurePosixPath:
    """Return where the study folder stands in the archive; one from outside goes to examples/."""
    here, repository = Path.cwd().resolve(), archiving.REPOSITORY.resolve()
    if here.is_relative_to(repository):
        return PurePosixPath(here.relative_to(repository).as_posix())
    return PurePosixPath("examples", study.id)


def _contents(study: Study, place: PurePosixPath) -> tuple[dict[str, Path], list[str]]:
    """Return name in the archive → file, and the studies whose raw data are withheld."""
    contents, withheld = repository_files(archiving.REPOSITORY, place)
    own = [*input_files(study), *(Path(n) for n in STUDY_FILES if Path(n).is_file())]
    contents |= {(place / path.as_posix()).as_posix(): path for path in own}
    archived = place / ARCHIVED_RESULTS.parent
    reports = {path.relative_to(RESULTS.parent).as_posix(): path for path in _reports(study)}
    contents |= {(archived / name).as_posix(): path for name, path in reports.items()}
    return contents, withheld


def repository_files(
    repository: Path, packed: PurePosixPath | None = None
) -> tuple[dict[str, Path], list[str]]:
    """Return the code, and the configuration and raw data of the studies beside the one packed.

    Parameters
    ----------
    repository : Path
        Its folder.
    packed : PurePosixPath, optional
        The study folder that is packed, relative to the repository: its files are left to it.

    Returns
    -------
    files : dict
        Name in the archive → file.
    withheld : list of str
        The other studies whose raw data are not in it because they are a real trial's, or not
        known to be anything else.

    Raises
    ------
    StudyError
        If a file is missing without which the archive could not be run.
    """
    paths, withheld = _code_files(repository), []
    for folder in _studies(repository):
        where = folder.relative_to(repository).as_posix()
        if packed is not None and PurePosixPath(where) == packed:
            continue
        paths += [folder / name for name in STUDY_FILES] + kept_files(folder / CONFIG)
        if _shareable(folder):
            paths += kept_files(folder / RAW)
        else:
            withheld.append("the repository's root" if folder == repository else where)
    return {p.relative_to(repository).as_posix(): p for p in paths if p.is_file()}, withheld


def _code_files(repository: Path) -> list[Path]:
    for name in NEEDED:
        if not (repository / name).is_file():
            raise StudyError(
                f"{repository / name}: the file is missing; an archive is made from a whole copy "
                "of the repository."
            )
    folders = [kept_files(repository / folder) for folder in CODE_FOLDERS]
    return [*(repository / name for name in CODE_FILES), *(p for paths in folders for p in paths)]


def _studies(repository: Path) -> list[Path]:
    """Return the study folders of the repository."""
    folders = [repository, *sorted((repository / "examples").glob("*/"))]
    return [folder for folder in folders if (folder / STUDY).is_file()]


def _shareable(folder: Path) -> bool:
    with contextlib.chdir(folder):
        try:
            return load_study().data_status != "real"
        except StudyError:
            return False


def _reports(study: Study) -> list[Path]:
    """Return the results table, tables, figures and documents that a run of the study makes."""
    economics, plan = load_economics(), load_plan()
    reports = [
        RESULTS,
        *(Path(f"reports/tables/{name}.csv") for name in tables_of(study, economics, plan)),
        *(
            Path(f"reports/figures/{name}.{kind}")
            for name in figures_of(study, economics, plan)
            for kind in ("svg", "png")
        ),
        *(Path(f"reports/report.{kind}") for kind in ("html", "docx", "pdf")),
        *(Path(f"reports/codebook.{kind}") for kind in ("html", "csv")),
    ]
    for path in reports:
        if not path.is_file():
            raise StudyError(f"{path}: the file is missing; run `make run` first.")
    return reports


def manifest(content: dict[str, bytes]) -> bytes:
    """Return a list of the files with their SHA-256, as ``sha256sum --check`` reads it.

    Parameters
    ----------
    content : dict
        Name → content.

    Returns
    -------
    bytes
        One line for each file, sorted by name.
    """
    lines = (f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content))
    return "".join(lines).encode()


def write_zip(target: Path, top: str, content: dict[str, bytes]) -> None:
    """Write files into a ZIP file whose bytes depend on their names and contents alone.

    Parameters
    ----------
    target : Path
        The file to write.
    top : str
        The one folder in which everything stands.
    content : dict
        Name within that folder → content.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(f"{top}/{name}", FIRST_DAY)
            entry.create_system = 3  # Unix, wherever it is written: permissions are read
            entry.external_attr = (0o100755 if name in EXECUTABLE else 0o100644) << 16
            archive.writestr(entry, content[name])
