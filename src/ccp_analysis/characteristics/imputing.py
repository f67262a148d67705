"""Imputation of a batch of trials: fixed teams, normal conditional models, all chains at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """A variable with what is missing of it: values and missing, shape (draws, n)."""

    values: np.ndarray
    missing: np.ndarray


def completed(
    columns: list[Column],
    fixed: np.ndarray,
    m: int,
    iterations: int,
    rng: np.random.Generator,
    draw_values=None,
) -> list[np.ndarray]:
    """Impute every column from the others and a fixed block, m times.

    Parameters
    ----------
    columns : list of Column
        In the order in which they are imputed; complete ones serve as predictors.
    fixed : numpy.ndarray
        Columns that are in every model, such as indicators of the teams, shape (n, f).
    m, iterations : int
        Chains of each trial, and rounds; one round where a single column is incomplete.
    rng : numpy.random.Generator
        Source of random numbers.
    draw_values : callable, optional
        Of predictions, observed predictions, and values: how missing values are drawn; by default
        from the normal distribution.

    Returns
    -------
    list of numpy.ndarray
        Shape (m, draws, n) each.
    """
    draw_values = draw_values or normal
    shape = (m, *columns[0].values.shape)
    work = [np.broadcast_to(c.values, shape).copy() for c in columns]
    waiting = [k for k, c in enumerate(columns) if c.missing.any()]
    for k in waiting:
        column = columns[k]
        seen = np.where(column.missing, np.nan, column.values)
        mean, sd = np.nanmean(seen, axis=1), np.nanstd(seen, axis=1)
        start = mean[:, None] + sd[:, None] * rng.standard_normal(shape)
        work[k] = np.where(column.missing, start, work[k])
    for _ in range(iterations if len(waiting) > 1 else 1):
        for k in waiting:
            others = [work[j] for j in range(len(columns)) if j != k]
            shared = all(not columns[j].missing.any() for j in range(len(columns)) if j != k)
            if shared:  # one design for all chains
                others = [columns[j].values for j in range(len(columns)) if j != k]
            Z = np.stack(others, axis=-1)
            Z = np.concatenate([np.broadcast_to(fixed, (*Z.shape[:-1], fixed.shape[1])), Z], -1)
            work[k] = _drawn(Z, columns[k], m, rng, draw_values)
    return work


def _drawn(Z: np.ndarray, column: Column, m: int, rng: np.random.Generator, draw_values):
    """Draw the missing values of a column given its predictors, shape (m, draws, n)."""
    there = ~column.missing
    y = np.where(there, column.values, 0.0)
    W = Z * there[..., None]
    gram = np.swapaxes(W, -1, -2) @ W
    root = np.linalg.cholesky(gram)
    cross = (np.swapaxes(W, -1, -2) @ y[..., None])[..., 0]
    coef = np.linalg.solve(gram, cross[..., None])[..., 0]
    fitted = (Z @ coef[..., None])[..., 0]
    residual = np.where(there, y - fitted, 0.0)
    df = there.sum(axis=-1) - Z.shape[-1]
    shape = (m, *y.shape[:-1])
    sigma = np.sqrt((residual**2).sum(axis=-1) / rng.chisquare(df, shape))
    noise = rng.standard_normal((*shape, Z.shape[-1], 1))
    shift = np.linalg.solve(np.swapaxes(root, -1, -2), noise)[..., 0] * sigma[..., None]
    # A shared design: one product for all chains.
    moved = fitted + (
        np.moveaxis(Z @ np.moveaxis(shift, 0, -1), -1, 0)
        if Z.ndim == 3
        else (Z @ shift[..., None])[..., 0]
    )
    values = draw_values(moved, fitted, y, column.missing, sigma, rng)
    return np.where(column.missing, values, y)


def normal(moved, fitted, y, missing, sigma, rng):
    """Draw from the normal distribution about the predictions."""
    return moved + sigma[..., None] * rng.standard_normal(moved.shape)


def matched(moved, fitted, y, missing, sigma, rng, donors: int = 5, residual: bool = False):
    """Take the value of one of the nearest observed predictions, or its residual."""
    m, draws, n = moved.shape
    fitted = np.broadcast_to(fitted, moved.shape)
    out = np.zeros(moved.shape)
    for d in range(draws):
        seen, gone = np.flatnonzero(~missing[d]), np.flatnonzero(missing[d])
        if not len(gone):
            continue
        gap = np.abs(moved[:, d][:, gone, None] - fitted[:, d][:, None, seen])
        near = np.argpartition(gap, donors, axis=-1)[..., :donors]
        pick = rng.integers(0, donors, near.shape[:-1])
        chosen = seen[np.take_along_axis(near, pick[..., None], -1)[..., 0]]
        value = y[d][chosen]
        if residual:
            rows = np.arange(m)[:, None]
            value = moved[:, d][:, gone] + value - fitted[:, d][rows, chosen]
        out[:, d][:, gone] = value
    return out
