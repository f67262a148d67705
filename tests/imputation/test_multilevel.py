"""Random cluster intercepts, and models by stratum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.chains import Chains
from ccp_analysis.imputation.multilevel import MultilevelTarget


def clustered(rng, clusters=40, size=10, icc=0.3):
    code = np.repeat(np.arange(clusters), size)
    x = rng.normal(size=len(code))
    y = x + rng.normal(0, icc**0.5, clusters)[code] + rng.normal(0, (1 - icc) ** 0.5, len(code))
    return code, x, y


def test_the_posterior_of_the_ratio_is_that_of_brute_force():
    rng = np.random.default_rng(1)
    code, x, y = clustered(rng, clusters=12, size=6)
    data = np.column_stack([y, x])
    data[:5, 0] = np.nan
    m = 20_000
    plan = [Conditional(0, (1,), "2l.norm")]
    chains = Chains(data, plan, [], np.empty((72, 0)), m, code)
    target = MultilevelTarget(plan[0], np.isnan(data), chains, None)
    Z = np.column_stack([target.block_obs, (y[5:] - chains.centre[0]) / chains.scale[0]])
    gram, sums = np.tile(Z.T @ Z, (m, 1, 1)), np.tile(target.member @ Z, (m, 1, 1))
    ratio, _ = target.draw_ratio(gram, sums, len(Z) - 2, rng)

    rho = np.linspace(0.001, 0.974, 400)
    density = []
    same = (code[5:, None] == code[5:]).astype(float)
    X, response = Z[:, :2], Z[:, 2]
    for value in rho:
        V = np.eye(len(Z)) + value / (1 - value) * same
        inverse = np.linalg.inv(V)
        A = X.T @ inverse @ X
        left = response - X @ np.linalg.solve(A, X.T @ inverse @ response)
        rss = left @ inverse @ left
        density.append(
            -0.5 * np.linalg.slogdet(V)[1]
            - 0.5 * np.linalg.slogdet(A)[1]
            - 0.5 * (len(Z) - 2) * np.log(rss)
        )
    density = np.exp(np.array(density) - max(density))
    cumulative = np.cumsum(density) / density.sum()
    drawn = (ratio / (1 + ratio)).ravel()
    worst = np.abs(np.interp(np.sort(drawn), rho, cumulative) - (np.arange(m) + 0.5) / m).max()
    assert worst < 0.02


def test_draws_keep_the_variance_between_clusters():
    rng = np.random.default_rng(2)
    code, x, y = clustered(rng, clusters=60, size=20)
    data = np.column_stack([y, x])
    gone = rng.random(len(y)) < 0.4
    data[gone, 0] = np.nan
    values = impute(
        data, [Conditional(0, (1,), "2l.norm")], m=20, iterations=1, rng=rng, clusters=code
    ).values[:, :, 0]
    residual = values - x
    means = np.stack([residual[:, code == g].mean(axis=1) for g in range(60)], axis=1)
    within = np.stack([residual[:, code == g].var(axis=1, ddof=1) for g in range(60)], axis=1)
    between = (means.var(axis=1, ddof=1) - within.mean(axis=1) / 20).mean()
    truth = y - x
    kept = [truth[(code == g) & ~gone] for g in range(60)]
    observed = np.mean([values.var(ddof=1) for values in kept])
    true_means = np.array([truth[code == g].mean() for g in range(60)])
    assert within.mean() == pytest.approx(observed, rel=0.03)
    assert between == pytest.approx(true_means.var(ddof=1) - observed / 20, rel=0.2)
    # The imputed of a cluster are like its observed.
    for_cluster = stats.pearsonr(
        [residual[:, (code == g) & gone].mean() for g in range(60)],
        [truth[(code == g) & ~gone].mean() for g in range(60)],
    )
    assert for_cluster.statistic > 0.9


def test_a_cluster_without_values_gets_an_effect_from_the_prior():
    rng = np.random.default_rng(3)
    code, x, y = clustered(rng, clusters=30, size=10, icc=0.5)
    y[code == 7] = np.nan
    values = impute(
        np.column_stack([y, x]),
        [Conditional(0, (1,), "2l.norm")],
        m=400,
        iterations=1,
        rng=rng,
        clusters=code,
    ).values[:, code == 7, 0]
    effect = (values - x[code == 7]).mean(axis=1)
    assert effect.std() == pytest.approx((0.5 + 0.5 / 10) ** 0.5, rel=0.3)
    assert abs(effect.mean()) < 0.4


def test_bounds_arm_and_hard_cases():
    rng = np.random.default_rng(4)
    code, x, y = clustered(rng, clusters=10, size=8)
    arm = (code % 2)[:, None].astype(float)
    y[rng.random(80) < 0.3] = np.nan
    wide = np.column_stack([y, x, x, np.ones(80), rng.normal(size=(80, 90))])
    plan = [Conditional(0, tuple(range(1, 94)), "2l.norm", bounds=(-1.0, 1.0))]
    indicators = (code[:, None] == np.arange(10)).astype(float)
    seen = ~np.isnan(y)
    for clusters in (code, np.arange(80), np.zeros(80, dtype=int)):
        values = impute(
            wide, plan, m=4, iterations=2, rng=rng, fixed=indicators, clusters=clusters, between=arm
        ).values[:, :, 0]
        assert np.isfinite(values).all()
        assert np.abs(values[:, ~seen]).max() <= 1.0
        assert values[0, seen].tobytes() == y[seen].tobytes()
    with pytest.raises(ValueError, match="needs clusters"):
        impute(wide, plan, m=2, iterations=1, rng=rng)


# --- strata ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["norm", "pmm", "logreg", "2l.norm"])
def test_models_by_stratum_have_their_own_slopes(method):
    rng = np.random.default_rng(5)
    n = 600
    arm, x = np.arange(n) % 2, rng.normal(size=n)
    y = np.where(arm == 1, 2.0, -2.0) * x + 0.3 * rng.normal(size=n)
    y = (y > 0).astype(float) if method == "logreg" else y
    gone = rng.random(n) < 0.3
    data = np.column_stack([np.where(gone, np.nan, y), x])
    plan = [Conditional(0, (1,), method)]
    common = {"m": 20, "iterations": 1, "fixed": arm[:, None] * 1.0, "clusters": np.arange(n) // 10}
    apart, one = (
        impute(data, plan, rng=np.random.default_rng(1), strata=strata, **common).values
        for strata in (arm, None)
    )
    for code, sign in ((0, -1), (1, 1)):
        rows = gone & (arm == code)
        slope = np.polyfit(x[rows], apart[:, rows, 0].mean(axis=0), 1)[0]
        pooled = np.polyfit(x[rows], one[:, rows, 0].mean(axis=0), 1)[0]
        assert sign * slope > 0.25
        assert abs(pooled) < abs(slope) / 3
    assert apart[3, ~gone, 0].tobytes() == y[~gone].tobytes()


def test_a_stratum_without_any_value_is_refused():
    data = np.column_stack([[1.0, 2.0, np.nan, np.nan], np.arange(4.0)])
    with pytest.raises(ValueError, match="column 0 cannot be imputed: a stratum"):
        impute(
            data,
            [Conditional(0, (1,))],
            m=2,
            iterations=1,
            rng=np.random.default_rng(1),
            strata=[0, 0, 1, 1],
        )
