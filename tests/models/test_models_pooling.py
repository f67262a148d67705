"""Rules for degrees of freedom, joint tests, and how many imputations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ccp_analysis.models.pooling import RULES, imputations_needed, pool
from ccp_analysis.models.pooling_joint import pool_joint

REFERENCE = Path(__file__).parents[1] / "imputation" / "data" / "pooled_tests.json"


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads(REFERENCE.read_text())


@pytest.mark.parametrize("number", range(5))
def test_d1_equals_mice(reference, number):
    case = [*reference["cases"], reference["d1"]][number]
    estimates = np.array(case["estimates"], dtype=float)
    covariances = np.array(case["covariances"], dtype=float)
    df = np.inf if case["dfcom"] < 0 else case["dfcom"]
    ours = pool_joint(estimates, covariances.reshape(*estimates.shape, -1), df)
    assert ours.df_num == case["k"]
    assert ours.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert ours.df == pytest.approx(case["df"], rel=1e-9)
    assert ours.p_value == pytest.approx(case["p"], rel=1e-8)


def test_joint_tests_of_a_batch_and_of_other_nulls():
    rng = np.random.default_rng(2)
    estimates = rng.normal(size=(9, 4, 3))
    root = rng.normal(size=(9, 4, 3, 3))
    covariances = root @ root.swapaxes(-1, -2) + 2 * np.eye(3)
    batch = pool_joint(estimates, covariances, 40.0, null=[1.0, 0.0, -1.0])
    for i in range(4):
        one = pool_joint(estimates[:, i] - [1.0, 0.0, -1.0], covariances[:, i], 40.0)
        assert batch.statistic[i] == pytest.approx(one.statistic, rel=1e-12)
        assert batch.df[i] == pytest.approx(one.df, rel=1e-12)


def test_too_few_degrees_of_freedom_have_no_joint_test():
    rng = np.random.default_rng(4)
    few = pool_joint(rng.normal(size=(9, 2)), np.tile(np.eye(2), (9, 1, 1)), 4.0)
    assert np.isnan(few.statistic) and np.isnan(few.df) and np.isnan(few.p_value)
    same = pool_joint(np.ones((9, 2)), np.tile(np.eye(2), (9, 1, 1)))
    assert same.p_value == pytest.approx(np.exp(-1.0), rel=1e-9)  # chi-square of 2 on 2 df
    singular = pool_joint(rng.normal(size=(9, 2)), np.ones((9, 2, 2)), 40.0)
    assert np.isnan(singular.statistic)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.ones((3, 2)), np.ones((3, 2))), "needs estimates"),
        ((np.ones((1, 2)), np.ones((1, 2, 2))), "at least two"),
        ((np.ones((3, 2)), np.ones((3, 2, 2)), np.ones(2)), "one for each fit"),
    ],
)
def test_joint_faults(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        pool_joint(*arguments)
    with pytest.raises(ValueError, match="one of barnard-rubin"):
        pool(np.ones(3), np.ones(3), rule="welch")


# --- rules for the degrees of freedom -------------------------------------------------------------


def test_rules_by_hand():
    estimates, variances = np.array([1.0, 2.0, 3.0, 2.0]), np.full(4, 0.5)
    between = np.var(estimates, ddof=1)
    total = 0.5 + 1.25 * between
    missing = 1.25 * between / total
    old = 3 / missing**2
    expected = {
        "barnard-rubin": 1 / (1 / old + 7 / (5 * 4 * (1 - missing))),
        "complete-data": 1 / (1 / old + 1 / 4),
        # T^2 / (W^2 / nu + ((1 + 1/m) B)^2 / (m - 1)): Satterthwaite 1946, Lipsitz et al. 2002
        "satterthwaite": total**2 / (0.5**2 / 4 + (1.25 * between) ** 2 / 3),
    }
    assert set(expected) == set(RULES)
    for rule, df in expected.items():
        ours = pool(estimates, variances, 4.0, rule=rule)
        assert ours.df == pytest.approx(df, rel=1e-12)
        assert ours.std_error == pytest.approx(np.sqrt(total), rel=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_rules_agree_where_they_must(rule):
    rng = np.random.default_rng(5)
    estimates, variances = rng.normal(size=(6, 3)), rng.uniform(1, 2, (6, 3))
    standard = pool(estimates, variances, np.inf)
    np.testing.assert_allclose(pool(estimates, variances, np.inf, rule=rule).df, standard.df)
    same = pool(np.full((6, 3), 0.3), variances, 4.0, rule=rule)
    np.testing.assert_allclose(same.df, 4.0)


# --- how many imputations -------------------------------------------------------------------------


def test_quadratic_rule():
    # von Hippel (2020): m = 1 + (fmi / cv)^2 / 2; 0.5 and 5 % give 51
    np.testing.assert_array_equal(
        imputations_needed([0.0, 0.1, 0.3, 0.5, 0.9]), [2, 3, 19, 51, 163]
    )
    assert imputations_needed(0.3, cv=0.01) == 451
    assert np.isnan(imputations_needed(np.nan))


def test_the_second_stage_takes_the_upper_limit():
    # logit(.3) + 1.96 sqrt(2 / 20) = -.2275, so .4434; 1 + (.4434 / .05)^2 / 2 = 40.3
    assert imputations_needed(0.3, m=20) == 41
    assert imputations_needed(0.3, m=10**30) == 19
    assert imputations_needed(0.0, m=20) == 2
    with pytest.raises(ValueError, match="positive"):
        imputations_needed(0.3, cv=0.0)
