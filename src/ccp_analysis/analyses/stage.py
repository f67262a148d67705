"""Analyse: imputed.parquet → the results of one analysis of the plan."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.comparison import SUBGROUP, Question, attempt
from ccp_analysis.analyses.lost import check_events
from ccp_analysis.errors import StudyError
from ccp_analysis.plan import PLAN, Analysis, Plan
from ccp_analysis.results import results_table
from ccp_analysis.study import (
    STUDY,
    Column,
    Study,
    load_dictionary,
    load_instruments,
    load_plan,
    load_study,
    unit_of,
)

log = logging.getLogger(__name__)


def run(*, analysis: str, imputed: Path, results: Path) -> None:
    """Fit one analysis of the plan to each of its outcomes.

    Parameters
    ----------
    analysis : str
        Its id in ``config/analysis.yaml``.
    imputed : Path
        Observed and completed tables.
    results : Path
        Parquet file to write: rows of the results table.

    Raises
    ------
    StudyError
        If the plan asks for what the study does not have, or a primary analysis fails on a primary
        outcome. Any other that fails leaves a row without an estimate that says why.
    """
    study, plan, instruments = load_study(), load_plan(), load_instruments()
    dictionary = load_dictionary(study)
    entry = plan.analysis(analysis)
    _check(entry, study)
    check_events(plan, study, dictionary)
    tables = pd.read_parquet(imputed)
    rows = []
    for outcome in plan.outcomes_of(entry):
        visit = study.visit(entry.visit).id if entry.visit else ""
        instrument = instruments.get(outcome.id)
        question = Question(
            outcome=outcome.id,
            value=f"{outcome.id}_{visit}" if visit else outcome.id,
            baseline=f"{outcome.id}_{study.baseline.id}",
            covariates=plan.covariates,
            scale=unit_of(outcome.id, instruments, dictionary),
            level=plan.confidence_level,
            benefit=outcome.benefit or (instrument.benefit if instrument else None),
            mcid=instrument.mcid if instrument else None,
            power=plan.power,
            codes=_codes(outcome.id, dictionary),
            pooling=entry.pooling,
        )
        # Of a primary analysis only that of a primary outcome stops the run.
        role = entry.role if outcome.role == "primary" else "supporting"
        found = attempt(entry.id, role, entry.model, study, tables, entry.data, question)
        for variable in _subgroups(plan, entry, outcome.id):
            asked = replace(question, subgroup=variable, codes=_codes(variable, dictionary))
            # A subgroup that fails stops nothing, whatever the role of its analysis.
            part = attempt(entry.id, "supporting", SUBGROUP, study, tables, entry.data, asked)
            found += [{**row, "role": "supporting"} for row in part]
        rows += [{"visit": visit, **row} for row in found]
    shared = {"analysis": entry.id, "role": entry.role, "estimand": plan.estimand_of(entry.id)}
    table = results_table([{**shared, **row} for row in rows], study.data_status)
    files.write_parquet(results, table)
    log.info("%s: %d rows", analysis, len(table))


def _check(entry: Analysis, study: Study) -> None:
    """Raise StudyError where an analysis does not fit the study's design."""
    if entry.visit == study.baseline.id:
        raise StudyError(
            f"{PLAN}: analysis '{entry.id}' is at the baseline, to which it would be adjusted; "
            f"expected one of {', '.join(v.id for v in study.follow_ups)}."
        )
    if entry.model == "clda" and entry.role != "sensitivity" and not study.randomised:
        raise StudyError(
            f"{PLAN}: analysis '{entry.id}' (model: clda) takes the arms to be alike at baseline, "
            f"which only randomisation makes them, and {STUDY} says randomised: false; expected "
            "role: sensitivity."
        )


def _subgroups(plan: Plan, entry: Analysis, outcome: str) -> list[str]:
    return [s.variable for s in plan.subgroups if s.analysis == entry.id and outcome in s.outcomes]


def _codes(name: str, dictionary: list[Column]) -> tuple[str, ...]:
    """Return the codes of a category in the dictionary's order; none of another variable."""
    columns = [c for c in dictionary if c.name == name or c.variable == name]
    return next((tuple(c.codes) for c in columns if c.type == "category"), ())
