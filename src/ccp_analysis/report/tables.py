"""Tables: one CSV for each table of the report, with the same cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ccp_analysis import files
from ccp_analysis.report import (
    tables_checks,
    tables_congenial,
    tables_costs,
    tables_data,
    tables_design,
    tables_economics,
    tables_estimands,
    tables_failed,
    tables_missing,
    tables_models,
    tables_outcomes,
    tables_records,
    tables_sensitivity,
)
from ccp_analysis.report.cheers import cheers
from ccp_analysis.report.contents import tables_of
from ccp_analysis.report.lookup import Source, load
from ccp_analysis.report.numbering import figure_numbers, table_numbers
from ccp_analysis.report.table import Table, to_csv

BUILDERS: dict[str, Callable[[Source], Table]] = {
    "flow": tables_data.flow,
    "flow_by_cluster": tables_data.flow_by_cluster,
    "baseline": tables_data.baseline,
    "estimands": tables_estimands.estimands,
    "observed": tables_outcomes.observed,
    "comparison": tables_outcomes.comparison,
    "ratios": tables_models.ratios,
    "methods": tables_outcomes.methods,
    "pair_differences": tables_outcomes.pair_differences,
    "not_randomised": tables_design.not_randomised,
    "visits": tables_models.visits,
    "intraclass": tables_design.intraclass,
    "subgroups": tables_models.subgroups,
    "detectable": tables_design.detectable,
    "sample_size": tables_design.sample_size,
    "missing": tables_data.missing,
    "losses": tables_missing.losses,
    "imputation_models": tables_data.imputation_models,
    "congenial": tables_congenial.congenial,
    "deltas": tables_sensitivity.deltas,
    "scenarios": tables_sensitivity.scenarios,
    "checks": tables_checks.checks,
    "left_out": tables_checks.left_out,
    "resource_use": tables_costs.resource_use,
    "prices": tables_costs.prices,
    "economic_means": tables_costs.economic_means,
    "economics": tables_economics.economics,
    "net_benefit": tables_economics.net_benefit,
    "ratios_of_cost": tables_economics.ratios_of_cost,
    "economic_sensitivity": tables_economics.economic_sensitivity,
    "failed": tables_failed.failed,
    "files": tables_records.files_read,
    "sets": tables_records.sets,
    "scales": tables_records.scales,
    "query_counts": tables_records.query_counts,
    "queries": tables_records.queries,
    "checks_others": tables_checks.checks_others,
}
CHECKLIST = "cheers"


def build(source: Source) -> dict[str, Table]:
    """Build all tables of the study, in the report's order.

    Parameters
    ----------
    source : Source
        With queries and models.

    Returns
    -------
    dict
        Name → table.
    """
    names = tables_of(source.study, source.economics, source.plan)
    tables = {name: BUILDERS[name](source) for name in names if name in BUILDERS}
    if CHECKLIST in names:
        # It names the others by their numbers, and so comes last.
        tables[CHECKLIST] = cheers(source, table_numbers(source, tables), figure_numbers(source))
    return tables


def run(
    *,
    results: Path,
    flow: Path,
    queries: Path,
    models: Path,
    out: Path,
    scales: Path | None = None,
    points: Path | None = None,
    prices: Path | None = None,
    intervention: Path | None = None,
) -> None:
    """Write every table of the report as CSV, with the data status in a column.

    Parameters
    ----------
    results : Path
        The results table.
    flow : Path
        The participant flow.
    queries : Path
        The data queries.
    models : Path
        The imputation models.
    out : Path
        Folder for one file of each table.
    scales : Path, optional
        Reliability, floor and ceiling of the scales.
    points : Path, optional
        Folder with the points of the figures, by which it is known how these are numbered.
    prices, intervention : Path, optional
        Prices of services and items of the intervention.

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    source = load(results, flow, queries, models, scales, points, prices, intervention)
    for name, table in build(source).items():
        # A table without rows says so, and of what kind of data.
        rows = table.rows or [["none", *[None] * (len(table.header) - 1)]]
        written = to_csv(replace(table, rows=rows), source.study.data_status)
        files.write_csv(out / f"{name}.csv", written)
