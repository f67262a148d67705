"""Evaluate: imputed.parquet, costs and prices → what the intervention costs and what it achieves.

In: completed tables, costs of each participant, prices, items of the intervention, participants.
Out: rows of the results table, and the draws of the bootstrap for the cost-effectiveness plane.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.design import sample
from ccp_analysis.analyses.rows import Rows
from ccp_analysis.config.currencies import MONEY, in_currency
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments, unit_of
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.reading import place
from ccp_analysis.config.study import load_study
from ccp_analysis.economics.bootstrap import Draws
from ccp_analysis.economics.compared import BOTH, attempt, compared
from ccp_analysis.economics.departures import departure_rows
from ccp_analysis.economics.estimation import model_rows
from ccp_analysis.economics.information import drawn_information_rows, information_rows
from ccp_analysis.economics.left_out import concentration_rows, influence_rows
from ccp_analysis.economics.net_benefit import NET_BENEFIT, net_benefit_rows, team_net_benefit_rows
from ccp_analysis.economics.outcomes import evaluated
from ccp_analysis.economics.ratios import Effect, ratio_head, ratio_rows
from ccp_analysis.economics.reach import budget_rows, subgroup_rows
from ccp_analysis.economics.setting import Source, main_setting, require_utility, source
from ccp_analysis.economics.standard_errors import drawn_error_rows, error_rows
from ccp_analysis.economics.uncertainty import draw, draw_rows, figure_data
from ccp_analysis.economics.use import unadjusted_rows, use_rows
from ccp_analysis.economics.variations import PER_QALY, variation_rows
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import ECONOMICS, PLAN
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Model, Role, Term

IMPUTED, OBSERVED = "imputed", "observed"


def run(
    *,
    imputed: Path,
    costs: Path,
    prices: Path,
    intervention: Path,
    participants: Path,
    results: Path,
    figures: Path,
) -> None:
    """Compare costs and quality-adjusted life years between the arms.

    Parameters
    ----------
    imputed : Path
        Observed and completed tables, with service use, costs and utilities.
    costs, prices, intervention : Path
        What the rule `cost` writes.
    participants : Path
        The cleaned table, for the dates of interviews.
    results : Path
        Parquet file to write: rows of the results table.
    figures : Path
        Parquet file to write: draws of the bootstrap.

    Raises
    ------
    StudyError
        If there is no evaluation, the horizon is not a visit, or something is named that there is
        not.
    """
    study, plan, economics = load_study(), load_plan(), load_economics()
    if economics is None:
        raise StudyError(f"{ECONOMICS}: the file is missing; there is nothing to evaluate.")
    tables = (files.read_parquet(path) for path in (imputed, prices, costs, participants))
    read = source(study, plan, economics, *tables)
    require_utility(read, economics.utility)
    total = float(files.read_parquet(intervention)["cost"].sum())
    found, draws = main_rows(read, total)
    shared = {
        "analysis": "economics",
        "role": Role.SUPPORTING,
        "estimand": plan.estimand,
        "visit": read.visits[-1].id,
        "perspective": economics.main,
    }
    rows = [*found, *variation_rows(read)]
    rows = [
        {**shared, **row, "scale": in_currency(row["scale"], economics.currency)} for row in rows
    ]
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    files.write_parquet(figures, figure_data(study, draws))


def main_rows(read: Source, total: float) -> tuple[Rows, Draws | None]:
    """Return the rows of the main evaluation, and the draws of its bootstrap.

    Parameters
    ----------
    read : Source
        Tables and prices.
    total : float
        What the intervention cost in all, over the horizon.

    Returns
    -------
    rows : list of dict
        What a model that fails leaves is one row, which says why.
    draws : Draws or None
        None where the bootstrap failed.
    """
    study, economics = read.study, read.economics
    setting = main_setting(economics)
    values = cache(partial(evaluated, read, setting))
    people = cache(lambda: compared(study, read.plan, values(), IMPUTED))
    complete = cache(lambda: compared(study, read.plan, values(), OBSERVED))
    rows = model_rows(study, IMPUTED, people, economics.variance_power)
    rows += model_rows(study, OBSERVED, complete, None)

    def tried(head: dict[str, str], fit: Callable[[], Rows], data: str = IMPUTED) -> Rows:
        return attempt(study, "economics", head, data, fit)

    benefit = {"outcome": NET_BENEFIT, "scale": MONEY}
    found = tried(
        benefit | {"model": Model.NET_BENEFIT},
        lambda: net_benefit_rows(people(), economics.thresholds),
    )
    rows += [*found, *information_rows(found, economics.information)]
    if study.clusters:
        rows += tried(
            benefit | {"model": Model.TEAM_MEANS},
            lambda: team_net_benefit_rows(people(), economics.main_thresholds),
        )
    if read.plan.subgroups:
        head = benefit | {"model": Model.NET_BENEFIT, "term": Term.INTERACTION}
        rows += tried(head, lambda: subgroup_rows(read, people()))
    if economics.budget_impact:
        head = {"outcome": "cost", "scale": MONEY, "model": Model.ANCOVA, "term": Term.BUDGET}
        rows += tried(head, lambda: budget_rows(read, people()))
    rows += departure_rows(read, people)
    rows += tried(ratio_head(PER_QALY), lambda: ratio_rows(people(), PER_QALY))
    for effect in _effects(read):
        more = _with_baseline(read, effect)

        def ratio(effect: Effect = effect, more: tuple[str, ...] = more) -> Rows:
            return ratio_rows(compared(study, read.plan, values(), IMPUTED, more), effect)

        rows += tried(ratio_head(effect), ratio)

    def described(data: str) -> Rows:
        chosen = sample(study, values().tables, data, values().needed)
        found = unadjusted_rows(read, setting, chosen)
        if data == OBSERVED:
            return found
        dear = concentration_rows(read, chosen)
        return [*found, *dear, *use_rows(read, setting, chosen, total)]

    for data in (IMPUTED, OBSERVED):
        head = {"outcome": BOTH, "scale": "means", "model": Model.DESCRIPTIVE}
        rows += tried(head, partial(described, data), data)
    both, main = {"outcome": BOTH, "model": Model.ANCOVA}, economics.main_thresholds
    rows += tried(
        {**both, "scale": "influence", "term": Term.WITHOUT_PERSON},
        lambda: influence_rows(people(), main),
    )
    rows += tried(
        {**both, "scale": "standard errors", "term": Term.STANDARD_ERROR},
        lambda: error_rows(people(), main),
    )
    draws: list[Draws] = []

    def bootstrap() -> Rows:
        draws.append(draw(read, people()))
        found = draw_rows(read, people(), draws[0])
        found += drawn_information_rows(people(), draws[0], economics.thresholds)
        return found + drawn_error_rows(people(), draws[0], main)

    rows += tried(
        {"outcome": BOTH, "scale": "proportion", "model": Model.TWO_STAGE_BOOTSTRAP}, bootstrap
    )
    return rows, draws[0] if draws else None


def _effects(read: Source) -> list[Effect]:
    """Return the outcomes of the plan of which a unit is set beside the cost.

    Raises
    ------
    StudyError
        If one is no outcome of the plan, was not measured at the horizon, is no number, or it is
        not known whether more of it is better.
    """
    if not read.economics.cost_per:
        return []
    instruments, dictionary = load_instruments(), load_dictionary(read.study)
    planned = {outcome.id: outcome for outcome in read.plan.outcomes}
    visit, effects = read.visits[-1].id, []
    for name in read.economics.cost_per:
        where = f"{place(ECONOMICS, 'cost_per')}: cost_per names '{name}'"
        if name not in planned:
            raise StudyError(f"{where}, which is not among the outcomes in {PLAN}.")
        column = f"{name}_{visit}"
        if column not in read.tables or not pd.api.types.is_numeric_dtype(read.tables[column]):
            raise StudyError(f"{where}; expected a number measured at visit '{visit}'.")
        benefit = instruments[name].benefit if name in instruments else planned[name].benefit
        if benefit is None:
            raise StudyError(f"{where}, whose benefit (higher or lower) {PLAN} does not say.")
        unit = unit_of(name, instruments, dictionary)
        unit = "point" if unit == "points" else unit
        effects.append(Effect(name, column, unit, 1.0 if benefit == "higher" else -1.0))
    return effects


def _with_baseline(read: Source, effect: Effect) -> tuple[str, ...]:
    """Return the column of an effect, and of its baseline unless that is adjusted for already."""
    baseline = f"{effect.outcome}_{read.study.baseline.id}"
    if baseline not in read.tables or effect.outcome == read.economics.utility:
        return (effect.value,)
    return (effect.value, baseline)
