"""What this study says of the variances, losses and sizes of a next trial like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, design
from ccp_analysis.analyses.question import Question, fitted, sample_for
from ccp_analysis.config.next_study import Prior
from ccp_analysis.config.study import Study
from ccp_analysis.models.components import Components, alone, components
from ccp_analysis.models.intraclass import intraclass_interval, strata
from ccp_analysis.models.ols import OlsFit, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept


@dataclass(frozen=True)
class ThisStudy:
    """What is known of an outcome, from those who were observed.

    Attributes
    ----------
    chosen : Sample
        Who was observed on all that the comparison needs.
    adjusted, unadjusted : dict
        Prior → posterior of the variances beside arm, pair and covariates, with the own baseline
        among these and without it.
    sd, icc : float
        Residual standard deviation in all and intraclass correlation, by restricted likelihood.
    upper : float
        Upper limit of the exact interval of the intraclass correlation.
    df : tuple of int
        Degrees of freedom between and within clusters.
    retest : tuple of float
        Correlation of follow-up and baseline within arms and pairs, and its limits.
    recruited : int
        People with a baseline interview.
    lost : float
        Share of people with a baseline interview whose outcome is missing.
    cv, kept : float
        Coefficient of variation of the pairs' weights at follow-up, and their mean for 1 of pairs
        of equal clusters.
    taken : int
        Columns of covariates.
    """

    chosen: Sample
    adjusted: dict[str, Components]
    unadjusted: dict[str, Components]
    sd: float
    icc: float
    upper: float
    df: tuple[int, int]
    retest: tuple[float, float, float]
    recruited: int
    lost: float
    cv: float
    kept: float
    taken: int


def this_study(study: Study, tables: pd.DataFrame, ask: Question, priors: list[Prior]) -> ThisStudy:
    """Return what the observed data say of one outcome.

    Raises ValueError, in a plain sentence, where they say nothing of a variance.
    """
    observed = tables[tables["imputation"] == 0]
    seen = observed.dropna(subset=[ask.value])
    chosen = sample_for(study, tables, "observed", ask)
    y, factors = chosen.stacked(ask.value)[0], allocated(study).factors
    X = design(chosen, [ask.baseline, *ask.covariates], factors)
    fit = fitted(fit_ols, X.columns, X.X[0], y)
    without = design(chosen, ask.covariates, factors)
    plain = fitted(fit_ols, without.columns, without.X[0], y)
    units = allocated(study).units(chosen)
    sd, icc, upper, df, cv = float(fit.sigma2) ** 0.5, 0.0, 0.0, (0, fit.df_resid), 0.0
    kept = 1.0
    if units is not None:
        mixed = fitted(fit_random_intercept, X.columns, X.X[0], y, units)
        total = float(mixed.var_group + mixed.var_resid)
        sd, icc = total**0.5, float(mixed.var_group) / total
        limits = intraclass_interval(fit, units, ask.level)
        upper, df = limits.high, (limits.df_between, limits.df_within)
        cv, kept = _weights(study, seen)
    return ThisStudy(
        chosen=chosen,
        adjusted=_posteriors(fit, units, priors),
        unadjusted=_posteriors(plain, units, priors),
        sd=sd,
        icc=icc,
        upper=upper,
        df=df,
        retest=_retest(fit, plain, ask.level),
        recruited=len(observed),
        lost=1.0 - len(seen) / len(observed),
        cv=cv,
        kept=kept,
        taken=X.X.shape[-1] - 2,
    )


def _weights(study: Study, seen: pd.DataFrame) -> tuple[float, float]:
    """Return how pairs' weights vary, and their mean for 1 of pairs of equal clusters."""
    clusters = allocated(study).declared
    keys = [clusters.pair, study.arms.variable]
    sizes = seen.groupby([*keys, clusters.unit], observed=True).size()
    arms = sizes.groupby(level=keys).mean().unstack().dropna()
    weights = arms.prod(axis=1) / arms.sum(axis=1)
    return float(weights.std() / weights.mean()), float(weights.mean() / (sizes.mean() / 2.0))


def _posteriors(
    fit: OlsFit, units: np.ndarray | None, priors: list[Prior]
) -> dict[str, Components]:
    if units is None:
        return {prior.id: alone(float(fit.sigma2) * fit.df_resid, fit.df_resid) for prior in priors}
    parts = strata(fit, units)
    return {prior.id: components(parts, (prior.a, prior.b)) for prior in priors}


def _retest(fit: OlsFit, plain: OlsFit, level: float) -> tuple[float, float, float]:
    """Return the partial correlation with the baseline, limits by Fisher's z.

    Its square is the share of the residual sum of squares that the baseline takes.
    """
    left = float(fit.sigma2) * fit.df_resid / (float(plain.sigma2) * plain.df_resid)
    value = max(0.0, 1.0 - left) ** 0.5
    z, half = np.arctanh(value), ndtri(0.5 + level / 2.0) / max(1.0, fit.df_resid - 1.0) ** 0.5
    return value, float(np.tanh(z - half)), float(np.tanh(z + half))
