"""Drawing which values are missing together, and from what they were imputed."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from ccp_analysis.report.format import number
from ccp_analysis.report.lookup import Source
from ccp_analysis.report.plots import ACTIVE, INK, MUTED, WIDTH

ROWS = 20  # patterns drawn at most
COLUMNS = 30  # with more variables, those that are missing together share a column
TWO_LINES = 20  # with more columns, a label has one line
TALL, BARS = 0.17, 0.9  # inches: height of a pattern, longest bar
LOW = 0.115  # inches: height of a model
LETTER = 0.075  # inches of a letter over the columns
OBSERVED = "#e3e6ea"


@dataclass(frozen=True)
class Column:
    """A variable, or several that are missing together: words, visit, whether observed."""

    label: str
    visit: str
    observed: np.ndarray


def has_patterns(source: Source) -> bool:
    """Return whether any value is missing, and it is known which."""
    return source.patterns is not None and not source.patterns.empty


def patterns(source: Source) -> Figure:
    """Draw the patterns of missing values as a grid, the most frequent first."""
    table = source.patterns
    people = table.drop_duplicates("pattern").set_index("pattern")["people"]
    columns = columns_of(source)
    shown = min(ROWS, len(people))
    grid = np.array([column.observed[:shown] for column in columns]).T
    blocks = [(visit, len(list(own))) for visit, own in groupby(columns, lambda c: c.visit)]
    one = max(0.34, *(LETTER * len(source.visit(visit)) / size for visit, size in blocks))
    one = min(one, 4.9 / len(columns))
    heads = [textwrap.wrap(source.visit(v), max(4, int(one * k / LETTER))) for v, k in blocks]
    long = max(len(line) for column in columns for line in column.label.split("\n"))
    below, above = 0.25 + 0.05 * long, 0.22 + 0.13 * max(map(len, heads))
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
    axes.tick_params(axis="x", rotation=90, labelsize=6.5, length=0)
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
    _bars(figure, people.iloc[:shown].to_numpy(), (beside, frame[1], BARS / WIDTH, frame[3]))
    if len(people) > shown:
        rest = people.iloc[shown:]
        text = f"and {len(rest)} more patterns, of {number(rest.sum())} participants"
        place = {"fontsize": 7, "color": MUTED, "va": "top"}
        figure.text(beside, frame[1] - 0.08 / height, textwrap.fill(text, 16), **place)
    return figure


def sharing(source: Source) -> str:
    """Say, where it is so, that some variables share a column."""
    if not has_patterns(source) or source.patterns["variable"].nunique() <= COLUMNS:
        return ""
    return " Variables of a visit that are always missing together share a column."


def columns_of(source: Source) -> list[Column]:
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
        found.append(Column(label, visit, observed[members[0]].to_numpy(dtype=bool)))
    return found


def _bars(figure: Figure, people: np.ndarray, frame: tuple[float, ...]) -> None:
    """Draw how many participants have each pattern."""
    axes = figure.add_axes(frame)
    axes.barh(np.arange(len(people)) + 0.5, people, height=0.62, color=MUTED)
    axes.set_ylim(len(people), 0)
    axes.axis("off")


def has_predictors(source: Source) -> bool:
    """Return whether any variable was imputed from others."""
    return source.models is not None and bool(_models(source))


def predictors(source: Source) -> Figure:
    """Draw the predictors of every imputed variable as a matrix."""
    models = _models(source)
    names = list(dict.fromkeys([*models, *(p for found in models.values() for p in found)]))
    grid = np.array([[0.0 if p in found else 1.0 for p in names] for found in models.values()])
    labels = {name: _in_short(source.variable(name)) for name in names}
    below, beside = (0.15 + 0.043 * max(len(labels[n]) for n in of) for of in (names, models))
    one = min(0.16, (WIDTH - beside - 0.1) / len(names))
    height = below + LOW * len(models) + 0.1
    figure = Figure(figsize=(WIDTH, height))
    frame = (beside / WIDTH, below / height, one * len(names) / WIDTH)
    axes = figure.add_axes((*frame, LOW * len(models) / height))
    axes.pcolormesh(grid, cmap=ListedColormap([ACTIVE, OBSERVED]), vmin=0, vmax=1, lw=0.5, ec="w")
    axes.set_ylim(len(models), 0)
    axes.set_yticks(np.arange(len(models)) + 0.5, [labels[name] for name in models])
    axes.set_xticks(np.arange(len(names)) + 0.5, [labels[name] for name in names])
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(labelsize=5.5, length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _in_short(label: str) -> str:
    """Return a label with what stands between its first and its last comma left out."""
    first, *more = label.split(", ")
    return textwrap.shorten(", ".join([first, *more[-1:]]), 46, placeholder="…")


def _models(source: Source) -> dict[str, list[str]]:
    """Return the predictors of each variable that has a model."""
    fitted = source.models[source.models["method"] != "derived"]
    return {
        name: [p for p in part["predictor"] if p]
        for name, part in fitted.groupby("variable", sort=False)
    }
