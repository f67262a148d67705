"""Models of binary outcomes and counts: ratios on the link's scale, and risks or rates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, design, sample
from ccp_analysis.analyses.question import Question, fitted, require_comparable
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import (
    Rows,
    arm_rows,
    complete,
    contrast_label,
    pooled_rows,
    with_note,
)
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.models.families import FAMILIES
from ccp_analysis.models.glm import GlmFit, fit_glm
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised
from ccp_analysis.models.inference import Inference
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Term

ARM = 1  # column of the design


@dataclass(frozen=True)
class _Kind:
    """A family: its name in the plan and in `models`, its ratio, the scale of its means."""

    model: str
    family: str
    ratio: str
    scale: str
    unclustered: str


LOGISTIC = _Kind(Model.LOGISTIC, "binomial", Term.ODDS_RATIO, "risk", "model")
POISSON = _Kind(Model.POISSON, "poisson", Term.RATE_RATIO, "count", "HC3")


def logistic(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Binary outcome on arm, pair, covariates and its baseline if there is one; CR2."""
    return _compare(LOGISTIC, study, imputed, data, ask)


def poisson(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Count on arm, pair, covariates and its baseline if there is one; CR2, else HC3."""
    return _compare(POISSON, study, imputed, data, ask)


def _compare(kind: _Kind, study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    own = [ask.baseline] if ask.baseline in imputed else []
    tables = _as_numbers(imputed, [ask.value, *own], ask)
    chosen = sample(study, tables, data, [ask.value, *own, *ask.covariates])
    require_comparable(study, chosen, ask.value)
    X = design(chosen, [*own, *ask.covariates], allocated(study).factors)
    y = chosen.stacked(ask.value)
    fit = fitted(fit_glm, X.columns, X.X, y, kind.family)
    how = allocated(study).robust(chosen, kind.unclustered)
    ratio = allocated(study).named(chosen, on_link_scale(fit, X.contrasts[:1], **how))
    rows = _ratio_rows(kind, study, chosen, ratio, ask)
    marginal = allocated(study).named(chosen, standardised(fit, *counterfactual(X.X, ARM), **how))
    # A count has the unit that the dictionary gives it, but no points.
    counted = kind is POISSON and ask.scale != "points"
    unit = {"scale": ask.scale if counted else kind.scale}
    rows += [row | unit for row in _marginal_rows(study, chosen, marginal, ask)]
    rows += [row | unit for row in _average_rows(study, chosen, fit, X.contrasts[1:], how, ask)]
    rows = complete(rows, study, chosen, ask, kind.model, terms.Inference(how["kind"].lower()))
    return with_readings(rows, study, replace(ask, mcid=None))


def _as_numbers(imputed: pd.DataFrame, names: list[str], ask: Question) -> pd.DataFrame:
    """Write a category of two codes as 0 and 1, the last code being the event."""
    # What is not there at all is no matter of codes; the sample says so.
    if any(name not in imputed for name in names):
        return imputed
    if all(pd.api.types.is_numeric_dtype(imputed[name]) for name in names):
        return imputed
    if len(ask.codes) != 2:
        raise StudyError(
            f"config/analysis.yaml: '{ask.outcome}' is a category of {len(ask.codes)} codes; a "
            "model of binary outcomes or counts expects a number or a category of two codes."
        )
    values = dict(zip(ask.codes, (0.0, 1.0), strict=True))
    return imputed.assign(**{n: imputed[n].map(values).astype(float) for n in names})


def _ratio_rows(
    kind: _Kind, study: Study, chosen: Sample, inference: Inference, ask: Question
) -> Rows:
    """Return the log ratio, pooled on its own scale, and the ratio with its limits transformed."""
    [row] = pooled_rows(chosen, inference, ask.level)
    row |= {"level": contrast_label(study)}
    log_ratio = {**row, "term": Term(f"log {kind.ratio}"), "scale": f"log {kind.ratio}"}
    ratio = {**row, "term": kind.ratio, "scale": "ratio", "std_error": None, "mc_error": None}
    for name in ("estimate", "conf_low", "conf_high"):
        ratio[name] = float(np.exp(row[name]))
    ratio["note"] = f"the log {kind.ratio} and its limits, exponentiated; tested against one"
    return [log_ratio, ratio]


def _marginal_rows(study: Study, chosen: Sample, marginal: Inference, ask: Question) -> Rows:
    """Return the means with everyone in either arm, and their difference."""
    rows = arm_rows(study, chosen, marginal.part((..., [2, 0, 1])), ask.level, apart=True)
    difference = (
        "standardised: the mean with everyone in one arm less that with everyone in the other, by "
        "the delta method"
    )
    means = "standardised: counterfactual weights"
    return with_note(rows[:1], difference) + with_note(rows[1:], means)


def _average_rows(
    study: Study, chosen: Sample, fit: GlmFit, L: np.ndarray, how: dict, ask: Question
) -> Rows:
    """Return the fitted mean of either arm at the means of the covariates (proportional weights).

    Pooled on the scale of the link, then transformed, as its limits are.
    """
    mean = FAMILIES[fit.family].mean
    found = allocated(study).named(chosen, on_link_scale(fit, L, **how))
    rows = pooled_rows(chosen, found, ask.level, needed=0)
    note = "proportional weights: at the covariates' means, transformed from the link's scale"
    for arm, row in zip(study.arms.ordered, rows, strict=True):
        for name in ("estimate", "conf_low", "conf_high"):
            row[name] = float(mean(row[name]))
        row |= {"term": Term.MEAN_AT_AVERAGE, "level": arm, "std_error": None}
        row |= {"p_value": None, "statistic": None, "mc_error": None}
    return with_note(rows, note)
