"""Costs and utilities inside the imputation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.study import load_study
from ccp_analysis.imputation import stage
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.imputation.predictors import choose_predictors
from ccp_analysis.imputation.services import read_services, total

DERIVED = Path("data/derived")
VISITS = ("baseline", "month6")
VALUE_SET = "  - {id: value_set"


def read(folder, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / DERIVED / f"{name}.parquet")


def predictors(folder) -> pd.DataFrame:
    """Variables and their predictors, without the parts of what is computed."""
    models = pd.read_csv(folder / DERIVED / "imputation_models.csv")
    return models[models["method"] != "derived"]


def services(folder) -> pd.DataFrame:
    prices = read(folder, "prices")
    return prices[prices.filter(like="in_").any(axis=1)]


def by_hand(tables: pd.DataFrame, folder, visit: str) -> np.ndarray:
    """Add up price times use over the main perspective, one service after the other."""
    cost = np.zeros(len(tables))
    for row in services(folder).itertuples():
        if row.visit == visit and row.in_nhs_pss:
            cost = cost + row.price * tables[row.variable].to_numpy()
    return cost * tables[f"alive_{visit}"].to_numpy() if f"alive_{visit}" in tables else cost


# --- costs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("visit", VISITS)
def test_every_cost_is_the_sum_of_the_services_of_its_imputation(ccp_done, visit):
    tables = read(ccp_done, "imputed").query("imputation > 0")
    expected = by_hand(tables, ccp_done, visit)
    np.testing.assert_allclose(tables[f"cost_{visit}"], expected, rtol=1e-12)
    observed = read(ccp_done, "imputed").query("imputation == 0")[f"cost_{visit}"].isna()
    assert observed.any()


def test_the_services_of_every_perspective_are_completed_with_whole_numbers(ccp_done):
    tables = read(ccp_done, "imputed").query("imputation > 0")
    used = services(ccp_done)
    assert {"su_gp_month6", "days_off_work_month6"} <= set(used["variable"])
    completed = tables[list(used["variable"])]
    assert completed.notna().all(axis=None)
    assert (completed == completed.round()).all(axis=None) and (completed >= 0).all(axis=None)
    # A service of another perspective is no part of the main one's cost.
    models = pd.read_csv(ccp_done / DERIVED / "imputation_models.csv")
    parts = models.loc[models["variable"] == "cost_month6", "predictor"]
    assert "days_off_work_month6" not in set(parts) and "su_gp_month6" in set(parts)


def test_without_prices_the_total_is_imputed_itself(copy_of_ccp):
    stage.run(
        participants=DERIVED / "participants.parquet",
        costs=DERIVED / "costs.parquet",
        imputed=DERIVED / "other.parquet",
        models=DERIVED / "other.csv",
    )
    models = pd.read_csv(DERIVED / "other.csv")
    assert set(models.loc[models["variable"] == "cost_month6", "method"]) == {"lrd"}
    assert not any(name.startswith("su_") for name in read(copy_of_ccp, "other"))


# --- who predicts what ----------------------------------------------------------------------------


def test_services_predict_services_of_their_visit_and_themselves_and_nothing_else(ccp_done):
    found = predictors(ccp_done)
    used = services(ccp_done).set_index("variable")
    theirs = found[found["predictor"].isin(used.index)]
    assert set(theirs["variable"]) <= set(used.index)
    assert len(theirs) > len(used)
    for row in theirs.itertuples():
        service, predictor = used.loc[row.variable], used.loc[row.predictor]
        same = service["service"] == predictor["service"]
        assert same or service["visit"] == predictor["visit"]
        assert (row.why == "same measure at another visit") == same


def test_the_total_never_predicts_its_own_parts(ccp_done):
    found = predictors(ccp_done)
    used = services(ccp_done)
    for visit, other in (VISITS, VISITS[::-1]):
        main = used.loc[(used["visit"] == visit) & used["in_nhs_pss"], "variable"]
        rows = found[found["variable"].isin(main)]
        assert f"cost_{visit}" not in set(rows["predictor"])
        if visit == "month6":
            by_service = rows.groupby("variable")["predictor"].agg(set)
            # As the evaluation adjusts for both of these.
            assert by_service.map({f"cost_{other}", f"utility_{other}"}.issubset).all()
    outside = found[~found["variable"].isin(used["variable"])]
    assert {"cost_baseline", "cost_month6"} <= set(outside["predictor"])
    assert not found["predictor"].str.startswith("alive_").any()


def test_groups_and_measures_that_are_barred():
    rng = np.random.default_rng(3)
    shared = rng.standard_normal(40)
    values = shared[:, None] + rng.standard_normal((40, 5))
    values[:5, 0] = np.nan

    def variable(name: str, **more) -> Variable:
        return Variable(f"{name}_after", name, False, None, (), **more)

    def chosen(target: Variable, *others: Variable) -> list[str]:
        variables = [target, *others]
        used = Encoded(values[:, : len(variables)], list(range(len(variables))), [""] * 5)
        table = choose_predictors(variables, used, lambda target: 9)[0].table
        return [(variables[p].name, why) for p, why in table[["predictor", "why"]].to_numpy()]

    b, c = variable("b", group="services"), variable("c")
    assert [name for name, _ in chosen(variable("a"), b, c)] == ["c_after"]
    assert len(chosen(variable("a", group="services"), b, c)) == 2
    assert len(chosen(variable("b", group="other"), b, c)) == 2  # the same measure
    barred = variable("a", barred=frozenset({"c"}))
    assert chosen(barred, variable("b"), c) == [("b_after", "correlation")]
    beside = variable("a", beside=frozenset({"c_after"}))
    assert chosen(beside, variable("b"), c)[0] == ("c_after", "covariate of the analyses")


# --- other value sets -----------------------------------------------------------------------------


def test_another_value_set_stands_aside(copy_of_ccp):
    """A sensitivity analysis of the evaluation leaves every other imputed value as it is."""
    tables, found = read(copy_of_ccp, "imputed"), predictors(copy_of_ccp)
    assert tables.query("imputation > 0")["utility_3l_month6"].notna().all()
    theirs = found[found["predictor"].str.startswith("utility_3l")]
    assert set(theirs["variable"]) <= {"utility_3l_month6", "utility_3l_baseline"}
    own = set(found.loc[found["variable"] == "utility_3l_month6", "predictor"])
    assert {"utility_3l_baseline", "cost_baseline", "age"} <= own
    assert not own & {"utility_baseline", "utility_month6"}
    copy_of_ccp.change("config/economics.yaml", VALUE_SET, "  # - {id: value_set")
    assert all(v.utility is None for v in load_economics().sensitivity)
    copy_of_ccp.impute()
    fewer = read(copy_of_ccp, "imputed")
    assert set(tables) - set(fewer) == {"utility_3l_baseline", "utility_3l_month6"}
    pd.testing.assert_frame_equal(tables[list(fewer)], fewer, check_exact=True)


@pytest.mark.parametrize("level", ["utility: items", "utility_3l: items, utility: items"])
def test_value_sets_of_imputed_items(copy_of_ccp, level):
    """A score that stands aside follows from the items, and leaves their imputation as it is."""
    asked = f"methods: {{}}\n  level: {{{level}}}"
    copy_of_ccp.change("config/analysis.yaml", "methods: {}", asked)
    copy_of_ccp.impute()
    models = pd.read_csv(DERIVED / "imputation_models.csv").groupby("variable")["method"].first()
    assert models["utility_month6"] == models["utility_3l_month6"] == "derived"
    items = [f"{item}_month6" for item in load_instruments()["utility"].items]
    completed = read(copy_of_ccp, "imputed").query("imputation > 0 and utility_month6 != 0")
    best = completed[(completed[items] == 1).all(axis=1)]
    assert len(best) and (best[["utility_month6", "utility_3l_month6"]] == 1).all(axis=None)
    # The same answers are worth the same, in whichever imputation.
    worth = completed.groupby(items)[["utility_month6", "utility_3l_month6"]].nunique()
    assert len(worth) > 50 and (worth == 1).all(axis=None)
    both = read(copy_of_ccp, "imputed")
    copy_of_ccp.change("config/economics.yaml", VALUE_SET, "  # - {id: value_set")
    copy_of_ccp.change("config/analysis.yaml", level, "utility: items")
    copy_of_ccp.impute()
    alone = read(copy_of_ccp, "imputed")
    pd.testing.assert_frame_equal(both[list(alone)], alone, check_exact=True)


# --- the pieces -----------------------------------------------------------------------------------


def test_a_total_by_hand():
    rule = total(("gp", "day"), np.array([40.0, 2.5]), "alive")
    assert rule.parts == ("gp", "day", "alive")
    use = np.array([[1.0, 2.0, 1.0], [3.0, 4.0, 0.5], [9.0, 9.0, 0.0]])
    assert rule.function(use).tolist() == [45.0, 65.0, 0.0]
    np.testing.assert_allclose(rule.quick(use), [45, 65, 0])
    plain = total(("gp", "day"), np.array([40.0, 2.5]), None)
    assert plain.parts == ("gp", "day")
    assert plain.function(use[:, :2]).tolist() == [45.0, 130.0, 382.5]


def test_which_services_are_read_from_the_prices(copy_of_ccp):
    study, economics = load_study(), load_economics()
    people = read(copy_of_ccp, "participants").drop(columns="alive_month6", errors="ignore")
    prices = read(copy_of_ccp, "prices")
    found = read_services(prices, economics, study, people)
    assert list(found.totals) == ["cost_baseline", "cost_month6"] and not found.alive
    assert found.use["su_gp_month6"] == ("su_gp", "month6")
    assert [visit for _, visit in found.use.values()] == sorted(v for _, v in found.use.values())
    nobodys = prices.assign(in_nhs_pss=False)
    assert not read_services(nobodys, economics, study, people).totals
    uncounted = prices.assign(in_nhs_pss=False, in_societal=prices["service"] == "days_off_work")
    assert set(read_services(uncounted, economics, study, people).use) == {
        "days_off_work_baseline",
        "days_off_work_month6",
    }
    alive = read_services(prices, economics, study, people.assign(alive_month6=1.0))
    assert alive.alive == ["alive_month6"]
    assert alive.totals["cost_month6"].parts[-1] == "alive_month6"
    assert "alive_baseline" not in alive.totals["cost_baseline"].parts


def test_a_column_with_a_stream_of_its_own_moves_no_other():
    rng = np.random.default_rng(5)
    data = rng.standard_normal((60, 4))
    data[:10, 0] = data[5:15, 1] = data[:20, 3] = np.nan
    models = [Conditional(0, (1, 2), "pmm"), Conditional(1, (0, 2), "pmm")]
    more = [models[0], Conditional(3, (0, 2), "pmm"), models[1]]
    how = {"m": 3, "iterations": 4}
    plain = impute(data[:, :3], models, rng=np.random.default_rng(1), **how)
    with_own = impute(
        data, more, rng=np.random.default_rng(1), streams={3: np.random.default_rng(2)}, **how
    )
    np.testing.assert_array_equal(plain.values, with_own.values[:, :, :3])
    without = impute(data, more, rng=np.random.default_rng(1), **how)
    assert (without.values[:, :, :3] != plain.values).any()
