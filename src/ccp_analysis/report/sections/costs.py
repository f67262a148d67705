"""Costs and quality-adjusted life years: means, and adjusted differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ccp_analysis.report.cells import (
    DATA,
    INFERENCE,
    adjusted_mean,
    by_arm,
    by_term,
    contrast,
    difference_columns,
    estimate,
    inference_of,
    level_of,
    mean_sd,
    method,
    notes_of,
    places_of,
    with_p,
)
from ccp_analysis.report.money import (
    BOTH,
    COST,
    ECONOMICS,
    QALY,
    adds_up_visits,
    horizon,
    money_places,
    perspective,
    pounds,
    row_of,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, has_economics
from ccp_analysis.report.source import CURRENCY, Row, Source, among
from ccp_analysis.report.table import Column, Table, saying
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
FITS = {
    Term.VARIANCE_POWER: "power of the variance by Park's test",
    Term.CURVATURE: "square of the linear predictor by the link test",
}
ADJUSTED = (
    "Of the baselines, ANCOVA, log link and bootstrap adjust for both (cost and utility), {} for "
    "the outcome's own. Complete cases: observed on cost, QALYs and all that is adjusted for."
)


def economic_means(source: Source) -> Table[list[Row]]:
    """Set out costs, utilities and QALYs by arm, unadjusted, imputed and as observed."""
    found = source.rows(analysis=ECONOMICS, model=Model.DESCRIPTIVE)
    found = [row for row in found if row["term"] in (Term.MEAN, Term.STANDARD_DEVIATION)]
    utility = source.evaluation.utility
    labels = {
        COST: f"Cost ({CURRENCY[source.evaluation.currency]})",
        QALY: "Quality-adjusted life years",
        utility: source.outcome(utility),
    }
    places = {name: _places(among(found, outcome=name)) for name in labels}
    places |= {COST: 0, QALY: max(3, places[QALY])}

    def line(rows: list[Row]) -> str:
        row = rows[0]
        when = "" if row["outcome"] == QALY else source.visit(row["visit"])
        data = DATA.get(row["population"], row["population"])
        return capitalised(", ".join(filter(None, [when, data])))

    def n(arm: str, rows: list[Row]) -> str | None:
        means = among(rows, level=arm, term=Term.MEAN)
        return number(means[0]["n"]) if means else None

    def mean(arm: str, rows: list[Row]) -> str | None:
        spread = Term.STANDARD_DEVIATION
        return mean_sd(by_term(rows, arm), places[rows[0]["outcome"]], sd=spread)

    cells = by_arm(source, ("n", n, 11), ("mean (SD)", mean, 25))
    at_visits = (
        among(found, outcome=outcome, visit=visit, population=data)
        for outcome in labels
        for visit in ["", *(v.id for v in source.study.visits)]
        for data in dict.fromkeys(row["population"] for row in among(found, outcome=outcome))
    )
    later = adds_up_visits(source)
    counted = "services of all visits after the baseline up to it," if later else "services"
    return Table(
        "Costs, utilities and quality-adjusted life years by arm, unadjusted",
        [
            Column("Measure", lambda rows: labels[rows[0]["outcome"]]),
            Column("Visit and data", line, 28, "l"),
            *cells,
        ],
        saying(cells, filter(None, at_visits)),
        grouped=True,
        stub="Visit and data",
        notes=[
            f"Cost at baseline: services over the months before. Cost at "
            f"{source.visit(horizon(source)).lower()}: {counted} and the intervention "
            f"({perspective(source)}). Imputed: mean over the imputations. Complete cases: "
            "observed on cost, QALYs and all that the analyses adjust for."
        ],
    )


def _places(rows: list[Row]) -> int:
    """Return how many decimals suit means whose standard deviations are among the rows."""
    spreads = [row["estimate"] for row in among(rows, term=Term.STANDARD_DEVIATION)]
    return decimals(max(filter(known, spreads), default=None))


def economics(source: Source) -> Table[Row]:
    """Set out adjusted costs and quality-adjusted life years, and their differences."""
    labels = {
        COST: f"Cost ({CURRENCY[source.evaluation.currency]})",
        QALY: "Quality-adjusted life years (QALYs)",
        BOTH: "Residual correlation of costs and QALYs",
    }
    found = source.rows(analysis=ECONOMICS)
    compared = [row for row in found if row["term"] in (Term.DIFFERENCE, Term.RATIO)]
    records = [
        *(
            row
            for name in (COST, QALY)
            for row in sorted(among(compared, outcome=name), key=_place)
        ),
        *among(found, outcome=BOTH, scale="correlation"),
    ]

    def about(row: Row) -> str:
        """Say of what a remark is: of a fit that failed, or of all by the model."""
        if row["status"] in (Status.FAILED, Status.REFUSED) and row["outcome"] != BOTH:
            return f"{labels[row['outcome']].partition(' (')[0]}, {_analysis(row)}"
        return method(row) if row["outcome"] == BOTH else _kind(row)

    def mean(arm: str, row: Row) -> str | None:
        found = None if row["term"] == Term.RATIO else adjusted_mean(source, row, arm)
        return estimate(found, _decimals(source, row))

    paired = ["paired team means"] * (source.study.clusters is not None)
    own = ["seemingly unrelated regressions", *paired]
    return Table(
        f"Costs and quality-adjusted life years over {source.evaluation.months:g} months "
        f"by every analysis ({contrast(source)})",
        [
            Column("Outcome", lambda row: labels[row["outcome"]]),
            Column("Analysis", _analysis, 44, "l"),
            *by_arm(source, ("adjusted mean", mean, 13, 15)),
            *difference_columns(source, partial(_decimals, source), (29, 6, 8, 6)),
        ],
        records,
        grouped=True,
        stub="Analysis",
        notes=[
            ADJUSTED.format(listed(own)),
            *_fit(source),
            *notes_of([(about(row), row["note"]) for row in records if row["note"]]),
        ],
    )


def _fit(source: Source) -> list[str]:
    """Say how well the log-link model fits: the power of its variance, and its link."""
    shown = [
        (name, row)
        for term, name in FITS.items()
        for row in source.rows(analysis=ECONOMICS, term=term)
        if known(row["estimate"])
    ]
    if not shown:
        return []
    parts = [
        f"{name} {number(row['estimate'], 2)} ({interval(row['conf_low'], row['conf_high'], 2)})"
        for name, row in shown
    ]
    return [f"Log link, fitted to services alone, the intervention added: {listed(parts)}."]


def assumed(source: Source) -> list[str]:
    """Say so where the interval of Park's test excludes the power that is assumed."""
    power = source.evaluation.variance_power
    rows = source.rows(analysis=ECONOMICS, term=Term.VARIANCE_POWER)
    row = next((r for r in rows if known(r["conf_low"])), None)
    if row is None or row["conf_low"] <= power <= row["conf_high"]:
        return []
    limits = interval(row["conf_low"], row["conf_high"], 2)
    return [
        "The log-link model takes the variance of costs as proportional to their mean to the "
        f"power {power:g}; by Park's test it is {number(row['estimate'], 2)} ({level_of(source)} "
        f"interval {limits}). Its means are valid with another power too, if less precise."
    ]


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
    if row["outcome"] == BOTH:
        return method(row)
    inference = inference_of(row)
    ratio = ", ratio of the means" if row["term"] == Term.RATIO else ""
    return f"{method(row)}{ratio}{f' ({inference})' if inference else ''}"


def _kind(row: Row) -> str:
    """Return the name of a model whatever its data, with an inference that not all of its have."""
    name = method(row).partition(", ")[0]
    flipped = row["inference"] in (Inference.SIGN_FLIP, Inference.RANDOM_SIGN_FLIP)
    return f"{name}, {INFERENCE[row['inference']]}" if flipped else name


def _decimals(source: Source, row: Row) -> int:
    """Return the decimals of an outcome: by the error of its main analysis, pounds whole."""
    if row["outcome"] == BOTH or row["term"] == Term.RATIO:
        return 2
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
    said += [*_unadjusted(source), *assumed(source)]
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
        [estimate(row, places) for row in rows]
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


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("economics", economics)


SECTION = Section("costs", _items, lambda source: {"result": result(source)}, there=has_economics)
DETAILS = Section("costs_details", _details, there=has_economics, title="By every analysis")
