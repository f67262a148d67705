"""Evaluate: differences between the arms in costs and quality-adjusted life years."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.comparison import Question, attempt
from ccp_analysis.errors import StudyError
from ccp_analysis.results import results_table
from ccp_analysis.study import ECONOMICS, Economics, Study, load_economics, load_plan, load_study

MODELS = ["ancova", "team-means"]


def quality_adjusted_life_years(
    tables: pd.DataFrame, study: Study, economics: Economics
) -> pd.Series:
    """Return the area under the utility curve up to the horizon, in years.

    Parameters
    ----------
    tables : pandas.DataFrame
        Utilities of each person, ``{utility}_{visit}``.
    study : Study
        For the nominal months of the visits.
    economics : Economics
        Utility and horizon.

    Returns
    -------
    pandas.Series
        Trapezium rule over the visits (Manca, Hawkins & Sculpher 2005); missing where a utility is.

    Raises
    ------
    StudyError
        If no visit stands at the horizon, or the utility was not measured at one up to it.
    """
    visits = [visit for visit in study.visits if visit.months <= economics.months]
    if visits[-1].months != economics.months:
        raise StudyError(
            f"{ECONOMICS}: the horizon is {economics.months:g} months, at which there is no visit."
        )
    for visit in visits:
        if f"{economics.utility}_{visit.id}" not in tables:
            raise StudyError(
                f"{ECONOMICS}: the utility '{economics.utility}' is not measured at visit "
                f"'{visit.id}'; expected at every visit up to the horizon."
            )
    area = pd.Series(0.0, index=tables.index)
    for before, after in zip(visits, visits[1:], strict=False):
        height = (
            tables[f"{economics.utility}_{before.id}"] + tables[f"{economics.utility}_{after.id}"]
        ) / 2
        area += height * (after.months - before.months) / 12
    return area


def run(*, imputed: Path, results: Path) -> None:
    """Compare costs and quality-adjusted life years between the arms.

    Parameters
    ----------
    imputed : Path
        Observed and completed tables, with costs and utilities.
    results : Path
        Parquet file to write: rows of the results table.

    Raises
    ------
    StudyError
        If there is no evaluation, or the horizon is not a visit.
    """
    study, plan, economics = load_study(), load_plan(), load_economics()
    if economics is None:
        raise StudyError(f"{ECONOMICS}: the file is missing; there is nothing to evaluate.")
    tables = pd.read_parquet(imputed)
    tables["qaly"] = quality_adjusted_life_years(tables, study, economics)
    last = next(visit for visit in study.visits if visit.months == economics.months)
    outcomes = [
        ("cost", f"cost_{last.id}", f"cost_{study.baseline.id}", "pounds"),
        ("qaly", "qaly", f"{economics.utility}_{study.baseline.id}", "years"),
    ]
    rows = []
    for outcome, value, baseline, scale in outcomes:
        question = Question(
            outcome=outcome,
            value=value,
            baseline=baseline,
            covariates=plan.covariates,
            scale=scale,
            level=plan.confidence_level,
            standardise=False,
        )
        for model in MODELS if study.clusters else MODELS[:1]:
            for data in ("imputed", "observed"):
                rows += attempt("economics", "supporting", model, study, tables, data, question)
    shared = {
        "analysis": "economics",
        "role": "supporting",
        "estimand": plan.estimand,
        "visit": last.id,
        "perspective": f"services in {economics.unit_costs.as_posix()}",
    }
    table = results_table([{**shared, **row} for row in rows], study.data_status)
    files.write_parquet(results, table)
