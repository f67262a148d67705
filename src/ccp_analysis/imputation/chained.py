"""Fully conditional specification (chained equations), all imputations advanced together.

The method and its sources are in the docstring of the package. The m chains share everything that
does not change: the fixed block of a target (intercept, fixed columns, complete predictors) is
orthonormalised once, and only cross-products of the incomplete variables are carried along. One
update is then a few operations on stacks of shape (m, p, p): nothing loops over imputations, and it
costs O(m n p) for n rows and p incomplete predictors instead of O(m n p^2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ccp_analysis.imputation import Conditional, Imputed, check_arguments

__all__ = ["Conditional", "Imputed", "draw_donors", "impute"]

RIDGE = 1e-5
"""Ridge, relative to the diagonal of the centred cross-products (the value of mice).

Applied only in those imputations where a predictor's variance not explained by the others falls
below `REDUNDANT` of its own. Coefficients are then drawn from the sampling distribution of the
ridge estimator: a direction that the observed rows do not inform gets coefficient zero, not a draw
from a nearly flat posterior, which would make the chain diverge.
"""

REDUNDANT = 1e-6
GRID = 1e9

_JITTER = 1e-10  # keeps the factorisation of an exactly singular matrix real
_EXACT_FIT = 1e-9  # a residual share below this is round-off: the residual variance is zero
_CONSTANT = 1e-10  # variance, in squared standard deviations, below which a column is constant
_RANK = 1e-8  # eigenvalue below which a direction of the fixed block is redundant


def impute(
    data: np.ndarray,
    plan: Sequence[Conditional],
    *,
    m: int,
    iterations: int,
    rng: np.random.Generator,
    fixed: np.ndarray | None = None,
    on_iteration: Callable[[int], None] | None = None,
) -> Imputed:
    """Impute by fully conditional specification.

    Parameters
    ----------
    data : array_like, shape (n, v)
        Numbers, NaN where missing.
    plan : sequence of Conditional
        One model per variable to impute, visited in this order. Models of complete columns are
        passed over; incomplete columns without a model stay as they are and cannot be predictors.
    m : int
        Number of imputations.
    iterations : int
        Number of rounds over the plan. Chains start from random draws of the observed values.
    rng : numpy.random.Generator
        The only source of randomness. Arrays are drawn in the order of the plan.
    fixed : array_like, shape (n, q), optional
        Complete columns that are predictors in every model, such as team indicators. The
        intercept is added here. Constant and redundant columns do no harm: where the observed rows
        leave their coefficients open, the solution of least norm (centred, standardised) is taken.
        So a team whose values are all missing is imputed at the average over teams if every team
        has its indicator.
    on_iteration : callable, optional
        Called after each iteration with its index, from 0.

    Returns
    -------
    Imputed

    Raises
    ------
    ValueError
        If the arguments contradict each other, a target has no observed value, a predictor's
        missing values are imputed by no model, or the chains diverge.

    Notes
    -----
    With more coefficients than observed rows the ridge still gives a solution, with one degree of
    freedom as in mice, but its imputations vary too little: such a plan should name fewer
    predictors. `Imputed.ridged` tells.
    """
    data = np.array(data, dtype=float)
    fixed = np.empty((len(data), 0)) if fixed is None else np.asarray(fixed, dtype=float)
    check_arguments(data, plan, fixed, m, iterations)
    missing = np.isnan(data)
    plan = [c for c in plan if missing[:, c.target].any()]
    chains = _Chains(data, missing, plan, fixed, m)
    targets = [_Target(c, data, missing, chains) for c in plan]

    mean, sd = np.full((2, iterations, data.shape[1], m), np.nan)
    ridged = np.zeros(data.shape[1], dtype=int)
    imputed = [t.start(chains, rng) for t in targets]
    for iteration in range(iterations):
        chains.refresh()
        for i, t in enumerate(targets):
            imputed[i], count = t.update(chains, rng)
            ridged[t.column] += count
            mean[iteration, t.column] = imputed[i].mean(axis=1)
            if imputed[i].shape[1] > 1:
                sd[iteration, t.column] = imputed[i].std(axis=1, ddof=1)
        if on_iteration is not None:
            on_iteration(iteration)

    del chains  # its arrays are as large as the result
    values = np.repeat(data[None], m, axis=0)
    for t, drawn in zip(targets, imputed, strict=True):
        values[:, t.mis, t.column] = drawn
    return Imputed(values, mean, sd, ridged)


def draw_donors(
    observed: np.ndarray, missing: np.ndarray, uniform: np.ndarray, donors: int
) -> np.ndarray:
    """Draw for every missing value one of the observed rows whose predictions are nearest.

    Predictions are rounded to multiples of 1/`GRID` first, so distances are exact whole numbers and
    another processor picks the same donors. The pool holds the `donors` nearest; if several rows
    share the largest distance that still enters, which of them enter is drawn at random, separately
    for every missing value. (By index, the first rows of a file would always win where predictors
    are categorical; mice draws one order for all missing values of an imputation.) The drawing
    needs no list of the pool: with c rows strictly nearer than the k-th distance and ties at it,
    one of those c with probability c/k, otherwise any of the ties.

    Parameters
    ----------
    observed : ndarray, shape (m, n1)
        Predictions of the rows with an observed value, in standard deviations of the variable.
    missing : ndarray, shape (m, n0)
        Predictions of the rows without.
    uniform : ndarray, shape (m, n0)
        Uniform random numbers in [0, 1).
    donors : int
        Size k of the pool; all rows if there are fewer.

    Returns
    -------
    ndarray of int, shape (m, n0)
        Positions in the second axis of `observed`.

    Notes
    -----
    O(n log n): one sort per imputation; the k nearest are neighbours in it, found by bisection.
    """
    m, n = observed.shape
    k = min(donors, n)
    grid = np.rint(observed * GRID)
    low, high = grid.min(axis=1, keepdims=True), grid.max(axis=1, keepdims=True)
    span, bits = int((high - low).max()) + 1, n.bit_length()
    if max(span << bits, 3 * span * m) >= 1 << 62:
        raise ValueError("predictions of the observed rows are too far apart to be ranked")
    # Value and index in one number: sorting is then unique, whichever algorithm sorts.
    keys = np.sort(((grid - low).astype(np.int64) << bits) + np.arange(n), axis=1)
    # Imputations in bands one above the other: one sorted array serves all. Beyond the range
    # of the observed the ranking no longer changes, so the missing are drawn to its edge.
    row = np.arange(m)[:, None]
    ordered = ((keys >> bits) + row * (3 * span)).ravel()
    x = (np.clip(np.rint(missing * GRID), low, high) - low).astype(np.int64) + row * (3 * span)

    start = np.searchsorted(ordered, x)
    first, last = row * n, row * n + n - k
    distance = np.full(x.shape, np.iinfo(np.int64).max)
    for shift in range(k + 1):
        window = np.clip(start - shift, first, last)
        reach = np.maximum(x - ordered[window], ordered[window + k - 1] - x)
        np.minimum(distance, reach, out=distance)

    below = np.searchsorted(ordered, x - distance)
    nearer = np.searchsorted(ordered, x - distance, side="right")
    above = np.searchsorted(ordered, x + distance)
    end = np.searchsorted(ordered, x + distance, side="right")
    ties_below = np.where(distance > 0, nearer - below, 0)
    ties = ties_below + end - above

    place = (uniform * k).astype(np.int64)
    tie = np.minimum(((uniform * k - place) * ties).astype(np.int64), ties - 1)
    tied = np.where(tie < ties_below, below + tie, above + tie - ties_below)
    chosen = np.where(place < above - nearer, nearer + place, tied)
    return (keys & ((1 << bits) - 1)).ravel()[chosen]


class _Chains:
    """The completed incomplete variables of all chains, standardised, and their cross-products.

    Attributes
    ----------
    block : (n, f)
        Intercept, fixed columns and complete predictors, shared by all chains.
    work : (m, n, u)
        Incomplete variables.
    gram, cross : (m, u, u), (m, f, u)
        Cross-products of `work` with itself and of `block` with `work`, over all rows.
    """

    def __init__(self, data, missing, plan, fixed, m) -> None:
        self.slot = {c.target: i for i, c in enumerate(plan)}
        used = sorted({p for c in plan for p in c.predictors} - self.slot.keys())
        self.position = {column: 1 + fixed.shape[1] + i for i, column in enumerate(used)}
        shared = np.column_stack([fixed, data[:, used]])
        centre, scale = shared.mean(axis=0), shared.std(axis=0)
        shared = (shared - centre) / np.where(scale > 0, scale, 1.0)
        self.block = np.column_stack([np.ones(len(data)), shared])
        self.fixed = range(1 + fixed.shape[1])
        self.work = np.empty((m, len(data), len(plan)))

    def refresh(self) -> None:
        """Compute all cross-products afresh, so that round-off cannot build up."""
        self.gram = self.work.swapaxes(1, 2) @ self.work
        self.cross = self.block.T @ self.work

    def store(self, slot: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Put new values (m, rows) into a variable and renew its cross-products."""
        self.work[:, rows, slot] = values
        column = np.ascontiguousarray(self.work[:, :, slot])
        product = (column[:, None, :] @ self.work)[:, 0]
        self.gram[:, slot, :] = self.gram[:, :, slot] = product
        self.cross[:, :, slot] = column @ self.block


class _Target:
    """One conditional model with all that stays the same over iterations."""

    def __init__(self, model: Conditional, data, missing, chains: _Chains) -> None:
        self.model, self.column = model, model.target
        self.slot = chains.slot[model.target]
        self.mis = np.flatnonzero(missing[:, model.target])
        self.obs = np.flatnonzero(~missing[:, model.target])
        self.values = data[self.obs, model.target]
        self.centre = self.values.mean()
        self.constant = bool((self.values == self.values[0]).all())
        self.scale = 1.0 if self.constant else self.values.std()
        varying = [chains.slot[p] for p in model.predictors if p in chains.slot]
        shared = [
            *chains.fixed,
            *(chains.position[p] for p in model.predictors if p in chains.position),
        ]
        self.varying, self.shared = np.array([*varying, self.slot]), np.array(shared)
        self.to_basis, self.rank = _orthonormal(chains.block[np.ix_(self.obs, self.shared)])
        self.block_mis = chains.block[np.ix_(self.mis, self.shared)]

    def start(self, chains: _Chains, rng: np.random.Generator) -> np.ndarray:
        """Fill with random draws of the observed values."""
        m = len(chains.work)
        drawn = self.values[rng.integers(0, len(self.obs), (m, len(self.mis)))]
        chains.work[:, self.obs, self.slot] = (self.values - self.centre) / self.scale
        chains.work[:, self.mis, self.slot] = (drawn - self.centre) / self.scale
        return drawn

    def update(self, chains: _Chains, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Draw parameters and missing values (m, n0) anew; also in how many chains by ridge."""
        m, n0 = len(chains.work), len(self.mis)
        if self.constant:
            return np.full((m, n0), self.values[0]), 0
        rows = chains.work[:, self.mis[:, None], self.varying]
        fit, draw, sigma, count = self.parameters(chains, rows, rng)
        predicted = rows[:, :, :-1] @ draw[1][:, :, None]
        predicted = predicted[:, :, 0] + draw[0] @ self.block_mis.T
        if self.model.method == "norm":
            new = predicted + sigma[:, None] * rng.standard_normal((m, n0))
            imputed = self.centre + self.scale * new
            if self.model.bounds is not None:
                imputed = np.clip(imputed, *self.model.bounds)
                new = (imputed - self.centre) / self.scale
        else:
            fitted = self.fitted(chains, *fit)
            donors = draw_donors(fitted, predicted, rng.random((m, n0)), self.model.donors)
            imputed = self.values[donors]
            new = (imputed - self.centre) / self.scale
        if not np.isfinite(new).all():
            raise ValueError(f"the chains of column {self.column} diverge: use fewer predictors")
        chains.store(self.slot, self.mis, new)
        return imputed, count

    def fitted(self, chains: _Chains, shared: np.ndarray, varying: np.ndarray) -> np.ndarray:
        """Predictions (m, n1) of the observed rows."""
        coefficients = np.zeros((len(varying), chains.work.shape[2], 1))
        coefficients[:, self.varying[:-1], 0] = varying
        everyone = (chains.work @ coefficients)[:, :, 0]
        everyone += shared @ chains.block[:, self.shared].T
        return everyone[:, self.obs]

    def cross_products(self, chains: _Chains, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cross-products over the observed rows: of predictors and target, and with the basis."""
        pick = self.varying
        if len(self.obs) < len(self.mis):
            there = chains.work[:, self.obs[:, None], pick]
            block = chains.block[np.ix_(self.obs, self.shared)]
            gram, cross = there.swapaxes(1, 2) @ there, block.T @ there
        else:
            gram = chains.gram[:, pick[:, None], pick] - rows.swapaxes(1, 2) @ rows
            cross = chains.cross[:, self.shared[:, None], pick] - self.block_mis.T @ rows
        return gram, self.to_basis.T @ cross

    def parameters(self, chains: _Chains, rows: np.ndarray, rng: np.random.Generator):
        """Estimate and draw the coefficients; return (shared, varying) of both, sigma, ridge count.

        The shared block is swept out first (Frisch & Waugh 1933); what remains is bordered by the
        target, so that one Cholesky factor holds the factor of X'X, the right-hand side of the
        normal equations and, in its corner, the root of the residual sum of squares.
        """
        gram, basis = self.cross_products(chains, rows)
        n1, p = len(self.obs), gram.shape[1] - 1
        square = np.diagonal(gram, axis1=1, axis2=2) - basis[:, 0] ** 2
        alive = square > _CONSTANT * n1
        scale = np.where(alive, 1 / np.sqrt(np.where(alive, square, 1.0)), 0.0)
        gram -= basis.swapaxes(1, 2) @ basis
        gram *= scale[:, :, None] * scale[:, None, :]
        inner = np.arange(p + 1)
        gram[:, inner, inner] += np.where(alive, 0.0, 1.0)

        z = rng.standard_normal((len(gram), basis.shape[1] + p))
        z_shared, z_varying = z[:, : basis.shape[1]], z[:, basis.shape[1] :]
        used = self.rank + alive[:, :p].sum(axis=1).astype(float)
        estimate, direction, rss, ridged = self.solve(gram, z_varying, used)
        sigma = np.sqrt(rss / rng.chisquare(np.maximum(n1 - used, 1.0)))

        to_sd = scale[:, :p] / scale[:, p:]
        sigma_sd = sigma / scale[:, p]
        varying = estimate * to_sd, (estimate + sigma[:, None] * direction) * to_sd
        shared = [basis[:, :, p] - (basis[:, :, :p] @ b[:, :, None])[:, :, 0] for b in varying]
        shared[1] += sigma_sd[:, None] * z_shared
        fit, draw = ((s @ self.to_basis.T, v) for s, v in zip(shared, varying, strict=True))
        return fit, draw, sigma_sd, ridged

    def solve(self, gram: np.ndarray, z: np.ndarray, used: np.ndarray):
        """Solve the bordered normal equations (m, p+1, p+1), scaled to a diagonal of at most one.

        Returns the estimate (m, p), a draw of its deviation (m, p) for sigma = 1, the residual sum
        of squares (m,), and the number of ridged chains, whose effective number of coefficients is
        corrected in `used`.
        """
        p = z.shape[1]
        inner = np.arange(p + 1)
        jittered = gram.copy()
        jittered[:, inner, inner] += _JITTER
        try:
            lower = np.linalg.cholesky(jittered)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"the normal equations of column {self.column} cannot be solved: its chains diverge"
            ) from None
        pivots = np.diagonal(lower, axis1=1, axis2=2) ** 2
        right = np.stack([lower[:, p, :p], z], axis=2)
        estimate, direction = np.moveaxis(_back_substitute(lower[:, :p, :p], right), 2, 0)
        rss = pivots[:, p] - _JITTER
        weak = np.flatnonzero((pivots[:, :p] < REDUNDANT).any(axis=1))
        if weak.size:
            part = gram[weak]
            value, vector = np.linalg.eigh(part[:, :p, :p])
            value = np.maximum(value, 0.0)
            turned = vector.swapaxes(1, 2) @ np.stack([part[:, p, :p], z[weak]], axis=2)
            turned[:, :, 0] /= value + RIDGE
            turned[:, :, 1] *= np.sqrt(value) / (value + RIDGE)
            rss[weak] = part[:, p, p] - (turned[:, :, 0] ** 2 * (value + 2 * RIDGE)).sum(axis=1)
            used[weak] += (value / (value + RIDGE)).sum(axis=1) - p
            estimate[weak], direction[weak] = np.moveaxis(vector @ turned, 2, 0)
        return estimate, direction, np.where(rss < _EXACT_FIT, 0.0, rss), weak.size


def _orthonormal(block: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the map (f, f) from a block (n1, f), intercept first, to an orthonormal basis; rank.

    Columns after the intercept are centred, standardised and multiplied by the symmetric root of
    the pseudo-inverse of their correlation matrix. Unlike a singular value basis this one is
    unique, so random numbers mean the same on every processor; unlike a triangular one, a direction
    without information in these rows is zero in all others.
    """
    n, f = block.shape
    centre = block[:, 1:].mean(axis=0)
    deviation = block[:, 1:] - centre
    square = (deviation**2).sum(axis=0)
    alive = square > _CONSTANT * n
    scale = np.where(alive, 1 / np.sqrt(np.where(alive, square, 1.0)), 0.0)
    value, vector = np.linalg.eigh((deviation.T @ deviation) * scale[:, None] * scale)
    kept = value > _RANK
    root = (vector[:, kept] / np.sqrt(value[kept])) @ vector[:, kept].T
    change = np.zeros((f, f))
    change[0, 0] = 1 / np.sqrt(n)
    change[1:, 1:] = scale[:, None] * root
    change[0, 1:] = -centre @ change[1:, 1:]
    return change, 1 + int(kept.sum())


def _back_substitute(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve L'x = r for stacks L (m, p, p), r (m, p, k): one pass over p for the whole stack."""
    factor = np.ascontiguousarray(lower.transpose(1, 2, 0))
    x = np.ascontiguousarray(right.transpose(1, 2, 0))
    for j in reversed(range(len(x))):
        x[j] /= factor[j, j]
        x[:j] -= factor[j, :j, None] * x[j]
    return x.transpose(2, 0, 1)
