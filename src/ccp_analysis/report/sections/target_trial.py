"""The trial that would answer the question, beside the study that was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from ccp_analysis.config.estimands import Estimand
from ccp_analysis.config.models import LABELS
from ccp_analysis.config.target_trial import Component, TargetTrial
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.section import Section, TableItem, not_allocated
from ccp_analysis.report.sections.estimands import data_of
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, inside, listed, number, sentence, uncapitalised
from ccp_analysis.results.terms import Role

OPEN = "To be given by the authors"


class Line(NamedTuple):
    """A component: what the target trial would do, what was done, where they differ."""

    label: str
    ideal: str
    study: str
    differs: str


def _estimand(source: Source) -> Estimand | None:
    plan = source.plan
    return next((e for e in plan.estimands if e.id == plan.estimand), None)


def _eligibility(source: Source) -> str:
    estimand = _estimand(source)
    visit = uncapitalised(source.study.baseline.label)
    return estimand.population if estimand else f"Everyone recruited and interviewed at {visit}"


def _strategies(source: Source) -> str:
    if estimand := _estimand(source):
        return estimand.treatment
    (_, reference), (_, active) = source.arms
    return f"{active} against {inside(reference)}"


def _assignment(source: Source) -> str:
    if source.study.clusters is None:
        return "Each person is in one arm, which was not allocated at random"
    unit, pair = source.clusters.unit_label, source.clusters.pair_label
    if not source.flow:  # before there are data
        return f"The arm is a property of the {unit}, and is not allocated at random"
    units = source.flow["stages"][0]["by_cluster"]
    arms = [
        f"{how_many(own['n'] for own in units if own['arm'] == arm)} with {inside(label)}"
        for arm, label in source.arms
    ]
    pairs = {own["pair"]: own["n"] for own in units}
    return (
        f"The arm is a property of the {unit}, and was not allocated at random: "
        f"{how_many(own['n'] for own in units)} {unit}s in {how_many(pairs.values())} {pair}s, "
        f"{listed(arms)}"
    )


def _start(source: Source) -> str:
    first, *_, last = source.study.visits
    return (
        f"Follow-up starts with the interview at {inside(first.label)} and ends with that at "
        f"{inside(last.label)}"
    )


def _outcome(source: Source) -> str:
    named: dict[str, list[str]] = {}
    for outcome in source.plan.outcomes:
        named.setdefault(outcome.role, []).append(inside(source.name(outcome.id)))
    parts = [f"{capitalised(role)}: {', '.join(names)}" for role, names in named.items()]
    if not source.flow:
        return ". ".join(parts)
    _, first, *_, last = source.flow["stages"]
    seen = f"Seen at {inside(last['label'])}: {number(last['n'])} of {number(first['n'])}"
    return ". ".join([*parts, seen])


def _contrast(source: Source) -> str:
    estimand = _estimand(source)
    if estimand:
        return f"{estimand.name}: {uncapitalised(estimand.summary)}"
    return f"{capitalised(source.plan.estimand)}"


def _analysis(source: Source) -> str:
    plan, clusters = source.plan, source.study.clusters
    primary = [analysis for analysis in plan.analyses if analysis.role == Role.PRIMARY]
    models = [f"{LABELS[analysis.fit]} ({data_of(analysis)})" for analysis in primary]
    covariates = [inside(source.name(name)) for name in plan.covariates]
    parts = [f"Primary: {listed(models)}" if models else "No analysis is the primary one"]
    if covariates:
        parts.append(f"Covariates beside the outcome at baseline: {listed(covariates)}")
    if clusters:
        parts.append(f"The {clusters.unit_label} is the unit of inference")
    return ". ".join(parts)


@dataclass(frozen=True)
class Part:
    """A component of the target trial and what is known of it without the authors.

    Attributes
    ----------
    key : str
        Its key in the configuration.
    label : str
        What it is called.
    known : callable
        Says what the configuration and the flow know of this study.
    asks : str
        What only the authors can add to that; empty where it is all there is to know.
    differs : str
        Where every study that is not randomised differs from the target trial.
    """

    key: str
    label: str
    known: Callable[[Source], str]
    asks: str = ""
    differs: str = ""


PARTS = (
    Part("eligibility", "Eligibility", _eligibility, "the criteria, and how people were found"),
    Part("strategies", "Treatment strategies", _strategies, "what was done in each arm, by whom"),
    Part(
        "assignment",
        "Assignment",
        _assignment,
        "who or what decided on the arm",
        "Chance did not decide: the arms may differ in whatever did.",
    ),
    Part(
        "start",
        "Start and end of follow-up",
        _start,
        "how the start of follow-up lies to that of the intervention",
    ),
    Part("outcome", "Outcome", _outcome, "who measured outcomes, and whether they knew the arm"),
    Part("contrast", "Causal contrast", _contrast),
    Part(
        "analysis",
        "Analysis",
        _analysis,
        differs="What chance would do for everything, adjustment does for what was measured.",
    ),
)


def lines(source: Source) -> list[Line]:
    """Return the seven components with what the configuration and the authors say of them."""
    given = source.study.target_trial or TargetTrial()
    found = []
    for part in PARTS:
        own = getattr(given, part.key) or Component()
        asked = own.authors or ("" if own.study else part.asks)
        study = _cell(part.known(source), own.study)
        asks = f" [{OPEN}: {asked}.]" if asked else ""
        differs = _cell(part.differs, own.differs)
        found.append(Line(part.label, _cell(own.ideal), f"{study}{asks}", differs))
    return found


def _cell(*said: str | None) -> str:
    return " ".join(sentence(text) for text in said if text) or f"[{OPEN}.]"


def target_trial(source: Source) -> Table[Line]:
    """Set the target trial beside this study, component by component."""
    return Table(
        "The target trial, this study, and where they differ",
        [
            Column("Component", attrgetter("label"), 14, "l"),
            Column("Target trial", attrgetter("ideal"), 27, "l"),
            Column("This study", attrgetter("study"), 32, "l"),
            Column("Where they differ", attrgetter("differs"), 27, "l"),
        ],
        lines(source),
    )


def _said(source: Source) -> dict[str, Any]:
    missing = [line.label for line in lines(source) if any(OPEN in cell for cell in line)]
    return {"missing": listed([uncapitalised(label) for label in missing])}


SECTION = Section(
    "target_trial",
    lambda of: iter([TableItem("target_trial", target_trial)]),
    _said,
    not_allocated,
)
