"""Mistakes as real exports have them, planted into clean files and listed one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccp_analysis.random import stream
from synthetic.parameters import DEFAULT

if TYPE_CHECKING:
    from synthetic.study_data import StudyData

FAULT_COLUMNS = ["file", "row", "participant", "column", "raw_value", "kind"]
INTERVIEWS = ("baseline", "followup")
MISSING_CODES = ("-99", "NA", "not asked", "")

# Other spellings by column and code; all of them are labels or synonyms of the data dictionary.
SPELLINGS = {
    "gender": {"female": ("Female", "F", "Femal", "FEMALE"), "male": ("Male", "M", "man")},
    "ethnicity": {"white": ("White British", "Whit"), "black": ("Black British",)},
    "diagnosis": {"psychosis": ("Psycosis", "schizophrenia"), "depression": ("Depresion",)},
    "living": {"alone": ("Lives alone", "ALONE"), "family": ("With family",)},
    "employment": {"unemployed": ("Unemploied", "out of work"), "unable": ("Long-term sick",)},
    "event": {"withdrawal": ("Withdrawn", "Withdrew"), "loss": ("Lost",)},
}


@dataclass(frozen=True)
class Mess:
    """How much is planted.

    Attributes
    ----------
    items : float
        Share of the answered items that become single missing answers.
    instruments : int
        Whole instruments left unanswered, in each interview file.
    demographics, services : int
        Cells made missing among the demographics, and among the services in each file.
    spaces, spellings, events : int
        Cells of each interview file with white space around the value, cells of the baseline file
        spelt otherwise, cells of the status file spelt otherwise.
    impossible : tuple of (file, column, value)
        Values that cannot be.
    duplicates : int
        Rows of the baseline file that stand again, identical, at its end.
    """

    items: float = 0.008
    instruments: int = 3
    demographics: int = 8
    services: int = 10
    spaces: int = 15
    spellings: int = 14
    events: int = 2
    impossible: tuple[tuple[str, str, str], ...] = (
        ("baseline", "age", "193"),
        ("baseline", "qpr_09", "9"),
        ("baseline", "eq_pain", "6"),
        ("baseline", "goal_1", "11"),
        ("followup", "rgu_11", "2"),
        ("followup", "wemwbs_04", "0"),
        ("followup", "eq_vas", "650"),
        ("followup", "su_gp", "-4"),
    )
    duplicates: int = 1


DEFAULT_MESS = Mess()


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it stands in a CSV file: every cell text, missing cells empty."""
    return table.astype(object).where(table.notna(), "").astype(str)


class _Planter:
    """Changes cells, each at most once, and remembers where and how."""

    def __init__(self, tables: dict[str, pd.DataFrame], rng: np.random.Generator) -> None:
        self.tables = tables
        self.rng = rng
        self.faults: list[tuple[str, int, str, str, str, str]] = []
        self.taken: set[tuple[str, int, str]] = set()

    def free(self, file: str, columns: list[str]) -> list[tuple[int, str]]:
        """Return the filled cells of these columns in which nothing is planted yet."""
        table = self.tables[file]
        return [
            (row, column)
            for column in columns
            for row in np.flatnonzero((table[column] != "").to_numpy()).tolist()
            if (file, row, column) not in self.taken
        ]

    def some(self, file: str, columns: list[str], count: int) -> list[tuple[int, str]]:
        """Return `count` of the free cells, at random (all if there are fewer)."""
        cells = self.free(file, columns)
        return [cells[i] for i in self.rng.permutation(len(cells))[:count]]

    def put(self, file: str, row: int, column: str, value: str, kind: str) -> None:
        """Write a value into a cell and list it; the header is line 1 of the file."""
        table = self.tables[file]
        table.iat[row, table.columns.get_loc(column)] = value
        self.taken.add((file, row, column))
        participant = table["participant"].iat[row]
        self.faults.append((file, row + 2, participant, column, value, kind))

    def missing(self, file: str, row: int, column: str, code: str) -> None:
        """Make a cell missing by one of the codes, or blank."""
        self.put(file, row, column, code, "missing_code" if code else "blank")

    def pick(self, values: tuple[str, ...]) -> str:
        """Return one of the values at random."""
        return values[int(self.rng.integers(len(values)))]


def _duplicate(planter: _Planter, count: int) -> None:
    """Repeat rows of the baseline file at its end; nothing else is planted into them."""
    table = planter.tables["baseline"]
    rows = np.sort(planter.rng.choice(len(table), count, replace=False))
    for copy, row in enumerate(rows, start=len(table)):
        participant = table["participant"].iat[row]
        planter.faults.append(("baseline", copy + 2, participant, "", "", "duplicate_row"))
        planter.taken |= {("baseline", int(r), c) for r in (row, copy) for c in table.columns}
    planter.tables["baseline"] = pd.concat([table, table.iloc[rows]], ignore_index=True)


def _respell(planter: _Planter, file: str, columns: list[str], count: int) -> None:
    """Write categories in other spellings that the dictionary declares."""
    table = planter.tables[file]
    cells = [
        (row, column)
        for row, column in planter.some(file, columns, len(table) * len(columns))
        if table[column].iat[row] in SPELLINGS[column]
    ]
    for row, column in cells[:count]:
        spelling = planter.pick(SPELLINGS[column][table[column].iat[row]])
        planter.put(file, row, column, spelling, "recoded")


def plant_mess(
    study: StudyData, seed: int, mess: Mess = DEFAULT_MESS
) -> tuple[StudyData, pd.DataFrame]:
    """Plant mistakes into the raw files of a study.

    No cell has more than one mistake; participants' codes, teams, arms and dates have none.

    Parameters
    ----------
    study : StudyData
        Clean, as drawn; it stays as it is.
    seed : int
        Seed.
    mess : Mess
        How much is planted.

    Returns
    -------
    messy : StudyData
        The same study with all raw cells as text.
    faults : pandas.DataFrame
        Every mistake: file; row (line in the file, the header is line 1); participant; column;
        raw_value (as it stands in the file); kind: ``missing_code`` (a declared code),
        ``blank``, ``white_space`` (around a valid value), ``recoded`` (a declared other spelling),
        ``impossible`` (outside the limits), ``duplicate_row`` (column and value empty).
    """
    tables = {name: as_text(table) for name, table in study.tables().items()}
    planter = _Planter(tables, stream(seed, "simulation", "mess"))
    _duplicate(planter, mess.duplicates)
    categories = [c.name for c in DEFAULT.categories]
    for file, column, value in mess.impossible:
        for row, _ in planter.some(file, [column], 1):
            planter.put(file, row, column, value, "impossible")
    _respell(planter, "baseline", categories, mess.spellings)
    _respell(planter, "status", ["event"], mess.events)

    services = [s.name for s in DEFAULT.services]
    items = [item for scale in DEFAULT.scales for item in scale.items]
    for file in INTERVIEWS:
        for _ in range(mess.instruments):
            scale = DEFAULT.scales[int(planter.rng.integers(len(DEFAULT.scales)))]
            row = int(
                planter.rng.integers(len(tables[file]) - mess.duplicates * (file == "baseline"))
            )
            code = planter.pick(MISSING_CODES)
            for free, column in planter.free(file, list(scale.items)):
                if free == row:
                    planter.missing(file, row, column, code)
        answered = planter.free(file, items)
        for row, column in planter.some(file, items, round(mess.items * len(answered))):
            planter.missing(file, row, column, planter.pick(MISSING_CODES))
        for row, column in planter.some(file, services, mess.services):
            planter.missing(file, row, column, planter.pick(MISSING_CODES))
        if file == "baseline":
            asked = [*categories[1:], "years_in_contact"]
            for row, column in planter.some(file, asked, mess.demographics):
                planter.missing(file, row, column, planter.pick(MISSING_CODES))
        skipped = ("participant", "interview_date")
        columns = [c for c in planter.tables[file].columns if c not in skipped]
        for row, column in planter.some(file, columns, mess.spaces):
            value = planter.tables[file][column].iat[row]
            spaced = planter.pick((f" {value}", f"{value} ", f"  {value}", f" {value} "))
            planter.put(file, row, column, spaced, "white_space")

    faults = pd.DataFrame(planter.faults, columns=FAULT_COLUMNS)
    order = {"baseline": 0, "followup": 1, "status": 2}
    faults = faults.sort_values(
        ["file", "row"],
        kind="stable",
        key=lambda values: values.map(order) if values.name == "file" else values,
        ignore_index=True,
    )
    return study.with_tables(planter.tables), faults
