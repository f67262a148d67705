"""The records themselves: files, analysis sets, scales, data queries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import REAL, Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import capitalised, listed, number, uncapitalised

SEVERITIES = {
    "error": "error: impossible as it stands",
    "query": "query: to be asked",
    "note": "note: dealt with by the dictionary",
}
FIRST = 15  # queries that are printed; the HTML report lists them all
SOFTWARE = ["numpy", "scipy", "pandas", "formulaic", "matplotlib", "pypandoc_binary", "typst"]
WITH_REASONS = ("complete_case",)  # of the other sets the table of the flow has the reasons


def files_read(source: Source) -> Table[Any]:
    """Account for the rows of every raw file."""
    accounts = {entry["file"]: entry for entry in source.flow.get("rows", [])}
    used = {"of_itt": "of_others", "with_participants": "without_participants"}
    rows: list[Cells] = []
    for entry in source.flow["files"]:
        account = accounts.get(entry["file"], {})
        kind = next((key for key in used if key in account), None)
        rows.append(
            [
                entry["file"],
                number(entry["rows"]),
                number(entry["identical_rows_left_out"]),
                number(entry["kept"]),
                *([number(account[kind]), number(account[used[kind]])] if kind else [None, None]),
            ]
        )
    header = ["File", "Rows read", "Identical rows left out", "Rows kept"]
    header += ["Of these analysed", "Not analysed"]
    notes = [
        "Rows are analysed if they are of people with a baseline interview; of a file of "
        "clusters, if they have participants."
    ]
    if not accounts:
        header, rows, notes = header[:4], [row[:4] for row in rows], []
    return positional(
        caption="Files read, and what became of their rows",
        header=header,
        rows=rows,
        align="l" + "r" * (len(header) - 1),
        widths=[28, *[14] * (len(header) - 1)],
        notes=notes,
    )


def sets(source: Source) -> Table[Any]:
    """Count the analysis sets by arm, with the reasons of those left out of complete cases."""
    arms = source.study.arms.ordered
    rows: list[Cells] = []
    for entry in source.flow.get("sets", []):
        counted = [number(entry["by_arm"][arm]) for arm in arms]
        rows.append([entry["label"], "", *counted, number(entry["n"])])
        for part in entry["left_out"] if entry["set"] in WITH_REASONS else []:
            counted = [number(part["by_arm"][arm]) for arm in arms]
            why = f"Left out: {left_out_reason(source, part['reason'])}"
            rows.append([entry["label"], why, *counted, number(part["n"])])
    return positional(
        caption="Analysis sets, by arm",
        header=["Set", "Participants", *(label for _, label in source.arms), "All"],
        rows=rows,
        align="llrrr",
        widths=[48, 20, 20, 12],
        grouped=True,
    )


def left_out_reason(source: Source, reason: str) -> str:
    """Return a reason as the flow has it, visits, variables and codes by their labels."""
    for visit in source.study.visits:
        label = uncapitalised(visit.label)
        head = f"no interview at {visit.id}: "
        if reason.startswith(head):
            why = uncapitalised(source.reason(visit.id, reason.removeprefix(head)))
            return f"no interview at {label} ({why})"
        tail = f" missing at {visit.id}"
        if reason.endswith(tail):
            return f"{source.name(reason.removesuffix(tail))} missing at {label}"
    return reason


def scales(source: Source) -> Table[Any]:
    """Say how the scales did: reliability, floor and ceiling, without regard to arm."""
    rows: list[Cells] = []
    found = [] if source.scales is None else source.scales.to_dict("records")
    parts = list(dict.fromkeys((row["scale"], row["subscale"]) for row in found))
    found.sort(key=lambda row: parts.index((row["scale"], row["subscale"])))
    for row in found:
        label = row["label"] if not row["subscale"] else f"{row['label']} (subscale)"
        visit = source.visit(row["visit"])
        rows.append(
            [
                label,
                visit or "All visits",
                row["items"],
                row["n"],
                row["n_prorated"],
                _decimal(row["alpha"], 2),
                f"{float(row['lowest']):g} to {float(row['highest']):g}"
                if row["lowest"] and row["highest"]
                else None,
                _decimal(row["floor_percent"], 1),
                _decimal(row["ceiling_percent"], 1),
            ]
        )
    return positional(
        caption="The scales in these data, both arms together",
        header=[
            "Scale",
            "Visit",
            "Items",
            "Scored",
            "Prorated",
            "Cronbach's alpha",
            "Possible range",
            "At the floor, %",
            "At the ceiling, %",
        ],
        rows=rows,
        align="llrrrrrrr",
        widths=[28, 8, 9, 10, 12, 16, 10, 10],
        grouped=True,
        stub="Scale and visit",
        notes=[
            "Prorated scores rest on fewer answers than items. Alpha is that of complete answers; "
            "an index by a value set has none."
        ]
        if rows
        else [],
    )


def _decimal(text: str, places: int) -> str | None:
    return number(float(text), places) if text else None


def query_counts(source: Source) -> Table[Any]:
    """Count data queries by severity and rule, and those that a decision answers."""
    answered = _decided(source)
    table = source.queries.assign(answered=(source.queries["decision"] != "") if answered else 0)
    counts = table.groupby(["severity", "rule"])["answered"].agg(["size", "sum"])
    ranked = sorted(
        counts.itertuples(), key=lambda item: (rank(item.Index[0]), -item.size, item.Index[1])
    )
    rows: list[Cells] = [
        [
            capitalised(SEVERITIES.get(item.Index[0], item.Index[0])),
            item.Index[1],
            number(item.size),
            *[number(item.sum)] * answered,
        ]
        for item in ranked
    ]
    return positional(
        caption="Data queries, by severity and rule",
        header=["Severity", "Rule", "Queries", *["Answered"] * answered],
        rows=rows,
        align="llr" + "r" * answered,
        widths=[75, 25, *[20] * answered],
        grouped=True,
        stub="Severity and rule",
    )


def _decided(source: Source) -> bool:
    """Return whether any query is answered by a decision."""
    return "decision" in source.queries and bool((source.queries["decision"] != "").any())


def queries(source: Source) -> Table[Any]:
    """List every value that was changed, set missing or found strange, with its answer."""
    header = {
        "id": "Query",
        "severity": "Severity",
        "file": "File",
        "row": "Row",
        "participant": "Participant",
        "column": "Column",
        "raw_value": "Value found",
        "action": "Action",
        "rule": "Rule",
    }
    cells = source.queries[list(header)].to_numpy(dtype=object).tolist()
    rows = [[cell or None for cell in row] for row in cells]
    answered = _decided(source)
    if answered:
        answers = source.queries[["decision", "decided_by", "decided_on", "answer"]]
        rows = [
            [*row, _answer(*answer)]
            for row, answer in zip(rows, answers.itertuples(index=False), strict=True)
        ]
    return positional(
        caption="Every data query",
        header=[*header.values(), *["Decision"] * answered],
        rows=rows,
        align="lllrlllll" + "l" * answered,
        widths=[9, 10, 14, 7, 13, 18, 12, 25, 16, *[25] * answered],
    )


def _answer(decision: str, who: str, when: str, why: str) -> str | None:
    """Write a decision with who took it, when and why."""
    if not decision:
        return None
    by = ", ".join(filter(None, [who, when]))
    return f"{decision}{f' ({by})' if by else ''}{f': {why}' if why else ''}"


def rank(severity: str | None) -> int:
    """Return the place of a severity, the most serious first."""
    order = list(SEVERITIES)
    return order.index(severity) if severity in order else len(order)


def shows_records(source: Source) -> bool:
    """Return whether documents may list participants and raw values: not those of real data."""
    return source.study.data_status != REAL


def first_of(queries: Table[Any]) -> Table[Any]:
    """Return the queries that are printed, the most serious first."""
    if len(queries.records) <= FIRST:
        return queries
    severity = queries.columns[queries.header.index("Severity")].cell
    ranked = sorted(queries.records, key=lambda record: rank(severity(record)))
    caption = "Data queries, the most serious first; queries.csv lists them all"
    return replace(queries, records=ranked[:FIRST], caption=caption)


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("files", files_read)
    yield TableItem("sets", sets)
    yield TableItem("scales", scales)
    yield TableItem("query_counts", query_counts)
    yield TableItem("queries", queries, shows_records)


def _software() -> str:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return listed([python, *(f"{name} {version(name)}" for name in SOFTWARE)])


SECTION = Section("records", _items, lambda source: {"software": _software()})
