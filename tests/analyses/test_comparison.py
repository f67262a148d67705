"""What `compare` makes of two public trials, against R; and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trial
from pydantic import TypeAdapter
from trial import CLOSED, MODELS_DATA, ask, failing, pick

from ccp_analysis.analyses.comparison import compare, fit_of
from ccp_analysis.config.models import Model
from ccp_analysis.config.plan import Model as Planned
from ccp_analysis.errors import StudyError
from ccp_analysis.models.pooling import pool


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((MODELS_DATA / "clustered_trial.json").read_text())


ARM = ("Estimate", "Std. Error", "df")


def arm_of(rows: list[dict]) -> dict:
    return next(row for row in rows if row["term"] == "armintervention")


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_ancova_is_that_of_clubsandwich(study, tables, reference, data):
    """And its adjusted means have proportional weights."""
    rows = compare("ancova", study, tables, data, ask())
    expected = arm_of(reference["ancova"]["cr2"]) | arm_of(reference["ancova"]["cr2_ci"])
    found = pick(rows, "difference")
    said = [found[k] for k in ("level", "model", "inference", "n", "n_clusters")]
    assert said == ["intervention - control", "ancova", "cr2", 151, 10]
    names = {"estimate": "beta", "std_error": "SE", "df": "df_Satt", "statistic": "tstat"}
    names |= {"p_value": "p_Satt", "conf_low": "CI_L", "conf_high": "CI_U"}
    for column, name in names.items():
        assert found[column] == pytest.approx(expected[name], **CLOSED), column
    for mean in reference["ancova"]["emmeans_proportional"]:
        row = pick(rows, "adjusted mean", level=mean["arm"])
        assert row["estimate"] == pytest.approx(mean["emmean"], **CLOSED)
        assert row["p_value"] is None and row["conf_low"] < mean["emmean"] < row["conf_high"]


def assert_near(found, expected, names):
    """Compare with what R ended its search at."""
    estimate, error, df = (expected[name] for name in names)
    assert abs(found["estimate"] - estimate) <= 1e-4 * error
    assert found["std_error"] == pytest.approx(error, rel=1e-4)
    assert found["df"] == pytest.approx(df, rel=1e-3)


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_mixed_is_that_of_pbkrtest(study, tables, reference, data):
    rows = compare("mixed", study, tables, data, ask())
    expected = reference["lmm"]
    arm, found = arm_of(expected["kenward_roger"]), pick(rows, "difference")
    assert_near(found, arm, ("Estimate", "Std. Error", "df"))
    assert found["p_value"] == pytest.approx(arm["Pr(>|t|)"], rel=1e-3)
    for mean in expected["emmeans_kr"]:
        row = pick(rows, "adjusted mean", level=mean["arm"])
        assert_near(row, mean, ("emmean", "SE", "df"))
    terms = {"variance: team": "var_team", "variance: residual": "var_resid"}
    for term, name in (terms | {"intraclass correlation": "icc"}).items():
        assert pick(rows, term)["estimate"] == pytest.approx(expected[name], rel=1e-4)
    assert {row.get("status", "ok") for row in rows} == {"ok"}


def test_a_team_variance_of_zero_is_said(study, tables, reference):
    money = tables.assign(costk=tables["cost"] / 1000)
    rows = compare("mixed", study, money, "observed", ask(value="costk", covariates=[]))
    found = pick(rows, "difference")
    assert_near(found, arm_of(reference["lmm_cost"]["kenward_roger"]), ARM)
    assert found["status"] == "boundary"
    assert found["note"] == "team variance zero here: the interval is valid but conservative"
    assert pick(rows, "variance: team")["estimate"] == 0
    correlation = pick(rows, "intraclass correlation")
    assert correlation["estimate"] == correlation["conf_low"] == correlation["conf_high"] == 0
    assert "groups differ less than by chance" in correlation["note"]


def test_the_standardised_difference_is_in_baseline_sds_with_hedges_correction(study, tables):
    rows = compare("ancova", study, tables, "observed", ask())
    plain, scaled = pick(rows, "difference"), pick(rows, "standardised difference")
    first = tables[tables["imputation"] == 0]
    within = first.groupby("arm")["y_before"].agg(lambda v: ((v - v.mean()) ** 2).sum())
    sd = np.sqrt(within.sum() / (len(first) - 2))
    hedges = 1 - 3 / (4 * (151 - 2) - 1)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        assert scaled[column] == pytest.approx(plain[column] * hedges / sd)
    for column in ("df", "statistic", "p_value"):
        assert scaled[column] == plain[column]
    assert scaled["scale"] == "standardised"
    none = compare("ancova", study, tables, "observed", ask(standardise=False))
    assert "standardised difference" not in [row["term"] for row in none]


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_team_level(study, tables, reference, data):
    rows = compare("team-means", study, tables, data, ask())
    expected = reference["team_level"]
    found = pick(rows, "difference", inference="paired-t")
    assert found["estimate"] == pytest.approx(expected["estimate"], **CLOSED)
    assert found["std_error"] == pytest.approx(expected["se"], **CLOSED)
    assert found["df"] == pytest.approx(4)
    assert found["p_value"] == pytest.approx(expected["t"]["p.value"], **CLOSED)
    low, high = expected["t"]["conf.int"]
    assert (found["conf_low"], found["conf_high"]) == pytest.approx((low, high), **CLOSED)
    flip = pick(rows, "difference", inference="sign-flip")
    assert flip["p_value"] == expected["p_sign_flip"]
    assert flip["estimate"] == found["estimate"]
    assert "no p-value below 0.0625" in flip["note"]
    assert "std_error" not in flip
    ends = expected["pair_differences"]
    assert (flip["conf_low"], flip["conf_high"]) == pytest.approx((min(ends), max(ends)), **CLOSED)
    assert flip["conf_level"] == 0.9375
    assert flip["note"].endswith("the confidence set is at 93.75%")
    pairs = [row for row in rows if row["term"] == "pair difference"]
    assert [row["level"] for row in pairs] == [f"Trust{k}" for k in range(1, 6)]
    ours = [row["estimate"] for row in pairs]
    np.testing.assert_allclose(ours, expected["pair_differences"], rtol=1e-8)


@pytest.mark.parametrize("model", ["ancova", "mixed", "team-means"])
def test_identical_imputations_add_nothing(study, tables, model):
    imputed, observed = (compare(model, study, tables, d, ask()) for d in ("imputed", "observed"))
    for ours, theirs in zip(imputed, observed, strict=True):
        assert ours["term"] == theirs["term"]
        assert ours["m"] == 2
        assert theirs["m"] is None
        assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-12)
        for column in ("std_error", "df", "p_value"):
            if ours.get(column) is not None:
                assert ours[column] == pytest.approx(theirs[column], rel=1e-10)
        if "fmi" in ours:
            assert ours["fmi"] == pytest.approx(0, abs=1e-8)
            assert ours["mc_error"] == pytest.approx(0, abs=1e-12)
    assert {row["population"] for row in imputed} == {"all-with-baseline"}
    assert {row["population"] for row in observed} == {"complete-case"}


@pytest.mark.parametrize(
    ("model", "term", "where"),
    [
        ("ancova", "difference", {}),
        ("logistic", "log odds ratio", {}),
        ("mmrm", "difference", {"visit": "late"}),
    ],
)
def test_imputations_that_differ_are_pooled_by_rubin_and_barnard_rubin(model, term, where, tables):
    """`tests/models` has the rules against R."""
    visits = [*trial.STUDY["visits"], {"id": "late", "label": "Late", "months": 12}]
    study = trial.study(visits=visits)
    noise = np.random.default_rng(5).normal(size=152)[tables["index"]]
    some = (tables["imputation"] == 2) & (tables["index"] % 9 == 0)
    moved = tables.assign(y_after=tables["y_after"] + 0.7 * some)
    moved["y_late"] = 0.5 * moved["y_after"] + 3.0 * noise + some
    for visit in ("before", "after"):
        high = (moved[f"y_{visit}"] > 13).astype(float)
        moved[f"high_{visit}"] = np.where(some & (visit == "after"), 1.0 - high, high)
    values = {"logistic": ("high_after", "high_before"), "mmrm": ("y", "y_before")}
    value, baseline = values.get(model, ("y_after", "y_before"))
    question, each = ask(value=value, baseline=baseline), []
    for k in (1, 2):
        alone = moved[moved["imputation"] == k].assign(imputation=0)
        each.append(pick(compare(model, study, alone, "observed", question), term, **where))
    rows = compare(model, study, moved, "imputed", question)
    found = pick(rows, term, **where)
    q, se, df = (np.array([row[c] for row in each]) for c in ("estimate", "std_error", "df"))
    expected = pool(q, se**2, df)
    for column in ("estimate", "std_error", "df", "fmi", "mc_error"):
        told = float(getattr(expected, column))
        assert found[column] == pytest.approx(told, rel=1e-5), column
    assert found["fmi"] > 0 and (found["m"], found["population"]) == (2, "all-with-baseline")
    if model == "logistic":  # on the log scale
        ratio = pick(rows, "odds ratio")
        ends = [expected.estimate, expected.interval(0.95)[0]]
        assert [ratio["estimate"], ratio["conf_low"]] == pytest.approx(np.exp(ends))


def test_pair_differences_are_averaged_over_the_imputations_before_signs_are_flipped(study, tables):
    """In the second imputation the fourth pair, the only negative one, turns round."""
    second = (tables["imputation"] == 2) & (tables["arm"] == "intervention")
    moved = tables["y_after"] + 3.0 * (second & (tables["trust"] == "Trust4"))
    rows = compare("team-means", study, tables.assign(y_after=moved), "imputed", ask())
    pairs = [r["estimate"] for r in rows if r["term"] == "pair difference"]
    assert pairs[3] > 0.5
    assert pick(rows, "difference", inference="sign-flip")["p_value"] == 2 / 32
    difference = pick(rows, "difference", inference="paired-t")["estimate"]
    assert difference == pytest.approx(np.mean(pairs))


def test_complete_cases_are_those_observed_on_all_that_is_needed(study, tables):
    gaps = tables.copy()
    observed = gaps["imputation"] == 0
    first, second, third = gaps.index[observed][:3]
    gaps.loc[first, "y_after"] = gaps.loc[second, "age"] = gaps.loc[third, "cost"] = np.nan
    found = pick(compare("ancova", study, gaps, "observed", ask()), "difference")
    assert found["n"] == 149
    full = tables[observed].drop([first, second])
    again = pick(compare("ancova", study, full, "observed", ask()), "difference")
    assert found["estimate"] == again["estimate"]


@pytest.mark.parametrize("model", ["ancova", "mixed", "team-means"])
def test_a_fit_that_fails_in_one_imputation_is_not_averaged_away(study, tables, model):
    second = tables["imputation"] == 2
    flat = {
        "age": tables["age"].mask(second, 50.0),
        "y_before": tables["y_before"].mask(second, 10),
    }
    with pytest.raises(ValueError, match="1 of 2 fits failed: "):
        compare(model, study, tables.assign(**flat), "imputed", ask())


@pytest.mark.parametrize("model", ["ancova", "mixed", "team-means"])
def test_nobody_observed(study, tables, model):
    none = tables.assign(y_after=np.nan, sex=tables["female"].map({0: "m", 1: "f"}))
    with pytest.raises(ValueError, match="nobody|No |no "):
        compare(model, study, none, "observed", ask(covariates=["age", "sex"]))


MORE = {"months": lambda t: t["age"] * 12, "region": lambda t: t["trust"].str[-1]}
# Model, data and question, whether there are clusters, and what is said.
REFUSED = [
    (
        "ancova",
        "imputed",
        {"covariates": ["age", "months"]},
        True,
        "^'months' follows from 'age': ",
    ),
    (
        "mixed",
        "observed",
        {"covariates": ["region"]},
        True,
        "^'region' follows from 'trust': what ",
    ),
    ("ancova", "imputed", {"covariates": ["height"]}, True, "an analysis needs 'height', which is"),
    ("repeated", "observed", {"value": "y"}, True, "degrees of freedom of people"),
    ("mixed", "observed", {}, False, "needs clusters"),
    ("team-means", "observed", {}, False, "needs clusters"),
]


@pytest.mark.parametrize(("model", "data", "asked", "clusters", "sentence"), REFUSED)
def test_what_cannot_be_compared_is_refused(study, tables, model, data, asked, clusters, sentence):
    here = study if clusters else trial.study(clusters=None)
    with pytest.raises((ValueError, StudyError), match=sentence):
        compare(model, here, tables.assign(**MORE), data, ask(**asked))


def test_too_few_people_and_an_exact_fit_are_said(study, tables):
    few = tables[tables["imputation"] == 0].groupby("team").head(1).head(5)
    with pytest.raises(ValueError, match="5 rows, 9 columns"):
        compare("ancova", study, few, "observed", ask())
    exact = tables.assign(y_after=2 * tables["y_before"])
    row = failing("ancova", study, exact, "observed", ask())
    assert row["note"].startswith("The outcome is constant or fitted exactly")


def test_every_model_of_the_plan_has_a_label_and_a_fit():
    planned = {model for model in Model if model.spec.planned}
    assert planned == set(TypeAdapter(Planned).json_schema()["enum"])
    for model in Model:
        assert callable(fit_of(model)) if model.spec.fit else model not in planned
        assert model.spec.label or model is Model.NONE
