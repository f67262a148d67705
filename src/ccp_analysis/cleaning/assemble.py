"""Joining the decoded raw files into one row for each participant."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.table import PARTICIPANT, RawTable, among
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import Study
from ccp_analysis.errors import SHOWN, StudyError, few, like
from ccp_analysis.groups import groups
from ccp_analysis.layout import DICTIONARY, STUDY


def assemble(study: Study, tables: dict[str, RawTable]) -> pd.DataFrame:
    """Join the files: one row for each person recruited.

    Parameters
    ----------
    study : Study
        Roles of the files.
    tables : dict
        From `read_files`.

    Returns
    -------
    pandas.DataFrame
        participant, arm, cluster variables, everything else; ``interviewed_{visit}``; ``left``, the
        event that ended participation where one did. Sorted by participant.

    Raises
    ------
    StudyError
        If a row belongs to nobody recruited, a cluster is unknown, an arm is missing or is not one
        of the study's, a cluster or pair does not hold the arms it must, or nobody was interviewed
        at a visit that is not declared to be still to come.
    """
    roster = tables[study.roster]
    people = roster.values
    for file, spec in study.files.items():
        table = tables[file]
        if spec.rows == "cluster" and study.clusters:
            unit = study.clusters.unit
            check_known(roster, table, unit)
            people = people.merge(table.values, on=unit, how="left", validate="m:1")
        elif spec.rows == "practitioner" and study.clusters:
            of_clusters = _of_clusters(study, tables)
            check_known(table, of_clusters, study.clusters.unit)
        else:
            check_known(table, roster, PARTICIPANT)
            if file != study.roster and spec.rows != "event":
                people = people.merge(table.values, on=PARTICIPANT, how="left", validate="1:1")
    people = people.iloc[np.argsort(groups(people[PARTICIPANT]).codes, kind="stable")]
    people = people.reset_index(drop=True)
    _check_arms(study, tables, people)
    people = people.assign(**_interviewed(study, tables, people))
    return people.assign(left=_left(study, tables, people))


def _of_clusters(study: Study, tables: dict[str, RawTable]) -> RawTable:
    """Return the file that lists the clusters: one of clusters, otherwise that of the recruited."""
    listed = [file for file, spec in study.files.items() if spec.rows == "cluster"]
    return tables[(listed or [study.roster])[0]]


def check_known(table: RawTable, known: RawTable, key: str) -> None:
    """Raise StudyError for rows whose key is not one of those known."""
    values, names, where = table.values[key], known.values[key].dropna(), known.sheet.path
    column, person = table.column(key), key == PARTICIPANT
    expected = "" if person else f"; expected one of {few(dict.fromkeys(names))}"
    why = "was not recruited" if person else f"is not in {where}"
    faults: list[str] = []
    for at, who in values[~among(values, names)].items():
        found, there, add = who, why, f"add {'the person' if person else 'a row for it'} to {where}"
        if not isinstance(who, str):
            found = table.sheet.found(np.array([at]), column.column)[0].strip()
            there = "is none of its codes" if column.codes else "is not valid there"
            add = f"change what {DICTIONARY} says of the column"
        said = f"'{found}' {there}" if found else "the cell is empty or not valid"
        most = like(found, names) if len(faults) < SHOWN and not column.hidden else ""
        place = table.sheet.place(at, column.column)
        faults.append(f"{place}: {said}{expected}{most}; correct the cell, or {add}.")
    if faults:
        raise first_of(faults)


def _check_arms(study: Study, tables: dict[str, RawTable], people: pd.DataFrame) -> None:
    arm = study.arms.variable
    if arm not in people:
        raise StudyError(f"{DICTIONARY}: no column is named '{arm}', the arm in {STUDY}.")
    levels = [f"{code} ({label})" for code, label in study.arms.levels.items()]
    names = [*study.arms.levels, *study.arms.levels.values()]
    faults = {}
    for row in people[~people[arm].isin(study.arms.levels)].to_dict("records"):
        place, found = _cell(study, tables, arm, row)
        faults[place] = (
            f"{place}: '{found}' is no arm; expected {' or '.join(levels)}, the arms in "
            f"{STUDY}{like(found, names)}; correct the cell."
        )
    if faults:
        raise first_of(list(faults.values()))
    for wanted in study.arms.ordered:
        if not (people[arm] == wanted).any():
            raise StudyError(
                f"{_path(tables, arm)}: Nobody is in the arm '{wanted}'; expected two arms with "
                "participants."
            )
    if study.clusters:
        _check_clusters(study, tables, people)


def _check_clusters(study: Study, tables: dict[str, RawTable], people: pd.DataFrame) -> None:
    assert study.clusters is not None
    arm, unit, pair = study.arms.variable, study.clusters.unit, study.clusters.pair
    unit_label, pair_label = study.clusters.unit_label, study.clusters.pair_label
    for name in (unit, pair):
        if name not in people:
            raise StudyError(f"{DICTIONARY}: no column is named '{name}'; {STUDY} declares it.")
        lacking = people[people[name].isna()]
        for row in lacking.head(1).to_dict("records"):
            raise StudyError(
                f"{_cell(study, tables, name, row)[0]}: '{name}' is missing for participant "
                f"'{row[PARTICIPANT]}'; {STUDY} declares it."
            )
    for what, several in (
        (arm, "has participants in both arms; the arm is expected to be a property of the "),
        (pair, f"stands in more than one {pair_label}; one is expected for every "),
    ):
        number = people.groupby(unit)[what].nunique()
        if (number > 1).any():
            raise StudyError(
                f"{_path(tables, what)}: {unit_label} '{number.idxmax()}' {several}{unit_label}."
            )
    number = people.groupby(pair)[arm].nunique()
    if (number < 2).any():
        raise StudyError(
            f"{_path(tables, pair)}: {pair_label} '{number.idxmin()}' has participants in one arm "
            f"only; both are expected in every {pair_label}."
        )


def _table(tables: dict[str, RawTable], variable: str) -> RawTable:
    return next(t for t in tables.values() if any(c.variable == variable for c in t.columns))


def _path(tables: dict[str, RawTable], variable: str) -> str:
    return str(_table(tables, variable).sheet.path)


def _cell(
    study: Study, tables: dict[str, RawTable], variable: str, row: Mapping[Hashable, object]
) -> tuple[str, str]:
    """Return place and text of a variable of somebody: of the person's or of the cluster's row."""
    table = _table(tables, variable)
    key = PARTICIPANT if PARTICIPANT in table.values else study.clusters and study.clusters.unit
    at = np.flatnonzero(table.values[key] == row[key])[:1] if key else np.zeros(0, dtype=int)
    column = table.column(variable).column
    if not len(at):
        return str(table.sheet.path), ""
    return table.sheet.place(at[0], column), table.sheet.found(at, column)[0].strip()


def _interviewed(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> dict[str, pd.Series]:
    flags = {}
    for visit in study.visits:
        if visit.file:
            there = tables[visit.file].values[PARTICIPANT]
            if there.empty and study.expected.get(visit.id) != 0:
                raise StudyError(
                    f"{study.files[visit.file].path}: no row found, and so nobody interviewed at "
                    f"'{visit.id}'; where that visit is still to come, say 'expected: "
                    f"{{{visit.id}: 0}}' in {STUDY} and ask for data/derived/participants.parquet "
                    "and reports/codebook.html: nothing can be analysed at it yet."
                )
            present = among(people[PARTICIPANT], there)
        else:
            suffix = f"_{visit.id}"
            present = people[[c for c in people if c.endswith(suffix)]].notna().any(axis=1)
        flags[f"interviewed_{visit.id}"] = present
    return flags


def in_time(study: Study, events: pd.DataFrame) -> pd.DataFrame:
    """Sort ending events by date; those of one day as the study lists them, then by reason."""
    assert study.losses is not None
    rank = {event: number for number, event in enumerate(study.losses.ending)}
    order = [events[study.losses.date], events[study.losses.event].map(rank)]
    order = pd.concat([*order, events[study.losses.reason]], axis=1)
    return events.loc[order.sort_values(list(order.columns), kind="stable").index]


def _left(study: Study, tables: dict[str, RawTable], people: pd.DataFrame) -> pd.Series:
    """Return the event that ended each person's participation, missing where none did."""
    if study.losses is None:
        return pd.Series(None, index=people.index, dtype=object)
    events = tables[study.losses.file].values
    for name in (study.losses.event, study.losses.date, study.losses.reason):
        if name not in events:
            raise StudyError(
                f"{STUDY}: losses names '{name}', which {DICTIONARY} does not have in the file "
                f"'{study.losses.file}'."
            )
    ending = events[events[study.losses.event].isin(study.losses.ending)]
    first = in_time(study, ending).drop_duplicates(PARTICIPANT)
    return people[PARTICIPANT].map(first.set_index(PARTICIPANT)[study.losses.event])
