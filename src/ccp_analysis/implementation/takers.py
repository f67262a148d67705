"""The effect in those who take the intervention up, with the arm as instrument."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import ACTIVE, Sample, design
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.analyses.planned import question_of
from ccp_analysis.analyses.question import Question, require_arms
from ccp_analysis.analyses.rows import Rows, complete, contrast_label, pooled_rows, with_note
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import RefusedError, status_of
from ccp_analysis.implementation.dose import EXPOSURE, exposed
from ccp_analysis.implementation.scope import Row, Scope
from ccp_analysis.models.inference import Inference as Inferred
from ccp_analysis.models.instrumental import (
    SAME,
    ReducedForms,
    anderson_rubin_averaged,
    paired_reduced_forms,
    reduced_forms,
    strength,
    two_stage,
)
from ccp_analysis.models.ratio import COMPLEMENT, INTERVAL, LINE, RatioSet
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

log = logging.getLogger(__name__)

TAKERS = "takers"  # id of these rows among the analyses
EVERYTHING = (
    "all numbers: with so weak an instrument the data exclude no effect in those who take it up"
)


def takers_rows(
    scope: Scope,
    plan: Plan,
    measures: tuple[dict[str, Instrument], list[Column]],
    participants: pd.DataFrame,
    delivery: pd.DataFrame | None,
    tables: pd.DataFrame | None,
) -> Rows:
    """Return, for each outcome and exposure, first stage, two-stage least squares and its set.

    Parameters
    ----------
    scope, plan, measures, participants, delivery, tables
        As for `dose.dose_rows`; both arms count.

    Returns
    -------
    list of dict
        Rows of the results table.
    """
    entry = next((a for a in plan.analyses if a.model == Model.ANCOVA), None)
    rows: Rows = []
    if tables is None or entry is None:  # which the rows on dose and response say
        return rows
    for outcome in plan.outcomes_of(entry):
        ask = question_of(plan, scope.study, entry, outcome, *measures)
        for name in scope.asked.exposures:
            head: Row = {"analysis": TAKERS, "role": Role.SENSITIVITY, "subgroup": name}
            head |= {"outcome": outcome.id, "visit": entry.visit, "scale": ask.scale}
            try:
                chosen, said = exposed(scope, name, ask, participants, delivery, tables, both=True)
                require_arms(scope.study, chosen)
                found = _of_people(scope, chosen, ask)
            except ValueError as error:
                log.error("%s, %s, %s: %s", TAKERS, outcome.id, name, error)
                row = {"term": Term.IN_TAKERS, "model": Model.TSLS, "status": status_of(error)}
                row |= {"level": contrast_label(scope.study), "note": str(error).rstrip(".")}
                rows.append(head | {"population": Population.EXPOSURE_KNOWN} | row)
                continue
            if scope.study.clusters:
                found += _of_teams(scope, chosen, ask)
            rows += [head | row for row in with_note(found, said)]
    return rows


def _of_people(scope: Scope, chosen: Sample, ask: Question) -> Rows:
    """Return all rows of regressions of people, with CR2 over the clusters."""
    factors = allocated(scope.study).factors
    whole = design(chosen, [ask.baseline, *ask.covariates], factors)
    X = np.delete(whole.own, 1, axis=-1)
    units = allocated(scope.study).units(chosen)
    groups = np.arange(chosen.n) if units is None else units
    arm = chosen.stacked(ACTIVE)[0].astype(int)
    pairs = whole.pair.codes if whole.pair else None
    y, exposure = chosen.stacked(ask.value), chosen.stacked(EXPOSURE)
    reduced = reduced_forms(y, exposure, X, arm, groups, pairs)
    _require(reduced)
    rows = _rows(scope, chosen, ask, reduced)
    return complete(rows, scope.study, chosen, ask, Model.TSLS, Inference.CR2)


def _of_teams(scope: Scope, chosen: Sample, ask: Question) -> Rows:
    """Return the same of team means within pairs, or why there are none."""
    try:
        _, team, pair, arm = teams_of(scope.study, chosen)
        reduced = paired_reduced_forms(
            chosen.stacked(ask.value),
            chosen.stacked(EXPOSURE),
            chosen.stacked(ask.baseline)[..., None],
            team,
            pair,
            arm,
        )
        _require(reduced)
        rows = _rows(scope, chosen, ask, reduced)
    except ValueError as error:
        row: Row = {"term": Term.IN_TAKERS, "level": contrast_label(scope.study)}
        rows = [row | {"status": status_of(error), "note": str(error).rstrip(".")}]
    return complete(rows, scope.study, chosen, ask, Model.TSLS_TEAMS, Inference.PAIRED_T)


def _require(reduced: ReducedForms) -> None:
    """Raise RefusedError where the reduced forms of any completed table are refused."""
    bad = np.atleast_1d(reduced.status) != Status.OK
    if bad.any():
        raise RefusedError(str(np.atleast_1d(reduced.note)[bad][0]))
    if np.atleast_1d(reduced.same).any():
        raise RefusedError(SAME)


def _rows(scope: Scope, chosen: Sample, ask: Question, reduced: ReducedForms) -> Rows:
    """Return first stage with its strength, two-stage least squares, Anderson-Rubin set."""
    head: Row = {"level": contrast_label(scope.study)}
    [first] = pooled_rows(chosen, reduced.exposure, ask.level)
    [effect] = pooled_rows(chosen, two_stage(reduced), ask.level)
    untested = {"p_value": None, "statistic": None}
    rows: Rows = [
        head | first | untested | {"term": Term.FIRST_STAGE, "scale": "exposure"},
        head | effect | untested | {"term": Term.IN_TAKERS},
    ]
    if first["std_error"] is not None:
        pooled = Inferred(*(np.array([first[k]]) for k in ("estimate", "std_error", "df")))
        strong = strength(pooled)
        said = "how much a difference between teams beside the intervention is multiplied"
        rows.append(head | {"term": Term.STRENGTH, "scale": "F", "estimate": float(strong.f)})
        factor = float(strong.bias_factor)
        rows.append(
            head | {"term": Term.BIAS_FACTOR, "scale": "ratio", "estimate": factor, "note": said}
        )
    held = anderson_rubin_averaged(reduced, ask.level)
    row = head | {"term": Term.IN_TAKERS, "inference": Inference.ANDERSON_RUBIN}
    return [*rows, row | _set(held, effect["estimate"], ask.level)]


def _set(held: RatioSet, estimate: float, level: float) -> Row:
    """Return a confidence set as columns of a row, in words where it is no interval."""
    kind = str(held.kind)
    row: Row = {"estimate": estimate, "conf_level": level}
    if kind == INTERVAL:
        return row | {"conf_low": float(held.low), "conf_high": float(held.high)}
    if kind == COMPLEMENT:
        below, above = float(held.below), float(held.above)
        return row | {"note": f"everything up to {below:.3g} and from {above:.3g} on"}
    if kind == LINE:
        return row | {"note": EVERYTHING}
    return {"status": Status.REFUSED, "note": "there is no variance between clusters to go by"}
