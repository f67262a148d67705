"""Drawing the imputation: its chains, what it filled in, and where the conclusion would tip."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ccp_analysis.groups import in_order
from ccp_analysis.report.format import MINUS
from ccp_analysis.report.lookup import Source
from ccp_analysis.report.plots import ACTIVE, INK, MUTED, REFERENCE, WIDTH

CHAINS = 10  # drawn at most
BINS = 15  # of a number, at most
MARGIN, CLEAR = 0.08, 0.22  # of a map's side: no labels at its edges, nor beside no delta
ABOVE, BELOW = "#9cc0e6", "#d3d6da"  # regions whose interval excludes zero


def imputed_outcomes(source: Source) -> list[str]:
    """Return the follow-ups of the primary outcomes whose chains and values are there."""
    if source.traces is None or source.values is None:
        return []
    there = set(source.traces["variable"]) & set(source.values["variable"])
    names = [f"{o.id}_{v.id}" for o in source.primary for v in source.study.follow_ups]
    return [name for name in names if name in there]


def imputation(source: Source) -> Figure:
    """Draw chains and values of the primary outcomes, a line for each follow-up."""
    names = imputed_outcomes(source)
    figure = Figure(figsize=(WIDTH, 2.05 * len(names) + 0.25))
    grid = figure.subplots(len(names), 2, squeeze=False)
    for place, ((left, right), name) in enumerate(zip(grid, names, strict=True)):
        _chains(left, source.traces[source.traces["variable"] == name])
        _values(source, right, source.values[source.values["variable"] == name], name)
        left.set_ylabel("\n".join(textwrap.wrap(source.variable(name), 32)), fontsize=7)
        if place == 0:
            titles = ("Mean of the imputed values", "Observed and imputed values")
            for axes, title in zip((left, right), titles, strict=True):
                axes.set_title(title, fontsize=8, fontweight="bold", loc="left", color=INK)
            right.legend(fontsize=7, frameon=False)
    for axes in grid[-1]:
        axes.set_xlabel("Iteration" if axes is grid[-1][0] else "Value", fontsize=7)
    figure.tight_layout(rect=(0, 0.2 / figure.get_figheight(), 1, 1))
    return figure


def _chains(axes: Axes, traces: pd.DataFrame) -> None:
    """Draw the first chains; of a category the share of its last level."""
    traces = traces[traces["level"].isin(in_order(traces["level"])[-1:])]
    chains = sorted(traces["chain"].unique())[:CHAINS]
    for place, chain in enumerate(chains):
        own = traces[traces["chain"] == chain].sort_values("iteration")
        colour = (ACTIVE, REFERENCE)[place % 2]
        axes.plot(own["iteration"], own["mean"], color=colour, linewidth=0.7, alpha=0.85)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(labelsize=6.5)


def _values(source: Source, axes: Axes, values: pd.DataFrame, name: str) -> None:
    """Draw the shares of the values observed as bars, of those imputed as a line."""
    observed, filled = values["imputation"] == 0, values["imputation"] > 0
    if (values["level"] != "").any():
        variable = next((n for n in (name, name.rpartition("_")[0]) if source.codes(n)), name)
        levels = in_order(values["level"])
        position = values["level"].map({level: place for place, level in enumerate(levels)})
        edges = np.arange(len(levels) + 1) - 0.5
        axes.set_xticks(range(len(levels)), [source.category(variable, code) for code in levels])
    else:
        position = values["value"].astype(float)
        edges = _edges(position.to_numpy())
    shared = {"bins": edges}
    for chosen, look in (
        (observed, {"color": BELOW, "label": "Observed"}),
        (filled, {"color": ACTIVE, "label": "Imputed", "histtype": "step", "linewidth": 1.3}),
    ):
        people = values.loc[chosen, "people"].to_numpy(dtype=float)
        if people.sum():
            axes.hist(position[chosen], weights=100 * people / people.sum(), **shared, **look)
    axes.set_ylabel("Per cent", fontsize=7)
    axes.tick_params(labelsize=6.5)


def _edges(values: np.ndarray) -> np.ndarray:
    """Return limits of bins; of whole numbers each holds as many of them."""
    low, high = values.min(), values.max()
    if high - low >= BINS or (values == values.round()).all():
        step = max(1.0, np.ceil((high - low + 1) / BINS))
        return np.arange(low - 0.5, high + step + 0.5, step)
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 1, low + 1])


def maps_of(source: Source) -> list[tuple[str, str]]:
    """Return analysis and outcome of every map of deltas."""
    if source.tipping is None or source.plan.sensitivity is None:
        return []
    there = set(zip(source.tipping["analysis"], source.tipping["outcome"], strict=True))
    asked = [(e.id, outcome) for e in source.plan.sensitivity.delta for outcome in e.outcomes]
    return [key for key in asked if key in there]


def tipping(source: Source) -> Figure:
    """Draw the difference over the deltas in either arm, and where its interval excludes zero."""
    keys = maps_of(source)
    lines = -(-len(keys) // 2)
    height = 3.3 * lines + 0.75
    figure = Figure(figsize=(WIDTH, height))
    columns = min(2, len(keys))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(keys) :]:
        axes.axis("off")
    for axes, (analysis, outcome) in zip(grid, keys, strict=False):
        points = source.tipping
        points = points[(points["analysis"] == analysis) & (points["outcome"] == outcome)]
        _map(axes, points)
        reference, active = (label for _, label in source.arms)
        axes.set_xlabel(f"Delta in {reference} ({points['scale'].iloc[0]})")
        axes.set_ylabel(f"Delta in {active} ({points['scale'].iloc[0]})")
        axes.set_title(
            textwrap.fill(source.name(outcome), 44), fontsize=8, fontweight="bold", loc="left"
        )
    figure.legend(
        handles=[
            Patch(facecolor=ABOVE, edgecolor=MUTED, label="interval above zero"),
            Patch(facecolor="white", edgecolor=MUTED, label="interval includes zero"),
            Patch(facecolor=BELOW, edgecolor=MUTED, label="interval below zero"),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.17 / height),
        ncols=3,
        fontsize=7,
        frameon=False,
    )
    side = 0.22 if columns == 1 else 0.09
    figure.subplots_adjust(
        left=side,
        right=1 - side if columns == 1 else 0.985,
        top=1 - 0.3 / height,
        bottom=0.98 / height,
        hspace=0.35,
        wspace=0.3,
    )
    return figure


def _map(axes: Axes, points: pd.DataFrame) -> None:
    """Draw lines of the same difference over regions of the same conclusion."""
    tables = {
        column: points.pivot_table(index="delta_active", columns="delta_reference", values=column)
        for column in ("estimate", "conf_low", "conf_high")
    }
    x, y = tables["estimate"].columns.to_numpy(), tables["estimate"].index.to_numpy()
    low, high, z = (tables[c].to_numpy() for c in ("conf_low", "conf_high", "estimate"))
    if low.max() > 0:
        axes.contourf(x, y, low, levels=[0, low.max() + 1], colors=[ABOVE])
    if high.min() < 0:
        axes.contourf(x, y, high, levels=[high.min() - 1, 0], colors=[BELOW])
    if np.ptp(z) > 0:
        lines = axes.contour(x, y, z, levels=7, colors=[INK], linewidths=0.8, linestyles="solid")
        axes.clabel(
            lines,
            fontsize=7,
            fmt=lambda value: f"{value:g}".replace("-", MINUS),
            manual=_places(lines.allsegs, x, y),
        )
    axes.plot(0, 0, marker="D", markersize=5, color=ACTIVE, markeredgecolor="white", zorder=4)
    axes.annotate(
        "no delta",
        (0, 0),
        (5, 4),
        textcoords="offset points",
        fontsize=7,
        color=ACTIVE,
        zorder=4,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )
    axes.tick_params(labelsize=7)


def _places(lines: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray) -> list[tuple]:
    """Return where lines are labelled: mid-way, but off the edges and off the mark at no delta.

    A line of which no part lies there, as in a corner, has no label.
    """
    low, wide = np.array([x[0], y[0]]), np.array([np.ptp(x), np.ptp(y)])
    found = []
    for points in (line for level in lines for line in level if len(line) > 1):
        steps = np.linspace(0, len(points) - 1, 201)
        track = np.column_stack([np.interp(steps, range(len(points)), part) for part in points.T])
        at = (track - low) / wide
        inside = ((at > MARGIN) & (at < 1 - MARGIN)).all(axis=1)
        free = np.abs(at + low / wide) > np.array([CLEAR, CLEAR / 2])  # of where both are zero
        chosen = np.flatnonzero(inside & free.any(axis=1))
        if chosen.size:
            # Lines of the same difference rise: their middles lie on the falling diagonal.
            middle = chosen[np.argmin(np.abs(at[chosen].sum(axis=1) - 1))]
            found.append(tuple(track[middle]))
    return found
