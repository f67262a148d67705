r"""Bayesian linear regression with a random intercept for clusters.

For studies with many clusters, where an indicator for each would spend too many coefficients; with
ten, fixed effects are the safer choice. The model is :math:`y_{gi} = x_{gi}'\beta + u_g + e_{gi}`
with one residual variance, as the mixed model of the analyses has it (``mice.impute.2l.norm`` gives
each cluster its own, which small clusters cannot support).

Draws are from the posterior itself, without an inner Gibbs sampler. With the intraclass correlation
:math:`\rho`, :math:`\lambda = \rho / (1 - \rho)`, flat priors for :math:`\beta` and
:math:`\log\sigma` and a uniform one for :math:`\rho`, everything but :math:`\rho` integrates out:

.. math:: \log p(\rho | y) = -\tfrac12\sum_g\log(1 + \lambda n_g)
          -\tfrac12\log|X'V^{-1}X| - \tfrac{n - p}{2}\log RSS(\rho)

(the restricted likelihood with its variance integrated out; Harville 1974, Biometrika 61:383-385).
It is evaluated on a grid; then :math:`\sigma^2`, :math:`\beta` and the :math:`u_g` follow from
their conditional distributions, those of clusters without observed values from the prior.
"""

from __future__ import annotations

import numpy as np

from ccp_analysis.groups import groups
from ccp_analysis.imputation import Conditional
from ccp_analysis.imputation.categorical import independent
from ccp_analysis.imputation.chains import Chains
from ccp_analysis.imputation.linear import RIDGE, Target

GRID = np.concatenate([np.linspace(0.0, 0.3, 31), np.linspace(0.325, 0.975, 27)])
"""Intraclass correlations at which the posterior density is evaluated."""


class MultilevelTarget(Target):
    """Bayesian linear regression with a random cluster intercept (``2l.norm``)."""

    def __init__(
        self, model: Conditional, missing: np.ndarray, chains: Chains, rows: np.ndarray | None
    ) -> None:
        super().__init__(model, missing, chains, rows)
        everyone = np.sort(np.concatenate([self.obs, self.mis]))
        complete = np.column_stack([chains.between, chains.block[:, self.complete]])
        complete = complete[:, independent(complete[everyone])]
        self.block_obs, self.block_mis = complete[self.obs], complete[self.mis]
        codes = groups(np.asarray(chains.clusters)[everyone]).codes
        own = codes[np.searchsorted(everyone, self.obs)]
        self.cluster_mis = codes[np.searchsorted(everyone, self.mis)]
        self.member = (own == np.arange(codes.max() + 1)[:, None]).astype(float)
        self.size = self.member.sum(axis=1)
        self.slot = chains.slot[model.target]

    def draw(self, chains: Chains, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Draw parameters and missing values."""
        m, n1 = len(chains.work), len(self.obs)
        shared, own = self.block_obs.shape[1], len(self.varying)
        p = shared + own
        Z = np.empty((m, n1, p + 1))
        Z[:, :, :shared] = self.block_obs
        Z[:, :, shared:] = chains.work[:, self.obs[:, None], [*self.varying, self.slot]]
        gram, sums = Z.swapaxes(1, 2) @ Z, self.member @ Z

        ratio, factor = self.draw_ratio(gram, sums, n1 - p, rng)
        rss = np.maximum(factor[:, p, p], 1e-12) ** 2
        sigma = np.sqrt(rss / rng.chisquare(max(n1 - p, 1), m))
        z = rng.standard_normal((m, p))
        right = (factor[:, p, :p] + sigma[:, None] * z)[:, :, None]
        beta = np.linalg.solve(factor[:, :p, :p].swapaxes(1, 2), right)
        residual = sums[:, :, p] - (sums[:, :, :p] @ beta)[:, :, 0]
        shrink = ratio / (1.0 + ratio * self.size)
        noise = rng.standard_normal(shrink.shape)
        effect = shrink * residual + sigma[:, None] * np.sqrt(shrink) * noise

        rows = np.empty((m, len(self.mis), p))
        rows[:, :, :shared] = self.block_mis
        rows[:, :, shared:] = chains.work[:, self.mis[:, None], self.varying]
        new = (rows @ beta)[:, :, 0] + effect[:, self.cluster_mis]
        new += sigma[:, None] * rng.standard_normal(new.shape)
        return self.bounded(chains.centre[self.slot] + chains.scale[self.slot] * new), 0

    def draw_ratio(
        self, gram: np.ndarray, sums: np.ndarray, df: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the variance ratio lambda (m, 1); also the factor of the normal equations at it."""
        ratios = GRID / (1.0 - GRID)
        weight = ratios[:, None] / (1.0 + ratios[:, None] * self.size)
        outer = sums[:, :, :, None] * sums[:, :, None, :]
        m, G, P, _ = outer.shape
        taken = (weight @ outer.reshape(m, G, P * P)).reshape(m, len(GRID), P, P)
        factor = _factor(gram[:, None] - taken)
        pivots = np.diagonal(factor, axis1=-2, axis2=-1)
        density = -0.5 * np.log1p(ratios[:, None] * self.size).sum(axis=1)
        density = density - np.log(pivots[..., :-1]).sum(axis=-1)
        density = density - max(df, 1) * np.log(np.maximum(pivots[..., -1], 1e-12))
        density = np.exp(density - density.max(axis=1, keepdims=True))
        # Between grid points the density is linear; the cumulative one is inverted linearly.
        area = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(GRID)
        cumulative = np.concatenate([np.zeros((m, 1)), np.cumsum(area, axis=1)], axis=1)
        u = rng.random((m, 1)) * cumulative[:, -1:]
        cell = np.minimum((cumulative[:, 1:] <= u).sum(axis=1, keepdims=True), len(GRID) - 2)
        before, inside = (np.take_along_axis(v, cell, axis=1) for v in (cumulative, area))
        rho = GRID[cell] + np.diff(GRID)[cell] * (u - before) / np.maximum(inside, 1e-300)
        ratio = rho / (1.0 - rho)
        weight = ratio / (1.0 + ratio * self.size)
        return ratio, _factor(
            gram - (weight[:, None, :] @ outer.reshape(m, G, -1)).reshape(m, P, P)
        )


def _factor(matrix: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor of (..., p + 1, p + 1), with a slight ridge for predictors."""
    inner = np.arange(matrix.shape[-1] - 1)
    matrix = matrix.copy()
    diagonal = matrix[..., inner, inner]
    matrix[..., inner, inner] += RIDGE * diagonal + 1e-10 * diagonal.max(axis=-1, keepdims=True)
    matrix[..., -1, -1] *= 1.0 + 1e-10
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError(
            "the model with a random cluster intercept cannot be fitted: use fewer predictors"
        ) from None
