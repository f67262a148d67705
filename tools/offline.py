"""Run a study without a network, and say what it took: ``python tools/offline.py [STUDY]``.

A copy of its configuration and raw data (``--in-place``: the study folder itself) is run by
Snakemake in a network namespace of its own (Linux, ``unshare``), in which nothing answers. Out come memory, space and time, and whether the
results are those of the tests. Exit status 1 if the run fails or its results differ.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = {"ccp": "connecting_people", "beat_the_blues": "beat_the_blues"}
ALONE = ["unshare", "--map-root-user", "--net"]
# An address that is reserved for documents: nobody has it.
ASKED = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"


def size(folder: Path) -> float:
    """Return the megabytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> int:
    """Run it, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("study", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--in-place", action="store_true")
    asked = parser.parse_args()
    proof = subprocess.run([*ALONE, sys.executable, "-c", ASKED], capture_output=True, text=True)
    if "Network is unreachable" not in proof.stderr:
        sys.exit(f"The network could not be switched off: {proof.stderr.strip()}")
    with tempfile.TemporaryDirectory() as name:
        folder = asked.study.resolve() if asked.in_place else Path(name)
        for part in () if asked.in_place else ("config", "data/raw"):
            shutil.copytree(asked.study / part, folder / part)
        where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
        command = [*ALONE, sys.executable, "-P", "-m", "snakemake", *where]
        started = time.monotonic()
        done = subprocess.run(
            [*command, "--cores", str(asked.cores)],
            env=os.environ | {"HOME": name, "XDG_CACHE_HOME": f"{name}/.cache"},
            capture_output=True,
            text=True,
            check=False,
        )
        elapsed = time.monotonic() - started
        if done.returncode:
            sys.exit(f"The run failed without a network: {done.stderr[-2000:]}")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        study = (folder / "config/study.yaml").read_text(encoding="utf-8")
        id_ = next(
            line.split(":")[1].split("#")[0].strip()
            for line in study.splitlines()
            if line.startswith("id:")
        )
        golden = ROOT / f"tests/golden/{GOLDEN[id_]}.csv"
        same = golden.read_bytes() == (folder / "reports/results.csv").read_bytes()
        made = size(folder / "data/derived") + size(folder / "reports")
        system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        rows = {
            "study": id_,
            "network": "none: an address outside is unreachable",
            "computer": f"{system}, {os.cpu_count()} cores, {asked.cores} job at a time",
            "time": f"{elapsed:.0f} s, of which processors worked "
            f"{used.ru_utime + used.ru_stime:.0f} s",
            "memory": f"{used.ru_maxrss / 1e3:.0f} MB in the largest process",
            "disk": f"{made:.0f} MB made by the run; environment {size(Path(sys.prefix)):.0f} MB",
            "results": f"{'the same bytes as' if same else 'not those of'} "
            f"{golden.relative_to(ROOT)}",
        }
    print("| | |\n|---|---|")
    for what, words in rows.items():
        print(f"| {what} | {words} |", flush=True)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
