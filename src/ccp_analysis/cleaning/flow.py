"""Participant flow: who was recruited, interviewed, lost, and why."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ccp_analysis.cleaning.assemble import in_time
from ccp_analysis.cleaning.table import PARTICIPANT, RawTable
from ccp_analysis.config.events import NO_REASON
from ccp_analysis.config.study import Study
from ccp_analysis.groups import in_order, place


def participant_flow(
    study: Study, people: pd.DataFrame, tables: dict[str, RawTable]
) -> dict[str, Any]:
    """Count participants at every stage, by arm and by cluster, with reasons.

    Parameters
    ----------
    study : Study
        Visits, arms, clusters, expected counts.
    people : pandas.DataFrame
        Everyone recruited, from `assemble`.
    tables : dict
        The decoded files, for the rows of each.

    Returns
    -------
    dict
        ``stages``: for recruitment and each visit the numbers, and for a visit the reasons of those
        missing from it (where an event ended participation, with the reasons recorded for it) and
        their total; ``files``: rows read, left out and kept; ``expected``: expected and found.
        Follow-up visits count only those who had a baseline interview.
    """
    stages = [{"stage": "recruited", "label": "Recruited", **counts_of(study, people)}]
    risk = people
    for visit in study.visits:
        present = risk[f"interviewed_{visit.id}"]
        missing = risk[~present]
        reasons = reasons_of(study, missing, visit.reason)
        stages.append(
            {
                "stage": visit.id,
                "label": visit.label,
                **counts_of(study, risk[present]),
                "missing_total": len(missing),
                "missing_by_arm": arms_of(study, missing),
                "missing": _by_reason(study, missing, reasons, tables),
            }
        )
        if visit is study.baseline:
            risk = risk[present]
    found = {stage["stage"]: stage["n"] for stage in stages}
    return {
        "study": study.id,
        "data_status": study.data_status,
        "stages": stages,
        "files": [
            {
                "file": study.files[file].words,
                "rows": table.rows,
                "identical_rows_left_out": table.repeated,
                "kept": len(table.values),
                **({"of_nobody": table.of_nobody} if table.of_nobody else {}),
            }
            for file, table in tables.items()
        ],
        "expected": [
            {"stage": stage, "expected": n, "found": found[stage]}
            for stage, n in study.expected.items()
        ],
    }


def arms_of(study: Study, people: pd.DataFrame) -> dict[str, int]:
    """Return how many people are in each arm."""
    arms = people[study.arms.variable].value_counts()
    return {arm: int(arms.get(arm, 0)) for arm in study.arms.ordered}


def counts_of(study: Study, people: pd.DataFrame) -> dict[str, Any]:
    """Return how many people there are, by arm and, where there are clusters, by cluster."""
    counts: dict[str, Any] = {"n": len(people), "by_arm": arms_of(study, people)}
    if study.clusters:
        columns = [study.clusters.pair, study.clusters.unit, study.arms.variable]
        sizes = people.groupby(columns, sort=False).size()
        counts["by_cluster"] = [
            {"pair": pair, "cluster": unit, "arm": arm, "n": int(n)}
            for (pair, unit, arm), n in sorted(sizes.items(), key=lambda s: [*map(place, s[0])])
        ]
    return counts


def reasons_of(study: Study, missing: pd.DataFrame, variable: str | None) -> pd.Series:
    """Return why people were not interviewed: as recorded, or by the event that ended theirs."""
    reason = missing["left"].astype(object)
    if variable:
        reason = missing[variable].astype(object).where(missing[variable].notna(), reason)
    return reason.where(reason.notna(), NO_REASON)


def _by_reason(
    study: Study, missing: pd.DataFrame, reasons: pd.Series, tables: dict[str, RawTable]
) -> list[dict[str, Any]]:
    return [
        {
            "reason": str(reason),
            "n": int((reasons == reason).sum()),
            "by_arm": arms_of(study, missing[reasons == reason]),
            "recorded": _recorded(study, missing.loc[reasons == reason], str(reason), tables),
        }
        for reason in in_order(reasons)
    ]


def _recorded(
    study: Study, missing: pd.DataFrame, event: str, tables: dict[str, RawTable]
) -> dict[str, int]:
    """Count the reasons recorded with the event that ended these people's participation."""
    if study.losses is None or event not in study.losses.ending:
        return {}
    events = tables[study.losses.file].values
    theirs = events[
        events[PARTICIPANT].isin(missing[PARTICIPANT]) & (events[study.losses.event] == event)
    ]
    theirs = in_time(study, theirs).drop_duplicates(PARTICIPANT)
    counts = theirs[study.losses.reason].astype(object).fillna(NO_REASON).value_counts()
    return {str(reason): int(counts[reason]) for reason in in_order(counts.index)}
