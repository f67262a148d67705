"""One model of the plan fitted to what was observed of one outcome, to be checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Design, Sample, design, sample
from ccp_analysis.analyses.question import least_squares, require_comparable
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN
from ccp_analysis.models.diagnostics import (
    ARM,
    Residuals,
    classical_f,
    leave_one_out,
    residuals_of,
)
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.left_out import ancova_without, random_intercept_without
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import JointTest, kenward_roger, kenward_roger_f
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Status

TOO_FEW = "there are too few clusters, or too little variation, to test it"
Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class Checked:
    """A model at one visit, fitted to the complete cases.

    Attributes
    ----------
    study : Study
        Arms and clusters.
    model : {"ancova", "mixed"}
        The model.
    sample : Sample
        The people observed on everything the model uses.
    found : Design
        The design, of one table.
    y : numpy.ndarray, shape (n,)
        Outcome.
    baseline_name : str
        The outcome's baseline.
    level : float
        Confidence level.
    """

    study: Study
    model: str
    sample: Sample
    found: Design
    y: np.ndarray
    baseline_name: str
    level: float

    @cached_property
    def X(self) -> np.ndarray:
        """Design, shape (n, p): intercept, arm, the rest centred."""
        return self.found.X[0]

    @property
    def columns(self) -> list[str]:
        """What each column of the design is."""
        return self.found.columns

    @property
    def baseline(self) -> int:
        """Position of the outcome's baseline among the columns of the design."""
        return self.columns.index(self.baseline_name)

    @property
    def n(self) -> int:
        """People."""
        return len(self.y)

    @property
    def arm(self) -> np.ndarray:
        """1 in the active arm, 0 in the reference arm, shape (n,)."""
        return self.X[:, 1]

    @property
    def arms(self) -> list[str]:
        """Arm of each person."""
        return self.sample.first[self.study.arms.variable].astype(str).tolist()

    @cached_property
    def clusters(self) -> np.ndarray | None:
        """Code of each person's cluster, shape (n,); None without clusters."""
        return allocated(self.study).units(self.sample)

    @cached_property
    def units(self) -> np.ndarray:
        """Code of each person's cluster, shape (n,), in what is asked of clusters alone."""
        return self.sample.codes(allocated(self.study).declared.unit)

    @cached_property
    def pairs(self) -> np.ndarray:
        """Code of each person's pair of clusters, shape (n,), likewise."""
        return self.sample.codes(allocated(self.study).declared.pair)

    def names(self, variable: str) -> list[str]:
        """Return the values of a design variable in the order of their codes."""
        return self.sample.groups(variable).names

    @cached_property
    def random_intercept(self) -> MixedFit:
        """The model with a random intercept for clusters, of which there must be some."""
        return fit_random_intercept(self.X, self.y, self.units)

    @cached_property
    def with_effects(self) -> Residuals:
        """Residuals beside predicted cluster effects; without clusters those of least squares.

        Raises
        ------
        ValueError
            If the model with a random intercept cannot be fitted.
        """
        if self.clusters is None:
            return residuals_of(self.X, self.y)
        fit = self.random_intercept
        if fit.status == Status.FAILED:
            raise ValueError(str(fit.note))
        return residuals_of(self.X, self.y, self.clusters, fit.var_group / fit.var_resid)

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals of the model: of least squares, or beside the mixed model's cluster effects."""
        return self.with_effects if self.model == Model.MIXED else residuals_of(self.X, self.y)

    @property
    def inference(self) -> str:
        """Name of the inference for coefficients."""
        if self.model == Model.MIXED:
            return terms.Inference.KENWARD_ROGER
        return terms.Inference.T if self.clusters is None else terms.Inference.CR2

    def infer(
        self, X: np.ndarray, y: np.ndarray, clusters: np.ndarray | None, column: int
    ) -> Inference:
        """Infer one coefficient as the model does, of any design; arrays of shape (..., 1)."""
        L = np.eye(X.shape[-1])[[column]]
        if clusters is None:
            return classical(fit_ols(X, y), L)
        if self.model == Model.MIXED:
            return kenward_roger(fit_random_intercept(X, y, clusters), L)
        fit = fit_ols(X, y)
        return allocated(self.study).named(self.sample, cluster_robust(fit, clusters, L))

    def infer_without(self, units: np.ndarray) -> Inference:
        """Infer the difference between the arms without each unit in turn; shape (U,)."""
        pair = self.found.pair
        if self.model == Model.ANCOVA and pair is not None:
            left = ancova_without(self.found.own[0], self.y, self.units, pair.codes, units)
            if left is not None:
                return left
        if self.model == Model.MIXED and pair is not None:
            own = self.found.own[0]
            left = random_intercept_without(own, self.y, self.units, pair.codes, units)
            if left is not None:
                return left
        return leave_one_out(partial(self.infer, column=ARM), self.X, self.y, self.units, units)

    def infer_last(self, extra: np.ndarray) -> Inference:
        """Add one column to the design and infer its coefficient, shape (1,)."""
        X = np.column_stack([self.X, extra])
        return self.infer(X, self.y, self.clusters, X.shape[-1] - 1)

    def test_last(self, extra: np.ndarray) -> JointTest:
        """Add columns (n, q) to the design and test that all their coefficients are zero."""
        X = np.column_stack([self.X, extra])
        L = np.eye(X.shape[-1])[self.X.shape[-1] :]
        if self.model == Model.MIXED:
            return kenward_roger_f(fit_random_intercept(X, self.y, self.units), L)
        fit = fit_ols(X, self.y)
        if self.clusters is None:
            return classical_f(fit, L)
        return allocated(self.study).jointly(self.sample, fit, L)


def fit_checked(
    study: Study,
    imputed: pd.DataFrame,
    model: str,
    value: str,
    baseline: str,
    covariates: list[str],
    level: float,
) -> Checked:
    """Fit a model to the people observed on everything it uses.

    Parameters
    ----------
    study : Study
        Arms and clusters.
    imputed : pandas.DataFrame
        Imputations 0 (observed) to m, from ``imputed.parquet``.
    model : {"ancova", "mixed"}
        The model.
    value, baseline : str
        Variables with the outcome and its baseline.
    covariates : list of str
        Further covariates.
    level : float
        Confidence level.

    Returns
    -------
    Checked

    Raises
    ------
    StudyError
        If a variable is missing, or the mixed model is asked of a study without clusters.
    ValueError
        If the arms cannot be compared, terms of the model cannot be told apart (they are named),
        or the outcome does not vary beside the design.
    """
    if model == Model.MIXED and study.clusters is None:
        raise StudyError(
            f"{PLAN}: checks of a mixed model need clusters, which config/study.yaml lacks; "
            "expected the id of an ancova."
        )
    chosen = sample(study, imputed, "observed", [value, baseline, *covariates])
    require_comparable(study, chosen, value)
    found = design(chosen, [baseline, *covariates], allocated(study).factors)
    y = chosen.stacked(value)
    least_squares(found, y)
    return Checked(study, model, chosen, found, y[0], baseline, level)


def tested_row(term: str, inference: Inference, level: float, k: int = 0) -> Row:
    """Make a row of one contrast.

    Parameters
    ----------
    term : str
        Its name.
    inference : Inference
        Arrays of shape (K,).
    level : float
        Confidence level.
    k : int
        Which of the contrasts.

    Returns
    -------
    dict
        Columns of the results table.

    Raises
    ------
    ValueError
        If the contrast has no standard error.
    """
    low, high = inference.interval(level)
    columns = {
        "estimate": inference.estimate,
        "std_error": inference.std_error,
        "df": inference.df,
        "statistic": inference.statistic,
        "p_value": inference.p_value,
        "conf_low": low,
        "conf_high": high,
    }
    row: Row = {name: float(values[k]) for name, values in columns.items()}
    if not np.isfinite(row["p_value"]):
        raise ValueError(why_untested(inference))
    return {"term": term, "df_num": 1, "conf_level": level, **row}


def why_untested(found: Inference | JointTest) -> str:
    """Say what single clusters use up of a test that has no result, or that they are too few."""
    return (found.used_up.sentence() if found.used_up is not None else "") or TOO_FEW


def verdict(flag: bool, notes: tuple[str, str]) -> Row:
    """Return status and note: the first where nothing was found, the second where flagged."""
    return {"status": Status.FLAGGED if flag else Status.OK, "note": notes[bool(flag)]}


def failed_row(term: str, error: ValueError) -> Row:
    """Return the row of a check that cannot be made."""
    return {"term": term, "status": Status.FAILED, "note": str(error).rstrip(".")}
