"""What an evaluation rests on, and what it asks: the main one, or a variation of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccp_analysis.config.economics import (
    MONTHS_A_YEAR,
    Adjust,
    Discount,
    Economics,
    Shift,
    Valuation,
    Variation,
)
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study, Visit
from ccp_analysis.economics.qalys import visits_up_to_horizon
from ccp_analysis.errors import StudyError, few
from ccp_analysis.groups import groups
from ccp_analysis.layout import ECONOMICS, STUDY


@dataclass(frozen=True)
class Source:
    """What an evaluation rests on.

    Attributes
    ----------
    study, plan, economics
        The configuration.
    tables : pandas.DataFrame
        Imputations 0 (observed) to m, below one another, each with the same people in one order.
    prices : pandas.DataFrame
        One row for each service and visit: service, visit, variable, price, ``in_{perspective}``.
    people : pandas.DataFrame
        The participants table, one row for each person in the order of the tables (so that also
        dates of interviews are there), with the ``intervention_{rule}`` of costs.parquet.
    """

    study: Study
    plan: Plan
    economics: Economics
    tables: pd.DataFrame
    prices: pd.DataFrame
    people: pd.DataFrame

    @property
    def n(self) -> int:
        """People."""
        return len(self.people)

    @property
    def visits(self) -> list[Visit]:
        """Visits up to the horizon, the baseline first."""
        return visits_up_to_horizon(self.study, self.economics)

    def stacked(self, variable: str) -> np.ndarray:
        """Return a variable of the tables as an array of shape (m + 1, n)."""
        if variable not in self.tables:
            raise StudyError(
                f"{ECONOMICS}: the evaluation needs '{variable}', which is not among the imputed "
                "variables."
            )
        return self.tables[variable].to_numpy(dtype=float).reshape(-1, self.n)

    def alive(self, visit: str) -> np.ndarray:
        """Return the share of the period before a visit that people lived through, shape (n,)."""
        name = f"alive_{visit}"
        if name not in self.tables:
            return np.ones(self.n)
        return self.tables[name].to_numpy(dtype=float)[: self.n]

    def missed(self, visit: str) -> np.ndarray:
        """Return whose interview at a visit is missing, shape (n,)."""
        return ~self.people[f"interviewed_{visit}"].to_numpy(dtype=bool)

    def years(self, visit: str) -> tuple[float, float]:
        """Return when the period before a follow-up began and when it ended, in years."""
        months = [v.months for v in self.visits]
        at = [v.id for v in self.visits].index(visit)
        begin, end = ((months[k] - months[0]) / MONTHS_A_YEAR for k in (at - 1, at))
        return begin, end

    def places(self, participants: pd.Series) -> np.ndarray:
        """Return where in a table participants stand."""
        order = pd.Series(np.arange(self.n), index=self.people["participant"])
        return participants.map(order).to_numpy()

    def arm(self) -> np.ndarray:
        """Return everyone's arm, shape (n,)."""
        return self.tables[self.study.arms.variable].iloc[: self.n].to_numpy(dtype=str)


def source(
    study: Study,
    plan: Plan,
    economics: Economics,
    imputed: pd.DataFrame,
    prices: pd.DataFrame,
    costs: pd.DataFrame,
    participants: pd.DataFrame,
) -> Source:
    """Bring the tables to one order of people.

    Parameters
    ----------
    study, plan, economics
        The configuration.
    imputed, prices, costs, participants : pandas.DataFrame
        As read from the files of those names.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        If an imputation has other people than the observed data.
    """
    in_order = np.lexsort([groups(imputed["participant"]).codes, imputed["imputation"]])
    tables = imputed.iloc[in_order].reset_index(drop=True)
    order = tables.loc[tables["imputation"] == 0, "participant"]
    tables_of = len(tables) // max(len(order), 1)
    if not np.array_equal(tables["participant"], np.tile(order, tables_of)):
        raise ValueError("the imputations differ in their people")
    of_costs = [c for c in costs if c == "participant" or c.startswith("intervention_")]
    people = participants.merge(costs[of_costs], on="participant", how="left", validate="1:1")
    people = people.set_index("participant").loc[order].reset_index()
    return Source(study, plan, economics, tables, prices, people)


@dataclass(frozen=True)
class Setting:
    """What is evaluated: the main evaluation, or one that differs from it.

    Attributes
    ----------
    perspective, utility : str
        Ids of the perspective and of the utility.
    share : str or None
        Rule by which the cost of the intervention is shared; None where there is none.
    multiples : dict
        Service → multiple of its price, where it is not 1.
    data : {"imputed", "observed"}
        Completed tables, or the people observed on everything.
    winsorise : float or None
        Quantile of the costs of a visit above which they are set to it.
    interviews : bool
        Whether utilities hold at the dates of the interviews.
    delta : Shift
        What changes in imputed follow-up values of missed interviews.
    intervention : float
        Multiple of the cost of the intervention.
    absence : str
        How days off work are valued.
    discount : Discount
        Annual rates.
    adjust : str or None
        What the arms are adjusted for beside the pair, as `config.economics.Variation` has it; None
        for both baselines and the covariates of the plan.
    """

    perspective: str
    utility: str
    share: str | None
    multiples: dict[str, float] = field(default_factory=dict)
    data: str = "imputed"
    winsorise: float | None = None
    interviews: bool = False
    delta: Shift = field(default_factory=Shift)
    intervention: float = 1.0
    absence: Valuation = "human-capital"
    discount: Discount = Discount()
    adjust: Adjust | None = None


def main_setting(economics: Economics) -> Setting:
    """Return the setting of the main evaluation."""
    share = economics.intervention.share if economics.intervention else None
    absence = economics.absence.valued if economics.absence else "human-capital"
    return Setting(
        economics.main, economics.utility, share, absence=absence, discount=economics.discount
    )


def setting_of(source: Source, variation: Variation) -> Setting:
    """Return the setting of a variation.

    Parameters
    ----------
    source : Source
        For the services there are.
    variation : Variation
        An entry of `sensitivity`.

    Returns
    -------
    Setting

    Raises
    ------
    StudyError
        If the entry names a service, an arm or a utility that there is not, or asks for dates of
        interviews of which none are known.
    """
    main, where = main_setting(source.economics), f"{ECONOMICS}: sensitivity '{variation.id}'"
    services = source.prices["service"].drop_duplicates().tolist()
    multiples = variation.unit_costs if variation.unit_costs is not None else {}
    if not isinstance(multiples, dict):
        multiples = dict.fromkeys(services, multiples)
    for service in multiples:
        if service not in services:
            raise StudyError(
                f"{where} names the service '{service}', which has no price; expected one of "
                f"{few(services)}."
            )
    delta = variation.delta or Shift()
    for arm in {**delta.cost, **delta.utility}:
        if arm not in source.study.arms.levels:
            raise StudyError(
                f"{where} names the arm '{arm}'; expected one of "
                f"{', '.join(source.study.arms.levels)}."
            )
    utility = variation.utility or main.utility
    require_utility(source, utility, where)
    if variation.times == "interviews":
        _require_dates(source, where)
    return Setting(
        perspective=variation.perspective or main.perspective,
        utility=utility,
        share=variation.share or main.share,
        multiples=multiples,
        data=variation.data or main.data,
        winsorise=variation.winsorise,
        interviews=variation.times == "interviews",
        delta=delta,
        intervention=1.0 if variation.intervention is None else variation.intervention,
        absence=variation.absence or main.absence,
        discount=variation.discount or main.discount,
        adjust=variation.adjust,
    )


def require_utility(source: Source, utility: str, where: str = str(ECONOMICS)) -> None:
    """Raise StudyError where a utility was not measured at every visit up to the horizon."""
    for visit in source.visits:
        if f"{utility}_{visit.id}" not in source.tables:
            raise StudyError(
                f"{where}: the utility '{utility}' is not measured at visit '{visit.id}'; expected "
                "at every visit up to the horizon."
            )


def _require_dates(source: Source, where: str) -> None:
    """Raise StudyError where nobody's baseline and later interviews both have dates."""
    known = np.zeros((len(source.visits), source.n), dtype=bool)
    for row, visit in zip(known, source.visits, strict=True):
        name = f"{visit.date}_{visit.id}"
        if visit.date is not None and name in source.people:
            row[:] = source.people[name].notna()
    if not (known[0] & known[1:].any(axis=0)).any():
        visits = ", ".join(visit.id for visit in source.visits)
        raise StudyError(
            f"{where} has times: interviews, but no participant has dates of the baseline "
            f"interview and of a later one; expected them at the visits {visits}, whose 'date' in "
            f"{STUDY} names the variable."
        )
