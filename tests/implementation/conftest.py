"""A made-up study of ten teams: participants, completed tables, contacts, practitioners."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.made_up import ARMS, ASKED, STEPS, TEAMS, M

from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.implementation.scope import Scope


@pytest.fixture
def asked() -> Implementation:
    return Implementation.model_validate(ASKED)


@pytest.fixture
def scope(asked) -> Scope:
    return Scope(load_study(), asked, 0.95)


@pytest.fixture
def participants() -> pd.DataFrame:
    rng = np.random.default_rng(20261129)
    team = np.repeat(TEAMS, 16)
    n = len(team)
    people = pd.DataFrame({"participant": [f"P{number:03d}" for number in range(n)], "team": team})
    people["trust"] = np.repeat(["A", "B", "C", "D", "E"], 32)
    people["arm"] = people["team"].map(ARMS)
    active = (people["arm"] == "intervention").to_numpy()
    people["interviewed_baseline"] = rng.random(n) < 0.95
    seen = people["interviewed_baseline"] & (rng.random(n) < 0.85)
    people["interviewed_month6"] = seen
    said = np.where(rng.random(n) < np.where(active, 0.4, 0.05), "yes", "no")
    people["explained_month6"] = pd.Series(said).where(seen)
    score = np.clip(np.round(8 + 5 * active + rng.normal(0, 3, n)), 0, 20)
    people["fidelity_month6"] = pd.Series(score).where(seen)
    for item in ("rate_useful_month6", "rate_clear_month6"):
        told = people["explained_month6"] == "yes"
        people[item] = pd.Series(rng.integers(3, 6, n).astype(float)).where(told)
    return people


@pytest.fixture
def delivery(participants) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = []
    for person in participants[participants["arm"] == "intervention"].itertuples():
        for step in STEPS[: rng.integers(0, 4)]:
            rows.append((person.participant, f"{person.team}-1", step))
    return pd.DataFrame(rows, columns=["participant", "practitioner", "step"])


@pytest.fixture
def practitioners() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    team = np.repeat(TEAMS, 7)
    n = len(team)
    frame = pd.DataFrame({"practitioner": [f"{t}-{k % 7}" for k, t in enumerate(team)]})
    frame["team"], frame["arm"] = team, pd.Series(team).map(ARMS)
    frame["profession"] = np.where(np.arange(n) % 7 < 3, "social_worker", "nurse")
    active = frame["arm"] == "intervention"
    frame["trained"] = np.where(active & (rng.random(n) < 0.8), "yes", "no")
    trait = rng.normal(0, 0.7, n)
    for visit in ("early", "late"):
        for item in ("use_leaflet", "clear_leaflet"):
            answer = np.clip(np.round(4 + trait + rng.normal(0, 0.5, n)), 1, 5)
            frame[f"{item}_{visit}"] = pd.Series(answer).where(active)
        frame[f"bar_time_{visit}"] = (rng.random(n) < 0.6).astype(float)
    return frame


@pytest.fixture
def tables(participants) -> pd.DataFrame:
    """Imputation 0 as observed, 1 to M completed; everyone with a baseline."""
    rng = np.random.default_rng(13)
    known = ["participant", "team", "trust", "arm", "fidelity_month6", "interviewed_month6"]
    base = participants.loc[participants["interviewed_baseline"], known].reset_index(drop=True)
    n = len(base)
    base["age"], base["years_in_contact"] = rng.normal(45, 10, n), rng.normal(6, 3, n)
    fidelity = base.pop("fidelity_month6").fillna(9).to_numpy()
    seen = base.pop("interviewed_month6").to_numpy()
    for outcome in load_plan().outcomes:
        before = rng.normal(15, 4, n)
        base[f"{outcome.id}_baseline"] = before
        base[f"{outcome.id}_month6"] = before + 0.5 * fidelity + rng.normal(0, 1, n)
    made = []
    for imputation in range(M + 1):
        one = base.assign(imputation=imputation)
        for outcome in load_plan().outcomes:
            name = f"{outcome.id}_month6"
            drawn = one[name] + rng.normal(0, 1, n)
            one[name] = one[name].where(seen) if imputation == 0 else drawn.where(~seen, one[name])
        made.append(one)
    return pd.concat(made, ignore_index=True)
