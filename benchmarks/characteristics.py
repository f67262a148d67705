"""Time and memory of drawn studies, beside R: imputed 50 times and analysed as planned.

Needs the shipped study to have been run (data/derived). All outcomes are SYNTHETIC. Prints what
10,000 studies without a difference take on two cores, primary, mixed and paired analyses, and what
R takes for a few of the same studies (mice, lm and clubSandwich: the primary analysis alone):

    PYTHONPATH=src python benchmarks/characteristics.py [--draws 10000] [--r-draws 3]
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
import pandas as pd

from ccp_analysis.characteristics.actual import Actual, actual, primary_of
from ccp_analysis.characteristics.draws import block, studies
from ccp_analysis.characteristics.measures import measures
from ccp_analysis.characteristics.scenarios import scenario
from ccp_analysis.config.characteristics import AT_ESTIMATE, BLOCK
from ccp_analysis.config.trial import Trial
from ccp_analysis.layout import DERIVED
from ccp_analysis.results.terms import Term

ANALYSES = ("ancova", "mixed", "team_means")
SCRIPT = Path(__file__).with_suffix(".R")


@cache
def like() -> tuple[Trial, Actual]:
    """Return the configuration, and what drawn studies are like."""
    trial = Trial()
    tables = pd.read_parquet(DERIVED / "imputed.parquet")
    models = pd.read_csv(DERIVED / "imputation_models.csv", keep_default_na=False)
    [(outcome, entry)] = primary_of(trial)
    return trial, actual(trial, outcome, entry, tables, models)


def drawn(number: int, analyses: tuple[str, ...] = ANALYSES) -> pd.DataFrame:
    """Return what analyses find in the studies of a block."""
    trial, own = like()
    entries = [entry for entry in own.entries if entry.id in analyses]
    true = scenario(own, AT_ESTIMATE)
    assert true is not None
    return block(trial, own, true, number, entries)


def ours(draws: int, processes: int, analyses: tuple[str, ...]) -> float:
    """Print levels, time and memory; return the seconds of core time that a study takes."""
    started, before = time.perf_counter(), core_time()
    blocks = range(draws // BLOCK)
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(partial(drawn, analyses=analyses), blocks, chunksize=5))
    spent, used = time.perf_counter() - started, core_time() - before
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{draws:,} studies, {', '.join(analyses)}: {spent:.0f} s on {processes} cores ({used:.0f} "
        f"s of their time), at most {largest:.0f} MiB a process."
    )
    for name, own in pd.concat(parts).groupby("analysis", sort=False):
        found = (own["estimate"].to_numpy(), own["std_error"].to_numpy(), own["df"].to_numpy())
        level = measures(found, 0.0, 0.95, seeks=False)[Term.TEST_LEVEL]
        print(f"- level of {name}: {level.estimate:.4f} ({level.low:.4f} to {level.high:.4f})")
    return used / draws


def core_time() -> float:
    """Return the seconds that processes which have ended spent on cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_r(draws: int) -> float:
    """Return the seconds that a study takes in R."""
    trial, own = like()
    true = scenario(own, AT_ESTIMATE)
    assert true is not None
    outcomes, lost, _ = studies(trial.plan.seed, own, true, 0)
    people = own.people.frame[["participant"]].assign(
        team=own.layout.team, pair=own.layout.pair[own.layout.team], arm=own.layout.active
    )
    baseline = own.asked[own.entry.id].baseline
    names = [baseline, *own.asked[own.entry.id].covariates]
    people[["x1", "x2", "x3"]] = own.people.frame[names].to_numpy(dtype=float)
    parts = [people.assign(draw=d, y=np.where(lost[d], np.nan, outcomes[d])) for d in range(draws)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.csv"
        pd.concat(parts).to_csv(path, index=False)
        command = ["Rscript", "--vanilla", str(SCRIPT), str(path), str(own.m)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stdout.strip())
    return float(done.stdout.split()[-2])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--r-draws", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    _, own = like()
    print(
        f"SYNTHETIC studies of {own.layout.n} people, {own.chance.mean():.0%} lost, m = {own.m}.\n"
    )
    ours(asked.draws, asked.processes, ANALYSES)
    alone = ours(asked.draws, asked.processes, ANALYSES[:1])
    if shutil.which("Rscript"):
        print(f"R, the primary analysis: {in_r(asked.r_draws) / alone:,.0f} times the core time.")


if __name__ == "__main__":
    main()
