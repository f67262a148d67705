"""Symmetric matrices as vectors: the coordinates in which every covariance here is linear.

A symmetric matrix of order v has the coordinates theta_k = A[a, b], k = (a, b) with a <= b, and is
the sum of theta_k G_k, where G_k has ones at (a, b) and (b, a): v (v + 1) / 2 of them, row by row.
"""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def pairs(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows a and columns b of the coordinates (a, b), each of shape (L,)."""
    return np.triu_indices(order)


@cache
def positions(order: int) -> np.ndarray:
    """Return the coordinate that each element of a matrix has, shape (order, order)."""
    rows, columns = pairs(order)
    index = np.empty((order, order), dtype=int)
    index[rows, columns] = index[columns, rows] = np.arange(len(rows))
    return index


@cache
def multiplicity(order: int) -> np.ndarray:
    """Return how often each coordinate stands in the matrix: 1 or 2, shape (L,)."""
    rows, columns = pairs(order)
    return np.where(rows == columns, 1.0, 2.0)


def pack(matrix: np.ndarray) -> np.ndarray:
    """Return the coordinates of symmetric matrices: (..., v, v) to (..., L)."""
    rows, columns = pairs(matrix.shape[-1])
    return matrix[..., rows, columns]


def unpack(coordinates: np.ndarray, order: int) -> np.ndarray:
    """Return the symmetric matrices with these coordinates: (..., L) to (..., v, v)."""
    return coordinates[..., positions(order)]


def gradient_matrix(gradient: np.ndarray, order: int) -> np.ndarray:
    """Return the symmetric matrices C with <C, G_k> = gradient_k: (..., L) to (..., v, v)."""
    return unpack(gradient / multiplicity(order), order)


def products(matrix: np.ndarray) -> np.ndarray:
    """Return <M, G_k>, for matrices that need not be symmetric: (..., v, v) to (..., L)."""
    return pack(matrix + np.swapaxes(matrix, -1, -2)) * (0.5 * multiplicity(matrix.shape[-1]))


def cross_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum left' G_k right over units: (..., n, v, p) and (..., n, v, q) to (..., L, p, q)."""
    v, p, q = left.shape[-2], left.shape[-1], right.shape[-1]
    flat_left = left.reshape(*left.shape[:-2], v * p)
    flat_right = right.reshape(*right.shape[:-2], v * q)
    full = np.swapaxes(flat_left, -1, -2) @ flat_right
    full = full.reshape(*full.shape[:-2], v, p, v, q).swapaxes(-3, -2)
    rows, columns = pairs(v)
    summed = full[..., rows, columns, :, :] + full[..., columns, rows, :, :]
    return summed * (0.5 * multiplicity(v))[:, None, None]


def sandwich(matrix: np.ndarray) -> np.ndarray:
    """Return A S A' as a matrix on coordinates of S: (..., v, v) to (..., L, L)."""
    rows, columns = pairs(matrix.shape[-1])
    a, b, c, d = rows[:, None], columns[:, None], rows, columns
    both = matrix[..., a, c] * matrix[..., b, d] + matrix[..., a, d] * matrix[..., b, c]
    return both * (0.5 * multiplicity(matrix.shape[-1]))


def congruence(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum tr(G_k M G_l N') over a stack of M and N: (..., n, v, v) twice to (..., L, L)."""
    v = left.shape[-1]
    flat_left = left.reshape(*left.shape[:-2], v * v)
    flat_right = right.reshape(*right.shape[:-2], v * v)
    full = np.swapaxes(flat_left, -1, -2) @ flat_right
    full = full.reshape(*full.shape[:-2], v, v, v, v)
    rows, columns = pairs(v)
    a, b, c, d = rows[:, None], columns[:, None], rows, columns
    summed = (
        full[..., a, d, b, c]
        + full[..., b, d, a, c]
        + full[..., a, c, b, d]
        + full[..., b, c, a, d]
    )
    half = 0.5 * multiplicity(v)
    return summed * (half[:, None] * half)


def contract(weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return sum_kl W_kl G_k M_n G_l: (..., L, L) and (..., n, v, v) to (..., n, v, v)."""
    v = matrix.shape[-1]
    index = positions(v)
    # [b, c, a, d] of W_(ab)(cd), so that one product sums over b and c.
    spread = weights[..., index.T[:, None, :, None], index[None, :, None, :]]
    flat = matrix.reshape(*matrix.shape[:-2], v * v)
    mixed = flat @ spread.reshape(*weights.shape[:-2], v * v, v * v)
    return mixed.reshape(matrix.shape)
