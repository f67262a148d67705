"""What is looked up of the next trial, and its figure: the chance of finding a difference."""

from __future__ import annotations

from typing import Any

from ccp_analysis.config.next_study import POINT, UPPER, NextStudy
from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import quantity
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, REFERENCE, RULE, WIDTH
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.words import known
from ccp_analysis.results.terms import Term

OTHERS = ("#b06a00", "#4d7c0f", "#7b3f98")  # priors after the first, sizes after the first


def rows_of(source: Source, term: str, **where: object) -> list[Row]:
    """Return rows of the next trial."""
    return source.rows(analysis="next_study", term=term, **where)


def asked_of(source: Source) -> NextStudy:
    """Return what the plan asks of the next trial."""
    if source.plan.next_study is None:
        raise ValueError("asked of a plan without a next study")
    return source.plan.next_study


def called(source: Source) -> tuple[str, str]:
    """Return what a pair and a cluster are called."""
    clusters = source.study.clusters
    return (clusters.pair_label, clusters.unit_label) if clusters else ("pair", "cluster")


def one_of(source: Source, term: str, outcome: str, **where: object) -> Row | None:
    """Return a row of an outcome that has an estimate."""
    found = [r for r in rows_of(source, term, outcome=outcome, **where) if known(r["estimate"])]
    return found[0] if found else None


def difference(row: Row) -> str:
    """Write a difference to be found as the configuration has it, with its unit."""
    places = next((k for k in range(4) if round(row["estimate"], k) == row["estimate"]), 4)
    return quantity(row["estimate"], places, row["scale"])


def spoken_of(source: Source) -> int:
    """Return of how many people of a cluster text and figure speak: the middle number."""
    people = asked_of(source).people
    return people[len(people) // 2]


def cost_of(source: Source, outcome: str, people: int) -> Row | None:
    """Return what a trial of so many people in each cluster costs, where it is enough."""
    asked = asked_of(source)
    if source.economics is None:
        return None
    where = {"threshold": asked.power[0], "level": asked.priors[0].id}
    return one_of(source, Term.TRIAL_COST, outcome, subgroup=asked.named(people), **where)


def first_of(source: Source) -> str:
    """Return the first outcome of which sizes are given; empty where there is none."""
    asked = asked_of(source)
    named = [sought.outcome for sought in asked.outcomes]
    return next((name for name in named if one_of(source, Term.SOUGHT, name)), "")


def draw(source: Source) -> Figure:
    """Draw power and assurance over pairs and over people."""
    asked, (pair, unit) = asked_of(source), called(source)
    figure = Figure(figsize=(WIDTH, 3.7))
    if source.study.clusters is None:
        axes = figure.add_axes((0.09, 0.15, 0.86, 0.62))
        _curves(source, axes, {n: asked.named(n) for n in asked.people})
        axes.set_xlabel("People recruited in each arm", color=INK)
        return figure
    people = spoken_of(source)
    left = figure.add_axes((0.09, 0.15, 0.385, 0.62))
    _curves(source, left, {n: asked.named(people, n) for n in asked.pairs})
    left.set_xlabel(f"{pair}s, {people} people in each {unit}", color=INK)
    right = figure.add_axes((0.575, 0.15, 0.385, 0.62))
    chosen = asked.pairs if len(asked.pairs) < 5 else asked.pairs[:: -(-len(asked.pairs) // 4)]
    for k, pairs in enumerate(chosen):
        points = {n: asked.named(n, pairs) for n in asked.people}
        colour = (ACTIVE, *OTHERS)[k % 4]
        level = asked.priors[0].id
        _line(source, right, Term.ASSURANCE, level, points, f"{pairs} {pair}s", color=colour)
    _finish(right, asked)
    right.set_ylabel("Assurance", color=INK)
    right.set_xlabel(f"People recruited in each {unit}", color=INK)
    return figure


def _curves(source: Source, axes: Axes, points: dict[int, str]) -> None:
    """Draw power and assurance of one kind of size."""
    asked, clusters = asked_of(source), source.study.clusters is not None
    label = "Power, estimated correlation" if clusters else "Power"
    dashed = (0, (4, 2))
    _line(source, axes, Term.NEXT_POWER, POINT, points, label, color=INK, linestyle=dashed)
    if clusters:
        upper = {"color": REFERENCE, "linestyle": dashed}
        _line(source, axes, Term.NEXT_POWER, UPPER, points, "Power, upper limit", **upper)
    for prior, colour in zip(asked.priors, (ACTIVE, *OTHERS), strict=False):
        name = f"Assurance, {prior.label}" if clusters else "Assurance"
        _line(source, axes, Term.ASSURANCE, prior.id, points, name, color=colour)
        if not clusters:
            break
    _finish(axes, asked)
    axes.set_ylabel("Chance to find the difference", color=INK)


def _line(
    source: Source,
    axes: Axes,
    term: str,
    level: str,
    points: dict[int, str],
    label: str,
    **look: Any,
) -> None:
    rows = {
        row["subgroup"]: row for row in rows_of(source, term, outcome=first_of(source), level=level)
    }
    found = {x: rows[name]["estimate"] for x, name in points.items() if name in rows}
    there = [(x, y) for x, y in found.items() if known(y)]
    x, y = zip(*there, strict=True) if there else ((), ())
    axes.plot(x, y, label=label, marker="o", markersize=2.5, linewidth=1.4, zorder=3, **look)


def _finish(axes: Axes, asked: NextStudy) -> None:
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    for wanted in asked.power:
        axes.axhline(wanted, color=RULE, linewidth=0.9, zorder=1)
    # Over the axes: curves of all sizes take all of them.
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), edgecolor="none", fontsize=7)
    axes.tick_params(labelcolor=MUTED)


def legend(source: Source) -> tuple[str, str]:
    """Return caption and alternative text of the figure."""
    outcome, (pair, unit) = first_of(source), called(source)
    target = one_of(source, Term.SOUGHT, outcome)
    found = f"{difference(target)} of {source.name(outcome).lower()}" if target else ""
    if source.study.clusters is None:
        return (
            f"The chance that a next trial finds {found}, by people in each arm.",
            "Line chart of power and assurance over people.",
        )
    return (
        f"The chance that a next trial finds {found}: on the left by {pair}s, on the right by "
        f"people in each {unit} (assurance, {asked_of(source).priors[0].label}).",
        "Line charts of power and assurance; the table of sizes has the numbers that are needed.",
    )
