"""A source without single people, for the reports of real data; and one for figures."""

from __future__ import annotations

from dataclasses import fields, replace

import pandas as pd

from ccp_analysis.report.marks import WITHHELD
from ccp_analysis.report.source import SCALED, Source

OF_PERSON = ["id", "file", "sheet", "row", "participant", "column", "raw_value", "action", "answer"]


def guarded(source: Source) -> Source:
    """Return a source without single people, nor counts that the released results do not have.

    Of other than real data it is as it was. Results and flow are released already
    (`results.released`).
    """
    if not source.study.guarded:
        return source
    named = source.queries.assign(**dict.fromkeys(OF_PERSON, ""))
    same = named.groupby(["severity", "rule"])["line"].transform("size")
    practice, balance = source.practice, source.balance
    return replace(
        source,
        queries=named[same >= source.study.disclosure.smallest].reset_index(drop=True),
        models=_without(source.models, ["missing", "usable", "usable_share"], "note"),
        scales=_without(source.scales, [*SCALED[3:5], *SCALED[6:]]),
        points=source.points.iloc[:0],
        values=source.values.iloc[:0],
        traces=source.traces.iloc[:0],
        patterns=source.patterns.iloc[:0],
        losses=source.losses.iloc[:0],
        balance=balance if balance.empty else balance[balance["figure"] == "contour"],
        practice=practice if practice.empty else practice.iloc[:0],
    )


def _without(table: pd.DataFrame, columns: list[str], notes: str = "") -> pd.DataFrame:
    there = [column for column in columns if column in table]
    more = {notes: ""} if notes in table else {}
    return table.astype(dict.fromkeys(there, object)).assign(
        **dict.fromkeys(there, WITHHELD), **more
    )


DIGITS = 10  # of what is drawn


def steady(source: Source) -> Source:
    """Return a source whose numbers have ten digits, for figures.

    Processors differ in the last of sixteen; where a mark lies between two pixels these decide.
    """
    drawn = {field.name: getattr(source, field.name) for field in fields(source) if field.init}
    tables = {
        name: table.apply(lambda c: c.map(_rounded) if c.dtype == float else c)
        for name, table in drawn.items()
        if isinstance(table, pd.DataFrame)
    }
    rows = [
        {name: _rounded(value) if type(value) is float else value for name, value in row.items()}
        for row in source.results
    ]
    return replace(source, results=rows, **tables)


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
