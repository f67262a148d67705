"""Values with their first and second derivatives in K parameters, carried through arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Jet:
    """Functions of K parameters at a point.

    Attributes
    ----------
    value : numpy.ndarray
        Any shape (*shape).
    first : numpy.ndarray
        First derivatives, shape (K, *shape).
    second : numpy.ndarray
        Second derivatives, shape (K, K, *shape).
    """

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __add__(self, other: Jet | float | np.ndarray) -> Jet:
        if isinstance(other, Jet):
            return Jet(
                self.value + other.value, self.first + other.first, self.second + other.second
            )
        return Jet(self.value + other, self.first, self.second)

    def __mul__(self, other: Jet | float | np.ndarray) -> Jet:
        if not isinstance(other, Jet):
            return self.each(lambda part: part * other)
        mixed = self.first[:, None] * other.first[None]
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value
            + self.value * other.second
            + mixed
            + np.swapaxes(mixed, 0, 1),
        )

    def __sub__(self, other: Jet) -> Jet:
        return self + other * -1.0

    def each(self, linear: Callable[[np.ndarray], np.ndarray]) -> Jet:
        """Apply a linear map that acts on the trailing axes."""
        return Jet(linear(self.value), linear(self.first), linear(self.second))

    def _chain(self, value: np.ndarray, slope: np.ndarray, bend: np.ndarray) -> Jet:
        square = self.first[:, None] * self.first[None]
        return Jet(value, slope * self.first, slope * self.second + bend * square)

    def reciprocal(self) -> Jet:
        """Return 1 / self."""
        one = 1.0 / self.value
        return self._chain(one, -(one**2), 2.0 * one**3)

    def log(self) -> Jet:
        """Return the natural logarithm."""
        one = 1.0 / self.value
        return self._chain(np.log(self.value), one, -(one**2))

    def square_sum(self, weight: Jet) -> Jet:
        """Sum weight_g s_g s_g' over g: vectors (..., g, q), weights (..., g) to (..., q, q)."""
        heavy = weight.column() * self
        K = len(self.first)
        value = _gram(heavy.value, self.value)
        first = _gram(heavy.first, self.value) + _gram(heavy.value, self.first)
        second = np.empty((K, K, *value.shape))
        for i in range(K):
            for j in range(i, K):
                total = _gram(heavy.second[i, j], self.value)
                total = total + _gram(heavy.value, self.second[i, j])
                total = total + _gram(heavy.first[i], self.first[j])
                second[i, j] = second[j, i] = total + _gram(heavy.first[j], self.first[i])
        return Jet(value, first, second)

    def column(self) -> Jet:
        """Add a last axis of one."""
        return self.each(lambda part: part[..., None])


def variable(values: np.ndarray, k: int) -> Jet:
    """Return parameter k of (..., K) as a jet of shape (...)."""
    K = values.shape[-1]
    first = np.zeros((K, *values.shape[:-1]))
    first[k] = 1.0
    return Jet(values[..., k], first, np.zeros((K, K, *values.shape[:-1])))


def _gram(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.swapaxes(left, -1, -2) @ right
