"""From which variables each incomplete one is imputed."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.config.imputation import ImputationPlan
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.derived import parse
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.imputation.predictors import choose_predictors

NAN = np.nan


class Asked:
    """A plan of which only the predictors count."""

    def __init__(self, **changes) -> None:
        self.imputation = ImputationPlan.model_validate(
            {"imputations": 2, "iterations": 1, "donors": 5, "predictors": changes}
        )


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
    asked = Asked(y_after={"add": ["noise"], "drop": ["strong", "age"]})
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
        choose(values, variables, 9, Asked(y_after=change))
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
    asked = choose(values, variables, 9, Asked(y_after={"add": ["noise"]}))
    assert 1 in set(asked[0].table["predictor"])
