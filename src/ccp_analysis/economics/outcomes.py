"""Costs and quality-adjusted life years of everyone, as an evaluation asks for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.config.economics import Change
from ccp_analysis.economics.discounting import discount_factor
from ccp_analysis.economics.qalys import (
    discounted_weights,
    interview_times,
    nominal_times,
    quality_adjusted_life_years,
    times_of_death,
)
from ccp_analysis.economics.setting import Setting, Source
from ccp_analysis.refused import NOT_IMPUTED, reasons

# Columns of the tables of an evaluation.
COST = "_cost"
SERVICES = "_cost_of_services"
QALY = "_qaly"
BASELINE_COST = "_cost_at_baseline"
BASELINE_UTILITY = "_utility_at_baseline"
WITHOUT = {
    BASELINE_COST: "no adjustment for baseline costs: there are none, or all are the same",
    BASELINE_UTILITY: "no adjustment for baseline utility: it is the same for everyone",
}
# Full health: what a shift of utilities may not pass.
FULL_HEALTH = 1.0


@dataclass(frozen=True)
class Evaluated:
    """Costs and effects, for the models.

    Attributes
    ----------
    setting : Setting
        What was asked.
    tables : pandas.DataFrame
        Imputations 0 to m with the columns `COST`, `SERVICES` (cost without the intervention),
        `QALY`, `BASELINE_COST`, `BASELINE_UTILITY`.
    adjust : list of str
        Columns that are adjusted for: baseline cost and utility, then the plan's covariates. From
        `evaluated`, a baseline is left out where it is the same for everyone in all tables; in
        `Compared`, also where it is the same for all who are analysed.
    note : str
        What is to be said of every adjusted result; empty where there is nothing.
    constant : tuple of str
        Columns not adjusted for, as they are the same for all who are analysed or the setting
        leaves them out, which are known of them nevertheless.
    apart : bool
        Whether each outcome is adjusted for its own baseline alone.
    """

    setting: Setting
    tables: pd.DataFrame
    adjust: list[str]
    note: str
    constant: tuple[str, ...] = ()
    apart: bool = False

    @property
    def needed(self) -> list[str]:
        """Columns without which nobody is analysed."""
        return [COST, QALY, *self.adjust, *self.constant]


def evaluated(source: Source, setting: Setting) -> Evaluated:
    """Work out what everyone cost and what their life was worth, in every imputation.

    Parameters
    ----------
    source : Source
        Tables and prices.
    setting : Setting
        What is asked.

    Returns
    -------
    Evaluated

    Raises
    ------
    StudyError
        If something needed is not among the imputed variables.
    ValueError
        If the cost of the intervention could not be shared by that rule.
    """
    baseline, *later = source.visits
    services = sum(
        visit_costs(source, setting, v.id, True) * discounts(source, setting, v.id) for v in later
    )
    columns = {
        COST: services + intervention_costs(source, setting),
        SERVICES: services,
        QALY: life_years(source, setting),
        BASELINE_COST: visit_costs(source, setting, baseline.id, False),
        BASELINE_UTILITY: source.stacked(f"{setting.utility}_{baseline.id}"),
    }
    without = [name for name in WITHOUT if not _varies(columns[name])]
    baselines = [name for name in WITHOUT if name not in without]
    used = {
        None: [*baselines, *source.plan.covariates],
        "pair": [],
        "change": [],
    }.get(setting.adjust, baselines)
    if setting.adjust == "change":
        columns[COST] = columns[COST] - baseline_share(source) * columns[BASELINE_COST]
        years = float(nominal_times(source.visits, 1)[0, -1])
        columns[QALY] = columns[QALY] - years * columns[BASELINE_UTILITY]
    frame = source.tables.assign(**{name: values.ravel() for name, values in columns.items()})
    frame.attrs = {NOT_IMPUTED: reasons(frame) | _not_imputed(source, setting)}
    return Evaluated(
        setting=setting,
        tables=frame,
        adjust=used,
        note="; ".join(WITHOUT[name] for name in without if setting.adjust != "pair"),
        constant=tuple(n for n in [*baselines, *source.plan.covariates] if n not in used),
        apart=setting.adjust == "own_baseline",
    )


def baseline_share(source: Source) -> float:
    """Return the months up to the horizon over those whose use the baseline asks about."""
    first = source.economics.baseline_months or source.visits[1].months
    return source.visits[-1].months / first


def _not_imputed(source: Source, setting: Setting) -> dict[str, str]:
    """Return the columns of an evaluation that follow from what could not be imputed, and why."""
    baseline, *later = source.visits
    counted = source.prices[source.prices[f"in_{setting.perspective}"].astype(bool)]

    def use(visits: list[str]) -> list[str]:
        return counted.loc[counted["visit"].isin(visits), "variable"].tolist()

    parts = {
        COST: use([visit.id for visit in later]),
        QALY: [f"{setting.utility}_{visit.id}" for visit in source.visits],
        BASELINE_COST: use([baseline.id]),
        BASELINE_UTILITY: [f"{setting.utility}_{baseline.id}"],
    }
    known = reasons(source.tables)
    lost = {column: [p for p in names if p in known] for column, names in parts.items()}
    return {column: known[names[0]] for column, names in lost.items() if names}


def visit_costs(source: Source, setting: Setting, visit: str, shifted: bool) -> np.ndarray:
    """Return the costs of services in the period before a visit, shape (m + 1, n).

    Parameters
    ----------
    source, setting
        What is asked.
    visit : str
        Id of the visit.
    shifted : bool
        Whether the deltas of the setting apply: at follow-up visits.

    Returns
    -------
    numpy.ndarray
        Zero where no service of the perspective was asked for at that visit.

    Notes
    -----
    Where the interview is missing, costs are changed as the deltas say: what is added, times the
    share of the period lived through; a cost is not taken below 0. A service that was left blank in
    an interview that took place is no reason to. Then costs above the quantile of a table are set
    to it. Nothing is discounted here.
    """
    alive, full = source.alive(visit), full_costs(source, setting, visit)
    if full is None:
        return np.zeros((len(source.tables) // source.n, source.n))
    total = lived_through(full, alive)
    if shifted and setting.delta.cost:
        times, plus = _by_arm(source, setting.delta.cost)
        changed = np.maximum(times * total + plus * alive, 0.0)
        total = np.where(imputed_for_missed(source, visit, total), changed, total)
    if setting.winsorise is not None:
        known = np.isfinite(total).any(axis=1)
        limit = np.nanquantile(total[known], setting.winsorise, axis=1, keepdims=True)
        total[known] = np.minimum(total[known], limit)
    return total


def full_costs(source: Source, setting: Setting, visit: str) -> np.ndarray | None:
    """Return what services would have cost if everyone had lived through the period, (m + 1, n).

    None where no service of the perspective was asked for at that visit.
    """
    rows = source.prices[source.prices["visit"] == visit]
    rows = rows[rows[f"in_{setting.perspective}"].to_numpy(dtype=bool)]
    if rows.empty:
        return None
    total = np.zeros((len(source.tables) // source.n, source.n))
    for row in rows.itertuples():
        price = row.price * setting.multiples.get(row.service, 1.0)
        total += price * counted_use(source, setting, row.service, row.variable)
    return total


def counted_use(source: Source, setting: Setting, service: str, variable: str) -> np.ndarray:
    """Return what of the use of a service is paid for, shape (m + 1, n).

    All of it; by the friction-cost method, of days off work those until somebody else does the work
    (Koopmanschap et al. 1995, J Health Econ 14:171-189), taking those of a period as one absence.
    """
    used, absence = source.stacked(variable), source.economics.absence
    if absence is None or service != absence.service or setting.absence == "human-capital":
        return used
    return absence.elasticity * np.minimum(used, absence.friction_days)


def discounts(source: Source, setting: Setting, visit: str) -> np.ndarray:
    """Return what costs of the period before a follow-up count for, by how much of it was lived."""
    begin, end = source.years(visit)
    until = begin + source.alive(visit) * (end - begin)
    return discount_factor(begin, until, setting.discount.costs)


def lived_through(costs: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return costs for the share of the period lived through: none after death, known or not."""
    return np.where(alive == 0.0, 0.0, costs * alive)


def intervention_costs(source: Source, setting: Setting) -> np.ndarray:
    """Return the cost of the intervention by the sharing rule of a setting, shape (n,)."""
    if setting.share is None:
        return np.zeros(source.n)
    name = f"intervention_{setting.share}"
    if name not in source.people:
        raise ValueError(f"the cost of the intervention could not be shared over {setting.share}")
    return setting.intervention * source.people[name].to_numpy(dtype=float)


def curve_weights(source: Source, setting: Setting) -> np.ndarray:
    """Return what the utility of each person and visit counts in years, shape (n, visits)."""
    visits = source.visits
    nominal = nominal_times(visits, source.n)
    alive = np.stack([source.alive(visit.id) for visit in visits], axis=1)
    times = interview_times(visits, source.people) if setting.interviews else nominal
    death, horizon = times_of_death(nominal, alive), float(nominal[0, -1])
    return discounted_weights(times, death, horizon, setting.discount.effects)


def life_years(source: Source, setting: Setting) -> np.ndarray:
    """Return quality-adjusted life years up to the horizon, shape (m + 1, n).

    Utilities of missed interviews are changed as the deltas say, those of the dead are not; a
    utility is not taken above full health.
    """
    utilities = np.stack(
        [source.stacked(f"{setting.utility}_{visit.id}") for visit in source.visits], axis=-1
    )
    if setting.delta.utility:
        times, plus = _by_arm(source, setting.delta.utility)
        for v, visit in enumerate(source.visits[1:], start=1):
            found = utilities[..., v]
            changed = np.minimum(times * found + plus, np.maximum(found, FULL_HEALTH))
            utilities[..., v] = np.where(
                imputed_for_missed(source, visit.id, found), changed, found
            )
    return quality_adjusted_life_years(utilities, curve_weights(source, setting))


def imputed_for_missed(source: Source, visit: str, values: np.ndarray) -> np.ndarray:
    """Return which values (m + 1, n) of a visit were imputed as the interview is missing.

    Those that were left blank in an interview that took place are missing for another reason.
    """
    missed = np.isnan(values[0]) & source.missed(visit)
    return missed & (np.arange(len(values)) > 0)[:, None]


def _by_arm(source: Source, delta: dict[str, float | Change]) -> tuple[np.ndarray, np.ndarray]:
    """Return by what values of each person are multiplied, and what is added; each (n,)."""
    none = Change()
    changes = {a: c if isinstance(c, Change) else Change(plus=c) for a, c in delta.items()}
    found = [changes.get(arm, none) for arm in source.arm()]
    return np.array([c.times for c in found]), np.array([c.plus for c in found])


def _varies(values: np.ndarray) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 0 and known.min() < known.max()
