"""What the plan asks of one of its outcomes."""

from __future__ import annotations

from ccp_analysis.analyses.question import Question
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument, unit_of
from ccp_analysis.config.models import LONGITUDINAL
from ccp_analysis.config.plan import Analysis, Outcome, Plan
from ccp_analysis.config.study import Study


def question_of(
    plan: Plan,
    study: Study,
    entry: Analysis,
    outcome: Outcome,
    instruments: dict[str, Instrument],
    dictionary: list[Column],
) -> Question:
    """Return what an analysis of the plan asks of one of its outcomes."""
    visit, instrument = visit_of(entry), instruments.get(outcome.id)
    return Question(
        outcome=outcome.id,
        value=f"{outcome.id}_{visit}" if visit else outcome.id,
        baseline=f"{outcome.id}_{study.baseline.id}",
        covariates=plan.covariates,
        scale=unit_of(outcome.id, instruments, dictionary),
        level=plan.confidence_level,
        benefit=outcome.benefit or (instrument.benefit if instrument else None),
        mcid=instrument.mcid if instrument else None,
        power=plan.power,
        codes=codes_of(outcome.id, dictionary),
        pooling=entry.pooling or plan.pooling,
        robust=entry.variance == "robust",
        confounding=plan.confounding,
        seed=plan.seed,
    )


def visit_of(entry: Analysis) -> str:
    """Return the visit of an analysis of one; nothing of a longitudinal model."""
    return entry.visit if entry.visit and entry.model not in LONGITUDINAL else ""


def codes_of(name: str, dictionary: list[Column]) -> tuple[str, ...]:
    """Return the codes of a category in the dictionary's order; none of another variable."""
    columns = [c for c in dictionary if c.name == name or c.variable == name]
    return next((tuple(c.codes) for c in columns if c.type == "category"), ())
