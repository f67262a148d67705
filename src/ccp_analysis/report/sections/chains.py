"""Drawing from what was imputed, and how the chains ran."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ccp_analysis.groups import in_order
from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import primary_names
from ccp_analysis.report.drawing import ACTIVE, BELOW, INK, OBSERVED, REFERENCE, WIDTH
from ccp_analysis.report.section import Configured, FigureItem, Item, Section
from ccp_analysis.report.source import Source

ON_PAGE = 4  # imputed variables whose chains are drawn
LOW = 0.115  # inches: height of a model
MOST_MODELS, MOST_NAMES = 50, 46  # of which a matrix of predictors can be read
CHAINS = 10  # drawn at most
BINS = 15  # of a number, at most


def has_predictors(source: Source) -> bool:
    """Return whether variables were imputed from others, so few that a matrix can be read."""
    if source.models.empty or not (models := _models(source)):
        return False
    # Names of more stand over one another: the table of models is what is left.
    names = set(models).union(*models.values())
    return len(models) <= MOST_MODELS and len(names) <= MOST_NAMES


def draw_predictors(source: Source) -> Figure:
    """Draw the predictors of every imputed variable as a matrix."""
    from matplotlib.colors import ListedColormap

    models = _models(source)
    names = list(dict.fromkeys([*models, *(p for found in models.values() for p in found)]))
    grid = np.array([[0.0 if p in found else 1.0 for p in names] for found in models.values()])
    labels = {name: _in_short(source.variable(name)) for name in names}
    below, beside = (0.15 + 0.055 * max(len(labels[n]) for n in of) for of in (names, models))
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
    axes.tick_params(labelsize=7, length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure


def _in_short(label: str) -> str:
    """Return a label with what stands between its first and its last comma left out."""
    first, *more = label.split(", ")
    return ", ".join([textwrap.shorten(first, 36, placeholder="…"), *more[-1:]])


def _models(source: Source) -> dict[str, list[str]]:
    """Return the predictors of each variable that has a model."""
    fitted = source.models[source.models["method"] != "derived"]
    return {
        name: [p for p in part["predictor"] if p]
        for name, part in fitted.groupby("variable", sort=False)
    }


def imputed_outcomes(source: Source) -> list[str]:
    """Return the follow-ups of the primary outcomes whose chains and values are there."""
    if source.traces.empty or source.values.empty:
        return []
    there = set(source.traces["variable"].unique()) & set(source.values["variable"].unique())
    names = [f"{o.id}_{v.id}" for o in source.primary for v in source.study.follow_ups]
    return [name for name in names if name in there]


def drawn(source: Source) -> list[str]:
    """Return those of them that fit on a page: of too many those whose chains mix least."""
    names = imputed_outcomes(source)
    if len(names) <= ON_PAGE or "r_hat" not in source.models:
        return names[:ON_PAGE]
    mixing = source.models.groupby("variable")["r_hat"].max()
    worst = sorted(names, key=lambda name: -mixing.fillna(0).get(name, 0))[:ON_PAGE]
    return [name for name in names if name in worst]


def draw_imputation(source: Source) -> Figure:
    """Draw chains and values of the primary outcomes, a line for each follow-up."""
    names = drawn(source)
    figure = Figure(figsize=(WIDTH, 1.6 * len(names) + 0.25))
    grid = figure.subplots(len(names), 2, squeeze=False)
    for place, ((left, right), name) in enumerate(zip(grid, names, strict=True)):
        _chains(left, source.traces[source.traces["variable"] == name])
        _values(source, right, source.values[source.values["variable"] == name], name)
        stem, comma, visit = source.variable(name).rpartition(", ")
        label = textwrap.wrap(stem + comma.strip(), 22)
        left.set_ylabel("\n".join([*label, visit]), fontsize=7)
        if place == 0:
            titles = ("Mean of the imputed values", "Observed and imputed values")
            for axes, title in zip((left, right), titles, strict=True):
                axes.set_title(title, fontsize=8, fontweight="bold", loc="left", color=INK)
            right.legend(fontsize=7, frameon=False)
    for axes in grid[-1]:
        axes.set_xlabel("Iteration" if axes is grid[-1][0] else "Value", fontsize=7)
    figure.tight_layout(rect=(0, 0.2 / figure.get_figheight(), 1, 1))
    return figure


def _chains(axes: Axes, traces: pd.DataFrame) -> None:
    """Draw the first chains; of a category the share of its last level."""
    traces = traces[traces["level"].isin(in_order(traces["level"])[-1:])]
    chains = sorted(traces["chain"].unique())[:CHAINS]
    for place, chain in enumerate(chains):
        own = traces[traces["chain"] == chain].sort_values("iteration")
        colour = (ACTIVE, REFERENCE)[place % 2]
        axes.plot(own["iteration"], own["mean"], color=colour, linewidth=0.7, alpha=0.85)
    axes.locator_params(axis="x", integer=True)
    axes.tick_params(labelsize=7)


def _values(source: Source, axes: Axes, values: pd.DataFrame, name: str) -> None:
    """Draw the shares of the values observed as bars, of those imputed as a line."""
    observed, filled = values["imputation"] == 0, values["imputation"] > 0
    if (values["level"] != "").any():
        variable = next((n for n in (name, name.rpartition("_")[0]) if source.codes(n)), name)
        levels = in_order(values["level"])
        position = values["level"].map({level: place for place, level in enumerate(levels)})
        edges = np.arange(len(levels) + 1) - 0.5
        axes.set_xticks(range(len(levels)), [source.category(variable, code) for code in levels])
    else:
        position = values["value"].astype(float)
        edges = _edges(position.to_numpy())
    for chosen, look in (
        (observed, {"color": BELOW, "label": "Observed"}),
        (filled, {"color": ACTIVE, "label": "Imputed", "histtype": "step", "linewidth": 1.3}),
    ):
        people = values.loc[chosen, "people"].to_numpy(dtype=float)
        if people.sum():
            weights = 100 * people / people.sum()
            axes.hist(position[chosen], edges.tolist(), weights=weights, **look)
    axes.set_ylabel("Per cent", fontsize=7)
    axes.tick_params(labelsize=7)


def _edges(values: np.ndarray) -> np.ndarray:
    """Return limits of bins; of whole numbers each holds as many of them."""
    low, high = values.min(), values.max()
    if high - low >= BINS or (values == values.round()).all():
        step = max(1.0, np.ceil((high - low + 1) / BINS))
        return np.arange(low - 0.5, high + step + 0.5, step)
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low - 1, low + 1])


def _predictors_legend(source: Source) -> tuple[str, str]:
    return (
        "Predictors (columns, dark) in the imputation model of each variable (a line each).",
        "Grid with a line for each imputed variable and a column for each that "
        "predicts any; the table of imputation models has the number of predictors of each.",
    )


def _imputation_legend(source: Source) -> tuple[str, str]:
    every, shown = len(imputed_outcomes(source)), len(drawn(source))
    some = f" Drawn are the {shown} of {every} with the largest R-hat." if shown < every else ""
    return (
        f"{primary_names(source)}: means of the imputed values by iteration, up to ten chains of "
        f"the imputation (left), and observed values beside imputed ones (right).{some}",
        "Line chart of the chains and histogram of observed and imputed values, for "
        "each follow-up; the table of imputation models has R-hat, by which chains are compared.",
    )


def _items(of: Configured) -> Iterator[Item]:
    yield FigureItem("predictors", draw_predictors, _predictors_legend, has_predictors)
    yield FigureItem(
        "imputation", draw_imputation, _imputation_legend, lambda s: bool(imputed_outcomes(s))
    )


SECTION = Section("chains", _items)
