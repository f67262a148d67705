"""What was used and what it cost, before any model; unadjusted costs, utilities and life years."""

from __future__ import annotations

from typing import Any

import numpy as np

from ccp_analysis.analyses.design import Sample
from ccp_analysis.analyses.rows import Rows
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.study import Study
from ccp_analysis.economics.outcomes import (
    COST,
    QALY,
    counted_use,
    full_costs,
    intervention_costs,
    lived_through,
    visit_costs,
)
from ccp_analysis.economics.perspectives import categories
from ccp_analysis.economics.setting import Setting, Source
from ccp_analysis.results.terms import Inference, Model, Population, Term

SHARED = {"model": Model.DESCRIPTIVE, "inference": Inference.NONE, "estimand": ""}


def use_rows(source: Source, setting: Setting, chosen: Sample, total: float) -> Rows:
    """Return observed use and imputed cost of every service at every visit, and the intervention.

    Parameters
    ----------
    source : Source
        Tables and prices.
    setting : Setting
        The main evaluation.
    chosen : Sample
        Who is analysed, in completed tables.
    total : float
        What the intervention cost in all, over the horizon.

    Returns
    -------
    list of dict
        A service that the main perspective does not count has the first perspective that does; so
        has a category of services, of which only what that perspective counts is added up. Nothing
        is discounted.
    """
    visits = [visit.id for visit in source.visits]
    arms, rows = source.arm(), []
    people = np.zeros(source.n, dtype=bool)
    people[source.places(chosen.first["participant"])] = True
    found = source.prices[source.prices["visit"].isin(visits)]
    paid: dict[tuple[str, str], np.ndarray] = {}
    first: dict[str, str] = {}
    for service in found.itertuples():
        perspective = next(p for p in source.economics.perspectives if getattr(service, f"in_{p}"))
        first[service.service] = perspective
        head = {**SHARED, "outcome": service.service, "visit": service.visit}
        head["perspective"] = perspective
        used = source.stacked(service.variable)[0]
        full = service.price * counted_use(source, setting, service.service, service.variable)[1:]
        costs = paid[service.service, service.visit] = lived_through(
            full, source.alive(service.visit)
        )
        for arm in source.study.arms.ordered:
            inside = people & (arms == arm)
            rows += _use({**head, "level": arm}, service.unit, used[inside])
            rows += _costs({**head, "level": arm}, costs[:, inside])
    for category, names in categories(source.economics, first).items():
        of = min((first[n] for n in names), key=list(source.economics.perspectives).index)
        for visit in visits:
            added = [paid[n, visit] for n in names if first[n] == of and (n, visit) in paid]
            head = {**SHARED, "outcome": category, "visit": visit, "perspective": of}
            for arm in source.study.arms.ordered if added else []:
                rows += _costs(
                    {**head, "level": arm}, np.sum(added, axis=0)[:, people & (arms == arm)]
                )
    if setting.share is not None:
        costs = intervention_costs(source, setting)
        for arm in source.study.arms.ordered:
            head = {**SHARED, "outcome": "intervention", "visit": visits[-1], "level": arm}
            unit = source.economics.money.unit
            note = f"{total:,.0f} {unit} over the horizon, shared over {setting.share}"
            mean, *_ = _costs(head, costs[None, people & (arms == arm)])
            rows.append(mean | {"note": note})
    return [row for row in rows if row["n"]]


def _use(head: dict[str, Any], unit: str, values: np.ndarray) -> Rows:
    known = values[np.isfinite(values)]
    head = {**head, "population": Population.OBSERVED_VISITS, "n": len(known)}
    if not len(known):
        return []
    rows = [{**head, "term": Term.MEAN_USE, "scale": unit, "estimate": float(known.mean())}]
    if len(known) > 1:
        spread = float(known.std(ddof=1))
        rows.append({**head, "term": Term.SD_OF_USE, "scale": unit, "estimate": spread})
    users = float((known > 0).mean())
    return [*rows, {**head, "term": Term.USERS, "scale": "proportion", "estimate": users}]


def _costs(head: dict[str, Any], costs: np.ndarray) -> Rows:
    """Return the mean over people and imputations of costs (m, n), and their SD within tables."""
    shared = {
        **head,
        "population": Population.COMPLETED,
        "scale": MONEY,
        "n": costs.shape[1],
        "m": len(costs) if len(costs) > 1 else None,
    }
    mean = float(costs.mean()) if costs.size else None
    rows = [{**shared, "term": Term.MEAN_COST, "estimate": mean}]
    if costs.shape[1] > 1:
        spread = float(np.sqrt(costs.var(axis=1, ddof=1).mean()))
        rows.append({**shared, "term": Term.SD_OF_COST, "estimate": spread})
    return rows


def unadjusted_rows(source: Source, setting: Setting, chosen: Sample) -> Rows:
    """Return means and standard deviations of costs, utilities and life years by arm.

    Parameters
    ----------
    source : Source
        Tables and prices.
    setting : Setting
        The main evaluation.
    chosen : Sample
        Who is analysed, in completed tables or observed on everything.

    Returns
    -------
    list of dict
        At the last visit `cost` is that of the evaluation: of all visits after the baseline, with
        the intervention; before it there is none where no service of the perspective was asked
        for. Standard deviations are within arms, from variances averaged over the imputations.
    """
    visits, place = [visit.id for visit in source.visits], _places(source, chosen)
    rows: Rows = []

    def add(outcome: str, visit: str, scale: str, values: np.ndarray) -> None:
        head = {"outcome": outcome, "visit": visit, "scale": scale}
        rows.extend(_moments(head, source.study, chosen, values))

    for visit in visits[:-1]:
        if full_costs(source, setting, visit) is not None:
            add("cost", visit, MONEY, visit_costs(source, setting, visit, False).ravel()[place])
    add("cost", visits[-1], MONEY, chosen.stacked(COST))
    for visit in visits:
        values = source.stacked(f"{setting.utility}_{visit}").ravel()[place]
        add(setting.utility, visit, "utility", values)
    add("qaly", visits[-1], "years", chosen.stacked(QALY))
    return rows


def _places(source: Source, chosen: Sample) -> np.ndarray:
    """Return where in the stacked tables the rows of a sample stand, shape (m, n)."""
    person = source.places(chosen.frame["participant"])
    place = chosen.frame["imputation"].to_numpy() * source.n + person
    return place.reshape(chosen.m, chosen.n)


def _moments(head: dict[str, Any], study: Study, chosen: Sample, values: np.ndarray) -> Rows:
    arms = chosen.first[study.arms.variable].to_numpy(dtype=str)
    rows: Rows = []
    for arm in study.arms.ordered:
        inside = values[:, arms == arm]
        shared = {
            **SHARED,
            **head,
            "level": arm,
            "population": chosen.population,
            "n": inside.shape[1],
            "m": chosen.m if chosen.imputed else None,
        }
        if inside.shape[1] > 0:
            rows.append({**shared, "term": Term.MEAN, "estimate": float(inside.mean())})
        if inside.shape[1] > 1:
            variance = inside.var(axis=1, ddof=1).mean()
            rows.append(
                {**shared, "term": Term.STANDARD_DEVIATION, "estimate": float(np.sqrt(variance))}
            )
    return rows
