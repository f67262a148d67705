"""A study of two arms, teams in pairs and two visits, and its plan; a test says what differs."""

from __future__ import annotations

from typing import Any

from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study

STUDY = {
    "id": "small",
    "title": "Small trial",
    "short_title": "Small",
    "registration": "none",
    "data_status": "synthetic",
    "data_date": "2021-01-01",
    "randomised": False,
    "arms": {"variable": "arm", "reference": "a", "levels": {"a": "A", "b": "B"}},
    "clusters": {"unit": "team", "pair": "trust", "unit_label": "team", "pair_label": "Trust"},
    "visits": [
        {"id": "before", "label": "Before", "months": 0},
        {"id": "after", "label": "After", "months": 6},
    ],
    "files": {"people": {"path": "people.csv", "rows": "participant"}},
}
ANALYSIS = {"id": "a", "role": "primary", "model": "ancova", "visit": "after", "data": "imputed"}
PLAN = {
    "seed": 1,
    "confidence_level": 0.95,
    "estimand": "treatment-policy",
    "outcomes": [{"id": "x", "role": "primary"}],
    "covariates": [],
    "imputation": {"imputations": 2, "iterations": 1, "donors": 5},
    "analyses": [ANALYSIS],
}


def study(**more: Any) -> Study:
    """Return the study; a key whose value is None is left out."""
    return Study.model_validate({k: v for k, v in (STUDY | more).items() if v is not None})


def plan(**more: Any) -> Plan:
    return Plan.model_validate(PLAN | more)


def drawn() -> Study:
    """Return the study as whoever draws many trials names its visits and pairs."""
    return study(
        clusters=STUDY["clusters"] | {"pair": "pair"},
        visits=[{"id": f"y{k}", "label": str(k), "months": 6 * k} for k in range(2)],
    )
