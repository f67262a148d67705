"""One raw file decoded: keys, repeated rows, values, and why values are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.choose import beside, choose, left_over
from ccp_analysis.cleaning.decode import OUTSIDE, decode, note_spellings
from ccp_analysis.cleaning.guard import guard, refuse
from ccp_analysis.cleaning.headings import check_headings
from ccp_analysis.cleaning.labels import check_labels
from ccp_analysis.cleaning.limits import check_limits
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.read import read_raw
from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.cleaning.spelling import BLANK
from ccp_analysis.config.dictionary import Column, key_of
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import RawFile, Study
from ccp_analysis.errors import SHOWN, StudyError, few
from ccp_analysis.groups import name_of, names_of
from ccp_analysis.layout import DICTIONARY, STUDY

Made = TypeVar("Made")
PARTICIPANT, PRACTITIONER = "participant", "practitioner"
MERGED = "inside merged cells"
USUAL = 0.9  # share of the identifiers that have one form, from which on another one is strange


def among(values: pd.Series, known: pd.Series) -> np.ndarray:
    """Return which values are among those known (pandas' own isin is slow for long text)."""
    codes, _ = pd.factorize(pd.concat([known, values], ignore_index=True))
    seen = np.zeros(codes.max(initial=-1) + 2, dtype=bool)
    seen[codes[: len(known)]] = True
    seen[-1] = False  # what is missing
    return seen[codes[len(known) :]]


@dataclass
class RawTable:
    """A raw file after decoding.

    Attributes
    ----------
    file : str
        Id of the file in the study.
    sheet : Sheet
        The rows that are kept, as text.
    values : pandas.DataFrame, shape (n, variables)
        Decoded variables, named as in `Column.variable`, rows as in the sheet.
    why : dict
        Variable → categorical of shape (n,): why a value is missing.
    columns : list of Column
        What the dictionary says of the file.
    rows : int
        Rows with content in the file.
    repeated : int
        Identical repetitions that were left out.
    of_nobody : int
        Contacts with people who were not recruited, which were left out.
    """

    file: str
    sheet: Sheet
    values: pd.DataFrame
    why: dict[str, pd.Series]
    columns: list[Column]
    rows: int
    repeated: int
    of_nobody: int = 0

    def column(self, variable: str) -> Column:
        """Return what the dictionary says of a variable of this file."""
        return next(c for c in self.columns if c.variable == variable)

    def without(self, strange: np.ndarray) -> RawTable:
        """Return the table without rows of people who were not recruited."""
        keep = ~strange
        why = {name: found[keep].reset_index(drop=True) for name, found in self.why.items()}
        values = self.values[keep].reset_index(drop=True)
        left_out = self.of_nobody + int(strange.sum())
        sheet = self.sheet.take(keep)
        return replace(self, sheet=sheet, values=values, why=why, of_nobody=left_out)

    def set_missing(self, variable: str, where: np.ndarray, reason: str) -> None:
        """Set values missing and remember why.

        Parameters
        ----------
        variable : str
            Variable of this file.
        where : numpy.ndarray of bool, shape (n,)
            Which rows.
        reason : str
            Why.
        """
        self.values[variable] = self.values[variable].mask(where)
        self.why[variable] = give_reason(self.why[variable], where, reason)

    def set_value(self, variable: str, where: np.ndarray, value: object) -> None:
        """Set values, which are then no longer missing."""
        column = self.values[variable].copy()
        column[where] = name_of(value) if isinstance(column.dtype, pd.StringDtype) else value
        self.values[variable] = column
        self.why[variable] = self.why[variable].mask(where)


def read_files(study: Study, dictionary: list[Column], queries: Queries) -> dict[str, RawTable]:
    """Read, guard and decode every raw file of the study.

    Parameters
    ----------
    study : Study
        Which files there are.
    dictionary : list of Column
        What is in them.
    queries : Queries
        Receives one query for each value or row not taken as it stands.

    Returns
    -------
    dict
        File id → `RawTable`.

    Raises
    ------
    StudyError
        If a file cannot be read or holds what could identify people, a row has no identifier, or
        two rows contradict each other; `faults` lists all of those of one kind.
    """
    columns = {file: [c for c in dictionary if c.file == file] for file in study.files}
    for file in study.files:
        _key(study, file, columns[file])
    whole = _each(lambda file: _read(study, file, columns), study.files)
    # A table that several files share is guarded whole, by what the dictionary says for any.
    known = {f: {c.column: c for one in beside(study, f) for c in columns[one]} for f in whole}
    faults = [
        fault
        for file, sheet in whole.items()
        for fault in guard(sheet, list(known[file].values()), study.data_date)
    ]
    refuse(list(dict.fromkeys(faults)))
    sheets = _each(lambda f: choose(whole[f], study.files[f], columns[f]), study.files)
    for name, words in left_over(study, whole, sheets):
        queries.add_whole("query", name, raw_value="", action="rows left out", rule=words)
    return _each(lambda file: _decode(study, file, sheets[file], columns[file], queries), sheets)


def names_in(study: Study) -> set[str]:
    """Return the variables whose values are names, also where the file has numbers for them."""
    names = {PARTICIPANT, PRACTITIONER, study.arms.variable}
    names |= {study.delivery.practitioner, study.delivery.step} if study.delivery else set()
    names |= {study.medication.visit, study.medication.drug} if study.medication else set()
    names |= {visit.reason for visit in study.visits if visit.reason}
    names |= {study.clusters.unit, study.clusters.pair} if study.clusters else set()
    return names | ({study.losses.event, study.losses.reason} if study.losses else set())


def _read(study: Study, file: str, columns: Mapping[str, list[Column]]) -> Sheet:
    """Read a file, and ask whether its rows and labels are what the dictionary takes them for."""
    spec, own, sharing = study.files[file], columns[file], beside(study, file)
    sheet = read_raw(spec, [column for one in sharing for column in columns[one]])
    check_headings(sheet, own, _key(study, file, own), spec)
    # What is strange about a table as a whole is said once.
    return check_labels(sheet if file == sharing[0] else replace(sheet, remarks=()), own)


def _each(make: Callable[[str], Made], files: Iterable[str]) -> dict[str, Made]:
    """Make something of every file; the faults of all files are reported together."""
    made: dict[str, Made] = {}
    faults: list[str] = []
    for file in files:
        try:
            made[file] = make(file)
        except StudyError as error:
            faults += error.faults or [str(error)]
    if faults:
        raise first_of(faults)
    return made


def _key(study: Study, file: str, columns: Sequence[Column]) -> Column:
    """Return the column that identifies the rows of a file."""
    rows = study.files[file].rows
    name = PRACTITIONER if rows == "practitioner" else PARTICIPANT
    if rows == "cluster" and study.clusters:
        name = study.clusters.unit
    for column in columns:
        if column.name == name:
            return column
    raise StudyError(
        f"{DICTIONARY}: the file '{file}' has no column of the name '{name}', which identifies its "
        f"rows; write '{name}' as the name of the raw column that does, whatever its header."
    )


def _decode(
    study: Study, file: str, sheet: Sheet, columns: list[Column], queries: Queries
) -> RawTable:
    spec = study.files[file]
    key = _key(study, file, columns)
    for remark in sheet.remarks:
        queries.add_whole(
            "query", sheet.path.name, raw_value="", action="read as it stands", rule=remark
        )
    for note in sheet.notes:
        queries.add_note(sheet, note)
    read = len(sheet.rows)
    who = sheet.cells[key.column].astype("str").str.strip()
    who = who.str.upper() if key.type == "id" else who
    sheet = replace(sheet, participant=who)
    empty = np.flatnonzero(who == "")
    if len(empty):
        raise first_of(
            [
                f"{sheet.place(at, key.column)}: the identifier is empty"
                + "".join(f" ({rule})" for rule in _marked(sheet, at, key.column))
                + "."
                for at in empty.tolist()
            ]
        )
    again = _repeated(sheet, key)
    queries.add(
        "query", sheet, again, column="", action="row left out", rule="identical row repeated"
    )
    sheet = sheet.take(~again)
    queries.add(
        "query",
        sheet,
        _unlike(sheet.participant),
        column=key.column,
        action="kept",
        rule="identifier unlike the others",
    )
    values, why, names = {}, {}, names_in(study)
    for column in columns:
        found, why[column.variable] = _column(sheet, column, spec, queries)
        values[column.variable] = names_of(found) if column.name in names else found
        for mark in sheet.marks:
            if mark.column == column.column:
                lost = np.isin(sheet.rows, list(mark.rows)) & (why[column.variable] == BLANK)
                queries.add(
                    "query",
                    sheet,
                    lost.to_numpy(),
                    column=column.column,
                    action="read as empty",
                    rule=mark.rule,
                )
                why[column.variable] = give_reason(why[column.variable], lost, MERGED)
    table = RawTable(file, sheet, pd.DataFrame(values), why, columns, read, int(again.sum()))
    if spec.rows != "event":
        _check_unique(table, key.variable)
    return table


def _column(
    sheet: Sheet, column: Column, spec: RawFile, queries: Queries
) -> tuple[pd.Series, pd.Series]:
    """Decode a column and apply its limits; return values, and why they are missing."""
    decoded = decode(sheet, column, spec, queries)
    values, why = decoded.values, decoded.why
    impossible = check_limits(decoded, column, sheet, queries)
    if impossible is not None:
        values, why = values.mask(impossible), give_reason(why, impossible, OUTSIDE)
    note_spellings(sheet, column, decoded, values, queries)
    return values, why


def give_reason(why: pd.Series, where: np.ndarray, reason: str) -> pd.Series:
    """Return reasons for missing values with another one where that is said."""
    if reason not in why.cat.categories:
        why = why.cat.add_categories([reason])
    codes = why.cat.codes.to_numpy().copy()
    codes[where] = why.cat.categories.get_loc(reason)
    return pd.Series(pd.Categorical.from_codes(codes, categories=why.cat.categories))


def tally(why: pd.Series) -> dict[str, int]:
    """Return how many values are missing for each reason that there is."""
    codes, counts = np.unique(why.array.codes, return_counts=True)
    return {why.array.categories[k]: int(n) for k, n in zip(codes, counts, strict=True) if k >= 0}


def _marked(sheet: Sheet, at: int, column: str) -> list[str]:
    """Return why an empty cell looks filled in the program that wrote the file."""
    return [m.rule for m in sheet.marks if m.column == column and sheet.rows[at] in m.rows]


def _repeated(sheet: Sheet, key: Column) -> np.ndarray:
    """Return which rows repeat an earlier one, but for white space and case."""
    assert sheet.participant is not None
    twice = sheet.participant.duplicated(keep=False).to_numpy()
    again = np.zeros(len(twice), dtype=bool)
    if twice.any():
        cells = sheet.cells[twice]
        same = {name: _spelling(cells[name]) for name in cells if name != key.column}
        again[twice] = (
            pd.DataFrame(same, index=cells.index)
            .assign(**{key.column: sheet.participant[twice]})
            .duplicated()
        )
    return again


def _unlike(who: pd.Series) -> np.ndarray:
    """Return which identifiers are not of the form of nine in ten: CP001 is a word and a number."""
    form = who.str.replace("[0-9]+", "9", regex=True).str.replace("[A-Za-z]+", "A", regex=True)
    shares = form.value_counts(normalize=True)
    if shares.empty or shares.iloc[0] < USUAL:
        return np.zeros(len(who), dtype=bool)
    return (form != shares.index[0]).to_numpy()


def _spelling(cells: pd.Series) -> np.ndarray:
    """Return a number for each cell, the same for texts that differ in white space or case only."""
    used = cells.cat.remove_unused_categories()
    keys = np.array([key_of(text) for text in used.cat.categories], dtype=object)
    return pd.factorize(keys)[0][used.cat.codes.to_numpy()]


def _check_unique(table: RawTable, key: str) -> None:
    """Raise StudyError where a key that stands for one thing has rows that differ."""
    values, sheet = table.values[key], table.sheet
    twice = values[values.duplicated(keep=False) & values.notna()]
    advice, faults = _by_event(table, twice) if len(twice) else "", list[str]()
    for who, found in twice.groupby(twice, sort=True):
        rows = [sheet.rows[at] for at in found.index]
        sheets = f", sheet '{sheet.name}'" if sheet.name else ""
        which = few(rows) if len(rows) > 2 else " and ".join(map(str, rows))
        way = advice
        if not way and len(faults) < SHOWN:
            cells = sheet.cells.loc[found.index].drop(columns=table.column(key).column)
            differ = few(f"'{name}'" for name in cells if cells[name].nunique() > 1)
            way = f"; they differ in {differ}: delete the wrong one"
        faults.append(
            f"{sheet.path}{sheets}, {sheet.word}s {which}: '{who}' has rows that differ; "
            f"one row is expected{way}."
        )
    if faults:
        raise first_of(faults)


def _by_event(table: RawTable, twice: pd.Series) -> str:
    """Return what to do where most have several rows, which a column tells apart; else nothing."""
    everyone = table.values[twice.name]
    if twice.nunique() <= everyone.nunique() / 2:
        return ""
    cells = table.sheet.cells.loc[twice.index].astype("str")
    events = [
        (column.type not in ("text", "category"), cells[column.column].nunique(), column.column)
        for column in table.columns
        if 1 < cells[column.column].nunique() <= len(cells) / 2
        and cells[column.column].str.strip().ne("").all()
        and not pd.DataFrame({"who": twice, "event": cells[column.column]}).duplicated().any()
    ]
    name = min(events)[-1] if events else "column"
    told = f", as the column '{name}' suggests" if events else ""
    return (
        f"; if a row is a visit or an event{told}, list the file once for each of them in {STUDY}, "
        f"with 'where: {{{name}: …}}' to say whose rows are meant"
    )
