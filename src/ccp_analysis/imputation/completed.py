"""Complete the data of people by the models of a plan."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.dictionary import Column, load_dictionary
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.imputation.after_death import Ended, as_if_alive, ended_by_death, with_the_dead
from ccp_analysis.imputation.chained import Conditional, Derived, Imputed, impute
from ccp_analysis.imputation.encoding import Encoded, decode, encode
from ccp_analysis.imputation.feasible import Members, feasible
from ccp_analysis.imputation.plan import Variable, imputation_variables, with_derived
from ccp_analysis.imputation.predictors import Choice
from ccp_analysis.imputation.rules import check_plan, method_of, never_exist
from ccp_analysis.imputation.services import read_services
from ccp_analysis.random import stream
from ccp_analysis.refused import NOT_IMPUTED

log = logging.getLogger(__name__)


def read_people(study: Study, participants: Path, costs: Path | None) -> pd.DataFrame:
    """Return everyone with a baseline interview, with their costs where there are any."""
    people = files.read_parquet(participants)
    if costs is not None:
        people = people.merge(
            files.read_parquet(costs), on="participant", how="left", validate="1:1"
        )
    return people[people[f"interviewed_{study.baseline.id}"]].reset_index(drop=True)


@dataclass(frozen=True)
class Completed:
    """Completed data, and by what models.

    Attributes
    ----------
    tables : pandas.DataFrame
        The observed table and the completed ones, below one another.
    people : pandas.DataFrame
        As observed, with what is derived.
    variables, encoded, members
        What was imputed, as numbers, and of whom.
    chosen, refused : dict
        Predictors of each variable, and why others are not imputed.
    never : numpy.ndarray of bool
        Values that cannot exist.
    result : Imputed
        Values and chains.
    """

    tables: pd.DataFrame
    people: pd.DataFrame
    variables: list[Variable]
    encoded: Encoded
    members: Members
    chosen: dict[int, Choice]
    refused: dict[int, str]
    never: np.ndarray
    result: Imputed


def completed(
    plan: Plan, people: pd.DataFrame, prices: Path | None, further: Sequence[Column] = ()
) -> Completed:
    """Complete the data of people by the models of a plan.

    Parameters
    ----------
    plan : Plan
        How to impute.
    people : pandas.DataFrame
        Participants with their costs.
    prices : Path or None
        Prices of the services.
    further : sequence of Column
        What columns are that the dictionary does not have.

    Raises
    ------
    StudyError
        If the plan names what is not there.
    """
    study, economics = load_study(), load_economics()
    dictionary, instruments = [*load_dictionary(study), *further], load_instruments()
    services = None
    if economics is not None and prices is not None:
        services = read_services(files.read_parquet(prices), economics, study, people)
    variables = imputation_variables(
        study, plan, economics, dictionary, instruments, people, services
    )
    check_plan(study, variables, plan)
    people = with_derived(variables, people)
    ended = ended_by_death(study, instruments, variables, people)
    encoded = encode(variables, as_if_alive(people, ended))
    never = never_exist(study, plan, variables, people)
    needless = never.copy()
    for position, variable in enumerate(variables):
        needless[:, position] |= ended.get(variable.name, False)
    members = _members(study, plan, people)
    chosen, refused = feasible(variables, encoded, plan, members, needless)
    _log_choice(variables, chosen, plan)
    result = _impute(study, plan, variables, encoded, chosen, members, needless)
    tables = _long(study, variables, encoded, result, people, refused, ended)
    return Completed(tables, people, variables, encoded, members, chosen, refused, never, result)


def _members(study: Study, plan: Plan, people: pd.DataFrame) -> Members:
    """Return the arms and clusters of the imputation models."""
    arm = people[study.arms.variable].to_numpy(dtype=str)
    if study.clusters is None:
        return Members(arm, arm, "arm", plan.imputation.by_arm)
    cluster = people[study.clusters.unit].to_numpy(dtype=str)
    return Members(arm, cluster, study.clusters.unit_label, plan.imputation.by_arm)


def _log_choice(variables: list[Variable], chosen: dict[int, Choice], plan: Plan) -> None:
    for target, choice in chosen.items():
        name = variables[target].name
        for removed, why in choice.removed:
            log.info("%s: predictor %s removed: %s", name, removed, why)
        if choice.too_many:
            log.info("%s: no room for the predictors %s", name, ", ".join(choice.too_many))
        for row in choice.table[choice.table["usable_share"] == 0].itertuples():
            log.info(
                "%s: predictor %s is missing for everyone who lacks it",
                name,
                variables[row.predictor].name,
            )
    known = {variables[target].name for target in chosen}
    for name in sorted({*plan.imputation.methods, *plan.imputation.predictors} - known):
        log.info("%s has no missing values: what the plan says of its imputation is not used", name)


def _impute(
    study: Study,
    plan: Plan,
    variables: list[Variable],
    encoded: Encoded,
    chosen: dict[int, Choice],
    members: Members,
    never: np.ndarray,
) -> Imputed:
    conditionals = []
    for target, choice in chosen.items():
        variable, own = variables[target], encoded.columns_of(target)
        method = method_of(variable, plan)
        # One missing category of two may be asked for as a category of many, and the reverse.
        method = "logreg" if method == "polyreg" and len(own) == 1 else method
        own_bounds = variable.bounds if method == "lrd" else None
        conditionals.append(
            Conditional(
                target=own[0],
                predictors=tuple(
                    c for p in choice.table["predictor"] for c in encoded.columns_of(int(p))
                ),
                method=method,
                donors=members.donors(plan.imputation.donors, np.isnan(encoded.values[:, own[0]])),
                bounds=plan.imputation.bounds.get(variable.name, own_bounds),
                step=variable.step if method == "lrd" else None,
                indicators=tuple(own[1:]),
            )
        )
    # The cluster indicators absorb the arm and the pair; without clusters the arm stands alone.
    units = groups(pd.Series(members.cluster))
    # All of them, redundant as one is: no cluster is then the one that others are measured by.
    arm = members.arm == study.arms.active
    try:
        return impute(
            encoded.values,
            conditionals,
            m=plan.imputation.imputations,
            iterations=plan.imputation.iterations,
            rng=stream(plan.seed, "imputation", "chained"),
            fixed=units.indicators,
            derived=_derived(variables, encoded, {variables[t].name for t in chosen}),
            strata=arm.astype(int) if plan.imputation.by_arm else None,
            clusters=units.codes if study.clusters else None,
            between=arm[:, None].astype(float),
            never=never[:, encoded.owner],
            streams=_streams(plan, variables, conditionals, encoded),
            on_iteration=_progress(plan.imputation.iterations),
        )
    except ValueError as error:
        names = [variables[owner].name for owner in encoded.owner]
        said = re.sub(r"column (\d+)", lambda c: f"'{names[int(c[1])]}'", str(error))
        raise StudyError(f"The imputation failed: {said}.") from error


def _streams(
    plan: Plan, variables: list[Variable], conditionals: list[Conditional], encoded: Encoded
) -> dict[int, np.random.Generator]:
    """Return a stream for each group of variables: what it draws moves no other's numbers."""
    named: dict[str, np.random.Generator] = {}
    streams = {}
    for conditional in conditionals:
        group = variables[encoded.owner[conditional.target]].group
        if group:
            own = named.setdefault(group, stream(plan.seed, "imputation", "chained", group))
            streams[conditional.target] = own
    return streams


def _derived(variables: list[Variable], encoded: Encoded, imputed: set[str]) -> list[Derived]:
    """Return the columns that follow from others, unless a part of them stays incomplete."""
    column = {variables[owner].name: c for c, owner in enumerate(encoded.owner)}
    found, whole = [], set(imputed)
    whole |= {v.name for i, v in enumerate(variables) if not encoded.incomplete(i)}
    for v in variables:
        if v.rule and whole.issuperset(v.rule.parts):
            parts = tuple(column[p] for p in v.rule.parts)
            found.append(Derived(column[v.name], parts, v.rule.function, v.rule.quick))
            whole.add(v.name)
    return found


def _progress(iterations: int) -> Callable[[int], None]:
    """Return a callback that shows each iteration to whoever watches, and logs it."""
    started = time.perf_counter()

    def show(iteration: int) -> None:
        done = iteration + 1
        spent = time.perf_counter() - started
        left = spent / done * (iterations - done)
        log.info("iteration %d of %d, %.1f s", done, iterations, spent)
        if sys.stderr.isatty():
            end = "\n" if done == iterations else ""
            line = f"\rImputing: iteration {done} of {iterations}, {left:.0f} s left "
            print(line, end=end, file=sys.stderr, flush=True)

    return show


def _long(
    study: Study,
    variables: list[Variable],
    encoded: Encoded,
    result: Imputed,
    people: pd.DataFrame,
    refused: dict[int, str],
    ended: Ended,
) -> pd.DataFrame:
    """Return the observed table and the completed ones, below one another."""
    m, n, _ = result.values.shape
    stacked = np.concatenate([encoded.values[None], result.values]).reshape((m + 1) * n, -1)
    completed = decode(variables, Encoded(stacked, encoded.owner, encoded.levels), people)
    completed = with_the_dead(completed, variables, people, ended)
    for name in (variables[target].name for target in refused):
        completed[name] = pd.concat([people[name]] * (m + 1), ignore_index=True)
    design = ["participant", study.arms.variable]
    if study.clusters:
        design += [study.clusters.unit, study.clusters.pair]
    repeated = pd.concat([people[design]] * (m + 1), ignore_index=True)
    repeated.insert(0, "imputation", np.repeat(np.arange(m + 1), n))
    tables = pd.concat([repeated, completed], axis=1)
    tables.attrs[NOT_IMPUTED] = {
        name: f"'{name}' could not be imputed: {why}"
        for name, why in ((variables[target].name, why) for target, why in refused.items())
        if tables[name].hasnans
    }
    return tables
