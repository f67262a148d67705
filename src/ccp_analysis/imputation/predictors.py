"""From which variables each incomplete variable is imputed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.plan import Variable, parts_of
from ccp_analysis.layout import PLAN

UNKNOWN = "cannot be imputed itself"
SAME = 1 - 1e-9  # absolute correlation from which two columns are one

ASKED, SAME_MEASURE, COVARIATE, CORRELATION = range(4)
WHY = {
    ASKED: "asked for in the plan",
    SAME_MEASURE: "same measure at another visit",
    COVARIATE: "covariate of the analyses",
    CORRELATION: "correlation",
}


@dataclass(frozen=True)
class Choice:
    """The predictors of one incomplete variable.

    Attributes
    ----------
    table : pandas.DataFrame
        predictor (its index among the variables), why, correlation, usable (people who have both),
        usable_share (of those without the variable, how many have the predictor); best first.
    removed : list of tuple of str
        Name of each candidate that was left out as constant, as a copy, or by the plan; and which.
    too_many : list of str
        Candidates for which there was no room.
    """

    table: pd.DataFrame
    removed: list[tuple[str, str]]
    too_many: list[str]


def choose_predictors(
    variables: list[Variable],
    encoded: Encoded,
    room: Callable[[int], int],
    plan: Plan | None = None,
    refused: Collection[int] = (),
) -> dict[int, Choice]:
    """Choose the predictors of every incomplete variable that is not derived.

    What the plan adds comes first; then the same measure at other visits and the covariates of the
    analyses, so that the imputation contains the analysis; then the others by the larger of two
    absolute correlations: with the variable, and with whether it is missing (van Buuren 2018,
    section 6.3.2). A derived variable never predicts its own parts, which would feed a value back
    to itself; an item predicts only other items of its instrument, the score serving elsewhere; a
    service only other services of its visit and itself at others, the total cost serving elsewhere.

    Parameters
    ----------
    variables : list of Variable
        Variables of the imputation.
    encoded : Encoded
        Their values.
    room : callable
        Index of a variable → how many columns may be chosen. What the analyses of the variable
        adjust for is never left out for want of room; what the plan adds comes on top.
    plan : Plan, optional
        For the predictors that it adds and drops.
    refused : collection of int
        Indices of variables that are not imputed, and so predict nothing.

    Returns
    -------
    dict
        Index of an incomplete variable → `Choice`.

    Raises
    ------
    StudyError
        If the plan adds or drops what cannot be a predictor.
    """
    correlation = pd.DataFrame(encoded.values).corr().abs().fillna(0.0).to_numpy()
    gone = np.isnan(encoded.values)
    present = (~gone).astype(float)
    usable = present.T @ present
    with_missing = _missing_correlation(encoded.values)
    constant = _constant(encoded.values)
    everyone = [encoded.columns_of(variable) for variable in range(len(variables))]
    parts = {v.name: parts_of(variables, v.name) for v in variables}
    chosen = {}
    for target, variable in enumerate(variables):
        if variable.rule or target in refused or not encoded.incomplete(target):
            continue
        own, lacking = everyone[target], gone[:, everyone[target][0]]
        add, drop = _changes(variables, variable, plan)
        rows, removed = [], [(name, "dropped by the plan") for name in drop]
        for other, candidate in enumerate(variables):
            columns, asked = everyone[other], candidate.name in add
            if not columns or other == target or variable.name in parts[candidate.name]:
                continue
            if not asked and not _offered(candidate, variable):
                continue
            if candidate.name in drop:
                continue
            if other in refused:
                removed.append((candidate.name, UNKNOWN))
                continue
            if not asked and candidate.rule is None and constant[own[0], columns].all():
                removed.append((candidate.name, "the same for everyone who has the variable"))
                continue
            rank = _rank(variable, candidate, asked)
            strength = max(
                correlation[np.ix_(own, columns)].max(), with_missing[own[0], columns].max()
            )
            both = int(usable[own[0], columns[0]])
            share = float(present[lacking, columns[0]].mean())
            rows.append((rank, -round(strength, 9), other, both, share))
        needed = [
            other
            for rank, _, other, *_ in rows
            if rank != ASKED and needs(variable, variables[other])
        ]
        columns = [c for other in needed for c in everyone[other]]
        spare = room(target) - len(columns)
        kept, too_many = _keep(
            sorted(rows), encoded, variables, correlation, spare, needed, removed
        )
        table = pd.DataFrame(
            {
                "predictor": [other for _, _, other, _, _ in kept],
                "why": [WHY[rank] for rank, *_ in kept],
                "correlation": [-strength for _, strength, *_ in kept],
                "usable": [both for _, _, _, both, _ in kept],
                "usable_share": [share for *_, share in kept],
            }
        )
        chosen[target] = Choice(table, removed, too_many)
    return chosen


def _changes(
    variables: list[Variable], variable: Variable, plan: Plan | None
) -> tuple[list[str], list[str]]:
    """Return what the plan adds and drops, checked."""
    change = plan.imputation.predictors.get(variable.name) if plan else None
    if change is None:
        return [], []
    by_name = {v.name: v for v in variables}
    for name in [*change.add, *change.drop]:
        if name not in by_name or name == variable.name:
            raise StudyError(
                f"{PLAN}: imputation.predictors.{variable.name}: '{name}' cannot be a predictor; "
                "expected another variable of the imputation."
            )
    for name in change.add:
        if name in change.drop or variable.name in parts_of(variables, name):
            why = "is also dropped" if name in change.drop else "is derived from it"
            raise StudyError(
                f"{PLAN}: imputation.predictors.{variable.name}: '{name}' {why} and cannot be a "
                "predictor."
            )
    return change.add, change.drop


def _missing_correlation(values: np.ndarray) -> np.ndarray:
    """Return absolute correlations of whether one column is missing (rows) with others' values."""
    gone, present = np.isnan(values), ~np.isnan(values)
    count = present.sum(axis=0)
    filled = np.where(gone, 0.0, values)
    centred = np.where(gone, 0.0, values - filled.sum(axis=0) / np.maximum(count, 1))
    share = (gone.T.astype(float) @ present) / np.maximum(count, 1)
    product = gone.T.astype(float) @ centred
    spread = (centred**2).sum(axis=0) * count * share * (1 - share)
    possible = spread > 1e-12
    return np.where(possible, np.abs(product) / np.sqrt(np.where(possible, spread, 1.0)), 0.0)


def _constant(values: np.ndarray) -> np.ndarray:
    """Return whether a column (second axis) is the same for everyone who has another (first)."""
    low, high = (np.where(np.isnan(values), fill, values) for fill in (np.inf, -np.inf))
    found = np.empty((values.shape[1],) * 2, dtype=bool)
    for target, gone in enumerate(np.isnan(values).T):
        if gone.all():
            found[target] = False
            continue
        found[target] = high[~gone].max(axis=0) <= low[~gone].min(axis=0)
    return found


def _offered(candidate: Variable, variable: Variable) -> bool:
    """Return whether a candidate may predict a variable."""
    if candidate.stem in variable.barred:
        return False
    return candidate.group in ("", variable.group) or candidate.stem == variable.stem


def _rank(variable: Variable, candidate: Variable, asked: bool) -> int:
    if asked:
        return ASKED
    if candidate.stem == variable.stem:
        return SAME_MEASURE
    adjusted = candidate.covariate or candidate.name in variable.beside
    return COVARIATE if adjusted else CORRELATION


def needs(variable: Variable, candidate: Variable) -> bool:
    """Return whether analyses of a variable adjust for a candidate: it is never left out."""
    return candidate.covariate or candidate.name in variable.beside


def _keep(
    rows: list[tuple[int, float, int, int, float]],
    encoded: Encoded,
    variables: list[Variable],
    correlation: np.ndarray,
    spare: int,
    needed: list[int],
    removed: list[tuple[str, str]],
) -> tuple[list[tuple[int, float, int, int, float]], list[str]]:
    """Keep what is needed, and of the rest the first for which there is room, but no copies."""
    kept, too_many = [], []
    columns: list[int] = []
    for row in rows:
        own, name = encoded.columns_of(row[2]), variables[row[2]].name
        copied = [c for c in columns if len(own) == 1 and correlation[own[0], c] >= SAME]
        beside = row[0] == ASKED or row[2] in needed
        if copied and row[0] != ASKED:
            of = variables[encoded.owner[copied[0]]].name
            removed.append((name, f"says the same as {of}"))
        elif beside or len(own) <= spare:
            kept.append(row)
            columns += own
            spare -= 0 if beside else len(own)
        else:
            too_many.append(name)
    return kept, too_many
