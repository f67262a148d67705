"""Delta adjustment: what has to be added to imputed values until the conclusion tips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy

from ccp_analysis.analyses.design import Sample
from ccp_analysis.analyses.question import Question
from ccp_analysis.analyses.rows import Rows, complete, contrast_label, pooled_rows, with_note
from ccp_analysis.analyses.shifted import (
    LEAST_SQUARES,
    Evaluate,
    Shifted,
    refitted,
    response,
    shifted,
)
from ccp_analysis.config.plan import Analysis
from ccp_analysis.config.sensitivity import Delta
from ccp_analysis.config.study import Study
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.pooling import Pooled
from ccp_analysis.results.terms import Term

# Points at which a change of conclusion is looked for on either side of zero; fewer where each is
# a fit of its own.
SCAN, SCAN_BY_FITS = 400, 20
NOT_CLIPPED = "shifted values are not clipped to the scale"


def delta_rows(
    entry: Delta,
    analysis: Analysis,
    study: Study,
    tables: pd.DataFrame,
    participants: pd.DataFrame,
    ask: Question,
    bounds: tuple[float, float] | None,
) -> tuple[Rows, pd.DataFrame]:
    """Repeat an analysis over deltas and find where its conclusion tips.

    Parameters
    ----------
    entry : Delta
        Deltas and directions.
    analysis : Analysis
        The analysis that is repeated.
    study : Study
        Arms and clusters.
    tables : pandas.DataFrame
        Imputations 0 to m.
    participants : pandas.DataFrame
        The cleaned table.
    ask : Question
        The outcome at the analysis' visit.
    bounds : tuple of float or None
        Limits of the scale, to count the values that are shifted beyond them.

    Returns
    -------
    rows : list of dict
        For every direction (`perspective`) and `delta`, zero among them, the difference; its
        tipping points, and the difference at each, of which one limit is zero.
    grid : pandas.DataFrame
        The map: one row for each pair of deltas.

    Raises
    ------
    StudyError, ValueError
        As `comparison.compare`.
    """
    data = shifted(entry, study, tables, participants, ask)
    if analysis.model in LEAST_SQUARES:
        step = max(abs(delta) for delta in entry.deltas)
        evaluate, name = response(analysis.model, study, data, ask, step)
        steps = SCAN
    else:
        evaluate, name = refitted(analysis.model, study, tables, data, ask)
        steps = SCAN_BY_FITS
    rows: Rows = []
    sides = {"positive deltas": entry.reach, "negative deltas": -entry.reach}
    for direction, arms in entry.directions.items():
        along = np.array([arms.get(arm, 0.0) for arm in study.arms.ordered])
        for delta in sorted({0.0, *entry.deltas}):
            if delta == 0 and any(row["delta"] == 0 for row in rows):
                continue  # nothing is added in any direction
            row = difference_at(evaluate, delta * along, data.chosen, study, ask)
            note = [_added(delta * along, study), *_beyond(data, delta * along, ask, bounds)]
            rows += with_note(
                [row], "; ".join(note), delta=delta, perspective=direction if delta else ""
            )
        for side, reach in sides.items():
            tip = tipping_point(evaluate, along, reach, ask.level, steps)
            where = {"level": side, "perspective": direction}
            rows.append(_tipping_row(tip, along, reach, entry, study, ask) | where)
            if tip[0] is not None:
                at = difference_at(evaluate, tip[0] * along, data.chosen, study, ask)
                # The delta is a result: it stands as the estimate of the row above, in no key.
                at |= {"term": Term.AT_TIPPING_POINT, **where}
                rows += with_note([at], _added(tip[0] * along, study))
    rows = complete(rows, study, data.chosen, ask, analysis.model, name)
    return rows, _map(entry, evaluate, study, ask)


def difference_at(
    evaluate: Evaluate, deltas: np.ndarray, chosen: Sample, study: Study, ask: Question
) -> dict[str, Any]:
    """Return the row of the difference at a pair of deltas, shape (2,)."""
    found = evaluate(deltas[:1], deltas[1:])
    # Pooled already: as one table, whose own figures stand.
    single = Sample(chosen.first, 1, False, chosen.population)
    arrays = (found.estimate[None], found.std_error[None], found.df[None])
    [row] = pooled_rows(single, Inference(*arrays), ask.level)
    row |= {"term": Term.DIFFERENCE, "level": contrast_label(study), "m": chosen.m}
    if isinstance(found, Pooled):
        row |= {"fmi": float(found.fmi[0]), "mc_error": float(found.mc_error[0])}
    row["pooling"] = found.rule if isinstance(found, Pooled) else ask.pooling
    return row


def _added(deltas: np.ndarray, study: Study) -> str:
    parts = [
        f"{delta:+g} in '{study.arms.levels[arm]}'"
        for arm, delta in zip(study.arms.ordered, deltas, strict=True)
        if delta
    ]
    return "added to imputed values: " + (" and ".join(parts) or "nothing")


def _beyond(
    data: Shifted, deltas: np.ndarray, ask: Question, bounds: tuple[float, float] | None
) -> list[str]:
    """Say how many shifted values lie beyond the scale."""
    if bounds is None or not deltas.any():
        return []
    added = deltas @ data.pattern()
    moved = (data.chosen.stacked(ask.value) + added)[:, added != 0]
    share = ((moved < bounds[0]) | (moved > bounds[1])).mean() if moved.size else 0.0
    return [f"{NOT_CLIPPED}, {100 * share:.0f}% of them lie beyond it"] if share else []


def conclusion(found: Inference, level: float) -> np.ndarray:
    """Return where intervals lie: 1 above zero, -1 below, 0 where they include it."""
    low, high = found.interval(level)
    return (low > 0).astype(int) - (high < 0).astype(int)


def tipping_point(
    evaluate: Evaluate, along: np.ndarray, reach: float, level: float, steps: int = SCAN
) -> tuple[float | None, int, int]:
    """Find the delta nearest to zero, on one side, at which the conclusion is another.

    Parameters
    ----------
    evaluate : callable
        As from `response`.
    along : numpy.ndarray
        Multiples of the delta in the reference and in the active arm, shape (2,).
    reach : float
        How far to look; negative to look at negative deltas.
    level : float
        Confidence level.
    steps : int
        In how many steps to look; a conclusion that changes twice within one is not noticed.

    Returns
    -------
    delta : float or None
        None where the conclusion stands throughout.
    before, after : int
        Conclusions at zero and beyond the delta, as from `conclusion`.
    """
    scan = np.linspace(0.0, reach, steps + 1)
    concluded = conclusion(evaluate(scan * along[0], scan * along[1]), level)
    changed = np.flatnonzero(concluded != concluded[0])
    if changed.size == 0:
        return None, int(concluded[0]), int(concluded[0])
    after = changed[0]
    # An interval leaves zero, or comes to include it, through one of its limits.
    side = concluded[0] if concluded[0] != 0 else concluded[after]

    def limit(delta: float) -> float:
        found = evaluate(np.array([delta * along[0]]), np.array([delta * along[1]]))
        return float(found.interval(level)[0 if side > 0 else 1][0])

    at = scipy.optimize.brentq(
        limit, scan[after - 1], scan[after], xtol=1e-12 * abs(reach), rtol=1e-14
    )
    return float(at), int(concluded[0]), int(concluded[after])


def _tipping_row(
    tip: tuple[float | None, int, int],
    along: np.ndarray,
    reach: float,
    entry: Delta,
    study: Study,
    ask: Question,
) -> dict[str, Any]:
    delta, before, after = tip
    words = {0: "includes zero", 1: "lies above zero", -1: "lies below zero"}
    row = {"term": Term.TIPPING_POINT, "conf_level": ask.level, "estimate": delta}
    if delta is None:
        return row | {"note": f"the interval {words[before]} at every delta up to {reach:g}"}
    inside = min(entry.deltas) <= delta <= max(entry.deltas)
    note = (
        f"without a delta the interval {words[before]}; beyond this one it {words[after]} "
        f"({_added(delta * along, study)}); {'within' if inside else 'beyond'} the deltas of the "
        f"plan, {min(entry.deltas):g} to {max(entry.deltas):g}; {NOT_CLIPPED}"
    )
    return row | {"note": note}


def _map(entry: Delta, evaluate: Evaluate, study: Study, ask: Question) -> pd.DataFrame:
    axis = np.array(sorted(entry.deltas))
    if entry.map_steps:
        axis = np.linspace(axis[0], axis[-1], entry.map_steps)
    reference, active = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    found = evaluate(reference, active)
    low, high = found.interval(ask.level)
    return pd.DataFrame(
        {
            "analysis": entry.id,
            "outcome": ask.outcome,
            "scale": ask.scale,
            "reference": study.arms.reference,
            "active": study.arms.active,
            "delta_reference": reference,
            "delta_active": active,
            "estimate": found.estimate,
            "std_error": found.std_error,
            "df": found.df,
            "p_value": found.p_value,
            "conf_low": low,
            "conf_high": high,
            "conf_level": ask.level,
            "conclusion": conclusion(found, ask.level),
        }
    )


def empty_map() -> pd.DataFrame:
    """Return a map without points, for a plan that asks for none."""
    text = ("analysis", "outcome", "scale", "reference", "active", "visit", "data_status")
    numbers = [
        *("delta_reference", "delta_active", "estimate", "std_error", "df", "p_value"),
        *("conf_low", "conf_high", "conf_level", "conclusion"),
    ]
    columns = {name: pd.Series(dtype=object) for name in text}
    return pd.DataFrame(columns | {name: pd.Series(dtype=float) for name in numbers})
