"""Inputs that are possible and strange: each tried in the shipped study, each a query."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError
from support.cases import cases
from support.study import CCP, copy_study, inside, once

from ccp_analysis import before
from ccp_analysis.config.strange import Strange
from ccp_analysis.config.trial import Trial

DERIVED = Path("data/derived")
PLACEHOLDERS = [
    ("unit_costs.csv", "2", "15 of 15 sources"),
    ("intervention_cost.csv", "2", "7 of 7 sources"),
    ("price_index.csv", "2", "7 of 7 sources"),
]
STANDS = "placeholder in place of a published source"


@pytest.fixture(scope="module")
def participants(tmp_path_factory) -> Path:
    """The cleaned table of the study, made once."""

    def clean(path: Path) -> None:
        folder = copy_study(CCP, path)
        with inside(path):
            folder.clean()

    return once(tmp_path_factory, "cleaned", clean) / DERIVED / "participants.parquet"


@pytest.fixture
def asked(ccp_study, participants: Path) -> Callable[..., pd.DataFrame]:
    """Return the queries about prices after changes of the configuration."""

    def cost(*changes: tuple[str, str, str]) -> pd.DataFrame:
        for name, old, new in changes:
            ccp_study.change(f"config/{name}", old, new, count=-1)
        DERIVED.mkdir(parents=True, exist_ok=True)
        shutil.copy(participants, DERIVED / "participants.parquet")
        ccp_study.cost()
        return pd.read_csv(DERIVED / "price_queries.csv", dtype=str, keep_default_na=False)

    return cost


def test_of_the_shipped_study_only_placeholders_are_asked_about(asked):
    found = asked()
    assert before.faults(Trial()) == []
    assert set(found["rule"]) == {STANDS}
    assert list(zip(found["file"], found["row"], found["raw_value"], strict=True)) == PLACEHOLDERS
    assert found["id"].tolist() == ["P0001", "P0002", "P0003"]
    assert set(found["data_status"]) == {"synthetic"}


SILENT = cases("economics/data/strange.csv")


@pytest.mark.parametrize("case", SILENT)
def test_what_passed_in_silence_is_asked_about(asked, case):
    file, old, new, row, found, rule, why = SILENT[case]
    queries = asked((file, old, new))
    new = queries[queries["rule"] != STANDS]
    own = new[new["rule"].str.startswith(rule)]
    assert own[["file", "row", "raw_value"]].to_numpy().tolist() == [[file, row, found]], new
    assert why in own["action"].iloc[0]
    assert own["action"].iloc[0].startswith("used as it stands: ")
    assert set(new["row"]) == {row}  # and about nothing else
    assert set(new["severity"]) == {"query"}


@pytest.mark.parametrize("name", ["unit_costs", "price_index", "intervention_cost"])
def test_an_empty_source_is_a_fault(ccp_study, name):
    lines = (ccp_study / f"config/{name}.csv").read_text().splitlines()
    lines[2] = lines[2].partition('"')[0]
    (ccp_study / f"config/{name}.csv").write_text("\n".join(lines) + "\n")
    assert before.faults(Trial()) == [
        f"config/{name}.csv, line 3: the source is empty; expected where the figure is from."
    ]


def test_placeholders_are_asked_about_until_the_last_is_replaced(asked):
    real = [
        ("unit_costs.csv", "placeholder", "ours"),
        ("intervention_cost.csv", "placeholder", "x"),
    ]
    found = asked(*real)
    rest = [["price_index.csv", "2", "7 of 7 sources"]]
    assert found[["file", "row", "raw_value"]].to_numpy().tolist() == rest
    prices = pd.read_parquet(DERIVED / "prices.parquet")
    assert prices["index_source"].str.startswith("placeholder").all()
    assert asked(("price_index.csv", "placeholder", "ONS")).empty


STRANGE = "strange:\n"


def test_what_is_accepted_keeps_its_query_with_the_answer(asked):
    answer = ("economics.yaml", STRANGE, f"{STRANGE}  accepted: {{su_gp: by design}}\n")
    queries = asked(("unit_costs.csv", "su_gp,contact,40,", "su_gp,contact,255,"), answer)
    (one,) = queries[queries["rule"] != STANDS].to_dict("records")
    assert (one["decision"], one["answer"]) == ("kept", "by design")


def test_thresholds_are_those_of_the_configuration(asked):
    more = "  above: 3\n  below: 0.3\n  share: 0.3\n  index_step: 0.015\n  caseload: 3\n"
    queries = asked(
        ("economics.yaml", STRANGE, STRANGE + more),
        ("economics.yaml", "{item and month: [1, 100]}", "{day: [200, 400]}"),
    )
    found = queries[queries["rule"] != STANDS].groupby("rule")["row"].apply(list).to_dict()
    assert found["price out of ratio to the other services"] == ["3", "11"]
    assert found["price outside what its unit usually costs"] == ["13", "16", "3"]
    assert found["most of the cost is of one service or item"] == ["8"]  # 4,500 of 14,299 pounds
    assert found["caseload out of ratio to the participants"] == ["19"]
    assert found["step of the price index"] == ["5", "6", "7", "8"]


def test_a_unit_that_nobody_else_has_is_compared_with_all(asked):
    change = ("unit_costs.csv", "su_gp,contact,40,", "su_gp,consultation,4000,")
    queries = asked(change)
    own = queries[queries["rule"] == "price out of ratio to the other services"]
    assert own["row"].tolist() == ["2"]
    assert "times the median of all others" in own["action"].iloc[0]


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValidationError, match="'day' must go from a lower to a higher price"):
        Strange(plausible={"day": (400, 200)})
