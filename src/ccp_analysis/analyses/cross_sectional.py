"""Models of one follow-up visit: ANCOVA, change score, mixed model, paired team means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.design import Sample, design
from ccp_analysis.analyses.question import Question, fitted, pair_of, require_fits, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import (
    DIFFERENCE,
    PAIR_DIFFERENCE,
    Rows,
    arm_rows,
    complete,
    contrast_label,
    intraclass_row,
    pooled_rows,
    with_note,
)
from ccp_analysis.errors import StudyError
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.ols import OlsFit, classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import (
    PairedTeams,
    paired_team_means,
    sign_flip,
    sign_flip_interval,
)
from ccp_analysis.study import Study

MEAN_CHANGE = "adjusted mean change"
LORD = "ancova minus change score"
ANCOVA_ASSUMES = (
    "assumes that people of one baseline score, pair and covariates would fare alike in either arm"
)
CHANGE_ASSUMES = (
    "assumes that without the intervention both arms would have changed by the same amount"
)
RANDOMISED = "randomisation makes the arms alike at baseline, and ANCOVA is more precise"


def ancova(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Follow-up on arm, baseline, pair and covariates, by CR2; without clusters least squares."""
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], pair_of(study))
    fit = fitted(fit_ols, X.columns, X.X, chosen.stacked(ask.value))
    inference, method = infer(study, chosen, fit, X.contrasts)
    rows = arm_rows(study, chosen, inference, ask.level)
    if not study.randomised:
        rows[0]["note"] = ANCOVA_ASSUMES
    rows = complete(rows, study, chosen, ask, "ancova", method)
    return with_readings(rows, study, ask, chosen)


def change(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Follow-up less baseline on arm, pair and covariates; paired teams; and beside ANCOVA."""
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, ask.covariates, pair_of(study))
    gain = chosen.stacked(ask.value) - chosen.stacked(ask.baseline)
    fit = fitted(fit_ols, X.columns, X.X, gain)
    inference, method = infer(study, chosen, fit, X.contrasts)
    rows = arm_rows(study, chosen, inference, ask.level, MEAN_CHANGE)
    assumed = RANDOMISED if study.randomised else CHANGE_ASSUMES
    rows[0]["note"] = assumed
    rows = complete(rows, study, chosen, ask, "change", method)
    if study.clusters:

        def paired() -> PairedTeams:
            return paired_team_means(gain, None, *teams_of(study, chosen)[1:])

        row = beside(study, chosen, paired, ask, assumed)
        rows += complete([row], study, chosen, ask, "change", "paired-t")
    rows = with_readings(rows, study, ask, chosen)
    lord = [lord_row(study, chosen, ask)]
    return rows + complete(lord, study, chosen, ask, "change", "cr2")


def lord_row(study: Study, chosen: Sample, ask: Question) -> dict[str, Any]:
    """Return ANCOVA's difference less that of the change score, and say whether they disagree.

    Both models are one least squares fit with every person twice and the two designs side by side,
    so that coefficients and CR2 covariances are those of the separate fits and the clusters (people
    where there are none) carry their covariance.
    """
    covariates, pair = ask.covariates, pair_of(study)
    adjusted = design(chosen, [ask.baseline, *covariates], pair)
    plain = design(chosen, covariates, pair)
    p, q, n = len(adjusted.columns), len(plain.columns), chosen.n
    X = np.zeros((chosen.m, 2 * n, p + q))
    X[:, :n, :p], X[:, n:, p:] = adjusted.X, plain.X
    follow_up = chosen.stacked(ask.value)
    y = np.concatenate([follow_up, follow_up - chosen.stacked(ask.baseline)], axis=-1)
    fit = fitted(fit_ols, adjusted.columns + plain.columns, X, y)
    L = np.zeros((3, p + q))
    L[0, 1], L[0, p + 1] = 1.0, -1.0
    L[1, 1] = L[2, p + 1] = 1.0
    groups = chosen.codes(study.clusters.unit) if study.clusters else np.arange(n)
    inference = cluster_robust(fit, np.tile(groups, 2), L, kind="CR2")
    row, of_ancova, of_change = pooled_rows(chosen, inference, ask.level, needed=3)
    return row | {
        "term": LORD,
        "level": contrast_label(study),
        "note": _verdict(of_ancova, of_change),
    }


def _verdict(ancova: dict[str, Any], change: dict[str, Any]) -> str:
    """Compare two conclusions: where their intervals lie, and if they say nothing, the signs."""
    sides = [(row["conf_low"] > 0) - float(row["conf_high"] < 0) for row in (ancova, change)]
    words = {1.0: "lies above zero", -1.0: "lies below zero", 0.0: "includes zero"}
    if sides[0] != sides[1]:
        return (
            "the two disagree (Lord's paradox): the interval of ANCOVA "
            f"{words[sides[0]]}, that of the change score {words[sides[1]]}"
        )
    both = {1.0: "lie above zero", -1.0: "lie below zero", 0.0: "include zero"}[sides[0]]
    opposite = ancova["estimate"] * change["estimate"] < 0
    but = ", though the estimates have opposite signs" if opposite else ""
    return f"ANCOVA and the change score agree: both intervals {both}{but}"


def mixed(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """ANCOVA with a random cluster intercept, by REML and Kenward-Roger."""
    if study.clusters is None:
        raise StudyError(
            "config/analysis.yaml: the mixed model needs clusters, which config/study.yaml lacks; "
            "expected model: ancova or model: repeated."
        )
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], pair_of(study))
    groups = chosen.codes(study.clusters.unit)
    fit = fitted(fit_random_intercept, X.columns, X.X, chosen.stacked(ask.value), groups)
    rows = arm_rows(study, chosen, kenward_roger(fit, X.contrasts), ask.level)
    ols = fit_ols(X.X, chosen.stacked(ask.value))
    rows += variance_rows(fit, ols, groups, study.clusters.unit_label, chosen, ask)
    rows = complete(rows, study, chosen, ask, "mixed", "kenward-roger")
    rows = with_readings(rows, study, ask, chosen)
    return with_status(rows, fit, chosen, study.clusters.unit_label)


def team_means(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Paired analysis of cluster means, adjusted for a baseline if there is one; sign-flip test."""
    if study.clusters is None:
        raise StudyError(
            "config/analysis.yaml: the team-level analysis needs clusters in pairs, which "
            "config/study.yaml does not declare."
        )
    chosen = sample_for(study, imputed, data, ask)
    pairs, *teams = teams_of(study, chosen)
    adjust = chosen.stacked(ask.baseline)[..., None] if ask.baseline else None
    fit = paired_team_means(chosen.stacked(ask.value), adjust, *teams)
    require_fits(fit)
    rows = complete(
        _paired_rows(study, chosen, fit, ask), study, chosen, ask, "team-means", "paired-t"
    )
    rows = with_readings(rows, study, ask, chosen)
    label, differences = study.clusters.pair_label, fit.pair_differences.mean(axis=0)
    each = [
        {
            "term": PAIR_DIFFERENCE,
            "level": str(name),
            "estimate": float(value),
            "note": f"one {label}: no interval of its own",
        }
        for name, value in zip(pairs, differences, strict=True)
    ]
    rows += complete(each, study, chosen, ask, "team-means", "paired-t")
    flip = _flipped(differences, ask.level) | {k: rows[0][k] for k in ("term", "level", "estimate")}
    return rows + complete([flip], study, chosen, ask, "team-means", "sign-flip")


def _flipped(differences: np.ndarray, level: float) -> dict[str, Any]:
    """Return test and confidence set of the sign-flip test, at the level the pairs allow."""
    pairs = len(differences)
    row = {"p_value": float(sign_flip(differences))}
    note = f"exact over {pairs} pairs: no p-value below {2.0 ** (1 - pairs):.4g} is possible"
    try:
        row["conf_low"], row["conf_high"], row["conf_level"] = sign_flip_interval(
            differences, level
        )
    except ValueError:
        return row | {"note": f"{note}, and no confidence set"}
    return row | {"note": f"{note}, and the confidence set is at {100 * row['conf_level']:g}%"}


def teams_of(study: Study, chosen: Sample) -> tuple[np.ndarray, ...]:
    """Return the names of the pairs; and the team of each row, the pair and arm of each team."""
    unit, pair = study.clusters.unit, study.clusters.pair
    units = chosen.first.drop_duplicates(unit).sort_values(unit)
    names, codes = np.unique(units[pair].to_numpy(dtype=str), return_inverse=True)
    arm = (units[study.arms.variable] == study.arms.active).to_numpy(dtype=int)
    return names, chosen.codes(unit), codes, arm


def _paired_rows(study: Study, chosen: Sample, fit: PairedTeams, ask: Question) -> Rows:
    rows = pooled_rows(chosen, fit.inference, ask.level)
    return [{**row, "term": DIFFERENCE, "level": contrast_label(study)} for row in rows]


def beside(
    study: Study, chosen: Sample, paired: Callable[[], PairedTeams], ask: Question, note: str
) -> dict[str, Any]:
    """Return the paired analysis that stands beside another, which does not fall with it."""
    try:
        fit = paired()
        require_fits(fit)
        [row] = _paired_rows(study, chosen, fit, ask)
    except ValueError as error:
        why = str(error).rstrip(".")
        failed = {"term": DIFFERENCE, "level": contrast_label(study), "status": "failed"}
        return failed | {"note": why}
    return row | {"note": note}


def infer(study: Study, chosen: Sample, fit: OlsFit, L: np.ndarray) -> tuple[Inference, str]:
    """Infer by CR2 over the clusters, without clusters by least squares; and name what was done."""
    if study.clusters is None:
        return classical(fit, L), "t"
    return cluster_robust(fit, chosen.codes(study.clusters.unit), L, kind="CR2"), "cr2"


def variance_rows(
    fit: MixedFit,
    ols: OlsFit,
    groups: np.ndarray,
    group: str,
    chosen: Sample,
    ask: Question,
) -> Rows:
    """Return variances, averaged over the imputations, and the intraclass correlation."""
    between, within = float(np.mean(fit.var_group)), float(np.mean(fit.var_resid))
    note = {"scale": f"squared {ask.scale}", "note": "point estimate only"}
    return [
        {"term": f"variance: {group}", "estimate": between, **note},
        {"term": "variance: residual", "estimate": within, **note},
        intraclass_row(ols, groups, between, within, ask.level, chosen),
    ]


def with_status(rows: Rows, fit: MixedFit, chosen: Sample, group: str) -> Rows:
    """Say where the group variance is zero."""
    at_zero = int((np.atleast_1d(fit.status) == "boundary").sum())
    if not at_zero:
        return rows
    where = f"in {at_zero} of {chosen.m} imputations" if chosen.imputed else "here"
    note = f"{group} variance zero {where}: the interval is valid but conservative"
    return with_note(rows, note, status="boundary")
