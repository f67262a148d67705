"""The analyse and describe stages on whole studies: R's figures, failures, faults of the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.cases import edits
from trial import one

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.results.table import COLUMNS, KEY, NUMBERS, read_results

BTHEB_R = Path(__file__).parents[1] / "models" / "data"


def reference(name: str) -> dict:
    return json.loads((BTHEB_R / f"{name}.json").read_text())


def part(folder, analysis: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"data/derived/results/{analysis}.parquet")


def arm(rows: list[dict]) -> dict:
    return next(row for row in rows if row["term"] == "treatmentBtheB")


def test_beat_the_blues_ancova_is_that_of_r(btheb_done):
    """Raw file to row of the results table: complete cases at eight months."""
    table, of_r = part(btheb_done, "ancova_complete"), reference("btheb")["ancova_8m"]
    expected, found = arm(of_r["coef"]), one(table, term="difference", subgroup="")
    limits = arm(of_r["ci"])
    for column, value in {
        "estimate": expected["Estimate"],
        "std_error": expected["Std. Error"],
        "statistic": expected["t value"],
        "p_value": expected["Pr(>|t|)"],
        "conf_low": limits["2.5 %"],
        "conf_high": limits["97.5 %"],
    }.items():
        assert found[column] == pytest.approx(value, rel=1e-8), column
    assert (found["n"], found["df"], found["inference"]) == (52, 47, "t")
    assert (found["level"], found["visit"]) == ("btheb - tau", "month8")
    assert found[["n_clusters", "m"]].isna().all()
    for mean in of_r["emmeans_proportional"]:
        row = one(table, term="adjusted mean", level=mean["treatment"].lower())
        assert row["estimate"] == pytest.approx(mean["emmean"], rel=1e-8)
        assert row["std_error"] == pytest.approx(mean["SE"], rel=1e-8)
        assert pd.isna(row["p_value"])


def test_beat_the_blues_repeated_model_is_that_of_pbkrtest(btheb_done):
    table = part(btheb_done, "repeated_observed")
    expected = reference("btheb")["lmm_random_intercept"]
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
        assert set(empty["term"]) <= {"tipping point", "icer"} and (empty["note"] != "").all()
        inside = estimates.dropna(subset=["conf_low"])
        # May lie on the end of its interval; by moments below zero, where the interval is cut.
        correlation = inside["term"] == "intraclass correlation"
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


def change_imputed(folder, change) -> None:
    path = folder / "data/derived/imputed.parquet"
    files.write_parquet(path, change(pd.read_parquet(path)))


def test_a_subgroup_that_fails_stops_nothing(copy_of_ccp):
    change_imputed(copy_of_ccp, lambda tables: tables.assign(same=1.0))
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
        for term, value, n in (
            ("mean", score.mean(), score.notna().sum()),
            ("sd", score.std(), score.notna().sum()),
            ("observed", score.notna().sum(), len(group)),
            ("missing", score.isna().sum(), len(group)),
        ):
            row = one(table, **shared, term=term)
            assert (row["estimate"], row["n"]) == (pytest.approx(value), n), term
        shares = table[(table["outcome"] == "gender") & (table["level"] == level)]
        shares = shares[shares["term"] == "proportion"]
        assert shares["estimate"].sum() == pytest.approx(1)
        women = one(shares, subgroup="female")["estimate"]
        assert women == pytest.approx((group["gender"] == "female").sum() / group["gender"].count())


def test_a_failing_supporting_analysis_leaves_a_row(copy_of_ccp):
    """Without a follow-up in one team a pair is incomplete; the run goes on."""

    def lose(tables: pd.DataFrame) -> pd.DataFrame:
        lost = (tables["team"] == "T03") & (tables["imputation"] == 0)
        return tables.assign(recovery_month6=tables["recovery_month6"].mask(lost))

    change_imputed(copy_of_ccp, lose)
    table = copy_of_ccp.analyse("team_means_complete")
    row = one(table, outcome="recovery")
    assert (row["status"], row["term"], row["role"]) == ("failed", "difference", "sensitivity")
    assert row["note"] == "Every pair must be two teams, one in each arm"
    assert pd.isna(row["estimate"])
    assert set(table.loc[table["outcome"] != "recovery", "status"]) == {"ok"}


def test_a_primary_analysis_that_fails_on_the_primary_outcome_stops_and_leaves_no_file(copy_of_ccp):
    names = ["social_capital_baseline", "social_capital_month6"]
    change_imputed(
        copy_of_ccp, lambda t: t.assign(**dict.fromkeys(names, t[names[0]].fillna(30.0)))
    )
    out = copy_of_ccp / "data/derived/results/ancova.parquet"
    out.unlink()
    with pytest.raises(StudyError, match="The primary analysis failed: ancova, social_capital: "):
        copy_of_ccp.analyse("ancova")
    assert not out.exists()
    assert copy_of_ccp.analyse("mixed")["status"].eq("failed").any()


PLANS = {
    case: (of, *told)
    for of in ("ancova", "broken")
    for case, told in edits("analyses/data/faults.csv", of).items()
}


@pytest.mark.parametrize("case", PLANS)
def test_faults_of_the_plan(copy_of_ccp, case):
    analysis, [change], sentence = PLANS[case]
    copy_of_ccp.change(*change)
    with pytest.raises(StudyError) as caught:
        copy_of_ccp.analyse(analysis)
    assert sentence in str(caught.value)


def test_what_is_not_planned_is_named(copy_of_ccp):
    with pytest.raises(StudyError, match="there is no analysis 'ancva'"):
        copy_of_ccp.analyse("ancva")
    copy_of_ccp.change("config/analysis.yaml", "baseline_table: [age,", "baseline_table: [aeg,")
    with pytest.raises(StudyError, match="baseline_table names 'aeg', which is no variable"):
        copy_of_ccp.describe()
