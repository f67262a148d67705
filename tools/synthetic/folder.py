"""Draw a study folder of any size that can be run: the shipped configuration, other teams."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd

from ccp_analysis.errors import StudyError
from ccp_analysis.files import write_csv, write_text
from synthetic.parameters import DEFAULT, DEFAULT_SEED, Parameters
from synthetic.people import team_codes, trust_codes
from synthetic.study_data import simulate

ROOT = Path(__file__).parents[2]


def write_folder(out: Path, people: int, teams: int, seed: int = DEFAULT_SEED) -> None:
    """Write configuration and raw data of a synthetic study with the shape of the shipped one.

    Parameters
    ----------
    out : Path
        Folder of the study; made, and refused where there is something in it.
    people : int
        People recruited.
    teams : int
        Number of teams, even: each Trust is a pair.
    seed : int
        Seed.

    Raises
    ------
    StudyError
        If the folder has files, or there are no such teams.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StudyError(f"{out}: there is something already; expected a new or an empty folder.")
    if teams < 4 or teams % 2:
        raise StudyError(f"{teams} teams cannot stand in pairs; expected 4, 6, 8 or more.")
    try:
        parameters = DEFAULT.at_scale(people, teams)
    except ValueError as error:
        raise StudyError(f"{error}; expected more people, or fewer teams.") from error
    config, raw = out / "config", out / "data/raw"
    shutil.copytree(ROOT / "config", config)
    simulate(raw, parameters, seed)
    shutil.move(raw / "planted_faults.csv", out / "planted_faults.csv")
    _name_teams(config / "dictionary.csv", parameters)
    _expect(config / "study.yaml", parameters, len(pd.read_csv(raw / "status.csv")))
    _serve(config / "economics.yaml", people / DEFAULT.recruited)


def _name_teams(dictionary: Path, parameters: Parameters) -> None:
    """Declare the codes of the teams and Trusts that there are."""
    codes = {
        "team": [(c, f"Team {c.removeprefix('T').lstrip('0')}") for c in team_codes(parameters)],
        "trust": [(c, c.replace("trust_", "Trust ").title()) for c in trust_codes(parameters)],
    }
    table = pd.read_csv(dictionary, dtype=str, keep_default_na=False)
    for name, kind in (("team", "team"), ("to_team", "team"), ("trust", "trust")):
        declared = "; ".join(f"{code}={label}" for code, label in codes[kind])
        table.loc[table["column"] == name, "codes"] = declared
    write_csv(dictionary, table)


def _expect(study: Path, parameters: Parameters, events: int) -> None:
    """Declare how many people and events there should be."""
    recruited = parameters.recruited
    baseline = recruited - parameters.without_baseline
    counts = f"recruited: {recruited}, baseline: {baseline}, month6: {baseline - parameters.lost}"
    text = study.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^expected: .*$", f"expected: {{{counts}}}", text)
    write_text(study, re.sub(r"expected: \d+}", f"expected: {events}}}", text))


def _serve(economics: Path, times: float) -> None:
    """Let the intervention's teams serve so many times the people."""
    text = economics.read_text(encoding="utf-8")
    served = re.sub(
        r"(?m)^(  caseload: )(\d+)", lambda m: f"{m[1]}{round(int(m[2]) * times)}", text
    )
    write_text(economics, served)
