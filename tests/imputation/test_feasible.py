"""What can be imputed from the values that were observed, and from which variables."""

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
from ccp_analysis.imputation.predictors import choose_predictors

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


# --- which predictors -----------------------------------------------------------------------------


def plain(*names: str, **more) -> list[Variable]:
    return [Variable(n, n, False, None, (), **more) for n in names]


def choose(values, variables, maximum, plan=None, owner=None, refused=()):
    owner = owner or list(range(len(variables)))
    encoded = Encoded(np.asarray(values, dtype=float), owner, [""] * len(owner))
    return choose_predictors(variables, encoded, lambda target: maximum, plan, refused)


def example():
    rng = np.random.default_rng(1)
    y0, strong = rng.normal(size=(2, 200))
    y1 = 0.2 * y0 + strong + 0.1 * rng.normal(size=200)
    weak = y1 + 5 * rng.normal(size=200)
    noise = rng.normal(size=200)
    age = rng.normal(size=200)
    y1[:40] = NAN
    strong[150:] = NAN
    values = np.column_stack([y1, noise, weak, strong, age, y0])
    variables = [
        Variable("y_after", "y", False, None, ()),
        *plain("noise", "weak", "strong"),
        Variable("age", "age", True, None, ()),
        Variable("y_before", "y", False, None, ()),
    ]
    return values, variables


def test_own_baseline_and_covariates_come_first_then_correlation():
    values, variables = example()
    chosen = choose(values, variables, 9)
    table = chosen[0].table
    assert table["predictor"].tolist() == [5, 4, 3, 2, 1]
    assert table["why"].tolist()[:3] == [
        "same measure at another visit",
        "covariate of the analyses",
        "correlation",
    ]
    both = ~np.isnan(values[:, 0]) & ~np.isnan(values[:, 3])
    assert table["usable"].tolist()[2] == both.sum()
    assert table["usable_share"].tolist()[:3] == [1.0, 1.0, 1.0]
    expected = np.corrcoef(values[both, 0], values[both, 3])[0, 1]
    assert table["correlation"].tolist()[2] == pytest.approx(expected, abs=1e-8)
    few = choose(values, variables, 2)[0]
    assert few.table["predictor"].tolist() == [5, 4]
    assert few.too_many == ["strong", "weak", "noise"]
    assert set(chosen) == {0, 3}
    assert not chosen[0].removed


def test_the_usable_share_is_of_those_who_lack_the_variable():
    values, variables = example()
    values[30:50, 3] = NAN
    table = choose(values, variables, 9)[0].table.set_index("predictor")
    assert table.loc[3, "usable_share"] == 30 / 40
    assert table.loc[3, "usable"] == 160 - 50 - 10


def test_what_goes_with_being_missing_is_a_predictor():
    rng = np.random.default_rng(2)
    y, cause, noise = rng.normal(size=(3, 300))
    y[cause > 0.8] = NAN
    table = choose(np.column_stack([y, noise, cause]), plain("y", "noise", "cause"), 1)[0].table
    assert table["predictor"].tolist() == [2]
    gone = np.isnan(y).astype(float)
    assert table["correlation"].tolist() == [pytest.approx(np.corrcoef(gone, cause)[0, 1])]


def test_constants_and_copies_are_removed_and_named():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 30))
    y[:5] = NAN
    steady = np.r_[rng.normal(size=5), np.ones(25)]  # varies only where y is missing
    values = np.column_stack([y, np.ones(30), x, 3 - 2 * x, steady])
    found = choose(values, plain("y", "one", "x", "copy", "steady"), 9)[0]
    kept, copied = found.table["predictor"].tolist(), dict(found.removed)
    assert len(kept) == 1 and kept[0] in (2, 3)
    names = {2: "x", 3: "copy"}
    assert copied == {
        "one": "the same for everyone who has the variable",
        "steady": "the same for everyone who has the variable",
        names[5 - kept[0]]: f"says the same as {names[kept[0]]}",
    }


def test_a_category_enters_whole_or_not_at_all():
    rng = np.random.default_rng(4)
    y, x = rng.normal(size=(2, 60))
    code = rng.integers(0, 3, 60)
    y[:9] = NAN
    y += 3 * (code == 2)
    values = np.column_stack([y, code == 1, code == 2, x])
    variables = [
        Variable("y", "y", False, None, ()),
        Variable("c", "c", False, None, ("p", "q", "r")),
        Variable("x", "x", False, None, ()),
    ]
    owner = [0, 1, 1, 2]
    assert choose(values, variables, 3, owner=owner)[0].table["predictor"].tolist() == [1, 2]
    short = choose(values, variables, 1, owner=owner)[0]
    assert short.table["predictor"].tolist() == [2]
    assert short.too_many == ["c"]


def test_the_plan_adds_and_drops():
    values, variables = example()
    asked = Asked(predictors={"y_after": {"add": ["noise"], "drop": ["strong", "age"]}})
    found = choose(values, variables, 1, asked)[0]
    assert found.table["predictor"].tolist() == [1, 5]
    assert found.table["why"].tolist()[0] == "asked for in the plan"
    assert found.removed == [("strong", "dropped by the plan"), ("age", "dropped by the plan")]
    untouched = choose(values, variables, 1, asked)[3]
    assert len(untouched.table) == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"add": ["hight"]}, "'hight' cannot be a predictor"),
        ({"drop": ["y_after"]}, "'y_after' cannot be a predictor"),
        ({"add": ["age"], "drop": ["age"]}, "'age' is also dropped"),
        ({"add": ["change"]}, "'change' is derived from it"),
    ],
)
def test_what_cannot_be_added_or_dropped(change, sentence):
    values, variables = example()
    rule = parse("change", "y_after - y_before")
    variables = [*variables, Variable("change", "change", False, None, (), rule=rule)]
    values = np.column_stack([values, values[:, 0] - values[:, 5]])
    with pytest.raises(StudyError) as caught:
        choose(values, variables, 9, Asked(predictors={"y_after": change}))
    assert sentence in str(caught.value)


def test_derived_variables_predict_others_but_not_their_parts():
    values, variables = example()
    rule = parse("change", "y_after - y_before")
    again = parse("again", "change + 1")
    variables = [
        *variables,
        Variable("change", "change", False, None, (), rule=rule),
        Variable("again", "again", False, None, (), rule=again),
    ]
    change = values[:, 0] - values[:, 5]
    found = choose(np.column_stack([values, change, change**3]), variables, 9)
    assert set(found) == {0, 3}
    assert {6, 7}.isdisjoint(found[0].table["predictor"])
    assert {6, 7} <= set(found[3].table["predictor"])


def test_items_predict_only_their_own_kind():
    values, variables = example()
    variables[1] = Variable("noise", "noise", False, None, (), group="scale")
    variables[3] = Variable("strong", "strong", False, None, (), group="scale")
    found = choose(values, variables, 9)
    assert {1, 3}.isdisjoint(found[0].table["predictor"])
    assert 1 in set(found[3].table["predictor"])
    asked = choose(values, variables, 9, Asked(predictors={"y_after": {"add": ["noise"]}}))
    assert 1 in set(asked[0].table["predictor"])


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
