"""Drawing rows of the results: forests, pair differences, courses, missing values."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ccp_analysis.report.format import decimals, known, number
from ccp_analysis.report.lookup import Row, Source, entries_of, inference_of
from ccp_analysis.report.tables_data import ALL, missing_counts
from ccp_analysis.report.tables_outcomes import by_method, level_of, named, with_interval
from ccp_analysis.results.terms import Inference, Model, Role, Term

WIDTH = 6.7  # inches, the text width of the report
INK, MUTED, RULE = "#1a1a1a", "#5f6368", "#c4c7cc"
REFERENCE, ACTIVE, STAMP = "#8a8f98", "#1f5a99", "#b3261e"
LINE = 0.17  # inches from line to line of text
BAR = 0.21  # inches from bar to bar


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
        fontsize=6.5,
        fontweight="bold",
        color=STAMP,
    )


def forest(
    marks: list[Mark],
    axis: str,
    heading: str,
    directions: list[str | None],
    compact: bool = False,
) -> Figure:
    """Draw estimates below one another, with their intervals as text beside them.

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

    Returns
    -------
    matplotlib.figure.Figure
    """
    wide, gap, size = (40, 0.04, 7.5) if compact else (36, 0.1, 8)
    labels = ["\n".join(textwrap.fill(p, wide) for p in mark.label.split("\n")) for mark in marks]
    heights = [max(0.17 + gap, LINE * (label.count("\n") + 1) + gap) for label in labels]
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
        shared = {"transform": beside, "va": "center", "weight": weight, "color": INK}
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
    return figure


def has_marks(source: Source, name: str) -> bool:
    """Return whether a forest of outcomes, of methods or of pairs has a line."""
    marks = {"forest": _of_outcomes, "methods": _of_methods, "pair_differences": _of_pairs}
    return bool(marks[name](source))


def _of_outcomes(source: Source) -> list[Mark]:
    marks = []
    for outcome in source.plan.outcomes:
        row = source.primary_row(outcome.id, term=Term.STANDARDISED)
        if row:
            primary = outcome.role == Role.PRIMARY
            marks.append(Mark(source.name(outcome.id), row, estimate_text(row, 2), strong=primary))
    return marks


def standardised(source: Source) -> Figure:
    """Draw the standardised difference of every outcome by the primary analysis."""
    marks = _of_outcomes(source)
    sides = {source.favours(mark.row["outcome"], +1) for mark in marks}
    directions: list[str | None] = [None, None]
    if len(sides - {None}) == 1:
        known_side = next(m for m in marks if source.favours(m.row["outcome"], +1))
        directions = direction_labels(source, known_side.row["outcome"])
        marks = [m if source.benefit(m.row["outcome"]) else _directed(source, m) for m in marks]
    else:
        marks = [_directed(source, mark) for mark in marks]
    return forest(
        marks,
        "Standardised difference (pooled within-arm SDs at baseline)",
        f"Estimate ({level_of(source)} CI)",
        directions,
    )


def _of_methods(source: Source) -> list[Mark]:
    marks = []
    for outcome in source.primary:
        first = source.primary_row(outcome.id) or {}
        places = decimals(first.get("std_error"))
        several = f"{source.name(outcome.id)}: " if len(source.primary) > 1 else ""
        for row in by_method(source, outcome.id):
            if known(row["conf_low"]):
                inference = inference_of(row)
                label = f"{several}{named(source, row)}\n({inference})"
                strong = row["role"] == Role.PRIMARY
                text = estimate_text(row, places, source.plan.confidence_level)
                marks.append(Mark(label, row, text, strong=strong))
    return marks


def methods(source: Source) -> Figure:
    """Draw the primary outcome by every analysis of the plan."""
    marks = _of_methods(source)
    return forest(
        marks,
        _axis(source, marks[0].row),
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, source.primary[0].id) if source.primary else [None, None],
    )


def _of_pairs(source: Source) -> list[Mark]:
    marks = []
    pair = source.study.clusters.pair
    imputed_first = sorted(entries_of(source, Model.TEAM_MEANS), key=lambda e: e.data != "imputed")
    for outcome in source.primary:
        for entry in imputed_first[:1]:
            shared = {"analysis": entry.id, "outcome": outcome.id}
            mean = source.one(**shared, term=Term.DIFFERENCE, inference=Inference.PAIRED_T)
            if mean is None:
                continue
            places = decimals((source.primary_row(outcome.id) or mean)["std_error"])
            marks += [
                Mark(
                    source.category(pair, row["level"]),
                    row,
                    estimate_text(row, places),
                    hollow=True,
                )
                for row in source.rows(**shared, term=Term.PAIR_DIFFERENCE)
            ]
            label = "Mean of the pairs (paired t)"
            marks.append(Mark(label, mean, estimate_text(mean, places), strong=True))
    return marks


def pair_differences(source: Source) -> Figure:
    """Draw the difference within each pair of clusters, and their mean with its interval."""
    marks = _of_pairs(source)
    return forest(
        marks,
        _axis(source, marks[-1].row),
        f"Estimate ({level_of(source)} CI)",
        direction_labels(source, source.primary[0].id) if source.primary else [None, None],
    )


def course(source: Source) -> Figure:
    """Draw observed means of the primary outcomes over the visits, with quartiles, by arm."""
    outcomes = source.primary
    figure = Figure(figsize=(WIDTH, 2.9 * len(outcomes) + 0.2))
    panels = figure.subplots(len(outcomes), squeeze=False)[:, 0]
    months = {visit.id: visit.months for visit in source.study.visits}
    shift = max(months.values()) * 0.006
    for axes, outcome in zip(panels, outcomes, strict=True):
        for (arm, label), look, side in zip(source.arms, arm_looks(), (-shift, shift), strict=True):
            rows = source.rows(analysis="descriptive", outcome=outcome.id, level=arm)
            terms = {(row["visit"], row["term"]): row["estimate"] for row in rows}
            seen = [v for v in months if known(terms.get((v, Term.MEAN)))]
            x = [months[v] + side for v in seen]
            low = [terms[v, Term.LOWER_QUARTILE] for v in seen]
            high = [terms[v, Term.UPPER_QUARTILE] for v in seen]
            axes.vlines(x, low, high, color=look["color"], linewidth=0.9, alpha=0.7)
            axes.plot(x, [terms[v, Term.MEAN] for v in seen], label=label, **look)
        axes.set_xticks(list(months.values()), [v.label for v in source.study.visits])
        axes.set_ylabel(textwrap.fill(source.name(outcome.id), 34))
        axes.grid(axis="y", color=RULE, linewidth=0.4)
        axes.set_axisbelow(True)
    panels[0].legend(loc="upper right", edgecolor="none", framealpha=1)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    return figure


def missing(source: Source) -> Figure:
    """Draw how many values of every incomplete variable are observed and missing, by arm."""
    shown = [
        (f"{source.name(name)}{', ' + source.visit(visit) if visit else ''}", counts)
        for name, visits in missing_counts(source).items()
        for visit, counts in visits.items()
        if ALL in counts and counts[ALL]["estimate"]
    ]
    height = 0.8 + BAR * max(1, len(shown))
    figure = Figure(figsize=(WIDTH, height))
    left, gap, right = 0.39, 0.03, 0.985
    wide = (right - left - gap) / 2
    for place, (arm, label) in enumerate(source.arms):
        tall = BAR * max(1, len(shown)) / height
        frame = (left + place * (wide + gap), 0.46 / height, wide, tall)
        axes = figure.add_axes(frame)
        _bars(axes, [counts.get(arm) for _, counts in shown], (REFERENCE, ACTIVE)[place])
        axes.set_title(label, fontsize=8, fontweight="bold", loc="left", color=INK)
        axes.set_xlabel("Participants")
        names = [name for name, _ in shown] if place == 0 else []
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
        if not shown:
            axes.text(0.5, 0.5, "nothing is missing", transform=axes.transAxes, ha="center")
    return figure


def _bars(axes: Axes, rows: list[Row | None], colour: str) -> None:
    """Draw for each row the people missing before a pale bar of all."""
    for y, row in enumerate(rows):
        if row is None:
            continue
        axes.barh(y, row["n"], height=0.62, color="#eceef1")
        axes.barh(y, row["estimate"], height=0.62, color=colour)
        text = f"{number(row['estimate'])} of {number(row['n'])}"
        axes.text(row["n"] * 0.985, y, text, va="center", ha="right", fontsize=7, color=INK)


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


def _axis(source: Source, row: Row) -> str:
    return f"{source.name(row['outcome'])}, difference ({row['scale']})"


def direction_labels(source: Source, outcome: str) -> list[str | None]:
    """Return what a difference below and above zero favours, where the configuration says it."""
    left, right = source.favours(outcome, -1), source.favours(outcome, +1)
    if left is None or right is None:
        return [None, None]
    return [f"\N{LEFTWARDS ARROW} favours {left}", f"favours {right} \N{RIGHTWARDS ARROW}"]


def _directed(source: Source, mark: Mark) -> Mark:
    """Say in the label which direction is better, or that it is not said anywhere."""
    benefit = source.benefit(mark.row["outcome"])
    said = f"{benefit} is better" if benefit else "direction of benefit not stated"
    return replace(mark, label=f"{mark.label}\n({said})")


def arm_looks() -> list[dict[str, object]]:
    """Return how lines of the two arms look, that of the reference first."""
    shared = {"linewidth": 1.4, "markersize": 5}
    hollow = {"marker": "o", "markerfacecolor": "white", "linestyle": "--"}
    return [{**shared, **hollow, "color": REFERENCE}, {**shared, "color": ACTIVE, "marker": "D"}]
