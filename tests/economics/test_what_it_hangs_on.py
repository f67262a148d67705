"""What an evaluation hangs on: adjustments, who is left out, information, missed interviews.

`test_evaluation_against_r.py` compares all of it with a second programming in R; here is what R's
extract does not have: other designs, what fails, what follows by hand.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small_trial
from pydantic import ValidationError
from small_trial import one, small

from ccp_analysis.config.economics import Axis, Economics, Variation
from ccp_analysis.economics.compared import Compared, compared
from ccp_analysis.economics.departures import REFERENCE_BASED, departure_rows
from ccp_analysis.economics.left_out import concentration_rows, influence_rows
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import COST, QALY, evaluated
from ccp_analysis.economics.setting import main_setting, setting_of
from ccp_analysis.economics.stage import main_rows
from ccp_analysis.economics.standard_errors import error_rows
from ccp_analysis.economics.uncertainty import figure_data
from ccp_analysis.economics.variations import variation_rows

WAYS = ("pair", "change", "own_baseline", "both_baselines")
ADJUST = [{"id": way, "label": way, "adjust": way} for way in WAYS]
ALONE = {"clusters": None}


def asked(**more) -> list[dict]:
    """Return the differences of every adjustment."""
    economics = {"sensitivity": ADJUST, **more.pop("economics", {})}
    return variation_rows(small(economics=economics, **more))


def difference(rows: list[dict], way: str, outcome: str, **more) -> dict:
    return one(rows, analysis=f"economics_{way}", outcome=outcome, term="difference", **more)


def data_of(source, way=None):
    entry = Variation(id="x", label="x", adjust=way) if way else None
    setting = setting_of(source, entry) if entry else main_setting(source.economics)
    return compared(source.study, source.plan, evaluated(source, setting), "imputed")


# ------------------------------------------------------------------ adjustments


@pytest.fixture(scope="module")
def ways() -> list[dict]:
    return asked()


def test_every_adjustment_has_the_same_people(ways):
    """Also where a baseline is missing, which only some of them use."""
    tables = small_trial.imputed(small_trial.people())
    tables.loc[tables["participant"].isin(["P005", "P041"]), "gp_before"] = np.nan
    tables.loc[tables["participant"] == "P060", "age"] = np.nan
    for rows, n in ((ways, 72), (asked(tables=tables), 69)):
        assert {row["n"] for row in rows if row["term"] == "difference"} == {n}


def costing(cost, way=None) -> Compared:
    """Return the people of the evaluation with other costs: of their number, arm and QALYs."""
    data = data_of(small(), way)
    frame = data.chosen.frame.assign(**{COST: cost})
    return replace(data, chosen=replace(data.chosen, frame=frame))


def of_the_arm(frame):
    return 100.0 * (frame["arm"] == "new")


def test_exact_costs_stop_no_row_of_qalys_with_a_baseline_of_its_own():
    alone, exact = np.array([[0.0, 1.0]]), costing(of_the_arm, "own_baseline")
    expected, _ = data_of(small(), "own_baseline").fit_sums(alone)
    found, method = exact.fit_sums(alone)
    assert method == "cr2"
    for name in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)
    with pytest.raises(ValueError, match="exact"):
        exact.fit_sums(alone[:, ::-1])


NO_ERROR_OF_ITS_OWN = {
    "same for everyone": lambda frame: 7.0,
    "of the arm": of_the_arm,
    "of the arm in one table": lambda frame: np.where(
        np.arange(len(frame)) < len(frame) // small_trial.M, of_the_arm(frame), frame[COST]
    ),
}


@pytest.mark.parametrize("case", NO_ERROR_OF_ITS_OWN)
def test_net_benefit_is_fitted_where_costs_have_no_error_of_their_own(case):
    data = costing(NO_ERROR_OF_ITS_OWN[case])
    cost, qaly = np.moveaxis(data.values(COST, QALY), 1, 0)
    worth = np.array([20_000.0, 30_000.0])
    found, method = data.fit_sums(np.stack([-np.ones(2), worth], axis=1))
    direct, _ = data.fit_all(worth[:, None] * qaly[:, None] - cost[:, None])
    assert method == "cr2" and (found.std_error[..., 0] > 0.0).all()
    np.testing.assert_allclose(found.estimate, direct.estimate, rtol=1e-12)
    np.testing.assert_allclose(found.std_error, direct.std_error, rtol=1e-12)
    with pytest.raises(ValueError, match="constant or fitted exactly"):
        data.fit_sums(np.array([[-1.0, 0.0]]))


def test_a_sum_that_is_fitted_exactly_fails_though_neither_outcome_is():
    """Costs are what the QALYs are worth at one threshold, but for the arm."""
    data = costing(lambda frame: 20_000.0 * frame[QALY] + of_the_arm(frame))
    for worth in (10_000.0, 30_000.0):
        assert (data.fit_sums(np.array([[-1.0, worth]]))[0].std_error[..., 0] > 0.0).all()
    with pytest.raises(ValueError, match="constant or fitted exactly"):
        data.fit_sums(np.array([[-1.0, 20_000.0]]))


def test_what_is_assumed_is_said_of_each(ways):
    notes = {way: difference(ways, way, "cost")["note"] for way in WAYS}
    assert len(set(notes.values())) == 4
    assert notes["change"].startswith("assumes that without the intervention costs and utility")
    random = asked(study={"randomised": True})
    assert not difference(random, "change", "cost").get("note")


def test_without_clusters_people_are_the_units_of_every_adjustment():
    rows = asked(study=ALONE)
    assert not [row for row in rows if row.get("status") == "failed"]
    arms = data_of(small(study=ALONE)).chosen.frame.groupby("arm")[COST].mean()
    row = difference(rows, "pair", "cost")
    assert row["estimate"] == pytest.approx(arms["new"] - arms["usual"])
    assert (row["inference"], row["n_clusters"]) == ("t", None)
    # Two designs have no common variance: everyone is a cluster of two.
    assert difference(rows, "own_baseline", "cost")["inference"] == "cr2"
    source = small(study=ALONE)
    for found, term in (
        (influence_rows(data_of(source), [20000.0]), "difference without one person"),
        (error_rows(data_of(source), [20000.0]), "standard error"),
    ):
        assert {(row["term"], row["inference"]) for row in found} == {(term, "t")}


def test_without_baseline_costs_the_cost_stands_as_it_is():
    rows = asked(price_table=small_trial.prices(("after",)))
    assert not [row for row in rows if row.get("status") == "failed"]
    cost = {way: difference(rows, way, "cost") for way in WAYS}
    for way in ("change", "own_baseline"):
        assert cost[way]["estimate"] == pytest.approx(cost["pair"]["estimate"])
        assert "no adjustment for baseline costs" in cost[way]["note"]
    assert "no adjustment" not in cost["pair"]["note"]


# ------------------------------------------------------------------ who is left out


@pytest.fixture(scope="module")
def main():
    return data_of(small())


@pytest.fixture(scope="module")
def influence(main) -> list[dict]:
    return influence_rows(main, [20000.0])


def test_nobody_is_named(influence, main):
    people = set(main.chosen.frame["participant"])
    for row in influence:
        assert not people & {str(value) for value in row.values()}
        assert not any(name in (row.get("note") or "") for name in people)


def test_a_pair_without_which_arms_cannot_be_compared_says_so():
    tables = small_trial.imputed(small_trial.people())
    source = small(tables=tables[tables["trust"].isin(["trust0", "trust1"])])
    rows = influence_rows(data_of(source), [20000.0])
    lost = [row for row in rows if row.get("status") == "failed"]
    outcomes, pairs = ("cost", "qaly", "net_benefit"), ("trust0", "trust1")
    assert {(r["outcome"], r["level"]) for r in lost} == {(o, p) for o in outcomes for p in pairs}
    assert {row["term"] for row in lost} == {"difference without one pair"} and len(lost) == 6
    assert all("has a single team" in row["note"] for row in lost)


def test_what_is_the_same_for_everyone_stops_nothing_else():
    tables = small_trial.imputed(small_trial.people())
    tables[["u_before", "u_after"]] = 0.7
    tables["alive_after"] = 1.0
    source = small(tables=tables)
    for rows in (influence_rows(data_of(source), [20000.0]), error_rows(data_of(source), [0.0])):
        assert {row["outcome"] for row in rows} == {"cost", "net_benefit"}
        assert not [row for row in rows if row.get("status") in ("failed", "refused")]


def test_costs_of_a_few_and_of_all_alike():
    source = small()
    chosen = data_of(source).chosen

    def concentrated(frame):
        return concentration_rows(source, replace(chosen, frame=frame))

    for row in concentrated(chosen.frame.assign(**{COST: 100.0})):
        value = {"dearest 5%": 0.05, "dearest 10%": 0.1}.get(row.get("subgroup"), 0.0)
        assert row["estimate"] == pytest.approx(value, abs=1e-12)
    dear = chosen.frame.assign(**{COST: 0.0})
    dear.loc[~dear.duplicated(["imputation", "arm"]), COST] = 5000.0
    for row in concentrated(dear):
        value = 1.0 if row.get("subgroup") else 1.0 - 1.0 / row["n"]
        assert row["estimate"] == pytest.approx(value)
    assert concentrated(dear.assign(**{COST: 0.0})) == []


# ------------------------------------------------------------------ information


def test_information_by_the_bootstrap_is_that_of_its_draws():
    rows, draws = main_rows(small(), 7200.0)
    assert not [r for r in rows if str(r["term"]).endswith("population")]
    where = {"term": "expected value of perfect information", "inference": "bootstrap"}
    for threshold in (0, 10000, 20000, 30000):
        gains = threshold * draws.effect - draws.cost
        drawn = np.maximum(gains, 0).mean() - max(gains.mean(), 0)
        row = one(rows, **where, threshold=threshold)
        assert row["estimate"] == pytest.approx(drawn) and row["level"] == "new - usual"
    table = figure_data(small().study, draws)
    assert list(table) == ["draw", "cost_new_minus_usual", "qaly_new_minus_usual"]
    np.testing.assert_array_equal(table["cost_new_minus_usual"], draws.cost)
    none = figure_data(small().study, None)
    assert len(table) == 200 and list(none) == list(table) and none.empty


def test_a_net_benefit_that_failed_has_no_information():
    tables = small_trial.imputed(small_trial.people())
    tables = tables[tables["team"].isin(["T0", "T1"])]
    rows, _ = main_rows(small(tables=tables), 7200.0)
    assert not [row for row in rows if str(row["term"]).startswith("expected value")]
    whys = [r for r in rows if r["term"] in ("standard error", "difference without one person")]
    assert len(whys) == 2 and all(row["status"] == "failed" and row["note"] for row in whys)


# ------------------------------------------------------------------ missed interviews

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
    with pytest.raises(ValidationError, match="own_baseline"):
        Variation(id="x", label="x", adjust="covariates")


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
