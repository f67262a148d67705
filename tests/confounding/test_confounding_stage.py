"""Balance and what is unmeasured, of whole studies and of the clustered trial."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study

MEANS, CLUSTERS = "standardised mean difference", "standardised mean difference of clusters"


@pytest.fixture
def rows(ccp_done, monkeypatch) -> pd.DataFrame:
    monkeypatch.chdir(ccp_done.path)
    return pd.read_parquet("data/derived/results/balance.parquet")


def one(rows: pd.DataFrame, **where: str) -> pd.Series:
    found = rows[np.logical_and.reduce([rows[k] == v for k, v in where.items()])]
    assert len(found) == 1, where
    return found.iloc[0]


def test_differences_are_those_of_a_plain_computation(rows):
    people = pd.read_parquet("data/derived/imputed.parquet")
    by_table = []
    for _, table in people[people["imputation"] > 0].groupby("imputation"):
        values = table.groupby("arm")["wellbeing_baseline"]
        apart = values.mean()["intervention"] - values.mean()["control"]
        by_table.append(apart / np.sqrt(values.var().mean()))
    where = {"term": MEANS, "model": "none", "population": "all-with-baseline"}
    row = one(rows, outcome="wellbeing", **where)
    assert row["estimate"] == pytest.approx(np.mean(by_table), rel=1e-12)
    participants = pd.read_parquet("data/derived/participants.parquet")
    known = participants[participants["participant"].isin(people["participant"])]
    known = known.dropna(subset=["gender"])
    women = (known["gender"] == "female").astype(float).groupby(known["arm"])
    apart = women.mean()["intervention"] - women.mean()["control"]
    row = one(rows, outcome="gender", subgroup="female", **where)
    assert row["estimate"] == pytest.approx(apart / np.sqrt(women.var().mean()))
    assert row["n"] == len(known)


def test_what_is_balanced_is_balanced_and_team_means_have_an_interval(rows):
    asked = load_plan().confounding.covariates
    stems = [name.removesuffix("_baseline") for name in asked]
    for model in ("ancova-overlap", "ancova-entropy"):
        weighted = rows[
            (rows["model"] == model) & (rows["term"] == MEANS) & rows["outcome"].isin(stems)
        ]
        assert len(weighted) == len(asked)
        assert weighted["estimate"].eq(0.0).all()
    row = one(rows, outcome="utility", term=CLUSTERS, model="none")
    people = pd.read_parquet("data/derived/imputed.parquet").query("imputation > 0")
    means = people.groupby(["trust", "arm"])["utility_baseline"].mean().unstack()
    apart = means["intervention"] - means["control"]
    assert row["estimate"] / row["std_error"] == pytest.approx(
        apart.mean() / (apart.std() / 5**0.5)
    )
    assert (row["df"], row["n_clusters"]) == (4, 10)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_loss_shows_in_those_seen_again_and_there_is_no_p_value(rows):
    seen = rows[(rows["population"] == "complete-case") & (rows["outcome"] == "age")]
    observed = pd.read_parquet("data/derived/imputed.parquet").query("imputation == 0")
    assert seen["n"].tolist() == [int(observed["social_capital_month6"].notna().sum())]
    assert rows["p_value"].isna().all()


def test_tipping_differences_move_the_interval_where_they_say(rows):
    hides = rows[rows["term"] == "unmeasured difference that hides MCID"]
    results = pd.read_parquet("data/derived/results/ancova.parquet")
    differences = results[results["term"] == "difference"].set_index("outcome")
    points = rows[
        rows["term"].eq("unmeasured difference to zero") & ~rows["scale"].str.startswith("SD")
    ]
    assert set(points["outcome"]) == {outcome.id for outcome in load_plan().outcomes}
    for row in points.itertuples():
        own = differences.loc[row.outcome]
        ends = own["conf_low"] - row.estimate, own["conf_high"] - row.estimate
        assert min(map(abs, ends)) < 1e-9
        assert abs(row.estimate) == pytest.approx(min(abs(own["conf_low"]), abs(own["conf_high"])))
    assert set(hides["outcome"]) == {"wellbeing", "utility"}
    plain = hides[~hides["scale"].str.startswith("SD")].set_index("outcome")["estimate"]
    assert plain["wellbeing"] == pytest.approx(differences.loc["wellbeing", "estimate"] - 3)


def test_in_units_of_the_strongest_covariate(rows):
    for outcome, own in rows[rows["analysis"] == "unmeasured"].groupby("outcome"):
        strongest = own[own["term"] == "change with one SD of a covariate"]["estimate"].abs().max()
        zero = own[own["term"] == "unmeasured difference to zero"].sort_values("scale")
        points = zero[~zero["scale"].str.startswith("SD")]["estimate"].item()
        in_sd = zero[zero["scale"].str.startswith("SD")]["estimate"].item()
        assert in_sd == pytest.approx(points / strongest), outcome


def test_a_randomised_study_has_balance_and_no_weights(btheb_done):
    rows = pd.read_parquet(btheb_done / "data/derived/results/balance.parquet")
    assert set(rows["analysis"]) == {"balance"} and set(rows["model"]) == {"none"}
    assert not (rows["term"] == CLUSTERS).any()


def test_refused_weights_are_a_row_with_the_reason(copy_of_ccp):
    copy_of_ccp.change(
        "config/analysis.yaml", "confounding:", "confounding:\n  people_per_column: 40"
    )
    rows = copy_of_ccp.balance()
    refused = rows[rows["status"] == "refused"]
    assert set(refused["model"]) == {"ancova-overlap", "ancova-entropy"}
    assert refused["note"].str.contains("in the smaller arm, which has 75").all()
    assert set(rows[(rows["term"] == MEANS) & (rows["status"] == "ok")]["model"]) == {"none"}


def test_points_of_the_figures(rows):
    points = pd.read_parquet("data/derived/figure_data/balance.parquet")
    people = points[points["figure"] == "propensity"]
    assert people["series"].value_counts().to_dict() == {"control": 76, "intervention": 75}
    assert people["x"].between(0, 1).all()
    grid = points[(points["figure"] == "contour") & (points["outcome"] == "social_capital")]
    assert len(grid) == 39**2
    results = pd.read_parquet("data/derived/results/team_means.parquet")
    paired = one(results, outcome="social_capital", term="difference", inference="paired-t")
    none = grid[(grid["x"] == 0) & (grid["y"] == 0)]["z"].item()
    assert none == pytest.approx(paired["estimate"])
    assert set(points["data_status"]) == {load_study().data_status}
