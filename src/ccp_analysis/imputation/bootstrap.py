r"""Pooling of bootstrap data sets that were imputed more than once each.

For statistics without a standard error: each of B bootstrap data sets is imputed D = 2 times (drawn
and imputed by `ccp_analysis.imputation.resampled`), and the statistic is computed in each. With
the sums of squares of a one-way analysis of variance (bootstrap data sets as groups; MSB and MSW
the mean squares between and within), the variance of the mean of all B D statistics is estimated by

.. math:: \hat V = \frac{B + 1}{B D} MSB - \frac{MSW}{D}

with the degrees of freedom of Satterthwaite (von Hippel & Bartlett 2021).
Rubin's rules are not needed: the bootstrap sees the sampling and the missing values together, and
the interval stays valid where imputation and analysis do not agree (Bartlett & Hughes 2020).

References
----------
Bartlett JW, Hughes RA (2020). Bootstrap inference for multiple imputation under uncongeniality and
misspecification. Stat Methods Med Res 29:3533-3546.
von Hippel PT, Bartlett JW (2021). Maximum likelihood multiple imputation: faster imputations and
consistent standard errors without posterior draws. Stat Sci 36:400-420.
"""

from __future__ import annotations

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
