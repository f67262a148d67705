"""Tables: one CSV for each table of the report, with the same cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ccp_analysis import files
from ccp_analysis.reporting import (
    tables_checks,
    tables_data,
    tables_design,
    tables_economics,
    tables_models,
    tables_outcomes,
    tables_records,
    tables_sensitivity,
)
from ccp_analysis.reporting.contents import tables_of
from ccp_analysis.reporting.lookup import Source, load
from ccp_analysis.reporting.table import Table, to_csv

BUILDERS: dict[str, Callable[[Source], Table]] = {
    "flow": tables_data.flow,
    "flow_by_cluster": tables_data.flow_by_cluster,
    "baseline": tables_data.baseline,
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
    "imputation_models": tables_data.imputation_models,
    "deltas": tables_sensitivity.deltas,
    "scenarios": tables_sensitivity.scenarios,
    "checks": tables_checks.checks,
    "left_out": tables_checks.left_out,
    "economics": tables_economics.economics,
    "files": tables_records.files_read,
    "sets": tables_records.sets,
    "scales": tables_records.scales,
    "query_counts": tables_records.query_counts,
    "queries": tables_records.queries,
    "checks_others": tables_checks.checks_others,
}


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
    return {name: BUILDERS[name](source) for name in names}


def run(
    *,
    results: Path,
    flow: Path,
    queries: Path,
    models: Path,
    out: Path,
    scales: Path | None = None,
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

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    source = load(results, flow, queries, models, scales)
    for name, table in build(source).items():
        files.write_csv(out / f"{name}.csv", to_csv(table, source.study.data_status))
