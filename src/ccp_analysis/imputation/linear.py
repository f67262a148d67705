"""Linear conditional models: Bayesian regression and predictive mean matching.

The m chains share everything that does not change: the fixed block of a target (intercept, fixed
columns, complete predictors) is orthonormalised once, and only cross-products of the incomplete
variables are carried along. One update is then a few operations on stacks of shape (m, p, p).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ccp_analysis.imputation import Conditional
from ccp_analysis.imputation.chains import Chains
from ccp_analysis.imputation.matching import GRID, draw_donors
from ccp_analysis.models.ols import Grouping, grouping

RIDGE = 1e-5
"""Ridge, relative to the diagonal of the centred cross-products (the value of mice).

Applied only in those imputations where a predictor's variance not explained by the others falls
below `REDUNDANT` of its own. Coefficients are then drawn from the sampling distribution of the
ridge estimator: a direction that the observed rows do not inform gets coefficient zero, not a draw
from a nearly flat posterior, which would make the chain diverge.
"""

REDUNDANT = 1e-6

MATCHED = ("pmm", "lrd")
"""Methods that take something from one of the rows with the nearest predictions."""

_JITTER = 1e-10  # keeps the factorisation of an exactly singular matrix real
_EXACT_FIT = 1e-9  # a residual share below this is round-off: the residual variance is zero
_CONSTANT = 1e-10  # variance, in squared standard deviations, below which a column is constant
_RANK = 1e-8  # eigenvalue below which a direction of the fixed block is redundant


class Target:
    """One conditional model, over some rows, with all that stays the same over iterations.

    Attributes
    ----------
    mis, obs : ndarray of int
        Rows to impute and rows with an observed value.
    values : ndarray, shape (n1,)
        The observed values.
    constant : bool
        Whether these are all the same.
    varying : ndarray of int
        Slots of the incomplete predictors.
    complete : list of int
        Positions in the block of the complete ones.
    taken : ndarray, shape (m, n0, u), optional
        Rows of `Chains.work` to impute as they were, where the model has taken them out.
    draw : callable
        Of each kind of model: from chains and generator to what `update` returns.
    """

    draw: Callable[[Chains, np.random.Generator], tuple[np.ndarray, int]]
    taken: np.ndarray | None = None

    def __init__(
        self, model: Conditional, missing: np.ndarray, chains: Chains, rows: np.ndarray | None
    ) -> None:
        self.model, self.column, self.whole = model, model.target, rows is None
        own = missing[:, model.target]
        within = np.ones(len(own), dtype=bool) if rows is None else rows
        self.mis, self.obs = np.flatnonzero(own & within), np.flatnonzero(~own & within)
        if not len(self.obs):
            raise ValueError(
                f"column {self.column} cannot be imputed: a stratum has no value of it"
            )
        self.values = chains.data[self.obs, self.column]
        self.constant = bool((self.values == self.values[0]).all())
        self.varying = np.array(
            [chains.slot[p] for p in model.predictors if p in chains.slot], dtype=int
        )
        self.complete = [chains.position[p] for p in model.predictors if p in chains.position]
        self.derived = {p for p in model.predictors if p in chains.derived}

    def start(self, chains: Chains, rng: np.random.Generator) -> np.ndarray:
        """Fill with random draws of the observed values, which are returned (m, n0)."""
        m = len(chains.work)
        drawn = self.values[rng.integers(0, len(self.obs), (m, len(self.mis)))]
        chains.put(self.column, self.mis, drawn)
        return drawn

    def update(self, chains: Chains, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Draw parameters and missing values anew.

        Parameters
        ----------
        chains : Chains
            Current values, which are renewed.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        imputed : ndarray, shape (m, n0) or (m, n0, number of indicators)
            New values.
        ridged : int
            In how many chains a ridge was needed.
        """
        if self.derived & chains.dirty:
            chains.derive(self.derived)
        if self.constant:
            return np.full((len(chains.work), len(self.mis)), self.values[0]), 0
        imputed, count = self.draw(chains, rng)
        if not np.isfinite(imputed).all():
            raise ValueError(f"the chains of column {self.column} diverge: use fewer predictors")
        chains.store(self.column, self.mis, imputed, self.taken)
        self.taken = None
        return imputed, count

    def bounded(self, values: np.ndarray) -> np.ndarray:
        """Set values outside the bounds, where there are any, to the nearer of them."""
        return values if self.model.bounds is None else np.clip(values, *self.model.bounds)


class LinearTarget(Target):
    """Bayesian linear regression (``norm``), matching (``pmm``), local residuals (``lrd``)."""

    def __init__(
        self, model: Conditional, missing: np.ndarray, chains: Chains, rows: np.ndarray | None
    ) -> None:
        super().__init__(model, missing, chains, rows)
        self.slot = chains.slot[model.target]
        self.varying = np.array([*self.varying, self.slot])
        self.shared = np.array([*chains.fixed, *self.complete])
        self.to_basis, self.rank = _orthonormal(chains.block[np.ix_(self.obs, self.shared)])
        self.block_mis = chains.block[np.ix_(self.mis, self.shared)]
        # What is the same for all people of a pattern is multiplied once for it.
        self.inside: Grouping | None = None
        if chains.pattern is not None:
            codes = chains.pattern[0].codes[self.mis]
            if len(np.unique(codes)) > 1:
                self.inside = grouping(codes, len(codes))
                self.lines = chains.pattern[1][np.unique(codes)]

    def draw(self, chains: Chains, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Draw parameters and missing values."""
        m, n0 = len(chains.work), len(self.mis)
        self.taken = np.take(chains.work, self.mis, axis=1)
        rows = self.taken[:, :, self.varying]
        fit, draw, sigma, count = self.parameters(chains, rows, rng)
        predicted = rows[:, :, :-1] @ draw[1][:, :, None]
        predicted = predicted[:, :, 0] + draw[0] @ self.block_mis.T
        if self.model.method in MATCHED:
            fitted = self.fitted(chains, *fit)
            if not np.isfinite(predicted).all():
                return predicted, count
            donors = draw_donors(fitted, predicted, rng.random((m, n0)), self.model.donors)
            if self.model.method == "pmm":
                return self.values[donors], count
            # On a grid, as the distances are: the same value on every processor.
            apart = predicted - np.take_along_axis(fitted, donors, axis=1)
            apart = np.rint(apart * GRID) / GRID
            new = self.values[donors] + chains.scale[self.slot] * apart
            step = self.model.step
            return self.bounded(new if step is None else np.rint(new / step) * step), count
        new = predicted + sigma[:, None] * rng.standard_normal((m, n0))
        return self.bounded(chains.centre[self.slot] + chains.scale[self.slot] * new), count

    def fitted(self, chains: Chains, shared: np.ndarray, varying: np.ndarray) -> np.ndarray:
        """Predictions (m, n1) of the observed rows."""
        coefficients = np.zeros((len(varying), chains.work.shape[2], 1))
        coefficients[:, self.varying[:-1], 0] = varying
        everyone = (chains.work @ coefficients)[:, :, 0]
        return everyone[:, self.obs] + self.of_block(chains, shared)

    def of_block(self, chains: Chains, shared: np.ndarray) -> np.ndarray:
        """Return what the block, with coefficients (m, f), adds to observed rows, (m, n1)."""
        if chains.pattern is None:
            return shared @ chains.block[np.ix_(self.obs, self.shared)].T
        inside, lines = chains.pattern
        count = len(chains.fixed)
        added = (shared[:, :count] @ lines.T)[:, inside.codes[self.obs]]
        return added + shared[:, count:] @ chains.block[np.ix_(self.obs, self.complete)].T

    def cross_products(self, chains: Chains, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cross-products over the observed rows: of predictors and target, and with the basis."""
        pick = self.varying
        if not self.whole or len(self.obs) < len(self.mis):
            there = chains.work[:, self.obs[:, None], pick]
            block = chains.block[np.ix_(self.obs, self.shared)]
            gram, cross = there.swapaxes(1, 2) @ there, block.T @ there
        else:
            gram = chains.gram[:, pick[:, None], pick] - rows.swapaxes(1, 2) @ rows
            cross = chains.cross[:, self.shared[:, None], pick] - self.with_block(chains, rows)
        return gram, self.to_basis.T @ cross

    def with_block(self, chains: Chains, rows: np.ndarray) -> np.ndarray:
        """Return cross-products (m, f, p) of the block with rows (m, n0, p) that are imputed."""
        if self.inside is None:
            return np.asarray(self.block_mis.T @ rows)
        count = len(chains.fixed)
        first = self.lines.T @ self.inside.sums(rows)
        return np.concatenate([first, self.block_mis[:, count:].T @ rows], axis=1)

    def parameters(
        self, chains: Chains, rows: np.ndarray, rng: np.random.Generator
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], np.ndarray, int]:
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

    def solve(
        self, gram: np.ndarray, z: np.ndarray, used: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
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
