"""What each cluster adds to a contrast: pieces of a sandwich, kept for pooling over imputations."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

import numpy as np

Index = tuple[int | slice | EllipsisType | np.ndarray | list[int], ...]  # of NumPy


@dataclass(frozen=True)
class Contributions:
    """Contributions of G clusters to k contrasts of fits with p coefficients.

    Attributes
    ----------
    adjusted : numpy.ndarray
        Those whose squares add up to the cluster-robust variance, shape (..., k, G).
    scores : numpy.ndarray
        L (X'X)^-1 X_g'e_g, which add up to zero, shape (..., k, G).
    weights : numpy.ndarray
        L (X'X)^-1 X_g'X_g, which add up to L, shape (..., k, G, p).
    coef : numpy.ndarray
        Coefficients of the fits, shape (..., 1, p) or (..., k, p).
    """

    adjusted: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    coef: np.ndarray

    def part(self, where: Index, shape: tuple[int, ...]) -> Contributions:
        """Return what an index of NumPy picks of the axes (..., k), first broadcast to a shape."""
        places = np.arange(np.prod(shape)).reshape(shape)
        at = places[where]

        def picked(array: np.ndarray, behind: int) -> np.ndarray:
            own = array.shape[array.ndim - behind :]
            return np.broadcast_to(array, shape + own).reshape(places.size, *own)[at]

        return Contributions(
            picked(self.adjusted, 1),
            picked(self.scores, 1),
            picked(self.weights, 2),
            picked(self.coef, 1),
        )

    def own(self) -> np.ndarray:
        """Return c_g = L (X'X)^-1 X_g'(y_g - X_g b), with b the mean of the first axis.

        Shape (m, ..., k, G); over the clusters they add up to the contrast less that of b.
        """
        apart = self.coef - self.coef.mean(axis=0)
        return self.scores + (self.weights @ apart[..., None])[..., 0]


def contributions(
    scores: np.ndarray, adjusted: np.ndarray, squares: np.ndarray, parts: tuple[np.ndarray, ...]
) -> Contributions:
    """Bring scores in an orthonormal basis of the design to contributions.

    Parameters
    ----------
    scores, adjusted : numpy.ndarray
        Q_g'e_g and its adjusted form, shape (..., G, p).
    squares : numpy.ndarray
        Q_g'Q_g, shape (..., G, p, p).
    parts : tuple of numpy.ndarray
        Contrasts (..., k, p), R^-1 of the design (..., p, p), and coefficients (..., p).
    """
    contrasts, inverse, coef = parts
    directions = contrasts @ inverse
    across = np.swapaxes(directions, -1, -2)
    triangle = np.linalg.inv(inverse)
    weights = directions[..., None, :, :] @ squares @ triangle[..., None, :, :]
    return Contributions(
        adjusted=np.swapaxes(adjusted @ across, -1, -2),
        scores=np.swapaxes(scores @ across, -1, -2),
        weights=np.swapaxes(weights, -2, -3),
        coef=coef[..., None, :],
    )
