"""How much of the intervention each participant got."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ccp_analysis.config.implementation import Exposed, Implementation
from ccp_analysis.groups import names_of

CONTACTS = "contacts"  # variable that holds how many there were


def number(series: pd.Series) -> np.ndarray:
    """Return answers as numbers, whatever they were kept as; NaN where there is none."""
    return pd.to_numeric(
        series if is_numeric_dtype(series) else series.astype(object), errors="coerce"
    ).to_numpy(dtype=float)


def has_code(series: pd.Series, code: str) -> np.ndarray:
    """Return whether each has a code, 0 or 1; NaN where there is no answer."""
    said = names_of(series)
    return (said == code).astype(float).where(said.notna()).to_numpy(dtype=float)


def variable_of(asked: Implementation, name: str) -> str:
    """Return the variable from which an exposure is made; empty where there is none."""
    if name == "uptake":
        return asked.reach.variable
    if name == "dose":
        return CONTACTS
    return asked.fidelity.variable if asked.fidelity else ""


def contacts(participants: pd.DataFrame, delivery: pd.DataFrame) -> np.ndarray:
    """Return how many contacts each participant had, shape (n,); 0 where none is recorded."""
    counts = names_of(delivery["participant"]).value_counts()
    return names_of(participants["participant"]).map(counts).fillna(0).to_numpy(dtype=float)


def had_steps(
    asked: Implementation, participants: pd.DataFrame, delivery: pd.DataFrame
) -> pd.DataFrame:
    """Return of each participant and step whether they had it and all steps before it, 0 or 1."""
    person = names_of(participants["participant"])
    so_far = np.ones(len(participants), dtype=bool)
    found = {}
    for step in asked.steps:
        had = names_of(delivery.loc[delivery["step"].astype(str) == step.id, "participant"])
        so_far = so_far & person.isin(had).to_numpy()
        found[step.id] = so_far.astype(float)
    return pd.DataFrame(found, index=participants.index)


def reached(asked: Implementation, people: pd.DataFrame) -> np.ndarray:
    """Return whether the intervention reached people, 0 or 1, shape (n,); NaN where unknown."""
    return has_code(people[asked.reach.variable], asked.reach.code)


def exposure(
    asked: Implementation, name: Exposed, people: pd.DataFrame, delivery: pd.DataFrame | None
) -> np.ndarray:
    """Return how much of an exposure people had, shape (n,); NaN where it is unknown.

    Parameters
    ----------
    asked : Implementation
        From what it is made.
    name : str
        The exposure.
    people : pandas.DataFrame
        Participants, or completed tables of them, with the variables of reach and fidelity.
    delivery : pandas.DataFrame or None
        Contacts.
    """
    if name == "uptake":
        return reached(asked, people)
    if name == "dose" and delivery is not None:
        return contacts(people, delivery)
    if asked.fidelity is None:
        raise ValueError(f"nothing is recorded from which the exposure '{name}' would follow")
    score = number(people[asked.fidelity.variable])
    if name == "fidelity":
        return score
    return np.where(np.isnan(score), np.nan, score >= asked.fidelity.high)
