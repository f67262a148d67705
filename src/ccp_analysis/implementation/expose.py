"""Expose: participants and contacts → data completed once more, along with exposures.

The plan's own imputation knows nothing of exposures, so that what is said of them moves none of its
numbers. Outcomes that were imputed without them would make associations weaker than they are.
"""

from __future__ import annotations

import logging
from pathlib import Path

from ccp_analysis import files
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.implementation import load_implementation
from ccp_analysis.config.imputation import PredictorChange
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.implementation.exposures import CONTACTS, contacts, variable_of
from ccp_analysis.imputation.completed import completed, read_people
from ccp_analysis.layout import IMPLEMENTATION
from ccp_analysis.refused import NOT_IMPUTED
from ccp_analysis.results.terms import Model

log = logging.getLogger(__name__)
COUNTED = Column(
    file="",
    column=CONTACTS,
    name=CONTACTS,
    visit="",
    label="Contacts",
    type="integer",
    codes={},
    missing={},
    minimum=0.0,
    maximum=None,
    unit="",
)


def run(
    *,
    participants: Path,
    exposed: Path,
    delivery: Path | None = None,
    costs: Path | None = None,
    prices: Path | None = None,
) -> None:
    """Complete the data by the models of the plan, to which exposures are added.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    exposed : Path
        Parquet file to write, as the imputed tables of the plan: imputation 0 is the observed
        data, 1 to m are completed.
    delivery : Path, optional
        Cleaned contacts, where they are recorded.
    costs, prices : Path, optional
        As for the imputation of the plan.

    Raises
    ------
    StudyError
        If the configuration asks of no exposure.
    """
    study, plan, asked = load_study(), load_plan(), load_implementation()
    if asked is None or not asked.exposures:
        raise StudyError(f"{IMPLEMENTATION}: no exposures are asked of.")
    people = read_people(study, participants, costs)
    if delivery is not None:
        people[CONTACTS] = contacts(people, files.read_parquet(delivery))
    known = [variable_of(asked, name) for name in asked.exposures]
    names = [name for name in dict.fromkeys(known) if name in people and people[name].notna().any()]
    found = completed(with_exposures(plan, names), people, prices, [COUNTED])
    files.write_parquet(exposed, found.tables)
    for why in found.tables.attrs[NOT_IMPUTED].values():
        log.info("%s", why)


def with_exposures(plan: Plan, names: list[str]) -> Plan:
    """Return the plan with exposures in its imputation: they and the outcomes predict each other.

    Outcomes are those of the visit at which they are set against exposures.
    """
    entry = next((a for a in plan.analyses if a.model == Model.ANCOVA), None)
    visit = entry.visit if entry else ""
    outcomes = [f"{outcome.id}_{visit}" for outcome in plan.outcomes] if visit else []
    imputation = plan.imputation
    predictors = dict(imputation.predictors)
    pairs = [(one, other) for one in names for other in outcomes if one != other]
    for target, source in [*pairs, *((outcome, exposure) for exposure, outcome in pairs)]:
        own = predictors.get(target, PredictorChange())
        if source not in (*own.add, *own.drop):
            predictors[target] = own.model_copy(update={"add": [*own.add, source]})
    auxiliary = [*imputation.auxiliary, *(n for n in names if n not in imputation.auxiliary)]
    changed = imputation.model_copy(update={"predictors": predictors, "auxiliary": auxiliary})
    return plan.model_copy(update={"imputation": changed})
