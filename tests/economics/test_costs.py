"""Prices, perspectives and the intervention, by hand; faults. R has the costs of people."""

from __future__ import annotations

import logging
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.cases import edits
from support.small_study import study

from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.study import load_study
from ccp_analysis.economics.intervention import none, read_intervention, shares
from ccp_analysis.economics.perspectives import services_of
from ccp_analysis.economics.prices import read_price_index, read_unit_costs
from ccp_analysis.errors import StudyError

ECONOMICS = {
    "price_year": 2020,
    "currency": "GBP",
    "unit_costs": "unit_costs.csv",
    "price_index": "price_index.csv",
    "perspectives": {
        "health": {"label": "Health service", "services": ["su_*"]},
        "all": {"label": "Everybody", "services": ["su_*", "days_off"]},
    },
    "intervention": {"costs": "intervention_cost.csv", "share": "participants", "caseload": 10},
    "utility": "u",
    "months": 6,
    "thresholds": [0, 20000],
    "main_thresholds": [20000],
}
UNIT_COSTS = "service,unit,unit_cost,price_year,source\n"
INDEX = "price_year,index,source\n2018,90,x\n2020,99,x\n"
ITEMS = "item,category,quantity,unit,unit_cost,price_year,lifetime_years,source\n"
DERIVED = Path("data/derived")
DICTIONARY, ECONOMY = "config/dictionary.csv", "config/economics.yaml"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with an evaluation and an index, in which files can be written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/economics.yaml").write_text("price_year: 2020\nintervention: {caseload: 1}")
    (tmp_path / "price_index.csv").write_text(INDEX)
    return tmp_path


def economics(**changes) -> Economics:
    return Economics.model_validate(ECONOMICS | changes)


def test_unit_costs_are_brought_to_the_price_year(folder):
    (folder / "unit_costs.csv").write_text(
        UNIT_COSTS + 'su_gp,contact,40,2020,a\nsu_bed,day,300,2018,"b, c"\n'
    )
    index = read_price_index(economics())
    found = read_unit_costs(economics(), index)
    assert found["price"].to_dict() == pytest.approx({"su_gp": 40, "su_bed": 300 * 99 / 90})
    assert found.loc["su_bed"].drop("price").to_dict() == {
        "unit": "day",
        "unit_cost": 300,
        "price_year": 2018,
        "source": "b, c",
        "minutes": "",
        "recall_months": pytest.approx(np.nan, nan_ok=True),
        "line": 3,
    }


PRICES, STAGE = (edits("economics/data/faults.csv", of) for of in ("price", "stage"))


@pytest.mark.parametrize("case", PRICES)
def test_faults_of_unit_costs(folder, case):
    """And of items of the intervention, and of the index of prices."""
    [(file, _, text)], sentence = PRICES[case]
    (folder / file).write_text(text)
    reader = read_intervention if file == "intervention_cost.csv" else read_unit_costs
    with pytest.raises(StudyError) as caught:
        reader(economics(), read_price_index(economics()))
    colon = ", " if sentence.startswith("line") else ": "
    assert str(caught.value).startswith(f"{file}{colon}{sentence}")
    assert ("(1 more in the log)" in str(caught.value)) == ("1066" in text)


def test_without_an_index_every_price_is_of_the_price_year(folder):
    (folder / "unit_costs.csv").write_text(UNIT_COSTS + "gp,c,1,2018,x\n")
    without = economics(price_index=None)
    with pytest.raises(StudyError) as caught:
        read_unit_costs(without, read_price_index(without))
    assert str(caught.value) == (
        "unit_costs.csv, line 2: price year '2018' found; expected 2020, the price year in "
        "config/economics.yaml, which names no price_index for another."
    )


def test_what_the_intervention_costs_within_the_horizon(folder):
    (folder / "intervention_cost.csv").write_text(
        ITEMS + "course,training,2,course,1000,2018,4,x\n"  # half of an annual cost
        "sessions,supervision,10,session,50,2020,,x\n"  # all
        "leaflets,materials,100,leaflet,1,2020,0.25,x\n"  # used up within the horizon
    )
    found = read_intervention(economics(), read_price_index(economics()))
    yearly = 2200 * 0.035 / (1 - 1.035**-4)
    assert found["cost"].tolist() == pytest.approx([yearly / 2, 500, 100])
    even = ECONOMICS["intervention"] | {"annuity": 0}
    found = read_intervention(economics(intervention=even), read_price_index(economics()))
    assert found["cost"].tolist() == pytest.approx([275, 500, 100])
    assert found["price"].tolist() == pytest.approx([1100, 50, 1])
    assert found["unit_cost"].tolist() == [1000, 50, 1]
    assert found["lifetime_years"].isna().tolist() == [False, True, False]
    assert found.columns.tolist() == none().columns.tolist()


PEOPLE = pd.DataFrame(
    {
        "participant": ["P1", "P2", "P3", "P4", "P5", "P6"],
        "arm": ["b", "b", "b", "b", "a", "b"],
        "team": ["T1", "T1", "T1", "T2", "T3", "T4"],
        "interviewed_before": [True, True, False, True, True, False],
    }
)


def test_the_three_rules_by_which_the_intervention_is_shared(folder):
    """Three of the arm's five are analysed: two in one team, one in another, none in a third."""
    found = shares(PEOPLE, 1200.0, study(), economics())
    assert {name: of.tolist() for name, of in found.items()} == {
        "intervention_participants": [400, 400, 0, 400, 0, 0],
        "intervention_teams": [300, 300, 0, 600, 0, 0],
        "intervention_caseload": [120, 120, 0, 120, 0, 0],
    }


def test_only_rules_that_can_be_applied_are(folder):
    alone = economics(intervention={"costs": "i.csv", "share": "participants"})
    found = shares(PEOPLE, 1200.0, study(clusters=None), alone)
    assert list(found) == ["intervention_participants"]


def test_a_caseload_smaller_than_the_participants(folder):
    few = economics(intervention=ECONOMICS["intervention"] | {"caseload": 4})
    with pytest.raises(StudyError) as caught:
        shares(PEOPLE, 1200.0, study(), few)
    assert str(caught.value).startswith(
        "config/economics.yaml, line 2: intervention.caseload is 4, but 5 participants were "
        "recruited in the arm 'b'; expected everyone"
    )


def test_nobody_to_share_the_intervention(folder):
    with pytest.raises(StudyError, match="nobody in the arm 'b' has a before interview"):
        shares(PEOPLE.assign(interviewed_before=False), 1200.0, study(), economics())


def test_perspectives_are_patterns_of_names(ccp_study):
    dictionary = load_dictionary(load_study())
    one = {"label": "x", "services": ["su_general_*", "su_?e", "days_off_work"]}
    found = services_of(economics(perspectives={"one": one}), dictionary)
    assert found == {"one": ["su_ae", "su_general_hospital_days", "days_off_work"]}
    capital = {"label": "x", "services": ["SU_*"]}
    with pytest.raises(StudyError, match="that has a visit fits 'SU_\\*'"):
        services_of(economics(perspectives={"capital": capital}), dictionary)
    timeless = {"label": "x", "services": ["years_in_contact"]}
    with pytest.raises(StudyError, match="that has a visit fits 'years_in_contact'"):
        services_of(economics(perspectives={"timeless": timeless}), dictionary)


def test_the_costs_of_the_study(cleaned_ccp, caplog):
    """CP001 used nothing at baseline; the dead have lived a part of the time."""
    caplog.set_level(logging.WARNING)
    cleaned_ccp.cost()
    assert not caplog.text
    people = pd.read_parquet(DERIVED / "participants.parquet").set_index("participant")
    costs = pd.read_parquet(DERIVED / "costs.parquet").set_index("participant")
    table = pd.read_parquet(DERIVED / "prices.parquet")
    assert costs.loc["CP001", "cost_baseline"] == 0
    assert costs.index.equals(people.index)
    services = table.loc[(table["visit"] == "month6") & table["in_nhs_pss"], "variable"]
    incomplete = people[services].isna().any(axis=1)
    assert costs["cost_month6"].isna().equals(incomplete)
    assert 0 < (incomplete & people["interviewed_month6"]).sum() < 30
    assert people.loc["CP103", "alive_month6"] == pytest.approx(36 / 183)
    assert table.columns.tolist() == [
        *("service", "label", "visit", "source", "unit_cost", "price_year", "variable", "unit"),
        *("price_unit", "unit_price", "minutes", "recall_months", "period_months", "price"),
        *("index_source", "in_nhs_pss", "in_societal"),
    ]
    old = table["price_year"] < 2020
    assert old.sum() == 4 and (table["price"] > table["unit_cost"]).equals(old)
    # The intervention, by every rule of sharing it.
    total = pd.read_parquet(DERIVED / "intervention.parquet")["cost"].sum()
    who = (people["arm"] == "intervention") & people["interviewed_baseline"]
    for rule in ("participants", "teams"):
        assert costs[f"intervention_{rule}"].sum() == pytest.approx(total)
        assert (costs[f"intervention_{rule}"] > 0).equals(who)
    by_team = costs["intervention_teams"].groupby(people["team"]).sum()
    assert by_team[by_team > 0].tolist() == pytest.approx([total / 5] * 5)
    assert costs.loc[who, "intervention_caseload"].unique() == pytest.approx([total / 300])


def test_an_evaluation_without_an_intervention(cleaned_ccp):
    text = (cleaned_ccp / "config/economics.yaml").read_text()
    start, end = text.index("intervention:\n"), text.index("utility: utility")
    text = text[:start] + text[end:]
    kept = [line for line in text.splitlines() if not re.search("share: |intervention: 2", line)]
    (cleaned_ccp / "config/economics.yaml").write_text("\n".join(kept) + "\n")
    cleaned_ccp.cost()
    assert pd.read_parquet(DERIVED / "costs.parquet").columns.tolist() == [
        *("participant", "cost_baseline", "cost_month6"),
    ]
    items = pd.read_parquet(DERIVED / "intervention.parquet")
    assert items.empty
    assert items.columns.tolist() == none().columns.tolist()
    assert items["cost"].sum() == 0


def test_unit_costs_that_nobody_uses_are_noted(cleaned_ccp, caplog):
    caplog.set_level(logging.WARNING)
    cleaned_ccp.change(ECONOMY, '"su_*", days_off_work', '"su_*"')
    with pytest.raises(StudyError, match="absence.service is 'days_off_work', which is not a"):
        cleaned_ccp.cost()
    cleaned_ccp.change(ECONOMY, "service: days_off_work", "service: su_gp")
    asked = "followup,su_gp,{},month6,"
    cleaned_ccp.change(DICTIONARY, asked.format("su_gp"), asked.format("gp_contacts"))
    cleaned_ccp.cost()
    assert "unit_costs.csv, line 16: no perspective uses 'days_off_work'" in caplog.text
    assert "service 'su_gp' is not asked at ['month6']" in caplog.text


@pytest.mark.parametrize("case", STAGE)
def test_faults_of_the_evaluation(cleaned_ccp, case):
    """Practitioners are of teams too, of which there are none in one case."""
    changes, sentence = STAGE[case]
    for change in changes:
        cleaned_ccp.change(*change)
    with pytest.raises(StudyError) as caught:
        cleaned_ccp.cost()
    assert str(caught.value).startswith(sentence)
    assert not list(DERIVED.glob("costs*"))


@pytest.mark.parametrize("name", ["unit_costs", "price_index", "intervention_cost", "economics"])
def test_a_file_that_is_not_there(cleaned_ccp, name):
    [path] = (cleaned_ccp / "config").glob(f"{name}.*")
    path.unlink()
    said = f"config/{name}.csv: the file is missing; expected a CSV"
    with pytest.raises(StudyError, match="nothing to cost" if name == "economics" else said):
        cleaned_ccp.cost()


def test_the_rough_mapping_is_what_its_script_writes():
    script = runpy.run_path(str(Path(__file__).parent / "data/eq5d_3l_rough_mapping.py"))
    committed = (ROOT / "config/eq5d_3l_rough_mapping.csv").read_text()
    assert committed == script["table"]()
    table = pd.read_csv(ROOT / "config/eq5d_3l_rough_mapping.csv", index_col=0)["utility"]
    assert len(table) == 5**5
    # Dolan 1997: 11111 is 1, 33333 is -0.594, 11223 (here 11225) is 0.255, 21232 (31352) is 0.088.
    assert table[[11111, 55555, 11225, 31352]].tolist() == [1, -0.594, 0.255, 0.088]


def test_value_sets_say_what_they_are_worth(ccp_study):
    instruments = load_instruments()
    assert "not recommended by NICE" in instruments["utility"].standing.recommended
    assert "not the official mapping" in instruments["utility_3l"].standing.recommended
    assert "rough mapping" in instruments["utility_3l"].label
    assert instruments["wellbeing"].standing is None


def test_everything_that_is_a_placeholder_says_so():
    for name in ("unit_costs", "price_index", "intervention_cost"):
        table = pd.read_csv(ROOT / f"config/{name}.csv")
        assert table["source"].str.startswith("placeholder").all(), name
