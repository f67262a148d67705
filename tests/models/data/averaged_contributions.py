"""Write the imputed SYNTHETIC trials of averaged_contributions.R.

PYTHONPATH=src:tests/models python tests/models/data/averaged_contributions.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from test_models_averaged import LAYOUT, tables

for what, baseline in (("outcome", False), ("all", True)):
    X, y = tables(7, baseline=baseline, m=10)
    frame = pd.DataFrame(
        {
            "imputation": np.repeat(np.arange(1, 11), LAYOUT.n),
            "team": np.tile(LAYOUT.team, 10),
            "pair": np.tile(LAYOUT.pair[LAYOUT.team], 10),
            "active": np.tile(LAYOUT.active.astype(int), 10),
            "x": X[..., 2].ravel(),
            "y": y.ravel(),
        }
    )
    path = Path(__file__).with_name(f"averaged_contributions_{what}.csv")
    frame.to_csv(path, index=False, lineterminator="\n")
