"""Balance: completed tables and results → how alike the arms are, and what may be hidden."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.models.team_means import failed
from ccp_analysis.analyses.planned import question_of
from ccp_analysis.analyses.weights import Weighed
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.confounding.alike import BALANCE, People, balance_rows, people_of
from ccp_analysis.confounding.unmeasured import UNMEASURED, Asked, contour_points, unmeasured_rows
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Model, Role, Status, Term

log = logging.getLogger(__name__)
COLUMNS = ["figure", "outcome", "series", "x", "y", "z", "data_status"]


def run(
    *, participants: Path, imputed: Path, parts: list[Path], results: Path, figures: Path
) -> None:
    """Compare the arms in what was measured, and ask what unmeasured differences would change.

    Parameters
    ----------
    participants : Path
        Cleaned participants, with the characteristics that are not imputed.
    imputed : Path
        Observed and completed tables.
    parts : list of Path
        Results of the plan's analyses: the comparisons that are asked about.
    results : Path
        Parquet file to write: rows of the results table.
    figures : Path
        Parquet file to write: propensities of people, and contours.

    Raises
    ------
    StudyError
        If a file or a variable is missing.
    """
    study, plan = load_study(), load_plan()
    tables = files.read_parquet(imputed)
    people = people_of(study, plan, tables)
    rows = balance_rows(people, files.read_parquet(participants))
    points = [_propensities(people)]
    if not study.randomised:
        done = pd.concat([files.read_parquet(part) for part in parts], ignore_index=True)
        for asked in _comparisons(people, done):
            try:
                rows += unmeasured_rows(asked, tables)
            except ValueError as error:
                log.error("%s, %s: %s", UNMEASURED, asked.ask.outcome, error)
                head = {"analysis": UNMEASURED, "role": Role.SENSITIVITY}
                row = head | {"outcome": asked.ask.outcome, "model": Model.ANCOVA}
                rows.append(row | failed(study, error) | {"term": Term.TO_ZERO})
            points.append(contour_points(asked).assign(figure="contour", outcome=asked.ask.outcome))
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    drawn = pd.concat(points, ignore_index=True).reindex(columns=COLUMNS)
    drawn["data_status"] = study.data_status
    text = ["figure", "outcome", "series", "data_status"]
    drawn[text] = drawn[text].fillna("").astype(str)
    files.write_parquet(figures, drawn.astype(dict.fromkeys(["x", "y", "z"], float)))
    log.info("%s: %d rows", BALANCE, len(table))


def _propensities(people: People) -> pd.DataFrame:
    """Return each person's propensity, averaged over imputations, and their arm."""
    found = people.weights.get(Model.OVERLAP)
    if not isinstance(found, Weighed) or found.propensity is None:
        return pd.DataFrame(columns=COLUMNS)
    arm = people.chosen.first[people.study.arms.variable].astype(str).to_numpy()
    propensity = found.propensity.mean(axis=0)
    return pd.DataFrame({"figure": "propensity", "series": arm, "x": propensity})


def compared_by(plan: Plan) -> tuple[str | None, str | None]:
    """Return the analysis that is asked about, and the paired one of cluster means beside it."""
    imputed = [a for a in plan.analyses if a.data == "imputed"]
    main = next((a.id for a in imputed if a.model == Model.ANCOVA), None)
    paired = next((a.id for a in imputed if a.model == Model.TEAM_MEANS), None)
    return main, paired


def _comparisons(people: People, done: pd.DataFrame) -> list[Asked]:
    """Return every comparison of the main analysis that has an interval."""
    plan, study = people.plan, people.study
    main, paired = compared_by(plan)
    if main is None:
        return []
    entry, instruments, dictionary = plan.analysis(main), load_instruments(), load_dictionary(study)
    found = []
    for outcome in plan.outcomes_of(entry):
        here = done[done["outcome"] == outcome.id]
        difference = here[(here["analysis"] == main) & (here["term"] == Term.DIFFERENCE)]
        if difference.empty or difference["status"].iloc[0] in (Status.FAILED, Status.REFUSED):
            continue
        ask = question_of(plan, study, entry, outcome, instruments, dictionary)
        beside = here[here["analysis"] == paired] if paired else here.iloc[:0]
        found.append(Asked(study, ask, difference.iloc[0], beside))
    return found
