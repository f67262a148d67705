"""Time fifty random-intercept fits with Kenward-Roger, beside lme4 and pbkrtest.

Run with `PYTHONPATH=src python benchmarks/random_intercept.py`. The design is the clustered trial
of the tests; the outcomes are its follow-up scores with seeded noise, as fifty imputations would
be. The R side is skipped where Rscript, lme4 or pbkrtest is missing.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.small_sample import kenward_roger

TABLE = Path(__file__).parents[1] / "tests" / "models" / "data" / "clustered_trial.csv"
FITS = 50
REPEATS = 20

R_SCRIPT = """
for (p in c("lme4", "pbkrtest"))
  if (!suppressWarnings(requireNamespace(p, quietly = TRUE))) quit(status = 77)
suppressMessages({library(lme4); library(pbkrtest)})
files <- commandArgs(trailingOnly = TRUE)
d <- read.csv(files[1]); y <- as.matrix(read.csv(files[2], header = FALSE))
d$arm <- as.numeric(d$arm == "intervention"); l <- c(0, 1, rep(0, 7))
one <- function(j) {
  d$y <- y[, j]
  m <- suppressMessages(lmer(y ~ arm + y0 + trust + age + female + (1 | team), d))
  v <- vcovAdj(m)
  c(fixef(m)[[2]], sqrt(v[2, 2]), ddf_Lb(v, l, vcov(m)))
}
invisible(one(1)); started <- proc.time()[["elapsed"]]
rows <- sapply(seq_len(ncol(y)), one)
cat(proc.time()[["elapsed"]] - started, as.vector(rows))
"""


def design() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the design (n, p), fifty outcomes (50, n) and the teams (n,)."""
    with TABLE.open(newline="") as stream:
        rows = list(csv.DictReader(stream))

    def numbers(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows])

    def codes(name: str) -> np.ndarray:
        return np.unique([row[name] for row in rows], return_inverse=True)[1]

    trusts = np.equal.outer(codes("trust"), np.arange(1, 5)).astype(float)
    arm = np.array([row["arm"] == "intervention" for row in rows], dtype=float)
    columns = [np.ones(len(rows)), arm, numbers("y0"), trusts, numbers("age"), numbers("female")]
    noise = np.random.default_rng(20261122).normal(size=(FITS, len(rows)))
    return np.column_stack(columns), numbers("y1") + noise, codes("team")


def in_python(X: np.ndarray, y: np.ndarray, teams: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the best of several times in seconds, and estimate, standard error and df (50, 3)."""
    contrast = np.eye(X.shape[1])[1]
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = kenward_roger(fit_random_intercept(X, y, teams), contrast)
        times.append(time.perf_counter() - started)
    return min(times), np.concatenate([found.estimate, found.std_error, found.df], axis=-1)


def in_r(y: np.ndarray) -> tuple[float, np.ndarray] | str:
    """Return R's time and numbers, or the sentence that says why there are none."""
    if shutil.which("Rscript") is None:
        return "Rscript is not on the path: R is not timed."
    with tempfile.TemporaryDirectory() as folder:
        outcomes, script = Path(folder) / "y.csv", Path(folder) / "fits.R"
        np.savetxt(outcomes, y.T, delimiter=",", fmt="%.17g")
        script.write_text(R_SCRIPT)
        command = ["Rscript", str(script), str(TABLE), str(outcomes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        return "R has not both lme4 and pbkrtest: it is not timed."
    if done.returncode != 0:
        return f"R ended with an error, and is not timed: {done.stderr.strip()}"
    seconds, *values = (float(value) for value in done.stdout.split())
    return seconds, np.reshape(values, (FITS, 3))


def main() -> None:
    X, y, teams = design()
    seconds, ours = in_python(X, y, teams)
    print(f"{FITS} fits with Kenward-Roger, here: {1e3 * seconds:.1f} ms")
    other = in_r(y)
    if isinstance(other, str):
        print(other)
        return
    their_seconds, theirs = other
    print(f"{FITS} fits with Kenward-Roger, lme4 and pbkrtest: {1e3 * their_seconds:.0f} ms")
    print(f"ratio: {their_seconds / seconds:.0f}")
    worst = np.max(np.abs(ours / theirs - 1.0), axis=0)
    names = ("estimate", "standard error", "df")
    listed = ", ".join(f"{name} {value:.1e}" for name, value in zip(names, worst, strict=True))
    print(f"largest relative deviations: {listed}")


if __name__ == "__main__":
    main()
