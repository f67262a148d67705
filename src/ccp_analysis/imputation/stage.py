"""Impute: participants, costs, prices → imputed.parquet and what can be said of the imputation."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.imputation import figure_data
from ccp_analysis.imputation.after_death import Ended, as_if_alive, ended_by_death, with_the_dead
from ccp_analysis.imputation.chained import Conditional, Derived, Imputed, impute
from ccp_analysis.imputation.diagnostics import split_r_hat
from ccp_analysis.imputation.encoding import Encoded, decode, encode
from ccp_analysis.imputation.feasible import Members, feasible
from ccp_analysis.imputation.linear import MATCHED
from ccp_analysis.imputation.plan import Variable, imputation_variables, with_derived
from ccp_analysis.imputation.predictors import Choice, needs
from ccp_analysis.imputation.rules import check_plan, method_of, never_exist
from ccp_analysis.imputation.services import read_services
from ccp_analysis.random import stream
from ccp_analysis.refused import NOT_IMPUTED

log = logging.getLogger(__name__)

MIXED = 1.1
"""Split R-hat above which the iterations are called too few (Gelman et al. 2013, section 11.5)."""

MODEL_COLUMNS = [
    "variable",
    "method",
    "missing",
    "never",
    "r_hat",
    "r_hat_sd",
    "note",
    "predictor",
    "why",
    "correlation",
    "usable",
    "usable_share",
    "data_status",
]


def run(
    *,
    participants: Path,
    imputed: Path,
    models: Path,
    costs: Path | None = None,
    prices: Path | None = None,
    traces: Path | None = None,
    values: Path | None = None,
    patterns: Path | None = None,
    losses: Path | None = None,
) -> None:
    """Complete the data of everyone with a baseline interview.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    imputed : Path
        Parquet file to write: imputation 0 is the observed data, 1 to m are completed.
    models : Path
        CSV file to write: each imputed variable with method, missing values, predictors and split
        R-hat of the means and SDs of its chains; each derived one with its parts.
    costs : Path, optional
        Costs of each participant and visit, where there is an economic evaluation.
    prices : Path, optional
        Prices of the services, from which the costs follow; without them costs are imputed
        themselves.
    traces, values, patterns, losses : Path, optional
        Parquet files to write: means and SDs at every iteration, observed and imputed values,
        patterns of missing values, and who is lost; see `ccp_analysis.imputation.figure_data`.

    Raises
    ------
    StudyError
        If the plan names what is not there.

    Notes
    -----
    What cannot be imputed stays missing in all tables; their attributes say of which and why.
    """
    study, plan, economics = load_study(), load_plan(), load_economics()
    people = pd.read_parquet(participants)
    if costs is not None:
        people = people.merge(pd.read_parquet(costs), on="participant", how="left", validate="1:1")
    people = people[people[f"interviewed_{study.baseline.id}"]].reset_index(drop=True)
    dictionary, instruments = load_dictionary(study), load_instruments()
    services = None
    if economics is not None and prices is not None:
        services = read_services(pd.read_parquet(prices), economics, study, people)
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
    files.write_parquet(imputed, tables)
    table = _models(
        study, plan, variables, encoded, chosen, refused, members, result, never, people
    )
    files.write_csv(models, table)
    made = {
        traces: lambda: figure_data.traces(study, variables, encoded, result),
        values: lambda: figure_data.values(study, variables, tables),
        patterns: lambda: figure_data.patterns(study, variables, people),
        losses: lambda: figure_data.losses(study, people, *_characteristics(study, plan, people)),
    }
    for path, make in made.items():
        if path is not None:
            files.write_parquet(path, make())


def _characteristics(study: Study, plan: Plan, people: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the baseline characteristics, and the design variables, by which losses are shown."""
    outcomes = [f"{o.id}_{study.baseline.id}" for o in plan.outcomes]
    named = [*plan.baseline_table, *plan.covariates, *outcomes]
    design = [study.arms.variable]
    design += [study.clusters.pair, study.clusters.unit] if study.clusters else []
    return [n for n in dict.fromkeys(named) if n in people and n not in design], design


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


def _models(
    study: Study,
    plan: Plan,
    variables: list[Variable],
    encoded: Encoded,
    chosen: dict[int, Choice],
    refused: dict[int, str],
    members: Members,
    result: Imputed,
    never: np.ndarray,
    people: pd.DataFrame,
) -> pd.DataFrame:
    means, sds = (
        split_r_hat(np.moveaxis(history, 1, 0)) for history in (result.chain_mean, result.chain_sd)
    )
    parts = []
    for target, variable in enumerate(variables):
        own = encoded.columns_of(target)
        missing = int(people[variable.name].isna().sum())
        if not missing:
            continue
        worst = [float(np.max(r[own])) for r in (means, sds)]
        if target in refused:
            part, notes = pd.DataFrame(), [refused[target]]
        elif variable.rule:
            why = {"why": variable.rule.text}
            part, notes = pd.DataFrame({"predictor": variable.rule.parts} | why), []
        else:
            part = chosen[target].table
            part = part.assign(predictor=[variables[p].name for p in part["predictor"]])
            notes = _left_out(variables, target, chosen[target])
            notes += _few_donors(variable, plan, members, np.isnan(encoded.values[:, own[0]]))
        part = part if len(part) else pd.DataFrame({"predictor": [""]})
        note = "; ".join([*notes, *_notes(plan, worst, int(result.ridged[own].sum()))])
        if note:
            log.warning("%s: %s", variable.name, note)
        parts.append(
            part.assign(
                variable=variable.name,
                method=NOT_IMPUTED if target in refused else method_of(variable, plan),
                missing=missing,
                never=int(never[:, target].sum()),
                r_hat=worst[0],
                r_hat_sd=worst[1],
                note=note,
                data_status=study.data_status,
            )
        )
    if not parts:
        return pd.DataFrame(columns=MODEL_COLUMNS)
    return pd.concat(parts, ignore_index=True).reindex(columns=MODEL_COLUMNS)


def _left_out(variables: list[Variable], target: int, choice: Choice) -> list[str]:
    """Say which variables that the analyses adjust for do not predict it."""
    needed = {v.name for v in variables if needs(variables[target], v)}
    return [f"'{name}' is no predictor: {why}" for name, why in choice.removed if name in needed]


def _few_donors(variable: Variable, plan: Plan, members: Members, missing: np.ndarray) -> list[str]:
    """Say where fewer donors are matched than the plan has."""
    asked = plan.imputation.donors
    donors = members.donors(asked, missing)
    if method_of(variable, plan) not in MATCHED or donors == asked:
        return []
    seen = int((~missing).sum())
    return [f"{donors} of {asked} donors, as {seen} values were observed"]


def _notes(plan: Plan, r_hat: list[float], ridged: int) -> list[str]:
    """Say what a statistician should look into; empty where there is nothing."""
    notes = []
    if max(r_hat) > MIXED:
        notes.append(f"split R-hat {max(r_hat):.2f}: the iterations may be too few")
    if ridged:
        draws = plan.imputation.iterations * plan.imputation.imputations
        notes.append(f"predictors depend on each other: a ridge was needed in {ridged} of {draws}")
    return notes
