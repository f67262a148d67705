"""Pooling of estimates over imputations by Rubin's rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.inference import Inference, standard_error

# A share of the variance that is rounding, not missing information.
NO_INFORMATION_MISSING = 1e-14


@dataclass(frozen=True)
class Pooled(Inference):
    """Pooled estimates; all arrays have the shape of one imputation's estimates.

    Attributes
    ----------
    estimate : numpy.ndarray
        Mean over imputations.
    std_error : numpy.ndarray
        Square root of the total variance.
    df : numpy.ndarray
        Degrees of freedom of Barnard & Rubin.
    within, between, total : numpy.ndarray
        Mean variance of the estimates, variance between them (divisor m - 1), and
        within + (1 + 1/m) between.
    riv : numpy.ndarray
        Relative increase of the variance, (1 + 1/m) between / within.
    fmi : numpy.ndarray
        Fraction of missing information, (riv + 2 / (df + 3)) / (riv + 1).
    mc_error : numpy.ndarray
        Monte Carlo standard error of the estimate, sqrt(between / m).
    """

    within: np.ndarray
    between: np.ndarray
    total: np.ndarray
    riv: np.ndarray
    fmi: np.ndarray
    mc_error: np.ndarray


def pool(estimates: np.ndarray, variances: np.ndarray, df: np.ndarray | float = np.inf) -> Pooled:
    """Pool the estimates of m completed data sets.

    Parameters
    ----------
    estimates, variances : array_like
        Estimates and their squared standard errors, shape (m, ...).
    df : array_like
        Complete-data degrees of freedom of each fit, shape (m, ...) or a scalar; they may be
        infinite. Their harmonic mean over the imputations is used.

    Returns
    -------
    Pooled
        NaN where an imputation's estimate or variance is NaN.

    Raises
    ------
    ValueError
        If there is no imputation, or the shapes differ.

    Notes
    -----
    Rubin (1987), equations 3.1.2 to 3.1.5; degrees of freedom by Barnard & Rubin (1999); fraction
    of missing information by Rubin (1987), equation 3.1.10, with these df. Where the estimates do
    not differ between imputations, or there is one only, nothing is known to be missing: the
    complete-data df stand (which the formula of Barnard and Rubin, taken to that limit, would
    shrink by (df + 1) / (df + 3)), and fmi is 0.
    """
    estimates, variances, df = (np.asarray(v, dtype=float) for v in (estimates, variances, df))
    if estimates.ndim == 0 or len(estimates) == 0 or estimates.shape != variances.shape:
        raise ValueError(
            "Pooling needs estimates and variances of the same shape, imputations along the first "
            f"axis; their shapes are {estimates.shape} and {variances.shape}."
        )
    if df.ndim and df.shape != estimates.shape:
        raise ValueError(
            f"Degrees of freedom are one number, or one for each estimate: {estimates.shape} "
            f"expected, {df.shape} found."
        )
    m = len(estimates)
    estimate, within = estimates.mean(axis=0), variances.mean(axis=0)
    between = estimates.var(axis=0, ddof=1) if m > 1 else np.where(np.isnan(estimate), np.nan, 0.0)
    inflated = (1.0 + 1.0 / m) * between
    total = within + inflated
    with np.errstate(divide="ignore", invalid="ignore"):
        complete = 1.0 / np.mean(1.0 / np.broadcast_to(df, estimates.shape), axis=0)
        missing = inflated / total
        riv = inflated / within
        old = (m - 1) / missing**2
        observed = (1.0 + complete) / (3.0 + complete) * complete * (1.0 - missing)
        pooled_df = np.where(np.isinf(complete), old, 1.0 / (1.0 / old + 1.0 / observed))
    untouched = missing <= NO_INFORMATION_MISSING
    pooled_df = np.where(untouched, complete, pooled_df)
    fmi = np.where(untouched, 0.0, missing + (1.0 - missing) * 2.0 / (pooled_df + 3.0))
    return Pooled(
        estimate=estimate,
        std_error=standard_error(total),
        df=pooled_df,
        within=within,
        between=between,
        total=total,
        riv=riv,
        fmi=fmi,
        mc_error=np.sqrt(between / m),
    )
