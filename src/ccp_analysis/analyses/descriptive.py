"""Describe: who came, by arm, before any model; and how many were planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.harms import event_rows
from ccp_analysis.analyses.sample_size import sample_size_rows
from ccp_analysis.config.currencies import MONEY, in_currency
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.instruments import load_instruments, unit_of
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import in_order
from ccp_analysis.layout import PLAN
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Inference, Model, Population, Role, Term

Rows = list[dict[str, Any]]


def run(
    *,
    imputed: Path,
    participants: Path,
    results: Path,
    events: Path | None = None,
    currency: str = "GBP",
) -> None:
    """Describe baselines and outcomes as observed, events, and planned and achieved numbers.

    Parameters
    ----------
    imputed : Path
        Its imputation 0 has the outcomes and costs as observed.
    participants : Path
        The cleaned table, for the characteristics.
    results : Path
        Parquet file to write: rows of the results table.
    events : Path, optional
        What happened to people, where the study has a file of it.
    currency : str
        Of costs, by its code.

    Raises
    ------
    StudyError
        If the baseline table names a variable that there is not.
    """
    study, plan = load_study(), load_plan()
    instruments, dictionary = load_instruments(), load_dictionary(study)

    def unit(name: str) -> str:
        if name == "cost":
            return in_currency(MONEY, currency)
        return unit_of(name, instruments, dictionary)

    recruited = files.read_parquet(participants)
    people = recruited[recruited[f"interviewed_{study.baseline.id}"]]
    tables = files.read_parquet(imputed)
    observed = tables[tables["imputation"] == 0]
    groups = {
        arm: (people[study.arms.variable] == arm, observed[study.arms.variable] == arm)
        for arm in study.arms.ordered
    }
    everyone = pd.Series(True, index=people.index), pd.Series(True, index=observed.index)
    binary = {
        c.name for c in dictionary if (c.minimum, c.maximum) == (0, 1) and c.type == "integer"
    }
    rows: Rows = []
    for level, (in_people, in_observed) in {**groups, "all": everyone}.items():
        for name in plan.baseline_table:
            if name not in people:
                raise StudyError(f"{PLAN}: baseline_table names '{name}', which is no variable.")
            rows += _describe(people[name], in_people, name, "", level, unit(name), name in binary)
        for stem in dict.fromkeys([*(o.id for o in plan.outcomes), "cost"]):
            for visit in study.visits:
                variable = f"{stem}_{visit.id}"
                if variable in observed:
                    values = observed[variable]
                    described = (stem, visit.id, level, unit(stem), stem in binary)
                    rows += _describe(values, in_observed, *described)
    if plan.planned:
        scale = unit(plan.planned.outcome)
        rows += sample_size_rows(study, plan, plan.planned, observed, scale)
    if events is not None:
        happened = files.read_parquet(events)
        rows += event_rows(study, dictionary, recruited, happened, plan.confidence_level)
    shared = {
        "analysis": "descriptive",
        "role": Role.DESCRIPTIVE,
        "population": Population.COMPLETED,
        "model": Model.NONE,
        "inference": Inference.NONE,
        "n_clusters": people[study.clusters.unit].nunique() if study.clusters else None,
    }
    table = results_table([{**shared, **row} for row in rows], study.data_status)
    files.write_parquet(results, table)


def _describe(
    values: pd.Series,
    group: pd.Series,
    outcome: str,
    visit: str,
    level: str,
    unit: str,
    binary: bool,
) -> Rows:
    """Count, and average or tabulate, the values of a group; n of a figure is what it rests on.

    Of what is 0 or 1 both, those who have it being a category of one line.
    """
    inside = values[group]
    known = inside.dropna()
    head = {"outcome": outcome, "visit": visit, "level": level, "n": len(inside)}
    rows: Rows = [
        {**head, "term": Term.OBSERVED, "scale": "count", "estimate": len(known)},
        {**head, "term": Term.MISSING, "scale": "count", "estimate": len(inside) - len(known)},
    ]
    if pd.api.types.is_numeric_dtype(values):
        figures = {
            Term.MEAN: known.mean(),
            Term.SD: known.std(),
            Term.MEDIAN: known.median(),
            Term.LOWER_QUARTILE: known.quantile(0.25),
            Term.UPPER_QUARTILE: known.quantile(0.75),
            Term.MINIMUM: known.min(),
            Term.MAXIMUM: known.max(),
        }
        rows += [
            {**head, "n": len(known), "term": t, "scale": unit, "estimate": v}
            for t, v in figures.items()
        ]
        if not binary:
            return rows
    counts = known.value_counts()
    for category in [1] if binary else in_order(values):
        n = int(counts.get(category, 0))
        part = {**head, "n": len(known), "subgroup": str(category)}
        rows.append({**part, "term": Term.NUMBER, "scale": "count", "estimate": n})
        share = n / len(known) if len(known) else None
        rows.append({**part, "term": Term.PROPORTION, "scale": "proportion", "estimate": share})
    return rows
