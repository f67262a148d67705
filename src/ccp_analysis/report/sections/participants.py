"""Participants at every stage and at baseline."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ccp_analysis.groups import in_order
from ccp_analysis.report.cells import ALL, DATA, by_method, mean_sd, participants
from ccp_analysis.report.drawing import INK, LINE, MUTED, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections.summary import counted
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    interval,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.results.terms import Model, Population, Term

COLUMN, GAP, PAD = 2.95, 0.3, 0.1
GROUND = "#eef1f5"
PEOPLE = {
    Population.COMPLETED: "Everyone with a baseline interview, missing values imputed",
    Population.COMPLETE_CASES: "Complete cases",
    Population.OBSERVED_VISITS: "Everyone with a follow-up interview",
}
WITH_BASELINE = (Model.DID, Model.CLDA)  # models in which the baseline is a visit too
Lines = list[tuple[str, bool]]  # text, and whether it is a heading


def flow(source: Source) -> Table[Any]:
    """Count participants at every stage by arm, with the reasons of those missing."""
    arms = source.study.arms.ordered
    rows: list[Cells] = []
    for stage in source.flow["stages"]:
        counted = "" if stage["stage"] == "recruited" else "Interviewed"
        rows.append([stage["label"], counted, *_counts(stage, arms)])
        rows += [
            [
                stage["label"],
                f"Not interviewed: {_reason(source, stage, missing)}",
                *_counts(missing, arms),
            ]
            for missing in stage.get("missing", [])
        ]
    notes = [
        f"{source.visit(entry['stage']) if entry['stage'] != 'recruited' else 'Recruited'}: "
        f"{entry['expected']} participants were expected, {entry['found']} found."
        for entry in source.flow["expected"]
        if entry["expected"] != entry["found"]
    ]
    notes += _recorded(source)
    return positional(
        caption="Participants at every stage, by arm, with reasons for missing interviews",
        header=["Stage", "Participants", *(label for _, label in source.arms), "All"],
        rows=rows,
        align="llrrr",
        widths=[48, 20, 20, 12],
        grouped=True,
        notes=notes,
    )


def _recorded(source: Source) -> list[str]:
    """Say which reasons were recorded with the events that ended participation."""
    sentences = []
    for stage in source.flow["stages"]:
        for missing in stage.get("missing", []):
            counts = missing.get("recorded") or {}
            reasons = [
                f"{uncapitalised(source.category(source.study.losses.reason, code))} {number(n)}"
                for code, n in counts.items()
            ]
            if reasons:
                label = source.reason(stage["stage"], missing["reason"])
                sentences.append(f"{label}: {', '.join(reasons)}.")
    return ["Recorded reasons.", *sentences] if sentences else []


def flow_by_cluster(source: Source) -> Table[Any]:
    """Count participants at every stage in each cluster."""
    clusters = source.study.clusters
    stages = source.flow["stages"]
    counts = [{entry["cluster"]: entry["n"] for entry in s["by_cluster"]} for s in stages]
    rows: list[Cells] = [
        [
            source.category(clusters.pair, entry["pair"]),
            source.category(clusters.unit, entry["cluster"]),
            source.arm(entry["arm"]),
            *(number(count.get(entry["cluster"], 0)) for count in counts),
        ]
        for entry in stages[0]["by_cluster"]
    ]
    unit, pair = capitalised(clusters.unit_label), capitalised(clusters.pair_label)
    return positional(
        caption=f"Participants at every stage, by {clusters.unit_label}",
        header=[pair, unit, "Arm", *(stage["label"] for stage in stages)],
        rows=rows,
        align="lll" + "r" * len(stages),
        widths=[18, 18, 28, *[12] * len(stages)],
    )


def baseline(source: Source) -> Table[Any]:
    """Set out characteristics and outcomes at baseline, by arm."""
    groups = [*source.study.arms.ordered, ALL]
    rows: list[Cells] = []
    for name in source.plan.baseline_table:
        rows += _characteristic(source, name, "", groups)
    measured = [outcome.id for outcome in source.plan.outcomes]
    for name in [*measured, *["cost"] * (source.economics is not None)]:
        rows += _characteristic(source, name, source.study.baseline.id, groups)
    stage = next(s for s in source.flow["stages"] if s["stage"] == source.study.baseline.id)
    labels = [*(label for _, label in source.arms), "All"]
    header = [
        f"{label} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n})"
        for label, n in zip(labels, _counts(stage, source.study.arms.ordered), strict=True)
    ]
    return positional(
        caption="Participants at baseline, by arm",
        header=["Characteristic", "Category", *header],
        rows=rows,
        align="llrrr",
        widths=[46, 20, 20, 20],
        grouped=True,
        notes=[
            "Observed values only; percentages are of those observed. Differences at baseline are "
            "not tested."
        ],
    )


def _reason(source: Source, stage: Row, missing: Row) -> str:
    return uncapitalised(source.reason(stage["stage"], missing["reason"]))


def _counts(stage: Row, arms: list[str]) -> Cells:
    return [*(number(stage["by_arm"][arm]) for arm in arms), number(stage["n"])]


def _characteristic(source: Source, name: str, visit: str, groups: list[str]) -> list[Cells]:
    """Lines of one variable: mean and SD of a number, or count and share of each category."""
    rows = source.rows(analysis="descriptive", outcome=name, visit=visit)
    label = source.outcome(name)
    by_group = {g: {r["term"]: r for r in rows if r["level"] == g} for g in groups}
    numeric = any(row["term"] == Term.MEAN for row in rows)
    lines: list[Cells] = []
    if numeric:
        unit = source.unit(name)
        title = f"{label} ({unit})" if unit and unit != "points" else label
        spread = (by_group[groups[-1]].get(Term.SD) or {}).get("estimate")
        places = decimals(spread)
        means = [mean_sd(by_group[group], places) for group in groups]
        lines.append([f"{title}, mean (SD)", "", *means])
        if name == "cost":
            middle = [_median(by_group[group], places) for group in groups]
            lines.append([f"{title}, median (quartiles)", "", *middle])
        label = lines[-1][0]
    elif rows:
        label = f"{label}, n (%)"
        found = {row["subgroup"] for row in rows if row["term"] == Term.NUMBER}
        codes = [code for code in source.codes(name) if code in found]
        for code in [*codes, *in_order(list(found - set(codes)))]:
            cells = [_number_percent(rows, group, code) for group in groups]
            lines.append([label, source.category(name, code), *cells])
    gone = [by_group[group].get("missing") for group in groups]
    if any(row and row["estimate"] for row in gone):
        lines.append(
            [label, "Missing", *(number(row["estimate"]) if row else None for row in gone)]
        )
    return lines


def _median(terms: dict[str, Row], places: int) -> str | None:
    if Term.MEDIAN not in terms:
        return None
    quartiles = interval(
        terms[Term.LOWER_QUARTILE]["estimate"], terms[Term.UPPER_QUARTILE]["estimate"], places
    )
    middle = number(terms[Term.MEDIAN]["estimate"], places)
    return f"{middle} ({quartiles})" if middle and quartiles else middle


def _number_percent(rows: list[Row], group: str, code: str) -> str | None:
    own = {r["term"]: r["estimate"] for r in rows if r["level"] == group and r["subgroup"] == code}
    share = percent(own.get(Term.PROPORTION))
    n = number(own.get(Term.NUMBER))
    return f"{n} ({share})" if n is not None and share is not None else n


def draw_flow(source: Source) -> Figure:
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


def _legend(source: Source) -> tuple[str, str]:
    return (
        "Participant flow. Missing interviews at every follow-up are counted among those "
        "with a baseline interview.",
        "Flow diagram from recruitment to analysis. " + counted(source),
    )


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("flow", flow)
    yield FigureItem("flow", draw_flow, _legend)
    if of.study.clusters:
        yield TableItem("flow_by_cluster", flow_by_cluster)
    yield TableItem("baseline", baseline)


SECTION = Section("participants", _items)
