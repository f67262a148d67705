"""How long the rules of the report take in one tree of the code against another, in turns.

Each tree is a copy of this repository in which the study was run to its end (``snakemake``), so
that each has the derived files that its own rules read; where both trees write the same of them
they are the same files. What is timed are the commands that Snakemake would run for the rules of
RULES that a tree has, without Snakemake.

    git archive COMMIT | tar x -C ../before && (cd ../before && snakemake)
    python benchmarks/report_rules.py ../before . --rounds 5

It prints the median seconds on the clock and of the processors of each rule in either tree, their
sums, and the ratio of the second tree to the first. The order changes from round to round.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

RULES = ("results", "items", "report")
COMMAND = re.compile(r"^(?:Shell command:)?\s*(python -m ccp_analysis\.cli (\w+) .*)$")
Times = tuple[float, float]


def commands(tree: Path, study: str) -> dict[str, str]:
    """Return the commands of the rules that Snakemake would run of a study in a tree."""
    asked = [sys.executable, "-m", "snakemake", "--dry-run", "--printshellcmds", "--cores", "1"]
    done = subprocess.run(
        [*asked, "--directory", study, "--forcerun", *RULES],
        cwd=tree,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found = (COMMAND.match(line) for line in (done.stdout + done.stderr).splitlines())
    return {match[2]: match[1] for match in found if match and match[2] in RULES}


def environment(tree: Path | None = None) -> dict[str, str]:
    """Return the environment of a command: this Python, and a tree's own code."""
    paths = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | paths | ({"PYTHONPATH": str(tree / "src")} if tree else {})


def timed(tree: Path, study: str, command: str) -> Times:
    """Return the seconds that a command takes on the clock, and of the processors."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    there, own = tree / study, environment(tree)
    subprocess.run(command, shell=True, cwd=there, env=own, check=True, capture_output=True)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compared(trees: list[Path], study: str, rounds: int) -> dict[str, list[Times]]:
    """Return for each rule, and the sum, the median times in either tree."""
    asked = [commands(tree, study) for tree in trees]
    names = [name for name in RULES if any(name in own for own in asked)]
    found: dict[str, list[list[Times]]] = {name: [[], []] for name in [*names, "all"]}
    for turn in range(rounds):
        for at in (0, 1) if turn % 2 == 0 else (1, 0):
            own = {name: command for name, command in asked[at].items() if name in names}
            one = {name: timed(trees[at], study, command) for name, command in own.items()}
            for name, times in one.items():
                found[name][at].append(times)
            clock, cpu = (sum(times[kind] for times in one.values()) for kind in (0, 1))
            found["all"][at].append((clock, cpu))
    return {name: [median(times) for times in both] for name, both in found.items()}


def median(times: list[Times]) -> Times:
    """Return the medians of both kinds of time; nothing took nothing."""
    if not times:
        return 0.0, 0.0
    return statistics.median(t[0] for t in times), statistics.median(t[1] for t in times)


def main() -> None:
    """Time two trees and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trees", nargs=2, type=Path)
    parser.add_argument("--study", default=".", help="its folder in either tree")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    trees = [tree.resolve() for tree in given.trees]
    print(f"medians of {given.rounds} rounds, seconds on the clock (of the processors)")
    print(f"{'rule':<10}{'first tree':>18}{'second tree':>18}{'ratio':>16}")
    for name, (first, second) in compared(trees, given.study, given.rounds).items():
        shown = [f"{clock:.1f} ({cpu:.1f})" for clock, cpu in (first, second)]
        ratio = [f"{b / a:.2f}" if a else "-" for a, b in zip(first, second, strict=True)]
        print(f"{name:<10}{shown[0]:>18}{shown[1]:>18}{f'{ratio[0]} ({ratio[1]})':>16}")


if __name__ == "__main__":
    main()
