"""Reconciliation: every raw row and every person is accounted for, up to the analysis sets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from ccp_analysis.cleaning.flow import arms_of, counts_of, reasons_of
from ccp_analysis.cleaning.spelling import BLANK
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable, among, tally
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import in_order
from ccp_analysis.layout import STUDY


def analysis_sets(study: Study, people: pd.DataFrame) -> list[dict[str, Any]]:
    """Count the analysis sets, and those outside each, with reasons.

    Parameters
    ----------
    study : Study
        Its `complete_case` names the outcomes that must be there at every visit.
    people : pandas.DataFrame
        Participants with their scores.

    Returns
    -------
    list of dict
        ``recruited``; ``itt``: everyone with a baseline interview; ``followed_up``, of those: with
        an interview at the last visit; ``complete_case``, where the study declares it, of the itt
        set: the outcomes at all visits. Each has n, by_arm, by_cluster, ``of`` (the set it is taken
        from) and ``left_out``: reasons with n, by_arm and, where there are clusters, by_cluster.

    Raises
    ------
    StudyError
        If an outcome of `complete_case` is no variable measured at the visits.
    """
    recruited = {
        "set": "recruited",
        "label": "Recruited",
        **counts_of(study, people),
        "of": None,
        "left_out": [],
    }
    there = people[f"interviewed_{study.baseline.id}"]
    why = reasons_of(study, people, study.baseline.reason)
    why = ("no baseline interview: " + why).mask(there, "")
    sets = [recruited, _set(study, "itt", "Intention to treat", "recruited", people, why)]
    treated = people[there]
    last = study.follow_ups[-1]
    lost = treated[~treated[f"interviewed_{last.id}"]]
    why = pd.Series("", index=treated.index, dtype=object)
    why[lost.index] = f"no interview at {last.id}: " + reasons_of(study, lost, last.reason)
    sets.append(_set(study, "followed_up", "Followed up", "itt", treated, why))
    if study.complete_case:
        why = _incomplete(study, treated)
        sets.append(_set(study, "complete_case", "Complete cases", "itt", treated, why))
    return sets


def _incomplete(study: Study, people: pd.DataFrame) -> pd.Series:
    """Return the first reason why somebody is no complete case; empty for complete cases."""
    why = pd.Series("", index=people.index, dtype=object)
    for visit in study.visits:
        absent = ~people[f"interviewed_{visit.id}"] & (why == "")
        recorded = reasons_of(study, people[absent], visit.reason)
        why[absent] = f"no interview at {visit.id}: " + recorded
        for outcome in study.complete_case:
            name = f"{outcome}_{visit.id}"
            if name not in people:
                raise StudyError(
                    f"{STUDY}: complete_case names '{outcome}', which is not measured at "
                    f"'{visit.id}'."
                )
            why[(why == "") & people[name].isna()] = f"{outcome} missing at {visit.id}"
    return why


def _set(
    study: Study, name: str, label: str, of: str, people: pd.DataFrame, why: pd.Series
) -> dict[str, Any]:
    return {
        "set": name,
        "label": label,
        **counts_of(study, people[why == ""]),
        "of": of,
        "left_out": [
            {"reason": str(reason), **counts_of(study, people[why == reason])}
            for reason in in_order(why[why != ""])
        ],
    }


def row_accounts(
    study: Study, tables: dict[str, RawTable], people: pd.DataFrame
) -> list[dict[str, Any]]:
    """Say what became of every raw row.

    Parameters
    ----------
    study : Study
        Files and clusters.
    tables : dict
        File id → `RawTable`.
    people : pandas.DataFrame
        Everyone recruited.

    Returns
    -------
    list of dict
        For each file: ``file``, ``rows`` read, ``identical_rows_left_out``, and the rows kept:
        ``of_itt`` (people with a baseline interview), ``of_others``; for a file of clusters,
        or of practitioners, ``with_participants`` and ``without_participants``: of clusters with or
        without people. ``of_nobody``: contacts of people not recruited, which are left out.
    """
    itt = people.loc[people[f"interviewed_{study.baseline.id}"], PARTICIPANT]
    accounts = []
    for file, table in tables.items():
        if PARTICIPANT in table.values:
            inside = among(table.values[PARTICIPANT], itt)
            known = among(table.values[PARTICIPANT], people[PARTICIPANT])
            kept = {"of_itt": int(inside.sum()), "of_others": int((known & ~inside).sum())}
            if table.of_nobody:
                kept["of_nobody"] = table.of_nobody
        else:
            unit = table.values.columns[0] if not study.clusters else study.clusters.unit
            used = int(among(table.values[unit], people[unit]).sum())
            kept = {"with_participants": used, "without_participants": len(table.values) - used}
        left_out = {"rows": table.rows, "identical_rows_left_out": table.repeated}
        accounts.append({"file": study.files[file].words, **left_out, **kept})
    return accounts


def values_set_missing(
    study: Study, tables: dict[str, RawTable], instruments: dict[str, Instrument]
) -> list[dict[str, Any]]:
    """Count the values of people that stood there and were set missing.

    Parameters
    ----------
    study : Study
        Files.
    tables : dict
        File id → `RawTable`; they know why a value is missing.
    instruments : dict
        Instrument id → `Instrument`: what its items have lost, it has.

    Returns
    -------
    list of dict
        For each variable, at all visits, and each instrument that has lost any: ``name``, ``n``,
        and ``reasons``: why (not valid, outside the limits, a rule, a decision) → how many. Neither
        blanks nor codes for missing count.
    """
    counts: dict[str, Counter[str]] = {}
    for file, table in tables.items():
        for column in table.columns if study.files[file].of_people else ():
            declared = table.sheet.missing.get(column.column, {}).values()
            known = {BLANK, *column.missing.values(), *declared}
            found = Counter(tally(table.why[column.variable]))
            lost = {why: n for why, n in found.most_common() if why not in known}
            counts.setdefault(column.name, Counter()).update(lost)
    for name, instrument in instruments.items():
        counts[name] = sum((counts[item] for item in instrument.items), Counter())
    return [
        {"name": name, "n": lost.total(), "reasons": dict(lost.most_common())}
        for name, lost in counts.items()
        if lost
    ]


def check_balance(study: Study, flow: dict[str, Any]) -> None:
    """Check that counts in are counts out and counts explained, in all and for each arm.

    Parameters
    ----------
    study : Study
        Arms.
    flow : dict
        With stages, sets, files and rows.

    Raises
    ------
    StudyError
        Names the first account that does not balance.
    """
    for account, entry in zip(flow["rows"], flow["files"], strict=True):
        explained = sum(n for key, n in account.items() if key not in ("file", "rows"))
        _equal(account["file"], "rows", account["rows"], explained)
        kept = entry["rows"] - entry["identical_rows_left_out"] - entry.get("of_nobody", 0)
        _equal(entry["file"], "rows kept", entry["kept"], kept)
    by_name = {one["set"]: one for one in flow["sets"]}
    for one in flow["sets"]:
        if one["of"] is not None:
            _check_parts(study, one["set"], by_name[one["of"]], one, one["left_out"])
    for before, stage in _pairs(flow["stages"]):
        _check_parts(study, stage["stage"], before, stage, stage["missing"])
    stages = {stage["stage"]: stage["n"] for stage in flow["stages"]}
    _equal("itt", "people", by_name["itt"]["n"], stages[study.baseline.id])
    _equal("followed_up", "people", by_name["followed_up"]["n"], stages[study.visits[-1].id])


def _pairs(stages: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each visit with the stage that it is counted from: all follow-ups, the baseline."""
    recruited, baseline, *later = stages
    return [(recruited, baseline), *((baseline, stage) for stage in later)]


def _check_parts(
    study: Study, name: str, whole: dict[str, Any], rest: dict[str, Any], out: list[dict[str, Any]]
) -> None:
    _equal(name, "people", whole["n"], rest["n"] + sum(part["n"] for part in out))
    for arm in study.arms.ordered:
        parts = rest["by_arm"][arm] + sum(part["by_arm"][arm] for part in out)
        _equal(name, f"people in the arm '{arm}'", whole["by_arm"][arm], parts)
    if "by_cluster" in whole and all("by_cluster" in part for part in out):
        total: dict[str, int] = {}
        for part in (rest, *out):
            for entry in part["by_cluster"]:
                total[entry["cluster"]] = total.get(entry["cluster"], 0) + entry["n"]
        for entry in whole["by_cluster"]:
            who = f"people of '{entry['cluster']}'"
            _equal(name, who, entry["n"], total.get(entry["cluster"], 0))


def _equal(where: str, what: str, found: int, explained: int) -> None:
    if found != explained:
        raise StudyError(
            f"The accounts of '{where}' do not balance: {found} {what} found, {explained} "
            "explained."
        )


def arms_of_the_dead(
    study: Study, people: pd.DataFrame, dead: dict[str, pd.Series]
) -> list[dict[str, Any]]:
    """Count, for each visit, who had died by then: their utility is 0."""
    return [
        {"visit": visit, "n": int(who.sum()), "by_arm": arms_of(study, people[who])}
        for visit, who in dead.items()
    ]
