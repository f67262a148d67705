"""A made-up study folder with visits at 6, 12 and 24 months, in euros: `python FILE FOLDER`.

Twelve teams in six pairs, twelve people in each; people are lost, leave services blank and die.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

VISITS = {"start": 0, "half": 6, "year": 12, "end": 24}
STUDY = """\
id: two_years
title: A study of two years
short_title: Two years
registration: none
data_status: synthetic
data_date: 2024-01-01
randomised: true
arms:
  variable: arm
  reference: usual
  levels: {usual: Usual care, new: New care}
clusters: {unit: team, pair: region, unit_label: team, pair_label: region}
visits:
  - {id: start, label: Start, months: 0, file: start, date: met}
  - {id: half, label: Six months, months: 6, file: half, date: met}
  - {id: year, label: One year, months: 12, file: year, date: met}
  - {id: end, label: Two years, months: 24, file: end, date: met}
files:
  recruited: {path: data/raw/recruited.csv, rows: participant}
  start: {path: data/raw/start.csv, rows: participant}
  half: {path: data/raw/half.csv, rows: participant}
  year: {path: data/raw/year.csv, rows: participant}
  end: {path: data/raw/end.csv, rows: participant}
  losses: {path: data/raw/losses.csv, rows: event}
losses: {file: losses, event: what, date: lost_on, reason: why, ending: [moved, died], death: died}
schema: 1
"""
PLAN = """\
seed: 24
confidence_level: 0.95
estimand: treatment-policy
outcomes:
  - {id: eq, role: primary, label: Utility, benefit: higher}
covariates: [age]
baseline_table: [age, sex]
imputation: {imputations: 8, iterations: 5, donors: 5, pooling: averaged, auxiliary: [sex]}
analyses:
  - {id: ancova, role: primary, model: ancova, visit: end, data: imputed}
subgroups:
  - {variable: sex, analysis: ancova, outcomes: [eq]}
"""
ECONOMICS = """\
price_year: 2023
currency: EUR
unit_costs: config/unit_costs.csv
perspectives:
  health: {label: Health care, services: [visits, nights]}
  society: {label: Society, services: [visits, nights, days_off]}
categories:
  care: {label: All care, services: [visits, nights]}
absence: {service: days_off, valued: friction-cost, friction_days: 15, elasticity: 0.8}
intervention: {costs: config/intervention.csv, share: participants, caseload: 400, annuity: 0.03}
utility: eq
months: 24
discount: {costs: 0.04, effects: 0.015}
thresholds: [0, 20000, 40000]
main_thresholds: [20000]
variance_power: 2.5
bootstrap: {draws: 100, iterations: 2}
sensitivity:
  - {id: society, label: Society, perspective: society}
  - {id: human, label: "Society, human capital", perspective: society, absence: human-capital}
  - {id: undiscounted, label: Not discounted, discount: {costs: 0, effects: 0}}
  - {id: dearer, label: Missed costs a third higher, delta: {cost: {new: {times: 1.333}}}}
departures:
  cost: {plus: [-500, 0, 500]}
  utility: {times: [0.5, 0.75, 1]}
  reference_based: [JR, CIR]
budget_impact: {caseload: 1000, uptake: [0.1, 0.2], price: 900}
"""
UNIT_COSTS = """\
service,unit,unit_cost,price_year,source
visits,visit,60,2023,made up
nights,night,700,2023,made up
days_off,day,180,2023,made up
"""
INTERVENTION = """\
item,category,quantity,unit,unit_cost,price_year,lifetime_years,source
Training,training,6,course,4000,2023,5,made up
Sessions,sessions,700,session,70,2023,,made up
"""


def write(folder: Path) -> None:
    """Write configuration and raw files."""
    rng = np.random.default_rng(24)
    for name in ("config", "data/raw"):
        (folder / name).mkdir(parents=True)
    texts = {"study.yaml": STUDY, "analysis.yaml": PLAN, "economics.yaml": ECONOMICS}
    texts |= {"unit_costs.csv": UNIT_COSTS, "intervention.csv": INTERVENTION}
    texts |= {"instruments.yaml": "instruments: {}\n", "dictionary.csv": _dictionary()}
    for name, text in texts.items():
        (folder / "config" / name).write_text(text, encoding="utf-8")
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


def _dictionary() -> str:
    lines = ["file,column,name,visit,label,type,codes,missing,minimum,maximum,unit"]
    lines += ["recruited,participant,participant,,Participant,id,,,,,"]
    for name, label in (("team", "Team"), ("region", "Region")):
        codes = (f"T{t:02d}" for t in range(12)) if name == "team" else (f"R{k}" for k in range(6))
        lines.append(f"recruited,{name},{name},,{label},category,{'; '.join(codes)},,,,")
    lines += ["recruited,arm,arm,,Arm,category,usual; new,,,,"]
    lines += ["recruited,age,age,,Age,integer,,,18,100,years"]
    lines += ["recruited,sex,sex,,Sex,category,f=Women; m=Men,,,,"]
    for visit in VISITS:
        lines += [f"{visit},participant,participant,,Participant,id,,,,,"]
        lines += [f"{visit},met,met,{visit},Date of the interview,date,,,,,"]
        lines += [f"{visit},eq,eq,{visit},Utility,number,,,-1,1,utility"]
        for name, label in (("visits", "Visits"), ("nights", "Nights"), ("days_off", "Days off")):
            lines += [f"{visit},{name},{name},{visit},{label},integer,,,0,500,"]
    lines += ["losses,participant,participant,,Participant,id,,,,,"]
    lines += ["losses,lost_on,lost_on,,Date of the loss,date,,,,,"]
    lines += ["losses,what,what,,What,category,moved=Moved away; died=Died,,,,"]
    lines += ["losses,why,why,,Why,category,other=Other,,,,"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
