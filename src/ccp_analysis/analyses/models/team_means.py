"""Models of one follow-up visit: ANCOVA, change score, mixed model, paired team means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.clustered import by_clusters, infer
from ccp_analysis.analyses.design import Sample, design, said
from ccp_analysis.analyses.question import Question, fitted, pair_of, require_fits, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import (
    Rows,
    arm_rows,
    complete,
    contrast_label,
    intraclass_row,
    pooled_rows,
    with_note,
)
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, status_of
from ccp_analysis.models.inference import Inference as Inferred
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.ols import OlsFit, RankDeficientError, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import (
    PairedTeams,
    by_size,
    jackknife_by_people,
    paired_team_means,
    sign_flip,
    sign_flip_interval,
    weighted_by_people,
)
from ccp_analysis.results.terms import Average, Inference, Model, Pooling, Status, Term

AGREE = "ANCOVA and the change score agree"
DISAGREE = "ANCOVA and the change score disagree (Lord's paradox)"
OPEN = "whether ANCOVA and the change score agree is open"
UNJUDGED = "whether ANCOVA and the change score agree cannot be judged without an MCID"
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
        rows[:1] = with_note(rows[:1], ANCOVA_ASSUMES)
    rows = complete(rows, study, chosen, ask, Model.ANCOVA, method)
    return with_readings(rows, study, ask, chosen)


def change(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Follow-up less baseline on arm, pair and covariates; paired teams; and beside ANCOVA."""
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, ask.covariates, pair_of(study))
    gain = chosen.stacked(ask.value) - chosen.stacked(ask.baseline)
    fit = fitted(fit_ols, X.columns, X.X, gain)
    inference, method = infer(study, chosen, fit, X.contrasts)
    rows = arm_rows(study, chosen, inference, ask.level, Term.ADJUSTED_MEAN_CHANGE)
    assumed = RANDOMISED if study.randomised else CHANGE_ASSUMES
    rows[:1] = with_note(rows[:1], assumed)
    rows = complete(rows, study, chosen, ask, Model.CHANGE, method)
    if study.clusters:

        def paired() -> PairedTeams:
            return paired_team_means(gain, None, *teams_of(study, chosen)[1:])

        row = beside(study, chosen, paired, ask, assumed)
        rows += complete([row], study, chosen, ask, Model.CHANGE, Inference.PAIRED_T)
    rows = with_readings(rows, study, ask, chosen)
    try:
        lord = lord_row(study, chosen, ask)
    except ValueError as error:  # the change score stands without what it is set beside
        lord = failed(study, error) | {"term": Term.LORD}
    return rows + complete([lord], study, chosen, ask, Model.CHANGE, Inference.CR2)


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
    L = np.zeros((1, p + q))
    L[0, 1], L[0, p + 1] = 1.0, -1.0
    inference = by_clusters(study, chosen, fit, L)
    [row] = pooled_rows(chosen, inference, ask.level)
    row |= {"term": Term.LORD, "level": contrast_label(study)}
    return with_note([row], _verdict(row, ask))[0]


def _verdict(apart: dict[str, Any], ask: Question) -> str:
    """Say whether two estimates agree, by the interval of their difference and the MCID.

    That both intervals include zero, or both exclude it, says nothing of how far they are apart.
    """
    low, high = apart["conf_low"], apart["conf_high"]
    if not (np.isfinite(low) and np.isfinite(high)):
        return f"{OPEN}: their difference has no interval"
    farthest = max(abs(low), abs(high))
    found = f"the interval of their difference, {low:.3g} to {high:.3g}{ask.unit},"
    excludes = "excludes zero" if low > 0 or high < 0 else ""
    mcid = f"the MCID of {ask.mcid:g}{ask.unit}" if ask.mcid else ""
    if ask.mcid and farthest <= ask.mcid:
        but = f", though it {excludes}" if excludes else ""
        return f"{AGREE} to within the MCID: {found} lies within {mcid} on either side{but}"
    far = f"they may be up to {farthest:.3g}{ask.unit} apart"
    if ask.mcid:
        far += f", {farthest / ask.mcid:.2g} times {mcid}"
    if excludes:
        return f"{DISAGREE}: {found} {excludes}; {far}"
    if ask.mcid:
        return f"{OPEN}: {found} allows that {far}"
    return f"{UNJUDGED}: {found} allows that {far}"


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
    rows = complete(rows, study, chosen, ask, Model.MIXED, Inference.KENWARD_ROGER)
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
    fit = adjusted_teams(study, chosen, ask.value, ask.baseline, teams)
    require_fits(fit)
    rows = complete(
        _paired_rows(study, chosen, fit, ask),
        study,
        chosen,
        ask,
        Model.TEAM_MEANS,
        Inference.PAIRED_T,
    )
    rows = with_readings(rows, study, ask, chosen)
    label, differences = study.clusters.pair_label, fit.pair_differences.mean(axis=0)
    each = [
        {
            "term": Term.PAIR_DIFFERENCE,
            "level": name,
            "estimate": float(value),
            "note": f"one {label}: no interval of its own",
        }
        for name, value in zip(pairs, differences, strict=True)
    ]
    rows += complete(each, study, chosen, ask, Model.TEAM_MEANS, Inference.PAIRED_T)
    rows += _averages(study, chosen, fit, ask)
    flip = _flipped(differences, ask.level) | {k: rows[0][k] for k in ("term", "level", "estimate")}
    return rows + complete([flip], study, chosen, ask, Model.TEAM_MEANS, Inference.SIGN_FLIP)


def _averages(study: Study, chosen: Sample, fit: PairedTeams, ask: Question) -> Rows:
    """Return the participant-average beside the cluster-average, and how effects go with size."""
    label, level = study.clusters.pair_label, contrast_label(study)
    [weighted] = pooled_rows(chosen, weighted_by_people(fit), ask.level)
    weighted = with_note([weighted], f"{label}s weighted by their participants")[0]
    found = [(Inference.CR2, weighted), (Inference.JACKKNIFE, _of_means(chosen, fit, ask, label))]
    rows: Rows = []
    for method, row in found:
        row |= {"term": Term.OF_PARTICIPANTS, "level": level, "average": Average.PARTICIPANTS}
        rows += complete([row], study, chosen, ask, Model.TEAM_MEANS, method)
    if len(fit.people) > 2 and np.ptp(fit.people):
        row = _of_means(chosen, fit, ask, label, by_size)
        row |= {"term": Term.BY_SIZE, "level": level, "statistic": None, "p_value": None}
        rows += complete([row], study, chosen, ask, Model.TEAM_MEANS, Inference.T)
    return rows


def _of_means(
    chosen: Sample,
    fit: PairedTeams,
    ask: Question,
    label: str,
    infer_from: Callable[[PairedTeams], Inferred] = jackknife_by_people,
) -> dict[str, Any]:
    """Return a row of the pair differences averaged over the imputations."""
    means = replace(fit, pair_differences=fit.pair_differences.mean(axis=0, keepdims=True))
    [row] = pooled_rows(replace(chosen, m=1, imputed=False), infer_from(means), ask.level)
    if chosen.imputed:
        each = infer_from(fit).estimate
        row |= {"pooling": Pooling.AVERAGED, "m": chosen.m}
        row["mc_error"] = float(each.std(ddof=1) / chosen.m**0.5)
    spread = fit.people.std(ddof=1)
    note = f"one {label} left out at a time"
    if infer_from is by_size:
        note = f"for {spread:.3g} participants more in a {label}, one SD; an interval and no test"
    return with_note([row], note)[0]


def adjusted_teams(
    study: Study, chosen: Sample, value: str, baseline: str, teams: Sequence[np.ndarray]
) -> PairedTeams:
    """Compare the team means of an outcome within pairs, adjusted for a baseline if it has one.

    Raises
    ------
    ValueError
        If the baseline does not vary within teams.
    """
    adjust = chosen.stacked(baseline)[..., None] if baseline else None
    try:
        return paired_team_means(chosen.stacked(value), adjust, *teams)
    except RankDeficientError as error:
        unit = study.clusters.unit_label
        who = "everyone" if np.ptp(adjust) == 0 else f"everyone of a {unit}"
        raise ValueError(
            f"{said(baseline)} is the same for {who}, and cannot be adjusted for"
        ) from error


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


def teams_of(study: Study, chosen: Sample) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the names of the pairs; and the team of each row, the pair and arm of each team."""
    teams, pairs = (chosen.groups(v) for v in (study.clusters.unit, study.clusters.pair))
    arm = (chosen.first[study.arms.variable] == study.arms.active).to_numpy(dtype=int)
    return pairs.names, teams.codes, teams.within(pairs), arm[teams.first]


def _paired_rows(study: Study, chosen: Sample, fit: PairedTeams, ask: Question) -> Rows:
    rows = pooled_rows(chosen, fit.inference, ask.level)
    return [{**row, "term": Term.DIFFERENCE, "level": contrast_label(study)} for row in rows]


def beside(
    study: Study, chosen: Sample, paired: Callable[[], PairedTeams], ask: Question, note: str
) -> dict[str, Any]:
    """Return the paired analysis that stands beside another, which does not fall with it."""
    try:
        fit = paired()
        require_fits(fit)
        [row] = _paired_rows(study, chosen, fit, ask)
    except ValueError as error:
        return failed(study, error)
    return with_note([row], note)[0]


def failed(study: Study, error: ValueError) -> dict[str, Any]:
    """Return the row of a difference that cannot be estimated, with the reason."""
    label, note = contrast_label(study), str(error).rstrip(".")
    return {"term": Term.DIFFERENCE, "level": label, "status": status_of(error), "note": note}


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
        {"term": Term.VARIANCE.of(group), "estimate": between, **note},
        {"term": Term.VARIANCE.of("residual"), "estimate": within, **note},
        intraclass_row(ols, groups, between, within, ask.level, chosen),
    ]


def with_status(rows: Rows, fit: MixedFit, chosen: Sample, group: str) -> Rows:
    """Say where the group variance is zero."""
    at_zero = int((np.atleast_1d(fit.status) == Status.BOUNDARY).sum())
    if not at_zero:
        return rows
    where = f"in {at_zero} of {chosen.m} imputations" if chosen.imputed else "here"
    note = f"{group} variance zero {where}: the interval is valid but conservative"
    return with_note(rows, note, status=Status.BOUNDARY)
