"""Time and memory of each rule in synthetic studies of growing size, and how they grow.

The shipped study's configuration is drawn for other numbers of people and teams (`python -m
synthetic`), and the command of each rule is run by itself, one after the other, as Snakemake would
on two cores. Of a rule with several jobs (`analyse`, `check`) each job is a line. Time is the
processor's, of all processes of a command; memory is the greatest sum of what they hold at once.
The exponent is the slope of log time over log people, of what is beyond the time that the command
takes to start (`--help`), between the smallest and the largest size, and between the two largest.
A job that takes more than `--minutes` or `--gib` is stopped. What `--kept` holds already is not
measured again, unless `--only` names it. With `--whole` the study of each size is run by Snakemake
too, on two cores. Run from the root of the repository:

    PYTHONPATH=src:tools python benchmarks/large_studies.py --out FOLDER \
        [--sizes 500:10 5000:100 20000:400] [--kept FILE.json] [--only check_ancova change] \
        [--whole 5000]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
CORES = 2
LIMIT = 1.15
# As the Snakefile has it.
KEPT = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
# Memory is looked at so often.
EVERY = 0.05
# Seconds beyond the start of a command: with fewer at the larger size, growth says nothing; what is
# less at the smaller one is lost in the start.
SHORT = 1.0
LEAST = 0.05


def draw(folder: Path, people: int, teams: int) -> None:
    """Draw the study, where it is not there yet."""
    if not (folder / "config").is_dir():
        asked = ["--out", str(folder), "--people", str(people), "--teams", str(teams)]
        subprocess.run([sys.executable, "-m", "synthetic", *asked], check=True)


def snakemake(folder: Path) -> list[str]:
    return [
        str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(ROOT / "Snakefile"),
        "--directory", str(folder), "--cores", str(CORES),
    ]  # fmt: skip


def commands(folder: Path) -> dict[str, str]:
    """Return the command of each job in an order in which they can run."""
    asked = [*snakemake(folder), "--dry-run", "--forceall", "--printshellcmds"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, env=clean()).stdout
    found = {}
    for line in re.findall(r"(?m)^Shell command: (python -m ccp_analysis\.cli .*)$", said):
        name = re.search(r"--log logs/(\w+)\.log", line)
        found[name[1] if name else line] = line
    return found


def clean() -> dict[str, str]:
    """Return an environment in which Snakemake uses the code of its own folder."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def measure(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    limits: tuple[float, float] = (math.inf, math.inf),
) -> dict[str, float]:
    """Run a command; return its seconds (wall, processor) and GiB, and whether it ended well.

    It is stopped where it takes more seconds of the processor, or more GiB, than the limits say.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    stopped = 0
    with (folder / "large_studies.log").open("a") as log:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        most, family = 0.0, psutil.Process(child.pid)
        while child.poll() is None:
            spent, gib = held(family)
            most = max(most, gib)
            if spent > limits[0] or gib > limits[1]:
                stopped = 1
                for one in [*family.children(recursive=True), family]:
                    one.kill()
            time.sleep(EVERY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.perf_counter() - start,
        "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "gib": most,
        "status": child.returncode,
        "stopped": stopped,
    }


def held(family: psutil.Process) -> tuple[float, float]:
    """Return the seconds of the processor and the GiB of a process and all it started."""
    spent = total = 0.0
    try:
        members = [family, *family.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    for one in members:
        try:
            spent += sum(one.cpu_times()[:2])
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return spent, total / 2**30


def each(
    folder: Path, only: list[str], known: set[str], limits: tuple[float, float]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure the command of each job that is not known yet, and first what it takes to start."""
    environment = {**os.environ, **KEPT, "PYTHONPATH": str(ROOT / "src")}
    (folder / "logs").mkdir(exist_ok=True)
    for name, command in commands(folder).items():
        if only and name not in only and name.removeprefix("analyse_") not in only:
            continue
        if name in known:
            continue
        program, *options = [sys.executable, *command.split()[1:]]
        started = [measure([program, *options[:3], "--help"], folder, environment) for _ in "ab"]
        line = measure([program, *options], folder, environment, limits)
        line["start"] = min(one["processor"] for one in started)
        print(
            f"{folder.name:>8} {name:28} {line['seconds']:7.1f} s {line['processor']:7.1f} s "
            f"{line['gib']:6.2f} GiB  {said(line)}",
            file=sys.stderr,
            flush=True,
        )
        yield name, line


def said(line: dict[str, float]) -> str:
    """Return how a command ended that did not end well."""
    return "stopped" if line["stopped"] else "failed" if line["status"] else ""


def exponent(jobs: list[dict[str, float]], sizes: list[int]) -> str:
    """Return the slope of log time over log people between the first and last of these sizes."""
    if any(said(job) for job in jobs) or len(jobs) < len(sizes) or len(sizes) < 2:
        return ""
    low, high = jobs[0], jobs[-1]
    beyond = [max(job["processor"] - job["start"], LEAST) for job in (low, high)]
    if beyond[1] < SHORT:
        return "short"
    slope = math.log(beyond[1] / beyond[0]) / math.log(sizes[-1] / sizes[0])
    return f"**{slope:.2f}**" if slope > LIMIT else f"{slope:.2f}"


def table(found: dict[int, dict[str, dict[str, float]]]) -> str:
    """Return the table in Markdown, the slowest job of the largest study first."""
    sizes = sorted(found)
    heads = [f"{size:,}" for size in sizes]
    columns = [
        "job",
        "start",
        *(f"s, {head}" for head in heads),
        *(f"GiB, {head}" for head in heads),
    ]
    columns += ["exponent", "of the last step"]
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    names = {
        name: jobs[name]["processor"] for size in sizes for jobs in [found[size]] for name in jobs
    }
    for name in sorted(names, key=lambda name: -names[name]):
        jobs = [found[size].get(name) for size in sizes]
        there = [job for job in jobs if job]
        cells = [f"{min(job['start'] for job in there):.1f}"]
        cells += [f"{job['processor']:.1f} {said(job)}".rstrip() if job else "" for job in jobs]
        cells += [f"{job['gib']:.2f}" if job else "" for job in jobs]
        cells += [exponent(there, sizes), exponent([job for job in jobs[-2:] if job], sizes[-2:])]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the studies")
    parser.add_argument("--sizes", nargs="+", default=["500:10", "5000:100", "20000:400"])
    parser.add_argument("--only", nargs="+", default=[], help="these jobs alone")
    parser.add_argument("--whole", type=int, nargs="+", default=[], help="sizes run whole as well")
    parser.add_argument("--kept", type=Path, help="JSON of what was measured; the rest is added")
    parser.add_argument("--minutes", type=float, default=15, help="of the processor, for a job")
    parser.add_argument("--gib", type=float, default=10, help="memory that a job may take")
    asked = parser.parse_args()
    out = asked.out.resolve()
    kept: dict[str, dict[str, dict[str, float]]] = {}
    if asked.kept and asked.kept.is_file():
        kept = json.loads(asked.kept.read_text(encoding="utf-8"))
    for size in asked.sizes:
        people, teams = map(int, size.split(":"))
        folder = out / str(people)
        draw(folder, people, teams)
        known = set(kept.get(str(people), {})) - set(asked.only)
        for name, line in each(folder, asked.only, known, (60 * asked.minutes, asked.gib)):
            kept.setdefault(str(people), {})[name] = line
            if asked.kept:
                asked.kept.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n")
    print(table({int(size): jobs for size, jobs in kept.items()}))
    for people in asked.whole:
        whole = measure([*snakemake(out / str(people)), "--forceall"], out / str(people), clean())
        print(
            f"\n{people:,} people, whole run on {CORES} cores: {whole['seconds']:.0f} s, "
            f"{whole['processor']:.0f} s of the processor, {whole['gib']:.2f} GiB"
            f"{'' if not whole['status'] else ', FAILED'}"
        )


if __name__ == "__main__":
    main()
