"""The clustered trial of `tests/models`, as the analyses see it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
from support import small_study

from ccp_analysis.analyses.comparison import Question

MODELS_DATA = Path(__file__).parents[1] / "models" / "data"
CLOSED = {"rel": 1e-8}
STUDY = small_study.STUDY | {
    "arms": {
        "variable": "arm",
        "reference": "control",
        "levels": {"control": "Control", "intervention": "Intervention"},
    },
}


study = partial(small_study.study, **STUDY)


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
