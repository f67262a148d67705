"""Dose and response: what goes with having got more of the intervention. Associations alone."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, design, sample
from ccp_analysis.analyses.planned import question_of
from ccp_analysis.analyses.question import Question, fitted
from ccp_analysis.analyses.rows import Rows, complete, pooled_rows, with_note
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.implementation import Exposed
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import status_of
from ccp_analysis.groups import names_of
from ccp_analysis.implementation.exposures import exposure, variable_of
from ccp_analysis.implementation.scope import Row, Scope
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.within_between import within_between
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

log = logging.getLogger(__name__)

DOSE_RESPONSE = "dose_response"  # id of these rows among the analyses
EXPOSURE = "_exposure"
ASSOCIATION = (
    "an association and no effect: who gets more of it may differ in other ways that matter"
)


def dose_rows(
    scope: Scope,
    plan: Plan,
    measures: tuple[dict[str, Instrument], list[Column]],
    participants: pd.DataFrame,
    delivery: pd.DataFrame | None,
    tables: pd.DataFrame | None,
) -> Rows:
    """Set each outcome of the plan against each exposure, in the active arm.

    Parameters
    ----------
    scope : Scope
        What is asked.
    plan : Plan
        Its first ANCOVA says at which visit, with which covariates and how pooled.
    measures : tuple of dict and list
        Instruments and dictionary.
    participants, delivery, tables : pandas.DataFrame
        Participants as observed, contacts, and imputations 0 to m with exposures; these are None
        where there are none to set outcomes against.

    Returns
    -------
    list of dict
        Rows without tests.
    """
    entry = next((a for a in plan.analyses if a.model == Model.ANCOVA), None)
    shared: Row = {"analysis": DOSE_RESPONSE, "role": Role.SENSITIVITY, "model": Model.ANCOVA}
    if tables is None:
        return []
    if entry is None:
        note = "the plan has no ANCOVA, whose visit and covariates would be those of this question"
        return [shared | {"term": Term.ASSOCIATION, "status": Status.REFUSED, "note": note}]
    rows: Rows = []
    arms = scope.study.arms
    active = tables[tables[arms.variable].astype(str) == arms.active]
    for outcome in plan.outcomes_of(entry):
        ask = question_of(plan, scope.study, entry, outcome, *measures)
        for name in scope.asked.exposures:
            head = shared | {"outcome": outcome.id, "level": name, "scale": ask.scale}
            head |= {"visit": entry.visit, "population": Population.EXPOSURE_KNOWN}
            try:
                chosen, said = exposed(scope, name, ask, participants, delivery, active)
                found = _associations(scope, chosen, ask)
            except ValueError as error:
                log.error("%s, %s, %s: %s", DOSE_RESPONSE, outcome.id, name, error)
                row = {"term": Term.ASSOCIATION, "status": status_of(error)}
                rows.append(head | row | {"note": str(error).rstrip(".")})
                continue
            found = complete(found, scope.study, chosen, ask, Model.ANCOVA, Inference.CR2)
            rows += [head | row for row in with_note(found, said)]
    return rows


def exposed(
    scope: Scope,
    name: Exposed,
    ask: Question,
    participants: pd.DataFrame,
    delivery: pd.DataFrame | None,
    tables: pd.DataFrame,
    *,
    both: bool = False,
) -> tuple[Sample, str]:
    """Return people, of the active arm or both, with their exposure, and what is to be said.

    Imputed along with the outcomes, an exposure is that of each completed table. Where it could not
    be imputed, the models know nothing of how outcomes go with it: whoever has no exposure or no
    outcome is left out, and baselines and covariates alone are imputed.
    """
    if tables.empty:
        arms = scope.study.arms
        raise ValueError(f"nobody is in the arm '{arms.levels[arms.active]}'")
    needed = variable_of(scope.asked, name)
    completed = tables["imputation"] > 0
    along = needed in tables and bool(tables[needed][completed].notna().all())
    values = exposure(scope.asked, name, tables if along else participants, delivery)
    arm, units = scope.study.arms.variable, scope.study.clusters
    wanted = [ask.value, ask.baseline, *ask.covariates, EXPOSURE]
    who = ["imputation", "participant", arm, *([units.unit, units.pair] if units else [])]
    frame = tables.loc[:, tables.columns.isin([*who, *wanted])]
    if along:
        frame = frame.assign(**{EXPOSURE: values})
    else:
        by_person = pd.Series(values, names_of(participants["participant"]).to_numpy())
        person = names_of(tables["participant"])
        seen = person.isin(person[~completed & tables[ask.value].notna()])
        frame = frame.assign(**{EXPOSURE: person.map(by_person)})[seen]
    if frame[EXPOSURE].isna().all():
        raise ValueError(f"the exposure '{name}' is not known of anybody with a follow-up")
    chosen = replace(sample(scope.study, frame, "imputed", wanted), pooling=ask.pooling)
    if np.ptp(chosen.stacked(EXPOSURE)) == 0:
        raise ValueError(f"the exposure '{name}' is the same for everyone")
    if units and chosen.first[units.unit].nunique() < 2:
        raise ValueError(f"people of a single {scope.unit} have the exposure '{name}'")
    asked = scope.asked.exposures[name] + ("" if both else f"; {ASSOCIATION}")
    if along:
        return chosen, f"{asked}; exposures imputed along"
    left = str(int(completed.sum() // max(chosen.m, 1)) - chosen.n) + " of this arm" * (not both)
    said = f"{asked}; {left} without exposure or follow-up are left out"
    return replace(chosen, population=Population.EXPOSURE_KNOWN), said


def _associations(scope: Scope, chosen: Sample, ask: Question) -> Rows:
    """Return the slope of the exposure; and those within and between clusters, told apart."""
    whole = chosen.stacked(EXPOSURE)
    rows = _slopes(scope, chosen, ask, [whole], [Term.ASSOCIATION])
    if scope.study.clusters is None:
        return rows
    terms = [Term.WITHIN_CLUSTERS, Term.BETWEEN_CLUSTERS]
    try:
        parts = within_between(whole, chosen.codes(scope.study.clusters.unit))
        return rows + _slopes(scope, chosen, ask, [parts[..., 1], parts[..., 0]], terms)
    except ValueError as error:
        note = {"status": status_of(error), "note": str(error).rstrip(".")}
        return rows + [{"term": term, **note} for term in terms]


def _slopes(
    scope: Scope, chosen: Sample, ask: Question, parts: list[np.ndarray], terms: list[Term]
) -> Rows:
    """Fit the outcome on parts of the exposure, its baseline and covariates."""
    plain = design(chosen, [ask.baseline, *ask.covariates], [])
    # Everybody is in the active arm: its column makes room for the exposure.
    kept = np.delete(plain.X, 1, axis=-1)
    exposed = np.stack([part - part.mean() for part in parts], axis=-1)
    X = np.concatenate([kept[..., :1], exposed, kept[..., 1:]], axis=-1)
    columns = [plain.columns[0], *map(str, terms), *plain.columns[2:]]
    fit = fitted(fit_ols, columns, X, chosen.stacked(ask.value))
    L = np.eye(len(columns))[1 : len(terms) + 1]
    found = allocated(scope.study).by_units(chosen, fit, L)
    rows = pooled_rows(chosen, found, ask.level, needed=len(terms), apart=True)
    untested = {"p_value": None, "statistic": None, "df_num": None}
    return [row | untested | {"term": t} for row, t in zip(rows, terms, strict=True)]
