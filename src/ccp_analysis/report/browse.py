"""What stands behind the numbers of the report: all results, and what is told of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from ccp_analysis.report.cells import DATA, inference_of, method
from ccp_analysis.report.marks import SUPPRESSED, Withheld, anchor, plain
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.traced import Values
from ccp_analysis.report.words import MINUS, listed
from ccp_analysis.results.table import COLUMNS, NUMBERS
from ccp_analysis.results.terms import Model

# What has a column of the page of its own; the rest stands in one cell, by name.
SHOWN = ("estimate", "conf_low", "conf_high", "p_value", "n", "status", "note")
NAMED = ("row", "analysis", "outcome", "visit", "model", "inference", "population", "data_status")
LEVELS = ("term", "level", "subgroup", "perspective", "threshold", "delta")
REST = [c for c in COLUMNS if c not in (*SHOWN, *NAMED, *LEVELS)]
NUMERIC = ["Estimate", "From", "To", "p", "n"]
HEADS = ["Row", "Analysis", "Outcome", "What", "Model and data", "Inference", *NUMERIC]
HEADS += ["Status", "Note", "More"]
DIGITS = 8  # shown of a number; results.csv has all


def content(source: Source, places: list[str], more: Iterable[str]) -> dict[str, Any]:
    """Return what readers find behind numbers.

    Parameters
    ----------
    source : Source
        The results as they were read, with labels.
    places : list of str
        The places of the numbers of the text, in the order of the numbers that stand for them.
    more : iterable of str
        Those of the numbers of tables.

    Returns
    -------
    dict
        `places`; `rows`, what is told of each row that the text uses; and for the page of all
        results `heads` of its columns, its `lines` in HTML, and `others`: anchor, place and number
        of what is not in one row.
    """
    return {
        "places": places,
        "rows": _described(source, set(map(anchor, places))),
        "heads": [(name, name in NUMERIC) for name in HEADS],
        "lines": [_line(source, row) for row in source.results],
        "others": list(_others(source, [*places, *more])),
    }


def _line(source: Source, row: Row) -> str:
    """Write a row of the table; end tags that HTML does not need are left out."""
    text = [row["analysis"], _about(source, row), _what(source, row), *_by(row)]
    text = [f"<td>{escape(plain(part), quote=False)}" for part in text]
    numbers = [f"<td class=r>{_digits(row[name])}" for name in SHOWN[:5]]
    rest = [row["status"], row["whole_note"], "; ".join(_rest(row))]
    last = [f"<td>{escape(plain(part), quote=False)}" for part in rest]
    return f"<tr id={row['row']}><th scope=row>{row['row']}{''.join([*text, *numbers, *last])}"


def _by(row: Row) -> list[str]:
    """Return the names of a row's model and data, and of its inference, where it has them."""
    model, data = method(row), DATA.get(row["population"], "")
    return [data if row["model"] == Model.NONE else model, inference_of(row).replace("none", "")]


def _digits(value: float | None) -> str:
    if isinstance(value, Withheld):
        return SUPPRESSED
    return "" if value is None else f"{float(value):.{DIGITS}g}".replace("-", MINUS)


def _rest(row: Row) -> Iterator[str]:
    for column in REST:
        value = row[column]
        if value not in (None, ""):
            shown = _digits(value) if column in NUMBERS else value
            yield f"{column} {shown}"


def _about(source: Source, row: Row) -> str:
    """Return the label of a row's outcome and visit."""
    return ", ".join(filter(None, [source.outcome(row["outcome"]), source.visit(row["visit"])]))


def _what(source: Source, row: Row) -> str:
    """Return what a row estimates: its term, of which arm, subgroup or threshold."""
    at = [f"{name} {_digits(row[name])}" for name in LEVELS[4:] if row[name] is not None]
    level = source.arm(row["level"])
    return ", ".join(filter(None, [row["term"], level, row["subgroup"], row["perspective"], *at]))


def _described(source: Source, rows: set[str]) -> dict[str, list[str]]:
    """Return for rows of the results what a reader is told who points at their numbers."""
    return {
        row["row"]: [plain(text) for text in _told(source, row) if text]
        for row in source.results
        if row["row"] in rows
    }


def _told(source: Source, row: Row) -> Iterator[str]:
    yield f"{_about(source, row)}: {_what(source, row)}".removeprefix(": ")
    population = row["population"] if row["population"] not in DATA else ""
    yield "; ".join(filter(None, [*_by(row), population]))
    clusters = source.study.clusters
    people = [f"n = {row['n']}"] * (row["n"] is not None)
    unit = f"{clusters.unit_label}s" if clusters else "clusters"
    people += [f"{row['n_clusters']} {unit}"] * (row["n_clusters"] is not None)
    yield listed(people)
    yield row["whole_note"]


def _others(source: Source, places: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield anchor, place and number of what is not in one row of the results."""
    rows, values = {row["row"] for row in source.results}, Values(source)
    seen = {name: place for place in places if (name := anchor(place)) not in rows}
    for name, place in sorted(seen.items(), key=lambda pair: _natural(pair[1])):
        value = values.at(place)
        yield name, place, "in a sentence" if value is None else _digits(value)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return by what places are sorted: the numbers in them as numbers."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", text)]
