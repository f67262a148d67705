"""What is estimated, by which analyses."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from ccp_analysis.config.estimands import Estimand, IntercurrentEvent
from ccp_analysis.config.models import LABELS, LONGITUDINAL
from ccp_analysis.config.plan import Analysis
from ccp_analysis.config.sensitivity import Sensitivity
from ccp_analysis.report.cells import DATA
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, listed, uncapitalised
from ccp_analysis.results.terms import Model, Population, Role

ROLES: dict[str, str] = {
    Role.PRIMARY: "Primary analysis",
    Role.SUPPORTING: "Supporting analyses",
    Role.SENSITIVITY: "Sensitivity analyses",
}


def estimands(source: Source) -> Table[Any]:
    """Set out every estimand by its attributes, and the analyses that estimate it."""
    return Table(
        "What is estimated, by the five attributes of ICH E9(R1), and by which analyses",
        [
            Column("Estimand", itemgetter(0)),
            Column("Attribute", itemgetter(1), 34, "l"),
            Column("Definition", lambda line: line[2].strip(), 66, "l"),
        ],
        [(e.name, *part) for e in source.plan.estimands for part in _attributes(source, e)],
        grouped=True,
        stub="Attribute",
        notes=_notes(source),
    )


def _attributes(source: Source, estimand: Estimand) -> list[tuple[str, str]]:
    analyses = _analyses(source, estimand)
    return [
        ("Population", estimand.population),
        ("Treatment", estimand.treatment),
        ("Variable", estimand.variable),
        *(_event(source, estimand, entry) for entry in estimand.intercurrent_events),
        ("Summary measure", estimand.summary),
        *((ROLES[role], text) for role, text in analyses.items() if text),
    ]


def _event(source: Source, estimand: Estimand, entry: IntercurrentEvent) -> tuple[str, str]:
    losses = source.study.losses
    label = source.category(losses.event, entry.event) if losses else entry.event
    alike = [other for other in estimand.intercurrent_events if other.event == entry.event]
    about = listed([source.name(outcome) for outcome in entry.outcomes])
    about = about or ("other outcomes" if len(alike) > 1 else "")
    text = f"{capitalised(entry.strategy)}: {entry.how.strip()}"
    if losses and not entry.recorded:
        text += " (not recorded)"
    return f"Intercurrent event: {uncapitalised(label)}{f' ({about})' if about else ''}", text


def _analyses(source: Source, estimand: Estimand) -> dict[str, str]:
    """Return for each role the models and data of the analyses that estimate it."""
    plan = source.plan
    found: dict[str, dict[str, dict[str, None]]] = {role: {} for role in ROLES}
    for analysis in plan.analyses:
        if plan.estimand_of(analysis.id) == estimand.id:
            by_data = found[analysis.role]
            by_data.setdefault(data_of(analysis), {})[LABELS[analysis.fit]] = None
    said = {role: [_models(*part) for part in by.items()] for role, by in found.items()}
    asked = plan.sensitivity or Sensitivity()
    added = "with deltas added to imputed values"
    ways = [(e.id, f"{LABELS[plan.analysis(e.analysis).model]} {added}") for e in asked.delta]
    ways += [(e.id, "ANCOVA after reference-based imputation") for e in asked.reference_based]
    said[Role.SENSITIVITY] += [way for name, way in ways if plan.estimand_of(name) == estimand.id]
    return {
        role: capitalised("; ".join(uncapitalised(part) for part in parts))
        for role, parts in said.items()
    }


def data_of(analysis: Analysis) -> str:
    """Return in words on which data an analysis rests."""
    if analysis.data == "imputed":
        return DATA[Population.COMPLETED]
    over_visits = analysis.model in (*LONGITUDINAL, Model.DID)
    return DATA[Population.OBSERVED_VISITS if over_visits else Population.COMPLETE_CASES]


def _models(data: str, models: dict[str, None]) -> str:
    first, *others = models
    return f"{listed([first, *(uncapitalised(model) for model in others)])} ({data})"


def _notes(source: Source) -> list[str]:
    plan, losses = source.plan, source.study.losses
    notes = []
    kinds = {analysis.data for analysis in plan.analyses}
    if "imputed" in kinds:
        notes.append(
            f"Imputed: {plan.imputation.imputations} imputations by fully conditional "
            "specification, values being taken to be missing at random given the predictors."
        )
    if "observed" in kinds:
        notes.append(
            "Complete cases and observed visits: values being taken to be missing at random given "
            "what the model has."
        )
    named = {e.event for estimand in plan.estimands for e in estimand.intercurrent_events}
    ends = [event for event in losses.ending if event not in named] if losses else []
    if losses and ends:
        labels = [uncapitalised(source.category(losses.event, event)) for event in ends]
        notes.append(
            f"Recorded as {listed(labels, 'or')}: what is not known after it is missing data, "
            "and no intercurrent event."
        )
    return notes


def _items(of: Configured) -> Iterator[Item]:
    if of.plan.estimands:
        yield TableItem("estimands", estimands)


SECTION = Section("estimands", _items)
