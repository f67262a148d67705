"""Quality-adjusted life years: the area under each person's utility curve, as weights.

The area is linear in the utilities, so that it is kept as one weight for each person and visit: the
same weights serve observed values, every imputation and every resampled data set.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.config.economics import MONTHS_A_YEAR, Economics
from ccp_analysis.config.study import Study, Visit
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import ECONOMICS

DAYS_A_YEAR = 365.25


def visits_up_to_horizon(study: Study, economics: Economics) -> list[Visit]:
    """Return the visits up to the horizon, the last of them at it.

    Parameters
    ----------
    study : Study
        For the nominal months of the visits.
    economics : Economics
        For the horizon.

    Returns
    -------
    list of Visit

    Raises
    ------
    StudyError
        If no follow-up visit stands at the horizon.
    """
    visits = [visit for visit in study.visits if visit.months <= economics.months]
    if len(visits) < 2 or visits[-1].months != economics.months:
        raise StudyError(
            f"{ECONOMICS}: the horizon is {economics.months:g} months, at which there is no visit."
        )
    return visits


def nominal_times(visits: list[Visit], people: int) -> np.ndarray:
    """Return when the visits were planned, in years after the first, shape (people, visits)."""
    months = np.array([visit.months for visit in visits]) - visits[0].months
    return np.tile(months / MONTHS_A_YEAR, (people, 1))


def interview_times(visits: list[Visit], people: pd.DataFrame) -> np.ndarray:
    """Return when people were interviewed, in years after their baseline interview.

    Parameters
    ----------
    visits : list of Visit
        Up to the horizon; `date` names the variable of the interview's date.
    people : pandas.DataFrame
        One row for each person, with ``{date}_{visit}`` where a visit has dates.

    Returns
    -------
    numpy.ndarray
        Shape (people, visits). The planned time where a date is not known, and at all visits of a
        person whose dates and planned times, taken together, do not increase.
    """
    nominal = nominal_times(visits, len(people))
    names = [f"{visit.date}_{visit.id}" for visit in visits]
    if names[0] not in people:
        return nominal
    times = nominal.copy()
    for v, name in enumerate(names[1:], start=1):
        if name in people:
            days = (people[name] - people[names[0]]).dt.days.to_numpy(dtype=float)
            times[:, v] = np.where(np.isfinite(days), days / DAYS_A_YEAR, nominal[:, v])
    rising = np.all(np.diff(times, axis=1) > 0, axis=1)
    return np.where(rising[:, None], times, nominal)


def times_of_death(nominal: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return when people died, in years after the baseline; infinite where they lived.

    Parameters
    ----------
    nominal : array_like
        Planned times of the visits, shape (n, v).
    alive : array_like
        Share of the period before each visit that a person lived through, shape (n, v); that of the
        first visit is not looked at.

    Returns
    -------
    numpy.ndarray
        Shape (n,). Who was interviewed at a visit and died before it was due, and so lived through
        all of the period before it and nothing of that after it, died just after its planned time:
        what was measured there counts.
    """
    nominal, alive = np.asarray(nominal, dtype=float), np.asarray(alive, dtype=float)
    died_in = alive[:, 1:] < 1.0
    first = died_in.argmax(axis=1)
    row = np.arange(len(alive))
    before, after = nominal[row, first], nominal[row, first + 1]
    died = before + alive[row, first + 1] * (after - before)
    interviewed = (alive[row, first + 1] == 0.0) & (first > 0)
    died = np.where(interviewed, np.nextafter(before, np.inf), died)
    return np.where(died_in.any(axis=1), died, np.inf)


def utility_weights(times: np.ndarray, death: np.ndarray, horizon: float) -> np.ndarray:
    """Return the weights by which utilities add up to the area under the curve.

    Parameters
    ----------
    times : array_like
        Years at which the utilities of each person hold, increasing from 0, shape (n, v).
    death : array_like
        Years until death, infinite for those who lived, shape (n,).
    horizon : float
        Years at which the curve is cut; a curve that ends before keeps its last value until then.

    Returns
    -------
    numpy.ndarray
        Shape (n, v); a person's quality-adjusted life years are the sum over visits of weight times
        utility. What is measured after death has the weight 0.

    Notes
    -----
    Trapezium rule (Manca, Hawkins & Sculpher 2005, Health Econ 14:487-496). Over the stretch from
    a to b, cut after h, a line from u_a to u_b has the area u_a (h - h^2 / 2L) + u_b h^2 / 2L with
    L = b - a. Somebody who dies has utility 0 from then on, and a line from the last utility to it.
    """
    times, death = np.asarray(times, dtype=float), np.asarray(death, dtype=float)
    weights = np.zeros_like(times)
    for v in range(times.shape[1] - 1):
        begin, planned = times[:, v], times[:, v + 1]
        living = death > begin
        dies = living & (death <= planned)
        end = np.where(dies, death, planned)
        length = end - begin
        within = np.clip(horizon - begin, 0.0, length)
        later = np.where(living, within**2 / (2.0 * length), 0.0)
        weights[:, v] += np.where(living, within, 0.0) - later
        weights[:, v + 1] += np.where(dies, 0.0, later)
    last = times[:, -1]
    weights[:, -1] += np.clip(np.minimum(horizon, death) - last, 0.0, None)
    return weights


def discounted_weights(
    times: np.ndarray, death: np.ndarray, horizon: float, rate: float
) -> np.ndarray:
    """Return the weights by which utilities add up to discounted life years.

    Parameters
    ----------
    times, death, horizon
        As for `utility_weights`.
    rate : float
        Annual rate of discounting.

    Returns
    -------
    numpy.ndarray
        Shape (n, v): the area of every year, which is the area up to its end less that up to its
        beginning, times what the year counts for.
    """
    total = before = np.zeros(np.shape(times))
    for year in range(int(np.ceil(horizon))):
        until = utility_weights(times, death, min(year + 1.0, horizon))
        total = total + (until - before) / (1.0 + rate) ** year
        before = until
    return total


def quality_adjusted_life_years(utilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the areas under utility curves, in years.

    Parameters
    ----------
    utilities : array_like
        Shape (..., n, v).
    weights : array_like
        From `utility_weights`, shape (n, v).

    Returns
    -------
    numpy.ndarray
        Shape (..., n); missing where a utility is missing whose weight is not 0.
    """
    counted = np.where(weights == 0.0, 0.0, np.asarray(utilities, dtype=float))
    return (counted * weights).sum(axis=-1)
