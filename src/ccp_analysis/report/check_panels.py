"""Drawing the checks of a model: residuals, the course on the baseline, influence."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pandas as pd

from ccp_analysis.config.plan import Outcome
from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import others
from ccp_analysis.report.drawing import ACTIVE, INK, MANY_MARKS, MUTED, REFERENCE, WIDTH
from ccp_analysis.report.source import Source
from ccp_analysis.results.terms import Term

SMOOTH = "#b3261e"


def has_panels(source: Source, analysis: str, outcomes: list[Outcome]) -> bool:
    """Return whether any of the outcomes has checks to draw."""
    names = {outcome.id for outcome in outcomes}
    # A point is a person.
    return not source.study.guarded and any(
        row["outcome"] in names and row["term"] != Term.ALL_CHECKS
        for row in source.rows(analysis=f"checks_{analysis}")
    )


def panels(source: Source, analysis: str, place: int) -> Figure:
    """Draw all checks of a primary outcome, by its place, as small multiples, three to a line."""
    outcome = source.primary[place]
    drawn = PANELS if source.study.clusters else [p for p in PANELS if p[0] != "random_effect_qq"]
    lines = -(-len(drawn) // 3)
    figure = Figure(figsize=(WIDTH, 2.15 * lines + 0.65))
    grid = figure.subplots(lines, 3, squeeze=False).ravel()
    points = _points(source, analysis, outcome.id)
    for axes, (check, title, draw) in zip(grid, drawn, strict=False):
        draw(source, axes, points)
        heading = title.format(unit=_unit(source))
        axes.set_title(heading, fontsize=7.5, fontweight="bold", loc="left")
        axes.set_xlabel(AXES[check][0].format(unit=_unit(source)), fontsize=7)
        axes.set_ylabel(AXES[check][1].format(unit=_unit(source)), fontsize=7)
        axes.tick_params(labelsize=7)
    _key(source, list(grid[len(drawn) :]))
    figure.subplots_adjust(left=0.085, right=0.985, top=0.9, bottom=0.16, wspace=0.42, hspace=0.62)
    return figure


def small(source: Source, analysis: str, page: int) -> Figure:
    """Draw the checks of the other outcomes, a line for each."""
    outcomes = others(source, page)
    drawn = [panel for panel in PANELS if panel[0] != "random_effect_qq"]
    figure = Figure(figsize=(WIDTH, 1.32 * len(outcomes) + 0.75))
    grid = figure.subplots(len(outcomes), len(drawn), squeeze=False)
    for place, (line, outcome) in enumerate(zip(grid, outcomes, strict=True)):
        points = _points(source, analysis, outcome.id)
        for axes, (_, title, draw) in zip(line, drawn, strict=True):
            draw(source, axes, points)
            axes.tick_params(labelsize=7, length=2)
            if place == 0:
                axes.set_title(title, fontsize=7, fontweight="bold", loc="left")
        line[0].set_ylabel(textwrap.fill(source.name(outcome.id), 18), fontsize=7)
    tall = figure.get_figheight()
    figure.subplots_adjust(
        left=0.1, right=0.985, top=1 - 0.25 / tall, bottom=0.42 / tall, wspace=0.3, hspace=0.34
    )
    return figure


def _points(source: Source, analysis: str, outcome: str) -> pd.DataFrame:
    points = source.points
    return points[(points["analysis"] == analysis) & (points["outcome"] == outcome)]


def _of(points: pd.DataFrame, check: str) -> pd.DataFrame:
    return points[points["check"] == check]


def _scatter(source: Source, axes: Axes, points: pd.DataFrame) -> None:
    """Draw points in the colours of their arms, the reference hollow."""
    for arm, colour in zip(source.study.arms.ordered, (REFERENCE, ACTIVE), strict=True):
        own = points[points["label"] == arm]
        hollow = arm == source.study.arms.reference
        axes.plot(
            own["x"],
            own["y"],
            linestyle="none",
            marker="o",
            markersize=2.6,
            markeredgewidth=0.6,
            markeredgecolor=colour,
            markerfacecolor="none" if hollow else colour,
            alpha=0.85,
            rasterized=len(points) > MANY_MARKS,
        )


def _quantiles(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the line on which standard normal quantiles lie."""
    if len(points):
        ends = [points["x"].min(), points["x"].max()]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8, zorder=1)


def _residual_qq(source: Source, axes: Axes, points: pd.DataFrame) -> None:
    own = _of(points, "residual_qq")
    _quantiles(axes, own)
    _scatter(source, axes, own)


def _effect_qq(source: Source, axes: Axes, points: pd.DataFrame) -> None:
    own = _of(points, "random_effect_qq")
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
    axes.plot(own["x"], own["y"], linestyle="none", marker="s", markersize=3, color=INK)
    variable = source.study.clusters.unit if source.study.clusters else ""
    # Effects of a pair mirror each other, so that neighbours are near: labels go to both sides.
    for place, (x, y, label) in enumerate(own[["x", "y", "label"]].itertuples(index=False)):
        right = place % 2 == 1
        axes.annotate(
            source.category(variable, label),
            (x, y),
            (3.5 if right else -3.5, -1.5),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=7,
            color=MUTED,
        )
    axes.margins(x=0.2)


def _fitted(source: Source, axes: Axes, points: pd.DataFrame) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
    _scatter(source, axes, _of(points, "residual_fitted"))
    course = _of(points, "residual_fitted_lowess")
    axes.plot(course["x"], course["y"], color=SMOOTH, linewidth=1.1)


def _baseline(source: Source, axes: Axes, points: pd.DataFrame) -> None:
    _scatter(source, axes, _of(points, "baseline"))
    course = _of(points, "baseline_lowess")
    for arm, style in zip(source.study.arms.ordered, ("--", "-"), strict=True):
        own = course[course["label"] == arm]
        axes.plot(own["x"], own["y"], color=SMOOTH, linewidth=1.1, linestyle=style)


def _cook(_: Source, axes: Axes, points: pd.DataFrame) -> None:
    """Draw distances against leverage; who the people are stands in no document."""
    own = _of(points, "cook")
    as_image = len(own) > MANY_MARKS
    axes.vlines(own["x"], 0, own["y"], color=MUTED, linewidth=0.5, rasterized=as_image)
    [dots] = axes.plot(own["x"], own["y"], linestyle="none", marker="o", markersize=2.2, color=INK)
    dots.set_rasterized(as_image)
    if len(own):
        axes.axhline(4 / len(own), color=SMOOTH, linewidth=0.7, linestyle=":")
    axes.set_ylim(bottom=0)


def _unit(source: Source) -> str:
    return source.study.clusters.unit_label if source.study.clusters else "cluster"


def _key(source: Source, free: list[Axes]) -> None:
    """Explain the marks in the first panel that is left over."""
    for axes in free:
        axes.axis("off")
    if not free:
        return
    axes = free[0]
    looks = zip(source.arms, (REFERENCE, ACTIVE), strict=True)
    for (arm, label), colour in looks:
        face = "none" if arm == source.study.arms.reference else colour
        axes.plot([], [], "o", color=colour, markerfacecolor=face, markersize=3.5, label=label)
    axes.plot([], [], color=SMOOTH, linewidth=1.1, label="Smooth course (lowess)")
    axes.plot([], [], color=SMOOTH, linewidth=0.7, linestyle=":", label="4/n")
    axes.legend(loc="center left", fontsize=7, frameon=False)


Draw = Callable[[Source, Axes, pd.DataFrame], None]
PANELS: list[tuple[str, str, Draw]] = [
    ("residual_qq", "Residuals: quantiles", _residual_qq),
    ("residual_fitted", "Residuals: course", _fitted),
    ("baseline", "Course on the baseline", _baseline),
    ("cook", "Cook's distances", _cook),
    ("random_effect_qq", "Effects of {unit}s", _effect_qq),
]
AXES = {
    "residual_qq": ("normal quantile", "standardised residual"),
    "residual_fitted": ("fitted value", "standardised residual"),
    "baseline": ("outcome at baseline", "adjusted outcome"),
    "cook": ("leverage", "Cook's distance"),
    "random_effect_qq": ("normal quantile", "predicted effect of the {unit}"),
}
