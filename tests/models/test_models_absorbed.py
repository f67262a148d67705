"""Groups that are absorbed: the numbers of the model whose design has their indicators."""

from __future__ import annotations

import numpy as np
import pytest

from ccp_analysis.models.absorbed import fit_absorbed
from ccp_analysis.models.averaged import (
    covariance,
    errors_without_each,
    imputations_for,
    pool_averaged,
    variances,
)
from ccp_analysis.models.condensed import condensed
from ccp_analysis.models.diagnostics import leave_one_out
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_absorbed import fit_glm_absorbed
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.left_out import ancova_without, random_intercept_without
from ccp_analysis.models.ols import OlsFit, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import (
    KINDS,
    cluster_covariance,
    cluster_robust,
    cluster_robust_together,
)
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.sur import fit_sur
from ccp_analysis.models.sur_absorbed import fit_sur_absorbed
from ccp_analysis.models.weighted import WeightedFit, fit_weighted, weighted_cluster_robust

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
M, PAIRS, OUTCOMES = 3, 6, 2


class Study:
    """Two teams in each of six pairs, of unequal size; three imputations of a covariate."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20261129)
        sizes = rng.integers(8, 20, 2 * PAIRS)
        self.team = rng.permutation(np.repeat(np.arange(2 * PAIRS), sizes))
        self.pair, arm = self.team // 2, self.team % 2
        n = len(self.team)
        age = rng.normal(50, 9, n)
        baseline = np.where(rng.random(n) < 0.2, rng.normal(3, 1, (M, n)), rng.normal(3, 1, n))
        own = np.stack([np.broadcast_to(v, (M, n)) for v in (np.ones(n), arm, age, baseline)], -1)
        own[..., 2:] -= own[..., 2:].mean(axis=(0, 1))
        indicators = (self.pair[:, None] == np.arange(1, PAIRS)).astype(float)
        indicators = np.broadcast_to(indicators - indicators.mean(axis=0), (M, n, PAIRS - 1))
        self.own = own
        self.dense = np.concatenate([own[..., :2], indicators, own[..., 2:]], axis=-1)
        between = rng.normal(0, 0.7, 2 * PAIRS)[self.team]
        self.y = 0.5 * baseline[:, None] + between + rng.normal(0, 1, (M, OUTCOMES, n))
        self.weights = rng.uniform(0.2, 3.0, (M, n))

    def contrasts(self, columns: int) -> np.ndarray:
        """Return the difference and the mean of each arm."""
        L = np.zeros((3, columns))
        L[0, 1] = L[1, 0] = L[2, 0] = L[2, 1] = 1.0
        return L


@pytest.fixture(scope="module")
def study() -> Study:
    return Study()


def absorbed(X: np.ndarray, y: np.ndarray, pair: np.ndarray, *weights: np.ndarray) -> OlsFit:
    """Return a fit that was not left to another."""
    fit = fit_absorbed(X, y, pair, *weights)
    assert fit is not None
    return fit


def alike(found: Inference, expected: Inference) -> None:
    """Compare two inferences, and all that is pooled from them."""
    for name in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **CLOSE)
    np.testing.assert_allclose(found.used_up.share, expected.used_up.share, atol=1e-12)
    for name in ("adjusted", "scores"):
        ours, theirs = (getattr(one.by_cluster, name) for one in (found, expected))
        np.testing.assert_allclose(ours, theirs, **CLOSE)
    np.testing.assert_allclose(found.by_cluster.own(), expected.by_cluster.own(), **CLOSE)
    for ours, theirs in zip(variances(found), variances(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, **CLOSE)
    np.testing.assert_allclose(covariance(found), covariance(expected), **CLOSE)
    pooled = [pool_averaged(one) for one in (found, expected)]
    np.testing.assert_array_equal(
        imputations_for(found, pooled[0]), imputations_for(expected, pooled[1])
    )


def test_a_fit_is_that_of_the_indicators(study: Study) -> None:
    dense = fit_ols(study.dense[:, None], study.y)
    fit = absorbed(study.own[:, None], study.y, study.pair)
    kept = [0, 1, -2, -1]
    np.testing.assert_allclose(fit.coef, dense.coef[..., kept], **CLOSE)
    np.testing.assert_allclose(fit.residuals, dense.residuals, **CLOSE)
    np.testing.assert_allclose(fit.sigma2, dense.sigma2, **CLOSE)
    bread = dense.bread[..., kept, :][..., kept]
    np.testing.assert_allclose(fit.bread, bread, **CLOSE)
    assert fit.df_resid == dense.df_resid


@pytest.mark.parametrize("kind", KINDS)
def test_clusters_touch_their_own_pair_alone(study: Study, kind: str) -> None:
    dense = fit_ols(study.dense[:, None], study.y)
    fit = absorbed(study.own[:, None], study.y, study.pair)
    L = [study.contrasts(fit.coef.shape[-1]), study.contrasts(dense.coef.shape[-1])]
    alike(
        cluster_robust(fit, study.team, L[0], kind), cluster_robust(dense, study.team, L[1], kind)
    )
    kept = [0, 1, -2, -1]
    whole = cluster_covariance(dense, study.team, kind)[..., kept, :][..., kept]
    np.testing.assert_allclose(cluster_covariance(fit, study.team, kind), whole, **CLOSE)


def test_models_side_by_side_are_one_with_everybody_twice(study: Study) -> None:
    y, n = study.y[:, 0], study.y.shape[-1]
    gain = y - study.own[..., -1]
    plain, p = np.delete(study.dense, -1, axis=-1), study.dense.shape[-1]
    X = np.zeros((M, 2 * n, 2 * p - 1))
    X[:, :n, :p], X[:, n:, p:] = study.dense, plain
    L = np.zeros((1, 2 * p - 1))
    L[0, 1], L[0, p + 1] = 1.0, -1.0
    stacked = fit_ols(X, np.concatenate([y, gain], axis=-1))
    expected = cluster_robust(stacked, np.tile(study.team, 2), L)
    fits = [
        absorbed(study.own, y, study.pair),
        absorbed(np.delete(study.own, -1, axis=-1), gain, study.pair),
    ]
    apart = [np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([[0.0, -1.0, 0.0]])]
    alike(cluster_robust_together(fits, study.team, apart), expected)
    fits = [fit_ols(study.dense, y), fit_ols(plain, gain)]
    alike(cluster_robust_together(fits, study.team, [L[:, :p], L[:, p:]]), expected)


def test_weights_taken_as_known(study: Study) -> None:
    """The small decomposition, against that of whole clusters."""
    y, w = study.y[:, 0], study.weights
    dense = fit_weighted(study.dense, y, w)
    fit = WeightedFit(absorbed(study.own, y, study.pair, w), w)
    np.testing.assert_allclose(fit.whitened.coef[..., 1], dense.whitened.coef[..., 1], **CLOSE)
    L = [study.contrasts(study.own.shape[-1]), study.contrasts(study.dense.shape[-1])]
    found = weighted_cluster_robust(fit, study.team, L[0])
    alike(found, weighted_cluster_robust(dense, study.team, L[1]))


def test_what_does_not_fit_is_left_to_the_whole_design(study: Study) -> None:
    y = study.y[:, 0]
    without = y.copy()
    without[0, 0] = np.nan
    assert fit_absorbed(study.own, without, study.pair) is None
    constant = study.own.copy()
    constant[0, :, 2] = study.pair
    assert fit_absorbed(constant, y, study.pair) is None
    assert fit_absorbed(study.own, study.own @ [1.0, 2.0, 3.0, 4.0], study.pair) is None
    fit = absorbed(study.own, y, study.pair)
    with pytest.raises(ValueError, match="two of the groups"):
        cluster_robust(fit, np.arange(len(study.team)) % 5, [0, 1, 0, 0])


def test_two_equations_with_absorbed_pairs(study: Study) -> None:
    """Seemingly unrelated regressions, of unequal columns and units of unequal size."""
    y1 = 100.0 * (study.y[:, 0] + np.random.default_rng(3).normal(size=study.y[:, 0].shape))
    y2 = 0.5 * study.y[:, 0] + 0.4 * study.y[:, 1]
    found = fit_sur_absorbed(study.own, y1, study.own[..., :-1], y2, study.pair)
    assert found is not None
    expected = fit_sur(study.dense, y1, study.dense[..., :-1], y2)
    inferred = []
    for fit in (found, expected):
        p, q = fit.coef1.shape[-1], fit.coef2.shape[-1]
        L = np.zeros((6, p + q))
        L[:3, :p], L[3:, p:] = study.contrasts(p), study.contrasts(q)
        inferred.append(cluster_robust(fit.working, np.tile(study.team, 2), L))
    alike(*inferred)
    for name in ("weights", "sigma", "correlation"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **CLOSE)
    p = study.dense.shape[-1]
    slopes = np.array([1, p - 2, p - 1, p + 1, 2 * p - 2])
    theirs = expected.covariance[:, slopes[:, None], slopes]
    np.testing.assert_allclose(found.covariance, theirs, **CLOSE)
    y2[0] = y1[0]
    assert fit_sur_absorbed(study.own, y1, study.own, y2, study.pair) is None


@pytest.mark.parametrize("teams_of_a_pair", [2, 3])
def test_models_without_each_team_and_each_pair(study: Study, teams_of_a_pair: int) -> None:
    # Teams of three have two directions within a pair, and one in which nothing varies but people.
    team, pair = study.team, study.team // teams_of_a_pair
    indicators = (pair[:, None] == np.arange(1, pair.max() + 1)).astype(float)
    indicators -= indicators.mean(axis=0)
    dense = np.column_stack([study.own[0], indicators])

    def mixed(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Inference:
        return kenward_roger(fit_random_intercept(X, y, groups), np.eye(X.shape[-1])[[1]])

    def ancova(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Inference:
        return cluster_robust(fit_ols(X, y), groups, np.eye(X.shape[-1])[[1]])

    flat = study.y[0, 0] - (np.bincount(team, study.y[0, 0]) / np.bincount(team))[team]
    for y in (study.y[0, 0], flat):  # of the second the variance between teams is zero
        for units in (team, pair):
            for whole, without in ((mixed, random_intercept_without), (ancova, ancova_without)):
                found = without(study.own[0], y, team, pair, units)
                assert found is not None
                for name in ("estimate", "std_error", "df"):
                    told = getattr(leave_one_out(whole, dense, y, team, units), name)
                    np.testing.assert_allclose(getattr(found, name), told, **CLOSE)


def test_what_a_unit_alone_tells_is_left_to_the_whole_design(study: Study) -> None:
    # Of the arm nothing is left without the one team that differs from its pair.
    arm = (study.team == 1).astype(float)
    X = np.column_stack([np.ones(len(arm)), arm, study.own[0, :, 2:]])
    for without in (random_intercept_without, ancova_without):
        assert without(X, study.y[0, 0], study.team, study.pair, study.team) is None


def test_few_rows_for_a_team_leave_all_that_is_inferred(study: Study) -> None:
    rows = condensed(study.own, study.y, study.team, study.pair)
    fit, team = rows.fit(rows.pair != 2)
    stay, L = study.pair != 2, study.contrasts(study.own.shape[-1])
    assert fit is not None
    told = absorbed(study.own[:, None, stay], study.y[..., stay], study.pair[stay])
    alike(cluster_robust(fit, team, L), cluster_robust(told, study.team[stay], L))


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_costs_with_a_log_link(study: Study, power: float) -> None:
    rng = np.random.default_rng(3)
    cost = np.exp(5.0 + 0.2 * study.y[:, 0]) * rng.gamma(2.0, 0.5, study.y[:, 0].shape)
    cost[:, :4] = 0.0
    absorbed = fit_glm_absorbed(study.own, cost, study.pair, power)
    whole = fit_glm(study.dense, cost, "power", power=power)
    assert absorbed is not None
    np.testing.assert_allclose(absorbed.fitted, whole.fitted, **CLOSE)
    np.testing.assert_allclose(absorbed.working.sigma2, whole.working.sigma2, **CLOSE)
    designs = (counterfactual(study.own, 1), counterfactual(study.dense, 1))
    fits = list(zip((absorbed, whole), designs, strict=True))
    marginal = [standardised(fit, *of, groups=study.team) for fit, of in fits]
    L = [study.contrasts(design.shape[-1]) for design in (study.own, study.dense)]
    linked = [
        on_link_scale(f, of, groups=study.team) for f, of in ((absorbed, L[0]), (whole, L[1]))
    ]
    for one, other in (marginal, linked):
        for name in ("estimate", "std_error", "df"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), **CLOSE)


def test_costs_that_have_no_fit_are_left_to_the_whole_design(study: Study) -> None:
    cost = np.where(study.pair == 2, 0.0, np.exp(study.y[:, 0]))  # the mean of a pair is zero
    assert fit_glm_absorbed(study.own, cost, study.pair, 2.0) is None


@pytest.mark.parametrize("imputed", ["all", "design shared", "nothing", "one of them"])
def test_standard_errors_without_each_imputation(study: Study, imputed: str) -> None:
    rng = np.random.default_rng(5)
    y = study.y[:1, 0] + rng.normal(size=(5, study.y.shape[-1]))
    X = np.repeat(study.own[:1], 5, axis=0)
    X[..., 3] += rng.normal(size=X.shape[:2])
    if imputed != "all":
        X = study.own[0]
    if imputed in ("nothing", "one of them"):
        y[:] = y[0]
    if imputed == "one of them":
        y[2, :3] += 1.0
    for fit in (absorbed(X, y, study.pair), fit_ols(X, y)):
        found = cluster_robust(fit, study.team, study.contrasts(4)[:2])
        told = []
        for j in range(5):
            rest = np.arange(5) != j
            few = (X[rest] if X.ndim > 2 else X, y[rest])
            of = fit_ols(*few) if fit.absorbed is None else absorbed(*few, study.pair)
            told.append(pool_averaged(cluster_robust(of, study.team, study.contrasts(4)[:2])))
        errors = np.stack([one.std_error for one in told])
        np.testing.assert_allclose(errors_without_each(found), errors, **CLOSE)
