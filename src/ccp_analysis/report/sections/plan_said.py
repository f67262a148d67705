"""What the configuration says to each item of a statistical analysis plan; no result is read."""

from __future__ import annotations

from collections.abc import Callable

from ccp_analysis.config.models import LABELS
from ccp_analysis.config.rules import Window, load_rules
from ccp_analysis.report.cells import ADJUSTMENTS, level_of
from ccp_analysis.report.sections.design import kind
from ccp_analysis.report.sections.target_trial import lines
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import (
    capitalised,
    inside,
    listed,
    number,
    sentence,
    uncapitalised,
    written_date,
)

# A piece of what is said: a sentence, a block of the report's methods, or a table by its name.
Piece = tuple[str, str]
Said = Callable[[Source], list[Piece]]
TEXT, METHODS, TABLE, REF, SIGN = "text", "methods", "table", "ref", "sign"


def text(*sentences: str) -> list[Piece]:
    """Return a paragraph of sentences; nothing where there are none."""
    said = " ".join(sentence(words) for words in sentences if words)
    return [(TEXT, said)] * bool(said)


def title(source: Source) -> list[Piece]:
    """Return the title with what kind of document this is."""
    return text(f"{source.study.title}: statistical analysis plan")


def registration(source: Source) -> list[Piece]:
    """Say where the study is registered."""
    return text(source.study.registration)


def version(source: Source) -> list[Piece]:
    """Say which version of the plan this is, and of which date."""
    plan = source.plan
    of = f" of {written_date(plan.date)}" if plan.date else ""
    return text(f"Version {plan.version}{of}") if plan.version else []


def roles(source: Source) -> list[Piece]:
    """Name statistician and reviewer."""
    study = source.study
    named = {"Statistician": study.statistician, "Reviewer": study.reviewer}
    return text(*(f"{role}: {name}" for role, name in named.items() if name))


def signature(who: str) -> Said:
    """Return a line to sign on, of somebody whom the study may name."""

    def said(source: Source) -> list[Piece]:
        name = str(getattr(source.study, who, ""))
        return [(SIGN, name)]

    return said


def objectives(source: Source) -> list[Piece]:
    """Say what is compared, and point to what is estimated."""
    plan = source.plan
    primary = listed([inside(source.name(outcome.id)) for outcome in source.primary])
    compared = listed([inside(label) for _, label in source.arms[::-1]])
    asked = f"The question is by how much {primary} differs between {compared}"
    found = [e.summary for e in plan.estimands if e.id == plan.estimand]
    return [*text(asked, *found), *[(TABLE, "estimands")] * bool(plan.estimands)]


def design(source: Source) -> list[Piece]:
    """Say what kind of study it is, and set the target trial beside it where not randomised."""
    return [*text(kind(source)), *[(TABLE, "target_trial")] * (not source.study.randomised)]


def randomisation(source: Source) -> list[Piece]:
    """Say how arms came about where chance did not decide."""
    if source.study.randomised:
        return []
    part = next(line for line in lines(source) if line.label == "Assignment")
    return text(part.study.partition(" [")[0], part.differs)


def sample_size(source: Source) -> list[Piece]:
    """Say what the study was planned to detect, by which assumptions."""
    planned = source.plan.planned
    if planned is None:
        return []
    units = f"{source.clusters.unit_label}s" if source.study.clusters else "units"
    unit = source.unit(planned.outcome) or "points"
    said = (
        f"{number(planned.participants)} participants with a follow-up in {planned.clusters} "
        f"{units}, to detect a difference of {planned.difference:g} {unit} in "
        f"{inside(source.name(planned.outcome))} with a power of {100 * source.plan.power:g}% at a "
        f"two-sided level of {_alpha(source)}, by a standard deviation of {planned.sd:g} within "
        f"arms, an intraclass correlation of {planned.icc:g} and a correlation of baseline and "
        f"follow-up of {planned.retest:g}"
    )
    return text(said, planned.source or "")


def _alpha(source: Source) -> str:
    return f"{100 * (1 - source.plan.confidence_level):.3g}%"


def framework(source: Source) -> list[Piece]:
    """Say that every comparison is one of superiority."""
    return text(
        "Superiority: every comparison estimates a difference with a two-sided interval, and tests "
        "that there is none",
        "No margin of equivalence or of non-inferiority is set",
    )


def interim(source: Source) -> list[Piece]:
    """Say that no analysis is made before the end."""
    return text("No interim analysis is planned: every analysis is made once, of all data")


def no_interim_level(source: Source) -> list[Piece]:
    """Say that the level is not adjusted for interim analyses."""
    return text("None, as there are no interim analyses")


def final(source: Source) -> list[Piece]:
    """Say when the analysis is made."""
    last = source.study.visits[-1]
    return text(
        f"All outcomes are analysed together, when the data of the visit at {inside(last.label)} "
        "are complete and cleaned"
    )


def timing(source: Source) -> list[Piece]:
    """Say when outcomes are taken, and within which windows."""
    visits = [f"{inside(v.label)} (month {v.months:g})" for v in source.study.visits]
    rules = load_rules(source.study, source.dictionary)
    windows = [
        f"{capitalised(inside(_date(source, rule.date)))}: {rule.days[0]} to {rule.days[1]} days "
        f"after {inside(_date(source, rule.since))}; what lies outside is a query"
        for rule in rules
        if isinstance(rule, Window)
    ]
    return text(f"Interviews at {listed(visits)}", *windows)


def _date(source: Source, variable: str) -> str:
    found = next((c for c in source.dictionary if c.variable == variable), None)
    if found is None:
        return variable
    visit = f", {uncapitalised(source.visit(found.visit))}" if found.visit else ""
    return f"{found.label}{visit}"


def level(source: Source) -> list[Piece]:
    """Say at which level tests are."""
    return text(f"Two-sided, {_alpha(source)}")


def several(source: Source) -> list[Piece]:
    """Say how p-values of several outcomes are adjusted."""
    of = {analysis.id: LABELS[analysis.fit] for analysis in source.plan.analyses}
    families = [
        f"Family {family.id}, of the {of[family.analysis]}: "
        f"{listed([inside(source.name(name)) for name in family.outcomes])}, by "
        f"{ADJUSTMENTS[family.method]}"
        for family in source.plan.families
    ]
    if not families:
        return text("P-values are not adjusted for the number of outcomes or analyses")
    primary = [source.name(outcome.id) for outcome in source.primary]
    alone = f"The primary outcome, {inside(primary[0])}, is tested by itself"
    return [*text(alone if len(primary) == 1 else "", *families), (METHODS, "families")]


def intervals(source: Source) -> list[Piece]:
    """Say which intervals are reported."""
    return text(
        f"{level_of(source)} confidence intervals, two-sided, of every estimate; not adjusted for "
        "their number"
    )


def adherence(source: Source) -> list[Piece]:
    """Say how the intervention's delivery is measured."""
    asked = source.implementation
    if asked is None:
        return []
    said = [f"Reached are those with: {inside(asked.reach.label)}"]
    if asked.steps:
        steps = listed([inside(step.label) for step in asked.steps])
        said.append(f"The steps of delivery, by the record of contacts, are {steps}")
    if asked.fidelity:
        low, high = source.instruments[asked.fidelity.instrument].range
        said.append(
            f"Fidelity is measured by {inside(source.name(asked.fidelity.instrument))}, {low:g} to "
            f"{high:g}, and high from {asked.fidelity.high:g} on"
        )
    return text(*said)


def adherence_shown(source: Source) -> list[Piece]:
    """Say how adherence is presented."""
    asked = source.implementation
    if asked is None:
        return []
    named = "; ".join(inside(label) for label in asked.exposures.values())
    against = f"Outcomes are set against exposures ({named}): associations, and no effects"
    return text(
        "Shares of people reached, of each step and of high fidelity, with intervals, by arm and "
        "unit of allocation",
        against if named else "",
    )


def deviations(source: Source) -> list[Piece]:
    """Point to the events that the estimand says something of."""
    if not any(estimand.intercurrent_events for estimand in source.plan.estimands):
        return []
    return [
        (TEXT, "Events that bear on the outcome, and what is done about them, are those of"),
        (REF, "estimands"),
    ]


def populations(source: Source) -> list[Piece]:
    """Say who is analysed."""
    names = source.study.complete_case or [outcome.id for outcome in source.primary]
    shown = listed([inside(source.name(name)) for name in names])
    return [
        (METHODS, "population"),
        *text(f"In the counts of analysis sets a complete case has {shown} at every visit"),
    ]
