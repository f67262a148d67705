"""The cost of the intervention itself: what it took, and over whom it is spread."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ccp_analysis.config.economics import MONTHS_A_YEAR, Economics
from ccp_analysis.config.reading import first_of, place
from ccp_analysis.config.study import Study
from ccp_analysis.config.tables import read_table
from ccp_analysis.economics.discounting import share_within
from ccp_analysis.economics.prices import PriceIndex, number, sourced
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import ECONOMICS

READ = [
    "item",
    "category",
    "quantity",
    "unit",
    "unit_cost",
    "price_year",
    "lifetime_years",
    "source",
]
WRITTEN = [*READ[:6], "price", "lifetime_years", "cost", "source", "line"]


def read_intervention(economics: Economics, index: PriceIndex) -> pd.DataFrame:
    """Read what the intervention took, and attribute it to the horizon.

    Parameters
    ----------
    economics : Economics
        Names the file; horizon, annuity and discounting.
    index : PriceIndex
        From `read_price_index`.

    Returns
    -------
    pandas.DataFrame
        By item: item, category, quantity, unit, unit_cost (as given), price_year, price (of a unit,
        at the price year of the evaluation), lifetime_years (missing where there is none), cost
        (of all units, within the horizon, at that price year), source, line (in the file). What
        serves for some years bears an equivalent annual cost: of its cost `share_within` falls
        within the horizon, all of it where the lifetime is not longer.

    Raises
    ------
    StudyError
        If a number is missing, negative or none, a source is empty, a lifetime is not above zero, a
        price year is unknown, an item stands twice, or there is none; `faults` lists all.
    """
    assert economics.intervention is not None
    path, annuity = economics.intervention.costs, economics.intervention.annuity

    def share(lifetime: float) -> float:
        years = economics.months / MONTHS_A_YEAR
        return share_within(years, lifetime, annuity, economics.discount.costs)

    rows: list[dict[str, object]] = []
    faults: list[str] = []
    items: dict[str, int] = {}
    for line, row in read_table(path, READ):
        where = f"{path}, line {line}"
        try:
            if row["item"] in items:
                raise StudyError(
                    f"{where}: the item '{row['item']}' stands already in line "
                    f"{items[row['item']]}."
                )
            items[row["item"]] = line
            rows.append(_item(row, where, share, index) | {"line": line})
        except StudyError as error:
            faults.append(str(error))
    if faults:
        raise first_of(faults)
    if not rows:
        raise StudyError(f"{path}: the file has no rows; expected an item in each.")
    return pd.DataFrame(rows, columns=WRITTEN)


def _item(
    row: dict[str, str], where: str, share_of: Callable[[float], float], index: PriceIndex
) -> dict[str, object]:
    quantity, cost = number(row, "quantity", where), number(row, "unit_cost", where)
    year, factor = index.factor(row["price_year"], where)
    lifetime, share = float("nan"), 1.0
    if row["lifetime_years"]:
        lifetime = number(row, "lifetime_years", where, positive=True)
        share = share_of(lifetime)
    return row | {
        "source": sourced(row, where),
        "quantity": quantity,
        "unit_cost": cost,
        "price_year": year,
        "price": cost * factor,
        "lifetime_years": lifetime,
        "cost": quantity * cost * factor * share,
    }


def none() -> pd.DataFrame:
    """Return the table of an evaluation that counts no intervention: without rows."""
    numbers = {"quantity", "unit_cost", "price", "lifetime_years", "cost"}
    types = {name: "float" if name in numbers else "object" for name in WRITTEN}
    return pd.DataFrame(columns=WRITTEN).astype(types | {"line": "int"})


def shares(
    people: pd.DataFrame, total: float, study: Study, economics: Economics
) -> dict[str, pd.Series]:
    """Spread the cost of the intervention over participants, by each rule that can be applied.

    Parameters
    ----------
    people : pandas.DataFrame
        The participants, everyone recruited.
    total : float
        Cost within the horizon.
    study : Study
        Arms, clusters and the baseline visit: who has no baseline interview is not analysed.
    economics : Economics
        The caseload.

    Returns
    -------
    dict
        ``intervention_{rule}`` → cost of each person: 0 in the reference arm and for those not
        analysed. ``participants``: over those analysed in the active arm. ``teams``, where there
        are clusters: equally over the arm's clusters in which somebody is analysed, then over those
        analysed in each. ``caseload``, where it is given: over everyone served.

    Raises
    ------
    StudyError
        If nobody in the active arm is analysed, or the caseload is smaller than their number.
    """
    assert economics.intervention is not None
    active = people[study.arms.variable] == study.arms.active
    who = active & people[f"interviewed_{study.baseline.id}"]
    if not who.any():
        raise StudyError(
            f"{economics.intervention.costs}: nobody in the arm '{study.arms.active}' has a "
            f"{study.baseline.label.lower()} interview; there is no one to share the cost."
        )
    nobody = pd.Series(0.0, index=people.index)
    spread = {"intervention_participants": nobody.mask(who, total / who.sum())}
    if study.clusters:
        unit = people[study.clusters.unit].where(who)
        size = unit.map(unit.value_counts())
        spread["intervention_teams"] = nobody.mask(who, total / unit.nunique() / size)
    caseload = economics.intervention.caseload
    if caseload is not None:
        if caseload < active.sum():
            raise StudyError(
                f"{place(ECONOMICS, 'intervention', 'caseload')}: intervention.caseload is "
                f"{caseload}, but {active.sum()} participants were recruited in the arm "
                f"'{study.arms.active}'; expected everyone whom its teams serve, participants "
                "included."
            )
        spread["intervention_caseload"] = nobody.mask(who, total / caseload)
    return spread
