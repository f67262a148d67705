"""Costs and utilities of missed interviews: deltas, the grid and its tipping points, strategies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import small_trial
from pydantic import ValidationError
from small_trial import BLANK, DEAD, LOST, one, small

from ccp_analysis.config.economics import Axis, Economics
from ccp_analysis.economics.compared import compared
from ccp_analysis.economics.departures import GRID, REFERENCE_BASED, departure_rows
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import COST, QALY, evaluated
from ccp_analysis.economics.reach import budget_rows
from ccp_analysis.economics.setting import main_setting, setting_of

COSTS, UTILITIES = (0.5, 1.0, 2.0), (-0.3, 0.0, 0.2)
DEPARTURES = {
    "arms": ["new"],
    "cost": {"times": list(COSTS)},
    "utility": {"plus": list(UTILITIES)},
    "reference_based": ["JR"],
}


def varied(delta: dict, **more) -> tuple[np.ndarray, np.ndarray]:
    """Return what a delta changes in costs and in life years, shape (m, n) each."""
    entry = {"id": "x", "label": "X", "delta": delta}
    source = small(economics={"sensitivity": [entry], **more})
    plain = evaluated(source, main_setting(source.economics)).tables
    [variation] = source.economics.sensitivity
    found = evaluated(source, setting_of(source, variation)).tables
    return tuple((found[c] - plain[c]).to_numpy().reshape(-1, source.n)[1:] for c in (COST, QALY))


def test_deltas_change_what_missed_interviews_lack_and_nothing_else():
    source = small()
    new = source.arm() == "new"
    lost = np.isin(np.arange(source.n), LOST)
    cost, years = varied({"cost": {"new": 100.0}, "utility": {"new": {"plus": -0.1}}})
    # One service was left blank, in an interview that took place.
    assert new[BLANK] != new[DEAD] or not new[BLANK] or (cost[:, BLANK] == 0).all()
    np.testing.assert_allclose(cost[:, lost & new], 100.0)
    np.testing.assert_allclose(years[:, lost & new], -0.1 / 4)
    others = ~(lost & new)
    others[DEAD] = False
    assert (cost[:, others] == 0).all() and (years[:, others] == 0).all()
    # The dead have no interview: their costs are imputed for what they lived, their utility is 0.
    np.testing.assert_allclose(cost[:, DEAD], 100.0 * small_trial.DEAD_AT * new[DEAD])
    assert (years[:, DEAD] == 0).all()


def test_a_blank_service_is_no_missed_interview():
    both = {"usual": 500.0, "new": 500.0}
    cost, _ = varied({"cost": both})
    assert (cost[:, BLANK] == 0).all()
    np.testing.assert_allclose(cost[:, list(LOST)], 500.0)


def test_a_factor_multiplies_and_then_something_is_added():
    source = small()
    main = evaluated(source, main_setting(source.economics)).tables
    services = main["_cost_of_services"].to_numpy().reshape(-1, source.n)[1:]
    both = {"times": 1.2, "plus": 30.0}
    cost, _ = varied({"cost": {"usual": both, "new": both}})
    lost = list(LOST)
    np.testing.assert_allclose(cost[:, lost], 0.2 * services[:, lost] + 30.0)
    cost, _ = varied({"cost": {"usual": {"times": 0.0}, "new": {"times": 0.0}}})
    np.testing.assert_allclose(cost[:, lost], -services[:, lost])


@pytest.fixture(scope="module")
def departed():
    source = small(economics={"departures": DEPARTURES})
    data = compared(
        source.study, source.plan, evaluated(source, main_setting(source.economics)), "imputed"
    )
    return source, data, departure_rows(source, lambda: data)


def refitted(source, data, threshold, times, plus):
    """Return the net benefit when tables are changed by hand, unclipped."""
    lost = np.isin(np.arange(source.n), [*LOST, DEAD]) & (source.arm() == "new")
    living = lost & (np.arange(source.n) != DEAD)
    tables = data.evaluated.tables.copy()
    imputed = (tables["imputation"] > 0).to_numpy()
    lost, living = (np.tile(who, len(tables) // source.n) & imputed for who in (lost, living))
    tables.loc[lost, COST] += (times - 1.0) * tables.loc[lost, "_cost_of_services"]
    tables.loc[living, QALY] += plus / 4
    changed = type(data.evaluated)(
        data.evaluated.setting, tables, data.evaluated.adjust, "", data.evaluated.constant
    )
    again = compared(source.study, source.plan, changed, "imputed")
    return one(net_benefit_rows(again, [threshold]), term="difference")


def test_the_grid_is_what_changed_tables_give(departed):
    source, data, rows = departed
    assert not [row for row in rows if row.get("status")]
    for threshold in (20000, 30000):
        for times in COSTS:
            for plus in UTILITIES:
                row = one(
                    rows,
                    analysis=GRID,
                    term="difference",
                    threshold=threshold,
                    perspective=f"cost times {times:g}",
                    delta=plus,
                )
                expected = refitted(source, data, threshold, times, plus)
                for name in ("estimate", "std_error", "df", "conf_low", "conf_high"):
                    assert row[name] == pytest.approx(expected[name], rel=1e-8), name


def test_the_net_benefit_is_zero_at_its_tipping_point_and_undecided_within_the_interval(departed):
    source, data, rows = departed
    tips = [row for row in rows if row["term"] == "tipping point"]
    assert len(tips) == 2 * len(COSTS)
    for tip in tips:
        times = float(tip["perspective"].rpartition(" ")[2])
        at = refitted(source, data, tip["threshold"], times, tip["estimate"])
        assert at["estimate"] == pytest.approx(0.0, abs=1e-6 * at["std_error"])
        for end in ("conf_low", "conf_high"):
            if tip.get(end) is None:
                assert "reaches beyond" in tip["note"]
                continue
            there = refitted(source, data, tip["threshold"], times, tip[end])
            limits = np.abs([there["conf_low"], there["conf_high"]])
            assert limits.min() < 1e-6 * there["std_error"]


def test_jump_to_reference_moves_the_lost_of_the_active_arm_by_the_difference(departed):
    source, _, rows = departed
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
    nobody = small_trial.imputed(small_trial.people())
    first = nobody[nobody["imputation"] == 1].sort_values("participant")
    whole = pd.concat([first.assign(imputation=k) for k in range(3)])
    source = small(economics={"departures": DEPARTURES}, tables=whole)
    data = compared(
        source.study, source.plan, evaluated(source, main_setting(source.economics)), "imputed"
    )
    rows = [r for r in departure_rows(source, lambda: data) if r["analysis"] == REFERENCE_BASED]
    assert {r["perspective"] for r in rows} == {"MAR = JR"}
    plain = one(net_benefit_rows(data, [20000]), term="difference")
    for row in rows:
        if row["threshold"] == 20000:
            assert row["estimate"] == pytest.approx(plain["estimate"])


def test_the_budget_is_people_times_price_and_services(departed):
    _, data, _ = departed
    source = small(economics={"budget_impact": {"caseload": 50, "uptake": [0.2, 1], "price": 500}})
    rows = budget_rows(source, data)
    cost = data.fit_all(data.values(COST))[0].estimate[:, 0, 0].mean()
    whole = one(rows, term="budget impact", level="year 2")
    assert whole["estimate"] == pytest.approx(50 * (cost - 200 + 500))
    services = one(rows, term="budget impact: services", level="all years")
    assert services["estimate"] == pytest.approx(60 * (cost - 200))
    assert services["conf_low"] < services["estimate"] < services["conf_high"]
    assert one(rows, term="budget impact: intervention", level="year 1")["estimate"] == 5000


@pytest.mark.parametrize("axis", [{}, {"times": [1, 2], "plus": [0, 1]}, {"plus": [1, 1]}])
def test_an_axis_is_one_increasing_list(axis):
    with pytest.raises(ValidationError):
        Axis.model_validate(axis)


def test_what_other_parts_are_called_is_no_id_of_a_variation():
    entry = {"id": "departures", "label": "D", "intervention": 2}
    economics = Economics.model_validate(small_trial.ECONOMICS | {"sensitivity": [entry]})
    assert any("'departures' is what another part is called" in s for s in economics.references())
    entry = {"id": "friction", "label": "F", "absence": "friction-cost"}
    economics = Economics.model_validate(small_trial.ECONOMICS | {"sensitivity": [entry]})
    assert any("absence is expected" in s for s in economics.references())
