"""Derivatives of a mixed model in its covariance parameters, for small-sample inference."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ccp_analysis.models.mixed_algebra import VisitAlgebra

if TYPE_CHECKING:
    from ccp_analysis.models.mixed import MixedFit

# Curvature, relative to the largest, below which a direction counts as flat.
PSEUDO_INVERSE = 1e-8


class MixedPieces:
    """Matrices of Kenward & Roger (1997), with their symbols, for K parameters of covariances.

    In the basis of the design and in units of `scale` squared; shapes (..., p, p), (..., K, p, p)
    and (..., K, K). Parameters are those that V is linear in: elements of unstructured covariances,
    variance components. For heterogeneous compound symmetry they are standard deviations and a
    coordinate of the correlation; the derivatives are taken there, and the term with second
    derivatives of V is left out, which makes the adjustment independent of the coordinates.
    """

    def __init__(self, fit: MixedFit) -> None:
        self.fit, self.joint = fit, fit.structure
        self.batch = fit.coef.shape[:-1]
        self.valid = (fit.status != "failed").reshape(-1)
        safe = self.valid[:, None, None]
        square = np.where(self.valid, fit.scale.reshape(-1) ** 2, 1.0)[:, None, None]
        v = fit.moments.visits
        person = np.where(safe, fit.covariance.reshape(-1, v, v) / square, np.eye(v))
        team = fit.team_covariance
        if team is not None:
            team = np.where(safe, team.reshape(-1, v, v) / square, 0.0)
        self.algebra = VisitAlgebra(fit.moments, person, team, fit.method == "REML")
        self.free = np.where(self.valid[:, None], fit.free, 1.0)
        self.tangents = self.joint.tangents(self.free)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        values = np.where(self.valid.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan)
        return values.reshape(*self.batch, *values.shape[1:])

    def _between_parameters(self, matrix: np.ndarray) -> np.ndarray:
        return self.tangents @ matrix @ np.swapaxes(self.tangents, -1, -2)

    @property
    def unit(self) -> np.ndarray:
        """Squared units of the outcome per unit of variance here, shape (...)."""
        return self.fit.scale**2

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^-1 X)^-1."""
        return self._shaped(self.algebra.phi)

    @cached_property
    def P(self) -> np.ndarray:
        """P_k = -X'V^-1 G_k V^-1 X."""
        p = self.fit.coef.shape[-1]
        flat = self.algebra.P.reshape(len(self.free), -1, p * p)
        return self._shaped((self.tangents @ flat).reshape(len(self.free), -1, p, p))

    @cached_property
    def expected(self) -> np.ndarray:
        """Twice the expected information."""
        return self._shaped(self._between_parameters(self.algebra.expected))

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the deviance."""
        bending = self.joint.bending(self.free, self.algebra.gradient)
        return self._shaped(self._between_parameters(self.algebra.observed) + bending)

    def second(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_kl weights_kl Q_kl: (..., K, K) to (..., p, p)."""
        weights = weights.reshape(len(self.free), *weights.shape[-2:])
        inside = np.swapaxes(self.tangents, -1, -2) @ weights @ self.tangents
        return self._shaped(self.algebra.second(inside))

    @cached_property
    def spread(self) -> np.ndarray:
        """Covariance of the parameters by the observed information; on the boundary along it."""
        free, jacobian = self.free, self.joint.jacobian(self.free)
        curvature = self.joint.curvature(free, self.algebra.gradient)
        hessian = jacobian @ self.algebra.observed @ np.swapaxes(jacobian, -1, -2) + curvature
        diagonal = np.abs(np.diagonal(hessian, axis1=-2, axis2=-1))
        scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        values, vectors = np.linalg.eigh(scale[:, :, None] * hessian * scale[:, None, :])
        kept = values > PSEUDO_INVERSE * values[:, -1:]
        inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
        root = scale[:, :, None] * vectors
        found = 2.0 * (root * inverse[:, None, :]) @ np.swapaxes(root, -1, -2)
        change = jacobian @ np.linalg.pinv(self.tangents)
        return self._shaped(np.swapaxes(change, -1, -2) @ found @ change)
