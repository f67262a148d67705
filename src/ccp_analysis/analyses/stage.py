"""Analyse: imputed.parquet → the results of one analysis of the plan."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.comparison import SUBGROUP, attempt
from ccp_analysis.analyses.planned import codes_of, question_of, visit_of
from ccp_analysis.config.check import misfits
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.models import LONGITUDINAL
from ccp_analysis.config.plan import Analysis, Plan, load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Role

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
    for _, sentence in misfits(entry, study):
        raise StudyError(f"{PLAN}: {sentence}")
    tables = files.read_parquet(imputed)
    rows = []
    for outcome in plan.outcomes_of(entry):
        visit = visit_of(entry)
        _check_headline(entry, outcome.id, tables)
        question = question_of(plan, study, entry, outcome, instruments, dictionary)
        # Of a primary analysis only that of a primary outcome stops the run.
        role = entry.role if outcome.role == Role.PRIMARY else Role.SUPPORTING
        found = attempt(entry.id, role, entry.fit, study, tables, entry.data, question)
        for variable in _subgroups(plan, entry, outcome.id):
            asked = replace(question, subgroup=variable, codes=codes_of(variable, dictionary))
            # A subgroup that fails stops nothing, whatever the role of its analysis.
            part = attempt(entry.id, Role.SUPPORTING, SUBGROUP, study, tables, entry.data, asked)
            found += [{**row, "role": Role.SUPPORTING} for row in part]
        rows += [{"visit": visit, **row} for row in found]
    shared = {"analysis": entry.id, "role": entry.role, "estimand": plan.estimand_of(entry.id)}
    table = results_table([{**shared, **row} for row in rows], study.data_status)
    files.write_parquet(results, table)
    log.info("%s: %d rows", analysis, len(table))


def _check_headline(entry: Analysis, outcome: str, tables: pd.DataFrame) -> None:
    """Raise StudyError where an outcome is not measured at the visit that is to stand for it."""
    measured = f"{outcome}_{entry.visit}" in tables
    if entry.model in LONGITUDINAL and entry.visit and not measured:
        raise StudyError(
            f"{PLAN}: analysis '{entry.id}' is to be reported at the visit '{entry.visit}', at "
            f"which '{outcome}' is not measured; expected a visit at which it is."
        )


def _subgroups(plan: Plan, entry: Analysis, outcome: str) -> list[str]:
    return [s.variable for s in plan.subgroups if s.analysis == entry.id and outcome in s.outcomes]
