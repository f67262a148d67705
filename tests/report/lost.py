"""The made-up study in clusters, with all that is said of missing values."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from made_up import DATA, Folder, _rows, make

from ccp_analysis import files
from ccp_analysis.results.table import results_table

LOSSES = ["visit", "characteristic", "level", "n_seen", "n_lost", "seen", "lost", "sd"]
LOSSES += ["difference", "people", "people_lost", "lost_share"]


def grid() -> pd.DataFrame:
    """Return a map on which the difference is that of the deltas, with intervals two wide."""
    axis = np.linspace(-4, 4, 9)
    pairs = list(itertools.product(axis, axis))
    reference, active = (np.array(part) for part in zip(*pairs, strict=True))
    estimate = (active - reference) / 2
    fixed = {"analysis": "shift", "outcome": "sleep", "scale": "points"}
    return pd.DataFrame(
        {"delta_reference": reference, "delta_active": active, "estimate": estimate}
        | {"conf_low": estimate - 2, "conf_high": estimate + 2}
    ).assign(**fixed)


def chains() -> pd.DataFrame:
    pairs = itertools.product(range(1, 13), range(1, 5))
    table = pd.DataFrame(pairs, columns=["chain", "iteration"])
    mean = 10 * table["chain"] + table["iteration"]
    return table.assign(variable="sleep_later", level="", mean=mean)


def filled_in() -> pd.DataFrame:
    observed = [("", 0, 18.0, 10), ("", 0, 20.0, 10)]
    imputed = [("", 1, 20.0, 3), ("", 1, 24.0, 4), ("", 2, 24.0, 7)]
    table = pd.DataFrame(observed + imputed, columns=["level", "imputation", "value", "people"])
    return table.assign(variable="sleep_later")


def make_lost(path: Path) -> Folder:
    folder = make("clustered", path)
    more = yaml.safe_load((DATA / "lost.yaml").read_text(encoding="utf-8"))
    plan = folder.path / "config/analysis.yaml"
    whole = yaml.safe_load(plan.read_text(encoding="utf-8")) | more["analysis"]
    plan.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    rows = results_table(_rows(more["results"]), "synthetic")
    before = pd.read_csv(folder.path / "results.csv", dtype=str, keep_default_na=False)
    added = rows.astype(object).where(rows.notna(), "").map(str)
    files.write_csv(folder.path / "results.csv", pd.concat([before, added]))
    shape = ["pattern", "people", "missing", "variable", "observed"]
    made = {
        "missing_patterns": pd.DataFrame(more["patterns"], columns=shape),
        "losses": pd.DataFrame(more["losses"], columns=LOSSES),
        "tipping": grid(),
        "imputation_traces": chains(),
        "imputation_values": filled_in(),
    }
    for name, table in made.items():
        files.write_parquet(folder.path / f"points/{name}.parquet", table)
    return folder
