"""The clustered trial of `tests/models`, as the analyses see it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from ccp_analysis.analyses.comparison import Question
from ccp_analysis.config.study import Study

MODELS_DATA = Path(__file__).parents[1] / "models" / "data"
CLOSED = {"rel": 1e-8}
STUDY = {
    "id": "clustered",
    "title": "Clustered trial",
    "short_title": "Clustered",
    "registration": "none",
    "data_status": "synthetic",
    "data_date": "2021-01-01",
    "randomised": False,
    "arms": {
        "variable": "arm",
        "reference": "control",
        "levels": {"control": "Control", "intervention": "Intervention"},
    },
    "clusters": {"unit": "team", "pair": "trust", "unit_label": "team", "pair_label": "Trust"},
    "visits": [
        {"id": "before", "label": "Before", "months": 0},
        {"id": "after", "label": "After", "months": 6},
    ],
    "files": {"people": {"path": "people.csv", "rows": "participant"}},
}


def study(**more) -> Study:
    """Return the trial's study; a key whose value is None is left out."""
    return Study.model_validate({k: v for k, v in (STUDY | more).items() if v is not None})


def tables() -> pd.DataFrame:
    """Return the trial as `imputed.parquet` is: observed, then twice completed, nothing missing."""
    trial = pd.read_csv(MODELS_DATA / "clustered_trial.csv").rename(
        columns={"id": "participant", "y0": "y_before", "y1": "y_after"}
    )
    trial["index"] = range(1, len(trial) + 1)
    shuffled = trial.sample(frac=1, random_state=1)  # no order of the rows is presumed
    return pd.concat([shuffled.assign(imputation=k) for k in range(3)], ignore_index=True)


def ask(**more) -> Question:
    plain = {
        "outcome": "y",
        "value": "y_after",
        "baseline": "y_before",
        "covariates": ["age", "female"],
        "scale": "points",
        "level": 0.95,
    }
    return Question(**(plain | more))


def pick(rows: list[dict], term: str, **more) -> dict:
    """Return the one row with a term and further values."""
    found = [r for r in rows if r["term"] == term and all(r[k] == v for k, v in more.items())]
    assert len(found) == 1
    return found[0]


def read(name: str) -> dict:
    """Return reference results from R beside these tests."""
    return json.loads((Path(__file__).parent / "data" / name).read_text())
