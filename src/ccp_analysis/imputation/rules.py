"""What the plan says of single variables: the method, what cannot be, what makes no sense."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, few
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.layout import INSTRUMENTS, PLAN


def never_exist(
    study: Study, plan: Plan, variables: list[Variable], people: pd.DataFrame
) -> np.ndarray:
    """Find the values that cannot exist, by the plan's events.

    Parameters
    ----------
    study, plan, variables, people
        As elsewhere.

    Returns
    -------
    ndarray of bool, shape (n, number of variables)
        Missing values of follow-up visits after the last interview of those whose participation
        ended by one of the plan's events; and what is derived from such values. The dead had used
        services while they lived: their use is imputed.

    Raises
    ------
    StudyError
        If the plan names an event that does not end participation.
    """
    found = np.zeros((len(people), len(variables)), dtype=bool)
    events = plan.imputation.not_after
    known = study.losses.ending if study.losses else []
    for event in events:
        if event not in known:
            raise StudyError(
                f"{PLAN}: imputation.not_after: '{event}' is not an event that ends participation; "
                f"expected one of {few(known) or 'none, as the study declares no losses'}."
            )
    if not events or study.losses is None:
        return found
    seen = people[[f"interviewed_{v.id}" for v in study.visits]].to_numpy(dtype=bool)
    last = seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    gone = people["left"].isin(events).to_numpy()
    died = (people["left"] == study.losses.death).to_numpy()
    where = {v.name: i for i, v in enumerate(variables)}
    for i, variable in enumerate(variables):
        who = gone & ~died if variable.service else gone
        for position, visit in enumerate(study.visits):
            if position and variable.name.endswith(f"_{visit.id}"):
                found[:, i] |= who & (last < position) & people[variable.name].isna().to_numpy()
        if variable.rule:
            found[:, i] |= found[:, [where[p] for p in variable.rule.parts]].any(axis=1)
    return found


def method_of(variable: Variable, plan: Plan) -> str:
    """Return the method of a variable: the plan's, or by rule.

    Formulas and scores follow from others; a category of two codes has logreg, of more polyreg; a
    score, or another number with bounds, has lrd; an ordinal scale, an item and the use of a
    service have pmm, whose values are observed ones; everything else norm.
    """
    if variable.rule:
        return "derived"
    by_rule = "lrd" if variable.bounds or variable.step else "norm"
    if variable.ordinal or variable.group:
        by_rule = "pmm"
    if variable.codes:
        by_rule = "logreg" if len(variable.codes) == 2 else "polyreg"
    return plan.imputation.methods.get(variable.name, by_rule)


def check_plan(study: Study, variables: list[Variable], plan: Plan) -> None:
    """Raise StudyError if the plan asks of a variable what it cannot have."""
    known = {variable.name: variable for variable in variables}
    named = {
        "methods": list(plan.imputation.methods),
        "bounds": list(plan.imputation.bounds),
        "predictors": list(plan.imputation.predictors),
    }
    for key, names in named.items():
        for name in names:
            if name not in known:
                raise StudyError(
                    f"{PLAN}: imputation.{key} names '{name}', which is not a variable of any "
                    f"analysis ({INSTRUMENTS} and the data dictionary name what there is)."
                )
            if known[name].rule:
                raise StudyError(
                    f"{PLAN}: imputation.{key} names '{name}', which is derived and never imputed."
                )
    for name, method in plan.imputation.methods.items():
        variable = known[name]
        many, category = len(variable.codes) > 2, bool(variable.codes)
        if (many and method != "polyreg") or (not category and method in ("logreg", "polyreg")):
            kind = "a category of more than two codes" if many else "a number"
            raise StudyError(
                f"{PLAN}: imputation.methods: '{name}' is {kind}; the method {method} does not go "
                "with it."
            )
        if category and not many and method in ("norm", "2l.norm"):
            raise StudyError(
                f"{PLAN}: imputation.methods: '{name}' is a category; expected logreg or pmm."
            )
        if method == "2l.norm" and study.clusters is None:
            raise StudyError(
                f"{PLAN}: imputation.methods: '{name}' has 2l.norm, which needs the clusters that "
                "the study does not declare."
            )
    for name in plan.imputation.bounds:
        if method_of(known[name], plan) not in ("norm", "lrd", "2l.norm"):
            raise StudyError(
                f"{PLAN}: imputation.bounds: '{name}' is imputed by "
                f"{method_of(known[name], plan)}, whose values are observed ones; bounds go with "
                "norm, lrd and 2l.norm."
            )
