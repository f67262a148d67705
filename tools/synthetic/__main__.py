"""Draw the synthetic raw data of the shipped study: ``python -m synthetic --out FOLDER``."""

from __future__ import annotations

import argparse
from pathlib import Path

from synthetic.study_data import run

parser = argparse.ArgumentParser(prog="synthetic", description=(__doc__ or "").partition(":")[0])
parser.add_argument("--out", type=Path, required=True, help="folder for the files")
run(out=parser.parse_args().out)
