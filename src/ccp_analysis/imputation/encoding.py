"""Variables of the imputation as columns of numbers, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.imputation.plan import Variable


@dataclass(frozen=True)
class Encoded:
    """Variables as numbers.

    Attributes
    ----------
    values : numpy.ndarray, shape (n, columns)
        Missing is NaN.
    owner : list of int
        The variable to which each column belongs; a category with k codes has k - 1 columns.
    levels : list of str
        The code that each column of a category stands for; empty for a number.
    """

    values: np.ndarray
    owner: list[int]
    levels: list[str]

    def columns_of(self, variable: int) -> list[int]:
        """Return the columns of a variable."""
        return [column for column, owner in enumerate(self.owner) if owner == variable]

    def incomplete(self, variable: int) -> bool:
        """Whether a variable has missing values."""
        own = self.columns_of(variable)
        return bool(own) and bool(np.isnan(self.values[:, own[0]]).any())


def encode(variables: list[Variable], people: pd.DataFrame) -> Encoded:
    """Write variables as columns of numbers; a category as indicators, but of its first code."""
    columns, owner, levels = [], [], []
    for index, variable in enumerate(variables):
        values = people[variable.name]
        present = [code for code in variable.codes if (values == code).any()]
        if not variable.codes:
            columns.append(values.to_numpy(dtype=float))
            owner.append(index)
            levels.append("")
            continue
        for code in present[1:]:
            columns.append(np.where(values.isna(), np.nan, (values == code).astype(float)))
            owner.append(index)
            levels.append(code)
    return Encoded(np.column_stack(columns), owner, levels)


def beyond_imputing(
    variables: list[Variable], people: pd.DataFrame, arms: pd.Series | None = None
) -> dict[str, str]:
    """Return why incomplete variables have nothing to be imputed from: they stay as they are.

    Parameters
    ----------
    variables : list of Variable
        Derived ones behind what they follow from.
    people : pandas.DataFrame
        Everyone whose data are completed.
    arms : pandas.Series, optional
        Everyone's arm, where each arm is imputed by itself.

    Returns
    -------
    dict
        Name → reason, of a variable that nobody has (in an arm, if each is imputed by itself), of
        a category of which only one code was seen, and of what follows from such variables.
    """
    why: dict[str, str] = {}
    for variable in variables:
        values = people[variable.name]
        if not values.isna().any():
            continue
        parts = [part for part in (variable.rule.parts if variable.rule else ()) if part in why]
        if parts:
            why[variable.name] = f"it follows from '{parts[0]}', which cannot be imputed"
        elif variable.rule is None and values.isna().all():
            why[variable.name] = "nobody has a value of it"
        elif variable.rule is None and variable.codes and values.nunique() == 1:
            why[variable.name] = f"everyone who has a value of it has '{values.dropna().iloc[0]}'"
        elif variable.rule is None and arms is not None:
            empty = set(arms) - set(arms[values.notna()])
            if empty:
                why[variable.name] = f"nobody in the arm '{min(empty)}' has a value of it"
    return why


def decode(variables: list[Variable], encoded: Encoded, people: pd.DataFrame) -> pd.DataFrame:
    """Write completed columns (as in `encode`) as variables again."""
    decoded = {}
    for index, variable in enumerate(variables):
        columns = encoded.columns_of(index)
        if not variable.codes:
            decoded[variable.name] = encoded.values[:, columns[0]]
            continue
        present = [code for code in variable.codes if (people[variable.name] == code).any()]
        values = np.array([None, *present], dtype=object)
        filled = np.full(len(encoded.values), 1)
        for position, column in enumerate(columns):
            filled[encoded.values[:, column] == 1] = position + 2
        if columns:
            filled[np.isnan(encoded.values[:, columns[0]])] = 0
        decoded[variable.name] = values[filled]
    return pd.DataFrame(decoded)
