"""What cannot be fitted: one sentence where all of a batch is at fault, a status where some is."""

from __future__ import annotations

import numpy as np
import pytest
from visits_data import draw

from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.ols import RankDeficientError
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite


@pytest.fixture
def data():
    return list(draw(41, batch=(4,)))


def assert_fails_alone(data, bad, options):
    X, y, person, visit, team = data
    options = {"team": team} if options else {}
    fit = fit_mixed(X, y, person, visit, **options)
    L = np.eye(7)[3:]
    assert fit.status[bad] == "failed"
    assert str(fit.note[bad]).endswith(".")
    for values in (fit.coef, fit.cov, fit.covariance, fit.deviance):
        assert np.isnan(values[bad]).all()
    for infer in (kenward_roger, satterthwaite):
        assert np.isnan(infer(fit, L).std_error[bad]).all()
        assert np.isnan(infer(fit, L).df[bad]).all()
    assert np.isnan(kenward_roger_f(fit, L).p_value[bad])
    for i in set(range(4)) - {bad}:
        design = X if X.ndim == 2 else X[i]
        alone = fit_mixed(design, y[i], person, visit, **options)
        assert alone.status == fit.status[i] != "failed"
        np.testing.assert_allclose(fit.coef[i], alone.coef, rtol=1e-9)
        np.testing.assert_allclose(
            kenward_roger(fit, L).df[i], kenward_roger(alone, L).df, rtol=1e-8
        )
    return str(fit.note[bad])


@pytest.mark.parametrize("teams", [False, True])
def test_a_missing_value_fails_its_own_fit(data, teams):
    data[1][2, 7] = np.nan
    assert "missing or infinite" in assert_fails_alone(data, 2, teams)


@pytest.mark.parametrize("teams", [False, True])
def test_a_constant_outcome_fails_its_own_fit(data, teams):
    data[1][0] = 3.0
    assert "residual variance is zero" in assert_fails_alone(data, 0, teams)


def test_a_dependent_column_fails_its_own_fit(data):
    data[0] = np.stack([data[0]] * 4)
    data[0][1, :, 6] = data[0][1, :, 0]
    assert "depend" in assert_fails_alone(data, 1, True)


def test_visits_that_repeat_each_other_fail_their_own_fit(data):
    X, y, person, visit, _ = data
    # Everyone's second visit is the first again: a covariance without an inverse.
    first = np.full(person.max() + 1, np.nan)
    first[person[visit == 0]] = y[3][visit == 0]
    again = (visit == 1) & ~np.isnan(first[person])
    y[3][again] = first[person[again]] + 0.5
    fit = fit_mixed(X, y, person, visit)
    assert fit.status.tolist() == ["ok", "ok", "ok", "failed"]
    assert "without bound" in fit.note[3]


def test_fewer_people_than_visits(data):
    X, y, person, visit, _ = data
    few = np.isin(person, [0, 1, 2])
    fit = fit_mixed(X[few][:, :3], y[:, few], person[few], visit[few])
    assert (fit.status == "failed").all()


def test_dependent_columns_are_named(data):
    X, y, person, visit, _ = data
    with pytest.raises(RankDeficientError, match="position 7"):
        fit_mixed(np.column_stack([X, X[:, 0] + X[:, 1]]), y, person, visit)


def test_codes_and_names(data):
    X, y, person, visit, team = data
    calls = [
        ({"structure": "ar1"}, "us, cs or csh, not ar1"),
        ({"team": team, "team_structure": "csh"}, "us, cs or intercept, not csh"),
        ({"method": "MAP"}, "REML or ML, not MAP"),
        ({"team": np.zeros(len(team), dtype=int)}, "At least two teams are needed, 1 found"),
        ({"team": np.arange(len(team))}, "has rows in more than one team"),
        ({"team": team.astype(float)}, "Teams must be one integer code"),
    ]
    for options, sentence in calls:
        with pytest.raises(ValueError, match=sentence):
            fit_mixed(X, y, person, visit, **options)
    with pytest.raises(ValueError, match="same n"):
        fit_mixed(X, y[:, 1:], person, visit)
    with pytest.raises(ValueError, match="People must be one integer code for each of the"):
        fit_mixed(X, y, person[1:], visit)
    with pytest.raises(ValueError, match="Every outcome is missing"):
        fit_mixed(X, np.full(y.shape, np.nan), person, visit)
    with pytest.raises(ValueError, match="has visit 1 more than once"):
        fit_mixed(X, y, person, np.where(visit == 2, 1, visit))


def test_visits_that_are_too_few(data):
    X, y, person, visit, _ = data
    first = visit == 0
    with pytest.raises(ValueError, match="There is a single visit"):
        fit_mixed(X[first][:, [0, 3]], y[:, first], person[first], visit[first])
    apart = (visit == 2) == (person % 2 == 0)
    with pytest.raises(ValueError, match="Visits 0 and 2 are never seen in the same person"):
        fit_mixed(X[apart], y[:, apart], person[apart], visit[apart])
    one = visit == person % 3
    with pytest.raises(ValueError, match="Nobody was seen at two visits"):
        fit_mixed(X[one], y[:, one], person[one], visit[one], "cs")


def test_teams_explained_by_the_design(data):
    X, y, person, visit, team = data
    dummies = np.equal.outer(team, np.arange(1, 6)).astype(float)
    fit = fit_mixed(np.column_stack([X[:, :3], dummies]), y, person, visit, team=team)
    assert (fit.status == "failed").all()
    assert "explains every difference between teams" in np.ravel(fit.note)[0]


def test_teams_explained_by_one_design_fail_alone(data):
    X, y, person, visit, team = data
    dummies = np.equal.outer(team, np.arange(1, 6)).astype(float)
    designs = np.stack([np.column_stack([X[:, :3], dummies])] * 4)
    designs[1:, :, 3:] += np.random.default_rng(1).normal(size=(3, len(team), 5))
    fit = fit_mixed(designs, y, person, visit, team=team)
    assert [status == "failed" for status in fit.status] == [True, False, False, False]
    assert "explains every difference" in fit.note[0]


def test_kenward_roger_needs_reml(data):
    X, y, person, visit, _ = data
    with pytest.raises(ValueError, match="needs a fit by REML"):
        kenward_roger(fit_mixed(X, y, person, visit, method="ML"), np.eye(7))
