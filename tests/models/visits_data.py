"""Designs of the longitudinal references, and models for repeated measures written out densely."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parent / "data"
LMER = ("Estimate", "Std. Error", "df", "Pr(>|t|)")


def read(name):
    return json.loads((DATA / name).read_text())


def column(rows, name):
    return np.array([row[name] for row in rows], dtype=float)


def assert_rows(ours, rows, names=LMER, estimates=True):
    """Estimates to 1e-4 standard errors, standard errors to 1e-4, degrees of freedom to 1e-3."""
    estimate, std_error, df = (column(rows, name) for name in names[:3])
    if estimates:
        assert np.all(np.abs(ours.estimate - estimate) <= 1e-4 * std_error)
    np.testing.assert_allclose(ours.std_error, std_error, rtol=1e-4)
    np.testing.assert_allclose(ours.df, df, rtol=1e-3)
    if len(names) > 3:
        np.testing.assert_allclose(ours.p_value, column(rows, names[3]), rtol=5e-3)


def beat_the_blues():
    """Return the table and X, y, person, visit of `bdi.pre + drug + length + treatment * visit`."""
    table = pd.read_csv(DATA / "btheb.csv")
    for name, level in (("drug", "Yes"), ("length", ">6m"), ("treatment", "BtheB")):
        table[name] = (table[name] == level).astype(float)
    y = table[["bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]].to_numpy().T.ravel()
    visit, person = np.repeat([2, 3, 5, 8], 100), np.tile(np.arange(100), 4)
    rows = table.iloc[person]
    later = np.column_stack([visit == code for code in (3, 5, 8)]).astype(float)
    first = rows[["bdi.pre", "drug", "length", "treatment"]].to_numpy()
    X = np.column_stack([np.ones(400), first, later, later * first[:, 3:]])
    return table, X, y, person, visit


def constrained_baseline():
    """Return X, y, person, visit with the baseline as a visit of its own and a common mean."""
    table, _, y, person, visit = beat_the_blues()
    person, visit = np.tile(np.arange(100), 5), np.concatenate([np.zeros(100, dtype=int), visit])
    y = np.concatenate([table["bdi.pre"].to_numpy(), y])
    rows = table.iloc[person]
    later = np.column_stack([visit == code for code in (2, 3, 5, 8)]).astype(float)
    drug, length, treated = (rows[name].to_numpy() for name in ("drug", "length", "treatment"))
    X = np.column_stack([np.ones(500), later, drug, length, later * treated[:, None]])
    return X, y, person, visit


def clustered(arm=True):
    """Return X, y, person, visit, team of ten teams over three visits."""
    table = pd.read_csv(DATA / "longitudinal.csv")
    later = np.column_stack([table["visit"] == code for code in (2, 3)]).astype(float)
    X = np.column_stack([np.ones(len(table)), table["x"]])
    if arm:
        treated = table["arm"].to_numpy(float)[:, None]
        X = np.column_stack([X, treated, later, later * treated])
    else:
        X = np.column_stack([X, later])
    codes = (table[name].to_numpy() for name in ("person", "visit", "team"))
    return X, table["y"].to_numpy(), *codes


def draw(
    seed, people=40, visits=3, batch=(), teams=6, team_sd=0.5, shared_design=True, missing=0.2
):
    """Return X, y, person, visit, team of a drawn study, rows in no order."""
    rng = np.random.default_rng(seed)
    seen = rng.random((people, visits)) > missing
    seen[:visits, :] = True
    person, visit = np.nonzero(seen)
    order = rng.permutation(len(person))
    person, visit = person[order], visit[order]
    team_of = rng.permutation(np.arange(people) % teams)
    team = team_of[person]
    n = len(person)
    shape = () if shared_design else batch
    covariate = rng.normal(3.0, 2.0, size=(*shape, people))[..., person]
    times = np.equal.outer(visit, np.arange(visits)).astype(float)
    fixed = np.column_stack([times, times * (team % 2)[:, None]])
    fixed = np.broadcast_to(fixed, (*shape, *fixed.shape))
    X = np.concatenate([fixed, covariate[..., None]], axis=-1)
    noise = rng.normal(size=(*batch, people, 1)) + rng.normal(size=(*batch, people, visits))
    noise = noise * np.linspace(1.0, 1.6, visits)
    effects = team_sd * (
        rng.normal(size=(*batch, teams, 1)) + 0.7 * rng.normal(size=(*batch, teams, visits))
    )
    y = 4.0 + 0.5 * covariate + noise[..., person, visit] + effects[..., team, visit]
    assert y.shape == (*batch, n)
    return X, y, person, visit, team


def coordinates(order):
    """Return the matrices G_k of `models.symmetric`."""
    found = []
    for a in range(order):
        for b in range(a, order):
            matrix = np.zeros((order, order))
            matrix[a, b] = matrix[b, a] = 1.0
            found.append(matrix)
    return found


def spread_out(matrix, visit, group):
    """Return the covariance of rows whose visits covary by `matrix` inside a group."""
    return matrix[np.ix_(visit, visit)] * np.equal.outer(group, group)


class Dense:
    """The criterion and its derivatives with n x n matrices; G are derivatives of V."""

    def __init__(self, X, y, V, G, reml=True):
        inverse = np.linalg.inv(V)
        self.phi = np.linalg.inv(X.T @ inverse @ X)
        projected = inverse - inverse @ X @ self.phi @ X.T @ inverse
        kernel = projected if reml else inverse
        residual = projected @ y
        self.coef = self.phi @ X.T @ inverse @ y
        self.value = np.linalg.slogdet(V)[1] + y @ residual
        if reml:
            self.value -= np.linalg.slogdet(self.phi)[1]
        bent = [kernel @ g for g in G]
        self.gradient = np.array([np.trace(b) for b in bent])
        self.gradient -= np.array([residual @ g @ residual for g in G])
        self.expected = np.array([[np.sum(a * b.T) for b in bent] for a in bent])
        forms = [[residual @ g @ projected @ h @ residual for h in G] for g in G]
        self.observed = 2.0 * np.array(forms) - self.expected
        sides = [g @ inverse @ X for g in G]
        self.P = -np.array([X.T @ inverse @ side for side in sides])
        self.Q = np.array([[s.T @ inverse @ t for t in sides] for s in sides])

    def kenward_roger(self, information):
        """Return adjusted standard errors and degrees of freedom of the coefficients."""
        W = 2.0 * np.linalg.inv(self.expected if information == "expected" else self.observed)
        bias = np.einsum("kl,klij->ij", W, self.Q)
        bias = bias - np.einsum("kl,kia,ab,lbj->ij", W, self.P, self.phi, self.P)
        adjusted = self.phi + 2.0 * self.phi @ bias @ self.phi
        return np.sqrt(np.diagonal(adjusted)), self.satterthwaite(W)

    def satterthwaite(self, W=None):
        """Return the degrees of freedom of the coefficients."""
        W = 2.0 * np.linalg.inv(self.observed) if W is None else W
        slopes = np.array([np.diagonal(self.phi @ P @ self.phi) for P in self.P])
        return 2.0 * np.diagonal(self.phi) ** 2 / np.einsum("ki,kl,li->i", slopes, W, slopes)
