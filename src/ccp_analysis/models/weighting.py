"""Weights that make two arms alike in what was measured of people, chosen without the outcome.

Overlap weights come from a model of the arm, entropy balancing from the balance that is wanted. A
team-level arm has no propensity model of teams with ten of them, so both balance people within
pairs of teams: whoever gives `pair` has every pair weigh alike in the arms. What teams differ in
beside their people no weight can change.

Whatever stands in the way is a fit's status "refused", with the position of the covariate and a
sentence that names it, for all of a batch too; only shapes that do not fit are a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # reads its optimisation when somebody is first told apart
from scipy.special import expit, logsumexp, softmax

from ccp_analysis.models.balance import CONSTANT, pooled_sd, varies
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.newton import Slopes, minimise
from ccp_analysis.models.ols import NOT_FINITE, RANK_TOLERANCE
from ccp_analysis.models.weighting_pairs import EXACT, LEAST, VANISHED, Weights, within_pairs

# The largest share of an arm's weight that one person may have.
LARGEST_SHARE = 0.20
TARGETS = ("treated", "control", "all")

SAME = "Nobody differs in {}."
FOLLOWS = "Nothing is left of {} beside the covariates before it."
ONE_ARM = "Only one arm has a level of {}."
ONE_TEAM = "Only one arm has people in {}."
SEPARATED = "The arms are told apart by {} (separation): the propensity is zero or one."
OUTSIDE = (
    "No weights bring arm {arm} to the target: it lies at or beyond the edge of the arm in {}."
)
EXPLODED = (
    "One person holds {share:.0%} of the weight of arm {arm}, more than the limit of {limit:.0%}, "
    "to make up for {}."
)
UNBALANCED = "The weights leave a difference in {}: they did not converge."


def overlap_weights(
    X: np.ndarray,
    arm: np.ndarray,
    pair: np.ndarray | None = None,
    *,
    names: Sequence[str] = (),
    firth: bool = False,
    limit: float = LARGEST_SHARE,
) -> Weights:
    """Weigh people by the probability of the arm that they are not in.

    Parameters
    ----------
    X : array_like
        Covariates of people, shape (..., n, p), without intercept.
    arm : array_like of int
        Arm of each person, 0 or 1, shape (n,).
    pair : array_like of int, optional
        Pair of teams of each person, shape (n,): indicators join the covariates.
    names : sequence of str
        What sentences call the covariates; their positions if left out.
    firth : bool
        Whether the likelihood is penalised by Jeffreys' prior. Then separated arms have weights,
        and balance is not exact.
    limit : float
        Share of an arm's weight above which one person refuses the fit.

    Returns
    -------
    Weights
        For the population in which the arms overlap. Without penalty every covariate is balanced
        to `EXACT` standard deviations.

    Raises
    ------
    ValueError
        If shapes do not fit, or an arm has no people.

    Notes
    -----
    Li, Morgan & Zaslavsky (2018, J Am Stat Assoc 113:390-400): with e the logistic propensity,
    w = 1 - e in arm 1 and e in arm 0. The score of its likelihood, sum (a - e) z = 0, is
    sum_1 (1 - e) z = sum_0 e z: exact balance of all z (their theorem 3). The penalty adds half
    the log determinant of the information (Firth 1993, Biometrika 80:27-38; Heinze & Schemper
    2002, Stat Med 21:2409-2419).

    Examples
    --------
    Arms that differ by almost seven years of age do not when they are weighted:

    >>> import numpy as np
    >>> from ccp_analysis.models.weighting import overlap_weights
    >>> age = np.array([31, 38, 42, 45, 52, 55, 60, 64, 25, 29, 36, 41, 44, 48, 53, 57])
    >>> arm = np.repeat([0, 1], 8)
    >>> print(age[arm == 0].mean(), age[arm == 1].mean())
    48.375 41.625
    >>> found = overlap_weights(age[:, None], arm)
    >>> weighted = found.weights * age
    >>> print(weighted[arm == 0].sum().round(2), weighted[arm == 1].sum().round(2))
    44.96 44.96
    """
    if not firth and (within := within_pairs(X, arm, pair, "overlap", limit)):
        return within
    people = _People(X, arm, pair, names)
    if not firth:
        people.refuse(people.one_sided(), ONE_ARM)
    good = people.usable()
    design = np.insert(people.z, 0, 1.0, axis=-1)
    e = np.full(people.z.shape[:2], np.nan)
    if good.size and firth:
        coef, converged, _ = minimise(
            _Firth(design[good], people.arm), np.zeros(design[good, 0].shape)
        )
        e[good[converged]] = expit(design[good] @ coef[..., None])[converged, :, 0]
    elif good.size:
        e[good] = fit_glm(design[good], people.arm, "binomial").fitted
        for b in good[np.isnan(e[good]).any(axis=1)]:
            signed = (2.0 * people.arm - 1.0)[:, None] * design[b]
            people.refuse_by(b, _direction(signed)[1:], SEPARATED)
    weights = np.where(people.arm == 1, 1.0 - e, e)
    for rows in people.rows:
        weights[:, rows] /= weights[:, rows].sum(axis=1, keepdims=True)
    return people.weighted(weights, limit, exact=np.inf if firth else EXACT, e=e)


def entropy_weights(
    X: np.ndarray,
    arm: np.ndarray,
    pair: np.ndarray | None = None,
    *,
    target: str = "treated",
    names: Sequence[str] = (),
    limit: float = LARGEST_SHARE,
) -> Weights:
    """Weigh people as equally as can be, so that both arms have the means of a target population.

    Parameters
    ----------
    X, arm, pair, names, limit
        As for `overlap_weights`.
    target : {"treated", "control", "all"}
        Arm 1, arm 0, or everybody. The arm that is the target has equal weights.

    Returns
    -------
    Weights
        Each covariate is balanced to `EXACT` standard deviations.

    Raises
    ------
    ValueError
        As `overlap_weights`, or if there is no such target.

    Notes
    -----
    Hainmueller (2012, Polit Anal 20:25-46): min sum w log w subject to sum w = 1, sum w z = t, by
    the convex dual min log sum exp(l'(z - t)), w proportional to exp(l'(z - t)), with Newton steps
    that are halved until the dual falls. It has a minimum where t lies inside the convex hull of
    the arm's people; outside, a linear programme finds the direction in which it does not.
    """
    if target not in TARGETS:
        raise ValueError(f"The target is one of {', '.join(TARGETS)}, not {target}.")
    if target == "all" and (within := within_pairs(X, arm, pair, "entropy", limit)):
        return within
    people = _People(X, arm, pair, names)
    people.refuse(people.one_sided(), ONE_ARM)
    good = people.usable()
    weights = np.full(people.z.shape[:2], np.nan)
    aims = {"treated": people.rows[1], "control": people.rows[0], "all": np.arange(len(people.arm))}
    aim = people.z[:, aims[target]].mean(axis=1)
    for a, rows in enumerate(people.rows):
        C = people.z[good][:, rows] - aim[good, None]
        slopes, converged, _ = minimise(_Dual(C), np.zeros((len(good), C.shape[-1])))
        found = softmax((C @ slopes[..., None])[..., 0], axis=-1)
        gone = found.min(axis=-1, initial=1.0) * len(rows) <= VANISHED
        for k in np.flatnonzero(~converged | gone):
            people.refuse_by(good[k], _direction(C[k]), OUTSIDE.replace("{arm}", str(a)))
        weights[np.ix_(good, rows)] = found
    return people.weighted(weights, limit, aim=aim)


class _People:
    """Standardised covariates of two arms, (B, n, q), and what stands in the way of each fit."""

    def __init__(
        self, X: np.ndarray, arm: np.ndarray, pair: np.ndarray | None, names: Sequence[str]
    ) -> None:
        X, self.arm = np.asarray(X, dtype=float), np.asarray(arm)
        n = self.arm.size
        if X.ndim < 2 or X.shape[-2] != n or set(np.unique(self.arm)) != {0, 1}:
            raise ValueError(
                "Covariates are (..., n, p), and arms (n,) are 0 and 1, both with people."
            )
        pair = np.zeros(n, dtype=int) if pair is None else np.asarray(pair)
        self.batch, self.given = X.shape[:-2], X.shape[-1]
        X = X.reshape(-1, n, self.given)
        codes, inside = np.unique(pair, return_inverse=True)
        indicators = inside[:, None] == np.arange(1, len(codes))
        X = np.concatenate([X, np.broadcast_to(indicators, (len(X), *indicators.shape))], axis=-1)
        if n <= X.shape[-1] + 1:
            raise ValueError(f"{X.shape[-1]} covariates are too many for {n} people.")
        own = [f"the covariate at position {j} (from 0)" for j in range(self.given)]
        self.names = [*(names or own), *(f"pair {code}" for code in codes[1:])]
        self.rows = [np.flatnonzero(self.arm == a) for a in (0, 1)]
        self.column = np.full(len(X), -1)
        self.note = np.full(len(X), "", dtype=object)
        finite = np.isfinite(X).all(axis=(1, 2))
        self.note[~finite] = NOT_FINITE
        self.X = X = np.where(finite[:, None, None], X, 0.0)
        self.refuse(~varies(X), SAME)
        armed = [set(pair[rows].tolist()) for rows in self.rows]
        for code in sorted(armed[0] ^ armed[1])[:1]:
            fits, name = self.note == "", f"pair {code}"
            self.column[fits] = self.names.index(name) if name in self.names else -1
            self.note[fits] = ONE_TEAM.format(name)
        scale = pooled_sd(X, self.arm)
        whole = X.std(axis=1)
        scale = np.where(scale > CONSTANT * whole, scale, np.where(whole > 0.0, whole, 1.0))
        self.z = (X - X.mean(axis=1, keepdims=True)) / scale[:, None]
        left = np.abs(np.diagonal(np.linalg.qr(self.z, mode="r"), axis1=1, axis2=2))
        self.refuse(left <= RANK_TOLERANCE * np.sqrt(np.square(self.z).sum(axis=1)), FOLLOWS)

    def one_sided(self) -> np.ndarray:
        """Return which covariates have two levels, of which an arm has one; (B, q)."""
        low, high = self.X.min(axis=1), self.X.max(axis=1)
        two = ((self.X - low[:, None]) * (self.X - high[:, None]) == 0.0).all(axis=1)
        alone = [np.ptp(self.X[:, rows], axis=1) == 0.0 for rows in self.rows]
        return two & (alone[0] | alone[1])

    def usable(self) -> np.ndarray:
        return np.flatnonzero(self.note == "")

    def refuse(self, severity: np.ndarray, sentence: str) -> None:
        """Refuse fits with a covariate of positive severity (B, q), and name the severest."""
        for b in np.flatnonzero(severity.any(axis=1) & (self.note == "")):
            self.column[b] = severity[b].argmax()
            self.note[b] = sentence.format(self.names[self.column[b]])

    def refuse_by(self, b: int, direction: np.ndarray, sentence: str) -> None:
        """Refuse a fit because of a direction (q,), and name what has part in it, most first."""
        order = np.argsort(-np.abs(direction), kind="stable")
        part = [j for j in order if np.abs(direction[j]) > CONSTANT * np.abs(direction).max()]
        if self.note[b] == "" and part:
            self.column[b] = part[0]
            first, *others = (self.names[j] for j in part)
            told = first + f" (together with {', '.join(others)})" * bool(others)
            self.note[b] = sentence.format(told)

    def weighted(
        self,
        weights: np.ndarray,
        limit: float,
        *,
        exact: float = EXACT,
        aim: np.ndarray | None = None,
        e: np.ndarray | None = None,
    ) -> Weights:
        """Check balance and shares, and return the weights where nothing stands in the way."""
        weights = np.maximum(weights, LEAST)
        sides = [(weights[:, rows, None] * self.z[:, rows]).sum(axis=1) for rows in self.rows]
        left, aim = sides[1] - sides[0], sides[0] if aim is None else aim
        gap = np.maximum(*(np.abs(side - aim) for side in sides))
        gap = np.where(np.isfinite(gap), gap, np.inf)
        self.refuse(np.where(np.isfinite(gap) & (gap <= exact), 0.0, gap), UNBALANCED)
        for a, rows in enumerate(self.rows):
            for b in np.flatnonzero((weights[:, rows].max(axis=1) > limit) & (self.note == "")):
                who = weights[b, rows].argmax()
                told = {"arm": a, "share": weights[b, rows][who], "limit": limit}
                plain = self.z[b, rows].mean(axis=0)
                far = (self.z[b, rows][who] - plain) * (sides[a][b] - plain)
                # Pairs are named only where there is nothing else.
                self.column[b] = far[: self.given or None].argmax()
                self.note[b] = EXPLODED.format(self.names[self.column[b]], **told)
        stands = self.note == ""
        status = np.where(self.note == NOT_FINITE, "failed", np.where(stands, "ok", "refused"))

        def shaped(values: np.ndarray) -> np.ndarray:
            return values.reshape((*self.batch, *values.shape[1:]))

        kept = np.where(stands[:, None], weights, np.nan)
        return Weights(
            shaped(kept),
            None if e is None else shaped(np.where(stands[:, None], e, np.nan)),
            shaped(np.where(stands[:, None], left, np.nan)),
            shaped(self.column),
            shaped(status),
            shaped(self.note.astype(str)),
        )


@dataclass(frozen=True)
class _Dual:
    """The dual of entropy balancing, of people less their target, (B, n, q)."""

    C: np.ndarray

    def take(self, fits: np.ndarray) -> _Dual:
        return _Dual(self.C[fits])

    def value(self, free: np.ndarray) -> np.ndarray:
        return logsumexp((self.C @ free[..., None])[..., 0], axis=-1)

    def slopes(self, free: np.ndarray) -> Slopes:
        w = softmax((self.C @ free[..., None])[..., 0], axis=-1)[..., None]
        gradient = (w * self.C).sum(axis=1)
        apart = np.sqrt(w) * (self.C - gradient[:, None])
        hessian = np.swapaxes(apart, 1, 2) @ apart
        return Slopes(self.value(free), gradient, hessian, hessian)


@dataclass(frozen=True)
class _Firth:
    """Minus the penalised log-likelihood of arms, designs (B, n, q), with its expected Hessian."""

    Z: np.ndarray
    arm: np.ndarray

    def take(self, fits: np.ndarray) -> _Firth:
        return _Firth(self.Z[fits], self.arm)

    def value(self, free: np.ndarray) -> np.ndarray:
        eta = (self.Z @ free[..., None])[..., 0]
        likelihood = (self.arm * eta - np.logaddexp(0.0, eta)).sum(axis=-1)
        return -likelihood - 0.5 * np.linalg.slogdet(self._information(eta))[1]

    def slopes(self, free: np.ndarray) -> Slopes:
        eta = (self.Z @ free[..., None])[..., 0]
        e, information = expit(eta), self._information(eta)
        solved = np.swapaxes(np.linalg.solve(information, np.swapaxes(self.Z, 1, 2)), 1, 2)
        leverage = e * expit(-eta) * (solved * self.Z).sum(axis=-1)
        pull = self.arm - e + leverage * (0.5 - e)
        gradient = -(pull[:, None] @ self.Z)[:, 0]
        return Slopes(self.value(free), gradient, information, information)

    def _information(self, eta: np.ndarray) -> np.ndarray:
        weighted = (expit(eta) * expit(-eta))[..., None] * self.Z
        return np.swapaxes(self.Z, 1, 2) @ weighted


def _direction(C: np.ndarray) -> np.ndarray:
    """Return the direction b of least sum |b| with Cb >= 0 and Cb != 0; zero if there is none."""
    n, q = C.shape
    both = np.hstack([C, -C])
    found = scipy.optimize.linprog(
        np.ones(2 * q), A_ub=-both, b_ub=np.zeros(n), A_eq=both.sum(axis=0)[None], b_eq=[float(n)]
    )
    return found.x[:q] - found.x[q:] if found.success else np.zeros(q)
