"""Adjusted means visit by visit, by the models of all visits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ccp_analysis.config.models import OVER_VISITS
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import (
    adjusted_mean,
    by_arm,
    contrast,
    difference_columns,
    has_interval,
    level_of,
    method,
    notes_of,
    places_of,
    primary_names,
    with_interval,
)
from ccp_analysis.report.drawing import RULE, WIDTH, arm_looks, panel
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem, fits
from ccp_analysis.report.source import Row, Source, entries_of
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import uncapitalised
from ccp_analysis.results.terms import Role, Term


def visits(source: Source) -> Table[Row]:
    """Set out adjusted means and differences at every visit, by the longitudinal models."""

    def analysis_of(row: Row) -> str:
        return f"{source.name(row['outcome'])}: {method(row)} ({row['role']})"

    records: list[Row] = []
    notes: list[tuple[str, str]] = []
    for outcome in source.plan.outcomes:
        for analysis in entries_of(source, *OVER_VISITS):
            shared = {"analysis": analysis.id, "outcome": outcome.id, "term": Term.DIFFERENCE}
            found = {row["visit"]: row for row in source.rows(**shared)}
            at = [v.id for v in source.study.visits if v.id in found] or list(found)[:1]
            records += [found[visit] for visit in at]
            notes += [(analysis_of(found[v]), found[v]["note"]) for v in at if found[v]["note"]]
            for row in source.headlines(analysis, outcome.id)[:1]:
                if analysis.role == Role.PRIMARY and row["visit"]:
                    visit = uncapitalised(source.visit(row["visit"]))
                    notes.append((analysis_of(row), f"the primary difference is that at {visit}"))
    return Table(
        f"Adjusted means and differences ({contrast(source)}) at every visit",
        [
            Column("Analysis", analysis_of),
            Column("Visit", lambda row: source.visit(row["visit"]) or "All visits", 20, "l"),
            *by_arm(
                source,
                (
                    f"adjusted mean ({level_of(source)} CI)",
                    lambda arm, row: with_interval(adjusted_mean(source, row, arm), places_of(row)),
                    24,
                ),
            ),
            *difference_columns(source, places_of, (26, 8, 8, 6)),
        ],
        records,
        grouped=True,
        stub="Visit",
        notes=notes_of(notes),
    )


def _panels(source: Source) -> list[tuple[str, str]]:
    """Return the analyses and primary outcomes with adjusted means at visits."""
    return [
        (analysis.id, outcome.id)
        for outcome in source.primary
        for analysis in source.plan.analyses
        if analysis.model in OVER_VISITS
        and source.rows(analysis=analysis.id, outcome=outcome.id, term=Term.ADJUSTED_MEAN)
    ]


def draw_visits(source: Source) -> Figure:
    """Draw adjusted means at every visit with intervals, a panel for each analysis."""
    shown_panels = _panels(source)
    columns = min(2, max(1, len(shown_panels)))
    deep = max(1, -(-len(shown_panels) // columns))
    figure = Figure(figsize=(WIDTH, panel(1.9, deep, 0.5) * deep + 0.5))
    grid = figure.subplots(deep, columns, squeeze=False, sharey="all").ravel()
    months = {visit.id: visit.months for visit in source.study.visits}
    shift = max(months.values()) * 0.008
    for axes, (analysis, outcome) in zip(grid, shown_panels, strict=False):
        ticks: dict[float, str] = {}
        for (arm, label), look, side in zip(source.arms, arm_looks(), (-shift, shift), strict=True):
            found = {
                row["visit"]: row
                for row in source.rows(
                    analysis=analysis, outcome=outcome, term=Term.ADJUSTED_MEAN, level=arm
                )
                if has_interval(row)
            }
            seen = [visit for visit in months if visit in found]
            ticks |= {months[visit]: source.visit(visit) for visit in seen}
            x = [months[visit] + side for visit in seen]
            low, high = ([found[v][end] for v in seen] for end in ("conf_low", "conf_high"))
            axes.vlines(x, low, high, color=look["color"], linewidth=1.0)
            axes.plot(x, [found[v]["estimate"] for v in seen], label=label, **look)
        first = source.rows(analysis=analysis, outcome=outcome, term=Term.ADJUSTED_MEAN)[0]
        axes.set_title(method(first), fontsize=8, fontweight="bold", loc="left")
        names = [textwrap.fill(name, 7) for name in ticks.values()]
        axes.set_xticks(list(ticks), names, fontsize=7)
        axes.grid(axis="y", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
        axes.set_ylabel(textwrap.fill(source.name(outcome), 30))
    empty = grid[len(shown_panels) :]
    for axes in empty:
        axes.axis("off")
    if shown_panels:
        # A panel that is left over has the legend.
        lines, labels = grid[0].get_legend_handles_labels()
        where, place = (empty[0], "center left") if len(empty) else (grid[0], "best")
        where.legend(lines, labels, loc=place, edgecolor="none", framealpha=0.9, fontsize=7)
    figure.tight_layout(rect=(0, 0.4 / figure.get_figheight() * 0.4, 1, 1))
    return figure


def _legend(source: Source) -> tuple[str, str]:
    return (
        f"{primary_names(source)}: adjusted means at every visit with {level_of(source)} "
        "confidence intervals, by arm.",
        "Line charts of adjusted means over the visits, one for each analysis; the table of "
        "adjusted means has the numbers.",
    )


def _items(of: Configured) -> Iterator[Item]:
    if len(of.study.follow_ups) > 1 and fits(of, *OVER_VISITS):
        yield TableItem("visits", visits)
        yield FigureItem("visits", draw_visits, _legend, lambda s: bool(_panels(s)))


SECTION = Section("visits", _items)
