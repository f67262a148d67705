"""The cost-effectiveness plane."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccp_analysis.report.cells import contrast, of_whom
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, WIDTH
from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    QALY,
    QUADRANTS,
    has_few_pairs,
    main_threshold,
    per_qaly,
    perspective,
    pounds,
    row_of,
    shares,
)
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, has_economics
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.words import known, listed, number, percent
from ccp_analysis.results.terms import Model, Term

DRAWN = 2000  # draws in the plane, at most
MARGIN = 1.25  # how far beyond the draws the axes of the plane reach
# Where the names of `QUADRANTS` stand in the plane, as fractions of it.
PLACES = ((0.98, 0.97), (0.02, 0.97), (0.98, 0.03), (0.02, 0.03))
CORNERS = dict(zip(QUADRANTS, PLACES, strict=True))


def said(source: Source) -> str:
    """Say how the bootstrap's draws lie in the plane, and how far they can be trusted."""
    parts = [
        f"{quadrant.replace(', ', ' and ')} in {percent(share)}%"
        for quadrant, share in shares(source).items()
    ]
    if not parts:
        return ""
    clusters = source.study.clusters
    what = "participants"
    limit = "The intervals and probabilities to go by are those of the regression."
    if clusters:
        what = f"whole {clusters.pair_label}s, and people within their {clusters.unit_label}s"
    if clusters and has_few_pairs(source):
        limit = (
            f"There are few {clusters.pair_label}s to draw from, so that its draws may vary less "
            "than results would from study to study; intervals and probabilities to go by are "
            "those of the regression, whose degrees of freedom allow for that."
        )
    arms = [source.arm(arm) for arm in source.study.arms.ordered]
    drawn = source.one(
        analysis=ECONOMICS, outcome=COST, term=Term.DIFFERENCE, model=Model.TWO_STAGE_BOOTSTRAP
    )
    centre = (
        f"Every draw is imputed by a model of its own; their mean difference in costs is "
        f"{pounds(source, drawn['estimate'])}. "
        if drawn and known(drawn["estimate"])
        else ""
    )
    return (
        f"The bootstrap draws {what}. {centre}Set against {arms[0]}, {arms[1]} was {listed(parts)} "
        f"of its draws. {limit}"
    )


def has_plane(source: Source) -> bool:
    """Return whether there are draws and a point estimate for the plane."""
    return not source.draws.empty and len(_estimates(source)) == 2


def _estimates(source: Source) -> list[Row]:
    """Return the differences in costs and in QALYs, those that were estimated."""
    rows = row_of(source, COST), row_of(source, QALY)
    return [row for row in rows if row and known(row["estimate"])]


def draw_plane(source: Source) -> Figure:
    """Draw the cost-effectiveness plane: differences in costs over differences in QALYs."""
    draws = source.draws.sort_values("draw").head(DRAWN)
    cost, effect = (row["estimate"] for row in _estimates(source))
    figure = Figure(figsize=(WIDTH, 4.0))
    axes = figure.add_axes((0.115, 0.14, 0.865, 0.84))
    across = _reach(draws["effect"], effect)
    up = _reach(draws["cost"], cost)
    axes.set_xlim(-across, across)
    axes.set_ylim(-up, up)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.scatter(
        draws["effect"],
        draws["cost"],
        s=5,
        color=ACTIVE,
        alpha=0.3,
        linewidths=0,
        rasterized=True,
        zorder=2,
        label="draws",
    )
    _threshold(axes, source, across, up)
    axes.plot(
        effect,
        cost,
        marker="D",
        markersize=6.5,
        markerfacecolor=INK,
        markeredgecolor="white",
        linestyle="none",
        zorder=4,
        label="point estimate",
    )
    _corners(axes, shares(source))
    symbol = CURRENCY[source.evaluation.currency]
    axes.set_xlabel(f"Difference in QALYs, {contrast(source)}", color=INK)
    axes.set_ylabel(f"Difference in costs ({symbol})", color=INK)
    axes.yaxis.set_major_formatter(lambda value, _: number(value) or "")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _reach(draws: np.ndarray, estimate: float) -> float:
    """Return how far an axis reaches on either side of zero."""
    return MARGIN * float(max(np.abs(draws).max(), abs(estimate))) or 1.0


def _threshold(axes: Axes, source: Source, across: float, up: float) -> None:
    """Draw the line on which the net benefit at the main threshold is zero."""
    slope = main_threshold(source.evaluation)
    end = min(across, up / slope) if slope else across
    ends = np.array([-end, end])
    axes.plot(ends, ends * slope, color=INK, linewidth=1, linestyle=(0, (5, 3)))
    # The label stands below the line, well inside the end of it, clear of the corner's text.
    x = 0.62 * end
    axes.annotate(
        per_qaly(source, slope),
        (x, x * slope),
        (6, -5),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=7,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85},
        zorder=5,
    )


def _corners(axes: Axes, found_shares: dict[str, float]) -> None:
    for quadrant, (x, y) in CORNERS.items():
        share = percent(found_shares.get(quadrant))
        said = f"\n{share}%" if share else ""
        axes.text(
            x,
            y,
            f"{quadrant}{said}",
            transform=axes.transAxes,
            ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom",
            fontsize=7.5,
            color=INK,
            linespacing=1.35,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
            zorder=5,
        )


def _legend(source: Source) -> tuple[str, str]:
    draws = len(source.draws)
    shown = f"the first {number(DRAWN)} of {number(draws)}" if draws > DRAWN else number(draws)
    cost, qaly = _estimates(source)
    at = per_qaly(source, main_threshold(source.evaluation))
    parts = [f"{quadrant}, {percent(share)} per cent" for quadrant, share in shares(source).items()]
    return (
        f"Cost-effectiveness plane ({contrast(source)}, {perspective(source)}): draws of the "
        f"two-stage bootstrap ({shown} drawn), the shares of all draws in the four quadrants, and "
        f"the estimate of the main analysis (diamond; ANCOVA, {of_whom(cost)}). On the dashed line "
        f"the net benefit at {at} is zero; below and to the right of it, it is above zero.",
        f"Scatter plot of differences in costs over differences in QALYs. The estimate is "
        f"{pounds(source, cost['estimate'])} and {number(qaly['estimate'], 3)} QALYs. Of the "
        f"draws: {'; '.join(parts)}.",
    )


def _items(of: Configured) -> Iterator[Item]:
    yield FigureItem("plane", draw_plane, _legend, has_plane)


SECTION = Section("plane", _items, lambda source: {"plane": said(source)}, there=has_economics)
