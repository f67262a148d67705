"""The statistical analysis plan as a document: its items in the order of Gamble et al. (2017)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from ccp_analysis.layout import PLAN, STUDY
from ccp_analysis.report.section import (
    Configured,
    Item,
    Part,
    Section,
    TableItem,
    has_economics,
    not_allocated,
)
from ccp_analysis.report.sections import plan_analysed as analysed
from ccp_analysis.report.sections import plan_locks as locks
from ccp_analysis.report.sections import plan_said as says
from ccp_analysis.report.sections.estimands import estimands
from ccp_analysis.report.sections.plan_said import Piece, Said
from ccp_analysis.report.sections.plan_tables import ASSUMED, BUILT, MONEY, assumes
from ccp_analysis.report.sections.target_trial import target_trial
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import Markdown, capitalised, sentence

SAID = "statements.plan"
VERSION = ("version", PLAN)


@dataclass(frozen=True)
class PlanItem:
    """An item of the plan.

    Attributes
    ----------
    number, heading : str
        As in its source; items of one heading stand together.
    asks : str
        In our own short words what it asks for.
    says : callable
        What the configuration says to it.
    left : str
        What the authors have to say beside that, unless they have.
    key : tuple
        Key and file of the configuration that take it, where it is not the statement of the item.
    """

    number: str
    heading: str
    asks: str
    says: Said = lambda source: []
    left: str = ""
    key: tuple[str, Path] | None = None


ADMINISTRATIVE = (
    PlanItem("1a", "Title and registration", "title", says.title),
    PlanItem("1b", "Title and registration", "trial registration", says.registration),
    PlanItem("2", "Version", "version of this plan, with its date", says.version, key=VERSION),
    PlanItem("3", "Version of the protocol", "version of the protocol that this plan belongs to"),
    PlanItem("4a", "Revisions", "history of revisions", locks.history),
    PlanItem("4b", "Revisions", "reason of each revision", locks.justified),
    PlanItem(
        "4c",
        "Revisions",
        "when revisions were made, by interim analyses and unblinding",
        locks.timed,
        "how that lies to interim analyses and to unblinding",
    ),
    PlanItem(
        "5",
        "Roles and responsibility",
        "names, affiliations and roles of those who contributed",
        says.roles,
        "affiliations, and the roles of all who contributed",
    ),
    PlanItem("6a", "Signatures", "who wrote the plan", says.signature("statistician")),
    PlanItem("6b", "Signatures", "senior statistician responsible", says.signature("reviewer")),
    PlanItem("6c", "Signatures", "chief investigator or clinical lead", says.signature("")),
)
INTRODUCTION = (
    PlanItem("7", "Background and rationale", "what was known, the question, and why it is asked"),
    PlanItem(
        "8",
        "Objectives",
        "objectives and hypotheses",
        says.objectives,
        "which hypotheses there are",
    ),
)
METHODS = (
    PlanItem(
        "9",
        "Trial design",
        "kind of trial, ratio of allocation, interventions in short",
        says.design,
        "the ratio of allocation, and the interventions in short",
    ),
    PlanItem(
        "10",
        "Randomisation",
        "how arms are allocated; strata, minimisation",
        says.randomisation,
        "how it is decided who is in which arm",
    ),
    PlanItem("11", "Sample size", "how it was calculated, or where that is said", says.sample_size),
    PlanItem(
        "12",
        "Framework",
        "superiority, equivalence or non-inferiority, and for which comparisons",
        says.framework,
    ),
    PlanItem("13a", "Interim analyses", "which there are, and when", says.interim),
    PlanItem("13b", "Interim analyses", "adjustment of the level for them", says.no_interim_level),
    PlanItem("13c", "Interim analyses", "guidelines for stopping early"),
    PlanItem("14", "Timing of the final analysis", "when it is made", says.final),
    PlanItem("15", "Timing of outcome assessments", "visits and their windows", says.timing),
)
PRINCIPLES = (
    PlanItem("16", "Confidence intervals and p-values", "level of significance", says.level),
    PlanItem("17", "Confidence intervals and p-values", "multiplicity", says.several),
    PlanItem("18", "Confidence intervals and p-values", "intervals reported", says.intervals),
    PlanItem(
        "19a",
        "Adherence and protocol deviations",
        "adherence to the intervention: what it is and how it is assessed",
        says.adherence,
    ),
    PlanItem(
        "19b",
        "Adherence and protocol deviations",
        "how adherence is presented",
        says.adherence_shown,
    ),
    PlanItem(
        "19c",
        "Adherence and protocol deviations",
        "what a deviation from the protocol is",
        says.deviations,
        "what else is a deviation from the protocol",
    ),
    PlanItem(
        "19d",
        "Adherence and protocol deviations",
        "which deviations from the protocol are summarised",
    ),
    PlanItem("20", "Analysis populations", "who is analysed", says.populations),
)
POPULATION = (
    PlanItem("21", "Screening", "screening data, to say whom the sample stands for"),
    PlanItem(
        "22",
        "Eligibility",
        "criteria of eligibility in short",
        analysed.eligibility,
        "by which criteria people are eligible",
    ),
    PlanItem("23", "Recruitment", "what the flow diagram has", analysed.recruitment),
    PlanItem("24a", "Withdrawal and follow-up", "from what people withdraw", analysed.withdrawal),
    PlanItem("24b", "Withdrawal and follow-up", "when they did", analysed.withdrawal_timing),
    PlanItem(
        "24c",
        "Withdrawal and follow-up",
        "reasons, and how it is presented",
        analysed.withdrawal_shown,
    ),
    PlanItem("25a", "Baseline characteristics", "which are summarised", analysed.characteristics),
    PlanItem("25b", "Baseline characteristics", "how they are summarised", analysed.summarised),
)
ANALYSIS = (
    PlanItem(
        "26a",
        "Outcomes",
        "primary and secondary outcomes, their order, and when",
        analysed.outcomes,
    ),
    PlanItem("26b", "Outcomes", "measures and units", analysed.in_table("Ranges and units")),
    PlanItem("26c", "Outcomes", "calculation or transformation", analysed.calculation),
    PlanItem("27a", "Analysis methods", "methods, and how effects are presented", analysed.methods),
    PlanItem("27b", "Analysis methods", "adjustment for covariates", analysed.adjusted),
    PlanItem("27c", "Analysis methods", "how assumptions are checked", analysed.checked),
    PlanItem("27d", "Analysis methods", "what is done if they do not hold", analysed.alternatives),
    PlanItem("27e", "Analysis methods", "sensitivity analyses", analysed.sensitivity),
    PlanItem("27f", "Analysis methods", "subgroup analyses", analysed.subgroups),
    PlanItem(
        "28",
        "Missing data",
        "how they are reported and handled, and what is assumed",
        analysed.missing,
    ),
    PlanItem("29", "Additional analyses", "whatever else is analysed", analysed.additional),
    PlanItem(
        "30",
        "Harms",
        "which are recorded and coded how, and how they are analysed",
        analysed.harms,
        "how severity, expectedness and cause are judged and coded",
    ),
    PlanItem("31", "Statistical software", "what computes", analysed.software),
    PlanItem("32a", "References", "of methods that are not standard", analysed.cited),
    PlanItem("32b", "References", "data management plan"),
    PlanItem("32c", "References", "trial master file and statistical master file"),
    PlanItem("32d", "References", "other procedures and documents to be kept to"),
)
SECTIONS = {
    "Administrative information": ADMINISTRATIVE,
    "Introduction": INTRODUCTION,
    "Study methods": METHODS,
    "Statistical principles": PRINCIPLES,
    "Trial population": POPULATION,
    "Analysis": ANALYSIS,
}
ITEMS = tuple(item for items in SECTIONS.values() for item in items)


@dataclass(frozen=True)
class Answer:
    """An item with what the configuration and the authors say to it, and what they still must."""

    number: str
    heading: str
    stated: str
    pieces: list[Piece]
    left: str
    key: Markdown

    @property
    def said(self) -> bool:
        """Whether anything is said to it."""
        return bool(self.stated or self.pieces)


def answered(source: Source, item: PlanItem) -> Answer:
    """Return what is said to an item."""
    stated = source.study.statements.get("plan", {}).get(item.number, "").strip()
    pieces = item.says(source)
    left = "" if stated else item.left if pieces else item.asks
    key, file = item.key or (f"{SAID}.{item.number}", STUDY)
    said = sentence(stated) if stated else ""
    taken = Markdown(f"`{key}` of `{file}`")
    return Answer(item.number, capitalised(item.asks), said, pieces, left, taken)


def open_items(source: Source) -> list[str]:
    """Return the numbers of the items to which the authors still have something to say."""
    return [item.number for item in ITEMS if answered(source, item).left]


def _said(items: tuple[PlanItem, ...], title: str, source: Source) -> dict[str, Any]:
    groups = [
        (heading, [answered(source, item) for item in of])
        for heading, of in groupby(items, attrgetter("heading"))
    ]
    return {"heading": title, "groups": groups}


def _items(title: str, of: Configured) -> Iterator[Item]:
    if title == "Administrative information":
        yield from locks.ITEMS
    if title == "Introduction" and of.plan.estimands:
        yield TableItem("estimands", estimands)
    if title == "Study methods" and not_allocated(of):
        yield TableItem("target_trial", target_trial)
    if title == "Analysis":
        there = {ASSUMED: assumes(of), MONEY: has_economics(of)}
        yield from (TableItem(n, build) for n, build in BUILT.items() if there.get(n, True))


PARTS = [
    Part(
        "",
        [
            *(
                Section("plan_part", partial(_items, title), partial(_said, items, title))
                for title, items in SECTIONS.items()
            ),
            Section("references"),
        ],
    )
]
