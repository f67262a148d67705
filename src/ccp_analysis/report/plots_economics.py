"""Drawing the economic evaluation: the plane, acceptability curves, and what moves the result."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccp_analysis.report.format import known, number, percent
from ccp_analysis.report.lookup import CURRENCY, Row, Source
from ccp_analysis.report.lookup_economics import (
    COST,
    ECONOMICS,
    NET_BENEFIT,
    QALY,
    QUADRANTS,
    evaluation,
    main_threshold,
    per_qaly,
    pounds,
    row_of,
    shares,
    variations,
)
from ccp_analysis.report.plots import (
    ACTIVE,
    INK,
    MUTED,
    REFERENCE,
    RULE,
    WIDTH,
    Mark,
    estimate_text,
    forest,
)
from ccp_analysis.report.tables_economics import MAIN
from ccp_analysis.report.tables_outcomes import contrast, level_of
from ccp_analysis.results.terms import Model, Term

DRAWN = 2000  # draws in the plane, at most
MARGIN = 1.25  # how far beyond the draws the axes of the plane reach
# Where the names of `QUADRANTS` stand in the plane, as fractions of it.
PLACES = ((0.98, 0.97), (0.02, 0.97), (0.98, 0.03), (0.02, 0.03))
CORNERS = dict(zip(QUADRANTS, PLACES, strict=True))
# Acceptability curves: by the regression, by the bootstrap.
CURVES = ("Net-benefit regression (t)", "Two-stage bootstrap")


def has_plane(source: Source) -> bool:
    """Return whether there are draws and a point estimate for the plane."""
    if source.draws is None or source.draws.empty:
        return False
    rows = row_of(source, COST), row_of(source, QALY)
    return all(row is not None and known(row["estimate"]) for row in rows)


def plane(source: Source) -> Figure:
    """Draw the cost-effectiveness plane: differences in costs over differences in QALYs."""
    draws = source.draws.sort_values("draw").head(DRAWN)
    cost, effect = row_of(source, COST)["estimate"], row_of(source, QALY)["estimate"]
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
    symbol = CURRENCY[source.economics.currency]
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
    slope = main_threshold(source.economics)
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


def curves(source: Source) -> dict[str, list[Row]]:
    """Return the points of both acceptability curves, by their names, by threshold."""
    rows = source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, term=Term.COST_EFFECTIVE)
    rows = [row for row in rows if known(row["estimate"]) and known(row["threshold"])]
    thresholds = source.economics.thresholds
    regression = [row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=t) for t in thresholds]
    both = (
        [row for row in regression if row in rows],
        [row for row in rows if row["model"] == Model.TWO_STAGE_BOOTSTRAP],
    )
    return {
        name: sorted(own, key=lambda row: row["threshold"])
        for name, own in zip(CURVES, both, strict=True)
        if own
    }


def acceptability(source: Source) -> Figure:
    """Draw how probable it is that the net benefit is above zero, over the thresholds."""
    figure = Figure(figsize=(WIDTH, 3.0))
    axes = figure.add_axes((0.085, 0.18, 0.88, 0.745))
    looks = (
        {"color": ACTIVE, "linewidth": 1.7},
        {"color": "#b06a00", "linewidth": 1.5, "linestyle": (0, (4, 2))},
    )
    for name, own in curves(source).items():
        x, y = ([row[column] for row in own] for column in ("threshold", "estimate"))
        axes.plot(x, y, label=name, zorder=3, **looks[CURVES.index(name)])
    thresholds = source.economics.thresholds
    axes.set_xlim(thresholds[0], thresholds[-1])
    axes.set_ylim(0, 1)
    axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    for threshold in source.economics.main_thresholds:
        axes.axvline(threshold, color=RULE, linewidth=0.9, zorder=1)
        axes.annotate(
            pounds(source, threshold),
            (threshold, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=MUTED,
            annotation_clip=False,
        )
    axes.xaxis.set_major_formatter(lambda value, _: number(value) or "")
    axes.set_xlabel(f"Threshold ({CURRENCY[source.economics.currency]} per QALY)", color=INK)
    axes.set_ylabel("Probability that the net benefit\nis above zero", color=INK)
    axes.legend(loc="best", edgecolor="none", framealpha=0.9, fontsize=7.5)
    return figure


def tornado_marks(source: Source) -> list[Mark]:
    """Return the net benefit of every variation, farthest from the main one first, that last."""
    main = evaluation(source, label=MAIN)
    if main.benefit is None or not known(main.benefit["estimate"]):
        return []
    centre = main.benefit["estimate"]
    rows = [(varied.label, varied.benefit) for varied in variations(source) if varied.benefit]
    rows = [(label, row) for label, row in rows if known(row["estimate"])]
    rows.sort(key=lambda pair: -abs(pair[1]["estimate"] - centre))
    level = source.plan.confidence_level
    marks = [Mark(label, row, estimate_text(row, 0, level)) for label, row in rows]
    return [*marks, Mark(MAIN, main.benefit, estimate_text(main.benefit, 0, level), strong=True)]


def tornado(source: Source) -> Figure:
    """Draw the net benefit at the main threshold for every variation of the evaluation."""
    marks = tornado_marks(source)
    active, reference = (source.arm(arm) for arm in source.study.arms.ordered[::-1])
    symbol = CURRENCY[source.economics.currency]
    figure = forest(
        marks,
        f"Net benefit at {per_qaly(source, main_threshold(source.economics))} ({symbol})",
        f"Estimate ({level_of(source)} CI)",
        [
            f"\N{LEFTWARDS ARROW} favours {reference}",
            f"favours {active} \N{RIGHTWARDS ARROW}",
        ],
        compact=True,
    )
    axes = figure.axes[0]
    centre = marks[-1].row["estimate"]
    axes.axvline(centre, color=ACTIVE, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    for mark, y in zip(marks, _lines(axes), strict=True):
        bar = {"color": REFERENCE, "linewidth": 6, "alpha": 0.45, "zorder": 1.5}
        axes.hlines(y, centre, mark.row["estimate"], **bar)
    axes.xaxis.set_major_formatter(lambda value, _: number(value) or "")
    axes.locator_params(axis="x", nbins=5)
    return figure


def _lines(axes: Axes) -> list[float]:
    """Return at what heights the estimates of a forest stand."""
    return [line.get_ydata()[0] for line in axes.lines if line.get_marker() in ("o", "D")]
