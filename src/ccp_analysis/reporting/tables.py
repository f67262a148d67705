"""Tables: one CSV for each table of the report, with the same cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ccp_analysis import files
from ccp_analysis.reporting import tables_data, tables_outcomes
from ccp_analysis.reporting.contents import tables_of
from ccp_analysis.reporting.lookup import Source, load
from ccp_analysis.reporting.table import Table, to_csv

BUILDERS: dict[str, Callable[[Source], Table]] = {
    "flow": tables_data.flow,
    "flow_by_cluster": tables_data.flow_by_cluster,
    "baseline": tables_data.baseline,
    "observed": tables_outcomes.observed,
    "comparison": tables_outcomes.comparison,
    "methods": tables_outcomes.methods,
    "pair_differences": tables_outcomes.pair_differences,
    "missing": tables_data.missing,
    "imputation_models": tables_data.imputation_models,
    "economics": tables_outcomes.economics,
    "files": tables_data.files_read,
    "query_counts": tables_data.query_counts,
    "queries": tables_data.queries,
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
    return {name: BUILDERS[name](source) for name in tables_of(source.study, source.economics)}


def run(*, results: Path, flow: Path, queries: Path, models: Path, out: Path) -> None:
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

    Raises
    ------
    StudyError
        If a file is missing or does not fit the study.
    """
    source = load(results, flow, queries, models)
    for name, table in build(source).items():
        files.write_csv(out / f"{name}.csv", to_csv(table, source.study.data_status))
