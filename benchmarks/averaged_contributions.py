"""Averaged contributions of clusters: coverage, bias and width on drawn trials.

Ten teams in five pairs, 151 people, a baseline and a covariate. Values are lost, imputed 50 times
with fixed teams, and the arms compared by ANCOVA with CR2, pooled by the averaged contributions of
the teams (V + B_shared, referred to t with the complete-data degrees of freedom), by Barnard and
Rubin, on the complete cases of the same draws, and, where the outcome alone is missing, by the
deterministic form of Robins & Wang (2000). All data are SYNTHETIC. Prints Markdown:

    PYTHONPATH=src python benchmarks/averaged_contributions.py [--draws 2000] [--cells NAME ...]

NAME is a part of a cell's name; ``--list`` says which there are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from scipy.special import ndtri, stdtrit

from ccp_analysis.characteristics.imputing import Column, completed, matched, normal
from ccp_analysis.characteristics.trials import Layout, Loss, Trials, Truth, draw, lose
from ccp_analysis.models.averaged import pool_averaged
from ccp_analysis.models.ols import OlsFit, fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.random import stream

SEED, M, ITERATIONS, CHUNK, LEVEL = 20261129, 50, 8, 50, 0.95
EFFECT = 0.44
DESIGN = np.array([[22, 19], [17, 16], [14, 14], [13, 14], [11, 11]])
UNEQUAL = np.array([[6, 40], [34, 8], [12, 25], [5, 7], [4, 10]])
LOST_BASELINE, LOST_COVARIATE = 0.12, 0.06
METHODS = {
    "norm": normal,
    "pmm": matched,
    "local residuals": partial(matched, residual=True),
}
MECHANISMS = {
    "MCAR": Loss(0.0),
    "MAR": Loss(0.0, 1.0),
    "MAR by arm": Loss(0.0, 1.0, by_arm=True),
}


@dataclass(frozen=True)
class Cell:
    """One scenario."""

    name: str
    truth: Truth
    loss: Loss
    method: str = "norm"
    alone: bool = True
    sizes: tuple[tuple[int, int], ...] = tuple(map(tuple, DESIGN))
    auxiliary: bool = False


def cells() -> Iterator[Cell]:
    """Return the grid, then what lies beside it."""
    base = Truth(effect=EFFECT, covariates=(0.2,))
    for method in METHODS:
        for alone in (True, False):
            for share in (0.16, 0.30, 0.45):
                for mechanism, loss in MECHANISMS.items():
                    for icc in (0.0, 0.05, 0.10):
                        what = "outcome" if alone else "all"
                        name = f"{method}, {what} missing, {share:.0%} lost, {mechanism}, {icc:g}"
                        lost = replace(loss, share=share)
                        yield Cell(name, replace(base, icc=icc), lost, method, alone)
    icc = replace(base, icc=0.05)
    loss = replace(MECHANISMS["MAR by arm"], share=0.30)
    beside = {
        "very unequal teams": {"sizes": tuple(map(tuple, UNEQUAL))},
        "an auxiliary of .7": {"truth": replace(icc, auxiliary=0.7), "auxiliary": True},
        "an interaction in truth": {"truth": replace(icc, interaction=0.5)},
        "slopes that vary by team": {"truth": replace(icc, slope_by_team=0.3)},
        "effects that vary by pair": {"truth": replace(icc, effect_by_pair=0.3)},
        "twice the SD in the active arm": {"truth": replace(icc, sd_ratio=2.0)},
        "skewed outcome": {"truth": replace(icc, skewed=True)},
        "teams with two observed": {"loss": replace(loss, share=0.70)},
    }
    for name, changed in beside.items():
        for method in METHODS:
            yield Cell(
                f"{name}, {method}", **{"truth": icc, "loss": loss, "method": method, **changed}
            )


def design_of(layout: Layout, baseline: np.ndarray, covariate: np.ndarray) -> np.ndarray:
    """Return the design of the analysis, shape (..., n, p); the arm is its second column."""
    pairs = np.broadcast_to(layout.pairs, (*baseline.shape, layout.pairs.shape[1]))
    active = np.broadcast_to(layout.active, baseline.shape)
    own = np.stack([np.ones(baseline.shape), active, baseline, covariate], axis=-1)
    return np.concatenate([own, pairs], axis=-1)


def robins_wang(
    fit: OlsFit, adjusted: np.ndarray, Z: np.ndarray, y: np.ndarray, lost: np.ndarray, team
) -> np.ndarray:
    """Return the variance of the difference after imputation by conditional means, (draws,).

    Robins & Wang (2000), section 3: the influence of a team holds what its residuals do to the
    imputation model, beside what they do to the analysis.
    """
    W = Z * ~lost[..., None]
    gram = np.swapaxes(W, -1, -2) @ W
    coef = np.linalg.solve(gram, (np.swapaxes(W, -1, -2) @ y[..., None]))
    residual = np.where(lost, 0.0, y - (Z @ coef)[..., 0])
    weight = (fit.X @ fit.bread[..., [1]])[..., 0]  # of each row in the difference
    moved = np.linalg.solve(gram, np.swapaxes(Z, -1, -2) @ (weight * lost)[..., None])
    scores = (W @ moved)[..., 0] * residual
    onto = (team[:, None] == np.unique(team)).astype(float)
    return np.square(adjusted + scores @ onto).sum(axis=-1)


def chunk(cell: Cell, k: int) -> np.ndarray:
    """Return estimates, standard errors and degrees of freedom of `CHUNK` trials."""
    rng = stream(SEED, "averaged contributions", cell.name, str(k))
    layout = Layout.of_pairs(np.array(cell.sizes))
    trials = draw(layout, cell.truth, CHUNK, rng)
    whole = np.zeros(trials.baseline.shape, dtype=bool)
    no_baseline = whole if cell.alone else rng.random(whole.shape) < LOST_BASELINE
    no_covariate = whole if cell.alone else rng.random(whole.shape) < LOST_COVARIATE
    # At random means: on what was seen of the baseline.
    seen = np.where(no_baseline, trials.baseline.mean(axis=1, keepdims=True), trials.baseline)
    lost = lose(layout, seen, cell.loss, rng)
    covariate = trials.covariates[..., 0]
    columns = [Column(trials.baseline, no_baseline), Column(covariate, no_covariate)]
    columns += [Column(trials.auxiliary, whole)] * cell.auxiliary
    columns.append(Column(trials.outcome, lost))
    values = completed(columns, layout.team, M, ITERATIONS, rng, METHODS[cell.method])
    X = (
        design_of(layout, trials.baseline, covariate)
        if cell.alone
        else design_of(layout, values[0], values[1])
    )
    fit, L = fit_ols(X, values[-1]), np.eye(X.shape[-1])[1:2]
    found = cluster_robust(fit, layout.team, L)
    averaged = pool_averaged(found)
    rubin = pool(found.estimate, found.std_error**2, found.df)
    rows = [averaged.estimate, averaged.within**0.5, averaged.std_error, averaged.df]
    rows += [rubin.std_error, rubin.df]
    by_means = np.full(CHUNK, np.nan)
    if cell.alone and cell.method == "norm" and not cell.auxiliary:
        Z = np.concatenate(
            [
                np.broadcast_to(layout.teams, (CHUNK, *layout.teams.shape)),
                np.stack([trials.baseline, covariate], axis=-1),
            ],
            axis=-1,
        )
        mean = fit_ols(X, _conditional_means(Z, trials.outcome, lost))
        adjusted = cluster_robust(mean, layout.team, L).contributions.adjusted
        by_means = robins_wang(
            mean, adjusted[..., 0, :], Z, np.where(lost, 0.0, trials.outcome), lost, layout.team
        )
    complete = _complete_cases(layout, trials, lost | no_baseline | no_covariate)
    return np.column_stack([*(row[:, 0] for row in rows), np.sqrt(by_means), complete])


def _conditional_means(Z: np.ndarray, y: np.ndarray, lost: np.ndarray) -> np.ndarray:
    W = Z * ~lost[..., None]
    coef = np.linalg.solve(np.swapaxes(W, -1, -2) @ W, np.swapaxes(W, -1, -2) @ y[..., None])
    return np.where(lost, (Z @ coef)[..., 0], y)


def _complete_cases(layout: Layout, trials: Trials, gone: np.ndarray) -> np.ndarray:
    rows = []
    for d in range(len(gone)):
        there = ~gone[d]
        X = design_of(layout, trials.baseline[d], trials.covariates[d, :, 0])[there]
        team = np.unique(layout.team[there], return_inverse=True)[1]
        found = cluster_robust(fit_ols(X, trials.outcome[d][there]), team, np.eye(X.shape[1])[1:2])
        rows.append([found.estimate[0], found.std_error[0], found.df[0]])
    return np.array(rows)


def truth_of(cell: Cell) -> float:
    """Return the difference that the analysis estimates, of people."""
    return cell.truth.effect


def row(cell: Cell, found: np.ndarray) -> str:
    """Return a line of the table."""
    estimate, v, t, df, rubin, rubin_df, means, complete, se, complete_df = found.T
    truth, draws = truth_of(cell), len(found)

    def half(error, df):
        return stdtrit(df, 0.5 + LEVEL / 2) * error

    def covers(centre, width):
        return np.abs(centre - truth) <= width

    own, others = covers(estimate, half(t, df)), covers(complete, half(se, complete_df))
    worse = others.astype(float) - own
    limit = worse.mean() + ndtri(0.95) * worse.std(ddof=1) / draws**0.5
    lowest = own.mean() - ndtri(0.99) * (own.mean() * (1 - own.mean()) / draws) ** 0.5
    bias, error = estimate.mean() - truth, estimate.std(ddof=1) / draws**0.5
    ratio = np.sqrt(np.mean(t**2)) / estimate.std(ddof=1)
    yard = f"{covers(estimate, half(means, df)).mean():.3f}" if np.isfinite(means).all() else ""
    wanted = {
        "coverage": limit <= 0.01 and lowest > 0.93,
        "bias": abs(bias) + ndtri(0.975) * error < 0.03,
        "se / sd": 0.95 <= ratio <= 1.10,
    }
    outside = ", ".join(name for name, held in wanted.items() if not held)
    cells = [
        cell.name,
        f"{bias:+.3f} ± {error:.3f}",
        f"{covers(estimate, half(v, df)).mean():.3f}",
        f"**{own.mean():.3f}**",
        f"{lowest:.3f}",
        f"{covers(estimate, half(rubin, rubin_df)).mean():.3f}",
        yard,
        f"{others.mean():.3f}",
        f"{limit:+.3f}",
        f"{np.median(2 * half(t, df)):.2f}",
        f"{np.median(2 * half(rubin, rubin_df)):.2f}",
        f"{np.median(2 * half(se, complete_df)):.2f}",
        f"{ratio:.2f}",
        outside,
    ]
    return f"| {' | '.join(cells)} |"


HEAD = [
    "cell",
    "bias",
    "V alone",
    "**V + B shared**",
    "lower limit",
    "Barnard-Rubin",
    "Robins-Wang",
    "complete cases",
    "worse by at most",
    "width",
    "of Barnard-Rubin",
    "of complete cases",
    "se / sd",
    "outside",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--cells", nargs="*", default=[""])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    chosen = [cell for cell in cells() if any(name in cell.name for name in asked.cells)]
    if asked.list:
        print("\n".join(cell.name for cell in chosen))
        return
    print(f"{asked.draws} draws of SYNTHETIC trials a cell, m = {M}, true difference {EFFECT}.\n")
    print(f"| {' | '.join(HEAD)} |")
    print("|---" * len(HEAD) + "|")
    with ProcessPoolExecutor(asked.processes) as pool_of:
        for cell in chosen:
            parts = pool_of.map(partial(chunk, cell), range(asked.draws // CHUNK))
            print(row(cell, np.concatenate(list(parts))), flush=True)


if __name__ == "__main__":
    main()
