"""Which kind of row a row is: by its analysis, as the plan and the evaluation name them."""

from __future__ import annotations

from ccp_analysis.archive.explained import described, money, planned, practice
from ccp_analysis.archive.explained.basis import Basis
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config.sensitivity import Sensitivity
from ccp_analysis.errors import StudyError

OTHERS = {
    "descriptive": described.of_description,
    "events": described.of_events,
    "balance": described.of_balance,
    "unmeasured": described.of_unmeasured,
    "sample_size": planned.of_sample_size,
    "next_study": planned.of_next_study,
    "characteristics": planned.of_drawn,
    "implementation": practice.of_practice,
    "dose_response": practice.of_exposure,
    "takers": practice.of_exposure,
}


def basis_of(facts: Facts, row: Row) -> Basis:
    """Return what a row rests on; StudyError where nothing of the configuration has made it."""
    name = row["analysis"]
    for entry in facts.plan.analyses:
        if entry.id == name:
            return planned.of_analysis(facts, row, entry)
        if f"checks_{entry.id}" == name:
            return planned.of_check(facts, row)
    asked = facts.plan.sensitivity or Sensitivity()
    for shifted in asked.delta:
        if shifted.id == name:
            return planned.of_delta(facts, row, shifted)
    for lost in asked.reference_based:
        if lost.id == name:
            return planned.of_reference(facts, row, lost)
    if name in OTHERS:
        return OTHERS[name](facts, row)
    if money.is_money(facts, row):
        return money.of_evaluation(facts, row)
    raise StudyError(
        f"row {row['row']}: the analysis '{name}' is not one of the plan; the results were made by "
        "another configuration: run the study again."
    )
