"""Impute: participants, costs, prices → imputed.parquet and what can be said of the imputation."""

from __future__ import annotations

import logging
import re
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.imputation import figure_data
from ccp_analysis.imputation.chained import Conditional, Derived, Imputed, impute
from ccp_analysis.imputation.diagnostics import split_r_hat
from ccp_analysis.imputation.encoding import Encoded, beyond_imputing, decode, encode
from ccp_analysis.imputation.plan import Variable, imputation_variables, with_derived
from ccp_analysis.imputation.predictors import PER_PREDICTOR, Choice, choose_predictors
from ccp_analysis.imputation.rules import check_plan, method_of, never_exist
from ccp_analysis.imputation.services import read_services
from ccp_analysis.plan import Plan
from ccp_analysis.random import stream
from ccp_analysis.study import (
    Study,
    load_dictionary,
    load_economics,
    load_instruments,
    load_plan,
    load_study,
)

log = logging.getLogger(__name__)

MIXED = 1.1
"""Split R-hat above which the iterations are called too few (Gelman et al. 2013, section 11.5)."""

NOT_IMPUTED = "not imputed"
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
        If the plan names what is not there. A variable that nobody has stays missing, and what
        needs it says so.
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
    arms = people[study.arms.variable] if plan.imputation.by_arm else None
    unknown = beyond_imputing(variables, people, arms)
    for name, why in unknown.items():
        log.warning("%s is not imputed: %s", name, why)
    apart = [variable for variable in variables if variable.name in unknown]
    variables = [variable for variable in variables if variable.name not in unknown]
    encoded = encode(variables, people)
    maximum = max(1, len(people) // PER_PREDICTOR)
    chosen = choose_predictors(variables, encoded, maximum, plan)
    never = never_exist(study, plan, variables, people)
    _log_choice(variables, chosen, plan)
    result = _impute(study, plan, variables, encoded, chosen, people, never)
    tables = _long(study, variables, encoded, result, people, list(unknown))
    files.write_parquet(imputed, tables)
    listed = _models(study, plan, variables, encoded, chosen, result, never)
    if unknown:
        listed = pd.concat([listed, _not_imputed(study, people, unknown)])
    files.write_csv(models, listed)
    made = {
        traces: lambda: figure_data.traces(study, variables, encoded, result),
        values: lambda: figure_data.values(study, variables, tables),
        patterns: lambda: figure_data.patterns(study, variables + apart, people),
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
    people: pd.DataFrame,
    never: np.ndarray,
) -> Imputed:
    conditionals = []
    for target, choice in chosen.items():
        variable, own = variables[target], encoded.columns_of(target)
        method = method_of(variable, plan)
        # One missing category of two may be asked for as a category of many, and the reverse.
        method = "logreg" if method == "polyreg" and len(own) == 1 else method
        conditionals.append(
            Conditional(
                target=own[0],
                predictors=tuple(
                    c for p in choice.table["predictor"] for c in encoded.columns_of(int(p))
                ),
                method=method,
                donors=plan.imputation.donors,
                bounds=plan.imputation.bounds.get(variable.name),
                indicators=tuple(own[1:]),
            )
        )
    # The cluster indicators absorb the arm and the pair; without clusters the arm stands alone.
    units = groups(people[study.clusters.unit if study.clusters else study.arms.variable])
    # All of them, redundant as one is: no cluster is then the one that others are measured by.
    arm = (people[study.arms.variable] == study.arms.active).to_numpy()
    try:
        return impute(
            encoded.values,
            conditionals,
            m=plan.imputation.imputations,
            iterations=plan.imputation.iterations,
            rng=stream(plan.seed, "imputation", "chained"),
            fixed=units.indicators,
            derived=_derived(variables, encoded),
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


def _derived(variables: list[Variable], encoded: Encoded) -> list[Derived]:
    column = {variables[owner].name: c for c, owner in enumerate(encoded.owner)}
    return [
        Derived(
            column[v.name], tuple(column[p] for p in v.rule.parts), v.rule.function, v.rule.quick
        )
        for v in variables
        if v.rule
    ]


def _progress(iterations: int):
    """Return a callback that shows each iteration to whoever watches, and logs it."""
    started = time.perf_counter()

    def show(iteration: int, *_: object) -> None:
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
    unknown: list[str],
) -> pd.DataFrame:
    m, n, _ = result.values.shape
    stacked = np.concatenate([encoded.values[None], result.values]).reshape((m + 1) * n, -1)
    completed = decode(variables, Encoded(stacked, encoded.owner, encoded.levels), people)
    design = ["participant", study.arms.variable]
    if study.clusters:
        design += [study.clusters.unit, study.clusters.pair]
    repeated = pd.concat([people[design + unknown]] * (m + 1), ignore_index=True)
    repeated.insert(0, "imputation", np.repeat(np.arange(m + 1), n))
    return pd.concat([repeated, completed], axis=1)


def _models(
    study: Study,
    plan: Plan,
    variables: list[Variable],
    encoded: Encoded,
    chosen: dict[int, Choice],
    result: Imputed,
    never: np.ndarray,
) -> pd.DataFrame:
    means, sds = (
        split_r_hat(np.moveaxis(history, 1, 0)) for history in (result.chain_mean, result.chain_sd)
    )
    parts = []
    for target, variable in enumerate(variables):
        own = encoded.columns_of(target)
        if not encoded.incomplete(target):
            continue
        if target in chosen:
            part = chosen[target].table
            part = part.assign(predictor=[variables[p].name for p in part["predictor"]])
        else:
            part = pd.DataFrame({"predictor": variable.rule.parts, "why": variable.rule.text})
        part = part if len(part) else pd.DataFrame({"predictor": [""]})
        worst = [float(np.max(r[own])) for r in (means, sds)]
        note = _note(plan, worst, int(result.ridged[own].sum()))
        if note:
            log.warning("%s: %s", variable.name, note)
        parts.append(
            part.assign(
                variable=variable.name,
                method=method_of(variable, plan),
                missing=int(np.isnan(encoded.values[:, own[0]]).sum()),
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


def _not_imputed(study: Study, people: pd.DataFrame, unknown: dict[str, str]) -> pd.DataFrame:
    """List the variables that stay missing, with the reason, beside the imputation models."""
    rows = [
        {
            "variable": name,
            "method": NOT_IMPUTED,
            "missing": int(people[name].isna().sum()),
            "never": 0,
            "note": why,
            "predictor": "",
            "data_status": study.data_status,
        }
        for name, why in unknown.items()
    ]
    return pd.DataFrame(rows, columns=MODEL_COLUMNS)


def _note(plan: Plan, r_hat: list[float], ridged: int) -> str:
    """Say what a statistician should look into; empty where there is nothing."""
    notes = []
    if max(r_hat) > MIXED:
        notes.append(f"split R-hat {max(r_hat):.2f}: the iterations may be too few")
    if ridged:
        draws = plan.imputation.iterations * plan.imputation.imputations
        notes.append(f"predictors depend on each other: a ridge was needed in {ridged} of {draws}")
    return "; ".join(notes)
