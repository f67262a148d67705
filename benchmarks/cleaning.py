"""Time and memory of cleaning a file of 60 columns, with 10,000, 100,000 and 1,000,000 rows.

One row is one participant: an identifier, two dates, two categories, an arm, eight measured
numbers with decimals, twenty items answered at two visits, four counts, and two columns of free
text. Two cells in a hundred are missing codes, blank, spelt otherwise or impossible. Each size is
cleaned by a process of its own. Run from the root of the repository:

    PYTHONPATH=src python benchmarks/cleaning.py [--rows 10000 100000 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

MEASURES, ITEMS, COUNTS = 8, 20, 4
SPOILT = np.array(["-99", "", "NA", " 2", "2.0", "77", "x"])
STUDY = """
id: large
title: Large
short_title: Large
registration: none
data_status: synthetic
data_date: 2024-12-31
randomised: true
arms: {variable: arm, reference: c, levels: {c: Control, t: Treated}}
visits:
  - {id: before, label: Before, months: 0, date: seen}
  - {id: after, label: After, months: 6, date: seen}
files: {everyone: {path: data/raw/everyone.csv, rows: participant}}
complete_case: [scale]
"""
RULES = """
rules:
  - {id: order, kind: order, label: seen twice in one order, first: seen_before, then: seen_after}
  - {id: women, kind: skip, label: not asked of men, when: sex, is: [m], missing: [count_3_before]}
"""
INSTRUMENTS = """
instruments:
  scale:
    label: Scale
    items: [%s]
    score: sum
    range: [0, %d]
    minimum_answered: 0.8
    benefit: higher
"""


def columns(rows: int) -> dict[str, np.ndarray]:
    """Return the columns of the file as text, some of the cells spoilt."""
    rng = np.random.default_rng(20261123)
    days = np.datetime_as_string(np.datetime64("2023-01-01") + np.arange(600))
    table = {
        "who": np.char.add("P", np.char.zfill(rng.permutation(rows).astype(str), 8)),
        "seen_1": days[rng.integers(0, 300, rows)],
        "seen_2": days[rng.integers(300, 600, rows)],
        "sex": np.array(["f", "m"])[rng.integers(0, 2, rows)],
        "region": np.array(["north", "east", "south", "west"])[rng.integers(0, 4, rows)],
        "arm": np.array(["c", "t"])[rng.integers(0, 2, rows)],
    }
    for number in range(MEASURES):
        table[f"measure_{number}"] = np.char.mod("%.6f", rng.normal(50, 10, rows))
    for visit in (1, 2):
        for number in range(ITEMS):
            table[f"item_{number:02d}_{visit}"] = rng.integers(0, 5, rows).astype(str)
    for number in range(COUNTS):
        count = rng.poisson(4, rows).astype(str)
        table[f"count_{number}"] = (
            np.where(table["sex"] == "m", "", count) if number == 3 else count
        )
    words = np.array(["", "no remark", "spoke for long", "tired", "with a carer"])
    for name in ("remark", "other"):
        table[name] = np.char.add(words[rng.integers(0, 5, rows)], words[rng.integers(0, 5, rows)])
    for name in list(table)[6:-2]:
        cells = table[name].astype("<U12")
        at = rng.random(rows) < 0.02
        cells[at] = SPOILT[rng.integers(0, len(SPOILT), at.sum())]
        table[name] = cells
    return table


def dictionary() -> str:
    lines = ["file,column,name,visit,label,type,codes,missing,minimum,maximum,unit,soft_maximum"]

    def row(
        column: str,
        name: str,
        visit: str,
        kind: str,
        codes: str = "",
        low: str = "",
        high: str = "",
        soft: str = "",
    ) -> None:
        missing = "-99=refused; NA=not asked" if kind in ("integer", "number") else ""
        lines.append(
            f"everyone,{column},{name},{visit},{name},{kind},{codes},{missing},{low},{high},,{soft}"
        )

    row("who", "participant", "", "id")
    row("seen_1", "seen", "before", "date")
    row("seen_2", "seen", "after", "date")
    row("sex", "sex", "", "category", "f=Female; m=Male")
    row("region", "region", "", "category", "north=North; east=East; south=South; west=West")
    row("arm", "arm", "", "category", "c=Control; t=Treated")
    for number in range(MEASURES):
        row(f"measure_{number}", f"measure_{number}", "before", "number", "", "0", "100", "90")
    for visit, name in ((1, "before"), (2, "after")):
        for number in range(ITEMS):
            row(f"item_{number:02d}_{visit}", f"item_{number:02d}", name, "integer", "", "0", "4")
    for number in range(COUNTS):
        row(f"count_{number}", f"count_{number}", "before", "integer", "", "0", "60", "14")
    row("remark", "remark", "", "text")
    row("other", "other", "", "text")
    return "\n".join(lines) + "\n"


def write_study(folder: Path, rows: int) -> int:
    """Write the study; return how many columns its file has."""
    (folder / "config").mkdir()
    (folder / "data/raw").mkdir(parents=True)
    items = ", ".join(f"item_{number:02d}" for number in range(ITEMS))
    files = {
        "study.yaml": STUDY,
        "rules.yaml": RULES,
        "instruments.yaml": INSTRUMENTS % (items, 4 * ITEMS),
        "dictionary.csv": dictionary(),
    }
    for name, text in files.items():
        (folder / "config" / name).write_text(text, encoding="utf-8")
    table = pa.table({name: pa.array(cells) for name, cells in columns(rows).items()})
    options = arrow_csv.WriteOptions(quoting_style="none")
    arrow_csv.write_csv(table, folder / "data/raw/everyone.csv", options)
    return table.num_columns


def clean(folder: Path) -> None:
    """Clean the study in a folder; print seconds and the greatest memory used."""
    start = time.perf_counter()
    from ccp_analysis.cleaning.stage import run

    os.chdir(folder)
    out = Path("data/derived")
    run(
        participants=out / "participants.parquet",
        queries=out / "queries.csv",
        flow=out / "flow.json",
        missing=out / "missing.parquet",
        scales=out / "scales.csv",
        codebook=out / "codebook.parquet",
    )
    print(json.dumps({"seconds": time.perf_counter() - start, "gib": peak()}))


def peak() -> float:
    """Return the greatest resident memory of this program in GiB.

    Not by getrusage: there a process begins with that of the one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--clean", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clean:
        clean(options.clean)
        return
    print(f"{'rows':>9} {'columns':>8} {'MB':>6} {'seconds':>8} {'µs a row':>9} {'GiB':>6}")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            wide = write_study(folder, rows)
            size = (folder / "data/raw/everyone.csv").stat().st_size / 1e6
            command = [sys.executable, __file__, "--clean", name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout)
        seconds = found["seconds"]
        print(
            f"{rows:9d} {wide:8d} {size:6.0f} {seconds:8.1f} {1e6 * seconds / rows:9.1f} "
            f"{found['gib']:6.2f}"
        )


if __name__ == "__main__":
    main()
