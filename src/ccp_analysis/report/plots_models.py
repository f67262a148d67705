"""Drawing adjusted means at every visit, and subgroups."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from ccp_analysis.config.models import OVER_VISITS
from ccp_analysis.report.format import decimals
from ccp_analysis.report.lookup import Source, method
from ccp_analysis.report.plots import (
    RULE,
    WIDTH,
    Mark,
    arm_looks,
    direction_labels,
    estimate_text,
    forest,
)
from ccp_analysis.report.tables_models import has_interval, subgroup_label, subgroup_rows
from ccp_analysis.report.tables_outcomes import contrast, level_of
from ccp_analysis.results.terms import Term


def has_visits(source: Source) -> bool:
    """Return whether there are adjusted means of primary outcomes at visits."""
    return bool(_panels(source))


def _panels(source: Source) -> list[tuple[str, str]]:
    """Return the analyses and primary outcomes with adjusted means at visits."""
    return [
        (analysis.id, outcome.id)
        for outcome in source.primary
        for analysis in source.plan.analyses
        if analysis.model in OVER_VISITS
        and source.rows(analysis=analysis.id, outcome=outcome.id, term=Term.ADJUSTED_MEAN)
    ]


def visits(source: Source) -> Figure:
    """Draw adjusted means at every visit with intervals, a panel for each analysis."""
    shown_panels = _panels(source)
    columns = min(2, max(1, len(shown_panels)))
    lines = max(1, -(-len(shown_panels) // columns))
    figure = Figure(figsize=(WIDTH, 2.5 * lines + 0.5))
    grid = figure.subplots(lines, columns, squeeze=False, sharey="all").ravel()
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
    for axes in grid[len(shown_panels) :]:
        axes.axis("off")
    if shown_panels:
        grid[0].legend(loc="best", edgecolor="none", framealpha=0.9, fontsize=7)
    figure.tight_layout(rect=(0, 0.4 / figure.get_figheight() * 0.4, 1, 1))
    return figure


def has_subgroups(source: Source) -> bool:
    """Return whether there are subgroups to draw."""
    return any(has_interval(row) for _, _, row in subgroup_rows(source))


def subgroups(source: Source) -> Figure:
    """Draw the difference within every planned subgroup, and the interactions."""
    marks: list[Mark] = []
    several = len(source.plan.subgroups) > 1 or len(source.plan.subgroups[0].outcomes) > 1
    places: dict[str, int] = {}
    for title, term, row in subgroup_rows(source):
        if not has_interval(row):
            continue
        places.setdefault(title, decimals(row["std_error"]))
        variable = source.name(row["subgroup"].partition(", ")[0])
        what = f"{'Interaction: ' * (term == Term.INTERACTION)}{subgroup_label(source, row)}"
        outcome = f"{source.name(row['outcome'])}: " * several
        label = f"{outcome}{variable}\n{what}"
        marks.append(
            Mark(label, row, estimate_text(row, places[title]), hollow=term == Term.INTERACTION)
        )
    outcomes = {mark.row["outcome"] for mark in marks}
    scales = {mark.row["scale"] for mark in marks}
    unit = scales.pop() if len(scales) == 1 else "units of the outcome"
    only = outcomes.pop() if len(outcomes) == 1 else None
    return forest(
        marks,
        f"Difference, {contrast(source)} ({unit})",
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, only) if only else [None, None],
    )
