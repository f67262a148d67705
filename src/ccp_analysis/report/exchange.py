"""The results, and every table with the numbers in it, for other programs (docs/exchange.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ccp_analysis.report.marks import WITHHELD, origins, plain
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table
from ccp_analysis.report.traced import Values
from ccp_analysis.results.table import COLUMNS

VERSION = 1  # of the format; docs/schema/results.json describes it
STUDY = ("id", "title", "registration", "data_status")


def as_json(source: Source, tables: dict[str, tuple[str, Table[Any]]], values: Values) -> str:
    """Return the study, its results and its tables as JSON, a line for each row.

    Parameters
    ----------
    source : Source
        The results as they were read.
    tables : dict
        Name → label, as ``Table 1``, and table with marked cells.
    values : Values
        What the numbers in the cells are at full precision.
    """
    study = {key: getattr(source.study, key) for key in STUDY}
    study["data_date"] = source.study.data_date.isoformat()
    whole = (row | {"note": row["whole_note"]} for row in source.results)
    rows = ({c: row[c] for c in COLUMNS if row[c] not in (None, "", WITHHELD)} for row in whole)
    displays = (_display(name, *table, values) for name, table in tables.items())
    parts = [
        f'"version": {VERSION}',
        f'"study": {_json(study)}',
        f'"results": {_lines(rows)}',
        f'"displays": {_lines(displays)}',
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _display(name: str, label: str, table: Table[Any], values: Values) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "caption": plain(table.caption),
        "file": f"tables/{name}.csv",
        "header": [_said(head, values) for head in table.header],
        "rows": [[_said(cell or "", values) for cell in row] for row in table.rows],
        "notes": [_said(note, values) for note in table.notes],
    }


def _said(text: str, values: Values) -> dict[str, Any]:
    """Return text as it is shown, and each number in it with its place and value."""
    found = [
        {"shown": words, "place": place} | ({} if (v := values.at(place)) is None else {"value": v})
        for place, words in origins(text)
    ]
    return {"text": plain(text), **({"numbers": found} if found else {})}


def _lines(records: Iterable[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(map(_json, records)) + "\n]"


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)
