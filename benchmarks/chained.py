"""Time of chained equations, all imputations at once, beside R's mice.

151 people, 40 variables, 30 of them incomplete (half in 15 %, half in 3 % of people), every model
with all other variables, m = 50, 20 iterations. Run from the root of the repository:

    PYTHONPATH=src python benchmarks/chained.py [--full]

mice is run through Rscript where that is on the path. Its time is proportional to m, so by default
one imputation is timed and multiplied by 50; ``--full`` times all 50 (some minutes a method).
``--large`` times 10,000 and 100,000 people instead (8 variables, 4 incomplete, m = 5).
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np

from ccp_analysis.imputation.chained import Conditional, impute

PEOPLE, VARIABLES, INCOMPLETE, M, ITERATIONS = 151, 40, 30, 50, 20

MICE = """
suppressMessages(library(mice))
arguments <- commandArgs(TRUE)
d <- read.csv(arguments[1]); m <- as.integer(arguments[2]); iterations <- as.integer(arguments[3])
for (method in c("norm", "pmm")) {
  methods <- ifelse(colSums(is.na(d)) > 0, method, "")
  spent <- system.time(mice(d, m = m, maxit = iterations, method = methods, printFlag = FALSE))
  cat(method, spent[["elapsed"]], "\\n")
}
"""


def example() -> np.ndarray:
    rng = np.random.default_rng(20261123)
    data = np.sqrt(0.3) * rng.normal(size=(PEOPLE, 1)) + rng.normal(size=(PEOPLE, VARIABLES))
    for column in range(INCOMPLETE):
        share = 0.15 if column % 2 else 0.03
        data[rng.choice(PEOPLE, round(share * PEOPLE), replace=False), column] = np.nan
    return data


def ours(data: np.ndarray, method: str) -> float:
    plan = [
        Conditional(target, tuple(c for c in range(VARIABLES) if c != target), method)
        for target in range(INCOMPLETE)
    ]
    times = []
    for seed in range(5):
        start = time.perf_counter()
        impute(data, plan, m=M, iterations=ITERATIONS, rng=np.random.default_rng(seed))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def large() -> None:
    for people in (10_000, 100_000):
        rng = np.random.default_rng(20261123)
        data = np.sqrt(0.3) * rng.normal(size=(people, 1)) + rng.normal(size=(people, 8))
        data[:, 0] = data[:, 0] > 0
        for column in range(4):
            data[rng.random(people) < 0.15, column] = np.nan
        for first, others in (("norm", "norm"), ("pmm", "pmm"), ("logreg", "norm")):
            plan = [
                Conditional(j, tuple(k for k in range(8) if k != j), others if j else first)
                for j in range(4)
            ]
            start = time.perf_counter()
            impute(data, plan, m=5, iterations=3, rng=rng)
            spent = time.perf_counter() - start
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{people:7d} people, {first:6s} {spent:6.2f} s, at most {memory:.0f} MB so far")


def mice(data: np.ndarray, m: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        table, script = Path(folder, "data.csv"), Path(folder, "time.R")
        names = ",".join(f"x{column}" for column in range(VARIABLES))
        np.savetxt(table, data, fmt="%.17g", delimiter=",", header=names, comments="")
        table.write_text(table.read_text().replace("nan", "NA"))
        script.write_text(MICE)
        command = ["Rscript", "--vanilla", str(script), str(table), str(m), str(ITERATIONS)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help=f"time mice with all {M} imputations")
    parser.add_argument("--large", action="store_true", help="time large studies, without mice")
    options = parser.parse_args()
    if options.large:
        large()
        return
    m = M if options.full else 1
    data = example()
    print(
        f"{PEOPLE} people, {VARIABLES} variables, {INCOMPLETE} incomplete, m = {M}, "
        f"{ITERATIONS} iterations"
    )
    spent = {method: ours(data, method) for method in ("norm", "pmm")}
    if shutil.which("Rscript") is None:
        print("Rscript is not on the path: no comparison with mice")
        theirs = {}
    else:
        theirs = mice(data, m)
        if m < M:
            print(f"mice was timed with m = {m}; its times below are multiplied by {M // m}")
    for method, seconds in spent.items():
        line = f"{method:5s} here {seconds:6.2f} s (median of 5 runs)"
        if method in theirs:
            other = theirs[method] * M / m
            line += f"   mice {other:7.1f} s   ratio {other / seconds:5.0f}"
        print(line)


if __name__ == "__main__":
    main()
