"""What the evaluation hangs on: its variations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import attrgetter

import numpy as np

from ccp_analysis.report.canvas import Axes, Figure
from ccp_analysis.report.cells import (
    NOT_ESTIMATED,
    contrast,
    estimate,
    level_of,
    notes_of,
    of_whom,
    places_of,
    with_interval,
)
from ccp_analysis.report.drawing import ACTIVE, REFERENCE, Mark, estimate_text, fitting, forest
from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    MAIN,
    Varied,
    evaluation,
    left_out,
    main_threshold,
    money_places,
    per_qaly,
    perspective,
    pounds,
    variations,
)
from ccp_analysis.report.section import (
    Configured,
    FigureItem,
    Item,
    Section,
    TableItem,
    has_economics,
)
from ccp_analysis.report.sections.costs import side_of
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import (
    capitalised,
    interval,
    known,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.results.terms import Population, Status, Term


def economic_sensitivity(source: Source) -> Table[Varied]:
    """Set every variation of the evaluation beside the main one."""
    main = evaluation(source, label=MAIN)
    every = [main, *variations(source), *left_out(source)]
    found = [v for v in every if v.cost or v.qaly or v.benefit]
    symbol, level = CURRENCY[source.evaluation.currency], level_of(source)
    at = per_qaly(source, main_threshold(source.evaluation))

    def shown(varied: Varied, row: Row | None, places: int) -> str | None:
        """Write what a variation came to, to as many decimals as the main evaluation."""
        absent = NOT_ESTIMATED if row or varied.failed else None
        return with_interval(row, places, source.plan.confidence_level) or absent

    return Table(
        f"The evaluation varied: differences ({contrast(source)}) with {level} intervals, "
        f"and the net benefit at {at}",
        [
            Column("What differs", attrgetter("label"), 34, "l"),
            Column(f"Cost ({symbol})", lambda v: shown(v, v.cost, money_places(main.cost)), 18),
            Column("QALYs", lambda v: shown(v, v.qaly, places_of(main.qaly or v.qaly)), 19),
            Column(f"Net benefit ({symbol})", lambda v: shown(v, v.benefit, 0), 20),
            Column("Probability", lambda v: estimate(v.probability, 2), 11),
        ],
        found if len(found) > 1 else [],
        notes=[
            "Probability: that the net benefit is above zero, by the regression. Without one "
            "person: the lowest and the highest that leaving out anybody gives, of each number by "
            "itself; imputed values stay those of everyone.",
            *notes_of(
                [
                    (varied.label, row["note"])
                    for varied in found
                    for row in (varied.cost, varied.qaly, varied.benefit)
                    if row and row["status"] in (Status.FAILED, Status.REFUSED) and row["note"]
                ]
            ),
        ],
    )


def varied(source: Source) -> str:
    """Say how far the net benefit varies, and where its sign or its interval's side does."""
    main = evaluation(source).benefit
    every = variations(source)
    failed = [v.label for v in every if v.failed]
    lost = f"Not estimated: {'; '.join(failed)}." if failed else ""
    rows = [(v.label, v.benefit) for v in every if v.benefit and not v.failed]
    if main is None or not known(main["estimate"]) or not rows:
        return lost
    at = f"the net benefit at {per_qaly(source, main_threshold(source.evaluation))}"
    turned = [
        f"{label} ({pounds(source, row['estimate'])})"
        for label, row in rows
        if (row["estimate"] > 0) != (main["estimate"] > 0)
    ]
    sides = {1: "lies above zero", -1: "lies below zero", 0: "includes zero"}
    moved: dict[int, list[str]] = {}
    for label, row in rows:
        if known(row["conf_low"]) and side_of(row) != side_of(main):
            limits = interval(row["conf_low"], row["conf_high"], 0)
            moved.setdefault(side_of(row), []).append(f"{label} ({limits})")
    said = [_range(source, rows, at)]
    if turned:
        said.append(f"Its sign changes with: {'; '.join(turned)}.")
    for side, labels in moved.items():
        said.append(
            f"Its interval, which in the main evaluation {sides[side_of(main)]}, {sides[side]} "
            "with: "
            f"{'; '.join(labels)}."
        )
    return " ".join(filter(None, [*said, lost]))


def adjusted(source: Source) -> str:
    """Say from where to where the adjustments of the arms go; empty where one at most is asked."""
    labels = {v.label for v in source.evaluation.sensitivity if v.adjust}
    every = [evaluation(source, label=MAIN), *(v for v in variations(source) if v.label in labels)]
    rows = [(v.label, v.benefit) for v in every if v.benefit and not v.failed]
    if len(rows) < 2:
        return ""
    ordered = sorted(rows, key=lambda pair: pair[1]["estimate"])
    ends = [f"{pounds(source, row['estimate'])} ({uncapitalised(n)})" for n, row in ordered]
    return f"from {ends[0]} to {ends[-1]} by what the arms are adjusted for"


def _hangs_on(source: Source) -> str:
    """Say what makes the range of the adjustments: what the arms differ in at baseline."""
    moved = adjusted(source)
    if not moved:
        return ""
    arms, differ = source.study.arms.ordered[::-1], []
    where = {"analysis": ECONOMICS, "term": Term.MEAN, "visit": source.study.baseline.id}
    for outcome, what in ((source.evaluation.utility, "utility"), (COST, "costs")):
        rows = [
            source.one(**where, outcome=outcome, level=arm, population=Population.COMPLETED)
            for arm in arms
        ]
        if all(rows):
            write = partial(pounds, source) if outcome == COST else partial(number, places=2)
            means = " and ".join(str(write(row["estimate"])) for row in rows if row)
            differ.append(f"mean {what} {means}")
    named = f"with {source.arm(arms[0])} and {source.arm(arms[1])}"
    apart = f": {'; '.join(differ)} {named}" if differ else ""
    chance = "by chance" if source.study.randomised else "and were not allocated at random"
    return (
        f"It goes {moved}. The range is so wide because the arms differ at "
        f"{uncapitalised(source.study.baseline.label)} {chance}{apart}; each adjustment counts "
        "another part of that as the arm's doing."
    )


def _carried(source: Source) -> str:
    """Say how far single pairs and people move the results, and how concentrated costs are."""
    main, clusters = evaluation(source), source.study.clusters
    said = []
    for term, who in (
        (Term.WITHOUT_PAIR, clusters.pair_label if clusters else ""),
        (Term.WITHOUT_PERSON, "person"),
    ):
        left = [v for v in left_out(source) if v.cost and v.cost["term"] == term]
        parts = [
            f"the {name} lies between {' and '.join(pounds(source, f(values)) for f in (min, max))}"
            for name, values in (
                ("difference in costs", [v.cost["estimate"] for v in left if v.cost]),
                ("net benefit", [v.benefit["estimate"] for v in left if v.benefit]),
            )
            if values and all(map(known, values))
        ]
        if parts:
            said.append(f"Without one {who}, whichever it is, {' and '.join(parts)}.")
    if said and main.cost and known(main.cost["estimate"]):
        said.append(f"With everyone the difference in costs is {_amount(source, main.cost)}.")
    shares = []
    for arm in source.study.arms.ordered[::-1]:
        rows = source.rows(analysis=ECONOMICS, outcome=COST, level=arm, term=Term.TOP_SHARE)
        rows.sort(key=lambda row: row["estimate"])
        gini = source.one(analysis=ECONOMICS, outcome=COST, level=arm, term=Term.GINI)
        held = [f"the {row['subgroup']} have {percent(row['estimate'])}%" for row in rows]
        if gini and held:
            shares.append(
                f"with {source.arm(arm)} {' and '.join(held)} (Gini coefficient "
                f"{number(gini['estimate'], 2)})"
            )
    if shares:
        said.append(f"Of all costs of an arm, {'; '.join(shares)}.")
    return " ".join(said)


def _amount(source: Source, row: Row) -> str:
    return pounds(source, row["estimate"], money_places(row))


def _range(source: Source, rows: list[tuple[str, Row]], at: str) -> str:
    """Say from where to where the variations go, and their intervals."""
    ordered = sorted(rows, key=lambda pair: pair[1]["estimate"])
    ends = [f"{pounds(source, row['estimate'])} ({label})" for label, row in ordered]
    bounded = [row for _, row in rows if known(row["conf_low"]) and known(row["conf_high"])]
    text = f"{capitalised(at)} goes from {ends[0]} to {ends[-1]}"
    if bounded:
        low = pounds(source, min(row["conf_low"] for row in bounded))
        high = pounds(source, max(row["conf_high"] for row in bounded))
        text += f", and its intervals reach from {low} to {high}"
    return f"{text}."


def marks_of(source: Source) -> list[Mark]:
    """Return the net benefit of every variation, farthest from the main one first, that last."""
    main = evaluation(source, label=MAIN)
    if main.benefit is None or not known(main.benefit["estimate"]):
        return []
    centre = main.benefit["estimate"]
    rows = [(varied.label, varied.benefit) for varied in variations(source) if varied.benefit]
    rows = [(label, row) for label, row in rows if known(row["estimate"])]
    rows.sort(key=lambda pair: -abs(pair[1]["estimate"] - centre))
    level = source.plan.confidence_level
    marks = [Mark(label, row, estimate_text(row, 0, level)) for label, row in rows]
    return [*marks, Mark(MAIN, main.benefit, estimate_text(main.benefit, 0, level), strong=True)]


def draw_tornado(source: Source) -> Figure:
    """Draw the net benefit at the main threshold for every variation of the evaluation."""
    marks = marks_of(source)
    active, reference = (source.arm(arm) for arm in source.study.arms.ordered[::-1])
    symbol = CURRENCY[source.evaluation.currency]
    figure = forest(
        marks,
        f"Net benefit at {per_qaly(source, main_threshold(source.evaluation))} ({symbol})",
        f"Estimate ({level_of(source)} CI)",
        [
            f"\N{LEFTWARDS ARROW} favours {reference}",
            f"favours {active} \N{RIGHTWARDS ARROW}",
        ],
        compact=True,
        last=True,
    )
    marks = fitting(marks, compact=True, last=True)
    axes = figure.axes[0]
    centre = marks[-1].row["estimate"]
    axes.axvline(centre, color=ACTIVE, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    for mark, y in zip(marks, _lines(axes), strict=True):
        end = mark.row["estimate"]
        axes.hlines(y, centre, end, color=REFERENCE, linewidth=6, alpha=0.45, zorder=1.5)
    axes.xaxis.set_major_formatter(lambda value, _: number(value) or "")
    axes.locator_params(axis="x", nbins=5)
    return figure


def _lines(axes: Axes) -> list[float]:
    """Return at what heights the estimates of a forest stand."""
    return [
        float(np.ravel(line.get_ydata())[0])
        for line in axes.lines
        if line.get_marker() in ("o", "D")
    ]


def _legend(source: Source) -> tuple[str, str]:
    at = per_qaly(source, main_threshold(source.evaluation))
    *others, main = marks_of(source)
    return (
        f"Net benefit at {at} ({contrast(source)}) with {level_of(source)} confidence intervals "
        "when the evaluation is varied, by net-benefit regression; the variation that moves the "
        f"estimate farthest stands on top. Dashed line and bold, the main evaluation "
        f"({perspective(source)}; {of_whom(main.row)}); grey bars, the distance from it.",
        f"Forest plot with one line for each of {len(others)} variations and one for the main "
        "evaluation; the table of variations has the numbers.",
    )


def _said(source: Source) -> dict[str, str]:
    return {
        "varied": varied(source),
        "hangs_on": _hangs_on(source),
        "carried": _carried(source),
    }


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("economic_sensitivity", economic_sensitivity)
    if of.economics and of.economics.sensitivity:
        yield FigureItem("tornado", draw_tornado, _legend, lambda s: len(marks_of(s)) > 1)


SECTION = Section("variations", said=_said, there=has_economics)
DETAILS = Section(
    "variations_details",
    _details,
    there=has_economics,
    title="One thing varied at a time",
)
