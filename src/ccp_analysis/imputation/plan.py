"""Which variables are imputed, by which method, from which predictors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.errors import StudyError
from ccp_analysis.plan import PLAN, Plan
from ccp_analysis.study import INSTRUMENTS, Column, Economics, Instrument, Study

PER_PREDICTOR = 10  # participants for each predictor, beside the cluster indicators


@dataclass(frozen=True)
class Variable:
    """A variable of the imputation.

    Attributes
    ----------
    name : str
        Name in the participants table.
    stem : str
        The name without the visit: variables of one stem are one measure at several visits.
    covariate : bool
        Whether every analysis adjusts for it.
    bounds : tuple of float or None
        Limits of the scale, where it has any.
    codes : tuple of str
        Codes of a category, in the dictionary's order; empty for a number.
    """

    name: str
    stem: str
    covariate: bool
    bounds: tuple[float, float] | None
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Encoded:
    """Variables as numbers.

    Attributes
    ----------
    values : numpy.ndarray, shape (n, columns)
        Missing is NaN.
    owner : list of int
        The variable to which each column belongs; a category with k codes has k - 1 columns.
    """

    values: np.ndarray
    owner: list[int]

    def columns_of(self, variable: int) -> list[int]:
        """Return the columns of a variable."""
        return [column for column, owner in enumerate(self.owner) if owner == variable]


def imputation_variables(
    study: Study,
    plan: Plan,
    economics: Economics | None,
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    people: pd.DataFrame,
) -> list[Variable]:
    """List every variable that any analysis uses, and the auxiliary ones, once each.

    Raises
    ------
    StudyError
        If the plan names a variable that the participants table does not have, or one that is
        neither a number nor a category.
    """
    stems = [outcome.id for outcome in plan.outcomes]
    if economics:
        stems += [economics.utility, "cost"]
    names: dict[str, str] = {}
    for name in plan.covariates:
        names[name] = name
    for stem in stems:
        at_visits = [f"{stem}_{v.id}" for v in study.visits if f"{stem}_{v.id}" in people]
        if not at_visits:
            raise StudyError(f"{PLAN}: outcome '{stem}' is neither an instrument nor a variable.")
        names |= dict.fromkeys(at_visits, stem)
    names |= {name: names.get(name, name) for name in plan.imputation.auxiliary}
    by_variable = {column.variable: column for column in dictionary}
    result = []
    for name, stem in names.items():
        if name not in people:
            raise StudyError(f"{PLAN}: '{name}' is not a variable of the participants table.")
        column = by_variable.get(name)
        categorical = column is not None and column.type == "category"
        if column is not None and not (categorical or column.numeric):
            raise StudyError(
                f"{PLAN}: '{name}' is a variable of the type {column.type}; expected a number or a "
                "category."
            )
        result.append(
            Variable(
                name=name,
                stem=stem,
                covariate=name in plan.covariates,
                bounds=_bounds(stem, column, instruments),
                codes=tuple(column.codes) if categorical else (),
            )
        )
    return result


def _bounds(
    stem: str, column: Column | None, instruments: dict[str, Instrument]
) -> tuple[float, float] | None:
    if stem in instruments:
        return instruments[stem].range
    if stem == "cost":
        return (0.0, np.inf)
    if column and column.minimum is not None and column.maximum is not None:
        return (column.minimum, column.maximum)
    return None


def encode(variables: list[Variable], people: pd.DataFrame) -> Encoded:
    """Write variables as columns of numbers; categories as indicators of all codes but the first.

    Raises
    ------
    StudyError
        If a category of more than two codes has missing values: no method for it is offered; or a
        variable with missing values has no value, or as a category only one.
    """
    columns, owner = [], []
    for index, variable in enumerate(variables):
        values = people[variable.name]
        present = [code for code in variable.codes if (values == code).any()]
        if values.isna().all() or (len(present) == 1 and values.isna().any()):
            raise StudyError(
                f"'{variable.name}' has {values.nunique()} different values among the participants "
                "with a baseline interview; its missing ones cannot be imputed."
            )
        if not variable.codes:
            columns.append(values.to_numpy(dtype=float))
            owner.append(index)
            continue
        if len(present) > 2 and values.isna().any():
            raise StudyError(
                f"{PLAN}: '{variable.name}' has {int(values.isna().sum())} missing values and "
                f"{len(present)} categories; only numbers and categories of two can be imputed."
            )
        for code in present[1:]:
            columns.append(np.where(values.isna(), np.nan, (values == code).astype(float)))
            owner.append(index)
    return Encoded(np.column_stack(columns), owner)


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


def choose_predictors(
    variables: list[Variable], encoded: Encoded, maximum: int
) -> dict[int, pd.DataFrame]:
    """Choose the predictors of every incomplete variable.

    The same measure at other visits and the covariates of the analyses come first, so that the
    imputation contains the analysis; then the others by the larger of two absolute correlations:
    with the variable, and with whether it is missing (van Buuren 2018, section 6.3.2).

    Parameters
    ----------
    variables : list of Variable
        Variables of the imputation.
    encoded : Encoded
        Their values.
    maximum : int
        How many columns may be chosen.

    Returns
    -------
    dict
        Index of an incomplete variable → table with column, predictor (its index), why,
        correlation and usable (people who have both), best first.
    """
    values = pd.DataFrame(encoded.values)
    gone = values.isna().astype(float)
    correlation = values.corr().abs().fillna(0.0).to_numpy()
    usable = (1 - gone).T @ (1 - gone)
    chosen = {}
    for target, variable in enumerate(variables):
        own = encoded.columns_of(target)
        if not own or not gone[own[0]].any():
            continue
        with_missing = values.corrwith(gone[own[0]]).abs().fillna(0.0).to_numpy()
        rows = []
        for column, owner in enumerate(encoded.owner):
            if owner == target:
                continue
            other = variables[owner]
            if other.stem == variable.stem:
                rank, why = 0, "same measure at another visit"
            elif other.covariate:
                rank, why = 1, "covariate of the analyses"
            else:
                rank, why = 2, "correlation"
            strength = max(correlation[own[0], column], with_missing[column])
            rows.append(
                (rank, -round(strength, 9), column, owner, why, usable.iloc[own[0], column])
            )
        rows.sort()
        table = pd.DataFrame(
            rows, columns=["rank", "strength", "column", "predictor", "why", "usable"]
        )
        table["correlation"] = -table["strength"]
        chosen[target] = table.drop(columns=["rank", "strength"]).head(maximum)
    return chosen


def method_of(variable: Variable, plan: Plan) -> str:
    """Return pmm for a category or a bounded scale, norm otherwise, unless the plan says more."""
    by_rule = "pmm" if variable.bounds or variable.codes else "norm"
    return plan.imputation.methods.get(variable.name, by_rule)


def check_methods(variables: list[Variable], plan: Plan) -> None:
    """Raise StudyError if the plan gives a method to a variable that is not imputed."""
    known = {variable.name for variable in variables}
    for name in plan.imputation.methods:
        if name not in known:
            raise StudyError(
                f"{PLAN}: imputation.methods names '{name}', which is not a variable of any "
                f"analysis ({INSTRUMENTS} and the data dictionary name what there is)."
            )
