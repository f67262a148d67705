"""The analyse and describe stages on whole studies: R's figures, failures, faults of the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.results.table import COLUMNS, KEY, NUMBERS, read_results

BTHEB_R = Path(__file__).parents[1] / "models" / "data" / "btheb.json"


def part(folder, analysis: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"data/derived/results/{analysis}.parquet")


def one(table: pd.DataFrame, **wanted) -> pd.Series:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads(BTHEB_R.read_text())


def arm(rows: list[dict]) -> dict:
    return next(row for row in rows if row["term"] == "treatmentBtheB")


def test_beat_the_blues_ancova_is_that_of_r(btheb_done, reference):
    """Raw file to row of the results table: complete cases at eight months."""
    table = part(btheb_done, "ancova_complete")
    expected, found = arm(reference["ancova_8m"]["coef"]), one(table, term="difference")
    low, high = (arm(reference["ancova_8m"]["ci"])[k] for k in ("2.5 %", "97.5 %"))
    pairs = {
        "estimate": expected["Estimate"],
        "std_error": expected["Std. Error"],
        "statistic": expected["t value"],
        "p_value": expected["Pr(>|t|)"],
        "conf_low": low,
        "conf_high": high,
    }
    for column, value in pairs.items():
        assert found[column] == pytest.approx(value, rel=1e-8), column
    assert (found["n"], found["df"], found["inference"]) == (52, 47, "t")
    assert (found["level"], found["visit"]) == ("btheb - tau", "month8")
    assert pd.isna(found["n_clusters"])
    assert pd.isna(found["m"])
    for mean in reference["ancova_8m"]["emmeans_proportional"]:
        row = one(table, term="adjusted mean", level=mean["treatment"].lower())
        assert row["estimate"] == pytest.approx(mean["emmean"], rel=1e-8)
        assert row["std_error"] == pytest.approx(mean["SE"], rel=1e-8)
        assert pd.isna(row["p_value"])


def test_beat_the_blues_repeated_model_is_that_of_pbkrtest(btheb_done, reference):
    table = part(btheb_done, "repeated_observed")
    expected = reference["lmm_random_intercept"]
    coef, found = arm(expected["kenward_roger"]), one(table, term="difference")
    assert abs(found["estimate"] - coef["Estimate"]) <= 1e-4 * coef["Std. Error"]
    assert found["std_error"] == pytest.approx(coef["Std. Error"], rel=1e-4)
    assert found["df"] == pytest.approx(coef["df"], rel=1e-3)
    assert found["p_value"] == pytest.approx(coef["Pr(>|t|)"], rel=1e-3)
    assert (found["n"], found["n_clusters"]) == (expected["nobs"], 97)
    assert (found["population"], found["visit"]) == ("observed-follow-ups", "")
    variances = [row["vcov"] for row in expected["vc"]]
    terms = ("variance: participant", "variance: residual")
    ours = [one(table, term=term)["estimate"] for term in terms]
    np.testing.assert_allclose(ours, variances, rtol=1e-4)


@pytest.fixture(scope="module")
def visits_reference() -> dict:
    return json.loads((BTHEB_R.parent / "btheb_visits.json").read_text())


def test_beat_the_blues_clda_is_that_of_r(btheb_done, visits_reference):
    table = part(btheb_done, "clda_observed")
    rows = {row["term"]: row for row in visits_reference["clda_us_Kenward_Roger"]["coef"]}
    # mmrm stops short of the optimum (tests/models/test_visits_reference.py): estimates are gls's.
    gls = json.loads((BTHEB_R.parent / "repeated.json").read_text())["gls_clda"]["coef"]
    estimates = {row["term"]: row["Value"] for row in gls}
    for months in (2, 3, 5, 8):
        expected = rows[f"trt{months}"]
        found = one(table, term="difference", visit=f"month{months}")
        distance = abs(found["estimate"] - estimates[f"trt{months}"])
        assert distance <= 1e-4 * expected["Std. Error"]
        assert found["std_error"] == pytest.approx(expected["Std. Error"], rel=1e-4)
        assert found["df"] == pytest.approx(expected["df"], rel=1e-3)
        assert found["n"] == 100
    assert set(table["role"]) == {"supporting"}


def test_a_person_counts_once_in_the_standard_deviation(btheb_done):
    """Four visits each: the baseline SD is that of 100 people, not of 280 rows."""
    people = pd.read_parquet(btheb_done / "data/derived/participants.parquet")
    within = people.groupby("arm")["bdi_baseline"].agg(lambda v: ((v - v.mean()) ** 2).sum())
    table = part(btheb_done, "repeated_observed")
    plain = one(table, term="difference")
    scaled = one(table, term="standardised difference")
    hedges = 1 - 3 / (4 * 98 - 1)
    sd = np.sqrt(within.sum() / 98)
    assert plain["estimate"] / scaled["estimate"] == pytest.approx(sd / hedges)


def test_everyone_with_a_baseline_is_in_the_imputed_analyses(ccp_done, btheb_done):
    for folder, n in ((ccp_done, 151), (btheb_done, 100)):
        found = part(folder, "ancova").query("term == 'difference'")
        assert len(found) == (7 if n == 151 else 1)
        assert set(found["n"]) == {n}
        assert set(found["m"]) == {2}
        assert found["fmi"].between(0, 1).all()
        assert set(found["estimand"]) == {"treatment-policy"}


def test_every_outcome_has_every_row(ccp_done):
    table = part(ccp_done, "mixed")
    outcomes = 7
    with_mcid = 2  # well-being and utility
    readings = {
        "standardised difference": outcomes,
        "minimum detectable difference": outcomes,
        "difference beyond MCID": 2 * with_mcid,
    }
    assert table["term"].value_counts().to_dict() == readings | {
        "adjusted mean": 2 * outcomes,
        "difference": outcomes,
        "variance: team": outcomes,
        "variance: residual": outcomes,
        "intraclass correlation": outcomes,
    }
    assert set(table["role"]) == {"sensitivity"}
    assert part(ccp_done, "team_means")["term"].value_counts().to_dict() == readings | {
        "difference": 2 * outcomes,
        "participant-average difference": 2 * outcomes,
        "change of the difference with cluster size": outcomes,
        "pair difference": 5 * outcomes,
    }


def test_the_results_table_is_whole_unique_and_sorted(ccp_done, btheb_done):
    for folder, status in ((ccp_done, "synthetic"), (btheb_done, "public")):
        table = read_results(folder / "reports/results.csv")
        assert table.columns.tolist() == COLUMNS
        assert not table.duplicated(KEY).any()
        keys = table[[k for k in KEY if k not in NUMBERS]]
        in_order = keys.sort_values(list(keys), kind="stable", key=lambda c: groups(c).codes)
        assert keys.equals(in_order)
        assert set(table["data_status"]) == {status}
        # Of what was delivered to few, something may be refused: then there is the reason.
        practice = table["analysis"].isin(["implementation", "dose_response", "takers"])
        assert (table.loc[practice & table["status"].eq("refused"), "note"] != "").all()
        table = table[~practice]
        assert set(table["status"]) <= {"ok", "boundary", "flagged"}
        estimates = table[table["role"] != "descriptive"]
        # Nothing tips up to the limit of the search, or one arm is better and cheaper, which leaves
        # no ratio: then there is a row that says so.
        empty = estimates[estimates["estimate"].isna()]
        assert set(empty["term"]) <= {"tipping point", "icer"}
        assert (empty["note"] != "").all()
        inside = estimates.dropna(subset=["conf_low"])
        correlation = (
            inside["term"] == "intraclass correlation"
        )  # may lie on the end of its interval
        # By moments, and by them alone, it may lie below zero, where the interval is cut.
        cut = correlation & inside["note"].str.contains("cut at zero") & (inside["conf_low"] == 0)
        assert (inside["conf_low"] <= inside["estimate"])[~cut].all()
        assert (inside["estimate"] <= inside["conf_high"]).all()
        assert (inside["conf_low"] < inside["conf_high"])[~correlation].all()


def test_a_part_alone_and_among_all_is_the_same(ccp_done):
    """The report's table holds the numbers of the parts, at full precision."""
    table = read_results(ccp_done / "reports/results.csv")
    for analysis in ("ancova", "team_means", "descriptive", "economics"):
        alone = part(ccp_done, analysis)
        rows = table[table["analysis"].isin(alone["analysis"])].reset_index(drop=True)
        together = ["family", "p_adjusted"]  # are known only where all results are
        assert (alone["family"] == "").all()
        pd.testing.assert_frame_equal(
            rows.drop(columns=together), alone.drop(columns=together), check_dtype=False, rtol=0
        )


def test_secondary_outcomes_are_a_family(ccp_done):
    table = read_results(ccp_done / "reports/results.csv")
    family = table[table["family"] == "secondary"]
    assert set(family["analysis"]) == {"ancova"}
    assert set(family["term"]) == {"difference"}
    assert len(family) == 6
    assert "social_capital" not in set(family["outcome"])
    ordered = np.sort(family["p_value"])
    holm = np.minimum(np.maximum.accumulate(ordered * np.arange(6, 0, -1)), 1)
    np.testing.assert_allclose(np.sort(family["p_adjusted"]), holm)
    assert table.loc[table["family"] == "", "p_adjusted"].isna().all()
    assert set(table["family"]) == {"", "secondary", "pairs"}


def test_planned_and_achieved_numbers(ccp_done):
    table = read_results(ccp_done / "reports/results.csv")
    table = table[table["analysis"] == "sample_size"]
    assert set(table["role"]) == {"descriptive"}
    people = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    people = people[people["interviewed_baseline"]]
    achieved = {"level": "achieved"}
    assert one(table, term="participants at baseline", **achieved)["estimate"] == len(people)
    followed = people["social_capital_month6"].notna().sum()
    assert one(table, term="participants at follow-up", **achieved)["estimate"] == followed
    assert one(table, term="clusters", **achieved)["estimate"] == 10
    planned = {"term": "detectable difference", "inference": "normal"}
    fewer = [one(table, level=level, **planned)["estimate"] for level in ("planned", "achieved")]
    assert fewer[0] < fewer[1]
    by_t = one(table, level="planned", term="detectable difference", inference="t")
    assert by_t["df"] == 4
    assert by_t["estimate"] > fewer[0]


def test_the_planned_subgroup_stands_beside_its_analysis(ccp_done, btheb_done):
    table = part(ccp_done, "ancova")
    rows = table[table["subgroup"] != ""]
    assert set(rows["outcome"]) == {"social_capital"}
    assert sorted(rows["term"]) == ["interaction", "subgroup difference", "subgroup difference"]
    assert set(rows["role"]) == {"supporting"}
    assert set(rows["visit"]) == {"month6"}
    rows = part(btheb_done, "ancova_complete").query("subgroup != ''")
    assert set(rows["subgroup"]) == {"drug, Yes - No", "drug, No", "drug, Yes"}
    levels = rows[rows["term"] == "subgroup difference"]
    assert levels["n"].sum() == 52


def test_a_count_is_analysed_by_its_name_in_the_plan(copy_of_ccp):
    """The resources within the network are a count too."""
    copy_of_ccp.change(
        "config/analysis.yaml",
        "analyses:",
        "analyses:\n  - {id: counted, role: supporting, model: poisson, visit: month6, "
        "data: imputed, outcomes: [social_capital]}",
    )
    table = copy_of_ccp.analyse("counted")
    assert set(table["model"]) == {"poisson"}
    assert set(table["inference"]) == {"cr2"}
    difference = one(table, term="difference")
    means = {a: one(table, term="adjusted mean", level=a) for a in ("control", "intervention")}
    assert difference["estimate"] == pytest.approx(
        means["intervention"]["estimate"] - means["control"]["estimate"]
    )
    assert one(table, term="rate ratio")["estimate"] == pytest.approx(
        np.exp(one(table, term="log rate ratio")["estimate"])
    )
    assert difference["scale"] == "count"
    assert np.isfinite(one(table, term="minimum detectable difference")["estimate"])


def test_a_subgroup_that_fails_stops_nothing(copy_of_ccp):
    path = copy_of_ccp / "data/derived/imputed.parquet"
    tables = pd.read_parquet(path)
    tables["same"] = 1.0
    files.write_parquet(path, tables)
    copy_of_ccp.change("config/analysis.yaml", "variable: years_in_contact", "variable: same")
    table = copy_of_ccp.analyse("ancova")
    row = one(table, term="interaction")
    assert (row["status"], row["role"]) == ("failed", "supporting")
    assert row["note"] == "'same' is the same for everyone"
    assert len(table[table["term"] == "difference"]) == 7


def test_descriptive_rows_count_and_average_what_was_observed(ccp_done):
    table = part(ccp_done, "descriptive")
    people = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    people = people[people["interviewed_baseline"]]
    for level, group in [*people.groupby("arm"), ("all", people)]:
        shared = {"outcome": "social_capital", "visit": "month6", "level": level}
        score = group["social_capital_month6"]
        assert one(table, **shared, term="mean")["estimate"] == pytest.approx(score.mean())
        assert one(table, **shared, term="sd")["estimate"] == pytest.approx(score.std())
        assert one(table, **shared, term="observed")["estimate"] == score.notna().sum()
        assert one(table, **shared, term="missing")["estimate"] == score.isna().sum()
        assert one(table, **shared, term="missing")["n"] == len(group)
        assert one(table, **shared, term="mean")["n"] == score.notna().sum()
        shares = table[
            (table["outcome"] == "gender")
            & (table["term"] == "proportion")
            & (table["level"] == level)
        ]
        assert shares["estimate"].sum() == pytest.approx(1)
        women = one(shares, subgroup="female")["estimate"]
        assert women == pytest.approx((group["gender"] == "female").sum() / group["gender"].count())
    units = table[table["term"] == "mean"].groupby("outcome")["scale"].first()
    assert units[["age", "cost", "recovery", "utility"]].tolist() == [
        "years",
        "pounds",
        "points",
        "utility",
    ]


def test_a_failing_supporting_analysis_leaves_a_row(copy_of_ccp):
    """Without a follow-up in one team a pair is incomplete; the run goes on."""
    path = copy_of_ccp / "data/derived/imputed.parquet"
    tables = pd.read_parquet(path)
    lost = (tables["team"] == "T03") & (tables["imputation"] == 0)
    tables.loc[lost, "recovery_month6"] = np.nan
    files.write_parquet(path, tables)
    table = copy_of_ccp.analyse("team_means_complete")
    row = one(table, outcome="recovery")
    assert (row["status"], row["term"], row["role"]) == ("failed", "difference", "sensitivity")
    assert row["note"] == "Every pair must be two teams, one in each arm"
    assert pd.isna(row["estimate"])
    assert set(table.loc[table["outcome"] != "recovery", "status"]) == {"ok"}


def follow_up_is_baseline(folder, outcome: str) -> None:
    path = folder / "data/derived/imputed.parquet"
    tables = pd.read_parquet(path)
    tables[f"{outcome}_month6"] = tables[f"{outcome}_baseline"].fillna(30.0)
    tables[f"{outcome}_baseline"] = tables[f"{outcome}_month6"]
    files.write_parquet(path, tables)


def test_a_primary_analysis_that_fails_on_the_primary_outcome_stops_and_leaves_no_file(copy_of_ccp):
    follow_up_is_baseline(copy_of_ccp, "social_capital")
    out = copy_of_ccp / "data/derived/results/ancova.parquet"
    out.unlink()
    with pytest.raises(StudyError, match="The primary analysis failed: ancova, social_capital: "):
        copy_of_ccp.analyse("ancova")
    assert not out.exists()


def test_a_primary_analysis_that_fails_on_another_outcome_leaves_a_row(copy_of_ccp):
    follow_up_is_baseline(copy_of_ccp, "recovery")
    table = copy_of_ccp.analyse("ancova")
    row = one(table, outcome="recovery")
    assert (row["status"], row["role"], row["term"]) == ("failed", "primary", "difference")
    assert "fitted exactly" in row["note"]
    assert set(table.loc[table["outcome"] != "recovery", "status"]) == {"ok"}


PLANS = {
    "unknown visit": (
        "ancova, role: primary, model: ancova, visit: month6",
        "ancova, role: primary, model: ancova, visit: month9",
        "config/analysis.yaml: analysis 'ancova': visit 'month9' is not in config/study.yaml; "
        "expected one of month6.",
    ),
    "baseline": (
        "ancova, role: primary, model: ancova, visit: month6",
        "ancova, role: primary, model: ancova, visit: baseline",
        "config/analysis.yaml: analysis 'ancova' is at the baseline",
    ),
    "outcome of the analysis": (
        "model: ancova, visit: month6, data: imputed}",
        "model: ancova, visit: month6, data: imputed, outcomes: [recovry]}",
        "config/analysis.yaml, line 62: analysis 'ancova': 'recovry' is not one of the outcomes; "
        "most like it: 'recovery'",
    ),
    "covariate": (
        "covariates: [age, years_in_contact]",
        "covariates: [age, hight]",
        "config/analysis.yaml: an analysis needs 'hight', which is not among the cleaned",
    ),
    "collinear covariate": (
        "covariates: [age, years_in_contact]",
        "covariates: [age, trust]",
        "The primary analysis failed: ancova, social_capital: 'trust' follows from ",
    ),
    "constrained baselines": (
        "analyses:",
        "analyses:\n  - {id: broken, role: primary, model: clda, data: imputed}",
        "config/analysis.yaml: analysis 'broken' (model: clda) takes the arms to be alike at "
        "baseline, which only randomisation makes them, and config/study.yaml says randomised: "
        "false; expected role: sensitivity.",
    ),
    "single follow-up": (
        "analyses:",
        "analyses:\n  - {id: broken, role: primary, model: mmrm, data: imputed}",
        "config/analysis.yaml: model: mmrm needs at least two follow-ups of 'social_capital'",
    ),
    "family of another analysis": (
        "    analysis: ancova\n    method: holm",
        "    analysis: ancva\n    method: holm",
        "family 'secondary': 'ancva' is not one of the analyses",
    ),
    "family twice": (
        "families:",
        "families:\n  - {id: two, analysis: ancova, method: holm, outcomes: [recovery]}",
        "'recovery' stands twice in the families of one analysis",
    ),
    "subgroup of another model": (
        "variable: years_in_contact, analysis: ancova",
        "variable: years_in_contact, analysis: mixed",
        "subgroup 'years_in_contact': the model of its analysis must be ancova",
    ),
    "reserved name": (
        "id: did,",
        "id: sample_size,",
        "none of balance, characteristics, descriptive, dose_response",
    ),
    "repeated with clusters": (
        "analyses:",
        "analyses:\n  - {id: broken, role: primary, model: repeated, data: imputed}",
        "or model: mixed at one visit.",
    ),
}


@pytest.mark.parametrize("fault", PLANS)
def test_faults_of_the_plan(copy_of_ccp, fault):
    old, new, sentence = PLANS[fault]
    copy_of_ccp.change("config/analysis.yaml", old, new)
    with pytest.raises(StudyError) as caught:
        copy_of_ccp.analyse("broken" if "id: broken" in new else "ancova")
    assert sentence in str(caught.value)


def test_an_analysis_that_is_not_planned(copy_of_ccp):
    with pytest.raises(StudyError, match="there is no analysis 'ancva'"):
        copy_of_ccp.analyse("ancva")


def test_an_unknown_variable_of_the_baseline_table(copy_of_ccp):
    copy_of_ccp.change("config/analysis.yaml", "baseline_table: [age,", "baseline_table: [aeg,")
    with pytest.raises(StudyError, match="baseline_table names 'aeg', which is no variable"):
        copy_of_ccp.describe()


def test_a_rule_of_pooling_changes_the_interval_and_not_the_estimate(ccp_done):
    """Averaged contributions keep the teams' degrees of freedom, which Rubin's rules take away."""
    own = one(part(ccp_done, "ancova"), outcome="social_capital", term="difference")
    rubin = one(part(ccp_done, "ancova_rubin"), outcome="social_capital", term="difference")
    assert (own["pooling"], rubin["pooling"]) == ("averaged", "barnard-rubin")
    assert own["inference"] == rubin["inference"] == "cr2"
    for column in ("n", "m", "average"):
        assert own[column] == rubin[column], column
    assert own["estimate"] == pytest.approx(rubin["estimate"], rel=1e-12)
    assert 1 < rubin["df"] < own["df"] - 1 < 4
    assert own["conf_high"] - own["conf_low"] < rubin["conf_high"] - rubin["conf_low"]


def test_every_comparison_says_of_whom_it_is_the_average(ccp_done):
    table = read_results(ccp_done / "reports/results.csv")
    found = table[table["term"] == "difference"]
    assert set(found["average"]) == {"participants", "clusters", "overlap population"}
    weighed = found["model"].eq("ancova-overlap")
    assert (found.loc[weighed, "average"] == "overlap population").all()
    found = found[~weighed]
    paired = found["model"].eq("team-means") | found["inference"].eq("paired-t")
    assert (found["average"] == np.where(paired, "clusters", "participants")).all()
    assert set(table.loc[table["term"] == "participant-average difference", "average"]) == {
        "participants"
    }
