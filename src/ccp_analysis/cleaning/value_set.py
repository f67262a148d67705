"""Value sets: health states to utilities."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccp_analysis.config.dictionary import Column, line_of
from ccp_analysis.config.instruments import Instrument, ValuedBy
from ccp_analysis.config.reading import first_of, place
from ccp_analysis.config.tables import csv_rows, read_table
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import DICTIONARY, INSTRUMENTS

BY = ["age_band", "sex"]
STATES = ["profile", *BY, "utility"]
# Columns that tell people apart.
PEOPLE = re.compile("(?<![a-z])(?:age|sex|gender|male|female)", re.IGNORECASE)
SHOWN = 20  # missing cells that are listed


@dataclass(frozen=True)
class ValueSet:
    """What health states are worth: by decrements, or state by state.

    Attributes
    ----------
    decrements : dict
        Dimension → level → decrement from full health.
    states : dict
        Cell (of `cells`; empty where the table has one value for everybody) → profile, as 21345 →
        utility.
    """

    decrements: dict[str, dict[float, float]] = field(default_factory=dict)
    states: dict[str, dict[str, float]] = field(default_factory=dict)

    def levels(self, item: str, at: int) -> float:
        """Return the highest level of an item, which is the profile's digit at that place."""
        if self.decrements:
            return max(self.decrements[item])
        return max(int(profile[at]) for profile in next(iter(self.states.values())))


def read_value_set(instrument: Instrument) -> ValueSet:
    """Read a value set: decrements by dimension and level, or a table of all states.

    Parameters
    ----------
    instrument : Instrument
        Its `value_set` is a file with the columns dimension, level, decrement (from full health; no
        row for level 1 is needed); or profile, utility: a row for each state, as 21345, the digits
        in the order of the items; or profile, age_band, sex, utility: a row for each state of each
        age band and sex of its `valued_by`.

    Raises
    ------
    StudyError
        If the file is missing, a number is none or stands twice, an item lacks a level that another
        has, a state or cell is missing, or values by age and sex would be one cell's for everybody;
        `faults` lists all that are missing.
    """
    path = instrument.value_set
    assert path is not None
    _, names = next(csv_rows(path, f"{INSTRUMENTS} names it"))
    header = [name.strip() for name in names]
    if "profile" not in header:
        return ValueSet(decrements=_decrements(instrument))
    of_people = [name for name in header if PEOPLE.search(name)]
    if of_people and instrument.valued_by is None:
        raise StudyError(
            f"{path}, line 1: the table has the columns {few(of_people)}, and nothing says "
            f"whose cell is whose; expected valued_by of the instrument in {INSTRUMENTS}: one cell "
            "of such a table is nobody's value set."
        )
    return ValueSet(states=_states(instrument, header))


def cell(band: str, sex: str) -> str:
    """Return the name of the cell of an age band and sex."""
    return f"age band {band}, sex {sex}"


def _states(instrument: Instrument, header: Sequence[str]) -> dict[str, dict[str, float]]:
    """Read a table of states; each cell must hold all that its levels make."""
    path, by, dimensions = instrument.value_set, instrument.valued_by, len(instrument.items)
    assert path is not None
    states: dict[str, dict[str, float]] = {}
    lines: dict[tuple[str, str], int] = {}
    for line, row in read_table(path, STATES if by else ["profile", "utility"]):
        where, profile = f"{path}, line {line}", row["profile"]
        if not re.fullmatch(r"[1-9]" + f"{{{dimensions}}}", profile):
            raise StudyError(
                f"{where}: profile '{profile}' found; expected {dimensions} digits, one for each "
                "dimension."
            )
        name = cell(*(_known(row[key], key, by, where) for key in BY)) if by else ""
        if profile in states.setdefault(name, {}):
            of = f" of {name}" if name else ""
            raise StudyError(f"{where}: the state {profile}{of} stands twice.")
        states[name][profile] = _finite(row["utility"], f"{where}: utility must be a number.")
        lines[name, profile] = line
    _all_there(instrument, states, lines)
    return states


def _known(name: str, key: str, by: ValuedBy, where: str) -> str:
    """Return the name of an age band or sex of the table, which the instrument must know."""
    named, known = ("age_bands", by.age_bands) if key == "age_band" else ("sexes", by.sexes)
    if name not in known:
        raise StudyError(
            f"{where}: {key} '{name}' found; expected one of those of valued_by.{named} in "
            f"{INSTRUMENTS}: {few(known)}."
        )
    return name


def _all_there(
    instrument: Instrument,
    states: dict[str, dict[str, float]],
    lines: dict[tuple[str, str], int],
) -> None:
    """Raise StudyError for every state of every cell that has no row, with the line before it."""
    path, by = instrument.value_set, instrument.valued_by
    names = [cell(band, sex) for band in by.age_bands for sex in by.sexes] if by else [""]
    levels = max((max(profile) for of in states.values() for profile in of), default="1")
    digits = map(str, range(1, int(levels) + 1))
    wanted = ["".join(s) for s in itertools.product(digits, repeat=len(instrument.items))]
    faults = []
    for name in names:
        of, found = f" in the cell {name}" if name else "", states.get(name, {})
        before = 1
        for profile in wanted if found else ():
            if profile not in found:
                faults.append(
                    f"{path}, line {before}: there is no utility for the state {profile}{of}; "
                    "expected a row for it behind this line."
                )
            before = lines.get((name, profile), before)
        if not found:
            last = max(lines.values(), default=1)
            faults.append(
                f"{path}, line {last}: there is no utility for any state{of}; expected a row for "
                "each of them behind this line."
            )
    if len(faults) > SHOWN:
        more = f"{path}: {len(faults) - SHOWN} more states have no utility."
        faults = [*faults[:SHOWN], more]
    if faults:
        raise first_of(faults)


def _finite(text: str, sentence: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StudyError(sentence)
    return number


def _decrements(instrument: Instrument) -> dict[str, dict[float, float]]:
    """Read decrements: dimension → level → decrement."""
    path = instrument.value_set
    assert path is not None
    decrements: dict[str, dict[float, float]] = {item: {} for item in instrument.items}
    for line, row in read_table(path, ["dimension", "level", "decrement"]):
        sentence = f"{path}, line {line}: level and decrement must be numbers."
        level, decrement = _finite(row["level"], sentence), _finite(row["decrement"], sentence)
        if row["dimension"] not in decrements:
            raise StudyError(
                f"{path}, line {line}: dimension '{row['dimension']}' is not an item of the "
                f"instrument in {INSTRUMENTS}; expected one of {few(instrument.items)}."
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


def check_value_set(name: str, instrument: Instrument, dictionary: Sequence[Column]) -> None:
    """Check what of a value set needs no data to be known.

    Parameters
    ----------
    name, instrument : str, Instrument
        An instrument that is scored by one.
    dictionary : sequence of Column
        What the answers to its items can be.

    Raises
    ------
    StudyError
        As `read_value_set`, or where its levels are not those of an item: the three and the five
        levels of the EQ-5D have value sets of their own.
    """
    values = read_value_set(instrument)
    for at, item in enumerate(instrument.items):
        for column in dictionary:
            codes = [float(code) for code in column.codes] if column.type == "ordinal" else []
            highest = max(codes, default=column.maximum)
            if column.name == item and highest not in (None, values.levels(item, at)):
                raise StudyError(
                    f"{place(INSTRUMENTS, 'instruments', name, 'value_set')}: "
                    f"{instrument.value_set} has {values.levels(item, at):g} levels of '{item}', "
                    f"which goes up to {highest:g} ({DICTIONARY}, line {line_of(column)}); "
                    "expected the value set of the version that was asked."
                )


def cells(people: pd.DataFrame, by: ValuedBy) -> pd.Series:
    """Return in which cell everybody is; missing where age or sex is, or no cell is theirs.

    Parameters
    ----------
    people : pandas.DataFrame, shape (n, variables)
        With the variables of age and sex.
    by : ValuedBy
        Bands and codes.
    """
    age = people[by.age].to_numpy(dtype=float, na_value=np.nan)
    bands = np.array([None, *by.age_bands], dtype=object)
    youngest = list(by.age_bands.values())
    band = bands[np.where(np.isnan(age), 0, np.searchsorted(youngest, age, side="right"))]
    sexes = {code: sex for sex, codes in by.sexes.items() for code in codes}
    sex = people[by.sex].astype(object).map(sexes)
    found = [
        cell(b, s) if b is not None and isinstance(s, str) else None
        for b, s in zip(band, sex, strict=True)
    ]
    return pd.Series(found, index=people.index, dtype=object)


def utility(items: pd.DataFrame, values: ValueSet, of: pd.Series | None = None) -> pd.Series:
    """Return the utility of health states; missing where a dimension is missing.

    Parameters
    ----------
    items : pandas.DataFrame, shape (n, dimensions)
        Levels.
    values : ValueSet
        From `read_value_set`; with decrements, utility is one minus their sum.
    of : pandas.Series, shape (n,), optional
        In which cell everybody is, from `cells`; who is in none has no utility.

    Returns
    -------
    pandas.Series, shape (n,)
        Utility: 1 is full health, 0 as bad as being dead.
    """
    if values.states:
        digits = items.fillna(0).astype(int).astype(str)
        profile = digits.iloc[:, 0].str.cat(digits.iloc[:, 1:])
        inside = pd.Series("", items.index) if of is None else of
        found = pd.Series(np.nan, items.index)
        for name, states in values.states.items():
            found = found.mask(inside == name, profile.map(states))
        return found.where(items.notna().all(axis=1)).astype(float)
    loss = pd.DataFrame({item: items[item].map(of) for item, of in values.decrements.items()})
    return (1.0 - loss.sum(axis=1, skipna=False)).round(10)
