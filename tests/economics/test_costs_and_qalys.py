"""Costs and quality-adjusted life years of people worked out by hand; faults of the files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.economics.costs import read_unit_costs, total_costs
from ccp_analysis.economics.stage import quality_adjusted_life_years
from ccp_analysis.errors import StudyError
from ccp_analysis.study import Economics, Study

ECONOMICS = {
    "price_year": 2020,
    "currency": "GBP",
    "unit_costs": "unit_costs.csv",
    "services": "su_",
    "utility": "u",
    "months": 12,
}
HEADER = "service,unit,unit_cost,price_year,source\n"


def study(*months: float) -> Study:
    return Study.model_validate(
        {
            "id": "s",
            "title": "S",
            "short_title": "S",
            "registration": "none",
            "data_status": "synthetic",
            "data_date": "2021-01-01",
            "randomised": True,
            "arms": {"variable": "arm", "reference": "a", "levels": {"a": "A", "b": "B"}},
            "visits": [{"id": f"m{m:g}", "label": f"{m:g}", "months": m} for m in months],
            "files": {"people": {"path": "people.csv", "rows": "participant"}},
        }
    )


def test_a_cost_by_hand_and_missing_where_a_service_is():
    people = pd.DataFrame({"gp_0": [2.0, 0, 1], "bed_0": [1.0, 0, np.nan], "gp_6": [0, 3.0, 1]})
    costs = pd.Series({"gp": 40.0, "bed": 430.5})
    use = {"m0": {"gp": "gp_0", "bed": "bed_0"}, "m6": {"gp": "gp_6"}}
    found = total_costs(people, use, costs)
    assert found["cost_m0"].tolist()[:2] == [2 * 40 + 430.5, 0]
    assert np.isnan(found["cost_m0"][2])
    assert found["cost_m6"].tolist() == [0, 120, 40]


def test_the_cost_of_a_participant_of_the_study(ccp_done):
    """CP001 at follow-up has a blank service; at baseline used nothing; CP002 is added up."""
    people = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    costs = pd.read_parquet(ccp_done / "data/derived/costs.parquet").set_index("participant")
    prices = pd.read_csv(ccp_done / "config/unit_costs.csv").set_index("service")["unit_cost"]
    raw = pd.read_csv(ccp_done / "data/raw/followup.csv", dtype=str, keep_default_na=False)
    row = raw[raw["participant"] == "CP002"].iloc[0]
    by_hand = sum(float(row[service]) * price for service, price in prices.items())
    assert costs.loc["CP002", "cost_month6"] == pytest.approx(by_hand)
    assert costs.loc["CP001", "cost_baseline"] == 0
    assert len(costs) == len(people)
    used = [f"{service}_month6" for service in prices.index]
    incomplete = people.set_index("participant")[used].isna().any(axis=1)
    assert costs["cost_month6"].isna().equals(incomplete)
    assert 0 < (incomplete & people.set_index("participant")["interviewed_month6"]).sum() < 30


def test_qalys_are_the_area_under_the_curve():
    tables = pd.DataFrame({"u_m0": [0.5, 1, 0.4], "u_m3": [0.7, 1, np.nan], "u_m12": [0.9, 1, 0.4]})
    found = quality_adjusted_life_years(
        tables, study(0, 3, 12), Economics.model_validate(ECONOMICS)
    )
    by_hand = (0.5 + 0.7) / 2 * 3 / 12 + (0.7 + 0.9) / 2 * 9 / 12
    assert found[:2].tolist() == pytest.approx([by_hand, 1])
    assert np.isnan(found[2])


def test_visits_after_the_horizon_do_not_count():
    tables = pd.DataFrame({"u_m0": [0.5], "u_m6": [0.7], "u_m12": [0.0]})
    half = Economics.model_validate(ECONOMICS | {"months": 6})
    found = quality_adjusted_life_years(tables, study(0, 6, 12), half)
    assert found.tolist() == pytest.approx([0.3])


def test_a_horizon_between_visits_is_refused():
    with pytest.raises(StudyError, match="horizon is 12 months, at which there is no visit"):
        quality_adjusted_life_years(
            pd.DataFrame(), study(0, 6), Economics.model_validate(ECONOMICS)
        )


def test_a_utility_not_measured_at_a_visit_is_refused():
    tables = pd.DataFrame({"u_m0": [0.5], "u_m12": [0.0]})
    with pytest.raises(StudyError, match="'u' is not measured at visit 'm6'"):
        quality_adjusted_life_years(tables, study(0, 6, 12), Economics.model_validate(ECONOMICS))


UNIT_COSTS = {
    "word": ("gp,contact,forty,2020,x\n", "unit_costs.csv, line 2: unit cost 'forty' is not a"),
    "blank": ("gp,contact,,2020,x\n", "line 2: unit cost '' is not a number"),
    "negative": ("gp,contact,-1,2020,x\n", "line 2: unit cost -1 found; expected zero or more"),
    "infinite": ("gp,contact,inf,2020,x\n", "line 2: unit cost inf found; expected zero or more"),
    "nan": ("gp,contact,nan,2020,x\n", "line 2: unit cost nan found; expected zero or more"),
    "twice": ("gp,c,1,2020,x\ngp,c,2,2020,x\n", "line 3: service 'gp' already has a unit cost"),
    "year": ("gp,c,1,2019,x\n", "line 2: price year '2019' found; expected 2020"),
    "comma": ("gp,c,1,2020,PSSRU, 2020\n", "line 2: 6 cells found, 5 expected"),
}


@pytest.mark.parametrize("fault", UNIT_COSTS)
def test_faults_of_unit_costs(tmp_path, monkeypatch, fault):
    rows, sentence = UNIT_COSTS[fault]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unit_costs.csv").write_text(HEADER + rows)
    with pytest.raises(StudyError) as caught:
        read_unit_costs(Economics.model_validate(ECONOMICS))
    assert sentence in str(caught.value)


def test_faults_of_the_evaluation(copy_of_ccp):
    copy_of_ccp.change("config/unit_costs.csv", "su_gp,contact", "su_GP,contact")
    with pytest.raises(StudyError, match=r"unit_costs\.csv: service 'su_gp' has no unit cost, but"):
        copy_of_ccp.cost()
    copy_of_ccp.change("config/economics.yaml", "services: su_", "services: service_")
    with pytest.raises(StudyError, match="no variable of .* begins with 'service_'"):
        copy_of_ccp.cost()
    copy_of_ccp.change("config/economics.yaml", "months: 6", "months: 3")
    with pytest.raises(StudyError, match="the horizon is 3 months"):
        copy_of_ccp.evaluate()
    (copy_of_ccp / "config/unit_costs.csv").unlink()
    with pytest.raises(StudyError, match="the file is missing; expected a CSV file there"):
        copy_of_ccp.cost()
    (copy_of_ccp / "config/economics.yaml").unlink()
    with pytest.raises(StudyError, match="there is nothing to cost"):
        copy_of_ccp.cost()
    with pytest.raises(StudyError, match="there is nothing to evaluate"):
        copy_of_ccp.evaluate()


def test_a_service_that_is_no_number(copy_of_ccp):
    copy_of_ccp.change(
        "config/dictionary.csv",
        'su_gp,baseline,"GP, last six months",integer,,',
        'su_gp,baseline,"GP, last six months",category,1=One,',
    )
    copy_of_ccp.change(
        "config/dictionary.csv",
        "not asked=not asked,0,200,contacts,,60",
        "not asked=not asked,,,contacts,,",
    )
    with pytest.raises(StudyError, match="service 'su_gp' is a category; expected a number"):
        copy_of_ccp.cost()


def test_the_evaluation_has_costs_and_qalys_by_both_models(ccp_done):
    table = pd.read_parquet(ccp_done / "data/derived/results/economics.parquet")
    found = table[table["term"] == "difference"]
    groups = found.groupby(["outcome", "model", "population", "inference"]).size()
    assert (groups == 1).all()
    assert len(groups) == 2 * 2 * 3
    assert set(zip(found["outcome"], found["scale"], strict=True)) == {
        ("cost", "pounds"),
        ("qaly", "years"),
    }
    assert set(table["perspective"]) == {"services in config/unit_costs.csv"}
    assert "standardised difference" not in set(table["term"])
    # The baseline-adjusted QALY difference over half a year is a quarter of that of the utility.
    utility = pd.read_parquet(ccp_done / "data/derived/results/ancova.parquet")
    utility = utility[(utility["outcome"] == "utility") & (utility["term"] == "difference")]
    qaly = found[
        (found["outcome"] == "qaly")
        & (found["inference"] == "cr2")
        & (found["population"] == "all-with-baseline")
    ]
    assert qaly["estimate"].item() == pytest.approx(utility["estimate"].item() / 4)


def test_a_failing_comparison_leaves_a_row_that_says_why(copy_of_ccp):
    path = copy_of_ccp / "data/derived/imputed.parquet"
    tables = pd.read_parquet(path)
    lost = (tables["team"] == "T03") & (tables["imputation"] == 0)
    tables.loc[lost, "cost_month6"] = np.nan
    tables.to_parquet(path, index=False)
    table = copy_of_ccp.evaluate()
    [row] = table[table["status"] == "failed"].to_dict("records")
    assert (row["outcome"], row["model"], row["population"]) == (
        "cost",
        "team-means",
        "complete-case",
    )
    assert row["note"] == "Every pair must be two teams, one in each arm"
