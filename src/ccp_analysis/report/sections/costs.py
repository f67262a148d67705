"""Costs and quality-adjusted life years: means, and adjusted differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ccp_analysis.report.cells import (
    DATA,
    INFERENCE,
    contrast,
    difference_cells,
    difference_header,
    inference_of,
    level_of,
    method,
    notes_of,
    with_interval,
    with_p,
)
from ccp_analysis.report.money import (
    BOTH,
    COST,
    ECONOMICS,
    NOT_ESTIMATED,
    QALY,
    adds_up_visits,
    among,
    horizon,
    money_places,
    perspective,
    places_of,
    pounds,
    row_of,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, has_economics
from ccp_analysis.report.source import CURRENCY, Row, Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    interval,
    known,
    listed,
    number,
    uncapitalised,
)
from ccp_analysis.results.terms import Inference, Model, Population, Status, Term

ORDER = (Model.ANCOVA, Model.SUR, Model.LOG_LINK, Model.TEAM_MEANS, Model.TWO_STAGE_BOOTSTRAP)
ADJUSTED = (
    "Of the baselines, ANCOVA, log link and bootstrap adjust for both (cost and utility), "
    "seemingly unrelated regressions and paired team means for the outcome's own. Complete cases: "
    "observed on cost, QALYs and all that is adjusted for."
)


def economic_means(source: Source) -> Table[Any]:
    """Set out costs, utilities and QALYs by arm, unadjusted, imputed and as observed."""
    symbol = CURRENCY[source.evaluation.currency]
    found = source.rows(analysis=ECONOMICS, model=Model.DESCRIPTIVE)
    labels = {COST: f"Cost ({symbol})", QALY: "Quality-adjusted life years"}
    labels[source.evaluation.utility] = source.outcome(source.evaluation.utility)
    rows: list[Cells] = []
    for outcome in labels:
        own = [
            row
            for row in found
            if row["outcome"] == outcome and row["term"] in (Term.MEAN, Term.STANDARD_DEVIATION)
        ]
        spreads = [
            r["estimate"]
            for r in own
            if r["term"] == Term.STANDARD_DEVIATION and known(r["estimate"])
        ]
        places = decimals(max(spreads, default=None))
        places = {COST: 0, QALY: max(3, places)}.get(outcome, places)
        for visit in ["", *(v.id for v in source.study.visits)]:
            for population in dict.fromkeys(row["population"] for row in own):
                cells: Cells = []
                for arm in source.study.arms.ordered:
                    at = {"visit": visit, "population": population, "level": arm}
                    cells += _summary({row["term"]: row for row in among(own, **at)}, places)
                if any(cells):
                    when = "" if outcome == QALY else source.visit(visit)
                    data = DATA.get(population, population)
                    line = capitalised(", ".join(filter(None, [when, data])))
                    rows.append([labels[outcome], line, *cells])
    header = [f"{label}, {what}" for _, label in source.arms for what in ("n", "mean (SD)")]
    later = adds_up_visits(source)
    counted = "services of all visits after the baseline up to it," if later else "services"
    return positional(
        caption="Costs, utilities and quality-adjusted life years by arm, unadjusted",
        header=["Measure", "Visit and data", *header],
        rows=rows,
        align="ll" + "r" * len(header),
        widths=[28, 11, 25, 11, 25],
        grouped=True,
        stub="Visit and data",
        notes=[
            f"Cost at baseline: services over the months before. Cost at "
            f"{source.visit(horizon(source)).lower()}: {counted} and the intervention "
            f"({perspective(source)}). Imputed: mean over the imputations. Complete cases: "
            "observed on cost, QALYs and all that the analyses adjust for."
        ]
        if rows
        else [],
    )


def _summary(terms: dict[str, Row], places: int) -> Cells:
    if Term.MEAN not in terms:
        return [None, None]
    mean, spread = terms[Term.MEAN], terms.get(Term.STANDARD_DEVIATION)
    shown = number(mean["estimate"], places)
    if shown and spread and known(spread["estimate"]):
        shown = f"{shown} ({number(spread['estimate'], places)})"
    return [number(mean["n"]), shown]


def economics(source: Source) -> Table[Any]:
    """Set out adjusted costs and quality-adjusted life years, and their differences."""
    rows: list[Cells] = []
    notes: list[tuple[str, str]] = []
    labels = {
        COST: f"Cost ({CURRENCY[source.evaluation.currency]})",
        QALY: "Quality-adjusted life years (QALYs)",
    }
    for outcome, label in labels.items():
        terms = source.rows(analysis=ECONOMICS, outcome=outcome)
        terms = [row for row in terms if row["term"] in (Term.DIFFERENCE, Term.RATIO)]
        for row in sorted(terms, key=_place):
            rows.append([label, _analysis(row), *_cells(source, row)])
            if row["note"]:
                alone = row["status"] in (Status.FAILED, Status.REFUSED)
                about = f"{label.partition(' (')[0]}, {rows[-1][1]}" if alone else _kind(row)
                notes.append((about, row["note"]))
    for row in source.rows(analysis=ECONOMICS, outcome=BOTH, scale="correlation"):
        shown = with_interval(row, 2) or NOT_ESTIMATED
        cells = [None, None, shown, None, None, number(row["n"])]
        rows.append(["Residual correlation of costs and QALYs", method(row), *cells])
        if row["note"]:
            notes.append((method(row), row["note"]))
    return positional(
        caption=f"Costs and quality-adjusted life years over {source.evaluation.months:g} months "
        f"by every analysis ({contrast(source)})",
        header=[
            "Outcome",
            "Analysis",
            *(f"{label}, adjusted mean" for _, label in source.arms),
            *difference_header(source),
        ],
        rows=rows,
        align="llrrrrrr",
        widths=[44, 13, 15, 29, 6, 8, 6],
        grouped=True,
        stub="Analysis",
        notes=[*[ADJUSTED] * bool(rows), *notes_of(notes)],
    )


def _place(row: Row) -> tuple[int, bool, bool, bool]:
    """Sort by model, imputed data first, differences before ratios."""
    model = ORDER.index(row["model"]) if row["model"] in ORDER else len(ORDER)
    return (
        model,
        row["population"] != Population.COMPLETED,
        row["term"] != Term.DIFFERENCE,
        not known(row["df"]),
    )


def _analysis(row: Row) -> str:
    inference = inference_of(row)
    ratio = ", ratio of the means" if row["term"] == Term.RATIO else ""
    return f"{method(row)}{ratio}{f' ({inference})' if inference else ''}"


def _kind(row: Row) -> str:
    """Return the name of a model whatever its data, with an inference that not all of its have."""
    name = method(row).partition(", ")[0]
    return (
        f"{name}, {INFERENCE[Inference.SIGN_FLIP]}"
        if row["inference"] == Inference.SIGN_FLIP
        else name
    )


def _cells(source: Source, row: Row) -> Cells:
    """Write adjusted means and the difference or ratio of a row."""
    ratio = row["term"] == Term.RATIO
    places = _decimals(source, row)
    keys = ("analysis", "outcome", "population", "model", "inference")
    shared = {key: row[key] for key in keys}
    means = [
        None if ratio else source.one(**shared, term=Term.ADJUSTED_MEAN, level=arm)
        for arm in source.study.arms.ordered
    ]
    return [
        *(number(mean["estimate"], places) if mean else None for mean in means),
        *difference_cells(row, 2 if ratio else places, source.plan.confidence_level),
    ]


def _decimals(source: Source, row: Row) -> int:
    """Return the decimals of an outcome: by the error of its main analysis, pounds whole."""
    main = row_of(source, row["outcome"]) or row
    return money_places(main) if row["outcome"] == COST else places_of(main)


def result(source: Source) -> list[str]:
    """Give the differences in costs and outcomes, and say what their intervals allow."""
    active = source.arm(source.study.arms.active)
    cost, qaly = row_of(source, COST), row_of(source, QALY)
    said = []
    if cost is not None and known(cost["estimate"]):
        places = money_places(cost)

        def money(value: float) -> str:
            return pounds(source, value, places)

        said.append(
            f"The adjusted difference in costs, {contrast(source)}, was "
            f"{money(cost['estimate'])} ({limits_and_p(source, cost, places)}; "
            f"{method(cost)}; {_people(source, cost)})."
            + _allows(cost, money, "costs", ("lower", "higher"), active)
            + _by_others(source, cost, money)
        )
    if qaly is not None and known(qaly["estimate"]):
        digits = places_of(qaly)

        def years(value: float) -> str:
            return number(value, digits) or ""

        said.append(
            f"The adjusted difference in quality-adjusted life years (QALYs) was "
            f"{years(qaly['estimate'])} ({limits_and_p(source, qaly, digits)})."
            + _allows(qaly, years, "QALYs", ("fewer", "more"), active)
            + _by_others(source, qaly, years)
        )
    said += _unadjusted(source)
    for row, name in ((cost, "costs"), (qaly, "QALYs")):
        if row is None or not known(row["estimate"]):
            why = f": {row['note']}" if row and row["note"] else ""
            said.append(f"The adjusted difference in {name} was not estimated{why}.")
    return said


def _unadjusted(source: Source) -> list[str]:
    """Set the unadjusted QALYs beside the baseline utilities, for which they are adjusted."""
    arms, baseline = source.study.arms.ordered, source.study.baseline
    shared = {"analysis": ECONOMICS, "term": Term.MEAN, "population": Population.COMPLETED}
    wanted = {QALY: {}, source.evaluation.utility: {"visit": baseline.id}}
    found = {
        name: [source.one(**shared, outcome=name, level=arm, **at) for arm in arms]
        for name, at in wanted.items()
    }
    if not all(row and known(row["estimate"]) for rows in found.values() for row in rows):
        return []
    years, utilities = (
        [number(row["estimate"], places) for row in rows]
        for rows, places in zip(found.values(), (3, 2), strict=True)
    )
    labels = [source.arm(arm) for arm in arms]
    return [
        f"Unadjusted, mean QALYs were {years[1]} with {labels[1]} and {years[0]} with {labels[0]}; "
        f"mean utility at {uncapitalised(baseline.label)} was {utilities[1]} and {utilities[0]}."
    ]


def limits_and_p(source: Source, row: Row, places: int) -> str:
    """Write the interval of a row and its p-value."""
    limits = interval(row["conf_low"], row["conf_high"], places)
    parts = [f"{level_of(source)} confidence interval {limits}"] if limits else []
    parts += [with_p(row)] if known(row["p_value"]) else []
    return "; ".join(parts)


def _people(source: Source, row: Row) -> str:
    people = f"{number(row['n'])} participants"
    if source.study.clusters and known(row["n_clusters"]):
        people += f" in {number(row['n_clusters'])} {source.study.clusters.unit_label}s"
    return f"{people}, {number(row['m'])} imputations" if known(row["m"]) else people


def _allows(
    row: Row, write: Callable[[float], str], what: str, words: tuple[str, str], active: str
) -> str:
    """Say from where to where an interval runs, in words; empty where there is none."""
    low, high = row["conf_low"], row["conf_high"]
    if not (known(low) and known(high)):
        return ""
    first, last = (words[end > 0] for end in (low, high))
    near = write(abs(low)) if first == last else f"{write(abs(low))} {first}"
    return (
        f" The data are compatible with {what} from {near} to {write(abs(high))} {last} with "
        f"{active}."
    )


def _by_others(source: Source, main: Row, write: Callable[[float], str]) -> str:
    """Say between what the other analyses lie, and which of their intervals exclude zero."""
    rows = source.rows(analysis=ECONOMICS, outcome=main["outcome"], term=Term.DIFFERENCE)
    rows = [row for row in rows if row is not main and known(row["estimate"])]
    if not rows:
        return ""
    lowest = min(rows, key=lambda row: row["estimate"])
    highest = max(rows, key=lambda row: row["estimate"])
    text = (
        " By the other analyses, of other people or with other adjustments, it was between "
        f"{write(lowest['estimate'])} ({method(lowest)}) and {write(highest['estimate'])} "
        f"({method(highest)})"
    )
    bounded = [row for row in rows if known(row["conf_low"]) and known(row["conf_high"])]
    own = side_of(main)
    names = list(dict.fromkeys(method(row) for row in bounded if side_of(row) != own))
    if not names:
        return f"{text}."
    mine = "excludes" if own else "includes"
    others = f"those of {listed(names)} do" if len(names) > 1 else f"that of {names[0]} does"
    return f"{text}; the interval of the main analysis {mine} zero, {others} not."


def side_of(row: Row) -> int:
    """Return on which side of zero an interval lies: 1 above, −1 below, 0 where it includes it."""
    low, high = row["conf_low"], row["conf_high"]
    if not (known(low) and known(high)):
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("economic_means", economic_means)
    yield TableItem("economics", economics)


SECTION = Section("costs", _items, lambda source: {"result": result(source)}, there=has_economics)
