"""Recall periods, minutes of contacts, medication and financial years, against R and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.cases import edits

from ccp_analysis import before
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.study import Study
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics.costs import total_costs
from ccp_analysis.economics.prices import price_table, read_price_index, read_unit_costs
from ccp_analysis.economics.recorded import recorded_use
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.services import read_services

DATA = Path(__file__).parent / "data"
DERIVED = Path("data/derived")
VISITS = {"start": 0, "half": 6, "end": 18}
SERVICES = ["gp", "nurse", "psych", "day", "drugs"]
LIST = {
    **{"file": "taken", "service": "drugs", "label": "Medication", "visit": "when"},
    **{"drug": "drug", "dose": "dose", "quantity": "quantity", "price": "price"},
}


def study(medication: dict | None = LIST) -> Study:
    content = {
        **dict.fromkeys(("id", "title", "short_title", "registration"), "made_up"),
        **{"data_status": "synthetic", "data_date": "2021-01-01", "randomised": True},
        "arms": {"variable": "arm", "reference": "a", "levels": {"a": "A", "b": "B"}},
        "visits": [{"id": v, "label": v, "months": months} for v, months in VISITS.items()],
        "files": {
            "people": {"path": "people.csv", "rows": "participant"},
            "taken": {"path": "taken.csv", "rows": "event"},
        },
        "medication": medication,
    }
    return Study.model_validate(content)


def column(name: str, visit: str = "", **more) -> Column:
    plain = {"file": "people", "column": name, "label": name, "type": "number", "codes": {}}
    plain |= {"missing": {}, "minimum": None, "maximum": None, "unit": "contacts"}
    return Column.model_validate(plain | {"name": name, "visit": visit} | more)


def dictionary() -> list[Column]:
    asked = ("gp", "nurse", "psych", "day", "talk")
    codes = {visit: [] for visit in VISITS}
    when = column("when", file="taken", type="category", codes=codes)
    return [when, *(column(name, visit) for visit in VISITS for name in asked)]


def economics(**changes) -> Economics:
    content = {
        **{"price_year": "2019/20", "currency": "GBP", "utility": "u", "months": 6},
        "unit_costs": DATA / "recorded/unit_costs.csv",
        "price_index": DATA / "recorded/price_index.csv",
        "perspectives": {"all": {"label": "All", "services": SERVICES}},
        **{"thresholds": [0, 1], "main_thresholds": [1]},
    }
    return Economics.model_validate(content | changes)


def priced(asked: Economics, of: Study | None = None, known: list[Column] | None = None):
    index = read_price_index(asked)
    costs = read_unit_costs(asked, index)
    return price_table(of or study(), asked, known or dictionary(), costs, index)


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((DATA / "recorded.json").read_text())


def test_costs_of_everybody_against_r(reference, tmp_path):
    people = pd.read_csv(DATA / "recorded/people.csv")
    pd.read_csv(DATA / "recorded/medication.csv").to_parquet(tmp_path / "list.parquet")
    table = priced(economics())
    made = recorded_use(study(), people, table, tmp_path / "list.parquet")
    whole = pd.concat([people, made], axis=1)
    found = total_costs(whole, table, "all")
    for visit in VISITS:
        wanted = reference["visits"][visit]
        for name, values in {
            f"psych_hours_{visit}": "hours",
            f"drugs_{visit}": "drugs",
        }.items():
            expected = np.array(wanted[values], dtype=float)
            np.testing.assert_allclose(made[name], expected, rtol=1e-12)
        expected = np.array(wanted["total"], dtype=float)
        np.testing.assert_allclose(found[f"cost_{visit}"], expected, rtol=1e-12)
        assert 5 < np.isfinite(expected).sum() < 24
        for row in table[table["visit"] == visit].itertuples():
            mean = float((whole[row.variable] * row.price).mean())
            assert mean == pytest.approx(wanted["mean_of_each"][row.service], rel=1e-12)
    first = table.drop_duplicates("service").set_index("service")["unit_price"].to_dict()
    assert first == pytest.approx(reference["price"], rel=1e-12)


def test_a_recorded_unit_says_what_it_is():
    table = priced(economics()).set_index(["service", "visit"])
    units = table.loc[("nurse", "half"), ["unit", "price_unit"]].tolist()
    assert units == ["contact of 12.5 minutes", "hour"]
    assert table.loc["psych", "variable"].tolist() == [f"psych_hours_{visit}" for visit in VISITS]
    assert table.loc["drugs", "label"].tolist() == ["Medication"] * 3
    assert "talk" not in table.index.get_level_values(0)
    assert set(table["price_year"]) == {"2016/17", "2017/18", "2018/19", "2019/20"}


def test_hours_where_nobody_came_and_where_nobody_knows():
    half = {"psych_half": [0.0, 2, 2, np.nan, 0], "talk_half": [np.nan, 45, np.nan, 30, 30]}
    none = {f"{s}_{v}": 0.0 for s in ("psych", "talk") for v in ("start", "end")}
    people = pd.DataFrame(half).assign(**none)
    found = recorded_use(study(), people, priced(economics()), None)["psych_hours_half"]
    assert found.fillna(-1).tolist() == [0, 1.5, -1, -1, 0]


def test_medication_nobody_listed_is_none_and_what_is_not_known_is_missing(tmp_path):
    rows = {
        "participant": ["P1", "P1", "P3", "P4", "P5", "P5"],
        "visit": ["half", "half", "half", None, "half", "end"],
        "drug": ["a", "b", "a", "a", "a", "a"],
        "dose": "",
        "quantity": [28.0, 10, np.nan, 1, 2, 2],
        "price": [0.5, 1, 2, 3, 4, 5],
    }
    pd.DataFrame(rows).to_parquet(tmp_path / "list.parquet")
    people = pd.DataFrame({"participant": [f"P{k}" for k in range(1, 7)]})
    people = people.assign(**dict.fromkeys((f"interviewed_{v}" for v in VISITS), True))
    people.loc[5, "interviewed_half"] = False
    zero = {f"{s}_{v}": 0.0 for v in VISITS for s in ("psych", "talk")}
    made = recorded_use(
        study(), people.assign(**zero), priced(economics()), tmp_path / "list.parquet"
    )
    assert made["drugs_half"].fillna(-1).tolist() == [24, 0, -1, -1, 8, -1]
    assert made["drugs_end"].fillna(-1).tolist() == [0, 0, 0, -1, 10, 0]


FAULTS, OF_LISTS = (edits("economics/data/faults.csv", of) for of in ("recorded", "list"))


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_what_is_recorded(tmp_path, case):
    [(name, old, new)], sentence = FAULTS[case]
    text = (DATA / f"recorded/{name}.csv").read_text()
    assert old in text
    (tmp_path / "file.csv").write_text(text.replace(old, new))
    with pytest.raises(StudyError) as caught:
        priced(economics(**{name: tmp_path / "file.csv"}))
    assert str(caught.value).startswith(f"{tmp_path / 'file.csv'}, line {sentence}")


def test_what_agrees_with_no_price_is_refused():
    known = [*dictionary(), column("psych_hours", "end")]
    only = {"all": {"label": "All", "services": ["psych"]}}
    with pytest.raises(StudyError, match="'psych_hours_end' is to be the hours of 'psych' and is"):
        priced(economics(perspectives=only), known=known)
    with pytest.raises(ValueError, match="expected a year, as 2020, or a financial year"):
        economics(price_year="2019/21")


def test_the_imputation_takes_hours_and_medication_as_services():
    table = priced(economics())
    services = read_services(table, economics(), study(), pd.DataFrame())
    assert services.use["psych_hours_half"] == ("psych", "half")
    assert services.use["drugs_end"] == ("drugs", "end")
    rule = services.totals["cost_half"]
    assert rule.parts == ("gp_half", "nurse_half", "psych_hours_half", "day_half", "drugs_half")


DRUGS = """\
drugs,participant,participant,,Participant,id,,,,,,,
drugs,visit,taken_at,,Visit,category,baseline=At first;month6=Later,,,,,,
drugs,drug,drug,,Drug,category,olanzapine=Olanzapine;lithium=Lithium,,,,,,
drugs,dose,dose,,Dose,number,,,,,mg,,
drugs,quantity,quantity,,Quantity,number,,,0,,tablets,,
drugs,price,price,,Price,number,,,0,,pounds,,
"""


@pytest.fixture
def with_list(ccp_study):
    """The shipped study with medication as a list of drugs in place of a count of months."""
    roster = pd.read_csv("data/raw/recruitment.csv", dtype=str)["participant"]
    rows = [
        f"{who},{visit},{drug},{dose},{28 * (k % 5 + 1)},{price}"
        for k, who in enumerate(roster)
        for visit in ("baseline", "month6")
        for drug, dose, price in [("olanzapine", 5, 0.06), ("lithium", 400, 0.11)][: k % 3]
    ]
    rows[7] = rows[7].rpartition(",")[0] + ",6"  # pence
    header = "participant,visit,drug,dose,quantity,price"
    (ccp_study / "data/raw/drugs.csv").write_text("\n".join([header, *rows]) + "\n")
    ccp_study.change(
        "config/study.yaml",
        "\nlosses:",
        "\nmedication: {file: drugs, service: su_drugs, label: Medication by the list, visit: "
        "taken_at, drug: drug, dose: dose, quantity: quantity, price: price}\n\nlosses:",
    )
    own = "\n  drugs: {path: data/raw/drugs.csv, rows: event}\n  status: "
    ccp_study.change("config/study.yaml", "\n  status: ", own)
    price = "su_drugs,pound,1,2018,placeholder for a drug tariff\n"
    for name, more in (("dictionary", DRUGS), ("unit_costs", price)):
        path = ccp_study / f"config/{name}.csv"
        path.write_text(path.read_text().rstrip("\n") + "\n" + more)
    return ccp_study


def test_a_list_of_medication_goes_through_the_study(with_list):
    assert before.faults(Trial()) == []
    with_list.clean()
    with_list.cost()
    costs = pd.read_parquet(DERIVED / "costs.parquet").set_index("participant")
    people = pd.read_parquet(DERIVED / "participants.parquet").set_index("participant")
    raw = pd.read_csv("data/raw/drugs.csv")
    by_hand = (raw["quantity"] * raw["price"]).groupby([raw["participant"], raw["visit"]]).sum()
    for visit in ("baseline", "month6"):
        found = costs[f"su_drugs_{visit}"]
        for who in people.index:
            if (who, visit) in by_hand.index:
                assert found[who] == pytest.approx(by_hand[who, visit])
            elif people.loc[who, f"interviewed_{visit}"]:
                assert found[who] == 0
            else:
                assert np.isnan(found[who])
    prices = pd.read_parquet(DERIVED / "prices.parquet")
    own = prices[prices["service"] == "su_drugs"]
    index = pd.read_csv("config/price_index.csv").set_index("price_year")["index"]
    assert own["price"].tolist() == pytest.approx([index[2020] / index[2018]] * 2)
    queries = pd.read_csv(DERIVED / "price_queries.csv", dtype=str, keep_default_na=False)
    (pence,) = queries[queries["file"] == "drugs.csv"].to_dict("records")
    assert pence["row"] == "9"
    assert pence["participant"] == raw["participant"][7]
    assert pence["rule"] == "price out of ratio to the other rows of its drug and dose"
    assert "times the median of its rows" in pence["action"]


@pytest.mark.parametrize("case", OF_LISTS)
def test_faults_of_a_list_of_medication(with_list, case):
    [change], sentence = OF_LISTS[case]
    with_list.change(*change)
    found = before.faults(Trial())
    assert any(sentence in text for text in found), found
