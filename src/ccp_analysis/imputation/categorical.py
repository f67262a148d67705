r"""Bayesian logistic and multinomial regression for categories.

With K categories observed, log odds against the first are linear in the predictors. Coefficients
are drawn from the normal approximation to their posterior, :math:`N(\hat\beta, I^{-1})`, and
categories from the probabilities they give (Rubin 1987, pp. 169-170; ``mice.impute.logreg``;
``mice.impute.polyreg`` is the same but takes :math:`\hat\beta` as known, which leaves its
imputations a little too alike).

Perfect prediction: White, Daniel & Royston (2010) add, for each predictor and category, two
observations at the means of all predictors but this one, which is half a standard deviation above
or below (within its range), with a total weight of p + 1 for p predictors. Observations at one
place differ only in the category, so here they are one row, equally divided over the categories.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ccp_analysis.imputation import Conditional
from ccp_analysis.imputation.chains import Chains
from ccp_analysis.imputation.linear import Target
from ccp_analysis.imputation.rows import Patterned, Whole, on_patterns
from ccp_analysis.models.ols import grouping

STEPS = 60
HALVINGS = 30
TOLERANCE = 1e-8
"""Squared length of the last step, in standard errors; what is left after it is its square."""

_DEPENDENT = 1e-8  # squared share of a column, not explained by those before, that is round-off
_JITTER = 1e-9


class CategoricalTarget(Target):
    """Bayesian logistic (``logreg``) or multinomial (``polyreg``) regression."""

    def __init__(
        self, model: Conditional, missing: np.ndarray, chains: Chains, rows: np.ndarray | None
    ) -> None:
        super().__init__(model, missing, chains, rows)
        everyone = np.sort(np.concatenate([self.obs, self.mis]))
        self.mis_in, self.obs_in = (np.searchsorted(everyone, r) for r in (self.mis, self.obs))
        self.rows = everyone
        block = chains.block[np.ix_(everyone, [*chains.fixed, *self.complete])]
        kept = independent(block)
        self.block = block[:, kept]
        self.measures = _measures(self.block[None, :, 1:])
        # How many of these columns are the same within a pattern; none where that is of no use.
        self.patterned, self.codes, self.lines = (
            0,
            np.zeros(len(everyone), dtype=int),
            block[:1, :0],
        )
        if chains.pattern is not None:
            own = [k for k in kept if k < len(chains.fixed)]
            present, codes = np.unique(chains.pattern[0].codes[everyone], return_inverse=True)
            if len(np.unique(codes[self.obs_in])) == len(present) > 1:
                self.patterned, self.codes = len(own), codes
                self.lines = chains.pattern[1][np.ix_(present, np.array(own))]
        if model.method == "logreg":
            self.levels, category = np.unique(self.values, return_inverse=True)
        else:
            own = chains.data[np.ix_(self.obs, np.array(model.columns))]
            coded = np.where(own.any(axis=1), own.argmax(axis=1) + 1, 0)
            self.levels, category = np.unique(coded, return_inverse=True)
        self.category = category
        self.constant = False
        self.estimate: np.ndarray | None = None

    def start(self, chains: Chains, rng: np.random.Generator) -> np.ndarray:
        """Fill with random draws of the observed categories."""
        m = len(chains.work)
        drawn = self.category[rng.integers(0, len(self.obs), (m, len(self.mis)))]
        return self.put(chains, drawn, chains.put)

    def update(self, chains: Chains, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Draw parameters and categories anew."""
        if self.derived & chains.dirty:
            chains.derive(self.derived)
        drawn = self.draw_categories(chains, rng)
        return self.put(chains, drawn, chains.store), 0

    def put(
        self,
        chains: Chains,
        drawn: np.ndarray,
        store: Callable[[int, np.ndarray, np.ndarray], None],
    ) -> np.ndarray:
        """Put positions among the observed levels into the variable's columns; return those."""
        if self.model.method == "logreg":
            values = self.levels[drawn]
            store(self.column, self.mis, values)
            return values
        coded = self.levels[drawn]
        indicators = (coded[:, :, None] == np.arange(1, len(self.model.columns) + 1)).astype(float)
        for position, column in enumerate(self.model.columns):
            store(column, self.mis, np.ascontiguousarray(indicators[:, :, position]))
        return indicators

    def draw_categories(self, chains: Chains, rng: np.random.Generator) -> np.ndarray:
        """Return new categories (m, n0) as positions among the observed levels."""
        m, n0, K = len(chains.work), len(self.mis), len(self.levels)
        if K == 1:
            return np.zeros((m, n0), dtype=int)
        varying = chains.work[:, self.rows[:, None], self.varying]
        first = self.block[:, self.patterned :]
        rest = np.empty((m, len(self.rows), first.shape[1] + len(self.varying)))
        rest[:, :, : first.shape[1]] = first
        rest[:, :, first.shape[1] :] = varying
        added = _places(
            *(
                np.concatenate([np.repeat(own, m, axis=0), other], axis=1)
                for own, other in zip(self.measures, _measures(varying), strict=True)
            )
        )
        design = self.design(rest[:, self.obs_in], added)
        response = np.full((design.shape[1], K), 1.0 / K)
        response[: len(self.obs)] = self.category[:, None] == np.arange(K)
        weight = np.ones(design.shape[1])
        if added.shape[1]:
            weight[len(self.obs) :] = added.shape[2] / added.shape[1]
        try:
            estimate, root = fit_multinomial(design, response, weight, self.estimate)
        except np.linalg.LinAlgError:
            raise ValueError(
                f"the model of column {self.column} cannot be fitted: use fewer predictors"
            ) from None
        self.estimate = estimate
        z = rng.standard_normal((m, root.shape[1], 1))
        deviation = np.linalg.solve(root.swapaxes(1, 2), z)[:, :, 0]
        beta = estimate + deviation.reshape(estimate.shape)
        predictor = on_patterns(self.lines, self.codes[self.mis_in], rest[:, self.mis_in], beta)
        chance = probabilities(predictor)
        below = np.cumsum(chance, axis=2)[:, :, :-1]
        return (rng.random((m, n0, 1)) > below).sum(axis=2)

    def design(self, rest: np.ndarray, added: np.ndarray) -> Whole | Patterned:
        """Return the observed rows, with what is not patterned of them (m, n1, d), and others."""
        if not self.patterned:
            return Whole(np.concatenate([rest, added], axis=1))
        inside = grouping(self.codes[self.obs_in], len(self.obs))
        return Patterned(inside, self.lines, rest, Whole(added))


def _measures(predictors: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean, least, greatest and half a standard deviation of each predictor, (m, p)."""
    if not predictors.shape[2]:
        return (np.empty((len(predictors), 0)),) * 4
    mean, low, high = (f(axis=1) for f in (predictors.mean, predictors.min, predictors.max))
    several = predictors.shape[1] > 1
    half = 0.5 * predictors.std(axis=1, ddof=1) if several else np.zeros_like(mean)
    return mean, low, high, half


def _places(mean: np.ndarray, low: np.ndarray, high: np.ndarray, half: np.ndarray) -> np.ndarray:
    m, p = mean.shape
    added = np.ones((m, p, 2, 1 + p))
    added[:, :, :, 1:] = mean[:, None, None, :]
    j = np.arange(p)
    added[:, j, 0, 1 + j] = np.clip(mean + half, low, high)
    added[:, j, 1, 1 + j] = np.clip(mean - half, low, high)
    return added.reshape(m, 2 * p, 1 + p)


def fit_multinomial(
    X: np.ndarray | Whole | Patterned,
    response: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit multinomial logistic regressions by maximum likelihood.

    Parameters
    ----------
    X : ndarray, Whole or Patterned, shape (m, n, q)
        Designs, intercept included.
    response : ndarray, shape (n, K)
        Share of each category in each row; rows sum to one.
    weight : ndarray, shape (n,)
        Weight of each row.
    start : ndarray, shape (m, K - 1, q), optional
        Where to begin; zero by default.

    Returns
    -------
    estimate : ndarray, shape (m, K - 1, q)
        Log odds against the first category.
    root : ndarray, shape (m, (K - 1) q, (K - 1) q)
        Lower Cholesky factor of the information.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the information is not positive definite.

    Notes
    -----
    Newton's method; the log-likelihood is concave, and steps are halved until it rises.
    """
    X = Whole(X) if isinstance(X, np.ndarray) else X
    m, _, q = X.shape
    others = response.shape[1] - 1
    beta = np.zeros((m, others, q)) if start is None else start
    value, chance = _likelihood(X, beta, response, weight)
    for _ in range(STEPS):
        residual = weight[:, None] * (response[:, 1:] - chance[:, :, 1:])
        score = X.products(residual).reshape(m, -1)
        information = _information(X, chance, weight)
        step = np.linalg.solve(information, score[:, :, None])[:, :, 0]
        # Twice what the likelihood can still gain: the squared length in standard errors.
        arrived = ((step * score).sum(axis=1) <= TOLERANCE).all()
        step = step.reshape(beta.shape)
        for _ in range(HALVINGS):
            new_value, new_chance = _likelihood(X, beta + step, response, weight)
            lower = new_value < value - 1e-10 * (1.0 + np.abs(value))
            if not lower.any():
                break
            step = np.where(lower[:, None, None], 0.5 * step, step)
        beta, value, chance = beta + step, new_value, new_chance
        if arrived:
            break
    return beta, np.linalg.cholesky(information)


def _likelihood(
    X: Whole | Patterned, beta: np.ndarray, response: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihoods (m,) and probabilities (m, n, K)."""
    predictor = X.times(beta)
    top = np.maximum(predictor.max(axis=2), 0.0)
    total = top + np.log(np.exp(-top) + np.exp(predictor - top[:, :, None]).sum(axis=2))
    fit = (response[:, 1:] * predictor).sum(axis=2) - total
    return fit @ weight, probabilities(predictor)


def probabilities(predictor: np.ndarray) -> np.ndarray:
    """Return probabilities (..., K) from log odds (..., K - 1) against the first category."""
    top = np.maximum(predictor.max(axis=-1, keepdims=True), 0.0)
    odds = np.concatenate([np.exp(-top), np.exp(predictor - top)], axis=-1)
    return odds / odds.sum(axis=-1, keepdims=True)


def _information(X: Whole | Patterned, chance: np.ndarray, weight: np.ndarray) -> np.ndarray:
    m, _, q = X.shape
    others = chance.shape[2] - 1
    information = np.empty((m, others, q, others, q))
    for a in range(others):
        for b in range(a + 1):
            share = weight * chance[:, :, a + 1] * ((a == b) - chance[:, :, b + 1])
            piece = X.squares(share)
            information[:, a, :, b] = information[:, b, :, a] = piece
    information = information.reshape(m, others * q, others * q)
    inner = np.arange(others * q)
    diagonal = information[:, inner, inner]
    information[:, inner, inner] += _JITTER * (diagonal + diagonal.max(axis=1, keepdims=True))
    return information


def independent(columns: np.ndarray) -> list[int]:
    """Return the positions of columns (n, f) that do not depend on those before them."""
    kept: list[int] = []
    basis = np.empty((len(columns), 0))
    for position, column in enumerate(columns.T):
        length = column @ column
        left = column - basis @ (basis.T @ column)
        left = left - basis @ (basis.T @ left)
        if length > 0 and left @ left > _DEPENDENT * length:
            basis = np.column_stack([basis, left / np.sqrt(left @ left)])
            kept.append(position)
    return kept
