"""Comparing the arms on one outcome by the models of the plan."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module

import pandas as pd

from ccp_analysis.analyses import models
from ccp_analysis.analyses.models.subgroup import subgroup
from ccp_analysis.analyses.question import Question as Question
from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.config.reading import place
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, status_of
from ccp_analysis.layout import PLAN
from ccp_analysis.results.terms import Model, Population, Role, Term

log = logging.getLogger(__name__)

POPULATIONS = {"imputed": Population.COMPLETED, "observed": Population.COMPLETE_CASES}
SUBGROUP = "subgroup"
Fit = Callable[[Study, pd.DataFrame, str, Question], Rows]


def fit_of(model: str) -> Fit:
    """Return the function that fits a model, as its entry in `config.models` names it."""
    if model == SUBGROUP:
        return subgroup
    module, _, function = Model(model).spec.fit.partition(".")  # type: ignore[call-arg]  # looked up, not made
    found: Fit = getattr(import_module(f"{models.__name__}.{module}"), function)
    return found


def compare(model: str, study: Study, imputed: pd.DataFrame, data: str, question: Question) -> Rows:
    """Fit one model to one outcome.

    Parameters
    ----------
    model : str
        A word of `config.models` that has a fit, or `SUBGROUP`.
    study : Study
        Arms and clusters.
    imputed : pandas.DataFrame
        Imputations 0 to m.
    data : {"imputed", "observed"}
        Which of them.
    question : Question
        What is compared.

    Returns
    -------
    list of dict
        Rows of the results table.

    Raises
    ------
    StudyError
        If a variable is missing, or the model does not fit the study's design.
    ValueError
        If the arms cannot be compared, terms of the model cannot be told apart (they are named), a
        fit fails or the difference has no standard error.
    """
    return fit_of(model)(study, imputed, data, question)


def attempt(
    analysis: str,
    role: str,
    model: str,
    study: Study,
    imputed: pd.DataFrame,
    data: str,
    question: Question,
) -> Rows:
    """Fit one model to one outcome, and say so where it fails.

    Parameters
    ----------
    analysis, role : str
        Id of the analysis, and its role for the outcome: primary if both are.
    model, study, imputed, data, question
        As in `compare`.

    Returns
    -------
    list of dict
        Rows of the results table; of a failed analysis one, without an estimate, with the reason.

    Raises
    ------
    StudyError
        As in `compare`, or if the role is primary and the analysis fails.
    """
    try:
        return compare(model, study, imputed, data, question)
    except ValueError as error:
        reason = f"{analysis}, {question.outcome}: {error}".rstrip(".")
        if role == Role.PRIMARY:
            advice = _advice(reason, question.covariates)
            raise StudyError(f"The primary analysis failed: {reason}{advice}.") from error
        log.error(reason)
        in_subgroup = {
            "model": Model.ANCOVA,
            "term": Term.INTERACTION,
            "subgroup": question.subgroup,
        }
        return [
            {
                "outcome": question.outcome,
                "scale": question.scale,
                "population": POPULATIONS[data],
                "model": model,
                "term": Term.DIFFERENCE,
                "level": contrast_label(study),
                "status": status_of(error),
                "note": str(error).rstrip("."),
                **(in_subgroup if model == SUBGROUP else {}),
            }
        ]


def _advice(reason: str, covariates: list[str]) -> str:
    """Say where a covariate of the plan stands that is at fault."""
    named = [f"'{name}'" for name in covariates if f"'{name}'" in reason]
    if not named:
        return ""
    return f"; leave {' or '.join(named)} out of the covariates ({place(PLAN, 'covariates')})"
