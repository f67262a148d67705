r"""Bootstrap followed by imputation, for statistics without a standard error.

Each of B bootstrap data sets is imputed D = 2 times, and the statistic is computed in each. With
the sums of squares of a one-way analysis of variance (bootstrap data sets as groups; MSB and MSW
the mean squares between and within), the variance of the mean of all B D statistics is estimated by

.. math:: \hat V = \frac{B + 1}{B D} MSB - \frac{MSW}{D}

with the degrees of freedom of Satterthwaite (von Hippel & Bartlett 2021).
Rubin's rules are not needed: the bootstrap sees the sampling and the missing values together, and
the interval stays valid where imputation and analysis do not agree (Bartlett & Hughes 2020).

With clusters the units resampled are the smallest that hold both arms: the pairs. With few of them
the bootstrap has few different data sets, and its intervals are rough.

References
----------
Bartlett JW, Hughes RA (2020). Bootstrap inference for multiple imputation under uncongeniality and
misspecification. Stat Methods Med Res 29:3533-3546.
Brand J, van Buuren S, le Cessie S, van den Hout W (2019). Combining multiple imputation and
bootstrap in the analysis of cost-effectiveness trial data. Stat Med 38:210-220.
von Hippel PT, Bartlett JW (2021). Maximum likelihood multiple imputation: faster imputations and
consistent standard errors without posterior draws. Stat Sci 36:400-420.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.inference import Inference, standard_error


@dataclass(frozen=True)
class BootstrapPooled(Inference):
    """Estimates from a bootstrap of imputed data; arrays of the shape of the statistic.

    Attributes
    ----------
    estimate, std_error, df : numpy.ndarray
        Mean over all data sets, root of its variance, degrees of freedom. Where the estimated
        variance is not positive the standard error is NaN: more bootstrap data sets are needed.
    between, within : numpy.ndarray
        Variance components: between bootstrap data sets, and between imputations of one.
    """

    between: np.ndarray
    within: np.ndarray


def pool_bootstrap(statistics: np.ndarray) -> BootstrapPooled:
    """Pool the statistics of imputed bootstrap data sets.

    Parameters
    ----------
    statistics : array_like, shape (B, D, ...)
        Statistic of each imputation of each bootstrap data set.

    Returns
    -------
    BootstrapPooled

    Raises
    ------
    ValueError
        If there are fewer than two bootstrap data sets, or fewer than two imputations of each.
    """
    statistics = np.asarray(statistics, dtype=float)
    if statistics.ndim < 2 or min(statistics.shape[:2]) < 2:
        raise ValueError(
            "The bootstrap needs at least two data sets with two imputations of each; the shape of "
            f"the statistics is {statistics.shape}."
        )
    B, D = statistics.shape[:2]
    means = statistics.mean(axis=1)
    msb = D * means.var(axis=0, ddof=1)
    msw = statistics.var(axis=1, ddof=1).mean(axis=0)
    first, second = (B + 1.0) / (B * D) * msb, msw / D
    variance = first - second
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / (first**2 / (B - 1) + second**2 / (B * (D - 1)))
    return BootstrapPooled(
        estimate=means.mean(axis=0),
        std_error=standard_error(variance),
        df=np.maximum(df, 1.0),
        between=(msb - msw) / D,
        within=msw,
    )


def resample_groups(groups: np.ndarray, draws: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw whole groups with replacement.

    Parameters
    ----------
    groups : array_like of int, shape (n,)
        Group of each row, such as the pair of clusters.
    draws : int
        Number of bootstrap data sets.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list of ndarray of int
        For each data set the positions of the groups drawn, as many as there are groups.
    """
    count = len(np.unique(groups))
    return list(rng.integers(0, count, (draws, count)))


def boot_impute(
    groups: np.ndarray,
    drawn: Sequence[np.ndarray],
    complete: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> BootstrapPooled:
    """Impute every bootstrap data set and pool a statistic.

    Parameters
    ----------
    groups : array_like of int, shape (n,)
        Group of each row.
    drawn : sequence of ndarray of int
        Positions (among the sorted groups) of the groups in each bootstrap data set.
    complete : callable
        Takes the rows of a bootstrap data set and, for each, the number of the copy of its group
        (a group drawn twice is two groups: its clusters are to be told apart). Imputes that data
        set, all imputations at once, and returns the statistic of each, shape (D, ...).

    Returns
    -------
    BootstrapPooled

    Raises
    ------
    ValueError
        As `pool_bootstrap`.
    """
    groups = np.asarray(groups)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    statistics = []
    for positions in drawn:
        rows = [members[position] for position in positions]
        copies = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        statistics.append(complete(np.concatenate(rows), copies))
    return pool_bootstrap(np.stack(statistics))
