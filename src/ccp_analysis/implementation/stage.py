"""Implement: process data and completed tables → what was done, how received, what goes with it."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.implementation import load_implementation
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.implementation.done import done_rows, fidelity_points
from ccp_analysis.implementation.dose import dose_rows
from ccp_analysis.implementation.received import rating_points, received_rows
from ccp_analysis.implementation.scope import IMPLEMENTATION, Scope
from ccp_analysis.implementation.takers import takers_rows
from ccp_analysis.layout import IMPLEMENTATION as FILE
from ccp_analysis.results.table import results_table

log = logging.getLogger(__name__)
COLUMNS = ["figure", "outcome", "series", "x", "y", "z", "data_status"]


def run(
    *,
    participants: Path,
    exposed: Path | None = None,
    practitioners: Path | None = None,
    delivery: Path | None = None,
    results: Path,
    figures: Path,
) -> None:
    """Say how much of the intervention was done, how it was received, and what goes with more.

    Parameters
    ----------
    participants : Path
        Cleaned participants, with reach, fidelity and ratings as observed.
    exposed : Path, optional
        Observed and completed tables with exposures, where the configuration asks of any.
    practitioners : Path, optional
        Cleaned practitioners, where the configuration asks about them.
    delivery : Path, optional
        Cleaned contacts, where the configuration asks about them.
    results : Path
        Parquet file to write: rows of the results table.
    figures : Path
        Parquet file to write: fidelity of participants, and shares of answers.

    Raises
    ------
    StudyError
        If the configuration asks for what there is not.
    """
    study, plan, asked = load_study(), load_plan(), load_implementation()
    if asked is None:
        raise StudyError(f"{FILE}: the file is missing; expected what is asked of implementation.")
    people = files.read_parquet(participants)
    staff = _table(practitioners, "practitioners", asked.asks_practitioners)
    contacts = _table(delivery, "delivery", bool(asked.steps))
    scope = Scope(study, asked, plan.confidence_level)
    measures = load_instruments(), load_dictionary(study)
    rows = done_rows(scope, people, contacts)
    rows += received_rows(scope, people, staff, contacts)
    tables = _table(exposed, "exposed", bool(asked.exposures))
    rows += dose_rows(scope, plan, measures, people, contacts, tables)
    rows += takers_rows(scope, plan, measures, people, contacts, tables)
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    points = [fidelity_points(scope, people), rating_points(scope, people, staff)]
    drawn = pd.concat(points, ignore_index=True).reindex(columns=COLUMNS)
    drawn["data_status"] = study.data_status
    text = ["figure", "outcome", "series", "data_status"]
    drawn[text] = drawn[text].fillna("").astype(str)
    files.write_parquet(figures, drawn.astype(dict.fromkeys(["x", "y", "z"], float)))
    log.info("%s: %d rows", IMPLEMENTATION, len(table))


def _table(path: Path | None, name: str, wanted: bool) -> pd.DataFrame | None:
    """Return a table that the configuration asks for; None where it does not."""
    if not wanted:
        return None
    if path is None or not path.is_file():
        where = path or f"--{name}"
        raise StudyError(f"{where}: there is no such table, and {FILE} asks for its {name}.")
    return files.read_parquet(path)
