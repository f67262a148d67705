"""Binary outcomes and counts, against clubSandwich and the delta method written out in R."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import trial
from trial import CLOSED, ask, failing, pick

from ccp_analysis.analyses.comparison import compare
from ccp_analysis.errors import StudyError

NAMES = {"logistic": ("high", "odds ratio"), "poisson": ("count", "rate ratio")}


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    tables = trial.tables()
    for visit, cut in (("before", 13), ("after", 14)):
        score = tables[f"y_{visit}"]
        tables[f"high_{visit}"] = (score > cut).astype(float)
        tables[f"well_{visit}"] = np.where(score > cut, "well", "ill")
        tables[f"count_{visit}"] = score.round().clip(lower=0)
    return tables


def asked(model: str, **more):
    stem = NAMES[model][0]
    return ask(value=f"{stem}_after", baseline=f"{stem}_before", **more)


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_ratios_and_standardised_means_are_those_of_r(study, tables, reference, model, data):
    expected = reference[model]
    rows = compare(model, study, tables, data, asked(model))
    ratio = NAMES[model][1]
    log_ratio = pick(rows, f"log {ratio}")
    for column, value in expected["log_ratio"].items():
        assert log_ratio[column] == pytest.approx(value, **CLOSED), column
    exponentiated = pick(rows, ratio)
    for column in ("estimate", "conf_low", "conf_high"):
        assert exponentiated[column] == pytest.approx(np.exp(log_ratio[column]))
    assert exponentiated["scale"] == "ratio"
    assert exponentiated["p_value"] == log_ratio["p_value"]
    found = pick(rows, "difference")
    assert found["estimate"] == pytest.approx(expected["difference"], **CLOSED)
    assert found["std_error"] == pytest.approx(expected["difference_error"], **CLOSED)
    assert found["df"] == pytest.approx(expected["difference_df"], **CLOSED)
    assert found["scale"] == {"logistic": "risk", "poisson": "count"}[model]
    arms = study.arms.ordered
    for arm, mean, error in zip(arms, expected["means"], expected["mean_errors"], strict=True):
        row = pick(rows, "adjusted mean", level=arm)
        assert row["estimate"] == pytest.approx(mean, **CLOSED)
        assert row["std_error"] == pytest.approx(error, **CLOSED)
    average = pick(rows, "mean at average covariates", level="intervention")
    assert average["estimate"] == pytest.approx(expected["average_active"], **CLOSED)
    assert average["conf_low"] < average["estimate"] < average["conf_high"]
    assert average["estimate"] != pytest.approx(expected["means"][1], rel=1e-5)
    assert {row["inference"] for row in rows} == {"cr2"}
    assert {row["model"] for row in rows} == {model}


def test_a_category_of_two_codes_is_its_last_code_against_the_first(study, tables):
    numbers = compare("logistic", study, tables, "imputed", asked("logistic"))
    words = ask(value="well_after", baseline="well_before", codes=("ill", "well"))
    assert compare("logistic", study, tables, "imputed", words) == numbers
    turned = ask(value="well_after", baseline="well_before", codes=("well", "ill"))
    other = pick(compare("logistic", study, tables, "imputed", turned), "odds ratio")
    assert other["estimate"] == pytest.approx(1 / pick(numbers, "odds ratio")["estimate"])


def test_outcomes_that_are_none_are_refused(study, tables):
    three = ask(value="well_after", baseline="well_before", codes=("ill", "so", "well"))
    with pytest.raises(StudyError, match="is a category of 3 codes"):
        compare("logistic", study, tables, "observed", three)
    for model in NAMES:
        with pytest.raises(StudyError, match="an analysis needs 'well_late', which is not among"):
            compare(model, study, tables, "imputed", ask(value="well_late", baseline="well_before"))


def test_without_a_baseline_the_model_adjusts_for_pair_and_covariates_only(study, tables):
    bare = ask(value="high_after", baseline="none")
    rest = replace(bare, covariates=["age", "female", "high_before"])
    without, with_it, again = (
        pick(compare("logistic", study, tables, "observed", one), "odds ratio")["estimate"]
        for one in (bare, asked("logistic"), rest)
    )
    assert without != pytest.approx(with_it)
    assert again == pytest.approx(with_it)


@pytest.mark.parametrize(("model", "inference"), [("logistic", "model"), ("poisson", "hc3")])
def test_without_clusters_the_normal_distribution(tables, model, inference):
    rows = compare(model, trial.study(clusters=None), tables, "observed", asked(model))
    assert {row["inference"] for row in rows} == {inference}
    row = pick(rows, f"log {NAMES[model][1]}")
    assert row["df"] is None
    assert row["conf_high"] - row["estimate"] == pytest.approx(1.959964 * row["std_error"])


def test_what_is_not_binary_or_is_separated_fails_in_a_sentence(study, tables):
    split = tables.assign(high_after=(tables["arm"] == "intervention").astype(float))
    row = failing("logistic", study, split, "observed", asked("logistic"))
    assert "perfectly (separation)" in row["note"]
    row = failing("logistic", study, tables, "observed", ask())
    assert "A binary outcome is 0 or 1" in row["note"]
