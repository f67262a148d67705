"""Time mixed models for repeated measures: a small trial beside R, a large one, and growth.

Run with `PYTHONPATH=src python benchmarks/mmrm.py`. Beat the Blues is fitted with an unstructured
covariance over four visits and Kenward-Roger, beside nlme::gls without it (skipped where Rscript or
nlme is missing). The large trial has 1,000 people, ten visits, 55 covariance parameters and 23
coefficients with arm x visit; published times of mmrm on such data are printed beside ours. Then
the share of fits that converge under none to heavy missingness, and time and memory up to 100,000
people in 1,000 teams.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.small_sample import kenward_roger, satterthwaite

TABLE = Path(__file__).parents[1] / "tests" / "models" / "data" / "btheb.csv"
SEED = 20261122
VISITS = 10
# mmrm on data of this size, seconds; it is not timed here.
PUBLISHED = {"Satterthwaite": 3.4, "Kenward-Roger": 34.0}
MISSINGNESS = {
    "none": (1000, 0.0, 0.0),
    "moderate (dropout to 38 %)": (1000, 0.38, 0.0),
    "heavy (dropout to 38 %, 30 % of other visits missed)": (1000, 0.38, 0.3),
    "very heavy (dropout to 70 %, half of other visits missed)": (1000, 0.7, 0.5),
}
DRAWS = 20

R_SCRIPT = """
if (!suppressWarnings(requireNamespace("nlme", quietly = TRUE))) quit(status = 77)
library(nlme)
d <- read.csv(commandArgs(trailingOnly = TRUE)[1], stringsAsFactors = TRUE)
d$treatment <- relevel(d$treatment, "TAU"); d$subject <- factor(seq_len(nrow(d)))
L <- reshape(d, idvar = "subject", varying = c("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"),
             v.names = "bdi", times = c(2, 3, 5, 8), timevar = "time", direction = "long")
L <- na.omit(L[order(L$subject, L$time), ]); L$visit <- factor(L$time); L$k <- as.integer(L$visit)
one <- function() gls(bdi ~ bdi.pre + drug + length + treatment * visit, L,
                      correlation = corSymm(form = ~ k | subject),
                      weights = varIdent(form = ~ 1 | visit))
invisible(one())
times <- sapply(1:5, function(i) system.time(one())[["elapsed"]])
cat(format(c(min(times), as.numeric(logLik(one()))), digits = 15))
"""


def best_of(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of several calls, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def beat_the_blues() -> tuple[np.ndarray, ...]:
    """Return X, y, person and visit of `bdi.pre + drug + length + treatment * visit`."""
    with TABLE.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    first = np.array(
        [
            [
                float(row["bdi.pre"]),
                row["drug"] == "Yes",
                row["length"] == ">6m",
                row["treatment"] == "BtheB",
            ]
            for row in rows
        ],
        dtype=float,
    )
    names = ("bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m")
    whole = np.array([[row[name] for name in names] for row in rows])
    person, visit = np.nonzero(whole != "NA")
    later = np.eye(4)[visit][:, 1:]
    first = first[person]
    X = np.column_stack([np.ones(len(person)), first, later, later * first[:, 3:]])
    return X, whole[person, visit].astype(float), person, visit


def large_trial(seed: int, people: int, dropout: float, gaps: float) -> tuple[np.ndarray, ...]:
    """Return X (n, 23), y, person and visit of a drawn trial with ten visits.

    `dropout` is the share lost by the last visit, `gaps` that of other visits missed.
    """
    rng = np.random.default_rng([SEED, seed])
    arm, covariates = np.arange(people) % 2, rng.normal(size=(people, 3))
    lag = np.abs(np.subtract.outer(range(VISITS), range(VISITS)))
    sd = np.linspace(1.0, 2.0, VISITS)
    factor = np.linalg.cholesky(0.85**lag * np.outer(sd, sd))
    whole = (covariates @ [0.5, 0.3, 0.2])[:, None] + rng.normal(size=(people, VISITS)) @ factor.T
    hazard = 1.0 - (1.0 - dropout) ** (1.0 / (VISITS - 1))
    left = rng.random((people, VISITS)) < hazard
    left[:, 0] = False
    seen = ~np.maximum.accumulate(left, axis=1) & (rng.random((people, VISITS)) >= gaps)
    person, visit = np.nonzero(seen)
    times = np.eye(VISITS)[visit]
    X = np.column_stack([times, times * arm[person, None], covariates[person]])
    return X, whole[seen], person, visit


def clustered_trial(people: int, teams: int) -> tuple[np.ndarray, ...]:
    """Return X (n, 9), y, person, visit and team of a drawn trial with three visits."""
    rng = np.random.default_rng([SEED, people])
    team, covariates = rng.integers(0, teams, people), rng.normal(size=(people, 3))
    effects = 0.5 * rng.normal(size=(teams, 1)) + 0.3 * rng.normal(size=(teams, 3))
    whole = (covariates @ [0.5, 0.3, 0.2])[:, None] + effects[team]
    whole = whole + rng.normal(size=(people, 1)) + rng.normal(size=(people, 3))
    person, visit = np.nonzero(rng.random((people, 3)) > 0.15)
    times = np.eye(3)[visit]
    X = np.column_stack([times, times * (team % 2)[person, None], covariates[person]])
    return X, whole[person, visit], person, visit, team[person]


def gls_in_r() -> tuple[float, float] | str:
    """Return the time and REML log likelihood of gls, or why there are none."""
    if shutil.which("Rscript") is None:
        return "Rscript is not on the path: R is not timed."
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "fit.R"
        script.write_text(R_SCRIPT)
        command = ["Rscript", str(script), str(TABLE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        return "R has no nlme: it is not timed."
    if done.returncode != 0:
        return f"R ended with an error, and is not timed: {done.stderr.strip()}"
    seconds, likelihood = (float(value) for value in done.stdout.split())
    return seconds, likelihood


def small() -> None:
    data = beat_the_blues()
    ours = best_of(lambda: kenward_roger(fit_mixed(*data), np.eye(11)), 20)
    print(f"Beat the Blues, unstructured, with Kenward-Roger, here: {1e3 * ours:.1f} ms")
    other = gls_in_r()
    if isinstance(other, str):
        print(other)
        return
    theirs, likelihood = other
    print(f"the same without Kenward-Roger, nlme::gls: {1e3 * theirs:.0f} ms")
    print(f"ratio: {theirs / ours:.0f} (asked: 30)")
    gain = -0.5 * fit_mixed(*data).deviance - likelihood
    print(f"REML log likelihood, ours minus that of gls: {gain:.1e}")


def large() -> None:
    X, y, person, visit = large_trial(0, *MISSINGNESS["moderate (dropout to 38 %)"])
    size = f"{X.shape[0]} rows, {X.shape[1]} coefficients, {VISITS * (VISITS + 1) // 2} parameters"
    print(f"\nlarge trial: {size}")
    L = np.eye(X.shape[1])
    for name, infer in (("Satterthwaite", satterthwaite), ("Kenward-Roger", kenward_roger)):
        seconds = best_of(lambda infer=infer: infer(fit_mixed(X, y, person, visit), L), 7)
        published = PUBLISHED[name]
        print(
            f"{name}: {1e3 * seconds:.0f} ms; mmrm {published} s as published; ratio "
            f"{published / seconds:.0f}"
        )


def convergence() -> None:
    print(f"\nfits that converge, of {DRAWS} draws")
    for name, design in MISSINGNESS.items():
        started = time.perf_counter()
        fits = [fit_mixed(*large_trial(seed, *design)) for seed in range(DRAWS)]
        seconds = (time.perf_counter() - started) / DRAWS
        share = np.mean([fit.status != "failed" for fit in fits])
        steps = max(int(fit.steps) for fit in fits)
        print(f"{name}: {share:.0%}, at most {steps} steps, {seconds:.2f} s a fit")


def infer(
    X: np.ndarray, y: np.ndarray, person: np.ndarray, visit: np.ndarray, options: dict
) -> None:
    kenward_roger(fit_mixed(X, y, person, visit, **options), np.eye(X.shape[1]))


def growth() -> None:
    print(
        "\npeople in teams, three visits, Kenward-Roger: seconds and peak memory over the design's"
    )
    for people, teams in ((1_000, 10), (10_000, 100), (100_000, 1_000)):
        X, y, person, visit, team = clustered_trial(people, teams)
        parts = []
        for label in ("none", "cs", "us"):
            options = {} if label == "none" else {"team": team, "team_structure": label}
            call = partial(infer, X, y, person, visit, options)
            seconds = best_of(call, 2)
            tracemalloc.start()
            call()
            peak = tracemalloc.get_traced_memory()[1] / X.nbytes
            tracemalloc.stop()
            parts.append(f"team effects {label} {seconds:.3f} s, {peak:.1f}")
        print(f"{people} in {teams}: " + "; ".join(parts))


def main() -> None:
    small()
    large()
    convergence()
    growth()


if __name__ == "__main__":
    main()
