"""The sign-flip test of more pairs than can be listed: by random choices of signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.proportions import exact_limits
from ccp_analysis.models.team_level import TIE_TOLERANCE

# With one for the data themselves a round number.
DRAWS = 9999
BAND = 0.95  # level of the Monte Carlo interval


@dataclass(frozen=True)
class RandomFlips:
    """What random choices of signs say of the mean of differences.

    Attributes
    ----------
    p_value : float
        Two-sided.
    mc_error : float
        Its Monte Carlo standard error.
    mc_low, mc_high : float
        95 % limits of what all choices of signs would give (Clopper & Pearson 1934).
    low, high, level : float
        Confidence set and its level, the largest not above the wanted one that the draws allow.
    """

    p_value: float
    mc_error: float
    mc_low: float
    mc_high: float
    low: float
    high: float
    level: float


def random_sign_flip(
    pair_differences: np.ndarray, level: float, rng: np.random.Generator, draws: int = DRAWS
) -> RandomFlips:
    """Test that differences are symmetric about zero, by random choices of their signs.

    Parameters
    ----------
    pair_differences : array_like
        Differences, shape (pairs,).
    level : float
        Confidence level that is wanted.
    rng : numpy.random.Generator
        Source of random numbers.
    draws : int
        Choices of signs, and of subsets for the confidence set.

    Returns
    -------
    RandomFlips

    Raises
    ------
    ValueError
        If there are fewer than two pairs, or so few draws that no level is as low as the wanted.

    Notes
    -----
    With the data themselves counted as one choice, p = (1 + hits) / (1 + draws) is a valid test
    whatever the draws (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39). The means of random
    subsets of the differences divide the line into as many intervals and one more, each equally
    likely to hold the centre of symmetry (Hartigan 1969, J Am Stat Assoc 64:1303-1317, section 4),
    so the k-th smallest and largest are limits at the level 1 - 2 k / (1 + draws).
    """
    differences = np.asarray(pair_differences, dtype=float)
    pairs = len(differences)
    k = int(np.ceil((1.0 - level) / 2.0 * (1 + draws) - TIE_TOLERANCE * draws))
    if pairs < 2 or 2 * k > draws:
        raise ValueError(
            f"Random signs take two pairs and level enough: {pairs} pairs, {draws} draws."
        )
    negative = rng.integers(0, 2, (draws, pairs), dtype=np.int8).astype(bool)
    sums = differences.sum() - 2.0 * (negative @ differences)
    least = abs(differences.sum()) - TIE_TOLERANCE * np.abs(differences).sum()
    hits = int((np.abs(sums) >= least).sum())
    p = (1 + hits) / (1 + draws)
    chosen = rng.integers(0, 2, (draws, pairs), dtype=np.int8).astype(bool)
    chosen[~chosen.any(axis=1)] = True  # the empty subset has no mean
    means = np.sort(chosen @ differences / chosen.sum(axis=1))
    band = exact_limits(hits, draws, None, 0.0, BAND)
    return RandomFlips(
        p_value=p,
        mc_error=(p * (1.0 - p) / draws) ** 0.5,
        mc_low=band[0],
        mc_high=band[1],
        low=float(means[k - 1]),
        high=float(means[-k]),
        level=1.0 - 2 * k / (1 + draws),
    )
