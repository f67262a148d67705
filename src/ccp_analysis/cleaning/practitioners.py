"""Who delivered, and what happened: practitioners, contacts and events, beside the participants."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.table import PARTICIPANT, PRACTITIONER, RawTable, among
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.layout import STUDY

NOBODY = "a participant who was not recruited"
UNKNOWN = "not one of the practitioners"


def keep_known(study: Study, tables: dict[str, RawTable], queries: Queries) -> None:
    """Leave out contacts with nobody recruited; practitioners who are not known become missing.

    A contact is work that somebody recorded in passing: a slip in it is a query and stops no run.
    """
    if study.delivery is None:
        return
    table, variable = tables[study.delivery.file], study.delivery.practitioner
    if study.practitioners:
        who, known = table.values[variable], tables[study.practitioners].values[PRACTITIONER]
        _query(table, variable, who.notna() & ~among(who, known), UNKNOWN, "set missing", queries)
        table.set_missing(variable, (~among(who, known) & who.notna()).to_numpy(), UNKNOWN)
    strange = ~among(table.values[PARTICIPANT], tables[study.roster].values[PARTICIPANT])
    _query(table, PARTICIPANT, strange, NOBODY, "row left out", queries)
    if strange.any():
        tables[study.delivery.file] = table.without(strange)


def _query(
    table: RawTable,
    variable: str,
    where: pd.Series | np.ndarray,
    rule: str,
    action: str,
    queries: Queries,
) -> None:
    column = table.column(variable).column
    queries.add("query", table.sheet, np.asarray(where), column=column, action=action, rule=rule)


def practitioners(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> pd.DataFrame | None:
    """Return one row for each practitioner with cluster, pair and arm; None without a file."""
    if study.practitioners is None or study.clusters is None:
        return None
    table = tables[study.practitioners]
    hidden = [column.variable for column in table.columns if column.hidden]
    found, unit = table.values.drop(columns=hidden), study.clusters.unit
    first = {PRACTITIONER: found[PRACTITIONER], unit: found[unit]}
    for name in (study.clusters.pair, study.arms.variable):
        first[name] = found[unit].map(_of_clusters(study, tables, people, name))
    others = found.drop(columns=[PRACTITIONER, unit])
    return _sorted(pd.concat([pd.DataFrame(first), others], axis=1), PRACTITIONER)


def _of_clusters(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, name: str
) -> pd.Series:
    """Return a property of each cluster, also of those without participants where it is listed."""
    assert study.clusters is not None
    listed = [tables[file].values for file, s in study.files.items() if s.rows == "cluster"]
    found = next((values for values in listed if name in values), people)
    return found.drop_duplicates(study.clusters.unit).set_index(study.clusters.unit)[name]


def contacts(study: Study, tables: dict[str, RawTable]) -> pd.DataFrame | None:
    """Return a row for each contact: participant, practitioner, date, step; None without a file."""
    if (named := study.delivery) is None:
        return None
    columns = {PRACTITIONER: named.practitioner, "date": named.date, "step": named.step}
    return _happened(tables[named.file], columns)


def events(study: Study, tables: dict[str, RawTable]) -> pd.DataFrame | None:
    """Return a row for each event: participant, event, date, reason; None without a file."""
    if (named := study.losses) is None:
        return None
    columns = {"event": named.event, "date": named.date, "reason": named.reason}
    found = _happened(table := tables[named.file], columns)
    # A reason in somebody's own words goes no further.
    hidden = table.column(named.reason).hidden
    return found.assign(reason=found["reason"].mask(found["reason"].notna())) if hidden else found


def _happened(table: RawTable, columns: dict[str, str]) -> pd.DataFrame:
    """Return columns of a file of events, under names of ours, by person and date."""
    kept = {name: table.values[variable] for name, variable in columns.items()}
    found = pd.DataFrame({PARTICIPANT: table.values[PARTICIPANT], **kept})
    return _sorted(found.sort_values("date", kind="stable", ignore_index=True), PARTICIPANT)


def _sorted(table: pd.DataFrame, key: str) -> pd.DataFrame:
    order = np.argsort(groups(table[key]).codes, kind="stable")
    return table.iloc[order].reset_index(drop=True)


def check_asked(study: Study, asked: dict[str, bool]) -> None:
    """Raise StudyError where a table is asked for that the study has no file of.

    Parameters
    ----------
    study : Study
        Files.
    asked : dict
        For each table beside the participants whether there is a place for it.
    """
    there = {
        "practitioners": study.practitioners,
        "delivery": study.delivery,
        "events": study.losses,
        "medication": study.medication,
    }
    for name, wanted in asked.items():
        if wanted and there[name] is None:
            raise StudyError(
                f"{STUDY}: no {name} are declared, and so there is no table of them; expected a "
                f"file of them there, or no --{name}."
            )
