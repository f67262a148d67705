"""Maps of differences over two deltas, with regions of the same conclusion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.report.canvas import Axes
from ccp_analysis.report.drawing import ABOVE, ACTIVE, BELOW, INK
from ccp_analysis.report.words import MINUS

MARGIN, CLEAR = 0.08, 0.22  # of a map's side: no labels at its edges, nor beside no delta


def draw_map(
    axes: Axes,
    points: pd.DataFrame,
    neutral: tuple[float, float] = (0.0, 0.0),
    label: str = "no delta",
) -> None:
    """Draw lines of the same difference over regions of the same conclusion."""
    from matplotlib.patheffects import withStroke

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
            manual=_label_places(lines.allsegs, x, y, neutral),
        )
    axes.plot(*neutral, marker="D", markersize=5, color=ACTIVE, markeredgecolor="white", zorder=4)
    axes.annotate(
        label,
        neutral,
        (5, 4),
        textcoords="offset points",
        fontsize=7,
        color=ACTIVE,
        zorder=4,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )
    axes.tick_params(labelsize=7)


def _label_places(
    lines: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray, neutral: tuple[float, float]
) -> list[tuple]:
    """Return where lines are labelled: mid-way, off the edges and the mark; not where none is."""
    low, wide = np.array([x[0], y[0]]), np.array([np.ptp(x), np.ptp(y)])
    found = []
    for points in (line for level in lines for line in level if len(line) > 1):
        steps = np.linspace(0, len(points) - 1, 201)
        track = np.column_stack([np.interp(steps, range(len(points)), part) for part in points.T])
        at = (track - low) / wide
        inside = ((at > MARGIN) & (at < 1 - MARGIN)).all(axis=1)
        free = np.abs(at + (low - neutral) / wide) > np.array(
            [CLEAR, CLEAR / 2]
        )  # of where nothing changes
        chosen = np.flatnonzero(inside & free.any(axis=1))
        if chosen.size:
            # Lines of the same difference rise: their middles lie on the falling diagonal.
            middle = chosen[np.argmin(np.abs(at[chosen].sum(axis=1) - 1))]
            found.append(tuple(track[middle]))
    return found
