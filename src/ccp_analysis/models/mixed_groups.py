"""What effects shared by the people of a team add to the likelihood of visits.

In a team the covariance is V = D + Z T Z', with D block diagonal over people and Z giving everyone
the team's effect at the visits attended. By Woodbury's identity V^-1 = W - W Z K Z'W with
M = Z'WZ and K = (1 + T M)^-1 T, which needs no inverse of T: team effects may be singular. Every
sum over the pairs of people in a team factorises through matrices of order v.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ccp_analysis.models.mixed_moments import VisitMoments
from ccp_analysis.models.symmetric import (
    congruence,
    contract,
    cross_products,
    multiplicity,
    pairs,
    products,
    sandwich,
)


class TeamAlgebra:
    """Team terms at given covariances; B fits, G teams, N cells of team and pattern.

    Parameters
    ----------
    moments : VisitMoments
        With team sums.
    weights : numpy.ndarray
        Inverse covariances of the patterns, shape (B, S, v, v).
    covariance : numpy.ndarray
        T, shape (B, v, v).

    Raises
    ------
    ValueError
        If the moments have no team sums.
    """

    def __init__(self, moments: VisitMoments, weights: np.ndarray, covariance: np.ndarray) -> None:
        if moments.teams is None:
            raise ValueError("Team effects need the sums over the people of each team.")
        self.moments, self.sums, self.weights = moments, moments.teams, weights
        B, S, v, _ = weights.shape
        G = self.sums.counts.shape[-2]
        self.M = (self.sums.counts @ weights.reshape(B, S, v * v)).reshape(B, G, v, v)
        grown = np.eye(v) + covariance[:, None] @ self.M
        K = np.linalg.solve(grown, np.broadcast_to(covariance[:, None], grown.shape))
        self.K = 0.5 * (K + np.swapaxes(K, -1, -2))
        self.log_determinant = np.linalg.slogdet(grown)[1].sum(axis=-1)
        self.cells = self.sums.augmented()
        self.B = self.sums.by_team(self.cell_weights @ self.cells)
        # Predicted team effects, of the basis and of the residuals.
        self.effects = self.K @ self.B

    @cached_property
    def cell_weights(self) -> np.ndarray:
        """W of each cell's pattern, shape (B, N, v, v)."""
        return self.weights[:, self.sums.cell_pattern]

    @cached_property
    def explained(self) -> np.ndarray:
        """What team effects take from the cross-products, shape (B, p + 1, p + 1)."""
        B, G, v, q = self.B.shape
        flat = self.B.reshape(B, G * v, q)
        return np.swapaxes(flat, -1, -2) @ self.effects.reshape(B, G * v, q)

    @cached_property
    def shared(self) -> np.ndarray:
        """Sum over people of W K W by pattern, shape (B, S, v, v)."""
        B, G, v, _ = self.K.shape
        summed = (np.swapaxes(self.sums.counts, -1, -2) @ self.K.reshape(B, G, v * v)).reshape(
            B, -1, v, v
        )
        return self.weights @ summed @ self.weights

    @cached_property
    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cross-products by pattern after subtracting predicted team effects."""
        moments, p = self.moments, self.moments.columns
        effects = self.effects[:, self.sums.cell_team]
        rest = self.cells - self.sums.people[..., None, None] * effects
        edges = np.searchsorted(self.sums.cell_pattern, np.arange(len(moments.seen) + 1))
        taken = np.stack(
            [
                cross_products(self.cells[:, low:high], effects[:, low:high])
                + cross_products(effects[:, low:high], rest[:, low:high])
                for low, high in zip(edges[:-1], edges[1:], strict=True)
            ],
            axis=1,
        )
        rows, columns = pairs(p)
        return (
            moments.design - taken[..., rows, columns],
            moments.mixed - taken[..., :p, p],
            moments.outcome - taken[..., p, p],
        )

    @cached_property
    def scores(self) -> np.ndarray:
        """Z'V^-1 (X, e), shape (B, G, v, p + 1)."""
        return self.B - self.M @ self.effects

    @cached_property
    def inner(self) -> np.ndarray:
        """Z'V^-1 Z, shape (B, G, v, v)."""
        inner = self.M - self.M @ self.K @ self.M
        return 0.5 * (inner + np.swapaxes(inner, -1, -2))

    @cached_property
    def cell_scores(self) -> np.ndarray:
        """Sums of V^-1 (X, e) over the people of each cell, shape (B, N, v, p + 1)."""
        effects = self.effects[:, self.sums.cell_team]
        return self.cell_weights @ (self.cells - self.sums.people[..., None, None] * effects)

    @cached_property
    def cell_links(self) -> np.ndarray:
        """V^-1 Z of one person of each cell, shape (B, N, v, v)."""
        left = np.eye(self.M.shape[-1]) - self.K @ self.M
        return self.cell_weights @ left[:, self.sums.cell_team]

    def bends(self, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return X'V^-1 G_k V^-1 (X, r) for team coordinates, (B, L, p, p) and (B, L, p)."""
        p = self.moments.columns
        scores = self.scores @ turn[:, None]
        found = cross_products(scores[..., :p], scores)
        return found[..., :p], found[..., p]

    def gradient(self, turn: np.ndarray, reml: bool) -> np.ndarray:
        """Return first derivatives in team coordinates, shape (B, L)."""
        scores = self.scores @ turn[:, None]
        taken = scores if reml else scores[..., -1:]
        return products((self.inner - taken @ np.swapaxes(taken, -1, -2)).sum(axis=1))

    def second(
        self, turn: np.ndarray, traces: np.ndarray, quadratic: np.ndarray, forms: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Complete the three second-order matrices of people's coordinates, to (B, 2L, 2L)."""
        scores = self.scores @ turn[:, None]
        cell_scores = self.cell_scores @ turn[:, None]
        team_scores = scores[:, self.sums.cell_team]
        half_bends = self._half_bends(cell_scores)
        found = [_blocks(self._inner_traces(traces), self._mixed_traces(), self._outer(self.inner))]
        for start, cut in ((quadratic, np.s_[:-1]), (forms, np.s_[-1:])):
            mixed = cell_scores[..., cut] @ np.swapaxes(team_scores[..., cut], -1, -2)
            outer = scores[..., cut] @ np.swapaxes(scores[..., cut], -1, -2)
            found.append(
                _blocks(
                    start - self._pairs_of_people(half_bends[..., cut]),
                    congruence(mixed, self.cell_links),
                    self._outer(outer),
                )
            )
        traces, quadratic, forms = found
        return traces, quadratic, forms

    def _inner_traces(self, traces: np.ndarray) -> np.ndarray:
        """Return tr(V^-1 G_k V^-1 G_l) between coordinates of people."""
        B, S = self.weights.shape[:2]
        bent = sandwich(self.weights)
        L = bent.shape[-1]
        per_team = (self.sums.counts @ bent.reshape(B, S, L * L)).reshape(B, -1, L, L)
        paired = (per_team @ sandwich(self.K) @ per_team).sum(axis=1)
        paired = paired * multiplicity(self.M.shape[-1])[:, None]
        return traces - 2.0 * congruence(self.shared, self.weights) + paired

    def _mixed_traces(self) -> np.ndarray:
        links = self.cell_links
        return congruence(self.sums.people[..., None, None] * links, links)

    def _outer(self, middle: np.ndarray) -> np.ndarray:
        return congruence(middle, self.inner)

    def _half_bends(self, cell_scores: np.ndarray) -> np.ndarray:
        """Return Z'W G_k V^-1 (X, r) for coordinates of people, (B, G, L, v, q)."""
        B, _, v, q = cell_scores.shape
        rows, columns = pairs(v)
        found = np.zeros((B, self.sums.counts.shape[-2], len(rows), v, q))
        half = (0.5 * multiplicity(v))[:, None, None]
        # Pattern by pattern, in which a team has one cell: the sum over cells needs no more memory.
        for s in range(self.weights.shape[1]):
            cells = np.flatnonzero(self.sums.cell_pattern == s)
            scores, teams = cell_scores[:, cells][:, :, :, None], self.sums.cell_team[cells]
            for one, other in ((rows, columns), (columns, rows)):
                factor = half * self.weights[:, s, one][:, None, :, :, None]
                found[:, teams] += factor * scores[:, :, other]
        return found

    def _pairs_of_people(self, half_bends: np.ndarray) -> np.ndarray:
        """Return the part of the sum over people that runs through the teams' K, (B, L, L)."""
        B, G, L = half_bends.shape[:3]
        moved = self.K[:, :, None] @ half_bends
        left = np.moveaxis(half_bends, 2, 1).reshape(B, L, -1)
        right = np.moveaxis(moved, 2, 1).reshape(B, L, -1)
        return left @ np.swapaxes(right, -1, -2)

    def weighted_second(self, weights: np.ndarray) -> np.ndarray:
        """Return the teams' part of sum_kl weights_kl Q_kl, (B, 2L, 2L) to (B, p, p)."""
        p, L = self.moments.columns, len(pairs(self.moments.visits)[0])
        scores, cell_scores = self.scores[..., :p], self.cell_scores[..., :p]
        bends = self._half_bends(cell_scores)
        mixed_bends = np.einsum("bkl,bglvp->bgkvp", weights[:, :L, :L], bends, optimize=True)
        inner = _contracted(bends, self.K[:, :, None] @ mixed_bends)
        links = contract(weights[:, :L, L:], self.cell_links)
        mixed = _contracted(cell_scores, links @ scores[:, self.sums.cell_team])
        outer = _contracted(scores, contract(weights[:, L:, L:], self.inner) @ scores)
        return outer - inner + mixed + np.swapaxes(mixed, -1, -2)


def _blocks(inner: np.ndarray, mixed: np.ndarray, outer: np.ndarray) -> np.ndarray:
    top = np.concatenate([inner, mixed], axis=-1)
    return np.concatenate(
        [top, np.concatenate([np.swapaxes(mixed, -1, -2), outer], axis=-1)], axis=-2
    )


def _contracted(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum left' right over everything between the batch and the columns: to (B, p, p)."""
    B, p = left.shape[0], left.shape[-1]
    return np.swapaxes(left.reshape(B, -1, p), -1, -2) @ right.reshape(B, -1, p)
