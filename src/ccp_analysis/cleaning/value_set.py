"""Value sets: health states to utilities."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.tables import csv_rows, read_table
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import INSTRUMENTS


@dataclass(frozen=True)
class ValueSet:
    """What health states are worth: by decrements, or state by state.

    Attributes
    ----------
    decrements : dict
        Dimension → level → decrement from full health.
    states : dict
        Profile, as 21345 → utility.
    """

    decrements: dict[str, dict[float, float]] = field(default_factory=dict)
    states: dict[str, float] = field(default_factory=dict)


def read_value_set(instrument: Instrument) -> ValueSet:
    """Read a value set: decrements by dimension and level, or a table of all states.

    Parameters
    ----------
    instrument : Instrument
        Its `value_set` is a file with the columns dimension, level, decrement (from full health; no
        row for level 1 is needed), or profile, utility: a row for each state, as 21345, the digits
        in the order of the items.

    Raises
    ------
    StudyError
        If the file is missing, a number is none or stands twice, an item lacks a level that another
        has, or a state is missing.
    """
    path = instrument.value_set
    assert path is not None
    _, header = next(csv_rows(path, f"{INSTRUMENTS} names it"))
    if [name.strip() for name in header[:2]] == ["profile", "utility"]:
        return ValueSet(states=_states(path, len(instrument.items)))
    return ValueSet(decrements=_decrements(path, instrument))


def _states(path: Path, dimensions: int) -> dict[str, float]:
    """Read a table of states; it must hold all that its levels make."""
    states: dict[str, float] = {}
    for line, row in read_table(path, ["profile", "utility"]):
        profile = row["profile"]
        if not re.fullmatch(r"[1-9]" + f"{{{dimensions}}}", profile):
            raise StudyError(
                f"{path}, line {line}: profile '{profile}' found; expected {dimensions} digits, "
                "one for each dimension."
            )
        if profile in states:
            raise StudyError(f"{path}, line {line}: the state {profile} stands twice.")
        states[profile] = _finite(row["utility"], f"{path}, line {line}: utility must be a number.")
    levels = max((max(profile) for profile in states), default="1")
    wanted = itertools.product(map(str, range(1, int(levels) + 1)), repeat=dimensions)
    lacking = next((s for s in map("".join, wanted) if s not in states), None)
    if lacking is not None:
        raise StudyError(f"{path}: there is no utility for the state {lacking}.")
    return states


def _finite(text: str, sentence: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StudyError(sentence)
    return number


def _decrements(path: Path, instrument: Instrument) -> dict[str, dict[float, float]]:
    """Read decrements: dimension → level → decrement."""
    decrements: dict[str, dict[float, float]] = {item: {} for item in instrument.items}
    for line, row in read_table(path, ["dimension", "level", "decrement"]):
        sentence = f"{path}, line {line}: level and decrement must be numbers."
        level, decrement = _finite(row["level"], sentence), _finite(row["decrement"], sentence)
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
            where = f"level {min(lacking):g} of " if lacking else ""
            raise StudyError(f"{path}: there is no decrement for {where}'{item}'.")
        levels.setdefault(1.0, 0.0)
    return decrements


def utility(items: pd.DataFrame, values: ValueSet) -> pd.Series:
    """Return the utility of health states; missing where a dimension is missing.

    Parameters
    ----------
    items : pandas.DataFrame, shape (n, dimensions)
        Levels.
    values : ValueSet
        From `read_value_set`; with decrements, utility is one minus their sum.

    Returns
    -------
    pandas.Series, shape (n,)
        Utility: 1 is full health, 0 as bad as being dead.
    """
    if values.states:
        complete = items.notna().all(axis=1)
        digits = items.fillna(0).astype(int).astype(str)
        profile = digits.iloc[:, 0].str.cat(digits.iloc[:, 1:])
        return profile.map(values.states).where(complete).astype(float)
    loss = pd.DataFrame({item: items[item].map(of) for item, of in values.decrements.items()})
    return (1.0 - loss.sum(axis=1, skipna=False)).round(10)
