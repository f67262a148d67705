"""From completed tables to the stacked arrays that the models take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import model_matrix

from ccp_analysis.errors import StudyError
from ccp_analysis.study import Study

COMPLETED = "all-with-baseline"
COMPLETE_CASES = "complete-case"
OBSERVED_VISITS = "observed-follow-ups"
ACTIVE = "_active"


@dataclass(frozen=True)
class Sample:
    """The people of one analysis, in m completed tables or in the observed one.

    Attributes
    ----------
    frame : pandas.DataFrame
        m tables of n rows below one another, same rows in the same order.
    m : int
        Number of tables; 1 is observed data if `imputed` is false.
    imputed : bool
        Whether the tables are imputations.
    population : str
        Name of the population.
    """

    frame: pd.DataFrame
    m: int
    imputed: bool
    population: str

    @property
    def n(self) -> int:
        """Rows of one table."""
        return len(self.frame) // self.m

    @property
    def first(self) -> pd.DataFrame:
        """One table: what does not differ between imputations can be read here."""
        return self.frame.iloc[: self.n]

    def stacked(self, variable: str) -> np.ndarray:
        """Return a numeric variable as an array of shape (m, n)."""
        return self.frame[variable].to_numpy(dtype=float).reshape(self.m, self.n)

    def codes(self, variable: str) -> np.ndarray:
        """Return a design variable as integer codes of its sorted values, shape (n,)."""
        return np.unique(self.first[variable].to_numpy(dtype=str), return_inverse=True)[1]


@dataclass(frozen=True)
class Design:
    """Design matrices with the contrasts that are asked of every model.

    Attributes
    ----------
    X : numpy.ndarray, shape (m, n, p)
        Intercept, indicator of the active arm, then covariates centred at their means.
    columns : list of str
        What each column is.
    """

    X: np.ndarray
    columns: list[str]

    @property
    def contrasts(self) -> np.ndarray:
        """Difference between the arms, and the adjusted mean of each; shape (3, p).

        Covariates being centred, the intercept is the adjusted mean of the reference arm at the
        covariates' means (proportional weights).
        """
        L = np.zeros((3, len(self.columns)))
        L[0, 1] = L[1, 0] = L[2, 0] = L[2, 1] = 1.0
        return L


def sample(study: Study, imputed: pd.DataFrame, data: str, needed: list[str]) -> Sample:
    """Pick the tables of an analysis.

    Parameters
    ----------
    study : Study
        For the arms.
    imputed : pandas.DataFrame
        Imputations 0 (observed) to m, from ``imputed.parquet``.
    data : {"imputed", "observed"}
        All completed tables, or the people observed on everything needed.
    needed : list of str
        Variables the analysis uses.

    Returns
    -------
    Sample
        With the indicator `ACTIVE` of the arm that is compared with the reference.

    Raises
    ------
    StudyError
        If a variable is not in the table.
    """
    for name in needed:
        if name not in imputed:
            raise StudyError(
                f"config/analysis.yaml: an analysis needs '{name}', which is not among the cleaned "
                "variables; check its visit and outcomes."
            )
    observed = imputed["imputation"] == 0
    if data == "imputed":
        frame, population = imputed[~observed], COMPLETED
        m = int(frame["imputation"].nunique())
    else:
        frame, m, population = imputed[observed].dropna(subset=needed), 1, COMPLETE_CASES
    active = (frame[study.arms.variable] == study.arms.active).astype(float)
    frame = frame.assign(**{ACTIVE: active}).reset_index(drop=True)
    return Sample(frame, m, data == "imputed", population)


def long_over_visits(
    study: Study, imputed: pd.DataFrame, data: str, outcome: str, needed: list[str]
) -> Sample:
    """Pick the tables of an analysis of all follow-up visits: one row for each person and visit.

    Parameters
    ----------
    study, imputed, data, needed
        As in `sample`; `needed` without the outcome.
    outcome : str
        The outcome, whose values go to the column ``value``, with ``months``.

    Returns
    -------
    Sample
        Imputed: every person and visit; observed: every visit at which the outcome was observed.
    """
    visits = [v for v in study.follow_ups if f"{outcome}_{v.id}" in imputed]
    if not visits:
        raise StudyError(f"config/analysis.yaml: '{outcome}' is not measured at any follow-up.")
    base = sample(study, imputed, data, needed)
    rows = [
        base.frame.assign(value=base.frame[f"{outcome}_{v.id}"], months=v.months) for v in visits
    ]
    frame = pd.concat(rows, ignore_index=True)
    frame = frame.sort_values(["imputation", "participant", "months"], ignore_index=True)
    population = base.population
    if not base.imputed:
        frame, population = frame.dropna(subset=["value"], ignore_index=True), OBSERVED_VISITS
    return Sample(frame, base.m, base.imputed, population)


def design(data: Sample, covariates: list[str], factors: list[str]) -> Design:
    """Build the design matrices of all tables at once.

    Parameters
    ----------
    data : Sample
        The tables.
    covariates : list of str
        Numbers, or categories (text), which become indicators.
    factors : list of str
        Variables taken as categories whatever they hold, such as the pair.

    Returns
    -------
    Design
    """
    terms = [ACTIVE, *(f"C(`{f}`)" for f in factors), *(f"`{c}`" for c in covariates)]
    matrix = model_matrix(" + ".join(terms), data.frame, na_action="raise")
    X = matrix.to_numpy(dtype=float).reshape(data.m, data.n, -1)
    X[:, :, 2:] -= X[:, :, 2:].mean(axis=1, keepdims=True)
    return Design(X, list(matrix.columns))
