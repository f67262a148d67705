"""Estimands of the plan: which analysis estimates which, and what is refused."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from ccp_analysis.config.check import faults
from ccp_analysis.config.plan import load_plan, sized
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError

PLAN = "config/analysis.yaml"
SECOND = {
    "id": "second",
    "population": "Everyone",
    "treatment": "One against the other",
    "variable": "What was measured",
    "intercurrent_events": [],
    "summary": "Difference in means",
    "analyses": ["did", "reference_based"],
}


def add(folder, *entries: dict) -> None:
    """Append estimands to those of the plan."""
    file = folder / PLAN
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    plan["estimands"] += entries
    file.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")


def test_analyses_that_no_estimand_names_estimate_the_default(ccp_study):
    add(ccp_study, SECOND)
    plan = load_plan()
    found = {analysis.id: plan.estimand_of(analysis.id) for analysis in plan.analyses}
    assert found.pop("did") == "second"
    assert set(found.values()) == {"treatment-policy"}
    assert plan.estimand_of("reference_based") == "second"
    assert plan.estimand_of("delta") == "treatment-policy"
    # Deltas estimate what their analysis does, if nothing is said of them.
    add(ccp_study, SECOND | {"id": "third", "analyses": ["ancova"]})
    assert load_plan().estimand_of("delta") == "third"
    add(ccp_study, SECOND | {"id": "fourth", "analyses": ["delta"]})
    assert load_plan().estimand_of("delta") == "fourth"
    # A name alone is enough.
    plan = yaml.safe_load((ccp_study / PLAN).read_text(encoding="utf-8"))
    del plan["estimands"]
    (ccp_study / PLAN).write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    assert load_plan().estimands == []
    assert load_plan().estimand_of("delta") == "treatment-policy"


EVENT = {"event": "death", "strategy": "hypothetical", "how": "imputed"}


def twice(**more) -> dict:
    return {"intercurrent_events": [EVENT, EVENT | more]}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"id": "treatment-policy"}, "every id must be its own"),
        ({"analyses": ["other"]}, "'other' is not one of the analyses or sensitivity analyses"),
        ({"analyses": ["did", "did"]}, "the analysis 'did' stands twice"),
        ({"analyses": []}, "estimand 'second': no analysis estimates it"),
        (twice(), "the event 'death' stands twice;"),
        (twice(outcomes=["utility", "utility"]), "the event 'death' stands twice for 'utility'"),
        (twice(outcomes=["mood"]), "'mood' is not one of the outcomes"),
        (twice(strategy="as treated"), "treatment policy"),
    ],
)
def test_estimands_that_do_not_fit_the_plan_are_refused(ccp_study, entry, sentence):
    add(ccp_study, SECOND | entry)
    with pytest.raises(StudyError, match=sentence):
        load_plan()


def test_an_analysis_has_one_estimand(ccp_study):
    add(ccp_study, SECOND, SECOND | {"id": "third", "analyses": ["did"]})
    with pytest.raises(StudyError, match="'third': the analysis 'did' belongs to 'second' already"):
        load_plan()
    ccp_study.change(PLAN, "estimand: treatment-policy\n", "estimand: hypothetical\n")
    with pytest.raises(StudyError, match="'hypothetical' is not one of the estimands"):
        load_plan()


def test_an_event_that_is_not_recorded_is_named_before_the_first_job(ccp_study):
    ccp_study.change(PLAN, "event: moved_team", "event: moved")
    line = (ccp_study / PLAN).read_text(encoding="utf-8").split("event: moved\n")[0].count("\n") + 1
    [fault] = faults(Trial())
    assert fault.startswith(f"{PLAN}, line {line}: estimand 'treatment-policy': 'moved' is not one")
    assert "most like it: 'moved_team'; one that is not recorded has recorded: false" in fault
    ccp_study.change(PLAN, "event: moved\n", "event: moved\n        recorded: false\n")
    assert faults(Trial()) == []


def test_rows_bear_the_estimand_of_their_analysis(btheb_study):
    btheb_study.clean()
    btheb_study.impute()
    assert set(btheb_study.analyse("repeated_observed")["estimand"]) == {"treatment-policy-average"}
    assert set(btheb_study.analyse("ancova")["estimand"]) == {"treatment-policy"}
    add(btheb_study, SECOND | {"analyses": ["change_complete", "reference_based"]})
    assert set(btheb_study.analyse("change_complete")["estimand"]) == {"second"}
    btheb_study.sensitivity()
    table = pd.read_parquet("data/derived/results/sensitivity.parquet")
    found = table.groupby("analysis")["estimand"].unique().map(list).to_dict()
    assert found == {"delta": ["treatment-policy"], "reference_based": ["second"]}
    btheb_study.check("ancova")
    checks = pd.read_parquet("data/derived/results/checks_ancova.parquet")
    assert set(checks["estimand"]) == {"treatment-policy"}


def test_planned_numbers_name_clusters_where_there_are_any(ccp_study):
    ccp_study.change(PLAN, "  icc: 0.05 ", "  # icc: 0.05 ")
    [fault] = faults(Trial())
    assert "planned.icc is missing, and config/study.yaml declares clusters" in fault
    assert fault.startswith(f"{PLAN}, line ")
    planned = load_plan().planned.model_copy(update={"icc": 0.1})
    assert [f.split(": ")[1] for f in sized(planned, clustered=False)] == [
        f"planned.{key} stands there, and config/study.yaml declares no clusters; expected it "
        "where there are clusters, and only there."
        for key in ("clusters", "icc")
    ]
