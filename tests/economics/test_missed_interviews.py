"""Costs and utilities of missed interviews, beside what R has of deltas, the grid and its tips."""

from __future__ import annotations

import pandas as pd
import pytest
import small_trial
from pydantic import ValidationError
from small_trial import one, small

from ccp_analysis.config.economics import Axis, Economics
from ccp_analysis.economics.compared import compared
from ccp_analysis.economics.departures import REFERENCE_BASED, departure_rows
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import evaluated
from ccp_analysis.economics.setting import main_setting

DEPARTURES = {
    "arms": ["new"],
    "cost": {"times": [0.5, 1.0, 2.0]},
    "utility": {"plus": [-0.3, 0.0, 0.2]},
    "reference_based": ["JR"],
}


def departed(**more):
    """Return the main comparison, and the rows of departures."""
    source = small(economics={"departures": DEPARTURES}, **more)
    values = evaluated(source, main_setting(source.economics))
    data = compared(source.study, source.plan, values, "imputed")
    return data, departure_rows(source, lambda: data)


def test_jump_to_reference_moves_the_lost_of_the_active_arm_by_the_difference():
    _, rows = departed()
    found = {
        (row["perspective"], row["threshold"]): row
        for row in rows
        if row["analysis"] == REFERENCE_BASED and row["inference"] == "jackknife"
    }
    assert set(found) == {(s, t) for s in ("MAR", "JR") for t in (20000, 30000)}
    for threshold in (20000, 30000):
        jump, random = (found[s, threshold] for s in ("JR", "MAR"))
        # Towards zero but for the cost of the intervention, which is spent on whoever is lost.
        assert jump["estimate"] != random["estimate"]
        assert abs(jump["estimate"] + 200) < abs(random["estimate"] + 200)
        assert jump["df"] == small_trial.TEAMS / 2 - 1


def test_where_nobody_is_lost_scenarios_are_one():
    nobody = small_trial.imputed(small_trial.people())
    first = nobody[nobody["imputation"] == 1].sort_values("participant")
    data, rows = departed(tables=pd.concat([first.assign(imputation=k) for k in range(3)]))
    rows = [row for row in rows if row["analysis"] == REFERENCE_BASED]
    assert {row["perspective"] for row in rows} == {"MAR = JR"}
    plain = one(net_benefit_rows(data, [20000]), term="difference")
    for row in rows:
        if row["threshold"] == 20000:
            assert row["estimate"] == pytest.approx(plain["estimate"])


@pytest.mark.parametrize("axis", [{}, {"times": [1, 2], "plus": [0, 1]}, {"plus": [1, 1]}])
def test_an_axis_is_one_increasing_list(axis):
    with pytest.raises(ValidationError):
        Axis.model_validate(axis)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"id": "departures", "intervention": 2}, "'departures' is what another part is called"),
        ({"id": "friction", "absence": "friction-cost"}, "absence is expected"),
    ],
)
def test_a_variation_that_does_not_fit_the_evaluation_is_named(entry, said):
    content = small_trial.ECONOMICS | {"sensitivity": [{"label": "X", **entry}]}
    assert any(said in sentence for sentence in Economics.model_validate(content).references())
