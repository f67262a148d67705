"""The list of everything that was changed, set missing or found strange in the raw files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.sheet import Note, Sheet

COLUMNS = [
    "id",
    "severity",
    "file",
    "sheet",
    "row",
    "participant",
    "column",
    "raw_value",
    "action",
    "rule",
    "decision",
    "decided_by",
    "decided_on",
    "answer",
]
ANSWERS = COLUMNS[-4:]
ORDER = ["file", "sheet", "row", "column", "rule"]
PLACE = re.compile(
    r"^(?P<file>[^:,]+?)(, sheet '(?P<sheet>.*?)')?"
    r"(, (?:line|row|case)s? (?P<row>\d+)[^,:]*)?(, column '(?P<column>.*?)')?: "
)


@dataclass
class Asked:
    """Queries about one column of one file by one rule.

    Attributes
    ----------
    severity, file, sheet, column, rule : str
        What they have in common.
    rows : numpy.ndarray of int, shape (k,)
        Where.
    participant, raw_value, action : numpy.ndarray of object, shape (k,)
        Of whom, what stands there, what was done.
    answers : dict
        Position → decision, who took it, when, and why.
    """

    severity: str
    file: str
    sheet: str
    column: str
    rule: str
    rows: np.ndarray
    participant: np.ndarray
    raw_value: np.ndarray
    action: np.ndarray
    answers: dict[int, tuple[str, str, str, str]] = field(default_factory=dict)


@dataclass
class Queries:
    """Queries collected while the raw files are cleaned, one for each cell or row concerned."""

    parts: list[Asked] = field(default_factory=list)

    def add(
        self,
        severity: str,
        sheet: Sheet,
        where: np.ndarray,
        *,
        column: str,
        action: str | np.ndarray,
        rule: str,
    ) -> None:
        """Add one query for each of some cells of a column, or for each of some rows.

        Parameters
        ----------
        severity : {"error", "query", "note"}
            error: impossible as it stands; query: to be asked; note: dealt with by the dictionary.
        sheet : Sheet
            The raw file.
        where : numpy.ndarray of bool, shape (n,)
            Which rows of it.
        column : str
            Raw column; empty where the whole row is meant.
        action : str or numpy.ndarray of str, shape (n,)
            What was done, for all cells or for each row of the sheet.
        rule : str
            The rule that was broken.
        """
        at, known = np.flatnonzero(where), sheet.participant
        if len(at):
            done = (
                action[at] if isinstance(action, np.ndarray) else np.full(len(at), action, object)
            )
            nobody = np.full(len(at), "", object)
            who = nobody if known is None else known.array[at].to_numpy(dtype=object)
            found = sheet.found(at, column)
            place = (sheet.path.name, sheet.name, column, rule)
            self.parts.append(Asked(severity, *place, sheet.rows[at], who, found, done))

    def add_note(self, sheet: Sheet, note: Note) -> None:
        """Add one note for all cells of a column that were read in the same way; its row is 0."""
        hidden = note.column in sheet.hidden
        cells = "one cell" if note.n == 1 else f"{note.n} cells"
        action = f"{cells} read" if hidden else f"{cells} read, this one as {note.value or 'blank'}"
        said = ("", "" if hidden else note.found, action)
        who, found, done = (np.array([text], dtype=object) for text in said)
        place = (sheet.path.name, sheet.name, note.column, note.rule)
        self.parts.append(Asked("note", *place, np.zeros(1, int), who, found, done))

    def add_whole(
        self, severity: str, file: str, *, raw_value: str, action: str, rule: str
    ) -> None:
        """Add a query about a whole file, or about the study; its row is 0."""
        who, found, done = (np.array([text], object) for text in ("", raw_value, action))
        self.parts.append(Asked(severity, file, "", "", rule, np.zeros(1, int), who, found, done))

    def table(self) -> pd.DataFrame:
        """Return all queries, sorted by file, row and column, numbered Q0001 and on."""
        if not self.parts:
            return pd.DataFrame(columns=COLUMNS)
        sizes = [len(part.rows) for part in self.parts]
        table = pd.DataFrame({"row": np.concatenate([part.rows for part in self.parts])})
        for name in ("severity", "file", "sheet", "column", "rule"):
            kinds = sorted({getattr(part, name) for part in self.parts})
            codes = [kinds.index(getattr(part, name)) for part in self.parts]
            table[name] = pd.Categorical.from_codes(np.repeat(codes, sizes), categories=kinds)
        for name in ("participant", "raw_value", "action"):
            whole = np.concatenate([getattr(part, name) for part in self.parts])
            table[name] = pd.Series(whole, dtype=object)
        table = table.assign(**dict.fromkeys(ANSWERS, pd.Series("", table.index, dtype=object)))
        for start, part in zip(np.cumsum([0, *sizes]), self.parts, strict=False):
            for at, answer in part.answers.items():
                table.loc[start + at, ANSWERS] = answer
        table = table.sort_values(ORDER, kind="stable", ignore_index=True)
        table["id"] = [f"Q{number:04d}" for number in range(1, len(table) + 1)]
        return table[COLUMNS]


def faults_table(faults: Sequence[str], queries: Queries) -> pd.DataFrame:
    """Return what stopped a run, one line for each fault, and the queries found until then.

    Parameters
    ----------
    faults : sequence of str
        Sentences that begin with the place, as in ``data/raw/a.csv, line 3, column 'x': …``.
    queries : Queries
        What was found before.

    Returns
    -------
    pandas.DataFrame
        Columns as in the list of queries; the severity of what stopped the run is ``stop``.
    """
    lines = []
    for number, fault in enumerate(faults, start=1):
        place = PLACE.match(fault)
        parts = {k: v or "" for k, v in place.groupdict().items()} if place else {}
        sentence = {"id": f"S{number:04d}", "severity": "stop", "action": "the run stopped"}
        lines.append(dict.fromkeys(COLUMNS, "") | sentence | parts | {"rule": fault})
    table = pd.DataFrame(lines, columns=COLUMNS)
    return pd.concat([table, queries.table()], ignore_index=True) if queries.parts else table
