"""Clean: raw files, dictionary, instruments → participants.parquet, queries.csv, flow.json."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.cleaning.assemble import assemble, read_files
from ccp_analysis.cleaning.flow import participant_flow
from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.score import score_instruments
from ccp_analysis.study import Column, load_dictionary, load_instruments, load_study

log = logging.getLogger(__name__)


def run(*, participants: Path, queries: Path, flow: Path) -> None:
    """Clean the study in the current folder.

    Parameters
    ----------
    participants : Path
        Parquet file to write: one row for each person recruited.
    queries : Path
        CSV file to write: every value changed or set missing.
    flow : Path
        JSON file to write: the participant flow.

    Raises
    ------
    StudyError
        If the configuration or the raw files have faults that cannot become queries.
    """
    study = load_study()
    dictionary = load_dictionary(study)
    instruments = load_instruments()
    found = Queries()
    tables = read_files(study, dictionary, found)
    people = assemble(study, tables, found)
    scores = score_instruments(people, instruments, dictionary)
    people = pd.concat([people, scores], axis=1).drop(columns=_free_text(dictionary, people))
    counts = participant_flow(study, people, tables)
    _compare_expected(counts["expected"], found)
    asked = found.table().assign(data_status=study.data_status)
    files.write_parquet(participants, people)
    files.write_csv(queries, asked)
    files.write_json(flow, counts)
    log.info("%d participants, %d variables, %d queries", *people.shape, len(asked))


def _free_text(dictionary: list[Column], people: pd.DataFrame) -> list[str]:
    """Free text can identify people, so it goes no further."""
    return [c.variable for c in dictionary if c.type == "text" and c.variable in people]


def _compare_expected(expected: list[dict], queries: Queries) -> None:
    for entry in expected:
        if entry["expected"] != entry["found"]:
            log.warning("%(stage)s: %(expected)d participants expected, %(found)d found", entry)
            cell = pd.DataFrame(
                {"row": [0], "participant": [""], "raw_value": [str(entry["found"])]}
            )
            rule = f"{entry['expected']} participants expected at stage {entry['stage']}"
            queries.add("query", "study.yaml", cell, column="", action="none", rule=rule)
