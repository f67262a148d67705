"""Differences between the arms in costs and quality-adjusted life years, by each model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import arm_contrasts, design
from ccp_analysis.analyses.models.team_means import team_means
from ccp_analysis.analyses.question import fitted, require_fits, require_varying
from ccp_analysis.analyses.rows import Rows, arm_rows, contrast_label, pooled_rows, with_note
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.study import Study
from ccp_analysis.economics.compared import (
    BOTH,
    MEASURES,
    Compared,
    Measure,
    attempt,
)
from ccp_analysis.economics.outcomes import COST, QALY, SERVICES, WITHOUT
from ccp_analysis.models.glm import GlmFit, fit_glm
from ccp_analysis.models.glm_absorbed import fit_glm_absorbed
from ccp_analysis.models.glm_checks import link_test, park_test
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.sur import fit_sur
from ccp_analysis.models.sur_absorbed import fit_sur_absorbed
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Term

ARM = 1  # column of a design
STANDARDISED = "standardised over everyone analysed"
ASSUMES = {
    None: "people alike in baseline costs and utility, pair and covariates would have fared alike "
    "in both arms",
    "pair": "people of a pair would have fared alike in both arms, whatever their baseline",
    "change": "costs and utility would have changed alike in both arms of a pair",
    "own_baseline": "people alike in pair and baseline of the outcome would have fared alike in "
    "both arms",
    "both_baselines": "people alike in pair, baseline costs and utility would have fared alike in "
    "both arms",
}  # without the intervention


def ancova_rows(data: Compared, measure: Measure) -> Rows:
    """Return difference and adjusted means of one outcome, adjusted as the setting says."""
    require_varying(data.chosen, measure.value)
    inference, method = data.fit_sums(np.array([[measure.value == COST, measure.value == QALY]]))
    rows = arm_rows(data.study, data.chosen, inference.part(np.s_[:, 0]), data.level)
    held = ASSUMES[data.evaluated.setting.adjust]
    assumed = "" if data.study.randomised else f"assumes that without the intervention {held}"
    rows[:1] = with_note(with_note(rows[:1], assumed), data.evaluated.note)
    return data.complete(rows, data.ask(measure.outcome, measure.scale), Model.ANCOVA, method)


def team_rows(data: Compared, measure: Measure) -> Rows:
    """Return the paired analysis of cluster means, adjusted for the outcome's own baseline."""
    baseline = measure.baseline if measure.baseline in data.evaluated.adjust else ""
    ask = data.ask(measure.outcome, measure.scale, measure.value, baseline)
    rows = team_means(data.study, data.evaluated.tables, data.data, ask)
    rows[:1] = with_note(rows[:1], "" if baseline else WITHOUT[measure.baseline])
    return rows


def sur_rows(data: Compared) -> Rows:
    """Return seemingly unrelated regressions, each outcome with its own baseline."""
    study, chosen, plan = data.study, data.chosen, data.plan
    designs = []
    for measure in MEASURES:
        own = [measure.baseline] if measure.baseline in data.evaluated.adjust else []
        designs.append(design(chosen, [*own, *plan.covariates], allocated(study).factors))
    (X1, X2), (y1, y2) = designs, np.moveaxis(data.values(COST, QALY), 1, 0)
    pairs = X1.pair
    fit = pairs and fit_sur_absorbed(X1.own, y1, X2.own, y2, pairs.codes)
    if not fit:
        for X, y in ((X1, y1), (X2, y2)):  # each by itself says in its own terms why it cannot be
            fitted(fit_ols, X.columns, X.X, y)
        fit = fit_sur(X1.X, y1, X2.X, y2)
        require_fits(fit)
    p, q = fit.coef1.shape[-1], fit.coef2.shape[-1]
    L = np.zeros((6, p + q))
    L[:3, :p], L[3:, p:] = arm_contrasts(p), arm_contrasts(q)
    if study.clusters is None:
        found = classical(fit.working, L)
        df = np.repeat([chosen.n - p, chosen.n - q], 3)
        found, method = (
            Inference(found.estimate, found.std_error, df.astype(float)),
            terms.Inference.T,
        )
    else:
        found, method = allocated(study).by_units(chosen, fit.working, L), terms.Inference.CR2
    rows: Rows = []
    for k, measure in enumerate(MEASURES):
        part = slice(3 * k, 3 * k + 3)
        lines = arm_rows(study, chosen, found.part(np.s_[:, part]), data.level)
        rows += data.complete(lines, data.ask(measure.outcome, measure.scale), Model.SUR, method)
    sigma = fit.sigma.mean(axis=0)
    row = {
        "term": Term.RESIDUAL_CORRELATION,
        "estimate": float(sigma[0, 1] / np.sqrt(sigma[0, 0] * sigma[1, 1])),
        "note": "point estimate only; variances averaged over the imputations before the ratio",
    }
    return rows + data.complete([row], data.ask(BOTH, "correlation"), Model.SUR, method)


def log_link_rows(data: Compared, power: float) -> Rows:
    """Return the log-link model of costs: standardised means, their difference, and the ratio.

    Parameters
    ----------
    data : Compared
        The people.
    power : float
        The variance is taken as proportional to this power of the mean.
    """
    study, chosen = data.study, data.chosen
    require_varying(chosen, SERVICES)
    y = chosen.stacked(SERVICES)
    X, pair = data.X.own, data.X.pair
    fit = pair and fit_glm_absorbed(X, y, pair.codes, power)
    if not fit:
        X = data.X.X
        fit = fitted(fit_glm, data.X.columns, X, y, "power", power=power)
    how = allocated(study).robust(chosen, "HC3")
    marginal = standardised(fit, *counterfactual(X, ARM), **how)
    note = f"log link, variance proportional to the mean to the power {power:g}"
    marginal = allocated(study).named(chosen, marginal).part(np.s_[:, [2, 0, 1]])
    price = intervention_price(data)
    marginal = replace(marginal, estimate=marginal.estimate + price * np.array([1.0, 0.0, 1.0]))
    rows = arm_rows(study, chosen, marginal, data.level, apart=True)
    fixed = f"the intervention's {price:,.2f} a participant added to the mean of its arm"
    rows = with_note(rows, "; ".join(filter(None, [note, STANDARDISED, fixed * bool(price)])))
    log_ratio = on_link_scale(fit, arm_contrasts(X.shape[-1])[:1], **how)
    [ratio] = pooled_rows(chosen, allocated(study).named(chosen, log_ratio), data.level)
    for name in ("estimate", "conf_low", "conf_high"):
        ratio[name] = float(np.exp(ratio[name]))
    ratio |= {"term": Term.RATIO, "scale": "ratio", "level": contrast_label(study)}
    ratio |= {"std_error": None, "mc_error": None}
    without = "; of services, without the intervention" * bool(price)
    ratio["note"] = f"{note}; pooled as a logarithm, tested against one{without}"
    rows += [ratio, *_fit_of_log_link(data, fit, y, power, how)]
    return data.complete(rows, data.ask("cost", MONEY), Model.LOG_LINK, how["kind"].lower())


def intervention_price(data: Compared) -> float:
    """Return what the intervention costs on average for those of its arm, a known sum."""
    active = (data.chosen.first[data.study.arms.variable] == data.study.arms.active).to_numpy()
    cost, services = np.moveaxis(data.values(COST, SERVICES), 1, 0)
    return float(round((cost - services)[:, active].mean(), 9))


def _fit_of_log_link(
    data: Compared, fit: GlmFit, y: np.ndarray, power: float, how: dict[str, Any]
) -> Rows:
    """Return the power of the variance by Park's test, against the assumed one, and a link test."""
    rows: Rows = []
    asked = {
        Term.VARIANCE_POWER: (
            partial(park_test, fit, y),
            power,
            f"modified Park test, tested against the {power:g} that is assumed",
        ),
        Term.CURVATURE: (partial(link_test, fit, y, power), 0.0, "link test of Pregibon"),
    }
    for term, (test, against, note) in asked.items():
        head = {"outcome": "cost", "scale": "ratio", "model": Model.LOG_LINK, "term": term}

        def one(test: Any = test, against: float = against) -> Rows:
            found, inference = test(groups=how["groups"])
            require_fits(found)
            named = allocated(data.study).named(data.chosen, inference)
            from_it = replace(named, estimate=named.estimate - against)
            [row] = pooled_rows(data.chosen, from_it, data.level)
            for name in ("estimate", "conf_low", "conf_high"):
                row[name] += against
            return [row]

        [row] = attempt(data.study, "economics", head, data.data, one)
        rows += with_note([{**row, **head, "level": ""}], note)
    return rows


def model_rows(
    study: Study, data: str, people: Callable[[], Compared], power: float | None
) -> Rows:
    """Return the rows of all models but those of net benefit.

    Parameters
    ----------
    study : Study
        Arms and clusters.
    data : {"imputed", "observed"}
        Which tables.
    people : callable
        Returns the people of the evaluation; what it raises, every model fails with.
    power : float or None
        Of the log-link model. None for observed data: there are then ANCOVA and the paired team
        means alone, which stand beside those of the imputed data.
    """
    each = {Model.ANCOVA: ancova_rows} | ({Model.TEAM_MEANS: team_rows} if study.clusters else {})
    rows: Rows = []
    for model, rows_of in each.items():
        for measure in MEASURES:
            head = {"outcome": measure.outcome, "scale": measure.scale, "model": model}
            fit = partial(_applied, rows_of, people, measure)
            rows += attempt(study, "economics", head, data, fit)
    if power is None:
        return rows
    joint = {"outcome": BOTH, "scale": "correlation", "model": Model.SUR}
    rows += attempt(study, "economics", joint, data, partial(_applied, sur_rows, people))
    skewed = {"outcome": "cost", "scale": MONEY, "model": Model.LOG_LINK}
    fit = partial(_applied, log_link_rows, people, power)
    return rows + attempt(study, "economics", skewed, data, fit)


def _applied(rows_of: Callable[..., Rows], people: Callable[[], Compared], *more: Any) -> Rows:
    return rows_of(people(), *more)
