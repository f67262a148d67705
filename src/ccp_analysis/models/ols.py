"""Ordinary least squares on a batch, and the sums over groups that all models share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.inference import Inference, as_contrasts, inference, linear, quadratic

# A column is dependent when what the columns before it leave of it is shorter than this share.
RANK_TOLERANCE = 1e-10
# An outcome is fitted exactly when its residuals are shorter than this share of it.
EXACT_TOLERANCE = 1e-12
# Rows to a group from which its cross-products are made by themselves.
LARGE = 8

NOT_FINITE = "The outcome or the design has values that are missing or infinite."
DEPENDENT = "Columns of the design depend on the columns before them."
EXACT = "The outcome is constant or fitted exactly: its residual variance is zero."


class RankDeficientError(ValueError):
    """Columns of a design depend on the columns before them.

    Attributes
    ----------
    columns : tuple of int
        Positions of the dependent columns, from 0.
    """

    def __init__(self, columns: tuple[int, ...]) -> None:
        listed = ", ".join(str(column) for column in columns)
        super().__init__(
            "The design matrix must have independent columns, but what stands at position "
            f"{listed} (from 0) depends on the columns before."
        )
        self.columns = columns


@dataclass(frozen=True)
class Absorbed:
    """Groups whose indicators are in a model, centred, but in no array of its design.

    Attributes
    ----------
    groups : Grouping
        Group of each row; H of them.
    column : numpy.ndarray
        Value of each row in the column of its own group, in an orthonormal basis; shape (..., n).
    size : numpy.ndarray
        Root of the sum of squares of each group's indicator, shape (..., H).
    means : numpy.ndarray
        Means of the other columns within groups, shape (..., H, p - 1).
    effects : numpy.ndarray
        What a group has where all other columns are zero, shape (..., H).
    """

    groups: Grouping
    column: np.ndarray
    size: np.ndarray
    means: np.ndarray
    effects: np.ndarray


@dataclass(frozen=True)
class OlsFit:
    """Least squares fits of a batch.

    Attributes
    ----------
    coef : numpy.ndarray
        Coefficients, shape (..., p).
    residuals : numpy.ndarray
        Shape (..., n).
    sigma2 : numpy.ndarray
        Residual variance, squared units of the outcome, shape (...); exactly 0.0 where the outcome
        is fitted exactly.
    df_resid : int
        n - p.
    X : numpy.ndarray
        The design as given, shape (n, p) where the batch shares it, else (..., n, p).
    basis : numpy.ndarray
        Orthonormal columns Q of X = QR, shaped as X.
    inverse : numpy.ndarray
        R^-1, shape (..., p, p) with the leading axes of X.
    status : numpy.ndarray of str
        "ok" or "failed", shape (...). Coefficients of a failed fit are NaN, unless it failed
        because the outcome is fitted exactly.
    note : numpy.ndarray of str
        One plain sentence where the fit failed, else empty; shape (...).
    absorbed : Absorbed, optional
        Of a fit by `absorbed.fit_absorbed`: `basis` (..., n, p - 1) then begins behind the columns
        of the groups, and `inverse` (..., p, H + p - 1) leads from both.
    """

    coef: np.ndarray
    residuals: np.ndarray
    sigma2: np.ndarray
    df_resid: int
    X: np.ndarray
    basis: np.ndarray
    inverse: np.ndarray
    status: np.ndarray
    note: np.ndarray
    absorbed: Absorbed | None = None

    @property
    def bread(self) -> np.ndarray:
        """(X'X)^-1, shape (..., p, p) with the leading axes of X."""
        return self.inverse @ np.swapaxes(self.inverse, -1, -2)


@dataclass(frozen=True)
class Grouping:
    """Rows sorted by group, for sums over groups in one pass.

    Attributes
    ----------
    codes : numpy.ndarray of int
        Group of each row, 0 to G - 1 without gaps, shape (n,).
    sizes : numpy.ndarray of int
        Rows of each group, shape (G,).
    order : numpy.ndarray of int
        Row numbers, group after group, shape (n,).
    starts : numpy.ndarray of int
        Where each group begins in `order`, shape (G,).
    """

    codes: np.ndarray
    sizes: np.ndarray
    order: np.ndarray
    starts: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum rows by group: (..., n, k) to (..., G, k)."""
        return np.add.reduceat(np.take(values, self.order, axis=-2), self.starts, axis=-2)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Average rows by group: (..., n, k) to (..., G, k)."""
        return self.sums(values) / self.sizes[:, None]

    def squares(self, values: np.ndarray) -> np.ndarray:
        """Return each group's cross-products: (..., n, k) to (..., G, k, k)."""
        values = np.take(values, self.order, axis=-2)
        if len(self.order) >= LARGE * len(self.sizes):
            parts = np.split(values, self.starts[1:], axis=-2)
            return np.stack([np.swapaxes(part, -1, -2) @ part for part in parts], axis=-3)
        # Column by column, so that memory stays that of `values` and not k times as much.
        columns = [
            np.add.reduceat(values * values[..., j, None], self.starts, axis=-2)
            for j in range(values.shape[-1])
        ]
        return np.stack(columns, axis=-1)


def grouping(groups: np.ndarray, n: int) -> Grouping:
    """Read group codes; codes without rows are no groups.

    Parameters
    ----------
    groups : array_like of int
        Code of each row, shape (n,), in any order.
    n : int
        Rows expected.

    Returns
    -------
    Grouping

    Raises
    ------
    ValueError
        If there is not one integer code per row, or there are fewer than two groups.
    """
    groups = np.asarray(groups)
    if groups.shape != (n,) or not np.issubdtype(groups.dtype, np.integer):
        raise ValueError(f"Groups must be one integer code for each of the {n} rows.")
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(f"At least two groups are needed, {len(sizes)} found.")
    order = np.argsort(codes, kind="stable")
    return Grouping(codes, sizes, order, np.concatenate(([0], np.cumsum(sizes)[:-1])))


def fit_ols(X: np.ndarray, y: np.ndarray) -> OlsFit:
    """Fit linear models by least squares.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p). An intercept is a column of it.
    y : array_like
        Outcome, shape (..., n). Leading axes of the two broadcast: a batch of outcomes may share
        one design, and a batch of designs one outcome.

    Returns
    -------
    OlsFit

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns; it names their positions.
    ValueError
        If the shapes do not fit, there are no more rows than columns, or no fit of the batch is
        without missing or infinite values.

    Notes
    -----
    By QR decomposition (Golub & Van Loan 2013, Matrix Computations, section 5.3), with one step of
    reorthogonalisation of the residuals.

    Examples
    --------
    Darwin's fifteen differences between cross- and self-fertilised maize, in eighths of an inch
    (Fisher 1935, The Design of Experiments, chapter 3, with t = 2.148):

    >>> import numpy as np
    >>> from ccp_analysis.models.ols import classical, fit_ols
    >>> inches = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]) / 8
    >>> fit = fit_ols(np.ones((15, 1)), inches)
    >>> found = classical(fit, [1])
    >>> print(found.estimate.round(3), found.statistic.round(3), found.df, found.p_value.round(4))
    [2.617] [2.148] [14.] [0.0497]
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    batch = _batch_shape(X, y)
    n, p = X.shape[-2:]
    finite_design = np.isfinite(X).all(axis=(-2, -1))
    finite_outcome = np.isfinite(y).all(axis=-1)
    finite = finite_design & finite_outcome
    if not finite.any():
        raise ValueError(NOT_FINITE)
    basis, triangle = np.linalg.qr(np.where(finite_design[..., None, None], X, 0.0))
    dependent = _dependent_columns(X, triangle)
    full_rank = ~np.any(dependent, axis=-1)
    if not full_rank[finite_design].any():
        raise RankDeficientError(tuple(np.flatnonzero(_any_over_batch(dependent)).tolist()))

    usable = finite_design & full_rank
    inverse = np.linalg.inv(np.where(usable[..., None, None], triangle, np.eye(p)))
    inverse = np.where(usable[..., None, None], inverse, np.nan)
    scores, residuals = project(basis, np.where(finite_outcome[..., None], y, 0.0))
    exact = _length(residuals) <= EXACT_TOLERANCE * _length(y)
    solved = np.broadcast_to(finite & usable, batch)
    residuals = np.where(exact[..., None], 0.0, residuals)
    residuals = np.where(solved[..., None], residuals, np.nan)
    coef = np.where(solved[..., None], linear(inverse, scores), np.nan)
    note = np.select([~finite, ~usable, exact], [NOT_FINITE, DEPENDENT, EXACT], default="")
    note = np.broadcast_to(note, batch)
    return OlsFit(
        coef=coef,
        residuals=residuals,
        sigma2=np.square(residuals).sum(axis=-1) / (n - p),
        df_resid=n - p,
        X=X,
        basis=basis,
        inverse=inverse,
        status=np.where(note == "", "ok", "failed"),
        note=note,
    )


def classical(fit: OlsFit, L: np.ndarray) -> Inference:
    """Infer from contrasts of the coefficients with the model's own standard errors.

    Parameters
    ----------
    fit : OlsFit
        Least squares fits.
    L : array_like
        Contrasts, shape (k, p), or (..., k, p) where they differ between fits.

    Returns
    -------
    Inference
        With n - p degrees of freedom; arrays of shape (..., k).
    """
    contrasts = as_contrasts(L, fit.coef.shape[-1])
    variance = fit.sigma2[..., None] * quadratic(contrasts, fit.bread)
    return inference(linear(contrasts, fit.coef), variance, fit.df_resid)


def times(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply vectors (..., a) by matrices (..., a, b), as one product where they share one."""
    if matrix.ndim == 2:
        return rows @ matrix
    return (rows[..., None, :] @ matrix)[..., 0, :]


def _batch_shape(X: np.ndarray, y: np.ndarray) -> tuple[int, ...]:
    if X.ndim < 2 or y.ndim < 1 or X.shape[-2] != y.shape[-1]:
        raise ValueError(
            "The design must be (..., n, p) and the outcome (..., n) with the same n; their shapes "
            f"are {X.shape} and {y.shape}."
        )
    n, p = X.shape[-2:]
    if n <= p or p == 0:
        raise ValueError(
            f"A model needs a column, and more rows than columns: {n} rows, {p} columns."
        )
    return np.broadcast_shapes(X.shape[:-2], y.shape[:-1])


def _dependent_columns(X: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    left = np.abs(np.diagonal(triangle, axis1=-2, axis2=-1))
    return left <= RANK_TOLERANCE * np.sqrt(np.square(X).sum(axis=-2))


def _any_over_batch(flags: np.ndarray) -> np.ndarray:
    return np.any(flags, axis=tuple(range(flags.ndim - 1)))


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(vectors).sum(axis=-1))


def independent_columns(X: np.ndarray) -> np.ndarray:
    """Return the columns of a design (n, p) that do not depend on the columns before them."""
    lengths = np.linalg.norm(X, axis=0)
    there = np.flatnonzero(lengths)
    left = np.diagonal(np.linalg.qr(X[:, there] / lengths[there], mode="r"))
    if len(left) == len(there) and (np.abs(left) > RANK_TOLERANCE).all():
        return there
    kept, basis = [], np.empty((len(X), 0))
    for j, column in enumerate(X.T):
        left = column
        for _ in range(2):
            left = left - basis @ (basis.T @ left)
        length = np.linalg.norm(left)
        if length > RANK_TOLERANCE * np.linalg.norm(column):
            kept.append(j)
            basis = np.column_stack([basis, left / length])
    return np.array(kept, dtype=int)


def project(basis: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Q'y and (I - QQ')y."""
    scores = times(y, basis)
    residuals = y - times(scores, np.swapaxes(basis, -1, -2))
    again = times(residuals, basis)
    return scores + again, residuals - times(again, np.swapaxes(basis, -1, -2))
