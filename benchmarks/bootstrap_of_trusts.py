"""The two-stage bootstrap of costs and effects: its time beside R's, and what its intervals cover.

The design is that of ``tests/models/data/clustered_trial.csv`` (151 people, ten teams in five
Trusts); baselines, costs and utilities are drawn. All data are SYNTHETIC. Run from the root of the
repository:

    PYTHONPATH=src python benchmarks/bootstrap_of_trusts.py [--coverage [--missing] [--sets 500]]

By default 5,000 draws are timed, each imputed once (a tenth of baselines and a sixth of follow-ups
missing, five rounds), beside R's boot with a seemingly unrelated regression by systemfit in each
draw, without imputation (``bootstrap_of_trusts.R``); that side is skipped where Rscript or one of
the packages is missing. ``--coverage`` prints for three intraclass correlations how often 95 %
percentile intervals cover, with and without the correction of the two stages, beside CR2 with
Satterthwaite's degrees of freedom; and the variance of the draws beside that of the estimates.
With ``--missing`` each draw is imputed once, and CR2 is pooled over the main imputations.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
import pandas as pd

from ccp_analysis.economics.bootstrap import Draws, two_stage_bootstrap
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.random import stream

ROOT = Path(__file__).parents[1]
TRIAL = ROOT / "tests" / "models" / "data" / "clustered_trial.csv"
R_SCRIPT = Path(__file__).with_suffix(".R")
SEED, DRAWS, R_DRAWS, M = 20261123, 5000, 300, 20
THRESHOLD = 20_000.0
COLUMNS = ("baseline_cost", "cost", "baseline_utility", "utility", "age", "female")
ADJUST = (0, 2, 4, 5)
COST_SD, UTILITY_SD, CORRELATION = 3000.0, 0.22, -0.3


@dataclass(frozen=True)
class Design:
    """Who is where, and how outcomes follow from the columns."""

    team: np.ndarray
    pair: np.ndarray
    arm: np.ndarray
    people: np.ndarray  # age and sex
    weights: np.ndarray


def design() -> Design:
    """Return the design of the trial; the horizon is half a year."""
    trial = pd.read_csv(TRIAL)
    team, pair = (np.unique(trial[name], return_inverse=True)[1] for name in ("team", "trust"))
    weights = np.zeros((2, len(trial), len(COLUMNS)))
    weights[0, :, 1], weights[1, :, 2:4] = 1.0, 0.25
    arm = (trial["arm"] == "intervention").to_numpy(dtype=float)
    return Design(team, pair, arm, trial[["age", "female"]].to_numpy(dtype=float), weights)


def draw(where: Design, icc: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a trial (n, v) without differences between the arms; skewed costs, correlated effects.

    Given the baseline, `icc` is the share of teams in the variance of either outcome, and the
    correlation of cost and utility is the same between teams as within.
    """
    n, teams = len(where.team), where.team.max() + 1
    root = np.linalg.cholesky([[1.0, CORRELATION], [CORRELATION, 1.0]])
    before = rng.normal(size=(n, 2)) @ root.T
    person = np.column_stack([rng.exponential(size=n) - 1.0, rng.normal(size=n)]) @ root.T
    team = (rng.normal(size=(teams, 2)) @ root.T)[where.team]
    after = 0.5 * before + 0.75**0.5 * ((1 - icc) ** 0.5 * person + icc**0.5 * team)
    cost = 5000.0 + COST_SD * np.column_stack([before[:, 0], after[:, 0]])
    utility = 0.65 + UTILITY_SD * np.column_stack([before[:, 1], after[:, 1]])
    return np.column_stack([cost, utility, where.people])


def lose(data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take away a tenth of each baseline and a sixth of the follow-ups, costlier people rather."""
    data = data.copy()
    gone = rng.random(len(data)) < 1 / (1 + np.exp(1.7 - (data[:, 0] - 5000) / COST_SD / 2))
    data[gone, 1] = data[gone, 3] = np.nan
    for column in (0, 2):
        data[rng.random(len(data)) < 0.1, column] = np.nan
    return data


def bootstrap(
    where: Design, data: np.ndarray, completed: np.ndarray, rng: np.random.Generator, **options
) -> Draws:
    return two_stage_bootstrap(
        data,
        completed,
        weights=where.weights,
        offsets=np.zeros((2, len(data))),
        adjust=ADJUST,
        arm=where.arm,
        team=where.team,
        pair=where.pair,
        rng=rng,
        **options,
    )


def imputed(where: Design, data: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the imputations (M, n, v) of the main analysis, with fixed effects of teams."""
    lost = np.flatnonzero(np.isnan(data).any(axis=0))
    plan = [Conditional(int(t), tuple(c for c in range(len(COLUMNS)) if c != t)) for t in lost]
    teams = np.equal.outer(where.team, np.unique(where.team)).astype(float)
    return impute(data, plan, m=M, iterations=5, rng=rng, fixed=teams).values


def seconds(where: Design, data: np.ndarray, completed: np.ndarray, **options) -> float:
    """Return the median time of three runs."""
    times = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        started = time.perf_counter()
        bootstrap(where, data, completed, rng, draws=DRAWS, **options)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def in_r(where: Design, data: np.ndarray) -> float | str:
    """Return R's seconds per draw, or the sentence that says why there are none."""
    if shutil.which("Rscript") is None:
        return "Rscript is not on the path: R is not timed."
    table = pd.DataFrame(data, columns=COLUMNS)
    table["qaly"] = (table["baseline_utility"] + table["utility"]) / 4
    table = table.assign(team=where.team, trust=where.pair, arm=where.arm)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.csv"
        table.to_csv(file, index=False)
        command = ["Rscript", "--vanilla", str(R_SCRIPT), str(file), str(R_DRAWS)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 77:
        return "boot or systemfit is not installed: R is not timed."
    if done.returncode:
        return f"R failed: {done.stderr.strip()}"
    return float(done.stdout.split()[-1]) / R_DRAWS


def speed() -> None:
    where, rng = design(), stream(SEED, "benchmark", "bootstrap", "speed")
    full = draw(where, 0.05, rng)
    data = lose(full, rng)
    completed = imputed(where, data, rng)
    print(
        f"{len(data)} people, {len(COLUMNS)} columns, {np.isnan(data).any(axis=1).mean():.0%} "
        f"of people with something missing; {DRAWS} draws (median of three runs)"
    )
    for threads in (1, 2):
        spent = seconds(where, data, completed, threads=threads)
        print(f"boot-then-impute, {threads} thread(s): {spent:.2f} s")
        if threads == 1:
            per_draw = spent / DRAWS
    plain = seconds(where, full, full[None]) / DRAWS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process: {memory:.0f} MiB")
    theirs = in_r(where, full)
    if isinstance(theirs, str):
        print(theirs)
        return
    print(f"a draw with imputation, one thread: {1e3 * per_draw:.3f} ms")
    print(f"a draw of complete data           : {1e3 * plain:.3f} ms")
    print(f"boot with systemfit, no imputation: {1e3 * theirs:.1f} ms a draw")
    print(f"ratio per draw: {theirs / per_draw:.0f} with imputation, {theirs / plain:.0f} without")


def coverage(sets: int, draws: int, missing: bool) -> None:
    where, n = design(), len(design().team)
    fixed = np.column_stack([np.ones(n), where.arm, np.equal.outer(where.pair, range(1, 5))])
    print(
        f"{sets} data sets, {draws} draws each, {'incomplete' if missing else 'complete'} data, "
        "five Trusts; Monte Carlo error of a coverage of .95: "
        f"{(0.95 * 0.05 / sets) ** 0.5:.3f}. Variance: mean over data sets, relative to the "
        "variance of the estimates.\n"
    )
    covered, relative = "covers: cost | effect | net benefit", "variance: cost | effect | net b."
    print(f"| ICC | method | {covered} | {relative} | correlation |")
    print("|---|---|---|---|---|---|---|---|---|")
    for icc in (0.0, 0.05, 0.2):
        rng = stream(SEED, "benchmark", "bootstrap", "coverage", str(icc), str(missing))
        inside, spread, estimates = {}, {}, []
        for _ in range(sets):
            data = draw(where, icc, rng)
            completed = data[None]
            if missing:
                data = lose(data, rng)
                completed = imputed(where, data, rng)
            y = np.einsum("knv,mnv->kmn", where.weights, completed)
            y = np.concatenate([y, THRESHOLD * y[1:] - y[:1]])
            X = np.broadcast_to(fixed, (len(completed), *fixed.shape))
            fit = fit_ols(np.concatenate([X, completed[:, :, ADJUST]], axis=2), y)
            robust = cluster_robust(fit, where.team, np.eye(fit.coef.shape[-1])[1:2])
            pooled = robust
            if missing:
                pooled = pool(
                    np.moveaxis(robust.estimate, 1, 0),
                    np.moveaxis(robust.std_error**2, 1, 0),
                    np.moveaxis(robust.df, 1, 0),
                )
            low, high = pooled.interval(0.95)
            estimates.append(pooled.estimate.reshape(3))
            note(inside, spread, "CR2, t", low, high, pooled.std_error**2)
            for name, shrink in (("two stages, corrected", True), ("two stages as drawn", False)):
                found = bootstrap(where, data, completed, rng, draws=draws, shrink=shrink)
                each = np.stack([found.cost, found.effect])
                each = np.vstack([each, THRESHOLD * each[1] - each[0]])
                low, high = np.quantile(each, (0.025, 0.975), axis=1)
                note(inside, spread, name, low, high, each.var(axis=1))
        truth = np.var(estimates, axis=0)
        for name, within in inside.items():
            covers = " | ".join(f"{x:.3f}" for x in np.mean(within, axis=0))
            mean = np.mean(spread[name], axis=0)
            ratio = " | ".join(f"{x:.2f}" for x in mean / truth)
            print(f"| {icc:g} | {name} | {covers} | {ratio} | {correlation(mean):.2f} |")
        print(
            f"| {icc:g} | estimates themselves | | | | | | | {correlation(truth):.2f} |", flush=True
        )


def correlation(variance: np.ndarray) -> float:
    """Return the correlation of cost and effect that the three variances imply."""
    cost, effect, benefit = variance
    return (cost + THRESHOLD**2 * effect - benefit) / (2 * THRESHOLD * (cost * effect) ** 0.5)


def note(
    inside: dict, spread: dict, name: str, low: np.ndarray, high: np.ndarray, variance: np.ndarray
) -> None:
    inside.setdefault(name, []).append(((low <= 0) & (high >= 0)).reshape(3))
    spread.setdefault(name, []).append(variance.reshape(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--coverage", action="store_true", help="simulate instead of timing")
    parser.add_argument("--missing", action="store_true", help="simulate incomplete data")
    parser.add_argument("--sets", type=int, default=500, help="data sets simulated")
    parser.add_argument("--draws", type=int, default=500, help="bootstrap draws of each")
    options = parser.parse_args()
    if options.coverage:
        coverage(options.sets, options.draws, options.missing)
    else:
        speed()


if __name__ == "__main__":
    main()
