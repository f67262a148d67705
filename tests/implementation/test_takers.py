"""The effect in those who take it up, as the study's rows have it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.config.plan import load_plan
from ccp_analysis.implementation.expose import with_exposures
from ccp_analysis.models.instrumental import anderson_rubin, reduced_forms, two_stage

TAKERS = "effect in those who take it up"


@pytest.fixture
def rows(copy_of_ccp) -> pd.DataFrame:
    table = pd.read_parquet("data/derived/results/implementation.parquet")
    return table[table["analysis"] == "takers"]


def test_the_estimate_is_the_mean_of_those_by_hand(copy_of_ccp, rows):
    tables = pd.read_parquet("data/derived/exposed.parquet")
    made = tables[tables["imputation"] > 0]
    names = ["social_capital_baseline", "age", "years_in_contact"]
    by_hand = []
    for _, one in made.groupby("imputation"):
        trusts = pd.get_dummies(one["trust"], dtype=float).to_numpy()
        X = np.column_stack([trusts, one[names].to_numpy(dtype=float)])
        arm = (one["arm"] == "intervention").to_numpy(dtype=int)
        took = (one["explained_month6"] == "yes").to_numpy(dtype=float)
        outcome = one["social_capital_month6"].to_numpy(dtype=float)
        by_hand.append(reduced_forms(outcome, took, X, arm, pd.factorize(one["team"])[0]))
    found = rows[
        (rows["outcome"] == "social_capital")
        & (rows["subgroup"] == "uptake")
        & (rows["model"] == "2sls")
        & (rows["term"] == TAKERS)
    ].set_index("inference")
    assert len(made) == 2 * 151 and (found["n"] == 151).all()
    estimates = [two_stage(one).estimate[0] for one in by_hand]
    assert found.loc["cr2", "estimate"] == pytest.approx(np.mean(estimates), rel=1e-9)
    assert found.loc["anderson-rubin", "estimate"] == found.loc["cr2", "estimate"]
    assert str(anderson_rubin(by_hand[0]).kind) in ("interval", "complement", "line")


def test_exposures_are_imputed_along_and_what_was_observed_stays(copy_of_ccp, rows):
    tables = pd.read_parquet("data/derived/exposed.parquet")
    observed, made = tables[tables["imputation"] == 0], tables[tables["imputation"] > 0]
    for name in ("explained_month6", "fidelity_month6", "contacts", "social_capital_month6"):
        assert made[name].notna().all(), name
        for _, one in made.groupby("imputation"):
            was = observed[name].reset_index(drop=True)
            same = one[name].reset_index(drop=True)[was.notna()]
            assert (same == was[was.notna()]).all(), name
    assert made["fidelity_month6"].between(0, 20).all()
    assert not observed["contacts"].isna().any()
    assert "contacts" not in pd.read_parquet("data/derived/imputed.parquet")


def test_outcomes_and_exposures_predict_each_other():
    plan = with_exposures(load_plan(), ["fidelity_month6", "contacts"])
    added = {name: change.add for name, change in plan.imputation.predictors.items()}
    assert added["social_capital_month6"] == ["fidelity_month6", "contacts"]
    assert "recovery_month6" in added["contacts"]
    assert plan.imputation.auxiliary == ["fidelity_month6", "contacts"]


def test_every_outcome_and_exposure_has_its_rows(rows):
    assert rows["p_value"].isna().all()
    rows = rows[rows["model"] == "2sls"]
    whole = {TAKERS, "difference in exposure", "strength of the instrument", "factor of bias"}
    keys = ["outcome", "subgroup"]
    for key, own in rows.groupby(keys):
        lost = own["status"].isin(["refused", "failed"])
        assert set(own["term"]) == whole or lost.any(), key
    first, factor = (
        rows[rows["term"] == term].set_index(keys)["estimate"]
        for term in ("difference in exposure", "factor of bias")
    )
    np.testing.assert_allclose(first * factor, 1.0)


def test_a_set_that_is_no_interval_is_said_in_words(rows):
    sets = rows[rows["inference"] == "anderson-rubin"]
    assert len(sets) > 0
    words = sets[sets["conf_low"].isna() & sets["status"].eq("ok")]
    assert words["note"].str.contains("all numbers|everything up to").all()
    limits = sets[sets["conf_low"].notna()]
    assert (limits["conf_low"] <= limits["estimate"]).all()
