"""The statistician's answers to queries: ``config/decisions.csv``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.decode import decode_one, plain
from ccp_analysis.cleaning.limits import possible
from ccp_analysis.cleaning.queries import Asked, Queries
from ccp_analysis.cleaning.rules import Finding
from ccp_analysis.cleaning.table import RawTable
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import among, first_of
from ccp_analysis.config.study import Study
from ccp_analysis.config.tables import read_table
from ccp_analysis.errors import StudyError, few
from ccp_analysis.files import NUMBER, unescaped
from ccp_analysis.layout import DECISIONS, DICTIONARY

COLUMNS = ["file", "participant", "column", "raw_value", "action", "value", "who", "when", "why"]
KEEP, REMOVE, CORRECT = ACTIONS = ("keep", "set missing", "correct")
REASON = "set missing by a decision"


@dataclass(frozen=True)
class Decision:
    """One line of the decisions: which cell, what is done with it, who, when and why.

    `row` is None where the file, participant, column and raw value say enough.
    """

    line: int
    file: str
    row: int | None
    participant: str
    column: str
    raw_value: str
    action: str
    value: str
    who: str
    when: str
    why: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """The raw value, and what it was before a spreadsheet or a table put an apostrophe."""
        plain = self.raw_value.removeprefix("'")
        return (self.raw_value, plain) if NUMBER.fullmatch(plain) else (self.raw_value,)

    @property
    def place(self) -> str:
        """Where the decision stands."""
        return f"{DECISIONS}, line {self.line}"


def load_decisions(study: Study, dictionary: list[Column]) -> list[Decision]:
    """Read the decisions; none where there is no such file.

    Parameters
    ----------
    study, dictionary
        For the files and columns that decisions may name.

    Raises
    ------
    StudyError
        Names the first fault; `faults` lists all.
    """
    if not DECISIONS.is_file():
        return []
    decisions, faults = [], []
    for line, row in read_table(DECISIONS, COLUMNS, ["row", "sheet", "note"]):
        found = list(_faults(row, study, dictionary))
        faults += [f"{DECISIONS}, line {line}: {fault}." for fault in found]
        if not found:
            where = int(row["row"]) if row.get("row") else None
            texts = {key: unescaped(row[key]) for key in COLUMNS}
            decisions.append(Decision(line=line, row=where, **texts))
    if faults:
        raise first_of(faults)
    return decisions


def _faults(row: dict[str, str], study: Study, dictionary: list[Column]) -> Iterator[str]:
    names = {name: spec.path.name for name, spec in study.files.items()}
    if row["file"] not in names.values():
        yield f"file '{row['file']}' found; expected one of {few(names.values())}"
    elif row["column"]:
        known = {column.column for column in dictionary if names.get(column.file) == row["file"]}
        yield from among("column", [row["column"]], known, f"columns of {row['file']}")
    if row.get("row") and not row["row"].isdecimal():
        yield f"row '{row['row']}' found; expected a number"
    if row["action"] not in ACTIONS:
        yield f"action '{row['action']}' found; expected one of {', '.join(ACTIONS)}"
    if (row["action"] == CORRECT) != bool(row["value"]):
        yield "a value goes with the action 'correct', and only with it"
    if row["action"] != KEEP and not row["column"]:
        yield f"a column is expected with the action '{row['action']}'"
    for key in ("who", "why"):
        if not row[key]:
            yield f"'{key}' is empty; every decision says who took it and why"
    try:
        dt.date.fromisoformat(row["when"])
    except ValueError:
        yield f"when '{row['when']}' found; expected a date as in 2020-01-31"


@dataclass
class Answers:
    """Decisions and the queries that they answer.

    Attributes
    ----------
    decisions : list of Decision
        All.
    used : set of int
        Lines of those that answer a query.
    """

    decisions: list[Decision]
    used: set[int] = field(default_factory=set)

    def apply(self, study: Study, tables: dict[str, RawTable], queries: Queries) -> bool:
        """Let decisions answer the queries found so far, and change the values they speak of.

        Parameters
        ----------
        study : Study
            How numbers and dates are written in its files.
        tables : dict
            File id → `RawTable`; values are corrected or set missing in them.
        queries : Queries
            Answered queries get the decision, who took it, when, and why.

        Returns
        -------
        bool
            Whether a value was changed.

        Raises
        ------
        StudyError
            If two decisions answer one query, a value to be kept is impossible, or a correction is
            not valid.
        """
        changed, faults = False, []
        for decision in self.decisions:
            if decision.line in self.used:
                continue
            hits = [(part, _answered(part, decision)) for part in queries.parts]
            hits = [(part, at) for part, at in hits if len(at)]
            if not hits:
                continue
            self.used.add(decision.line)
            try:
                for table in _about(decision, study, tables, hits):
                    said = _change(decision, table, study, hits)
            except StudyError as error:
                faults.append(str(error))
                continue
            changed |= decision.action != KEEP
            for part, at in hits:
                answer = (said, decision.who, decision.when, decision.why)
                part.answers |= dict.fromkeys(at.tolist(), answer)
        if faults:
            raise first_of(faults)
        return changed

    def check_used(self) -> None:
        """Raise StudyError for decisions that answer no query; `faults` lists all."""
        faults = [
            f"{d.place}: no query about '{d.raw_value}' of participant '{d.participant}' in "
            f"{d.file}, column '{d.column}'; a decision must match one."
            for d in self.decisions
            if d.line not in self.used
        ]
        if faults:
            raise first_of(faults)

    def keeps(self, finding: Finding, table: RawTable) -> np.ndarray:
        """Return which rows of a finding a decision has answered; they are left as decided."""
        column = table.column(finding.variable).column if finding.variable else ""
        kept = np.zeros(len(finding.where), dtype=bool)
        for d in self.decisions:
            if d.line in self.used and (d.file, d.column) == (table.sheet.path.name, column):
                same = np.asarray(table.sheet.participant == d.participant)
                kept |= same & ((table.sheet.rows == d.row) | (d.row is None))
        return kept & finding.where


def _answered(part: Asked, decision: Decision) -> np.ndarray:
    """Return the positions of the queries that a decision is about."""
    if (part.file, part.column) != (decision.file, decision.column):
        return np.zeros(0, dtype=int)
    return np.array(
        [
            at
            for at in np.flatnonzero(part.participant == decision.participant)
            if part.raw_value[at].strip() in decision.spellings
            and decision.row in (None, part.rows[at])
        ],
        dtype=int,
    )


def _about(
    decision: Decision,
    study: Study,
    tables: dict[str, RawTable],
    hits: list[tuple[Asked, np.ndarray]],
) -> list[RawTable]:
    """Return the tables that hold the rows of a decision: several may share a raw file."""
    rows = np.concatenate([part.rows[at] for part, at in hits])
    named = [tables[f] for f, s in study.files.items() if s.path.name == decision.file]
    about = [
        table
        for table in named
        if table.sheet.name in {part.sheet for part, _ in hits}
        and decision.column in table.sheet.cells
        and np.isin(table.sheet.rows, rows).any()
    ]
    return about or named[:1]  # a query about a whole file, or about a row that was left out


def _change(
    decision: Decision, table: RawTable, study: Study, hits: list[tuple[Asked, np.ndarray]]
) -> str:
    """Change the values that a decision is about; return words for what was done."""
    if any(set(at) & set(part.answers) for part, at in hits):
        raise StudyError(f"{decision.place}: another decision answers the same query already.")
    if decision.action == KEEP:
        for part, at in hits:
            if part.severity == "error" and (part.action[at] == "set missing").any():
                raise StudyError(
                    f"{decision.place}: the value is impossible ({part.rule}) and cannot be kept; "
                    f"correct it, set it missing, or change {DICTIONARY}."
                )
        return KEEP
    column = next(c for c in table.columns if c.column == decision.column)
    if column.type == "id":
        raise StudyError(f"{decision.place}: an identifier cannot be changed by a decision.")
    where = np.isin(table.sheet.rows, np.concatenate([part.rows[at] for part, at in hits]))
    if not where.any():
        raise StudyError(
            f"{decision.place}: the note is about all cells of a column; it can only be kept."
        )
    if decision.action == REMOVE:
        table.set_missing(column.variable, where, REASON)
        return REMOVE
    value = _corrected(decision, column, study, table)
    table.set_value(column.variable, where, value)
    return "corrected" if column.hidden else f"corrected to {plain(value)}"


def _corrected(decision: Decision, column: Column, study: Study, table: RawTable) -> object:
    # A decision is written by the statistician: with a decimal point and ISO dates.
    file = study.files[table.file].model_copy(update={"decimal": "point", "dates": "iso"})
    value = decode_one(decision.value, column, file)
    if value is None or (isinstance(value, pd.Timestamp) and not possible(value)):
        raise StudyError(
            f"{decision.place}: '{decision.value}' is not a valid value of '{column.column}' by "
            f"{DICTIONARY}."
        )
    return value
