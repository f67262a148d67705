"""Multiple imputation with ten teams: bias, coverage and width of the pooled difference.

Draws follow-ups on the design of ``tests/models/data/clustered_trial.csv`` (151 people, ten teams
in five pairs, one baseline), loses 16 % of them, and compares the arms: after imputation with fixed
team effects or ignoring teams, on the complete cases, and by direct likelihood. After imputation
the degrees of freedom come from each of several rules. All data are synthetic. Prints Markdown:

    PYTHONPATH=src python benchmarks/imputation_study.py [--draws 2000]

With ``--few`` the follow-ups are deleted completely at random, up to 97 %, and imputed as the
pipeline does it: from the predictors that it chooses among fourteen, or not at all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
import pandas as pd
from scipy.special import expit

from ccp_analysis.config.imputation import ImputationPlan
from ccp_analysis.imputation.chained import Conditional, impute
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.feasible import Members, feasible
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.random import stream

DATA = Path(__file__).parents[1] / "tests" / "models" / "data" / "clustered_trial.csv"
ICC = (0.0, 0.05, 0.10)
MECHANISMS = ("MCAR", "MAR", "MAR by arm")
LOSS, SLOPE, SD, EFFECT, SEED = 0.16, 0.55, 3.4, 1.5, 20261123
STEEPNESS = 1.0  # log odds of loss for each SD of the baseline
M = 50
# name: (complete-data df, or None for each fit's own; rule)
RULES = {
    "4, Barnard-Rubin": (4.0, "barnard-rubin"),
    "the fits', Barnard-Rubin": (None, "barnard-rubin"),
    "infinite": (np.inf, "barnard-rubin"),
    "the fits', complete-data": (None, "complete-data"),
    "the fits', Satterthwaite": (None, "satterthwaite"),
}


class Study:
    """The design, and everything that is the same in every draw."""

    def __init__(self) -> None:
        frame = pd.read_csv(DATA)
        self.team = np.unique(frame["team"], return_inverse=True)[1]
        self.arm = (frame["arm"] == "intervention").to_numpy(dtype=float)
        self.baseline = frame["y0"].to_numpy(dtype=float)
        trusts = pd.get_dummies(frame["trust"], drop_first=True).to_numpy(dtype=float)
        self.X = np.column_stack([np.ones(len(frame)), self.arm, self.baseline, trusts])
        self.teams = (self.team[:, None] == np.unique(self.team)).astype(float)
        self.L = np.eye(self.X.shape[1])[1:2]

    def draw(self, icc: float, rng: np.random.Generator) -> np.ndarray:
        """Return follow-ups (n,): baseline slope, arm effect, variation of teams and people."""
        between = rng.normal(0, SD * icc**0.5, self.teams.shape[1])[self.team]
        within = rng.normal(0, SD * (1 - icc) ** 0.5, len(self.team))
        return SLOPE * self.baseline + EFFECT * self.arm + between + within

    def lose(self, mechanism: str, rng: np.random.Generator) -> np.ndarray:
        """Return who is lost (n,): on average the share `LOSS`, some of every team staying."""
        z = (self.baseline - self.baseline.mean()) / self.baseline.std()
        slope = {"MCAR": 0.0, "MAR": STEEPNESS, "MAR by arm": STEEPNESS * (2 * self.arm - 1)}
        score = z * slope[mechanism]
        levels = np.linspace(-4, 0, 401)  # the intercept that gives the wanted share
        share = expit(levels[:, None] + score).mean(axis=1)
        chance = expit(np.interp(LOSS, share, levels) + score)
        while True:
            lost = rng.random(len(z)) < chance
            if (self.teams[~lost].sum(axis=0) >= 2).all():
                return lost


def imputed(study: Study, y: np.ndarray, lost: np.ndarray, fixed, rng, m: int) -> Inference:
    """Return the fits (m, 1) of the analysis to m completed data sets."""
    data = np.column_stack([np.where(lost, np.nan, y), study.baseline])
    values = impute(data, [Conditional(0, (1,))], m=m, iterations=1, rng=rng, fixed=fixed).values
    return cluster_robust(fit_ols(study.X, values[:, :, 0]), study.team, study.L, kind="CR2")


def one_draw(study: Study, icc: float, mechanism: str, rng, m: int) -> dict[str, Inference]:
    """Return every method's inference on one data set."""
    y, lost = study.draw(icc, rng), study.lose(mechanism, rng)
    found = {}
    for name, fixed in (("FCS, fixed teams", study.teams), ("FCS, no teams", study.arm[:, None])):
        fits = imputed(study, y, lost, fixed, rng, m)
        for rule, (df, kind) in RULES.items():
            given = fits.df if df is None else df
            found[f"{name} | {rule}"] = pool(fits.estimate, fits.std_error**2, given, rule=kind)
    kept = ~lost
    X, team = study.X[kept], study.team[kept]
    found["complete cases | Satterthwaite"] = cluster_robust(
        fit_ols(X, y[kept]), team, study.L, kind="CR2"
    )
    found["direct likelihood | Kenward-Roger"] = kenward_roger(
        fit_random_intercept(X, y[kept], team), study.L
    )
    return found


def simulate(icc: float, mechanism: str, draws: int, m: int = M) -> pd.DataFrame:
    """Return a row for each method: bias, its error, coverage, median width, se against truth."""
    study, rng = Study(), stream(SEED, "imputation study", mechanism, str(icc))
    parts: dict[str, list[np.ndarray]] = {}
    for _ in range(draws):
        for name, inference in one_draw(study, icc, mechanism, rng, m).items():
            low, high = inference.interval(0.95)
            row = [inference.estimate, inference.std_error, inference.df, low, high]
            parts.setdefault(name, []).append(np.concatenate(row))
    rows = []
    for name, values in parts.items():
        estimate, error, df, low, high = np.array(values).T
        rows.append(
            {
                "method": name.partition(" | ")[0],
                "rule": name.partition(" | ")[2],
                "bias": estimate.mean() - EFFECT,
                "bias_error": estimate.std(ddof=1) / draws**0.5,
                "covers": ((low <= EFFECT) & (high >= EFFECT)).mean(),
                "width": np.median(high - low),
                "se_ratio": np.sqrt((error**2).mean()) / estimate.std(ddof=1),
                "df": np.median(df),
            }
        )
    return pd.DataFrame(rows)


DELETED = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.97)
OTHERS = 12  # variables beside the baseline and two covariates; half of them say something
NEEDED = [
    Variable("y", "y", False, None, (), beside=frozenset({"y0"})),
    Variable("y0", "y", False, None, ()),
    *(Variable(name, name, True, None, ()) for name in ("age", "years")),
]
VARIABLES = NEEDED + [Variable(f"x{k}", f"x{k}", False, None, ()) for k in range(OTHERS)]


def deleted(study: Study, share: float, icc: float, rng) -> np.ndarray:
    """Return columns for `VARIABLES` (n, v), a share of the follow-ups deleted at random."""
    n = len(study.team)
    y = study.draw(icc, rng)
    more = rng.standard_normal((n, 2 + OTHERS))
    more[:, 2 : 2 + OTHERS // 2] += 0.5 * (y[:, None] - y.mean()) / SD
    y[rng.permutation(n)[: round(share * n)]] = np.nan
    return np.column_stack([y, study.baseline, more])


def by_the_pipeline(study: Study, data: np.ndarray, method: str, rng, m: int) -> Inference | str:
    """Impute as the pipeline does and pool the analysis; or say why that is refused."""
    asked = {"imputations": m, "iterations": 1, "donors": 5, "methods": {"y": method}}
    plan = SimpleNamespace(imputation=ImputationPlan.model_validate(asked))
    groups = Members(study.arm.astype(str), study.team.astype(str), "team", by_arm=False)
    encoded = Encoded(data, list(range(len(VARIABLES))), [""] * len(VARIABLES))
    never, gone = np.zeros(data.shape, dtype=bool), np.isnan(data[:, 0])
    chosen, refused = feasible(VARIABLES, encoded, plan, groups, never)
    if refused:
        return refused[0]
    values = data[None, :, 0]
    if gone.any():
        predictors = tuple(int(p) for p in chosen[0].table["predictor"])
        donors = groups.donors(plan.imputation.donors, gone)
        model = Conditional(0, predictors, method=method, donors=donors)
        found = impute(data, [model], m=m, iterations=1, rng=rng, fixed=study.teams)
        values = found.values[:, :, 0]
    X = np.column_stack([study.X, data[:, 2:4]])
    L = np.eye(X.shape[1])[1:2]
    fits = cluster_robust(fit_ols(X, values), study.team, L, kind="CR2")
    if len(values) == 1:
        return Inference(fits.estimate[0], fits.std_error[0], fits.df[0])
    return pool(fits.estimate, fits.std_error**2, fits.df)


def few_observed(method: str, draws: int, m: int = M, icc: float = 0.05) -> pd.DataFrame:
    """Return a row for each share deleted: how often refused, and se against truth where not.

    `wrongly` counts refusals where at least 40 % were observed, some in each arm of every pair.
    """
    study, rows = Study(), []
    for share in DELETED:
        rng = stream(SEED, "few observed", method, str(share))
        found, refused, wrongly = [], 0, 0
        for _ in range(draws):
            data = deleted(study, share, icc, rng)
            result = by_the_pipeline(study, data, method, rng, m)
            if isinstance(result, str):
                seen = ~np.isnan(data[:, 0])
                refused += 1
                wrongly += seen.mean() >= 0.4 and (study.teams[seen].sum(axis=0) > 0).all()
                continue
            low, high = result.interval(0.95)
            covers = low[0] <= EFFECT <= high[0]
            found.append([result.estimate[0], result.std_error[0], covers])
        row = {"deleted": share, "fitted": len(found), "refused": refused, "wrongly": wrongly}
        if len(found) > 1:
            estimate, error, covers = np.array(found, dtype=float).T
            spread = estimate.std(ddof=1)
            row["mean"], row["sd"] = estimate.mean(), spread
            row["se_ratio"] = np.sqrt((error**2).mean()) / spread
            row["covers"] = covers.mean()
        rows.append(row)
    return pd.DataFrame(rows)


def print_few(draws: int) -> None:
    """Print the table of what is imputed from few observed values."""
    print(f"{draws} draws of SYNTHETIC data a row, m = {M}; the true difference is {EFFECT:g}.\n")
    print("| method | deleted | refused | refused wrongly | mean | SD | se / sd | covers |")
    print("|---|---|---|---|---|---|---|---|")
    for method in ("norm", "pmm"):
        for row in few_observed(method, draws).itertuples():
            said = (
                f"{row.mean:.2f} | {row.sd:.2f} | {row.se_ratio:.2f} | {row.covers:.3f}"
                if row.fitted > 1
                else "| | |"
            )
            print(
                f"| {method} | {row.deleted:.0%} | {row.refused} | {row.wrongly} | {said} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--few", action="store_true", help="few observed values instead")
    asked = parser.parse_args()
    draws = asked.draws
    if asked.few:
        print_few(draws)
        return
    started = time.perf_counter()
    error = (0.95 * 0.05 / draws) ** 0.5
    print(
        f"{draws} draws of SYNTHETIC data a row, m = {M}; Monte Carlo error of a coverage of .95:"
    )
    print(f"{error:.4f}.\n")
    print("| loss | ICC | method | degrees of freedom | bias | covers | width | se / sd | df |")
    print("|---|---|---|---|---|---|---|---|---|")
    for mechanism in MECHANISMS:
        for icc in ICC:
            for row in simulate(icc, mechanism, draws).itertuples():
                print(
                    f"| {mechanism} | {icc:g} | {row.method} | {row.rule} "
                    f"| {row.bias:+.3f} ± {row.bias_error:.3f} | {row.covers:.3f} "
                    f"| {row.width:.2f} | {row.se_ratio:.2f} | {row.df:.1f} |",
                    flush=True,
                )
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
