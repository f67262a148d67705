"""Scoring of instruments: items to totals, means, subscales and utilities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.errors import StudyError
from ccp_analysis.reading import read_table
from ccp_analysis.study import DICTIONARY, INSTRUMENTS, Column, Instrument


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


def read_value_set(instrument: Instrument) -> dict[str, dict[float, float]]:
    """Read the decrements of a value set: dimension → level → decrement from full health.

    Raises
    ------
    StudyError
        If the file is missing, a decrement is not a number or stands twice, or an item lacks a
        level that another has.
    """
    path = instrument.value_set
    assert path is not None
    decrements: dict[str, dict[float, float]] = {item: {} for item in instrument.items}
    for line, row in read_table(path, ["dimension", "level", "decrement"]):
        try:
            level, decrement = float(row["level"]), float(row["decrement"])
        except ValueError as error:
            raise StudyError(
                f"{path}, line {line}: level and decrement must be numbers."
            ) from error
        if not np.isfinite([level, decrement]).all():
            raise StudyError(f"{path}, line {line}: level and decrement must be numbers.")
        if row["dimension"] not in decrements:
            raise StudyError(
                f"{path}, line {line}: dimension '{row['dimension']}' is not an item of the "
                f"instrument in {INSTRUMENTS}; expected one of {', '.join(instrument.items)}."
            )
        if level in decrements[row["dimension"]]:
            raise StudyError(
                f"{path}, line {line}: '{row['dimension']}' already has a decrement for level "
                f"{level:g}."
            )
        decrements[row["dimension"]][level] = decrement
    for item, levels in decrements.items():
        lacking = {1.0}.union(*decrements.values()) - {1.0, *levels}
        if lacking or not levels:
            level = f"level {min(lacking):g} of " if lacking else ""
            raise StudyError(f"{path}: there is no decrement for {level}'{item}'.")
        levels.setdefault(1.0, 0.0)
    return decrements


def utility(items: pd.DataFrame, decrements: dict[str, dict[float, float]]) -> pd.Series:
    """Return one minus the sum of the decrements; missing where a dimension is missing.

    Parameters
    ----------
    items : pandas.DataFrame, shape (n, dimensions)
        Levels.
    decrements : dict
        From `read_value_set`.

    Returns
    -------
    pandas.Series, shape (n,)
        Utility: 1 is full health, 0 as bad as being dead.
    """
    loss = pd.DataFrame({item: items[item].map(levels) for item, levels in decrements.items()})
    return (1.0 - loss.sum(axis=1, skipna=False)).round(10)


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
        are not, or is to be reversed without limits; or a score has the name of a variable.
    """
    scores = {}
    by_name: dict[str, list[Column]] = {}
    for column in dictionary:
        by_name.setdefault(column.name, []).append(column)
    for name, instrument in instruments.items():
        visits = _visits(name, instrument, by_name)
        value_set = read_value_set(instrument) if instrument.score == "value_set" else None
        for visit in visits:
            items = pd.DataFrame(
                {i: _item(values, i, visit, instrument, by_name) for i in instrument.items}
            )
            at = f"_{visit}" if visit else ""
            if value_set is not None:
                scores[name + at] = utility(items, value_set)
                continue
            share = instrument.minimum_answered
            scores[name + at] = prorated(items, instrument.score, share)
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


def _visits(name: str, instrument: Instrument, by_name: dict[str, list[Column]]) -> list[str]:
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
                f"'{instrument.items[0]}'; expected {', '.join(visits)}."
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
