"""Rows of the results table from what the models return."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample
from ccp_analysis.analyses.question import Question
from ccp_analysis.config.study import Study
from ccp_analysis.errors import RefusedError
from ccp_analysis.models.averaged import imputations_for, pool_by, rule_for
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import OlsFit
from ccp_analysis.models.used_up import LEAST_DF
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Average, Model, Status, Term

log = logging.getLogger(__name__)

Rows = list[dict[str, Any]]

TOO_FEW = "the interval says next to nothing"
# What is an average over somebody, and says over whom.
COMPARISONS = (
    Term.DIFFERENCE,
    Term.LORD,
    Term.ODDS_RATIO,
    Term.RATE_RATIO,
    Term.RATIO,
    Term.WITHIN_SUBGROUP,
)
REPEATABLE = 0.05  # wanted coefficient of variation of a standard error over repeated imputation


def contrast_label(study: Study) -> str:
    """Return how the difference is taken, as in ``intervention - control``."""
    return f"{study.arms.active} - {study.arms.reference}"


def pooled_rows(
    data: Sample, inference: Inference, level: float, needed: int = 1, *, apart: bool = False
) -> Rows:
    """Turn the inference of m fits into one row for each contrast.

    Parameters
    ----------
    data : Sample
        For m and whether the tables are imputations.
    inference : Inference
        Arrays of shape (m, k).
    level : float
        Confidence level.
    needed : int
        How many of the first contrasts must have a standard error. They are comparisons; the others
        are means, which keep their estimate where no inference is left.
    apart : bool
        Whether a comparison that is refused leaves a row of its own, without an estimate, and the
        others stand.

    Returns
    -------
    list of dict, length k
        Pooled by the sample's rule if imputed; without contributions of clusters, which could be
        averaged, by Rubin's rules.
        Infinite degrees of freedom (the normal distribution) are missing. What has no inference has
        the status refused and the reason as note.

    Raises
    ------
    RefusedError
        If the inference of a comparison is refused, unless these are apart.
    ValueError
        If a contrast that is needed has no estimate or no standard error.
    """
    extra: dict[str, np.ndarray] = {}
    if data.imputed:
        rule = rule_for(inference, data.pooling)
        result = pool_by(rule, inference)
        extra = {"fmi": result.fmi, "mc_error": result.mc_error}
        extra["needed"] = imputations_for(inference, result, cv=REPEATABLE)
        summary = Inference(result.estimate, result.std_error, result.df)
    else:
        summary = Inference(inference.estimate[0], inference.std_error[0], inference.df[0])
    why = [
        one.used_up.sentence() if one.used_up else ""
        for one in (inference.part((..., [k])) for k in range(len(summary.estimate)))
    ]
    df = np.broadcast_to(inference.df, np.shape(inference.estimate))
    why = [reason or _too_few(df[..., k]) for k, reason in enumerate(why)]
    refused = np.array([bool(reason) for reason in why])
    if refused[:needed].any() and not apart:
        raise RefusedError(next(filter(None, why[:needed])))
    known = np.isfinite(summary.estimate) & np.isfinite(summary.std_error)
    if not (known | refused)[:needed].all():
        raise ValueError("the difference between the arms has no standard error")
    low, high = summary.interval(level)
    columns = {
        "estimate": summary.estimate,
        "std_error": summary.std_error,
        "df": summary.df,
        "statistic": summary.statistic,
        "p_value": summary.p_value,
        "conf_low": low,
        "conf_high": high,
        **extra,
    }
    rows: Rows = [
        {name: float(np.broadcast_to(values, low.shape)[k]) for name, values in columns.items()}
        for k in range(len(low))
    ]
    for row in rows:
        if data.imputed:
            row["pooling"] = rule
        if row["df"] < LEAST_DF:
            row["note"] = f"{row['df']:.2f} degrees of freedom are left by pooling: {TOO_FEW}"
        row["df"] = row["df"] if np.isfinite(row["df"]) else None
    m = data.m if data.imputed else None
    rows = [{**row, "conf_level": level, "df_num": 1, "m": m} for row in rows]
    for k in np.flatnonzero(refused):
        kept = {"estimate": rows[k]["estimate"]} if k >= needed else {}
        rows[k] |= dict.fromkeys(columns, np.nan) | {"df": None, "conf_level": None} | kept
        rows[k] |= {"df_num": None, "status": Status.REFUSED, "note": why[k]}
    return rows


def _too_few(df: np.ndarray) -> str:
    """Return why fits that leave fewer than one degree of freedom are refused, else empty."""
    df = df[np.isfinite(df)]
    mean = len(df) / np.sum(1.0 / df) if len(df) else np.inf
    if mean >= LEAST_DF:
        return ""
    return f"{mean:.2f} degrees of freedom are left, fewer than one: {TOO_FEW}"


def arm_rows(
    study: Study,
    data: Sample,
    inference: Inference,
    level: float,
    mean: str = Term.ADJUSTED_MEAN,
    *,
    apart: bool = False,
) -> Rows:
    """Name three rows: the difference between the arms, and the mean of each.

    Parameters
    ----------
    study, data, inference, level, apart
        As in `pooled_rows`; the contrasts are those of `Design.contrasts`.
    mean : str
        Term of the means.

    Returns
    -------
    list of dict
        A mean has no p-value: that it is zero is no hypothesis here.
    """
    difference, *means = pooled_rows(data, inference, level, apart=apart)
    difference |= {"term": Term.DIFFERENCE, "level": contrast_label(study)}
    for arm, row in zip(study.arms.ordered, means, strict=True):
        row |= {"term": mean, "level": arm, "p_value": None, "statistic": None}
    return [difference, *means]


def intraclass_row(
    fit: OlsFit, groups: np.ndarray, between: float, within: float, level: float, data: Sample
) -> dict[str, Any]:
    """Return the intraclass correlation with an interval that exists where it is zero.

    Parameters
    ----------
    fit : OlsFit
        Least squares on the same data and design, for the exact interval.
    groups : numpy.ndarray of int
        Group of each row, shape (n,).
    between, within : float
        Estimated variances, averaged over the imputations before the ratio is formed.
    level : float
        Confidence level.
    data : Sample
        For whether the tables are imputations.

    Returns
    -------
    dict
        The note says whether the interval was truncated at zero.
    """
    limits = intraclass_interval(fit, groups, level)
    notes = ["exact interval (Harville and Fenech)"]
    if limits.high == 0:
        notes[0] += ", all of it below zero and truncated there: groups differ less than by chance"
    elif limits.truncated:
        notes[0] += ", its lower limit truncated at zero"
    if data.imputed:
        notes.append("sums of squares averaged over the imputations")
    return {
        "term": Term.INTRACLASS,
        "scale": "proportion",
        "estimate": between / (between + within),
        "conf_low": limits.low,
        "conf_high": limits.high,
        "conf_level": level,
        "m": data.m if data.imputed else None,
        "note": "; ".join(notes),
    }


def complete(
    rows: Rows, study: Study, chosen: Sample, ask: Question, model: str, inference: str
) -> Rows:
    """Fill in what all rows of a fit share; what a row has itself stands.

    A pooled row that rests on too few imputations says so.
    """
    shared = {
        "outcome": ask.outcome,
        "scale": ask.scale,
        "population": chosen.population,
        "model": model,
        "inference": inference,
        "n": chosen.people,
        "n_clusters": allocated(study).number(chosen.first),
        "m": chosen.m if chosen.imputed else None,
    }
    for row in rows:
        if row.get("status") == Status.REFUSED:
            which = ", ".join(filter(None, (row["term"], row.get("level"), row.get("subgroup"))))
            log.error("%s, %s, %s: no inference, %s", ask.outcome, model, which, row["note"])
    paired = model == Model.TEAM_MEANS or inference in (
        terms.Inference.PAIRED_T,
        terms.Inference.SIGN_FLIP,
        terms.Inference.RANDOM_SIGN_FLIP,
    )
    whose = {"average": Average.CLUSTERS if paired else Average.PARTICIPANTS}
    return [
        _judged({**shared, **(whose if row.get("term") in COMPARISONS else {}), **row})
        for row in rows
    ]


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """Say how many imputations are needed, if these are more than there are."""
    needed, m = row.pop("needed", None), row.get("m")
    if needed is None or m is None or row.get("std_error") is None or not needed > m:
        return row
    error = f"the Monte Carlo error of the standard error to {REPEATABLE:.0%}"
    return with_note([row], f"{m} imputations were made, {needed:.0f} would bring {error}")[0]


def with_note(rows: Rows, note: str, **more: Any) -> Rows:
    """Add a sentence to the notes of rows, and set further columns of those not refused."""
    joined = [{**row, "note": "; ".join(filter(None, [row.get("note"), note]))} for row in rows]
    return [row if row.get("status") == Status.REFUSED else {**row, **more} for row in joined]
