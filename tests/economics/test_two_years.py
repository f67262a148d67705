"""Horizons over a year: against R, by hand, and a folder with visits at 6, 12 and 24 months."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_trial
import study_of_two_years

from ccp_analysis import before
from ccp_analysis.config.currencies import CURRENCIES, in_currency
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics.discounting import (
    discount_factor,
    present_years,
    share_within,
)
from ccp_analysis.economics.outcomes import COST, QALY, evaluated
from ccp_analysis.economics.qalys import discounted_weights, nominal_times, utility_weights
from ccp_analysis.economics.setting import Source, main_setting, setting_of
from ccp_analysis.economics.stage import main_rows

VISITS = {"start": 0, "half": 6, "year": 12, "end": 24}
PRICES = {"gp": 41.5, "bed": 433.0, "days": 97.0}
TIGHT = {"rtol": 1e-12}


@pytest.fixture(scope="module")
def r() -> dict:
    return json.loads((Path(__file__).parent / "data/two_years.json").read_text())


@pytest.fixture(scope="module")
def two_years(r) -> Source:
    """The people whom R made up, complete, as the rule `evaluate` sees them."""
    people = pd.DataFrame(r["people"])
    team = np.arange(len(people)) // 5
    people = people.assign(
        arm=np.where(team % 2 == 1, "new", "usual"),
        team=[f"T{t}" for t in team],
        trust=[f"trust{t // 2}" for t in team],
    )
    asked = [(visit, *one) for visit in VISITS for one in PRICES.items()]
    prices = pd.DataFrame(asked, columns=["visit", "service", "price"])
    prices = prices.assign(label=prices["service"], unit="one", in_society=True)
    prices["variable"] = prices["service"] + "_" + prices["visit"]
    visits = [{"id": v, "label": v, "months": months} for v, months in VISITS.items()]
    economics = {
        "months": 24,
        "discount": {"costs": 0.035, "effects": 0.015},
        "perspectives": {"society": {"label": "Society", "services": ["*"]}},
        "absence": {"service": "days", "friction_days": 20, "elasticity": 0.8},
        "intervention": None,
        "sensitivity": [
            {"id": "friction", "label": "F", "absence": "friction-cost"},
            {"id": "undiscounted", "label": "U", "discount": {"costs": 0, "effects": 0}},
        ],
    }
    came = {f"interviewed_{v}": people[f"u_{v}"] != 0.0 for v in VISITS}
    return Source(
        small_trial.Study.model_validate(small_trial.STUDY | {"visits": visits}),
        small_trial.Plan.model_validate(small_trial.PLAN | {"covariates": []}),
        small_trial.Economics.model_validate(
            {k: v for k, v in (small_trial.ECONOMICS | economics).items() if v is not None}
        ),
        pd.concat([people.assign(imputation=k) for k in (0, 1, 2)], ignore_index=True),
        prices,
        people.assign(**came),
    )


def test_discounted_costs_and_life_years_of_each_person_are_those_of_r(two_years, r):
    theirs = pd.DataFrame(r["people"])
    by_id = {v.id: setting_of(two_years, v) for v in two_years.economics.sensitivity}
    cases = {
        ("cost_human", COST): main_setting(two_years.economics),
        ("cost_friction", COST): by_id["friction"],
        ("qaly", QALY): main_setting(two_years.economics),
        ("qaly_undiscounted", QALY): by_id["undiscounted"],
    }
    for (name, column), setting in cases.items():
        found = evaluated(two_years, setting).tables[column].to_numpy()[: two_years.n]
        np.testing.assert_allclose(found, theirs[name], **TIGHT, err_msg=name)
    assert (theirs["cost_friction"] < theirs["cost_human"]).mean() > 0.5
    assert (theirs["qaly"] < theirs["qaly_undiscounted"]).any()


def test_annuities_are_those_of_r(r):
    table = pd.DataFrame(r["annuities"])
    found = [share_within(t.horizon, t.lifetime, t.rate, 0.035) for t in table.itertuples()]
    np.testing.assert_allclose(found, table["share"], **TIGHT)
    assert (table["share"] < 1).sum() > 40


def test_every_model_of_a_horizon_of_two_years_is_fitted(two_years):
    rows, draws = main_rows(two_years, 0.0)
    failed = [row for row in rows if row.get("status") in ("failed", "refused")]
    assert not failed, failed
    assert draws is not None
    difference = small_trial.one(
        rows, model="ancova", outcome="cost", term="difference", population="all-with-baseline"
    )
    assert draws.cost.mean() == pytest.approx(difference["estimate"], abs=200)


def test_nothing_is_discounted_in_the_first_year():
    """Of a study of half a year."""
    times = nominal_times(small_trial.Study.model_validate(small_trial.STUDY).visits, 3)
    death = np.array([np.inf, 0.2, 0.5])
    plain = utility_weights(times, death, 0.5)
    np.testing.assert_array_equal(discounted_weights(times, death, 0.5, 0.035), plain)
    assert discount_factor(0.0, np.array([0.0, 0.4, 1.0]), 0.1).tolist() == [1.0, 1.0, 1.0]
    assert float(present_years(2.0, 0.0)) == 2.0


def test_what_lasts_until_the_horizon_costs_all_of_it_and_never_more():
    assert share_within(2.0, 2.0, 0.035, 0.035) == share_within(1.99, 2.0, 0.035, 0.035) == 1.0
    shares = [share_within(0.5, 2.0, rate, 0.035) for rate in (0.0, 1e-6, 0.035, 0.1)]
    assert shares[0] == 0.25 and shares == sorted(shares)
    assert shares[1] == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize("code", CURRENCIES)
def test_a_scale_of_money_is_that_of_the_currency(code):
    unit = CURRENCIES[code].unit
    assert in_currency("pounds", code) == unit
    assert in_currency("pounds per point less", code) == f"{unit} per point less"
    assert in_currency("years", code) == "years"


# ------------------------------------------------------------------ a study folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, another_folder):
    path = tmp_path_factory.mktemp("study") / "two_years"
    study_of_two_years.write(path)
    return another_folder(path)


@pytest.mark.study
def test_a_folder_of_two_years_runs_from_raw_files_to_results(folder, monkeypatch):
    monkeypatch.chdir(folder.path)
    assert before.faults(Trial()) == []
    folder.up_to_imputation()
    table = folder.evaluate()
    assert set(table["status"]) == {"ok"}
    assert set(table["visit"]) == {"start", "half", "year", "end"}
    # Everything that is money is in euros.
    assert "euros" in set(table["scale"]) and "euros per QALY" in set(table["scale"])
    text = table["scale"] + table["note"]
    assert not text.str.contains("pounds").any()
    # The dead have a share of it; R has the numbers of whoever lived, by the same `evaluated`.
    whole = pd.read_parquet("data/derived/imputed.parquet").query("imputation > 0")
    alive = (whole[[f"alive_{v}" for v in ("half", "year", "end")]] == 1.0).all(axis=1)
    spent = {v: 60.0 * whole[f"visits_{v}"] + 700.0 * whole[f"nights_{v}"] for v in VISITS}
    year = 6 * 4000.0 * 0.03 / (1 - 1.03**-5)
    active = whole["arm"] == "new"
    each = (year * (1 + 1 / 1.04) + 700 * 70.0) / (active.sum() / whole["imputation"].nunique())
    cost = spent["half"] + spent["year"] + spent["end"] / 1.04 + each * active
    costs = pd.read_parquet("data/derived/costs.parquet")
    people = pd.read_parquet("data/derived/participants.parquet").merge(costs)
    tables = (pd.read_parquet(f"data/derived/{n}.parquet") for n in ("imputed", "prices"))
    asked = Trial()
    read = Source(asked.study, asked.plan, asked.economics, *tables, people)
    found = evaluated(read, main_setting(read.economics)).tables.query("imputation > 0")
    np.testing.assert_allclose(found[COST][alive], cost[alive], rtol=1e-12)
    assert 0 < (~alive).mean() < 0.2
    budget = table[table["term"].str.startswith("budget impact")]
    people = budget.loc[budget["term"].str.endswith("people"), "estimate"]
    assert sorted(people) == pytest.approx([100.0, 200.0, 300.0])
    price = budget.loc[budget["term"].str.endswith("intervention"), "estimate"]
    assert sorted(price) == pytest.approx([90_000.0, 180_000.0, 270_000.0])
