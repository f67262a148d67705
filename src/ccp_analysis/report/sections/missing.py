"""What is missing, together with what, and of whom."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import ALL, by_arm
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, OBSERVED, REFERENCE, WIDTH, within
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections.imputation import enough
from ccp_analysis.report.source import Row, Source, records_of
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    known,
    listed,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.results.terms import Term

BAR = 0.21  # inches from bar to bar
ROWS = 20  # patterns drawn at most
COLUMNS = 30  # with more variables, those that are missing together share a column
TWO_LINES = 20  # with more columns, a label has one line
TALL, BARS = 0.17, 0.9  # inches: height of a pattern, longest bar
LETTER = 0.075  # inches of a letter over the columns


def missing(source: Source) -> Table[dict[str, Row]]:
    """Count missing values of every variable at every visit, by arm."""
    return Table(
        "Missing values among participants with a baseline interview, by arm",
        [
            Column("Variable", lambda counts: source.outcome(_any(counts)["outcome"])),
            Column("Visit", lambda counts: source.visit(_any(counts)["visit"]), 46, "l"),
            *by_arm(source, ("", _of, 20)),
            Column("All", partial(_of, ALL), 20),
        ],
        missing_counts(source),
        grouped=True,
    )


def missing_counts(source: Source) -> list[dict[str, Row]]:
    """Return for each variable and visit the rows that count its missing values, by arm and all."""
    order = [*source.plan.baseline_table, *(o.id for o in source.plan.outcomes)]
    visits = ["", *(visit.id for visit in source.study.visits)]
    found: dict[tuple[int, str, int], dict[str, Row]] = {}
    for row in source.rows(analysis="descriptive", term=Term.MISSING):
        name = row["outcome"]
        place = order.index(name) if name in order else len(order)
        found.setdefault((place, name, visits.index(row["visit"])), {})[row["level"]] = row
    return [found[key] for key in sorted(found)]


def _any(counts: dict[str, Row]) -> Row:
    return next(iter(counts.values()))


def _of(group: str, counts: dict[str, Row]) -> str | None:
    row = counts.get(group)
    return f"{number(row['estimate'])} of {number(row['n'])}" if row else None


def losses(source: Source) -> Table[Row]:
    """Compare those lost to each follow-up with those seen at it."""
    compared = by_visit(source)

    def group(row: Row) -> str:
        seen, lost = map(number, _totals(compared[row["visit"]]))
        return f"{source.visit(row['visit'])}: {seen} seen, {lost} lost"

    def people(row: Row) -> str:
        share = f" ({percent(row['lost_share'])})" if known(row["lost_share"]) else ""
        return f"{number(row['people_lost'])} of {number(row['people'])}{share}"

    def mean(who: str, row: Row) -> str | None:
        shared = known(row["lost_share"])
        return _with_sign(row[who]) if shared else number(row[who], decimals(row["sd"]))

    return Table(
        "Who was lost to follow-up, by what was known at baseline",
        [
            Column("Visit", group),
            Column("Characteristic", lambda row: label(source, row), 46, "l"),
            Column("Lost, n of N (%)", people, 18),
            Column("Seen, mean or\N{NO-BREAK SPACE}%", partial(mean, "seen"), 14),
            Column("Lost, mean or\N{NO-BREAK SPACE}%", partial(mean, "lost"), 14),
            Column("Difference in SDs", lambda row: number(row["difference"], 2), 14),
        ],
        [row for rows in compared.values() for row in rows],
        grouped=True,
        stub="Characteristic",
        notes=[
            "Of a number: the mean, and N with a value; of a category: the percentage of those "
            "seen, or lost, who are in it. The difference, lost less seen, is in standard "
            "deviations within the two groups; it is not tested."
        ],
    )


def lost_sentences(source: Source) -> list[str]:
    """Say how many were lost to each follow-up, and in what those lost differ most."""
    sentences = []
    for visit, found in by_visit(source).items():
        seen, lost = _totals(found)
        text = f"{source.visit(visit)}: {number(lost)} lost, {number(seen)} seen"
        own = [r for r in found if r["characteristic"] not in _design(source)]
        own = [row for row in own if known(row["difference"])]
        own.sort(key=lambda row: -abs(row["difference"]))
        largest: dict[str, Row] = {}
        for row in own:
            largest.setdefault(row["characteristic"], row)
        apart = [
            f"{inside(source, row)} ({number(row['difference'], 2)})"
            for row in list(largest.values())[:2]
        ]
        if apart:
            text += f"; the largest standardised differences are in {listed(apart)}"
        sentences.append(f"{text}.")
    return sentences


def by_visit(source: Source) -> dict[str, list[Row]]:
    """Return the comparisons of every follow-up to which somebody was lost."""
    if source.losses.empty:
        return {}
    table = source.losses.astype(object).where(source.losses.notna(), None)
    found = {
        visit.id: records_of(table[table["visit"] == visit.id]) for visit in source.study.follow_ups
    }
    return {visit: rows for visit, rows in found.items() if rows and _totals(rows)[1]}


def label(source: Source, row: Row) -> str:
    """Return the words for a characteristic and its level."""
    name, level, clusters = row["characteristic"], row["level"], source.study.clusters
    if name == source.study.arms.variable:
        return f"Arm: {source.arm(level)}"
    if clusters and name in (clusters.unit, clusters.pair):
        what = clusters.unit_label if name == clusters.unit else clusters.pair_label
        shown = source.category(name, level)
        # Labels as Team 7 need no more words.
        return shown if shown.lower().startswith(what.lower()) else f"{capitalised(what)}: {shown}"
    stem = name.removesuffix(f"_{source.study.baseline.id}")
    title = source.name(stem)
    if level:
        return f"{title}: {source.category(stem, level)}"
    unit = source.unit(stem)
    return f"{title} ({unit})" if unit and unit != "points" else title


def inside(source: Source, row: Row) -> str:
    """Return the same words as they stand inside a sentence."""
    parts = label(source, row).partition(": ")[::2]
    # A name with more capitals than its first is one of its own, as that of a questionnaire.
    plain = [p if p[1:] != p[1:].lower() else uncapitalised(p) for p in parts if p]
    return ", ".join(plain)


def _design(source: Source) -> list[str]:
    clusters = source.study.clusters
    return [source.study.arms.variable, *([clusters.unit, clusters.pair] if clusters else [])]


def _totals(found: list[Row]) -> tuple[int, int]:
    """Return how many were seen and lost: the arm, which comes first, is known of everyone."""
    return found[0]["n_seen"], found[0]["n_lost"]


def _with_sign(share: float | None) -> str | None:
    return f"{percent(share)}%" if known(share) else None


def pattern_sentence(source: Source) -> str:
    """Say how many have every value, and how many patterns the others fall into."""
    table = source.patterns
    if table.empty:
        return ""
    kinds: pd.DataFrame = table.drop_duplicates("pattern")
    whole = kinds[kinds["missing"] == 0]
    others = kinds[kinds["missing"] > 0]
    variables = how_many(table.drop_duplicates("variable")["people"])
    all_there, everyone = (number(part["people"].sum()) for part in (whole, kinds))
    text = f"{all_there} of {everyone} participants have a value of every variable that is imputed"
    first = others.iloc[0]
    if len(others) == 1:
        return f"{text}; the others all lack the same."
    return (
        f"{text}; the others fall into {how_many(others['people'])} patterns, of which the most "
        f"frequent lacks {number(first['missing'])} of {variables} variables "
        f"({number(first['people'])} participants)."
    )


def incomplete(source: Source) -> list[tuple[str, dict[str, Row]]]:
    """Return the counts of every variable of which something is missing, with its label."""
    return [
        (", ".join(filter(None, [source.name(row["outcome"]), source.visit(row["visit"])])), counts)
        for counts in missing_counts(source)
        if (row := counts.get(ALL)) and row["estimate"]
    ]


def _drawn(source: Source) -> list[tuple[str, dict[str, Row]]]:
    """Return those of them that fit on a page: of too many, those that most lack."""
    found = incomplete(source)
    lacking = sorted(found, key=lambda one: -one[1][ALL]["estimate"])[: within(BAR, 0.8)]
    return [one for one in found if one in lacking]


def draw_missing(source: Source) -> Figure:
    """Draw how many values of every incomplete variable are observed and missing, by arm."""
    shown = _drawn(source)
    height = 0.8 + BAR * len(shown)
    figure = Figure(figsize=(WIDTH, height))
    left, gap, right = 0.39, 0.03, 0.985
    wide = (right - left - gap) / 2
    for place, (arm, label) in enumerate(source.arms):
        frame = (left + place * (wide + gap), 0.46 / height, wide, BAR * len(shown) / height)
        axes = figure.add_axes(frame)
        _bars(axes, [counts.get(arm) for _, counts in shown], (REFERENCE, ACTIVE)[place])
        axes.set_title(label, fontsize=8, fontweight="bold", loc="left", color=INK)
        axes.set_xlabel("Participants")
        names = [name for name, _ in shown] * (place == 0)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.spines["left"].set_visible(False)
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


@dataclass(frozen=True)
class Incomplete:
    """A variable, or several that are missing together: words, visit, whether observed."""

    label: str
    visit: str
    observed: np.ndarray


def draw_patterns(source: Source) -> Figure:
    """Draw the patterns of missing values as a grid, the most frequent first."""
    from matplotlib.colors import ListedColormap

    table = source.patterns
    people = table.drop_duplicates("pattern").set_index("pattern")["people"]
    columns = columns_of(source)
    shown = min(ROWS, len(people))
    grid = np.array([column.observed[:shown] for column in columns]).T
    blocks = [(visit, len(list(own))) for visit, own in groupby(columns, lambda c: c.visit)]
    widest = max(LETTER * len(source.visit(visit)) / size for visit, size in blocks)
    one = min(max(0.34, widest), 4.9 / len(columns))
    heads = [textwrap.wrap(source.visit(v), max(4, int(one * k / LETTER))) for v, k in blocks]
    long = max(len(line) for column in columns for line in column.label.split("\n"))
    below, above = 0.25 + 0.054 * long, 0.22 + 0.13 * max(map(len, heads))
    height = below + TALL * shown + above
    figure = Figure(figsize=(WIDTH, height))
    left, wide = 0.75, one * len(columns)
    frame = (left / WIDTH, below / height, wide / WIDTH, TALL * shown / height)
    axes = figure.add_axes(frame)
    axes.pcolormesh(grid, cmap=ListedColormap([ACTIVE, OBSERVED]), vmin=0, vmax=1, lw=0.8, ec="w")
    axes.set_ylim(shown, 0)
    axes.set_yticks(np.arange(shown) + 0.5, [f"{number(n)}" for n in people.iloc[:shown]])
    axes.set_ylabel("Participants")
    axes.set_xticks(np.arange(len(columns)) + 0.5, [column.label for column in columns])
    axes.tick_params(axis="x", rotation=90, labelsize=7, length=0)
    axes.tick_params(axis="y", labelsize=7, length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    start = 0
    for head, (_, size) in zip(heads, blocks, strict=True):
        if head:
            ends = [start + 0.08, start + size - 0.08]
            axes.plot(ends, [-0.3] * 2, color=MUTED, lw=0.8, clip_on=False)
            text = "\n".join(head)
            axes.text(ends[0], -0.45, text, fontsize=7, color=INK, fontweight="bold", va="bottom")
        start += size
    beside = (left + wide + 0.12) / WIDTH
    _people_bars(figure, people.iloc[:shown].to_numpy(), (beside, frame[1], BARS / WIDTH, frame[3]))
    if len(people) > shown:
        rest = people.iloc[shown:]
        text = f"and {len(rest)} more patterns, of {number(rest.sum())} participants"
        figure.text(
            beside,
            frame[1] - 0.08 / height,
            textwrap.fill(text, 16),
            fontsize=7,
            color=MUTED,
            va="top",
        )
    return figure


def sharing(source: Source) -> str:
    """Say, where it is so, that some variables share a column."""
    if source.patterns.empty or source.patterns["variable"].nunique() <= COLUMNS:
        return ""
    return " Variables of a visit that are always missing together share a column."


def columns_of(source: Source) -> list[Incomplete]:
    """Return what stands in the columns of the grid, by visit."""
    table = source.patterns
    visits = ["", *(visit.id for visit in source.study.visits)]
    names = list(dict.fromkeys(table["variable"]))
    visit_of = {n: next((v for v in visits[1:] if n.endswith(f"_{v}")), "") for n in names}
    names.sort(key=lambda name: visits.index(visit_of[name]))
    observed = table.pivot(index="pattern", columns="variable", values="observed")
    groups: dict[tuple, list[str]] = {}
    for name in names:
        together = tuple(observed[name]) if len(names) > COLUMNS else name
        groups.setdefault((visit_of[name], together), []).append(name)
    found = []
    for (visit, _), members in groups.items():
        words = source.name(members[0].removesuffix(f"_{visit}") if visit else members[0])
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        if len(groups) > TWO_LINES:
            label = textwrap.shorten(words, 34 - len(more), placeholder="…") + more
        else:
            label = textwrap.fill(textwrap.shorten(words, 48, placeholder="…") + more, 26)
        found.append(Incomplete(label, visit, observed[members[0]].to_numpy(dtype=bool)))
    return found


def _people_bars(
    figure: Figure, people: np.ndarray, frame: tuple[float, float, float, float]
) -> None:
    """Draw how many participants have each pattern."""
    axes = figure.add_axes(frame)
    axes.barh(np.arange(len(people)) + 0.5, people, height=0.62, color=MUTED)
    axes.set_ylim(len(people), 0)
    axes.axis("off")


def _missing_legend(source: Source) -> tuple[str, str]:
    every, shown = len(incomplete(source)), len(_drawn(source))
    some = f" Drawn are {shown} of {every}, which most lack." * (shown < every)
    return (
        "Missing values among participants with a baseline interview, by arm. Variables without "
        f"any are left out.{some}",
        "Bar chart of missing values for each variable; the table of missing values "
        "has the numbers.",
    )


def _patterns_legend(source: Source) -> tuple[str, str]:
    return (
        "Which values are missing together (dark), among participants with a baseline "
        "interview: a line for each pattern, the most frequent first, with the number of "
        "participants; bars as long as that number." + sharing(source),
        "Grid of patterns of missing values, a line for each pattern and a column for "
        "each variable. " + pattern_sentence(source),
    )


def _items(of: Configured) -> Iterator[Item]:
    yield FigureItem("missing", draw_missing, _missing_legend, lambda s: bool(incomplete(s)))


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("missing", missing)
    yield FigureItem("patterns", draw_patterns, _patterns_legend, lambda s: not s.patterns.empty)
    yield TableItem("losses", losses)


def _said(source: Source) -> dict[str, Any]:
    return {
        "patterns": pattern_sentence(source),
        "lost": lost_sentences(source),
        "enough": enough(source),
    }


SECTION = Section("missing", _items, _said)
DETAILS = Section("missing_details", _details, _said)
