"""Sandwich covariances: by cluster with small-sample corrections, and for unequal variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ccp_analysis.models.absorbed import Local, localised
from ccp_analysis.models.contributions import Contributions, contributions, joined
from ccp_analysis.models.inference import Inference, as_contrasts, inference, linear
from ccp_analysis.models.ols import Grouping, OlsFit, grouping
from ccp_analysis.models.small_sample import JointTest
from ccp_analysis.models.used_up import (
    LEAST_DF,
    OWN_TOLERANCE,
    added_up,
    own_directions,
    parts_used_up,
    used_up_jointly,
)

KINDS = ("CR0", "CR1", "CR1S", "CR2", "CR3")


def cluster_covariance(fit: OlsFit, groups: np.ndarray, kind: str = "CR2") -> np.ndarray:
    """Return the cluster-robust covariance of the coefficients.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.
    groups : array_like of int
        Cluster of each row, shape (n,).
    kind : {"CR0", "CR1", "CR1S", "CR2", "CR3"}
        Correction. CR1 is CR0 times G / (G - 1); CR1S is CR1 times (n - 1) / (n - p); CR2 is the
        bias-reduced linearisation under the working model of independence (Bell & McCaffrey 2002);
        CR3 approximates the jackknife over clusters.

    Returns
    -------
    numpy.ndarray
        Shape (..., p, p).

    Raises
    ------
    ValueError
        If there is no such kind, or there are fewer than two clusters.

    Notes
    -----
    With X = QR and S_g = Q_g'Q_g, the adjustment (I - H_gg)^-a of cluster g's residuals enters the
    scores as Q_g'(I - H_gg)^-a = (I - S_g)^-a Q_g' (a = 1/2 for CR2, 1 for CR3), so nothing larger
    than p by p is decomposed. Where a cluster alone identifies a direction of the design
    (eigenvalue 1 of S_g), the pseudo-inverse is taken (Pustejovsky & Tipton 2018): that direction
    has variance zero here, whatever the kind, because its residuals are zero. `cluster_robust` says
    how much of a contrast that is, and refuses.
    """
    return _Adjusted(fit, groups, kind).covariance()


def cluster_robust(fit: OlsFit, groups: np.ndarray, L: np.ndarray, kind: str = "CR2") -> Inference:
    """Infer from contrasts with cluster-robust standard errors and Satterthwaite df.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.
    groups : array_like of int
        Cluster of each row, shape (n,).
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.
    kind : {"CR0", "CR1", "CR1S", "CR2", "CR3"}
        As in `cluster_covariance`.

    Returns
    -------
    Inference
        Arrays of shape (..., k). What one cluster alone identifies has no variance between clusters
        that could be estimated, and counts nothing in a sandwich. `used_up` says how much of each
        contrast that is; where it is more than `LARGEST_SHARE`, or fewer than one degree of freedom
        is left, standard error and degrees of freedom are NaN (R's clubSandwich gives numbers).

    Raises
    ------
    ValueError
        As `cluster_covariance`, or if the contrasts do not fit the coefficients.

    Notes
    -----
    Satterthwaite's approximation as in Pustejovsky & Tipton (2018), under the working model of
    independent errors of equal variance: with w_g = (I - H_gg)^-a X_g (X'X)^-1 l, the variance
    estimate is a quadratic form whose matrix has the elements
    P_gh = [g = h] w_g'w_g - (Q_g'w_g)'(Q_h'w_h), and df = tr(P)^2 / tr(P^2).

    Examples
    --------
    Darwin's maize (see `fit_ols`) grew in four pots; with pots as clusters fewer than three degrees
    of freedom are left of fourteen:

    >>> import numpy as np
    >>> from ccp_analysis.models.ols import fit_ols
    >>> from ccp_analysis.models.robust import cluster_robust
    >>> inches = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]) / 8
    >>> pot = np.repeat([1, 2, 3, 4], [3, 3, 5, 4])
    >>> found = cluster_robust(fit_ols(np.ones((15, 1)), inches), pot, [1])
    >>> print(found.estimate.round(3), found.std_error.round(3), found.df.round(2))
    [2.617] [0.988] [2.84]
    >>> low, high = found.interval()
    >>> print(low.round(2), high.round(2))
    [-0.63] [5.86]
    """
    return cluster_robust_together([fit], groups, [L], kind)


def cluster_robust_together(
    fits: Sequence[OlsFit], groups: np.ndarray, Ls: Sequence[np.ndarray], kind: str = "CR2"
) -> Inference:
    """Infer from sums of contrasts of several models of the same people.

    Parameters
    ----------
    fits : sequence of OlsFit
        Least squares fits of the same rows, of independent errors under the working model.
    groups : array_like of int
        Cluster of each row, shape (n,).
    Ls : sequence of array_like
        Contrasts of each, shape (k, p) or (..., k, p), whose sums are asked.
    kind : {"CR0", "CR1", "CR1S", "CR2", "CR3"}
        As in `cluster_covariance`.

    Returns
    -------
    Inference
        Arrays of shape (..., k), as of `cluster_robust` from one model in which everybody stands
        once for each fit and the designs are blocks: there all that a cluster has is made of the
        blocks, so that none is larger than one model's.

    Raises
    ------
    ValueError
        As `cluster_robust`.
    """
    blocks = [_Adjusted(fit, groups, kind) for fit in fits]
    contrasts = [as_contrasts(L, fit.coef.shape[-1]) for L, fit in zip(Ls, fits, strict=True)]
    each = list(zip(blocks, contrasts, strict=True))
    directions = [L @ block.fit.inverse for block, L in each]
    working = np.sum([np.square(d).sum(axis=-1) for d in directions], axis=0)
    df, identified = _satterthwaite_df(blocks, directions, working)
    parts = [parts_used_up(b.own, b.local.take(d)) for b, d in zip(blocks, directions, strict=True)]
    lost = added_up(np.sum(parts, axis=0), working, blocks[0].codes)
    added = joined([block.contributions(L) for block, L in each])
    found = inference(
        np.sum([linear(L, block.fit.coef) for block, L in each], axis=0),
        np.square(added.adjusted).sum(axis=-1),
        np.where(identified, df, np.nan),
        lost,
    )
    return replace(found, contributions=added)


def cluster_robust_f(
    fit: OlsFit, groups: np.ndarray, L: np.ndarray, kind: str = "CR2"
) -> JointTest:
    """Test several contrasts at once with a cluster-robust covariance.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.
    groups : array_like of int
        Cluster of each row, shape (n,).
    L : array_like
        Contrasts, shape (q, p), or (..., q, p) where they differ between fits.
    kind : {"CR0", "CR1", "CR1S", "CR2", "CR3"}
        As in `cluster_covariance`.

    Returns
    -------
    JointTest
        Arrays of shape (...); NaN where the covariance of the contrasts is singular, where there
        are too few clusters for so many contrasts (fewer than one degree of freedom would be left),
        or where single clusters use up more than `LARGEST_SHARE` of any combination of the
        contrasts; `used_up`, of shape (..., 1), is about the one that loses most.

    Raises
    ------
    ValueError
        As `cluster_robust`.

    Notes
    -----
    The approximate Hotelling test (AHT, called HTZ in clubSandwich) of Pustejovsky & Tipton (2018,
    section 3.2): Q (eta - q + 1) / (eta q) ~ F(q, eta - q + 1), with eta = q (q + 1) / sum of the
    variances of the elements of the standardised covariance estimate. With C_g = L R^-1 K_g and
    U_g = C_g S_g its pieces covary by B_gh = [g = h] C_g S_g C_g' - U_g U_h', and the sum of
    variances is that of (tr B_gh)^2 + tr(B_gh B_gh) over g and h.
    """
    if fit.absorbed is not None:
        raise ValueError("A joint test needs all columns of the design in one array.")
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    q = contrasts.shape[-2]
    clusters, directions = _Adjusted(fit, groups, kind), contrasts @ fit.inverse
    lost = used_up_jointly(clusters.own, directions, clusters.codes)
    adjusted = directions[..., None, :, :] @ clusters.factors
    crossed = adjusted @ clusters.squares
    own = crossed @ np.swapaxes(adjusted, -1, -2)
    shared = crossed @ np.swapaxes(crossed, -1, -2)
    root = _inverse_root((own - shared).sum(axis=-3))
    crossed = root[..., None, :, :] @ crossed
    own, shared = (root[..., None, :, :] @ B @ root[..., None, :, :] for B in (own, shared))
    # Sums over all pairs of clusters through one array over contrasts and directions.
    T = np.einsum("...gsa,...gtb->...satb", crossed, crossed)
    pairs = np.einsum("...satb,...satb->...", T, T) + np.einsum("...satb,...tasb->...", T, T)
    spread = pairs + (_spread(own - shared) - _spread(shared)).sum(axis=-1)
    eta = q * (q + 1) / spread
    estimate = linear(contrasts, fit.coef)
    meat = contrasts @ clusters.covariance() @ np.swapaxes(contrasts, -1, -2)
    identified = np.linalg.matrix_rank(meat, hermitian=True) == q
    usable = identified & (eta - q + 1 >= LEAST_DF) & ~lost.refused[..., 0]
    solved = np.linalg.solve(
        np.where(usable[..., None, None], meat, np.eye(q)), estimate[..., None]
    )
    wald = (estimate * solved[..., 0]).sum(axis=-1)
    df = np.where(usable, eta - q + 1, np.nan)
    return JointTest(
        statistic=np.where(usable, wald * df / (eta * q), np.nan),
        df_num=q,
        df=df,
        scaling=df / eta,
        used_up=lost,
    )


def _spread(B: np.ndarray) -> np.ndarray:
    """Return (tr B)^2 + tr(B B)."""
    return np.trace(B, axis1=-2, axis2=-1) ** 2 + np.trace(B @ B, axis1=-2, axis2=-1)


def _inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric inverse square root, pseudo where an eigenvalue vanishes."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > OWN_TOLERANCE * values[..., -1:]
    roots = np.where(kept, np.where(kept, values, 1.0) ** -0.5, 0.0)
    return (vectors * roots[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def hc3(fit: OlsFit) -> np.ndarray:
    """Return the covariance of the coefficients that allows for unequal variances.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.

    Returns
    -------
    numpy.ndarray
        HC3 (MacKinnon & White 1985), shape (..., p, p). A row whose leverage is 1 is fitted by its
        own column and contributes nothing.
    """
    left = 1.0 - np.square(fit.basis).sum(axis=-1)
    own = left <= OWN_TOLERANCE
    weights = np.where(own, 0.0, 1.0 / np.where(own, 1.0, left))
    return _sandwich(fit, fit.basis * (weights * fit.residuals)[..., None])


class _Adjusted:
    """Clusters with the factors of their scores, in the q columns that each touches.

    Attributes
    ----------
    fit, local : OlsFit, Local
        What was fitted, and its form in these columns.
    codes : numpy.ndarray of int
        Code of each cluster, shape (G,).
    squares, factors, own : numpy.ndarray
        S_g, the factor of the scores, and the directions that the cluster alone identifies, each of
        shape (..., G, q, q).
    """

    def __init__(self, fit: OlsFit, groups: np.ndarray, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"The covariance is one of {', '.join(KINDS)}, not {kind}.")
        n, p = fit.residuals.shape[-1], fit.inverse.shape[-1]
        self.fit, self.clusters = fit, grouping(groups, n)
        clusters = self.clusters
        self.local = localised(fit, clusters)
        self.codes = np.unique(groups)
        self.squares = clusters.squares(self.local.basis)
        values, vectors = np.linalg.eigh(self.squares)
        self.own = own_directions(values, vectors)
        count = len(clusters.sizes)
        scale = {
            "CR0": 1.0,
            "CR1": count / (count - 1),
            "CR1S": count * (n - 1) / ((count - 1) * (n - p)),
        }
        if kind in scale:
            self.factors = np.sqrt(scale[kind]) * np.eye(self.squares.shape[-1])
        else:
            self.factors = _power(values, vectors, -0.5 if kind == "CR2" else -1.0)

    def covariance(self) -> np.ndarray:
        """Return the sandwich of all coefficients, shape (..., p, p)."""
        half = self.contributions(np.eye(self.fit.coef.shape[-1])).adjusted
        return half @ np.swapaxes(half, -1, -2)

    def scores(self) -> np.ndarray:
        """Return Q_g'e_g, shape (..., G, columns)."""
        basis, residuals = self.local.basis, self.fit.residuals
        if basis.ndim > 2:
            return self.clusters.sums(basis * residuals[..., None])
        # A design that the batch shares: one product for each cluster.
        rows = np.split(self.clusters.order, self.clusters.starts[1:])
        return np.stack([residuals[..., own] @ basis[own] for own in rows], axis=-2)

    def contributions(self, contrasts: np.ndarray) -> Contributions:
        """Return what each cluster adds to contrasts (..., k, p)."""
        directions = self.local.take(contrasts @ self.fit.inverse)
        parts = (directions, self.local.triangle, self.local.coef)
        scores = self.scores()[..., None]
        plain, adjusted = (
            (part @ scores)[..., 0] for part in (directions, directions @ self.factors)
        )
        return contributions(plain, adjusted, self.squares, parts)


def _power(values: np.ndarray, vectors: np.ndarray, exponent: float) -> np.ndarray:
    """Return the pseudo-inverse power of I - S_g, from the eigenvalues of S_g."""
    left = 1.0 - values
    own = left <= OWN_TOLERANCE
    powers = np.where(own, 0.0, np.where(own, 1.0, left) ** exponent)
    return (vectors * powers[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _sandwich(fit: OlsFit, scores: np.ndarray) -> np.ndarray:
    """Return R^-1 (scores' scores) R^-T."""
    half = scores @ np.swapaxes(fit.inverse, -1, -2)
    return np.swapaxes(half, -1, -2) @ half


def _satterthwaite_df(
    blocks: Sequence[_Adjusted], directions: Sequence[np.ndarray], working: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return df of the contrasts (..., k, p) in the orthonormal bases, and whether they have any.

    Arrays of shape (..., k).
    """
    own, shared, gram = np.zeros(()), np.zeros(()), _Gram()
    for block, direction in zip(blocks, directions, strict=True):
        # (..., G, k, q): K_g l for every cluster and contrast; then S_g K_g l = Q_g'w_g.
        adjusted = block.local.take(direction) @ block.factors
        crossed = adjusted @ block.squares
        own = own + (adjusted * crossed).sum(axis=-1)
        shared = shared + np.square(crossed).sum(axis=-1)
        gram.add(np.moveaxis(crossed, -2, -3), block.local)
    trace = (own - shared).sum(axis=-2)
    trace_square = (own * (own - 2.0 * shared)).sum(axis=-2) + gram.square()
    identified = trace > OWN_TOLERANCE * working
    df = trace**2 / np.where(identified, trace_square, np.nan)
    # A form without negative eigenvalues has no fewer than one; rounding may take something off.
    return np.maximum(df, 1.0), identified


class _Gram:
    """The sum over all pairs of clusters g, h of (c_g'c_h)^2, of vectors in all columns.

    It is the sum of squares of sum_g c_g c_g', in which columns of different absorbed groups meet
    nowhere: their part is made group by group.
    """

    def __init__(self) -> None:
        self.alone: list[np.ndarray] = []
        self.common: list[np.ndarray] = []
        self.pairs: Grouping | None = None

    def add(self, crossed: np.ndarray, local: Local) -> None:
        """Add the columns of a model, (..., k, G, q)."""
        if local.pairs is not None:
            if self.pairs is not None and (self.pairs.codes != local.pairs.codes).any():
                raise ValueError("Models that are inferred from together absorb the same groups.")
            self.pairs = local.pairs
            self.alone += [crossed[..., k : k + 1] for k in range(local.leads)]
            crossed = crossed[..., local.leads :]
        self.common.append(crossed)

    def square(self) -> np.ndarray:
        """Return the sum, shape (..., k)."""
        common = np.concatenate(self.common, axis=-1)
        total = np.square(np.swapaxes(common, -1, -2) @ common).sum(axis=(-2, -1))
        if self.pairs is None:
            return total
        own = np.concatenate(self.alone, axis=-1)
        for column in self.alone:
            total = total + np.square(self.pairs.sums(column * own)).sum(axis=(-2, -1))
            total = total + 2.0 * np.square(self.pairs.sums(column * common)).sum(axis=(-2, -1))
        return total
