"""Derivatives of a random-intercept model in its two variances, for small-sample inference.

V is linear in theta = (var_group, var_resid): V = theta_1 Z Z' + theta_2 I. In a group's own space
Z Z' and V^-1 share their eigenvectors (the mean, and what is left of it), so that every matrix
below is a weighted sum over groups.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ccp_analysis.models.inference import positive_inverse
from ccp_analysis.models.ols import times

if TYPE_CHECKING:
    from ccp_analysis.models.reml import RandomInterceptFit


class RandomInterceptPieces:
    """Matrices of Kenward & Roger (1997), with their symbols; variances along an axis of two.

    In the orthonormal basis of the design and in units of the residual variance.

    Parameters
    ----------
    fit : RandomInterceptFit
        Fits of a batch.
    """

    def __init__(self, fit: RandomInterceptFit) -> None:
        self.fit = fit
        self.moments = fit.moments
        sizes = fit.moments.sizes
        with np.errstate(invalid="ignore"):
            ratio = (fit.var_group / fit.var_resid)[..., None]
        self.shrinkage = 1.0 / (1.0 + sizes * ratio)
        self.phi = np.linalg.inv(self._product(1, 0))

    def _product(self, inverses: int, groups: int) -> np.ndarray:
        """Return Q' V^-a (ZZ')^b Q for a inverses and b group matrices, in any order."""
        sizes = self.moments.sizes
        between = self.moments.weighted(self.shrinkage**inverses * sizes ** (groups + 1.0))
        return between if groups else self.moments.within + between

    @cached_property
    def P(self) -> np.ndarray:
        """P_i = -Q' V^-1 G_i V^-1 Q, shape (..., 2, p, p)."""
        return -np.stack([self._product(2, 1), self._product(2, 0)], axis=-3)

    @cached_property
    def Q(self) -> np.ndarray:
        """Q_ij = Q' V^-1 G_i V^-1 G_j V^-1 Q, shape (..., 2, 2, p, p)."""
        mixed = self._product(3, 1)
        rows = [[self._product(3, 2), mixed], [mixed, self._product(3, 0)]]
        return np.stack([np.stack(row, axis=-3) for row in rows], axis=-4)

    @cached_property
    def traces(self) -> np.ndarray:
        """tr(V^-1 G_i V^-1 G_j), shape (..., 2, 2)."""
        sizes, square = self.moments.sizes, self.shrinkage**2
        mixed = (square * sizes).sum(axis=-1)
        resid = (sizes - 1.0 + square).sum(axis=-1)
        return _symmetric((square * sizes**2).sum(axis=-1), mixed, resid)

    @cached_property
    def expected(self) -> np.ndarray:
        """tr(P G_i P G_j) of the projected inverse, twice the expected information."""
        moved = self.phi[..., None, :, :] @ self.P
        cross = np.einsum("...ab,...ijba->...ij", self.phi, self.Q)
        return self.traces - 2.0 * cross + np.einsum("...iab,...jba->...ij", moved, moved)

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the deviance, twice the observed information."""
        moments = self.moments
        left, sizes, shrinkage = moments.resid_means, moments.sizes, self.shrinkage
        square = sizes * left**2 * shrinkage**3
        forms = _symmetric(
            (square * sizes**2).sum(axis=-1),
            (square * sizes).sum(axis=-1),
            square.sum(axis=-1) + moments.resid_square,
        )
        weights = shrinkage**2 * sizes * left
        group = times(weights * sizes, moments.means)
        scores = np.stack([group, times(weights, moments.means) + moments.resid_cross], axis=-2)
        forms = forms - scores @ self.phi @ np.swapaxes(scores, -1, -2)
        lost = self.expected if self.fit.method == "REML" else self.traces
        return 2.0 * forms - lost

    @property
    def unit(self) -> np.ndarray:
        """Squared units of the outcome per unit of variance here, shape (...)."""
        return self.fit.var_resid

    @cached_property
    def spread(self) -> np.ndarray:
        """Covariance of the variances by the observed information, shape (..., 2, 2).

        On the boundary the group variance counts as known.
        """
        resid = 2.0 / self.observed[..., 1, 1]
        known = _symmetric(np.zeros_like(resid), np.zeros_like(resid), resid)
        at_zero = (self.fit.status == "boundary")[..., None, None]
        return np.where(at_zero, known, 2.0 * positive_inverse(self.observed))

    def second(self, weights: np.ndarray) -> np.ndarray:
        """Return sum W_ij Q_ij, (..., 2, 2) to (..., p, p)."""
        return np.einsum("...ij,...ijab->...ab", weights, self.Q)


def _symmetric(first: np.ndarray, mixed: np.ndarray, second: np.ndarray) -> np.ndarray:
    rows = np.broadcast_arrays(first, mixed, mixed, second)
    return np.stack(rows, axis=-1).reshape(rows[0].shape + (2, 2))
