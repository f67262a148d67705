"""The records themselves: files, analysis sets, scales, data queries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.metadata import version
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from ccp_analysis.report.cells import Counted, count_columns
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Source, records_of
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, inside, known, listed, number, uncapitalised

SEVERITIES = {
    "error": "error: impossible as it stands",
    "query": "query: to be asked",
    "note": "note: dealt with by the dictionary",
}
FIRST = 15  # queries that are printed; the HTML report lists them all
SOFTWARE = [
    "numpy",
    "scipy",
    "pandas",
    "statsmodels",
    "linearmodels",
    "matplotlib",
    "pypandoc_binary",
    "typst",
]
WITH_REASONS = ("complete_case",)  # of the other sets the table of the flow has the reasons


class Asked(NamedTuple):
    """Queries by one rule: how many, and which are answered."""

    severity: str
    rule: str
    queries: int
    answers: Iterable[float]


def files_read(source: Source) -> Table[dict[str, Any]]:
    """Account for the rows of every raw file."""
    accounts = {entry["file"]: entry for entry in source.flow.get("rows", [])}

    def of(*keys: str) -> Callable[[dict[str, Any]], str | None]:
        return lambda entry: number(next((entry[key] for key in keys if key in entry), None))

    strange = [Column("Of nobody recruited", of("of_nobody"), 14)]
    strange *= any("of_nobody" in entry for entry in source.flow["files"])

    account = [
        Column("Of these analysed", of("of_itt", "with_participants"), 14),
        Column("Not analysed", of("of_others", "without_participants"), 14),
    ]
    note = "Rows are analysed if they are of people with a baseline interview"
    if source.study.clusters:
        note += "; of a file of clusters or practitioners, if the cluster has participants"
    return Table(
        "Files read, and what became of their rows",
        [
            Column("File", itemgetter("file"), 28, "l"),
            Column("Rows read", of("rows"), 14),
            Column("Identical rows left out", of("identical_rows_left_out"), 14),
            *strange,
            Column("Rows kept", of("kept"), 14),
            *account * bool(accounts),
        ],
        [accounts.get(entry["file"], {}) | entry for entry in source.flow["files"]],
        notes=[f"{note}."] * bool(accounts),
    )


def sets(source: Source) -> Table[Counted]:
    """Count the analysis sets by arm, with the reasons of those left out of complete cases."""
    return Table(
        "Analysis sets, by arm",
        count_columns(source, "Set"),
        [
            Counted(entry["label"], *line)
            for entry in source.flow.get("sets", [])
            for line in (
                ("", entry),
                *(
                    (f"Left out: {left_out_reason(source, part['reason'])}", part)
                    for part in entry["left_out"]
                    if entry["set"] in WITH_REASONS
                ),
            )
        ],
        grouped=True,
        notes=_complete(source),
    )


def _complete(source: Source) -> list[str]:
    """Say of what people in the set of complete cases are complete; that of an analysis differs."""
    names = [inside(source.name(outcome)) for outcome in source.study.complete_case]
    if not names:
        return []
    return [
        f"Complete cases here have {listed(names)} at every visit. Those of an analysis have what "
        "it adjusts for too, and are fewer where that is missing."
    ]


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


def scales(source: Source) -> Table[dict[str, Any]]:
    """Say how the scales did: reliability, floor and ceiling, without regard to arm."""
    found = records_of(source.scales)
    parts = list(dict.fromkeys((row["scale"], row["subscale"]) for row in found))

    def reach(row: dict[str, Any]) -> str | None:
        low, high = row["lowest"], row["highest"]
        return f"{low:g} to {high:g}" if known(low) and known(high) else None

    return Table(
        "The scales in these data, both arms together",
        [
            Column(
                "Scale", lambda row: f"{row['label']}{' (subscale)' if row['subscale'] else ''}"
            ),
            Column("Visit", lambda row: source.visit(row["visit"]) or "All visits", 28, "l"),
            Column("Items", lambda row: number(row["items"]), 8),
            Column("Scored", lambda row: number(row["n"]), 9),
            Column("Prorated", lambda row: number(row["n_prorated"]), 10),
            Column("Cronbach's alpha", lambda row: number(row["alpha"], 2), 12),
            Column("Possible range", reach, 16),
            Column("At the floor, %", lambda row: number(row["floor_percent"], 1), 10),
            Column("At the ceiling, %", lambda row: number(row["ceiling_percent"], 1), 10),
        ],
        sorted(found, key=lambda row: parts.index((row["scale"], row["subscale"]))),
        grouped=True,
        stub="Scale and visit",
        notes=[
            "Prorated scores rest on fewer answers than items. Alpha is that of complete answers; "
            "an index by a value set has none."
        ],
    )


def query_counts(source: Source) -> Table[Any]:
    """Count data queries by severity and rule, and those that a decision answers."""
    answered = _decided(source)
    counted = [
        Asked(severity, rule, how_many(own["line"]), own["line"][own["decision"] != ""])
        for (severity, rule), own in source.queries.groupby(["severity", "rule"])
    ]
    return Table(
        "Data queries, by severity and rule",
        [
            Column(
                "Severity", lambda line: capitalised(SEVERITIES.get(line.severity, line.severity))
            ),
            Column("Rule", attrgetter("rule"), 75, "l"),
            Column("Queries", lambda line: number(line.queries), 25),
            *[Column("Answered", lambda line: number(how_many(line.answers)), 20)] * answered,
        ],
        sorted(counted, key=lambda line: (rank(line.severity), -line.queries, line.rule)),
        grouped=True,
        stub="Severity and rule",
    )


def _decided(source: Source) -> bool:
    """Return whether any query is answered by a decision."""
    return "decision" in source.queries and bool((source.queries["decision"] != "").any())


def queries(source: Source) -> Table[dict[str, str]]:
    """List every value that was changed, set missing or found strange, with its answer."""

    def shown(name: str) -> Callable[[dict[str, str]], str | None]:
        return lambda query: query[name] or None

    return Table(
        "Every data query",
        [
            Column("Query", shown("id"), 9, "l"),
            Column("Severity", shown("severity"), 10, "l"),
            Column("File", shown("file"), 14, "l"),
            Column("Row", shown("row"), 7),
            Column("Participant", shown("participant"), 13, "l"),
            Column("Column", shown("column"), 18, "l"),
            Column("Value found", shown("raw_value"), 12, "l"),
            Column("Action", shown("action"), 25, "l"),
            Column("Rule", shown("rule"), 16, "l"),
            *[Column("Decision", _answer, 25, "l")] * _decided(source),
        ],
        source.queries.to_dict("records") if shows_records(source) else [],
    )


def _answer(query: dict[str, str]) -> str | None:
    """Write a decision with who took it, when and why."""
    if not query["decision"]:
        return None
    by = ", ".join(filter(None, [query["decided_by"], query["decided_on"]]))
    why = f": {query['answer']}" if query["answer"] else ""
    return f"{query['decision']}{f' ({by})' if by else ''}{why}"


def rank(severity: str | None) -> int:
    """Return the place of a severity, the most serious first."""
    order = list(SEVERITIES)
    return order.index(severity) if severity in order else len(order)


def shows_records(source: Source) -> bool:
    """Return whether documents may list participants and raw values: not those of real data."""
    return not source.study.guarded


def suppressed(source: Source) -> Table[list[str]]:
    """List what is not shown of real data, and why."""
    rows = {row["row"]: row for row in source.results}

    def what(line: list[str]) -> str:
        row = rows.get(line[1])
        said = [source.outcome(row["outcome"]), source.visit(row["visit"])] if row else [line[1]]
        more = [row[column] for column in ("term", "level", "subgroup")] if row else []
        return ", ".join(filter(None, [*said, *more]))

    return Table(
        "What is not shown, and why",
        [
            Column("File", itemgetter(0), 12, "l"),
            Column("Place", itemgetter(1), 20, "l"),
            Column("Of", what, 30, "l"),
            Column("What", itemgetter(2), 15, "l"),
            Column("Why", itemgetter(3), 30, "l"),
        ],
        source.flow.get("suppressed", []),
    )


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
    if of.study.guarded:
        yield TableItem("suppressed", suppressed, shown=lambda source: False)


def software_used() -> str:
    """Return Python and the packages that numbers hang on, with their versions."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return listed([python, *(f"{name} {version(name)}" for name in SOFTWARE)])


SECTION = Section("records", _items, lambda source: {"software": software_used()})
