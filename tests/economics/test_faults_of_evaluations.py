"""What an evaluation cannot do: plans that are refused, and data that leave a model out."""

from __future__ import annotations

import numpy as np
import pytest
import small_trial
from small_trial import LOST, one, small
from support.cases import edits

from ccp_analysis.config.economics import load_economics
from ccp_analysis.economics import stage
from ccp_analysis.economics.compared import WITHOUT_OWN, compared
from ccp_analysis.economics.outcomes import BASELINE_COST, BASELINE_UTILITY, WITHOUT, evaluated
from ccp_analysis.economics.ratios import Effect
from ccp_analysis.economics.setting import main_setting, setting_of
from ccp_analysis.economics.stage import main_rows
from ccp_analysis.economics.variations import variation_rows
from ccp_analysis.errors import StudyError
from ccp_analysis.results.table import results_table

# ------------------------------------------------------------------ plans

PLANS = edits("economics/data/faults.csv", "plan")


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_that_means_nothing_is_refused(ccp_study, case):
    [change], sentence = PLANS[case]
    ccp_study.change(*change)
    with pytest.raises(StudyError) as caught:
        load_economics()
    assert str(caught.value).startswith("config/economics.yaml, line ")
    assert sentence in str(caught.value)


def test_statements_of_all_items_are_taken(ccp_study):
    ccp_study.change("config/economics.yaml", "statements: {} ", "statements: {1: a, 28: b} ")
    assert load_economics().statements == {1: "a", 28: "b"}


def undated(visit: str = "", **more):
    """Return a trial with times of interviews, whose visit has no dates."""
    entry = {"id": "dates", "label": "D", "times": "interviews"}
    source = small(economics={"sensitivity": [entry]}, **more)
    if visit:
        source.people[f"met_{visit}"] = np.datetime64("NaT")
    return source


@pytest.mark.parametrize("which", ["", "before", "after"])
def test_times_of_interviews_need_dates(which):
    visits = [{"id": v, "label": v, "months": m} for v, m in (("before", 0), ("after", 6))]
    source = undated(which, **({} if which else {"study": {"visits": visits}}))
    sentence = (
        "sensitivity 'dates' has times: interviews, but no participant has dates of the baseline "
        "interview and of a later one; expected them at the visits before, after"
    )
    with pytest.raises(StudyError, match=sentence):
        setting_of(source, source.economics.sensitivity[0])


# ------------------------------------------------------------------ data


def of_the_lost_only(**constant: float):
    """Return tables in which these variables differ only among the people who were lost."""
    tables = small_trial.imputed(small_trial.people())
    lost = tables["participant"].isin([f"P{i:03d}" for i in LOST])
    for name, value in constant.items():
        tables.loc[~lost, name] = value
    return tables


def test_baseline_costs_that_complete_cases_do_not_have_are_left_out_for_them_only():
    tables = of_the_lost_only(gp_before=0.0, bed_before=0.0)
    entry = {"id": "observed", "label": "O", "data": "observed"}
    source = small(tables=tables, economics={"sensitivity": [entry]})
    rows, _ = main_rows(source, 7200.0)
    varied = variation_rows(source)
    assert not [row for row in [*rows, *varied] if row.get("status") == "failed"]
    where = {"model": "ancova", "outcome": "cost", "term": "difference"}
    mine = one(rows, **where, population="all-with-baseline")
    beside = one(rows, **where, population="complete-case")
    assert WITHOUT[BASELINE_COST] not in mine["note"]
    assert WITHOUT[BASELINE_COST] in beside["note"]
    assert one(varied, **where)["estimate"] == beside["estimate"]
    values = evaluated(source, main_setting(source.economics))
    data = compared(source.study, source.plan, values, "observed")
    assert values.adjust == [BASELINE_COST, BASELINE_UTILITY, "age"]
    assert data.evaluated.adjust == [BASELINE_UTILITY, "age"]
    assert set(data.evaluated.needed) == set(values.needed)


def test_a_covariate_that_complete_cases_share_fails_their_rows_and_no_other():
    rows, draws = main_rows(small(tables=of_the_lost_only(age=50.0)), 7200.0)
    failed = [row for row in rows if row.get("status") == "failed"]
    assert {(r["outcome"], r["model"], r["population"]) for r in failed} == {
        ("cost", "ancova", "complete-case"),
        ("qaly", "ancova", "complete-case"),
    }
    assert all("'age' is the same for everyone" in row["note"] for row in failed)
    assert draws is not None


def test_a_covariate_that_everyone_shares_is_named_in_every_row_that_adjusts_for_it():
    tables = small_trial.imputed(small_trial.people()).assign(age=50.0)
    rows, draws = main_rows(small(tables=tables), 7200.0)
    adjusted = [r for r in rows if r["model"] not in ("descriptive", "team-means")]
    assert {r["status"] for r in adjusted} == {"failed"}
    assert {r["note"] for r in adjusted} == {
        "'age' is the same for everyone, and cannot be adjusted for"
    }
    assert draws is None


SHARED = {"analysis": "economics", "role": "supporting", "visit": "after", "perspective": "health"}


def ratio_of(monkeypatch, baseline: np.ndarray | float):
    tables = small_trial.imputed(small_trial.people()).assign(w_before=baseline)
    tables["w_after"] = 3.0 * tables["u_after"]
    monkeypatch.setattr(stage, "_effects", lambda read: [Effect("w", "w_after", "point")])
    rows, _ = main_rows(small(tables=tables), 7200.0)
    results_table([{**SHARED, "estimand": "treatment-policy", **row} for row in rows], "synthetic")
    failed = [row["outcome"] for row in rows if row.get("status") == "failed"]
    return one(rows, outcome="cost per w"), failed


def test_a_baseline_of_an_effect_that_everyone_shares_is_left_out(monkeypatch):
    row, failed = ratio_of(monkeypatch, 1.0)
    assert not failed
    assert row["note"].endswith(WITHOUT_OWN)


def test_a_ratio_whose_design_cannot_be_had_fails_alone(monkeypatch):
    ages = small_trial.imputed(small_trial.people())["age"].to_numpy()
    row, failed = ratio_of(monkeypatch, 2.0 * ages)
    assert failed == ["cost per w"]
    follows = ("'w_before' follows from 'age'", "'age' follows from 'w_before'")
    assert row["note"].startswith(follows)
