"""The numbers of tables and figures: those that documents show, in the report's order."""

from __future__ import annotations

from ccp_analysis.report.contents import figures_of, tables_of
from ccp_analysis.report.figures import is_drawn
from ccp_analysis.report.lookup import Source
from ccp_analysis.report.sentences_design import shows_records
from ccp_analysis.report.table import Table


def is_shown(source: Source, table: Table) -> bool:
    """Return whether documents have a table: it has rows, and these may be shown."""
    return bool(table.rows) and (table.name != "queries" or shows_records(source))


def table_numbers(source: Source, tables: dict[str, Table]) -> dict[str, int]:
    """Return the number of every table that documents show.

    Parameters
    ----------
    source : Source
        Its configuration decides on the order.
    tables : dict
        Name → table.

    Returns
    -------
    dict
        Name → number, from 1.
    """
    names = tables_of(source.study, source.economics, source.plan)
    shown = [name for name in names if name in tables and is_shown(source, tables[name])]
    return {name: place for place, name in enumerate(shown, start=1)}


def figure_numbers(source: Source) -> dict[str, int]:
    """Return the number of every figure that there is something to draw of."""
    names = figures_of(source.study, source.economics, source.plan)
    drawn = [name for name in names if is_drawn(source, name)]
    return {name: place for place, name in enumerate(drawn, start=1)}
