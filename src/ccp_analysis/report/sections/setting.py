"""What the evaluation counts: perspective, prices, horizon, value set, reach."""

from __future__ import annotations

from typing import Any

from ccp_analysis.config.economics import MONTHS_A_YEAR, Economics
from ccp_analysis.report.money import ECONOMICS, perspective, placeholders, pounds
from ccp_analysis.report.section import Section, has_economics
from ccp_analysis.report.sections.resources import sharing
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import (
    capitalised,
    inside,
    known,
    listed,
    sentence,
    uncapitalised,
)
from ccp_analysis.results.terms import Term


def placeholder(source: Source) -> str:
    """Say what is a placeholder, where its sources say so; empty otherwise."""
    names = placeholders(source)
    if not names:
        return ""
    return (
        f"{capitalised(being(names))}, by what is given as source. The tables and figures of this "
        "section show the method, not the study."
    )


def being(names: list[str]) -> str:
    """Return that these are placeholders, as a clause."""
    alone = len(names) == 1 and not names[0].startswith("the unit costs")
    return f"{listed(names)} {'is a placeholder' if alone else 'are placeholders'}"


def _discounted(economics: Economics) -> str:
    """Say at what rates later years are discounted."""
    rates = economics.discount
    if economics.months <= MONTHS_A_YEAR:
        return "nothing is discounted, as discounting begins with the second year"
    shown = [f"{100 * rate:g}%" for rate in (rates.costs, rates.effects)]
    same = f"costs and QALYs at {shown[0]}"
    apart = f"costs at {shown[0]} and QALYs at {shown[1]}"
    return (
        f"{same if shown[0] == shown[1] else apart} a year are discounted from the second year on"
    )


def setting(source: Source) -> list[str]:
    """Say whose costs count, at which prices, over how long, and how outcomes are valued."""
    economics = source.evaluation
    first = (
        f"The perspective is that of {inside(perspective(source))}. Costs are in "
        f"{economics.money.label} at prices of {economics.price_year}. The horizon is "
        f"{economics.months:g} months from the visit at "
        f"{uncapitalised(source.study.baseline.label)} on; {_discounted(economics)}."
    )
    dead = source.study.losses is not None and source.study.losses.death is not None
    second = [
        "Quality-adjusted life years are the area under the curve of utility "
        f"({source.outcome(economics.utility)}), with the visits at their planned times.",
        "Utility is 0 from a death on, and costs end with it." if dead else "",
        _standing(source, economics.utility)
        or "What standing this value set has in an appraisal is not stated in the configuration.",
        *[
            f"In the sensitivity analysis '{variation.label}': {uncapitalised(said)}"
            for variation in economics.sensitivity
            if variation.utility and (said := _standing(source, variation.utility))
        ],
    ]
    return [first, " ".join(filter(None, second)), _intervention(source)]


def _standing(source: Source, utility: str) -> str:
    """Say what a value set is, where it is published, and who recommends it; empty if unknown."""
    instrument = source.instruments.get(utility)
    if instrument is None or (standing := instrument.standing) is None:
        return ""
    return f"The value set is {standing.what} ({standing.source}). {sentence(standing.recommended)}"


def _intervention(source: Source) -> str:
    active = source.arm(source.study.arms.active)
    if source.evaluation.intervention is None:
        return f"What {active} itself costs is not declared, and not counted."
    rows = source.rows(
        analysis=ECONOMICS,
        outcome="intervention",
        term=Term.MEAN_COST,
        level=source.study.arms.active,
    )
    row = next((row for row in rows if known(row["estimate"])), None)
    cost = f"{pounds(source, row['estimate'])} for each of its participants" if row else "counted"
    return f"The cost of {active} itself was {cost}, {sharing(source)}."


def limits(source: Source) -> list[str]:
    """Return how far the evaluation reaches; nothing where there is none."""
    if source.economics is None:
        return []
    kinds = "Whether the net benefit differs between kinds of people, and who gains and who loses"
    named = listed([inside(source.name(s.variable)) for s in source.plan.subgroups])
    said = [
        f"Costs and outcomes after {source.evaluation.months:g} months were not measured, and are "
        f"not extrapolated. {kinds}, was "
        + (f"looked at by {named} alone." if named else "not analysed.")
    ]
    text = placeholder(source)
    return [*said, text.partition(". ")[0] + "."] if text else said


def _said(source: Source) -> dict[str, Any]:
    return {"placeholder": placeholder(source), "setting": setting(source)}


SECTION = Section("setting", said=_said, there=has_economics)
