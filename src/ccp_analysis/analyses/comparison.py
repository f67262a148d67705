"""Comparing the arms on one outcome by the models of the plan."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.design import (
    COMPLETE_CASES,
    COMPLETED,
    Sample,
    design,
    long_over_visits,
    sample,
)
from ccp_analysis.analyses.rows import (
    DIFFERENCE,
    PAIR_DIFFERENCE,
    arm_rows,
    contrast_label,
    pooled_baseline_sd,
    pooled_rows,
)
from ccp_analysis.errors import StudyError
from ccp_analysis.models.ols import RankDeficientError, classical, fit_ols
from ccp_analysis.models.reml import RandomInterceptFit, fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import paired_team_means, sign_flip
from ccp_analysis.study import Study

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """One outcome to be compared between the arms.

    Attributes
    ----------
    outcome : str
        Name of the outcome, for the rows.
    value : str
        Variable that holds it; for a repeated model the stem of the variables.
    baseline : str
        Variable that holds its baseline value.
    covariates : list of str
        Further baseline covariates.
    scale : str
        Unit of the outcome.
    level : float
        Confidence level.
    standardise : bool
        Whether the difference is also given in baseline SDs.
    """

    outcome: str
    value: str
    baseline: str
    covariates: list[str]
    scale: str
    level: float
    standardise: bool = True


def compare(model: str, study: Study, imputed: pd.DataFrame, data: str, question: Question) -> Rows:
    """Fit one model to one outcome.

    Parameters
    ----------
    model : {"ancova", "mixed", "team-means", "repeated"}
        The model.
    study : Study
        Arms and clusters.
    imputed : pandas.DataFrame
        Imputations 0 to m.
    data : {"imputed", "observed"}
        Which of them.
    question : Question
        What is compared.

    Returns
    -------
    list of dict
        Rows of the results table.

    Raises
    ------
    StudyError
        If a variable is missing, the design is rank deficient (its columns are named), or the model
        does not fit the study's design.
    ValueError
        If a fit fails or the difference has no standard error.
    """
    return MODELS[model](study, imputed, data, question)


def attempt(
    analysis: str,
    role: str,
    model: str,
    study: Study,
    imputed: pd.DataFrame,
    data: str,
    question: Question,
) -> Rows:
    """Fit one model to one outcome, and say so where it fails.

    Parameters
    ----------
    analysis, role : str
        Id and role of the analysis.
    model, study, imputed, data, question
        As in `compare`.

    Returns
    -------
    list of dict
        Rows of the results table; of a failed analysis one, without an estimate, with the reason.

    Raises
    ------
    StudyError
        As in `compare`, or if an analysis whose role is primary fails.
    """
    try:
        return compare(model, study, imputed, data, question)
    except ValueError as error:
        reason = f"{analysis}, {question.outcome}: {error}".rstrip(".")
        if role == "primary":
            raise StudyError(f"The primary analysis failed: {reason}.") from error
        log.error(reason)
        return [
            {
                "outcome": question.outcome,
                "scale": question.scale,
                "population": POPULATIONS[data],
                "model": model,
                "term": DIFFERENCE,
                "level": contrast_label(study),
                "status": "failed",
                "note": str(error).rstrip("."),
            }
        ]


def _ancova(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    chosen = _sample(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], _pair(study))
    fit = _named(fit_ols, X.columns, X.X, chosen.stacked(ask.value))
    _check_fits(fit)
    if study.clusters:
        groups = chosen.codes(study.clusters.unit)
        inference = cluster_robust(fit, groups, X.contrasts, kind="CR2")
        method = "cr2"
    else:
        inference, method = classical(fit, X.contrasts), "t"
    rows = arm_rows(study, chosen, inference, ask.level, _sd(study, chosen, ask))
    return _complete(rows, study, chosen, ask, "ancova", method)


def _mixed(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    if study.clusters is None:
        raise StudyError(
            "config/analysis.yaml: the mixed model needs clusters, which config/study.yaml lacks; "
            "expected model: ancova or model: repeated."
        )
    chosen = _sample(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], _pair(study))
    groups = chosen.codes(study.clusters.unit)
    fit = _named(fit_random_intercept, X.columns, X.X, chosen.stacked(ask.value), groups)
    _check_fits(fit)
    inference = kenward_roger(fit, X.contrasts)
    rows = arm_rows(study, chosen, inference, ask.level, _sd(study, chosen, ask))
    rows += _variance_rows(fit, study.clusters.unit_label, ask.scale)
    rows = _complete(rows, study, chosen, ask, "mixed", "kenward-roger")
    return _with_status(rows, fit, chosen, study.clusters.unit_label)


def _repeated(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    if study.clusters:
        raise StudyError(
            "config/analysis.yaml: a model of repeated visits with a random intercept for people "
            f"gives a {study.clusters.unit_label}-level arm the degrees of freedom of people; "
            f"expected a term for {study.clusters.unit_label} and visit, which is not offered, so "
            "use model: mixed at one visit."
        )
    chosen = long_over_visits(study, imputed, data, ask.value, [ask.baseline, *ask.covariates])
    X = design(chosen, [ask.baseline, "months", *ask.covariates], [])
    groups = chosen.codes("participant")
    fit = _named(fit_random_intercept, X.columns, X.X, chosen.stacked("value"), groups)
    _check_fits(fit)
    # A person counts once in the SD, however many visits there are.
    once = sample(study, imputed, data, [ask.baseline, *ask.covariates])
    sd = _sd(study, once, ask)
    rows = arm_rows(study, chosen, kenward_roger(fit, X.contrasts), ask.level, sd)
    rows += _variance_rows(fit, "participant", ask.scale)
    rows = _complete(rows, study, chosen, ask, "repeated", "kenward-roger")
    for row in rows:
        row["n_clusters"] = len(np.unique(groups))
    return _with_status(rows, fit, chosen, "participant")


def _team_means(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    if study.clusters is None:
        raise StudyError(
            "config/analysis.yaml: the team-level analysis needs clusters in pairs, which "
            "config/study.yaml does not declare."
        )
    chosen = _sample(study, imputed, data, ask)
    units = chosen.first.drop_duplicates(study.clusters.unit).sort_values(study.clusters.unit)
    pairs, pair = np.unique(units[study.clusters.pair].to_numpy(dtype=str), return_inverse=True)
    arm = (units[study.arms.variable] == study.arms.active).to_numpy(dtype=int)
    adjust = chosen.stacked(ask.baseline)[..., None]
    teams = chosen.codes(study.clusters.unit)
    fit = paired_team_means(chosen.stacked(ask.value), adjust, teams, pair, arm)
    _check_fits(fit)
    label = study.clusters.pair_label
    rows = pooled_rows(chosen, fit.inference, ask.level)
    rows = [{**row, "term": DIFFERENCE, "level": contrast_label(study)} for row in rows]
    differences = fit.pair_differences.mean(axis=0)
    mean_only = {"term": PAIR_DIFFERENCE, "m": chosen.m if chosen.imputed else None}
    rows += [
        {
            **mean_only,
            "level": str(name),
            "estimate": float(value),
            "note": f"one {label}: no interval of its own",
        }
        for name, value in zip(pairs, differences, strict=True)
    ]
    rows = _complete(rows, study, chosen, ask, "team-means", "paired-t")
    floor = 2.0 ** (1 - len(pairs))
    flip = {
        **{k: rows[0][k] for k in ("term", "level", "estimate", "m")},
        "p_value": float(sign_flip(differences)),
        "note": f"exact over {len(pairs)} pairs: no p-value below {floor:.4g} is possible",
    }
    return rows + _complete([flip], study, chosen, ask, "team-means", "sign-flip")


POPULATIONS = {"imputed": COMPLETED, "observed": COMPLETE_CASES}
MODELS: dict[str, Callable[[Study, pd.DataFrame, str, Question], Rows]] = {
    "ancova": _ancova,
    "mixed": _mixed,
    "repeated": _repeated,
    "team-means": _team_means,
}


def _sample(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Sample:
    return sample(study, imputed, data, [ask.value, ask.baseline, *ask.covariates])


def _pair(study: Study) -> list[str]:
    return [study.clusters.pair] if study.clusters else []


def _sd(study: Study, chosen: Sample, ask: Question) -> float | None:
    return pooled_baseline_sd(study, chosen, ask.baseline) if ask.standardise else None


def _named(fit: Callable[..., Any], columns: list[str], *arguments: np.ndarray) -> Any:
    """Fit, and say which columns are at fault where the design is rank deficient."""
    try:
        return fit(*arguments)
    except RankDeficientError as error:
        names = ", ".join(columns[c] for c in error.columns)
        raise StudyError(
            f"The design is rank deficient: {names} can be told from the other columns; leave one "
            "of them out of the covariates in config/analysis.yaml."
        ) from error


def _check_fits(fit: Any) -> None:
    """Refuse estimates of which some fits failed: a mean over the others would hide it."""
    bad = np.isin(np.atleast_1d(fit.status), ["failed", "refused"])
    if bad.any():
        why = np.atleast_1d(fit.note)[bad][0]
        raise ValueError(f"{bad.sum()} of {bad.size} fits failed: {why}")


def _variance_rows(fit: RandomInterceptFit, group: str, scale: str) -> Rows:
    """Variances, averaged over the imputations before a ratio is formed."""
    between, within = float(np.mean(fit.var_group)), float(np.mean(fit.var_resid))
    rows = [
        {"term": f"variance: {group}", "scale": f"squared {scale}", "estimate": between},
        {"term": "variance: residual", "scale": f"squared {scale}", "estimate": within},
        {
            "term": "intraclass correlation",
            "scale": "proportion",
            "estimate": between / (between + within),
        },
    ]
    return [{**row, "note": "point estimate only"} for row in rows]


def _complete(
    rows: Rows, study: Study, chosen: Sample, ask: Question, model: str, inference: str
) -> Rows:
    shared = {
        "outcome": ask.outcome,
        "scale": ask.scale,
        "population": chosen.population,
        "model": model,
        "inference": inference,
        "n": chosen.n,
        "n_clusters": chosen.codes(study.clusters.unit).max() + 1 if study.clusters else None,
        "m": chosen.m if chosen.imputed else None,
    }
    return [{**shared, **row} for row in rows]


def _with_status(rows: Rows, fit: RandomInterceptFit, chosen: Sample, group: str) -> Rows:
    at_zero = int((np.atleast_1d(fit.status) == "boundary").sum())
    if not at_zero:
        return rows
    where = f"in {at_zero} of {chosen.m} imputations" if chosen.imputed else "here"
    note = f"{group} variance zero {where}: the interval is valid but conservative"
    return [
        {**row, "status": "boundary", "note": "; ".join(filter(None, [row.get("note"), note]))}
        for row in rows
    ]
