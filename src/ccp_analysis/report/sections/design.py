"""How the study was made, in a table: what a reader wants before results."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from ccp_analysis.report.cells import level_of
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.sections.target_trial import PARTS, lines
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import inside, listed, number, sentence

Line = tuple[str, str]


def kind(source: Source) -> str:
    """Say in a phrase what kind of study it is."""
    study = source.study
    how = "Randomised trial" if study.randomised else "Controlled study, not randomised,"
    visits = listed([inside(visit.label) for visit in study.visits])
    arms = " and ".join(inside(label) for _, label in source.arms[::-1])
    text = f"{how} of {arms}, with interviews at {visits}"
    if study.clusters is None:
        return text
    if not source.flow:
        return f"{text}; the arm is a property of the {study.clusters.unit_label}"
    found = source.flow["stages"][0]["by_cluster"]
    units = how_many(own["n"] for own in found)
    pairs = how_many({own["pair"]: own["n"] for own in found}.values())
    unit, pair = study.clusters.unit_label, study.clusters.pair_label
    of_pairs = f" in {pairs} {pair}s" if pairs < units else ""
    return f"{text}; the arm is a property of the {unit}: {units} {unit}s{of_pairs}"


def design(source: Source) -> Table[Line]:
    """Set out setting, eligibility, intervention, allocation, size, estimand, analysis."""
    return Table(
        "The study and its analysis",
        [
            Column("Item", itemgetter(0), 14, "l"),
            Column("This study", lambda line: sentence(line[1]), 86, "l"),
        ],
        [line for line in _lines(source) if line[1]],
    )


def _lines(source: Source) -> Iterator[Line]:
    study = {part.key: line.study for part, line in zip(PARTS, lines(source), strict=True)}
    yield "Design", kind(source)
    yield "Participants", study["eligibility"]
    yield "Intervention", study["strategies"]
    yield "Allocation", "At random" if source.study.randomised else study["assignment"]
    yield "Outcomes", study["outcome"]
    yield "Size", _size(source)
    yield "Effect asked for", study["contrast"]
    yield "Analysis", study["analysis"]
    made = f"{source.plan.imputation.imputations} imputations by fully conditional specification"
    yield (
        "Missing values",
        f"{made}, taken to be missing at random" if source.imputes else "Not imputed",
    )
    yield "Intervals", f"{level_of(source)} confidence intervals, two-sided"


def _size(source: Source) -> str:
    first, *_, last = source.flow["stages"]
    seen = f"{number(last['n'])} seen at {inside(last['label'])}"
    text = f"{number(first['n'])} people recruited, {seen}"
    planned = source.plan.planned
    if planned is None:
        return f"{text}; no size was planned that is known here"
    if planned.assumed:
        return f"{text}; the size that was planned is not known here"
    return f"{text}; planned for {number(planned.participants)} with a follow-up"


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("design", design)


SECTION = Section("design", _items)
