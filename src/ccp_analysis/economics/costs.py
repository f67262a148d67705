"""Cost: participants, unit costs → costs.parquet, prices.parquet, intervention.parquet.

Service use at each visit times prices, and the cost of the intervention for each participant; and
queries about what is strange in prices, index and caseload.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import Economics, load_economics
from ccp_analysis.config.reading import place
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.economics.intervention import none, read_intervention, shares
from ccp_analysis.economics.prices import price_table, read_price_index, read_unit_costs
from ccp_analysis.economics.recorded import recorded_use
from ccp_analysis.economics.strange import queries_about, spent_on
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import ECONOMICS, STUDY

log = logging.getLogger(__name__)


def total_costs(people: pd.DataFrame, prices: pd.DataFrame, perspective: str) -> pd.DataFrame:
    """Add up the cost of the services of a perspective at each visit.

    Parameters
    ----------
    people : pandas.DataFrame
        Participants with their service use and, where deaths are known, ``alive_{visit}``.
    prices : pandas.DataFrame
        From `price_table`.
    perspective : str
        Whose costs count.

    Returns
    -------
    pandas.DataFrame
        ``cost_{visit}``: missing where the use of any service is, times the share of the period
        that was lived through, and so zero after a death.
    """
    totals = {}
    counted = prices[prices[f"in_{perspective}"]]
    for visit, services in counted.groupby("visit", sort=False):
        spent = people[services["variable"]] * services["price"].to_numpy()
        total = spent.sum(axis=1, skipna=False)
        if f"alive_{visit}" in people:
            alive = people[f"alive_{visit}"]
            total = (total * alive).mask(alive == 0, 0.0)
        totals[f"cost_{visit}"] = total
    return pd.DataFrame(totals, index=people.index)


def run(
    *,
    participants: Path,
    costs: Path,
    prices: Path,
    intervention: Path,
    queries: Path | None = None,
    medication: Path | None = None,
) -> None:
    """Cost the service use of every participant at every visit, and the intervention.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    costs : Path
        Parquet file to write: participant, ``cost_{visit}`` of services (main perspective),
        ``intervention_{rule}`` for each rule by which the intervention can be shared, and the use
        that no raw file has as it is costed (hours of contacts, medication).
    prices : Path
        Parquet file to write: every service at every visit with its price and perspectives.
    intervention : Path
        Parquet file to write: every item of the intervention with its cost within the horizon.
    queries : Path, optional
        CSV file to write: what is strange in prices, index and caseload.
    medication : Path, optional
        What cleaning writes of a list of medication, where the study has one.

    Raises
    ------
    StudyError
        If there is no evaluation, no service, a service without a unit cost, or the files of costs
        have faults.
    """
    study, economics = load_study(), load_economics()
    if economics is None:
        raise StudyError(f"{ECONOMICS}: the file is missing; there is nothing to cost.")
    _check_shares(study, economics)
    index = read_price_index(economics)
    unit_costs = read_unit_costs(economics, index)
    table = price_table(study, economics, load_dictionary(study), unit_costs, index)
    read = files.read_parquet(participants)
    made = recorded_use(study, read, table, medication)
    people = pd.concat([read, made], axis=1)
    parts = [people[["participant"]], total_costs(people, table, economics.main)]
    items = none()
    if economics.intervention is not None:
        items = read_intervention(economics, index)
        total = float(items["cost"].sum())
        parts.append(pd.DataFrame(shares(people, total, study, economics), index=people.index))
        log.info("the intervention costs %.2f within the horizon", total)
    parts.append(made)
    whole = pd.concat(parts, axis=1)
    for name in whole.columns[1:]:
        log.info("%s: known of %d, mean %.2f", name, whole[name].count(), whole[name].mean())
    files.write_parquet(costs, whole)
    files.write_parquet(prices, table)
    files.write_parquet(intervention, items)
    asked = queries_about(
        economics,
        index,
        unit_costs,
        items,
        spent_on(people, table, economics.main),
        int((people[study.arms.variable] == study.arms.active).sum()),
        files.read_parquet(medication) if medication else None,
    )
    for name, rule in zip(asked["file"], asked["rule"], strict=True):
        log.info("%s: %s", name, rule)
    if queries is not None:
        files.write_csv(queries, asked.assign(data_status=study.data_status))


def _check_shares(study: Study, economics: Economics) -> None:
    """Raise StudyError where a cost is to be shared over clusters that the study does not have."""
    if study.clusters or economics.intervention is None:
        return
    asked: list[tuple[tuple[str, ...], str | None]] = [
        (("intervention", "share"), economics.intervention.share)
    ]
    asked += [(("sensitivity", v.id, "share"), v.share) for v in economics.sensitivity]
    for keys, share in asked:
        if share == "teams":
            raise StudyError(
                f"{place(ECONOMICS, *keys)}: {'.'.join(keys)} is teams, but {STUDY} declares no "
                "clusters; expected participants or caseload."
            )
