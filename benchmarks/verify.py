"""How much longer than a run its verification takes.

Runs a copy of a study as ``make run`` does, then verifies it as ``make verify`` does, one after the
other, and prints both times. ``python benchmarks/verify.py [STUDY] [CORES]``, from the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ccp_analysis import mended

ROOT = Path(__file__).parents[1]
MORE = 15.0  # seconds that a verification may take beside the run


def timed(folder: Path, *command: str) -> tuple[float, str]:
    """Run a command in a study folder; return its seconds and what it said."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started, done.stdout


def main() -> None:
    study = (ROOT / (sys.argv[1] if len(sys.argv) > 1 else ".")).resolve()
    cores = sys.argv[2] if len(sys.argv) > 2 else "4"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("config", "data/raw"):
            shutil.copytree(study / part, folder / part)
        where = ("--snakefile", str(ROOT / "Snakefile"), "--cores", cores)
        run, _ = timed(folder, "snakemake", *where)
        os.chdir(folder)
        started = time.perf_counter()
        altered = mended.set_aside()
        check = time.perf_counter() - started
        os.chdir(ROOT)
        verify, said = timed(folder, "ccp_analysis.cli", "verify", "--cores", cores)
    told = ("Verified", "Tables")
    print(*(line for line in said.splitlines() if line.startswith(told)), sep="\n")
    print(f"run {run:.1f} s, verify {verify:.1f} s: {verify - run:+.1f} s (at most {MORE:+.1f} s)")
    print(f"checksums before the first job: {check:.2f} s, {len(altered)} files altered")


if __name__ == "__main__":
    main()
