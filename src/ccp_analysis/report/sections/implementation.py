"""How the intervention was put into practice: reach, fidelity, ratings, barriers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from ccp_analysis.config.implementation import Implementation
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import estimate, level_of, with_interval
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, REFERENCE, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, known, number, uncapitalised
from ccp_analysis.results.terms import Term


def asked_of(source: Source) -> Implementation:
    """Return what is asked of the implementation."""
    if source.implementation is None:
        raise ValueError("asked of a study that has no config/implementation.yaml")
    return source.implementation


def rows_of(source: Source, term: str, **where: object) -> list[Row]:
    """Return the rows of a term on the implementation."""
    return source.rows(analysis="implementation", term=term, **where)


def one_of(source: Source, term: str, **where: object) -> Row | None:
    """Return the first such row, if any."""
    found = rows_of(source, term, **where)
    return found[0] if found else None


def stages(source: Source) -> dict[str, str]:
    """Return the stages of the cascade in order, with their labels."""
    asked = asked_of(source)
    labels = {
        "interviewed": f"Interviewed at {uncapitalised(source.study.baseline.label)}",
        "contact": "Any contact of the intervention",
        **{step.id: f"Delivered, up to: {step.label}" for step in asked.steps},
        "reach": f"Said by service users: {asked.reach.label}",
        "high_fidelity": f"Fidelity of {asked.fidelity.high:g} or more" if asked.fidelity else "",
    }
    there = {r["outcome"] for t in (Term.REACHED, Term.PROPORTION) for r in rows_of(source, t)}
    return {stage: label for stage, label in labels.items() if stage in there}


def _stage(source: Source, stage: str, level: str, team: str = "") -> Row | None:
    term = Term.PROPORTION if stage == "high_fidelity" else Term.REACHED
    return one_of(source, term, outcome=stage, level=level, subgroup=team)


def percent(row: Row | None, *, limits: bool = True) -> str | None:
    """Write a share as in ``19 of 75, 25% (14 to 41)``."""
    if row is None or not known(row["estimate"]):
        return number(row["estimate"]) if row else None
    count, share = number(row["estimate"] * row["n"]), number(100 * row["estimate"])
    text = f"{count} of {number(row['n'])}, {share}%"
    if not limits or not known(row["conf_low"]):
        return text
    return f"{text} ({number(100 * row['conf_low'])} to {number(100 * row['conf_high'])})"


def cascade(source: Source) -> Table[str]:
    """Set out how many got how far, by arm."""
    labels = stages(source)

    def cell(arm: str, stage: str) -> str | None:
        return percent(_stage(source, stage, arm))

    exact = {
        r["note"]
        for stage in labels
        for a in source.study.arms.ordered
        if (r := _stage(source, stage, a)) and "exact" in (r["note"] or "")
    }
    return Table(
        f"From recruitment to a full delivery, by arm (with {level_of(source)} intervals)",
        [
            Column("Stage", lambda stage: labels[stage], 44, "l"),
            *(Column(label, partial(cell, arm), 28) for arm, label in source.arms),
        ],
        list(labels),
        notes=[
            "Of all recruited, or of those of whom it is known. Intervals allow for teams; where "
            "all or nobody of an arm got there they are exact at an assumed intraclass correlation."
            if exact
            else "Of all recruited, or of those of whom it is known. Intervals allow for teams.",
            "What the comparison arm got is contamination.",
        ],
    )


def delivered(source: Source) -> Table[Row]:
    """Set out by cluster what was done."""
    asked, clusters = asked_of(source), source.clusters
    last = asked.steps[-1].id if asked.steps else ""

    def of(stage: str) -> Callable[[Row], str | None]:
        return lambda row: percent(
            _stage(source, stage, row["level"], row["subgroup"]), limits=False
        )

    def average(outcome: str, places: int) -> Callable[[Row], str | None]:
        return lambda row: estimate(
            one_of(
                source, Term.MEAN, outcome=outcome, level=row["level"], subgroup=row["subgroup"]
            ),
            places,
        )

    records = [r for r in rows_of(source, Term.REACHED, outcome="interviewed") if r["subgroup"]]
    columns = [
        Column[Row](
            capitalised(clusters.unit_label),
            lambda row: source.category(clusters.unit, row["subgroup"]),
            14,
            "l",
        ),
        Column[Row]("Arm", lambda row: source.arm(row["level"]), 24, "l"),
        Column[Row]("Recruited", lambda row: number(row["n"]), 10),
        Column[Row]("Any contact", of("contact"), 17),
        Column[Row](capitalised(asked.reach.label), of("reach"), 20),
    ]
    if last:
        columns.append(Column("Full delivery", of(last), 17))
    if asked.fidelity:
        columns.append(Column("Fidelity, mean", average(asked.fidelity.instrument, 1), 11))
    if asked.steps:
        columns.append(Column("Contacts, mean", average("dose", 2), 11))
    alike = [r for r in rows_of(source, Term.INTRACLASS) if known(r["estimate"])]
    said = [
        f"{'Contacts' if r['outcome'] == 'dose' else source.outcome(r['outcome'])}: intraclass "
        f"correlation {with_interval(r, 2)} within {source.arm(r['level'])}."
        for r in alike
    ]
    return Table(
        f"What was done, by {clusters.unit_label}",
        columns,
        sorted(records, key=lambda r: (r["level"] != source.study.arms.active, r["subgroup"])),
        notes=said,
    )


def draw_cascade(source: Source) -> Figure:
    """Draw how many of each arm got how far."""
    labels = stages(source)
    height = 0.36 * len(labels) + 0.75
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.42, 0.5 / height, 0.55, (height - 0.75) / height))
    for (arm, label), shift, colour in zip(
        source.arms, (0.18, -0.18), (REFERENCE, ACTIVE), strict=True
    ):
        for at, stage in enumerate(labels):
            row = _stage(source, stage, arm)
            if row is None or not known(row["estimate"]):
                continue
            y = -at - shift
            named = label not in axes.get_legend_handles_labels()[1]
            axes.barh(y, row["estimate"], 0.32, color=colour, label=label if named else None)
            if known(row["conf_low"]):
                axes.hlines(y, row["conf_low"], row["conf_high"], color=INK, linewidth=1)
            edge = max(row["estimate"], row["conf_high"] if known(row["conf_high"]) else 0.0)
            text = f" {number(100 * row['estimate'])}%"
            axes.text(edge, y, text, va="center", fontsize=7, color=MUTED)
    axes.set_yticks(-np.arange(len(labels)), list(labels.values()), fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_ylim(-len(labels) + 0.5, 0.5)
    axes.spines["left"].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=7, loc="lower right")
    return figure


def draw_fidelity(source: Source) -> Figure:
    """Draw each participant's fidelity, by cluster."""
    points = points_of(source, "fidelity")
    asked, clusters = asked_of(source), source.clusters
    series = list(dict.fromkeys(points.sort_values(["x", "series"])["series"]))[::-1]
    height = 0.26 * len(series) + 0.7
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.2, 0.5 / height, 0.77, (height - 0.65) / height))
    for at, name in enumerate(series):
        own = points[points["series"] == name]
        offsets = _spread(own["y"].to_numpy())
        colour = ACTIVE if own["x"].iloc[0] else REFERENCE
        axes.plot(own["y"], -at + offsets, "o", color=colour, markersize=3, alpha=0.75)
        axes.vlines(own["y"].mean(), -at - 0.35, -at + 0.35, color=INK, linewidth=1.2)
    if asked.fidelity:
        axes.axvline(asked.fidelity.high, color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_yticks(
        -np.arange(len(series)), [source.category(clusters.unit, s) for s in series], fontsize=7
    )
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(source.outcome(asked.fidelity.instrument) if asked.fidelity else "Fidelity")
    return figure


def _spread(values: np.ndarray) -> np.ndarray:
    """Return small offsets that set equal values apart."""
    order = np.zeros(len(values))
    for value in np.unique(values):
        at = np.flatnonzero(values == value)
        order[at] = np.arange(len(at)) - (len(at) - 1) / 2
    most = max(1.0, np.abs(order).max())
    return 0.3 * order / most


def points_of(source: Source, figure: str) -> pd.DataFrame:
    """Return what a figure is drawn from."""
    points = source.practice
    return points if points.empty else points[points["figure"] == figure]


def sentences(source: Source) -> list[str]:
    """Return what the text says: how far it reached, and how it was received."""
    said: list[str] = []
    for arm, label in source.arms[::-1]:
        row = _stage(source, "reach", arm)
        if row and known(row["estimate"]):
            what = "" if said else f"{asked_of(source).reach.label}, as service users said: "
            said.append(f"{what}{percent(row)} in {label}")
    last = asked_of(source).steps[-1] if asked_of(source).steps else None
    full = _stage(source, last.id, source.study.arms.active) if last else None
    text = [f"{capitalised('; '.join(said))}."] if said else []
    if full and known(full["estimate"]):
        text.append(f"All steps were delivered to {percent(full)} in {source.arms[1][1]}.")
    return text


def _figure(
    name: str,
    draw: Callable[[Source], Figure],
    caption: str,
    shows: str,
    there: Callable[[Source], bool],
) -> FigureItem:
    return FigureItem(name, draw, lambda source: (caption, shows), there)


def _items(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked is None:
        return
    yield FigureItem(
        "cascade",
        draw_cascade,
        lambda s: (
            "Share of each arm that got so far, of all recruited or of those of whom it is known, "
            f"with {level_of(s)} intervals that allow for teams.",
            "Bar chart; the table of stages has the numbers.",
        ),
        lambda s: bool(stages(s)),
    )


def _details(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked is None:
        return
    yield TableItem("cascade", cascade)
    if of.study.clusters:
        yield TableItem("delivered", delivered)
        if asked.fidelity:
            yield _figure(
                "fidelity",
                draw_fidelity,
                "Fidelity of each participant, by team; the bar is the mean, the dashed line is "
                "where fidelity counts as high.",
                "Dot plot with a line for each team; the table by team has the means.",
                lambda s: len(points_of(s, "fidelity")) > 0,
            )


SECTION = Section(
    "implementation",
    _items,
    lambda source: {"implemented": sentences(source)},
    there=lambda of: of.implementation is not None,
)
DETAILS = Section("implementation_details", _details, title="What was done")
