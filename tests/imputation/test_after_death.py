"""What is known of the dead tells nothing of the living."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files

PEOPLE, IMPUTED = "data/derived/participants.parquet", "data/derived/imputed.parquet"
SHARE = 0.25


def impute(folder, dead: int, known: bool) -> tuple[pd.DataFrame, list[str]]:
    """Let people who were lost have died, or be lost like others; return tables and their ids."""
    people = pd.read_parquet(folder / PEOPLE)
    lost = people.index[people["interviewed_baseline"] & ~people["interviewed_month6"]][:dead]
    people.loc[lost, "left"] = "death"
    for name in ("utility_month6", "utility_3l_month6"):
        people.loc[lost, name] = 0.0 if known else np.nan
    people.loc[lost, "alive_month6"] = SHARE if known else 1.0
    others = people.index.difference(lost)
    people.loc[others, "alive_month6"] = 1.0
    people.loc[others[~people.loc[others, "interviewed_month6"]], "utility_month6"] = np.nan
    people.loc[others[~people.loc[others, "interviewed_month6"]], "utility_3l_month6"] = np.nan
    files.write_parquet(folder / PEOPLE, people)
    folder.cost()
    folder.impute()
    return pd.read_parquet(folder / IMPUTED), people.loc[lost, "participant"].tolist()


@pytest.mark.parametrize("level", ["score", "items"])
def test_the_living_are_imputed_as_if_the_dead_were_only_lost(copy_of_ccp, level):
    copy_of_ccp.change(
        "config/analysis.yaml", "  methods: {}", f"  methods: {{}}\n  level: {{utility: {level}}}"
    )
    unknown, _ = impute(copy_of_ccp, 10, known=False)
    tables, dead = impute(copy_of_ccp, 10, known=True)
    gone = tables["participant"].isin(dead)
    decided = ["utility_month6", "utility_3l_month6", "alive_month6", "cost_month6"]
    pd.testing.assert_frame_equal(tables[~gone], unknown[~gone], check_exact=True)
    pd.testing.assert_frame_equal(
        tables[gone].drop(columns=decided), unknown[gone].drop(columns=decided), check_exact=True
    )
    assert (tables.loc[gone, ["utility_month6", "utility_3l_month6"]] == 0.0).all(axis=None)
    assert (tables.loc[gone, "alive_month6"] == SHARE).all()
    later = gone & (tables["imputation"] > 0)
    np.testing.assert_allclose(
        tables.loc[later, "cost_month6"], SHARE * unknown.loc[later, "cost_month6"], rtol=1e-12
    )


def test_no_zero_of_the_dead_is_given_to_the_living(copy_of_ccp):
    tables, dead = impute(copy_of_ccp, 10, known=True)
    observed = tables[tables["imputation"] == 0].set_index("participant")["utility_month6"]
    assert not (observed.drop(dead) == 0.0).any()
    assert not (tables.loc[~tables["participant"].isin(dead), "utility_month6"] == 0.0).any()
    models = pd.read_csv(copy_of_ccp / "data/derived/imputation_models.csv")
    own = models[models["variable"] == "utility_month6"]
    assert set(own["missing"]) == {observed.isna().sum()} and set(own["never"]) == {0}


def test_what_follows_from_the_utility_of_the_dead_follows_from_the_zero(copy_of_ccp):
    copy_of_ccp.change(
        "config/analysis.yaml",
        "  methods: {}",
        "  methods: {}\n  derived: {gain: utility_month6 - utility_baseline}",
    )
    tables, dead = impute(copy_of_ccp, 3, known=True)
    tables = tables[tables["imputation"] > 0]
    np.testing.assert_allclose(
        tables["gain"], tables["utility_month6"] - tables["utility_baseline"], atol=1e-12
    )
    theirs = tables[tables["participant"].isin(dead)]
    np.testing.assert_allclose(theirs["gain"], -theirs["utility_baseline"], atol=1e-12)
