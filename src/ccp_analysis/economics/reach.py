"""For whom and for how many: net benefit in the plan's subgroups, and the impact on a budget."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ccp_analysis.analyses.models.subgroup import subgroup
from ccp_analysis.analyses.planned import codes_of
from ccp_analysis.analyses.rows import Rows, with_note
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.economics.compared import MEASURES, Compared, attempt
from ccp_analysis.economics.estimation import ancova_rows, intervention_price
from ccp_analysis.economics.net_benefit import NET_BENEFIT
from ccp_analysis.economics.outcomes import COST, QALY
from ccp_analysis.economics.setting import Source
from ccp_analysis.results.terms import Model, Term


def subgroup_rows(source: Source, data: Compared) -> Rows:
    """Return the net benefit within the plan's subgroups and its interactions with the arm.

    Parameters
    ----------
    source : Source
        For the plan and the main thresholds.
    data : Compared
        The people of the main evaluation.

    Returns
    -------
    list of dict
        As of any outcome (`analyses.models.subgroup`), on the design of the evaluation.
    """
    rows: Rows = []
    variables = dict.fromkeys(planned.variable for planned in source.plan.subgroups)
    dictionary = load_dictionary(source.study) if variables else []
    for variable in variables:
        for threshold in source.economics.main_thresholds:
            worth = f"_{NET_BENEFIT}"
            tables = data.evaluated.tables
            tables = tables.assign(**{worth: threshold * tables[QALY] - tables[COST]})
            ask = data.ask_adjusted(NET_BENEFIT, MONEY, worth)
            ask = replace(ask, subgroup=variable, codes=codes_of(variable, dictionary))
            head = {"outcome": NET_BENEFIT, "scale": MONEY, "model": Model.NET_BENEFIT}
            head |= {"term": Term.INTERACTION, "subgroup": variable}
            fit = partial(subgroup, source.study, tables, data.data, ask)
            found = attempt(source.study, "net benefit in subgroups", head, data.data, fit)
            rows += [{**row, "model": Model.NET_BENEFIT, "threshold": threshold} for row in found]
    return rows


def budget_rows(source: Source, data: Compared) -> Rows:
    """Return what it would cost whoever pays, year by year and in all.

    Parameters
    ----------
    source : Source
        For uptake, price and caseload.
    data : Compared
        The people of the main evaluation.

    Returns
    -------
    list of dict
        People, the intervention at its price, the services that they use more or less of within the
        horizon, and both together; the last two with the interval of the difference in costs.
    """
    asked = source.economics.budget_impact
    assert asked is not None
    difference, *_ = ancova_rows(data, MEASURES[0])
    counted = intervention_price(data)
    price = counted if asked.price is None else asked.price
    ends = ("estimate", "conf_low", "conf_high")
    known = {k: difference[k] for k in ("df", "conf_level", "m", "n", "n_clusters", "inference")}
    years = {f"year {k}": share for k, share in enumerate(asked.uptake, start=1)}
    shares = {**years, "all years": sum(asked.uptake)}
    rows: Rows = []
    for level, share in shares.items():
        people = asked.caseload * share

        def scaled(amount: float, people: float = people) -> dict[str, Any]:
            each = {name: people * (difference[name] - counted + amount) for name in ends}
            return {**known, **each, "std_error": people * difference["std_error"]}

        parts: dict[str, dict[str, Any]] = {
            Term.BUDGET.of("people"): {"scale": "people", "estimate": people},
            Term.BUDGET.of("intervention"): {"estimate": people * price},
            Term.BUDGET.of("services"): scaled(0.0),
            Term.BUDGET: scaled(price),
        }
        rows += [{"term": term, "level": level, **row} for term, row in parts.items()]
    note = (
        f"for {asked.caseload:,} people a year, {price:,.2f} each, and the difference in costs of "
        f"services over {source.economics.months:g} months"
    )
    rows = with_note(rows, note)
    return data.complete(rows, data.ask("cost", MONEY), Model.ANCOVA, difference["inference"])
