"""Code, configuration, raw data and results in one ZIP file.

In go the study in the current folder, with the results and reports of a run, and the repository
whose code made them. Out comes a file whose bytes depend on nothing but what is in it (`zipped`),
with a description for people (`readme`) and one for programs (`crate`). Of a study whose data are
real, raw data and decisions stay where they are unless they are asked for: their checksums go
along, and a synthetic twin that can be run (`twin`).

What belongs to it is decided by names, so that the same comes out of a git checkout, of a copy of
the folder and of an unpacked archive: of a study what its configuration names, of the code the
kinds of file that code and documents are made of. What else lies there is left out and said. No
link leads out of the folder, and what is packed is read before (`guarded`).
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ccp_analysis import __version__, files
from ccp_analysis import archive as package
from ccp_analysis.archive import (
    ARCHIVED_RESULTS,
    CHECKSUMS,
    MANIFEST,
    RESULTS,
    crate,
    readme,
    signed,
    twin,
)
from ccp_analysis.archive.guarded import allowed_columns, identifiable, identifiable_study
from ccp_analysis.archive.inputs import (
    input_files,
    kept_files,
    of_people,
    refuse_links,
    report_files,
    unnamed_files,
)
from ccp_analysis.archive.zipped import manifest, write_zip
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import STUDY

# Without these an unpacked archive cannot run.
NEEDED = ("Makefile", "Snakefile", "pyproject.toml", "requirements.lock")
CODE_FILES = (
    *NEEDED,
    ".dockerignore",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "Containerfile",
    "LICENSE",
    "NOTICE",
    "README.md",
    "budget.toml",
    "environment.yml",
    "examples/README.md",
    "mkdocs.yml",
    "requirements-dev.lock",
)
CODE_FOLDERS = (".ci", "benchmarks", "docs", "profiles", "src", "tests", "tools")
# Kinds of file of which code, tests and documents are made.
CODE_KINDS = {
    *(".R", ".css", ".csv", ".dta", ".html", ".j2", ".js", ".json", ".lua", ".md", ".py", ".svg"),
    *(".toml", ".txt", ".typ", ".xml", ".yaml", ".yml"),
}
# Not read: in a program an example of an address identifies nobody, and authors give their own.
PROGRAMS = {".R", ".cff", ".css", ".j2", ".js", ".lock", ".lua", ".py", ".toml", ".typ"}
STUDY_FILES = ("LICENSE", "README.md", "data/README.md", "reports/README.md")
EXECUTABLE = (".ci/run",)


def run(*, out: Path | None = None, with_data: bool = False) -> None:
    """Pack the study, its results and the code into one file.

    Parameters
    ----------
    out : Path, optional
        The ZIP file; ``dist/<study id>-<version>.zip`` in the study folder by default.
    with_data : bool
        Whether participants' data go along where they are real.

    Raises
    ------
    StudyError
        If a result, a report or a file that the study names is missing; if a link leads out of the
        folder; if something could identify a person.
    """
    study = load_study()
    top = f"{study.id}-{__version__}"
    out = out or Path("dist", f"{top}.zip")
    place = _place(study)
    withheld = study.data_status == "real" and not with_data
    chosen = _contents(study, place, withheld)
    content = {
        name: path.read_bytes()
        for name, path in chosen.files.items()
        if path.resolve() != out.resolve()
    }
    if withheld:
        content |= _instead(study, place)
    content[readme.NAME] = readme.text(Trial(), place, content, withheld).encode()
    content[crate.NAME] = crate.metadata(Trial(), place, content)
    listed = manifest(content)
    content[(place / MANIFEST.as_posix()).as_posix()] = listed
    files.write_whole(out, lambda target: write_zip(target, top, content, EXECUTABLE))
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    size = out.stat().st_size / 1e6
    print(f"{out}: {len(content)} files, {size:.1f} MB, {study.data_label}, SHA-256 {digest}.")
    print(f"{place / MANIFEST.as_posix()} in it: SHA-256 {hashlib.sha256(listed).hexdigest()}.")
    for sentence in chosen.left_out:
        print(f"Left out: {sentence}.")
    if study.data_status == "real" and with_data:
        print("It contains participants' data (data/raw): keep it and pass it on as such.")
    if withheld:
        print(
            f"It contains no participants' data: their checksums are in {place / CHECKSUMS}, and a "
            f"synthetic twin that can be run in {twin.place(study)}. To pack the data: --with-data "
            "(make archive WITH_DATA=1)."
        )
    elif allowed := allowed_columns(study):
        print(f"Columns that may identify people, by the dictionary: {few(allowed)}.")
    named = f" STUDY={place}" if place.parts else ""
    print(f"To check it: unpack it, and in the folder {top} run 'make verify{named}'.")


@dataclass
class Chosen:
    """What goes into an archive, name → file, and in words what is left out and why."""

    files: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def leave(self, paths: list[Path], why: str) -> None:
        """Note files that are left out, if there are any."""
        if paths:
            self.left_out.append(f"{', '.join(path.as_posix() for path in paths)}: {why}")


def _place(study: Study) -> PurePosixPath:
    """Return where the study folder stands in the archive; one from outside goes to examples/."""
    here, repository = Path.cwd().resolve(), package.REPOSITORY.resolve()
    if here.is_relative_to(repository):
        return PurePosixPath(here.relative_to(repository).as_posix())
    return PurePosixPath("examples", study.id)


def _instead(study: Study, place: PurePosixPath) -> dict[str, bytes]:
    """Return what stands in an archive for participants' data: checksums, and the twin."""
    sums = manifest({path.as_posix(): path.read_bytes() for path in of_people(study)})
    folder = twin.place(study)
    drawn = {f"{folder}/{name}": content for name, content in twin.files(Trial()).items()}
    return drawn | {(place / CHECKSUMS.as_posix()).as_posix(): sums}


def _contents(study: Study, place: PurePosixPath, withheld: bool) -> Chosen:
    """Return what is packed; StudyError where a link leads out or somebody could be identified."""
    chosen = repository_files(package.REPOSITORY, place, twin.place(study) if withheld else None)
    own, reports = _study_files(study, chosen), report_files()
    reports += signed.carried(reports)
    if withheld:
        own = [path for path in own if path not in of_people(study)]
    refuse_links([*own, *reports], Path())
    faults = identifiable_study(study, own)
    faults += [fault for path in reports for fault in identifiable(path, study.data_date)]
    if faults:
        raise first_of(faults)
    chosen.files |= {(place / path.as_posix()).as_posix(): path for path in own}
    archived = place / ARCHIVED_RESULTS.parent
    names = {path.relative_to(RESULTS.parent).as_posix(): path for path in reports}
    chosen.files |= {(archived / name).as_posix(): path for name, path in names.items()}
    return chosen


def _study_files(study: Study, chosen: Chosen, where: str = "") -> list[Path]:
    """Return the files of the study in the current folder that its configuration names."""
    there = [path for path in map(Path, STUDY_FILES) if path.is_file()]
    own = sorted({*input_files(study), *there})
    unnamed = [path for path in unnamed_files(own) if path != CHECKSUMS]
    chosen.leave([Path(where, path) for path in unnamed], "no configuration names it")
    return own


def repository_files(
    repository: Path, packed: PurePosixPath | None = None, drawn: PurePosixPath | None = None
) -> Chosen:
    """Return the code, and the configuration and raw data of the studies beside the one packed.

    Parameters
    ----------
    repository : Path
        Its folder.
    packed : PurePosixPath, optional
        The study folder that is packed, relative to the repository: its files are left to it.
    drawn : PurePosixPath, optional
        The study folder of its synthetic twin, which is drawn again.

    Returns
    -------
    Chosen
        Raw data and decisions of other studies are not in it where they are a real trial's, nor
        anything of a study whose configuration cannot be read.

    Raises
    ------
    StudyError
        If a file is missing without which the archive could not be run, a link leads out, or
        somebody could be identified.
    """
    chosen = Chosen()
    with contextlib.chdir(repository):
        code = _code_files(chosen)
    chosen.files |= {path.as_posix(): repository / path for path in code}
    for folder in _studies(repository):
        where = folder.relative_to(repository).as_posix()
        if PurePosixPath(where) in (packed, drawn):
            continue
        refuse_links([folder], repository)
        with contextlib.chdir(folder):
            own = _shared_files("" if where == "." else where, chosen)
        chosen.files |= {(folder / p).relative_to(repository).as_posix(): folder / p for p in own}
    return chosen


def _code_files(chosen: Chosen) -> list[Path]:
    """Return the code and its documents, of the repository in the current folder."""
    for name in NEEDED:
        if not Path(name).is_file():
            raise StudyError(
                f"{Path.cwd() / name}: the file is missing; an archive is made from a whole copy "
                "of the repository."
            )
    found = [path for folder in CODE_FOLDERS for path in kept_files(Path(folder))]
    named = [Path(name) for name in (*CODE_FILES, *EXECUTABLE)]
    refuse_links([*found, *named], Path())
    code = {path for path in found if path.is_file() and path.suffix in CODE_KINDS}
    code |= {path for path in named if path.is_file()}
    others = [path for path in found if path not in code]
    chosen.leave(others, "no kind of file that code and documents are made of")
    read = sorted(path for path in code if path.suffix not in PROGRAMS)
    if faults := [fault for path in read for fault in identifiable(path)]:
        raise first_of(faults)
    return sorted(code)


def _studies(repository: Path) -> list[Path]:
    """Return the study folders of the repository."""
    folders = [repository, *sorted((repository / "examples").glob("*/"))]
    return [folder for folder in folders if (folder / STUDY).is_file()]


def _shared_files(where: str, chosen: Chosen) -> list[Path]:
    """Return what goes along of the study in the current folder, which is not the one packed."""
    named = where or "the repository's root"
    try:
        study = load_study()
        own = _study_files(study, chosen, where)
    except StudyError as error:
        chosen.left_out.append(f"the study of {named}, which could not be run: {str(error)[:-1]}")
        return []
    if study.data_status == "real":
        chosen.left_out.append(
            f"the raw data of {named} and its decisions, which are not marked synthetic or public "
            "and are not the study packed"
        )
        own = [path for path in own if path not in of_people(study)]
    refuse_links(own, Path())
    if faults := identifiable_study(study, own):
        raise first_of([f"{where}/{fault}" if where else fault for fault in faults])
    return own
