"""Level, power and width of every inference offered, on the design of ten teams in five pairs.

Draws outcomes on the design of ``tests/models/data/clustered_trial.csv`` (151 people, teams of
unequal size, Trust fixed, one baseline) and compares the arms by each method. All data are
synthetic. Prints a Markdown table for each true effect:

    PYTHONPATH=src python benchmarks/operating_characteristics.py [--draws 10000]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import paired_team_means, sign_flip
from ccp_analysis.random import stream

DATA = Path(__file__).parents[1] / "tests" / "models" / "data" / "clustered_trial.csv"
ICC = (0.0, 0.02, 0.05, 0.10)
SD, SLOPE, SEED = 3.4, 0.55, 20261123


def design() -> tuple[pd.DataFrame, np.ndarray]:
    """Return the study and its design matrix: intercept, arm, baseline, four Trusts."""
    data = pd.read_csv(DATA)
    trusts = pd.get_dummies(data["trust"], drop_first=True).to_numpy(dtype=float)
    arm = (data["arm"] == "intervention").to_numpy(dtype=float)
    return data, np.column_stack([np.ones(len(data)), arm, data["y0"], trusts])


def draw(data: pd.DataFrame, icc: float, effect: float, draws: int, rng) -> np.ndarray:
    """Draw outcomes, shape (draws, n): baseline slope, arm effect, team and person variation."""
    team = np.unique(data["team"], return_inverse=True)[1]
    arm = (data["arm"] == "intervention").to_numpy(dtype=float)
    between = rng.normal(0, SD * icc**0.5, (draws, team.max() + 1))[:, team]
    within = rng.normal(0, SD * (1 - icc) ** 0.5, (draws, len(data)))
    return SLOPE * data["y0"].to_numpy() + effect * arm + between + within


def compare(data: pd.DataFrame, X: np.ndarray, y: np.ndarray) -> dict[str, Inference]:
    """Return the inference on the arm by every method, each over all draws."""
    team = np.unique(data["team"], return_inverse=True)[1]
    L = np.eye(X.shape[1])[1:2]
    ols = fit_ols(X, y)
    found = {"CR2, Satterthwaite": cluster_robust(ols, team, L, kind="CR2")}
    units = data.drop_duplicates("team").sort_values("team")
    pair = np.unique(units["trust"], return_inverse=True)[1]
    active = (units["arm"] == "intervention").to_numpy(dtype=int)
    paired = paired_team_means(y, data["y0"].to_numpy()[:, None], team, pair, active)
    found["paired t on adjusted team means"] = paired.inference
    bounded = fit_random_intercept(X, y, team)
    found["Kenward-Roger, team variance ≥ 0"] = kenward_roger(bounded, L)
    for kind, df, name in (("CR0", np.inf, "CR0, normal"), ("CR1", team.max(), "CR1, t(9)")):
        error = np.sqrt(cluster_covariance(ols, team, kind=kind)[..., 1, 1])[..., None]
        found[name] = Inference(ols.coef[..., 1:2], error, np.full_like(error, df))
    found["ignoring teams"] = classical(ols, L)
    found["_sign_flip"] = sign_flip(paired.pair_differences)
    found["_at_zero"] = np.mean(bounded.status == "boundary")
    return found


def summarise(found: dict, effect: float) -> list[tuple[str, str, str, str, str]]:
    """Return a row for each method: bias, rejections, coverage and median width."""
    rows = []
    for name, inference in found.items():
        if name.startswith("_"):
            continue
        usable = np.isfinite(inference.std_error[:, 0])
        low, high = inference.interval(0.95)
        rejected = (inference.p_value < 0.05)[usable].mean()
        covered = ((low <= effect) & (effect <= high))[usable].mean()
        bias = (inference.estimate[usable] - effect).mean()
        rows.append(
            (
                name,
                f"{bias:+.3f}",
                f"{rejected:.3f}",
                f"{covered:.3f}",
                f"{np.median((high - low)[usable]):.2f}",
            )
        )
    flipped = (found["_sign_flip"] < 0.0626).mean()
    rows.append(("sign-flip over five pairs, 6.25 % level", "", f"{flipped:.3f}", "", ""))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10_000)
    draws = parser.parse_args().draws
    data, X = design()
    started = time.perf_counter()
    error = (0.05 * 0.95 / draws) ** 0.5
    band = stats.norm.ppf(0.975) * error
    print(
        f"{draws} draws of SYNTHETIC data; 95 % Monte Carlo band of a 5 % test: "
        f"{0.05 - band:.3f} to {0.05 + band:.3f}."
    )
    for effect in (0.0, 1.5):
        print(f"\nTrue effect {effect:g} points\n")
        print("| ICC | inference | bias | rejects at 5 % | covers | median width |")
        print("|---|---|---|---|---|---|")
        for icc in ICC:
            rng = stream(SEED, "operating characteristics", str(icc), str(effect))
            found = compare(data, X, draw(data, icc, effect, draws, rng))
            for row in summarise(found, effect):
                print(f"| {icc:g} | " + " | ".join(row) + " |")
            print(f"| {icc:g} | team variance at zero in {found['_at_zero']:.0%} | | | | |")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
