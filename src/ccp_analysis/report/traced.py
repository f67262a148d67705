"""A source whose numbers know where they come from."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd

from ccp_analysis.layout import FLOW
from ccp_analysis.report.marks import marked, told
from ccp_analysis.report.source import Row, Source, records_of
from ccp_analysis.results.table import NUMBERS

# What the plan says itself is not traced.
TRACED = [column for column in NUMBERS if column not in ("threshold", "delta")]
# A number in a note: not part of a name, as CR2 or T01 are.
_IN_NOTE = re.compile(r"(?<![\w.,\-])[-\N{MINUS SIGN}]?\d[\d,]*(?:\.\d+)?(?![\w]|[-.,]\w)")


def traced(source: Source) -> Source:
    """Return the same source with numbers that know their place."""
    return replace(
        source,
        results=_rows(source.results),
        flow=_within(source.flow, f"{FLOW.name}#"),
        queries=_listed(source.queries),
        models=_table(source.models, "imputation_models.csv", notes="note"),
        scales=_table(source.scales, "scales.csv"),
        patterns=_table(source.patterns, "missing_patterns.parquet", ["people", "missing"]),
        losses=_table(source.losses, "losses.parquet"),
        prices=_table(source.prices, "prices.parquet", ["price", "unit_price"]),
        intervention=_table(source.intervention, "intervention.parquet", ["price", "cost"]),
    )


def _listed(queries: pd.DataFrame) -> pd.DataFrame:
    """Trace the lines of queries, each in the file that lists it."""
    if queries.empty:
        return queries
    return pd.concat([_table(part, name, ["line"]) for name, part in _by_file(queries)])


def _by_file(queries: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    if queries.empty:
        return []
    return [(str(name), part) for name, part in queries.groupby("listed", sort=False)]


def _rows(rows: list[Row]) -> list[Row]:
    notes: dict[str, str] = {}  # marked by the first row that says so: the same words stay the same
    found = []
    for row in rows:
        name, own = row["row"], dict(row)
        for column in TRACED:
            if row[column] is not None:
                own[column] = told(row[column], f"{name}.{column}")
        note, own["needed"] = row["note"], row["needed"] and told(row["needed"], f"{name}.note")
        if note not in notes:
            notes[note] = _said(note, f"{name}.note")
        own["note"] = notes[note]
        found.append(own)
    return found


def _said(note: str, place: str) -> str:
    """Mark every number of a sentence that was read."""
    return _IN_NOTE.sub(lambda number: marked(number[0], place), note)


def _within(part: Any, place: str) -> Any:
    """Trace every number of something that was read from JSON, by JSON pointers (RFC 6901)."""
    if isinstance(part, dict):
        return {key: _within(value, f"{place}/{_step(key)}") for key, value in part.items()}
    if isinstance(part, list):
        return [_within(value, f"{place}/{at}") for at, value in enumerate(part)]
    if isinstance(part, bool) or not isinstance(part, int | float):
        return part
    return told(part, place)


def _step(key: str) -> str:
    return quote(key.replace("~", "~0").replace("/", "~1"), safe="~")


def _table(
    table: pd.DataFrame, name: str, columns: list[str] | None = None, notes: str = ""
) -> pd.DataFrame:
    """Trace the numbers of a table, and those in its notes, by line (from 0) and column."""
    table = table.copy()
    for column in table.select_dtypes("number").columns if columns is None else columns:
        if column in table:
            cells = [
                None if pd.isna(cell) else told(cell, f"{name}#/{at}/{column}")
                for at, cell in enumerate(table[column].tolist())
            ]
            table[column] = pd.Series(cells, index=table.index, dtype=object)
    if notes in table:
        table[notes] = [_said(n, f"{name}#/{at}/{notes}") for at, n in enumerate(table[notes])]
    return table


class Values:
    """The numbers behind places, at full precision."""

    def __init__(self, source: Source) -> None:
        self._rows = {row["row"]: row for row in source.results}
        tables = {
            **{name: part.reset_index(drop=True) for name, part in _by_file(source.queries)},
            "imputation_models.csv": source.models,
            "scales.csv": source.scales,
            "missing_patterns.parquet": source.patterns,
            "losses.parquet": source.losses,
            "prices.parquet": source.prices,
            "intervention.parquet": source.intervention,
        }
        self._files: dict[str, Any] = {name: records_of(table) for name, table in tables.items()}
        self._files[FLOW.name] = source.flow

    def at(self, place: str) -> float | None:
        """Return the number at a place; None where it is one in a sentence."""
        formula, _, places = place.partition("@")
        terms = [self._product(term.split("*")) for term in formula.split("+")]
        if any(term is None for term in terms):
            return None
        total = sum(term for term in terms if term is not None)
        return round(total, int(places)) if places else total

    def _product(self, factors: list[str]) -> float | None:
        found = [self._factor(factor) for factor in factors]
        return None if None in found else math.prod(f for f in found if f is not None)

    def _factor(self, factor: str) -> float | None:
        if factor.isdigit():
            return int(factor)
        name, _, pointer = factor.partition("#")
        if pointer:
            return _number(self._walk(self._files[name], pointer))
        name, _, column = factor.partition(".")
        return _number(self._rows[name][column] if column else {})

    def _walk(self, part: Any, pointer: str) -> Any:
        for step in pointer.removeprefix("/").split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            part = part[int(key)] if isinstance(part, list) else part[key]
        return part


def _number(found: Any) -> float | None:
    """Return a number as it is, one for a record, and None for a sentence."""
    if isinstance(found, str):
        return None
    if isinstance(found, dict):
        return 1
    return int(found) if isinstance(found, int) else float(found)
