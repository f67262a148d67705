"""Least squares of people whose variances differ between the arms: HC2, Bell and McCaffrey."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from support.study import BTHEB, CCP, copy_study, inside

from ccp_analysis.config.check import faults
from ccp_analysis.config.trial import Trial
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.robust import cluster_robust

ENTRY = (
    "  - {id: unequal, role: sensitivity, model: MODEL, visit: month8, data: observed, "
    "variance: robust}\n"
)


def closed_form(X: np.ndarray, y: np.ndarray, at: int) -> tuple[float, float, float]:
    """HC2 and its degrees of freedom by matrices of people (Bell & McCaffrey 2002, section 4)."""
    bread = np.linalg.inv(X.T @ X)
    rest = np.eye(len(X)) - X @ bread @ X.T
    weights = (X @ bread[at]) ** 2 / np.diagonal(rest)
    B = np.sqrt(np.outer(weights, weights)) * rest * np.sign(np.outer(X @ bread[at], X @ bread[at]))
    residual = rest @ y
    df = np.trace(B) ** 2 / np.trace(B @ B)
    return float((bread @ X.T @ y)[at]), float(np.sqrt(weights @ residual**2)), float(df)


@pytest.mark.parametrize("model", ["ancova", "change"])
def test_the_rows_are_those_of_the_closed_form(btheb_study, model):
    btheb_study.change(
        "config/analysis.yaml", "analyses:\n", f"analyses:\n{ENTRY.replace('MODEL', model)}"
    )
    if model == "ancova":
        old = "drug, analysis: ancova_complete"
        btheb_study.change("config/analysis.yaml", old, "drug, analysis: unequal")
    btheb_study.up_to_imputation()
    rows = btheb_study.run("analyse", "unequal")
    row = rows.query("term == 'difference'").iloc[0]
    people = pd.read_parquet("data/derived/imputed.parquet").query("imputation == 0")
    people = people.dropna(subset=["bdi_month8", "bdi_baseline"])
    columns = [people["arm"] == "btheb", people["drug"] == "Yes", people["length"] == ">6m"]
    X = np.column_stack([np.ones(len(people)), *columns]).astype(float)
    y = people["bdi_month8"].to_numpy(float)
    if model == "ancova":
        X = np.column_stack([X, people["bdi_baseline"]])
    else:
        y = y - people["bdi_baseline"].to_numpy(float)
    estimate, error, df = closed_form(X, y, 1)
    found = [row[name] for name in ("estimate", "std_error", "df", "p_value")]
    p = 2 * student.sf(abs(estimate / error), df)
    np.testing.assert_allclose(found, [estimate, error, df, p], rtol=1e-9)
    assert row["inference"] == "hc2"
    if model == "ancova":  # its subgroups as well
        inside = rows.query("term == 'interaction'").iloc[0]
        X = np.column_stack([X, X[:, 1] * X[:, 2]])
        found = np.abs(inside[["estimate", "std_error", "df"]].to_numpy(float))
        np.testing.assert_allclose(found, np.abs(closed_form(X, y, 5)), rtol=1e-9)


@pytest.mark.parametrize(
    ("study", "model", "said"),
    [
        (CCP, "ancova", "variance: robust, but the standard errors of"),
        (BTHEB, "mmrm", "variance: robust goes with the models ancova, change"),
    ],
)
def test_where_it_does_not_belong_the_plan_says_so(tmp_path, study, model, said):
    folder = copy_study(study, tmp_path)
    entry = ENTRY.replace("MODEL", model).replace("month8", "month6" if study == CCP else "month8")
    folder.change("config/analysis.yaml", "analyses:\n", f"analyses:\n{entry}")
    with inside(tmp_path):
        assert said in "\n".join(faults(Trial()))


@pytest.mark.simulation
def test_the_level_is_kept_where_that_of_equal_variances_is_not(long):
    """A third of 60 people in the arm that varies three times as much."""
    draws, rng = 20_000 if long else 4_000, np.random.default_rng(5)
    arm = (np.arange(60) < 20).astype(float)
    baseline = rng.normal(size=(draws, 60))
    ones = np.ones_like(baseline)
    X = np.stack([ones, ones * arm, baseline], axis=-1)
    y = 0.5 * baseline + rng.normal(size=(draws, 60)) * np.where(arm, 3.0, 1.0)
    fit, L = fit_ols(X, y), np.eye(3)[1:2]
    robust = cluster_robust(fit, np.arange(60), L)
    level = [float((found.p_value < 0.05).mean()) for found in (robust, classical(fit, L))]
    error = 3.0 * (0.05 * 0.95 / draws) ** 0.5
    assert abs(level[0] - 0.05) < error + 0.005
    assert level[1] > 0.09
