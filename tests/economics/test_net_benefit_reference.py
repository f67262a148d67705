"""Net-benefit regression at several thresholds against R, and its identity with cost and effect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust

ROOM = Path(__file__).parent
TRIAL = ROOM.parent / "models" / "data" / "clustered_trial.csv"
ARM = np.eye(1, 8, 1)


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((ROOM / "data" / "net_benefit.json").read_text())


@pytest.fixture(scope="module")
def trial() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return design, cost, QALYs and teams; the arm stands in column 1."""
    table = pd.read_csv(TRIAL)
    trusts = pd.factorize(table["trust"])[0][:, None] == np.arange(1, 5)
    columns = [np.ones(len(table)), table["arm"] == "intervention", table["y0"], *trusts.T]
    X = np.column_stack([*columns, table["age"]]).astype(float)
    return X, table["cost"].to_numpy(), table["qaly"].to_numpy(), pd.factorize(table["team"])[0]


def assert_as_r(found: Inference, rows: list[dict]) -> None:
    low, high = found.interval()
    probability = stdtr(found.df, found.statistic)
    parts = {
        "estimate": found.estimate,
        "se": found.std_error,
        "df": found.df,
        "p": found.p_value,
        "low": low,
        "high": high,
        "probability": probability,
    }
    for name, ours in parts.items():
        theirs = [row[name] for row in rows]
        np.testing.assert_allclose(np.ravel(ours), theirs, rtol=1e-10, err_msg=name)


def test_a_batch_of_thresholds_as_r(trial, reference):
    X, cost, qaly, teams = trial
    rows = reference["net_benefit"]
    thresholds = np.array([row["threshold"] for row in rows])
    assert thresholds.tolist() == [0, 20000, 30000, 50000]
    fit = fit_ols(X, thresholds[:, None] * qaly - cost)
    assert_as_r(cluster_robust(fit, teams, ARM), rows)


def test_cost_and_qaly_as_r(trial, reference):
    X, cost, qaly, teams = trial
    found = cluster_robust(fit_ols(X, np.stack([cost, qaly])), teams, ARM)
    assert_as_r(found, [reference["cost"], reference["qaly"]])


def test_net_benefit_is_the_threshold_times_the_effect_less_the_cost(trial):
    X, cost, qaly, teams = trial
    thresholds = np.arange(0.0, 50001.0, 2500.0)
    found = cluster_robust(fit_ols(X, thresholds[:, None] * qaly - cost), teams, ARM)
    # In units in which both outcomes are of one size.
    both = np.stack([cost / 1e4, qaly, cost / 1e4 + qaly])
    parts = fit_ols(X, both)
    dC, dE, _ = parts.coef[:, 1]
    np.testing.assert_allclose(found.estimate[:, 0], thresholds * dE - 1e4 * dC, rtol=1e-10)
    # Its variance is that of the two, their covariance by polarisation.
    vC, vE, vsum = cluster_covariance(parts, teams)[:, 1, 1]
    vCE = (vsum - vC - vE) / 2.0
    variance = thresholds**2 * vE - 2e4 * thresholds * vCE + 1e8 * vC
    np.testing.assert_allclose(found.std_error[:, 0] ** 2, variance, rtol=1e-9)
    # One design, one covariance of the estimates: the same degrees of freedom at any threshold.
    np.testing.assert_allclose(found.df, np.full((21, 1), found.df[0, 0]), rtol=1e-12)
