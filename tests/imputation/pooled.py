"""Linear models of completed tables, pooled as mice pools them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"


def pooled_lm(values: np.ndarray, y: int, columns: list[int]) -> tuple[np.ndarray, ...]:
    """Return estimates, standard errors, and the variance between the tables (m, n, v)."""
    m, n, _ = values.shape
    x = np.concatenate([np.ones((m, n, 1)), values[:, :, columns]], axis=2)
    bread = np.linalg.inv(x.swapaxes(1, 2) @ x)
    coef = np.einsum("mij,mnj,mn->mi", bread, x, values[:, :, y])
    residual = values[:, :, y] - np.einsum("mnj,mj->mn", x, coef)
    sigma2 = (residual**2).sum(axis=1) / (n - x.shape[2])
    within = (sigma2[:, None] * np.diagonal(bread, axis1=1, axis2=2)).mean(axis=0)
    between = coef.var(axis=0, ddof=1)
    return coef.mean(axis=0), np.sqrt(within + (1 + 1 / m) * between), between


def assert_as_mice(values, y: int, columns: list[int], labels: list[str], rows: list[dict]) -> None:
    """Compare with rows of mice: estimates within Monte Carlo error, standard errors to 5 %."""
    estimate, error, between = pooled_lm(values, y, columns)
    theirs = {row["term"]: row for row in rows}
    assert len(theirs) == len(labels) + 1
    for k, label in enumerate(labels, start=1):
        row = theirs[label]
        allowed = 3.5 * np.sqrt(row["b"] / row["m"] + between[k] / len(values))
        assert abs(estimate[k] - row["estimate"]) <= allowed, label
        assert abs(error[k] / row["std.error"] - 1.0) <= 0.05, label


def read(name: str) -> dict:
    return json.loads((DATA / f"{name}.reference.json").read_text())
