"""Why values of the participants table are missing: one row for each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.flow import reasons_of
from ccp_analysis.cleaning.spelling import BLANK
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.config.study import Study

NO_ROW = "no row in the file"


def missing_values(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, variables: Sequence[str]
) -> pd.DataFrame:
    """List every missing value with its reason.

    Parameters
    ----------
    study : Study
        Files and clusters.
    tables : dict
        File id → `RawTable`; they know why a value is missing.
    people : pandas.DataFrame
        The participants.
    variables : sequence of str
        Variables of the raw files that are in the participants table.

    Returns
    -------
    pandas.DataFrame
        participant, variable, reason (all categorical): exactly one row for each missing value of
        these variables, sorted by variable and participant. The reason is the meaning of a missing
        code, ``blank``, what was wrong with the value, or ``no interview: …``, where the person has
        no row in the file of a visit: with the reason recorded for that.
    """
    codes: list[np.ndarray] = []
    names: list[np.ndarray] = []
    reasons: list[np.ndarray] = []
    known: dict[str, int] = {}
    place: dict[str, np.ndarray] = {}
    for file, table in tables.items():
        if study.files[file].of_people:
            by_cluster = PARTICIPANT not in table.values and study.clusters is not None
            key = study.clusters.unit if by_cluster and study.clusters else PARTICIPANT
            place[file] = pd.Index(table.values[key]).get_indexer(people[key])
    absent = {
        visit.file: pd.factorize("no interview: " + reasons_of(study, people, visit.reason))
        for visit in study.visits
        if visit.file
    }
    no_row = (np.zeros(len(people), int), pd.Index([NO_ROW]))
    for number, variable in enumerate(variables):
        file = next(f for f in place if any(c.variable == variable for c in tables[f].columns))
        at = np.flatnonzero(people[variable].isna().to_numpy())
        row = place[file][at]
        why = tables[file].why[variable]
        own = np.array(
            [known.setdefault(name, len(known)) for name in [*why.cat.categories, BLANK]], int
        )
        whose, names_of = absent.get(file, no_row)
        other = np.array([known.setdefault(name, len(known)) for name in names_of], int)
        found = own[why.cat.codes.to_numpy()[row]] if len(why) else np.zeros(len(row), int)
        codes.append(at)
        names.append(np.full(len(at), number))
        reasons.append(np.where(row < 0, other[whose[at]], found))
    participants = pd.Index(people[PARTICIPANT])
    return pd.DataFrame(
        {
            PARTICIPANT: _categorical(codes, participants),
            "variable": _categorical(names, variables),
            "reason": _categorical(reasons, list(known)),
        }
    )


def _categorical(codes: list[np.ndarray], names: Sequence[str]) -> pd.Categorical:
    whole = np.concatenate(codes).astype(np.int32) if codes else np.zeros(0, np.int32)
    return pd.Categorical.from_codes(whole, categories=pd.Index(names, dtype="str"))
