"""Designs of categorical models: whole arrays, or with what is the same within patterns once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.ols import Grouping


@dataclass(frozen=True)
class Whole:
    """Rows as one array X, shape (m, n, q)."""

    X: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, n, q)."""
        return self.X.shape

    def times(self, beta: np.ndarray) -> np.ndarray:
        """Return X b, of coefficients (m, k, q): (m, n, k)."""
        return self.X @ beta.swapaxes(1, 2)

    def products(self, values: np.ndarray) -> np.ndarray:
        """Return v'X, of values (m, n, k): (m, k, q)."""
        return values.swapaxes(1, 2) @ self.X

    def squares(self, share: np.ndarray) -> np.ndarray:
        """Return X' diag(s) X, of weights (m, n): (m, q, q)."""
        return (self.X * share[:, :, None]).swapaxes(1, 2) @ self.X


@dataclass(frozen=True)
class Patterned:
    """Rows whose first f columns are the same within G patterns, then some others.

    Attributes
    ----------
    inside : Grouping
        Pattern of each of the first rows.
    lines : numpy.ndarray
        First columns of each pattern, shape (G, f).
    rest : numpy.ndarray
        The other columns, shape (m, n, q - f).
    added : Whole
        Rows behind them.
    """

    inside: Grouping
    lines: np.ndarray
    rest: np.ndarray
    added: Whole

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, n, q)."""
        m, count, q = self.added.shape
        return m, self.rest.shape[1] + count, q

    def times(self, beta: np.ndarray) -> np.ndarray:
        """As `Whole.times`."""
        first = on_patterns(self.lines, self.inside.codes, self.rest, beta)
        return np.concatenate([first, self.added.times(beta)], axis=1)

    def products(self, values: np.ndarray) -> np.ndarray:
        """As `Whole.products`."""
        n = self.rest.shape[1]
        own, last = values[:, :n], self.added.products(values[:, n:])
        first = self.inside.sums(own).swapaxes(1, 2) @ self.lines
        return np.concatenate([first, own.swapaxes(1, 2) @ self.rest], axis=2) + last

    def squares(self, share: np.ndarray) -> np.ndarray:
        """As `Whole.squares`."""
        n, f = self.rest.shape[1], self.lines.shape[1]
        found = self.added.squares(share[:, n:])
        weighted = self.rest * share[:, :n, None]
        of_patterns = self.inside.sums(share[:, :n, None])
        crossed = self.lines.T @ self.inside.sums(weighted)
        found[:, :f, :f] += (of_patterns * self.lines).swapaxes(1, 2) @ self.lines
        found[:, :f, f:] += crossed
        found[:, f:, :f] += crossed.swapaxes(1, 2)
        found[:, f:, f:] += weighted.swapaxes(1, 2) @ self.rest
        return found


def on_patterns(
    lines: np.ndarray, codes: np.ndarray, rest: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """Return linear predictors (m, n, k) of rows of patterns with other columns (m, n, d)."""
    f = lines.shape[1]
    of_patterns = lines @ beta[:, :, :f].swapaxes(1, 2)
    return of_patterns[:, codes] + rest @ beta[:, :, f:].swapaxes(1, 2)
