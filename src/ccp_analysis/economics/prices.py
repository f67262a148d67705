"""Prices: unit costs brought to one price year, and the services of each perspective."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ccp_analysis.config.dictionary import TOTALS, Column, line_of
from ccp_analysis.config.economics import Economics, year_of
from ccp_analysis.config.reading import first_of, place
from ccp_analysis.config.study import Study
from ccp_analysis.config.tables import read_table
from ccp_analysis.economics.perspectives import categories, services_of
from ccp_analysis.economics.recorded import HOUR, columns_of, costed, is_variable, misrecorded
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import DICTIONARY, ECONOMICS, STUDY

log = logging.getLogger(__name__)

UNIT_COSTS = ["service", "unit", "unit_cost", "price_year", "source"]
ASSUMED = ["minutes", "recall_months"]  # columns that a service may have
INDEX = ["price_year", "index", "source"]


@dataclass(frozen=True)
class PriceIndex:
    """Prices of other years brought to that of the evaluation.

    Attributes
    ----------
    year : int
        Price year of the evaluation.
    path : Path or None
        The table, where there is one.
    index : dict
        Price year → index.
    lines : dict
        Price year → line of the table.
    sources : dict
        Price year → where the index is from.
    """

    year: int | str
    path: Path | None = None
    index: dict[int | str, float] = field(default_factory=dict)
    lines: dict[int | str, int] = field(default_factory=dict)
    sources: dict[int | str, str] = field(default_factory=dict)

    def factor(self, text: str, where: str) -> tuple[int | str, float]:
        """Return a price year, and by what its prices are multiplied.

        Parameters
        ----------
        text : str
            The year, as it stands in a file.
        where : str
            File and line of it.

        Raises
        ------
        StudyError
            If it is no year, or neither that of the evaluation nor in the index.
        """
        year = year_of(text)
        if year == self.year:
            return year, 1.0
        if self.path is None:
            raise StudyError(
                f"{where}: price year '{text}' found; expected {self.year}, the price year in "
                f"{ECONOMICS}, which names no price_index for another."
            )
        if year is None or year not in self.index:
            raise StudyError(
                f"{where}: price year '{text}' found; expected one of those in {self.path} "
                f"({few(self.index)})."
            )
        return year, self.index[self.year] / self.index[year]


def number(row: dict[str, str], column: str, where: str, *, positive: bool = False) -> float:
    """Return an amount of a configuration table.

    Parameters
    ----------
    row : dict
        Column → cell.
    column : str
        Which one.
    where : str
        File and line.
    positive : bool
        Whether zero is refused as well.

    Raises
    ------
    StudyError
        If it is no number, not finite, negative, or zero where that is refused.
    """
    what = column.replace("_", " ")
    try:
        amount = float(row[column])
    except ValueError as error:
        raise StudyError(
            f"{where}: {what} '{row[column]}' is not a number; expected one as 12.5."
        ) from error
    if not (amount > 0 if positive else amount >= 0) or math.isinf(amount):
        wanted = "more than zero" if positive else "zero or more"
        raise StudyError(f"{where}: {what} {amount:g} found; expected {wanted}.")
    return amount


def sourced(row: dict[str, str], where: str) -> str:
    """Return where an amount is from; StudyError where nothing says so."""
    if not row["source"]:
        raise StudyError(f"{where}: the source is empty; expected where the figure is from.")
    return row["source"]


def read_price_index(economics: Economics) -> PriceIndex:
    """Read the table of the price index.

    Parameters
    ----------
    economics : Economics
        Names the file, if there is one, and the price year.

    Raises
    ------
    StudyError
        If a year is none or stands twice, calendar and financial years are mixed, an index is not
        above zero or has no source, or the price year of the evaluation is not there.
    """
    path = economics.price_index
    if path is None:
        return PriceIndex(economics.price_year)
    index: dict[int | str, float] = {}
    lines: dict[int | str, int] = {}
    sources: dict[int | str, str] = {}
    for line, row in read_table(path, INDEX):
        where = f"{path}, line {line}"
        text = row["price_year"]
        year = year_of(text)
        if year is None:
            raise StudyError(
                f"{where}: price year '{text}' found; expected a year, as 2020, or a financial "
                "year, as 2019/20."
            )
        if year in index:
            raise StudyError(f"{where}: the price year {text} stands twice.")
        if any(type(other) is not type(year) for other in index):
            raise StudyError(
                f"{where}: price year '{text}' found; expected years of one kind in the table, "
                "calendar years or financial ones."
            )
        index[year] = number(row, "index", where, positive=True)
        lines[year] = line
        sources[year] = sourced(row, where)
    if economics.price_year not in index:
        raise StudyError(
            f"{path}: the price year {economics.price_year} is missing; "
            f"{place(ECONOMICS, 'price_year')} names it as that of the evaluation; "
            f"expected one of its years ({few(index)}), or a row for that one."
        )
    in_time = dict(sorted(index.items(), key=lambda item: str(item[0])))
    return PriceIndex(economics.price_year, path, in_time, lines, sources)


def read_unit_costs(economics: Economics, index: PriceIndex) -> pd.DataFrame:
    """Read the unit costs of the study.

    Parameters
    ----------
    economics : Economics
        Names the file.
    index : PriceIndex
        From `read_price_index`.

    Returns
    -------
    pandas.DataFrame
        By service: unit, unit_cost (as given), price_year, price (of a unit at the price year of
        the evaluation), source, minutes (of a contact, where the unit is an hour: a number or the
        name of a variable; empty), recall_months (missing where use is of the whole period), line
        (in the file).

    Raises
    ------
    StudyError
        If a cost is negative or not a number, has no source, a service stands twice, minutes or
        months of recall are not above zero, or a price year is unknown; `faults` lists all.
    """
    path = economics.unit_costs
    rows: dict[str, dict[str, object]] = {}
    faults: list[str] = []
    for line, row in read_table(path, UNIT_COSTS, [*ASSUMED, "note"]):
        where = f"{path}, line {line}"
        try:
            if row["service"] in rows:
                raise StudyError(f"{where}: service '{row['service']}' already has a unit cost.")
            cost = number(row, "unit_cost", where)
            year, factor = index.factor(row["price_year"], where)
            source, minutes = sourced(row, where), _minutes(row, where)
            recall = math.nan
            if row.get("recall_months"):
                recall = number(row, "recall_months", where, positive=True)
        except StudyError as error:
            faults.append(str(error))
            continue
        rows[row["service"]] = {
            "unit": row["unit"],
            "unit_cost": cost,
            "price_year": year,
            "price": cost * factor,
            "source": source,
            "minutes": minutes,
            "recall_months": recall,
            "line": line,
        }
    if faults:
        raise first_of(faults)
    columns = ["unit", "unit_cost", "price_year", "price", "source", *ASSUMED, "line"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _minutes(row: dict[str, str], where: str) -> str:
    """Return the minutes of a contact, or the variable that has them; empty where neither is."""
    text = row.get("minutes", "")
    if text and row["unit"] != HOUR:
        raise StudyError(
            f"{where}: minutes are of a service whose unit is an {HOUR}, and that of "
            f"'{row['service']}' is '{row['unit']}'; expected one without the other."
        )
    if text and not re.fullmatch("[a-z][a-z0-9_]*", text):
        number(row, "minutes", where, positive=True)
    return text


def price_table(
    study: Study,
    economics: Economics,
    dictionary: Sequence[Column],
    unit_costs: pd.DataFrame,
    index: PriceIndex,
) -> pd.DataFrame:
    """List every service at every visit with its price and the perspectives that count it.

    Parameters
    ----------
    study : Study
        Visits.
    economics : Economics
        Perspectives.
    dictionary : sequence of Column
        What was asked at which visit.
    unit_costs : pandas.DataFrame
        From `read_unit_costs`.
    index : PriceIndex
        From `read_price_index`, for its sources.

    Returns
    -------
    pandas.DataFrame
        service, label, visit, unit_cost and price_year (as given), source, what `costed` returns,
        index_source, ``in_{perspective}`` (bool); sorted as visits and services come.

    Raises
    ------
    StudyError
        If a pattern fits nothing, a service is no number, has no unit cost or the name of a total,
        its unit cost needs what was not asked, or a variation names what is no service; `faults`
        lists all of a kind.
    """
    lasting = {minutes for minutes in unit_costs["minutes"] if is_variable(minutes)}
    known = [c for c in columns_of(study, dictionary) if c.name not in lasting]
    services = services_of(economics, known)
    counted = {name for names in services.values() for name in names}
    columns = [c for c in known if c.visit and c.name in counted]
    _check(economics, columns, unit_costs)
    if faults := list(dict.fromkeys(misrecorded(economics, columns, dictionary, unit_costs))):
        raise first_of(faults)
    categories(economics, counted)
    _check_variations(economics, counted)
    _note(study, economics, columns, unit_costs)
    order = [visit.id for visit in study.visits]
    rows = [
        {
            "service": column.name,
            "label": column.label,
            "visit": column.visit,
            "source": unit_costs.loc[column.name, "source"],
            "unit_cost": unit_costs.loc[column.name, "unit_cost"],
            "price_year": unit_costs.loc[column.name, "price_year"],
            **costed(study, column, unit_costs.loc[column.name]),
            "index_source": "; ".join(dict.fromkeys(index.sources.values())),
            **{f"in_{key}": column.name in names for key, names in services.items()},
        }
        for column in sorted(columns, key=lambda column: order.index(column.visit))
    ]
    return pd.DataFrame(rows)


def _check(economics: Economics, columns: Sequence[Column], unit_costs: pd.DataFrame) -> None:
    """Raise StudyError for services without number or unit cost, or with the name of a total."""
    faults = []
    for column in columns:
        if column.name in TOTALS:
            what = "has the name of a total of the evaluation; expected another."
        elif not column.numeric:
            what = f"is a {column.type}; expected a number."
        elif column.name not in unit_costs.index:
            what = (
                f"at visit '{column.visit}' has no unit cost; expected a row for it in "
                f"{economics.unit_costs}."
            )
        else:
            continue
        listed = not column.column  # made of a list of medication
        where = place(STUDY, "medication") if listed else f"{DICTIONARY}, line {line_of(column)}"
        faults.append(f"{where}: service '{column.name}' {what}")
    if faults:
        raise first_of(faults)


def _check_variations(economics: Economics, services: set[str]) -> None:
    faults = []
    for variation in economics.sensitivity:
        named = variation.unit_costs if isinstance(variation.unit_costs, dict) else {}
        for name in sorted(set(named) - services):
            where = place(ECONOMICS, "sensitivity", variation.id)
            faults.append(
                f"{where}: sensitivity '{variation.id}': '{name}' is not a service of any "
                "perspective."
            )
    if faults:
        raise first_of(faults)


def _note(
    study: Study, economics: Economics, columns: Sequence[Column], unit_costs: pd.DataFrame
) -> None:
    """Log what is no fault but may surprise: unit costs not used, services not always asked."""
    asked: dict[str, set[str]] = {}
    for column in columns:
        asked.setdefault(column.name, set()).add(column.visit)
    for service, row in unit_costs.iterrows():
        if service not in asked:
            path = economics.unit_costs
            log.warning("%s, line %d: no perspective uses '%s'", path, row["line"], service)
    visits = [visit.id for visit in study.visits if visit.months <= economics.months]
    for service, found in asked.items():
        lacking = [visit for visit in visits if visit not in found]
        if lacking:
            log.warning("%s: service '%s' is not asked at %s", DICTIONARY, service, lacking)
