"""ANCOVA: the follow-up on arm and baseline."""

from __future__ import annotations

import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import design
from ccp_analysis.analyses.question import Question, least_squares, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import Rows, arm_rows, complete, with_note
from ccp_analysis.config.study import Study
from ccp_analysis.results.terms import Model

ANCOVA_ASSUMES = (
    "assumes that without the intervention people of one baseline score, pair and covariates would "
    "have fared alike in both arms"
)


def ancova(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Follow-up on arm, baseline, pair and covariates, by CR2; without clusters by OLS or HC2."""
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, [ask.baseline, *ask.covariates], allocated(study).factors)
    fit = least_squares(X, chosen.stacked(ask.value))
    inference, method = allocated(study).infer(chosen, fit, robust=ask.robust)
    rows = arm_rows(study, chosen, inference, ask.level)
    if not study.randomised:
        rows[:1] = with_note(rows[:1], ANCOVA_ASSUMES)
    rows = complete(rows, study, chosen, ask, Model.ANCOVA, method)
    return with_readings(rows, study, ask, chosen)
