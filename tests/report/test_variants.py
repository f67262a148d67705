"""What reports of made-up studies say otherwise where rows or the configuration are others.

The cases of data/variants.yaml; ``python tests/report/test_variants.py`` writes how they end again.
"""

from __future__ import annotations

import difflib
import itertools
import re
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from made_up import DATA, Folder, make  # noqa: E402
from support import kept, reported  # noqa: E402
from test_golden_sentences import whole  # noqa: E402

from ccp_analysis.analyses.harms import event_rows  # noqa: E402
from ccp_analysis.config.estimands import Estimand  # noqa: E402
from ccp_analysis.config.instruments import Standing  # noqa: E402
from ccp_analysis.config.target_trial import TargetTrial  # noqa: E402
from ccp_analysis.report.source import Source, _records  # noqa: E402
from ccp_analysis.results.table import results_table  # noqa: E402
from ccp_analysis.results.terms import Role  # noqa: E402

FILE = DATA / "variants.yaml"
# Parts of a configuration that are given as they stand in its files.
READ = {
    "target_trial": TargetTrial.model_validate,
    "estimands": lambda given: [Estimand.model_validate(one) for one in given],
    "standing": Standing.model_validate,
}
WARDS = {"W1": ("usual", 9), "W2": ("new", 13), "W3": ("usual", 11), "W4": ("new", 8)}


def updated(part: Any, changes: dict[str, Any]) -> Any:
    """Return a part of the configuration with other values; of a list or dict by its ids."""
    if isinstance(part, list):
        left = [one for one in part if changes.get(one.id, one) is not None]
        return [updated(one, changes.get(one.id, {})) for one in left]
    if isinstance(part, dict) and not part.keys().isdisjoint(changes):
        return part | {key: updated(part[key], change) for key, change in changes.items()}
    found = {}
    for key, value in changes.items():
        inner = getattr(part, key, None)
        nested = key not in READ and isinstance(value, dict) and isinstance(inner, list)
        nested |= key not in READ and isinstance(value, dict) and hasattr(inner, "model_copy")
        nested |= key == "instruments"
        found[key] = updated(inner, value) if nested else READ.get(key, lambda v: v)(value)
        found[key] = None if value is None else found[key]
    return part.model_copy(update=found)


def fits(row: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(row[column] == value for column, value in where.items())


def varied(source: Source, case: kept.Case) -> Source:
    """Return a source with the rows, tables and configuration of a case."""
    parts = {name: case[name] for name in ("study", "plan", "economics") if name in case}
    source = replace(source, **{n: updated(getattr(source, n), part) for n, part in parts.items()})
    if "instruments" in case:
        known = {n: updated(source.instruments[n], p) for n, p in case["instruments"].items()}
        source = replace(source, instruments=source.instruments | known)
    for name, columns in case.get("tables", {}).items():
        source = replace(source, **{name: getattr(source, name).assign(**columns)})
    source = with_events(source, case["events"]) if "events" in case else source
    if "flow" in case:
        source = replace(source, flow=source.flow | case["flow"])
    like = [edit for edit in case.get("rows", []) if "add" in edit]
    added = [next(r for r in source.results if fits(r, e["where"])) | e["add"] for e in like]
    for edit in case.get("rows", []):
        rows, where = source.results, edit["where"]
        assert any(fits(row, where) for row in rows), where
        if "set" in edit:
            rows = [row | edit["set"] if fits(row, where) else row for row in rows]
        else:
            rows = [row for row in rows if not fits(row, where)]
        source = replace(source, results=rows)
    source = replace(source, results=source.results + added)
    return source


def with_events(source: Source, happened: list[list[str]]) -> Source:
    """Return a source in which events have happened to people of four wards."""
    wards = [(ward, arm) for ward, (arm, n) in WARDS.items() for _ in range(n)]
    people = pd.DataFrame(wards, columns=["ward", "arm"])
    people["participant"] = [f"P{at:02d}" for at in range(len(people))]
    people["interviewed_start"] = [False, *[True] * (len(people) - 1)]
    events = pd.DataFrame(happened, columns=["event", "participant"]).assign(reason="moved")
    rows = event_rows(source.study, source.dictionary, people, events, 0.95)
    table = results_table(
        [{"role": Role.DESCRIPTIVE} | row for row in rows], source.study.data_status
    )
    return replace(source, results=[*source.results, *_records(table)])


def lines(folder: Folder, source: Source) -> list[str]:
    """Return the sentences of a report and the rows of its tables, and the figures that are drawn.

    Numbers of tables and figures are left out: one more or less moves all behind it.
    """
    text = re.sub(r"\b(Table|Figure) \d+", r"\1", whole(folder, source))
    parts = ([row] if row[:1] == "|" else re.split(r"(?<=[.;]) ", row) for row in text.splitlines())
    names = [n for n in reported.figure_names(source) if reported.is_drawn(source, n)]
    return [*itertools.chain.from_iterable(parts), *(f"figure {name}" for name in names)]


@cache
def unvaried(folder: Folder) -> list[str]:
    return lines(folder, folder.source())


def ending(folder: Folder, case: kept.Case) -> str:
    """Return the sentences, rows and figures that are gone and those that are new."""
    before, after = unvaried(folder), lines(folder, varied(folder.source(), case))
    found = difflib.unified_diff(before, after, n=0, lineterm="")
    return "".join(f"{line}\n" for line in [*found][2:] if line[:2] != "@@" and line[1:].strip())


CASES = kept.read(FILE)["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_report_says_otherwise_what_is_kept(
    case: kept.Case, clustered: Folder, plain: Folder
) -> None:
    folder = {"clustered": clustered, "plain": plain}[case.get("of", "clustered")]
    assert ending(folder, case).splitlines() == case["ends"].splitlines()
    source = varied(folder.source(), case)
    lists = {"trend", "target", "cheers", "consort"} & {*reported.table_names(source)}
    with folder.inside():
        assert reported.claimed_in_vain(source, *sorted(lists)) == []


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folders = {of: make(of, Path(name) / of) for of in ("clustered", "plain")}
        for case in CASES:
            case["ends"] = ending(folders[case.get("of", "clustered")], case)
    kept.write(FILE, {"cases": CASES})
