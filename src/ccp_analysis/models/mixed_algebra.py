"""The likelihood of a covariance over visits, and its derivatives in the covariance's elements.

With V_s the covariance of the visits in pattern s and W_s its inverse (zero at visits not in the
pattern), every sum over people is a contraction of W_s with the cross-products of that pattern.
Symbols as in Kenward & Roger (1997): Phi = (X'V^-1 X)^-1, P_k = -X'V^-1 G_k V^-1 X and
Q_kl = X'V^-1 G_k V^-1 G_l V^-1 X, with G_k the derivative of V in coordinate k of `symmetric`.
Effects shared by the people of a team add a low-rank part to V and change each of these by sums
over teams (`mixed_groups`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ccp_analysis.models.mixed_groups import TeamAlgebra
from ccp_analysis.models.mixed_moments import VisitMoments, triangle_weights
from ccp_analysis.models.symmetric import (
    congruence,
    contract,
    multiplicity,
    pack,
    pairs,
    products,
    sandwich,
    unpack,
)

# Smallest eigenvalue of a matrix scaled to a unit diagonal that counts as positive definite.
PROPER = 1e-12


def least_eigenvalue(matrix: np.ndarray) -> np.ndarray:
    """Return the smallest eigenvalue of symmetric (..., k, k) scaled to a unit diagonal.

    Zero where a diagonal element is not positive or an element is not finite; shape (...).
    """
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    usable = np.isfinite(matrix).all(axis=(-2, -1)) & (diagonal > 0.0).all(axis=-1)
    if matrix.shape[-1] == 1:
        return np.where(usable, 1.0, 0.0)
    scale = 1.0 / np.sqrt(np.where(usable[..., None], diagonal, 1.0))
    scaled = scale[..., :, None] * matrix * scale[..., None, :]
    scaled = np.where(usable[..., None, None], scaled, np.eye(matrix.shape[-1]))
    return np.where(usable, np.linalg.eigvalsh(scaled)[..., 0], 0.0)


def of_patterns(moments: VisitMoments, covariance: np.ndarray) -> np.ndarray:
    """Return the covariance of each pattern, 1 for visits not in it: (B, v, v) to (B, S, v, v)."""
    both = moments.seen[:, :, None] & moments.seen[:, None, :]
    return np.where(both, covariance[:, None], np.eye(moments.visits))


class VisitAlgebra:
    """The criterion and its derivatives at given covariances; B fits, coordinates C.

    Parameters
    ----------
    moments : VisitMoments
        Sums over the rows.
    person : numpy.ndarray
        Covariance of a person's visits, shape (B, v, v), positive definite over the visits of every
        pattern.
    team : numpy.ndarray or None
        Covariance of team effects, positive semidefinite, shape (B, v, v).
    reml : bool
        Whether the criterion is restricted.

    Notes
    -----
    C = L coordinates of the person's covariance and, with teams, L more of the teams'.
    """

    def __init__(
        self, moments: VisitMoments, person: np.ndarray, team: np.ndarray | None, reml: bool
    ) -> None:
        self.moments, self.reml = moments, reml
        padded = of_patterns(moments, person)
        both = moments.seen[:, :, None] & moments.seen[:, None, :]
        self.weights = np.where(both, np.linalg.inv(padded), 0.0)
        self.log_determinants = np.linalg.slogdet(padded)[1]
        self.team = None if team is None else TeamAlgebra(moments, self.weights, team)

    @cached_property
    def products(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X'V^-1 X, X'V^-1 e and e'V^-1 e in the basis, shapes (B, p, p), (B, p) and (B,)."""
        moments, p = self.moments, self.moments.columns
        weights = pack(self.weights).reshape(len(self.weights), 1, -1)
        design = weights @ moments.design.reshape(len(moments.design), -1, p * (p + 1) // 2)
        mixed = weights @ moments.mixed.reshape(len(moments.mixed), -1, p)
        outcome = weights @ moments.outcome.reshape(len(moments.outcome), -1, 1)
        xx, xe, ee = unpack(design[:, 0], p), mixed[:, 0], outcome[:, 0, 0]
        if self.team is not None:
            lost = self.team.explained
            xx, xe, ee = xx - lost[:, :p, :p], xe - lost[:, :p, p], ee - lost[:, p, p]
        return xx, xe, ee

    @cached_property
    def sound(self) -> np.ndarray:
        """Whether X'V^-1 X is positive definite to working precision, shape (B,)."""
        return least_eigenvalue(self.products[0]) > PROPER

    @cached_property
    def _whitener(self) -> np.ndarray:
        """Columns that turn the basis into one with Phi = 1, shape (B, p, p)."""
        xx = np.where(self.sound[:, None, None], self.products[0], np.eye(self.moments.columns))
        return np.swapaxes(np.linalg.inv(np.linalg.cholesky(xx)), -1, -2)

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^-1 X)^-1, shape (B, p, p)."""
        return self._whitener @ np.swapaxes(self._whitener, -1, -2)

    @cached_property
    def gamma(self) -> np.ndarray:
        """Coefficients of the basis for the residuals, shape (B, p)."""
        return (self.phi @ self.products[1][..., None])[..., 0]

    @cached_property
    def value(self) -> np.ndarray:
        """The deviance without its constant, shape (B,)."""
        _, xe, ee = self.products
        found = (self.log_determinants * self.moments.people).sum(axis=-1)
        found = found + ee - (xe * self.gamma).sum(axis=-1)
        if self.team is not None:
            found = found + self.team.log_determinant
        if self.reml:
            diagonal = np.diagonal(self._whitener, axis1=-2, axis2=-1)
            found = found - 2.0 * np.log(diagonal).sum(axis=-1)
        return np.where(self.sound, found, np.inf)

    @cached_property
    def _centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cross-products of what the team effects leave."""
        moments = self.moments
        if self.team is None:
            return moments.design, moments.mixed, moments.outcome
        return self.team.centred

    @cached_property
    def _spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums over people of u'Phi u and of squared residuals, by pattern, (B, S, v, v)."""
        (design, mixed, outcome), moments = self._centred, self.moments
        rows, columns = pairs(moments.columns)
        double = triangle_weights(moments.columns)
        share = design @ (self.phi[..., rows, columns] * double)[:, None, :, None]
        square = self.gamma[..., rows] * self.gamma[..., columns] * double
        left = outcome - 2.0 * (mixed @ self.gamma[:, None, :, None])[..., 0]
        left = left + (design @ square[:, None, :, None])[..., 0]
        return self._bend(share[..., 0]), self._bend(left)

    def _bend(self, sums: np.ndarray) -> np.ndarray:
        """Return W S W for cross-products (B, S, L) that count both orders of a pair."""
        v = self.moments.visits
        return self.weights @ unpack(sums / multiplicity(v), v) @ self.weights

    @cached_property
    def bends(self) -> tuple[np.ndarray, np.ndarray]:
        """X'V^-1 G_k V^-1 X and X'V^-1 G_k V^-1 r in the white basis, (B, C, p, p), (B, C, p)."""
        (design, mixed, _), p = self._centred, self.moments.columns
        B, S, L = len(self.weights), *design.shape[1:3]
        # (B, L, S L): coordinates of W G_k W.
        moved = np.moveaxis(sandwich(self.weights), -1, 1).reshape(B, L, S * L)
        xx = unpack(moved @ design.reshape(len(design), S * L, -1), p)
        xe = moved @ mixed.reshape(len(mixed), S * L, p)
        xe = xe - (xx @ self.gamma[:, None, :, None])[..., 0]
        white = self._whitener[:, None]
        xx = np.swapaxes(white, -1, -2) @ xx @ white
        xe = (xe[:, :, None, :] @ white)[:, :, 0, :]
        if self.team is not None:
            team_xx, team_xe = self.team.bends(self._turn)
            xx, xe = np.concatenate([xx, team_xx], axis=1), np.concatenate([xe, team_xe], axis=1)
        return xx, xe

    @cached_property
    def _turn(self) -> np.ndarray:
        """The matrix from (basis, residuals of least squares) to (white basis, residuals)."""
        p = self.moments.columns
        turn = np.zeros((len(self.phi), p + 1, p + 1))
        turn[:, :p, :p] = self._whitener
        turn[:, :p, p] = -self.gamma
        turn[:, p, p] = 1.0
        return turn

    @cached_property
    def gradient(self) -> np.ndarray:
        """First derivatives of the criterion, shape (B, C)."""
        moments = self.moments
        share, square = self._spread
        people = moments.people[..., None, None]
        inner = (people * self.weights - square).sum(axis=1)
        if self.reml:
            inner = inner - share.sum(axis=1)
        if self.team is None:
            return products(inner)
        inner = inner - self.team.shared.sum(axis=1)
        outer = self.team.gradient(self._turn, self.reml)
        return np.concatenate([products(inner), outer], axis=-1)

    @cached_property
    def _second(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """tr(V^-1 G_k V^-1 G_l), tr(Phi Q_kl) and r'V^-1 G_k V^-1 G_l V^-1 r, each (B, C, C)."""
        share, square = self._spread
        traces = congruence(self.moments.people[..., None, None] * self.weights, self.weights)
        quadratic = congruence(share, self.weights)
        forms = congruence(square, self.weights)
        if self.team is None:
            return traces, quadratic, forms
        return self.team.second(self._turn, traces, quadratic, forms)

    @cached_property
    def expected(self) -> np.ndarray:
        """Twice the expected information, shape (B, C, C)."""
        traces, quadratic, _ = self._second
        return traces - 2.0 * quadratic + _gram(self.bends[0]) if self.reml else traces

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the criterion, shape (B, C, C)."""
        forms = self._second[2] - _gram(self.bends[1])
        return 2.0 * forms - self.expected

    @cached_property
    def P(self) -> np.ndarray:
        """P_k in the basis, shape (B, C, p, p)."""
        back = np.linalg.inv(self._whitener)[:, None]
        return -np.swapaxes(back, -1, -2) @ self.bends[0] @ back

    def second(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_kl weights_kl Q_kl in the basis: (B, C, C) to (B, p, p)."""
        design, p = self._centred[0], self.moments.columns
        L = len(multiplicity(self.moments.visits))
        inner = self.weights @ contract(weights[:, :L, :L], self.weights) @ self.weights
        flat = products(inner) / multiplicity(self.moments.visits)
        summed = flat.reshape(len(flat), 1, -1) @ design.reshape(len(design), -1, design.shape[-1])
        found = unpack(summed[:, 0], p)
        return found if self.team is None else found + self.team.weighted_second(weights)


def _gram(rows: np.ndarray) -> np.ndarray:
    """Return the inner products of (B, C, ...) along everything after C: (B, C, C)."""
    flat = rows.reshape(*rows.shape[:2], -1)
    return flat @ np.swapaxes(flat, -1, -2)
