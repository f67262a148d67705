"""The impute stage on whole studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files
from ccp_analysis.config.plan import load_plan
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


class Asked(Exception):
    """What is asked of the imputation, which then is not made."""


def test_team_is_a_fixed_factor_where_there_are_teams_else_the_arm(done, monkeypatch):
    def spy(*arguments, fixed, **named):
        raise Asked(fixed)

    monkeypatch.chdir(done.path)
    monkeypatch.setattr(completed, "impute", spy)
    with pytest.raises(Asked) as caught:
        done.impute()
    people = source(done)
    units = [name for name in ("team", "trust", "arm") if name in people]
    span, rank = np.column_stack([np.ones(len(people)), *caught.value.args]), people[units[0]]
    for name in units:
        indicators = pd.get_dummies(people[name]).to_numpy(dtype=float)
        both = np.linalg.matrix_rank(np.column_stack([span, indicators]))
        assert np.linalg.matrix_rank(span) == both == rank.nunique()


def test_one_more_analysis_changes_no_imputed_value_and_another_seed_all(copy_of_ccp):
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
    copy_of_ccp.change("config/analysis.yaml", "seed: ", "seed: 1")
    copy_of_ccp.impute()
    assert IMPUTED.read_bytes() != before[0]


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


# --- what the plan may ask ------------------------------------------------------------------------


def ask(folder, text: str) -> None:
    folder.change("config/analysis.yaml", "  methods: {}", f"  methods: {{}}\n{text}")


def test_derived_variables_follow_exactly_in_every_imputation(copy_of_ccp):
    ask(copy_of_ccp, "  derived: {gain: recovery_month6 - recovery_baseline}\n")
    copy_of_ccp.impute()
    tables, models = imputed(copy_of_ccp), pd.read_csv(MODELS)
    expected = tables["recovery_month6"] - tables["recovery_baseline"]
    pd.testing.assert_series_equal(tables["gain"], expected, check_names=False, check_exact=True)
    part = models[models["variable"] == "gain"]
    assert set(part["method"]) == {"derived"}
    assert set(part["predictor"]) == {"recovery_month6", "recovery_baseline"}
    for name in ("recovery_month6", "recovery_baseline"):
        assert "gain" not in set(models.loc[models["variable"] == name, "predictor"])


def test_scores_of_imputed_items_are_scored_as_in_cleaning(copy_of_ccp):
    ask(copy_of_ccp, "  level: {wellbeing: items, utility: items}\n")
    copy_of_ccp.impute()
    tables, people = imputed(copy_of_ccp), source(copy_of_ccp)
    models = pd.read_csv(MODELS).groupby("variable")["method"].first()
    assert models["wellbeing_month6"] == models["utility_month6"] == "derived"
    assert models["wemwbs_01_month6"] == "pmm"
    completed = tables[tables["imputation"] > 0]
    for visit in ("baseline", "month6"):
        items = completed[[f"wemwbs_{k:02d}_{visit}" for k in range(1, 15)]]
        assert items.isin([1, 2, 3, 4, 5]).all(axis=None)
        np.testing.assert_allclose(completed[f"wellbeing_{visit}"], items.sum(axis=1))
        dimensions = [f"eq_{d}_{visit}" for d in ("mobility", "selfcare", "activities", "pain")]
        best = completed[(completed[[*dimensions, f"eq_anxiety_{visit}"]] == 1).all(axis=1)]
        # Utility is 0 from a death on, whatever the answers would have been.
        living = best[best[f"utility_{visit}"] != 0]
        assert len(living) and (living[f"utility_{visit}"] == 1).all()
        whole = people[list(items)].notna().all(axis=1)
        for number in (1, 2):
            table = tables[tables["imputation"] == number].reset_index(drop=True)
            pd.testing.assert_series_equal(
                table.loc[whole, f"wellbeing_{visit}"],
                people.loc[whole, f"wellbeing_{visit}"],
                check_exact=True,
            )


def test_imputation_by_arm_has_models_of_its_own(copy_of_ccp):
    ask(copy_of_ccp, "  by_arm: false\n")
    copy_of_ccp.change("config/analysis.yaml", "methods: {}", "methods: {recovery_month6: pmm}")
    copy_of_ccp.impute()
    before = imputed(copy_of_ccp)
    copy_of_ccp.change("config/analysis.yaml", "by_arm: false", "by_arm: true")
    copy_of_ccp.impute()
    after = imputed(copy_of_ccp)
    assert after.drop(columns="imputation").query("recovery_month6.isna()").shape[0] == 24
    gone = before.loc[before["imputation"] == 0, "recovery_month6"].isna().to_numpy()
    first, second = (t.loc[t["imputation"] == 1, "recovery_month6"] for t in (before, after))
    assert (first[gone].to_numpy() != second[gone].to_numpy()).any()
    assert (first[~gone].to_numpy() == second[~gone].to_numpy()).all()
    # A donor is of the same arm.
    people = source(copy_of_ccp)
    for arm, part in after[after["imputation"] > 0].groupby("arm"):
        own = people.loc[people["arm"] == arm, "recovery_month6"].dropna()
        assert set(part["recovery_month6"]) <= set(own)


def test_random_cluster_intercepts_and_bounds(copy_of_ccp):
    copy_of_ccp.change(
        "config/analysis.yaml",
        "methods: {}",
        "methods: {recovery_month6: 2l.norm, wellbeing_month6: norm}\n"
        "  bounds: {recovery_month6: [20, 30], wellbeing_month6: [40, 41]}",
    )
    copy_of_ccp.impute()
    tables = imputed(copy_of_ccp)
    gone = tables.loc[tables["imputation"] == 0, "recovery_month6"].isna().to_numpy()
    drawn = tables[tables["imputation"] == 1]
    assert drawn["recovery_month6"][gone].between(20, 30).all()
    assert drawn["wellbeing_month6"][gone].between(40, 41).all()


def test_the_predictors_of_the_plan(copy_of_ccp, caplog):
    ask(
        copy_of_ccp,
        "  auxiliary: [gender]\n"
        "  predictors: {recovery_month6: {add: [gender], drop: [age]}, recovery_baseline: {}}\n",
    )
    copy_of_ccp.change("config/analysis.yaml", "  auxiliary: []", "")
    caplog.set_level("INFO")
    copy_of_ccp.impute()
    models = pd.read_csv(MODELS)
    part = models[models["variable"] == "recovery_month6"]
    assert part["predictor"].iloc[0] == "gender" and part["why"].iloc[0] == "asked for in the plan"
    assert "age" not in set(part["predictor"])
    assert "recovery_month6: predictor age removed: dropped by the plan" in caplog.text
    assert "no room for the predictors" in caplog.text


@pytest.mark.parametrize("by_arm", [False, True])
def test_an_arm_without_values_is_refused(copy_of_ccp, by_arm):
    path = copy_of_ccp / "data/derived/participants.parquet"
    people = pd.read_parquet(path)
    people.loc[people["arm"] == "control", "recovery_month6"] = np.nan
    files.write_parquet(path, people)
    if by_arm:
        ask(copy_of_ccp, "  by_arm: true\n")
    copy_of_ccp.impute()
    lacking = imputed(copy_of_ccp).query("imputation > 0").isna().any()
    assert lacking[lacking].index.tolist() == ["recovery_month6"]
    found = pd.read_csv(MODELS).set_index("variable").loc["recovery_month6"]
    assert found["note"] == "nobody was observed on it in the arm control"


# --- what is said of an imputation ----------------------------------------------------------------


def run_with_figures(folder) -> dict[str, pd.DataFrame]:
    derived = Path("data/derived")
    names = ("traces", "values", "patterns", "losses")
    paths = {name: derived / "figure_data" / f"{name}.parquet" for name in names}
    stage.run(
        participants=derived / "participants.parquet",
        costs=derived / "costs.parquet",
        prices=derived / "prices.parquet",
        imputed=IMPUTED,
        models=MODELS,
        **paths,
    )
    return {name: pd.read_parquet(path) for name, path in paths.items()}


def test_figure_data(copy_of_ccp):
    before = IMPUTED.read_bytes()
    found = run_with_figures(copy_of_ccp)
    assert IMPUTED.read_bytes() == before
    people, tables = source(copy_of_ccp), imputed(copy_of_ccp)
    assert all((set(table["data_status"]) == {"synthetic"}) for table in found.values())

    traces = found["traces"].query("variable == 'recovery_month6'")
    assert len(traces) == 5 * 2
    gone = people["recovery_month6"].isna().to_numpy()
    last = traces.query("iteration == 5 and chain == 2").iloc[0]
    drawn = tables.loc[tables["imputation"] == 2, "recovery_month6"].to_numpy()[gone]
    assert last["mean"] == pytest.approx(drawn.mean())
    assert last["sd"] == pytest.approx(drawn.std(ddof=1))

    values = found["values"].query("variable == 'recovery_month6'")
    counts = values.groupby("imputation")["people"].sum()
    assert counts.tolist() == [(~gone).sum(), gone.sum(), gone.sum()]
    observed = values.query("imputation == 0")
    mean = (observed["value"] * observed["people"]).sum() / counts[0]
    assert mean == pytest.approx(people["recovery_month6"].mean())

    patterns = found["patterns"]
    assert patterns.drop_duplicates("pattern")["people"].sum() == len(people)
    lacking = patterns[~patterns["observed"]].groupby("variable")["people"].sum()
    assert lacking["recovery_month6"] == gone.sum()
    assert (
        patterns.groupby("pattern")["missing"].first()
        == (~patterns["observed"]).groupby(patterns["pattern"]).sum()
    ).all()
    assert patterns["people"].is_monotonic_decreasing

    losses = found["losses"].set_index(["characteristic", "level"])
    lost = ~people["interviewed_month6"].to_numpy()
    age = losses.loc[("age", "")]
    groups = people.loc[~lost, "age"], people.loc[lost, "age"]
    sd = np.sqrt((groups[0].var() + groups[1].var()) / 2)
    assert age["difference"] == pytest.approx((groups[1].mean() - groups[0].mean()) / sd)
    assert (age["n_seen"], age["n_lost"]) == (groups[0].count(), groups[1].count())
    team = people["team"] == "T01"
    assert losses.loc[("team", "T01"), "lost_share"] == pytest.approx(lost[team].mean())
    shares = losses.loc["team"]
    assert shares["seen"].sum() == pytest.approx(1) and shares["lost"].sum() == pytest.approx(1)


def test_nothing_missing_is_nothing_to_impute_and_nothing_to_draw(copy_of_ccp):
    path = copy_of_ccp / "data/derived/participants.parquet"
    people = pd.read_parquet(path)
    numbers = people.columns[[pd.api.types.is_float_dtype(d) for d in people.dtypes]]
    people[numbers] = people[numbers].fillna(people[numbers].median().fillna(0.0))
    people["interviewed_month6"] = True
    files.write_parquet(path, people)
    copy_of_ccp.cost()
    drawn = run_with_figures(copy_of_ccp)
    assert all(drawn[name].empty for name in ("traces", "values", "patterns"))
    assert drawn["losses"]["difference"].isna().all()
    tables = imputed(copy_of_ccp)
    first, last = (
        tables[tables["imputation"] == k].drop(columns="imputation").reset_index(drop=True)
        for k in (0, 2)
    )
    pd.testing.assert_frame_equal(first, last, check_exact=True)
    assert pd.read_csv(MODELS).empty
    found = copy_of_ccp.analyse("ancova").query("term == 'difference'")
    assert (found["fmi"] == 0).all() and (found["m"] == 2).all()
