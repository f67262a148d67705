"""Joining the decoded raw files into one row for each participant."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ccp_analysis.cleaning.decode import decode
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.read import LINE, read_raw
from ccp_analysis.errors import StudyError
from ccp_analysis.reading import first_of
from ccp_analysis.study import DICTIONARY, STUDY, Column, Study

PARTICIPANT = "participant"


@dataclass(frozen=True)
class RawTable:
    """A raw file after decoding.

    Attributes
    ----------
    values : pandas.DataFrame
        Decoded variables, named as in `Column.variable`, with `LINE`; one row for each key.
    rows : int
        Rows with content in the file.
    repeated : int
        Identical repetitions that were collapsed.
    """

    values: pd.DataFrame
    rows: int
    repeated: int


def read_files(study: Study, dictionary: list[Column], queries: Queries) -> dict[str, RawTable]:
    """Read and decode every raw file of the study.

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
        If a file cannot be read, a row has no identifier, or two rows contradict each other.
    """
    return {file: _read_file(study, file, dictionary, queries) for file in study.files}


def _read_file(study: Study, file: str, dictionary: list[Column], queries: Queries) -> RawTable:
    spec = study.files[file]
    columns = [c for c in dictionary if c.file == file]
    raw = read_raw(spec.path, [c.column for c in columns])
    by_cluster = spec.rows == "cluster" and study.clusters is not None
    key_name = study.clusters.unit if by_cluster else PARTICIPANT
    key_column = next((c for c in columns if c.name == key_name), None)
    if key_column is None:
        raise StudyError(
            f"{DICTIONARY}: file '{file}' has no column named '{key_name}'; it identifies its rows."
        )
    participant = raw[key_column.column].str.strip()
    if key_column.type == "id":
        participant = participant.str.upper()
    empty = participant == ""
    if empty.any():
        line = raw.loc[empty, LINE].iloc[0]
        raise StudyError(
            f"{spec.path}, line {line}, column '{key_column.column}': the identifier is empty."
        )
    kept, repeated = _collapse(raw, participant, spec.path.name, queries)
    participant = participant[kept.index]
    decoded = {c.variable: decode(kept, c, spec.path.name, participant, queries) for c in columns}
    values = pd.DataFrame(decoded, index=kept.index).assign(**{LINE: kept[LINE]})
    if spec.rows != "event":
        _check_unique(values, key_column.variable, spec.path.as_posix())
    return RawTable(values.reset_index(drop=True), len(raw), repeated)


def _collapse(
    raw: pd.DataFrame, participant: pd.Series, file: str, queries: Queries
) -> tuple[pd.DataFrame, int]:
    """Keep the first of identical rows."""
    again = raw.drop(columns=LINE).duplicated()
    cells = pd.DataFrame({"row": raw[LINE], "participant": participant, "raw_value": ""})[again]
    queries.add(
        "query", file, cells, column="", action="row left out", rule="identical row repeated"
    )
    return raw[~again], int(again.sum())


def _check_unique(values: pd.DataFrame, key: str, path: str) -> None:
    twice = values[values[key].duplicated(keep=False)].sort_values([key, LINE])
    if not twice.empty:
        lines = twice.groupby(key, sort=True)[LINE].agg(lambda s: " and ".join(map(str, s)))
        faults = [
            f"{path}, lines {at}: '{who}' has rows that differ; one row is expected."
            for who, at in lines.items()
        ]
        raise first_of(faults)


def assemble(study: Study, tables: dict[str, RawTable], queries: Queries) -> pd.DataFrame:
    """Join the files: one row for each person recruited.

    Parameters
    ----------
    study : Study
        Roles of the files.
    tables : dict
        From `read_files`.
    queries : Queries
        Receives a query for each interview without a baseline interview.

    Returns
    -------
    pandas.DataFrame
        participant, arm, cluster variables, everything else; ``interviewed_{visit}``; ``left``, the
        event that ended participation where one did. Sorted by participant.

    Raises
    ------
    StudyError
        If a row belongs to nobody recruited, a cluster is unknown, an arm is missing or is not one
        of the study's, or a cluster or pair does not hold the arms it must.
    """
    people = tables[study.roster].values.drop(columns=LINE)
    for file, spec in study.files.items():
        values = tables[file].values
        if file == study.roster or spec.rows == "event":
            _check_known(values, people[PARTICIPANT], PARTICIPANT, spec.path.as_posix())
        elif spec.rows == "cluster" and study.clusters:
            unit = study.clusters.unit
            _check_known(
                tables[study.roster].values,
                values[unit],
                unit,
                study.files[study.roster].path.as_posix(),
                f"is not in {spec.path}",
            )
            people = people.merge(values.drop(columns=LINE), on=unit, how="left", validate="m:1")
        else:
            _check_known(values, people[PARTICIPANT], PARTICIPANT, spec.path.as_posix())
            people = people.merge(
                values.drop(columns=LINE), on=PARTICIPANT, how="left", validate="1:1"
            )
    people = people.sort_values(PARTICIPANT, ignore_index=True)
    _check_arms(study, people)
    people = people.assign(**_interviewed(study, tables, people))
    _ask_for_baseline(study, tables, people, queries)
    return people.assign(left=_left(study, tables, people))


def _check_known(
    values: pd.DataFrame, known: pd.Series, key: str, path: str, why: str = "was not recruited"
) -> None:
    stranger = values[~values[key].isin(known)]
    faults = [
        f"{path}, line {line}, column '{key}': "
        + (f"'{who}' {why}." if isinstance(who, str) else "the value is missing or not valid.")
        for who, line in zip(stranger[key], stranger[LINE], strict=True)
    ]
    if faults:
        raise first_of(faults)


def _check_arms(study: Study, people: pd.DataFrame) -> None:
    arm = study.arms.variable
    if arm not in people:
        raise StudyError(f"{DICTIONARY}: no column is named '{arm}', the arm in {STUDY}.")
    strange = people[~people[arm].isin(study.arms.levels)]
    if not strange.empty:
        who = strange.iloc[0]
        found = f"the arm '{who[arm]}'" if isinstance(who[arm], str) else "no arm"
        raise StudyError(
            f"Participant '{who[PARTICIPANT]}' has {found}; expected one of "
            f"{', '.join(study.arms.levels)} ({STUDY})."
        )
    for wanted in study.arms.ordered:
        if not (people[arm] == wanted).any():
            raise StudyError(
                f"Nobody is in the arm '{wanted}'; expected two arms with participants."
            )
    if study.clusters:
        unit, pair = study.clusters.unit, study.clusters.pair
        for name in (unit, pair):
            if name not in people or people[name].isna().any():
                raise StudyError(f"'{name}' is missing for some participants; {STUDY} declares it.")
        arms_in_unit = people.groupby(unit)[arm].nunique()
        if (arms_in_unit > 1).any():
            raise StudyError(
                f"{study.clusters.unit_label} '{arms_in_unit.idxmax()}' has participants in both "
                f"arms; the arm is expected to be a property of the {study.clusters.unit_label}."
            )
        pairs_of_unit = people.groupby(unit)[pair].nunique()
        if (pairs_of_unit > 1).any():
            raise StudyError(
                f"{study.clusters.unit_label} '{pairs_of_unit.idxmax()}' stands in more than one "
                f"{study.clusters.pair_label}; one is expected."
            )
        arms_in_pair = people.groupby(pair)[arm].nunique()
        if (arms_in_pair < 2).any():
            raise StudyError(
                f"{study.clusters.pair_label} '{arms_in_pair.idxmin()}' has participants in one "
                f"arm only; both are expected in every {study.clusters.pair_label}."
            )


def _interviewed(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> dict[str, pd.Series]:
    flags = {}
    for visit in study.visits:
        if visit.file:
            present = people[PARTICIPANT].isin(tables[visit.file].values[PARTICIPANT])
        else:
            suffix = f"_{visit.id}"
            present = people[[c for c in people if c.endswith(suffix)]].notna().any(axis=1)
        flags[f"interviewed_{visit.id}"] = present
    return flags


def _ask_for_baseline(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, queries: Queries
) -> None:
    without = people.loc[~people[f"interviewed_{study.baseline.id}"], PARTICIPANT]
    for visit in study.follow_ups:
        if visit.file:
            values = tables[visit.file].values
            strange = values[values[PARTICIPANT].isin(without)]
            cells = pd.DataFrame(
                {"row": strange[LINE], "participant": strange[PARTICIPANT], "raw_value": ""}
            )
            queries.add(
                "query",
                study.files[visit.file].path.name,
                cells,
                column="",
                action="not in any analysis",
                rule="interview without a baseline interview",
            )


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
    first = ending.sort_values([study.losses.date, LINE]).drop_duplicates(PARTICIPANT)
    return people[PARTICIPANT].map(first.set_index(PARTICIPANT)[study.losses.event])
