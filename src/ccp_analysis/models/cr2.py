"""CR2 of weighted least squares whose working variances are anything, by cluster.

For generalised linear models, whose adjustment depends on the coordinates of the residuals, and for
weights that are not inverse variances. `robust` is the case of ordinary least squares.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ccp_analysis.models.absorbed import localised
from ccp_analysis.models.contributions import Contributions, contributions
from ccp_analysis.models.inference import Inference, inference, quadratic
from ccp_analysis.models.ols import OlsFit, grouping
from ccp_analysis.models.used_up import OWN_TOLERANCE, added_up, own_directions, parts_used_up

# Eigenvalues below this share of the largest are rounding.
ROUNDING = 1e-14
# Weights count as inverse to the scale where they are so to this share.
INVERSE = 1e-12


class Clusters:
    """CR2 with weights W and working variances Phi, in coordinates whitened by W.

    With orthonormal columns Q of W^(1/2) X and whitened residuals r, whose working variance is
    Psi = W Phi, and s = (Phi / W)^(1/2), the adjustment of Pustejovsky & Tipton (2018) is
    F_g r_g in place of Q_g'r_g, F_g = Q_g' Psi_g^(1/2) B_g^(-1/2) s_g,
    B_g = s_g (I - QQ')_g Psi (I - QQ')_g' s_g.

    Parameters
    ----------
    fit : OlsFit
        The whitened fit.
    groups : array_like of int
        Cluster of each row, shape (n,).
    scale : numpy.ndarray
        s, shape (..., n).
    psi : numpy.ndarray, optional
        Psi, shape (..., n); one where weights are inverse working variances.

    Attributes
    ----------
    adjusted, plain : numpy.ndarray
        F_g r_g and Q_g'r_g in the q columns that a cluster touches, shape (..., G, q), clusters by
        their codes, here and below.
    squares, own, crossed, bent : numpy.ndarray
        Q_g'Q_g, F_g Psi_g F_g', F_g Q_g, F_g Psi_g Q_g, shape (..., G, q, q).

    Notes
    -----
    Where s = Psi^(-1/2), as of weights taken as known, B_g is the identity and

        -A C' - C A' + C (Q'Psi Q) C',  A = Psi_g^(1/2) Q_g,  C = s_g Q_g,

    so that only its part in the span V of A and C is decomposed, 2q by 2q:
    B_g^(-1/2) A = V (V'B_g V)^(-1/2) V'A.
    """

    def __init__(
        self, fit: OlsFit, groups: np.ndarray, scale: np.ndarray, psi: np.ndarray | None = None
    ) -> None:
        self.fit, self.scale, self.psi = fit, scale, psi
        self.groups = by_group = grouping(groups, fit.residuals.shape[-1])
        self.local = localised(fit, by_group)
        self.codes = np.unique(groups)
        self.near = psi is not None and bool(
            np.allclose(np.square(scale) * psi, 1.0, rtol=INVERSE, atol=0.0)
        )
        self.inner, self.whole = self._inner()
        pieces, places = [], []
        # Clusters of the same size make one stack.
        for size in np.unique(by_group.sizes):
            chosen = np.flatnonzero(by_group.sizes == size)
            rows = by_group.order[by_group.starts[chosen][:, None] + np.arange(size)]
            pieces.append(self._pieces(rows, chosen))
            places.append(chosen)
        order = np.argsort(np.concatenate(places))
        joined = [
            np.concatenate(part, axis=-3)[..., order, :, :] for part in zip(*pieces, strict=True)
        ]
        self.adjusted, self.plain = (part[..., 0] for part in joined[:2])
        self.squares, self.own, self.crossed, self.bent = joined[2:]

    def _inner(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return Q'Psi Q in the columns of each cluster (..., G or 1, q, q), and in all columns."""
        if self.psi is None:
            return None, None
        basis, pairs = self.local.basis, self.local.pairs
        if pairs is None or self.fit.absorbed is None:
            whole = np.swapaxes(basis, -1, -2) @ (self.psi[..., None] * basis)
            return whole[..., None, :, :], whole
        each = self.fit.absorbed.groups.squares(np.sqrt(self.psi)[..., None] * basis)
        count, r = each.shape[-3], each.shape[-1] - 1
        common = each[..., 1:, 1:].sum(axis=-3)
        whole = np.zeros((*each.shape[:-3], count + r, count + r))
        inner = np.arange(count)
        whole[..., inner, inner] = each[..., 0, 0]
        whole[..., :count, count:] = each[..., 0, 1:]
        whole[..., count:, :count] = np.swapaxes(each[..., 0, 1:], -1, -2)
        whole[..., count:, count:] = common
        each[..., 1:, 1:] = common[..., None, :, :]
        return each[..., pairs.codes, :, :], whole

    def _pieces(self, rows: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the attributes of clusters of one size, rows (G', n_g)."""
        Q, r, s = (
            self.local.basis[..., rows, :],
            self.fit.residuals[..., rows, None],
            self.scale[..., rows],
        )
        across = np.swapaxes(Q, -1, -2)
        squares = across @ Q
        if self.psi is None or self.inner is None:
            left = s[..., :, None] * (np.eye(Q.shape[-2]) - Q @ across) * s[..., None, :]
            F = across @ _inverse_root(left, squares) * s[..., None, :]
            return F @ r, across @ r, squares, F @ np.swapaxes(F, -1, -2), F @ Q, F @ Q
        psi = self.psi[..., rows]
        PQ, root = psi[..., None] * Q, np.sqrt(psi)[..., None, :]
        inner = self.inner if self.inner.shape[-3] == 1 else self.inner[..., chosen, :, :]
        A, C = np.swapaxes(root, -1, -2) * Q, s[..., None] * Q
        if self.near and Q.shape[-2] >= 2 * Q.shape[-1]:
            F = np.swapaxes(_rooted(A, C, inner, squares), -1, -2) * s[..., None, :]
        else:
            hat = PQ @ across
            left = np.eye(Q.shape[-2]) * psi[..., None] - hat - np.swapaxes(hat, -1, -2)
            left = s[..., :, None] * left * s[..., None, :] + C @ inner @ np.swapaxes(C, -1, -2)
            F = np.swapaxes(A, -1, -2) @ _inverse_root(left, squares) * s[..., None, :]
        half = F * root
        return F @ r, across @ r, squares, half @ np.swapaxes(half, -1, -2), F @ Q, F @ PQ

    def contributions(self, contrasts: np.ndarray) -> Contributions:
        """Return what each cluster adds to contrasts (..., k, p)."""
        return self._added(contrasts @ self.fit.inverse)

    def _added(self, directions: np.ndarray) -> Contributions:
        """Return what each cluster adds to directions of the orthonormal basis."""
        directions = self.local.take(directions)
        parts = (directions, self.local.triangle, self.local.coef)
        plain, adjusted = ((directions @ v[..., None])[..., 0] for v in (self.plain, self.adjusted))
        return contributions(plain, adjusted, self.squares, parts)

    def covariance(self) -> np.ndarray:
        """Return the covariance of the coefficients, shape (..., p, p)."""
        half = self.contributions(np.eye(self.fit.coef.shape[-1])).adjusted
        return half @ np.swapaxes(half, -1, -2)

    def infer(
        self,
        estimate: np.ndarray,
        contrasts: np.ndarray | None = None,
        moved: np.ndarray | float = 0.0,
        directions: np.ndarray | None = None,
    ) -> Inference:
        """Infer from estimates (..., k) whose gradients are contrasts (..., k, p).

        Or directions of the orthonormal basis. What else each cluster contributes to them is
        `moved`, of shape (..., k, G).
        """
        if directions is None:
            directions = np.asarray(contrasts) @ self.fit.inverse
        added = self._added(directions)
        added = replace(added, adjusted=added.adjusted + moved)
        variance = np.square(added.adjusted).sum(axis=-1)
        own = own_directions(*np.linalg.eigh(self.squares))
        parts = parts_used_up(own, self.local.take(directions))
        lost = added_up(parts, np.square(directions).sum(axis=-1), self.codes)
        found = inference(estimate, variance, self._satterthwaite_df(directions), lost)
        return replace(found, contributions=added)

    def _satterthwaite_df(self, directions: np.ndarray) -> np.ndarray:
        """Return df of contrasts in the orthonormal basis, (..., k, p) to (..., k).

        P_gh = [g = h] f_g'Psi_g f_g - u_g'v_h - v_g'u_h + u_g'(Q'Psi Q)u_h, with f_g = F_g'd,
        u_g = Q_g'f_g, v_g = Q_g'Psi_g f_g; tr(P)^2 / tr(P^2). NaN where nothing is identified.
        """
        across = self.local.take(directions)
        own = np.swapaxes(quadratic(across, self.own), -1, -2)
        u, v = (
            self.local.spread(np.moveaxis(across @ part, -2, -3))
            for part in (self.crossed, self.bent)
        )
        P = u @ np.swapaxes(u, -1, -2)
        whole = np.square(directions).sum(axis=-1)
        if self.whole is not None:
            mixed = u @ np.swapaxes(v, -1, -2)
            P = mixed + np.swapaxes(mixed, -1, -2)
            P = P - u @ self.whole[..., None, :, :] @ np.swapaxes(u, -1, -2)
            whole = quadratic(directions, self.whole)
        P = np.eye(own.shape[-1]) * own[..., None] - P
        trace = np.trace(P, axis1=-2, axis2=-1)
        identified = trace > OWN_TOLERANCE * whole
        df = trace**2 / np.where(identified, np.square(P).sum(axis=(-2, -1)), np.nan)
        # A form without negative eigenvalues has no fewer than one; rounding may take from it.
        return np.maximum(df, 1.0)


def _rooted(A: np.ndarray, C: np.ndarray, inner: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return B^(-1/2) A with B = I - A C' - C A' + C inner C', of clusters of one size."""
    q = A.shape[-1]
    span, triangle = np.linalg.qr(np.concatenate([A, C], axis=-1))
    a, c = triangle[..., :q], triangle[..., q:]
    hat = a @ np.swapaxes(c, -1, -2)
    part = np.eye(2 * q) - hat - np.swapaxes(hat, -1, -2) + c @ inner @ np.swapaxes(c, -1, -2)
    return span @ _inverse_root(part, squares) @ a


def _inverse_root(matrix: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return B^(-1/2) of clusters of one size, from (..., n_g, n_g) and Q_g'Q_g (..., p, p)."""
    values, vectors = np.linalg.eigh(matrix)
    # As many directions are lost as the cluster alone identifies; they have the least eigenvalues.
    lost = (1.0 - np.linalg.eigvalsh(squares) <= OWN_TOLERANCE).sum(axis=-1)
    small = values <= ROUNDING * values[..., -1:]
    dropped = (np.arange(matrix.shape[-1]) < lost[..., None]) | small
    roots = np.where(dropped, 0.0, np.where(dropped, 1.0, values) ** -0.5)
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)
