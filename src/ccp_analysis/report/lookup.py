"""Rows of the results by what stands in their columns: asked thousands of times, sorted once."""

from __future__ import annotations

from typing import Any

from ccp_analysis.results.terms import require_known

Row = dict[str, Any]


class Lookup:
    """Rows in their order, and by the values of each column that was asked for."""

    def __init__(self, rows: list[Row]) -> None:
        self.all, self.by = rows, dict[str, dict[object, list[Row]]]()

    def rows(self, where: dict[str, object]) -> list[Row]:
        """Return the rows whose columns have the values given, in their order."""
        if not where:
            return list(self.all)
        for column, value in where.items():
            require_known(column, value)
        column, first = next(iter(where.items()))
        found = self._of(column).get(first, [])
        return [row for row in found if all(row[name] == value for name, value in where.items())]

    def _of(self, column: str) -> dict[object, list[Row]]:
        if column not in self.by:
            sorted_rows = self.by[column] = {}
            for row in self.all:
                sorted_rows.setdefault(row[column], []).append(row)
        return self.by[column]


def services(prices: list[Row]) -> dict[str, str]:
    """Return the label of each service and of each variable of one, of several the first."""
    labels: dict[str, str] = {}
    for row in prices:
        for name in (row["service"], row["variable"].removesuffix(f"_{row['visit']}")):
            labels.setdefault(name, str(row["label"]))
    return labels
