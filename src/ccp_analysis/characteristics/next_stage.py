"""Next study: observed outcomes → how large a next trial should be."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.models.team_means import failed
from ccp_analysis.analyses.planned import question_of
from ccp_analysis.characteristics.next_trial import Next, Priced, Rows, rows_of, target_of
from ccp_analysis.characteristics.this_study import this_study
from ccp_analysis.config.currencies import MONEY, in_currency
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.models import WITHOUT_BASELINE
from ccp_analysis.config.next_study import NextStudy
from ccp_analysis.config.plan import Analysis, Plan, load_plan
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Inference, Model, Role, Term

log = logging.getLogger(__name__)
NEXT_STUDY = "next_study"  # id of these rows among the analyses
RATIOS_ONLY = (
    "this outcome is a category or a count: sizes are given of differences between means, and none "
    "of ratios"
)


def run(
    *, imputed: Path, results: Path, intervention: Path | None = None, currency: str = "GBP"
) -> None:
    """Give power, assurance and cost of the sizes that a next trial may have.

    Parameters
    ----------
    imputed : Path
        Its imputation 0 has the outcomes as observed, on which everything rests.
    results : Path
        Parquet file to write: rows of the results table.
    intervention : Path, optional
        Prices of what the intervention is made of, where there is an evaluation that counts it.
    currency : str
        Of costs, by its code.

    Raises
    ------
    StudyError
        If the plan asks for no next study.
    """
    study, plan = load_study(), load_plan()
    if plan.next_study is None:
        raise StudyError("config/analysis.yaml: there is no next_study; expected what is asked.")
    asked, tables = plan.next_study, files.read_parquet(imputed)
    priced = priced_by(asked, study, tables, intervention, in_currency(MONEY, currency))
    instruments, dictionary = load_instruments(), load_dictionary(study)
    rows: Rows = []
    for sought in asked.outcomes:
        outcome = next(o for o in plan.outcomes if o.id == sought.outcome)
        head: dict[str, Any] = {
            "analysis": NEXT_STUDY,
            "role": Role.DESCRIPTIVE,
            "outcome": outcome.id,
        }
        head |= {"model": Model.ANCOVA, "inference": Inference.NONE}
        try:
            entry, visit = compared_at(plan, study, outcome.id)
            ask = question_of(plan, study, entry, outcome, instruments, dictionary)
            ask = replace(ask, value=f"{outcome.id}_{visit}")
            if ask.codes:
                raise ValueError(RATIOS_ONLY)
            known = this_study(study, tables, ask, asked.priors)
        except ValueError as error:
            log.error("%s, %s: %s", NEXT_STUDY, outcome.id, error)
            rows.append(head | failed(study, error) | {"term": Term.ASSURANCE, "level": ""})
            continue
        planned = planned_for(plan, outcome.id)
        target = target_of(sought, ask, planned)
        found = rows_of(Next(asked, ask, known, target, study.clusters is not None, priced))
        head |= {
            "visit": visit,
            "scale": ask.scale,
            "population": known.chosen.population,
            "n": known.chosen.people,
            "n_clusters": allocated(study).number(known.chosen.first),
        }
        rows += [head | row for row in found]
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    log.info("%s: %d rows", NEXT_STUDY, len(table))


def compared_at(plan: Plan, study: Study, outcome: str) -> tuple[Analysis, str]:
    """Return the analysis whose comparison the next trial would repeat, and its visit.

    The first of the plan that is adjusted for the outcome's own baseline, a primary one before
    others; ValueError where there is none.
    """
    fitted = [
        entry
        for entry in plan.analyses
        if outcome in {o.id for o in plan.outcomes_of(entry)}
        and entry.model not in WITHOUT_BASELINE
    ]
    if not fitted:
        raise ValueError(RATIOS_ONLY)
    entry = next((entry for entry in fitted if entry.role == Role.PRIMARY), fitted[0])
    return entry, entry.visit or study.follow_ups[-1].id


def planned_for(plan: Plan, outcome: str) -> tuple[float, str] | None:
    """Return the difference that the plan has for an outcome, and where it is from."""
    planned = plan.planned
    if planned is None or planned.outcome != outcome:
        return None
    said = "the difference that this study was planned to detect"
    return planned.difference, f"{said}, assumed for illustration" if planned.assumed else said


def priced_by(
    asked: NextStudy, study: Study, tables: pd.DataFrame, intervention: Path | None, scale: str
) -> Priced | None:
    """Return what a trial costs; the intervention at its full price, for each cluster that has it.

    What lasts for years counts in full: a trial has to buy it.
    """
    if asked.costs is None or study.clusters is None:
        return None
    of_cluster = asked.costs.intervention
    if of_cluster is None:
        of_cluster = 0.0
        if intervention is not None:
            items = files.read_parquet(intervention)
            people = tables[tables[study.arms.variable] == study.arms.active]
            total = float((items["quantity"] * items["price"]).sum())
            of_cluster = total / people[study.clusters.unit].nunique()
    return Priced(of_cluster, asked.costs.cluster, asked.costs.person, scale)
