"""Run a study without a network, and say what it took: ``python tools/offline.py [STUDY]``.

A copy of its configuration and raw data (``--in-place``: the study folder itself) is run by
Snakemake in a network namespace of its own (Linux, ``unshare``), in which nothing answers. Out come
memory, space and time, and whether the results are those of the tests. Exit status 1 if the run
fails or its results differ.
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

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
GOLDEN = {"ccp": "connecting_people", "beat_the_blues": "beat_the_blues"}
ALONE = ["unshare", "--map-root-user", "--net"]
# An address that is reserved for documents: nobody has it.
ASKED = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"


def size(folder: Path) -> float:
    """Return the megabytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def compare(reference: Path, found: Path) -> tuple[str, bool]:
    """Return in words how far two tables of results are the same, and whether they are."""
    one, other = (pd.read_csv(p, dtype=str, keep_default_na=False) for p in (reference, found))
    if one.shape != other.shape:
        return f"{len(other)} rows, and {len(one)} in {reference.name}", False
    same = (one.to_numpy() == other.to_numpy()).all(axis=1)
    rest = [
        table[~same].apply(pd.to_numeric, errors="coerce").to_numpy(float) for table in (one, other)
    ]
    close = (
        np.isclose(rest[0], rest[1], rtol=1e-8, atol=1e-10)
        | (one[~same] == other[~same]).to_numpy()
    )
    words = f"{same.sum()} of {len(one)} rows have the text of {reference.name}, "
    return words + f"{close.all(axis=1).sum()} differ by less than 1e-8", bool(close.all())


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
        words, same = compare(golden, folder / "reports/results.csv")
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
            "results": words,
        }
    print("| | |\n|---|---|")
    for what, words in rows.items():
        print(f"| {what} | {words} |", flush=True)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
