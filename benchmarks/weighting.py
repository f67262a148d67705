"""Weighting and unmeasured confounding where the truth is known.

Ten teams in five pairs, 151 people; arms differ in covariates of people by which the outcome goes,
so that ANCOVA without them is a third of a standard deviation off. Compared are ANCOVA with them,
overlap weights and entropy balancing, with weights taken as known (CR2), with the propensity's
estimation counted (stacked estimating equations) and with everything estimated anew without each
pair (jackknife). Then teams differ in something unmeasured of stated strength: nothing removes it,
and what the tipping points and robustness values say is compared with what was drawn. All data are
SYNTHETIC. Prints Markdown:

    PYTHONPATH=src python benchmarks/weighting.py [--draws 2000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np

from ccp_analysis.analyses.jackknife import jackknife
from ccp_analysis.characteristics.trials import Layout, Truth, draw
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.models.unmeasured import adjusted, paired_strengths, robustness_value, tipping
from ccp_analysis.models.weighted import (
    fit_weighted,
    stacked_overlap,
    weighted_cluster_robust,
    without_each_pair,
)
from ccp_analysis.models.weighting import entropy_weights, overlap_weights
from ccp_analysis.random import stream

SEED, CHUNK, LEVEL, EFFECT, MCID = 20261201, 100, 0.95, 0.25, 0.44
LAYOUT = Layout.of_pairs(np.array([[22, 19], [17, 16], [14, 14], [13, 14], [11, 11]]))
TEAM, PAIR, ARM = LAYOUT.team, LAYOUT.pair[LAYOUT.team], LAYOUT.arm[LAYOUT.team]
ICC = (0.0, 0.05, 0.10)
# Standard deviations between the arms, and slopes in standard deviations of the outcome given the
# baseline: without the covariates ANCOVA is off by .25 + .084 = .334.
SHIFTS, SLOPES = np.array([0.5, 0.28]), (0.5, 0.3)
# A waiting time, twice as long in the active arm, whose effect levels off at 1: off by .341. Its
# density ratio is log-linear, so that the propensity is right and a linear ANCOVA is not.
RATIO, STEEPNESS = 2.0, 2.2


@dataclass(frozen=True)
class Cell:
    """Measured confounding: by a straight line or not, and how many covariates change nothing."""

    name: str
    levelling: bool = False
    further: int = 0


@dataclass(frozen=True)
class Hidden:
    """An unmeasured difference between teams: its mean in the arms, and the true difference."""

    mean: float
    effect: float


LINEAR = Cell("measured, linear")
CELLS = (
    *((LINEAR, icc) for icc in ICC),
    *((Cell("measured, levelling off", levelling=True), icc) for icc in ICC),
    *((Cell(f"measured, linear, {k} covariates beside", further=k), 0.05) for k in (6, 14)),
)
# Its spread between teams and its slope; the first hides the minimal important difference.
SPREAD, SLOPE = 0.4, 0.5
HIDDEN = (Hidden(-0.88, MCID), Hidden(0.10, 1.5))


def trials(
    cell: Cell, icc: float, effect: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return outcome (draws, n), and baseline and covariates (draws, n, q)."""
    slopes = (0.0 if cell.levelling else SLOPES[0], SLOPES[1], *(0.0,) * cell.further)
    drawn = draw(LAYOUT, Truth(effect=effect, icc=icc, covariates=slopes), CHUNK, rng)
    x, y = drawn.covariates.copy(), drawn.outcome
    if cell.levelling:
        x[..., 0] = rng.exponential(np.where(LAYOUT.active, RATIO, 1.0), y.shape)
        y = y + STEEPNESS * np.minimum(x[..., 0], 1.0)
    else:
        x[..., :2] += SHIFTS * LAYOUT.active[:, None]
        y = y + SHIFTS @ SLOPES * LAYOUT.active
    return y, np.concatenate([drawn.baseline[..., None], x], axis=-1)


def design(X: np.ndarray, rows: np.ndarray, arm: bool = True) -> np.ndarray:
    """Return intercept, arm, covariates and pairs of some of the people, (draws, n', p)."""
    pair = PAIR[rows]
    own = [np.ones(len(rows)), *([ARM[rows]] * arm)]
    fixed = np.column_stack([*own, pair[:, None] == np.unique(pair)[1:]])
    return np.concatenate([np.broadcast_to(fixed, (*X.shape[:-1], fixed.shape[1])), X], axis=-1)


def arm_of(X: np.ndarray) -> np.ndarray:
    return np.eye(X.shape[-1])[1:2]


EVERYBODY = np.arange(len(TEAM))


def overlap_estimate(y: np.ndarray, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the overlap-weighted ANCOVA of some of the people, (draws, 1)."""
    weights = overlap_weights(X[:, rows], ARM[rows], PAIR[rows], limit=1.0).weights
    return fit_weighted(design(X[:, rows], rows), y[:, rows], weights).whitened.coef[:, 1:2]


def compared(y: np.ndarray, X: np.ndarray) -> dict[str, Inference]:
    """Return the comparison of the arms by every method, arrays (draws, 1)."""
    plain, full = design(X[..., :1], EVERYBODY), design(X, EVERYBODY)
    found = {
        "ANCOVA without the covariates": cluster_robust(fit_ols(plain, y), TEAM, arm_of(plain)),
        "ANCOVA with them": cluster_robust(fit_ols(full, y), TEAM, arm_of(full)),
    }
    overlap = overlap_weights(X, ARM, PAIR)
    Z = design(X, EVERYBODY, arm=False)
    for name, D in (("with them", full), ("without", plain)):
        fit = fit_weighted(D, y, overlap.weights)
        known = weighted_cluster_robust(fit, TEAM, arm_of(D))
        stacked = stacked_overlap(fit, TEAM, arm_of(D), arm=ARM, propensity=overlap.propensity, Z=Z)
        found[f"overlap, ANCOVA {name}: weights known"] = known
        found[f"overlap, ANCOVA {name}: stacked"] = stacked
        if name == "with them":
            left = without_each_pair(PAIR, partial(overlap_estimate, y, X))
            found["overlap, ANCOVA with them: jackknife by pair"] = jackknife(
                known.estimate, left, len(np.unique(PAIR)) - 1.0
            )
    for target in ("treated", "all"):
        balanced = entropy_weights(X, ARM, PAIR, target=target)
        fit = fit_weighted(full, y, balanced.weights)
        name = f"entropy ({target}), ANCOVA with them: weights known"
        found[name] = weighted_cluster_robust(fit, TEAM, arm_of(full))
    return found


def chunk(cell: Cell, icc: float, k: int) -> dict[str, np.ndarray]:
    """Return estimate, standard error and df of `CHUNK` trials by every method."""
    rng = stream(SEED, "weighting", cell.name, str(icc), str(k))
    found = compared(*trials(cell, icc, EFFECT, rng))
    return {
        name: np.concatenate([f.estimate, f.std_error, f.df], axis=-1) for name, f in found.items()
    }


def lines(parts: list[dict[str, np.ndarray]]) -> Iterator[str]:
    """Return a line of the table for each method."""
    for name in parts[0]:
        estimate, error, df = np.concatenate([part[name] for part in parts]).T
        there = np.isfinite(error)
        kept = Inference(estimate[there], error[there], df[there])
        low, high = kept.interval(LEVEL)
        draws, sd = there.sum(), kept.estimate.std(ddof=1)
        covered = ((low <= EFFECT) & (high >= EFFECT)).mean()
        cells = [
            name,
            f"{kept.estimate.mean() - EFFECT:+.3f} ± {sd / draws**0.5:.3f}",
            f"{covered:.3f} ± {(covered * (1 - covered) / draws) ** 0.5:.3f}",
            f"{np.sqrt(np.mean(kept.std_error**2)) / sd:.2f}",
            f"{sd:.3f}",
            f"{np.median(high - low):.2f}",
            f"{np.median(kept.df):.1f}",
            f"{1 - there.mean():.3f}",
        ]
        yield f"| {' | '.join(cells)} |"


def unmeasured(hidden: Hidden, icc: float, k: int) -> np.ndarray:
    """Return what is said of `CHUNK` trials whose teams differ in something unmeasured."""
    rng = stream(SEED, "unmeasured", str(hidden.mean), str(icc), str(k))
    y, X = trials(LINEAR, icc, hidden.effect, rng)
    u = hidden.mean * LAYOUT.arm + SPREAD * rng.standard_normal((CHUNK, len(LAYOUT.arm)))
    y = y + SLOPE * u[:, TEAM]
    truth = SLOPE * hidden.mean
    D = design(X, EVERYBODY)
    fit = fit_weighted(D, y, overlap_weights(X, ARM, PAIR).weights)
    weighted = weighted_cluster_robust(fit, TEAM, arm_of(D)).part((..., 0))
    points = tipping(weighted, hidden.effect, LEVEL)
    low, high = weighted.interval(LEVEL)
    paired = paired_team_means(y, X, TEAM, LAYOUT.pair, LAYOUT.arm)
    short = paired.inference.part((..., 0))
    d = u[:, LAYOUT.arm == 1] - u[:, LAYOUT.arm == 0]
    strengths = paired_strengths(paired.pair_differences, d[..., None])
    known = np.stack([np.ones(d.shape), d], axis=-1)
    long = classical(fit_ols(known, paired.pair_differences), np.eye(2)[:1]).part((..., 0))
    up = np.where(long.estimate > short.estimate, np.inf, -np.inf)
    formula = adjusted(short, strengths.arm[:, 0], strengths.outcome[:, 0], up)
    largest = np.maximum(strengths.arm, strengths.outcome)[:, 0]
    rv, rv_level = robustness_value(short), robustness_value(short, level=LEVEL)
    long_low, long_high = long.interval(LEVEL)
    same = np.sign(long.estimate) == np.sign(short.estimate)
    apart = np.where(short.estimate > 0, long_low > 0, long_high < 0)
    columns = [
        weighted.estimate,
        (low <= hidden.effect) & (high >= hidden.effect),
        points.hides_mcid,
        (low - truth <= hidden.effect) & (high - truth >= hidden.effect),
        np.abs(points.to_zero),
        np.abs(formula.estimate - long.estimate) / long.std_error,
        np.abs(formula.std_error / long.std_error - 1.0),
        strengths.arm[:, 0],
        strengths.outcome[:, 0],
        rv,
        rv_level,
        largest <= rv,
        (largest <= rv) & ~same,
        largest <= rv_level,
        (largest <= rv_level) & ~apart,
        long.estimate,
    ]
    return np.column_stack(columns)


def said(icc: float, found: np.ndarray) -> str:
    """Return a line on what was drawn and what was said."""
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / len(found) ** 0.5
    middle = np.median(found, axis=0)
    cells = [
        f"{icc:g}",
        f"{mean[0]:+.3f} ± {error[0]:.3f}",
        f"{mean[1]:.3f}",
        f"{mean[2]:+.3f} ± {error[2]:.3f}",
        f"{mean[3]:.3f}",
        f"{middle[4]:.2f}",
        f"{mean[15]:+.3f} ± {error[15]:.3f}",
        f"{found[:, 5:7].max():.0e}",
        f"{middle[7]:.2f}, {middle[8]:.2f}",
        f"{middle[9]:.2f}, {middle[10]:.2f}",
        f"{found[:, 12].sum():.0f} of {found[:, 11].sum():.0f}",
        f"{found[:, 14].sum():.0f} of {found[:, 13].sum():.0f}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = ("method", "bias", "covers", "se / sd", "sd", "width", "df", "refused")
SAID = (
    "ICC",
    "weighted estimate",
    "interval holds the truth",
    "what hides the true difference",
    "interval moved by what was drawn holds the truth",
    "to zero",
    "team means with it known",
    "formula against regression",
    "its R2: arm, outcome",
    "RV, RV of the interval",
    "sign changed within RV",
    "interval at zero within RV",
)


def heading(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n" + "|---" * len(cells) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    chunks, started = range(asked.draws // CHUNK), time.perf_counter()
    print(f"{asked.draws} draws of SYNTHETIC trials a cell; true difference {EFFECT}.")
    with ProcessPoolExecutor(asked.processes) as pool:
        for cell, icc in CELLS:
            print(f"\nConfounding {cell.name}, ICC {icc:g}\n\n{heading(HEAD)}")
            parts = list(pool.map(partial(chunk, cell, icc), chunks))
            print("\n".join(lines(parts)), flush=True)
        for hidden in HIDDEN:
            print(
                f"\nTeams differ by {SLOPE * hidden.mean:+.2f} in something unmeasured; true "
                f"difference {hidden.effect}\n\n{heading(SAID)}"
            )
            for icc in ICC:
                found = np.concatenate(list(pool.map(partial(unmeasured, hidden, icc), chunks)))
                print(said(icc, found), flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
