"""The use of services in the imputation, and what it adds up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.config.economics import Economics
from ccp_analysis.config.study import Study
from ccp_analysis.imputation.derived import Rule

COST = "cost"
ALIVE = "alive"


@dataclass(frozen=True)
class Services:
    """What an economic evaluation adds to the imputation.

    Attributes
    ----------
    use : dict
        Variable of the use of a service → the service and the visit; visit after visit.
    totals : dict
        Variable of the total cost at a visit → the rule by which it follows from the use of the
        services of the main perspective, and from the share of the period that was lived.
    alive : list of str
        Variables of that share, where the study has them.
    """

    use: dict[str, tuple[str, str]]
    totals: dict[str, Rule]
    alive: list[str]


def read_services(
    prices: pd.DataFrame, economics: Economics, study: Study, people: pd.DataFrame
) -> Services:
    """Work out which services are imputed, and how the total cost follows from them.

    Parameters
    ----------
    prices : pandas.DataFrame
        A row for each service and visit: service, visit, variable, price, and for each perspective
        whether it counts the service.
    economics, study
        For the perspectives, of which the first is the main one, and for the visits.
    people : pandas.DataFrame
        Participants, with the share of each period that they lived through where deaths are known.

    Returns
    -------
    Services
    """
    counted = prices[[f"in_{name}" for name in economics.perspectives]].any(axis=1)
    use: dict[str, tuple[str, str]] = {}
    totals: dict[str, Rule] = {}
    alive: list[str] = []
    for visit in study.visits:
        here = prices[counted & (prices["visit"] == visit.id)]
        use |= {row.variable: (row.service, visit.id) for row in here.itertuples()}
        main = here[here[f"in_{economics.main}"]]
        if main.empty:
            continue
        share = f"{ALIVE}_{visit.id}"
        if share in people:
            alive.append(share)
        totals[f"{COST}_{visit.id}"] = total(
            tuple(main["variable"]),
            main["price"].to_numpy(dtype=float),
            share if share in alive else None,
        )
    return Services(use, totals, alive)


def total(use: tuple[str, ...], prices: np.ndarray, share: str | None) -> Rule:
    """Return the rule by which a cost follows from the use of services.

    Parameters
    ----------
    use : tuple of str
        Variables of the use of services.
    prices : numpy.ndarray
        Price of one unit of each.
    share : str, optional
        Variable of the share of the period that was lived: what is imputed is the use of somebody
        who lived through all of it.

    Returns
    -------
    Rule
    """
    services = len(use)

    def lived(cost: np.ndarray, values: np.ndarray) -> np.ndarray:
        return cost * values[:, services] if share else cost

    return Rule(
        parts=(*use, share) if share else use,
        function=lambda values: lived((values[:, :services] * prices).sum(axis=1), values),
        text="price times use" + (" times share of the period lived" if share else ""),
        quick=lambda values: lived(values[:, :services] @ prices, values),
    )
