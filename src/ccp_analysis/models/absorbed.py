"""Least squares with the indicators of many groups, which stand in no array.

A cluster touches the indicator of its own group and the other columns only. So with p - 1 columns
beside H groups nothing is larger than p by p, however many groups there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.ols import (
    EXACT_TOLERANCE,
    RANK_TOLERANCE,
    Absorbed,
    Grouping,
    OlsFit,
    grouping,
    project,
)


def fit_absorbed(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None
) -> OlsFit | None:
    r"""Fit linear models with an effect of each group by least squares, weighted or not.

    Parameters
    ----------
    X : array_like
        Design without the groups, shape (..., n, p), the intercept first.
    y : array_like
        Outcome, shape (..., n); leading axes broadcast as in `ols.fit_ols`.
    groups : array_like of int
        Group of each row, shape (n,), at least two.
    weights : array_like, optional
        Positive, shape (..., n).

    Returns
    -------
    OlsFit or None
        Coefficients of X where the groups' indicators are centred, as if these stood in the design;
        the intercept is the mean of the groups' effects, weighted by rows. With weights the fit is
        that of sqrt(w) y on sqrt(w) X, as in `weighted.fit_weighted`. None where any fit of the
        batch would fail, be exact or depend on fewer columns: `fit_ols` says what is the matter.

    Notes
    -----
    Frisch & Waugh (1933): what the groups' means leave of each column is decomposed. With
    orthonormal columns u_h of the groups and Q_W R of what is left of the columns W, means
    :math:`\bar w_h`, the coefficients are b = R^-1 Q_W'y and
    :math:`\sum_h (n_h / n) (\bar y_h - \bar w_h'b)`.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    n, r = X.shape[-2], X.shape[-1] - 1
    inside = grouping(groups, n)
    rows = n - len(inside.sizes) - r
    if rows < 1 or not (np.isfinite(X).all() and np.isfinite(y).all()):
        return None
    root = np.ones(n) if weights is None else np.sqrt(np.asarray(weights, dtype=float))
    if not np.isfinite(root).all():
        return None
    return fit_swept(root, root[..., None] * X[..., 1:], root * y, inside, inside.sizes, X)


def fit_swept(
    root: np.ndarray,
    W: np.ndarray,
    outcome: np.ndarray,
    inside: Grouping,
    people: np.ndarray,
    X: np.ndarray,
) -> OlsFit | None:
    """Fit rows of an intercept (..., n), other columns (..., n, r) and outcome, groups absorbed.

    The groups have so many `people`, shape (H,), however many rows; X is kept as the design.
    """
    r = W.shape[-1]
    rows = int(people.sum()) - len(people) - r
    size = np.sqrt(_sums(inside, root**2))
    unit = root / size[..., inside.codes]
    onto = inside.sums(unit[..., None] * W)
    left = W - unit[..., None] * onto[..., inside.codes, :]
    basis, triangle = np.linalg.qr(left)
    pivots = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    if (pivots <= RANK_TOLERANCE * np.sqrt(np.square(W).sum(axis=-2))).any():
        return None
    level = _sums(inside, unit * outcome)
    scores, residuals = project(basis, outcome - unit * level[..., inside.codes])
    # What rounding has left of the groups' means.
    residuals = residuals - unit * _sums(inside, unit * residuals)[..., inside.codes]
    length = np.sqrt(np.square(residuals).sum(axis=-1))
    if (length <= EXACT_TOLERANCE * np.sqrt(np.square(outcome).sum(axis=-1))).any():
        return None
    back = np.linalg.inv(triangle)
    means, share = onto / size[..., None], people / people.sum()
    inverse = np.zeros((*back.shape[:-2], r + 1, len(share) + r))
    inverse[..., 0, : len(share)] = share / size
    inverse[..., 0, len(share) :] = -((share @ means)[..., None, :] @ back)[..., 0, :]
    inverse[..., 1:, len(share) :] = back
    slopes = (back @ scores[..., None])[..., 0]
    effects = level / size - (means @ slopes[..., None])[..., 0]
    coef = np.concatenate([(effects @ share)[..., None], slopes], axis=-1)
    return OlsFit(
        coef=coef,
        residuals=residuals,
        sigma2=np.square(residuals).sum(axis=-1) / rows,
        df_resid=rows,
        X=X,
        basis=basis,
        inverse=inverse,
        status=np.full(coef.shape[:-1], "ok"),
        note=np.full(coef.shape[:-1], ""),
        absorbed=Absorbed(inside, unit, size, means, effects),
    )


def newton_step(
    x: np.ndarray, weights: np.ndarray, pull: np.ndarray, groups: Grouping
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return a Newton step of slopes (..., p) and of a level for each group (..., H).

    And its squared length in standard errors. None where the information, of rows x (..., n, p)
    with weights (..., n), is not positive definite; the block of the levels is diagonal, and the
    slopes are solved for by its Schur complement. `pull` (..., n) is the slope of the likelihood.
    """
    p = x.shape[-1]
    columns = [weights[..., None], weights[..., None] * x, pull[..., None]]
    sums = groups.sums(np.concatenate(columns, axis=-1))
    own, crossed, level = sums[..., 0], sums[..., 1 : p + 1], sums[..., p + 1]
    if not (own > 0.0).all():
        return None
    means, across = crossed / own[..., None], np.swapaxes(x, -1, -2)
    schur = (across * weights[..., None, :]) @ x - np.swapaxes(crossed, -1, -2) @ means
    score = (across @ pull[..., None] - np.swapaxes(means, -1, -2) @ level[..., None])[..., 0]
    values = np.linalg.eigvalsh(schur)
    if not (values[..., 0] > RANK_TOLERANCE * values[..., -1]).all():
        return None
    slopes = np.linalg.solve(schur, score[..., None])[..., 0]
    levels = level / own - (means @ slopes[..., None])[..., 0]
    length = (score * slopes).sum(axis=-1) + (level * level / own).sum(axis=-1)
    return slopes, levels, length


def with_indicators(X: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return a design (..., n, p) with the indicators of all groups but the first behind it."""
    if groups is None:
        return X
    between = np.equal.outer(groups, np.unique(groups)[1:]).astype(float)
    return np.concatenate([X, np.broadcast_to(between, X.shape[:-1] + between.shape[-1:])], axis=-1)


def _sums(groups: Grouping, values: np.ndarray) -> np.ndarray:
    """Sum (..., n) by group: (..., H)."""
    return groups.sums(values[..., None])[..., 0]


@dataclass(frozen=True)
class AbsorbedTwice(Absorbed):
    """Groups with an effect in either of two equations, of which everyone has a row in each.

    Attributes
    ----------
    lead : numpy.ndarray
        Values of each row in the two columns of its own group, shape (n, 2).
    triangle, own : numpy.ndarray
        Of each group as in `Local`: shapes (..., H, q, q) and (..., H, q).
    """

    lead: np.ndarray
    triangle: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class Local:
    """A fit in the columns that each cluster touches, q of them.

    Attributes
    ----------
    basis : numpy.ndarray
        Orthonormal columns, those of the row's own group first, shape (..., n, q).
    triangle : numpy.ndarray
        What leads from coefficients to the basis, shape (..., G or 1, q, q).
    coef : numpy.ndarray
        These coefficients, shape (..., 1, G or 1, q).
    pairs : Grouping or None
        Absorbed group of each cluster; None where nothing is absorbed and all columns are touched.
    leads : int
        Columns of each group.
    """

    basis: np.ndarray
    triangle: np.ndarray
    coef: np.ndarray
    pairs: Grouping | None
    leads: int = 1

    def take(self, directions: np.ndarray) -> np.ndarray:
        """Return directions (..., k, P) in the columns of each cluster, (..., G or 1, k, q)."""
        if self.pairs is None:
            return directions[..., None, :, :]
        own = np.moveaxis(directions[..., self._places], -2, -3)
        common = directions[..., None, :, self.leads * len(self.pairs.sizes) :]
        shared = np.broadcast_to(common, (*own.shape[:-1], common.shape[-1]))
        return np.concatenate([own, shared], axis=-1)

    def spread(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors of the clusters, (..., G, q), in all columns, (..., G, P)."""
        if self.pairs is None:
            return vectors
        count = self.leads * len(self.pairs.sizes)
        whole = np.zeros((*vectors.shape[:-1], count + vectors.shape[-1] - self.leads))
        rows = np.arange(len(self.pairs.codes))[:, None]
        whole[..., rows, self._places] = vectors[..., : self.leads]
        whole[..., count:] = vectors[..., self.leads :]
        return whole

    @property
    def _places(self) -> np.ndarray:
        """Positions among all columns of those of each cluster's group, shape (G, leads)."""
        if self.pairs is None:
            raise ValueError("Asked of a fit in which nothing is absorbed.")
        return self.pairs.codes[:, None] + len(self.pairs.sizes) * np.arange(self.leads)


def localised(fit: OlsFit, clusters: Grouping) -> Local:
    """Return a fit in the columns that each cluster touches.

    Raises
    ------
    ValueError
        If a cluster lies in two absorbed groups.
    """
    if (absorbed := fit.absorbed) is None:
        triangle = np.linalg.inv(fit.inverse)[..., None, :, :]
        return Local(fit.basis, triangle, fit.coef[..., None, None, :], None)
    of = absorbed.groups.codes[clusters.order[clusters.starts]]
    if (of[clusters.codes] != absorbed.groups.codes).any():
        raise ValueError("A cluster lies in two of the groups that are absorbed; expected in one.")
    if isinstance(absorbed, AbsorbedTwice):
        first = np.broadcast_to(absorbed.lead, (*fit.basis.shape[:-1], 2))
        return Local(
            np.concatenate([first, fit.basis], axis=-1),
            absorbed.triangle[..., of, :, :],
            absorbed.own[..., None, of, :],
            grouping(of, len(of)),
            leads=2,
        )
    lead = np.broadcast_to(absorbed.column[..., None], (*fit.basis.shape[:-1], 1))
    r = fit.basis.shape[-1]
    size = absorbed.size[..., of]
    back = fit.inverse[..., 1:, -r:]
    triangle = np.zeros((*back.shape[:-2], len(of), r + 1, r + 1))
    triangle[..., 0, 0] = size
    triangle[..., 0, 1:] = size[..., None] * absorbed.means[..., of, :]
    triangle[..., 1:, 1:] = np.linalg.inv(back)[..., None, :, :]
    effects = absorbed.effects[..., of, None]
    slopes = np.broadcast_to(fit.coef[..., None, 1:], (*effects.shape[:-1], r))
    coef = np.concatenate([effects, slopes], axis=-1)[..., None, :, :]
    return Local(np.concatenate([lead, fit.basis], axis=-1), triangle, coef, grouping(of, len(of)))
