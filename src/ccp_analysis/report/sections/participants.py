"""Participants at every stage and at baseline."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from ccp_analysis.config.models import LABELS
from ccp_analysis.groups import in_order
from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import (
    ALL,
    DATA,
    YES,
    Counted,
    by_method,
    by_term,
    count_columns,
    estimate,
    mean_sd,
    number_percent,
    participants,
)
from ccp_analysis.report.drawing import INK, LINE, MUTED, TALL, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections.summary import counted
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    inside,
    interval,
    listed,
    number,
    uncapitalised,
)
from ccp_analysis.results.terms import Model, Population, Term

COLUMN, GAP, PAD = 2.95, 0.24, 0.08
GROUND = "#eef1f5"
PEOPLE = {
    Population.COMPLETED: "Everyone with a baseline interview, missing values imputed",
    Population.COMPLETE_CASES: "Complete cases",
    Population.OBSERVED_VISITS: "Everyone with a follow-up interview",
}
WITH_BASELINE = (Model.DID, Model.CLDA)  # models in which the baseline is a visit too
Lines = list[tuple[str, bool]]  # text, and whether it is a heading


class Characteristic(NamedTuple):
    """A line of the baseline table, and what stands in it for an arm or all."""

    name: str
    category: str
    write: Callable[[str], str | None]


def flow(source: Source) -> Table[Counted]:
    """Count participants at every stage by arm, with the reasons of those missing."""
    return Table(
        "Participants at every stage, by arm, with reasons for missing interviews",
        count_columns(source, "Stage"),
        [
            Counted(stage["label"], *line)
            for stage in source.flow["stages"]
            for line in (
                ("" if stage["stage"] == "recruited" else "Interviewed", stage),
                *(
                    (f"Not interviewed: {_reason(source, stage, missing)}", missing)
                    for missing in stage.get("missing", [])
                ),
            )
        ],
        grouped=True,
        notes=[
            *(
                f"{source.visit(entry['stage']) if entry['stage'] != 'recruited' else 'Recruited'}"
                f": {entry['expected']} participants were expected, {entry['found']} found."
                for entry in source.flow["expected"]
                if entry["expected"] != entry["found"]
            ),
            *_recorded(source),
        ],
    )


def _recorded(source: Source) -> list[str]:
    """Say which reasons were recorded with the events that ended participation."""
    sentences: list[str] = []
    losses = source.study.losses
    if losses is None:
        return sentences
    for stage in source.flow["stages"]:
        for missing in stage.get("missing", []):
            counts = missing.get("recorded") or {}
            reasons = [
                f"{uncapitalised(source.category(losses.reason, code))} {number(n)}"
                for code, n in counts.items()
            ]
            if reasons:
                label = source.reason(stage["stage"], missing["reason"])
                sentences.append(f"{label}: {', '.join(reasons)}.")
    return ["Recorded reasons.", *sentences] if sentences else []


def flow_by_cluster(source: Source) -> Table[dict[str, Any]]:
    """Count participants at every stage in each cluster."""
    clusters, stages = source.clusters, source.flow["stages"]

    def at(stage: dict[str, Any], entry: dict[str, Any]) -> str | None:
        found = {own["cluster"]: own["n"] for own in stage["by_cluster"]}
        return number(found.get(entry["cluster"], 0))

    def labelled(name: str, key: str) -> Callable[[dict[str, Any]], str]:
        return lambda entry: source.category(name, entry[key])

    return Table(
        f"Participants at every stage, by {clusters.unit_label}",
        [
            Column(capitalised(clusters.pair_label), labelled(clusters.pair, "pair"), 18, "l"),
            Column(capitalised(clusters.unit_label), labelled(clusters.unit, "cluster"), 18, "l"),
            Column("Arm", lambda entry: source.arm(entry["arm"]), 28, "l"),
            *(Column(stage["label"], partial(at, stage), 12) for stage in stages),
        ],
        stages[0]["by_cluster"],
    )


def baseline(source: Source) -> Table[Characteristic]:
    """Set out characteristics and outcomes at baseline, by arm."""
    measured = [outcome.id for outcome in source.plan.outcomes]
    measured += ["cost"] * (source.economics is not None)
    visit = source.study.baseline.id
    names = [(name, "") for name in source.plan.baseline_table] + [(n, visit) for n in measured]
    stage = next(s for s in source.flow["stages"] if s["stage"] == visit)
    n = stage["by_arm"] | {ALL: stage["n"]}
    return Table(
        "Participants at baseline, by arm",
        [
            Column("Characteristic", attrgetter("name")),
            Column("Category", attrgetter("category"), 46, "l"),
            *(
                Column(
                    f"{label} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{number(n[group])})",
                    partial(_of_group, group),
                    20,
                )
                for group, label in [*source.arms, (ALL, "All")]
            ),
        ],
        [line for name, at in names for line in _characteristic(source, name, at)],
        grouped=True,
        notes=[
            "Observed values only; percentages are of those observed. Differences at baseline are "
            "not tested."
        ],
    )


def _of_group(group: str, line: Characteristic) -> str | None:
    return line.write(group)


def _reason(source: Source, stage: Row, missing: Row) -> str:
    return uncapitalised(source.reason(stage["stage"], missing["reason"]))


def _characteristic(source: Source, name: str, visit: str) -> Iterator[Characteristic]:
    """Lines of one variable: mean and SD of a number, or count and share of each category."""
    rows = source.rows(analysis="descriptive", outcome=name, visit=visit)
    label = source.outcome(name)
    if among(rows, term=Term.MEAN) and among(rows, subgroup=YES):
        yield Characteristic(f"{label}, n (%)", "", partial(number_percent, rows, YES))
    elif among(rows, term=Term.MEAN):
        unit = source.unit(name)
        title = f"{label} ({unit})" if unit and unit != "points" else label
        spread = by_term(rows, ALL).get(Term.SD)
        places = decimals(spread["estimate"] if spread else None)
        label = f"{title}, mean (SD)"
        yield Characteristic(label, "", lambda group: mean_sd(by_term(rows, group), places))
        if name == "cost":
            label = f"{title}, median (quartiles)"
            yield Characteristic(label, "", lambda group: _median(by_term(rows, group), places))
    elif rows:
        label = f"{label}, n (%)"
        found = {row["subgroup"] for row in among(rows, term=Term.NUMBER)}
        codes = [code for code in source.codes(name) if code in found]
        for code in [*codes, *in_order(list(found - set(codes)))]:
            write = partial(number_percent, rows, code)
            yield Characteristic(label, source.category(name, code), write)
    if any(row["estimate"] for row in among(rows, term=Term.MISSING)):
        yield Characteristic(label, "Missing", partial(_missing, rows))


def _missing(rows: list[Row], group: str) -> str | None:
    return estimate(by_term(rows, group).get(Term.MISSING))


def _median(terms: dict[str, Row], places: int) -> str | None:
    low, high = (
        (terms.get(t) or {}).get("estimate") for t in (Term.LOWER_QUARTILE, Term.UPPER_QUARTILE)
    )
    middle, quartiles = estimate(terms.get(Term.MEDIAN), places), interval(low, high, places)
    return f"{middle} ({quartiles})" if middle and quartiles else middle


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
    heights = _heights(top, rows, bottom)
    if _total(heights) > TALL:
        counts = [[_counted(visit, arm) for visit in visits[1:]] for arm in arms]
        rows = [*rows[:2], [[("Interviewed", True), *lines] for lines in counts]]
        heights = _heights(top, rows, bottom)
    if (over := int(np.ceil((_total(heights) - TALL) / LINE))) > 0:
        bottom = [*bottom[: -over - 1], ("The table of all analyses has the others", False)]
        heights = _heights(top, rows, bottom)
    total = _total(heights)
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


def _heights(top: Lines, rows: list[list[Lines]], bottom: Lines) -> list[float]:
    return [_height(top), *(max(map(_height, row)) for row in rows), _height(bottom)]


def _total(heights: list[float]) -> float:
    return sum(heights) + GAP * (len(heights) - 1) + 0.12 + 0.4


def _counted(stage: Row, arm: str) -> tuple[str, bool]:
    """Count a visit in a line, where there are too many for the reasons of each."""
    return f"{stage['label']} (n = {number(stage['by_arm'][arm])})", False


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
        counts: dict[tuple[str, float | None], dict[str, None]] = {}
        for row in by_method(source, outcome.id):
            population = row["population"]
            said = PEOPLE.get(population, DATA.get(population, population))
            if row["model"] in WITH_BASELINE and population == Population.OBSERVED_VISITS:
                said = "Everyone with a value at any visit and what is adjusted for"
            if said:
                counts.setdefault((said, participants(row)), {})[LABELS[row["model"]]] = None
        several = Counter(said for said, _ in counts)
        for (said, n), models in counts.items():
            # Of complete cases it hangs on the analysis who is one.
            of = f", {listed([inside(model) for model in models])}" if several[said] > 1 else ""
            found = textwrap.wrap(f"{said}{of} (n = {number(n)})", 100, subsequent_indent="   ")
            lines += [(line, False) for line in found]
    return lines


def _height(lines: Lines) -> float:
    return LINE * len(lines) + 2 * PAD


def _box(
    axes: Axes, lines: Lines, centre: float, top: float, width: float, height: float, fill: str
) -> None:
    from matplotlib.patches import Rectangle

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
    from matplotlib.patches import FancyArrowPatch

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
    yield FigureItem("flow", draw_flow, _legend)
    yield TableItem("baseline", baseline)


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("flow", flow)
    if of.study.clusters:
        yield TableItem("flow_by_cluster", flow_by_cluster)


SECTION = Section("participants", _items)
DETAILS = Section("participants_details", _details, title="Participants at every stage")
