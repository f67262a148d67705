"""What is asked of a model, and whether the data can answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.dependence import at_fault
from ccp_analysis.analyses.design import Design, Sample, sample
from ccp_analysis.config.confounding import Confounding
from ccp_analysis.config.study import Study
from ccp_analysis.models.absorbed import fit_absorbed
from ccp_analysis.models.ols import DEPENDENT, OlsFit, RankDeficientError, fit_ols
from ccp_analysis.results.terms import Pooling, Status


@dataclass(frozen=True)
class Question:
    """One outcome to be compared between the arms.

    Attributes
    ----------
    outcome : str
        Name of the outcome, for the rows.
    value : str
        Variable that holds it; for a longitudinal model the stem of the variables.
    baseline : str
        Variable that holds its baseline value; empty where it has none.
    covariates : list of str
        Further baseline covariates.
    scale : str
        Unit of the outcome.
    level : float
        Confidence level.
    standardise : bool
        Whether the difference is also given in baseline SDs.
    benefit : {"higher", "lower"} or None
        Which outcome is the better one.
    mcid : float or None
        Smallest difference that matters, in the outcome's units.
    power : float or None
        Power at which the detectable difference is given.
    codes : tuple of str
        Codes of an outcome that is a category, the last being the event; of the subgroup variable
        where a subgroup is asked for.
    subgroup : str
        Variable whose interaction with the arm is asked for; empty where none is.
    pooling : str
        Rule by which imputations are pooled.
    robust : bool
        Whether unequal variances are allowed for where people were allocated.
    confounding : Confounding or None
        What weights are to balance, of a model that weighs people.
    seed : int
        Of the plan, where a test draws random numbers.
    """

    outcome: str
    value: str
    baseline: str
    covariates: list[str]
    scale: str
    level: float
    standardise: bool = True
    benefit: str | None = None
    mcid: float | None = None
    power: float | None = None
    codes: tuple[str, ...] = ()
    subgroup: str = ""
    pooling: str = Pooling.BARNARD_RUBIN
    robust: bool = False
    confounding: Confounding | None = None
    seed: int = 0

    @property
    def unit(self) -> str:
        """The unit as it stands behind a number; that of a utility has no word."""
        return "" if self.scale == "utility" else f" {self.scale}"


def sample_for(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Sample:
    """Pick the people who have outcome, baseline and covariates, as `design.sample`.

    Raises
    ------
    StudyError
        If a variable is not in the table.
    ValueError
        As `require_comparable`.
    """
    own = [ask.value, *([ask.baseline] if ask.baseline else [])]
    chosen = sample(study, imputed, data, [*own, *ask.covariates])
    require_comparable(study, chosen, ask.value)
    return replace(chosen, pooling=ask.pooling)


def require_comparable(study: Study, chosen: Sample, value: str) -> None:
    """Raise ValueError, in a plain sentence, where two arms cannot be compared on an outcome.

    Parameters
    ----------
    study : Study
        Arms and clusters.
    chosen : Sample
        The people of the analysis.
    value : str
        Variable that holds the outcome.

    Raises
    ------
    ValueError
        As `require_arms`, or if the outcome is the same for everyone.
    """
    require_arms(study, chosen)
    require_varying(chosen, value)


def require_arms(study: Study, chosen: Sample) -> None:
    """Raise ValueError if there is nobody, or an arm is empty or has a single cluster."""
    if chosen.n == 0:
        raise ValueError("nobody was observed on all that the analysis needs")
    first = chosen.first
    for arm, label in study.arms.levels.items():
        inside = first[first[study.arms.variable] == arm]
        if inside.empty:
            raise ValueError(f"nobody in the arm '{label}' has all that the analysis needs")
        if study.clusters and inside[study.clusters.unit].nunique() < 2:
            unit = study.clusters.unit_label
            raise ValueError(
                f"the arm '{label}' has a single {unit}: what sets it apart cannot be told from "
                f"what sets the arms apart; at least two {unit}s in each arm are expected"
            )


def require_varying(chosen: Sample, value: str, what: str = "the outcome") -> None:
    """Raise ValueError if an outcome is the same for everyone."""
    if chosen.first[value].nunique() == 1:
        raise ValueError(f"{what} is {chosen.first[value].iloc[0]:g} for everyone")


def fitted(fit: Callable[..., Any], columns: list[str], *arguments: Any, **options: Any) -> Any:
    """Fit, and say what is at fault where the columns of the design cannot be told apart.

    Parameters
    ----------
    fit : callable
        A fit of `models`.
    columns : list of str
        What each column of the design is.
    *arguments, **options
        Of the fit; the first is the design.

    Returns
    -------
    object
        The fits of the batch.

    Raises
    ------
    ValueError
        If the design is rank deficient, or any fit of the batch failed or was refused: a mean over
        the others would hide it.
    """
    try:
        found = fit(*arguments, **options)
    except RankDeficientError as error:
        raise ValueError(at_fault(columns, arguments[0], error.columns)) from error
    require_fits(found, lambda: at_fault(columns, arguments[0]))
    return found


def least_squares(X: Design, y: np.ndarray, weights: np.ndarray | None = None) -> OlsFit:
    """Fit a design by least squares, its pairs absorbed.

    Parameters
    ----------
    X : Design
        With coefficients as `arm_contrasts` asks of them, however many of its columns they have.
    y : numpy.ndarray
        Outcomes, shape (m, n) or (m, k, n).
    weights : numpy.ndarray, optional
        Shape (m, n): the fit is that of sqrt(w) y on sqrt(w) X.

    Raises
    ------
    ValueError
        As `fitted`.
    """
    lead = (slice(None), None) if y.ndim == 3 else (slice(None),)
    if X.pair is not None:
        found = fit_absorbed(X.own[lead], y, X.pair.codes, weights)
        if found is not None:
            return found
    rows = X.X[lead]
    if weights is not None:
        root = np.sqrt(weights)
        rows, y = root[..., None] * rows, root * y
    fit: OlsFit = fitted(fit_ols, X.columns, rows, y)
    return fit


def require_fits(fit: Any, dependence: Callable[[], str] | None = None) -> None:
    """Raise ValueError if any fit of a batch failed or was refused.

    `dependence` says what is at fault where the columns of a design depend on each other.
    """
    bad = np.isin(np.atleast_1d(fit.status), [Status.FAILED, Status.REFUSED])
    if bad.any():
        why = str(np.atleast_1d(fit.note)[bad][0])
        if why == DEPENDENT and dependence is not None:
            why = dependence() or why
        raise ValueError(why if bad.all() else f"{bad.sum()} of {bad.size} fits failed: {why}")
