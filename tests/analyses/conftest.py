"""The clustered trial of `tests/models`, its study, and what R says of them."""

from __future__ import annotations

import pandas as pd
import pytest
import trial

from ccp_analysis.config.study import Study


@pytest.fixture(scope="module")
def study() -> Study:
    return trial.study()


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    return trial.tables()


@pytest.fixture(scope="module")
def reference() -> dict:
    return trial.read("analyses.json")
