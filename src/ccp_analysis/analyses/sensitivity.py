"""Sensitivity: participants and imputed tables → results if values are not missing at random."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.lost import INTERVIEWED, check_arms, check_reasons
from ccp_analysis.analyses.question import Question
from ccp_analysis.analyses.reference_based import reference_rows
from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.analyses.tipping import delta_rows, empty_map
from ccp_analysis.cleaning.deaths import valued_as_dead
from ccp_analysis.config.dictionary import Column, load_dictionary
from ccp_analysis.config.instruments import Instrument, load_instruments, unit_of
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.sensitivity import Delta, ReferenceBased, Sensitivity
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import RefusedError, status_of
from ccp_analysis.random import stream
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Model, Role, Term

log = logging.getLogger(__name__)


def run(*, participants: Path, imputed: Path, results: Path, figures: Path) -> None:
    """Ask how far the results lean on values being missing at random.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    imputed : Path
        Observed and completed tables.
    results : Path
        Parquet file to write: rows of the results table.
    figures : Path
        Parquet file to write: the difference over the grid of deltas in either arm.

    Raises
    ------
    StudyError
        If the plan asks for what the study does not have. An analysis that fails leaves a row
        without an estimate that says why.
    """
    study, plan, instruments = load_study(), load_plan(), load_instruments()
    dictionary = load_dictionary(study)
    people, tables = files.read_parquet(participants), files.read_parquet(imputed)
    asked = plan.sensitivity or Sensitivity()
    dead = valued_as_dead(study, instruments, people)
    rows: Rows = []
    grids = [empty_map()]
    for entry in asked.reference_based:
        _check_scenarios(entry, study, people)
        for outcome in entry.outcomes:
            ask = _question(outcome, outcome, study, plan, instruments, dictionary)
            rng = stream(plan.seed, "sensitivity", entry.id, outcome)
            try:
                _require_living(outcome, study, dead)
                found = reference_rows(entry, study, tables, people, ask, rng)
            except ValueError as error:
                found = [_failed(entry.id, Model.ANCOVA, study, ask, error)]
            rows += [{"analysis": entry.id, **row} for row in found]
    for moved in asked.delta:
        analysis = plan.analysis(moved.analysis)
        visit = study.visit(analysis.visit or "").id
        _check_delta(moved, study, people)
        for outcome in moved.outcomes:
            ask = _question(outcome, f"{outcome}_{visit}", study, plan, instruments, dictionary)
            robust = analysis.variance == "robust"
            ask = replace(ask, pooling=analysis.pooling or plan.pooling, robust=robust)
            limits = scale_limits(outcome, instruments, dictionary)
            try:
                found, grid = delta_rows(moved, analysis, study, tables, people, ask, limits)
                grids.append(grid.assign(visit=visit, data_status=study.data_status))
            except ValueError as error:
                found = [_failed(moved.id, analysis.model, study, ask, error)]
            rows += [{"analysis": moved.id, "visit": visit, **row} for row in found]
    shared = {"role": Role.SENSITIVITY}
    rows = [{**shared, "estimand": plan.estimand_of(row["analysis"]), **row} for row in rows]
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    filled = [grid for grid in grids if len(grid)] or grids
    files.write_parquet(figures, pd.concat(filled, ignore_index=True))
    log.info("sensitivity: %d rows", len(table))


def _check_scenarios(entry: ReferenceBased, study: Study, people: pd.DataFrame) -> None:
    for scenario in entry.scenarios:
        check_reasons(entry.id, scenario.reasons, study, people)
        check_arms(entry.id, scenario.delta, study)


def _require_living(outcome: str, study: Study, dead: Mapping[str, pd.Series]) -> None:
    """Raise RefusedError where a death decides values: the model would take them for answers."""
    for visit in study.follow_ups:
        if f"{outcome}_{visit.id}" in dead:
            number = int(dead[f"{outcome}_{visit.id}"].sum())
            raise RefusedError(
                f"at {visit.label} a death decides the value of {number}, which says nothing of "
                "what the living would have answered: a reference-based model would take it for one"
            )


def _check_delta(entry: Delta, study: Study, people: pd.DataFrame) -> None:
    check_reasons(entry.id, entry.reasons, study, people, (INTERVIEWED,))
    for arms in entry.directions.values():
        check_arms(entry.id, arms, study)


def _question(
    outcome: str,
    value: str,
    study: Study,
    plan: Plan,
    instruments: dict[str, Instrument],
    dictionary: list[Column],
) -> Question:
    return Question(
        outcome=outcome,
        value=value,
        baseline=f"{outcome}_{study.baseline.id}",
        covariates=plan.covariates,
        scale=unit_of(outcome, instruments, dictionary),
        level=plan.confidence_level,
        standardise=False,
    )


def scale_limits(
    outcome: str, instruments: dict[str, Instrument], dictionary: list[Column]
) -> tuple[float, float] | None:
    """Return the limits of an instrument's or a variable's scale; None where it has none."""
    if outcome in instruments:
        return instruments[outcome].range
    column = next((c for c in dictionary if c.name == outcome), None)
    if column is None or column.minimum is None or column.maximum is None:
        return None
    return column.minimum, column.maximum


def _failed(
    analysis: str, model: str, study: Study, ask: Question, error: ValueError
) -> dict[str, Any]:
    log.error("%s, %s: %s", analysis, ask.outcome, error)
    return {
        "outcome": ask.outcome,
        "scale": ask.scale,
        "model": model,
        "term": Term.DIFFERENCE,
        "level": contrast_label(study),
        "status": status_of(error),
        "note": str(error).rstrip("."),
    }
