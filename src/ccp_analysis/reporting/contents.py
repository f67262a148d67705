"""Which tables and figures the report of a study has, in the order of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccp_analysis.study import Economics, Study


def tables_of(study: Study, economics: Economics | None) -> list[str]:
    """Return the names of a study's tables, in the order in which the report numbers them.

    Parameters
    ----------
    study : Study
        Its clusters decide on tables by cluster.
    economics : Economics or None
        The economic evaluation, where there is one.

    Returns
    -------
    list of str
        Each is the stem of a file in ``reports/tables``.
    """
    clusters = study.clusters is not None
    return [
        "flow",
        *["flow_by_cluster"] * clusters,
        "baseline",
        "observed",
        "comparison",
        "methods",
        *["pair_differences"] * clusters,
        "missing",
        "imputation_models",
        *["economics"] * (economics is not None),
        "files",
        "query_counts",
        "queries",
    ]


def figures_of(study: Study, economics: Economics | None) -> list[str]:
    """Return the names of a study's figures, in the order in which the report numbers them.

    Parameters
    ----------
    study : Study
        Its clusters and visits decide on what can be drawn.
    economics : Economics or None
        The economic evaluation; it has a table and no figure so far.

    Returns
    -------
    list of str
        Each is the stem of an SVG and a PNG file in ``reports/figures``.
    """
    return [
        "flow",
        *["course"] * (len(study.follow_ups) > 1),
        "forest",
        "methods",
        *["pair_differences"] * (study.clusters is not None),
        "missing",
    ]
