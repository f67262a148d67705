"""What figures share: their look, forests, and how they are written."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from ccp_analysis import files
from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import with_interval
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.words import known

TALL = 215 / 25.4  # inches that a figure may be high: documents make smaller what is taller
WIDTH = 170 / 25.4  # inches, the text width of the report: nothing is made smaller there
INK, MUTED, RULE = "#1a1a1a", "#5f6368", "#c4c7cc"
REFERENCE, ACTIVE, STAMP = "#8a8f98", "#1f5a99", "#b3261e"
LINE = 0.17  # inches from line to line of text
OBSERVED = "#e3e6ea"
ABOVE, BELOW = "#9cc0e6", "#d3d6da"  # regions whose interval excludes zero
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has the same
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar in a label is a dollar
    "svg.fonttype": "none",
    "svg.hashsalt": "ccp-analysis",
}
MANY_MARKS = 1000  # marks, one for each person, from which on an SVG has them as an image
SAMPLED = 100  # pixels for one of the sample that colours are chosen of
DOTS = 300  # per inch, of a PNG and of what is rasterised in an SVG
FONT, FALLBACK = "'DejaVu Sans'", ", Verdana, sans-serif"  # as wide, where a reader has no DejaVu


@dataclass(frozen=True)
class Mark:
    """One line of a forest: an estimate with or without its interval."""

    label: str
    row: Row
    text: str
    strong: bool = False
    hollow: bool = False


def stamp(figure: Figure, label: str) -> None:
    """Write the kind of data into the lower left corner of a figure."""
    height = figure.get_figheight()
    figure.text(
        0.02 / figure.get_figwidth(),
        0.04 / height,
        label,
        ha="left",
        va="bottom",
        fontsize=7,
        fontweight="bold",
        color=STAMP,
    )


MANY = 12  # lines of a forest that stand closer
MOST_LINES = 4  # of either part of a label
AROUND = 1.05  # inches that axis and heading of a forest take


def forest(
    marks: list[Mark],
    axis: str,
    heading: str,
    directions: list[str | None],
    compact: bool = False,
    last: bool = False,
) -> Figure:
    """Draw estimates below one another, with their intervals as text beside them.

    Of more lines than fit on a page the first are drawn, and the figure says how many are not.

    Parameters
    ----------
    marks : list of Mark
        From top to bottom.
    axis : str
        Label of the axis.
    heading : str
        What stands over the column of text.
    directions : list of str or None
        Left and right: what a difference of that sign favours, where it is known.
    compact : bool
        Whether lines stand closer and labels are smaller, where there are many.
    last : bool
        Whether the last line stays, whatever is left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    compact, every = compact or len(marks) > MANY, len(marks)
    marks = fitting(marks, compact, last)
    size = 7.5 if compact else 8
    labels, heights = _lines(marks, compact)
    below, above = 0.72 if any(directions) else 0.5, 0.3
    height = sum(heights) + below + above
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.345, below / height, 0.405, sum(heights) / height))
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    top = 0.0
    for mark, label, tall in zip(marks, labels, heights, strict=True):
        y = top - tall / 2
        _interval(axes, mark, y)
        weight = "bold" if mark.strong else "normal"
        beside = axes.get_yaxis_transform()
        shared: dict[str, Any] = {
            "transform": beside,
            "va": "center",
            "weight": weight,
            "color": INK,
        }
        axes.text(-0.85, y, label, fontsize=size, **shared)
        axes.text(1.04, y, mark.text, fontsize=size, **shared)
        top -= tall
    axes.text(1.04, 0.08, heading, transform=axes.get_yaxis_transform(), va="bottom", color=MUTED)
    axes.set_ylim(top, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _symmetric(axes, marks)
    axes.set_xlabel(axis, color=INK)
    for sign, text in zip((-1, 1), directions, strict=True):
        if text:
            axes.annotate(
                text,
                (0, 0),
                (6 * sign, -32),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right" if sign < 0 else "left",
                va="top",
                fontsize=7,
                color=MUTED,
                annotation_clip=False,
            )
    if len(marks) < every:
        figure.text(
            0.985,
            0.04 / height,
            f"and {every - len(marks)} more, in the table",
            ha="right",
            va="bottom",
            fontsize=7,
            color=MUTED,
        )
    return figure


def _lines(marks: list[Mark], compact: bool) -> tuple[list[str], list[float]]:
    """Return the labels of a forest, broken into lines, and how high each is in inches."""
    wide, gap = 40 if compact else 36, 0.04
    labels = [
        "\n".join(
            textwrap.fill(part, wide, max_lines=MOST_LINES, placeholder=" …")
            for part in mark.label.split("\n")
        )
        for mark in marks
    ]
    return labels, [max(0.17, 0.145 * (label.count("\n") + 1)) + gap for label in labels]


def on_pages(marks: list[Mark], compact: bool = False) -> list[list[Mark]]:
    """Return the lines of a forest, those of each page together."""
    pages: list[list[Mark]] = [[]]
    top = 0.0
    for mark, height in zip(marks, _lines(marks, compact or len(marks) > MANY)[1], strict=True):
        if pages[-1] and top + height > TALL - AROUND:
            pages.append([])
            top = 0.0
        pages[-1].append(mark)
        top += height
    return pages


def fitting(marks: list[Mark], compact: bool, last: bool) -> list[Mark]:
    """Return the first of the lines of a forest, as many as fit on a page."""
    first, *more = on_pages([*marks[-1:], *marks[:-1]] if last else marks, compact)
    if not more:
        return marks
    return [*first[1:], first[0]] if last else first


def panel(high: float, panels: int, fixed: float) -> float:
    """Return how high each of panels below one another may be, in inches, at most so high."""
    return min(high, (TALL - fixed) / max(1, panels))


def within(each: float, fixed: float) -> int:
    """Return how many lines of a height, in inches, fit on a page beside what is fixed."""
    return max(1, int((TALL - fixed) / each + 1e-9))


def _interval(axes: Axes, mark: Mark, y: float) -> None:
    row = mark.row
    if not known(row["estimate"]):
        return
    colour = ACTIVE if mark.strong else INK
    if known(row["conf_low"]) and known(row["conf_high"]):
        axes.hlines(y, row["conf_low"], row["conf_high"], color=colour, linewidth=1.2, zorder=2)
    axes.plot(
        row["estimate"],
        y,
        marker="D" if mark.strong else "o",
        markersize=5.5 if mark.strong else 4.5,
        markerfacecolor="white" if mark.hollow else colour,
        markeredgecolor=colour,
        linestyle="none",
        zorder=3,
    )


def _symmetric(axes: Axes, marks: list[Mark]) -> None:
    """Let the axis reach as far to the left of zero as to its right."""
    ends = [m.row[c] for m in marks for c in ("estimate", "conf_low", "conf_high")]
    reach = max((abs(end) for end in ends if known(end)), default=1.0) or 1.0
    axes.set_xlim(-1.06 * reach, 1.06 * reach)


def estimate_text(row: Row, places: int, level: float | None = None) -> str:
    """Write an estimate with its interval beside a forest."""
    return with_interval(row, places, level) or "not estimated"


def axis_label(source: Source, row: Row) -> str:
    """Return what stands at the axis of differences of an outcome."""
    return f"{source.name(row['outcome'])}, difference ({row['scale']})"


def direction_labels(source: Source, outcome: str) -> list[str | None]:
    """Return what a difference below and above zero favours, where the configuration says it."""
    left, right = source.favours(outcome, -1), source.favours(outcome, +1)
    if left is None or right is None:
        return [None, None]
    return [f"\N{LEFTWARDS ARROW} favours {left}", f"favours {right} \N{RIGHTWARDS ARROW}"]


def arm_looks() -> list[dict[str, Any]]:
    """Return how lines of the two arms look, that of the reference first."""
    shared = {"linewidth": 1.4, "markersize": 5}
    hollow = {"marker": "o", "markerfacecolor": "white", "linestyle": "--"}
    return [{**shared, **hollow, "color": REFERENCE}, {**shared, "color": ACTIVE, "marker": "D"}]


def save(figure: Figure, out: Path, name: str) -> None:
    """Write a figure as SVG and as PNG, the same bytes at any time.

    Of 256 colours chosen from its own a PNG is a third of the size, here and in the DOCX.
    """
    drawn = io.StringIO()
    nobody = {"Date": None, "Creator": None}
    figure.savefig(drawn, format="svg", dpi=DOTS, metadata=nobody)
    text = drawn.getvalue().replace(FONT, FONT + FALLBACK)
    files.write_text(out / f"{name}.svg", text.replace("<text ", '<text xml:space="preserve" '))
    figure.set_dpi(DOTS)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    few = few_colours(np.asarray(canvas.buffer_rgba()).view(np.uint32)[..., 0])
    files.write_whole(out / f"{name}.png", lambda path: few.save(path, dpi=(DOTS, DOTS)))


def few_colours(pixels: npt.NDArray[np.uint32]) -> Image.Image:
    """Return an image of 256 colours of its own; colours are chosen of a sample that has them all.

    Most pixels are as the one before them: colours are looked for where they change.
    """
    flat = pixels.ravel()
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    often = np.diff(starts, append=len(flat))
    found, colours = pd.factorize(flat[starts])  # without sorting so many
    order = np.argsort(colours)
    colours, which = colours[order], np.argsort(order)[found]
    times = np.bincount(which, often).astype(int) // SAMPLED + 1
    sample = np.repeat(colours, times).view(np.uint8).reshape(1, -1, 4)[..., :3]
    chosen = Image.fromarray(sample).quantize(
        256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    index = np.asarray(chosen)[0, np.cumsum(times) - 1]
    few = Image.fromarray(np.repeat(index[which], often).reshape(pixels.shape))
    few.putpalette(chosen.getpalette() or [])
    return few


def nothing() -> Figure:
    """Return a figure that says that there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1))
    figure.text(0.5, 0.5, "no results to draw", ha="center", va="center")
    return figure
