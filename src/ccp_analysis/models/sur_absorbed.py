"""Seemingly unrelated regressions with an effect of each group in either equation, absorbed."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.absorbed import AbsorbedTwice, fit_absorbed
from ccp_analysis.models.ols import Absorbed, OlsFit, grouping
from ccp_analysis.models.sur import SINGULAR_TOLERANCE, Equation, SurFit, factor_of, systems


def fit_sur_absorbed(
    X1: np.ndarray, y1: np.ndarray, X2: np.ndarray, y2: np.ndarray, groups: np.ndarray
) -> SurFit | None:
    r"""Fit two regressions as `fit_sur`, with an effect of each group in either.

    Parameters
    ----------
    X1, X2 : array_like
        Designs without the groups, shapes (m, n, p1) and (m, n, p2), the intercept first.
    y1, y2 : array_like
        Outcomes, shape (m, n).
    groups : array_like of int
        Group of each row, shape (n,), at least two.

    Returns
    -------
    SurFit or None
        Coefficients as of `absorbed.fit_absorbed`: those of X1 and X2, the intercepts the means of
        the groups' effects. `covariance` is that of the others, p1 - 1 and p2 - 1 of them;
        `working.X` its basis. None where any fit of the batch would fail: `fit_sur` says why.

    Notes
    -----
    The same columns in both equations are swept out of the system as out of either equation, as the
    projection on them and the whitening over equations commute. Whitened, the indicators of a group
    span the same two columns; what they leave of the rest, (c11 Q_1, c21 Q_2; 0, c22 Q_2) = Q L',
    is brought to orthonormal columns by the Cholesky factor L of its small cross-products.
    """
    fits = []
    for X, y in ((X1, y1), (X2, y2)):
        fit = fit_absorbed(X, y, groups)
        if fit is None or fit.absorbed is None:
            return None
        fits.append((fit, fit.absorbed))
    pair = [_swept(fit) for fit, _ in fits]
    size = np.stack([np.sqrt(np.square(one.residuals).mean(axis=-1)) for one in pair], axis=-1)
    shared = (pair[0].residuals * pair[1].residuals).mean(axis=-1) / size.prod(axis=-1)
    if (1.0 - shared**2 <= SINGULAR_TOLERANCE).any():
        return None
    solved = np.ones(len(size), dtype=bool)
    found, spread, weights, sigma = systems((pair[0], pair[1]), size, solved, "none")
    r, units = pair[0].basis.shape[-1], size[:, :, None] * size[:, None, :]
    # From orthonormal columns of length sqrt(n) and residuals of size one.
    unit = np.repeat(size, [r, pair[1].basis.shape[-1]], axis=-1) * np.sqrt(len(groups))
    scores = found * unit
    working = _whitened(fits, pair, [scores[:, :r], scores[:, r:]], factor_of(weights * units))
    back = np.zeros(spread.shape)
    back[:, :r, :r], back[:, r:, r:] = pair[0].inverse, pair[1].inverse
    back *= unit[:, None]
    diagonal = np.diagonal(sigma, axis1=-2, axis2=-1)
    return SurFit(
        coef1=working.coef[:, : r + 1],
        coef2=working.coef[:, r + 1 :],
        covariance=back @ spread @ np.swapaxes(back, -1, -2),
        weights=weights * units,
        sigma=sigma * units,
        correlation=sigma[:, 0, 1] / np.sqrt(diagonal.prod(axis=-1)),
        working=working,
        status=working.status,
        note=working.note,
    )


def _swept(fit: OlsFit) -> Equation:
    """Return an equation in what the groups' means leave of it."""
    inverse = fit.inverse[..., 1:, -fit.basis.shape[-1] :]
    scores = (np.linalg.inv(inverse) @ fit.coef[..., 1:, None])[..., 0]
    left = fit.residuals + (fit.basis @ scores[..., None])[..., 0]
    return Equation(fit.X, left, fit.basis, inverse, fit.residuals, fit.status, fit.note)


def _whitened(
    fits: list[tuple[OlsFit, Absorbed]],
    pair: list[Equation],
    scores: list[np.ndarray],
    C: np.ndarray,
) -> OlsFit:
    """Return the fit of the whitened stack, from the scores (m, r) of either equation."""
    c11, c21, c22 = (C[:, i, j] for i, j in ((0, 0), (1, 0), (1, 1)))
    groups, (r, s) = fits[0][1].groups, (one.basis.shape[-1] for one in pair)
    n, count, root = len(groups.codes), len(groups.sizes), np.sqrt(groups.sizes)
    basis = np.zeros((len(C), 2 * n, r + s))
    basis[:, :n, :r] = pair[0].basis * c11[:, None, None]
    basis[:, :n, r:] = pair[1].basis * c21[:, None, None]
    basis[:, n:, r:] = pair[1].basis * c22[:, None, None]
    length = np.repeat(np.stack([c11, np.hypot(c21, c22)], axis=-1), [r, s], axis=-1)
    basis /= length[:, None]
    lower = np.linalg.cholesky(np.swapaxes(basis, -1, -2) @ basis)
    turn = np.swapaxes(np.linalg.inv(lower), -1, -2)
    basis = basis @ turn
    turn = turn / length[..., None]
    back = [pair[0].inverse @ turn[:, :r], pair[1].inverse @ turn[:, r:]]
    slopes = [_times(one.inverse, part) for one, part in zip(pair, scores, strict=True)]
    left = [one.y - _times(one.basis, part) for one, part in zip(pair, scores, strict=True)]
    means = [absorbed.means for _, absorbed in fits]
    # Effects of either equation alone, moved as its slopes are.
    effects = [
        absorbed.effects - _times(absorbed.means, b - fit.coef[:, 1:])
        for (fit, absorbed), b in zip(fits, slopes, strict=True)
    ]
    share = groups.sizes / n
    inverse = np.zeros((len(C), 2 + r + s, 2 * count + r + s))
    inverse[:, 0, :count] = share / root / c11[:, None]
    inverse[:, 0, count : 2 * count] = -share / root * (c21 / (c11 * c22))[:, None]
    inverse[:, r + 1, count : 2 * count] = share / root / c22[:, None]
    for at, mean, part in zip((0, r + 1), means, back, strict=True):
        inverse[:, at, 2 * count :] = -((share @ mean)[:, None, :] @ part)[:, 0]
        inverse[:, at + 1 : at + 1 + part.shape[1], 2 * count :] = part
    triangle = np.zeros((len(C), count, 2 + r + s, 2 + r + s))
    for i, j, c in ((0, 0, c11), (0, 1, c21), (1, 1, c22)):
        own = slice(2 + j * r, 2 + r + j * s)
        triangle[:, :, i, j] = c[:, None] * root
        triangle[:, :, i, own] = (c[:, None] * root)[..., None] * means[j]
    triangle[:, :, 2:, 2:] = np.linalg.inv(np.concatenate(back, axis=-2))[:, None]
    both, common = np.stack(effects, axis=-1), np.concatenate(slopes, axis=-1)[:, None]
    lead = np.zeros((2 * n, 2))
    lead[:n, 0] = lead[n:, 1] = 1.0 / root[groups.codes]
    residuals = np.concatenate(
        [c11[:, None] * left[0] + c21[:, None] * left[1], c22[:, None] * left[1]], axis=-1
    )
    df = 2 * (n - count) - r - s
    parts = [
        part for e, b in zip(effects, slopes, strict=True) for part in ((e @ share)[:, None], b)
    ]
    return OlsFit(
        coef=np.concatenate(parts, axis=-1),
        residuals=residuals,
        sigma2=np.square(residuals).sum(axis=-1) / df,
        df_resid=df,
        X=basis,
        basis=basis,
        inverse=inverse,
        status=pair[0].status,
        note=pair[0].note,
        absorbed=AbsorbedTwice(
            groups=grouping(np.tile(groups.codes, 2), 2 * n),
            column=lead.sum(axis=-1),
            size=root,
            means=np.concatenate(means, axis=-1),
            effects=both,
            lead=lead,
            triangle=triangle,
            own=np.concatenate([both, np.repeat(common, count, axis=1)], axis=-1),
        ),
    )


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Multiply matrices (m, a, b) by vectors (m, b)."""
    return np.asarray((matrix @ vector[..., None])[..., 0])
