"""Which variables are imputed, by which method; and variables as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import pandas as pd

from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.derived import Rule, parse, scoring
from ccp_analysis.plan import PLAN, Plan
from ccp_analysis.study import INSTRUMENTS, Column, Economics, Instrument, Study


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
        Whether an analysis adjusts for it or divides by it.
    bounds : tuple of float or None
        Limits of the scale, where it has any.
    codes : tuple of str
        Codes of a category, in the dictionary's order; empty for a number.
    discrete : bool
        Whether only some numbers are values of it: whole numbers, or the codes of an ordinal scale.
    rule : Rule or None
        How it follows from others, if it does.
    item_of : str
        The instrument of which it is an item, where items are imputed; else empty.
    """

    name: str
    stem: str
    covariate: bool
    bounds: tuple[float, float] | None
    codes: tuple[str, ...]
    discrete: bool = False
    rule: Rule | None = None
    item_of: str = ""


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


def imputation_variables(
    study: Study,
    plan: Plan,
    economics: Economics | None,
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    people: pd.DataFrame,
) -> list[Variable]:
    """List every variable that any analysis uses, and the auxiliary and derived ones, once each.

    Raises
    ------
    StudyError
        If the plan names a variable that the participants table does not have, one that is
        neither a number nor a category, or a formula that cannot be computed.
    """
    names = _names(study, plan, economics, people)
    covariates = {*plan.covariates, *(s.variable for s in plan.subgroups)}
    rules = _scores(study, plan, dictionary, instruments, set(names))
    items = {part: name for name, (rule, _) in rules.items() for part in rule.parts}
    names |= {item: item for item in items if item not in names}
    formulas = {name: parse(name, text) for name, text in plan.imputation.derived.items()}
    for name, rule in formulas.items():
        if name in people or name in names:
            raise StudyError(f"{PLAN}: imputation.derived: '{name}' is already a variable.")
        names |= {part: part for part in rule.parts if part not in names and part not in formulas}
    by_variable = {column.variable: column for column in dictionary}
    stems = {f"{c.name}_{v.id}": c.name for c in dictionary for v in study.visits}
    result = []
    for name, stem in names.items():
        if name not in people:
            raise StudyError(f"{PLAN}: '{name}' is not a variable of the participants table.")
        column = by_variable.get(name)
        _check_type(name, column)
        categorical = column is not None and column.type == "category"
        rule, _ = rules.get(name, (None, ""))
        result.append(
            Variable(
                name=name,
                stem=stems.get(name, stem) if name in items else stem,
                covariate=name in covariates,
                bounds=_bounds(stem, column, instruments),
                codes=tuple(column.codes) if categorical and column else (),
                discrete=column is not None and column.type in ("integer", "ordinal"),
                rule=rule,
                item_of=rules[items[name]][1] if name in items else "",
            )
        )
    for name, rule in formulas.items():
        result.append(Variable(name, name, False, None, (), rule=rule))
    return _in_order(result)


def _names(
    study: Study, plan: Plan, economics: Economics | None, people: pd.DataFrame
) -> dict[str, str]:
    """Return variable → stem of all that analyses use, and of the auxiliary ones."""
    stems = [outcome.id for outcome in plan.outcomes]
    if economics:
        stems += [economics.utility, "cost"]
    names: dict[str, str] = {}
    for name in [*plan.covariates, *(s.variable for s in plan.subgroups)]:
        names.setdefault(name, name)
    for stem in stems:
        at_visits = [f"{stem}_{v.id}" for v in study.visits if f"{stem}_{v.id}" in people]
        if not at_visits:
            raise StudyError(f"{PLAN}: outcome '{stem}' is neither an instrument nor a variable.")
        names |= dict.fromkeys(at_visits, stem)
    return names | {name: names.get(name, name) for name in plan.imputation.auxiliary}


def _scores(
    study: Study,
    plan: Plan,
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    names: set[str],
) -> dict[str, tuple[Rule, str]]:
    """Return score → its rule and its instrument, for instruments whose items are imputed."""
    found = {}
    for name, level in plan.imputation.level.items():
        if name not in instruments:
            raise StudyError(
                f"{PLAN}: imputation.level names '{name}', which is not an instrument of "
                f"{INSTRUMENTS}."
            )
        if level == "score":
            continue
        instrument = instruments[name]
        for visit in [*(v.id for v in study.visits), ""]:
            scores = [name, *(f"{name}_{s}" for s in instrument.subscales)]
            for score in (f"{s}_{visit}" if visit else s for s in scores):
                if score in names:
                    found[score] = scoring(score, name, instrument, dictionary, visit), name
    return found


def _check_type(name: str, column: Column | None) -> None:
    if column is not None and not (column.type == "category" or column.numeric):
        raise StudyError(
            f"{PLAN}: '{name}' is a variable of the type {column.type}; expected a number or a "
            "category."
        )


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


def _in_order(variables: list[Variable]) -> list[Variable]:
    """Put derived variables behind the others, each after what it follows from."""
    by_name = {v.name: v for v in variables}
    rules = {v.name: v.rule for v in variables if v.rule}
    for name, rule in rules.items():
        for part in rule.parts:
            if by_name[part].codes:
                raise StudyError(
                    f"{PLAN}: imputation.derived.{name}: '{part}' is a category; a number is "
                    "expected."
                )
    try:
        order = list(TopologicalSorter({n: r.parts for n, r in rules.items()}).static_order())
    except CycleError as error:
        raise StudyError(
            f"{PLAN}: imputation.derived: {' and '.join(sorted(set(error.args[1])))} follow from "
            "each other."
        ) from error
    plain = [v for v in variables if not v.rule]
    return plain + [by_name[name] for name in order if name in rules]


def parts_of(variables: list[Variable], name: str) -> set[str]:
    """Return all variables that a derived variable follows from, directly or not."""
    by_name = {v.name: v for v in variables}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        rule = by_name[waiting.pop()].rule
        new = set(rule.parts) - found if rule else set()
        found |= new
        waiting += new
    return found


def with_derived(variables: list[Variable], people: pd.DataFrame) -> pd.DataFrame:
    """Compute the derived variables of everyone who has all parts; formulas only.

    Raises
    ------
    StudyError
        If a value is not a finite number.
    """
    for variable in variables:
        if variable.rule is None or variable.name in people:
            continue
        parts = people[list(variable.rule.parts)].to_numpy(dtype=float)
        known = np.isfinite(parts).all(axis=1)
        values = np.full(len(people), np.nan)
        with np.errstate(all="ignore"):
            values[known] = variable.rule.function(parts[known])
        if not np.isfinite(values[known]).all():
            raise StudyError(
                f"{PLAN}: imputation.derived.{variable.name}: '{variable.rule.text}' is not a "
                "finite number for some participants."
            )
        people = people.assign(**{variable.name: values})
    return people


def encode(variables: list[Variable], people: pd.DataFrame) -> Encoded:
    """Write variables as columns of numbers; categories as indicators of all codes but the first.

    Raises
    ------
    StudyError
        If a variable that is not derived has missing values but no value, or as a category only
        one.
    """
    columns, owner, levels = [], [], []
    for index, variable in enumerate(variables):
        values = people[variable.name]
        present = [code for code in variable.codes if (values == code).any()]
        empty = values.isna().all() and variable.rule is None
        if empty or (len(present) == 1 and values.isna().any()):
            raise StudyError(
                f"'{variable.name}' has {values.nunique()} different values among the participants "
                "with a baseline interview; its missing ones cannot be imputed."
            )
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
