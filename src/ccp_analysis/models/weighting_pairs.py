"""Weights of people in many pairs of teams, whose indicators stand in no array.

A pair has an intercept of its own in the model of the arm, and a share of its own in the weights:
given the slopes of the covariates either follows for each pair by itself, so that nothing is larger
than people by covariates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ccp_analysis.models.absorbed import newton_step
from ccp_analysis.models.balance import pooled_sd, varies
from ccp_analysis.models.newton import Slopes, minimise
from ccp_analysis.models.ols import RANK_TOLERANCE, Grouping, grouping

# Standard deviations that exact weights may leave of a difference between weighted means.
EXACT = 1e-8
# A weight below this share of an equal one has gone to zero, unless the hull says otherwise.
VANISHED = 1e-8
# Weights that underflow: nobody is left out of a fit, and nothing is divided by zero.
LEAST = 1e-100
STEPS = 50
# A step this short, in standard errors of the slopes and the intercepts, is the last one.
ARRIVED = 1e-8
# Steps of the logit that are longer than this are shortened to it.
LONGEST = 4.0


@dataclass(frozen=True)
class Weights:
    """Weights of people; the q covariates are those given, then an indicator of each further pair.

    Attributes
    ----------
    weights : numpy.ndarray
        Sum to one in each arm, shape (..., n); NaN where refused.
    propensity : numpy.ndarray or None
        Probability of arm 1 given the covariates, shape (..., n); of overlap weights.
    left : numpy.ndarray
        Weighted mean of arm 1 minus that of arm 0, in pooled standard deviations, shape (..., q).
    column : numpy.ndarray of int
        Position of the covariate that stands in the way, -1 where none does; shape (...).
    status, note : numpy.ndarray of str
        "ok", "refused" or, where values are missing, "failed"; one plain sentence; shape (...).
    """

    weights: np.ndarray
    propensity: np.ndarray | None
    left: np.ndarray
    column: np.ndarray
    status: np.ndarray
    note: np.ndarray


def within_pairs(
    X: np.ndarray, arm: np.ndarray, pair: np.ndarray | None, how: str, limit: float
) -> Weights | None:
    """Weigh people of pairs whose indicators are absorbed.

    Parameters
    ----------
    X, arm, pair, limit
        As for `weighting.overlap_weights`.
    how : {"overlap", "entropy"}
        By overlap, or as equally as can be so that both arms have the means of everybody.

    Returns
    -------
    Weights or None
        None where there are no pairs, or anything stands in the way: whoever has the whole design
        names it.
    """
    X, arm = np.asarray(X, dtype=float), np.asarray(arm)
    fits = X.ndim > 1 and X.shape[-2] == arm.size and set(np.unique(arm)) == {0, 1}
    if pair is None or not fits or not X.size or not np.isfinite(X).all():
        return None
    batch, (n, p) = X.shape[:-2], X.shape[-2:]
    q = p + len(np.unique(pair)) - 1
    if q == p or n <= q + 1 or np.bincount(arm).min() < 2:
        return None
    people = Pairs(X.reshape(-1, n, p), arm, np.unique(pair, return_inverse=True)[1])
    found = getattr(people, how)() if people.sound else None
    if found is None:
        return None
    means = people.means(found.weights)
    gap = np.ptp(means, axis=1) if how == "overlap" else np.abs(means)
    least = VANISHED / np.bincount(arm)[arm] if how == "entropy" else LEAST
    if not (gap <= EXACT).all() or not ((found.weights > least) & (found.weights <= limit)).all():
        return None
    e = found.propensity
    return Weights(
        found.weights.reshape(*batch, n),
        None if e is None else e.reshape(*batch, n),
        (means[:, 1] - means[:, 0]).reshape(*batch, q),
        np.full(batch, -1),
        np.full(batch, "ok"),
        np.full(batch, ""),
    )


@dataclass(frozen=True)
class Paired:
    """Weights of people, of sum one in each arm, and the probability of arm 1, if asked; (B, n)."""

    weights: np.ndarray
    propensity: np.ndarray | None


class Pairs:
    """People of two arms in pairs that have both, their covariates centred; None tells of a fault.

    Parameters
    ----------
    X : numpy.ndarray
        Covariates, shape (B, n, p), finite.
    arm : numpy.ndarray of int
        0 or 1, shape (n,).
    pair : numpy.ndarray of int
        Pair of each person, shape (n,).
    """

    def __init__(self, X: np.ndarray, arm: np.ndarray, pair: np.ndarray) -> None:
        self.arm, self.inside = arm, grouping(pair, len(arm))
        self.differ = bool(varies(X).all())
        scale = pooled_sd(X, arm)
        scale = np.where(scale > 0.0, scale, 1.0)
        self.x = (X - X.mean(axis=1, keepdims=True)) / scale[:, None]

    @property
    def sound(self) -> bool:
        """Whether every pair has both arms and covariates differ beside the pairs."""
        count = len(self.inside.sizes)
        both = [np.bincount(self.inside.codes[self.arm == a], minlength=count) for a in (0, 1)]
        if not np.all(both) or not self.differ:
            return False
        left = self.x - self.inside.means(self.x)[:, self.inside.codes]
        pivots = np.abs(np.diagonal(np.linalg.qr(left, mode="r"), axis1=1, axis2=2))
        return bool((pivots > RANK_TOLERANCE * np.sqrt(np.square(self.x).sum(axis=1))).all())

    def overlap(self) -> Paired | None:
        """Return weights by the logistic model with an intercept for each pair, if it has one.

        Notes
        -----
        Newton's method (`absorbed.newton_step`).
        """
        B, n, p = self.x.shape
        codes, count = self.inside.codes, len(self.inside.sizes)
        slopes, levels = np.zeros((B, p)), np.zeros((B, count))
        eta = np.zeros((B, n))
        for _ in range(STEPS):
            e = expit(eta)
            found = newton_step(self.x, e * (1.0 - e), self.arm - e, self.inside)
            if found is None:
                return None
            step, shift, length = found
            moved = (self.x @ step[..., None])[..., 0] + shift[:, codes]
            shorter = np.minimum(1.0, LONGEST / np.maximum(np.abs(moved).max(axis=1), LONGEST))
            slopes, levels = slopes + shorter[:, None] * step, levels + shorter[:, None] * shift
            eta = (self.x @ slopes[..., None])[..., 0] + levels[:, codes]
            if (np.sqrt(length) <= ARRIVED).all():
                e = expit(eta)
                return Paired(self._shares(np.where(self.arm == 1, 1.0 - e, e)), e)
        return None

    def entropy(self) -> Paired | None:
        """Return the most equal weights that give both arms the means of everybody, if any do.

        Notes
        -----
        Of the sum of weights of an arm a pair has its share s of everybody, so that the dual is the
        sum over pairs of s log sum exp(l'(x - t)) over the people of the arm.
        """
        B, n, p = self.x.shape
        share = self.inside.sizes / n
        weights = np.empty((B, n))
        for a in (0, 1):
            rows = np.flatnonzero(self.arm == a)
            dual = _Dual(self.x[:, rows], grouping(self.inside.codes[rows], len(rows)), share)
            free, converged, _ = minimise(dual, np.zeros((B, p)))
            found = dual.weights(free)
            if not converged.all():
                return None
            weights[:, rows] = found
        return Paired(weights, None)

    def means(self, weights: np.ndarray) -> np.ndarray:
        """Return weighted means of each arm less those of everybody, in pooled SDs: (B, 2, q).

        Of the covariates, then of the indicators of all pairs but the first.
        """
        found, spread = [], np.zeros(len(self.inside.sizes) - 1)
        for a in (0, 1):
            inside = self.arm == a
            own = np.where(inside, weights, 0.0)
            pairs = self.inside.sums(own[..., None])[..., 0] - self.inside.sizes / len(inside)
            share = np.bincount(self.inside.codes[inside])[1:] / inside.sum()
            spread = spread + share * (1.0 - share) * inside.sum() / (inside.sum() - 1.0)
            found.append(np.concatenate([(own[:, None] @ self.x)[:, 0], pairs[:, 1:]], axis=1))
        p = self.x.shape[-1]
        scale = np.concatenate([np.ones(p), np.sqrt(spread / 2.0)])
        return np.stack(found, axis=1) / scale

    def _shares(self, weights: np.ndarray) -> np.ndarray:
        for a in (0, 1):
            inside = self.arm == a
            weights[:, inside] /= weights[:, inside].sum(axis=1, keepdims=True)
        return weights


@dataclass(frozen=True)
class _Dual:
    """The dual of entropy balancing of one arm, its target at zero; (B, n, p)."""

    x: np.ndarray
    inside: Grouping
    share: np.ndarray

    def take(self, fits: np.ndarray) -> _Dual:
        return _Dual(self.x[fits], self.inside, self.share)

    def _within(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return exp(l'x) over its sum in the pair, (B, n), and the sum's logarithm, (B, H)."""
        eta = (self.x @ free[..., None])[..., 0]
        top = np.maximum.reduceat(eta[:, self.inside.order], self.inside.starts, axis=1)
        grown = np.exp(eta - top[:, self.inside.codes])
        total = self.inside.sums(grown[..., None])[..., 0]
        return grown / total[:, self.inside.codes], np.log(total) + top

    def weights(self, free: np.ndarray) -> np.ndarray:
        return self._within(free)[0] * self.share[self.inside.codes]

    def value(self, free: np.ndarray) -> np.ndarray:
        return self._within(free)[1] @ self.share

    def slopes(self, free: np.ndarray) -> Slopes:
        w, logs = self._within(free)
        means = self.inside.sums(w[..., None] * self.x)
        gradient = self.share @ means
        apart = self.x - means[:, self.inside.codes]
        w = w * self.share[self.inside.codes]
        hessian = (np.swapaxes(apart, 1, 2) * w[:, None]) @ apart
        return Slopes(logs @ self.share, gradient, hessian, hessian)
