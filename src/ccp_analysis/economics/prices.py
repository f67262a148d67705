"""Prices: unit costs brought to one price year, and the services of each perspective."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from ccp_analysis.config.dictionary import TOTALS, Column, line_of
from ccp_analysis.config.economics import Economics, Perspective
from ccp_analysis.config.reading import first_of, place
from ccp_analysis.config.study import Study
from ccp_analysis.config.tables import read_table
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DICTIONARY, ECONOMICS

log = logging.getLogger(__name__)

UNIT_COSTS = ["service", "unit", "unit_cost", "price_year", "source"]
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
    """

    year: int
    path: Path | None = None
    index: dict[int, float] = field(default_factory=dict)

    def factor(self, text: str, where: str) -> tuple[int, float]:
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
        year = int(text) if text.isascii() and text.isdecimal() else None
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
                f"({', '.join(map(str, sorted(self.index)))})."
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
        raise StudyError(f"{where}: {what} '{row[column]}' is not a number.") from error
    if not (amount > 0 if positive else amount >= 0) or math.isinf(amount):
        wanted = "more than zero" if positive else "zero or more"
        raise StudyError(f"{where}: {what} {amount:g} found; expected {wanted}.")
    return amount


def read_price_index(economics: Economics) -> PriceIndex:
    """Read the table of the price index.

    Parameters
    ----------
    economics : Economics
        Names the file, if there is one, and the price year.

    Raises
    ------
    StudyError
        If a year is none or stands twice, an index is not above zero, or the price year of the
        evaluation is not there.
    """
    path = economics.price_index
    if path is None:
        return PriceIndex(economics.price_year)
    index: dict[int, float] = {}
    for line, row in read_table(path, INDEX):
        where = f"{path}, line {line}"
        text = row["price_year"]
        if not (text.isascii() and text.isdecimal()):
            raise StudyError(f"{where}: price year '{text}' found; expected a year, as 2020.")
        if int(text) in index:
            raise StudyError(f"{where}: the price year {text} stands twice.")
        index[int(text)] = number(row, "index", where, positive=True)
    if economics.price_year not in index:
        raise StudyError(
            f"{path}: the price year {economics.price_year} is missing; "
            f"{place(ECONOMICS, 'price_year')} names it as that of the evaluation."
        )
    return PriceIndex(economics.price_year, path, index)


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
        By service: unit, unit_cost (as given), price_year, price (at the price year of the
        evaluation), source, line (in the file).

    Raises
    ------
    StudyError
        If a cost is negative or not a number, a service stands twice, or a price year is unknown;
        `faults` lists all.
    """
    path = economics.unit_costs
    rows: dict[str, dict[str, object]] = {}
    faults: list[str] = []
    for line, row in read_table(path, UNIT_COSTS):
        where = f"{path}, line {line}"
        try:
            if row["service"] in rows:
                raise StudyError(f"{where}: service '{row['service']}' already has a unit cost.")
            cost = number(row, "unit_cost", where)
            year, factor = index.factor(row["price_year"], where)
        except StudyError as error:
            faults.append(str(error))
            continue
        rows[row["service"]] = {
            "unit": row["unit"],
            "unit_cost": cost,
            "price_year": year,
            "price": cost * factor,
            "source": row["source"],
            "line": line,
        }
    if faults:
        raise first_of(faults)
    columns = ["unit", "unit_cost", "price_year", "price", "source", "line"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def services_of(economics: Economics, dictionary: Sequence[Column]) -> dict[str, list[str]]:
    """Return the services of each perspective.

    Parameters
    ----------
    economics : Economics
        Patterns of names.
    dictionary : sequence of Column
        Services are variables with a visit.

    Returns
    -------
    dict
        Perspective → names, in the order of the dictionary.

    Raises
    ------
    StudyError
        If a pattern fits no variable; `faults` lists all such patterns.
    """
    names = list(dict.fromkeys(column.name for column in dictionary if column.visit))
    what = f"variable of {DICTIONARY} that has a visit"
    found, faults = _fitting("perspectives", economics.perspectives, names, what)
    if faults:
        raise first_of(faults)
    return found


def categories(economics: Economics, services: Iterable[str]) -> dict[str, list[str]]:
    """Return the services of each category, of those that some perspective counts.

    Raises
    ------
    StudyError
        If a pattern fits none of them, a category has the name of a service, or what counts days
        off work is none; `faults` lists all.
    """
    names = list(services)
    what = "service of any perspective"
    found, faults = _fitting("categories", economics.categories, names, what)
    for key in economics.categories:
        if key in (*names, *TOTALS):
            where = place(ECONOMICS, "categories", key)
            faults.append(f"{where}: the category '{key}' has the name of a service or a total.")
    absence = economics.absence
    if absence is not None and absence.service not in names:
        faults.append(
            f"{place(ECONOMICS, 'absence', 'service')}: absence.service is '{absence.service}', "
            "which is not a service of any perspective."
        )
    if faults:
        raise first_of(faults)
    return found


def _fitting(
    part: str, groups: dict[str, Perspective], names: list[str], what: str
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the names that the patterns of each group fit, and what is said of those without."""
    faults = [
        f"{place(ECONOMICS, part, key, 'services', at)}: {part}.{key}.services: no {what} fits "
        f"'{pattern}'."
        for key, group in groups.items()
        for at, pattern in enumerate(group.services)
        if not any(fnmatchcase(name, pattern) for name in names)
    ]
    found = {
        key: [n for n in names if any(fnmatchcase(n, p) for p in group.services)]
        for key, group in groups.items()
    }
    return found, faults


def price_table(
    study: Study, economics: Economics, dictionary: Sequence[Column], unit_costs: pd.DataFrame
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

    Returns
    -------
    pandas.DataFrame
        service, label, visit, variable, unit, unit_cost, price_year, price, source,
        ``in_{perspective}`` (bool); sorted as visits and services come.

    Raises
    ------
    StudyError
        If a pattern fits nothing, a service is no number, has no unit cost or the name of a total,
        or a variation names what is no service; `faults` lists all of a kind.
    """
    services = services_of(economics, dictionary)
    counted = {name for names in services.values() for name in names}
    columns = [c for c in dictionary if c.visit and c.name in counted]
    _check(economics, columns, unit_costs)
    categories(economics, counted)
    _check_variations(economics, counted)
    _note(study, economics, columns, unit_costs)
    order = [visit.id for visit in study.visits]
    rows = [
        {
            "service": column.name,
            "label": column.label,
            "visit": column.visit,
            "variable": column.variable,
            **unit_costs.loc[column.name].drop("line").to_dict(),
            **{f"in_{key}": column.name in names for key, names in services.items()},
        }
        for column in sorted(columns, key=lambda column: order.index(column.visit))
    ]
    return pd.DataFrame(rows)


def _check(economics: Economics, columns: Sequence[Column], unit_costs: pd.DataFrame) -> None:
    """Raise StudyError for services without number or unit cost, or with the name of a total."""
    faults = []
    for column in columns:
        where = f"{DICTIONARY}, line {line_of(column)}: service '{column.name}'"
        if column.name in TOTALS:
            faults.append(f"{where} has the name of a total of the evaluation; expected another.")
        elif not column.numeric:
            faults.append(f"{where} is a {column.type}; expected a number.")
        elif column.name not in unit_costs.index:
            faults.append(
                f"{where} at visit '{column.visit}' has no unit cost; expected a row for it in "
                f"{economics.unit_costs}."
            )
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
