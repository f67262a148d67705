"""What happened to people: harms and other events by arm, among those analysed and the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ccp_analysis.analyses.shares import Row, no_estimate, share
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.events import ANY_HARM, EVENTS, FEW, UNRECORDED, Losses, codes_of
from ccp_analysis.config.study import Study
from ccp_analysis.groups import groups, in_order, names_of
from ccp_analysis.models.proportions import difference_limits
from ccp_analysis.results.terms import Inference, Population, Term

ALL = "all"


def event_rows(
    study: Study,
    dictionary: list[Column],
    people: pd.DataFrame,
    events: pd.DataFrame,
    level: float,
) -> list[Row]:
    """Return people with each event, events and shares, by arm; and the difference in any harm.

    Parameters
    ----------
    study : Study
        Arms, clusters, and which events are harms.
    dictionary : list of Column
        For the codes of the events: one that nobody had is counted as well.
    people : pandas.DataFrame
        Everyone recruited.
    events : pandas.DataFrame
        A row for each event: participant, event, reason.
    level : float
        Of the intervals.

    Returns
    -------
    list of dict
        Columns of rows: of everyone analysed, and counts alone of those recruited beside them.
    """
    losses = study.losses
    if losses is None:
        return []
    events = events.assign(
        event=names_of(events["event"]).fillna(UNRECORDED),
        reason=names_of(events["reason"]).fillna(UNRECORDED),
    )
    inside = people[f"interviewed_{study.baseline.id}"].to_numpy(dtype=bool)
    rows: list[Row] = []
    for population, there in {
        Population.COMPLETED: inside,
        Population.NOT_ANALYSED: ~inside,
    }.items():
        counted = _Counted(study, losses, people[there], level)
        shares = population == Population.COMPLETED
        found = [
            row
            for outcome, kinds in _outcomes(losses, dictionary, events).items()
            for row in counted.rows(outcome, events[events["event"].isin(kinds)], shares)
        ]
        rows += [{"analysis": EVENTS, "population": population} | row for row in found]
    return rows


def _outcomes(
    losses: Losses, dictionary: list[Column], events: pd.DataFrame
) -> dict[str, list[str]]:
    """Return what is counted, with the events that count: any harm, and each event."""
    found = in_order(events["event"])
    known = codes_of(losses, dictionary) or in_order([*losses.ending, *losses.harms, *found])
    kinds = dict.fromkeys([*known, *found])
    harms = {ANY_HARM: losses.harms} if losses.harms else {}
    return harms | {kind: [kind] for kind in kinds}


class _Counted:
    """People among whom events are counted."""

    def __init__(self, study: Study, losses: Losses, people: pd.DataFrame, level: float) -> None:
        self.arms, self.losses, self.level = study.arms, losses, level
        self.who = people["participant"]
        self.arm = names_of(people[study.arms.variable]).to_numpy()
        clusters = study.clusters
        self.unit = clusters.unit_label if clusters else "person"
        self.team = groups(people[clusters.unit]).codes if clusters else np.arange(len(people))

    def rows(self, outcome: str, events: pd.DataFrame, shares: bool) -> Iterator[Row]:
        """Yield the rows of an outcome, by arm and of all."""
        own = events[events["participant"].isin(self.who)]
        arm = own["participant"].map(dict(zip(self.who, self.arm, strict=True)))
        had = self.who.isin(own["participant"]).to_numpy(dtype=float)
        found: dict[str, Row] = {}
        for level in [*self.arms.ordered, ALL]:
            among = np.full(len(had), True) if level == ALL else self.arm == level
            those = own if level == ALL else own[arm == level]
            head: Row = {"outcome": outcome, "level": level, "n": int(among.sum())}
            head |= {"scale": "count", "n_clusters": len(np.unique(self.team[among]))}
            yield head | {"term": Term.NUMBER, "estimate": int(had[among].sum())}
            yield head | {"term": Term.EVENTS, "estimate": len(those)}
            for reason in in_order(own["reason"]) if outcome != ANY_HARM else ():
                count = int((those["reason"] == reason).sum())
                yield head | {"term": Term.EVENTS, "subgroup": reason, "estimate": count}
            if shares:
                found[level] = self._share(had[among], self.team[among])
                yield head | {"term": Term.PROPORTION} | found[level]
        if shares and outcome == ANY_HARM:
            yield {"outcome": outcome} | self._difference(found)

    def _share(self, had: np.ndarray, team: np.ndarray) -> Row:
        return share(had, team, self.level, self.losses.assumed_icc, self.unit, few=FEW)

    def _difference(self, shares: dict[str, Row]) -> Row:
        """Return the difference between the arms in the share of people."""
        active, reference = (shares[arm] for arm in (self.arms.active, self.arms.reference))
        level = f"{self.arms.active} - {self.arms.reference}"
        row: Row = {"term": Term.GROUP_DIFFERENCE, "level": level, "scale": "proportion"}
        row |= {"inference": Inference.NONE, "n": active["n"] + reference["n"]}
        if not (active["n"] and reference["n"]):
            return row | no_estimate("nobody of an arm was analysed")
        row |= {"estimate": active["estimate"] - reference["estimate"]}
        row |= {"n_clusters": active["n_clusters"] + reference["n_clusters"]}
        if min(active["n_clusters"], reference["n_clusters"]) < 2:
            why = f"no interval: an arm is a single {self.unit}, which differs from others besides"
            return row | no_estimate(why)
        low, high = difference_limits(
            *((one["estimate"], one["conf_low"], one["conf_high"]) for one in (active, reference))
        )
        row |= {"conf_low": low, "conf_high": high, "conf_level": self.level}
        return row | {"inference": Inference.RECOVERED, "note": "from the interval of either arm"}
