"""The dead in the imputation: as if they had lived inside the chains, what is known of them after.

Utility is 0 from a death on, and services cost for the share of the period that was lived. Neither
says what the living would have answered or cost: matched or regressed on, the zeros of the dead
would be imputed to people who are alive. So inside the chains the dead are people whose utility is
missing and who lived through the whole period; in the completed tables stands what is known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.deaths import valued_as_dead
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.study import Study
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.imputation.services import ALIVE

Ended = Mapping[str, np.ndarray]


def ended_by_death(
    study: Study,
    instruments: dict[str, Instrument],
    variables: list[Variable],
    people: pd.DataFrame,
) -> Ended:
    """Return of which people a death decides the value of a variable: utility, share, what follows.

    Parameters
    ----------
    study, instruments, variables, people
        As elsewhere; derived variables stand after what they follow from.

    Returns
    -------
    dict
        Variable → bool of shape (n,); only variables with somebody.
    """
    shares = [f"{ALIVE}_{visit.id}" for visit in study.follow_ups]
    known = {name: people[name] < 1.0 for name in shares if name in people}
    known |= valued_as_dead(study, instruments, people)
    found: dict[str, np.ndarray] = {}
    for variable in variables:
        parts = variable.rule.parts if variable.rule else ()
        own = [known[variable.name].to_numpy()] if variable.name in known else []
        rows = np.any([*own, *(found[p] for p in parts if p in found)], axis=0)
        if np.any(rows):
            found[variable.name] = rows
    return found


def as_if_alive(people: pd.DataFrame, ended: Ended) -> pd.DataFrame:
    """Return the people with the dead living through every period, their utility not known."""
    return people.assign(
        **{
            name: people[name].mask(rows, 1.0 if name.startswith(f"{ALIVE}_") else np.nan)
            for name, rows in ended.items()
        }
    )


def with_the_dead(
    completed: pd.DataFrame, variables: list[Variable], people: pd.DataFrame, ended: Ended
) -> pd.DataFrame:
    """Return observed and completed tables, below one another, with what is known of the dead.

    What follows from it is computed again.
    """
    tables = len(completed) // len(people)
    for variable in variables:
        if variable.name not in ended:
            continue
        rows = np.tile(ended[variable.name], tables)
        values = completed[variable.name].to_numpy(dtype=float, copy=True)
        given = np.tile(people[variable.name].to_numpy(dtype=float), tables)
        follows = rows & ~np.isfinite(given)
        values[rows] = given[rows]
        if variable.rule:
            parts = completed[list(variable.rule.parts)].to_numpy(dtype=float)
            follows &= np.isfinite(parts).all(axis=1)
            values[follows] = variable.rule.function(parts[follows])
        completed = completed.assign(**{variable.name: values})
    return completed
