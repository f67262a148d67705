"""The study run again from its raw data in a clean folder, and every result compared.

In go configuration and raw data of the study in the current folder, and what was archived: the
results table and, where they stand beside it, tables, figures and documents (``archived/`` in an
unpacked archive, otherwise those of the last run). Out come a sentence, ``logs/verification.csv``
with one row for each result, ``logs/verification.html`` and ``.json`` with all that was found, and
the exit status. What was found stands there too where the rerun fails.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from ccp_analysis import archive as package
from ccp_analysis import files, mended
from ccp_analysis.archive import ARCHIVED_RESULTS, RESULTS, verification
from ccp_analysis.archive.artefacts import compare_files
from ccp_analysis.archive.compared import (
    DIFFERENT,
    EQUAL,
    FINE,
    IDENTICAL,
    LOST,
    NEW,
    compare,
)
from ccp_analysis.archive.inputs import input_files
from ccp_analysis.archive.verification import Verification
from ccp_analysis.cli import COMMANDS
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import CODEBOOK, DERIVED, DOCUMENTS, RELEASED, RERUN
from ccp_analysis.report.catalogue import files_of
from ccp_analysis.results.table import COLUMNS, KEY

COMPARISON = Path("logs/verification.csv")
LOGS = Path("logs/verify")
SHOWN = 5
ORDER = [IDENTICAL, EQUAL, DIFFERENT, LOST, NEW]
NAME = ("analysis", "outcome", "visit", "term", "level")

_PROGRESS = re.compile(r"Job \d+: .+|\d+ of \d+ steps .+")
_SENTENCE = re.compile(rf"(?:{'|'.join(COMMANDS)}): .+")


def run(
    *,
    against: Path | None = None,
    cores: int = 4,
    listed: int = 0,
    faults: Sequence[str] = (),
) -> int:
    """Run the study again from raw data in a clean folder and compare the results.

    Parameters
    ----------
    against : Path, optional
        Results table to compare with; by default ``archived/results.csv``, or
        ``reports/results.csv`` where that is not there, with all that stands beside it.
    cores : int
        How many jobs may run at once.
    listed : int, optional
        How many files the archive has.
    faults : sequence of str, optional
        What of them is not as it was packed.

    Returns
    -------
    int
        0 if every row and every file is identical or equal within tolerance, otherwise 1.

    Raises
    ------
    StudyError
        If there is nothing to compare with or the rerun fails.
    """
    found = Verification(listed=listed, faults=list(faults))
    return verify(lambda folder, whole: snakemake(folder, cores, whole), against, found)


def snakemake(folder: Path, cores: int, whole: bool = True) -> list[str]:
    """Return the command that computes a study folder with this code: all, or its results alone.

    Raises
    ------
    StudyError
        If the code is not used from a copy of the repository.
    """
    snakefile = package.REPOSITORY / "Snakefile"
    if not snakefile.is_file():
        raise StudyError(
            f"{snakefile}: the file is missing; the code must be used from a whole copy of the "
            "repository."
        )
    where = ["--snakefile", str(snakefile), "--directory", str(folder)]
    # As a module: the program's own first line names a Python that a moved folder no longer has.
    return [
        *(sys.executable, "-P", "-m", "snakemake", *where),
        *("--cores", str(cores), *([] if whole else [RESULTS.as_posix()])),
    ]


def verify(
    command: Callable[[Path, bool], list[str]],
    against: Path | None = None,
    found: Verification | None = None,
) -> int:
    """Compare what a study made with what a command makes from a copy of its inputs.

    Parameters
    ----------
    command : callable
        Takes the copy's folder, and whether reports are wanted too; returns the command that makes
        ``reports/results.csv`` in it, and the reports.
    against : Path, optional
        As in `run`.
    found : Verification, optional
        What was found before.

    Returns
    -------
    int
        As in `run`.

    Raises
    ------
    StudyError
        As in `run`.
    """
    found = found or Verification()
    try:
        _verify(command, against, found)
    except BaseException as error:
        found.stopped = str(error) if isinstance(error, StudyError) else "it was ended."
        raise
    finally:
        verification.write(found)
    print(_in_words(found), flush=True)
    print(f"All that was found: {verification.PAGE.absolute()}", flush=True)
    return int(not found.reproduced)


def _verify(
    command: Callable[[Path, bool], list[str]], against: Path | None, found: Verification
) -> None:
    """Rerun and compare; what is found is noted as soon as it is known."""
    found.study = study = load_study()
    found.step = "looking for what to compare with"
    found.against = _reference(against)
    reference = _read(found.against)
    names = [] if against else _artefacts(found.against.parent)
    found.step = "copying configuration and raw data"
    with _ended_in_order(), _clean_copy(study) as folder:
        found.step = "running the study again"
        print("Running the study again from its raw data in a clean folder.", flush=True)
        _rerun(command(folder, bool(names)), folder)
        found.step = "comparing results"
        found.rows = compare(reference, _read(folder / RESULTS))
        found.rows["data_status"] = study.data_status
        files.write_csv(COMPARISON, found.rows)
        if names:
            print(f"Comparing {len(names)} tables, figures and documents.", flush=True)
        for name in names:
            found.step = f"comparing {name}"
            old, new = found.against.parent / name, folder / RESULTS.parent / name
            found.artefacts.append(compare_files(name, old, new))


def _artefacts(folder: Path) -> list[str]:
    """Return the names of what a run makes beside the results, if any of it is in the folder."""
    planned = [*files_of(Trial()), *RELEASED, *DOCUMENTS, *CODEBOOK]
    names = sorted(path.relative_to(RESULTS.parent).as_posix() for path in planned)
    return names if any((folder / name).is_file() for name in names) else []


def _reference(against: Path | None) -> Path:
    if against is not None:
        if not against.is_file():
            raise StudyError(f"{against}: the file is missing; expected a results table there.")
        return against
    if ARCHIVED_RESULTS.is_file():
        return ARCHIVED_RESULTS
    if RESULTS.is_file():
        print(f"There is no {ARCHIVED_RESULTS} here: comparing with {RESULTS}, of the last run.")
        return RESULTS
    raise StudyError(
        f"there is nothing to compare with: neither {ARCHIVED_RESULTS} (of an unpacked archive) "
        f"nor {RESULTS} (of `make run`) is in {Path.cwd()}."
    )


def _read(path: Path) -> pd.DataFrame:
    """Read a results table as text; StudyError if it is none."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError):
        table = pd.DataFrame()
    if list(table.columns) != COLUMNS or table.empty:
        raise StudyError(
            f"{path}: not a results table; expected the {len(COLUMNS)} columns from "
            f"'{COLUMNS[0]}' to '{COLUMNS[-1]}' and at least one row."
        )
    twice = table.index[table.duplicated(KEY)]
    if not twice.empty:
        raise StudyError(
            f"{path}, row {twice[0] + 1}: a result with the same key ({_name(table.loc[twice[0]])})"
            " stands above; expected one row for each result."
        )
    return table


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a request to end, from the keyboard or not, end the rerun and remove its folder first."""

    def end(number: int, _: object) -> None:
        for asked in before:
            signal.signal(asked, signal.SIG_IGN)
        sys.exit(128 + number)

    before = {asked: signal.getsignal(asked) for asked in (signal.SIGINT, signal.SIGTERM)}
    for asked in before:
        signal.signal(asked, end)
    try:
        yield
    finally:
        for asked, handler in before.items():
            signal.signal(asked, handler)


@contextlib.contextmanager
def _clean_copy(study: Study) -> Iterator[Path]:
    """Copy the study's inputs to a folder of their own, which is removed in the end.

    It is made in the study folder, readable by its owner alone: participants' data do not leave
    the place where they are kept.
    """
    inputs = input_files(study)
    DERIVED.mkdir(parents=True, exist_ok=True)
    mended.clear()
    folder = Path(tempfile.mkdtemp(prefix=RERUN.name, dir=RERUN.parent)).resolve()
    held = mended.hold(folder)
    try:
        for path in inputs:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path)
        yield folder
    finally:
        shutil.rmtree(folder)
        if held is not None:
            os.close(held)


def _rerun(command: list[str], folder: Path) -> None:
    """Run the command, show how far it is, keep all it says and its logs in ``logs/verify``."""
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    process = subprocess.Popen(
        command,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    said = []
    try:
        with process, (LOGS / "snakemake.log").open("w", encoding="utf-8") as log:
            try:
                for line in process.stdout or ():
                    log.write(line)
                    said.append(line.strip())
                    if _PROGRESS.fullmatch(said[-1]):
                        print(f"  {said[-1]}", flush=True)
            except BaseException:
                process.terminate()
                process.wait()
                raise
    finally:
        if (folder / "logs").is_dir():
            shutil.copytree(folder / "logs", LOGS, dirs_exist_ok=True)
    if process.returncode or not (folder / RESULTS).is_file():
        raise StudyError(f"the rerun failed: {_fault(said).rstrip('.')} (its logs: {LOGS}).")


def _fault(said: list[str]) -> str:
    """Return the sentence with which a rule, or Snakemake before the first one, gave up."""
    for line in said:
        if _SENTENCE.fullmatch(line):
            return line
    words = [line for line in said if line and not line.startswith("Using ")]  # a profile
    if "Building DAG of jobs..." not in said:
        return words[0] if words else "it ended without results"
    return words[-1]


def _in_words(found: Verification) -> str:
    """Return what is said on the screen: of the results, then of the files."""
    assert found.rows is not None
    said = summary(found.rows, found.against)
    if not found.artefacts:
        return said
    kinds = Counter(artefact.comparison for artefact in found.artefacts)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds, key=ORDER.index))
    said += f"\nTables, figures and documents: {counts}."
    faults = found.different_files
    for artefact in faults[:SHOWN]:
        both = f"{artefact.reference or 'empty'}, {artefact.rerun or 'empty'} in the rerun"
        what = f": {artefact.place}: {both}" if artefact.comparison == DIFFERENT else ""
        said += f"\n  {artefact.name} is {artefact.comparison}{what}"
    return said + (f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")


def summary(comparison: pd.DataFrame, reference: Path) -> str:
    """Say in a sentence, and a line for each of the first few differences, what was found.

    Parameters
    ----------
    comparison : pandas.DataFrame
        As returned by `compare`.
    reference : Path
        The table that was compared with.

    Returns
    -------
    str
        Begins with "Verified:" or "Different:".
    """
    kinds = comparison["comparison"]
    count = {kind: int((kinds == kind).sum()) for kind in ORDER}
    equal = f"{count[IDENTICAL]} rows identical, {count[EQUAL]} equal within tolerance"
    faults = comparison[~kinds.isin(FINE)]
    if faults.empty:
        return f"Verified: {equal}, 0 different."
    lines = [
        f"Different: {equal}, {count[DIFFERENT]} different, {count[LOST]} only in {reference}, "
        f"{count[NEW]} only in the rerun; all are in {COMPARISON}."
    ]
    for _, row in faults.head(SHOWN).iterrows():
        what = {LOST: f"only in {reference}", NEW: "only in the rerun"}.get(
            row["comparison"],
            f"{row['column']} {row['reference'] or 'empty'} in {reference}, "
            f"{row['rerun'] or 'empty'} in the rerun",
        )
        # A key that has changed is on one side only: all of it, to see where it did.
        parts = NAME if row["comparison"] == DIFFERENT else KEY
        lines.append(f"  {_name(row, parts)}: {what}")
    if len(faults) > SHOWN:
        lines.append(f"  and {len(faults) - SHOWN} more")
    return "\n".join(lines)


def _name(row: pd.Series, parts: Sequence[str] = NAME) -> str:
    return " / ".join(row[part] for part in parts if row[part])
