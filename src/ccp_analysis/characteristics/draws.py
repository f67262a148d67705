"""Studies are drawn block by block, imputed and analysed as planned, all of a block at once."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from ccp_analysis.characteristics.actual import Actual, person_columns, within_teams
from ccp_analysis.characteristics.imputing import Column, completed, matched, normal
from ccp_analysis.characteristics.scenarios import Scenario, chances
from ccp_analysis.characteristics.trials import draw_given, lose_by
from ccp_analysis.config.characteristics import BLOCK
from ccp_analysis.config.models import Model
from ccp_analysis.config.plan import Analysis
from ccp_analysis.config.study import Study
from ccp_analysis.config.trial import Trial
from ccp_analysis.models.averaged import pool_by, rule_for
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.random import stream

STREAM = "characteristics"
COLUMNS = ["outcome", "scenario", "draw", "analysis", "estimate", "std_error", "df"]
Found = tuple[np.ndarray, np.ndarray, np.ndarray]  # estimate, standard error, df: of draws


def block(
    trial: Trial, actual: Actual, scenario: Scenario, number: int, entries: list[Analysis]
) -> pd.DataFrame:
    """Return what analyses find in the drawn studies of a block.

    Parameters
    ----------
    trial : Trial
        Configuration.
    actual : Actual
        What drawn studies are like.
    scenario : Scenario
        What is true in them.
    number : int
        Of the block: it has a random stream of its own.
    entries : list of Analysis
        Analyses of the plan.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, in units of the outcome; a row for each draw and analysis.
    """
    outcomes, lost, values = studies(trial.plan.seed, actual, scenario, number)
    by_model: dict[tuple[str, str], Inference] = {}
    parts = []
    for entry in entries:
        if entry.data == "observed" and lost.any():
            found = _observed(trial.study, actual, entry, outcomes, lost)
        else:
            key = (entry.model, entry.variance)
            if key not in by_model:
                by_model[key] = inferred(trial.study, actual, entry, values)
            found = _pooled(actual, entry, by_model[key])
        estimate, error, df = found
        columns = {
            "outcome": actual.outcome.id,
            "scenario": scenario.name,
            "draw": number * BLOCK + np.arange(BLOCK),
            "analysis": entry.id,
            "estimate": estimate * actual.sd,
            "std_error": error * actual.sd,
            "df": df,
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def studies(
    seed: int, actual: Actual, scenario: Scenario, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the studies of a block, in residual standard deviations.

    Returns
    -------
    outcomes, lost : numpy.ndarray
        Shape (draws, n).
    values : numpy.ndarray
        Completed outcomes, shape (m, draws, n), m = 1 where nobody is lost.
    """
    rng = stream(seed, STREAM, actual.outcome.id, scenario.name, str(number))
    layout = actual.layout
    outcomes, score, apart = draw_given(layout, scenario.truth, actual.expected, BLOCK, rng)
    if not actual.method or scenario.losses == "none":
        return outcomes, np.zeros(outcomes.shape, dtype=bool), outcomes[None]
    lost = lose_by(layout, chances(actual, scenario.losses, apart), actual.least, rng)
    nobody = np.zeros_like(lost)
    people = actual.X[:, person_columns(actual.design)]
    columns = [
        Column(np.broadcast_to(people[:, k], lost.shape), nobody)
        for k in within_teams(people, layout)
    ]
    columns += [Column(score, nobody)] * (actual.auxiliary > 0.0)
    columns.append(Column(outcomes, lost))
    way = normal
    if actual.method != "norm":
        way = partial(matched, donors=actual.donors, residual=actual.method == "lrd")
    return outcomes, lost, completed(columns, layout.team, actual.m, 1, rng, way)[-1]


def inferred(
    study: Study, actual: Actual, entry: Analysis, y: np.ndarray, rows: np.ndarray | None = None
) -> Inference:
    """Infer the difference between the arms as the plan's model does.

    Parameters
    ----------
    study, actual
        As in `block`.
    entry : Analysis
        Of the plan, its model one of `actual.MODELS`.
    y : numpy.ndarray
        Outcomes of everybody, or of some rows, shape (..., n).
    rows : numpy.ndarray of int, optional
        Which people these are.

    Returns
    -------
    Inference
        Arrays of shape (..., 1).
    """
    at = slice(None) if rows is None else rows
    X, team = actual.X[at], actual.layout.team[at]
    if entry.model == Model.TEAM_MEANS:
        baseline = actual.asked[actual.entry.id].baseline
        adjust = actual.people.frame[baseline].to_numpy(dtype=float)[at, None]
        return paired_team_means(y, adjust, team, actual.layout.pair, actual.layout.arm).inference
    L = actual.design.contrasts[:1]
    if entry.model == Model.MIXED:
        return kenward_roger(fit_random_intercept(X, y, team), L)
    # As `allocation` has it; teams need no names here.
    if study.clusters is None and entry.variance == "robust":
        return cluster_robust(fit_ols(X, y), np.arange(len(X)), L)
    if study.clusters is None:
        return classical(fit_ols(X, y), L)
    if rows is None:
        few = actual.condensed
        X, y, team = few.X, few.outcomes(y), few.team
    return cluster_robust(fit_ols(X, y), team, L)


def _pooled(actual: Actual, entry: Analysis, found: Inference) -> Found:
    """Pool the inferences of completed outcomes (m, draws, 1); arrays of shape (draws,)."""
    if len(found.estimate) == 1:
        return found.estimate[0, :, 0], found.std_error[0, :, 0], found.df[0, :, 0]
    rule = rule_for(found, actual.asked[entry.id].pooling)
    pooled = pool_by(rule, found)
    return pooled.estimate[:, 0], pooled.std_error[:, 0], pooled.df[:, 0]


def _observed(
    study: Study, actual: Actual, entry: Analysis, outcomes: np.ndarray, lost: np.ndarray
) -> Found:
    """Analyse the people who were seen, study by study; NaN where that cannot be done."""
    found = []
    for y, gone in zip(outcomes, lost, strict=True):
        rows = np.flatnonzero(~gone)
        try:
            one = inferred(study, actual, entry, y[rows], rows)
        except ValueError:  # as where a category is that of nobody who was seen
            found.append([np.nan] * 3)
            continue
        found.append([float(v[0]) for v in (one.estimate, one.std_error, one.df)])
    estimate, error, df = np.array(found).T
    return estimate, error, df
