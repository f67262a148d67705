"""Groups of the data (teams, pairs, arms, people, levels): one name, one code and one order.

A group is known by its name, which is text: 7 and 7.0 are the group '7'. Names that are numbers
come first, by size; the others follow as people sort them: without regard to case, and digits
within them by size, so that T2 comes before t10. Names that differ in case or in leading zeros
alone follow the order of their characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_DIGITS = re.compile("([0-9]+)")


def name_of(value: object) -> str:
    """Return the name of a group, or any value, as text: 15 significant digits at most."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def names_of(values: pd.Series) -> pd.Series:
    """Return values as names; what is missing stays missing."""
    if isinstance(values.dtype, pd.StringDtype):
        return values
    return values.map(name_of, na_action="ignore").astype("str")


def place(name: str) -> tuple[Any, ...]:
    """Return the key by which names are sorted."""
    if _NUMBER.fullmatch(name):
        return 0, float(name), (), name
    parts = _DIGITS.split(name.casefold())
    # Text and digits take turns, beginning with text.
    digits = [part.lstrip("0") for part in parts[1::2]]
    parts[1::2] = [(len(part), part) for part in digits]
    return 1, 0.0, tuple(parts), name


def in_order(values: Any) -> list[Any]:
    """Return the different values that are not missing, in the order of their names."""
    found = pd.unique(pd.Series(values).dropna())
    return sorted(found.tolist(), key=lambda value: place(name_of(value)))


@dataclass(frozen=True)
class Groups:
    """To which group each of n rows belongs.

    Attributes
    ----------
    names : list of str
        Name of each of the G groups, in order.
    codes : numpy.ndarray of int, shape (n,)
        Position of each row's group among the names.
    first : numpy.ndarray of int, shape (G,)
        First row of each group.
    """

    names: list[str]
    codes: np.ndarray
    first: np.ndarray

    @property
    def indicators(self) -> np.ndarray:
        """Whether a row belongs to a group: 1 or 0, shape (n, G)."""
        return np.equal.outer(self.codes, np.arange(len(self.names))).astype(float)

    @property
    def categories(self) -> pd.Categorical:
        """The rows as a categorical whose categories are in order."""
        return pd.Categorical.from_codes(self.codes, categories=pd.Index(self.names, dtype="str"))

    def within(self, whole: Groups) -> np.ndarray:
        """Return the code of the larger group in which each group lies, shape (G,).

        Raises
        ------
        ValueError
            If a group lies in two.
        """
        of = whole.codes[self.first]
        astray = of[self.codes] != whole.codes
        if astray.any():
            name = self.names[self.codes[np.argmax(astray)]]
            raise ValueError(f"The group '{name}' lies in two others; expected in one.")
        return of


def groups(values: Any) -> Groups:
    """Code the groups of any rows, whatever the type of the values.

    Parameters
    ----------
    values : array_like, shape (n,)
        Text, whole numbers, or numbers.

    Returns
    -------
    Groups

    Raises
    ------
    ValueError
        If a value is missing.
    """
    codes, found = pd.factorize(np.asarray(values) if not hasattr(values, "dtype") else values)
    if (codes < 0).any():
        raise ValueError("Some rows belong to no group: their value is missing.")
    named = [name_of(value) for value in found.tolist()]
    names = sorted(set(named), key=place)
    position = {name: at for at, name in enumerate(names)}
    codes = np.array([position[name] for name in named], dtype=int)[codes]
    return Groups(names, codes, np.unique(codes, return_index=True)[1])
