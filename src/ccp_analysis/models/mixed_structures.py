"""Covariances over visits, and the coordinates in which they are estimated.

The likelihood is differentiated in the elements of the covariance; a structure says how these
depend on coordinates that are free of constraints. Boundaries (a variance at zero, a singular
covariance of team effects) lie at ordinary points of the free coordinates, where a square or a row
of a Cholesky factor is zero.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import expit

from ccp_analysis.models.symmetric import gradient_matrix, multiplicity, pack

# Share of the mean eigenvalue that a starting covariance has at least in every direction.
START_FLOOR = 0.05
# Variance of team effects, as a share of a person's, that is called zero.
ZERO_SHARE = 1e-9


class Structure(Protocol):
    """A covariance of v visits with K parameters; leading axes are the fits of a batch."""

    visits: int
    size: int

    def covariance(self, free: np.ndarray) -> np.ndarray:
        """Return the covariance, (..., K) to (..., v, v)."""

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the free coordinates, (..., K) to (..., K, L)."""

    def curvature(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return sum_k gradient_k d2 theta_k in the free coordinates, shape (..., K, K)."""

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return free coordinates near a positive definite covariance, shape (..., K)."""

    def tangents(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the parameters that count, (..., K, L)."""

    def bending(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return what `tangents` leave out of second derivatives; zero where V is linear."""


class _Linear:
    """Structures whose covariance is linear in its parameters: sum of theta_k basis_k."""

    basis: np.ndarray

    def tangents(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the parameters that count, (..., K, L)."""
        return np.broadcast_to(self.basis, (*free.shape[:-1], *self.basis.shape))

    def bending(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the second derivatives that `tangents` leave out, (..., K, K)."""
        parameters = len(self.basis)
        return np.zeros((*free.shape[:-1], parameters, parameters))


class Unstructured(_Linear):
    """Every variance and covariance its own; free coordinates are the elements of a factor F.

    The covariance is FF'. A triangular F is enough where it is proper. Where it may be singular F
    is square: a triangle reaches singular covariances whose first variances vanish only slowly.

    Parameters
    ----------
    visits : int
        Order of the covariance.
    proper : bool
        Whether the covariance has an inverse.
    """

    def __init__(self, visits: int, *, proper: bool = True) -> None:
        self.visits = visits
        places = np.tri(visits) if proper else np.ones((visits, visits))
        self.rows, self.columns = np.nonzero(places)
        self.size = len(self.rows)
        self.basis = np.eye(visits * (visits + 1) // 2)

    def _factor(self, free: np.ndarray) -> np.ndarray:
        factor = np.zeros((*free.shape[:-1], self.visits, self.visits))
        factor[..., self.rows, self.columns] = free
        return factor

    def covariance(self, free: np.ndarray) -> np.ndarray:
        """Return the covariance, (..., K) to (..., v, v)."""
        factor = self._factor(free)
        return factor @ np.swapaxes(factor, -1, -2)

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the free coordinates, (..., K, L)."""
        # d(FF') = dF F' + F dF': the element (r, c) of F moves row and column r by column c of F.
        columns = np.swapaxes(self._factor(free), -1, -2)[..., self.columns, :]
        moved = np.zeros((*free.shape, self.visits, self.visits))
        moved[..., np.arange(self.size), self.rows, :] = columns
        return pack(moved + np.swapaxes(moved, -1, -2))

    def curvature(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return second derivatives weighted by a gradient, (..., K, K)."""
        matrix = gradient_matrix(gradient, self.visits)
        same_column = self.columns[:, None] == self.columns
        return 2.0 * matrix[..., self.rows[:, None], self.rows] * same_column

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return free coordinates near a proper covariance, (..., K)."""
        return np.linalg.cholesky(covariance)[..., self.rows, self.columns]


class Components(_Linear):
    """A sum of fixed matrices times variances at least zero; free coordinates are their roots.

    Parameters
    ----------
    matrices : numpy.ndarray
        Positive semidefinite, shape (K, v, v).
    """

    def __init__(self, matrices: np.ndarray) -> None:
        self.matrices = np.asarray(matrices, dtype=float)
        self.size, self.visits = self.matrices.shape[:2]
        self.basis = pack(self.matrices)

    def covariance(self, free: np.ndarray) -> np.ndarray:
        """Return the covariance, (..., K) to (..., v, v)."""
        return np.tensordot(np.square(free), self.matrices, axes=1)

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the free coordinates, (..., K, L)."""
        return 2.0 * free[..., None] * self.basis

    def curvature(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return second derivatives weighted by a gradient, (..., K, K)."""
        return 2.0 * (gradient @ self.basis.T)[..., None] * np.eye(self.size)

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return free coordinates near a proper covariance, (..., K)."""
        flat = self.matrices.reshape(self.size, -1)
        target = covariance.reshape(*covariance.shape[:-2], -1) @ flat.T
        nearest = np.linalg.solve(flat @ flat.T, target[..., None])[..., 0]
        scale = np.trace(covariance, axis1=-2, axis2=-1)[..., None] / self.visits
        return np.sqrt(np.maximum(nearest, START_FLOOR * scale))


class HeterogeneousSymmetry:
    """One correlation between all visits, and a variance for each.

    The covariance is not linear in its parameters; free coordinates are the standard deviations and
    the logit of the correlation within (-1 / (v - 1), 1).
    """

    def __init__(self, visits: int) -> None:
        self.visits = visits
        self.size = visits + 1
        self.lowest = -1.0 / (visits - 1.0)

    def _correlation(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the correlation and its two derivatives in its coordinate, shape (...)."""
        share = expit(free[..., -1])
        width = 1.0 - self.lowest
        first = width * share * (1.0 - share)
        return self.lowest + width * share, first, first * (1.0 - 2.0 * share)

    def _pattern(self, rho: np.ndarray) -> np.ndarray:
        eye = np.eye(self.visits)
        return eye + rho[..., None, None] * (1.0 - eye)

    def covariance(self, free: np.ndarray) -> np.ndarray:
        """Return the covariance, (..., K) to (..., v, v)."""
        sd = free[..., :-1]
        return sd[..., :, None] * sd[..., None, :] * self._pattern(self._correlation(free)[0])

    def _moved(self, weights: np.ndarray) -> np.ndarray:
        """Return E_cc M + M E_cc for every visit c: (..., v, v) to (..., v, v, v)."""
        v = self.visits
        moved = np.zeros((*weights.shape[:-2], v, v, v))
        moved[..., np.arange(v), np.arange(v), :] = weights
        return moved + np.swapaxes(moved, -1, -2)

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the free coordinates, (..., K, L)."""
        sd = free[..., :-1]
        rho, first, _ = self._correlation(free)
        in_sd = self._moved(self._pattern(rho) * sd[..., None, :])
        apart = sd[..., :, None] * sd[..., None, :] * (1.0 - np.eye(self.visits))
        in_rho = (first[..., None, None] * apart)[..., None, :, :]
        return pack(np.concatenate([in_sd, in_rho], axis=-3))

    def curvature(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return second derivatives weighted by a gradient, (..., K, K)."""
        sd = free[..., :-1]
        rho, first, second = self._correlation(free)
        matrix = gradient_matrix(gradient, self.visits)
        apart = matrix * (1.0 - np.eye(self.visits))
        mixed = 2.0 * first[..., None] * (apart @ sd[..., None])[..., 0]
        bent = np.zeros((*free.shape, self.size))
        bent[..., :-1, :-1] = 2.0 * matrix * self._pattern(rho)
        bent[..., :-1, -1] = bent[..., -1, :-1] = mixed
        bent[..., -1, -1] = second * (sd * (apart @ sd[..., None])[..., 0]).sum(axis=-1)
        return bent

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Return free coordinates near a proper covariance, (..., K)."""
        sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
        correlations = pack(covariance / (sd[..., :, None] * sd[..., None, :]))
        rho = correlations[..., multiplicity(self.visits) == 2.0].mean(axis=-1)
        share = np.clip((rho - self.lowest) / (1.0 - self.lowest), START_FLOOR, 1.0 - START_FLOOR)
        return np.concatenate([sd, np.log(share / (1.0 - share))[..., None]], axis=-1)

    def tangents(self, free: np.ndarray) -> np.ndarray:
        """Return derivatives of the elements in the parameters that count, (..., K, L)."""
        return self.jacobian(free)

    def bending(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the second derivatives that `tangents` leave out, (..., K, K)."""
        return self.curvature(free, gradient)


def structure_of_people(name: str, visits: int) -> Structure:
    """Return the covariance of one person's visits.

    Parameters
    ----------
    name : {"us", "cs", "csh"}
        Unstructured, compound symmetry, heterogeneous compound symmetry; of one visit all are its
        variance.
    visits : int
        Number of visits.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if visits == 1 and name in ("us", "cs", "csh"):
        return Components(np.ones((1, 1, 1)))
    if name == "us":
        return Unstructured(visits)
    if name == "csh":
        return HeterogeneousSymmetry(visits)
    if name == "cs":
        # Eigenspaces instead of (J, I), so that a negative covariance is allowed where V is proper.
        mean = np.full((visits, visits), 1.0 / visits)
        return Components(np.stack([mean, np.eye(visits) - mean]))
    raise ValueError(f"The covariance of a person's visits is us, cs or csh, not {name}.")


def structure_of_teams(name: str, visits: int) -> Structure:
    """Return the covariance of team effects over visits.

    Parameters
    ----------
    name : {"us", "cs", "intercept"}
        Unstructured; variances of team and team x visit, each at least zero; of team alone.
    visits : int
        Number of visits.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name == "us":
        return Unstructured(visits, proper=False)
    ones, eye = np.ones((visits, visits)), np.eye(visits)
    if name == "cs":
        return Components(np.stack([ones, eye]))
    if name == "intercept":
        return Components(ones[None])
    raise ValueError(f"The covariance of team effects is us, cs or intercept, not {name}.")


def nearest_proper(covariance: np.ndarray) -> np.ndarray:
    """Raise small or negative eigenvalues of symmetric (..., v, v) to a share of their mean."""
    values, vectors = np.linalg.eigh(covariance)
    floor = START_FLOOR * np.diagonal(covariance, axis1=-2, axis2=-1).mean(axis=-1)
    values = np.maximum(values, floor[..., None])
    return (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)


class Joint:
    """The covariance of a person's visits beside that of team effects, coordinates concatenated.

    Parameters
    ----------
    person : Structure
        Covariance within teams.
    team : Structure, optional
        Covariance of team effects.
    """

    def __init__(self, person: Structure, team: Structure | None) -> None:
        self.person, self.team = person, team
        self.parts = [person] if team is None else [person, team]
        edges = np.cumsum([0] + [part.size for part in self.parts])
        self.slices = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def covariances(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return both covariances (..., v, v); None for that of teams that are not modelled."""
        found = [
            part.covariance(free[..., cut])
            for part, cut in zip(self.parts, self.slices, strict=True)
        ]
        return found[0], None if self.team is None else found[1]

    def snapped(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Return both covariances with zero for what is zero, and whether teams' is singular.

        Shapes (B, v, v) twice and (B,), for free coordinates (B, K).
        """
        person, team = self.covariances(free)
        if team is None:
            return person, None, np.zeros(len(free), dtype=bool)
        floor = ZERO_SHARE * np.trace(person, axis1=-2, axis2=-1)[:, None] / self.person.visits
        if isinstance(self.team, Components):
            roots = free[:, self.slices[1]]
            zero = np.square(roots) <= floor
            return person, self.team.covariance(np.where(zero, 0.0, roots)), zero.any(axis=-1)
        values, vectors = np.linalg.eigh(team)
        zero = values <= floor
        values = np.where(zero, 0.0, values)
        return person, (vectors * values[:, None]) @ np.swapaxes(vectors, -1, -2), zero.any(-1)

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return (..., K, L) or, with teams, the block diagonal (..., K, 2 L)."""
        return self._blocks([p.jacobian(f) for p, f in self._split(free)])

    def tangents(self, free: np.ndarray) -> np.ndarray:
        """Return what `jacobian` does, in the parameters that count."""
        return self._blocks([p.tangents(f) for p, f in self._split(free)])

    def curvature(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the block diagonal (..., K, K)."""
        parts = zip(self._split(free), self._parts_of(gradient), strict=True)
        return self._blocks([p.curvature(f, g) for (p, f), g in parts])

    def bending(self, free: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the block diagonal (..., K, K)."""
        parts = zip(self._split(free), self._parts_of(gradient), strict=True)
        return self._blocks([p.bending(f, g) for (p, f), g in parts])

    def _split(self, free: np.ndarray) -> list[tuple[Structure, np.ndarray]]:
        return [(part, free[..., cut]) for part, cut in zip(self.parts, self.slices, strict=True)]

    def _parts_of(self, gradient: np.ndarray) -> list[np.ndarray]:
        return np.split(gradient, len(self.parts), axis=-1)

    def _blocks(self, blocks: list[np.ndarray]) -> np.ndarray:
        rows = np.cumsum([0, *(block.shape[-2] for block in blocks)])
        columns = np.cumsum([0, *(block.shape[-1] for block in blocks)])
        whole = np.zeros((*blocks[0].shape[:-2], rows[-1], columns[-1]))
        for k, block in enumerate(blocks):
            whole[..., rows[k] : rows[k + 1], columns[k] : columns[k + 1]] = block
        return whole
