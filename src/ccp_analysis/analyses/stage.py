"""Analyse: imputed.parquet → the results of one analysis of the plan."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.comparison import Question, attempt
from ccp_analysis.errors import StudyError
from ccp_analysis.results import results_table
from ccp_analysis.study import (
    PLAN,
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
        If the plan asks for what the study does not have, or a primary analysis fails. Any other
        that fails leaves a row without an estimate that says why.
    """
    study, plan, instruments = load_study(), load_plan(), load_instruments()
    dictionary = load_dictionary(study)
    entry = plan.analysis(analysis)
    if entry.visit == study.baseline.id:
        raise StudyError(
            f"{PLAN}: analysis '{entry.id}' is at the baseline, to which it would be adjusted; "
            f"expected one of {', '.join(v.id for v in study.follow_ups)}."
        )
    tables = pd.read_parquet(imputed)
    rows = []
    for outcome in plan.outcomes_of(entry):
        visit = study.visit(entry.visit).id if entry.visit else ""
        question = Question(
            outcome=outcome.id,
            value=f"{outcome.id}_{visit}" if visit else outcome.id,
            baseline=f"{outcome.id}_{study.baseline.id}",
            covariates=plan.covariates,
            scale=unit_of(outcome.id, instruments, dictionary),
            level=plan.confidence_level,
        )
        found = attempt(entry.id, entry.role, entry.model, study, tables, entry.data, question)
        rows += [{"visit": visit, **row} for row in found]
    shared = {"analysis": entry.id, "role": entry.role, "estimand": plan.estimand}
    table = results_table([{**shared, **row} for row in rows], study.data_status)
    files.write_parquet(results, table)
    log.info("%s: %d rows", analysis, len(table))
