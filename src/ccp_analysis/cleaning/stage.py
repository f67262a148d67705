"""Clean: raw files, dictionary, rules, instruments → the participants table and what is said of it.

The verbs, in order: read, guard, decode, check limits, answer, stop where too much is not valid,
join, apply rules, score, account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.cleaning.accounts import (
    analysis_sets,
    arms_of_the_dead,
    check_balance,
    row_accounts,
    values_set_missing,
)
from ccp_analysis.cleaning.assemble import assemble
from ccp_analysis.cleaning.codebook import codebook as describe
from ccp_analysis.cleaning.deaths import alive_shares, dead_at, value_the_dead
from ccp_analysis.cleaning.decisions import Answers, load_decisions
from ccp_analysis.cleaning.flow import participant_flow
from ccp_analysis.cleaning.invalid import check_valid
from ccp_analysis.cleaning.medication import medication as list_of_medication
from ccp_analysis.cleaning.missing import missing_values
from ccp_analysis.cleaning.practitioners import check_asked, contacts, events, keep_known
from ccp_analysis.cleaning.practitioners import practitioners as of_practitioners
from ccp_analysis.cleaning.queries import Queries, faults_table
from ccp_analysis.cleaning.rules import Finding, ask, fill_skipped, find
from ccp_analysis.cleaning.scales import scale_table
from ccp_analysis.cleaning.score import ask_about_cells, score_instruments
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable, read_files
from ccp_analysis.config.dictionary import Column, load_dictionary
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.rules import Rule, load_rules
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError

log = logging.getLogger(__name__)


def run(
    *,
    participants: Path,
    queries: Path,
    flow: Path,
    missing: Path | None = None,
    scales: Path | None = None,
    codebook: Path | None = None,
    practitioners: Path | None = None,
    delivery: Path | None = None,
    events: Path | None = None,
    medication: Path | None = None,
    stopped: Path | None = None,
) -> None:
    """Clean the study in the current folder.

    Parameters
    ----------
    participants : Path
        Parquet file to write: one row for each person recruited.
    queries : Path
        CSV file to write: every value changed, set missing or strange.
    flow : Path
        JSON file to write: the participant flow and what became of every raw row.
    missing : Path, optional
        Parquet file to write: why each missing value is missing.
    scales : Path, optional
        CSV file to write: reliability, floor and ceiling of the scales.
    codebook : Path, optional
        Parquet file to write: every variable described.
    practitioners, delivery, events : Path, optional
        Parquet files to write, of studies with such files: one row for each practitioner, one for
        each contact (participant, practitioner, date, step) and one for each event of the file of
        losses (participant, event, date, reason; no free text).
    medication : Path, optional
        Parquet file to write, of a study with a list of it: one row for each drug.
    stopped : Path, optional
        CSV file to write where the run stops: the faults, and the queries found until then. One of
        an earlier run is removed.

    Raises
    ------
    StudyError
        If the configuration or the raw files have faults that cannot become queries.
    """
    found = Queries()
    if stopped is not None:
        stopped.unlink(missing_ok=True)
    try:
        study = load_study()
        asked = {
            "practitioners": practitioners,
            "delivery": delivery,
            "events": events,
            "medication": medication,
        }
        check_asked(study, {name: bool(path) for name, path in asked.items()})
        dictionary = load_dictionary(study)
        results = clean(study, dictionary, found)
    except StudyError as error:
        if stopped is not None:
            files.write_csv(stopped, faults_table(error.faults or [str(error)], found))
        raise
    files.write_parquet(participants, results["participants"])
    files.write_csv(queries, results["queries"])
    files.write_json(flow, results["flow"])
    writers: dict[str, tuple[Path | None, Callable[[Path, pd.DataFrame], None]]] = {
        "missing": (missing, files.write_parquet),
        "scales": (scales, files.write_csv),
        "codebook": (codebook, files.write_parquet),
        **{name: (path, files.write_parquet) for name, path in asked.items()},
    }
    for name, (path, write) in writers.items():
        if path is not None:
            write(path, results[name]())
    people, found_strange = results["participants"], results["queries"]
    log.info("%d participants, %d variables, %d queries", *people.shape, len(found_strange))


def clean(study: Study, dictionary: list[Column], queries: Queries) -> dict[str, Any]:
    """Return everything that cleaning finds.

    Parameters
    ----------
    study, dictionary
        The configuration.
    queries : Queries
        Receives all queries.

    Returns
    -------
    dict
        ``participants`` and ``queries`` (tables), ``flow`` (dict); ``missing``, ``scales``,
        ``codebook``, ``practitioners``, ``delivery``, ``events`` and ``medication``, functions that
        make these tables.
    """
    instruments = load_instruments()
    rules = load_rules(study, dictionary)
    answers = Answers(load_decisions(study, dictionary))
    tables = read_files(study, dictionary, queries)
    keep_known(study, tables, queries)
    people = fill_skipped(study, _joined(study, tables, rules, answers, queries), rules)
    scores = score_instruments(people, instruments, dictionary)
    ask_about_cells(people, scores, instruments, dictionary, tables, queries)
    dead = dead_at(study, tables, people)
    hidden = [c.variable for c in dictionary if c.hidden and c.variable in people]
    alive = alive_shares(study, tables, people, dead)
    whole = pd.concat([people, value_the_dead(scores, instruments, dead), alive], axis=1)
    counts = _flow(study, tables, whole, dead)
    counts["set_missing"] = values_set_missing(study, tables, instruments)
    _compare_expected(counts["expected"], queries)
    _compare_rows(study, tables, queries)
    _ask_for_everyone(study, people, queries)
    whole = whole.drop(columns=hidden)
    asked = queries.table().assign(data_status=study.data_status)
    seen = {visit.id: people[f"interviewed_{visit.id}"] for visit in study.visits}

    of_people = [c.variable for c in dictionary if study.files[c.file].of_people]
    names = [name for name in dict.fromkeys(of_people) if name in whole and name != PARTICIPANT]
    reasons = cache(lambda: missing_values(study, tables, whole, names))
    return {
        "participants": whole,
        "queries": asked,
        "flow": counts,
        "missing": reasons,
        "scales": lambda: scale_table(people, scores, instruments, dictionary, seen).assign(
            data_status=study.data_status
        ),
        "codebook": lambda: describe(study, dictionary, instruments, whole, tables, reasons()),
        "practitioners": lambda: of_practitioners(study, tables, people),
        "delivery": lambda: contacts(study, tables),
        "events": lambda: events(study, tables),
        "medication": lambda: list_of_medication(study, tables),
    }


def _joined(
    study: Study,
    tables: dict[str, RawTable],
    rules: list[Rule],
    answers: Answers,
    queries: Queries,
) -> pd.DataFrame:
    """Join the files, apply the rules, and let decisions answer the queries of both."""
    answers.apply(study, tables, queries)
    check_valid(study, tables)
    people = assemble(study, tables)
    found = find(study, tables, people, rules)
    ask(found, tables, queries)
    changed = answers.apply(study, tables, queries)
    answers.check_used()
    changed |= _set_missing(found, tables, answers)
    if not changed:
        return people
    people = assemble(study, tables)
    # What a decision has made inconsistent is asked about as well.
    again = find(study, tables, people, rules)
    new = [_unasked(finding, found) for finding in again]
    ask(new, tables, queries)
    return assemble(study, tables) if _set_missing(new, tables, answers) else people


def _set_missing(found: list[Finding], tables: dict[str, RawTable], answers: Answers) -> bool:
    """Set missing what rules say so of, but for what a decision has answered."""
    changed = False
    for finding in found:
        if finding.removes:
            table = tables[finding.file]
            where = finding.where & ~answers.keeps(finding, table)
            table.set_missing(finding.variable, where, finding.rule)
            changed |= bool(where.any())
    return changed


def _unasked(finding: Finding, earlier: list[Finding]) -> Finding:
    """Return a finding without the rows that the same rule has found before."""
    where = finding.where.copy()
    key = (finding.file, finding.variable, finding.rule)
    for other in earlier:
        if (other.file, other.variable, other.rule) == key:
            where &= ~other.where
    return Finding(
        finding.file,
        where,
        finding.variable,
        finding.rule,
        finding.severity,
        finding.action,
        finding.removes,
    )


def _flow(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, dead: dict[str, pd.Series]
) -> dict[str, Any]:
    counts = participant_flow(study, people, tables)
    counts["sets"] = analysis_sets(study, people)
    counts["rows"] = row_accounts(study, tables, people)
    counts["deaths"] = arms_of_the_dead(study, people, dead)
    for entry in counts["deaths"]:
        if entry["n"]:
            log.info("%(visit)s: %(n)d had died by then; their utility is 0", entry)
    check_balance(study, counts)
    return counts


def _compare_expected(expected: list[dict[str, Any]], queries: Queries) -> None:
    for entry in expected:
        if entry["expected"] != entry["found"]:
            log.warning("%(stage)s: %(expected)d participants expected, %(found)d found", entry)
            rule = f"{entry['expected']} participants expected at stage {entry['stage']}"
            queries.add_whole(
                "query", "study.yaml", raw_value=str(entry["found"]), action="none", rule=rule
            )


def _ask_for_everyone(study: Study, people: pd.DataFrame, queries: Queries) -> None:
    """Add a query for each visit of nobody that is not declared to be still to come."""
    for visit in study.visits:
        if not people[f"interviewed_{visit.id}"].any() and study.expected.get(visit.id) is None:
            rule = f"nobody has a value of the visit '{visit.id}'"
            queries.add_whole("query", "study.yaml", raw_value="", action="none", rule=rule)


def _compare_rows(study: Study, tables: dict[str, RawTable], queries: Queries) -> None:
    visits = {visit.file for visit in study.visits}  # which stop the run, or are still to come
    for file, spec in study.files.items():
        found = len(tables[file].values)
        if spec.expected is None and not found and file not in visits:
            queries.add_whole(
                "query", spec.path.name, raw_value="", action="none", rule="a header and no rows"
            )
        if spec.expected not in (None, found):
            queries.add_whole(
                "query",
                spec.path.name,
                raw_value=str(found),
                action="none",
                rule=f"{spec.expected} rows expected",
            )
