"""Small studies unlike the shipped ones, drawn here and run from raw files to the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from support.study import StudyFolder, inside

VILE = "Größe α–ω <i>&amp;_under_*star*|bar$x$#hash@home"
COLUMNS = "file column name visit label type codes missing minimum maximum unit"
ARMS = {"a": "Control", "b": "Active"}


@dataclass(frozen=True)
class Special:
    """A study: its outcomes with their kinds, visits, clusters, losses and plan.

    Attributes
    ----------
    outcomes : dict
        Name and kind: number, yes (binary) or count.
    labels : dict
        Labels that are not the name.
    analyses : list of dict
        Of the plan; the first is the primary one unless it says otherwise.
    visits : int
        Follow-ups.
    people, teams : int
        How many; without teams people are the units. Teams lie in strata, two of them.
    lost : float
        Share of the people of whom a follow-up is missing.
    silent : str
        Outcome of which nothing is known in the active arm after baseline.
    plan : dict
        What else the plan has.
    """

    outcomes: dict[str, str]
    analyses: list[dict[str, Any]]
    labels: dict[str, str] = field(default_factory=dict)
    visits: int = 1
    people: int = 60
    teams: int = 0
    lost: float = 0.1
    silent: str = ""
    plan: dict[str, Any] = field(default_factory=dict)


def run(special: Special, path: Path) -> StudyFolder:
    """Write the study into a folder, and run all that makes its results."""
    (path / "config").mkdir(parents=True)
    (path / "data/raw").mkdir(parents=True)
    times = ["start", *(f"m{k}" for k in range(1, special.visits + 1))]
    table, dictionary = _drawn(special, times)
    table.to_csv(path / "data/raw/people.csv", index=False)
    pd.DataFrame(dictionary, columns=COLUMNS.split()).to_csv(
        path / "config/dictionary.csv", index=False
    )
    for name, content in _configuration(special, times).items():
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (path / f"config/{name}.yaml").write_text(text, encoding="utf-8")
    folder = StudyFolder(path)
    with inside(path):
        folder.all_results()
    return folder


def _drawn(special: Special, times: list[str]) -> tuple[pd.DataFrame, list[list[str]]]:
    n, rng = special.people, np.random.default_rng(12)
    table: dict[str, Any] = {"id": [f"P{k:04d}" for k in range(n)]}
    dictionary = [["people", "id", "participant", "", "Participant", "id", *[""] * 5]]
    units = np.arange(n) % (special.teams or n)
    active = units % 2 == 1
    table["arm"] = np.where(active, "b", "a")
    codes = "; ".join(f"{code}={label}" for code, label in ARMS.items())
    dictionary.append(["people", "arm", "arm", "", "Arm", "category", codes, *[""] * 4])
    table["age"] = rng.integers(20, 80, n)
    dictionary.append(["people", "age", "age", "", "Age", "number", "", "", "18", "100", "years"])
    if special.teams:
        table["team"] = [f"T{unit:02d}" for unit in units]
        table["region"] = np.where(units % 4 < 2, "north", "south")
        for name, labels in (
            ("team", {f"T{k:02d}": f"Team {k}" for k in range(special.teams)}),
            ("region", {"north": "North", "south": "South"}),
        ):
            codes = "; ".join(f"{code}={label}" for code, label in labels.items())
            line = ["people", name, name, "", name.capitalize(), "category", codes]
            dictionary.append([*line, *[""] * 4])
    gone = rng.random((len(times), n)) < special.lost
    for name, kind in special.outcomes.items():
        person = rng.normal(size=n)
        for place, time in enumerate(times):
            score = person + rng.normal(size=n) + 0.3 * active * (place > 0)
            value: np.ndarray = np.round(20 + 5 * score, 1)
            if kind != "number":
                value = (score > 0) * 1.0 if kind == "yes" else rng.poisson(np.exp(score / 2)) * 1.0
            hidden = (place > 0) & gone[place]
            if name == special.silent and place:
                hidden |= active
            column = f"{name}_{time}"
            table[column] = pd.Series(value).mask(hidden).map("{:g}".format).replace("nan", "")
            label = special.labels.get(name, name.capitalize())
            ranged = {"number": ["-20", "60", "points"], "yes": ["0", "1", ""]}
            limits = ranged.get(kind, ["0", "100", ""])
            type_ = "number" if kind == "number" else "integer"
            line = ["people", column, name, time, label, type_, "", ""]
            dictionary.append([*line, *limits])
    return pd.DataFrame(table), dictionary


def _configuration(special: Special, times: list[str]) -> dict[str, Any]:
    study = {
        "id": "special",
        "title": "A special study",
        "short_title": "Special",
        "registration": "none",
        "data_status": "synthetic",
        "data_date": "2022-02-02",
        "randomised": True,
        "arms": {"variable": "arm", "reference": "a", "levels": ARMS},
        "visits": [
            {"id": time, "label": f"Month {place}" if place else "Start", "months": place}
            for place, time in enumerate(times)
        ],
        "files": {"people": {"path": "data/raw/people.csv", "rows": "participant"}},
        "schema": 1,
    }
    if special.teams:
        labels = {"unit_label": "practice", "pair_label": "region"}
        study["clusters"] = {"unit": "team", "pair": "region", **labels}
    roles = ["primary", *["secondary"] * len(special.outcomes)]
    plan = {
        "seed": 5,
        "confidence_level": 0.95,
        "estimand": "treatment-policy",
        "outcomes": [
            {"id": name, "role": role, "benefit": "lower" if kind == "count" else "higher"}
            for role, (name, kind) in zip(roles, special.outcomes.items(), strict=False)
        ],
        "covariates": ["age"],
        "baseline_table": ["age"],
        "imputation": {"imputations": 2, "iterations": 3, "donors": 3},
        "analyses": special.analyses,
    }
    instruments: dict[str, Any] = {"instruments": {}}
    return {"study": study, "analysis": plan | special.plan, "instruments": instruments}
