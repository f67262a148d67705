"""Net monetary benefit: differences at every threshold, and how sure one is that they are gains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import stdtr

from ccp_analysis.analyses.models.team_means import adjusted_teams, teams_of
from ccp_analysis.analyses.question import require_fits
from ccp_analysis.analyses.rows import Rows, contrast_label, pooled_rows, with_note
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.economics.compared import MEASURES, Compared, attempt, contrast
from ccp_analysis.economics.outcomes import COST, QALY
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.results.terms import Inference, Model, Term

NET_BENEFIT = "net_benefit"
CONFIDENCE = (
    "one-sided confidence that the net benefit is above zero, by the t distribution of the pooled "
    "estimate; its probability under a flat prior"
)


def net_benefit_rows(data: Compared, thresholds: list[float]) -> Rows:
    """Return the difference in net monetary benefit at each threshold, and its acceptability.

    Parameters
    ----------
    data : Compared
        The people.
    thresholds : list of float
        What a quality-adjusted life year is worth, in pounds.

    Returns
    -------
    list of dict
        Two rows for each threshold; of one that fails, as net benefit is the same for everyone
        there, a single row that says why.

    Notes
    -----
    Net benefit regression (Hoch, Briggs & Willan 2002, Health Econ 11:415-430; Stinnett & Mullahy
    1998, Med Decis Making 18:S68-S80): the outcome is threshold times quality-adjusted life years
    less cost. With one design for all outcomes the difference is the threshold times the difference
    in effects less that in costs, in every imputation. The acceptability at a threshold is the
    share of the t distribution of the pooled estimate, with its degrees of freedom, that lies above
    zero: P(t <= estimate / standard error).
    """
    return _each(data, thresholds, Model.NET_BENEFIT, _regressed)


def _each(
    data: Compared, thresholds: list[float], model: str, rows_of: Callable[..., Rows]
) -> Rows:
    """Return the rows of all thresholds; where one fails, of each by itself."""
    try:
        return rows_of(data, thresholds)
    except ValueError:
        rows: Rows = []
        for threshold in thresholds:
            head = {
                "outcome": NET_BENEFIT,
                "scale": MONEY,
                "model": model,
                "threshold": threshold,
            }
            one = partial(rows_of, data, [threshold])
            rows += attempt(data.study, f"net benefit at {threshold:g}", head, data.data, one)
        return rows


def _regressed(data: Compared, thresholds: list[float]) -> Rows:
    worth = np.asarray(thresholds, dtype=float)
    inference, method = data.fit_sums(np.stack([-np.ones_like(worth), worth], axis=1))
    found = pooled_rows(data.chosen, contrast(inference, 0), data.level, needed=len(worth))
    label, rows = contrast_label(data.study), []
    for threshold, row in zip(thresholds, found, strict=True):
        head = {"threshold": threshold, "level": label}
        rows += with_note([{**row, **head, "term": Term.DIFFERENCE}], data.evaluated.note)
        df = np.inf if row["df"] is None else row["df"]
        accepted = float(stdtr(df, row["statistic"]))
        scale = {"scale": "proportion", "estimate": accepted, "df": row["df"], "note": CONFIDENCE}
        rows.append({**head, "term": Term.COST_EFFECTIVE, **scale})
    ask = data.ask(NET_BENEFIT, MONEY)
    return data.complete(rows, ask, Model.NET_BENEFIT, method)


def team_net_benefit_rows(data: Compared, thresholds: list[float]) -> Rows:
    """Return the paired analysis of cluster means of net benefit, at each threshold.

    Costs and effects are adjusted each for its own baseline, as in their own paired analyses, so
    that the difference is the threshold times that in effects less that in costs.
    """
    return _each(data, thresholds, Model.TEAM_MEANS, _paired)


def _paired(data: Compared, thresholds: list[float]) -> Rows:
    _, *teams = teams_of(data.study, data.chosen)
    adjusted = {}
    for measure in MEASURES:
        adjusted[measure.value] = y = data.chosen.stacked(measure.value)
        if measure.baseline in data.evaluated.adjust:
            fit = adjusted_teams(data.study, data.chosen, measure.value, measure.baseline, teams)
            adjusted[measure.value] = y - fit.slope * data.chosen.stacked(measure.baseline)
    rows: Rows = []
    for threshold in thresholds:
        y = threshold * adjusted[QALY] - adjusted[COST]
        fit = paired_team_means(y, None, *teams)
        require_fits(fit)
        [row] = pooled_rows(data.chosen, fit.inference, data.level)
        row |= {
            "term": Term.DIFFERENCE,
            "level": contrast_label(data.study),
            "threshold": threshold,
        }
        rows += with_note([row], data.evaluated.note)
    ask = data.ask(NET_BENEFIT, MONEY)
    return data.complete(rows, ask, Model.TEAM_MEANS, Inference.PAIRED_T)
