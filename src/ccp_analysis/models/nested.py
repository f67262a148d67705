"""Gaussian models with random intercepts on nested levels: teams within pairs, people in teams.

The model is y = X b + sum_l Z_l u_l + e with V = sum_l theta_l Z_l Z_l' + theta_0 I and every group
of a level inside one group of the level above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ccp_analysis.models.inference import positive_inverse
from ccp_analysis.models.nested_algebra import NestedAlgebra, NestedMoments, nested_moments
from ccp_analysis.models.newton import Slopes, minimise
from ccp_analysis.models.ols import Grouping, OlsFit, fit_ols, grouping

# Variances of a level that the search may start from, as shares of the residual variance.
STARTS = (0.01, 0.1, 1.0)
# Variance of a level, as a share of the residual variance, that is called zero.
ZERO_SHARE = 1e-10
# Residual variance, as a share of that of least squares, that is called zero.
NO_RESIDUAL_SHARE = 1e-10
# Share of the variation between groups that a design must leave to tell its variance.
ABSORBED_TOLERANCE = 1e-10
# Standard deviations, in units of that of least squares, beyond which nothing is tried.
LARGEST_ROOT = 1e50

BOUNDARY = "A variance between groups is estimated at zero, the edge of what is allowed."
ABSORBED = "The design explains every difference between the groups of a level."
NO_RESIDUAL = "Nothing varies within groups beside the design: the residual variance goes to zero."
NO_OPTIMUM = "The search for the variances did not converge."


@dataclass(frozen=True)
class NestedFit:
    """Fits of a batch; NaN stands in every number of a failed fit.

    Attributes
    ----------
    coef : numpy.ndarray
        Generalised least squares coefficients, shape (..., p).
    cov : numpy.ndarray
        (X'V^-1 X)^-1 at the estimated variances, shape (..., p, p).
    variances : numpy.ndarray
        Variances of the levels as they were given, then the residual variance; squared units of the
        outcome, shape (..., levels + 1). Exactly 0.0 on the boundary.
    deviance : numpy.ndarray
        REML: log|V| + log|X'V^-1 X| + y'Py + (n - p) log(2 pi), lme4's REML criterion; ML: -2 log
        likelihood. Shape (...).
    status : numpy.ndarray of str
        "ok", "boundary" (a variance is zero) or "failed"; shape (...).
    note : numpy.ndarray of str
        One plain sentence where the status is not "ok", else empty; shape (...).
    df_resid : int
        n - p.
    method : str
        "REML" or "ML".
    steps : numpy.ndarray of int
        Steps of the search, shape (...).
    inverse : numpy.ndarray
        R^-1 of X = QR, which carries the basis of `moments` to coefficients; shape (..., p, p).
    scale : numpy.ndarray
        Units of `moments`: root mean square of the least squares residuals, shape (...).
    moments : NestedMoments
        Sums of the batch, flattened to one axis.
    """

    coef: np.ndarray
    cov: np.ndarray
    variances: np.ndarray
    deviance: np.ndarray
    status: np.ndarray
    note: np.ndarray
    df_resid: int
    method: str
    steps: np.ndarray
    inverse: np.ndarray
    scale: np.ndarray
    moments: NestedMoments

    @property
    def information(self) -> str:
        """Information that Kenward-Roger uses unless told: pbkrtest's."""
        return "expected"

    def pieces(self) -> NestedPieces:
        """Return what small-sample inference needs."""
        return NestedPieces(self)


def fit_nested(
    X: np.ndarray, y: np.ndarray, groups: Sequence[np.ndarray], *, method: str = "REML"
) -> NestedFit:
    """Fit linear models with random intercepts on nested levels.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p).
    y : array_like
        Outcome, shape (..., n); leading axes broadcast against those of the design.
    groups : sequence of array_like of int
        Group of each row on each level, from the outermost (pair) to the innermost (team, or
        person), each of shape (n,). Equal codes inside different outer groups are different groups.
    method : {"REML", "ML"}
        Restricted maximum likelihood, or maximum likelihood.

    Returns
    -------
    NestedFit

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns.
    ValueError
        If shapes do not fit, the method is unknown, no level is given, a level has fewer than two
        groups or the same groups as the next, or the design explains every difference between the
        groups of a level.

    Notes
    -----
    Variances are at least zero. Newton's method on the criterion profiled over the coefficients, in
    the roots of the variances, from the best of a few starts (Bates et al. 2015 for the model).
    """
    if method not in ("REML", "ML"):
        raise ValueError(f"The method is REML or ML, not {method}.")
    ols = fit_ols(X, y)
    n = ols.X.shape[-2]
    levels = _levels(groups, n)
    absorbed = np.stack([_absorbed(ols, level) for level in levels[::-1]])
    for number, everywhere in enumerate(absorbed.reshape(len(levels), -1).all(axis=1)):
        if everywhere:
            raise ValueError(
                f"The design explains every difference between the groups of level {number + 1} "
                "(from the outermost): their variance cannot be told."
            )
    failed = np.where(absorbed.any(axis=0), ABSORBED, "")
    failed = np.where(ols.status != "ok", ols.note, failed)
    usable = failed == ""
    scale = np.sqrt(np.where(usable, ols.sigma2 * ols.df_resid / n, 1.0))
    # A fit that failed gets residuals of zero: its numbers are finite and thrown away later.
    residuals = np.where(usable[..., None], ols.residuals, 0.0) / scale[..., None]
    moments = nested_moments(ols.basis, residuals, levels)
    problem = _NestedProblem(moments, n, method == "REML")
    usable = usable.reshape(-1)
    free = _start(problem, len(levels) + 1)
    converged, steps = np.zeros(len(usable), dtype=bool), np.zeros(len(usable), dtype=int)
    free[usable], converged[usable], steps[usable] = minimise(
        problem.take(np.flatnonzero(usable)), free[usable]
    )
    return _at_optimum(problem, free, converged, steps, ols, scale, failed)


def _levels(groups: Sequence[np.ndarray], n: int) -> list[Grouping]:
    """Read the levels, from the inside, groups inside different outer groups kept apart."""
    if len(groups) == 0:
        raise ValueError("At least one level of groups is needed.")
    levels = [grouping(groups[0], n)]
    for codes in groups[1:]:
        inner = grouping(codes, n)
        both = levels[-1].codes * len(inner.sizes) + inner.codes
        levels.append(grouping(both, n))
        if len(levels[-1].sizes) == len(levels[-2].sizes):
            raise ValueError(
                f"Level {len(levels)} of the groups (from the outermost) divides no group of the "
                "level before: their variances cannot be told apart."
            )
    if levels[-1].sizes.max() == 1:
        raise ValueError("No group has two rows: group and residual variance cannot be told apart.")
    return levels[::-1]


def _absorbed(ols: OlsFit, level: Grouping) -> np.ndarray:
    """Whether the indicators of the groups lie in the span of the design, shape of its batch."""
    left = 1.0 - np.square(level.sums(ols.basis)).sum(axis=-1) / level.sizes
    return left.max(axis=-1) <= ABSORBED_TOLERANCE


@dataclass(frozen=True)
class _NestedProblem:
    """The criterion in the roots of the variances."""

    moments: NestedMoments
    n: int
    reml: bool

    def take(self, fits: np.ndarray) -> _NestedProblem:
        return _NestedProblem(self.moments.take(fits), self.n, self.reml)

    def value(self, free: np.ndarray) -> np.ndarray:
        size = np.abs(free)
        proper = (size < LARGEST_ROOT).all(axis=-1) & (size[:, 0] > 1.0 / LARGEST_ROOT)
        theta = np.square(np.where(proper[:, None], free, 1.0))
        found = NestedAlgebra(self.moments, theta, self.n, self.reml).value
        return np.where(proper, found, np.inf)

    def slopes(self, free: np.ndarray) -> Slopes:
        algebra = NestedAlgebra(self.moments, np.square(free), self.n, self.reml)
        both = 4.0 * free[:, :, None] * free[:, None, :]
        curvature = 2.0 * algebra.gradient[:, :, None] * np.eye(free.shape[1])
        # Where a variance is zero the information vanishes; the curvature does not.
        return Slopes(
            algebra.value,
            2.0 * free * algebra.gradient,
            both * algebra.observed + curvature,
            both * algebra.expected + np.abs(curvature),
        )


def _start(problem: _NestedProblem, K: int) -> np.ndarray:
    """Return the best of a few starting points, shape (B, K)."""
    B = len(problem.moments.within)
    starts = []
    for shares in product(STARTS, repeat=K - 1):
        theta = np.array([1.0, *shares]) / (1.0 + sum(shares))
        starts.append(np.broadcast_to(np.sqrt(theta), (B, K)))
    values = np.stack([problem.value(start) for start in starts])
    return np.stack(starts)[np.argmin(values, axis=0), np.arange(B)]


def _at_optimum(
    problem: _NestedProblem,
    free: np.ndarray,
    converged: np.ndarray,
    steps: np.ndarray,
    ols: OlsFit,
    scale: np.ndarray,
    failed: np.ndarray,
) -> NestedFit:
    """Evaluate everything at the chosen variances and bring it back to the units of the data."""
    theta = np.square(free)
    collapsed = ~(theta[:, 0] > NO_RESIDUAL_SHARE)
    zero = theta <= ZERO_SHARE * theta[:, :1]
    theta = np.where(zero, 0.0, theta)
    batch = ols.coef.shape[:-1]
    note = np.select(
        [collapsed, ~converged, zero.any(axis=-1)], [NO_RESIDUAL, NO_OPTIMUM, BOUNDARY], ""
    )
    note = np.where(failed != "", failed, note.reshape(batch))
    status = np.select([note == "", note == BOUNDARY], ["ok", "boundary"], "failed")
    valid = status != "failed"
    safe = np.where(valid.reshape(-1)[:, None], theta, 1.0)
    algebra = NestedAlgebra(problem.moments, safe, problem.n, problem.reml)
    square = np.where(valid, scale**2, np.nan)[..., None]
    p, back = ols.coef.shape[-1], ols.inverse
    freedom = problem.n - p if problem.reml else problem.n
    deviance = algebra.value.reshape(batch) + freedom * np.log(2.0 * np.pi * square[..., 0])
    if problem.reml:
        # The basis leaves |R|^2 out of |X'V^-1 X|.
        diagonal = np.diagonal(back, axis1=-2, axis2=-1)
        deviance = deviance - 2.0 * np.log(np.abs(diagonal)).sum(axis=-1)
    phi = algebra.phi.reshape(*batch, p, p)
    shift = (back @ algebra.gamma.reshape(*batch, p, 1))[..., 0]
    return NestedFit(
        coef=ols.coef + shift * np.sqrt(square),
        cov=back @ phi @ np.swapaxes(back, -1, -2) * square[..., None],
        variances=theta[:, ::-1].reshape(*batch, -1) * square,
        deviance=deviance,
        status=status,
        note=note,
        df_resid=problem.n - p,
        method="REML" if problem.reml else "ML",
        steps=steps.reshape(batch),
        inverse=back,
        scale=scale,
        moments=problem.moments,
    )


class NestedPieces:
    """Matrices of Kenward & Roger (1997), with their symbols, for K variances from the inside.

    In the basis of the design and in units of `scale` squared.

    Parameters
    ----------
    fit : NestedFit
        Fits of a batch.
    """

    def __init__(self, fit: NestedFit) -> None:
        self.fit = fit
        self.valid = (fit.status != "failed").reshape(-1)
        variances = fit.variances[..., ::-1].reshape(len(self.valid), -1)
        square = fit.scale.reshape(-1, 1) ** 2
        self.theta = np.where(self.valid[:, None], variances / square, 1.0)
        n = fit.df_resid + fit.coef.shape[-1]
        self.algebra = NestedAlgebra(fit.moments, self.theta, n, fit.method == "REML")

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        values = np.where(self.valid.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan)
        return values.reshape(*self.fit.coef.shape[:-1], *values.shape[1:])

    @property
    def unit(self) -> np.ndarray:
        """Squared units of the outcome per unit of variance here, shape (...)."""
        return self.fit.scale**2

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^-1 X)^-1, shape (..., p, p)."""
        return self._shaped(self.algebra.phi)

    @cached_property
    def P(self) -> np.ndarray:
        """P_k = -X'V^-1 G_k V^-1 X, shape (..., K, p, p)."""
        return self._shaped(self.algebra.P)

    @cached_property
    def expected(self) -> np.ndarray:
        """Twice the expected information, shape (..., K, K)."""
        return self._shaped(self.algebra.expected)

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the deviance, shape (..., K, K)."""
        return self._shaped(self.algebra.observed)

    def second(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_kl weights_kl Q_kl, (..., K, K) to (..., p, p)."""
        return np.einsum("...kl,...klij->...ij", weights, self._shaped(self.algebra.Q))

    @cached_property
    def spread(self) -> np.ndarray:
        """Covariance of the variances by the observed information; zeros count as known."""
        positive = self.theta > 0.0
        both = positive[:, :, None] & positive[:, None, :]
        apart = np.where(both, self.algebra.observed, np.eye(positive.shape[1]))
        return self._shaped(np.where(both, 2.0 * positive_inverse(apart), 0.0))
