"""The effect in those who take it up, as the study's rows have it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.models.instrumental import anderson_rubin, reduced_forms, two_stage

TAKERS = "effect in those who take it up"


@pytest.fixture
def rows(copy_of_ccp) -> pd.DataFrame:
    table = pd.read_parquet("data/derived/results/implementation.parquet")
    return table[table["analysis"] == "takers"]


def test_one_imputation_by_hand(copy_of_ccp, rows):
    """Both imputations are the same where nothing that is needed was missing: take such people."""
    tables = pd.read_parquet("data/derived/imputed.parquet")
    people = pd.read_parquet("data/derived/participants.parquet").set_index("participant")
    observed = tables[tables["imputation"] == 0].set_index("participant")
    names = ["social_capital_month6", "social_capital_baseline", "age", "years_in_contact"]
    uptake = people["explained_month6"].reindex(observed.index)
    there = observed[names].notna().all(axis=1) & uptake.notna()
    used = observed[there]
    one = rows[
        (rows["outcome"] == "social_capital")
        & (rows["subgroup"] == "uptake")
        & (rows["model"] == "2sls")
        & (rows["term"] == TAKERS)
    ].set_index("inference")
    # Baselines and covariates alone are imputed: few people differ from those above.
    assert 0 <= one.loc["cr2", "n"] - len(used) <= 10
    trusts = pd.get_dummies(used["trust"], dtype=float).to_numpy()
    X = np.column_stack([trusts, used[names[1:]].to_numpy(dtype=float)])
    arm = (used["arm"] == "intervention").to_numpy(dtype=int)
    team = pd.factorize(used["team"])[0]
    took = (uptake[there] == "yes").to_numpy(dtype=float)
    reduced = reduced_forms(used[names[0]].to_numpy(dtype=float), took, X, arm, team)
    found = two_stage(reduced)
    assert one.loc["cr2", "estimate"] == pytest.approx(found.estimate[0], abs=found.std_error[0])
    assert one.loc["cr2", "df"] == pytest.approx(found.df[0], rel=0.2)
    assert str(anderson_rubin(reduced).kind) in ("interval", "complement", "line")


def test_every_outcome_and_exposure_has_its_rows(rows):
    assert rows["p_value"].isna().all()
    for (outcome, exposure), own in rows.groupby(["outcome", "subgroup"]):
        terms = set(own.loc[own["model"] == "2sls", "term"])
        whole = {TAKERS, "difference in exposure", "strength of the instrument", "factor of bias"}
        assert terms == whole or own["status"].isin(["refused", "failed"]).any(), (
            outcome,
            exposure,
        )
    first = rows[(rows["term"] == "difference in exposure") & (rows["model"] == "2sls")]
    factor = rows[(rows["term"] == "factor of bias") & (rows["model"] == "2sls")]
    keys = ["outcome", "subgroup"]
    both = first.set_index(keys)["estimate"] * factor.set_index(keys)["estimate"]
    np.testing.assert_allclose(both, 1.0)


def test_a_set_that_is_no_interval_is_said_in_words(rows):
    sets = rows[rows["inference"] == "anderson-rubin"]
    assert len(sets) > 0
    words = sets[sets["conf_low"].isna() & sets["status"].eq("ok")]
    assert words["note"].str.contains("all numbers|everything up to").all()
    limits = sets[sets["conf_low"].notna()]
    assert (limits["conf_low"] <= limits["estimate"]).all()
