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
    """Write variables as columns of numbers; categories as indicators of all codes but the first.

    A category of which one code or none was observed, and which is incomplete, has one column.
    """
    columns, owner, levels = [], [], []
    for index, variable in enumerate(variables):
        values = people[variable.name]
        present = [code for code in variable.codes if (values == code).any()]
        if not variable.codes:
            columns.append(values.to_numpy(dtype=float))
            owner.append(index)
            levels.append("")
            continue
        lone = [*present, ""][:1] if len(present) < 2 and values.isna().any() else []
        for code in present[1:] or lone:
            columns.append(np.where(values.isna(), np.nan, (values == code).astype(float)))
            owner.append(index)
            levels.append(code)
    return Encoded(np.column_stack(columns), owner, levels)


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
        for position, column in enumerate(columns[: len(present) - 1]):
            filled[encoded.values[:, column] == 1] = position + 2
        if columns:
            filled[np.isnan(encoded.values[:, columns[0]])] = 0
        decoded[variable.name] = values[filled]
    return pd.DataFrame(decoded)
