"""Imputation of a batch of trials: fixed teams, normal conditional models, all chains at once.

The models are those of the pipeline (`ccp_analysis.imputation`): Bayesian linear regression with an
effect of every team, and a normal draw, a donor's value or a donor's residual about the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ccp_analysis.imputation.matching import draw_donors

# Least eigenvalue of correlations that can be solved, and the share of squares added to others.
WEAK, RIDGE = 1e-9, 1e-2

# From predictions by drawn coefficients, those (draws, n) or (m, draws, n) by estimated ones, and
# residual SDs to new values (m, draws, n); what is not missing of these is not used.
Draw = Callable[["Column", "Predicted", np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Column:
    """A variable of a batch of trials.

    Attributes
    ----------
    values : numpy.ndarray
        Shape (draws, n); what stands where a value is missing is not used.
    missing : numpy.ndarray of bool
        Shape (draws, n).
    """

    values: np.ndarray
    missing: np.ndarray


@dataclass(frozen=True)
class Predicted:
    """Predictions by drawn coefficients: of everybody, or of some people of a trial.

    Attributes
    ----------
    Z, slope : numpy.ndarray
        Predictors (..., draws, n, q) and slopes (m, draws, q).
    team, own : numpy.ndarray
        Team of each person, (n,), and what a team has where predictors are zero, (m, draws, T).
    """

    Z: np.ndarray
    slope: np.ndarray
    team: np.ndarray
    own: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, draws, n)."""
        return *self.own.shape[:-1], len(self.team)

    def everybody(self) -> np.ndarray:
        """Return all, shape (m, draws, n)."""
        return np.asarray(self.own[..., self.team] + (self.Z @ self.slope[..., None])[..., 0])

    def some(self, d: int, people: np.ndarray) -> np.ndarray:
        """Return those of people of a trial, shape (m, people)."""
        along = self.Z[..., d, people, :] @ self.slope[:, d, :, None]
        return np.asarray(self.own[:, d][:, self.team[people]] + along[..., 0])


def normal(
    column: Column,
    predicted: Predicted,
    fitted: np.ndarray,
    sigma: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw from the normal distribution about the predictions."""
    mean = predicted.everybody()
    return mean + sigma[..., None] * rng.standard_normal(mean.shape)


def matched(
    column: Column,
    predicted: Predicted,
    fitted: np.ndarray,
    sigma: np.ndarray,
    rng: np.random.Generator,
    *,
    donors: int = 5,
    residual: bool = False,
) -> np.ndarray:
    """Take the value of one of the observed with the nearest predictions, or add its residual."""
    # Chains of one design share what is fitted to the observed, which is then sorted once.
    shared = fitted.ndim < len(predicted.shape)
    drawn = np.zeros(predicted.shape)
    for d, missing in enumerate(column.missing):
        seen, gone = np.flatnonzero(~missing), np.flatnonzero(missing)
        own, near = predicted.some(d, gone), fitted[..., d, seen]
        ranked, sought = (near[None], own.reshape(1, -1)) if shared else (near, own)
        chosen = draw_donors(ranked, sought, rng.random(sought.shape), donors).reshape(own.shape)
        values = column.values[d, seen][chosen]
        if residual:
            near = np.broadcast_to(near, (len(own), len(seen)))
            values = own + values - np.take_along_axis(near, chosen, axis=1)
        drawn[:, d, gone] = values
    return drawn


def completed(
    columns: list[Column],
    team: np.ndarray,
    m: int,
    iterations: int,
    rng: np.random.Generator,
    draw: Draw = normal,
) -> list[np.ndarray]:
    """Impute every column from the others and its team, m times.

    Parameters
    ----------
    columns : list of Column
        In the order in which they are imputed; complete ones serve as predictors.
    team : numpy.ndarray of int
        Team of each person, shape (n,); every team has observed values of every column.
    m, iterations : int
        Chains of each trial, and rounds; one round where a single column is incomplete.
    rng : numpy.random.Generator
        Source of random numbers.
    draw : callable
        How missing values are drawn: `normal` or `matched`.

    Returns
    -------
    list of numpy.ndarray
        Shape (m, draws, n) each.
    """
    shape = (m, *columns[0].values.shape)
    work = [np.broadcast_to(column.values, shape) for column in columns]
    waiting = [k for k, column in enumerate(columns) if column.missing.any()]
    for k in waiting:
        if len(waiting) == 1:
            # It is imputed from what is complete, wherever it starts: the stream alone goes on.
            for _ in range(m):
                rng.standard_normal(shape[1:])
            break
        noise = rng.standard_normal(shape)
        seen = np.where(columns[k].missing, np.nan, columns[k].values)
        start = np.nanmean(seen, axis=1)[:, None] + np.nanstd(seen, axis=1)[:, None] * noise
        work[k] = np.where(columns[k].missing, start, work[k])
    for _ in range(iterations if len(waiting) > 1 else 1):
        for k in waiting:
            others = [j for j in range(len(columns)) if j != k]
            # What is complete is one design for all chains.
            shared = not any(columns[j].missing.any() for j in others)
            Z = np.stack([columns[j].values if shared else work[j] for j in others], axis=-1)
            work[k] = _drawn(Z, columns[k], team, m, rng, draw)
    return work


def _drawn(
    Z: np.ndarray,
    column: Column,
    team: np.ndarray,
    m: int,
    rng: np.random.Generator,
    draw: Draw,
) -> np.ndarray:
    """Draw the missing values of a column given predictors (..., draws, n, q): (m, draws, n).

    Team effects are swept out first: slopes are those within teams, and given them the effect of a
    team is normal about its mean.
    """
    there, onto = ~column.missing, (team[:, None] == np.arange(team.max() + 1)).astype(float)
    y = np.where(there, column.values, 0.0)
    counts = there @ onto
    sums = np.swapaxes(onto, 0, 1)
    y_mean = (y @ onto) / counts
    Z_mean = sums @ (Z * there[..., None]) / counts[..., None]
    apart = np.where(there[..., None], Z - onto @ Z_mean, 0.0)
    y_apart = np.where(there, y - y_mean @ sums, 0.0)
    across = np.swapaxes(apart, -1, -2)
    gram = _sound(across @ apart)
    coef = np.linalg.solve(gram, across @ y_apart[..., None])[..., 0]
    residual = y_apart - (apart @ coef[..., None])[..., 0]
    df = there.sum(axis=-1) - Z.shape[-1] - onto.shape[1]
    shape = (m, len(y))
    sigma = np.sqrt(np.square(residual).sum(axis=-1) / rng.chisquare(df, shape))
    root = np.swapaxes(np.linalg.cholesky(gram), -1, -2)
    noise = rng.standard_normal((*shape, Z.shape[-1], 1))
    slope = coef + sigma[..., None] * np.linalg.solve(root, noise)[..., 0]
    scatter = sigma[..., None] / np.sqrt(counts) * rng.standard_normal((*shape, onto.shape[1]))
    own = y_mean - (Z_mean @ slope[..., None])[..., 0] + scatter
    predicted = Predicted(Z, slope, team, own)
    fitted = y_mean - (Z_mean @ coef[..., None])[..., 0]
    fitted = fitted[..., team] + (Z @ coef[..., None])[..., 0]
    drawn = draw(column, predicted, fitted, sigma, rng)
    np.copyto(drawn, y, where=there)
    return drawn


def _sound(gram: np.ndarray) -> np.ndarray:
    """Add a ridge to cross-products (..., q, q) that cannot be solved.

    A rare category may be seen in nobody, or in all of a team, in some of the trials: its slope is
    then of the size of a residual.
    """
    q = gram.shape[-1]
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    alive = diagonal > WEAK
    scale = np.sqrt(np.where(alive, diagonal, 1.0))
    scaled = gram / (scale[..., :, None] * scale[..., None, :])
    weak = np.linalg.eigvalsh(scaled)[..., 0] < WEAK
    ridge = np.where(weak[..., None], np.where(alive, RIDGE * diagonal, 1.0), 0.0)
    return gram + ridge[..., None] * np.eye(q)
