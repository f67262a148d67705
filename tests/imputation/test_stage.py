"""The impute stage on whole studies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files
from ccp_analysis.config.plan import load_plan
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation import completed, stage

DESIGN = ["imputation", "participant", "arm", "team", "trust"]
IMPUTED = Path("data/derived/imputed.parquet")
MODELS = Path("data/derived/imputation_models.csv")


def imputed(folder) -> pd.DataFrame:
    return pd.read_parquet(folder / IMPUTED)


def source(folder) -> pd.DataFrame:
    people = pd.read_parquet(folder / "data/derived/participants.parquet")
    costs = folder / "data/derived/costs.parquet"
    if costs.is_file():
        people = people.merge(pd.read_parquet(costs), on="participant")
    return people[people["interviewed_baseline"]].reset_index(drop=True)


@pytest.fixture(params=["ccp_done", "btheb_done"])
def done(request):
    return request.getfixturevalue(request.param)


def test_imputation_0_is_the_observed_data(done):
    tables, people = imputed(done), source(done)
    observed = tables[tables["imputation"] == 0].drop(columns="imputation")
    pd.testing.assert_frame_equal(
        observed.reset_index(drop=True), people[list(observed)], check_exact=True
    )


def test_observed_values_stay_bit_for_bit_and_the_rest_is_filled(done):
    tables, people = imputed(done), source(done)
    assert sorted(tables["imputation"].unique()) == [0, 1, 2]
    assert len(tables) == 3 * len(people)
    for number in (1, 2):
        table = tables[tables["imputation"] == number].reset_index(drop=True)
        assert table.drop(columns="imputation").notna().all().all()
        for name in table.columns.drop("imputation"):
            known = people[name].notna()
            pd.testing.assert_series_equal(
                table.loc[known, name], people.loc[known, name], check_exact=True
            )


def test_matched_values_are_observed_ones(ccp_done):
    tables, people = imputed(ccp_done), source(ccp_done)
    models = pd.read_csv(ccp_done / MODELS)
    assert set(models["method"]) == {"pmm", "lrd", "derived"}
    for name in models.loc[models["method"] == "pmm", "variable"].unique():
        drawn = tables.loc[tables["imputation"] > 0, name]
        assert set(drawn) <= set(people[name].dropna())
        assert (
            models.loc[models["variable"] == name, "missing"].iloc[0] == people[name].isna().sum()
        )


def test_local_residuals_give_possible_values(ccp_done):
    tables, people = imputed(ccp_done), source(ccp_done)
    before = tables.loc[tables["imputation"] == 0].set_index("participant")
    drawn = tables[tables["imputation"] > 0]
    whole = {"social_capital": (0, 27), "wellbeing": (14, 70), "eq_vas": (0, 100)}
    for name, (low, high) in whole.items():
        gone = before.index[before[f"{name}_month6"].isna()]
        values = drawn.loc[drawn["participant"].isin(gone), f"{name}_month6"]
        assert values.between(low, high).all(), name
        assert (values % 1 == 0).all(), name
    assert drawn["utility_month6"].le(1).all()
    assert not set(drawn["utility_month6"]) <= set(people["utility_month6"])


def test_imputations_differ(done):
    tables = imputed(done)
    first, second = (tables[tables["imputation"] == k].reset_index(drop=True) for k in (1, 2))
    models = pd.read_csv(done / MODELS)
    often = models[models["missing"] > 10]["variable"].unique()
    assert len(often)
    for name in often:
        assert (first[name] != second[name]).any()


def test_models_are_listed_with_at_most_a_tenth_of_the_observed_as_predictors(done):
    models, people = pd.read_csv(done / MODELS), source(done)
    tables = imputed(done)
    incomplete = tables[tables["imputation"] == 0].isna().any()
    assert set(models["variable"]) == set(incomplete[incomplete].index)
    assert set(models["predictor"]) <= set(tables.columns)
    models = models[models["method"] != "derived"]
    for variable, part in models.groupby("variable"):
        if (part["why"] == "correlation").any():  # what the analyses adjust for needs no room
            assert len(part) <= people[variable].notna().sum() // 10
    assert (models["variable"] != models["predictor"]).all()
    for variable, part in models.groupby("variable"):
        stem, _, visit = variable.rpartition("_")
        if visit == "month6":
            assert part["predictor"].iloc[0] == f"{stem}_baseline"
            assert {"age", "years_in_contact"} <= set(part["predictor"])
    assert models["r_hat"].notna().all()
    assert set(models["data_status"]) <= {"synthetic", "public"}


def test_team_is_a_fixed_factor_where_there_are_teams_else_the_arm(
    copy_of_ccp, btheb_done, monkeypatch
):
    seen = []
    original = completed.impute

    def spy(*arguments, **named):
        seen.append(named["fixed"])
        return original(*arguments, **named)

    monkeypatch.setattr(completed, "impute", spy)
    copy_of_ccp.impute()
    monkeypatch.chdir(btheb_done.path)
    stage.run(
        participants=Path("data/derived/participants.parquet"),
        imputed=copy_of_ccp / "other.parquet",
        models=copy_of_ccp / "other.csv",
    )
    teams, arm = seen
    people, trial = source(copy_of_ccp), source(btheb_done)
    span = np.column_stack([np.ones(151), teams])
    assert np.linalg.matrix_rank(span) == 10
    for name in ("team", "trust", "arm"):
        indicators = pd.get_dummies(people[name]).to_numpy(dtype=float)
        assert np.linalg.matrix_rank(np.column_stack([span, indicators])) == 10
    span = np.column_stack([np.ones(100), arm])
    assert np.linalg.matrix_rank(span) == 2
    assert np.linalg.matrix_rank(np.column_stack([span, trial["arm"] == "btheb"])) == 2


def test_same_seed_same_bytes_other_seed_other_values(copy_of_ccp):
    before = IMPUTED.read_bytes(), MODELS.read_bytes()
    copy_of_ccp.impute()
    assert (IMPUTED.read_bytes(), MODELS.read_bytes()) == before
    copy_of_ccp.change("config/analysis.yaml", "seed: ", "seed: 1")
    copy_of_ccp.impute()
    assert IMPUTED.read_bytes() != before[0]


def test_one_more_analysis_changes_no_imputed_value(copy_of_ccp):
    before = IMPUTED.read_bytes(), MODELS.read_bytes()
    copy_of_ccp.change(
        "config/analysis.yaml",
        "analyses:\n",
        "analyses:\n  - {id: extra, role: sensitivity, model: mixed, visit: month6, "
        "data: imputed, outcomes: [recovery]}\n",
    )
    assert load_plan().analyses[0].id == "extra"
    copy_of_ccp.impute()
    assert (IMPUTED.read_bytes(), MODELS.read_bytes()) == before


def test_the_order_of_the_raw_rows_does_not_matter(copy_of_ccp):
    before = IMPUTED.read_bytes()
    for name in ("recruitment", "baseline", "followup"):
        path = copy_of_ccp / f"data/raw/{name}.csv"
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([header, *reversed(rows)]) + "\n")
    copy_of_ccp.up_to_imputation()
    assert IMPUTED.read_bytes() == before


def test_an_incomplete_nominal_variable_is_imputed(copy_of_ccp):
    copy_of_ccp.change("config/analysis.yaml", "covariates: [age,", "covariates: [living, age,")
    copy_of_ccp.impute()
    people, tables = source(copy_of_ccp), imputed(copy_of_ccp)
    gone = people["living"].isna().to_numpy()
    assert gone.any()
    for number in (1, 2):
        table = tables[tables["imputation"] == number]["living"].to_numpy()
        assert set(table) <= set(people["living"].dropna())
        assert (table[~gone] == people["living"][~gone]).all()
    models = pd.read_csv(MODELS)
    assert set(models.loc[models["variable"] == "living", "method"]) == {"polyreg"}
    assert "living" in set(models.loc[models["variable"] == "recovery_month6", "predictor"])


def test_a_variable_that_nobody_answered(copy_of_ccp):
    path = copy_of_ccp / "data/derived/participants.parquet"
    people = pd.read_parquet(path)
    people["eq_vas_month6"] = np.nan
    files.write_parquet(path, people)
    shutil.rmtree(copy_of_ccp / "data/derived/results")
    IMPUTED.unlink()
    MODELS.unlink()
    copy_of_ccp.impute()
    assert imputed(copy_of_ccp)["eq_vas_month6"].isna().all()
    models = pd.read_csv(MODELS).set_index("variable")
    assert models.loc["eq_vas_month6", "method"] == "not imputed"
    assert models.loc["eq_vas_month6", "note"] == "nobody was observed on it"
    assert "eq_vas_month6" not in set(models["predictor"])


def test_a_method_for_a_variable_that_is_not_imputed(copy_of_ccp):
    copy_of_ccp.change("config/analysis.yaml", "methods: {}", "methods: {gender: pmm}")
    with pytest.raises(StudyError, match="imputation.methods names 'gender'"):
        copy_of_ccp.impute()


def test_the_plan_decides_on_the_method(copy_of_ccp):
    copy_of_ccp.change("config/analysis.yaml", "methods: {}", "methods: {recovery_month6: norm}")
    copy_of_ccp.impute()
    models = pd.read_csv(MODELS)
    assert set(models.loc[models["variable"] == "recovery_month6", "method"]) == {"norm"}
    drawn = imputed(copy_of_ccp).query("imputation > 0")["recovery_month6"]
    assert (drawn != drawn.round()).any()


def test_one_iteration_is_enough_to_run(copy_of_ccp):
    copy_of_ccp.change("config/analysis.yaml", "iterations: 5", "iterations: 1")
    copy_of_ccp.impute()
    assert imputed(copy_of_ccp).query("imputation > 0").notna().all().all()
    assert len(pd.read_csv(MODELS))


def test_nothing_missing_is_nothing_to_impute(copy_of_ccp):
    path = copy_of_ccp / "data/derived/participants.parquet"
    people = pd.read_parquet(path)
    numbers = people.columns[[pd.api.types.is_float_dtype(d) for d in people.dtypes]]
    people[numbers] = people[numbers].fillna(people[numbers].median().fillna(0.0))
    files.write_parquet(path, people)
    copy_of_ccp.cost()
    copy_of_ccp.impute()
    tables = imputed(copy_of_ccp)
    first, last = (
        tables[tables["imputation"] == k].drop(columns="imputation").reset_index(drop=True)
        for k in (0, 2)
    )
    pd.testing.assert_frame_equal(first, last, check_exact=True)
    assert pd.read_csv(MODELS).empty
    found = copy_of_ccp.analyse("ancova").query("term == 'difference'")
    assert (found["fmi"] == 0).all()
    assert (found["m"] == 2).all()
