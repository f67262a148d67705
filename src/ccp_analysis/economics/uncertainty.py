"""What the two-stage bootstrap says: draws for the plane, intervals, quadrants, acceptability."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.dependence import at_fault
from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.study import Study
from ccp_analysis.economics.bootstrap import Draws, two_stage_bootstrap
from ccp_analysis.economics.compared import BOTH, MEASURES, Compared
from ccp_analysis.economics.net_benefit import NET_BENEFIT
from ccp_analysis.economics.outcomes import (
    BASELINE_COST,
    BASELINE_UTILITY,
    curve_weights,
    discounts,
    full_costs,
    intervention_costs,
)
from ccp_analysis.economics.ratios import QUADRANTS
from ccp_analysis.economics.setting import Source
from ccp_analysis.groups import in_order
from ccp_analysis.models.ols import RankDeficientError
from ccp_analysis.random import stream
from ccp_analysis.results.terms import Inference, Model, Term

_HOW = (Model.TWO_STAGE_BOOTSTRAP, Inference.BOOTSTRAP)
FEW_PAIRS = 10  # below which the note says in how few ways pairs can be drawn


class _Columns:
    """Columns of a data set, and what each counts in the cost and in the effect of a person."""

    def __init__(self, people: int) -> None:
        self.values: list[np.ndarray] = []
        self.weights: list[tuple[np.ndarray, np.ndarray]] = []
        self.nothing = np.zeros(people)

    def add(
        self,
        values: np.ndarray,
        cost: np.ndarray | None = None,
        effect: np.ndarray | None = None,
    ) -> int:
        """Add values (m + 1, n) with weights (n,); return the position of the column."""
        self.values.append(values)
        cost = self.nothing if cost is None else cost
        self.weights.append((cost, self.nothing if effect is None else effect))
        return len(self.values) - 1


def draw(source: Source, data: Compared) -> Draws:
    """Draw resampled data sets, impute each once, and estimate the differences in it.

    Parameters
    ----------
    source : Source
        Tables and prices.
    data : Compared
        The people of the main evaluation, in completed tables.

    Returns
    -------
    Draws

    Raises
    ------
    ValueError
        As `two_stage_bootstrap`.

    Notes
    -----
    A data set has costs of services at each visit, utilities and covariates. What a person cost and
    how long they lived in what health is linear in them: costs count for the share of the period
    lived through, utilities by `curve_weights`. What the dead would have had counts nothing; lest
    others be imputed from it, it is taken as not observed.
    """
    study, setting = source.study, data.evaluated.setting
    who = source.places(data.chosen.first["participant"])
    columns, curve, adjust = _Columns(source.n), curve_weights(source, setting), []
    for v, visit in enumerate(source.visits):
        costs, alive = full_costs(source, setting, visit.id), source.alive(visit.id)
        if costs is not None and v:
            counted = alive * discounts(source, setting, visit.id)
            columns.add(np.where(alive > 0.0, costs, np.nan), cost=counted)
        elif costs is not None:
            at = columns.add(costs)
            adjust += [at] if BASELINE_COST in data.evaluated.adjust else []
    for v, visit in enumerate(source.visits):
        utility = source.stacked(f"{setting.utility}_{visit.id}")
        if v:
            columns.add(np.where(curve[:, v] > 0.0, utility, np.nan), effect=curve[:, v])
        else:
            at = columns.add(utility, effect=curve[:, v])
            adjust += [at] if BASELINE_UTILITY in data.evaluated.adjust else []
    for name in source.plan.covariates:
        adjust += [columns.add(values) for values in _as_numbers(source, name)]
    values = np.stack(columns.values, axis=-1)[:, who]
    _require_seen(source, data, values[0])
    weights = np.moveaxis(np.array(columns.weights), 0, -1)[:, who]
    offsets = np.stack([intervention_costs(source, setting), columns.nothing])[:, who]
    team, pair = allocated(study).units(data.chosen), allocated(study).pairs(data.chosen)
    try:
        return two_stage_bootstrap(
            values[0],
            np.nan_to_num(values[1:]),
            weights=weights,
            offsets=offsets,
            adjust=adjust,
            arm=(source.arm() == study.arms.active)[who],
            team=team,
            pair=pair,
            draws=source.economics.bootstrap.draws,
            iterations=source.economics.bootstrap.iterations,
            rng=stream(source.plan.seed, "economics", Inference.BOOTSTRAP),
        )
    except RankDeficientError as error:
        raise ValueError(at_fault(data.X.columns, data.X.X) or str(error)) from error


def _require_seen(source: Source, data: Compared, values: np.ndarray) -> None:
    """Raise ValueError where there is nothing to impute from: a measure that nobody has."""
    if np.isnan(values).all(axis=0).any():
        setting = data.evaluated.setting
        names = [f"{setting.utility}_{visit.id}" for visit in source.visits]
        seen = source.tables[source.tables["imputation"] == 0]
        empty = [name for name in [*names, *source.plan.covariates] if seen[name].isna().all()]
        what = f"'{empty[0]}'" if empty else "the costs, or the utility, of a visit while alive"
        raise ValueError(f"nobody has a value of {what}, from which others could be imputed")


def _as_numbers(source: Source, name: str) -> list[np.ndarray]:
    """Return a covariate (m + 1, n), or indicators of all its categories but the first."""
    column = source.tables[name]
    if pd.api.types.is_numeric_dtype(column):
        return [source.stacked(name)]
    missing = column.isna()
    return [
        (column == category).astype(float).mask(missing).to_numpy().reshape(-1, source.n)
        for category in in_order(column)[1:]
    ]


def draw_rows(source: Source, data: Compared, draws: Draws) -> Rows:
    """Return what the draws say: differences, quadrants and acceptability.

    Parameters
    ----------
    source : Source
        For the thresholds.
    data : Compared
        The people of the main evaluation.
    draws : Draws
        From `draw`.

    Returns
    -------
    list of dict
        Estimates are means over the draws, intervals lie between their percentiles.
    """
    economics, label = source.economics, contrast_label(source.study)
    note, rows = about(data, draws), []

    def add(row: dict, outcome: str, scale: str) -> None:
        rows.extend(
            data.complete([{"note": note, "m": None, **row}], data.ask(outcome, scale), *_HOW)
        )

    for measure, values in zip(MEASURES, (draws.cost, draws.effect), strict=True):
        add(_percentiles(values, data.level) | {"level": label}, measure.outcome, measure.scale)
    for threshold in economics.thresholds:
        gains = threshold * draws.effect - draws.cost
        at = {"threshold": threshold, "level": label}
        if threshold in economics.main_thresholds:
            add(_percentiles(gains, data.level) | at, NET_BENEFIT, MONEY)
        row = {**at, "term": Term.COST_EFFECTIVE, "estimate": float((gains > 0.0).mean())}
        add(row, NET_BENEFIT, "proportion")
    where = 2 * ~(draws.cost > 0.0) + ~(draws.effect > 0.0)
    for k, name in enumerate(QUADRANTS):
        row = {"term": Term.QUADRANT_SHARE, "level": name, "estimate": float((where == k).mean())}
        add(row, BOTH, "proportion")
    return rows


def _percentiles(values: np.ndarray, level: float) -> dict:
    spread = float(values.std(ddof=1))
    low, high = np.quantile(values, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return {
        "term": Term.DIFFERENCE,
        "estimate": float(values.mean()),
        "std_error": spread,
        "conf_low": float(low),
        "conf_high": float(high),
        "conf_level": level,
        "mc_error": spread / len(values) ** 0.5,
    }


def about(data: Compared, draws: Draws) -> str:
    """Say how many draws there are, of what, and where that is little."""
    clusters, number = data.study.clusters, len(draws.cost)
    if clusters is None:
        note = f"{number:,} draws of people within arms, each imputed once"
    else:
        pairs = data.chosen.first[clusters.pair].nunique()
        note = (
            f"{number:,} draws of {clusters.pair_label}s, then of people within "
            f"{clusters.unit_label}s, each imputed once"
        )
        if pairs < FEW_PAIRS:
            note += (
                f"; {pairs} {clusters.pair_label}s can be drawn in "
                f"{comb(2 * pairs - 1, pairs):,} ways only, and percentiles take no account of how "
                "few they are"
            )
    lost = f"{draws.failed:,} draw{'' if draws.failed == 1 else 's'} had no estimate"
    return f"{note}; {lost}" if draws.failed else note


def figure_data(study: Study, draws: Draws | None) -> pd.DataFrame:
    """Return the draws as the plane shows them: their number, and which arm less which."""
    none = np.empty(0)
    cost, qaly = (draws.cost, draws.effect) if draws else (none, none)
    named = {study.arms.taken(name): values for name, values in (("cost", cost), ("qaly", qaly))}
    return pd.DataFrame({"draw": np.arange(len(cost)), **named})
