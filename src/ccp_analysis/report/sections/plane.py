"""The cost-effectiveness plane, and standard errors side by side."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import contrast, estimate, few_clusters, level_of, of_whom
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, WIDTH
from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    NET_BENEFIT,
    QALY,
    QUADRANTS,
    main_threshold,
    per_qaly,
    perspective,
    pounds,
    row_of,
    shares,
)
from ccp_analysis.report.section import (
    Configured,
    FigureItem,
    Item,
    Section,
    TableItem,
    has_economics,
)
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import interval, known, listed, number, percent
from ccp_analysis.results.terms import Inference, Model, Term

DRAWN = 2000  # draws in the plane, at most
MARGIN = 1.25  # how far beyond the draws the axes of the plane reach
# Where the names of `QUADRANTS` stand in the plane, as fractions of it.
PLACES = ((0.98, 0.97), (0.02, 0.97), (0.98, 0.03), (0.02, 0.03))
CORNERS = dict(zip(QUADRANTS, PLACES, strict=True))


def said(source: Source) -> str:
    """Say how the bootstrap's draws lie in the plane, and how far they can be trusted."""
    parts = [
        f"{quadrant.replace(', ', ' and ')} in {percent(share)}%"
        for quadrant, share in shares(source).items()
    ]
    if not parts:
        return ""
    clusters = source.study.clusters
    what = "participants"
    if clusters:
        what = f"whole {clusters.pair_label}s, and people within their {clusters.unit_label}s"
    arms = [source.arm(arm) for arm in source.study.arms.ordered]
    drawn = source.one(
        analysis=ECONOMICS, outcome=COST, term=Term.DIFFERENCE, model=Model.TWO_STAGE_BOOTSTRAP
    )
    centre = (
        f"Every draw is imputed by a model of its own; their mean difference in costs is "
        f"{pounds(source, drawn['estimate'])}. "
        if drawn and known(drawn["estimate"])
        else ""
    )
    return (
        f"The bootstrap draws {what}. {centre}Set against {arms[0]}, {arms[1]} was {listed(parts)} "
        "of the draws. The intervals and probabilities to go by are those of the regression"
        + (f", whose degrees of freedom allow for few {clusters.unit_label}s." if clusters else ".")
    )


def errors(source: Source) -> Table[list[Row]]:
    """Set the standard errors of each difference side by side, and how alike clusters are."""
    clusters, level = source.study.clusters, level_of(source)
    order = (COST, QALY, NET_BENEFIT)
    rows = source.rows(analysis=ECONOMICS, term=Term.STANDARD_ERROR)
    rows = sorted(
        (r for r in rows if r["outcome"] in order), key=lambda r: order.index(r["outcome"])
    )
    groups: dict[tuple[str, object], list[Row]] = {}
    for row in rows:
        at = row["threshold"] if known(row["threshold"]) else None
        groups.setdefault((row["outcome"], at), []).append(row)

    def name(group: list[Row]) -> str:
        row = group[0]
        if row["outcome"] == NET_BENEFIT:
            return f"Net benefit at {per_qaly(source, row['threshold'])}"
        symbol = CURRENCY[source.evaluation.currency]
        return f"Cost ({symbol})" if row["outcome"] == COST else "QALYs"

    def by(group: list[Row], inference: str) -> Row | None:
        return next((row for row in group if row["inference"] == inference), None)

    def places(group: list[Row]) -> int:
        return 4 if group[0]["outcome"] == QALY else 0

    def error(group: list[Row], inference: str) -> str | None:
        return estimate(by(group, inference), places(group))

    def own(group: list[Row]) -> str | None:
        row = by(group, main_of(source))
        return interval(row["conf_low"], row["conf_high"], places(group)) if row else None

    def alike(group: list[Row]) -> str | None:
        row = correlation(source, group[0])
        return estimate(row, 2) if row else None

    by_main = f"By {clusters.unit_label}s (CR2)" if clusters else "By the regression"
    columns = [
        Column("Difference in", name, 26, "l"),
        Column(by_main, lambda g: error(g, main_of(source)), 12),
        Column(f"Its {level} interval", own, 17),
    ]
    if clusters:
        unit = clusters.unit_label
        columns += [
            Column(f"Ignoring {unit}s", lambda g: error(g, Inference.T), 12),
            Column(f"Correlation within {unit}s", alike, 13),
        ]
    columns += [Column("Bootstrap", lambda g: error(g, Inference.BOOTSTRAP), 12)]
    return Table(
        "Standard errors of the differences, side by side",
        columns,
        list(groups.values()) if all(known(row["estimate"]) for row in rows) else [],
        notes=[
            "The interval of a standard error follows from its degrees of freedom (chi-square). "
            + (
                f"Ignoring {clusters.unit_label}s is no inference here and is shown to be "
                "compared. The correlation is of what the design leaves, from two mean squares, "
                "and so can be negative."
                if clusters
                else ""
            )
        ],
    )


def main_of(source: Source) -> str:
    """Return by which inference the main standard errors are."""
    return Inference.CR2 if source.study.clusters else Inference.T


def correlation(source: Source, row: Row) -> Row | None:
    """Return the intraclass correlation that belongs to a row."""
    same = {key: row[key] for key in ("analysis", "outcome")}
    at = {"threshold": row["threshold"]} if known(row["threshold"]) else {}
    return source.one(**same, **at, term=Term.INTRACLASS)


def compared(source: Source) -> str:
    """Say which standard error of the net benefit is the larger, and what makes it so."""
    at = main_threshold(source.evaluation)
    rows = source.rows(
        analysis=ECONOMICS, outcome=NET_BENEFIT, term=Term.STANDARD_ERROR, threshold=at
    )
    found = {row["inference"]: row for row in rows if known(row["estimate"])}
    clusters, main = source.study.clusters, found.get(main_of(source))
    if main is None:
        return ""
    unit = clusters.unit_label if clusters else "participant"
    size = {how: pounds(source, row["estimate"]) for how, row in found.items()}
    text = (
        f"The standard error of the net benefit at {per_qaly(source, at)} is "
        f"{size[main['inference']]} by the regression"
    )
    if known(main["conf_high"]):
        low, high = (pounds(source, main[end]) for end in ("conf_low", "conf_high"))
        text += f", for which {number(main['df'], 1)} degrees of freedom leave {low} to {high}"
    text += "."
    blind, drawn = found.get(Inference.T), found.get(Inference.BOOTSTRAP)
    if clusters and blind:
        text += f" {_blind(source, main, blind, unit)}"
    if drawn:
        few = f"{clusters.pair_label}s" if clusters else "people"
        larger = drawn["estimate"] > main["estimate"]
        why = (
            f"the people who are drawn within {unit}s, and the one imputation of each draw, add "
            f"their scatter whatever lies between {unit}s"
            if clusters
            else "the one imputation of each draw adds its scatter"
        )
        if not larger:
            why = f"few {few} can be drawn in few ways, which holds less than studies would differ"
        text += (
            f" The bootstrap's draws vary {'more' if larger else 'less'} "
            f"({size[Inference.BOOTSTRAP]}): {why}."
        )
    return text


def _blind(source: Source, main: Row, blind: Row, unit: str) -> str:
    """Say why a standard error that ignores clusters is the larger or the smaller one."""
    row = correlation(source, main)
    alike = f" (intraclass correlation {number(row['estimate'], 2)})" if row else ""
    size = pounds(source, blind["estimate"])
    if blind["estimate"] <= main["estimate"]:
        return (
            f"Ignoring {unit}s it would be {size}, too small: people of a {unit} are alike{alike}, "
            f"and so say less than as many people each for themselves."
        )
    few = f"With so few {unit}s that" if few_clusters(main["n_clusters"]) else "That"
    inside = known(main["conf_high"]) and blind["estimate"] <= main["conf_high"]
    chance = f"{few} happens by chance, as these limits say, and " if inside else "That "
    return (
        f"Ignoring {unit}s it would be {size}, which is larger: means of {unit}s lie closer "
        f"together than the scatter of people would place them{alike}. {chance}is no reason to "
        f"ignore {unit}s."
    )


def draws_of(source: Source) -> Table[dict[str, float]]:
    """Set out the draws, for other programs."""
    names = ["draw", *map(source.study.arms.taken, ("cost", "qaly"))]
    return Table(
        "Draws of the bootstrap",
        [Column(name, partial(_full, name), 10) for name in names],
        source.draws.to_dict("records"),
    )


def _full(name: str, record: dict[str, float]) -> str:
    return repr(record[name])


def has_plane(source: Source) -> bool:
    """Return whether there are draws and a point estimate for the plane."""
    return not source.draws.empty and len(_estimates(source)) == 2


def _estimates(source: Source) -> list[Row]:
    """Return the differences in costs and in QALYs, those that were estimated."""
    rows = row_of(source, COST), row_of(source, QALY)
    return [row for row in rows if row and known(row["estimate"])]


def draw_plane(source: Source) -> Figure:
    """Draw the cost-effectiveness plane: differences in costs over differences in QALYs."""
    taken = source.study.arms.taken
    draws = source.draws.sort_values("draw").head(DRAWN)
    cost, effect = (row["estimate"] for row in _estimates(source))
    figure = Figure(figsize=(WIDTH, 4.0))
    axes = figure.add_axes((0.115, 0.14, 0.865, 0.84))
    across = _reach(draws[taken("qaly")], effect)
    up = _reach(draws[taken("cost")], cost)
    axes.set_xlim(-across, across)
    axes.set_ylim(-up, up)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.scatter(
        draws[taken("qaly")],
        draws[taken("cost")],
        s=5,
        color=ACTIVE,
        alpha=0.3,
        linewidths=0,
        rasterized=True,
        zorder=2,
        label="draws",
    )
    _threshold(axes, source, across, up)
    axes.plot(
        effect,
        cost,
        marker="D",
        markersize=6.5,
        markerfacecolor=INK,
        markeredgecolor="white",
        linestyle="none",
        zorder=4,
        label="point estimate",
    )
    _corners(axes, shares(source))
    symbol = CURRENCY[source.evaluation.currency]
    axes.set_xlabel(f"Difference in QALYs, {contrast(source)}", color=INK)
    axes.set_ylabel(f"Difference in costs ({symbol})", color=INK)
    axes.yaxis.set_major_formatter(lambda value, _: number(value) or "")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def _reach(draws: np.ndarray, estimate: float) -> float:
    """Return how far an axis reaches on either side of zero."""
    return MARGIN * float(max(np.abs(draws).max(), abs(estimate))) or 1.0


def _threshold(axes: Axes, source: Source, across: float, up: float) -> None:
    """Draw the line on which the net benefit at the main threshold is zero."""
    slope = main_threshold(source.evaluation)
    end = min(across, up / slope) if slope else across
    ends = np.array([-end, end])
    axes.plot(ends, ends * slope, color=INK, linewidth=1, linestyle=(0, (5, 3)))
    # The label stands below the line, well inside the end of it, clear of the corner's text.
    x = 0.62 * end
    axes.annotate(
        per_qaly(source, slope),
        (x, x * slope),
        (6, -5),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=7,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85},
        zorder=5,
    )


def _corners(axes: Axes, found_shares: dict[str, float]) -> None:
    for quadrant, (x, y) in CORNERS.items():
        share = percent(found_shares.get(quadrant))
        said = f"\n{share}%" if share else ""
        axes.text(
            x,
            y,
            f"{quadrant}{said}",
            transform=axes.transAxes,
            ha="right" if x > 0.5 else "left",
            va="top" if y > 0.5 else "bottom",
            fontsize=7.5,
            color=INK,
            linespacing=1.35,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
            zorder=5,
        )


def _legend(source: Source) -> tuple[str, str]:
    draws = len(source.draws)
    shown = f"the first {number(DRAWN)} of {number(draws)}" if draws > DRAWN else number(draws)
    cost, qaly = _estimates(source)
    at = per_qaly(source, main_threshold(source.evaluation))
    parts = [f"{quadrant}, {percent(share)} per cent" for quadrant, share in shares(source).items()]
    return (
        f"Cost-effectiveness plane ({contrast(source)}, {perspective(source)}): draws of the "
        f"two-stage bootstrap ({shown} drawn), the shares of all draws in the four quadrants, and "
        f"the estimate of the main analysis (diamond; ANCOVA, {of_whom(cost)}). On the dashed line "
        f"the net benefit at {at} is zero; below and to the right of it, it is above zero.",
        f"Scatter plot of differences in costs over differences in QALYs. The estimate is "
        f"{pounds(source, cost['estimate'])} and {number(qaly['estimate'], 3)} QALYs. Of the "
        f"draws: {'; '.join(parts)}.",
    )


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("bootstrap_draws", draws_of, shown=lambda source: False)
    yield FigureItem("plane", draw_plane, _legend, has_plane)


def _said(source: Source) -> dict[str, str]:
    return {"plane": said(source), "compared": compared(source)}


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("standard_errors", errors)


SECTION = Section("plane", _items, _said, there=has_economics)
DETAILS = Section("plane_details", _details, there=has_economics, title="Standard errors")
