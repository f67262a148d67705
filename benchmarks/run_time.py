"""How long a study's run takes in one tree of the code against another, in turns.

Each tree is a checkout of this repository, with an environment of its own (``.venv``, otherwise
this Python). First the study is run whole, from raw files to the report, by Snakemake; then each
of its jobs by itself, one after another, without Snakemake. What was derived is removed before
each whole run.

    git clone . ../before && (cd ../before && git checkout COMMIT && make environment)
    python benchmarks/run_time.py ../before . --rounds 5
    python benchmarks/run_time.py ../before . --whole 0 --rules results items report

It prints the median seconds on the clock and of the processors of the whole run, and of each rule's
jobs in either tree with how many there are, and the ratio of the second tree to the first; in the
last lines the sum over all jobs, and over those that both trees have. The order changes from round
to round.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

MADE = ("data/derived/*", "reports/*", ".snakemake")
KEPT = "README.md"
COMMAND = re.compile(r"^(?:Shell command:)?\s*(python -m ccp_analysis\.cli (\w+) .*)$")
EVERY, COMMON = "all jobs", "jobs of both"
Times = tuple[float, float]
Jobs = list[tuple[str, str]]


def python_of(tree: Path) -> Path:
    """Return the Python of a tree."""
    own = tree / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


def environment(tree: Path) -> dict[str, str]:
    """Return the environment of a command: a tree's Python, and its own code."""
    path = f"{python_of(tree).parent}{os.pathsep}{os.environ['PATH']}"
    return dict(os.environ) | {"PATH": path, "PYTHONPATH": str(tree / "src")}


def snakemake(tree: Path, study: str, *options: str) -> list[str]:
    """Return the command that runs a study with a tree's Snakemake."""
    return [str(python_of(tree)), "-m", "snakemake", "--directory", study, *options]


def jobs(tree: Path, study: str) -> Jobs:
    """Return rule and command of every job of a study, in an order in which they can run."""
    asked = snakemake(tree, study, "--dry-run", "--printshellcmds", "--forceall", "--cores", "1")
    done = subprocess.run(asked, cwd=tree, capture_output=True, text=True, check=True)
    found = (COMMAND.match(line) for line in (done.stdout + done.stderr).splitlines())
    return [(match[2], match[1]) for match in found if match]


def timed(command: str | list[str], folder: Path, own: dict[str, str]) -> Times:
    """Return the seconds that a command takes on the clock, and of the processors."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    told = subprocess.run(
        command, shell=isinstance(command, str), cwd=folder, env=own, capture_output=True, text=True
    )
    if told.returncode:
        sys.exit(f"{folder}: {command} failed: {told.stderr[-500:]}")
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def whole(tree: Path, study: str, cores: int) -> Times:
    """Time a run from raw files to the report."""
    for path in (path for name in MADE for path in (tree / study).glob(name)):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != KEPT:
            path.unlink()
    return timed(snakemake(tree, study, "--cores", str(cores)), tree, dict(os.environ))


def each(tree: Path, study: str, asked: Jobs, common: set[str]) -> dict[str, Times]:
    """Time every job, and return the sums by rule."""
    found: dict[str, Times] = {}
    for rule, command in asked:
        clock, cpu = timed(command, tree / study, environment(tree))
        for name in (rule, EVERY, *[COMMON] * (rule in common)):
            known = found.get(name, (0.0, 0.0))
            found[name] = (known[0] + clock, known[1] + cpu)
    return found


def median(times: list[Times]) -> Times:
    """Return the medians of both kinds of time."""
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def line(name: str, both: list[list[Times]], count: list[int]) -> str:
    """Return one line of the table."""
    told = [median(times) if times else None for times in both]
    cells = [
        f"{number or '':>5}{f'{t[0]:.1f} ({t[1]:.1f})' if t else '-':>16}"
        for t, number in zip(told, count, strict=True)
    ]
    first, second = told
    ratio = [b / a for a, b in zip(first, second, strict=True)] if first and second else []
    return f"{name:<20}{''.join(cells)}{f'{ratio[0]:.2f} ({ratio[1]:.2f})' if ratio else '-':>16}"


def in_turns(rounds: int) -> list[int]:
    """Return which tree is timed when."""
    return [at for turn in range(rounds) for at in ((0, 1) if turn % 2 == 0 else (1, 0))]


def main() -> None:
    """Time two trees and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", nargs=2, type=Path)
    parser.add_argument("--study", default=".", help="its folder in either tree")
    parser.add_argument("--cores", type=int, default=2, help="of the whole run")
    parser.add_argument("--rounds", type=int, default=5, help="of every job by itself")
    parser.add_argument("--whole", type=int, help="rounds of the whole run; as many by default")
    parser.add_argument("--rules", nargs="*", help="jobs of these alone; of all by default")
    given = parser.parse_args()
    trees = [tree.resolve() for tree in given.trees]
    os.environ.pop("PYTHONPATH", None)
    for tree in trees:  # before the first run, as a user's second one has it
        subprocess.run([python_of(tree), "-m", "compileall", "-q", tree / "src"], check=True)
    print("medians: seconds on the clock (of the processors)")
    print(f"{'':<20}{'jobs':>5}{'first tree':>16}{'jobs':>5}{'second tree':>16}{'ratio':>16}")
    runs: list[list[Times]] = [[], []]
    for at in in_turns(given.rounds if given.whole is None else given.whole):
        runs[at].append(whole(trees[at], given.study, given.cores))
    if runs[0]:
        print(line("whole run", runs, [0, 0]), flush=True)
    asked = [jobs(tree, given.study) for tree in trees]
    if given.rules:
        asked = [[job for job in own if job[0] in given.rules] for own in asked]
    rules = [[rule for rule, _ in own] for own in asked]
    common = set(rules[0]) & set(rules[1])
    found: dict[str, list[list[Times]]] = {}
    for at in in_turns(given.rounds):
        for name, times in each(trees[at], given.study, asked[at], common).items():
            found.setdefault(name, [[], []])[at].append(times)
    for name in [*dict.fromkeys(rules[0] + rules[1]), EVERY, COMMON]:
        counts = [own.count(name) for own in rules]
        if name in found:
            print(line(name, found[name], counts))


if __name__ == "__main__":
    main()
