"""Use as it is recorded, and as it is costed: recall periods, minutes of contacts, medication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.study import Study

HOUR = "hour"
MINUTES_AN_HOUR = 60.0


def columns_of(study: Study, dictionary: Sequence[Column]) -> list[Column]:
    """Return the dictionary with a column at each visit for what a list of medication makes."""
    listed = study.medication
    if listed is None:
        return list(dictionary)
    visits = next(c for c in dictionary if (c.file, c.name) == (listed.file, listed.visit)).codes
    made = [
        Column(
            file=listed.file,
            column="",
            name=listed.service,
            visit=visit.id,
            label=listed.label,
            type="number",
            codes={},
            missing={},
            minimum=0,
            maximum=None,
            unit="pounds",
        )
        for visit in study.visits
        if visit.id in visits
    ]
    return [*dictionary, *made]


def period(study: Study, visit: str) -> float:
    """Return the months before a visit that its costs are of: those since the visit before.

    Before the first it is as long as the period behind it, with which it is compared.
    """
    at = max(study.position(visit), 1)
    return study.visits[at].months - study.visits[at - 1].months


def costed(study: Study, column: Column, cost: pd.Series) -> dict[str, object]:
    """Return what a recorded unit of a service costs at a visit, and what is assumed for it.

    Parameters
    ----------
    study : Study
        Visits.
    column : Column
        The service at a visit.
    cost : pandas.Series
        Its row of the unit costs.

    Returns
    -------
    dict
        variable (of the use that is multiplied), unit (of it), price_unit and unit_price (as the
        unit costs have them, the price at the price year of the evaluation), minutes,
        recall_months, period_months, price: of a recorded unit, which is the unit price times
        minutes/60 where all contacts last as long, times period/recall where use was asked of
        another time than the period.
    """
    minutes, recall, months = (
        str(cost["minutes"]),
        cost["recall_months"],
        period(study, column.visit),
    )
    variable, unit, factor = column.variable, str(cost["unit"]), 1.0
    if is_variable(minutes):
        variable = hours_of(column)
    elif minutes:
        unit, factor = f"contact of {float(minutes):g} minutes", float(minutes) / MINUTES_AN_HOUR
    if np.isfinite(recall):
        factor *= months / recall
    return {
        "variable": variable,
        "unit": unit,
        "price_unit": cost["unit"],
        "unit_price": cost["price"],
        "minutes": minutes,
        "recall_months": recall,
        "period_months": months,
        "price": cost["price"] * factor,
    }


def is_variable(minutes: str) -> bool:
    """Return whether minutes are those of a variable, and not the same for all contacts."""
    return minutes[:1].isalpha()


def hours_of(column: Column) -> str:
    """Return the name of the hours of a service at a visit, which contacts and minutes make."""
    return f"{column.name}_hours_{column.visit}"


def misrecorded(
    economics: Economics,
    columns: Sequence[Column],
    dictionary: Sequence[Column],
    costs: pd.DataFrame,
) -> Iterator[str]:
    """Yield why services cannot be costed as their unit costs say.

    Parameters
    ----------
    economics : Economics
        Names the table.
    columns, dictionary : sequence of Column
        Services at each visit, and all there is.
    costs : pandas.DataFrame
        From `read_unit_costs`.
    """
    there = {column.variable: column for column in dictionary}
    for column in columns:
        if column.name not in costs.index:
            continue
        row = costs.loc[column.name]
        minutes, where = str(row["minutes"]), f"{economics.unit_costs}, line {row['line']}"
        if row["unit"] == HOUR and not minutes and not column.unit.casefold().startswith(HOUR):
            yield (
                f"{where}: '{column.name}' is priced by the hour and counted in "
                f"{column.unit or 'what the dictionary does not say'}; expected minutes, of a "
                "contact or the name of a variable, or the price of what is counted."
            )
        if not is_variable(minutes):
            continue
        lasted = there.get(f"{minutes}_{column.visit}")
        if lasted is None or not lasted.numeric:
            yield (
                f"{where}: minutes of '{column.name}' are '{minutes}', which is no number that is "
                f"asked at '{column.visit}', as the contacts are; expected such a variable."
            )
        if hours_of(column) in there:
            yield (
                f"{where}: '{hours_of(column)}' is to be the hours of '{column.name}' and is a "
                "variable already; expected another name of that."
            )


def recorded_use(
    study: Study, people: pd.DataFrame, prices: pd.DataFrame, medication: Path | None
) -> pd.DataFrame:
    """Return the use that no column of the raw files has: hours, and the cost of medication.

    Parameters
    ----------
    study : Study
        Visits.
    people : pandas.DataFrame
        The participants.
    prices : pandas.DataFrame
        From `price_table`.
    medication : Path, optional
        What cleaning writes of the list.

    Returns
    -------
    pandas.DataFrame
        A column for each variable of the prices that the participants do not have. Hours are
        contacts times minutes/60: none where there was no contact, missing where one of the two is.
    """
    found: dict[str, pd.Series] = {}
    for row in prices[prices["minutes"].map(is_variable)].itertuples():
        contacts = people[f"{row.service}_{row.visit}"].astype(float)
        minutes = people[f"{row.minutes}_{row.visit}"].astype(float).mask(contacts == 0, 0.0)
        found[row.variable] = contacts * minutes / MINUTES_AN_HOUR
    if medication is not None and study.medication is not None:
        listed = files.read_parquet(medication)
        for row in prices[prices["service"] == study.medication.service].itertuples():
            found[row.variable] = _of_a_list(people, listed, row.visit)
    return pd.DataFrame(found, index=people.index)


def _of_a_list(people: pd.DataFrame, listed: pd.DataFrame, visit: str) -> pd.Series:
    """Return what the drugs of a visit cost everybody, in pounds of the list.

    Nothing for who was interviewed and has no row; missing for who has a row of no visit, or one
    without quantity or price, and for who has no row and was not interviewed.
    """
    who = people["participant"]
    own = listed[listed["visit"] == visit]
    spent = (own["quantity"] * own["price"]).groupby(own["participant"]).sum(min_count=1)
    unknown = listed["visit"].isna() | (
        (listed["visit"] == visit) & (listed["quantity"].isna() | listed["price"].isna())
    )
    total = who.map(spent).astype(float)
    total = total.mask(total.isna() & people[f"interviewed_{visit}"].astype(bool), 0.0)
    return total.mask(who.isin(listed.loc[unknown, "participant"]))
