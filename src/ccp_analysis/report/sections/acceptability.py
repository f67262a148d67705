"""How sure one is that the net benefit is a gain, and what it would be worth to know."""

from __future__ import annotations

from typing import Any

from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import of_whom
from ccp_analysis.report.drawing import ACTIVE, INK, MUTED, RULE, WIDTH
from ccp_analysis.report.money import (
    ECONOMICS,
    MODEL,
    NET_BENEFIT,
    by_draws,
    main_threshold,
    per_qaly,
    perfect,
    perspective,
    pounds,
    row_of,
)
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import known, listed, number
from ccp_analysis.results.terms import Inference, Model, Term

# Acceptability curves: by the regression, by the bootstrap.
CURVES = ("Net-benefit regression (t)", "Two-stage bootstrap")


def curves(source: Source, term: str = Term.COST_EFFECTIVE) -> dict[str, list[Row]]:
    """Return the points of both curves of a term, by their names, by threshold."""
    rows = source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT, term=term)
    rows = [row for row in rows if known(row["estimate"]) and known(row["threshold"])]
    of = {MODEL[NET_BENEFIT]: CURVES[0], Model.TWO_STAGE_BOOTSTRAP: CURVES[1]}
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (list(of).index(row["model"]), row["threshold"])):
        if row["inference"] != Inference.NORMAL:
            found.setdefault(of[row["model"]], []).append(row)
    return found


def draw_acceptability(source: Source) -> Figure:
    """Draw how probable a net benefit above zero is, and what perfect information is worth."""
    figure = Figure(figsize=(WIDTH, 3.0))
    symbol = CURRENCY[source.evaluation.currency]
    panels = (
        (0.09, Term.COST_EFFECTIVE, "Probability that the\nnet benefit is above zero"),
        (0.575, Term.EVPI, f"EVPI ({symbol} per person)"),
    )
    looks: tuple[dict[str, Any], ...] = (
        {"color": ACTIVE, "linewidth": 1.7},
        {"color": "#b06a00", "linewidth": 1.5, "linestyle": (0, (4, 2))},
    )
    thresholds = source.evaluation.thresholds
    for left, term, label in panels:
        axes = figure.add_axes((left, 0.18, 0.385, 0.745))
        for name, own in curves(source, term).items():
            x, y = ([row[column] for row in own] for column in ("threshold", "estimate"))
            axes.plot(x, y, label=name, zorder=3, **looks[CURVES.index(name)])
        axes.set_xlim(thresholds[0], thresholds[-1])
        axes.set_ylim(0, 1 if term == Term.COST_EFFECTIVE else None)
        for threshold in source.evaluation.main_thresholds:
            axes.axvline(threshold, color=RULE, linewidth=0.9, zorder=1)
            axes.annotate(
                pounds(source, threshold),
                (threshold, 1),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7,
                color=MUTED,
                annotation_clip=False,
            )
        for axis in (axes.xaxis, axes.yaxis)[: 1 + (term == Term.EVPI)]:
            axis.set_major_formatter(lambda value, _: number(value) or "")
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(f"Threshold ({symbol} per QALY)", color=INK)
        axes.set_ylabel(label, color=INK, fontsize=8)
        if term == Term.COST_EFFECTIVE:
            axes.axhline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
            axes.legend(loc="best", edgecolor="none", framealpha=0.9, fontsize=7)
    return figure


def legend(source: Source) -> tuple[str, str]:
    """Return caption and alternative text of the figure."""
    active = source.arm(source.study.arms.active)
    row = next(iter(curves(source).values()))[0]
    said, worth_knowing = [], []
    for threshold in source.evaluation.main_thresholds:
        at = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
        value = perfect(source, threshold)
        if at:
            said.append(f"{number(at['estimate'], 2)} at {per_qaly(source, threshold)}")
        if value:
            worth_knowing.append(pounds(source, value["estimate"]))
    named = " and by the ".join(name.lower() for name in curves(source))
    numbers = f" By the regression it is {listed(said)}" if said else ""
    numbers += f"; perfect information is worth {listed(worth_knowing)}" if worth_knowing else ""
    return (
        f"Acceptability (left): the probability that {active} has the higher net benefit, by "
        f"threshold, by the {named} ({perspective(source)}; {of_whom(row)}). Dotted, a probability "
        "of one half; the main thresholds are marked. On the right the expected value of "
        "perfect information (EVPI) per person, by the same two.",
        f"Line charts of a probability and of an amount over the threshold.{numbers}. The table of "
        "net benefits has more numbers.",
    )


def curve_of(source: Source) -> Table[float]:
    """Set out both curves and the net benefit at every threshold, for other programs."""
    taken, arms = source.study.arms.taken, source.study.arms
    above = f"{arms.active}_above_{arms.reference}"
    regression, bootstrap = Model.NET_BENEFIT, Model.TWO_STAGE_BOOTSTRAP
    columns = {
        taken("net_benefit"): (Term.DIFFERENCE, regression),
        f"probability_{above}_by_regression": (Term.COST_EFFECTIVE, regression),
        f"probability_{above}_by_bootstrap": (Term.COST_EFFECTIVE, bootstrap),
        "perfect_information_by_regression": (Term.EVPI, regression),
        "perfect_information_by_bootstrap": (Term.EVPI, bootstrap),
    }
    rows = source.rows(analysis=ECONOMICS, outcome=NET_BENEFIT)
    at = {
        (row["term"], row["model"], row["threshold"]): row["estimate"]
        for row in rows
        if row["inference"] != Inference.NORMAL and known(row["estimate"])
    }

    def column(name: str, which: tuple[str, str]) -> Column[float]:
        return Column(name, lambda t: repr(at[*which, t]) if (*which, t) in at else None, 10)

    return Table(
        "Net benefit, acceptability and the value of perfect information by threshold",
        [
            Column("threshold", lambda threshold: f"{threshold:g}", 10),
            *(column(name, which) for name, which in columns.items()),
        ],
        source.evaluation.thresholds if at else [],
    )


def informed(source: Source) -> str:
    """Say what perfect information would be worth at the main threshold."""
    at = main_threshold(source.evaluation)
    value, of_all = (perfect(source, at, t) for t in (Term.EVPI, Term.EVPI_OF_POPULATION))
    if value is None or not known(value["estimate"]):
        return ""
    drawn = by_draws(source, at)
    beside = f" (by the bootstrap {pounds(source, drawn['estimate'])})" if drawn else ""
    all_of_them = f", and {pounds(source, of_all['estimate'], -4)} for all" if of_all else ""
    return (
        "Perfect information on which arm has the higher net benefit would be worth "
        f"{pounds(source, value['estimate'])} per person at {per_qaly(source, at)}{beside}"
        f"{all_of_them}: the most that research can be worth, bias not counted."
    )
