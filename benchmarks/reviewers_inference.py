"""What a reviewer asks for in place of CR2 with ten teams: level and power on the same draws.

Ten teams in five pairs, 151 people, ANCOVA with pair fixed, nothing missing; all data SYNTHETIC.
Prints Markdown:

    PYTHONPATH=src python benchmarks/reviewers_inference.py [--draws 10000] [--icc 0.05]
"""

from __future__ import annotations

import argparse
from itertools import product

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from averaged_contributions import DESIGN, design_of
from scipy.special import stdtrit

from ccp_analysis.characteristics.trials import Layout, Truth, draw
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.random import stream

SEED, CHUNK = 20261201, 100
LAYOUT = Layout.of_pairs(DESIGN)
PAIR = LAYOUT.pair[LAYOUT.team]


def by_sandwich(fit, L: np.ndarray) -> dict[str, np.ndarray]:
    """Return who rejects at 5 % by a sandwich and a t distribution, each of shape (draws,)."""
    found = cluster_robust(fit, LAYOUT.team, L)
    estimate = fit.coef[:, 1]

    def rejects(variance: np.ndarray, df: np.ndarray | float) -> np.ndarray:
        return np.abs(estimate) > stdtrit(df, 0.975) * np.sqrt(variance)

    by_pair = cluster_covariance(fit, PAIR, "CR1")[:, 1, 1]
    cr3 = cluster_covariance(fit, LAYOUT.team, "CR3")[:, 1, 1]
    return {
        "CR2 by team, Satterthwaite": rejects(found.std_error[:, 0] ** 2, found.df[:, 0]),
        "CR1 by pair, t(4)": rejects(by_pair, 4.0),
        "CR3 by team (jackknife), t(9)": rejects(cr3, 9.0),
    }


def wild(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return whether the wild cluster bootstrap, null imposed, rejects; all sign vectors.

    Cameron, Gelbach & Miller (2008, Rev Econ Stat 90:414-427), with CR1 statistics.
    """
    codes = np.unique(groups)
    onto = (groups[:, None] == codes).astype(float)
    signs = np.array(list(product((-1.0, 1.0), repeat=len(codes) - 1)))
    signs = np.column_stack([np.ones(len(signs)), signs])  # a vector and its opposite are one
    without = np.delete(X, 1, axis=1)
    null = without @ np.linalg.lstsq(without, y, rcond=None)[0]
    samples = np.vstack([y, null + (signs @ onto.T) * (y - null)])
    pinv = np.linalg.pinv(X)
    residual = samples - samples @ pinv.T @ X.T
    scores = (residual * pinv[1]) @ onto
    statistic = np.abs(samples @ pinv[1]) / np.sqrt(np.square(scores).sum(axis=1))
    return (statistic[1:] >= statistic[0] * (1 - 1e-10)).mean() < 0.05


def shares(effect: float, icc: float, draws: int) -> dict[str, float]:
    """Return the share of draws in which each test rejects."""
    rng = stream(SEED, "what a reviewer asks", str(effect), str(icc))
    truth = Truth(effect=effect, icc=icc, covariates=(0.2,))
    found: dict[str, list[np.ndarray]] = {}
    for _ in range(draws // CHUNK):
        trials = draw(LAYOUT, truth, CHUNK, rng)
        X = design_of(LAYOUT, trials.baseline, trials.covariates[..., 0])
        fit = fit_ols(X, trials.outcome)
        parts = by_sandwich(fit, np.eye(X.shape[-1])[1:2])
        for name, groups in {"team": LAYOUT.team, "pair": PAIR}.items():
            each = [wild(X[d], trials.outcome[d], groups) for d in range(CHUNK)]
            parts[f"wild bootstrap by {name}, null imposed"] = np.array(each)
        for name, rejected in parts.items():
            found.setdefault(name, []).append(rejected)
    return {name: float(np.concatenate(parts).mean()) for name, parts in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--icc", type=float, default=0.05)
    asked = parser.parse_args()
    level = shares(0.0, asked.icc, asked.draws)
    power = shares(0.88, asked.icc, asked.draws)
    print(f"{asked.draws} draws of SYNTHETIC trials, ICC {asked.icc:g}.\n")
    print("| inference | level | power at .88 SD |\n|---|---|---|")
    for name, share in level.items():
        print(f"| {name} | {share:.3f} | {power[name]:.3f} |")


if __name__ == "__main__":
    main()
