"""Deaths: who was dead at a visit, utility 0 then, and the share of the period lived through."""

from __future__ import annotations

import logging

import pandas as pd

from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.study import Study, Visit

log = logging.getLogger(__name__)

DAYS_A_MONTH = 365.25 / 12


def dead_at(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> dict[str, pd.Series]:
    """Return who was dead at each follow-up visit.

    Somebody is dead at a visit who was not interviewed then and had died by the day on which the
    visit was due: so many months after the baseline interview. Where one of the two dates is not
    known, who has died and was interviewed neither then nor later.

    Parameters
    ----------
    study : Study
        Its `losses` say which event is a death; the baseline visit names the interview's date.
    tables : dict
        File id → `RawTable`.
    people : pandas.DataFrame
        From `assemble`.

    Returns
    -------
    dict
        Visit → bool for each person; empty where the study declares no death.
    """
    if study.losses is None or study.losses.death is None:
        return {}
    has_died, died = _deaths(study, tables, people)
    dead = {}
    seen_later = pd.Series(False, index=people.index)
    for visit in reversed(study.follow_ups):
        seen_later |= people[f"interviewed_{visit.id}"]
        due = _due(study, people, visit)
        dead[visit.id] = has_died & ~seen_later & (due.isna() | died.isna() | (died <= due))
    return {visit.id: dead[visit.id] for visit in study.follow_ups}


def alive_shares(
    study: Study,
    tables: dict[str, RawTable],
    people: pd.DataFrame,
    dead: dict[str, pd.Series],
) -> pd.DataFrame:
    """Return the share of the period before each follow-up visit that a person lived through.

    Parameters
    ----------
    study, tables, people
        As in `dead_at`.
    dead : dict
        From `dead_at`.

    Returns
    -------
    pandas.DataFrame
        ``alive_{visit}``: 1 for everyone not dead at the visit. For the dead the days from the day
        on which the visit before was due to the death, as a share of those up to this visit; 0 at
        visits after that. Where the date of the death or of the baseline interview is not known, a
        half at the first visit at which the person was dead, which is logged. No columns where the
        study declares no death.
    """
    if not dead:
        return pd.DataFrame(index=people.index)
    _, died = _deaths(study, tables, people)
    shares, before, gone = {}, study.baseline, pd.Series(False, index=people.index)
    for visit in study.follow_ups:
        start, end = _due(study, people, before), _due(study, people, visit)
        share = ((died - start) / (end - start)).clip(0, 1).fillna(0.5).mask(gone, 0.0)
        shares[f"alive_{visit.id}"] = share.where(dead[visit.id], 1.0)
        before, gone = visit, gone | dead[visit.id]
    unknown = gone & (died.isna() | _due(study, people, study.baseline).isna())
    for who in people.loc[unknown, PARTICIPANT]:
        log.warning(
            "participant %s: the date of death or of the baseline interview is not known; the "
            "death is taken to be half-way between two visits",
            who,
        )
    return pd.DataFrame(shares, index=people.index)


def _deaths(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """Return who has died, and the first date of that (missing where it is not known)."""
    assert study.losses is not None
    events = tables[study.losses.file].values
    deaths = events[events[study.losses.event] == study.losses.death]
    first = deaths.groupby(PARTICIPANT)[study.losses.date].min()
    died = first.reindex(people[PARTICIPANT]).set_axis(people.index)
    return people[PARTICIPANT].isin(first.index), died


def _due(study: Study, people: pd.DataFrame, visit: Visit) -> pd.Series:
    """Return the day on which a visit was due: so many months after the baseline interview."""
    name = f"{study.baseline.date}_{study.baseline.id}"
    started = people[name] if name in people else pd.Series(pd.NaT, index=people.index)
    days = round((visit.months - study.baseline.months) * DAYS_A_MONTH)
    return started + pd.Timedelta(days=days)


def value_the_dead(
    scores: pd.DataFrame, instruments: dict[str, Instrument], dead: dict[str, pd.Series]
) -> pd.DataFrame:
    """Return the scores with utility 0 for the dead.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `score_instruments`.
    instruments : dict
        Those scored by a value set are utilities.
    dead : dict
        From `dead_at`.
    """
    names = {
        f"{name}_{visit}": who
        for name, instrument in instruments.items()
        for visit, who in dead.items()
        if instrument.score == "value_set"
    }
    valued = {
        n: scores[n].mask(who & scores[n].isna(), 0.0) for n, who in names.items() if n in scores
    }
    return scores.assign(**valued)


def valued_as_dead(
    study: Study, instruments: dict[str, Instrument], people: pd.DataFrame
) -> dict[str, pd.Series]:
    """Return whose utilities are 0 by `value_the_dead`: they have a score and no answer.

    Parameters
    ----------
    study, instruments
        As in `value_the_dead`.
    people : pandas.DataFrame
        The cleaned table.

    Returns
    -------
    dict
        Utility at a visit → bool for each person; without utilities that nobody has so.
    """
    if study.losses is None or study.losses.death is None:
        return {}
    found = {}
    for name, instrument in instruments.items():
        for visit in study.follow_ups if instrument.score == "value_set" else ():
            score = f"{name}_{visit.id}"
            items = [item for item in instrument.items if f"{item}_{visit.id}" in people]
            if score in people:
                answers = people[[f"{item}_{visit.id}" for item in items]]
                silent = ~people[f"interviewed_{visit.id}"] & answers.isna().all(axis=1)
                found[score] = people[score].notna() & silent
    return {score: who for score, who in found.items() if who.any()}
