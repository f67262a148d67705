"""The two small trials and what R made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from visits_data import beat_the_blues

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
def btheb_long() -> LongTrial:
    # Visit after visit, so that no person's rows stand together.
    _, X, y, person, visit = beat_the_blues()
    one, baseline, drug, length, treatment = X[:, :5].T
    X, seen = np.column_stack([one, baseline, visit, treatment, drug, length]), ~np.isnan(y)
    return LongTrial(X[seen], y[seen], person[seen])


@pytest.fixture(scope="session")
def clustered_reference() -> dict:
    return _json("clustered_trial.json")


@pytest.fixture(scope="session")
def btheb_reference() -> dict:
    return _json("btheb.json")


@pytest.fixture(scope="session")
def extra_reference() -> dict:
    return _json("extra.json")
