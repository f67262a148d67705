"""How strong an unmeasured difference between clusters must be to change what a comparison says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, arm_contrasts, design, said
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.analyses.question import Question, least_squares, sample_for
from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.config.study import Study
from ccp_analysis.models.inference import Inference as Inferred
from ccp_analysis.models.ols import grouping
from ccp_analysis.models.unmeasured import (
    contours,
    measured,
    paired_strengths,
    partial_r2,
    robustness_value,
    tipping,
)
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

UNMEASURED = "unmeasured"  # id of these rows among the analyses
GRID = np.linspace(0.0, 0.95, 39)  # strengths at which contours are drawn
READ = {
    Term.TO_ZERO: "if clusters of the active arm would have had so much more without the "
    "intervention, the nearer end of the interval is zero",
    Term.TO_MCID: "such a difference brings the interval to the MCID; zero where it holds it",
    Term.HIDES_MCID: "such a difference makes an effect of the MCID look like the estimate",
}


@dataclass(frozen=True)
class Asked:
    """A comparison and what is asked of it.

    Attributes
    ----------
    study : Study
        Arms and clusters.
    ask : Question
        Outcome, covariates, level, MCID.
    difference : pandas.Series
        Its row of the results: the interval as it is printed.
    paired : pandas.DataFrame
        Rows of the paired analysis of cluster means of this outcome; empty where there is none.
    """

    study: Study
    ask: Question
    difference: pd.Series
    paired: pd.DataFrame


def unmeasured_rows(asked: Asked, imputed: pd.DataFrame) -> Rows:
    """Return tipping differences, what measured covariates do, and robustness of team means."""
    ask, study = asked.ask, asked.study
    chosen = sample_for(study, imputed, "imputed", ask)
    names, per_sd = _measured(asked, chosen)
    strongest = int(np.abs(per_sd).argmax())
    rows = _tipping(asked, names[strongest], float(abs(per_sd[strongest])))
    rows += [
        {"term": Term.PER_SD, "level": name, "estimate": float(value), "model": Model.ANCOVA}
        for name, value in zip(names, per_sd, strict=True)
    ]
    rows += _robustness(asked, chosen)
    shared = {
        "analysis": UNMEASURED,
        "role": Role.SENSITIVITY,
        "outcome": ask.outcome,
        "visit": asked.difference["visit"],
        "scale": ask.scale,
        "population": Population.COMPLETED,
        "inference": Inference.NONE,
        "n": chosen.people,
        "n_clusters": allocated(study).number(chosen.first),
        "m": chosen.m,
    }
    return [{**shared, **row} for row in rows]


def _measured(asked: Asked, chosen: Sample) -> tuple[list[str], np.ndarray]:
    """Return the covariates of the comparison and what a standard deviation of each changes."""
    ask = asked.ask
    terms, factors = [ask.baseline, *ask.covariates], allocated(asked.study).factors
    X = design(chosen, terms, factors)
    fit = least_squares(X, chosen.stacked(ask.value))
    # Covariates are the last columns of a design, whether its pairs are absorbed or not.
    names = design(chosen, terms, []).columns[2:]
    p, q = fit.coef.shape[-1], len(names)
    sd = X.own[..., -q:].std(axis=-2, ddof=1)
    per_sd, _ = measured(fit, arm_contrasts(p)[:1], np.arange(p - q, p), sd)
    return [_name(asked.study, name) for name in names], per_sd.mean(axis=0)


def _name(study: Study, column: str) -> str:
    """Return the name of a column's variable, without the visit: all are of the baseline."""
    return said(column).strip("'").removesuffix(f"_{study.baseline.id}")


def _tipping(asked: Asked, strongest: str, per_sd: float) -> Rows:
    """Return each tipping difference in points, and in SDs of the strongest covariate measured."""
    row, ask = asked.difference, asked.ask
    found = _inferred(row)
    sign = -1.0 if ask.benefit == "lower" else 1.0
    moved = tipping(found, sign * (ask.mcid or np.nan), ask.level)
    values = {
        Term.TO_ZERO: moved.to_zero,
        Term.TO_MCID: moved.to_mcid,
        Term.HIDES_MCID: moved.hides_mcid,
    }
    head = {"model": row["model"], "inference": row["inference"]}
    rows: Rows = []
    for term, value in values.items():
        if term != Term.TO_ZERO and not ask.mcid:
            continue
        one = {**head, "term": term, "level": contrast_label(asked.study)}
        if not np.isfinite(value[0]):
            rows.append({**one, "status": Status.REFUSED, "note": "the comparison has no interval"})
            continue
        rows.append({**one, "estimate": float(value[0]), "note": READ[term]})
        if per_sd > 0.0:
            note = f"standard deviations by which arms would differ in something like {strongest}"
            scale = f"SD of {strongest}"
            rows.append({**one, "scale": scale, "estimate": float(value[0] / per_sd), "note": note})
    return rows


def _inferred(row: pd.Series) -> Inferred:
    """Return a row of the results as estimate, standard error and degrees of freedom."""
    values = (np.array([float(row[name])]) for name in ("estimate", "std_error", "df"))
    return Inferred(*values)


def paired_difference(paired: pd.DataFrame) -> Inferred | None:
    """Return the paired comparison of cluster means; None where it has no inference."""
    at = paired[(paired["term"] == Term.DIFFERENCE) & (paired["inference"] == Inference.PAIRED_T)]
    if at.empty or not np.isfinite(at["std_error"].iloc[0]):
        return None
    return _inferred(at.iloc[0])


def _robustness(asked: Asked, chosen: Sample) -> Rows:
    """Return robustness values of the paired comparison, and how strong measured covariates are."""
    found = paired_difference(asked.paired)
    if found is None:
        return []
    df, level = found.df[0], asked.ask.level
    head = {"model": Model.TEAM_MEANS, "inference": Inference.PAIRED_T, "scale": "partial R2"}
    contrast = contrast_label(asked.study)
    values = {
        Term.ROBUSTNESS: robustness_value(found),
        Term.ROBUSTNESS_OF_INTERVAL: robustness_value(found, level=level),
        Term.R2_OUTCOME: partial_r2(found),
    }
    note = f"of paired means with {df:.3g} degrees of freedom"
    rows: Rows = [
        {**head, "term": term, "level": contrast, "estimate": float(value[0]), "note": note}
        for term, value in values.items()
    ]
    names, differences = _pair_differences(asked, chosen)
    at = asked.paired[asked.paired["term"] == Term.PAIR_DIFFERENCE]
    outcome = at.set_index("level")["estimate"].reindex(teams_of(asked.study, chosen)[0])
    strengths = paired_strengths(outcome.to_numpy(dtype=float), differences)
    for j, name in enumerate(names):
        for term, strength in ((Term.R2_ARM, strengths.arm), (Term.R2_OUTCOME, strengths.outcome)):
            row = {**head, "term": term, "level": name, "estimate": float(strength[j])}
            if strengths.status[j] != Status.OK:
                note = str(strengths.note[j]).rstrip(".")
                row |= {"estimate": None, "status": Status.REFUSED, "note": note}
            rows.append(row)
    return rows


def _pair_differences(asked: Asked, chosen: Sample) -> tuple[list[str], np.ndarray]:
    """Return covariates and the differences within pairs of their cluster means, (pairs, q)."""
    ask, also = asked.ask, asked.ask.confounding.covariates if asked.ask.confounding else []
    X = design(chosen, list(dict.fromkeys([ask.baseline, *ask.covariates, *also])), [])
    _, team, pair, arm = teams_of(asked.study, chosen)
    means = grouping(team, chosen.n).means(X.X[..., 2:].mean(axis=0))
    apart = [
        means[(pair == p) & (arm == 1)] - means[(pair == p) & (arm == 0)] for p in np.unique(pair)
    ]
    differences = np.concatenate(apart)
    return [_name(asked.study, column) for column in X.columns[2:]], differences


def contour_points(asked: Asked) -> pd.DataFrame:
    """Return the estimate of paired means that confounders of each strength would leave."""
    found = paired_difference(asked.paired)
    if found is None:
        return pd.DataFrame(columns=["x", "y", "z"])
    moved = contours(found, GRID, GRID).estimate[0]
    x, y = np.meshgrid(GRID, GRID, indexing="ij")
    return pd.DataFrame({"x": x.ravel(), "y": y.ravel(), "z": moved.ravel()})
