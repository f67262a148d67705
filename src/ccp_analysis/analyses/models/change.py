"""The change score, and whether ANCOVA agrees with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, arm_contrasts, design
from ccp_analysis.analyses.models.team_means import beside, failed, teams_of
from ccp_analysis.analyses.question import Question, least_squares, sample_for
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
from ccp_analysis.models.team_level import PairedTeams, paired_team_means
from ccp_analysis.results.terms import Inference, Model, Term

AGREE = "ANCOVA and the change score agree"
DISAGREE = "ANCOVA and the change score disagree (Lord's paradox)"
OPEN = "whether ANCOVA and the change score agree is open"
UNJUDGED = "whether ANCOVA and the change score agree cannot be judged without an MCID"
CHANGE_ASSUMES = (
    "assumes that without the intervention both arms would have changed by the same amount"
)
RANDOMISED = "randomisation makes the arms alike at baseline, and ANCOVA is more precise"


def change(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Follow-up less baseline on arm, pair and covariates; paired teams; and beside ANCOVA."""
    chosen = sample_for(study, imputed, data, ask)
    X = design(chosen, ask.covariates, allocated(study).factors)
    gain = chosen.stacked(ask.value) - chosen.stacked(ask.baseline)
    fit = least_squares(X, gain)
    inference, method = allocated(study).infer(chosen, fit, robust=ask.robust)
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

    Both models stand side by side, as in one fit with every person twice and the two designs as
    blocks: coefficients and CR2 covariances are those of the separate fits, and the clusters
    (people where there are none) carry their covariance.
    """
    covariates, pair = ask.covariates, allocated(study).factors
    adjusted = design(chosen, [ask.baseline, *covariates], pair)
    plain = design(chosen, covariates, pair)
    follow_up = chosen.stacked(ask.value)
    gain = follow_up - chosen.stacked(ask.baseline)
    fits = [least_squares(adjusted, follow_up), least_squares(plain, gain)]
    first, second = (arm_contrasts(fit.coef.shape[-1])[:1] for fit in fits)
    inference = allocated(study).together(chosen, fits, [first, -second])
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
