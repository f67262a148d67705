"""What the locked versions of a plan say to the items on revisions of its document."""

from __future__ import annotations

from typing import Any

from ccp_analysis.report.section import TableItem
from ccp_analysis.report.sections.deviations import CHECKSUM, NO_REASON, locked, value
from ccp_analysis.report.sections.plan_said import TABLE, Piece, text
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import written_date

VERSIONS, REVISED = "plan_versions", "plan_revised"


def status(source: Source) -> str:
    """Say whether this is the plan that was locked."""
    latest = source.compared.latest
    if latest is None:
        return "not locked"
    count = len(source.compared.deviations)
    said = f"locked as version {latest.version} on {written_date(latest.day)}"
    if count:
        return f"{said}, from which this differs in {count} field{'s' * (count > 1)}"
    return f"{said}, checksum {latest.checksum[:CHECKSUM]}"


def versions(source: Source) -> Table[Any]:
    """List the versions that were locked."""
    return Table(
        "Locked versions of this plan",
        [
            Column("Version", lambda lock: lock.version, 14, "l"),
            Column("Date of the version", lambda lock: lock.plan_date or None, 20, "l"),
            Column("Locked on", lambda lock: lock.locked, 18, "l"),
            Column("Date of the data", lambda lock: lock.data_date, 18, "l"),
            Column("Fields changed", lambda lock: str(len(lock.revisions)), 14),
            Column("Checksum", lambda lock: lock.checksum[:CHECKSUM], 18, "l"),
        ],
        source.compared.history,
    )


def revised(source: Source) -> Table[Any]:
    """List what each version changed, with the reasons."""

    def why(line: tuple[str, dict[str, Any]]) -> str:
        one = line[1]
        given = f"{one['reason']} ({one['who']}, {one['date']}; data seen: {one['seen']})"
        return given if one["reason"] else NO_REASON

    return Table(
        "What was revised, and why",
        [
            Column("Version", lambda line: line[0]),
            Column("Field", lambda line: line[1]["field"], 30, "l"),
            Column("Before", lambda line: value(line[1]["before"]), 20, "l"),
            Column("Now", lambda line: value(line[1]["now"]), 20, "l"),
            Column("Reason", why, 30, "l"),
        ],
        [(f"Version {x.version}", one) for x in source.compared.history for one in x.revisions],
        grouped=True,
        stub="Field",
    )


ITEMS = (TableItem(VERSIONS, versions), TableItem(REVISED, revised))


def history(source: Source) -> list[Piece]:
    """Set out the locked versions."""
    return [(TABLE, VERSIONS)] if source.compared.history else []


def justified(source: Source) -> list[Piece]:
    """Say why versions were revised."""
    if not source.compared.history:
        return []
    if not any(lock.revisions for lock in source.compared.history):
        return text("No locked version was revised")
    return [(TABLE, REVISED)]


def timed(source: Source) -> list[Piece]:
    """Say how locks lie to the date of the data."""
    return text(*(locked(source, lock) for lock in source.compared.history))
