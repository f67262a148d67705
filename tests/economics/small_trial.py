"""A small made-up trial with costs and utilities, as the rule `evaluate` sees it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from support import small_study

from ccp_analysis.config.economics import Economics
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.economics.setting import Source, source

TEAMS = 8
SIZE = 9
M = 4
PRICES = {"gp": 40.0, "bed": 430.0, "days": 100.0}
STUDY = small_study.STUDY | {
    "arms": {
        "variable": "arm",
        "reference": "usual",
        "levels": {"usual": "Usual care", "new": "New care"},
    },
    "visits": [visit | {"date": "met"} for visit in small_study.STUDY["visits"]],
}
PLAN = {
    "seed": 7,
    "confidence_level": 0.95,
    "estimand": "treatment-policy",
    "outcomes": [{"id": "u", "role": "primary"}],
    "covariates": ["age"],
    "imputation": {"imputations": M, "iterations": 5, "donors": 5},
    "analyses": [
        {"id": "a", "role": "primary", "model": "ancova", "visit": "after", "data": "imputed"}
    ],
}
ECONOMICS = {
    "price_year": 2020,
    "currency": "GBP",
    "unit_costs": "unit_costs.csv",
    "perspectives": {
        "health": {"label": "Health", "services": ["gp", "bed"]},
        "society": {"label": "Society", "services": ["gp", "bed", "days"]},
    },
    "intervention": {"costs": "items.csv", "share": "participants", "caseload": 100},
    "utility": "u",
    "months": 6,
    "thresholds": [0, 10000, 20000, 30000],
    "main_thresholds": [20000, 30000],
    "bootstrap": {"draws": 200, "iterations": 2},
}


def people() -> pd.DataFrame:
    """Return everyone complete, one row each: every second team has the new care."""
    rng = np.random.default_rng(5)
    n = TEAMS * SIZE
    team = np.repeat(np.arange(TEAMS), SIZE)
    ill = rng.normal(size=n) + 0.3 * rng.normal(size=TEAMS)[team]
    table = {
        "participant": [f"P{i:03d}" for i in range(n)],
        "team": [f"T{t}" for t in team],
        "trust": [f"trust{t // 2}" for t in team],
        "arm": np.where(team % 2 == 1, "new", "usual"),
        "age": rng.integers(20, 70, n).astype(float),
        "alive_after": 1.0,
    }
    for visit in ("before", "after"):
        table[f"gp_{visit}"] = rng.poisson(np.exp(0.7 + 0.3 * ill)).astype(float)
        table[f"bed_{visit}"] = rng.poisson(np.exp(-0.7 + 0.5 * ill)).astype(float)
        table[f"days_{visit}"] = rng.poisson(np.exp(0.5 + 0.4 * ill)).astype(float)
        table[f"u_{visit}"] = np.clip(0.7 - 0.15 * ill + rng.normal(0, 0.1, n), -0.2, 1)
        table[f"v_{visit}"] = np.clip(table[f"u_{visit}"] - 0.1 + rng.normal(0, 0.02, n), -0.5, 1)
    return pd.DataFrame(table)


# Whose follow-up is missing; who was interviewed but left a service blank; who died.
LOST = (3, 14, 25, 40, 51, 66)
BLANK = 8
DEAD = 30
DEAD_AT = 0.25
FOLLOW_UP = ["gp_after", "bed_after", "days_after", "u_after", "v_after"]


def imputed(complete: pd.DataFrame) -> pd.DataFrame:
    """Return the observed table and `M` completed ones, the people in another order in each."""
    rng = np.random.default_rng(6)
    dead = complete.copy()
    dead.loc[DEAD, ["u_after", "v_after", "alive_after"]] = [0.0, 0.0, DEAD_AT]
    observed = dead.assign(imputation=0)
    observed.loc[list(LOST), FOLLOW_UP] = np.nan
    observed.loc[BLANK, "bed_after"] = np.nan
    observed.loc[DEAD, ["gp_after", "bed_after", "days_after"]] = np.nan
    tables = [observed]
    for k in range(1, M + 1):
        table = observed.assign(imputation=k)
        for name in FOLLOW_UP:
            missing = table[name].isna()
            table.loc[missing, name] = rng.choice(observed[name].dropna(), missing.sum())
        tables.append(table.sample(frac=1, random_state=k))
    whole = pd.concat(tables, ignore_index=True)
    cost = sum(PRICES[s] * whole[f"{s}_after"] for s in ("gp", "bed")) * whole["alive_after"]
    return whole.assign(cost_after=cost)


def prices(visits: tuple[str, ...] = ("before", "after")) -> pd.DataFrame:
    asked = [(visit, *one) for visit in visits for one in PRICES.items()]
    table = pd.DataFrame(asked, columns=["visit", "service", "price"])
    table["label"], table["variable"] = table["service"], table["service"] + "_" + table["visit"]
    table["unit"] = np.where(table["service"] == "gp", "contact", "day")
    return table.assign(in_health=table["service"] != "days", in_society=True)


def participants(complete: pd.DataFrame) -> pd.DataFrame:
    met = complete[["participant", "arm"]].assign(met_before=pd.Timestamp("2020-01-01"))
    days = pd.to_timedelta(150 + np.arange(len(complete)), unit="D")
    met["met_after"] = met["met_before"] + days
    met.loc[[*LOST, DEAD], "met_after"] = pd.NaT
    came = met["met_after"].notna()
    return met.assign(interviewed_before=True, interviewed_after=came, left=None)


def costs(complete: pd.DataFrame, total: float = 7200.0) -> pd.DataFrame:
    """Return what `cost` writes of the intervention, which cost so much in all."""
    active = (complete["arm"] == "new").to_numpy()
    each = {
        "participants": total / active.sum(),
        "teams": total / (TEAMS / 2) / SIZE,
        "caseload": total / 100,
    }
    shared = {f"intervention_{rule}": np.where(active, one, 0.0) for rule, one in each.items()}
    return complete[["participant"]].assign(cost_before=0.0, **shared)


def small(
    *,
    study: dict | None = None,
    plan: dict | None = None,
    economics: dict | None = None,
    tables: pd.DataFrame | None = None,
    price_table: pd.DataFrame | None = None,
    money: pd.DataFrame | None = None,
) -> Source:
    """Return the trial; a key of the configuration whose value is None is left out."""

    def config(model, base, more):
        merged = base | (more or {})
        return model.model_validate({k: v for k, v in merged.items() if v is not None})

    complete = people()
    return source(
        config(Study, STUDY, study),
        config(Plan, PLAN, plan),
        config(Economics, ECONOMICS, economics),
        imputed(complete) if tables is None else tables,
        prices() if price_table is None else price_table,
        costs(complete) if money is None else money,
        participants(complete),
    )


def one(rows: list[dict], **where) -> dict:
    """Return the one row with these values."""
    found = [row for row in rows if all(row.get(k) == v for k, v in where.items())]
    assert len(found) == 1, (where, len(found))
    return found[0]
