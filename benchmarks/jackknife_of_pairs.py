"""Whether the jackknife over pairs of teams holds its level after conditional-mean imputation.

Outcomes are drawn on the design of the 151-person clustered trial of the tests (ten teams in five
pairs; synthetic), without an effect and with a seventh of the people lost depending on
their baseline. Printed for each team correlation and strategy: the share of two-sided 5 % tests
that reject, the mean standard error and the standard deviation of the estimates.

    PYTHONPATH=src python benchmarks/jackknife_of_pairs.py [draws]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis.analyses.jackknife import arm_means, jackknife
from ccp_analysis.imputation.reference import (
    People,
    complete_outcomes,
    event_visits,
    fit_normal_model,
)
from ccp_analysis.random import stream

TRIAL = Path(__file__).parents[1] / "tests" / "models" / "data" / "clustered_trial.csv"
STRATEGIES = ("MAR", "JR")
RETEST = 0.6


def estimates(people: People, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
    model = fit_normal_model(people.take(kept))
    event = event_visits(~np.isnan(model.people.outcome))
    values = [
        complete_outcomes(model, event, np.full(len(kept), strategy))[:, 0]
        for strategy in STRATEGIES
    ]
    return arm_means(X[kept], np.stack(values))[..., 0]


def main(draws: int) -> None:
    trial = pd.read_csv(TRIAL)
    team, pair = (np.unique(trial[name], return_inverse=True)[1] for name in ("team", "trust"))
    active, n = (trial["arm"] == "intervention").to_numpy(), len(trial)
    everybody, pairs = np.arange(n), range(pair.max() + 1)
    print("icc   strategy  reject  mean se  sd of estimates")
    for icc in (0.0, 0.05, 0.10):
        rng = stream(20261122, "benchmark", "jackknife", str(icc))
        found = []
        for _ in range(draws):
            baseline = rng.normal(size=n)
            outcome = RETEST * baseline + np.sqrt(1 - RETEST**2) * rng.normal(size=n)
            outcome += np.sqrt(icc) * rng.normal(size=team.max() + 1)[team]
            outcome[rng.random(n) < 1.0 / (1.0 + np.exp(1.8 + 0.5 * baseline))] = np.nan
            people = People(
                outcome[:, None], active, baseline[:, None], np.zeros((n, 0)), team, pair
            )
            X = np.column_stack([np.ones(n), active, baseline, np.eye(len(pairs))[pair]])
            left_out = [estimates(people, X, np.flatnonzero(pair != p)) for p in pairs]
            result = jackknife(
                estimates(people, X, everybody), np.stack(left_out), len(pairs) - 1.0
            )
            found.append((result.p_value < 0.05, result.std_error, result.estimate))
        reject, error, estimate = (np.array(part) for part in zip(*found, strict=True))
        for k, strategy in enumerate(STRATEGIES):
            row = (reject[:, k].mean(), error[:, k].mean(), estimate[:, k].std())
            print(f"{icc:.2f}  {strategy:8}  {row[0]:.3f}   {row[1]:.3f}    {row[2]:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
