"""Agreement with R: lme4, lmerTest, pbkrtest, clubSandwich, emmeans, nlme, mmrm, mice."""

from __future__ import annotations

import numpy as np
import pytest
from visits_data import assert_rows, column

from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_covariance, cluster_robust, hc3
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite
from ccp_analysis.models.team_level import paired_team_means, sign_flip


def exact(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def assert_exact_rows(ours, rows, names):
    parts = ("estimate", "std_error", "df", "p_value")
    for part, name in zip(parts, names, strict=False):
        if name is not None:
            exact(getattr(ours, part), column(rows, name))


def assert_joint(joint, expected, rtol=1e-6):
    """The F test, its degrees of freedom and scaling; the rest where the reference has it."""
    for name, theirs in {"statistic": "stat", "df": "ddf", "scaling": "F.scaling"}.items():
        np.testing.assert_allclose(getattr(joint, name), expected[theirs], rtol=rtol)
    if "p.value" in expected:
        np.testing.assert_allclose(joint.p_value, expected["p.value"], rtol=1e-6)
        assert joint.df_num == expected["ndf"]


def adjusted_means(X):
    """Rows of both arms (column 1) at the means of everything else."""
    rows = np.tile(X.mean(axis=0), (2, 1))
    rows[:, 1] = (0.0, 1.0)
    return rows


ANCOVA = ("arm", "y0", "trust", "age", "female")


@pytest.mark.parametrize(
    ("block", "terms"), [("ancova", ANCOVA), ("ancova_no_trust", ("arm", "y0", "age", "female"))]
)
def test_ancova_and_cr2(trial, clustered_reference, block, terms):
    reference = clustered_reference[block]
    fit = fit_ols(trial.design(*terms), trial["y1"])
    L = np.eye(fit.coef.size)
    ours = classical(fit, L)
    assert_exact_rows(ours, reference["ols"], ("Estimate", "Std. Error", None, "Pr(>|t|)"))
    exact(ours.statistic, column(reference["ols"], "t value"))
    robust = cluster_robust(fit, trial.groups, L)
    assert_exact_rows(robust, reference["cr2"], ("beta", "SE", "df_Satt", "p_Satt"))


def test_ancova_intervals_and_adjusted_means(trial, clustered_reference):
    reference = clustered_reference["ancova"]
    X = trial.design(*ANCOVA)
    fit = fit_ols(X, trial["y1"])
    low, high = classical(fit, np.eye(9)).interval(0.95)
    exact(low, column(reference["ci"], "2.5 %"))
    exact(high, column(reference["ci"], "97.5 %"))
    low, high = cluster_robust(fit, trial.groups, np.eye(9)).interval()
    exact(low, column(reference["cr2_ci"], "CI_L"))
    exact(high, column(reference["cr2_ci"], "CI_U"))
    means, rows = classical(fit, adjusted_means(X)), reference["emmeans_proportional"]
    assert_exact_rows(means, rows, ("emmean", "SE", "df"))
    exact(means.interval()[0], column(rows, "lower.CL"))


@pytest.mark.parametrize(
    ("kind", "name"), [("CR0", "cr0"), ("CR1S", "cr1"), ("CR3", "cr3"), ("HC3", "hc3")]
)
def test_other_covariances(trial, clustered_reference, kind, name):
    fit = fit_ols(trial.design(*ANCOVA), trial["y1"])
    covariance = hc3(fit) if kind == "HC3" else cluster_covariance(fit, trial.groups, kind)
    exact(np.sqrt(np.diagonal(covariance)), clustered_reference["ancova"][name])


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3"])
def test_many_unbalanced_clusters(btheb_long, extra_reference, kind):
    fit = fit_ols(btheb_long.X, btheb_long.y)
    ours = cluster_robust(fit, btheb_long.groups, np.eye(6), kind)
    assert_exact_rows(ours, extra_reference[f"btheb_{kind}"], ("beta", "SE", "df_Satt", "p_Satt"))


def test_cr2_where_clusters_have_columns_of_their_own(trial, extra_reference):
    fit = fit_ols(trial.design("arm", "y0", "trust"), trial["y1"])
    rows = extra_reference["cr2_own_columns"]
    ours = cluster_robust(fit, trial.trust, np.eye(7))
    shared = [1, 2]
    exact(ours.std_error[shared], column(rows, "SE")[shared])
    exact(ours.df[shared], column(rows, "df_Satt")[shared])


def test_mixed_model(trial, clustered_reference):
    reference = clustered_reference["lmm"]
    X = trial.design(*ANCOVA)
    fit = fit_random_intercept(X, trial["y1"], trial.groups)
    assert fit.status == "ok" and fit.note == ""
    np.testing.assert_allclose(fit.var_group, reference["var_team"], rtol=1e-6)
    np.testing.assert_allclose(fit.var_resid, reference["var_resid"], rtol=1e-6)
    np.testing.assert_allclose(fit.deviance, reference["reml_deviance"], rtol=1e-10)
    L = np.eye(9)
    assert_rows(satterthwaite(fit, L), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, L), reference["kenward_roger"])
    means = kenward_roger(fit, adjusted_means(X))
    assert_rows(means, reference["emmeans_kr"], ("emmean", "SE", "df"))
    assert "p.value" in reference["kr_F_trust"]
    assert_joint(kenward_roger_f(fit, L[3:7]), reference["kr_F_trust"])


@pytest.mark.parametrize(("block", "outcome"), [("lmm_cost", "costk"), ("lmm_qaly", "qaly")])
def test_mixed_model_on_the_boundary(trial, clustered_reference, block, outcome):
    reference = clustered_reference[block]
    X = trial.design("arm", "y0", "trust")
    fit = fit_random_intercept(X, trial[outcome], trial.groups)
    assert fit.status == "boundary"
    assert fit.var_group == 0.0
    exact(fit.var_resid, reference["vc"][1]["vcov"])
    exact(fit.deviance, reference["reml_deviance"])
    assert_rows(satterthwaite(fit, np.eye(7)), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, np.eye(7)), reference["kenward_roger"])


def test_joint_test_and_adjusted_means_on_the_boundary(trial, extra_reference):
    X = trial.design("arm", "y0", "trust")
    fit = fit_random_intercept(X, trial["costk"], trial.groups)
    assert_joint(kenward_roger_f(fit, np.eye(7)[3:]), extra_reference["boundary_F_trust"], 1e-8)
    means = kenward_roger(fit, adjusted_means(X))
    assert_exact_rows(means, extra_reference["boundary_emmeans"], ("emmean", "SE", "df"))


def test_repeated_measures(btheb_long, btheb_reference, extra_reference):
    reference = btheb_reference["lmm_random_intercept"]
    fit = fit_random_intercept(btheb_long.X, btheb_long.y, btheb_long.groups)
    assert btheb_long.y.size == reference["nobs"]
    variances = column(reference["vc"], "vcov")
    np.testing.assert_allclose([fit.var_group, fit.var_resid], variances, rtol=1e-6)
    np.testing.assert_allclose(fit.deviance, reference["reml_deviance"], rtol=1e-10)
    assert_rows(satterthwaite(fit, np.eye(6)), reference["satterthwaite"])
    assert_rows(kenward_roger(fit, np.eye(6)), reference["kenward_roger"])
    assert_joint(kenward_roger_f(fit, np.eye(6)[4:]), extra_reference["btheb_F_drug_length"])


def test_repeated_measures_by_maximum_likelihood(btheb_long, btheb_reference, extra_reference):
    reference = btheb_reference["lmm_random_intercept_ML"]
    fit = fit_random_intercept(btheb_long.X, btheb_long.y, btheb_long.groups, method="ML")
    variances = column(reference["vc"], "vcov")
    np.testing.assert_allclose([fit.var_group, fit.var_resid], variances, rtol=1e-4)
    np.testing.assert_allclose(fit.deviance, extra_reference["btheb_ml_deviance"], rtol=1e-10)
    assert_rows(satterthwaite(fit, np.eye(6)), reference["coef"])


def test_team_level_analysis(trial, clustered_reference):
    reference = clustered_reference["team_level"]
    ours = paired_team_means(
        trial["y1"], trial["y0"], trial.groups, np.arange(10) // 2, np.arange(10) % 2
    )
    exact(ours.slope, [reference["slope"]])
    exact(ours.adjusted_means, list(reference["adjusted_means"].values()))
    exact(ours.pair_differences, reference["pair_differences"])
    exact(ours.inference.estimate, reference["estimate"])
    exact(ours.inference.std_error, reference["se"])
    exact(ours.inference.statistic, reference["t"]["statistic"])
    exact(ours.inference.df, reference["t"]["parameter"])
    exact(ours.inference.p_value, reference["t"]["p.value"])
    exact(np.ravel(ours.inference.interval()), reference["t"]["conf.int"])
    assert sign_flip(ours.pair_differences) == reference["p_sign_flip"]


def test_team_means_without_adjustment(trial, clustered_reference):
    reference = clustered_reference["team_permutation"]
    ours = paired_team_means(trial["y1"], None, trial.groups, np.arange(10) // 2, np.arange(10) % 2)
    exact(ours.pair_differences, reference["diff"])
    exact(ours.inference.estimate, reference["mean"])
    exact(ours.inference.statistic, reference["paired_t"]["statistic"])
    exact(ours.inference.p_value, reference["paired_t"]["p.value"])
    assert sign_flip(ours.pair_differences) == reference["p_two_sided"]


@pytest.mark.parametrize("block", ["rubin", "rubin_small_df"])
def test_rubin(clustered_reference, block):
    data, expected = clustered_reference["rubin"], clustered_reference[block]["pooled"]
    df = 4 if block == "rubin_small_df" else data["n"] - data["k"]
    ours = pool(np.array(data["estimates"]), np.square(data["se"]), df)
    pairs = {"estimate": "qbar", "within": "ubar", "between": "b", "total": "t"}
    for name, theirs in {**pairs, "df": "df", "riv": "r", "fmi": "fmi"}.items():
        exact(getattr(ours, name), expected[theirs])
    exact(ours.mc_error, np.sqrt(expected["b"] / 10))
    if block == "rubin":
        exact(ours.interval(0.95), data["ci"])
        exact(ours.p_value, data["pvalue"])


def test_pooling_of_a_batch(extra_reference):
    cases = extra_reference["pool"]
    estimates = np.array([case["q"] for case in cases]).T
    variances = np.array([case["u"] for case in cases]).T
    df = np.array([case["dfcom"] if case["dfcom"] > 0 else np.inf for case in cases])
    ours = pool(estimates, variances, np.broadcast_to(df, estimates.shape))
    for name, theirs in {"total": "t", "df": "df", "riv": "r", "fmi": "fmi"}.items():
        exact(getattr(ours, name), column(cases, theirs))
