"""The clustered trial of `tests/models`, as the analyses see it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from support import small_study

from ccp_analysis.analyses.comparison import Question, attempt

MODELS_DATA = Path(__file__).parents[1] / "models" / "data"
CLOSED = {"rel": 1e-8}
INFERRED = ("estimate", "std_error", "df", "conf_low", "conf_high")
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


def one(table: pd.DataFrame, **wanted) -> pd.Series:
    """Return the one row of a table with these values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1, wanted
    return table.iloc[0]


def agrees(row: dict, expected: dict) -> None:
    """Compare what is inferred with R."""
    for column in INFERRED:
        assert row[column] == pytest.approx(expected[column], **CLOSED), column


def failing(model: str, *given, status: str = "failed") -> dict:
    """Return the one row of a supporting analysis, which has no estimate."""
    [row] = attempt("a", "supporting", model, *given)
    assert row["status"] == status and "estimate" not in row
    return row


def read(name: str) -> dict:
    """Return reference results from R beside these tests."""
    return json.loads((Path(__file__).parent / "data" / name).read_text())
