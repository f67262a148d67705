"""Models of several visits: difference in differences, random person intercept, MMRM, cLDA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import (
    Sample,
    VisitDesign,
    design,
    over_visits,
    sample,
    visit_design,
)
from ccp_analysis.analyses.models.change import CHANGE_ASSUMES, RANDOMISED
from ccp_analysis.analyses.models.mixed import variance_rows, with_status
from ccp_analysis.analyses.models.team_means import beside, teams_of
from ccp_analysis.analyses.question import (
    Question,
    fitted,
    require_comparable,
)
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import (
    Rows,
    arm_rows,
    complete,
    contrast_label,
    pooled_rows,
    with_note,
)
from ccp_analysis.config.study import Study, Visit
from ccp_analysis.errors import StudyError
from ccp_analysis.models.mixed import MixedFit, fit_mixed
from ccp_analysis.models.ols import fit_ols, grouping
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import PairedTeams, paired_team_means
from ccp_analysis.results.terms import Inference, Model, Status, Term

COMMON_BASELINE = "assumes that the arms had the same mean at baseline"
SLOPES = {True: "the baseline has a slope at every visit", False: "the baseline has one slope"}


def did(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Arm by visit in the long table of baseline and follow-up, by CR2; and paired teams.

    All terms have slopes of their own at either visit, so that on complete data the contrast is
    that of the change score; with gaps, people who were seen once contribute.
    """
    visits = [visit for visit in study.visits if ask.value.endswith(f"_{visit.id}")]
    visits, stem = [study.baseline, *visits], ask.value.removesuffix(f"_{visits[0].id}")
    base = sample(study, imputed, data, ask.covariates)
    _require_measured(imputed, stem, visits)
    chosen = over_visits(base, stem, visits)
    require_comparable(study, chosen, "value")
    _require_seen(study, chosen, visits)
    X = visit_design(chosen, [v.id for v in visits], [], ask.covariates, allocated(study).factors)
    y, after = chosen.stacked("value"), visits[1].id
    fit = fitted(fit_ols, X.columns, X.X, y)
    means = [X.mean(visit, active) for visit in (0, 1) for active in (False, True)]
    L = np.vstack([X.difference(1) - X.difference(0), *means])
    inference = allocated(study).by_units(chosen, fit, L)
    difference, *rows = pooled_rows(chosen, inference, ask.level)
    note = RANDOMISED if study.randomised else CHANGE_ASSUMES
    if not chosen.imputed:
        given = "arm, visit, pair and covariates" if study.clusters else "arm, visit and covariates"
        note += (
            "; people seen at one visit contribute, as if the other were missing at random "
            f"given {given}"
        )
    difference |= {"term": Term.DIFFERENCE, "level": contrast_label(study), "note": note}
    for row, (visit, arm) in zip(
        rows, [(v.id, a) for v in visits for a in study.arms.ordered], strict=True
    ):
        row |= _mean_of(arm, visit)
    rows = complete([difference, *rows], study, chosen, ask, Model.DID, Inference.CR2)
    if study.clusters:
        row = beside(study, chosen, lambda: _paired_changes(study, chosen), ask, note)
        rows += complete([row], study, chosen, ask, Model.DID, Inference.PAIRED_T)
    rows = [{"visit": after, **row} for row in rows]
    people = sample(study, imputed, data, [ask.baseline, *ask.covariates])
    return with_readings(rows, study, ask, people)


def _paired_changes(study: Study, chosen: Sample) -> PairedTeams:
    """Compare changes of team means, of whoever was there at either visit, within pairs."""
    _, team, pair, arm = teams_of(study, chosen)
    cell = team * 2 + chosen.first["visit"].to_numpy()
    if len(np.unique(cell)) < 2 * len(pair):
        raise ValueError(f"a {allocated(study).unit_label} has no value at one of the visits")
    means = grouping(cell, chosen.n).means(chosen.stacked("value")[..., None])[..., 0]
    gains = means[..., 1::2] - means[..., ::2]
    return paired_team_means(gains, None, np.arange(len(pair)), pair, arm)


def repeated(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """One difference over all follow-ups, with a random person intercept; without clusters only."""
    if study.clusters:
        raise StudyError(
            "config/analysis.yaml: a model of repeated visits with a random intercept for people "
            f"gives a {study.clusters.unit_label}-level arm the degrees of freedom of people; "
            f"expected a model with a term for {study.clusters.unit_label} and visit, model: mmrm "
            "or model: clda, or model: mixed at one visit."
        )
    people, _, chosen = _follow_ups(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, "months", *ask.covariates], [])
    groups = chosen.codes("participant")
    fit = fitted(fit_random_intercept, X.columns, X.X, chosen.stacked("value"), groups)
    rows = arm_rows(study, chosen, kenward_roger(fit, X.contrasts), ask.level)
    ols = fit_ols(X.X, chosen.stacked("value"))
    rows += variance_rows(fit, ols, groups, "participant", chosen, ask)
    counts = {"n": chosen.n, "n_clusters": chosen.people}
    rows = [{**counts, **row} for row in rows]
    rows = complete(rows, study, chosen, ask, Model.REPEATED, Inference.KENWARD_ROGER)
    return with_status(with_readings(rows, study, ask, people), fit, chosen, "participant")


def mmrm(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Difference at every follow-up, the baseline with a slope at each (Mallinckrodt et al. 2008).

    With arm by visit, unstructured covariance and Kenward-Roger. With clusters the pair has an
    effect at every visit, and random effects of team and of team and visit are added: without the
    latter a team-level arm would get the degrees of freedom of people.
    """
    return _mmrm(study, imputed, data, ask, by_visit=True)


def mmrm_one_slope(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """As `mmrm`, the baseline with one slope for all visits."""
    return _mmrm(study, imputed, data, ask, by_visit=False)


def _mmrm(study: Study, imputed: pd.DataFrame, data: str, ask: Question, *, by_visit: bool) -> Rows:
    people, visits, chosen = _follow_ups(study, imputed, data, ask)
    if len(visits) < 2:
        raise StudyError(
            f"config/analysis.yaml: model: mmrm needs at least two follow-ups of '{ask.outcome}', "
            f"and there is {visits[0].label.lower()} only; expected model: mixed, or model: clda, "
            "for which the baseline is a visit too."
        )
    names = [visit.id for visit in visits]
    own = [ask.baseline] if by_visit else []
    common = [*ask.covariates] if by_visit else [ask.baseline, *ask.covariates]
    X = visit_design(chosen, names, common, own, allocated(study).factors)
    model = Model.MMRM if by_visit else Model.MMRM_ONE_SLOPE
    rows = _of_visits(study, chosen, X, visits, ask, model, SLOPES[by_visit])
    return with_readings(rows, study, ask, people)


def clda(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """As `mmrm`, with the baseline as a visit at which the arms have one mean."""
    base = sample(study, imputed, data, ask.covariates)
    visits = [study.baseline, *_measured(study, imputed, ask)]
    _require_measured(imputed, ask.value, visits)
    chosen = over_visits(base, ask.value, visits)
    require_comparable(study, chosen, "value")
    names = [visit.id for visit in visits]
    X = visit_design(chosen, names, ask.covariates, [], allocated(study).factors, alike=1)
    note = None if study.randomised else COMMON_BASELINE
    rows = _of_visits(study, chosen, X, visits, ask, Model.CLDA, note)
    people = sample(study, imputed, data, [ask.baseline, *ask.covariates])
    return with_readings(rows, study, ask, people)


def _of_visits(
    study: Study,
    chosen: Sample,
    X: VisitDesign,
    visits: list[Visit],
    ask: Question,
    model: str,
    note: str | None,
) -> Rows:
    """Fit a covariance over visits and report every visit at which the arms may differ.

    `note` is what is to be said of every difference.
    """
    person, visit = (chosen.first[c].to_numpy(dtype=int) for c in ("person", "visit"))
    _require_seen(study, chosen, visits)
    for position, one in enumerate(visits):
        at = chosen.first.loc[visit == position, "value"]
        if at.nunique() == 1:
            raise ValueError(f"the outcome is {at.iloc[0]:g} for everyone at {one.label}")
    team = allocated(study).units(chosen)
    fit = fitted(fit_mixed, X.columns, X.X, chosen.stacked("value"), person, visit, team=team)
    after = range(X.alike, len(visits))
    L = [X.difference(v) for v in after]
    L += [X.mean(v, active) for v in after for active in (False, True)]
    found = pooled_rows(
        chosen, kenward_roger(fit, np.vstack(L)), ask.level, needed=len(visits) - X.alike
    )
    shared = {"term": Term.DIFFERENCE, "level": contrast_label(study), "note": note}
    named = [{**shared, "visit": visits[v].id} for v in after]
    named += [_mean_of(arm, visits[v].id) for v in after for arm in study.arms.ordered]
    rows = [{**row, **name} for row, name in zip(found, named, strict=True)]
    rows += _variances(fit, study, visits, ask)
    rows = complete(rows, study, chosen, ask, model, Inference.KENWARD_ROGER)
    status = np.atleast_1d(fit.status)
    edge = int((status == Status.BOUNDARY).sum())
    if edge:
        why = np.atleast_1d(fit.note)[status == Status.BOUNDARY][0].rstrip(".")
        where = f" (in {edge} of {chosen.m} imputations)" if chosen.imputed else ""
        rows = with_note(rows, f"{why[0].lower()}{why[1:]}{where}", status=Status.BOUNDARY)
    return rows


def _variances(fit: MixedFit, study: Study, visits: list[Visit], ask: Question) -> Rows:
    """Return the variances of people at each visit and of teams, averaged over imputations."""
    v = len(visits)
    within = np.asarray(fit.covariance).reshape(-1, v, v).mean(axis=0)
    shared = {"scale": f"squared {ask.scale}", "note": "point estimate only"}
    term = Term.VARIANCE.of("participant")
    rows = [
        {"term": term, "estimate": float(within[k, k]), "visit": visit.id, **shared}
        for k, visit in enumerate(visits)
    ]
    if fit.team_covariance is not None:
        between = np.asarray(fit.team_covariance).reshape(-1, v, v).mean(axis=0)
        unit, constant = allocated(study).unit_label, float(between[0, 1])
        by_visit = float(between[0, 0]) - constant
        rows += [
            {"term": Term.VARIANCE.of(unit), "estimate": constant, "visit": "", **shared},
            {
                "term": Term.VARIANCE.of(f"{unit} and visit"),
                "estimate": by_visit,
                "visit": "",
                **shared,
            },
        ]
    return rows


def _mean_of(arm: str, visit: str) -> dict[str, Any]:
    return {
        "term": Term.ADJUSTED_MEAN,
        "level": arm,
        "visit": visit,
        "p_value": None,
        "statistic": None,
    }


def _follow_ups(
    study: Study, imputed: pd.DataFrame, data: str, ask: Question
) -> tuple[Sample, list[Visit], Sample]:
    """Return the people with a baseline, the follow-ups measured, and the long table of these."""
    people = sample(study, imputed, data, [ask.baseline, *ask.covariates])
    visits = _measured(study, imputed, ask)
    chosen = over_visits(people, ask.value, visits)
    require_comparable(study, chosen, "value")
    return people, visits, chosen


def _require_seen(study: Study, chosen: Sample, visits: list[Visit]) -> None:
    """Raise ValueError if nobody in an arm has the outcome at one of the visits."""
    first = chosen.first
    for position, visit in enumerate(visits):
        there = first.loc[first["visit"] == position, study.arms.variable]
        for arm, label in study.arms.levels.items():
            if not (there == arm).any():
                raise ValueError(f"nobody in the arm '{label}' has the outcome at {visit.label}")


def _measured(study: Study, imputed: pd.DataFrame, ask: Question) -> list[Visit]:
    visits = [visit for visit in study.follow_ups if f"{ask.value}_{visit.id}" in imputed]
    if not visits:
        raise StudyError(f"config/analysis.yaml: '{ask.value}' is not measured at any follow-up.")
    return visits


def _require_measured(imputed: pd.DataFrame, stem: str, visits: list[Visit]) -> None:
    for visit in visits:
        if f"{stem}_{visit.id}" not in imputed:
            raise StudyError(
                f"config/analysis.yaml: '{stem}' is not measured at the visit '{visit.id}', which "
                "the analysis needs."
            )
