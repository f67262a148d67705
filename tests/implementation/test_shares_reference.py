"""Shares, means, alpha and ordinal summaries, against R: lm, glm and clubSandwich."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.proportions import exact_limits, logit_limits, worth
from ccp_analysis.models.reliability import alpha_limits, cronbach_alpha
from ccp_analysis.models.robust import cluster_robust

REFERENCE = json.loads(Path(__file__).with_name("data").joinpath("shares.json").read_text())
DATA = {name: np.array(values, dtype=float) for name, values in REFERENCE["data"].items()}
TEAM = DATA["team"].astype(int)


def exact(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def by_teams(y, worker=False):
    columns = [np.ones(len(y)), *([DATA["worker"]] if worker else [])]
    return cluster_robust(fit_ols(np.column_stack(columns), y), TEAM, np.eye(len(columns)))


@pytest.mark.parametrize(
    ("name", "y", "worker"),
    [
        ("share", DATA["top"], False),
        ("share_high", DATA["high"], False),
        ("mean", DATA["a"], False),
        ("change", DATA["late"] - DATA["a"], False),
        ("workers", DATA["a"], True),
        ("workers_top", DATA["top"], True),
    ],
)
def test_by_teams(name, y, worker):
    found, reference = by_teams(y, worker), REFERENCE[name]
    for ours, theirs in zip(
        (found.estimate, found.std_error, found.df, *found.interval()),
        ("beta", "SE", "df", "low", "high"),
        strict=True,
    ):
        exact(ours, np.atleast_1d(reference[theirs]))


@pytest.mark.parametrize("name", ["top", "high"])
def test_limits_on_the_scale_of_log_odds_are_those_of_a_logistic_model(name):
    found = by_teams(DATA[name])
    reference = REFERENCE["logit" if name == "top" else "logit_high"]
    low, high = logit_limits(found.estimate, found.std_error, found.df, 0.95)
    exact(found.estimate, expit(reference["beta"]))
    exact((low[0], high[0]), expit(np.array([reference["low"], reference["high"]])))


def test_alpha():
    items = np.column_stack([DATA[name] for name in "abcd"])
    exact(cronbach_alpha(items), REFERENCE["alpha"])
    low, high, df = alpha_limits(items, TEAM, 0.95)
    exact((low, high), (REFERENCE["alpha_low"], REFERENCE["alpha_high"]))
    assert df == 6


def test_ordinal_summaries():
    for name, quartiles in REFERENCE["quartiles"].items():
        exact(np.quantile(DATA[name], [0.25, 0.5, 0.75]), quartiles)
        shares = [(DATA[name] == code).mean() for code in range(1, 6)]
        exact(shares, REFERENCE["shares"][name])


def test_exact_limits():
    for (count, n), theirs in zip([(0, 38), (3, 38), (38, 38)], REFERENCE["exact"], strict=True):
        exact(exact_limits(count, n, None, 0.0, 0.95), theirs)


def test_what_people_in_clusters_are_worth():
    assert worth(np.array([4, 4, 4]), 1.0) == pytest.approx(3)
    wide = exact_limits(0, 12, np.array([4, 4, 4]), 1.0, 0.95)
    assert wide == exact_limits(0, 3, None, 0.0, 0.95)
    assert np.isnan(cronbach_alpha([[1, 2]])) and np.isnan(cronbach_alpha([[1, 1], [1, 1]]))
    assert np.isnan(alpha_limits([[1, 2], [2, 1], [2, 2]], [1, 1, 1], 0.95)[:2]).all()
