"""Impute: participants.parquet, costs → imputed.parquet and what can be said of the imputation."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.chained import Conditional, Imputed, impute
from ccp_analysis.imputation.diagnostics import split_r_hat
from ccp_analysis.imputation.plan import (
    PER_PREDICTOR,
    Encoded,
    Variable,
    check_methods,
    choose_predictors,
    decode,
    encode,
    imputation_variables,
    method_of,
)
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


def run(*, participants: Path, imputed: Path, models: Path, costs: Path | None = None) -> None:
    """Complete the data of everyone with a baseline interview.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    imputed : Path
        Parquet file to write: imputation 0 is the observed data, 1 to m are completed.
    models : Path
        CSV file to write: each imputed variable with method, missing values, predictors and split
        R-hat of its chains.
    costs : Path, optional
        Costs of each participant and visit, where there is an economic evaluation.

    Raises
    ------
    StudyError
        If the plan names what is not there, or a variable is missing for everyone.
    """
    study, plan, economics = load_study(), load_plan(), load_economics()
    people = pd.read_parquet(participants)
    if costs is not None:
        people = people.merge(pd.read_parquet(costs), on="participant", how="left", validate="1:1")
    people = people[people[f"interviewed_{study.baseline.id}"]].reset_index(drop=True)
    dictionary, instruments = load_dictionary(study), load_instruments()
    variables = imputation_variables(study, plan, economics, dictionary, instruments, people)
    check_methods(variables, plan)
    encoded = encode(variables, people)
    chosen = choose_predictors(variables, encoded, max(1, len(people) // PER_PREDICTOR))
    result = _impute(study, plan, variables, encoded, chosen, people)
    tables = _long(study, variables, encoded, result, people)
    listed = _models(study, plan, variables, encoded, chosen, result)
    files.write_parquet(imputed, tables)
    files.write_csv(models, listed)


def _impute(
    study: Study,
    plan: Plan,
    variables: list[Variable],
    encoded: Encoded,
    chosen: dict[int, pd.DataFrame],
    people: pd.DataFrame,
) -> Imputed:
    conditionals = []
    for target, predictors in chosen.items():
        for column in encoded.columns_of(target):
            conditionals.append(
                Conditional(
                    target=column,
                    predictors=tuple(int(c) for c in predictors["column"]),
                    method=method_of(variables[target], plan),
                    donors=plan.imputation.donors,
                )
            )
    # The cluster indicators absorb the arm and the pair; without clusters the arm stands alone.
    factor = people[study.clusters.unit if study.clusters else study.arms.variable]
    # All of them, redundant as one is: no cluster is then the one that others are measured by.
    indicators = pd.get_dummies(factor).to_numpy(dtype=float)
    try:
        return impute(
            encoded.values,
            conditionals,
            m=plan.imputation.imputations,
            iterations=plan.imputation.iterations,
            rng=stream(plan.seed, "imputation", "chained"),
            fixed=indicators,
            on_iteration=_progress(plan.imputation.iterations),
        )
    except ValueError as error:
        columns = ", ".join(f"{c}: {variables[o].name}" for c, o in enumerate(encoded.owner))
        raise StudyError(f"The imputation failed: {error} (columns are {columns}).") from error


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
) -> pd.DataFrame:
    m, n, _ = result.values.shape
    stacked = np.concatenate([encoded.values[None], result.values]).reshape((m + 1) * n, -1)
    completed = decode(variables, Encoded(stacked, encoded.owner), people)
    design = ["participant", study.arms.variable]
    if study.clusters:
        design += [study.clusters.unit, study.clusters.pair]
    repeated = pd.concat([people[design]] * (m + 1), ignore_index=True)
    repeated.insert(0, "imputation", np.repeat(np.arange(m + 1), n))
    return pd.concat([repeated, completed], axis=1)


def _models(
    study: Study,
    plan: Plan,
    variables: list[Variable],
    encoded: Encoded,
    chosen: dict[int, pd.DataFrame],
    result: Imputed,
) -> pd.DataFrame:
    mixing = split_r_hat(np.moveaxis(result.chain_mean, 1, 0))
    parts = []
    for target, predictors in chosen.items():
        own = encoded.columns_of(target)[0]
        part = predictors.assign(
            variable=variables[target].name,
            method=method_of(variables[target], plan),
            missing=int(np.isnan(encoded.values[:, own]).sum()),
            r_hat=mixing[own],
            predictor=[variables[p].name for p in predictors["predictor"]],
            data_status=study.data_status,
        )
        parts.append(part)
    columns = [
        "variable",
        "method",
        "missing",
        "r_hat",
        "predictor",
        "why",
        "correlation",
        "usable",
    ]
    empty = pd.DataFrame(columns=[*columns, "data_status"])
    return pd.concat(parts, ignore_index=True)[[*columns, "data_status"]] if parts else empty
