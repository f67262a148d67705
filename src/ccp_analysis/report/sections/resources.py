"""Services used, and what they are priced at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import Any

from ccp_analysis.config.economics import MONTHS_A_YEAR, Economics, is_placeholder
from ccp_analysis.report.cells import by_arm, by_term, estimate, mean_sd
from ccp_analysis.report.money import (
    COST,
    ECONOMICS,
    adds_up_visits,
    horizon,
    perspective,
    preferred,
    service_label,
    shared_ending,
)
from ccp_analysis.report.section import Configured, Item, Section, TableItem, has_economics
from ccp_analysis.report.source import CURRENCY, Row, Source, among, records_of
from ccp_analysis.report.table import Column, Table, saying
from ccp_analysis.report.words import known, listed, number, percent
from ccp_analysis.results.terms import Model, Population, Term

OF_USE = (Term.USERS, Term.MEAN_USE, Term.SD_OF_USE)
OF_COST = (Term.MEAN_COST, Term.MEAN)
SPREADS = (Term.SD_OF_COST, Term.STANDARD_DEVIATION)
WHOLE = {"intervention": "Intervention", COST: "Whole cost"}
SHARES = {
    "participants": "spread equally over the participants of {active}",
    "teams": "spread equally over the {unit}s of {active}, and within each over its participants",
    "caseload": "spread over the {caseload} people whom the {unit}s of {active} serve",
}


def resource_use(source: Source) -> Table[list[Row]]:
    """Set out use, users and mean cost of every service at every visit, by arm."""
    economics = source.evaluation
    found = source.rows(analysis=ECONOMICS, model=Model.DESCRIPTIVE)
    found = [row for row in found if row["term"] in (*OF_USE, *OF_COST, *SPREADS)]
    used = (row["outcome"] for row in found if row["term"] == Term.MEAN_USE)
    services = dict.fromkeys([*_services(source), *used, *economics.categories, *WHOLE])

    def users(arm: str, rows: list[Row]) -> str | None:
        row = by_term(rows, arm).get(Term.USERS)
        return percent(row["estimate"]) if row else None

    def use(arm: str, rows: list[Row]) -> str | None:
        return mean_sd(by_term(rows, arm), 1, Term.MEAN_USE, Term.SD_OF_USE)

    def n(arm: str, rows: list[Row]) -> str | None:
        terms = by_term(rows, arm)
        first = terms.get(Term.MEAN_USE) or terms.get(Term.USERS)
        return number(first["n"]) if first else None

    def cost(arm: str, rows: list[Row]) -> str | None:
        imputed = by_term([r for r in rows if r["population"] == Population.COMPLETED], arm)
        spread = Term.STANDARD_DEVIATION if Term.MEAN in imputed else Term.SD_OF_COST
        if Term.MEAN in imputed or Term.MEAN_COST in imputed:
            return mean_sd(imputed, 0, OF_COST[Term.MEAN in imputed], spread)
        return estimate(preferred([r for r in among(rows, level=arm) if r["term"] in OF_COST]))

    cells = by_arm(
        source,
        ("n", n, 11),
        ("use, mean (SD)", use, 11),
        ("users (%)", users, 11),
        (f"mean cost (SD; {CURRENCY[economics.currency]})", cost, 11),
    )
    at_visits = (
        among(found, outcome=service, visit=visit.id)
        for service in services
        for visit in source.study.visits
    )
    return Table(
        "Services used over the months before each visit, and what they cost, by arm",
        [
            Column("Service (unit, price)", lambda rows: _label(source, rows[0])),
            Column("Visit", lambda rows: source.visit(rows[0]["visit"]), 12, "l"),
            *cells,
        ],
        saying(cells, at_visits),
        grouped=True,
        stub="Visit",
        notes=[
            "Use and users are those observed (n); mean costs are those of everyone with a "
            "baseline interview, what is missing imputed. Users: participants with any use. "
            f"Prices are those of {economics.price_year}{_undiscounted(economics)}.",
            *_period(source),
            *_assumed(source),
        ],
    )


def _undiscounted(economics: Economics) -> str:
    return ", and only the whole cost is discounted" if economics.months > MONTHS_A_YEAR else ""


def _period(source: Source) -> list[str]:
    """Say over what time use was asked for, where the labels of the services say it."""
    shared = shared_ending(source)
    return [f"Use is over the {shared}."] if shared else []


def _assumed(source: Source) -> Iterator[str]:
    """Say what is assumed of services whose use was asked of another time, or lasts a time."""
    by_time: dict[tuple[float, float], list[str]] = {}
    by_contact: dict[str, str] = {}
    for record in source.prices.to_dict("records"):
        label = service_label(source, record)
        recall, months = record.get("recall_months"), record.get("period_months")
        if known(recall) and recall != months:
            by_time.setdefault((recall, months), []).append(label)
        if minutes := record.get("minutes"):
            by_contact[label] = f"{minutes} minutes" if minutes[0].isdigit() else "as reported"
    for (recall, months), names in by_time.items():
        yield (
            f"Assumed: {listed(list(dict.fromkeys(names)))}, asked of the last {recall:g} months, "
            f"went on alike over the {months:g} months that are costed, so that the cost is that "
            f"of the use shown times {months / recall:.3g}."
        )
    if by_contact:
        lasting = listed([f"{name} ({lasts})" for name, lasts in by_contact.items()])
        yield f"Priced by the hour, by how long a contact is taken to last: {lasting}."


def _services(source: Source) -> dict[str, dict[str, Any]]:
    """Return the services with their prices, in the order of the file."""
    return {record["service"]: record for record in records_of(source.prices)}


def _label(source: Source, row: Row) -> str:
    """Return a service with its unit and price, and whether it counts; or what else has a cost."""
    outcome = row["outcome"]
    if outcome in WHOLE:
        sums = outcome == COST and row["visit"] == horizon(source) and adds_up_visits(source)
        label = f"{WHOLE[outcome]}{', all visits after baseline' * sums}"
        return f"{label} ({perspective(source)})"
    if outcome in source.evaluation.categories:
        return f"All of: {source.evaluation.categories[outcome].label}"
    record = _services(source).get(outcome)
    if record is None:
        return source.outcome(outcome)
    price = f"{source.evaluation.money.prefix}{_price(_of_one(record))}"
    alone = "" if _counted(source, record) else "; not in the main perspective"
    return f"{service_label(source, record)} ({record['unit']}, {price}{alone})"


def _of_one(record: dict[str, Any]) -> float:
    """Return the price of one unit that was used, whatever time its use was asked of."""
    recall = record.get("recall_months")
    price: float = record["price"]
    return price * (recall / record["period_months"]) if known(recall) else price


def _counted(source: Source, record: dict[str, Any]) -> bool:
    return bool(record.get(f"in_{source.evaluation.main}", True))


def _price(value: float) -> str | None:
    """Write a price: whole where it is whole, otherwise with pence."""
    return number(value, 0 if known(value) and float(value).is_integer() else 2)


def prices(source: Source) -> Table[dict[str, Any]]:
    """List the unit costs of services and of the intervention's items with their sources."""
    economics = source.evaluation
    symbol = CURRENCY[economics.currency]
    items = records_of(source.intervention)

    def quantity(record: dict[str, Any]) -> str | None:
        return f"{record['quantity']:,g}" if "quantity" in record else None

    return Table(
        "Unit costs, their price years and sources",
        [
            Column("Kind", _kind),
            Column("Service or item", partial(_item, source), 22, "l"),
            Column("Unit", lambda record: record.get("price_unit", record["unit"]), 10, "l"),
            Column("Quantity", quantity, 9),
            Column(f"Unit cost ({symbol})", lambda record: _price(record["unit_cost"]), 8),
            Column("Price year", lambda record: f"{record['price_year']}", 6),
            Column(
                f"Price of {economics.price_year} ({symbol})",
                lambda record: _price(record.get("unit_price", record["price"])),
                9,
            ),
            Column(f"Cost ({symbol})", lambda record: number(record.get("cost")), 7),
            Column("Source", itemgetter("source"), 29, "l"),
        ],
        [*_services(source).values(), *items],
        grouped=True,
        stub="Service or item",
        notes=_about_prices(source),
    )


def _kind(record: dict[str, Any]) -> str:
    return f"Intervention: {record['category']}" if "category" in record else "Services"


def _item(source: Source, record: dict[str, Any]) -> str:
    if "service" in record:
        return service_label(source, record)
    years = record["lifetime_years"]
    lasts = f" (lasts {years:g} year{'' if years == 1 else 's'})" if known(years) and years else ""
    return f"{record['item']}{lasts}"


def _about_prices(source: Source) -> list[str]:
    notes = []
    tables = (source.prices, source.intervention)
    given = {year for table in tables if not table.empty for year in table["price_year"]}
    if given - {source.evaluation.price_year}:
        notes.append(
            f"Unit costs of other years are brought to {source.evaluation.price_year} by "
            f"the price index of {source.evaluation.price_index}."
        )
    if not source.intervention.empty:
        notes.append(
            "Cost: what the quantity of an item costs over the horizon, of what lasts longer "
            f"{_spread(source.evaluation)}; {sharing(source)}."
        )
    only = [name for name, record in _services(source).items() if not _counted(source, record)]
    if only:
        names = listed([service_label(source, _services(source)[name]) for name in only])
        notes.append(f"Not counted in the main perspective, {perspective(source)}: {names}.")
    return [*notes, *_strange(source)]


def _strange(source: Source) -> Iterator[str]:
    """Say what is strange in the inputs, each as its query does; placeholders are said before."""
    for query in source.queries.to_dict("records"):
        of_prices = query["id"].startswith("P") and not query["participant"]
        if of_prices and not is_placeholder(query["rule"]):
            answer = f" Accepted: {query['answer']}." if query["decision"] else ""
            yield (
                f"Strange ({query['file']}, line {query['row']}): {query['raw_value']}, "
                f"{query['rule']}; {query['action']}.{answer}"
            )


def _spread(economics: Economics) -> str:
    """Say how what lasts longer than the horizon is spread over its life."""
    rate = economics.intervention.annuity if economics.intervention else 0.0
    if rate == 0.0:
        return "the share of its life that falls to it"
    return f"its equivalent annual cost at {100 * rate:g}% a year for that time"


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
