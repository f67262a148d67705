"""Which variables are imputed, and what follows from which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import pandas as pd

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.models import LONGITUDINAL
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.derived import Rule, parse, scoring
from ccp_analysis.imputation.services import COST, Services
from ccp_analysis.layout import ECONOMICS, INSTRUMENTS, PLAN


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
        Whether every analysis adjusts for it, or a subgroup analysis splits by it.
    bounds : tuple of float or None
        Limits of the scale, where it has any.
    codes : tuple of str
        Codes of a category, in the dictionary's order; empty for a number.
    ordinal : bool
        Whether only codes are values of it.
    step : float or None
        Of what values are multiples; None where any number may be one.
    rule : Rule or None
        How it follows from others, if it does.
    group : str
        Outside this group it predicts nothing but the same measure at other visits; empty: it may
        predict anything. Items of an instrument are a group, and the services of a visit.
    beside : frozenset of str
        Variables that its own analyses adjust for beside the covariates of all, or fit with it.
    barred : frozenset of str
        Stems of measures that never predict it.
    service : bool
        Whether it is the use of a service, or the cost of services, which the dead had while they
        lived.
    """

    name: str
    stem: str
    covariate: bool
    bounds: tuple[float, float] | None
    codes: tuple[str, ...]
    ordinal: bool = False
    step: float | None = None
    rule: Rule | None = None
    group: str = ""
    beside: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()
    service: bool = False


def imputation_variables(
    study: Study,
    plan: Plan,
    economics: Economics | None,
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    people: pd.DataFrame,
    services: Services | None = None,
) -> list[Variable]:
    """List every variable that any analysis uses, and the auxiliary and derived ones, once each.

    With the prices of services their use is imputed, and the total cost follows from it; without
    them the total is imputed itself. Utilities by which the evaluation is only repeated predict
    nothing but themselves: one more such analysis changes no other.

    Raises
    ------
    StudyError
        If the plan names a variable that the participants table does not have, one that is
        neither a number nor a category, or a formula that cannot be computed.
    """
    services = services or Services({}, {}, [])
    alive = {name: name for name in services.alive}
    names = _names(study, plan, economics, instruments, people)
    aside = _aside(study, economics, people, names)
    extra = {name: service for name, (service, _) in services.use.items() if name not in names}
    names |= extra | alive | aside
    covariates = {*plan.covariates, *(s.variable for s in plan.subgroups)}
    covariates |= {name for name in _balanced(plan) if names[name] == name}
    levels = _levels(plan, instruments, aside)
    rules = _scores(study, levels, dictionary, instruments, set(names))
    items: dict[str, str] = {}
    # An item of two instruments belongs to the one whose score serves elsewhere.
    for name in sorted(rules, key=lambda name: name in aside):
        for part in rules[name][0].parts:
            items.setdefault(part, name)
    rules |= {name: (rule, "") for name, rule in services.totals.items() if name in names}
    when = {visit.id: f"month{visit.months:g}" for visit in study.follow_ups}
    groups = {name: f"services at {when.get(services.use[name][1], 'baseline')}" for name in extra}
    groups |= alive | aside | {item: rules[name][1] for item, name in items.items()}
    names |= {item: item for item in items if item not in names}
    formulas = {name: parse(name, text) for name, text in plan.imputation.derived.items()}
    for name, rule in formulas.items():
        if name in people or name in items:
            raise StudyError(f"{PLAN}: imputation.derived: '{name}' is already a variable.")
        if name in names:
            raise StudyError(
                f"{PLAN}: imputation.derived: '{name}' is named among the covariates, subgroups or "
                "auxiliary variables as well; a derived variable serves the imputation without "
                "that, so name it there no more."
            )
        names |= {part: part for part in rule.parts if part not in names and part not in formulas}
    evaluated, beside = _adjusted(study, economics, names)
    evaluated |= services.use.keys() | aside.keys()
    fitted = _fitted_together(study, plan, names)
    by_variable = {column.variable: column for column in dictionary}
    stems = {f"{c.name}_{v.id}": c.name for c in dictionary for v in study.visits}
    result = []
    for name, stem in names.items():
        if name not in people:
            raise StudyError(f"{PLAN}: '{name}' is not a variable of the participants table.")
        column = by_variable.get(name)
        _check_type(name, column)
        categorical = column is not None and column.type == "category"
        result.append(
            Variable(
                name=name,
                stem=stems.get(name, stem) if name in items else stem,
                covariate=name in covariates,
                bounds=_bounds(stem, column, instruments),
                codes=tuple(column.codes) if categorical and column else (),
                ordinal=column is not None and column.type == "ordinal",
                step=_step(stem, column, instruments),
                rule=rules[name][0] if name in rules else None,
                group=groups.get(name, ""),
                beside=fitted[name] | (beside if name in evaluated else frozenset()),
                barred=_same_answers(economics, instruments, aside.get(name, "")),
                service=name in services.use or name in services.totals,
            )
        )
    for name, rule in formulas.items():
        result.append(Variable(name, name, False, None, (), rule=rule))
    return _in_order(result)


def _names(
    study: Study,
    plan: Plan,
    economics: Economics | None,
    instruments: Iterable[str],
    people: pd.DataFrame,
) -> dict[str, str]:
    """Return variable → stem of all that analyses use, and of the auxiliary ones."""
    stems = [outcome.id for outcome in plan.outcomes]
    scores = {f"{scale}_{visit.id}": scale for scale in instruments for visit in study.visits}
    if economics:
        stems += [economics.utility, COST]
    names: dict[str, str] = {}
    for name in [*plan.covariates, *(s.variable for s in plan.subgroups)]:
        names.setdefault(name, name)
    for stem in stems:
        at_visits = [f"{stem}_{v.id}" for v in study.visits if f"{stem}_{v.id}" in people]
        if not at_visits:
            raise StudyError(f"{PLAN}: outcome '{stem}' is neither an instrument nor a variable.")
        names |= dict.fromkeys(at_visits, stem)
    further = (*plan.imputation.auxiliary, *_balanced(plan))
    return names | {n: names.get(n) or scores.get(n, n) for n in further}


def _balanced(plan: Plan) -> list[str]:
    """Return what weights are to balance."""
    return plan.confounding.covariates if plan.confounding else []


def _adjusted(
    study: Study, economics: Economics | None, names: dict[str, str]
) -> tuple[set[str], frozenset[str]]:
    """Return costs and utilities, and their baseline values: the evaluation adjusts for both."""
    if economics is None:
        return set(), frozenset()
    stems = (COST, economics.utility)
    first = frozenset(f"{stem}_{study.baseline.id}" for stem in stems)
    return {name for name, stem in names.items() if stem in stems}, first


def _fitted_together(study: Study, plan: Plan, names: dict[str, str]) -> dict[str, frozenset[str]]:
    """Return the other visits of a measure that its analyses need beside it.

    That is its baseline and, of the baseline, what is adjusted for it; of an outcome whose
    completed visits are analysed together, every visit.
    """
    together = {
        outcome.id
        for analysis in plan.analyses
        if analysis.data == "imputed" and analysis.model in LONGITUDINAL
        for outcome in plan.outcomes_of(analysis)
    }
    found = {}
    for name, stem in names.items():
        first, others = f"{stem}_{study.baseline.id}", [n for n, s in names.items() if s == stem]
        found[name] = frozenset(
            n for n in others if n != name and (stem in together or first in (name, n))
        )
    return found


def _aside(
    study: Study, economics: Economics | None, people: pd.DataFrame, names: dict[str, str]
) -> dict[str, str]:
    """Return variable → stem of the utilities by which the evaluation is only repeated."""
    aside: dict[str, str] = {}
    for variation in economics.sensitivity if economics else ():
        stem = variation.utility
        if stem is None or stem in names.values():
            continue
        at_visits = [f"{stem}_{v.id}" for v in study.visits if f"{stem}_{v.id}" in people]
        if not at_visits:
            raise StudyError(
                f"{ECONOMICS}: sensitivity '{variation.id}': '{stem}' is neither an instrument nor "
                "a variable."
            )
        aside |= dict.fromkeys(at_visits, stem)
    return aside


def _same_answers(
    economics: Economics | None, instruments: dict[str, Instrument], aside: str
) -> frozenset[str]:
    """Return the main utility if one that stands aside is scored from the same items.

    They are missing together: chains in which one predicts the other would hardly move.
    """
    if economics is None or not {economics.utility, aside} <= set(instruments):
        return frozenset()
    shared = set(instruments[economics.utility].items) & set(instruments[aside].items)
    return frozenset({economics.utility} if shared else ())


def _levels(
    plan: Plan, instruments: dict[str, Instrument], aside: dict[str, str]
) -> dict[str, str]:
    """Return the plan's levels; a score that stands aside follows from its items if they are there.

    Imputed beside completed items it would have a value other than theirs.
    """
    levels: dict[str, str] = dict(plan.imputation.level)
    asked = [instruments[n].items for n, at in levels.items() if at == "items" and n in instruments]
    completed = {item for items in asked for item in items}
    for stem in aside.values():
        # By age and sex it follows from more than its items, and is imputed itself.
        scale = instruments.get(stem)
        if scale and scale.valued_by is None and completed.issuperset(scale.items):
            levels[stem] = "items"
    return levels


def _scores(
    study: Study,
    levels: dict[str, str],
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    names: set[str],
) -> dict[str, tuple[Rule, str]]:
    """Return score → its rule and its instrument, for instruments whose items are imputed."""
    found = {}
    for name, level in levels.items():
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
    if stem == COST:
        return (0.0, np.inf)
    if column and column.minimum is not None and column.maximum is not None:
        return (column.minimum, column.maximum)
    return None


def _step(stem: str, column: Column | None, instruments: dict[str, Instrument]) -> float | None:
    """Return of what the values of a variable are multiples; a sum of items is a whole number."""
    if stem in instruments:
        return 1.0 if instruments[stem].score == "sum" else None
    return 1.0 if column is not None and column.type == "integer" else None


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
