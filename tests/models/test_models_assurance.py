"""Posteriors of variances and assurance: closed forms, and R (`data/assurance.R`) elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri
from visits_data import read

from ccp_analysis.models.assurance import Size, assurance, cheapest_people, fewest
from ccp_analysis.models.components import alone, components
from ccp_analysis.models.intraclass import strata
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust

R = read("assurance.json")
PRIORS = {"flat": (1.0, 1.0), "small": (0.5, 22.0)}
CERTAIN = 10**13  # degrees of freedom of a variance that is known


@pytest.fixture(scope="module")
def parts(trial):
    X = trial.design("arm", "y0", "age", "trust")
    return strata(fit_ols(X, trial["y1"]), trial.groups)


@pytest.mark.parametrize("prior", PRIORS)
def test_posterior_and_assurance_are_those_of_whole_matrices_and_quadrature_in_r(parts, prior):
    known, expected = components(parts, PRIORS[prior]), R["posterior"][prior]
    assert known.icc_mean == pytest.approx(expected["mean"], rel=1e-8)
    for icc, share in zip(*expected["below"].values(), strict=True):
        assert known.icc_quantile(share) == pytest.approx(icc, rel=1e-6)
    for sd, share in zip(*expected["sd"].values(), strict=True):
        assert known.sd_quantile(share) == pytest.approx(sd, rel=1e-7)
    for case, value in zip(
        pd.DataFrame(R["sizes"]).itertuples(), expected["assurance"], strict=True
    ):
        size = Size(case.people, case.pairs, case.cv)
        assert assurance(case.difference, size, known, case.level) == pytest.approx(value, abs=1e-8)


def test_assurance_of_two_arms_of_people_is_that_of_quadrature_in_r():
    for case in pd.DataFrame(R["alone"]).itertuples():
        found = assurance(1.5, Size(case.n), alone(37 * 4.0, 37), sd=case.sd)
        assert found == pytest.approx(case.assurance, abs=1e-8)


def test_powers_and_sizes_are_those_of_power_t_test_in_r():
    certain = alone(1.6**2 * CERTAIN, CERTAIN)
    for case in pd.DataFrame(R["test"]).itertuples():
        assert assurance(case.delta, Size(case.n), certain) == pytest.approx(case.power, abs=1e-8)
    for case in pd.DataFrame(R["need"]).itertuples():
        found = fewest(lambda n, c=case: assurance(c.delta, Size(n), certain), case.power, 2, 5000)
        assert found == case.n
    # A pair's difference has the variance 2 / m of a pair with m people in each cluster.
    for case in pd.DataFrame(R["paired"]).itertuples():
        size = Size(2.0, case.pairs)
        assert assurance(case.delta, size, certain) == pytest.approx(case.power, abs=1e-8)


@pytest.mark.parametrize("sd", [0.05, 0.4, 2.0])
def test_a_normal_difference_with_a_known_variance_has_a_closed_form(sd):
    """The two tails of O'Hagan, Stevens & Campbell (2005, equation 1)."""
    people, mean = 2e7, 1e-3
    error = (2.0 / people) ** 0.5
    spread = sd * error
    both = (error**2 + spread**2) ** 0.5
    limit = ndtri(0.975) * error
    expected = ndtr((mean - limit) / both) + ndtr((-mean - limit) / both)
    found = assurance(mean, Size(people), alone(CERTAIN, CERTAIN), sd=spread)
    assert found == pytest.approx(expected, abs=1e-8)


def test_assurance_stays_below_one_whatever_the_number_of_people(parts):
    known = components(parts)
    few, many = (assurance(2.0, Size(n, 8, 0.3), known) for n in (20, 1e9))
    bound = assurance(2.0, Size(1, 8, 0.3).floor, known)
    assert few < many == pytest.approx(bound, abs=1e-7)
    assert bound < 0.9 < assurance(2.0, Size(1, 80, 0.3).floor, known)
    assert fewest(lambda n: assurance(2.0, Size(n, 8, 0.3), known), 0.9, 2, 10**6) is None


def test_the_variance_is_that_of_least_squares_with_fixed_pairs():
    """Of teams as unequal as they come, by the covariance matrix of the estimate."""
    sizes = np.array([[3, 19], [14, 12], [8, 2], [25, 20]])
    people, icc = sizes.sum(), 0.07
    team = np.repeat(np.arange(8), sizes.ravel())
    X = np.column_stack([team % 2, *(team // 2 == k for k in range(4))]).astype(float)
    between = (team[:, None] == team).astype(float)
    row = np.linalg.pinv(X)[0]
    expected = row @ (icc * between + (1.0 - icc) * np.eye(people)) @ row
    weights = sizes.prod(axis=1) / sizes.sum(axis=1)
    cv, kept = weights.std() / weights.mean(), 2.0 * weights.mean() / (people / 8)
    assert Size(people / 8, 4, cv, kept).variance(icc) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("pairs", "off"), [(5, 0.02), (8, 0.01), (20, 0.01)])
def test_degrees_of_freedom_are_those_of_satterthwaite_with_unequal_pairs(pairs, off):
    """The formula is exact for equal pairs, and near for these (coefficient of variation .3)."""
    for spread in (np.array([1.0]), np.array([0.53, 1.0, 1.47, 1.2, 0.8])):
        sizes = np.rint(np.resize(spread, 2 * pairs) * 30).astype(int).reshape(pairs, 2)
        team = np.repeat(np.arange(2 * pairs), sizes.ravel())
        X = np.column_stack([team % 2, *(team // 2 == k for k in range(pairs))]).astype(float)
        fit = fit_ols(X, np.random.default_rng(1).normal(size=len(team)))
        robust = cluster_robust(fit, team, np.eye(pairs + 1)[0], kind="CR2")
        weights = sizes.prod(axis=1) / sizes.sum(axis=1)
        df = Size(25, pairs, weights.std() / weights.mean()).df
        assert df == pytest.approx(robust.df[0], rel=1e-9 if len(spread) == 1 else off)
    assert Size(25, 3, 1.4).df == 1.0


def test_cheapest_people_make_the_variance_times_the_cost_least():
    best, people = cheapest_people(3000, 250, 0.04, 0.3, 0.9), np.arange(5.0, 60.0, 0.001)
    spent = (3000 + 250 * people) * Size(people, 7, 0.3, 0.9).variance(0.04)
    assert people[spent.argmin()] == pytest.approx(best, abs=1e-3)
    assert cheapest_people(3000, 250, 0.0) == np.inf


def test_without_variation_there_is_no_posterior(parts):
    flat = strata(fit_ols(np.ones((30, 1)), np.repeat(np.arange(6.0), 5)), np.repeat(range(6), 5))
    with pytest.raises(ValueError, match="one table with variance within groups"):
        components(flat)
    with pytest.raises(ValueError, match="people who vary"):
        alone(0.0, 10)
