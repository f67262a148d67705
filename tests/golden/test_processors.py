"""Other processors: the kernels of another one give the same keys, and numbers within tolerance."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pandas as pd
import pytest
from support.study import BTHEB, CCP, ROOT, StudyFolder

from ccp_analysis.archive.compared import FINE, compare
from ccp_analysis.results.table import KEY

# Runs a reduced study in a process of its own, whose kernels are chosen as NumPy is loaded.
SCRIPT = """if True:
    import sys
    from pathlib import Path
    from golden.test_processors import kernels
    from support.study import run_reduced
    print(kernels())
    run_reduced(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def kernels() -> str | None:
    """Return the processor whose kernels NumPy uses; None without an OpenBLAS of its own."""
    library = next(
        (Path(numpy.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas64*"), ""
    )
    if not library:
        return None
    name = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
    name.restype = ctypes.c_char_p
    return name().decode()


def run(study: Path, folder: Path, processor: str) -> str:
    """Run a reduced study on the kernels of a processor; return whose they were."""
    env = os.environ | {"OPENBLAS_CORETYPE": processor}
    env["PYTHONPATH"] = os.pathsep.join(str(ROOT / part) for part in ("tests", "src"))
    command = [sys.executable, "-c", SCRIPT, str(study), str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()[0]


def results_of(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the results and the grid of the tipping points."""
    table = pd.read_csv(folder / "reports/results.csv", dtype=str, keep_default_na=False)
    return table, pd.read_parquet(folder / "data/derived/figure_data/tipping.parquet")


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("source", "processor"),
    [
        # In what every change runs, the kernels farthest from ours.
        pytest.param(CCP, "Nehalem", id="connecting_people-Nehalem"),
        pytest.param(BTHEB, "Nehalem", id="beat_the_blues-Nehalem"),
        pytest.param(CCP, "Haswell", id="connecting_people-Haswell", marks=pytest.mark.long),
        pytest.param(BTHEB, "Haswell", id="beat_the_blues-Haswell", marks=pytest.mark.long),
    ],
)
def test_another_processor_changes_no_key_and_no_number(
    source: Path,
    processor: str,
    ccp_done: StudyFolder,
    btheb_done: StudyFolder,
    tmp_path: Path,
) -> None:
    own = kernels()  # what OpenBLAS chooses for the processor at hand
    if not own:
        pytest.skip("NumPy comes without an OpenBLAS of its own: its kernels cannot be chosen")
    ran = run(source, tmp_path / processor, processor)
    if ran != processor or ran == own:
        pytest.skip(f"this machine cannot run the kernels of {processor}, or has no others")
    first, grid = results_of((ccp_done if source == CCP else btheb_done).path)
    table, other = results_of(tmp_path / processor)
    assert not table.equals(first), "nothing was computed differently"
    pd.testing.assert_frame_equal(table[KEY], first[KEY])
    compared = compare(first, table)
    changed = compared[~compared["comparison"].isin(FINE)]
    shown = changed[[*KEY, "comparison", "column", "reference", "rerun"]].head(20)
    assert changed.empty, f"{len(changed)} rows:\n{shown.to_csv(index=False)}"
    points = ["delta_reference", "delta_active"]
    pd.testing.assert_frame_equal(grid[points], other[points], check_exact=True)
