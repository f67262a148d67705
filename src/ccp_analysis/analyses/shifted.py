"""An analysis repeated on imputed values to which something was added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated, require_inference
from ccp_analysis.analyses.comparison import compare
from ccp_analysis.analyses.design import Design, Sample, arm_contrasts, design, sample
from ccp_analysis.analyses.lost import INTERVIEWED, existing, reasons
from ccp_analysis.analyses.question import Question, least_squares
from ccp_analysis.config.sensitivity import Delta
from ccp_analysis.config.study import Study
from ccp_analysis.models.averaged import AVERAGED, pool_averaged, rule_for, variances
from ccp_analysis.models.inference import Inference, standard_error
from ccp_analysis.models.pooling import Pooled, pool
from ccp_analysis.results.terms import Model, Term

# Models that are least squares: the estimate is linear in the outcome, its variance quadratic.
LEAST_SQUARES = (Model.ANCOVA, Model.CHANGE)


def _quadratic_terms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=-1)


# Deltas of (reference arm, active arm), in units of a step, that determine a quadratic form.
NODES = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)], dtype=float)

# From values at the nodes to the coefficients of the form.
BASIS = np.linalg.inv(_quadratic_terms(*NODES.T))

# From deltas of the reference and of the active arm, each of shape (k,), to conclusions.
Evaluate = Callable[[np.ndarray, np.ndarray], Pooled | Inference]


@dataclass(frozen=True)
class Shifted:
    """The completed tables of an analysis, and how much of a delta every value gets.

    Attributes
    ----------
    chosen : Sample
        m completed tables of n people.
    weight : numpy.ndarray
        Multiple of the delta, zero where the outcome was observed, shape (n,).
    active : numpy.ndarray of bool
        Whether in the arm that is not the reference, shape (n,).
    """

    chosen: Sample
    weight: np.ndarray
    active: np.ndarray

    def pattern(self) -> np.ndarray:
        """Return what a delta of one in either arm adds, shape (2, n): reference, active."""
        return self.weight * np.stack([~self.active, self.active])


def shifted(
    entry: Delta, study: Study, tables: pd.DataFrame, participants: pd.DataFrame, ask: Question
) -> Shifted:
    """Find the values that were imputed: missing in imputation 0.

    Parameters
    ----------
    entry : Delta
        For the multiples by reason.
    study : Study
        Arms.
    tables : pandas.DataFrame
        Imputations 0 to m.
    participants : pandas.DataFrame
        The cleaned table, for who came and why people left.
    ask : Question
        The outcome at one visit.

    Returns
    -------
    Shifted
    """
    chosen = sample(study, tables, "imputed", [ask.value, ask.baseline, *ask.covariates])
    chosen = existing(chosen, ask.value)
    order = chosen.first["participant"]
    observed = tables[tables["imputation"] == 0].set_index("participant").loc[order, ask.value]
    who = participants.set_index("participant").loc[order]
    visit = next(v.id for v in study.visits if ask.value.endswith(f"_{v.id}"))
    why = np.where(who[f"interviewed_{visit}"].to_numpy(dtype=bool), INTERVIEWED, reasons(who))
    weight = np.array([entry.reasons.get(reason, 1.0) for reason in why])
    active = (chosen.first[study.arms.variable] == study.arms.active).to_numpy()
    return Shifted(chosen, np.where(observed.isna(), weight, 0.0), active)


def response(
    model: str, study: Study, data: Shifted, ask: Question, step: float
) -> tuple[Evaluate, str]:
    """Return the pooled difference as a function of the deltas, for a least squares model.

    Parameters
    ----------
    model : {"ancova", "change"}
        As in the plan; a change differs by a constant, and in its covariates.
    study : Study
        Arms and clusters.
    data : Shifted
        The tables.
    ask : Question
        Outcome, baseline and covariates.
    step : float
        Size of the deltas at which the model is fitted.

    Returns
    -------
    evaluate : callable
        From deltas (k,) of the reference and (k,) of the active arm to a `Pooled` of shape (k,).
    name : str
        The inference: cr2, hc2 or t.

    Notes
    -----
    With y + d_0 z_0 + d_1 z_1 as the outcome, coefficients are linear in (d_0, d_1), residuals too,
    and so classical and CR2 variances are quadratic; degrees of freedom do not depend on the
    outcome. Six fits of each imputation give all of it exactly; so they do of the averaged
    contributions of clusters, and of what clusters share before its negative part is cut off.
    """
    chosen = data.chosen
    adjust = [ask.baseline, *ask.covariates] if model == Model.ANCOVA else ask.covariates
    X = design(chosen, adjust, allocated(study).factors)
    y = chosen.stacked(ask.value)
    if model == Model.CHANGE:
        y = y - chosen.stacked(ask.baseline)
    return surface(study, chosen, X, y, data.pattern(), step, ask.pooling, robust=ask.robust)


def surface(
    study: Study,
    chosen: Sample,
    X: Design,
    y: np.ndarray,
    pattern: np.ndarray,
    step: float,
    pooling: str,
    *,
    robust: bool = False,
) -> tuple[Evaluate, str]:
    """Return the pooled difference as a function of two amounts of what is added to an outcome.

    Parameters
    ----------
    study, chosen, X
        Arms and clusters, the people, their design.
    y : numpy.ndarray
        The outcome, shape (m, n).
    pattern : numpy.ndarray
        What one of either amount adds, shape (2, n) or (m, 2, n).
    step : float
        Size of the amounts at which the model is fitted.
    pooling : str
        The rule.
    robust : bool
        As of a `Question`.

    Returns
    -------
    evaluate, name
        As from `response`.
    """
    moved = (step * NODES) @ pattern
    fit = least_squares(X, y[:, None, :] + moved)
    L = arm_contrasts(fit.coef.shape[-1])[:1]
    found, name = allocated(study).infer(chosen, fit, L, robust=robust)
    require_inference(found)
    found = found.part(np.s_[..., 0])
    rule = rule_for(found, pooling)
    of = _averaged if rule == AVERAGED else partial(_by_rubin, rule)
    return of(found, step), name


def _by_rubin(rule: str, found: Inference, step: float) -> Evaluate:
    """Return the difference, by Rubin's rules, of inferences at the nodes (m, 6)."""
    estimate = found.estimate @ BASIS.T
    variance = np.square(found.std_error) @ BASIS.T
    df = found.df[:, :1]

    def evaluate(reference: np.ndarray, active: np.ndarray) -> Pooled:
        terms = _quadratic_terms(np.asarray(reference) / step, np.asarray(active) / step)
        estimates, variances = estimate @ terms.T, variance @ terms.T
        return pool(estimates, variances, np.broadcast_to(df, estimates.shape), rule=rule)

    return evaluate


def _averaged(found: Inference, step: float) -> Evaluate:
    """Return the difference, by averaged contributions, of inferences at the nodes (m, 6)."""
    pooled, m = pool_averaged(found), len(found.estimate)
    parts = BASIS @ np.stack([pooled.estimate, *variances(found)], axis=-1)

    def evaluate(reference: np.ndarray, active: np.ndarray) -> Pooled:
        terms = _quadratic_terms(np.asarray(reference) / step, np.asarray(active) / step)
        estimate, within, between, shared = (terms @ parts).T
        inflated = (1.0 + 1.0 / m) * np.maximum(shared, 0.0)
        total = within + inflated
        return Pooled(
            estimate=estimate,
            std_error=standard_error(total),
            df=np.broadcast_to(pooled.df[0], total.shape),
            within=within,
            between=between,
            total=total,
            riv=inflated / within,
            fmi=inflated / total,
            mc_error=np.sqrt(np.maximum(between, 0.0) / m),
            rule=AVERAGED,
        )

    return evaluate


def refitted(
    model: str, study: Study, tables: pd.DataFrame, data: Shifted, ask: Question
) -> tuple[Evaluate, str]:
    """Return what `response` does, for any model, by fitting it again to shifted tables."""
    first = compare(model, study, tables, "imputed", ask)
    name = next(row["inference"] for row in first if row["term"] == Term.DIFFERENCE)
    order = data.chosen.first["participant"]
    pattern = pd.DataFrame(data.pattern().T, index=order).reindex(tables["participant"])
    pattern = pattern.fillna(0.0).to_numpy() * (tables["imputation"] > 0).to_numpy()[:, None]

    def one(a: float, b: float) -> tuple[float, float, float]:
        moved = tables.assign(**{ask.value: tables[ask.value] + pattern @ np.array([a, b])})
        rows = compare(model, study, moved, "imputed", ask)
        row = next(r for r in rows if r["term"] == Term.DIFFERENCE and r["inference"] == name)
        return row["estimate"], row["std_error"], np.inf if row["df"] is None else row["df"]

    def evaluate(reference: np.ndarray, active: np.ndarray) -> Inference:
        pairs = zip(np.atleast_1d(reference), np.atleast_1d(active), strict=True)
        return Inference(*np.array([one(a, b) for a, b in pairs]).T)

    return evaluate, name
