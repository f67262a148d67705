"""ANCOVA of people weighed until the arms are alike in what was measured of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, design
from ccp_analysis.analyses.question import Question, least_squares, sample_for
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.analyses.rows import Rows, arm_rows, complete, with_note
from ccp_analysis.analyses.weights import Weighed, balanced_by, weigh
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.models.weighted import WeightedFit
from ccp_analysis.results.terms import Average, Inference, Model, Term

WHOSE = {Model.OVERLAP: Average.OVERLAP, Model.ENTROPY: Average.PARTICIPANTS}


def overlap(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Weigh by overlap: the average over people who might have been in either arm."""
    return _weighted(study, imputed, data, ask, Model.OVERLAP)


def entropy(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Weigh as equally as can be so that both arms have everybody's means; check of `overlap`."""
    return _weighted(study, imputed, data, ask, Model.ENTROPY)


def _weighted(study: Study, imputed: pd.DataFrame, data: str, ask: Question, model: Model) -> Rows:
    """Adjust for what is balanced as well, so that either the weights or the model may be right."""
    if ask.confounding is None:
        raise StudyError(
            f"config/analysis.yaml: model: {model} weighs people, and the plan does not say by "
            "what; expected confounding.covariates."
        )
    names = balanced_by(ask.confounding, ask.baseline)
    terms = list(dict.fromkeys([*names, *ask.covariates]))
    chosen = sample_for(study, imputed, data, replace(ask, covariates=terms))
    X = design(chosen, terms, allocated(study).factors)
    weighed = weigh(study, chosen, model, ask.confounding, ask.baseline)
    whitened = least_squares(X, chosen.stacked(ask.value), weighed.weights)
    inference = allocated(study).weighted(chosen, WeightedFit(whitened, weighed.weights))
    rows = [
        {**row, "average": WHOSE[model]} if row["term"] == Term.DIFFERENCE else row
        for row in arm_rows(study, chosen, inference, ask.level)
    ]
    rows = with_note(rows[:1], _worth(study, weighed)) + rows[1:]
    rows = complete(rows, study, chosen, ask, model, Inference.CR2)
    rows = with_readings(rows, study, ask, chosen)
    return rows + complete(
        _sizes(study, chosen, weighed), study, chosen, ask, model, Inference.NONE
    )


def _worth(study: Study, weighed: Weighed) -> str:
    """Say how many people the weights leave of each arm."""
    sizes, shares = weighed.sizes(weighed.arm)
    people = np.bincount(weighed.arm)
    parts = [
        f"{size:.0f} of {n} people in {study.arms.levels[arm]}"
        for size, n, arm in zip(sizes, people, study.arms.ordered, strict=True)
    ]
    return f"weights worth {' and '.join(parts)}; no one has more than {shares.max():.0%} of an arm"


def _sizes(study: Study, chosen: Sample, weighed: Weighed) -> Rows:
    """Return effective sample sizes of arms and clusters, and the largest share of each arm."""
    sizes, shares = weighed.sizes(weighed.arm)
    rows: Rows = []
    for arm, size, share in zip(study.arms.ordered, sizes, shares, strict=True):
        rows.append(
            {"term": Term.EFFECTIVE, "level": arm, "scale": "count", "estimate": float(size)}
        )
        rows.append(
            {"term": Term.LARGEST, "level": arm, "scale": "proportion", "estimate": float(share)}
        )
    if study.clusters:
        units = groups(chosen.first[study.clusters.unit])
        for name, size in zip(units.names, weighed.sizes(units.codes)[0], strict=True):
            row = {"term": Term.EFFECTIVE, "level": name, "scale": "count"}
            rows.append({**row, "estimate": float(size), "note": study.clusters.unit_label})
    return rows
