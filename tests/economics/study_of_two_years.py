"""A made-up study folder with visits at 6, 12 and 24 months, in euros: `python FILE FOLDER`.

Twelve teams in six pairs, twelve people in each; people are lost, leave services blank and die.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd

VISITS = {"start": 0, "half": 6, "year": 12, "end": 24}


def write(folder: Path) -> None:
    """Write configuration and raw files."""
    rng = np.random.default_rng(24)
    shutil.copytree(Path(__file__).parent / "data/two_years/config", folder / "config")
    (folder / "data/raw").mkdir(parents=True)
    team = np.repeat(np.arange(12), 12)
    n = len(team)
    ill = rng.normal(size=n) + 0.3 * rng.normal(size=12)[team]
    people = pd.DataFrame({"participant": [f"S{k:03d}" for k in range(n)]})
    people["team"] = [f"T{t:02d}" for t in team]
    people["region"] = [f"R{t // 2}" for t in team]
    people["arm"] = np.where(team % 2 == 1, "new", "usual")
    people["age"] = rng.integers(20, 80, n)
    people["sex"] = rng.choice(["f", "m"], n)
    people.to_csv(folder / "data/raw/recruited.csv", index=False)
    began = pd.Timestamp("2021-01-04") + pd.to_timedelta(rng.integers(0, 90, n), unit="D")
    left = rng.choice([*VISITS, "never"], n, p=[0, 0.06, 0.07, 0.09, 0.78])
    dead = np.zeros(n, dtype=bool)
    dead[np.flatnonzero(left != "never")[::4]] = True
    order = list(VISITS)
    losses = []
    for visit, months in VISITS.items():
        table = people[["participant"]].copy()
        table["met"] = (began + pd.to_timedelta(round(months * 30.4375), unit="D")).date
        table["eq"] = np.clip(0.65 - 0.2 * ill + rng.normal(0, 0.1, n), -0.2, 1).round(3)
        scale = max(months, 6) / 6
        table["visits"] = rng.poisson(np.exp(0.9 + 0.3 * ill) * scale)
        table["nights"] = rng.poisson(np.exp(-1.0 + 0.6 * ill) * scale)
        table["days_off"] = rng.poisson(np.exp(1.5 + 0.4 * ill) * scale)
        table["nights"] = table["nights"].astype(object).mask(rng.random(n) < 0.03, "")
        here = [last == "never" or order.index(visit) < order.index(last) for last in left]
        table[here].to_csv(folder / f"data/raw/{visit}.csv", index=False)
    for k in np.flatnonzero(left != "never"):
        months = VISITS[order[order.index(left[k]) - 1]] + 2
        day = (began[k] + pd.to_timedelta(months * 30, unit="D")).date()
        losses.append([people["participant"][k], day, "died" if dead[k] else "moved", "other"])
    names = ["participant", "lost_on", "what", "why"]
    pd.DataFrame(losses, columns=names).to_csv(folder / "data/raw/losses.csv", index=False)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
