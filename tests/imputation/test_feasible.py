"""What can be imputed from the values that were observed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files
from ccp_analysis.config.imputation import ImputationPlan
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.derived import parse
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.feasible import RESIDUAL_DF, Members, feasible
from ccp_analysis.imputation.plan import Variable

NAN = np.nan
TEAMS, SIZE = 4, 25
TEAM = np.repeat([f"T{k}" for k in range(TEAMS)], SIZE)
ARM = np.where(np.repeat(np.arange(TEAMS), SIZE) % 2, "a", "b")
NAMES = ["y", "y0", "age", *(f"x{k}" for k in range(12))]


class Asked:
    """A plan of which only the imputation counts."""

    def __init__(self, **more) -> None:
        given = {"imputations": 2, "iterations": 1, "donors": 5, **more}
        self.imputation = ImputationPlan.model_validate(given)


def members(**more) -> Members:
    return Members(**{"arm": ARM, "cluster": TEAM, "unit": "team", "by_arm": False, **more})


def some(observed: int) -> np.ndarray:
    """Return who is observed: as many of each team as can be."""
    order = np.concatenate([np.arange(k, TEAMS * SIZE, SIZE) for k in range(SIZE)])
    return np.isin(np.arange(TEAMS * SIZE), order[:observed])


def asked(seen: np.ndarray, plan=None, who=None, categories: tuple[str, ...] = (), **more):
    """Ask for a y, observed in some people, with a baseline, a covariate and twelve others."""
    rng = np.random.default_rng(7)
    values = rng.normal(size=(TEAMS * SIZE, len(NAMES)))
    values[:, 0] += values[:, 1]
    if categories:
        values[:, 0] = values[:, 0] > 0
    values[~seen, 0] = NAN
    variables = [Variable("y", "y", False, None, categories, beside=frozenset({"y0"}), **more)]
    variables.append(Variable("y0", "y", False, None, ()))
    variables.append(Variable("age", "age", True, None, ()))
    variables += [Variable(name, name, False, None, ()) for name in NAMES[3:]]
    encoded = Encoded(values, list(range(len(NAMES))), [""] * len(NAMES))
    never = np.zeros(values.shape, dtype=bool)
    chosen, refused = feasible(variables, encoded, plan or Asked(), who or members(), never)
    return chosen.get(0), refused.get(0, "")


@pytest.mark.parametrize(("observed", "predictors"), [(90, 9), (59, 5), (39, 3), (25, 2), (15, 2)])
def test_room_is_counted_by_observed_values_and_what_is_adjusted_for_needs_none(
    observed, predictors
):
    choice, refused = asked(some(observed))
    assert not refused
    assert choice.table["predictor"].tolist()[:2] == [1, 2]
    assert len(choice.table) == predictors
    assert len(choice.too_many) == 14 - predictors


def test_too_few_values_beside_the_coefficients():
    enough = TEAMS + 2 + RESIDUAL_DF
    assert asked(some(enough))[1] == ""
    choice, refused = asked(some(enough - 1))
    assert choice is None
    assert refused == "10 observed values are too few for 6 coefficients; at least 11 are expected"


def test_what_the_plan_adds_counts_as_a_coefficient():
    plan = Asked(predictors={"y": {"add": ["x0", "x1"]}})
    assert "too few for 8 coefficients" in asked(some(12), plan)[1]


WAY = "; with the method 2l.norm a team may be empty"


def test_a_team_or_an_arm_without_values():
    for gone, said in (
        (TEAM == "T2", f"the team T2{WAY}"),
        (ARM == "a", "the arm a"),
    ):
        assert asked(~gone)[1] == f"nobody was observed on it in {said}"
    both = ~np.isin(TEAM, ["T0", "T3"])
    assert asked(both)[1] == f"nobody was observed on it in the teams T0, T3{WAY}"
    assert asked(both, Asked(methods={"y": "2l.norm"}))[1] == ""
    without = members(cluster=ARM, unit="arm")
    assert asked(both, who=without)[1] == ""
    assert asked(ARM == "b", who=without)[1] == "nobody was observed on it in the arm a"


def test_models_by_arm_are_judged_by_arm():
    seen = some(100) & ((ARM == "b") | some(12))
    assert asked(seen)[1] == ""
    refused = asked(seen, who=members(by_arm=True))[1]
    assert refused.startswith("6 observed values in the arm a are too few for 4 coefficients")


def test_few_values_are_matched_only_where_most_are_observed():
    matched = Asked(methods={"y": "pmm"})
    assert asked(some(29), matched)[1] == (
        "29 observed values are too few to match 71 missing ones to; at least 30 or 40% are "
        "expected"
    )
    assert asked(some(30), matched)[1] == ""
    assert asked(some(29), Asked(methods={"y": "norm"}))[1] == ""
    few = Members(ARM, TEAM, "team", False)
    assert [few.donors(5, ~some(n)) for n in (60, 50, 49, 29, 9)] == [5, 5, 4, 2, 1]


def test_a_category_needs_two_codes_and_the_same_residual_freedom():
    assert asked(some(40), categories=("n", "y"))[1] == ""
    assert "too few for 6 coefficients" in asked(some(10), categories=("n", "y"))[1]
    rng = np.random.default_rng(1)
    values = np.column_stack([np.where(some(40), 0.0, NAN), rng.normal(size=100)])
    variables = [Variable("y", "y", False, None, ("n", "y")), Variable("x", "x", False, None, ())]
    encoded = Encoded(values, [0, 1], ["y", ""])
    found = feasible(variables, encoded, Asked(), members(), np.zeros((100, 2), dtype=bool))
    assert found[1] == {0: "everyone observed on it has the same category"}


def test_what_is_not_imputed_predicts_nothing_and_nothing_follows_from_it():
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(2, 100))
    values = np.column_stack([np.where(some(6), x, NAN), np.where(some(80), z, NAN), x + z])
    values = np.column_stack([values, np.where(some(6), x + 1, NAN)])
    variables = [
        Variable("few", "few", True, None, ()),
        Variable("many", "many", False, None, ()),
        Variable("whole", "whole", False, None, ()),
        Variable("sum", "sum", False, None, (), rule=parse("sum", "few + 1")),
    ]
    encoded = Encoded(values, [0, 1, 2, 3], [""] * 4)
    never = np.zeros(values.shape, dtype=bool)
    chosen, refused = feasible(variables, encoded, Asked(), members(), never)
    assert set(chosen) == {1} and set(refused) == {0, 3}
    assert refused[3] == f"it follows from 'few', and {refused[0]}"
    assert chosen[1].table["predictor"].tolist() == [2]
    assert ("few", "cannot be imputed itself") in chosen[1].removed


# --- the stages that follow -----------------------------------------------------------------------


def lose(folder, names: list[str], keep: int) -> None:
    """Delete the values of variables but those of the first people who have them."""
    path = folder / "data/derived/participants.parquet"
    people = pd.read_parquet(path)
    for name in names:
        there = people.index[people[name].notna()]
        people.loc[there[keep:], name] = NAN
    files.write_parquet(path, people)
    if any(name.startswith("su_") for name in names):
        folder.cost()
    folder.impute()


def test_analyses_of_what_is_not_imputed_are_rows_that_say_so(copy_of_ccp):
    lose(copy_of_ccp, ["eq_vas_month6"], 12)
    for analysis in ("ancova", "mixed", "team_means", "change"):
        found = copy_of_ccp.analyse(analysis).query("outcome == 'eq_vas'")
        assert found["status"].tolist() == ["refused"]
        assert found["estimate"].isna().all()
        [note] = found["note"]
        assert note.startswith("'eq_vas_month6' could not be imputed: nobody was observed on it in")
    others = copy_of_ccp.analyse("ancova").query("outcome != 'eq_vas'")
    assert set(others["status"]) == {"ok"}
    observed = copy_of_ccp.analyse("did").query("outcome == 'eq_vas' and inference == 'cr2'")
    assert observed["estimate"].notna().any()
    models = pd.read_csv(copy_of_ccp / "data/derived/imputation_models.csv")
    assert "eq_vas_month6" not in set(models["predictor"])
    tables = pd.read_parquet(copy_of_ccp / "data/derived/imputed.parquet")
    assert tables.groupby("imputation")["eq_vas_month6"].count().tolist() == [12, 12, 12]


def test_a_primary_outcome_that_is_not_imputed_stops_the_run(copy_of_ccp):
    lose(copy_of_ccp, ["social_capital_month6"], 9)
    said = "The primary analysis failed: ancova, social_capital: 'social_capital_month6' could not"
    with pytest.raises(StudyError, match=said):
        copy_of_ccp.analyse("ancova")
    rows = copy_of_ccp.analyse("mixed").query("outcome == 'social_capital'")
    assert rows["status"].tolist() == ["refused"]
    copy_of_ccp.sensitivity()
    rows = pd.read_parquet(copy_of_ccp / "data/derived/results/sensitivity.parquet")
    assert set(rows.loc[rows["analysis"] == "delta", "status"]) == {"refused"}


def test_a_visit_that_is_not_imputed_is_not_left_out_of_an_analysis_of_all_visits(btheb_study):
    btheb_study.clean()
    lose(btheb_study, ["bdi_month5"], 10)
    for analysis in ("mmrm", "repeated"):
        rows = btheb_study.analyse(analysis)
        assert rows["status"].tolist() == ["refused"]
        assert (
            "'bdi_month5' could not be imputed: 10 observed values are too few" in rows["note"][0]
        )
    assert set(btheb_study.analyse("mmrm_observed")["status"]) <= {"ok", "boundary"}


def test_a_service_that_is_not_imputed_leaves_no_cost(copy_of_ccp):
    lose(copy_of_ccp, ["su_gp_month6"], 9)
    rows = copy_of_ccp.evaluate().query("population == 'all-with-baseline'")
    assert set(rows["status"]) == {"refused"}
    assert rows["note"].str.startswith("'su_gp_month6' could not be imputed: ").all()
    models = pd.read_csv(copy_of_ccp / "data/derived/imputation_models.csv")
    note = models.set_index("variable").loc["cost_month6", "note"]
    assert note.startswith("it follows from 'su_gp_month6', and nobody was observed on it in")
