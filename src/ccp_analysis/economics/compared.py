"""The people of an evaluation, and the one design on which all its outcomes are compared."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.comparison import POPULATIONS
from ccp_analysis.analyses.design import Design, Sample, arm_contrasts, design, sample
from ccp_analysis.analyses.question import Question, least_squares, require_arms
from ccp_analysis.analyses.rows import Rows, complete, contrast_label
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.economics.outcomes import (
    BASELINE_COST,
    BASELINE_UTILITY,
    COST,
    QALY,
    WITHOUT,
    Evaluated,
)
from ccp_analysis.errors import status_of
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import OlsFit
from ccp_analysis.models.outcomes import sums_nearly_exact, sums_of_outcomes
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Term

log = logging.getLogger(__name__)

BOTH = "cost and qaly"
WITHOUT_OWN = "no adjustment for the baseline of the effect: it is the same for everyone"


@dataclass(frozen=True)
class Measure:
    """One of the two outcomes: its name in the rows, scale, column, and baseline's column."""

    outcome: str
    scale: str
    value: str
    baseline: str


MEASURES = (
    Measure("cost", MONEY, COST, BASELINE_COST),
    Measure("qaly", "years", QALY, BASELINE_UTILITY),
)


@dataclass(frozen=True)
class Compared:
    """The people of an evaluation and the design that all its outcomes share.

    Attributes
    ----------
    study, plan
        The configuration.
    evaluated : Evaluated
        Costs and effects, adjusted for what is not the same for all of the people.
    data : {"imputed", "observed"}
        Which tables.
    chosen : Sample
        The people who have both outcomes and all that is adjusted for.
    X : Design
        Arm, pair, baseline cost, baseline utility, covariates.
    own : tuple of Design
        Where each outcome is adjusted for its own baseline alone, the designs of cost and of QALYs;
        else empty.
    """

    study: Study
    plan: Plan
    evaluated: Evaluated
    data: str
    chosen: Sample
    X: Design
    own: tuple[Design, ...] = ()

    @property
    def level(self) -> float:
        """Confidence level."""
        return self.plan.confidence_level

    def values(self, *names: str) -> np.ndarray:
        """Return columns of the tables, shape (m, number of names, n)."""
        return np.stack([self.chosen.stacked(name) for name in names], axis=1)

    def ask(self, outcome: str, scale: str, value: str = "", baseline: str = "") -> Question:
        """Return a question of the same people."""
        needed = self.evaluated.needed
        return Question(
            outcome,
            value,
            baseline,
            needed,
            scale,
            self.level,
            standardise=False,
            pooling=self.plan.pooling,
            seed=self.plan.seed,
        )

    def ask_adjusted(self, outcome: str, scale: str, value: str) -> Question:
        """Return a question of the same people, of a value adjusted for all that costs are."""
        if not self.evaluated.adjust:
            raise ValueError("there is nothing to adjust for")
        baseline, *covariates = self.evaluated.adjust
        return replace(self.ask(outcome, scale, value, baseline), covariates=covariates)

    def fit_all(self, y: np.ndarray) -> tuple[Inference, str]:
        """Fit outcomes (m, k, n) on the design: arrays (m, k, 3), and what the inference is."""
        return allocated(self.study).infer(self.chosen, least_squares(self.X, y))

    def fit_sums(self, weights: np.ndarray, effect: str = QALY) -> tuple[Inference, str]:
        """Fit sums of cost and effect with weights (k, 2): arrays (m, k, 3), and the inference.

        Where each outcome has a design of its own, both regressions stand side by side: the
        contribution of a cluster to a sum is the sum of its contributions. Both outcomes are
        brought to a standard deviation of one, which only the degrees of freedom see. Without
        clusters people are the clusters.

        Raises
        ------
        ValueError
            If one of the sums is fitted exactly, in any of the tables. On one design it is no
            matter whether cost or effect is, by itself; on two it is where a sum has both.
        """
        weights = np.asarray(weights, dtype=float)
        values = self.values(COST, effect)
        if not self.own:
            if self.study.clusters and (fit := self._fit_each(values, weights)) is not None:
                found, method = allocated(self.study).infer(self.chosen, fit)
                return sums_of_outcomes(found, weights), method
            return self.fit_all((weights[:, :, None] * values[:, None]).sum(axis=2))
        size = values.std(axis=(0, 2))
        size = np.where(size > 0.0, size, 1.0)
        values = values / size[:, None]
        fits, parts = [], []
        for X, y, w in zip(self.own, np.moveaxis(values, 1, 0), (weights * size).T, strict=True):
            try:
                fits.append(least_squares(X, y))
            except ValueError:
                if w.any():  # what is in none of the sums may be fitted exactly
                    raise
                continue
            parts.append(np.kron(w[:, None], arm_contrasts(fits[-1].coef.shape[-1])))
        found = allocated(self.study).together(self.chosen, fits, parts)
        places = np.arange(3 * len(weights)).reshape(-1, 3)
        return found.part((slice(None), places)), terms.Inference.CR2

    def _fit_each(self, values: np.ndarray, weights: np.ndarray) -> OlsFit | None:
        """Fit both outcomes; None where their sums have to be fitted to see which of them fail."""
        try:
            fit = least_squares(self.X, values)
        except ValueError:  # one is fitted exactly, or the design is at fault: the sums will say
            return None
        return None if sums_nearly_exact(fit.residuals, values, weights) else fit

    def complete(self, rows: Rows, ask: Question, model: str, inference: str) -> Rows:
        """Fill in what all rows of a fit share."""
        return complete(rows, self.study, self.chosen, ask, model, inference)


def compared(
    study: Study, plan: Plan, evaluated: Evaluated, data: str, more: tuple[str, ...] = ()
) -> Compared:
    """Pick the people of an evaluation.

    Parameters
    ----------
    study, plan
        The configuration.
    evaluated : Evaluated
        Costs and effects.
    data : {"imputed", "observed"}
        Which tables.
    more : tuple of str
        An outcome beside costs and effects, and its baseline, which is adjusted for. A baseline
        that is the same for all of the people is not, and the note says so.

    Returns
    -------
    Compared

    Raises
    ------
    ValueError
        If nobody is left, or an arm is empty or has a single cluster. An outcome that is the same
        for everyone stops none of the others.
    """
    chosen = sample(study, evaluated.tables, data, [*evaluated.needed, *more])
    chosen = replace(chosen, pooling=plan.pooling)
    require_arms(study, chosen)
    used, own = _without_constants(evaluated, chosen, dict.fromkeys(more[1:], WITHOUT_OWN))
    return on_design(study, plan, used, data, chosen, own)


def on_design(
    study: Study,
    plan: Plan,
    used: Evaluated,
    data: str,
    chosen: Sample,
    more: Iterable[str] = (),
) -> Compared:
    """Return people with the design of what is adjusted for, and of further columns."""
    factors = allocated(study).factors
    X = design(chosen, list(dict.fromkeys([*used.adjust, *more])), factors)
    apart: tuple[Design, ...] = ()
    if used.apart:
        kept = [[m.baseline] if m.baseline in used.adjust else [] for m in MEASURES]
        apart = tuple(design(chosen, columns, factors) for columns in kept)
    return Compared(study, plan, used, data, chosen, X, apart)


def _without_constants(
    evaluated: Evaluated, chosen: Sample, own: dict[str, str]
) -> tuple[Evaluated, list[str]]:
    """Leave out the baselines that are the same for everyone in one of the tables."""
    notes = {**{name: note for name, note in WITHOUT.items() if name in evaluated.adjust}, **own}
    constant = [name for name in notes if (np.ptp(chosen.stacked(name), axis=1) == 0.0).any()]
    used = replace(
        evaluated,
        adjust=[name for name in evaluated.adjust if name not in constant],
        note="; ".join([*filter(None, [evaluated.note]), *(notes[name] for name in constant)]),
        constant=(*evaluated.constant, *(n for n in constant if n in evaluated.adjust)),
    )
    return used, [name for name in own if name not in constant]


def attempt(
    study: Study, what: str, head: dict[str, Any], data: str, fit: Callable[[], Rows]
) -> Rows:
    """Return the rows of a model, or one row that says why there are none.

    Parameters
    ----------
    study : Study
        Labels of the arms.
    what : str
        What is tried, for the log.
    head : dict
        Outcome, scale and model of the row.
    data : {"imputed", "observed"}
        Which tables.
    fit : callable
        Returns the rows.
    """
    try:
        return fit()
    except ValueError as error:
        reason = str(error).rstrip(".")
        log.error("%s, %s, %s: %s", what, head["outcome"], head["model"], reason)
        failed = {"population": POPULATIONS[data], "status": status_of(error), "note": reason}
        return [{"term": Term.DIFFERENCE, "level": contrast_label(study), **head, **failed}]


def contrast(inference: Inference, which: int) -> Inference:
    """Return one contrast of several outcomes: arrays (m, outcomes) of (m, outcomes, contrasts)."""
    return inference.part(np.s_[..., which])
