"""How the intervention was received, and what stood in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from ccp_analysis.config.implementation import Barrier, Rating
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import level_of, with_interval
from ccp_analysis.report.drawing import ACTIVE, INK, LINE, MUTED, RULE, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections.implementation import (
    asked_of,
    one_of,
    percent,
    points_of,
    rows_of,
)
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, known, listed, number
from ccp_analysis.results.terms import Term

BOXES = ("#b2684b", "#dcb6a4", "#e3e6ea", "#9cc0e6", "#1f5a99")  # from the worst answer to the best
WHO = {"practitioners": "Practitioners", "participants": "Service users"}


def _occasions(source: Source) -> list[str]:
    """Return when practitioners were asked."""
    study = source.study
    found = study.files[study.practitioners].occasions if study.practitioners else []
    return [occasion.id for occasion in found]


def share(row: Row | None) -> str | None:
    """Write a share as in ``80% (72 to 86)``."""
    if row is None or not known(row["estimate"]):
        return None
    text = f"{number(100 * row['estimate'])}%"
    if not known(row["conf_low"]):
        return text
    return f"{text} ({number(100 * row['conf_low'])} to {number(100 * row['conf_high'])})"


class Rated(NamedTuple):
    """A group of items at one time."""

    rating: Rating
    visit: str


def _rated(source: Source) -> list[Rated]:
    asked, occasions = asked_of(source), _occasions(source)
    found = [
        Rated(rating, visit)
        for rating in asked.ratings
        for visit in ([rating.visit] if rating.visit else occasions)
    ]
    return [r for r in found if _group(source, Term.MEAN, r) is not None]


def _group(source: Source, term: str, rated: Rated) -> Row | None:
    where = {"outcome": rated.rating.id, "visit": rated.visit, "level": rated.rating.who}
    return one_of(source, term, **where, subgroup="")


def _when(source: Source, visit: str) -> str:
    return source.study.times.get(visit, visit)


def ratings(source: Source) -> Table[Rated]:
    """Set out how it was received, by groups of items."""

    def shown(
        term: str, write: Callable[[Row | None], str | None]
    ) -> Callable[[Rated], str | None]:
        return lambda rated: write(_group(source, term, rated))

    def two(row: Row | None) -> str | None:
        return with_interval(row, 2)

    def apart(rated: Rated) -> str | None:
        rows = [
            r
            for r in rows_of(source, Term.GROUP_DIFFERENCE, outcome=rated.rating.id)
            if r["visit"] == rated.visit
            and r["scale"] != "proportion"
            and r["level"].endswith("others")
        ]
        return with_interval(rows[0], 2) if rows and known(rows[0]["estimate"]) else None

    asked = asked_of(source).practitioners
    columns = [
        Column[Rated]("Rated", lambda rated: rated.rating.label),
        Column[Rated](
            "By whom, when",
            lambda rated: f"{WHO[rated.rating.who]}, {_when(source, rated.visit)}",
            30,
            "l",
        ),
        Column[Rated]("n", lambda r: number((_group(source, Term.MEAN, r) or {}).get("n")), 6),
        Column[Rated]("Favourable", shown(Term.TOP_BOXES, share), 18),
        Column[Rated]("Mean", shown(Term.MEAN, two), 20),
        Column[Rated]("Alpha", shown(Term.ALPHA, two), 20),
    ]
    if asked and asked.profession:
        label = source.category(asked.profession, asked.of_interest or "")
        columns.append(Column(f"{label} minus others", apart, 22))
    changed = [r for r in rows_of(source, Term.CHANGE) if known(r["estimate"])]
    labels = {rating.id: rating.label for rating in asked_of(source).ratings}
    said = [f"{labels[r['outcome']]} {with_interval(r, 2)}" for r in changed]
    return Table(
        f"How it was received: ratings from 1 to 5, with {level_of(source)} intervals",
        columns,
        _rated(source),
        grouped=True,
        stub="Rated, by whom and when",
        notes=[
            f"Intervals allow for teams. {_boxes(source)}Alpha: Cronbach's.",
            *([f"Mean change between the two occasions: {'; '.join(said)}."] if said else []),
        ],
    )


def barriers(source: Source) -> Table[Barrier]:
    """Set out who named what stood in the way."""
    asked, occasions = asked_of(source), _occasions(source)

    def cell(visit: str, barrier: Barrier) -> str | None:
        return percent(one_of(source, Term.NAMED, outcome=barrier.id, visit=visit, subgroup=""))

    order = {
        domain: at for at, domain in enumerate(dict.fromkeys(b.domain for b in asked.barriers))
    }
    return Table(
        "What practitioners named as standing in the way",
        [
            Column("Domain", lambda barrier: capitalised(barrier.domain)),
            Column("Barrier", lambda barrier: barrier.label, 50, "l"),
            *(Column(_when(source, visit), partial(cell, visit), 25) for visit in occasions),
        ],
        sorted(asked.barriers, key=lambda barrier: order[barrier.domain]),
        grouped=True,
        stub="Domain and barrier",
        notes=["Domains of the Consolidated Framework for Implementation Research."],
    )


def draw_ratings(source: Source) -> Figure:
    """Draw the answers to each item as bars about the middle answer."""
    from matplotlib.patches import Rectangle

    lines = _bars(source)
    height = LINE * 1.15 * len(lines) + 0.85
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.5, 0.6 / height, 0.47, (height - 0.7) / height))
    scale = len(BOXES)
    for at, (_, shares) in enumerate(lines):
        left = -(shares[: scale // 2].sum() + shares[scale // 2] / 2)
        for box, width in enumerate(shares):
            axes.barh(
                -at, width, 0.78, left=left, color=BOXES[box], edgecolor="white", linewidth=0.4
            )
            left += width
    axes.axvline(0, color=MUTED, linewidth=0.7)
    axes.set_yticks(-np.arange(len(lines)), [label for label, _ in lines], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-len(lines) + 0.4, 0.6)
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["100%", "50%", "0", "50%", "100%"])
    axes.spines["left"].set_visible(False)
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in BOXES]
    names = ["1, worst", "2", "3", "4", "5, best"]
    figure.legend(
        handles=handles, labels=names, ncols=5, frameon=False, fontsize=7, loc="lower right"
    )
    return figure


def _bars(source: Source) -> list[tuple[str, np.ndarray]]:
    """Return a label and the shares of the five answers for each item, at the last time asked."""
    points, lines = points_of(source, "ratings"), []
    if len(points) == 0:
        return []
    for rating in asked_of(source).ratings:
        visits = [r.visit for r in _rated(source) if r.rating is rating]
        if not visits or len(rating.scale) != len(BOXES) or len(rating.items) > 4:
            continue
        for item, label in rating.items.items():
            series = f"{rating.who}, {visits[-1]}"
            own = points[(points["outcome"] == item) & (points["series"] == series)]
            if len(own) == len(BOXES):
                shares = own.sort_values("x")["y"].to_numpy(dtype=float)
                lines.append((f"{rating.label}: {label}", shares))
    return lines


def draw_barriers(source: Source) -> Figure:
    """Draw how many practitioners named each barrier, at the last occasion."""
    asked, visit = asked_of(source), "".join(_occasions(source)[-1:])
    rows = [
        (barrier.label, row)
        for barrier in asked.barriers
        if (row := one_of(source, Term.NAMED, outcome=barrier.id, visit=visit, subgroup=""))
        and known(row["estimate"])
    ]
    rows.sort(key=lambda pair: -pair[1]["estimate"])
    height = 0.26 * len(rows) + 0.6
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.42, 0.45 / height, 0.52, (height - 0.5) / height))
    for at, (_, row) in enumerate(rows):
        axes.barh(-at, row["estimate"], 0.6, color=ACTIVE)
        if known(row["conf_low"]):
            axes.hlines(-at, row["conf_low"], row["conf_high"], color=INK, linewidth=1)
    axes.set_yticks(-np.arange(len(rows)), [label for label, _ in rows], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.grid(axis="x", color=RULE, linewidth=0.3)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    return figure


def _last(source: Source, rating: Rating) -> str:
    return [r.visit for r in _rated(source) if r.rating is rating][-1]


def sentences(source: Source) -> list[str]:
    """Return what the text says of the ratings."""
    tops = [
        f"{r.rating.label.lower()} {share(row)}"
        for r in _rated(source)
        if r.visit == _last(source, r.rating)
        and (row := _group(source, Term.TOP_BOXES, r))
        and known(row["estimate"])
    ]
    if not tops:
        return []
    return [f"Favourable answers{_favourable(source)} when last asked: {listed(tops)}."]


def _favourable(source: Source) -> str:
    """Say which answers count as favourable, where that is alike for all groups of items."""
    every = {tuple(sorted(set(r.scale) - set(r.top))) for r in asked_of(source).ratings}
    every |= {tuple(sorted(r.top)) for r in asked_of(source).ratings}
    return " (the two highest of five)" if every == {(1, 2, 3), (4, 5)} else ""


def _boxes(source: Source) -> str:
    return f"Favourable: share of a person's answers{_favourable(source)}, averaged over people. "


def _items(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked is None:
        return
    if asked.barriers:
        yield FigureItem(
            "barriers",
            draw_barriers,
            lambda s: (
                "Practitioners who named each barrier when last asked, with "
                f"{level_of(s)} intervals.",
                "Bar chart; the table of barriers has the numbers.",
            ),
            lambda s: any(known(r["estimate"]) for r in rows_of(s, Term.NAMED)),
        )


def _details(of: Configured) -> Iterator[Item]:
    asked = of.implementation
    if asked is None:
        return
    if asked.ratings:
        yield FigureItem(
            "ratings",
            draw_ratings,
            lambda s: (
                "Answers to each item when last asked, about the middle answer.",
                "Diverging stacked bars; the table of ratings has the groups.",
            ),
            lambda s: bool(_bars(s)),
        )
        yield TableItem("ratings", ratings)
    if asked.barriers:
        yield TableItem("barriers", barriers)


SECTION = Section(
    "received",
    _items,
    lambda source: {"received": sentences(source)},
    there=lambda of: of.implementation is not None,
)
DETAILS = Section("received_details", _details, title="How it was received")
