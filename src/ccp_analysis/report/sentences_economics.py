"""The report's sentences on costs and quality-adjusted life years; every number is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ccp_analysis.report.format import (
    capitalised,
    interval,
    known,
    listed,
    number,
    percent,
    uncapitalised,
)
from ccp_analysis.report.lookup import Row, Source, method
from ccp_analysis.report.lookup_economics import (
    COST,
    ECONOMICS,
    NET_BENEFIT,
    QALY,
    evaluation,
    has_a_ratio,
    has_few_pairs,
    main_threshold,
    money_places,
    per_qaly,
    places_of,
    pounds,
    ratio_rows,
    roughly,
    row_of,
    shares,
    variations,
)
from ccp_analysis.report.sentences import with_p
from ccp_analysis.report.sentences_costs import placeholder, setting
from ccp_analysis.report.tables_economics import ratio_name
from ccp_analysis.report.tables_outcomes import contrast, level_of
from ccp_analysis.results.terms import Model, Population, Status, Term


def paragraphs(source: Source) -> dict[str, Any]:
    """Return what the template says about the evaluation; nothing where there is none.

    Parameters
    ----------
    source : Source
        Results, prices and configuration.

    Returns
    -------
    dict
        ``placeholder``, ``setting``, ``result``, ``worth``, ``plane`` and ``varied``: text, or
        lists of paragraphs; ``used``: which models and inferences have results; ``power``: that of
        the mean to which the variance of costs is proportional.
    """
    if source.economics is None:
        return {"used": set()}
    return {
        "placeholder": placeholder(source),
        "setting": setting(source),
        "result": result(source),
        "worth": worth(source),
        "plane": plane(source),
        "varied": varied(source),
        "used": _used(source),
        "power": f"{source.economics.variance_power:g}",
    }


def _used(source: Source) -> set[str]:
    rows = [row for row in source.rows(analysis=ECONOMICS) if row["status"] == Status.OK]
    return {row[column] for row in rows for column in ("model", "inference")}


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
            f"{money(cost['estimate'])} ({_inference(source, cost, places)}; "
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
            f"{years(qaly['estimate'])} ({_inference(source, qaly, digits)})."
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
    wanted = {QALY: {}, source.economics.utility: {"visit": baseline.id}}
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


def _inference(source: Source, row: Row, places: int) -> str:
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
    own = _side(main)
    names = list(dict.fromkeys(method(row) for row in bounded if _side(row) != own))
    if not names:
        return f"{text}."
    mine = "excludes" if own else "includes"
    others = f"those of {listed(names)} do" if len(names) > 1 else f"that of {names[0]} does"
    return f"{text}; the interval of the main analysis {mine} zero, {others} not."


def _side(row: Row) -> int:
    """Return on which side of zero an interval lies: 1 above, −1 below, 0 where it includes it."""
    low, high = row["conf_low"], row["conf_high"]
    if not (known(low) and known(high)):
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0


def worth(source: Source) -> list[str]:
    """Give the net benefit at the main thresholds, and the ratio where it means anything."""
    active = source.arm(source.study.arms.active)
    said = []
    for place, threshold in enumerate(source.economics.main_thresholds):
        row = row_of(source, NET_BENEFIT, threshold=threshold)
        probable = row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, threshold=threshold)
        if row is None or not known(row["estimate"]):
            continue
        chance = number(probable["estimate"], 2) if probable else None
        above = f"; probability that it is above zero {chance}" if chance else ""
        of = f"net monetary benefit, {contrast(source)}," if place == 0 else "it"
        said.append(
            f"At {per_qaly(source, threshold)} {'the ' if place == 0 else ''}{of} was "
            f"{pounds(source, row['estimate'])} per participant ({_inference(source, row, 0)}"
            f"{above})." + (_gains(source, row, active) if place == 0 else "")
        )
    if not said:
        said.append("The net benefit was not estimated.")
    return [" ".join(said), *filter(None, [_ratio(source)])]


def _gains(source: Source, row: Row, active: str) -> str:
    low, high = row["conf_low"], row["conf_high"]
    if not (known(low) and known(high)):
        return ""
    ends = [pounds(source, abs(end)) for end in (low, high)]
    if _side(row) == 0:
        return (
            f" The data are compatible with a loss of up to {ends[0]} and with a gain of up to "
            f"{ends[1]} with {active}: they do not say which arm is worth more."
        )
    what = "gain" if low > 0 else "loss"
    least, most = ends if low > 0 else ends[::-1]
    return f" The data are compatible with a {what} from {least} to {most} with {active}."


def _ratio(source: Source) -> str:
    rows = [row for row in ratio_rows(source) if row["status"] == Status.OK]
    parts = []
    for row in rows:
        name = ratio_name(source, row)
        if has_a_ratio(row):
            limits = interval(row["conf_low"], row["conf_high"], 0)
            shown = (pounds if limits else roughly)(source, row["estimate"])
            bounds = (
                f"({level_of(source)} interval {limits})"
                if limits
                else "by the point estimates; it has no interval, as the difference in the outcome "
                "may be zero or of either sign"
            )
            parts.append(f"{name}: {shown} {bounds}.")
        else:
            parts.append(
                f"{name}: no ratio is given, as the point estimate is {row['level']}"
                f"{'; ' + row['note'] if row['note'] else ''}."
            )
    return " ".join(parts)


def plane(source: Source) -> str:
    """Say how the bootstrap's draws lie in the plane, and how far they can be trusted."""
    parts = [
        f"{quadrant.replace(', ', ' and ')} in {percent(share)}%"
        for quadrant, share in shares(source).items()
    ]
    if not parts:
        return ""
    clusters = source.study.clusters
    what = "participants"
    limit = "The intervals and probabilities to go by are those of the regression."
    if clusters:
        what = f"whole {clusters.pair_label}s, and people within their {clusters.unit_label}s"
    if clusters and has_few_pairs(source):
        limit = (
            f"There are few {clusters.pair_label}s to draw from, so that its draws may vary less "
            "than results would from study to study; intervals and probabilities to go by are "
            "those of the regression, whose degrees of freedom allow for that."
        )
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
        f"of its draws. {limit}"
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
    at = f"the net benefit at {per_qaly(source, main_threshold(source.economics))}"
    turned = [
        f"{label} ({pounds(source, row['estimate'])})"
        for label, row in rows
        if (row["estimate"] > 0) != (main["estimate"] > 0)
    ]
    sides = {1: "lies above zero", -1: "lies below zero", 0: "includes zero"}
    moved: dict[int, list[str]] = {}
    for label, row in rows:
        if known(row["conf_low"]) and _side(row) != _side(main):
            limits = interval(row["conf_low"], row["conf_high"], 0)
            moved.setdefault(_side(row), []).append(f"{label} ({limits})")
    said = [_range(source, rows, at)]
    if turned:
        said.append(f"Its sign is another with: {'; '.join(turned)}.")
    for side, labels in moved.items():
        said.append(
            f"Its interval, which in the main evaluation {sides[_side(main)]}, {sides[side]} with: "
            f"{'; '.join(labels)}."
        )
    return " ".join(filter(None, [*said, lost]))


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
