"""How large a next trial of this design should be, and what is known for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ccp_analysis.config.economics import is_placeholder
from ccp_analysis.config.next_study import POINT, UPPER
from ccp_analysis.report.cells import estimate, level_of, limits
from ccp_analysis.report.money import by_draws, main_threshold, per_qaly, perfect, pounds
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.sections.next_curves import (
    asked_of,
    called,
    cost_of,
    difference,
    draw,
    first_of,
    legend,
    one_of,
    rows_of,
    spoken_of,
)
from ccp_analysis.report.source import CURRENCY, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, decimals, known, listed, number, percent
from ccp_analysis.results.terms import Status, Term

UNEQUAL = 0.5  # coefficient of variation from which sizes are said to be unequal


@dataclass(frozen=True)
class Line:
    """A line of the table: of an outcome, a size and what is wanted of it."""

    group: str
    size: str
    wanted: float
    outcome: str
    term: str
    named: str


def _lines(source: Source) -> Iterator[Line]:
    """Yield the lines of the table, in the order of the plan."""
    asked = asked_of(source)
    for outcome in (sought.outcome for sought in asked.outcomes):
        name = source.name(outcome)
        target = one_of(source, Term.SOUGHT, outcome)
        if target is None:
            if not rows_of(source, Term.DETECTABLE_DIFFERENCE, outcome=outcome):
                continue
            group, pair = f"{name}: the difference that is found", called(source)[0]
            for pairs in asked.pairs or [0]:
                for people in asked.people:
                    size = f"{pairs} {pair}s, {people}" if pairs else f"each arm: {people}"
                    named = asked.named(people, pairs)
                    for wanted in asked.power:
                        term = Term.DETECTABLE_DIFFERENCE
                        yield Line(group, size, wanted, outcome, term, named)
            continue
        group = f"{name}: to find {difference(target)}"
        for people in asked.people if source.study.clusters else [0]:
            term = Term.REQUIRED_PAIRS if people else Term.REQUIRED
            named = asked.named(people) if people else ""
            for wanted in asked.power:
                yield Line(group, f"{people or 'both arms'}", wanted, outcome, term, named)


def next_study(source: Source) -> Table[Line]:
    """Set out the sizes that are needed, by what is taken to be known of the correlation."""
    asked, (pair, unit) = asked_of(source), called(source)

    def cell(level: str) -> Callable[[Line], str | None]:
        def shown(line: Line) -> str | None:
            where = {"outcome": line.outcome, "level": level, "threshold": line.wanted}
            rows = rows_of(source, line.term, subgroup=line.named, **where)
            if not rows:
                return None
            if rows[0]["status"] == Status.REFUSED:
                return f"more than {asked.most_pairs}" if line.term == Term.REQUIRED_PAIRS else None
            places = decimals(rows[0]["estimate"] / 10.0) if rows[0]["scale"] != "count" else 0
            return estimate(rows[0], places)

        return shown

    def cost(line: Line) -> str | None:
        where = {"threshold": line.wanted, "level": asked.priors[0].id, "subgroup": line.named}
        row = one_of(source, Term.TRIAL_COST, line.outcome, **where)
        return number(row["estimate"] if row else None, -3)

    priors = [Column(f"Assurance: {p.label}", cell(p.id), 16) for p in asked.priors]
    clusters = source.study.clusters is not None
    columns: list[Column[Line]] = [
        Column("Outcome", lambda line: line.group, 0, "l"),
        Column(f"People in each {unit}" if clusters else "People in", lambda x: x.size, 14, "l"),
        Column("Wanted", lambda line: f"{line.wanted:.0%}", 8),
        Column("Power: estimated correlation" if clusters else "Power", cell(POINT), 14),
        *[Column("Power: upper limit of it", cell(UPPER), 14)] * clusters,
        *(priors if clusters else [Column("Assurance", cell(asked.priors[0].id), 14)]),
    ]
    if asked.costs and source.economics:
        columns.append(Column(f"Cost ({CURRENCY[source.economics.currency]})", cost, 10))
    records = list(_lines(source))
    what = f"{pair}s that a next trial needs" if clusters else "People that a next trial needs"
    if records and all(line.term == Term.DETECTABLE_DIFFERENCE for line in records):
        what = "Differences that a next trial would find"
    return Table(
        what,
        columns,
        records,
        grouped=True,
        stub=columns[1].head,
        notes=_notes(source),
    )


def _notes(source: Source) -> list[str]:
    asked, (pair, unit) = asked_of(source), called(source)
    notes = []
    if source.study.clusters:
        notes.append(
            f"Each {pair} has one {unit} in either arm, with so many people recruited; as many are "
            f"lost as here, and sizes vary as much. Power of n {pair}s by the noncentral t "
            "distribution with n over one plus cv², less one, as degrees of freedom, cv being how "
            "their weights vary; assurance is that power averaged over what this study says of the "
            "variances."
        )
        varied = [r for r in rows_of(source, Term.SIZE_VARIATION) if known(r["estimate"])]
        notes += [
            f"{source.name(row['outcome'])}: the {pair}s of this study are very unequal (cv "
            f"{row['estimate']:.2f}), and those of a next trial are taken to be so here; alike "
            f"{pair}s would be fewer."
            for row in varied
            if row["estimate"] > UNEQUAL
        ]
    else:
        notes.append(
            "As many are lost as here. Wanted: the chance that the difference is found. Power by "
            "the noncentral t distribution; assurance is that power averaged over what this study "
            "says of the variance."
        )
    for prior in asked.priors if source.study.clusters else []:
        where = f": {prior.source.strip()}" if prior.source else ""
        notes.append(
            f"Before the data, '{prior.label}' is a beta({prior.a:g}, {prior.b:g}) "
            f"distribution{where}."
        )
    for row in rows_of(source, Term.SOUGHT):
        notes.append(f"{source.name(row['outcome'])}: {difference(row)} is {row['note']}.")
    if asked.costs and source.economics:
        notes.append(f"Cost by the assurance of the first column of it. {_costs(source)}")
    for row in rows_of(source, Term.ASSURANCE, status=Status.REFUSED):
        notes.append(f"{source.name(row['outcome'])}: {row['note']}.")
    for row in rows_of(source, Term.ASSURANCE, status=Status.FAILED):
        notes.append(f"{source.name(row['outcome'])}: {row['note']}.")
    return notes


def _costs(source: Source) -> str:
    """Say what a cluster and a person cost, and where that is from."""
    asked, unit = asked_of(source), called(source)[1]
    cluster, person = (
        next(iter(rows_of(source, t)), None) for t in (Term.CLUSTER_COST, Term.PERSON_COST)
    )
    if asked.costs is None or cluster is None or person is None:
        return ""
    where = asked.costs.source.strip().rstrip(".")
    return (
        f"A {unit} costs {pounds(source, cluster['estimate'])} on average over both arms, the "
        "intervention at its full price included, and a person "
        f"{pounds(source, person['estimate'])} ({where})."
    )


def in_brief(source: Source) -> str:
    """Return the sentence of the main part."""
    outcome = first_of(source)
    target = one_of(source, Term.SOUGHT, outcome) if outcome else None
    if target is None:
        return ""
    asked, (pair, unit) = asked_of(source), called(source)
    wanted, clusters = asked.power[0], source.study.clusters is not None
    people = spoken_of(source) if clusters else 0
    term = Term.REQUIRED_PAIRS if clusters else Term.REQUIRED
    where = {"threshold": wanted, "subgroup": asked.named(people) if clusters else ""}
    power, assured = (
        one_of(source, term, outcome, level=level, **where) for level in (POINT, asked.priors[0].id)
    )
    if power is None:
        return ""
    of = f"{pair}s with {people} people in each {unit}" if clusters else "people in both arms"
    text = (
        f"A next trial needs {number(power['estimate'])} {of} to find {difference(target)} of "
        f"{source.name(outcome).lower()} with a power of {wanted:.0%}"
    )
    if not clusters:
        more = f", and {number(assured['estimate'])} for an assurance of as much" if assured else ""
        return f"{text}{more}."
    text += f" if {unit}s differ as is estimated here"
    much = number(assured["estimate"]) if assured else f"more than {asked.most_pairs}"
    return (
        f"{text}, but {much} for an assurance of as much: this study says little of how much "
        f"{unit}s differ, and the assurance counts that."
    )


def sentences(source: Source) -> list[str]:
    """Return what the text says: what is known, what it bounds, what costs and information add."""
    if not source.rows(analysis="next_study"):
        return []
    asked = asked_of(source)
    said = [text for s in asked.outcomes for text in _of_outcome(source, s.outcome) if text]
    outcome = first_of(source)
    if outcome and source.study.clusters:
        found = (_bound(source, outcome), _without(source, outcome), _cheapest(source, outcome))
        said += [text for text in found if text]
    said += _assumed(source)
    if source.economics and (text := _information(source)):
        said.append(text)
    return said


def _of_outcome(source: Source, outcome: str) -> Iterator[str]:
    """Yield what this study says of the variances of an outcome."""
    asked, unit = asked_of(source), called(source)[1]
    sd = one_of(source, Term.STANDARD_DEVIATION, outcome, level=asked.priors[0].id)
    if sd is None:
        return
    places = decimals(sd["estimate"] / 10.0)
    found = [(p, one_of(source, Term.INTRACLASS, outcome, level=p.id)) for p in asked.priors]
    parts = [
        f"{number(icc['estimate'], 3)} ({limits(icc, 3)}; before the data: {prior.label})"
        for prior, icc in found
        if icc is not None
    ]
    between = [icc["df"] for _, icc in found if icc is not None]
    name, level = source.name(outcome), level_of(source)
    text = (
        f"{name}: beside what is adjusted for, the standard deviation"
        f"{f' between and within {unit}s together' * bool(parts)} is {estimate(sd, places)} "
        f"({level} credible interval {limits(sd, places)})"
    )
    if parts:
        text += (
            f", and the intraclass correlation of {unit}s, on {number(between[0])} degrees of "
            f"freedom, {listed(parts, 'or')}, by posterior medians"
        )
    retest = one_of(source, Term.RETEST, outcome)
    lost = one_of(source, Term.LOST, outcome)
    if retest is not None:
        text += f"; follow-up and baseline correlate by {number(retest['estimate'], 2)}"
    if lost is not None:
        text += f", and {percent(lost['estimate'])}% were lost"
    yield f"{text}."


def _bound(source: Source, outcome: str) -> str:
    """Say what no number of people can bring."""
    asked, (pair, unit) = asked_of(source), called(source)
    first = asked.priors[0].id
    rows = {
        r["subgroup"]: r for r in rows_of(source, Term.MOST_ASSURANCE, outcome=outcome, level=first)
    }
    wanted = asked.power[-1]
    short = [n for n in asked.pairs if (r := rows.get(f"{n} pairs")) and r["estimate"] < wanted]
    if not short:
        return ""
    most = short[-1]
    return (
        f"More people in each {unit} cannot stand for more {pair}s: with {most} {pair}s the "
        f"assurance stays below {number(rows[f'{most} pairs']['estimate'], 2)}, however many "
        f"people each {unit} has."
    )


def _without(source: Source, outcome: str) -> str:
    """Say what other correlations with the baseline would change."""
    asked, (pair, unit) = asked_of(source), called(source)
    size = asked.named(spoken_of(source))
    where = {"threshold": asked.power[0], "level": asked.priors[0].id}
    parts = []
    for retest in asked.retest:
        named = f"{size}, correlation with the baseline {retest:g}"
        row = one_of(source, Term.REQUIRED_PAIRS, outcome, subgroup=named, **where)
        much = number(row["estimate"]) if row else f"more than {asked.most_pairs}"
        what = f"if follow-up and baseline correlated by {retest:g}"
        parts.append(f"{much} {pair}s {what if retest else 'without a baseline interview'}")
    if not parts:
        return ""
    return (
        f"An assurance of {asked.power[0]:.0%} with {size} in each {unit} would need "
        f"{listed(parts)}."
    )


def _cheapest(source: Source, outcome: str) -> str:
    """Say which size costs least."""
    asked, unit = asked_of(source), called(source)[1]
    costs = {n: row for n in asked.people if (row := cost_of(source, outcome, n)) is not None}
    if not costs:
        return ""
    people = min(costs, key=lambda n: costs[n]["estimate"])
    best = one_of(source, Term.CHEAPEST_PEOPLE, outcome, level=asked.priors[0].id)
    text = (
        f"Of the sizes tried, {people} people in each {unit} are the cheapest for an assurance of "
        f"{asked.power[0]:.0%}, at {pounds(source, costs[people]['estimate'], -3)}"
    )
    if best is not None:
        text += (
            f"; the usual formula for the size of a {unit}, which does not count degrees of "
            f"freedom, gives {number(best['estimate'])} at the posterior median of the correlation"
        )
    return f"{text}."


def _assumed(source: Source) -> Iterator[str]:
    """Yield that figures are assumed."""
    asked, planned = asked_of(source), source.plan.planned
    told = [s.outcome for s in asked.outcomes if s.assumed]
    if planned and planned.assumed:
        by_plan = {s.outcome for s in asked.outcomes if s.difference is None}
        told += [planned.outcome] * (planned.outcome in by_plan)
    parts = [f"the difference to be found of {source.name(name).lower()}" for name in told]
    parts += ["the costs of a trial"] * bool(asked.costs and asked.costs.assumed)
    if parts:
        verb = "are" if len(parts) > 1 or parts[0].startswith("the costs") else "is"
        yield f"{capitalised(listed(parts))} {verb} assumed for illustration, not known."
    items = source.intervention.to_dict("records") if asked.costs and source.economics else []
    if asked.costs and asked.costs.intervention is None and any(map(_is_placeholder, items)):
        yield "What the intervention costs in a trial is of placeholders."


def _is_placeholder(item: dict[str, Any]) -> bool:
    return is_placeholder(item["source"])


def _information(source: Source) -> str:
    """Say what perfect information is worth, and that no size is read off it."""
    at = main_threshold(source.evaluation)
    all_of, each = (perfect(source, at, t) for t in (Term.EVPI_OF_POPULATION, Term.EVPI))
    row, whom = (all_of, "for all") if all_of else (each, "per person")
    if row is None or not known(row["estimate"]):
        return ""
    worth = pounds(source, row["estimate"], -4 if all_of else 0)
    draws = by_draws(source, at) if each else None
    beside = (
        f" ({pounds(source, each['estimate'])} per person, by the bootstrap "
        f"{pounds(source, draws['estimate'])})"
        if each and draws
        else ""
    )
    return (
        f"Perfect information on the net benefit would be worth {worth} {whom} at "
        f"{per_qaly(source, at)}, by the regression{beside}: for that decision a trial that costs "
        f"more{' than by the larger of the two' if beside else ''} is not worth it. What a "
        "sample would be worth, and so the best size by it, is not given: "
        "with so few degrees of freedom it would hang on what is assumed of the variances."
    )


def _there(of: Configured) -> bool:
    return of.plan.next_study is not None


def _details(of: Configured) -> Iterator[Item]:
    yield FigureItem("next_study", draw, legend, lambda source: bool(first_of(source)))
    yield TableItem("next_study", next_study)


SECTION = Section("next_study", said=lambda source: {"said": in_brief(source)}, there=_there)
DETAILS = Section(
    "next_study_details", _details, lambda source: {"sentences": sentences(source)}, there=_there
)
