"""ANCOVA with a random cluster intercept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, design
from ccp_analysis.analyses.question import Question, fitted, least_squares, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import Rows, arm_rows, complete, intraclass_row, with_note
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.ols import OlsFit
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.results.terms import Inference, Model, Status, Term


def mixed(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """ANCOVA with a random cluster intercept, by REML and Kenward-Roger."""
    if study.clusters is None:
        raise StudyError(
            "config/analysis.yaml: the mixed model needs clusters, which config/study.yaml lacks; "
            "expected model: ancova or model: repeated."
        )
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], allocated(study).factors)
    groups = chosen.codes(study.clusters.unit)
    fit = fitted(fit_random_intercept, X.columns, X.X, chosen.stacked(ask.value), groups)
    rows = arm_rows(study, chosen, kenward_roger(fit, X.contrasts), ask.level)
    ols = least_squares(X, chosen.stacked(ask.value))
    rows += variance_rows(fit, ols, groups, study.clusters.unit_label, chosen, ask)
    rows = complete(rows, study, chosen, ask, Model.MIXED, Inference.KENWARD_ROGER)
    rows = with_readings(rows, study, ask, chosen)
    return with_status(rows, fit, chosen, study.clusters.unit_label)


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
