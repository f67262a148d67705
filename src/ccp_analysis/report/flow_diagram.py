"""The participant flow as a diagram in the manner of CONSORT."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ccp_analysis.report.format import number, uncapitalised
from ccp_analysis.report.lookup import DATA, Row, Source
from ccp_analysis.report.plots import INK, LINE, MUTED, WIDTH
from ccp_analysis.report.tables_outcomes import by_method, participants
from ccp_analysis.results.terms import Model, Population

COLUMN, GAP, PAD = 2.95, 0.3, 0.1
GROUND = "#eef1f5"
PEOPLE = {
    Population.COMPLETED: "Everyone with a baseline interview, missing values imputed",
    Population.COMPLETE_CASES: "Complete cases",
    Population.OBSERVED_VISITS: "Everyone with a follow-up interview",
}
WITH_BASELINE = (Model.DID, Model.CLDA)  # models in which the baseline is a visit too

Lines = list[tuple[str, bool]]  # text, and whether it is a heading


def flow(source: Source) -> Figure:
    """Draw recruitment, allocation, every visit with its reasons, and who was analysed.

    Parameters
    ----------
    source : Source
        The flow, and the rows of the primary outcome for who was analysed.

    Returns
    -------
    matplotlib.figure.Figure
        One column for each arm.
    """
    first, *visits = source.flow["stages"]
    arms = source.study.arms.ordered
    top = [(f"{first['label']} (n = {number(first['n'])})", True)]
    rows = [[_allocated(source, first, arm) for arm in arms]]
    rows += [[_visited(source, visit, arm) for arm in arms] for visit in visits]
    bottom = _analysed(source)
    how = "Randomised" if source.study.randomised else "Allocated, not randomised"
    if source.study.clusters:
        how = f"{how}; the arm is a property of the {source.study.clusters.unit_label}"
    heights = [_height(top), *(max(map(_height, row)) for row in rows), _height(bottom)]
    total = sum(heights) + GAP * (len(heights) - 1) + 0.12 + 0.4
    figure = Figure(figsize=(WIDTH, total))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(-total, 0))
    axes.axis("off")
    middle, centres = WIDTH / 2, (WIDTH / 4 + 0.06, 3 * WIDTH / 4 - 0.06)
    y = -0.06
    _box(axes, top, middle, y, COLUMN, heights[0], GROUND)
    y -= heights[0]
    _fork(axes, middle, centres, y, how)
    y -= GAP + 0.2
    for row, height in zip(rows, heights[1:-1], strict=True):
        for lines, centre in zip(row, centres, strict=True):
            _box(axes, lines, centre, y, COLUMN, height, GROUND if row is rows[0] else "white")
            _arrow(axes, centre, y - height, y - height - GAP)
        y -= height + GAP
    _box(axes, bottom, middle, y, centres[1] - centres[0] + COLUMN, heights[-1], GROUND)
    return figure


def _allocated(source: Source, stage: Row, arm: str) -> Lines:
    return [(source.arm(arm), True), (f"Recruited (n = {number(stage['by_arm'][arm])})", False)]


def _visited(source: Source, stage: Row, arm: str) -> Lines:
    lines: Lines = [(f"{stage['label']}: interviewed (n = {number(stage['by_arm'][arm])})", True)]
    reasons = [r for r in stage["missing"] if r["by_arm"][arm]]
    if reasons:
        total = stage.get("missing_by_arm", {}).get(arm)
        count = "" if total is None else f" (n = {number(total)})"
        lines.append((f"Not interviewed{count}:", False))
    for reason in reasons:
        label = uncapitalised(source.reason(stage["stage"], reason["reason"]))
        text = f"{label} (n = {number(reason['by_arm'][arm])})"
        wrapped = textwrap.wrap(text, 42, initial_indent="   ", subsequent_indent="      ")
        lines += [(part, False) for part in wrapped]
    return lines


def _analysed(source: Source) -> Lines:
    lines: Lines = []
    for outcome in source.primary:
        lines.append((f"Analysed: {source.name(outcome.id)}", True))
        counts: dict[tuple[str, float | None], None] = {}
        for row in by_method(source, outcome.id):
            population = row["population"]
            said = PEOPLE.get(population, DATA.get(population, population))
            if row["model"] in WITH_BASELINE and population == Population.OBSERVED_VISITS:
                said = "Everyone with a value at any visit, the baseline included"
            if said:
                counts[said, participants(row)] = None
        lines += [(f"{said} (n = {number(n)})", False) for said, n in counts]
    return lines


def _height(lines: Lines) -> float:
    return LINE * len(lines) + 2 * PAD


def _box(
    axes: Axes, lines: Lines, centre: float, top: float, width: float, height: float, fill: str
) -> None:
    left = centre - width / 2
    axes.add_patch(
        Rectangle((left, top - height), width, height, facecolor=fill, edgecolor=INK, linewidth=0.7)
    )
    for place, (text, heading) in enumerate(lines):
        axes.text(
            left + PAD,
            top - PAD - LINE * (place + 0.5),
            text,
            va="center",
            fontsize=7.8,
            fontweight="bold" if heading else "normal",
            color=INK,
        )


def _fork(axes: Axes, middle: float, centres: tuple[float, float], top: float, how: str) -> None:
    level = top - 0.22
    axes.plot([middle, middle], [top, level], color=INK, linewidth=0.7)
    axes.plot(centres, [level, level], color=INK, linewidth=0.7)
    for centre in centres:
        _arrow(axes, centre, level, top - GAP - 0.2)
    axes.text(
        middle, level - 0.14, how, ha="center", va="center", fontsize=7, style="italic", color=MUTED
    )


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    axes.add_patch(
        FancyArrowPatch(
            (x, start),
            (x, end),
            arrowstyle="-|>",
            mutation_scale=8,
            shrinkA=0,
            shrinkB=0,
            color=INK,
            linewidth=0.7,
        )
    )
