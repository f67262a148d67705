"""A safeguarded Newton method for a batch of smooth criteria, each with its own end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

MAX_STEPS = 100
MAX_HALVINGS = 30
# Newton decrement g'H^-1 g at which a fit has arrived: the squared distance from the optimum, in
# standard errors of the parameters. It depends neither on units nor on coordinates.
TOLERANCE = 1e-14
# Least curvature, relative to the metric, that a step counts with.
CURVATURE_FLOOR = 1e-6
METRIC_FLOOR = 1e-10
SUFFICIENT_DECREASE = 1e-4
# Differences of a criterion that are rounding, relative to its size.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Slopes:
    """A criterion with its derivatives; B fits, K coordinates.

    Attributes
    ----------
    value : numpy.ndarray
        Shape (B,).
    gradient : numpy.ndarray
        Shape (B, K).
    hessian : numpy.ndarray
        Shape (B, K, K).
    metric : numpy.ndarray
        Positive semidefinite, in the units of the Hessian; shape (B, K, K).
    """

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    metric: np.ndarray


class Problem(Protocol):
    """B criteria of K free coordinates each."""

    def take(self, fits: np.ndarray) -> Problem:
        """Return the problem of some of the fits."""

    def value(self, free: np.ndarray) -> np.ndarray:
        """Return the criteria, (B, K) to (B,), infinite or NaN outside of their domain."""

    def slopes(self, free: np.ndarray) -> Slopes:
        """Return the criteria with derivatives."""


def minimise(problem: Problem, start: np.ndarray) -> tuple[np.ndarray, ...]:
    """Minimise every criterion of a batch.

    Parameters
    ----------
    problem : Problem
        The criteria.
    start : numpy.ndarray
        Free coordinates inside the domain, shape (B, K).

    Returns
    -------
    free : numpy.ndarray
        Shape (B, K).
    converged : numpy.ndarray of bool
        Whether the decrement fell below `TOLERANCE`, shape (B,).
    steps : numpy.ndarray of int
        Steps taken, shape (B,).

    Notes
    -----
    Newton steps in the metric of the expected information, with the absolute values of the
    eigenvalues of the Hessian (Nocedal & Wright 2006, section 3.4), halved until the criterion
    falls (Armijo's rule). A fit that has arrived takes one more step and leaves the batch.
    """
    free = np.array(start, dtype=float)
    converged = np.zeros(len(free), dtype=bool)
    steps = np.zeros(len(free), dtype=int)
    running = np.arange(len(free))
    # A step may leave the domain, and is halved then.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        while running.size and steps.max() < MAX_STEPS:
            rest = problem.take(running)
            slopes = rest.slopes(free[running])
            step, decrement = _newton_step(slopes)
            arrived = decrement <= TOLERANCE
            moved, better = _line_search(
                rest, slopes.value, free[running], step, decrement, arrived
            )
            free[running] = moved
            steps[running] += 1
            converged[running[arrived]] = True
            running = running[~arrived & better]
    return free, converged, steps


def _newton_step(slopes: Slopes) -> tuple[np.ndarray, np.ndarray]:
    """Return steps (B, K) and decrements (B,)."""
    diagonal = np.diagonal(slopes.metric, axis1=-2, axis2=-1)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    both = scale[:, :, None] * scale[:, None, :]
    values, vectors = np.linalg.eigh(_finite(both * slopes.metric))
    values = np.maximum(values, METRIC_FLOOR * values[:, -1:])
    # Columns of `root` are orthonormal in the metric.
    root = scale[:, :, None] * vectors / np.sqrt(values)[:, None, :]
    turned = np.swapaxes(root, -1, -2)
    curvature, axes = np.linalg.eigh(_finite(turned @ slopes.hessian @ root))
    along = root @ axes
    gradient = (np.swapaxes(along, -1, -2) @ slopes.gradient[:, :, None])[..., 0]
    lengths = gradient / np.maximum(np.abs(curvature), CURVATURE_FLOOR)
    return -(along @ lengths[:, :, None])[..., 0], (lengths * gradient).sum(axis=-1)


def _finite(matrix: np.ndarray) -> np.ndarray:
    """Put the unit matrix where a criterion has no derivatives: its gradient stops the fit."""
    proper = np.isfinite(matrix).all(axis=(-2, -1))
    return np.where(proper[:, None, None], matrix, np.eye(matrix.shape[-1]))


def _line_search(
    problem: Problem,
    value: np.ndarray,
    free: np.ndarray,
    step: np.ndarray,
    decrement: np.ndarray,
    arrived: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates after the step, and whether a step was found."""
    moved, better = free.copy(), np.zeros(len(free), dtype=bool)
    open_fits = np.flatnonzero(np.isfinite(decrement) & np.isfinite(value))
    length = 1.0
    for _ in range(MAX_HALVINGS):
        if open_fits.size == 0:
            break
        trial = free[open_fits] + length * step[open_fits]
        found = problem.take(open_fits).value(trial)
        bound = value[open_fits] - SUFFICIENT_DECREASE * length * decrement[open_fits]
        slack = ROUNDING * (1.0 + np.abs(value[open_fits]))
        accept = (found <= bound + slack) | (arrived[open_fits] & np.isfinite(found))
        moved[open_fits[accept]] = trial[accept]
        better[open_fits[accept]] = True
        open_fits, length = open_fits[~accept], 0.5 * length
    return moved, better
