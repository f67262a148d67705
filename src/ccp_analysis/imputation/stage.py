"""Impute: participants, costs, prices → imputed.parquet and what can be said of the imputation."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.imputation import figure_data
from ccp_analysis.imputation.completed import Completed, completed, read_people
from ccp_analysis.imputation.diagnostics import split_r_hat
from ccp_analysis.imputation.feasible import Members
from ccp_analysis.imputation.linear import MATCHED
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.imputation.predictors import Choice, needs
from ccp_analysis.imputation.rules import method_of
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
    study, plan = load_study(), load_plan()
    people = read_people(study, participants, costs)
    found = completed(plan, people, prices)
    files.write_parquet(imputed, found.tables)
    files.write_csv(models, _models(study, plan, found))
    made = {
        traces: lambda: figure_data.traces(study, found.variables, found.encoded, found.result),
        values: lambda: figure_data.values(study, found.variables, found.tables),
        patterns: lambda: figure_data.patterns(study, found.variables, found.people),
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


def _models(study: Study, plan: Plan, found: Completed) -> pd.DataFrame:
    variables, encoded, chosen = found.variables, found.encoded, found.chosen
    refused, members, result, people = found.refused, found.members, found.result, found.people
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
                never=int(found.never[:, target].sum()),
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
