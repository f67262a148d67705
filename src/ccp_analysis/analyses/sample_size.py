"""What the study was planned to detect, beside how many people came."""

from __future__ import annotations

from typing import Any

import pandas as pd
import scipy
from scipy.special import ndtri

from ccp_analysis.config.plan import Plan, SampleSize
from ccp_analysis.config.study import Study
from ccp_analysis.models.inference import detected_multiple
from ccp_analysis.results.terms import Inference, Term

Rows = list[dict[str, Any]]


def design_effect(planned: SampleSize, people: float) -> float:
    """Return 1 + (m - 1) ICC for m people in each cluster (Donner & Klar 2000, section 5.2).

    Without clusters it is 1.
    """
    if planned.clusters is None or planned.icc is None:
        return 1.0
    return 1.0 + (people / planned.clusters - 1.0) * planned.icc


def detectable(planned: SampleSize, people: float, multiple: float) -> float:
    """Return the difference that two equal arms of all these people detect.

    Parameters
    ----------
    planned : SampleSize
        SD, ICC, correlation with the baseline, clusters.
    people : float
        People in both arms.
    multiple : float
        Standard errors that the difference must have: the quantile of the two-sided test plus that
        of the power, or `detected_multiple`.

    Returns
    -------
    float
        multiple sqrt(4 sd^2 (1 - rho^2) design effect / people); the factor of ANCOVA is that of
        Borm, Fransen & Lemmens (2007, J Clin Epidemiol 60:1234-1238).
    """
    variance = 4.0 * planned.sd**2 * (1.0 - planned.retest**2) / people
    return multiple * (variance * design_effect(planned, people)) ** 0.5


def required(planned: SampleSize, multiple: float) -> float | None:
    """Return the people needed with these clusters; None where no number of people is enough.

    As `detectable`, solved for the people: with more of them in a fixed number of clusters the
    variance of a difference falls no lower than 4 sd^2 (1 - rho^2) ICC / clusters.
    """
    unit = (multiple * planned.sd / planned.difference) ** 2 * 4.0 * (1.0 - planned.retest**2)
    if planned.clusters is None or planned.icc is None:
        return unit
    left = 1.0 - unit * planned.icc / planned.clusters
    return unit * (1.0 - planned.icc) / left if left > 0 else None


def residual_df(planned: SampleSize, people: float) -> float:
    """Return the degrees of freedom of people as units: arms and, if it is used, the baseline."""
    return people - 2.0 - (planned.retest > 0)


def required_by_t(planned: SampleSize, level: float, power: float) -> float:
    """Return the people needed without clusters, by the noncentral t: more than by the normal."""

    def short(people: float) -> float:
        multiple = detected_multiple(residual_df(planned, people), level, power)
        return detectable(planned, people, multiple) - planned.difference

    least = 1.0 - residual_df(planned, 0.0)  # people that leave one degree of freedom
    most = 2.0 * least
    while short(most) > 0:
        most *= 2.0
    return (
        float(scipy.optimize.brentq(short, least, most, xtol=1e-9)) if short(least) > 0 else least
    )


def sample_size_rows(
    study: Study, plan: Plan, planned: SampleSize, observed: pd.DataFrame, scale: str
) -> Rows:
    """Set planned numbers beside achieved ones.

    Parameters
    ----------
    study, plan : Study, Plan
        Clusters; confidence level and power.
    planned : SampleSize
        What the plan has on it.
    observed : pandas.DataFrame
        Everyone with a baseline interview, outcomes as observed.
    scale : str
        Unit of the outcome.

    Returns
    -------
    list of dict
        Rows of the analysis ``sample_size``, level planned or achieved, by normal quantiles as
        such calculations go, and by the noncentral t: where there are clusters in pairs with
        pairs - 1 degrees of freedom, otherwise with those that people leave.
    """
    last = [v.id for v in study.follow_ups if f"{planned.outcome}_{v.id}" in observed][-1:]
    followed = int(observed[[f"{planned.outcome}_{v}" for v in last]].notna().all(axis=1).sum())
    tail = 1.0 - (1.0 - plan.confidence_level) / 2.0
    asked = (plan.confidence_level, plan.power)
    normal = float(ndtri(tail) + ndtri(plan.power))
    pairs = float(observed[study.clusters.pair].nunique() - 1) if study.clusters else None

    def tests(people: float) -> list[tuple[Inference, float, float | None]]:
        left = residual_df(planned, people) if pairs is None else pairs
        by_t = (Inference.T, detected_multiple(left, *asked), left)
        return [(Inference.NORMAL, normal, None), by_t]

    by = {"planned": planned.participants, "achieved": followed}
    counted = {"scale": "count", "inference": Inference.NONE}
    rows: Rows = [
        {"term": Term.AT_BASELINE, "level": "achieved", "estimate": len(observed)},
        {"term": Term.AT_FOLLOW_UP, "level": "achieved", "estimate": followed},
        {"term": Term.AT_FOLLOW_UP, "level": "planned", "estimate": by["planned"]},
    ]
    if study.clusters:
        number = observed[study.clusters.unit].nunique()
        rows.append({"term": Term.CLUSTERS, "level": "planned", "estimate": planned.clusters})
        rows.append({"term": Term.CLUSTERS, "level": "achieved", "estimate": number})
    rows = [{**row, **counted} for row in rows]
    alike = f"intraclass correlation {planned.icc:g}, " if study.clusters else ""
    of = "SD, correlations and clusters" if study.clusters else "SD and correlation"
    rows.append(
        {
            "term": Term.PLANNED_DIFFERENCE,
            "level": "planned",
            "scale": scale,
            "inference": Inference.NONE,
            "estimate": planned.difference,
            "note": f"SD {planned.sd:g}, {alike}correlation with the baseline {planned.retest:g}, "
            f"power {plan.power:.0%}",
        }
    )
    for level, people in by.items():
        effect = {
            "term": Term.DESIGN_EFFECT,
            "level": level,
            "scale": "ratio",
            "inference": Inference.NONE,
            "estimate": design_effect(planned, people),
            "note": "at the planned intraclass correlation",
        }
        rows += [effect] * (study.clusters is not None)
        rows += [
            {
                "term": Term.DETECTABLE_DIFFERENCE,
                "level": level,
                "scale": scale,
                "inference": inference,
                "df": df,
                "estimate": detectable(planned, people, multiple) if people else None,
                "note": f"at the planned {of}",
            }
            for inference, multiple, df in tests(people)
        ]
    for inference, multiple, df in tests(planned.participants):
        needed = required(planned, multiple)
        if inference == Inference.T and pairs is None:
            needed = required_by_t(planned, *asked)
            df = residual_df(planned, needed)
        note = "for the planned difference" + " with the planned clusters" * bool(study.clusters)
        if needed is None:
            note = "no number of people is enough: with these clusters the intraclass correlation "
            note += "alone leaves too much variance"
        rows.append(
            {
                "term": Term.REQUIRED,
                "level": "planned",
                "scale": "count",
                "inference": inference,
                "df": df,
                "estimate": needed,
                "note": note,
            }
        )
    shared = {"analysis": "sample_size", "outcome": planned.outcome, "visit": "".join(last)}
    return [{**shared, **row} for row in rows]
