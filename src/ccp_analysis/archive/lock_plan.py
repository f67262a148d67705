"""Lock the plan: a dated, hashed copy of the configuration, to which every run is held."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ccp_analysis import __version__, files
from ccp_analysis.config import check
from ccp_analysis.config.locked import Compared, Difference, Lock, compared
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.trial import Trial, planned_files
from ccp_analysis.config.values import values_of
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DEVIATIONS, LOCK, LOCKED, PLAN

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run(*, date: str = "") -> None:
    """Lock the plan of the study in the current folder, as the version that it says it is.

    Parameters
    ----------
    date : str, optional
        The day on which it is locked, as 2020-01-31; today by default.

    Raises
    ------
    StudyError
        If the configuration has faults, has no version or one that is locked already, or the day is
        none or lies before that of an earlier lock.
    """
    trial = Trial()
    if faults := check.faults(trial):
        raise first_of(faults)
    for path in map(Path, planned_files()):
        if path.is_absolute() or ".." in path.parts:
            raise StudyError(
                f"{path}: the file lies outside the study folder, and cannot be kept with a lock; "
                "put it into config/ and name it there."
            )
    so_far = compared(trial)
    day = _day(date, so_far)
    lock = _lock(trial, so_far, day)
    LOCKED.mkdir(parents=True, exist_ok=True)
    # It is there as a whole or not at all.
    with tempfile.TemporaryDirectory(dir=LOCKED, prefix=".") as name:
        part = Path(name, lock.version)
        for file in lock.files:
            (part / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, part / file)
        content = {"checksum": lock.checksum} | asdict(lock)
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (part / LOCK).write_text(text, encoding="utf-8", newline="\n")
        part.rename(lock.folder)
    print(
        f"{lock.folder}: version {lock.version} of the plan is locked, {len(lock.files)} files, "
        f"checksum {lock.checksum}."
    )
    if lock.late:
        print(f"The date of the data, {lock.data_date}, lies before: the report says so.")
    if DEVIATIONS.is_file() and lock.revisions:
        print(f"Reasons are kept in the lock: take their lines out of {DEVIATIONS}.")


def _day(date: str, so_far: Compared) -> dt.date:
    """Return the day of the lock; StudyError where it is none, or lies before an earlier one."""
    try:
        day = dt.date.fromisoformat(date) if date else dt.date.today()
    except ValueError as error:
        raise StudyError(f"--date {date}: no day; expected one as 2020-01-31.") from error
    if so_far.latest and day < so_far.latest.day:
        raise StudyError(
            f"--date {day}: version {so_far.latest.version} was locked on {so_far.latest.locked}; "
            "expected no day before that."
        )
    return day


def _lock(trial: Trial, so_far: Compared, day: dt.date) -> Lock:
    study, plan, latest = trial.study, trial.plan, so_far.latest
    if not VERSION.fullmatch(plan.version):
        raise StudyError(
            f"{PLAN}: version '{plan.version}' found; expected one of letters, digits, points and "
            "hyphens, such as 1.0, under which the plan is locked."
        )
    if (LOCKED / plan.version).exists():
        raise StudyError(
            f"{LOCKED / plan.version}: version {plan.version} is locked already, and a lock is "
            f"never overwritten; give the plan a new version in {PLAN}."
        )
    return Lock(
        version=plan.version,
        plan_date=str(plan.date or ""),
        locked=day.isoformat(),
        data_date=study.data_date.isoformat(),
        data_status=study.data_status,
        program=__version__,
        follows=latest.checksum if latest else "",
        values=values_of(trial),
        files={path: files.digest(Path(path)) for path in planned_files()},
        revisions=[_revision(one) for one in so_far.deviations],
    )


def _revision(one: Difference) -> dict[str, Any]:
    """Return what was changed since the version before, with the reason that was given."""
    given = asdict(one.reason) | {"date": one.reason.date.isoformat()} if one.reason else {}
    said = {key: given.get(key, "") for key in ("reason", "date", "who", "seen")}
    return {"field": one.field, "before": one.locked, "now": one.run} | said
