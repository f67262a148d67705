"""The paired analysis of cluster means, and such an analysis beside another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, said
from ccp_analysis.analyses.question import Question, require_fits, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import Rows, complete, contrast_label, pooled_rows, with_note
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, status_of
from ccp_analysis.models.inference import Inference as Inferred
from ccp_analysis.models.ols import RankDeficientError
from ccp_analysis.models.random_signs import DRAWS, random_sign_flip
from ccp_analysis.models.team_level import (
    MAX_PAIRS,
    PairedTeams,
    by_size,
    jackknife_by_people,
    paired_team_means,
    sign_flip,
    sign_flip_interval,
    weighted_by_people,
)
from ccp_analysis.random import stream
from ccp_analysis.results.terms import Average, Inference, Model, Pooling, Term


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
    flip, method = _flipped(differences, ask)
    flip |= {k: rows[0][k] for k in ("term", "level", "estimate")}
    return rows + complete([flip], study, chosen, ask, Model.TEAM_MEANS, method)


def _averages(study: Study, chosen: Sample, fit: PairedTeams, ask: Question) -> Rows:
    """Return the participant-average beside the cluster-average, and how effects go with size."""
    label, level = allocated(study).whole_label, contrast_label(study)
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
        within = adjust is not None and np.ptp(adjust) != 0
        who = f"everyone of a {allocated(study).unit_label}" if within else "everyone"
        raise ValueError(
            f"{said(baseline)} is the same for {who}, and cannot be adjusted for"
        ) from error


def _flipped(differences: np.ndarray, ask: Question) -> tuple[dict[str, Any], Inference]:
    """Return test and confidence set of the sign-flip test, at the level the pairs allow."""
    pairs, level = len(differences), ask.level
    if pairs > MAX_PAIRS:
        return _flipped_at_random(differences, ask), Inference.RANDOM_SIGN_FLIP
    row = {"p_value": float(sign_flip(differences))}
    note = f"exact over {pairs} pairs: no p-value below {2.0 ** (1 - pairs):.4g} is possible"
    try:
        row["conf_low"], row["conf_high"], row["conf_level"] = sign_flip_interval(
            differences, level
        )
    except ValueError:
        return row | {"note": f"{note}, and no confidence set"}, Inference.SIGN_FLIP
    note += f", and the confidence set is at {100 * row['conf_level']:g}%"
    return row | {"note": note}, Inference.SIGN_FLIP


def _flipped_at_random(differences: np.ndarray, ask: Question) -> dict[str, Any]:
    """Return the same by random choices of signs, where there are too many to be listed."""
    names = (str(Inference.SIGN_FLIP), ask.outcome, ask.value)
    found = random_sign_flip(differences, ask.level, stream(ask.seed, *names))
    return {
        "p_value": found.p_value,
        "mc_error": found.mc_error,
        "conf_low": found.low,
        "conf_high": found.high,
        "conf_level": found.level,
        "note": f"{DRAWS:,} random choices of the signs of {len(differences)} pairs: with all of "
        f"them the p-value lies between {found.mc_low:.4f} and {found.mc_high:.4f} (95% Monte "
        "Carlo interval)",
    }


def teams_of(study: Study, chosen: Sample) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return the names of the pairs; and the team of each row, the pair and arm of each team."""
    clusters = allocated(study).declared
    teams, pairs = chosen.groups(clusters.unit), chosen.groups(clusters.pair)
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
