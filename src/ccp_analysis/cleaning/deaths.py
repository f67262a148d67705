"""Utility after death: 0, and only utility."""

from __future__ import annotations

import pandas as pd

from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.study import Instrument, Study

DAYS_A_MONTH = 365.25 / 12


def dead_at(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> dict[str, pd.Series]:
    """Return who was dead at each follow-up visit.

    Somebody is dead at a visit who was not interviewed then and had died by the day on which the
    visit was due: so many months after the baseline interview. Where its date is not known, who
    has died and was interviewed neither then nor later.

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
    events = tables[study.losses.file].values
    deaths = events[events[study.losses.event] == study.losses.death]
    first = deaths.groupby(PARTICIPANT)[study.losses.date].min()
    died = first.reindex(people[PARTICIPANT]).set_axis(people.index)
    name = f"{study.baseline.date}_{study.baseline.id}"
    started = people[name] if name in people else pd.Series(pd.NaT, index=people.index)
    dead = {}
    seen_later = pd.Series(False, index=people.index)
    for visit in reversed(study.follow_ups):
        seen_later |= people[f"interviewed_{visit.id}"]
        days = round((visit.months - study.baseline.months) * DAYS_A_MONTH)
        due = started + pd.Timedelta(days=days)
        dead[visit.id] = died.notna() & ~seen_later & (due.isna() | (died <= due))
    return {visit.id: dead[visit.id] for visit in study.follow_ups}


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
