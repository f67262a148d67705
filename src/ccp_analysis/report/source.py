"""Everything the report may say: rows of the results, the flow, the queries, and their labels."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.currencies import CURRENCIES
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.locked import Compared, compared
from ccp_analysis.config.plan import Analysis, Outcome, Plan
from ccp_analysis.config.study import Clusters, Study
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError
from ccp_analysis.report.marks import WITHHELD, withheld
from ccp_analysis.results.families import headline
from ccp_analysis.results.table import read_results
from ccp_analysis.results.terms import Role, Status, Term, require_known

Row = dict[str, Any]
CURRENCY = {code: one.symbol for code, one in CURRENCIES.items()}
MONEY = {
    "cost": "Total cost of services",
    "qaly": "Quality-adjusted life years",
    "net_benefit": "Net monetary benefit",
    "intervention": "Intervention",
}
SCALED = [
    *("items", "lowest", "highest", "n", "n_prorated", "alpha"),
    *("floor_percent", "ceiling_percent"),
]
TOO_FEW = re.compile(r"(?:; )?\d+ imputations were made, (\d+) would bring [^;]*")


@dataclass(frozen=True)
class Source:
    """What the report is made of.

    Attributes
    ----------
    study, plan, economics, implementation, instruments, dictionary
        The configuration.
    results : list of dict
        Rows of the results table; a missing number is None. The remark that imputations were too
        few, which many rows may share, is not in their notes: `needed` says how many are needed,
        `whole_note` has it.
    flow : dict
        The participant flow.
    queries, models, scales : pandas.DataFrame
        Data queries (`line` counts them from 0), imputation models and how the scales did. These
        tables and those below are empty where they were not asked for, or not made.
    points : pandas.DataFrame
        What the figures of the checks are drawn from.
    traces, values, tipping : pandas.DataFrame
        Chains and values of the imputation and maps of deltas.
    patterns, losses : pandas.DataFrame
        Which values are missing together, and who was lost.
    draws, balance, practice : pandas.DataFrame
        Bootstrap draws of the evaluation: differences in cost and QALYs; propensities of people
        and contours of unmeasured confounding; fidelity of people and shares of answers.
    prices, intervention : pandas.DataFrame
        The prices of services, and the items that the intervention itself costs.
    compared : Compared
        What differs from the plan that was locked.
    """

    study: Study
    plan: Plan
    economics: Economics | None
    implementation: Implementation | None
    instruments: dict[str, Instrument]
    dictionary: list[Column]
    results: list[Row]
    flow: dict[str, Any]
    queries: pd.DataFrame = field(default_factory=pd.DataFrame)
    models: pd.DataFrame = field(default_factory=pd.DataFrame)
    scales: pd.DataFrame = field(default_factory=pd.DataFrame)
    points: pd.DataFrame = field(default_factory=pd.DataFrame)
    traces: pd.DataFrame = field(default_factory=pd.DataFrame)
    values: pd.DataFrame = field(default_factory=pd.DataFrame)
    tipping: pd.DataFrame = field(default_factory=pd.DataFrame)
    patterns: pd.DataFrame = field(default_factory=pd.DataFrame)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)
    draws: pd.DataFrame = field(default_factory=pd.DataFrame)
    balance: pd.DataFrame = field(default_factory=pd.DataFrame)
    practice: pd.DataFrame = field(default_factory=pd.DataFrame)
    prices: pd.DataFrame = field(default_factory=pd.DataFrame)
    intervention: pd.DataFrame = field(default_factory=pd.DataFrame)
    compared: Compared = Compared()
    # Labels that were asked for, by names.
    _labels: dict[str, str] = field(default_factory=dict, init=False)
    # The rows by what stands in columns, for all columns that were asked for together.
    _by: dict[tuple[str, ...], dict[object, list[Row]]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, trial: Trial, **found: Any) -> Source:
        """Return the source of a study, without results where none are given."""
        known = ("study", "plan", "economics", "implementation", "instruments", "dictionary")
        return cls(**{k: getattr(trial, k) for k in known} | {"results": [], "flow": {}} | found)

    def rows(self, **where: object) -> list[Row]:
        """Return the rows of the results whose columns have the values given, in their order."""
        for column, value in where.items():
            require_known(column, value)
        if not where:
            return list(self.results)
        key = itemgetter(*where)  # a value of one column, a tuple of those of several
        if (columns := tuple(where)) not in self._by:
            index = self._by[columns] = defaultdict(list)
            for row in self.results:
                index[key(row)].append(row)
        return list(self._by[columns].get(key(where), []))

    def one(self, **where: object) -> Row | None:
        """Return the one such row, None where there is none; ValueError if there are several."""
        found = self.rows(**where)
        if len(found) > 1:
            raise ValueError(f"{len(found)} results where one is expected: {where}")
        return found[0] if found else None

    @property
    def evaluation(self) -> Economics:
        """The economic evaluation, in what is said of one."""
        if self.economics is None:
            raise ValueError("asked of a study without an economic evaluation")
        return self.economics

    @property
    def clusters(self) -> Clusters:
        """The clusters, in what is said of them."""
        if self.study.clusters is None:
            raise ValueError("asked of a study without clusters")
        return self.study.clusters

    @property
    def imputes(self) -> bool:
        """Whether anything reported rests on imputed values."""
        return self.economics is not None or any(e.data == "imputed" for e in self.plan.analyses)

    @property
    def primary(self) -> list[Outcome]:
        """The primary outcomes."""
        return [o for o in self.plan.outcomes if o.role == Role.PRIMARY]

    def headlines(self, analysis: Analysis, outcome: str, term: str = Term.DIFFERENCE) -> list[Row]:
        """Return the rows of an analysis and outcome at the visit that stands for them."""
        found = self.rows(analysis=analysis.id, outcome=outcome, term=term)
        visit = headline(self.study, analysis, {row["visit"] for row in found})
        return [row for row in found if row["visit"] == visit]

    def primary_rows(self, outcome: str, term: str = Term.DIFFERENCE) -> list[Row]:
        """Return the rows of the primary analyses of an outcome, in the plan's order."""
        entries = [analysis for analysis in self.plan.analyses if analysis.role == Role.PRIMARY]
        return [row for entry in entries for row in self.headlines(entry, outcome, term)]

    def primary_row(self, outcome: str, term: str = Term.DIFFERENCE) -> Row | None:
        """Return the row of the primary analysis of an outcome; of several the plan's first."""
        return next(iter(self.primary_rows(outcome, term)), None)

    def arm(self, arm: str) -> str:
        """Return the label of an arm."""
        return self.study.arms.levels.get(arm, arm)

    @property
    def arms(self) -> list[tuple[str, str]]:
        """Both arms with their labels, the reference first."""
        return [(arm, self.arm(arm)) for arm in self.study.arms.ordered]

    def visit(self, visit: str) -> str:
        """Return the label of a visit; that of all follow-ups is empty."""
        times = self.study.times
        return times[visit] if visit in times else self.study.visit(visit).label if visit else ""

    def outcome(self, name: str) -> str:
        """Return the label of an outcome, instrument or variable, as tables show it."""
        if name not in self._labels:
            self._labels[name] = self._label(name)
        return self._labels[name]

    def _label(self, name: str) -> str:
        for outcome in self.plan.outcomes:
            if outcome.id == name and outcome.label:
                return outcome.label
        if name in self.instruments:
            return self.instruments[name].label
        labels = [c.label.split() for c in self.dictionary if c.name == name]
        if not labels:
            return MONEY.get(name) or self._service(name)
        # A variable measured at several visits has a label at each; what they share names it.
        return " ".join(os.path.commonprefix(labels) or labels[0])

    def _service(self, name: str) -> str:
        """Return the label of a service that is made of others; the name where there is none."""
        for row in self.prices.to_dict("records") if self.economics else ():
            if name in (row["service"], row["variable"].removesuffix(f"_{row['visit']}")):
                return str(row["label"])
        return name

    def name(self, outcome: str) -> str:
        """Return the label of an outcome without what stands in brackets at its end."""
        return self.outcome(outcome).partition(" (")[0]

    def pair(self, code: str) -> str:
        """Return the label of a pair of clusters."""
        return self.category(self.study.clusters.pair, code) if self.study.clusters else code

    def variable(self, name: str) -> str:
        """Return the label of a variable of the participants table, with its visit."""
        for visit in self.study.visits:
            stem = name.removesuffix(f"_{visit.id}")
            if stem != name:
                return f"{self.name(stem)}, {visit.label}"
        return self.outcome(name)

    def unit(self, name: str) -> str:
        """Return the unit of a variable of the dictionary or of a cost; empty where none is."""
        if name == "cost" and self.economics:
            return CURRENCY[self.economics.currency]
        return next((c.unit for c in self.dictionary if c.name == name and c.unit), "")

    def codes(self, name: str) -> dict[str, str]:
        """Return the codes of a category with their labels, in the dictionary's order."""
        for column in self.dictionary:
            if column.name == name and column.codes:
                return {code: names[0] if names else code for code, names in column.codes.items()}
        return {}

    def category(self, name: str, code: str) -> str:
        """Return the label of a code; the code itself where the dictionary has none."""
        return self.codes(name).get(code, code)

    def reason(self, visit: str, code: str) -> str:
        """Return the label of a reason for a missing visit."""
        planned = self.study.visit(visit)
        names = [planned.reason, self.study.losses.event if self.study.losses else None]
        labels = [self.category(name, code) for name in names if name]
        return next((label for label in labels if label != code), code)

    def benefit(self, outcome: str) -> str | None:
        """Return whether higher or lower is better; None where the configuration is silent."""
        planned = next((o.benefit for o in self.plan.outcomes if o.id == outcome), None)
        if planned is None and outcome in self.instruments:
            return self.instruments[outcome].benefit
        return planned

    def favours(self, outcome: str, sign: float) -> str | None:
        """Return the label of the arm that a difference of this sign favours."""
        benefit = self.benefit(outcome)
        if benefit is None or sign == 0:
            return None
        active = (sign > 0) == (benefit == "higher")
        return self.arm(self.study.arms.active if active else self.study.arms.reference)


def load(
    results: Path,
    flow: Path,
    queries: Path | None = None,
    models: Path | None = None,
    scales: Path | None = None,
    points: Path | None = None,
    prices: Path | None = None,
    intervention: Path | None = None,
    price_queries: Path | None = None,
) -> Source:
    """Read the configuration of the study in the current folder, and what was made of it.

    Parameters
    ----------
    results, flow : Path
        The results table, and the participant flow, JSON.
    queries, models, scales : Path, optional
        Data queries, imputation models, and reliability, floor and ceiling of the scales, CSV.
    points : Path, optional
        Folder with the points of the figures: those of the checks that the plan asks for are
        expected there, those of the imputation, of deltas and of the bootstrap may be.
    prices, intervention : Path, optional
        Prices of services and items of the intervention, parquet.
    price_queries : Path, optional
        What is strange in prices, index and caseload, CSV.

    Returns
    -------
    Source

    Raises
    ------
    StudyError
        If a file is missing, or the results are of a study of another data status.
    """
    trial = Trial()
    study, plan = trial.study, trial.plan
    drawn = [points / f"checks_{analysis}.parquet" for analysis in plan.checks if points]
    named = (results, flow, queries, models, scales, prices, intervention, price_queries)
    for path in (*named, *drawn):
        if path is not None and not path.is_file():
            raise StudyError(f"{path}: the file is missing; expected what an earlier rule wrote.")
    table = read_results(results)
    others = sorted(set(table["data_status"]) - {study.data_status})
    if others:
        raise StudyError(
            f"{results}: data status '{others[0]}' found; expected '{study.data_status}' as in "
            "config/study.yaml."
        )
    listed = [
        _text(path).assign(line=lambda table: range(len(table)), listed=path.name)
        for path in (queries, price_queries)
        if path is not None
    ]
    return Source.of(
        trial,
        results=_records(table),
        flow=withheld(files.read_json(flow), Status.SUPPRESSED),
        queries=pd.concat(listed, ignore_index=True) if listed else pd.DataFrame(),
        models=_text(models, "missing", "r_hat", "r_hat_sd"),
        scales=_text(scales, *SCALED),
        points=pd.concat(map(files.read_parquet, drawn), ignore_index=True)
        if drawn
        else pd.DataFrame(),
        traces=_points(points, "imputation_traces"),
        values=_points(points, "imputation_values"),
        tipping=_points(points if plan.sensitivity else None, "tipping"),
        patterns=_points(points, "missing_patterns"),
        losses=_points(points, "losses"),
        draws=_points(points if trial.economics else None, "economics"),
        balance=_points(points, "balance"),
        practice=_points(points, "implementation"),
        prices=_parquet(prices),
        intervention=_parquet(intervention),
        compared=compared(trial),
    )


def entries_of(source: Source, *models: str) -> list[Analysis]:
    """Return the analyses of the plan with one of these models."""
    return [analysis for analysis in source.plan.analyses if analysis.model in models]


def among(rows: list[Row], **where: object) -> list[Row]:
    """Return those of the rows whose columns have the values given."""
    return [row for row in rows if all(row[c] == v for c, v in where.items())]


def records_of(table: pd.DataFrame) -> list[Row]:
    """Return the lines of a table, the cells as they are (pandas makes numbers plain)."""
    names = list(table.columns)
    return [
        dict(zip(names, cells, strict=True))
        for cells in zip(*(table[n].tolist() for n in names), strict=True)
    ]


def _records(table: pd.DataFrame) -> list[Row]:
    records = records_of(table)
    for row in records:
        for column, value in row.items():
            if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
                row[column] = None
        if row["status"] == Status.SUPPRESSED:
            row |= {"estimate": WITHHELD, "n": row["n"] if row["n"] is not None else WITHHELD}
        found = TOO_FEW.search(row["note"])
        row["needed"] = int(found[1]) if found else None
        row["whole_note"] = row["note"]
        row["note"] = TOO_FEW.sub("", row["note"]).removeprefix("; ")
    return records


def _points(folder: Path | None, name: str) -> pd.DataFrame:
    path = folder / f"{name}.parquet" if folder else None
    return _parquet(path if path and path.is_file() else None)


def _parquet(path: Path | None) -> pd.DataFrame:
    return pd.DataFrame() if path is None else files.read_parquet(path)


def _text(path: Path | None, *numbers: str) -> pd.DataFrame:
    if path is None:
        return pd.DataFrame()
    table = files.read_csv(path)
    there = [name for name in numbers if name in table]
    table[there] = table[there].apply(pd.to_numeric)
    return table
