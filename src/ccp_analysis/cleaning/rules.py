"""Applying the rules of ``config/rules.yaml`` to the joined files: what they find, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable, among
from ccp_analysis.config.rules import (
    Age,
    Agree,
    NothingAfter,
    Order,
    Rule,
    Skip,
    Window,
    variables_of,
)
from ccp_analysis.config.study import Study

WITHOUT_BASELINE = "interview without a baseline interview"
AFTER_DATA_DATE = "after the date of the data"
UNDATED_DEATH = "death without a date"


@dataclass(frozen=True)
class Finding:
    """Cells of one column, or whole rows of a file, that break a rule.

    Attributes
    ----------
    file : str
        Id of the file.
    where : numpy.ndarray of bool, shape (n,)
        Which of its rows.
    variable : str
        Variable; empty where the whole row is meant.
    rule, severity, action : str
        Label of the rule, how serious it is, what is done.
    removes : bool
        Whether the values are set missing.
    """

    file: str
    where: np.ndarray
    variable: str
    rule: str
    severity: str
    action: str
    removes: bool = False


def find(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, rules: Sequence[Rule]
) -> list[Finding]:
    """Return what breaks a rule: those of every study, and those that it declares.

    Parameters
    ----------
    study : Study
        Visits and events.
    tables : dict
        File id → `RawTable`.
    people : pandas.DataFrame
        One row for each person recruited, from `assemble`.
    rules : sequence of Rule
        From ``config/rules.yaml``.
    """
    found = [
        *_without_baseline(study, tables, people),
        *_after_data_date(study, tables),
        *_undated_deaths(study, tables),
    ]
    for rule in rules:
        found += _broken(study, tables, people, rule)
    return [finding for finding in found if finding.where.any()]


def ask(findings: Sequence[Finding], tables: dict[str, RawTable], queries: Queries) -> None:
    """Add a query for each cell or row of the findings."""
    for finding in findings:
        table = tables[finding.file]
        column = table.column(finding.variable).column if finding.variable else ""
        queries.add(
            finding.severity,
            table.sheet,
            finding.where,
            column=column,
            action=finding.action,
            rule=finding.rule,
        )


def fill_skipped(study: Study, people: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """Give questions that were rightly not asked the value that their rule declares.

    Parameters
    ----------
    study : Study
        Visits.
    people : pandas.DataFrame
        One row for each person recruited, from `assemble`.
    rules : sequence of Rule
        Those of the kind skip count that have a value.

    Returns
    -------
    pandas.DataFrame
        A copy. Who was not interviewed at a visit keeps missing values there.
    """
    filled = people.copy()
    for rule in rules:
        if isinstance(rule, Skip) and rule.value is not None:
            skipped = people[rule.when].isin(_codes(rule, people))
            for name in rule.missing:
                at = [f"interviewed_{v.id}" for v in study.visits if name.endswith(f"_{v.id}")]
                there = people[at].all(axis=1)
                filled[name] = filled[name].mask(skipped & there & filled[name].isna(), rule.value)
    return filled


def _codes(rule: Skip, data: pd.DataFrame) -> list[float] | list[str]:
    return [float(v) for v in rule.values] if data[rule.when].dtype == float else rule.values


def _without_baseline(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> Iterator[Finding]:
    without = people.loc[~people[f"interviewed_{study.baseline.id}"], PARTICIPANT]
    for visit in study.follow_ups:
        if visit.file:
            where = among(tables[visit.file].values[PARTICIPANT], without)
            yield Finding(visit.file, where, "", WITHOUT_BASELINE, "query", "not in any analysis")


def _after_data_date(study: Study, tables: dict[str, RawTable]) -> Iterator[Finding]:
    for file, table in tables.items():
        for column in table.columns:
            if column.type == "date":
                late = table.values[column.variable] > pd.Timestamp(study.data_date)
                yield Finding(
                    file, late.to_numpy(), column.variable, AFTER_DATA_DATE, "query", "kept"
                )


def _undated_deaths(study: Study, tables: dict[str, RawTable]) -> Iterator[Finding]:
    losses = study.losses
    if losses is not None and losses.death is not None:
        events = tables[losses.file].values
        where = (events[losses.event] == losses.death) & events[losses.date].isna()
        yield Finding(losses.file, where.to_numpy(), losses.date, UNDATED_DEATH, "query", "kept")


def _broken(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame, rule: Rule
) -> Iterator[Finding]:
    """Yield what breaks a declared rule."""
    data = _rows(tables, people, variables_of(rule))
    for variable, broken in _cells(study, tables, data, rule):
        file = next(f for f, table in tables.items() if _has(table, variable))
        table = tables[file]
        if _is_events(data):
            where = np.zeros(len(table.values), dtype=bool)
            where[data.loc[broken, "__at__"].to_numpy()] = True
        else:
            key = PARTICIPANT if PARTICIPANT in table.values else table.columns[0].variable
            where = among(table.values[key], data.loc[broken, key])
        action = "kept" if rule.action == "keep" else f"set missing: {rule.label}"
        yield Finding(
            file, where, variable, rule.label, rule.severity, action, rule.action != "keep"
        )


def _has(table: RawTable, variable: str) -> bool:
    return any(column.variable == variable for column in table.columns)


def _is_events(data: pd.DataFrame) -> bool:
    return "__at__" in data


def _rows(
    tables: dict[str, RawTable], people: pd.DataFrame, variables: Sequence[str]
) -> pd.DataFrame:
    """Return the people, or the events with what is known of their people."""
    foreign = [v for v in variables if v not in people]
    if not foreign:
        return people
    table = next(t for t in tables.values() if _has(t, foreign[0]))
    events = table.values[[PARTICIPANT, *foreign]].assign(__at__=range(len(table.values)))
    return events.merge(people, on=PARTICIPANT, how="left")


def _cells(
    study: Study, tables: dict[str, RawTable], data: pd.DataFrame, rule: Rule
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the variable to be asked about and the rows of `data` that break the rule."""
    if isinstance(rule, Order):
        yield rule.then, (data[rule.then] < data[rule.first]).to_numpy()
    elif isinstance(rule, Window):
        days = (data[rule.date] - data[rule.since]).dt.days
        yield rule.date, (days.notna() & ~days.between(*rule.days)).to_numpy()
    elif isinstance(rule, Age):
        years = _whole_years(data[rule.birth], data[rule.at])
        yield rule.age, ((data[rule.age] - years).abs() > rule.tolerance).to_numpy()
    elif isinstance(rule, Agree):
        first, *others = rule.variables
        for other in others:
            both = data[first].notna() & data[other].notna()
            yield other, (both & (data[first] != data[other])).to_numpy()
    elif isinstance(rule, Skip):
        skipped = data[rule.when].isin(_codes(rule, data))
        for name in rule.missing:
            yield name, (skipped & data[name].notna()).to_numpy()
    elif isinstance(rule, NothingAfter):
        end = _first_date(study, tables, rule.events)
        after = end.reindex(data[PARTICIPANT]).set_axis(data.index)
        for name in rule.variables:
            yield name, (data[name] > after).to_numpy()


def _first_date(study: Study, tables: dict[str, RawTable], events: Sequence[str]) -> pd.Series:
    """Return the first date of some events: participant → date."""
    assert study.losses is not None
    values = tables[study.losses.file].values
    ended = values[values[study.losses.event].isin(list(events))]
    return ended.groupby(PARTICIPANT)[study.losses.date].min()


def _whole_years(birth: pd.Series, on: pd.Series) -> pd.Series:
    """Return completed years of life."""
    before = (on.dt.month < birth.dt.month) | (
        (on.dt.month == birth.dt.month) & (on.dt.day < birth.dt.day)
    )
    return on.dt.year - birth.dt.year - before.astype(int)
