"""Gaussian models with a random intercept for groups, by (restricted) maximum likelihood.

The model is y = X b + Z u + e with V = var_group Z Z' + var_resid I. With r = var_group / var_resid
everything is a function of r and of three cross-products: within groups, of group means, and group
sizes. In the orthonormal basis Q of X = QR, scaled by the length of the least squares residuals,
these are pure numbers, so that neither units nor origins of outcome and covariates matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.ols import Grouping, OlsFit, fit_ols, grouping, times
from ccp_analysis.models.random_intercept_pieces import RandomInterceptPieces

# Ratios tried before the search is refined, as multiples of 1 / (size of the largest group).
GRID = np.logspace(-3.0, 9.0, 25)
# What is left of r, in these multiples, when the group variance is called zero.
ZERO_RATIO = 1e-10
MAX_STEPS = 60
STEP_TOLERANCE = 1e-9
# Share of the groups' own variation that a design must leave to tell their variance.
ABSORBED_TOLERANCE = 1e-10

BOUNDARY = "The group variance is estimated at zero, the edge of what is allowed."
REFUSED = (
    "The likelihood is highest at the edge where the mean of the largest group has no variance "
    "left: the fit is refused."
)
ABSORBED = "The design explains every difference between groups: their variance cannot be told."
NO_RESIDUAL = "Nothing varies within groups beside the design: the residual variance goes to zero."
NO_OPTIMUM = "The search for the group variance did not converge."


@dataclass(frozen=True)
class GroupMoments:
    """What the likelihood needs to know of the data, in the orthonormal basis of the design.

    Attributes
    ----------
    sizes : numpy.ndarray
        Rows of each group, shape (G,).
    means : numpy.ndarray
        Group means of the basis, shape (..., G, p).
    within : numpy.ndarray
        Within-group cross-products of the basis, shape (..., p, p).
    resid_means : numpy.ndarray
        Group means of the residuals, shape (..., G).
    resid_cross : numpy.ndarray
        Within-group cross-products of basis and residuals, shape (..., p).
    resid_square : numpy.ndarray
        Within-group sum of squares of the residuals, shape (...).
    """

    sizes: np.ndarray
    means: np.ndarray
    within: np.ndarray
    resid_means: np.ndarray
    resid_cross: np.ndarray
    resid_square: np.ndarray

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Return the sum over groups of weight times mean mean', shape (..., p, p)."""
        return np.swapaxes(self.means, -1, -2) @ (weights[..., None] * self.means)

    def after(self, gamma: np.ndarray, scale: np.ndarray) -> GroupMoments:
        """Return the moments with the residuals after subtracting basis times gamma, / scale."""
        fitted = times(gamma, self.within)
        square = self.resid_square - ((2.0 * self.resid_cross - fitted) * gamma).sum(axis=-1)
        return GroupMoments(
            self.sizes,
            self.means,
            self.within,
            (self.resid_means - times(gamma, np.swapaxes(self.means, -1, -2))) / scale[..., None],
            (self.resid_cross - fitted) / scale[..., None],
            square / scale**2,
        )


@dataclass(frozen=True)
class RandomInterceptFit:
    """Fits of a batch; NaN stands in every number of a refused or failed fit.

    Attributes
    ----------
    coef : numpy.ndarray
        Generalised least squares coefficients, shape (..., p).
    cov : numpy.ndarray
        (X'V^-1 X)^-1 at the estimated variances, shape (..., p, p).
    var_group, var_resid : numpy.ndarray
        Variances, squared units of the outcome, shape (...); var_group is exactly 0.0 on the
        boundary, and may be negative where it is unbounded.
    deviance : numpy.ndarray
        REML: log|V| + log|X'V^-1 X| + y'Py + (n - p) log(2 pi), lme4's REML criterion; ML: -2 log
        likelihood. Shape (...).
    status : numpy.ndarray of str
        "ok", "boundary" (group variance zero), "refused" (unbounded, and ends at the edge of the
        admissible region) or "failed"; shape (...).
    note : numpy.ndarray of str
        One plain sentence where the status is not "ok", else empty; shape (...).
    df_resid : int
        n - p.
    method : str
        "REML" or "ML".
    inverse : numpy.ndarray
        R^-1 of X = QR, which carries the basis of `moments` to coefficients; shape (..., p, p).
    moments : GroupMoments
        At the estimates, residuals in units of the residual standard deviation.
    """

    coef: np.ndarray
    cov: np.ndarray
    var_group: np.ndarray
    var_resid: np.ndarray
    deviance: np.ndarray
    status: np.ndarray
    note: np.ndarray
    df_resid: int
    method: str
    inverse: np.ndarray
    moments: GroupMoments

    @property
    def information(self) -> str:
        """Information that Kenward-Roger uses unless told: pbkrtest's."""
        return "expected"

    def pieces(self) -> RandomInterceptPieces:
        """Return what small-sample inference needs."""
        return RandomInterceptPieces(self)


def fit_random_intercept(
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    *,
    bounded: bool = True,
    method: str = "REML",
) -> RandomInterceptFit:
    """Fit linear models with a random intercept for groups.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p).
    y : array_like
        Outcome, shape (..., n); leading axes broadcast against those of the design.
    groups : array_like of int
        Group of each row, shape (n,), shared by the batch.
    bounded : bool
        Whether the group variance is at least zero. If not, it may be as negative as the group
        sizes admit, and a fit that ends at that edge is refused.
    method : {"REML", "ML"}
        Restricted maximum likelihood, or maximum likelihood.

    Returns
    -------
    RandomInterceptFit

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns.
    ValueError
        If shapes do not fit, there are fewer than two groups or no group has two rows, the method
        is unknown, or the group variance is to be unbounded with maximum likelihood, which has no
        maximum then.

    Notes
    -----
    The criterion profiled over coefficients and residual variance (Bates et al. 2015, section 3) is
    tried on a grid of ratios, then refined by Newton's method with exact derivatives, kept inside a
    shrinking bracket. Cost per evaluation and fit O(G p^2).
    """
    if method not in ("REML", "ML"):
        raise ValueError(f"The method is REML or ML, not {method}.")
    if method == "ML" and not bounded:
        raise ValueError("An unbounded group variance needs REML: the likelihood has no maximum.")
    ols = fit_ols(X, y)
    clusters = grouping(groups, ols.X.shape[-2])
    if clusters.sizes.max() == 1:
        raise ValueError("No group has two rows: group and residual variance cannot be told apart.")
    length = np.sqrt(ols.sigma2 * ols.df_resid)
    moments = _moments(ols, clusters, length)
    profile = _Profile(moments, ols.X.shape[-2], bounded, method == "REML")
    with np.errstate(divide="ignore", invalid="ignore"):
        distance, ended = _search(profile, ols.status != "ok")
    note = np.where(_absorbed(moments), ABSORBED, ended)
    note = np.where(ols.status != "ok", ols.note, note)
    return _at_optimum(profile, distance, note, ols, length)


def _moments(ols: OlsFit, clusters: Grouping, length: np.ndarray) -> GroupMoments:
    # A fit that failed gets residuals of zero: its numbers are finite and thrown away later.
    usable = ols.status == "ok"
    scale = np.where(usable, length, 1.0)[..., None]
    residuals = np.where(usable[..., None], ols.residuals, 0.0) / scale
    means = clusters.means(ols.basis)
    centred = ols.basis - means[..., clusters.codes, :]
    resid_means = clusters.means(residuals[..., None])[..., 0]
    resid_centred = residuals - resid_means[..., clusters.codes]
    return GroupMoments(
        sizes=clusters.sizes.astype(float),
        means=means,
        within=np.swapaxes(centred, -1, -2) @ centred,
        resid_means=resid_means,
        resid_cross=times(resid_centred, centred),
        resid_square=np.square(resid_centred).sum(axis=-1),
    )


def _absorbed(moments: GroupMoments) -> np.ndarray:
    """Whether the group indicators lie in the span of the design, shape of the design's batch."""
    explained = np.square(moments.means).sum(axis=-1) * moments.sizes
    return (1.0 - explained).max(axis=-1) <= ABSORBED_TOLERANCE


@dataclass(frozen=True)
class _Profile:
    """The criterion as a function of the distance of r from its lower bound.

    The bound is 0, or -1 / (largest group) where the group variance is unbounded. Measuring r from
    there keeps 1 + n_g r exact near the bound.
    """

    moments: GroupMoments
    n: int
    bounded: bool
    reml: bool

    @property
    def df(self) -> int:
        return self.n - self.moments.means.shape[-1] if self.reml else self.n

    @property
    def lowest(self) -> float:
        return 0.0 if self.bounded else -self.unit

    @property
    def unit(self) -> float:
        return 1.0 / self.moments.sizes.max()

    def shrinkage(self, distance: np.ndarray) -> np.ndarray:
        """Return 1 / (1 + n_g r): residual variance over size times that of a group mean."""
        sizes = self.moments.sizes
        at_bound = 1.0 if self.bounded else (sizes.max() - sizes) / sizes.max()
        return 1.0 / (at_bound + sizes * np.asarray(distance)[..., None])

    def solve(self, shrinkage: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return Q'H^-1 Q, its inverse, the coefficients and the residual sum of squares."""
        moments, weights = self.moments, shrinkage * self.moments.sizes
        matrix = moments.within + moments.weighted(weights)
        inverse = np.linalg.inv(matrix)
        gls = moments.resid_cross + times(weights * moments.resid_means, moments.means)
        gamma = times(gls, inverse)
        square = moments.resid_square + (weights * np.square(moments.resid_means)).sum(axis=-1)
        return matrix, inverse, gamma, square - (gls * gamma).sum(axis=-1)

    def value(self, distance: np.ndarray) -> np.ndarray:
        """Return the profiled criterion, up to a constant, shape (...)."""
        shrinkage = self.shrinkage(distance)
        matrix, _, _, square = self.solve(shrinkage)
        return self.df * np.log(square) + self.log_determinants(shrinkage, matrix)

    def log_determinants(self, shrinkage: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Return log|H|, plus log|Q'H^-1 Q| for REML, where V = var_resid H; shape (...)."""
        whole = -np.log(shrinkage).sum(axis=-1)
        return whole + np.linalg.slogdet(matrix)[1] if self.reml else whole

    def slopes(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return first and second derivative of the criterion in r, shape (...)."""
        moments, sizes = self.moments, self.moments.sizes
        shrinkage = self.shrinkage(distance)
        _, inverse, gamma, square = self.solve(shrinkage)
        own = shrinkage * sizes
        # Derivatives of the weights n_g / (1 + n_g r).
        first_weights, second_weights = -(own**2), 2.0 * own**3
        left = moments.resid_means - times(gamma, np.swapaxes(moments.means, -1, -2))
        d1 = (first_weights * left**2).sum(axis=-1)
        turn = times(first_weights * left, moments.means)
        d2 = (second_weights * left**2).sum(axis=-1) - 2.0 * (times(turn, inverse) * turn).sum(-1)
        first = own.sum(axis=-1) + self.df * d1 / square
        second = -np.square(own).sum(axis=-1) + self.df * (d2 / square - np.square(d1 / square))
        if self.reml:
            change = inverse @ moments.weighted(first_weights)
            bend = inverse @ moments.weighted(second_weights)
            first = first + np.trace(change, axis1=-2, axis2=-1)
            second = second + np.trace(bend - change @ change, axis1=-2, axis2=-1)
        return first, second


def _search(profile: _Profile, skip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best distance of every fit and the sentence it ended with, empty if inside."""
    grid = GRID * profile.unit
    if profile.bounded:
        grid = np.concatenate(([0.0], grid))
    values = np.stack([np.broadcast_to(profile.value(d), skip.shape) for d in grid])
    best = np.where(skip, 0, np.argmin(np.where(np.isnan(values), np.inf, values), axis=0))
    x = grid[best]
    first, second = profile.slopes(x)
    low = np.where(first < 0.0, x, grid[np.maximum(best - 1, 0)])
    high = np.where(first < 0.0, grid[np.minimum(best + 1, len(grid) - 1)], x)
    at_bottom = (best == 0) & (first >= 0.0)
    at_top = (best == len(grid) - 1) & (first < 0.0)
    done = skip | at_bottom | at_top
    for _ in range(MAX_STEPS):
        newton = x - first / second
        inside = (second > 0.0) & (newton >= low) & (newton <= high)
        step = np.where(inside, newton, 0.5 * (low + high)) - x
        small = np.abs(step) <= STEP_TOLERANCE * (x + profile.unit)
        x = np.where(done, x, x + step)
        done = done | (small & inside)
        if done.all():
            break
        first, second = profile.slopes(x)
        low = np.where(first < 0.0, x, low)
        high = np.where(first < 0.0, high, x)
    bottom = BOUNDARY if profile.bounded else REFUSED
    ended = np.select([at_bottom, at_top, ~done], [bottom, NO_RESIDUAL, NO_OPTIMUM], default="")
    if profile.bounded:
        vanished = (ended == "") & (x <= ZERO_RATIO * profile.unit)
        x, ended = np.where(vanished, 0.0, x), np.where(vanished, BOUNDARY, ended)
    return x, ended


def _at_optimum(
    profile: _Profile, distance: np.ndarray, note: np.ndarray, ols: OlsFit, length: np.ndarray
) -> RandomInterceptFit:
    """Evaluate everything at the chosen ratios and bring it back to the units of the data."""
    status = np.select(
        [note == "", note == BOUNDARY, note == REFUSED], ["ok", "boundary", "refused"], "failed"
    )
    valid = (status == "ok") | (status == "boundary")
    distance = np.where(valid, distance, np.nan)
    shrinkage = profile.shrinkage(distance)
    matrix, inverse, gamma, square = profile.solve(shrinkage)
    sigma2 = square / profile.df
    with np.errstate(invalid="ignore"):
        deviance = profile.log_determinants(shrinkage, matrix)
    deviance = deviance + profile.df * (1.0 + np.log(2.0 * np.pi * sigma2 * length**2))
    if profile.reml:
        # The basis leaves |R|^2 out of |X'V^-1 X|.
        diagonal = np.diagonal(ols.inverse, axis1=-2, axis2=-1)
        deviance = deviance - 2.0 * np.log(np.abs(diagonal)).sum(axis=-1)
    back = ols.inverse
    var_resid = sigma2 * length**2
    cov = back @ inverse @ np.swapaxes(back, -1, -2)
    return RandomInterceptFit(
        coef=ols.coef + (back @ gamma[..., None])[..., 0] * length[..., None],
        cov=cov * var_resid[..., None, None],
        var_group=(profile.lowest + distance) * var_resid,
        var_resid=var_resid,
        deviance=deviance,
        status=status,
        note=note,
        df_resid=profile.n - inverse.shape[-1],
        method="REML" if profile.reml else "ML",
        inverse=back,
        moments=profile.moments.after(gamma, np.sqrt(sigma2)),
    )
