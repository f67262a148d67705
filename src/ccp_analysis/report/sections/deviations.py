"""Where the plan that was run differs from the one that was locked, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ccp_analysis.config.locked import AFTER, Difference, Lock, Reason
from ccp_analysis.report.section import Section, TableItem
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import listed, sentence, written_date

NAME, HEADING = "deviations", "Deviations from the plan"
NO_REASON = "No reason was given"
CHECKSUM = 12  # characters of a checksum that are printed
LONGEST = 240  # characters of a value that are printed
NAMED = 8  # fields that a sentence names


def deviations(source: Source) -> Table[Difference]:
    """Set out every field of the plan that differs from what was locked, with the reason."""
    return Table(
        "Where the plan that was run differs from the one that was locked",
        [
            Column("Field", lambda one: f"{one.field}. {one.meaning}".strip(), 33, "l"),
            Column("Locked", lambda one: value(one.locked), 17, "l"),
            Column("Run", lambda one: value(one.run), 17, "l"),
            Column("Reason", lambda one: reason(source, one.reason), 33, "l"),
        ],
        source.compared.deviations,
    )


def value(content: Any) -> str:
    """Return a value of the configuration in words."""
    text = _in_words(content)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _in_words(content: Any) -> str:
    if content is None:
        return "not there"
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, dict):
        return "; ".join(f"{key}: {_in_words(part)}" for key, part in content.items())
    if isinstance(content, list):
        return ", ".join(map(_in_words, content))
    return f"{content:g}" if isinstance(content, float) else str(content)


def reason(source: Source, given: Reason | None) -> str:
    """Return why a field differs, who decided it and when; the words that nobody says so."""
    if given is None:
        return f"{NO_REASON}."
    after = "; after the date of the data" if _late(source, given) else ""
    seen = "after" if given.seen == AFTER else "before"
    return (
        f"{sentence(given.reason)} ({given.who}, {written_date(given.date)}, {seen} the data were "
        f"seen{after}.)"
    )


def _late(source: Source, given: Reason) -> bool:
    return given.date > source.study.data_date


def locked(source: Source, lock: Lock) -> str:
    """Say which version was locked when, and whether that was after the date of the data."""
    text = (
        f"Version {lock.version} of the plan was locked on {written_date(lock.day)} (checksum "
        f"{lock.checksum[:CHECKSUM]})"
    )
    if lock.late:
        text += ", after the date of the data: that it was written before is not proved by it"
    if lock.data_status == "synthetic":
        text += "; the study is synthetic, and the lock an example"
    return f"{text}."


def _differs(source: Source) -> str:
    found = source.compared.deviations
    if not found:
        return "What was run does not deviate from it."
    fields = "field" if len(found) == 1 else "fields"
    parts = []
    if count := len(source.compared.without_reason):
        parts.append(f"{count} without a reason")
    given = [one.reason for one in found if one.reason]
    if count := sum(_late(source, one) or one.seen == AFTER for one in given):
        parts.append(f"{count} decided after the data were seen or after their date")
    more = f", {listed(parts)}" if parts else ""
    return f"What was run deviates from it in {len(found)} {fields}{more}."


def flagged(source: Source) -> Iterator[str]:
    """Say for the summary in how many fields the run deviates from the locked plan."""
    if source.compared.deviations:
        lock = source.compared.history[-1]
        yield f"The plan was locked as version {lock.version}. {_differs(source)}"


def _said(source: Source) -> dict[str, Any]:
    latest = source.compared.latest
    told = [one.field for one in source.compared.told]
    shown = [*told[:NAMED], *([f"{len(told) - NAMED} more"] if len(told) > NAMED else [])]
    return {
        "lock": locked(source, latest) if latest else "",
        "differs": _differs(source) if latest else "",
        "told": listed(shown),
    }


SECTION = Section(NAME, lambda of: iter([TableItem(NAME, deviations)]), _said)
