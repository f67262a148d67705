"""What if costs and utilities of missed interviews are not as imputed: a grid, and strategies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy

from ccp_analysis.analyses.reference_based import reference_rows
from ccp_analysis.analyses.rows import Rows, contrast_label, with_note
from ccp_analysis.analyses.shifted import Evaluate, surface
from ccp_analysis.analyses.tipping import conclusion, difference_at
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.economics import Axis, Departures
from ccp_analysis.config.sensitivity import ReferenceBased, Scenario
from ccp_analysis.economics.compared import Compared, attempt
from ccp_analysis.economics.net_benefit import NET_BENEFIT
from ccp_analysis.economics.outcomes import (
    COST,
    FULL_HEALTH,
    QALY,
    curve_weights,
    discounts,
    imputed_for_missed,
    intervention_costs,
    visit_costs,
)
from ccp_analysis.economics.setting import Source
from ccp_analysis.random import stream
from ccp_analysis.results.terms import Model, Role, Term

GRID, REFERENCE_BASED = "economics_departures", "economics_reference_based"
HEAD = {"outcome": NET_BENEFIT, "scale": MONEY, "model": Model.NET_BENEFIT}
# How far a utility may be from what was imputed, and the points at which it is looked at.
REACH, SCAN = 1.0, 400


def departure_rows(source: Source, people: Callable[[], Compared]) -> Rows:
    """Return net benefit over a grid of changes to missed interviews, and by other strategies.

    Parameters
    ----------
    source : Source
        Tables and prices.
    people : callable
        Returns the people of the main evaluation.

    Returns
    -------
    list of dict
        Of the analyses `GRID` and `REFERENCE_BASED`, at the main thresholds; nothing where they are
        not asked for.
    """
    asked = source.economics.departures
    if asked is None:
        return []
    rows: Rows = []
    for threshold in source.economics.main_thresholds:
        of = {GRID: grid_rows} | ({REFERENCE_BASED: strategy_rows} if asked.reference_based else {})
        for analysis, rows_of in of.items():

            def fit(rows_of: Any = rows_of, threshold: float = threshold) -> Rows:
                return rows_of(source, people(), asked, threshold)

            found = attempt(source.study, analysis, HEAD, "imputed", fit)
            shared = {"analysis": analysis, "role": Role.SENSITIVITY, "threshold": threshold}
            rows += [{**row, **shared} for row in found]
    return rows


def grid_rows(source: Source, data: Compared, asked: Departures, threshold: float) -> Rows:
    """Return the net benefit at every pair of changes, and for each of the costs the tipping point.

    Notes
    -----
    What missed interviews add to costs and to utilities changes the net benefit of a person
    linearly, and so that of the arms; its variance is quadratic in both (`shifted.surface`). No
    value is clipped to its range. A tipping point is the change of utilities at which the net
    benefit is zero; its interval holds the changes at which that of the net benefit includes zero.
    """
    sizes = [max(abs(v - a.neutral) for v in a.values) for a in (asked.cost, asked.utility)]
    cost, utility = _patterns(source, data, asked)
    pattern = np.stack([-sizes[0] * cost, threshold * sizes[1] * utility], axis=-2)
    y = threshold * data.chosen.stacked(QALY) - data.chosen.stacked(COST)
    scaled, method = surface(data.study, data.chosen, data.X, y, pattern, 1.0, data.plan.pooling)

    def evaluate(a: np.ndarray, b: np.ndarray) -> Any:
        return scaled(np.asarray(a) / sizes[0], np.asarray(b) / sizes[1])

    ask, rows = data.ask(NET_BENEFIT, MONEY), []
    arms = " and ".join(asked.arms or [data.study.arms.active])
    note = f"costs and utilities of missed interviews changed in {arms}, neither clipped"
    for at in asked.cost.values:
        perspective = f"cost {named(asked.cost, at)}"
        moved = at - asked.cost.neutral
        for other in asked.utility.values:
            deltas = np.array([moved, other - asked.utility.neutral])
            row = difference_at(evaluate, deltas, data.chosen, data.study, ask)
            beyond = _beyond(source, data, asked, other)
            said = "; ".join(filter(None, [note, beyond]))
            rows += with_note([row], said, perspective=perspective, delta=other)
        tip = tipping_row(evaluate, moved, asked.utility, data.level)
        tip |= {"level": contrast_label(data.study), "perspective": perspective}
        rows += with_note([tip], note)
    return data.complete(rows, ask, Model.NET_BENEFIT, method)


def named(axis: Axis, value: float) -> str:
    """Say what a change is."""
    return f"{'plus' if axis.times is None else 'times'} {value:g}"


def _patterns(source: Source, data: Compared, asked: Departures) -> tuple[np.ndarray, np.ndarray]:
    """Return what one of either change adds to cost and to life years, each (m, n)."""
    setting = data.evaluated.setting
    where = source.places(data.chosen.first["participant"])
    inside = np.isin(source.arm(), asked.arms or [source.study.arms.active])
    shape = (len(source.tables) // source.n, source.n)
    cost, years, curve = np.zeros(shape), np.zeros(shape), curve_weights(source, setting)
    for v, visit in enumerate(source.visits[1:], start=1):
        values = visit_costs(source, setting, visit.id, False)
        gone = imputed_for_missed(source, visit.id, values) & inside
        once = source.alive(visit.id) if asked.cost.times is None else values
        cost += np.where(gone, once * discounts(source, setting, visit.id), 0.0)
        values = source.stacked(f"{setting.utility}_{visit.id}")
        gone = imputed_for_missed(source, visit.id, values) & inside
        once = np.ones(shape) if asked.utility.times is None else values
        years += np.where(gone, once * curve[:, v], 0.0)
    return cost[1:, where], years[1:, where]


def _beyond(source: Source, data: Compared, asked: Departures, value: float) -> str:
    """Say how many of the changed utilities are above full health."""
    inside = np.isin(source.arm(), asked.arms or [source.study.arms.active])
    inside &= np.isin(np.arange(source.n), source.places(data.chosen.first["participant"]))
    changed = []
    for visit in source.visits[1:]:
        values = source.stacked(f"{data.evaluated.setting.utility}_{visit.id}")
        moved = values + value if asked.utility.times is None else values * value
        changed.append(moved[imputed_for_missed(source, visit.id, values) & inside])
    share = (np.concatenate(changed) > FULL_HEALTH).mean() if np.size(changed[0]) else 0.0
    return f"{100 * share:.0f}% of the utilities then above full health" if share > 0 else ""


def tipping_row(evaluate: Evaluate, cost: float, utility: Axis, level: float) -> dict[str, Any]:
    """Return the change of utilities at which the net benefit is zero, with those undecided.

    Parameters
    ----------
    evaluate : callable
        From amounts of cost (k,) and of utility (k,) to the pooled net benefit.
    cost : float
        The amount of cost.
    utility : Axis
        For what no change is.
    level : float
        Confidence level.
    """
    scan = np.linspace(-REACH, REACH, SCAN + 1)
    found = evaluate(np.full_like(scan, cost), scan)
    slope = (found.estimate[-1] - found.estimate[0]) / (2.0 * REACH)
    scale = "utility" if utility.times is None else "ratio"
    row: dict[str, Any] = {"term": Term.TIPPING_POINT, "scale": scale}
    if slope == 0.0:
        return row | {"note": "nobody's utility is imputed as an interview is missing"}
    row["estimate"] = float(utility.neutral - (found.estimate[0] / slope + REACH))
    sides = conclusion(found, level)
    edges = np.flatnonzero(np.diff(sides == 0))
    if len(edges) != 2 or sides[0] == 0:
        return row | {"note": "its interval reaches beyond what a utility can be"}

    def limit(which: int, amount: float) -> float:
        one = evaluate(np.array([cost]), np.array([amount]))
        return float(one.interval(level)[which][0])

    limits = [
        scipy.optimize.brentq(
            partial(limit, 0 if (sides[e] or sides[e + 1]) > 0 else 1), scan[e], scan[e + 1]
        )
        for e in edges
    ]
    low, high = (float(utility.neutral + amount) for amount in limits)
    return row | {"conf_low": low, "conf_high": high, "conf_level": level}


def strategy_rows(source: Source, data: Compared, asked: Departures, threshold: float) -> Rows:
    """Return the net benefit if those who were lost fared as a strategy says.

    Notes
    -----
    The outcome of each follow-up is threshold times what its utility counts for, less its cost;
    compared is the sum, with what its baseline utility counts for and less the intervention's cost,
    which are known of whoever was lost. Imputed anew are missed interviews; of a service that was
    left blank, and of the dead, whose use nobody was asked, the mean over the imputations stands.
    """
    setting, curve = data.evaluated.setting, curve_weights(source, data.evaluated.setting)
    columns = {}
    for v, visit in enumerate(source.visits[1:], start=1):
        cost = visit_costs(source, setting, visit.id, False) * discounts(source, setting, visit.id)
        utility = source.stacked(f"{setting.utility}_{visit.id}")
        years = np.where(curve[:, v] == 0.0, 0.0, utility * curve[:, v])
        worth = threshold * years - cost
        lost = imputed_for_missed(source, visit.id, worth)[-1] & (source.alive(visit.id) == 1.0)
        worth[0] = np.where(lost, np.nan, worth[1:].mean(axis=0))
        columns[f"_{NET_BENEFIT}_{visit.id}"] = worth.ravel()
    first = source.stacked(f"{setting.utility}_{source.visits[0].id}")[1:].mean(axis=0)
    total = threshold * curve[:, 0] * first - intervention_costs(source, setting)
    ask = data.ask_adjusted(NET_BENEFIT, MONEY, f"_{NET_BENEFIT}")
    strategies = dict.fromkeys(["MAR", *asked.reference_based])
    scenarios = [Scenario(strategy=strategy) for strategy in strategies]
    entry = ReferenceBased(id=REFERENCE_BASED, outcomes=[NET_BENEFIT], scenarios=scenarios)
    rows = reference_rows(
        entry,
        source.study,
        data.evaluated.tables.assign(**columns),
        source.people,
        ask,
        stream(source.plan.seed, "economics", REFERENCE_BASED, f"{threshold:g}"),
        total,
    )
    differences = [row for row in rows if row["term"] == Term.DIFFERENCE]
    return [{**row, "model": Model.NET_BENEFIT} for row in differences]
