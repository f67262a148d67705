"""Areas under utility curves, by hand: visits, deaths, dates of interviews, the horizon."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_trial import ECONOMICS, STUDY

from ccp_analysis.config.economics import Economics
from ccp_analysis.config.study import Study
from ccp_analysis.economics.qalys import (
    interview_times,
    nominal_times,
    quality_adjusted_life_years,
    times_of_death,
    utility_weights,
    visits_up_to_horizon,
)
from ccp_analysis.errors import StudyError

FOREVER = np.inf


def study(*months: float) -> Study:
    visits = [{"id": f"m{m:g}", "label": f"{m:g}", "months": m, "date": "met"} for m in months]
    return Study.model_validate(STUDY | {"visits": visits})


def economics(months: float) -> Economics:
    return Economics.model_validate(ECONOMICS | {"months": months})


def area(utilities, times, death=FOREVER, horizon=1.0) -> float:
    weights = utility_weights(np.array([times]), np.array([death]), horizon)
    return quality_adjusted_life_years(np.array([utilities]), weights)[0]


def test_life_years_are_the_area_under_the_curve():
    by_hand = (0.5 + 0.7) / 2 * 0.25 + (0.7 + 0.9) / 2 * 0.75
    assert area([0.5, 0.7, 0.9], [0, 0.25, 1]) == pytest.approx(by_hand)
    assert area([1, 1, 1], [0, 0.25, 1]) == pytest.approx(1)
    assert np.isnan(area([0.4, np.nan, 0.4], [0, 0.25, 1]))


def test_the_curve_of_the_dead_falls_to_zero_at_the_death():
    assert area([0.8, 0.0], [0, 0.5], death=0.125, horizon=0.5) == pytest.approx(0.8 * 0.125 / 2)
    # In the second period; what is after it counts nothing, even where it is not known.
    by_hand = (0.8 + 0.6) / 2 * 0.25 + 0.6 / 2 * 0.25
    assert area([0.8, 0.6, np.nan], [0, 0.25, 1], death=0.5) == pytest.approx(by_hand)
    # On the first day; and on the day of the visit, with and without what it would have been.
    assert area([0.8, 0.6, 0.5], [0, 0.25, 1], death=0.0) == 0
    assert area([0.8, 0.6], [0, 1], death=1.0) == pytest.approx(0.4)


def test_a_late_interview_is_cut_at_the_horizon_and_an_early_one_carried_to_it():
    # From 0.5 to 0.9 over 0.8 years: 0.75 at the horizon of 0.5.
    assert area([0.5, 0.9], [0, 0.8], horizon=0.5) == pytest.approx((0.5 + 0.75) / 2 * 0.5)
    assert area([0.5, 0.9], [0, 0.4], horizon=0.5) == pytest.approx(0.7 * 0.4 + 0.9 * 0.1)
    # A visit that took place after the horizon only bends what lies before it.
    assert area([0.5, 0.9, 0.1], [0, 0.8, 0.9], horizon=0.5) == pytest.approx(0.625 * 0.5)


def test_times_of_death_from_the_share_of_the_period_lived_through():
    nominal = np.tile([0, 0.25, 1.0], (4, 1))
    alive = np.array([[1, 1, 1], [1, 0.2, 0], [1, 1, 0.5], [1, 0, 0]])
    assert times_of_death(nominal, alive).tolist() == [FOREVER, 0.05, 0.625, 0]


def test_whoever_was_interviewed_early_and_died_before_the_visit_was_due_keeps_that_utility():
    nominal, alive = np.array([[0, 1 / 6, 0.5]]), np.array([[1.0, 1.0, 0.0]])
    [death] = times_of_death(nominal, alive)
    assert death > 1 / 6 and death == pytest.approx(1 / 6)
    by_hand = (0.8 + 0.6) / 2 / 6
    for last in (0.0, np.nan):
        assert area([0.8, 0.6, last], nominal[0], death, 0.5) == pytest.approx(by_hand)
    # At the day of the interview the curve bends, and falls to 0 at the death.
    early = [0, 0.1, 0.5]
    by_hand = (0.8 + 0.6) / 2 * 0.1 + 0.6 / 2 * (1 / 6 - 0.1)
    assert area([0.8, 0.6, 0.0], early, death, 0.5) == pytest.approx(by_hand)


def test_planned_and_actual_times():
    visits = study(0, 3, 12).visits
    assert nominal_times(visits, 2).tolist() == [[0, 0.25, 1]] * 2
    start = pd.Timestamp("2020-01-01")
    people = pd.DataFrame(
        {
            "met_m0": [start, start, start, pd.NaT],
            "met_m3": pd.to_datetime(["2020-04-01", None, "2021-03-01", "2020-04-01"]),
            "met_m12": pd.to_datetime(["2021-02-01", "2021-01-01", "2021-01-01", "2021-01-01"]),
        }
    )
    found = interview_times(visits, people)
    assert found[0] == pytest.approx([0, 91 / 365.25, 397 / 365.25])
    assert found[1] == pytest.approx([0, 0.25, 366 / 365.25])  # no date: as planned
    assert found[2].tolist() == [0, 0.25, 1]  # the second after the third: as planned
    assert found[3].tolist() == [0, 0.25, 1]  # no date of the first
    assert interview_times(visits, people[["met_m3"]]).tolist() == [[0, 0.25, 1]] * 4
    undated = [visit.model_copy(update={"date": None}) for visit in visits]
    assert interview_times(undated, people).tolist() == [[0, 0.25, 1]] * 4


def test_visits_after_the_horizon_do_not_count_and_none_at_it_is_refused():
    found = visits_up_to_horizon(study(0, 6, 12), economics(6))
    assert [visit.id for visit in found] == ["m0", "m6"]
    with pytest.raises(StudyError, match="horizon is 12 months, at which there is no visit"):
        visits_up_to_horizon(study(0, 6), economics(12))
