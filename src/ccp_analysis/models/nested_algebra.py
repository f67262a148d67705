"""The likelihood of nested random intercepts, and its derivatives in the variances.

Adding a level to a group's inverse covariance is a rank-one update, so that a recursion from the
rows to the outermost level costs O(groups p^2). Its first and second derivatives are carried along
(`jets`) and are all that estimation and small-sample inference need: with G_k the matrix of level
k, d2(X'V^-1 X) = Q_kl + Q_lk and d2 log|V| = -tr(V^-1 G_k V^-1 G_l). Symbols as in Kenward & Roger
(1997).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ccp_analysis.models.jets import variable
from ccp_analysis.models.ols import Grouping, grouping


@dataclass(frozen=True)
class NestedMoments:
    """Sums over the innermost groups, and the tree above them; B fits, q = p + 1 columns.

    Innermost groups of one size within one group of the level above weigh the same, whatever the
    variances: they are summed into cells. Without a level above there is a cell for each size.

    Attributes
    ----------
    sizes : numpy.ndarray
        Different sizes of the innermost groups, shape (Z,).
    groups : numpy.ndarray
        Groups of each size, shape (Z,).
    within : numpy.ndarray
        Within-group cross-products of basis and residuals, shape (B, q, q).
    squares : numpy.ndarray
        Cross-products of group means, summed by size, shape (B, Z, q, q).
    cell_size : numpy.ndarray of int
        Position in `sizes` of each cell, shape (C,).
    cell_groups : numpy.ndarray
        Groups in each cell, shape (C,).
    cell_sums : numpy.ndarray
        Sums of the group means of each cell, shape (B, C, q).
    parents : tuple of Grouping
        Cells by groups of the second level, these by groups of the third, and so on outwards.
    """

    sizes: np.ndarray
    groups: np.ndarray
    within: np.ndarray
    squares: np.ndarray
    cell_size: np.ndarray
    cell_groups: np.ndarray
    cell_sums: np.ndarray
    parents: tuple[Grouping, ...]

    def take(self, fits: np.ndarray) -> NestedMoments:
        """Return the moments of some fits of the batch."""
        return replace(
            self,
            within=self.within[fits],
            squares=self.squares[fits],
            cell_sums=self.cell_sums[fits],
        )


def nested_moments(
    basis: np.ndarray, residuals: np.ndarray, levels: list[Grouping]
) -> NestedMoments:
    """Sum the rows of a study.

    Parameters
    ----------
    basis : numpy.ndarray
        Design, shape (n, p) or (..., n, p).
    residuals : numpy.ndarray
        What the design leaves of the outcomes, shape (..., n).
    levels : list of Grouping
        Groups of the rows, from the innermost level, each level within the next.

    Returns
    -------
    NestedMoments
    """
    batch, p, inner = residuals.shape[:-1], basis.shape[-1], levels[0]
    G = len(inner.sizes)
    basis_means, resid_means = inner.means(basis), inner.means(residuals[..., None])
    centred = basis - basis_means[..., inner.codes, :]
    left = residuals[..., None] - resid_means[..., inner.codes, :]
    within = np.empty((*batch, p + 1, p + 1))
    within[..., :p, :p] = np.swapaxes(centred, -1, -2) @ centred
    within[..., :p, p:] = np.swapaxes(centred, -1, -2) @ left
    within[..., p:, :p] = np.swapaxes(within[..., :p, p:], -1, -2)
    within[..., p, p] = np.square(left[..., 0]).sum(axis=-1)
    means = np.concatenate([np.broadcast_to(basis_means, (*batch, G, p)), resid_means], axis=-1)
    means = means.reshape(-1, G, p + 1)

    sizes, of_size = np.unique(inner.sizes, return_inverse=True)
    above = [_parent(low, high) for low, high in zip(levels[:-1], levels[1:], strict=True)]
    first = above[0] if above else np.zeros(G, dtype=int)
    keys, of_cell, cell_groups = np.unique(
        first * len(sizes) + of_size, return_inverse=True, return_counts=True
    )
    outwards = [keys // len(sizes), *above[1:]] if above else []
    return NestedMoments(
        sizes=sizes.astype(float),
        groups=np.bincount(of_size).astype(float),
        within=within.reshape(-1, p + 1, p + 1),
        squares=_by_code(means, of_size, lambda part: np.swapaxes(part, -1, -2) @ part),
        cell_size=keys % len(sizes),
        cell_groups=cell_groups.astype(float),
        cell_sums=_by_code(means, of_cell, lambda part: part.sum(axis=-2)),
        parents=tuple(grouping(codes, len(codes)) for codes in outwards),
    )


def _parent(level: Grouping, above: Grouping) -> np.ndarray:
    """Return the group of the level above that each group lies in."""
    parent = np.empty(len(level.sizes), dtype=int)
    parent[level.codes] = above.codes
    return parent


def _by_code(
    values: np.ndarray, codes: np.ndarray, collect: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Collect the rows (B, G, q) of each code into one array each, stacked along axis 1."""
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(codes.max() + 2))
    ordered = values[:, order]
    parts = [collect(ordered[:, low:high]) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return np.stack(parts, axis=1)


class NestedAlgebra:
    """The criterion and its derivatives at given variances.

    Parameters
    ----------
    moments : NestedMoments
        Sums over the rows.
    theta : numpy.ndarray
        Variances from the inside: residual, innermost level, ..., outermost; shape (B, K).
    n : int
        Number of rows.
    reml : bool
        Whether the criterion is restricted.
    """

    def __init__(self, moments: NestedMoments, theta: np.ndarray, n: int, reml: bool) -> None:
        self.reml, self.p = reml, moments.within.shape[-1] - 1
        resid = variable(theta, 0)
        # Variance of the mean of an innermost group, by size; its inverse is the group's weight.
        spread = resid.each(lambda part: part[..., None] / moments.sizes)
        spread = spread + variable(theta, 1).column()
        weight = spread.reciprocal()
        pooled = (moments.groups * (moments.sizes - 1.0)).sum()
        whole = (spread.log() + np.log(moments.sizes)) * moments.groups
        self.log_determinant = resid.log() * pooled + whole.each(lambda part: part.sum(axis=-1))
        flat = moments.squares.reshape(*moments.squares.shape[:2], -1)
        between = weight.each(lambda part: (part[..., None, :] @ flat)[..., 0, :])
        shape = moments.within.shape[1:]
        between = between.each(lambda part: part.reshape(*part.shape[:-1], *shape))
        self.products = resid.reciprocal().column().column() * moments.within + between
        weight = weight.each(lambda part: part[..., moments.cell_size])
        sums = weight.column() * moments.cell_sums
        mass = weight * moments.cell_groups
        for level, above in enumerate(moments.parents, start=2):
            variance = variable(theta, level).column()
            sums, mass = sums.each(above.sums), mass.column().each(above.sums)
            mass = mass.each(lambda part: part[..., 0])
            grown = variance * mass + 1.0
            shrink = grown.reciprocal()
            added = grown.log().each(lambda part: part.sum(axis=-1))
            self.log_determinant = self.log_determinant + added
            self.products = self.products - sums.square_sum(variance * shrink)
            sums, mass = sums * shrink.column(), mass * shrink

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^-1 X)^-1, shape (B, p, p)."""
        return np.linalg.inv(self.products.value[:, : self.p, : self.p])

    @cached_property
    def gamma(self) -> np.ndarray:
        """Coefficients of the basis for the residuals, shape (B, p)."""
        return (self.phi @ self.products.value[:, : self.p, self.p :])[..., 0]

    @cached_property
    def value(self) -> np.ndarray:
        """The deviance without its constant, shape (B,)."""
        p, whole = self.p, self.products.value
        found = self.log_determinant.value + whole[:, p, p] - (whole[:, :p, p] * self.gamma).sum(-1)
        return found + np.linalg.slogdet(whole[:, :p, :p])[1] if self.reml else found

    @cached_property
    def P(self) -> np.ndarray:
        """P_k = -X'V^-1 G_k V^-1 X, shape (B, K, p, p)."""
        return np.moveaxis(self.products.first[..., : self.p, : self.p], 0, 1)

    @cached_property
    def Q(self) -> np.ndarray:
        """Symmetric part of X'V^-1 G_k V^-1 G_l V^-1 X, shape (B, K, K, p, p)."""
        return 0.5 * np.moveaxis(self.products.second[..., : self.p, : self.p], 2, 0)

    @cached_property
    def _residual(self) -> np.ndarray:
        """The combination of the columns that is the residual, shape (B, p + 1)."""
        return np.concatenate([-self.gamma, np.ones((len(self.gamma), 1))], axis=-1)

    @cached_property
    def gradient(self) -> np.ndarray:
        """First derivatives of the criterion, shape (B, K)."""
        left = self._residual
        found = np.einsum("kbij,bi,bj->bk", self.products.first, left, left)
        found = found + self.log_determinant.first.T
        return found + np.einsum("bkij,bji->bk", self.P, self.phi) if self.reml else found

    @cached_property
    def expected(self) -> np.ndarray:
        """Twice the expected information, shape (B, K, K)."""
        traces = -np.moveaxis(self.log_determinant.second, 2, 0)
        if not self.reml:
            return traces
        moved = self.phi[:, None] @ self.P
        cross = np.einsum("bij,bklji->bkl", self.phi, self.Q)
        return traces - 2.0 * cross + np.einsum("bkij,blji->bkl", moved, moved)

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the criterion, shape (B, K, K)."""
        left = self._residual
        twice = np.einsum("klbij,bi,bj->bkl", self.products.second, left, left)
        scores = np.einsum("kbij,bj->bki", self.products.first[..., : self.p, :], left)
        lost = scores @ self.phi @ np.swapaxes(scores, -1, -2)
        return twice - 2.0 * lost - self.expected
