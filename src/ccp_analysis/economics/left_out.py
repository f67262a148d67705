"""On whom the evaluation hangs: pairs of clusters and people left out, how costs are concentrated.

Imputed values stay those of everyone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import Sample, arm_contrasts
from ccp_analysis.analyses.question import least_squares, require_arms
from ccp_analysis.analyses.rows import Rows, pooled_rows, with_note
from ccp_analysis.economics.compared import MEASURES, Compared, attempt, contrast
from ccp_analysis.economics.net_benefit import NET_BENEFIT
from ccp_analysis.economics.outcomes import COST
from ccp_analysis.economics.setting import Source
from ccp_analysis.economics.use import SHARED
from ccp_analysis.models.condensed import Condensed, condensed
from ccp_analysis.models.diagnostics import without_each
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.outcomes import sums_nearly_exact, sums_of_outcomes
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Term

INFLUENCE = "influence only; imputed values stay those of everyone"
DEAREST = (0.05, 0.10)


@dataclass(frozen=True)
class Sum:
    """An outcome of an evaluation as a sum of cost and QALYs, and what its rows say of it."""

    head: dict[str, Any]
    weights: tuple[float, float]

    def told(self, more: dict[str, Any]) -> Sum:
        """Return the same with more said of its rows."""
        return replace(self, head={**self.head, **more})


def sums(data: Compared, thresholds: list[float]) -> tuple[list[Sum], np.ndarray]:
    """Return cost, QALYs and net benefit at each threshold, those that vary, and their values."""
    ancova = [{"outcome": m.outcome, "scale": m.scale, "model": Model.ANCOVA} for m in MEASURES]
    found = [Sum(ancova[0], (1.0, 0.0)), Sum(ancova[1], (0.0, 1.0))]
    benefit = {"outcome": NET_BENEFIT, "scale": "pounds", "model": Model.NET_BENEFIT}
    found += [Sum({**benefit, "threshold": worth}, (-1.0, worth)) for worth in thresholds]
    weights = np.array([one.weights for one in found])
    values = data.values(*(measure.value for measure in MEASURES))
    y = (weights[:, :, None] * values[:, None]).sum(axis=2)
    there = np.ptp(y, axis=2).min(axis=0) > 0.0
    return [one for one, varies in zip(found, there, strict=True) if varies], y[:, there]


def influence_rows(data: Compared, thresholds: list[float]) -> Rows:
    """Return the differences without each pair of clusters, and without single people.

    Parameters
    ----------
    data : Compared
        The people of the main evaluation.
    thresholds : list of float
        At which the net benefit is taken.

    Returns
    -------
    list of dict
        Of each pair a row for cost, QALYs and net benefit, by a fit of the others. Of people the
        lowest and the highest difference that leaving out one of them gives, whoever it is.
    """
    every, y = sums(data, thresholds)
    fit = least_squares(data.X, y)
    rows: Rows = []
    pairs = allocated(data.study).pairs(data.chosen)
    if pairs is not None:
        names = data.chosen.groups(allocated(data.study).declared.pair).names
        few = _condensed(data)
        for k, name in enumerate(names):
            head = {"term": Term.WITHOUT_PAIR, "level": str(name)}
            without = partial(_of_condensed, few, k) if few else None
            rows += _refitted(data, pairs != k, [one.told(head) for one in every], without)
    asked: dict[int, list[Sum]] = {}
    for one, differences in zip(every, without_each(fit).mean(axis=0), strict=True):
        for level, at in (("lowest", np.nanargmin), ("highest", np.nanargmax)):
            head = {"term": Term.WITHOUT_PERSON, "level": level}
            asked.setdefault(int(at(differences)), []).append(one.told(head))
    for person, which in asked.items():
        rows += _refitted(data, np.arange(data.chosen.n) != person, which)
    return rows


def _told_of(data: Compared) -> list[str]:
    """Return the columns by which people are compared: arms, clusters and outcomes."""
    clusters = data.study.clusters
    of_clusters = [clusters.unit, clusters.pair] if clusters else []
    outcomes = [measure.value for measure in MEASURES]
    return list(dict.fromkeys([data.study.arms.variable, *of_clusters, *outcomes]))


def _condensed(data: Compared) -> Condensed | None:
    """Return few rows for each cluster; None where outcomes have designs of their own."""
    units = allocated(data.study).units(data.chosen)
    if data.own or data.X.pair is None or units is None:
        return None
    values = data.values(*(measure.value for measure in MEASURES))
    return condensed(data.X.own, values, units, data.X.pair.codes)


def _of_condensed(rows: Condensed, pair: int, weights: np.ndarray) -> Inference | None:
    """Infer sums of outcomes without a pair; None where the whole rows must say what they are."""
    stay = rows.pair != pair
    fit, clusters = rows.fit(stay)
    if fit is None or sums_nearly_exact(fit.residuals, rows.outcomes[..., stay], weights):
        return None
    L = arm_contrasts(fit.coef.shape[-1])
    return sums_of_outcomes(cluster_robust(fit, clusters, L), weights)


def _refitted(
    data: Compared,
    stay: np.ndarray,
    which: list[Sum],
    refit: Callable[[np.ndarray], Inference | None] | None = None,
) -> Rows:
    """Return the rows of those who stay; where they cannot be compared, each says why."""
    whole = data.chosen.frame[_told_of(data)]

    def fit() -> Rows:
        chosen = replace(data.chosen, frame=whole[np.tile(stay, data.chosen.m)])
        require_arms(data.study, chosen)
        weights, method = np.array([one.weights for one in which]), str(terms.Inference.CR2)
        left, found = replace(data, chosen=chosen), refit(weights) if refit else None
        if found is None:
            own = tuple(X.part(stay) for X in data.own)
            left = replace(left, X=data.X.part(stay), own=own)
            found, method = left.fit_sums(weights)
        found = allocated(data.study).named(chosen, found)
        lines = pooled_rows(chosen, contrast(found, 0), data.level, needed=len(which))
        made = []
        for one, line in zip(which, with_note(lines, INFLUENCE), strict=True):
            row = {**line, **one.head, "p_value": None, "statistic": None}
            ask = left.ask(row["outcome"], row["scale"])
            made += left.complete([row], ask, row["model"], method)
        return made

    found = attempt(data.study, "economics", which[0].head, data.data, fit)
    return found if len(found) == len(which) else [{**found[0], **one.head} for one in which]


def concentration_rows(source: Source, chosen: Sample) -> Rows:
    """Return which share of the cost of an arm its dearest people have, and the Gini coefficient.

    Notes
    -----
    Of the q dearest the share is 1 - L(1 - q), L being the Lorenz curve, a line between people. The
    Gini coefficient is sum (2 i - n - 1) c_i / (n sum c_i), c_i in rising order. Both are
    averaged over the imputations.
    """
    arms = chosen.first[source.study.arms.variable].to_numpy(dtype=str)
    cost, rows = chosen.stacked(COST), []
    shared = {
        **SHARED,
        "outcome": "cost",
        "visit": source.visits[-1].id,
        "scale": "proportion",
        "population": chosen.population,
        "m": chosen.m if chosen.imputed else None,
    }
    for arm in source.study.arms.ordered:
        ordered = np.sort(cost[:, arms == arm], axis=1)
        n, total = ordered.shape[1], ordered.sum(axis=1, keepdims=True)
        if not (total > 0.0).all():
            continue
        lorenz = np.concatenate([np.zeros((len(total), 1)), ordered.cumsum(axis=1) / total], axis=1)
        share = partial(np.interp, xp=np.linspace(0.0, 1.0, n + 1))
        head = {**shared, "level": arm, "n": n}
        for q in DEAREST:
            held = float(np.mean([1.0 - share(1.0 - q, fp=line) for line in lorenz]))
            dear = {"term": Term.TOP_SHARE, "subgroup": f"dearest {100 * q:g}%"}
            rows.append({**head, **dear, "estimate": held})
        weights = 2.0 * np.arange(1, n + 1) - n - 1.0
        gini = float(((ordered @ weights) / (n * total[:, 0])).mean())
        rows.append({**head, "term": Term.GINI, "estimate": gini})
    return rows
