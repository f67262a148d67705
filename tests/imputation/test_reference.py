"""Reference-based imputation: rbmi's figures, a second implementation in R, and hand-made cases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ccp_analysis.analyses.jackknife import arm_means, jackknife
from ccp_analysis.imputation.posterior import draw_parameters
from ccp_analysis.imputation.reference import (
    NormalModel,
    Parameters,
    People,
    complete_outcomes,
    event_visits,
    fit_normal_model,
    strategy_means,
)
from ccp_analysis.models.ols import independent_columns

DATA = Path(__file__).parent / "data"
VISITS = ["bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]
# Strategy, and what is added to imputed values of the active arm.
CASES = {
    "MAR": ("MAR", 0.0),
    "MAR_delta3": ("MAR", 3.0),
    "JR": ("JR", 0.0),
    "CR": ("CR", 0.0),
    "CIR": ("CIR", 0.0),
}


def read(name: str) -> dict:
    return json.loads((DATA / name).read_text())


def beat_the_blues() -> tuple[People, np.ndarray, np.ndarray]:
    """Return the people, the design of the ANCOVA, and the visits of the events."""
    table = pd.read_csv(DATA / "btheb.csv")
    active = (table["treatment"] == "BtheB").to_numpy()
    common = np.column_stack([table["drug"] == "Yes", table["length"] == ">6m"]).astype(float)
    baseline = table[["bdi.pre"]].to_numpy(dtype=float)
    people = People(table[VISITS].to_numpy(), active, baseline, common)
    X = np.column_stack([np.ones(len(table)), active, baseline, common])
    return people, X, event_visits(~np.isnan(people.outcome))


def everyone(n: int, strategy: str) -> np.ndarray:
    return np.full(n, strategy)


def at_covariance(model: NormalModel, covariance: np.ndarray) -> Parameters:
    """Return the generalised least squares coefficients at a covariance, person by person."""
    left, right = 0.0, 0.0
    for design, outcome in zip(model.design, model.people.outcome, strict=True):
        seen = ~np.isnan(outcome)
        weight = np.linalg.inv(covariance[np.ix_(seen, seen)])
        left = left + design[seen].T @ weight @ design[seen]
        right = right + design[seen].T @ weight @ outcome[seen]
    return Parameters(np.linalg.solve(left, right), covariance)


class LeaveOneOut:
    """The 101 fits of Beat the Blues, analysed under all cases."""

    def __init__(self) -> None:
        self.people, self.X, self.event = beat_the_blues()
        n = len(self.X)
        self.kept = [np.arange(n)] + [np.delete(np.arange(n), i) for i in range(n)]
        self.models = [fit_normal_model(self.people.take(kept)) for kept in self.kept]

    def results(self, parameters: list[Parameters]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return estimates and standard errors (v, 3) by case: difference, TAU, BtheB."""
        fits = [
            np.stack([self._estimates(position, case, one) for case in CASES.values()])
            for position, one in enumerate(parameters)
        ]
        found = jackknife(fits[0], np.stack(fits[1:]), np.inf)
        return {name: (found.estimate[k], found.std_error[k]) for k, name in enumerate(CASES)}

    def _estimates(self, position: int, case: tuple, parameters: Parameters) -> np.ndarray:
        (strategy, delta), model, kept = case, self.models[position], self.kept[position]
        people = model.people
        values = complete_outcomes(
            model, self.event[kept], everyone(len(kept), strategy), parameters
        )
        values = values + delta * (np.isnan(people.outcome) & people.active[:, None])
        return arm_means(self.X[kept], values.T)


def test_teams_and_pairs_that_are_absorbed_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    team = rng.permutation(np.repeat(np.arange(8), 9))
    pair, arm, X = team // 2, team % 2, rng.normal(size=(72, 3))
    y = X[:, :1] + 0.4 * arm[:, None] + rng.normal(size=(72, 1))
    y[rng.random(72) < 0.2] = np.nan
    people = People(y, arm == 1, X[:, :1], X[:, 1:], team, pair)
    absorbed, found = fit_normal_model(people), X[:, 0] * np.array([[1.0], [2.0]]) + arm
    own = np.column_stack([np.ones(72), arm, X])
    means = arm_means(own, found + X[:, 1] ** 2, pair)
    for module in ("imputation.reference", "analyses.jackknife"):
        monkeypatch.setattr(f"ccp_analysis.{module}.fit_absorbed", lambda *_: None)
    whole = fit_normal_model(people)
    assert absorbed.fit.absorbed is not None and whole.fit.absorbed is None
    for name in ("coef", "covariance"):
        one, other = getattr(absorbed.estimate, name), getattr(whole.estimate, name)
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    # Draws are made from the fit with nothing absorbed, and stay what they were.
    one, other = (draw_parameters(m, 5, np.random.default_rng(1)) for m in (absorbed, whole))
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-10, atol=1e-12)
    told = arm_means(own, found + X[:, 1] ** 2, pair)
    np.testing.assert_allclose(means, told, rtol=1e-10, atol=1e-12)


@pytest.fixture(scope="module")
def jack() -> LeaveOneOut:
    return LeaveOneOut()


@pytest.fixture(scope="module")
def ours(jack) -> dict:
    return jack.results([model.estimate for model in jack.models])


@pytest.fixture(scope="module")
def in_r() -> dict:
    return read("reference_based.reference.json")


def covariances(rows: list[list[float]]) -> np.ndarray:
    """Return (fits, 4, 4) of lower triangles by columns."""
    found = np.zeros((len(rows), 4, 4))
    columns, lines = np.triu_indices(4)
    found[:, lines, columns] = found[:, columns, lines] = np.array(rows)
    return found


def assert_agree(found: tuple, expected: list[dict], names: tuple[str, str]) -> None:
    """Estimates within 1e-4 standard errors, standard errors to 1e-4."""
    estimate, std_error = (
        np.array([row[name] for row in expected]).reshape(4, 3) for name in names
    )
    assert np.all(np.abs(found[0] - estimate) <= 1e-4 * std_error)
    assert_allclose(found[1], std_error, rtol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_conditional_means_and_jackknife_are_those_of_r_at_the_optimum(ours, in_r, case):
    """The same model, imputation and analysis written in R, minimised to the end."""
    assert_agree(ours[case], in_r["results"][case], ("est", "se"))


@pytest.fixture(scope="module")
def stopped(jack, in_r) -> dict:
    """What comes of the covariances at which rbmi's optimiser stopped."""
    pairs = zip(jack.models, covariances(in_r["stopped"]), strict=True)
    return jack.results([at_covariance(model, covariance) for model, covariance in pairs])


@pytest.mark.parametrize("case", CASES)
def test_formulas_are_those_of_rbmi(stopped, case):
    """At the covariances at which rbmi's optimiser stopped, every figure of rbmi comes out.

    rbmi's fits are mmrm's, which stops where optim's L-BFGS-B finds the criterion to have changed
    by less than 1e7 epsilons: up to 1.5e-5 above the least deviance, which moves estimates by up to
    1.6e-4 standard errors and standard errors by up to 3.2e-4. Here nothing but the optimiser is
    taken from R.
    """
    rows = read("rbmi_condmean.reference.json")["results"][case]
    assert_agree(stopped[case], rows, ("est", "se"))


def test_the_optimum_is_never_above_where_rbmi_stopped(jack, in_r):
    found = np.array([model.fit.deviance for model in jack.models])
    # The same constant: baseline is in units of 20 points in R.
    constant = np.median(np.array(in_r["deviance_optimum"]) - found)
    assert np.all(found + constant <= np.array(in_r["deviance_stopped"]) + 1e-9)
    assert_allclose(found + constant, in_r["deviance_optimum"], rtol=0, atol=1e-8)
    assert in_r["deviance_stopped"][0] - in_r["deviance_optimum"][0] > 1e-6
    expected = covariances(in_r["optimum"])[0]
    assert_allclose(jack.models[0].estimate.covariance, expected, rtol=1e-5)
    assert (jack.event < 4).sum() == read("rbmi_condmean.reference.json")["n_ice"] == 48


def test_last_mean_carried_forward_is_refused_where_nothing_was_observed():
    people, _, event = beat_the_blues()
    model = fit_normal_model(people)
    with pytest.raises(ValueError, match="3 of the people have no observed follow-up"):
        complete_outcomes(model, event, everyone(100, "LMCF"))
    there = np.flatnonzero(event > 0)
    kept = fit_normal_model(people.take(there))
    values = complete_outcomes(kept, event[there], everyone(len(there), "LMCF"))
    assert np.isfinite(values).all()


def test_means_of_the_strategies_from_the_first_visit_after_the_last_attended():
    own = np.array([[10.0, 20.0, 30.0, 40.0]])
    reference = np.array([[1.0, 2.0, 3.0, 4.0]])
    expected = {
        ("MAR", 2): [10, 20, 30, 40],
        ("JR", 2): [10, 20, 3, 4],
        ("CR", 2): [1, 2, 3, 4],
        ("CIR", 2): [10, 20, 3 + 18, 4 + 18],
        ("LMCF", 2): [10, 20, 20, 20],
        ("JR", 0): [1, 2, 3, 4],
        ("CR", 0): [1, 2, 3, 4],
        ("CIR", 0): [1, 2, 3, 4],
        ("CIR", 1): [10, 2 + 9, 3 + 9, 4 + 9],
        ("CR", 4): [10, 20, 30, 40],  # no event: whatever is missing is missing at random
        ("LMCF", 4): [10, 20, 30, 40],
    }
    for (strategy, event), mean in expected.items():
        found = strategy_means(own, reference, np.array([event]), np.array([strategy]))
        assert_array_equal(found, [mean])
    everybody = np.array([1, 1, 1]), np.array(["MAR", "JR", "CR"])
    found = strategy_means(np.full((3, 2), 5.0), np.zeros((3, 2)), *everybody)
    assert_array_equal(found, [[5, 5], [5, 0], [0, 0]])
    attended = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    assert_array_equal(event_visits(attended), [3, 3, 1, 2, 0])
    with pytest.raises(ValueError, match="not XX"):
        strategy_means(own, reference, np.array([1]), np.array(["XX"]))


def test_missing_visits_are_conditional_on_all_observed_ones():
    """Against the textbook formula, person by person, gaps between visits included."""
    people, _, event = beat_the_blues()
    people.outcome[5, 1] = np.nan  # a gap before the end
    event = event_visits(~np.isnan(people.outcome))
    model = fit_normal_model(people)
    strategy = np.where(np.arange(100) % 2, "JR", "CR")
    found = complete_outcomes(model, event, strategy)
    beta, sigma = model.estimate.coef, model.estimate.covariance
    for i, (row, y) in enumerate(zip(model.design, people.outcome, strict=True)):
        seen = ~np.isnan(y)
        own = row @ beta
        base = own - people.active[i] * (model.contrast @ beta)
        mean = strategy_means(own[None], base[None], event[[i]], strategy[[i]])[0]
        slope = sigma[np.ix_(~seen, seen)] @ np.linalg.inv(sigma[np.ix_(seen, seen)])
        assert_allclose(found[i, ~seen], mean[~seen] + slope @ (y[seen] - mean[seen]), rtol=1e-9)
        assert_array_equal(found[i, seen], y[seen])


def test_draws_scatter_about_the_conditional_mean():
    people, _, event = beat_the_blues()
    model, m = fit_normal_model(people), 4000
    rng = np.random.default_rng(5)
    strategy = everyone(100, "CIR")
    fixed = Parameters(
        np.broadcast_to(model.estimate.coef, (m, *model.estimate.coef.shape)),
        np.broadcast_to(model.estimate.covariance, (m, 4, 4)),
    )
    drawn = complete_outcomes(model, event, strategy, fixed, rng)
    mean = complete_outcomes(model, event, strategy)
    gone = np.isnan(people.outcome)
    z = (drawn.mean(axis=0) - mean)[gone] / (drawn.std(axis=0)[gone] / np.sqrt(m))
    assert np.abs(z).max() < 4.5 and 0.8 < z.std() < 1.2
    never = np.flatnonzero(gone.all(axis=1))[0]
    spread = np.cov(drawn[:, never].T)
    assert_allclose(spread, model.estimate.covariance, rtol=0.12)
    assert_array_equal(drawn[:, ~gone], np.broadcast_to(mean[~gone], (m, (~gone).sum())))


def test_parameters_scatter_as_the_fit_says():
    """Means and covariances of draws against REML; the variances' information against mmrm's."""
    people, _, _ = beat_the_blues()
    model, m = fit_normal_model(people), 4000
    drawn = draw_parameters(model, m, np.random.default_rng(7))
    se = np.sqrt(np.diag(model.fit.cov))
    # The draws centre on the mean of the posterior, which is a little off its mode.
    assert np.abs((drawn.coef.mean(axis=0) - model.estimate.coef) / se).max() < 0.08
    # Uncertainty of the covariance adds a little to that of the coefficients.
    ratio = drawn.coef.std(axis=0) / se
    assert ratio.min() > 0.96 and ratio.max() < 1.12
    assert_allclose(drawn.covariance.mean(axis=0), model.estimate.covariance, rtol=0.06)
    assert (np.linalg.eigvalsh(drawn.covariance)[:, 0] > 0).all()
    spread = np.sqrt(np.diagonal(model.fit.pieces().spread))
    first = model.fit.scale**2 * spread[0]
    assert drawn.covariance[:, 0, 0].std() == pytest.approx(first, rel=0.1)


class Centred:
    """Draws covariances, and puts coefficients, drawn in three dimensions, at their mean."""

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape) if len(shape) == 3 else np.random.default_rng(4).normal(size=shape)


def test_coefficients_are_drawn_about_those_of_the_covariance_drawn():
    """Their mean is generalised least squares by that covariance, person by person."""
    people, _, _ = beat_the_blues()
    model = fit_normal_model(people)
    drawn = draw_parameters(model, 3, Centred())
    for coef, covariance in zip(drawn.coef, drawn.covariance, strict=True):
        assert_allclose(coef, at_covariance(model, covariance).coef, rtol=1e-9)
        assert np.abs(coef - model.estimate.coef).max() > 1e-3


def single_visit() -> People:
    people, _, _ = beat_the_blues()
    return People(people.outcome[:, 3:], people.active, people.by_visit, people.common)


def test_with_one_follow_up_the_model_is_least_squares():
    people = single_visit()
    model, event = fit_normal_model(people), event_visits(~np.isnan(people.outcome))
    X = np.column_stack([np.ones(100), people.active, people.by_visit, people.common])
    seen = ~np.isnan(people.outcome[:, 0])
    beta, rss = np.linalg.lstsq(X[seen], people.outcome[seen, 0], rcond=None)[:2]
    found = complete_outcomes(model, event, everyone(100, "MAR"))
    assert_allclose(found[~seen, 0], X[~seen] @ beta, rtol=1e-9)
    assert_allclose(model.estimate.covariance, rss[0] / (seen.sum() - 5))
    alike = [complete_outcomes(model, event, everyone(100, s)) for s in ("JR", "CR", "CIR")]
    assert_array_equal(alike[0], alike[1])
    assert_array_equal(alike[0], alike[2])
    X[:, 1] = 0.0
    assert_allclose(alike[0][~seen, 0], X[~seen] @ beta, rtol=1e-9)


def test_with_one_follow_up_parameters_are_drawn_exactly():
    model = fit_normal_model(single_visit())
    drawn = draw_parameters(model, 20000, np.random.default_rng(1))
    df, sigma2 = model.fit.df_resid, float(model.fit.sigma2)
    precision = df * sigma2 / drawn.covariance[:, 0, 0]  # chi-squared
    assert precision.mean() == pytest.approx(df, rel=0.01)
    assert precision.var() == pytest.approx(2 * df, rel=0.05)
    expected = model.fit.bread * sigma2 * df / (df - 2)  # of a multivariate t
    assert_allclose(np.cov(drawn.coef.T), expected, rtol=0.06, atol=0.02 * expected.max())


def in_teams(v: int = 2, seed: int = 4) -> People:
    """Return five pairs of teams; a fifth of the people lost after some visit."""
    rng = np.random.default_rng(seed)
    n = 150
    team = np.arange(n) % 10
    outcome = rng.normal(size=(n, 1)) + rng.normal(size=(n, v)) + 0.5 * (team // 2)[:, None]
    for i in np.flatnonzero(np.arange(n) // 10 % 5 == 0):  # three of each team
        outcome[i, i // 10 % v :] = np.nan
    return People(
        outcome,
        team % 2 == 1,
        rng.normal(size=(n, 1)),
        rng.normal(size=(n, 2)),
        team,
        team // 2,
    )


@pytest.mark.parametrize("v", [1, 3])
def test_a_missing_person_keeps_the_teams_effect(v):
    """What is added to one team's outcomes is added to its imputed ones; a jump keeps 4/5 of it.

    The difference between the arms, which a jump takes off, is the mean over five pairs.
    """
    people = in_teams(v)
    event = event_visits(~np.isnan(people.outcome))
    moved = People(
        **vars(people) | {"outcome": people.outcome + 10.0 * (people.team == 3)[:, None]}
    )
    gone = np.isnan(people.outcome)
    for strategy, kept in (("MAR", 10.0), ("JR", 8.0)):
        before, after = (
            complete_outcomes(fit_normal_model(one), event, everyone(150, strategy))
            for one in (people, moved)
        )
        change = after - before
        inside, others = gone & (people.team == 3)[:, None], gone & (people.team != 3)[:, None]
        never = inside & gone.all(axis=1)[:, None]
        assert_allclose(change[never], kept, rtol=1e-7)
        # In the other teams of the active arm a jump takes off a difference larger by two.
        off = 0.0 if strategy == "MAR" else -2.0
        rest = others & gone.all(axis=1)[:, None] & people.active[:, None]
        assert_allclose(change[rest], off, atol=1e-6)
        reference = others & ~people.active[:, None]
        assert_allclose(change[reference], 0.0, atol=1e-6)


def test_a_pair_can_be_left_out():
    people = in_teams(2)
    kept = np.flatnonzero(people.pair != 2)
    model = fit_normal_model(people.take(kept))
    assert model.contrast.any(axis=0).sum() == 16  # eight teams at two visits
    with pytest.raises(ValueError, match="every pair of teams must hold both arms"):
        fit_normal_model(people.take(np.flatnonzero(people.team != 3)))


def test_a_team_that_nobody_was_seen_in_is_named():
    people = in_teams(2)
    people.outcome[people.team == 3, 1] = np.nan
    with pytest.raises(ValueError, match="a team has nobody who was observed at one of the visits"):
        fit_normal_model(people)
    people.outcome[:] = np.nan
    with pytest.raises(ValueError, match="nobody was observed"):
        fit_normal_model(people)


def test_dependent_covariates_change_nothing():
    people, _, event = beat_the_blues()
    doubled = People(
        **vars(people) | {"common": np.column_stack([people.common, people.common[:, 0] * 2.0])}
    )
    found, expected = (
        complete_outcomes(fit_normal_model(one), event, everyone(100, "CR"))
        for one in (doubled, people)
    )
    assert_allclose(found, expected, rtol=1e-7)


def test_independent_columns_are_found_after_dependent_ones():
    X = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 1], [1, 1, 0, 1, 0], [1, 1, 0, 1, 1.0]])
    assert_array_equal(independent_columns(X), [0, 3, 4])
