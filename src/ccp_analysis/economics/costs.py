"""Cost: service use at each visit times unit costs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.reading import read_table
from ccp_analysis.study import (
    DICTIONARY,
    ECONOMICS,
    Economics,
    load_dictionary,
    load_economics,
    load_study,
)


def read_unit_costs(economics: Economics) -> pd.Series:
    """Read the unit costs of the study.

    Parameters
    ----------
    economics : Economics
        Names the file and the price year.

    Returns
    -------
    pandas.Series
        Service → cost of one unit in the currency of the evaluation.

    Raises
    ------
    StudyError
        If a cost is negative or not a number, a service stands twice, or a price year is not that
        of the evaluation.
    """
    path = economics.unit_costs
    costs: dict[str, float] = {}
    for line, row in read_table(path, ["service", "unit", "unit_cost", "price_year", "source"]):
        where = f"{path}, line {line}"
        try:
            cost = float(row["unit_cost"])
        except ValueError as error:
            raise StudyError(f"{where}: unit cost '{row['unit_cost']}' is not a number.") from error
        if not 0 <= cost < float("inf"):
            raise StudyError(f"{where}: unit cost {cost:g} found; expected zero or more.")
        if row["service"] in costs:
            raise StudyError(f"{where}: service '{row['service']}' already has a unit cost.")
        if row["price_year"] != str(economics.price_year):
            raise StudyError(
                f"{where}: price year '{row['price_year']}' found; expected "
                f"{economics.price_year}, the price year in {ECONOMICS}."
            )
        costs[row["service"]] = cost
    return pd.Series(costs, dtype=float)


def total_costs(
    people: pd.DataFrame, use: dict[str, dict[str, str]], costs: pd.Series
) -> pd.DataFrame:
    """Add up the cost of all services at each visit.

    Parameters
    ----------
    people : pandas.DataFrame
        Participants with their service use.
    use : dict
        Visit → service → variable.
    costs : pandas.Series
        Service → unit cost.

    Returns
    -------
    pandas.DataFrame
        ``cost_{visit}``, missing where the use of any service is.
    """
    totals = {}
    for visit, variables in use.items():
        spent = [people[variable] * costs[service] for service, variable in variables.items()]
        totals[f"cost_{visit}"] = pd.concat(spent, axis=1).sum(axis=1, skipna=False)
    return pd.DataFrame(totals, index=people.index)


def run(*, participants: Path, costs: Path) -> None:
    """Cost the service use of every participant at every visit.

    Parameters
    ----------
    participants : Path
        The cleaned table.
    costs : Path
        Parquet file to write: participant and ``cost_{visit}``.

    Raises
    ------
    StudyError
        If there is no evaluation, no service, or a service without a unit cost.
    """
    study, economics = load_study(), load_economics()
    if economics is None:
        raise StudyError(f"{ECONOMICS}: the file is missing; there is nothing to cost.")
    unit_costs = read_unit_costs(economics)
    use: dict[str, dict[str, str]] = {}
    for column in load_dictionary(study):
        if column.name.startswith(economics.services) and column.visit:
            if not column.numeric:
                raise StudyError(
                    f"{DICTIONARY}: service '{column.name}' is a {column.type}; expected a number."
                )
            if column.name not in unit_costs:
                raise StudyError(
                    f"{economics.unit_costs}: service '{column.name}' has no unit cost, but "
                    f"{DICTIONARY} has it at visit '{column.visit}'."
                )
            use.setdefault(column.visit, {})[column.name] = column.variable
    if not use:
        raise StudyError(
            f"{ECONOMICS}: no variable of {DICTIONARY} begins with '{economics.services}'; "
            "expected the services that are to be costed."
        )
    people = pd.read_parquet(participants)
    totals = total_costs(people, use, unit_costs)
    files.write_parquet(costs, pd.concat([people[["participant"]], totals], axis=1))
