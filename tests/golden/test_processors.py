"""Other processors: the kernels of another one give the same keys, and numbers within tolerance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ccp_analysis.archive.verify import IDENTICAL, WITHIN, compare
from ccp_analysis.results.table import KEY

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
STUDIES = {"connecting_people": ROOT, "beat_the_blues": ROOT / "examples" / "beat_the_blues"}
DERIVED = Path("data/derived")
# None: what OpenBLAS chooses for the processor at hand.
PROCESSORS = (None, "Haswell", "Nehalem")

# Runs a reduced study in a process of its own, whose kernels are chosen as NumPy is loaded, and
# says which these are.
SCRIPT = """if True:
    import ctypes, sys
    from pathlib import Path
    import numpy
    from conftest import copy_study, inside
    [library] = (Path(numpy.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas64*")
    name = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
    name.restype = ctypes.c_char_p
    print(name().decode())
    folder = copy_study(Path(sys.argv[1]), Path(sys.argv[2]))
    with inside(folder.path):
        folder.all_results()
"""


def run(study: Path, folder: Path, processor: str | None) -> str:
    """Run a reduced study on the kernels of a processor; return whose they were."""
    env = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    env["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    if processor:
        env["OPENBLAS_CORETYPE"] = processor
    command = [sys.executable, "-c", SCRIPT, str(study), str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if "not enough values to unpack" in done.stderr:
        pytest.skip("NumPy comes without an OpenBLAS of its own: its kernels cannot be chosen")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()[0]


@pytest.mark.pipeline
@pytest.mark.parametrize("name", STUDIES)
def test_another_processor_changes_no_key_and_no_number(name: str, tmp_path: Path) -> None:
    tables, grids, ran = [], [], []
    for processor in PROCESSORS:
        folder = tmp_path / str(processor)
        ran.append(run(STUDIES[name], folder, processor))
        if processor and ran[-1] != processor:
            pytest.skip(f"this machine cannot run the kernels of {processor}")
        results = folder / "reports/results.csv"
        tables.append(pd.read_csv(results, dtype=str, keep_default_na=False))
        grids.append(pd.read_parquet(folder / DERIVED / "figure_data/tipping.parquet"))
    assert len(set(ran)) > 1
    first = tables[0]
    assert any(not table.equals(first) for table in tables), "nothing was computed differently"
    for table, grid in zip(tables[1:], grids[1:], strict=True):
        pd.testing.assert_frame_equal(table[KEY], first[KEY])
        compared = compare(first, table)
        changed = compared[~compared["comparison"].isin([IDENTICAL, WITHIN])]
        shown = changed[[*KEY, "comparison", "column", "reference", "rerun"]].head(20)
        assert changed.empty, f"{len(changed)} rows:\n{shown.to_csv(index=False)}"
        points = ["delta_reference", "delta_active"]
        pd.testing.assert_frame_equal(grid[points], grids[0][points], check_exact=True)
