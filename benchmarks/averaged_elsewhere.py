"""Averaged contributions beyond the ANCOVA: other models, averages and scales, on drawn trials.

Ten teams in five pairs, 151 people, the outcome missing where the baseline says so, differently in
the arms. All data are SYNTHETIC. Prints a Markdown table for each part:

    PYTHONPATH=src python benchmarks/averaged_elsewhere.py [--draws 2000] [--parts NAME ...]

pairs       paired team means and change score, beside their complete cases
mixed       the mixed model: Rubin's rules, Kenward-Roger on the averaged outcome, direct likelihood
binary      logistic and Poisson regression, imputed as the pipeline does it
averages    effects that grow with the size of the pair: participant- and cluster-average
scale       a score of whole numbers from 0 to 27, by each method of imputation
items       the sum of five items of 0 to 4, each imputed by itself
benefit     net benefit at 20,000 a QALY, its cost and its QALYs imputed
bootstrap   pairs drawn with replacement, then imputed twice (Bartlett & Hughes 2020)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from averaged_contributions import DESIGN, M, design_of
from scipy.special import expit, stdtrit

from ccp_analysis.characteristics.imputing import Column, completed, matched, normal
from ccp_analysis.characteristics.trials import Layout, Loss, Trials, Truth, draw, lose
from ccp_analysis.imputation.bootstrap import pool_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.models.averaged import pool_averaged
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import on_link_scale
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import paired_team_means, weighted_by_people
from ccp_analysis.random import stream

SEED, EFFECT, CHUNK = 20261130, 0.44, 50
LAYOUT = Layout.of_pairs(DESIGN)
BASE = Truth(effect=EFFECT, icc=0.05, covariates=(0.2,))
LOSSES = {f"{share:.0%}": Loss(share, 1.0, by_arm=True) for share in (0.16, 0.30, 0.45)}
METHODS = {"norm": normal, "pmm": matched, "lrd": partial(matched, residual=True)}
Found = dict[str, tuple[float, float, float]]  # estimate, standard error, degrees of freedom


def trials(truth: Truth, loss: Loss, rng: np.random.Generator, draws: int = CHUNK):
    """Return trials and who is lost."""
    drawn = draw(LAYOUT, truth, draws, rng)
    return drawn, lose(LAYOUT, drawn.baseline, loss, rng)


def imputed(drawn: Trials, y: np.ndarray, lost: np.ndarray, rng, method=normal, m: int = M):
    """Return outcomes (m, draws, n), imputed from baseline, covariate and team."""
    whole = np.zeros_like(lost)
    columns = [Column(drawn.baseline, whole), Column(drawn.covariates[..., 0], whole)]
    return completed([*columns, Column(y, lost)], LAYOUT.team, m, 1, rng, method)[-1]


def single(found: Inference) -> tuple[float, float, float]:
    """Return estimate, standard error and df of an inference with one contrast."""
    return tuple(float(np.ravel(v)[0]) for v in (found.estimate, found.std_error, found.df))


def each(found: Inference, d: int) -> tuple[float, float, float]:
    """Return those of a trial of a batch."""
    return tuple(float(v[d, 0]) for v in (found.estimate, found.std_error, found.df))


def kept(lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return who stays, and their teams without gaps."""
    there = ~lost
    return there, np.unique(LAYOUT.team[there], return_inverse=True)[1]


def pairs(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Compare paired team means and change scores, averaged and on complete cases."""
    results = []
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        y = imputed(drawn, drawn.outcome, lost, rng)
        teams = (LAYOUT.team, LAYOUT.pair, LAYOUT.arm)
        paired = pool_averaged(paired_team_means(y, drawn.baseline[..., None], *teams).inference)
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        plain = np.delete(X, 2, axis=-1)
        L = np.eye(plain.shape[-1])[1:2]
        gain = y - drawn.baseline
        change = pool_averaged(cluster_robust(fit_ols(plain, gain), LAYOUT.team, L))
        for d in range(CHUNK):
            there, team = kept(lost[d])
            own = (drawn.outcome[d][there], drawn.baseline[d][there])
            seen = paired_team_means(own[0], own[1][:, None], team, LAYOUT.pair, LAYOUT.arm)
            gained = cluster_robust(fit_ols(plain[d][there], own[0] - own[1]), team, L)
            found = {
                "paired team means, averaged": each(paired, d),
                "paired team means, complete cases": single(seen.inference),
                "change score, averaged": each(change, d),
                "change score, complete cases": single(gained),
            }
            results.append((found, {}))
    return results


def mixed(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Fit the mixed model by three ways of dealing with what is missing."""
    results = []
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        y = imputed(drawn, drawn.outcome, lost, rng)
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        L = np.eye(X.shape[-1])[1:2]
        every = kenward_roger(fit_random_intercept(X, y, LAYOUT.team), L)
        rubin = pool(every.estimate, every.std_error**2, every.df)
        mean = kenward_roger(fit_random_intercept(X, y.mean(axis=0), LAYOUT.team), L)
        for d in range(CHUNK):
            there, team = kept(lost[d])
            fit = fit_random_intercept(X[d][there], drawn.outcome[d][there], team)
            found = {
                "Rubin's rules": each(rubin, d),
                "Kenward-Roger on the averaged outcome": each(mean, d),
                "direct likelihood": single(kenward_roger(fit, L)),
            }
            results.append((found, {}))
    return results


def binary(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Fit logistic and Poisson regressions; there is no difference in truth."""
    truth, results = replace(BASE, effect=0.0), []
    fixed = LAYOUT.teams
    for _ in range(draws // CHUNK):
        drawn, lost = trials(truth, loss, rng)
        chance = expit(drawn.outcome + 0.3)
        outcomes = {
            ("logistic", "binomial", "logreg"): (rng.random(chance.shape) < chance).astype(float),
            ("Poisson", "poisson", "lrd"): rng.poisson(np.exp(0.4 * drawn.outcome + 1.0)) * 1.0,
        }
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        L = np.eye(X.shape[-1])[1:2]
        for d in range(CHUNK):
            found: Found = {}
            there, team = kept(lost[d])
            for (name, family, method), values in outcomes.items():
                y = np.where(lost[d], np.nan, values[d])
                data = np.column_stack([y, drawn.baseline[d], drawn.covariates[d, :, 0]])
                counts = {"bounds": (0.0, np.inf), "step": 1.0} if method == "lrd" else {}
                model = Conditional(0, (1, 2), method=method, **counts)
                done = impute(data, [model], m=M, iterations=1, rng=rng, fixed=fixed)
                every = on_link_scale(
                    fit_glm(X[d], done.values[:, :, 0], family), L, groups=LAYOUT.team
                )
                seen = fit_glm(X[d][there], values[d][there], family)
                rubin = pool(every.estimate, every.std_error**2, every.df)
                found |= {
                    f"{name}, averaged": single(pool_averaged(every)),
                    f"{name}, Rubin's rules": single(rubin),
                    f"{name}, complete cases": single(on_link_scale(seen, L, groups=team)),
                }
            results.append((found, dict.fromkeys(found, 0.0)))
    return results


def averages(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Estimate either average where effects grow with the size of the pair."""
    by_size = 0.3
    truth, results = replace(BASE, effect_by_size=by_size), []
    people = np.bincount(LAYOUT.pair, weights=LAYOUT.sizes)
    z = (people - people.mean()) / people.std(ddof=1)
    of_people = EFFECT + by_size * float(people @ z) / people.sum()
    for _ in range(draws // CHUNK):
        drawn, lost = trials(truth, loss, rng)
        y = imputed(drawn, drawn.outcome, lost, rng)
        fit = paired_team_means(y, drawn.baseline[..., None], LAYOUT.team, LAYOUT.pair, LAYOUT.arm)
        alike, weighted = pool_averaged(fit.inference), pool_averaged(weighted_by_people(fit))
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        L = np.eye(X.shape[-1])[1:2]
        ancova = pool_averaged(cluster_robust(fit_ols(X, y), LAYOUT.team, L))
        for d in range(CHUNK):
            found = {
                f"cluster-average ({EFFECT:.3f}), pairs alike": each(alike, d),
                f"participant-average ({of_people:.3f}), pairs by people": each(weighted, d),
                f"participant-average ({of_people:.3f}), ANCOVA": each(ancova, d),
            }
            true = {n: EFFECT if n.startswith("cluster") else of_people for n in found}
            results.append((found, true))
    return results


def scale(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Impute a score of whole numbers, some of it at the floor or the ceiling, by each method."""

    def score(y: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(15.0 + 6.5 * y), 0.0, 27.0)

    # What is true of the score: a very large number of trials, nothing lost.
    calm = stream(SEED, "truth of the score")
    large = draw(LAYOUT, BASE, 20_000, calm)
    X = design_of(LAYOUT, large.baseline, large.covariates[..., 0])
    true = float(fit_ols(X, score(large.outcome)).coef[:, 1].mean())
    results = []
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        y = score(drawn.outcome)
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        L = np.eye(X.shape[-1])[1:2]
        pooled = {}
        for name, method in METHODS.items():
            values = imputed(drawn, y, lost, rng, method)
            if name == "lrd":
                values = np.clip(np.rint(values), 0.0, 27.0)
            pooled[name] = pool_averaged(cluster_robust(fit_ols(X, values), LAYOUT.team, L))
        for d in range(CHUNK):
            there, team = kept(lost[d])
            seen = cluster_robust(fit_ols(X[d][there], y[d][there]), team, L)
            found = {f"{name}, averaged": each(p, d) for name, p in pooled.items()}
            found["complete cases"] = single(seen)
            results.append((found, dict.fromkeys(found, true)))
    return results


def items(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Impute five items of 0 to 4, some of them missing singly, and analyse their sum."""
    count, single_missing = 5, 0.04

    def answers(y: np.ndarray, rng) -> np.ndarray:
        noise = rng.standard_normal((*y.shape, count))
        return np.clip(np.rint(2.0 + 0.8 * y[..., None] + 0.7 * noise), 0.0, 4.0)

    def whole_numbers(*args) -> np.ndarray:
        return np.clip(np.rint(METHODS["lrd"](*args)), 0.0, 4.0)

    ways = {**METHODS, "lrd": whole_numbers}
    calm = stream(SEED, "truth of the items")
    large = draw(LAYOUT, BASE, 20_000, calm)
    X = design_of(LAYOUT, large.baseline, large.covariates[..., 0])
    true = float(fit_ols(X, answers(large.outcome, calm).sum(axis=-1)).coef[:, 1].mean())
    results = []
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        given = answers(drawn.outcome, rng)
        gone = lost[..., None] | (rng.random(given.shape) < single_missing)
        # Of every item two answers stay in each team, as of the whole.
        few = np.einsum("dnk,nt->dtk", ~gone, LAYOUT.teams) < 2
        gone = np.where(few[:, LAYOUT.team], lost[..., None], gone)
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        whole = np.zeros_like(lost)
        known = [Column(drawn.baseline, whole), Column(drawn.covariates[..., 0], whole)]
        every = [Column(given[..., k], gone[..., k]) for k in range(count)]
        either = {}
        for name, method in ways.items():
            done = completed([*known, *every], LAYOUT.team, M, 8, rng, method)[2:]
            either[name] = _both_rules(X, np.sum(done, axis=0))
        results += _beside_complete(either, X, given.sum(axis=-1), gone.any(axis=-1), true)
    return results


def benefit(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Impute a skewed cost and QALYs, and analyse net benefit in thousands of pounds."""

    def of(drawn: Trials, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        noise = rng.standard_normal((3, *drawn.outcome.shape))
        qaly = 0.37 + 0.04 * drawn.outcome + 0.04 * noise[0]
        before = np.exp(0.3 * drawn.baseline + 0.8 * noise[1])
        return before, np.exp(-0.2 * drawn.outcome + 0.4 * np.log(before) + 0.7 * noise[2]), qaly

    def design(drawn: Trials, before: np.ndarray) -> np.ndarray:
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        return np.concatenate([X, before[..., None]], axis=-1)

    calm = stream(SEED, "truth of the benefit")
    large = draw(LAYOUT, BASE, 20_000, calm)
    before, cost, qaly = of(large, calm)
    true = float(fit_ols(design(large, before), 20.0 * qaly - cost).coef[:, 1].mean())
    results = []
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        before, cost, qaly = of(drawn, rng)
        X = design(drawn, before)
        whole = np.zeros_like(lost)
        seen = (drawn.baseline, drawn.covariates[..., 0], before)
        columns = [*(Column(v, whole) for v in seen), Column(cost, lost), Column(qaly, lost)]
        either = {}
        for name, method in METHODS.items():
            done = completed(columns, LAYOUT.team, M, 8, rng, method)
            either[name] = _both_rules(X, 20.0 * done[-1] - done[-2])
        results += _beside_complete(either, X, 20.0 * qaly - cost, lost, true)
    return results


def _both_rules(X: np.ndarray, y: np.ndarray) -> tuple[Inference, Inference]:
    """Return what averaged contributions and what Rubin's rules make of completed outcomes."""
    found = cluster_robust(fit_ols(X, y), LAYOUT.team, np.eye(X.shape[-1])[1:2])
    return pool_averaged(found), pool(found.estimate, found.std_error**2, found.df)


def _beside_complete(
    either: dict[str, tuple[Inference, Inference]],
    X: np.ndarray,
    y: np.ndarray,
    gone: np.ndarray,
    true: float,
) -> list[tuple[Found, dict[str, float]]]:
    """Return what each method found in each trial, with the complete cases of the same trial."""
    results, L = [], np.eye(X.shape[-1])[1:2]
    for d in range(len(y)):
        there, team = kept(gone[d])
        found = {f"{name}, averaged": each(both[0], d) for name, both in either.items()}
        found |= {f"{name}, Rubin's rules": each(both[1], d) for name, both in either.items()}
        found["complete cases"] = single(cluster_robust(fit_ols(X[d][there], y[d][there]), team, L))
        results.append((found, dict.fromkeys(found, true)))
    return results


def bootstrap(loss: Loss, draws: int, rng) -> list[tuple[Found, dict[str, float]]]:
    """Draw pairs with replacement and impute each resample twice, beside averaged contributions."""
    resamples, results = 100, []
    rows_of = [np.flatnonzero(LAYOUT.pair[LAYOUT.team] == p) for p in range(5)]
    for _ in range(draws // CHUNK):
        drawn, lost = trials(BASE, loss, rng)
        y = imputed(drawn, drawn.outcome, lost, rng)
        X = design_of(LAYOUT, drawn.baseline, drawn.covariates[..., 0])
        L = np.eye(X.shape[-1])[1:2]
        averaged = pool_averaged(cluster_robust(fit_ols(X, y), LAYOUT.team, L))
        for d in range(CHUNK):
            estimates = []
            for _ in range(resamples):
                chosen = rng.integers(0, 5, 5)
                rows = np.concatenate([rows_of[p] for p in chosen])
                new = Layout.of_pairs(DESIGN[chosen])
                part = [v[d, rows][None] for v in (drawn.baseline, drawn.covariates[..., 0])]
                gone = lost[d, rows][None]
                columns = [Column(v, np.zeros_like(gone)) for v in part]
                columns.append(Column(drawn.outcome[d, rows][None], gone))
                twice = completed(columns, new.team, 2, 1, rng)[-1][:, 0]
                estimates.append(fit_ols(design_of(new, part[0][0], part[1][0]), twice).coef[:, 1])
            found = {
                "averaged contributions": each(averaged, d),
                "bootstrap of pairs, then imputation": single(pool_bootstrap(np.array(estimates))),
            }
            results.append((found, {}))
    return results


PARTS: dict[str, Callable] = {
    "pairs": pairs,
    "mixed": mixed,
    "binary": binary,
    "averages": averages,
    "scale": scale,
    "items": items,
    "benefit": benefit,
    "bootstrap": bootstrap,
}


def table(part: str, draws: int) -> None:
    """Print the table of a part."""
    print(f"\n{part}: {draws} draws of SYNTHETIC trials, m = {M}\n")
    print("| lost | method | bias | covers | width | se / sd | no interval |")
    print("|---|---|---|---|---|---|---|")
    for share, loss in LOSSES.items():
        results = PARTS[part](loss, draws, stream(SEED, part, share))
        for name in results[0][0]:
            values = np.array([found[name] for found, _ in results])
            true = np.array([truth.get(name, EFFECT) for _, truth in results])
            estimate, error, df = values.T
            half = stdtrit(df, 0.975) * error
            # Separated cells of a logistic regression have no estimate.
            known = np.isfinite(half) & np.isfinite(estimate)
            half, error, off = half[known], error[known], (estimate - true)[known]
            spread = off.std(ddof=1)
            print(
                f"| {share} | {name} | {off.mean():+.3f} ± {spread / len(off) ** 0.5:.3f} | "
                f"{(np.abs(off) <= half).mean():.3f} | {np.median(2 * half):.2f} | "
                f"{np.sqrt(np.mean(error**2)) / spread:.2f} | {int((~known).sum())} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    asked = parser.parse_args()
    for part in asked.parts:
        table(part, asked.draws)


if __name__ == "__main__":
    main()
