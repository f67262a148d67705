"""Rows of the results table from what the models return."""

from __future__ import annotations

from typing import Any

import numpy as np

from ccp_analysis.analyses.design import Sample
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.pooling import pool
from ccp_analysis.study import Study

DIFFERENCE = "difference"
STANDARDISED = "standardised difference"
ADJUSTED_MEAN = "adjusted mean"
PAIR_DIFFERENCE = "pair difference"


def contrast_label(study: Study) -> str:
    """Return how the difference is taken, as in ``intervention - control``."""
    return f"{study.arms.active} - {study.arms.reference}"


def pooled_rows(data: Sample, inference: Inference, level: float) -> list[dict[str, Any]]:
    """Turn the inference of m fits into one row for each contrast.

    Parameters
    ----------
    data : Sample
        For m and whether the tables are imputations.
    inference : Inference
        Arrays of shape (m, k).
    level : float
        Confidence level.

    Returns
    -------
    list of dict, length k
        Pooled by Rubin's rules with Barnard-Rubin degrees of freedom if imputed.

    Raises
    ------
    ValueError
        If the first contrast has no estimate or no standard error.
    """
    extra: dict[str, np.ndarray] = {}
    if data.imputed:
        result = pool(inference.estimate, inference.std_error**2, inference.df)
        extra = {"fmi": result.fmi, "mc_error": result.mc_error}
        summary = Inference(result.estimate, result.std_error, result.df)
    else:
        summary = Inference(inference.estimate[0], inference.std_error[0], inference.df[0])
    if not (np.isfinite(summary.estimate[0]) and np.isfinite(summary.std_error[0])):
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
    rows = [
        {name: float(np.broadcast_to(values, low.shape)[k]) for name, values in columns.items()}
        for k in range(len(low))
    ]
    m = data.m if data.imputed else None
    return [{**row, "conf_level": level, "df_num": 1, "m": m} for row in rows]


def arm_rows(
    study: Study, data: Sample, inference: Inference, level: float, baseline_sd: float | None
) -> list[dict[str, Any]]:
    """Name the three rows of `Design.contrasts`, and add the standardised difference.

    Parameters
    ----------
    study, data, inference, level
        As in `pooled_rows`; the contrasts are the difference and the two adjusted means.
    baseline_sd : float or None
        Pooled within-arm SD of the outcome at baseline, in the outcome's units; with it the
        difference is also given in such SDs.

    Returns
    -------
    list of dict
        An adjusted mean has no p-value: that a mean is zero is no hypothesis here.
    """
    difference, *means = pooled_rows(data, inference, level)
    difference |= {"term": DIFFERENCE, "level": contrast_label(study)}
    for arm, mean in zip(study.arms.ordered, means, strict=True):
        mean |= {"term": ADJUSTED_MEAN, "level": arm, "p_value": None, "statistic": None}
    rows = [difference, *means]
    if baseline_sd:
        scaled = {"term": STANDARDISED, "scale": "standardised"}
        for name in ("estimate", "std_error", "conf_low", "conf_high", "mc_error"):
            if difference.get(name) is not None:
                scaled[name] = difference[name] / baseline_sd
        scaled["note"] = f"difference over the pooled within-arm baseline SD of {baseline_sd:.4g}"
        rows.append({**difference, **scaled})
    return rows


def pooled_baseline_sd(study: Study, data: Sample, baseline: str) -> float | None:
    """Return the pooled within-arm SD of a baseline variable; None if it does not vary.

    Under imputation the variances are averaged over the imputations.
    """
    arm = data.first[study.arms.variable].to_numpy()
    values = data.stacked(baseline)
    squares = sum(
        ((values[:, arm == a] - values[:, arm == a].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        for a in study.arms.ordered
    )
    variance = float(np.mean(squares / (data.n - 2)))
    return variance**0.5 if variance > 0 else None
