"""Scoring of instruments: items to totals, means, subscales and utilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.cleaning.value_set import ValueSet, cells, read_value_set, utility
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import DICTIONARY, INSTRUMENTS


def prorated(items: pd.DataFrame, score: str, minimum_answered: float) -> pd.Series:
    """Sum or average the answered items.

    Parameters
    ----------
    items : pandas.DataFrame, shape (n, k)
        Answers in points, missing where there is none.
    score : {"sum", "mean"}
        A sum is the mean of the answered items times k (person-mean proration).
    minimum_answered : float
        Share of the items that must be answered, 0 to 1; at least one item always must.

    Returns
    -------
    pandas.Series, shape (n,)
        Missing where too few items were answered.
    """
    answered = items.notna().sum(axis=1)
    enough = (answered >= minimum_answered * items.shape[1] - 1e-9) & (answered > 0)
    mean = items.sum(axis=1) / answered.where(answered > 0)
    return (mean * items.shape[1] if score == "sum" else mean).where(enough)


def score_instruments(
    values: pd.DataFrame, instruments: dict[str, Instrument], dictionary: list[Column]
) -> pd.DataFrame:
    """Score every instrument at every visit at which its items were asked.

    Parameters
    ----------
    values : pandas.DataFrame
        One row for each participant, items named as in `Column.variable`.
    instruments : dict
        From ``config/instruments.yaml``.
    dictionary : list of Column
        For the visits and for the limits by which an item is reversed.

    Returns
    -------
    pandas.DataFrame
        Columns ``{instrument}_{visit}`` and ``{instrument}_{subscale}_{visit}``; without the
        visit where the items have none.

    Raises
    ------
    StudyError
        If an item is not in the dictionary or not a number, is asked at some visits at which others
        are not, or is to be reversed without limits; a score has the name of a variable, or lies
        outside the range of its scale; answers make a state that the value set does not have.
    """
    scores = {}
    by_name = columns_by_name(dictionary)
    for name, instrument in instruments.items():
        visits = visits_of(name, instrument, by_name)
        value_set = read_value_set(instrument) if instrument.score == "value_set" else None
        for visit in visits:
            items = items_of(values, visit, instrument, by_name)
            at = f"_{visit}" if visit else ""
            if value_set is not None:
                scores[name + at] = _valued(values, items, instrument, value_set)
                _check_range(name, instrument, scores[name + at], values)
                continue
            share = instrument.minimum_answered
            scores[name + at] = prorated(items, instrument.score, share)
            _check_range(name, instrument, scores[name + at], values)
            for subscale, part in instrument.subscales.items():
                scores[f"{name}_{subscale}{at}"] = prorated(
                    items[part.items], instrument.score, share
                )
    for score in scores:
        if score in values:
            raise StudyError(
                f"{INSTRUMENTS}: the score '{score}' has the name of a variable of {DICTIONARY}."
            )
    return pd.DataFrame(scores, index=values.index)


def _valued(
    values: pd.DataFrame, items: pd.DataFrame, instrument: Instrument, value_set: ValueSet
) -> pd.Series:
    """Return utilities; StudyError where somebody's state has none in the value set."""
    by = instrument.valued_by
    of = cells(values, by) if by else None
    found = utility(items, value_set, of)
    lost = items.notna().all(axis=1) & found.isna() & (True if of is None else of.notna())
    if lost.any():
        at = lost.idxmax()
        state = "".join(f"{level:g}" for level in items.loc[at])
        who = values[PARTICIPANT][at] if PARTICIPANT in values else at
        where = f" ({of[at]})" if of is not None else ""
        raise StudyError(
            f"{instrument.value_set}: the answers of {lost.sum()} participants make a state that "
            f"has no utility there, the first those of '{who}': {state}{where}."
        )
    return found


def ask_about_cells(
    people: pd.DataFrame,
    scores: pd.DataFrame,
    instruments: dict[str, Instrument],
    dictionary: Sequence[Column],
    tables: dict[str, RawTable],
    queries: Queries,
) -> None:
    """Add a query for everyone who answered all items and has no cell in a value set.

    Parameters
    ----------
    people : pandas.DataFrame
        Participants with the items.
    scores : pandas.DataFrame
        From `score_instruments`.
    instruments, dictionary
        The configuration.
    tables : dict
        File id → `RawTable`.
    queries : Queries
        Receives one query for each person, age or sex, whichever gives no cell.
    """
    by_name = columns_by_name(dictionary)
    for name, instrument in instruments.items():
        if (by := instrument.valued_by) is None:
            continue
        lost = pd.Series(False, people.index)
        for visit in visits_of(name, instrument, by_name):
            items = items_of(people, visit, instrument, by_name)
            lost |= items.notna().all(axis=1) & scores[f"{name}_{visit}" if visit else name].isna()
        age = people[by.age].to_numpy(dtype=float, na_value=np.nan)
        known = [code for codes in by.sexes.values() for code in codes]
        lacking = {
            by.age: ~(age >= min(by.age_bands.values())),
            by.sex: ~people[by.sex].isin(known).to_numpy(),
        }
        for variable, strange in lacking.items():
            table = next(t for t in tables.values() if {variable, PARTICIPANT} <= {*t.values})
            who = people.loc[lost & strange, PARTICIPANT]
            queries.add(
                "query",
                table.sheet,
                table.values[PARTICIPANT].isin(who).to_numpy(),
                column=table.column(variable).column,
                action=f"no utility by {instrument.value_set}",
                rule=f"no cell of the value set of '{name}'",
            )


def columns_by_name(dictionary: Sequence[Column]) -> dict[str, list[Column]]:
    """Return the rows of the dictionary by analysis name."""
    by_name: dict[str, list[Column]] = {}
    for column in dictionary:
        by_name.setdefault(column.name, []).append(column)
    return by_name


def items_of(
    values: pd.DataFrame, visit: str, instrument: Instrument, by_name: dict[str, list[Column]]
) -> pd.DataFrame:
    """Return the answers to the items of an instrument at a visit, reversed where that is asked."""
    return pd.DataFrame({i: _item(values, i, visit, instrument, by_name) for i in instrument.items})


def _check_range(name: str, instrument: Instrument, score: pd.Series, values: pd.DataFrame) -> None:
    low, high = instrument.range
    wrong = np.flatnonzero(((score < low - 1e-9) | (score > high + 1e-9)).to_numpy())
    if len(wrong):
        who = values["participant"].iloc[wrong[0]] if "participant" in values else wrong[0]
        raise StudyError(
            f"{INSTRUMENTS}: '{name}' has the range {low:g} to {high:g}, but participant '{who}' "
            f"has the score {score.iloc[wrong[0]]:g}; expected items and a range that agree."
        )


def visits_of(name: str, instrument: Instrument, by_name: dict[str, list[Column]]) -> list[str]:
    """Return the visits at which an instrument was asked; StudyError if its items disagree."""
    for item in instrument.items:
        if item not in by_name:
            raise StudyError(
                f"{INSTRUMENTS}: item '{item}' of '{name}' is not a name in the data dictionary."
            )
        if not all(column.numeric for column in by_name[item]):
            raise StudyError(
                f"{INSTRUMENTS}: item '{item}' of '{name}' is no number in {DICTIONARY}; expected "
                "the type integer, number or ordinal."
            )
    visits = [column.visit for column in by_name[instrument.items[0]]]
    for item in instrument.items:
        if [column.visit for column in by_name[item]] != visits:
            raise StudyError(
                f"{INSTRUMENTS}: item '{item}' of '{name}' is not asked at the same visits as "
                f"'{instrument.items[0]}'; expected {few(visits)}."
            )
    return visits


def _item(
    values: pd.DataFrame,
    item: str,
    visit: str,
    instrument: Instrument,
    by_name: dict[str, list[Column]],
) -> pd.Series:
    answers = values[f"{item}_{visit}" if visit else item]
    if item not in instrument.reversed:
        return answers
    column = next(c for c in by_name[item] if c.visit == visit)
    if column.type == "ordinal":
        levels = np.array([float(code) for code in column.codes])
        return levels.min() + levels.max() - answers
    if column.minimum is None or column.maximum is None:
        raise StudyError(
            f"{INSTRUMENTS}: item '{item}' is reversed: the data dictionary must give its "
            "minimum and maximum."
        )
    return column.minimum + column.maximum - answers
