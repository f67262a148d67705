"""The study run again from its raw data in a clean folder, and every result compared.

In go configuration and raw data of the study in the current folder, and the results table that was
archived (``archived/results.csv`` in an unpacked archive, otherwise that of the last run). Out come
one sentence, ``logs/verification.csv`` with one row for each result, and the exit status.

Two numbers are equal within tolerance if they differ by no more than 1e-8 of the larger one. What
can be near zero only by chance is measured by its own yardstick where that is larger: numbers in
units of the outcome by the standard error of their row, test statistics, p-values and fractions by
one. Another processor changes the last of sixteen digits; a changed analysis changes the first few.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from ccp_analysis import archive as package
from ccp_analysis import files
from ccp_analysis.archive import ARCHIVED_RESULTS, RESULTS
from ccp_analysis.archive.inputs import input_files
from ccp_analysis.cli import COMMANDS
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DERIVED
from ccp_analysis.results.table import COLUMNS, KEY, NUMBERS

TOLERANCE = 1e-8
IN_UNITS = ("estimate", "std_error", "conf_low", "conf_high", "mc_error")
WITHOUT_UNITS = ("statistic", "p_value", "p_adjusted", "fmi")

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"
LOST, NEW = "only in reference", "only in rerun"

COMPARISON = Path("logs/verification.csv")
LOGS = Path("logs/verify")
SHOWN = 5
NAME = ("analysis", "outcome", "visit", "term", "level")

_PROGRESS = re.compile(r"Job \d+: .+|\d+ of \d+ steps .+")
_SENTENCE = re.compile(rf"(?:{'|'.join(COMMANDS)}): .+")


def run(*, against: Path | None = None, cores: int = 4) -> int:
    """Run the study again from raw data in a clean folder and compare the results.

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
        0 if every row is identical or equal within tolerance, otherwise 1.

    Raises
    ------
    StudyError
        If there is nothing to compare with or the rerun fails.
    """
    return verify(lambda folder: snakemake(folder, cores), against)


def snakemake(folder: Path, cores: int) -> list[str]:
    """Return the command that computes the results table of a study folder with this code.

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
        *("--cores", str(cores), RESULTS.as_posix()),
    ]


def verify(command: Callable[[Path], list[str]], against: Path | None = None) -> int:
    """Compare the results of a study with those that a command computes from a copy of its inputs.

    Parameters
    ----------
    command : callable
        Takes the copy's folder; returns the command that makes ``reports/results.csv`` in it.
    against : Path, optional
        As in `run`.

    Returns
    -------
    int
        As in `run`.

    Raises
    ------
    StudyError
        As in `run`.
    """
    study = load_study()
    against = _reference(against)
    reference = _read(against)
    with _ended_in_order(), _clean_copy(study) as folder:
        print("Running the study again from its raw data in a clean folder.", flush=True)
        _rerun(command(folder), folder)
        rerun = _read(folder / RESULTS)
    comparison = compare(reference, rerun)
    comparison["data_status"] = study.data_status
    files.write_csv(COMPARISON, comparison)
    print(summary(comparison, against), flush=True)
    return int(not comparison["comparison"].isin([IDENTICAL, WITHIN]).all())


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
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=DERIVED)).resolve()
    try:
        for path in inputs:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path)
        yield folder
    finally:
        shutil.rmtree(folder)


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
    for line, following in zip(said, said[1:], strict=False):
        if re.match(r"\w+(Error|Exception)\b.* in ", line) and following:
            return following
    return next((line for line in reversed(said) if line), "it ended without results")


def compare(reference: pd.DataFrame, rerun: pd.DataFrame) -> pd.DataFrame:
    """Compare two results tables row by row.

    Parameters
    ----------
    reference, rerun : pandas.DataFrame
        Results tables as text, columns `COLUMNS`; rows with the same text in all columns of `KEY`
        belong together.

    Returns
    -------
    pandas.DataFrame
        One row for each row of either table, sorted by key: the key; `comparison`, one of
        "identical" (the same text throughout), "within tolerance", "different", "only in
        reference", "only in rerun"; then, of the cell that differs most, `column`, its text in
        `reference` and in `rerun`, and `difference`: relative, infinite where a text or a missing
        value stands on one side only.
    """
    old, new = (
        {tuple(r[k] for k in KEY): r for r in t.to_dict("records")} for t in (reference, rerun)
    )
    rows = []
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            found: dict[str, str | float] = {"comparison": LOST}
        elif key not in old:
            found = {"comparison": NEW}
        else:
            found = _compare_row(old[key], new[key])
        rows.append(dict(zip(KEY, key, strict=True)) | found)
    columns = [*KEY, "comparison", "column", "reference", "rerun", "difference"]
    return pd.DataFrame(rows, columns=columns)


def _compare_row(old: dict[str, str], new: dict[str, str]) -> dict[str, str | float]:
    unequal = {c: _distance(c, old, new) for c in COLUMNS if old[c] != new[c]}
    if not unequal:
        return {"comparison": IDENTICAL}
    column = max(unequal, key=unequal.__getitem__)
    return {
        "comparison": WITHIN if unequal[column] <= TOLERANCE else DIFFERENT,
        "column": column,
        "reference": old[column],
        "rerun": new[column],
        "difference": unequal[column],
    }


def _distance(column: str, old: dict[str, str], new: dict[str, str]) -> float:
    """Return how far two unequal cells are apart, relative to their size and yardstick."""
    a, b = _number(old[column]), _number(new[column])
    if column not in NUMBERS or a is None or b is None:
        return math.inf
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b), _yardstick(column, old))


def _yardstick(column: str, row: dict[str, str]) -> float:
    if column in WITHOUT_UNITS:
        return 1.0
    std_error = _number(row["std_error"]) if column in IN_UNITS else None
    return abs(std_error) if std_error is not None and math.isfinite(std_error) else 0.0


def _number(text: str) -> float | None:
    """Return a cell's number, NaN for an empty cell, None for what is no number."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


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
    count = {kind: int((kinds == kind).sum()) for kind in (IDENTICAL, WITHIN, DIFFERENT, LOST, NEW)}
    equal = f"{count[IDENTICAL]} rows identical, {count[WITHIN]} equal within tolerance"
    faults = comparison[~kinds.isin([IDENTICAL, WITHIN])]
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
