"""The list of everything that was changed, set missing or found strange in the raw files."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

COLUMNS = ["id", "severity", "file", "row", "participant", "column", "raw_value", "action", "rule"]


@dataclass
class Queries:
    """Queries collected while the raw files are read, one for each cell or row concerned."""

    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(
        self,
        severity: str,
        file: str,
        cells: pd.DataFrame,
        *,
        column: str,
        action: str | pd.Series,
        rule: str,
    ) -> None:
        """Add one query for each row of `cells`.

        Parameters
        ----------
        severity : {"error", "query", "note"}
            error: impossible as it stands; query: to be asked; note: dealt with by the dictionary.
        file : str
            Name of the raw file.
        cells : pandas.DataFrame
            Columns row (line in the file), participant and raw_value.
        column : str
            Raw column; empty where the whole row is meant.
        action : str or pandas.Series
            What was done, for all cells or for each.
        rule : str
            The rule that was broken.
        """
        if cells.empty:
            return
        part = cells[["row", "participant", "raw_value"]].copy()
        self.parts.append(
            part.assign(severity=severity, file=file, column=column, action=action, rule=rule)
        )

    def table(self) -> pd.DataFrame:
        """Return all queries, sorted by file, row and column, numbered Q0001 and on."""
        if not self.parts:
            return pd.DataFrame(columns=COLUMNS)
        table = pd.concat(self.parts, ignore_index=True)
        table = table.sort_values(
            ["file", "row", "column", "rule"], kind="stable", ignore_index=True
        )
        table["id"] = [f"Q{number:04d}" for number in range(1, len(table) + 1)]
        return table[COLUMNS]
