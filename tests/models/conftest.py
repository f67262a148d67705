"""The two small trials and what R made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Trial:
    """Columns and designs of the clustered pre-post trial."""

    table: pd.DataFrame
    groups: np.ndarray
    trust: np.ndarray

    def __getitem__(self, column: str) -> np.ndarray:
        if column == "arm":
            return (self.table["arm"] == "intervention").to_numpy(float)
        if column == "costk":
            return self.table["cost"].to_numpy() / 1000.0
        return self.table[column].to_numpy(float)

    def design(self, *terms: str) -> np.ndarray:
        dummies = [(self.trust == code).astype(float) for code in range(1, 5)]
        columns = [np.ones(len(self.table))]
        for term in terms:
            columns += dummies if term == "trust" else [self[term]]
        return np.column_stack(columns)


@dataclass(frozen=True)
class LongTrial:
    """Beat the Blues: one row for every person and visit with an outcome."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray


def _json(name: str) -> dict:
    return json.loads((DATA / name).read_text())


@pytest.fixture(scope="session")
def trial() -> Trial:
    table = pd.read_csv(DATA / "clustered_trial.csv")
    return Trial(table, pd.factorize(table["team"])[0], pd.factorize(table["trust"])[0])


@pytest.fixture(scope="session")
def btheb() -> pd.DataFrame:
    table = pd.read_csv(DATA / "btheb.csv")
    for column, level in (("drug", "Yes"), ("length", ">6m"), ("treatment", "BtheB")):
        table[column] = (table[column] == level).astype(float)
    return table


@pytest.fixture(scope="session")
def btheb_long(btheb: pd.DataFrame) -> LongTrial:
    # Visit after visit, so that no person's rows stand together.
    outcome = btheb[["bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]].to_numpy().T.ravel()
    time, person = np.repeat([2.0, 3.0, 5.0, 8.0], 100), np.tile(np.arange(100), 4)
    covariates = btheb[["bdi.pre", "treatment", "drug", "length"]].to_numpy()[person]
    X = np.column_stack([np.ones(400), covariates[:, 0], time, covariates[:, 1:]])
    seen = ~np.isnan(outcome)
    return LongTrial(X[seen], outcome[seen], person[seen])


@pytest.fixture(scope="session")
def clustered_reference() -> dict:
    return _json("clustered_trial.json")


@pytest.fixture(scope="session")
def btheb_reference() -> dict:
    return _json("btheb.json")


@pytest.fixture(scope="session")
def extra_reference() -> dict:
    return _json("extra.json")
