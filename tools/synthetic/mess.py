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
# Columns that may be respelt or left out, of each file of the implementation.
RESPELT = {
    "experience": ["explained", "goals_discussed", "support_received"],
    "delivery": ["step"],
    "practitioners": ["profession", "trained"],
}
IDENTITIES = ("participant", "practitioner", "team", "date", "interview_date")
MISSING_CODES = ("-99", "NA", "not asked", "")

# Other spellings by column and code; all of them are labels or synonyms of the data dictionary.
SPELLINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "gender": {"female": ("Female", "F", "Femal", "FEMALE"), "male": ("Male", "M", "man")},
    "ethnicity": {"white": ("White British", "Whit"), "black": ("Black British",)},
    "diagnosis": {"psychosis": ("Psycosis", "schizophrenia"), "depression": ("Depresion",)},
    "living": {"alone": ("Lives alone", "ALONE"), "family": ("With family",)},
    "employment": {"unemployed": ("Unemploied", "out of work"), "unable": ("Long-term sick",)},
    "event": {"withdrawal": ("Withdrawn", "Withdrew"), "loss": ("Lost",)},
    "explained": {"yes": ("Yes", "Y"), "no": ("No", "N")},
    "goals_discussed": {"yes": ("Yes", "Y"), "no": ("No", "N")},
    "support_received": {"yes": ("Yes", "Y"), "no": ("No", "N")},
    "trained": {"yes": ("Yes", "Y"), "no": ("No", "N")},
    "profession": {"nurse": ("RMN", "CPN"), "occupational_therapist": ("OT",)},
    "step": {"network_map": ("Network map", "map"), "action_plan": ("Action plan",)},
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
        Rows of the baseline file that stand again, identical, at its end; so of the file of
        contacts.
    implementation_items : float
        Share of the answers in the files of the implementation that become missing.
    implementation_spaces, implementation_spellings : int
        Cells with white space, and cells spelt otherwise, in each of these files that can have any.
    implementation_impossible : tuple of (file, column, value)
        Values that cannot be.
    unknown : tuple of (column, value)
        Codes that nobody has, in the file of contacts.
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
    implementation_items: float = 0.01
    implementation_spaces: int = 4
    implementation_spellings: int = 4
    implementation_impossible: tuple[tuple[str, str, str], ...] = (
        ("experience", "rate_clear", "7"),
        ("fidelity", "fid_04", "3"),
        ("practitioners", "caseload", "270"),
        ("practitioners", "aim_2_early", "0"),
        ("practitioners", "nomad_11_late", "55"),
    )
    unknown: tuple[tuple[str, str], ...] = (("participant", "CP000"), ("practitioner", "PR000"))


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
        self.faults.append((file, row + 2, table.iat[row, 0], column, value, kind))

    def missing(self, file: str, row: int, column: str, code: str) -> None:
        """Make a cell missing by one of the codes, or blank."""
        self.put(file, row, column, code, "missing_code" if code else "blank")

    def pick(self, values: tuple[str, ...]) -> str:
        """Return one of the values at random."""
        return values[int(self.rng.integers(len(values)))]


def _duplicate(planter: _Planter, file: str, count: int) -> None:
    """Repeat rows of a file at its end; nothing else is planted into them."""
    table = planter.tables[file]
    rows = np.sort(planter.rng.choice(len(table), count, replace=False))
    for copy, row in enumerate(rows, start=len(table)):
        participant = table["participant"].iat[row]
        planter.faults.append((file, copy + 2, participant, "", "", "duplicate_row"))
        planter.taken |= {(file, int(r), c) for r in (row, copy) for c in table.columns}
    planter.tables[file] = pd.concat([table, table.iloc[rows]], ignore_index=True)


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


def _implementation(planter: _Planter, mess: Mess) -> None:
    """Plant mistakes into the files of the implementation."""
    _duplicate(planter, "delivery", min(mess.duplicates, len(planter.tables["delivery"])))
    for column, value in mess.unknown:
        for row, _ in planter.some("delivery", [column], 1):
            planter.put("delivery", row, column, value, "unknown")
            # What is left out as a row has no other mistake that could be asked about.
            planter.taken |= {("delivery", row, c) for c in planter.tables["delivery"].columns}
    for file, column, value in mess.implementation_impossible:
        for row, _ in planter.some(file, [column], 1):
            planter.put(file, row, column, value, "impossible")
    for file, columns in RESPELT.items():
        _respell(planter, file, columns, mess.implementation_spellings)
    for file in ("experience", "fidelity", "practitioners"):
        asked = [c for c in planter.tables[file].columns if c not in (*IDENTITIES, "explained")]
        answered = planter.free(file, asked)
        count = round(mess.implementation_items * len(answered))
        for row, column in planter.some(file, asked, count):
            planter.missing(file, row, column, planter.pick(MISSING_CODES))
        _space(planter, file, mess.implementation_spaces)


def _space(planter: _Planter, file: str, count: int) -> None:
    """Put white space around values, but not around identities and dates."""
    columns = [c for c in planter.tables[file].columns if c not in IDENTITIES]
    for row, column in planter.some(file, columns, count):
        value = planter.tables[file][column].iat[row]
        spaced = planter.pick((f" {value}", f"{value} ", f"  {value}", f" {value} "))
        planter.put(file, row, column, spaced, "white_space")


def plant_mess(
    study: StudyData, seed: int, mess: Mess = DEFAULT_MESS
) -> tuple[StudyData, pd.DataFrame]:
    """Plant mistakes into the raw files of a study.

    No cell has more than one mistake; participants' codes, teams, arms and dates have none, but for
    two codes in the file of contacts that nobody has.

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
        Every mistake: file; row (line in the file, the header is line 1); participant (or
        practitioner: whose row it is); column;
        raw_value (as it stands in the file); kind: ``missing_code`` (a declared code),
        ``blank``, ``white_space`` (around a valid value), ``recoded`` (a declared other spelling),
        ``impossible`` (outside the limits), ``unknown`` (a code that nobody has),
        ``duplicate_row`` (column and value empty).
    """
    tables = {name: as_text(table) for name, table in study.tables().items()}
    planter = _Planter(tables, stream(seed, "simulation", "mess"))
    _duplicate(planter, "baseline", mess.duplicates)
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
        _space(planter, file, mess.spaces)

    planter.rng = stream(seed, "simulation", "implementation", "mess")
    _implementation(planter, mess)
    faults = pd.DataFrame(planter.faults, columns=FAULT_COLUMNS)
    order = {name: number for number, name in enumerate(tables)}
    faults = faults.sort_values(
        ["file", "row"],
        kind="stable",
        key=lambda values: values.map(order) if values.name == "file" else values,
        ignore_index=True,
    )
    return study.with_tables(planter.tables), faults
