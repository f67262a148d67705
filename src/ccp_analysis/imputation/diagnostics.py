"""Convergence of the chains of an imputation."""

from __future__ import annotations

import numpy as np


def split_r_hat(chains: np.ndarray) -> np.ndarray:
    r"""Potential scale reduction factor of split chains.

    Every chain is cut into two halves (of an odd number of iterations the middle one is left out).
    With W the mean of the variances within the half chains, B/n the variance of their means, n
    iterations in each,

    .. math:: \hat R = \sqrt{\frac{(n - 1) / n \cdot W + B / n}{W}}

    (Gelman, Carlin, Stern, Dunson, Vehtari & Rubin 2013, Bayesian Data Analysis, 3rd edition,
    equations 11.3 and 11.4).

    Parameters
    ----------
    chains : array_like, shape (..., iterations, chains)
        One number per iteration and chain, such as the means or standard deviations of the imputed
        values (`ccp_analysis.imputation.Imputed`); leading axes are a batch.

    Returns
    -------
    ndarray, shape (...)
        Near 1 where chains have mixed and settled. 1 if no chain ever moves and all agree, infinite
        if none moves and they differ; NaN where a chain has a NaN, and for fewer than four
        iterations, which cannot be judged.
    """
    chains = np.asarray(chains, dtype=float)
    half = chains.shape[-2] // 2
    if half < 2:
        return np.full(chains.shape[:-2], np.nan)
    halves = np.concatenate([chains[..., :half, :], chains[..., -half:, :]], axis=-1)
    within = halves.var(axis=-2, ddof=1).mean(axis=-1)
    between = halves.mean(axis=-2).var(axis=-1, ddof=1)
    still = (halves == halves[..., :1, :]).all(axis=(-2, -1))
    agree = (halves == halves[..., :1, :1]).all(axis=(-2, -1))
    ratio = (half - 1) / half + between / np.where(still | (within == 0), 1.0, within)
    return np.where(agree, 1.0, np.where(still, np.inf, np.sqrt(ratio)))
