"""Two outcomes of the same people at once: seemingly unrelated regressions on a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ccp_analysis.models.inference import linear
from ccp_analysis.models.ols import OlsFit, RankDeficientError, fit_ols

DIVISORS = ("none", "geometric")
# Residuals are perfectly correlated when this share of one's variance or less is left by the other.
SINGULAR_TOLERANCE = 1e-10

SINGULAR = (
    "The residuals of the two equations are perfectly correlated: either determines the other."
)


@dataclass(frozen=True)
class SurFit:
    """Seemingly unrelated regressions of a batch.

    Attributes
    ----------
    coef1, coef2 : numpy.ndarray
        Coefficients of the equations, shapes (..., p1) and (..., p2); NaN where the fit failed.
    covariance : numpy.ndarray
        Of both together by the model, for independent people, shape (..., p1 + p2, p1 + p2).
    weights : numpy.ndarray
        Residual covariance by least squares of each equation, which weights the two, shape
        (..., 2, 2).
    sigma : numpy.ndarray
        Residual covariance at the estimates, shape (..., 2, 2).
    correlation : numpy.ndarray
        Residual correlation at the estimates, shape (...).
    working : OlsFit
        The least squares fit of the whitened stack, with the same coefficients: the n rows of the
        first equation, then those of the second, p1 + p2 columns. For CR2 by cluster:
        ``cluster_robust(fit.working, np.tile(groups, 2), L)``. Its residual variance is about one.
    status : numpy.ndarray of str
        "ok" or "failed", shape (...).
    note : numpy.ndarray of str
        One plain sentence where the fit failed, else empty; shape (...).
    """

    coef1: np.ndarray
    coef2: np.ndarray
    covariance: np.ndarray
    weights: np.ndarray
    sigma: np.ndarray
    correlation: np.ndarray
    working: OlsFit
    status: np.ndarray
    note: np.ndarray


def fit_sur(
    X1: np.ndarray, y1: np.ndarray, X2: np.ndarray, y2: np.ndarray, *, df: str = "none"
) -> SurFit:
    """Fit two regressions whose errors correlate within people, by feasible least squares.

    Parameters
    ----------
    X1, X2 : array_like
        Designs, shapes (..., n, p1) and (..., n, p2). An intercept is a column of either.
    y1, y2 : array_like
        Outcomes, shape (..., n). Leading axes of all four broadcast.
    df : {"none", "geometric"}
        What residual cross-products are divided by: n, or the square root of
        (n - p_i) (n - p_j) for equations i and j.

    Returns
    -------
    SurFit
        A fit fails alone, with status and note.

    Raises
    ------
    RankDeficientError
        If every first or every second design of the batch has dependent columns; it names their
        positions, those of the second design counted on from the first.
    ValueError
        If the equations have different numbers of rows, the divisor is unknown, or as `fit_ols`.

    Notes
    -----
    Zellner (1962, J Am Stat Assoc 57:348-368), two steps, by linearmodels, which is given
    orthonormal columns and residuals of size one: pounds beside years of life cost no digits. The
    library fits one system at a time.

    Whitening is by the Cholesky factor of the inverse of the weights. Any other root of it would
    rotate the two rows of each person within their cluster, to which CR2 with an identity as
    working covariance, which is that of whitened errors, is blind. Its adjustment of residuals is
    that of whitened coordinates; in people's own coordinates, as `glm_inference` has it, it would
    be another one with the same expectation.
    """
    if df not in DIVISORS:
        raise ValueError(f"The divisor is one of {', '.join(DIVISORS)}, not {df}.")
    first, second = _equations(X1, y1, X2, y2)
    p1, p2 = first.X.shape[-1], second.X.shape[-1]
    batch = np.broadcast_shapes(first.status.shape, second.status.shape)
    n = first.residuals.shape[-1]
    pair = (_over(first, batch), _over(second, batch))
    size = np.stack([np.sqrt(np.square(fit.residuals).mean(axis=-1)) for fit in pair], axis=-1)
    failed = [fit.status != "ok" for fit in pair]
    size = np.where((failed[0] | failed[1])[..., None], 1.0, size)
    shared = (pair[0].residuals * pair[1].residuals).mean(axis=-1) / size.prod(axis=-1)
    with np.errstate(invalid="ignore"):
        singular = 1.0 - shared**2 <= SINGULAR_TOLERANCE
    note = np.select([*failed, singular], [pair[0].note, pair[1].note, SINGULAR], default="")
    solved = note == ""

    scores, spread, weights, sigma = systems(pair, size, solved, df)
    # From orthonormal columns of length sqrt(n) and residuals of size one to what was asked.
    back = np.zeros((*batch, p1 + p2, p1 + p2))
    back[..., :p1, :p1] = pair[0].inverse * size[..., 0, None, None]
    back[..., p1:, p1:] = pair[1].inverse * size[..., 1, None, None]
    back = np.where(solved[..., None, None], back * np.sqrt(n), np.nan)
    coef = linear(back, scores)
    units = size[..., :, None] * size[..., None, :]
    diagonal = np.diagonal(sigma, axis1=-2, axis2=-1)
    status = np.where(solved, "ok", "failed")
    working = _whitened(pair, weights * units, solved)
    return SurFit(
        coef1=coef[..., :p1],
        coef2=coef[..., p1:],
        covariance=back @ spread @ np.swapaxes(back, -1, -2),
        weights=weights * units,
        sigma=sigma * units,
        correlation=sigma[..., 0, 1] / np.sqrt(diagonal.prod(axis=-1)),
        working=replace(working, status=status, note=note),
        status=status,
        note=note,
    )


@dataclass(frozen=True)
class Equation:
    """One equation's least squares fits, all arrays with the axes of the whole batch."""

    X: np.ndarray
    y: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray
    residuals: np.ndarray
    status: np.ndarray
    note: np.ndarray


def _equations(
    X1: np.ndarray, y1: np.ndarray, X2: np.ndarray, y2: np.ndarray
) -> tuple[Equation, Equation]:
    first = _equation(X1, y1)
    try:
        second = _equation(X2, y2)
    except RankDeficientError as error:
        p1 = first.X.shape[-1]
        raise RankDeficientError(tuple(p1 + column for column in error.columns)) from None
    rows = [fit.X.shape[-2] for fit in (first, second)]
    if rows[0] != rows[1]:
        raise ValueError(
            f"Both equations are about the same people, but they have {rows[0]} and {rows[1]} rows."
        )
    return first, second


def _equation(X: np.ndarray, y: np.ndarray) -> Equation:
    fit = fit_ols(X, y)
    y = np.asarray(y, dtype=float)
    return Equation(fit.X, y, fit.basis, fit.inverse, fit.residuals, fit.status, fit.note)


def _over(fit: Equation, batch: tuple[int, ...]) -> Equation:
    """Give every array the axes of the batch."""
    ranks = {"X": 2, "y": 1, "basis": 2, "inverse": 2, "residuals": 1, "status": 0, "note": 0}
    arrays = {name: getattr(fit, name) for name in ranks}
    return Equation(
        **{
            name: np.broadcast_to(array, batch + array.shape[array.ndim - ranks[name] :])
            for name, array in arrays.items()
        }
    )


def systems(
    pair: tuple[Equation, Equation], size: np.ndarray, solved: np.ndarray, df: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients, their covariance, weights and sigma in scaled coordinates."""
    from linearmodels.system import SUR  # slow to import, and only this needs it

    n = pair[0].residuals.shape[-1]
    columns = np.array([fit.basis.shape[-1] for fit in pair])
    left = n - columns if df == "geometric" else np.full(2, n)
    divisor = np.sqrt(np.multiply.outer(left, left))
    p = columns.sum()
    scores, spread = np.full((*solved.shape, p), np.nan), np.full((*solved.shape, p, p), np.nan)
    weights, sigma = (np.full((*solved.shape, 2, 2), np.nan) for _ in range(2))
    for at in map(tuple, np.argwhere(solved)):
        system = {
            name: (fit.y[at] / size[at][k], fit.basis[at] * np.sqrt(n))
            for k, (name, fit) in enumerate(zip(("first", "second"), pair, strict=True))
        }
        found = SUR(system).fit(method="gls", cov_type="unadjusted", debiased=df == "geometric")
        scores[at], spread[at] = found.params.to_numpy(), found.cov.to_numpy()
        residuals = found.resids.to_numpy()
        weights[at] = np.asarray(found.sigma)
        sigma[at] = residuals.T @ residuals / divisor
    return scores, spread, weights, sigma


def _whitened(pair: tuple[Equation, Equation], weights: np.ndarray, solved: np.ndarray) -> OlsFit:
    """Fit the stack of both equations, multiplied by the transposed factor C' of weights^-1 = CC'.

    Failed members of the batch are set up so that they can be fitted, and then made NaN.
    """
    whole, rows = solved[..., None, None], solved[..., None]
    factor = factor_of(np.where(whole, weights, np.eye(2)))
    X = [np.where(whole, fit.X, np.eye(*fit.X.shape[-2:])) for fit in pair]
    y = [np.where(rows, fit.y, 0.0) for fit in pair]
    c11, c21, c22 = (factor[..., i, j, None] for i, j in ((0, 0), (1, 0), (1, 1)))
    above = np.concatenate([c11[..., None] * X[0], c21[..., None] * X[1]], axis=-1)
    below = np.concatenate([np.zeros(X[0].shape), c22[..., None] * X[1]], axis=-1)
    stack = np.concatenate([above, below], axis=-2)
    fit = fit_ols(stack, np.concatenate([c11 * y[0] + c21 * y[1], c22 * y[1]], axis=-1))
    return replace(
        fit,
        coef=np.where(rows, fit.coef, np.nan),
        residuals=np.where(rows, fit.residuals, np.nan),
        sigma2=np.where(solved, fit.sigma2, np.nan),
        inverse=np.where(whole, fit.inverse, np.nan),
    )


def factor_of(weights: np.ndarray) -> np.ndarray:
    """Return C of weights^-1 = CC', lower triangular, shape (..., 2, 2)."""
    size = np.sqrt(np.diagonal(weights, axis1=-2, axis2=-1))
    correlation = weights / (size[..., :, None] * size[..., None, :])
    return np.asarray(np.linalg.cholesky(np.linalg.inv(correlation)) / size[..., :, None])
