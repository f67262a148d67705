"""Locked plans: dated, hashed copies of the configuration, and what differs from the latest."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ccp_analysis.config.reading import first_of
from ccp_analysis.config.tables import read_table
from ccp_analysis.config.trial import Trial
from ccp_analysis.config.values import (
    Key,
    Values,
    checksum,
    compare,
    meaning,
    of_the_plan,
    values_of,
)
from ccp_analysis.errors import StudyError
from ccp_analysis.files import digest
from ccp_analysis.layout import DEVIATIONS, LOCK, LOCKED

COLUMNS = ["field", "reason", "date", "who", "seen"]
BEFORE, AFTER = SEEN = ("before", "after")
NEW_VERSION = "a lock is never edited: restore it, and lock a new version of the plan"


@dataclass(frozen=True)
class Reason:
    """A line of the deviations: a field, why, when, who; before or after data were seen."""

    line: int
    field: str
    reason: str
    date: dt.date
    who: str
    seen: str


@dataclass(frozen=True)
class Difference:
    """A field that differs between the locked plan and this one."""

    key: Key
    locked: Any
    run: Any
    reason: Reason | None = None

    @property
    def field(self) -> str:
        """Its name, as deviations name it: file and keys."""
        name, *way = self.key
        return f"{name}: {'.'.join(way)}" if way else name

    @property
    def meaning(self) -> str:
        """What the declaration says of it."""
        return meaning(self.key)


@dataclass(frozen=True)
class Lock:
    """A locked plan.

    Attributes
    ----------
    version : str
        Of the plan.
    plan_date : str
        Date of this version, as the plan says; empty where it says none.
    locked : str
        The day on which it was locked.
    data_date, data_status : str
        Of the data, as the study then said.
    program : str
        Version of the program.
    follows : str
        Checksum of the lock before it; empty for the first.
    values : dict
        The configuration, of `values.values_of`.
    files : dict
        File → SHA-256 of its copy in the lock.
    revisions : list of dict
        What differs from the lock before it, with the reasons that were given.
    """

    version: str
    plan_date: str
    locked: str
    data_date: str
    data_status: str
    program: str
    follows: str
    values: Values
    files: dict[str, str]
    revisions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def checksum(self) -> str:
        """SHA-256 of all that it holds, its files with it."""
        return checksum(asdict(self))

    @property
    def day(self) -> dt.date:
        """The day on which it was locked."""
        return dt.date.fromisoformat(self.locked)

    @property
    def late(self) -> bool:
        """Whether that was after the date of the data."""
        return self.locked > self.data_date

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return LOCKED / self.version


def locks() -> list[Lock]:
    """Return the locked plans of the study in the current folder, the first one first.

    Raises
    ------
    StudyError
        If one was altered, or one is missing between others; `faults` lists all.
    """
    faults: list[str] = []
    found: dict[str, Lock] = {}
    folders = sorted(LOCKED.iterdir()) if LOCKED.is_dir() else []
    for folder in (path for path in folders if path.is_dir() and path.name[0] != "."):
        try:
            lock = _read(folder)
        except StudyError as error:
            faults += error.faults or [str(error)]
        else:
            if lock.follows in found:
                faults.append(f"{folder}: two locks follow one; {NEW_VERSION}.")
            found[lock.follows] = lock
    chain: list[Lock] = []
    while not faults and (after := found.pop(chain[-1].checksum if chain else "", None)):
        chain.append(after)
    faults += [
        f"{lock.folder}: the lock before it, {before[:12]}, is not there; earlier locks are the "
        "history of the plan: restore it."
        for before, lock in ({} if faults else found).items()
    ]
    if faults:
        raise first_of(faults)
    return chain


def _read(folder: Path) -> Lock:
    """Read one lock; StudyError where anything of it is not as it was locked."""
    path = folder / LOCK
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = content.pop("checksum")
        lock = Lock(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path}: not readable as a locked plan; {NEW_VERSION}.") from error
    faults = []
    if lock.checksum != stated or lock.version != folder.name:
        faults.append(f"{path}: what it holds does not fit its checksum; {NEW_VERSION}.")
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    del there[LOCK]
    for name in sorted({*lock.files, *there}):
        if name not in there:
            faults.append(f"{folder / name}: the file is missing from the lock; {NEW_VERSION}.")
        elif name not in lock.files:
            faults.append(f"{folder / name}: the file was not locked; take it away.")
        elif digest(there[name]) != lock.files[name]:
            faults.append(f"{folder / name}: the file was altered; {NEW_VERSION}.")
    if faults:
        raise first_of(faults)
    return lock


@dataclass(frozen=True)
class Compared:
    """The plan that is run beside the one that was locked last.

    Attributes
    ----------
    history : list of Lock
        All locks; none where no plan was locked.
    deviations, told : list of Difference
        What differs: of the plan, and of wording, people and files.
    """

    history: list[Lock] = field(default_factory=list)
    deviations: list[Difference] = field(default_factory=list)
    told: list[Difference] = field(default_factory=list)

    @property
    def latest(self) -> Lock | None:
        """The plan that was locked last."""
        return self.history[-1] if self.history else None

    @property
    def without_reason(self) -> list[Difference]:
        """Deviations for which no reason is given."""
        return [one for one in self.deviations if one.reason is None]


def compared(trial: Trial) -> Compared:
    """Compare the plan of the study in the current folder with the one that was locked last.

    Parameters
    ----------
    trial : Trial
        Its configuration, which is as it must be.

    Raises
    ------
    StudyError
        If a lock was altered, or a line of ``config/deviations.csv`` is not as it must be or is of
        nothing that differs; `faults` lists all.
    """
    history = locks()
    reasons, faults = _reasons()
    if not history:
        found: list[Difference] = []
    else:
        way = compare(history[-1].values, values_of(trial), values_of(trial, stated=True))
        found = [_with_reason(Difference(*parts), reasons) for parts in way]
    used = {one.reason.line for one in found if one.reason}
    for reason in reasons:
        if reason.line in used:
            continue
        why = "it is no field that differs from the locked plan" if history else "no plan is locked"
        faults.append(
            f"{DEVIATIONS}, line {reason.line}: '{reason.field}': {why}; take the line away or "
            "name the field as the report does, such as 'analysis.yaml: imputation.imputations'."
        )
    if faults:
        raise first_of(faults)
    plan = [one for one in found if of_the_plan(one.key)]
    return Compared(history, plan, [one for one in found if not of_the_plan(one.key)])


def _with_reason(one: Difference, reasons: list[Reason]) -> Difference:
    """Return a difference with the reason that names it, or else a part in which it is."""
    for reason in sorted(reasons, key=lambda r: -len(r.field)):
        if one.field == reason.field or one.field.startswith(
            (f"{reason.field}.", f"{reason.field}:")
        ):
            return Difference(one.key, one.locked, one.run, reason)
    return one


def _reasons() -> tuple[list[Reason], list[str]]:
    """Return the lines of the deviations, and what is wrong with them."""
    reasons: list[Reason] = []
    faults: list[str] = []
    for line, row in read_table(DEVIATIONS, COLUMNS, []) if DEVIATIONS.is_file() else ():
        wrong = list(_faults(row, {reason.field for reason in reasons}))
        faults += [f"{DEVIATIONS}, line {line}: {fault}." for fault in wrong]
        if not wrong:
            day = dt.date.fromisoformat(row["date"])
            reasons.append(Reason(line, row["field"], row["reason"], day, row["who"], row["seen"]))
    return reasons, faults


def _faults(row: dict[str, str], earlier: set[str]) -> Iterator[str]:
    for key in ("field", "reason", "who"):
        if not row[key]:
            yield f"'{key}' is empty; expected of which field it is, why, and who decided"
    if row["field"] in earlier:
        yield f"the field '{row['field']}' stands twice"
    if row["seen"] not in SEEN:
        yield f"seen '{row['seen']}' found; expected before or after, as to the data"
    try:
        dt.date.fromisoformat(row["date"])
    except ValueError:
        yield f"date '{row['date']}' found; expected one as in 2020-01-31"
