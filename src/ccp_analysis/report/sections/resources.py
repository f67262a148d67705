"""Services used, and what they are priced at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    adds_up_visits,
    horizon,
    perspective,
    service_label,
    shared_ending,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, has_economics
from ccp_analysis.report.source import CURRENCY, Row, Source, among
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import known, listed, number, percent
from ccp_analysis.results.terms import Model, Population, Term

SHARES = {
    "participants": "spread equally over the participants of {active}",
    "teams": "spread equally over the {unit}s of {active}, and within each over its participants",
    "caseload": "spread over the {caseload} people whom the {unit}s of {active} serve",
}


def resource_use(source: Source) -> Table[Any]:
    """Set out use, users and mean cost of every service at every visit, by arm."""
    economics = source.evaluation
    symbol = CURRENCY[economics.currency]
    services = _services(source)
    rows: list[Cells] = []
    found = source.rows(analysis=ECONOMICS, model=Model.DESCRIPTIVE)
    names = dict.fromkeys([*services, *(r["outcome"] for r in found if r["term"] == Term.MEAN_USE)])
    for service in names:
        for visit in source.study.visits:
            cells: Cells = []
            for arm in source.study.arms.ordered:
                at = {"outcome": service, "visit": visit.id, "level": arm}
                terms = {row["term"]: row for row in among(found, **at)}
                cells += [*_use(terms), *_spent(terms)]
            if any(cells):
                rows.append([_priced(source, service, services), visit.label, *cells])
    rows += _whole(source, found)
    header = [
        f"{label}, {what}"
        for _, label in source.arms
        for what in (
            "n",
            "use, mean (SD)",
            "users (%)",
            f"mean cost ({symbol})",
        )
    ]
    return positional(
        caption="Services used over the months before each visit, and what they cost, by arm",
        header=["Service (unit, price)", "Visit", *header],
        rows=rows,
        align="ll" + "r" * len(header),
        widths=[12, *[11] * len(header)],
        grouped=True,
        stub="Visit",
        notes=[
            "Use and users are those observed (n); mean costs are those of everyone with a "
            "baseline interview, what is missing imputed. Users: participants with any use. "
            f"Prices are those of {economics.price_year}.",
            *_period(source),
        ]
        if rows
        else [],
    )


def _period(source: Source) -> list[str]:
    """Say over what time use was asked for, where the labels of the services say it."""
    shared = shared_ending(source)
    return [f"Use is over the {shared}."] if shared else []


def _use(terms: dict[str, Row]) -> Cells:
    mean, spread, users = (terms.get(term) for term in (Term.MEAN_USE, Term.SD_OF_USE, Term.USERS))
    first = mean or users
    shown = number(mean["estimate"], 1) if mean else None
    if shown and spread and known(spread["estimate"]):
        shown = f"{shown} ({number(spread['estimate'], 1)})"
    return [
        number(first["n"]) if first else None,
        shown,
        percent(users["estimate"]) if users else None,
    ]


def _spent(terms: dict[str, Row]) -> Cells:
    return [number(terms[Term.MEAN_COST]["estimate"]) if Term.MEAN_COST in terms else None]


def _whole(source: Source, found: list[Row]) -> list[Cells]:
    """Return the lines of the intervention and of the whole cost."""
    rows: list[Cells] = []
    lines = (("intervention", Term.MEAN_COST, "Intervention"), (COST, Term.MEAN, "Whole cost"))
    for outcome, term, label in lines:
        for visit in source.study.visits:
            cells: Cells = []
            for arm in source.study.arms.ordered:
                at = {"outcome": outcome, "visit": visit.id, "level": arm, "term": term}
                own = among(found, **at, population=Population.COMPLETED) or among(found, **at)
                cells += [None, None, None, number(own[0]["estimate"]) if own else None]
            sums = outcome == COST and visit.id == horizon(source) and adds_up_visits(source)
            when = ", all visits after baseline" if sums else ""
            if any(cells):
                rows.append([f"{label}{when} ({perspective(source)})", visit.label, *cells])
    return rows


def _services(source: Source) -> dict[str, dict[str, Any]]:
    """Return the services with their prices, in the order of the file."""
    prices = source.prices
    if prices is None:
        return {}
    return {record["service"]: record for record in prices.to_dict("records")}


def _priced(source: Source, service: str, services: dict[str, dict[str, Any]]) -> str:
    """Return a service with its unit and price, and whether it counts."""
    record = services.get(service)
    if record is None:
        return source.outcome(service)
    label = service_label(source, record)
    price = f"{CURRENCY[source.evaluation.currency]}{_price(record['price'])}"
    alone = "" if _counted(source, record) else "; not in the main perspective"
    return f"{label} ({record['unit']}, {price}{alone})"


def _counted(source: Source, record: dict[str, Any]) -> bool:
    return bool(record.get(f"in_{source.evaluation.main}", True))


def _price(value: float) -> str | None:
    """Write a price: whole where it is whole, otherwise with pence."""
    return number(value, 0 if known(value) and float(value).is_integer() else 2)


def prices(source: Source) -> Table[Any]:
    """List the unit costs of services and of the intervention's items with their sources."""
    economics = source.evaluation
    symbol = CURRENCY[economics.currency]
    rows: list[Cells] = [
        [
            "Services",
            service_label(source, record),
            record["unit"],
            None,
            _price(record["unit_cost"]),
            _year(record["price_year"]),
            _price(record["price"]),
            None,
            record["source"],
        ]
        for record in _services(source).values()
    ]
    items = pd.DataFrame() if source.intervention is None else source.intervention
    rows += [
        [
            f"Intervention: {record['category']}",
            _item(record),
            record["unit"],
            f"{record['quantity']:,g}",
            _price(record["unit_cost"]),
            _year(record["price_year"]),
            _price(record["price"]),
            number(record["cost"]),
            record["source"],
        ]
        for record in items.to_dict("records")
    ]
    return positional(
        caption="Unit costs, their price years and sources",
        header=[
            "Kind",
            "Service or item",
            "Unit",
            "Quantity",
            f"Unit cost ({symbol})",
            "Price year",
            f"Price of {economics.price_year} ({symbol})",
            f"Cost ({symbol})",
            "Source",
        ],
        rows=rows,
        align="lllrrrrrl",
        widths=[22, 10, 9, 8, 6, 9, 7, 29],
        grouped=True,
        stub="Service or item",
        notes=_about_prices(source) if rows else [],
    )


def _item(record: dict[str, Any]) -> str:
    years = record["lifetime_years"]
    if not known(years) or not years:
        return record["item"]
    return f"{record['item']} (lasts {years:g} year{'' if years == 1 else 's'})"


def _year(value: float) -> str:
    return f"{value:.0f}"


def _about_prices(source: Source) -> list[str]:
    notes = []
    tables = (source.prices, source.intervention)
    given = {year for table in tables if table is not None for year in table["price_year"]}
    if given - {source.evaluation.price_year}:
        notes.append(
            f"Unit costs of other years are brought to {source.evaluation.price_year} by "
            f"the price index of {source.evaluation.price_index}."
        )
    if source.intervention is not None and len(source.intervention):
        notes.append(
            "Cost: what the quantity of an item costs over the horizon, of what lasts longer the "
            f"share that falls to it; {sharing(source)}."
        )
    only = [name for name, record in _services(source).items() if not _counted(source, record)]
    if only:
        names = listed([service_label(source, _services(source)[name]) for name in only])
        notes.append(f"Not counted in the main perspective, {perspective(source)}: {names}.")
    return notes


def sharing(source: Source, rule: str | None = None) -> str:
    """Say over whom the cost of the intervention is spread; empty where there is none."""
    intervention, clusters = source.evaluation.intervention, source.study.clusters
    if intervention is None:
        return ""
    return SHARES[rule or intervention.share].format(
        active=source.arm(source.study.arms.active),
        unit=clusters.unit_label if clusters else "group",
        caseload=number(intervention.caseload),
    )


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("resource_use", resource_use)
    yield TableItem("prices", prices)


SECTION = Section("resources", _items, there=has_economics)
