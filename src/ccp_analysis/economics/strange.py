"""Prices, the index and the caseload that are possible and strange: a query for each, no fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pandas as pd

from ccp_analysis.cleaning.queries import COLUMNS
from ccp_analysis.config.economics import PLACEHOLDER, Economics, is_placeholder
from ccp_analysis.config.reading import read_lines
from ccp_analysis.config.strange import Strange
from ccp_analysis.economics.prices import PriceIndex
from ccp_analysis.economics.recorded import HOUR
from ccp_analysis.layout import ECONOMICS

CASELOAD = "caseload"
OF_UNIT, ITEMS = 3, 3  # others of a unit, and items, from which on they are a standard
AN_HOUR = re.compile(r"\b(?:hour|hr)s?\b|\bhourly\b", re.IGNORECASE)
# What is strange, as the list of queries has it.
RATIO = "price out of ratio to the other services"
RANGE = "price outside what its unit usually costs"
NOTHING = "price of 0"
HOURLY = "source of an hour, and the unit is another"
SHARE = "most of the cost is of one service or item"
STEP = "step of the price index"
SERVED = "caseload out of ratio to the participants"
STANDS = f"{PLACEHOLDER} in place of a published source"
DRUG = "price out of ratio to the other rows of its drug and dose"


@dataclass(frozen=True)
class Priced:
    """A line of a table of prices: a service, or an item of the intervention.

    Attributes
    ----------
    file : str
        Name of the table.
    line : int
        Line of it.
    name, unit : str
        Of what, and for what.
    amount : float
        Unit cost as given.
    price : float
        That of the price year of the evaluation.
    source : str
        Where it is from.
    share : float
        Of the cost of all.
    """

    file: str
    line: int
    name: str
    unit: str
    amount: float
    price: float
    source: str
    share: float


def queries_about(
    economics: Economics,
    index: PriceIndex,
    costs: pd.DataFrame,
    items: pd.DataFrame,
    shares: dict[str, float],
    participants: int,
    medication: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List every input of the evaluation that is possible and strange.

    Parameters
    ----------
    economics : Economics
        Files, and from where on what is strange.
    index, costs, items
        From `read_price_index`, `read_unit_costs` and `read_intervention`.
    shares : dict
        Service → its share in the cost of the main perspective.
    participants : int
        Of the active arm.
    medication : pandas.DataFrame, optional
        What cleaning writes of a list of it.

    Returns
    -------
    pandas.DataFrame
        Columns as in the list of queries: file and row, what stands there, which rule it breaks,
        and behind what was done the number that makes it strange; the answer of what is accepted.
    """
    found = [*_of_prices(economics, costs, items, shares), *_of_index(economics, index)]
    found += _of_caseload(economics, participants)
    found += _of_medication(economics.strange, medication)
    accepted = economics.strange.accepted
    rows = [
        {
            **dict.fromkeys(COLUMNS, ""),
            "id": f"P{number:04d}",
            "severity": "query",
            **{key: value for key, value in query.items() if key != "name"},
            **(
                {"decision": "kept", "answer": accepted[query["name"]]}
                if query["name"] in accepted
                else {}
            ),
        }
        for number, query in enumerate(found, start=1)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _query(  # noqa: PLR0913 - a cell, a rule and a reason
    file: str, row: int, column: str, raw_value: str, rule: str, why: str, name: str = ""
) -> dict[str, str]:
    return {
        "file": file,
        "row": str(row),
        "column": column,
        "raw_value": raw_value,
        "action": f"used as it stands: {why}",
        "rule": rule,
        "name": name,
    }


def _of_prices(
    economics: Economics, costs: pd.DataFrame, items: pd.DataFrame, shares: dict[str, float]
) -> Iterator[dict[str, str]]:
    """Yield what is strange about unit costs, of services and then of the intervention."""
    services = [
        Priced(
            economics.unit_costs.name,
            *(row.line, row.Index, row.unit, row.unit_cost, row.price, row.source),
            shares.get(row.Index, 0.0),
        )
        for row in costs.itertuples()
        if row.Index in shares
    ]
    total = float(items["cost"].sum()) or 1.0
    own = economics.intervention
    of_it = [
        Priced(
            own.costs.name if own else "",
            *(row.line, row.item, row.unit, row.unit_cost, row.price, row.source),
            row.cost / total if len(items) >= ITEMS else 0.0,
        )
        for row in items.itertuples()
    ]
    yield from _placeholders(services)
    yield from _placeholders(of_it)
    for one in services:
        yield from _alone(one, economics.strange, "of the services of the main perspective")
        yield from _in_ratio(one, services, economics.strange)
    for one in of_it:
        yield from _alone(one, economics.strange, "of the intervention")


def _placeholders(priced: Sequence[Priced]) -> Iterator[dict[str, str]]:
    yield from standing_in([one.source for one in priced], [(p.file, p.line) for p in priced])


def standing_in(sources: Sequence[str], at: Sequence[tuple[str, int]]) -> Iterator[dict[str, str]]:
    """Yield one query for a table in which placeholders stand, at the first of them."""
    marked = [place for source, place in zip(sources, at, strict=True) if is_placeholder(source)]
    if marked:
        (file, line), many = marked[0], f"{len(marked)} of {len(sources)} sources"
        yield _query(file, line, "source", many, STANDS, "the method is shown, not the study")


def _alone(one: Priced, strange: Strange, of_what: str) -> Iterator[dict[str, str]]:
    """Yield what is strange about a price whatever the others are."""
    found = f"{one.amount:g} per {one.unit}"
    place = (one.file, one.line, "unit_cost", found)
    usual = strange.range_of(one.unit)
    if one.price == 0:
        yield _query(*place, NOTHING, "all of its use costs nothing", one.name)
    elif usual and not usual[0] <= one.price <= usual[1]:
        why = f"{one.price:g}, and its unit usually costs {usual[0]:g} to {usual[1]:g}"
        yield _query(*place, RANGE, why, one.name)
    if AN_HOUR.search(one.source) and HOUR not in one.unit.casefold():
        yield _query(*place, HOURLY, f"the source says '{one.source}'", one.name)
    if one.share > strange.share:
        yield _query(*place, SHARE, f"{one.share:.0%} of the cost {of_what}", one.name)


def _in_ratio(one: Priced, all_of: Sequence[Priced], strange: Strange) -> Iterator[dict[str, str]]:
    """Yield a price that is out of ratio to those of the other services."""
    others = [p for p in all_of if p is not one and p.price > 0]
    same = [p.price for p in others if p.unit == one.unit]
    alike = len(same) >= OF_UNIT
    if one.price == 0 or not others or (not alike and strange.range_of(one.unit)):
        return
    usual = median(same if alike else [p.price for p in others])
    low, high = (
        (strange.below, strange.above) if alike else (1 / strange.other_units, strange.other_units)
    )
    if not low <= one.price / usual <= high:
        whose = f"the others per {one.unit}" if alike else "all others"
        why = f"{one.price / usual:.2g} times the median of {whose}, {usual:g}"
        found = f"{one.amount:g} per {one.unit}"
        yield _query(one.file, one.line, "unit_cost", found, RATIO, why, one.name)


def _of_index(economics: Economics, index: PriceIndex) -> Iterator[dict[str, str]]:
    """Yield the steps of the index that are too large for a year, and its placeholders.

    A year above or below both of its neighbours is named itself; otherwise the later of the two.
    """
    if index.path is None:
        return
    file, years = index.path.name, list(index.index)
    places = [(file, index.lines[year]) for year in years]
    yield from standing_in([index.sources[year] for year in years], places)
    steps = [_a_year(index, one, other) - 1 for one, other in pairwise(years)]
    too_large = {i for i, step in enumerate(steps) if abs(step) > economics.strange.index_step}
    off = {i + 1 for i in too_large if i + 1 in too_large and steps[i] * steps[i + 1] < 0}
    named = sorted(off | {i + 1 for i in too_large if not off & {i, i + 1}})
    for at in named:
        one, other = years[at - 1], years[at]
        yield _query(
            file,
            index.lines[other],
            "index",
            f"{index.index[other]:g}",
            STEP,
            f"{steps[at - 1]:+.0%} a year from {index.index[one]:g} in {one}",
            str(other),
        )


def _a_year(index: PriceIndex, one: int | str, other: int | str) -> float:
    """Return by what the index is multiplied in each of the years from one to another."""
    years = int(str(other)[:4]) - int(str(one)[:4])
    return (index.index[other] / index.index[one]) ** (1 / years)


def _of_caseload(economics: Economics, participants: int) -> Iterator[dict[str, str]]:
    own = economics.intervention
    if own is None or own.caseload is None or not participants:
        return
    ratio = own.caseload / participants
    if ratio > economics.strange.caseload:
        lines = read_lines(ECONOMICS)[1]
        line = lines.get(("intervention", CASELOAD), lines.get(("intervention",), 0))
        why = f"{ratio:.0f} people served for each of {participants} participants of the arm"
        place = (ECONOMICS.name, line, CASELOAD, f"{own.caseload}")
        yield _query(*place, SERVED, why, CASELOAD)


def _of_medication(strange: Strange, listed: pd.DataFrame | None) -> Iterator[dict[str, str]]:
    """Yield prices of a list of medication of 0, or out of ratio to the other rows of the drug."""
    if listed is None:
        return
    for (drug, dose), rows in listed.dropna(subset="price").groupby(["drug", "dose"], sort=True):
        name = f"{drug} {dose}".strip()
        usual = float(rows["price"].median())
        for row in rows.itertuples():
            place = (row.file, row.row, "price", f"{row.price:g} for {name}")
            if row.price == 0:
                found = _query(*place, NOTHING, "it costs nothing", name)
            elif usual and not strange.below <= row.price / usual <= strange.above:
                why = f"{row.price / usual:.2g} times the median of its rows, {usual:g}"
                found = _query(*place, DRUG, why, name)
            else:
                continue
            yield found | {"participant": row.participant}


def spent_on(people: pd.DataFrame, prices: pd.DataFrame, perspective: str) -> dict[str, float]:
    """Return the share of each service in what was spent on all, of what is known.

    Services of other perspectives have none, nor has one of fewer than three.
    """
    spent: dict[str, float] = {}
    for row in prices.itertuples():
        cost = float((people[row.variable] * row.price).sum())
        counted = bool(getattr(row, f"in_{perspective}"))
        spent[row.service] = spent.get(row.service, 0.0) + (cost if counted else 0.0)
    few = sum(cost > 0 for cost in spent.values()) < OF_UNIT
    total = sum(spent.values()) or 1.0
    return {service: 0.0 if few else cost / total for service, cost in spent.items()}
