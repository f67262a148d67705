"""What each cluster adds to a contrast: pieces of a sandwich, kept for pooling over imputations."""

from __future__ import annotations

from collections.abc import Sequence
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
        L (X'X)^-1 X_g'X_g, shape (..., k, G, p): of all columns, where they add up to L, or of
        those that a cluster touches.
    coef : numpy.ndarray
        Coefficients of the fits, shape (..., k or 1, G or 1, p).
    """

    adjusted: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    coef: np.ndarray

    def part(self, where: Index, shape: tuple[int, ...]) -> Contributions:
        """Return what an index of NumPy picks of the axes (..., k), first broadcast to a shape."""
        index = where if isinstance(where, tuple) else (where,)
        if not any(part is Ellipsis for part in index):
            index = (*index, *[slice(None)] * (len(shape) - len(index)))

        def picked(array: np.ndarray, behind: int) -> np.ndarray:
            own = array.shape[array.ndim - behind :]
            at = (*index, *[slice(None)] * behind)
            return np.ascontiguousarray(np.broadcast_to(array, shape + own)[at])

        return Contributions(
            picked(self.adjusted, 1),
            picked(self.scores, 1),
            picked(self.weights, 2),
            picked(self.coef, 2),
        )

    def own(self) -> np.ndarray:
        """Return c_g = L (X'X)^-1 X_g'(y_g - X_g b), with b the mean of the first axis.

        Shape (m, ..., k, G); over the clusters they add up to the contrast less that of b.
        """
        apart = self.coef - self.coef.mean(axis=0)
        return self.scores + (self.weights * apart).sum(axis=-1)


def contributions(
    scores: np.ndarray, adjusted: np.ndarray, squares: np.ndarray, parts: tuple[np.ndarray, ...]
) -> Contributions:
    """Bring scores in an orthonormal basis of the design to contributions.

    Parameters
    ----------
    scores, adjusted : numpy.ndarray
        Contrasts in the basis times Q_g'e_g and times its adjusted form, shape (..., G, k).
    squares : numpy.ndarray
        Q_g'Q_g, shape (..., G, q, q).
    parts : tuple of numpy.ndarray
        Contrasts in the basis (..., G or 1, k, q), what leads from coefficients to the basis
        (..., G or 1, q, q), and coefficients (..., 1, G or 1, q).
    """
    directions, triangle, coef = parts
    adjusted, scores = (
        np.ascontiguousarray(np.swapaxes(part, -1, -2)) for part in (adjusted, scores)
    )
    weights = np.swapaxes(directions @ squares @ triangle, -2, -3)
    return Contributions(adjusted, scores, np.ascontiguousarray(weights), coef)


def joined(parts: Sequence[Contributions]) -> Contributions:
    """Return the contributions to sums of contrasts of several models of the same clusters."""
    if len(parts) == 1:
        return parts[0]
    number = parts[0].adjusted.shape[-1]
    coef = [
        np.broadcast_to(part.coef, (*part.coef.shape[:-2], number, part.coef.shape[-1]))
        for part in parts
    ]
    return Contributions(
        adjusted=np.sum([part.adjusted for part in parts], axis=0),
        scores=np.sum([part.scores for part in parts], axis=0),
        weights=np.concatenate([part.weights for part in parts], axis=-1),
        coef=np.concatenate(coef, axis=-1),
    )
