"""Whether a run on the kernels of another processor is verified: both studies, three core types.

Each study is run whole on the kernels that OpenBLAS chooses for the processor at hand, and on those
of two others; the results and the reports are compared as ``verify`` compares them.

    python benchmarks/processors.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from ccp_analysis.archive.artefacts import compare_files
from ccp_analysis.archive.compared import FINE, compare

ROOT = Path(__file__).parents[1]
STUDIES = (".", "examples/beat_the_blues")
PROCESSORS = ("", "Haswell", "Nehalem")  # the first: whatever is at hand


def run(study: Path, folder: Path, processor: str) -> Path:
    """Run a copy of a study; return its reports."""
    for part in ("config", "data/raw"):
        shutil.copytree(study / part, folder / part)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"OPENBLAS_NUM_THREADS": "1"}
    environment |= {"OPENBLAS_CORETYPE": processor} if processor else {}
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", str(os.cpu_count())]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return folder / "reports"


def said(name: str, old: Path, new: Path) -> int:
    """Compare two folders of reports, print what was found, return how much differs."""
    tables = (
        pd.read_csv(path / "results.csv", dtype=str, keep_default_na=False) for path in (old, new)
    )
    rows = compare(*tables)
    names = sorted(p.relative_to(old).as_posix() for p in old.rglob("*") if p.is_file())
    files = [compare_files(n, old / n, new / n) for n in names if n != "results.csv"]
    print(f"{name}: {len(rows)} rows {dict(Counter(rows['comparison']))}", end="")
    print(f", at most {rows['difference'].max():.1e} by its yardstick;", end=" ")
    print(f"{len(files)} files {dict(Counter(f.comparison for f in files))}", flush=True)
    differ = [f for f in files if f.comparison not in FINE]
    for file in differ:
        print(f"  {file.name}: {file.place}: {file.reference[:80]} | {file.rerun[:80]}")
    return int((~rows["comparison"].isin(FINE)).sum()) + len(differ)


def main() -> int:
    differ = 0
    with tempfile.TemporaryDirectory() as top:
        for number, study in enumerate(STUDIES):
            first, *others = (
                run(ROOT / study, Path(top) / f"{number}{processor}", processor)
                for processor in PROCESSORS
            )
            for processor, other in zip(PROCESSORS[1:], others, strict=True):
                differ += said(f"{study}, {processor}", first, other)
    print(f"{differ} different")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
