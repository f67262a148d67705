"""What the figures of the assumption checks are drawn from: points, one row each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.nonparametric.smoothers_lowess import lowess

from ccp_analysis.analyses.checked import Checked
from ccp_analysis.models.diagnostics import normal_scores

COLUMNS = ["analysis", "outcome", "check", "x", "y", "label", "data_status"]
SMOOTHED = 2 / 3  # share of the people in each local regression (Cleveland 1979)
COURSE = 500  # values above which a smooth course has so many points
Points = list[dict[str, Any]]


def points_of(checked: Checked) -> Points:
    """Return the points of all figures of one model and outcome.

    Parameters
    ----------
    checked : Checked
        The fitted model.

    Returns
    -------
    list of dict
        Keys ``check``, ``x``, ``y``, ``label``, where the check is

        - ``residual_qq``: normal quantile, standardised residual, arm;
        - ``random_effect_qq``: normal quantile, predicted effect, cluster (with clusters only);
        - ``residual_fitted``: fitted value, standardised residual, arm;
          ``residual_fitted_lowess``: its smooth course, label ``all``;
        - ``baseline``: baseline, outcome adjusted for everything but baseline and arm, arm;
          ``baseline_lowess``: the smooth course in each arm;
        - ``cook``: leverage, Cook's distance, participant.

        A smooth course is left out where the values do not vary.
    """
    parts = checked.residuals
    points = _quantiles("residual_qq", parts.standardised, checked.arms)
    if checked.study.clusters:
        names = checked.names(checked.study.clusters.unit)
        points += _quantiles("random_effect_qq", checked.with_effects.effects, names)
    points += _scatter("residual_fitted", parts.fitted, parts.standardised, checked.arms)
    everyone = ["all"] * checked.n
    points += _smooth("residual_fitted_lowess", parts.fitted, parts.standardised, everyone)
    points += _baseline(checked)
    people = checked.sample.first["participant"].astype(str).tolist()
    return points + _scatter("cook", parts.leverage, parts.cook, people)


def figure_table(points: Points, analysis: str, data_status: str) -> pd.DataFrame:
    """Make the table of figure data of points that have their outcome."""
    table = pd.DataFrame(points, columns=COLUMNS)
    table["analysis"], table["data_status"] = analysis, data_status
    return table.astype({"outcome": str, "check": str, "x": float, "y": float, "label": str})


def _baseline(checked: Checked) -> Points:
    """Component-plus-residual points, with the arm left in the component."""
    X, variable = checked.X, checked.sample.first
    parts, column = checked.residuals, checked.baseline
    coef = np.linalg.lstsq(X, parts.fitted, rcond=None)[0]
    kept = [0, 1, column]
    adjusted = X[:, kept] @ coef[kept] + parts.residuals
    baseline = variable[checked.baseline_name].to_numpy(dtype=float)
    return _scatter("baseline", baseline, adjusted, checked.arms) + _smooth(
        "baseline_lowess", baseline, adjusted, checked.arms
    )


def _quantiles(check: str, values: np.ndarray, labels: list[str]) -> Points:
    order = np.argsort(values, kind="stable")
    return _scatter(
        check, normal_scores(len(values)), values[order], [labels[k] for k in order.tolist()]
    )


def _scatter(check: str, x: np.ndarray, y: np.ndarray, labels: list[str]) -> Points:
    return [
        {"check": check, "x": float(a), "y": float(b), "label": label}
        for a, b, label in zip(x, y, labels, strict=True)
    ]


def _smooth(check: str, x: np.ndarray, y: np.ndarray, labels: list[str]) -> Points:
    points: Points = []
    size = np.abs(x).max(initial=0.0) or 1.0
    x = np.round(x / size, 10) * size  # people of one mean have it to the last bit
    for label in dict.fromkeys(labels):
        inside = np.array([other == label for other in labels])
        grid = np.unique(x[inside])
        if len(grid) < 3:
            continue
        with np.errstate(all="ignore"):  # ties leave local regressions without a slope
            if len(grid) > COURSE:
                # Regressions at a step of the range, straight between: not one for each person.
                step = np.ptp(grid) / COURSE
                ends = lowess(y[inside], x[inside], frac=SMOOTHED, delta=step)
                grid = np.linspace(grid[0], grid[-1], COURSE)
                course = np.interp(grid, *ends.T)
            else:
                course = lowess(y[inside], x[inside], frac=SMOOTHED, xvals=grid)
        known = np.isfinite(course)
        points += _scatter(check, grid[known], course[known], [label] * int(known.sum()))
    return points
