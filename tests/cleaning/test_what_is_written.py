"""Accounts, reasons for missing values, scales, codebook, deaths, value sets, safe CSV files."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.study import inside

from ccp_analysis.cleaning import stage
from ccp_analysis.cleaning.accounts import check_balance
from ccp_analysis.cleaning.scales import cronbach_alpha
from ccp_analysis.cleaning.value_set import read_value_set, utility
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.files import escaped, unescaped, write_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(ccp_done, tmp_path_factory) -> dict[str, object]:
    """What cleaning the CCP study writes, and why each value is missing."""
    out, derived = tmp_path_factory.mktemp("written"), ccp_done / "data/derived"
    with inside(ccp_done.path):
        stage.run(
            participants=out / "p.parquet",
            queries=out / "q.csv",
            flow=out / "f.json",
            missing=out / "missing.parquet",
        )
    return {
        "people": pd.read_parquet(derived / "participants.parquet"),
        "flow": json.loads((derived / "flow.json").read_text(encoding="utf-8")),
        "missing": pd.read_parquet(out / "missing.parquet"),
        "scales": pd.read_csv(
            derived / "scales.csv", keep_default_na=False, na_values={"alpha": ""}
        ),
        "codebook": pd.read_parquet(derived / "codebook.parquet"),
    }


def test_every_raw_row_is_accounted_for(ccp_done):
    flow = json.loads((ccp_done / "data/derived/flow.json").read_text(encoding="utf-8"))
    for account in flow["rows"]:
        lines = (ccp_done / "data/raw" / account["file"]).read_text(encoding="utf-8").count(
            "\n"
        ) - 1
        explained = sum(n for key, n in account.items() if key not in ("file", "rows"))
        assert account["rows"] == lines == explained
    sets = {one["set"]: one for one in flow["sets"]}
    assert {name: one["n"] for name, one in sets.items()} == {
        "recruited": 159,
        "itt": 151,
        "followed_up": 127,
        "complete_case": 127,
    }
    for one in flow["sets"][1:]:
        whole, parts = sets[one["of"]], [one, *one["left_out"]]
        assert sum(part["n"] for part in parts) == whole["n"]
        for arm, n in whole["by_arm"].items():
            assert sum(part["by_arm"][arm] for part in parts) == n
        for entry in whole["by_cluster"]:
            theirs = [
                e["n"] for p in parts for e in p["by_cluster"] if e["cluster"] == entry["cluster"]
            ]
            assert sum(theirs) == entry["n"]
    for later in flow["stages"][1:]:
        assert later["missing_total"] == sum(entry["n"] for entry in later["missing"])
        assert sum(later["missing_by_arm"].values()) == later["missing_total"]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("rows", 2, "rows"), "baseline.csv"),
        (("files", 3, "kept"), "followup.csv"),
        (("sets", 1, "n"), "itt"),
        (("sets", 2, "by_arm", "control"), "followed_up"),
        (("sets", 3, "left_out", 0, "n"), "complete_case"),
        (("sets", 3, "by_cluster", 4, "n"), "complete_case"),
        (("stages", 2, "missing", 0, "by_arm", "control"), "month6"),
    ],
)
def test_accounts_that_do_not_balance_stop_the_run(ccp_done, monkeypatch, path, where):
    monkeypatch.chdir(ccp_done.path)
    flow = json.loads(Path("data/derived/flow.json").read_text(encoding="utf-8"))
    study = load_study()
    check_balance(study, flow)
    part = wrong = copy.deepcopy(flow)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] += 1
    with pytest.raises(StudyError, match=f"The accounts of '{where}' do not balance"):
        check_balance(study, wrong)


def test_the_complete_cases_are_those_of_the_primary_outcome(monkeypatch):
    monkeypatch.chdir(ROOT)
    primary = [outcome.id for outcome in load_plan().outcomes if outcome.role == "primary"]
    assert load_study().complete_case == primary


def test_each_missing_value_has_one_reason(written):
    people, missing = written["people"], written["missing"]
    assert not missing.duplicated(["participant", "variable"]).any()
    gaps = people.set_index("participant")[missing["variable"].cat.categories].isna().stack()
    listed = set(zip(missing["participant"], missing["variable"], strict=True))
    assert listed == set(gaps[gaps].index)
    one = missing[(missing["participant"] == "CP002") & (missing["variable"] == "rgu_18_baseline")]
    assert one["reason"].tolist() == ["not answered"]
    gone = missing[(missing["participant"] == "CP103") & (missing["variable"] == "eq_vas_month6")]
    assert gone["reason"].tolist() == ["no interview: death"]
    never = missing[missing["variable"] == "age"]["reason"].astype(str)
    assert never.str.startswith("no interview: ").sum() == 8


def test_scales_are_described_without_regard_to_arm(written):
    scales, people = written["scales"], written["people"]
    assert set(scales["data_status"]) == {"synthetic"}
    assert len(scales) == 2 * (7 + 4) + 1  # fidelity has no baseline
    row = scales.query("scale == 'wellbeing' and visit == 'month6'").iloc[0]
    score = people["wellbeing_month6"].dropna()
    assert (row["n"], row["n_asked"], row["lowest"], row["highest"]) == (len(score), 127, 14, 70)
    np.testing.assert_allclose([row["mean"], row["sd"]], [score.mean(), score.std(ddof=1)])
    items = people[people["interviewed_month6"]].filter(regex=r"^wemwbs_\d\d_month6$")
    assert row["n_alpha"] == items.notna().all(axis=1).sum()
    assert (
        row["n_prorated"] == (items.isna().any(axis=1) & score.notna().reindex(items.index)).sum()
    )
    covariance = items.dropna().cov().to_numpy()
    alpha = 14 / 13 * (1 - np.trace(covariance) / covariance.sum())
    np.testing.assert_allclose(row["alpha"], alpha)
    value = scales.query("scale == 'utility' and visit == 'baseline'").iloc[0]
    assert np.isnan(value["alpha"])
    np.testing.assert_allclose(
        value["ceiling_percent"], 100 * (people["utility_baseline"].dropna() == 1).mean()
    )


def test_alpha_of_a_textbook_case_and_of_none():
    # Two parallel items with correlation r: alpha is 2 r / (1 + r) (Spearman-Brown).
    items = pd.DataFrame({"a": [1.0, 2, 3, 4, np.nan], "b": [2.0, 1, 4, 3, 9]})
    alpha, n = cronbach_alpha(items)
    assert (n, alpha) == (4, pytest.approx(2 * 0.6 / 1.6))
    for none in (items[["a"]], pd.DataFrame({"a": [1.0, 2], "b": [2.0, 1]})):
        assert np.isnan(cronbach_alpha(none)[0])


def test_the_codebook_has_every_variable_once(written):
    book, people = written["codebook"], written["people"]
    assert not book.duplicated(["variable", "file"]).any()
    derived = {"left", "interviewed_baseline", "interviewed_month6", "alive_month6"}
    assert set(people) - set(book["variable"]) == derived
    in_people = book[
        book["variable"].isin(people.columns)
        & ~book["file"].isin(["teams", "status", "delivery", "practitioners"])
    ]
    for row in in_people.itertuples():
        assert row.n == people[row.variable].notna().sum()
        assert row.missing == people[row.variable].isna().sum()
        assert sum(json.loads(row.missing_by_reason).values()) == row.missing, row.variable
    gender = book[book["variable"] == "gender"].iloc[0]
    assert json.loads(gender["codes"])["female"] == "Female"
    assert sum(json.loads(gender["counts"]).values()) == gender["n"]
    age = book[book["variable"] == "age"].iloc[0]
    ages = people["age"].dropna()
    np.testing.assert_allclose(
        age[["mean", "sd", "q1", "median", "maximum"]].astype(float),
        [ages.mean(), ages.std(ddof=1), ages.quantile(0.25), ages.median(), ages.max()],
    )
    assert json.loads(age["limits"])["soft_maximum"] == 90
    event = book[(book["file"] == "status") & (book["name"] == "event")].iloc[0]
    assert json.loads(event["counts"])["death"] == 1


def test_the_dead_have_utility_0_and_nothing_else(written):
    people, flow = written["people"].set_index("participant"), written["flow"]
    assert people.loc["CP103", "left"] == "death"
    assert (people.loc["CP103", ["utility_month6", "utility_3l_month6"]] == 0).all()
    others = people.loc["CP103"].filter(regex="_month6$")
    said = ["utility_month6", "utility_3l_month6", "interviewed_month6", "alive_month6"]
    assert others.drop(said).isna().all()
    assert flow["deaths"] == [
        {"visit": "month6", "n": 1, "by_arm": {"control": 0, "intervention": 1}}
    ]


def test_a_table_of_all_states_gives_what_the_decrements_give(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    scale = load_instruments()["utility"]
    by_decrements = read_value_set(scale)
    states = ["".join(levels) for levels in itertools.product("12345", repeat=5)]
    levels = pd.DataFrame([[float(d) for d in state] for state in states], columns=scale.items)
    values = utility(levels, by_decrements)
    path = tmp_path / "states.csv"
    lines = [f"{state},{value}\n" for state, value in zip(states, values, strict=True)]
    path.write_text("profile,utility\n" + "".join(lines))
    table = read_value_set(scale.model_copy(update={"value_set": path}))
    levels.loc[0, "eq_pain"] = np.nan
    found = utility(levels, table)
    assert len(states) == 3125
    assert np.isnan(found[0])
    assert found[1:].tolist() == values[1:].tolist()


FORMULAS = ["=1+1", "+A1", "-A1", "@SUM(A1)", "  =1", "\t=1", "\rx", "＝1", "-2+3", "+1 2"]
NUMBERS = ["-99", "+3", "-1.5e-3", "-,5", " -7 ", "3", "", "a=b", "A-1", "'=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_escaped_in_every_table(tmp_path, text):
    assert escaped(text) == f"'{text}"
    assert unescaped(f"'{text}") == text
    table = pd.DataFrame({"a": pd.Series([text, "x", None], dtype=object), text: [1, 2, 3]})
    write_csv(tmp_path / "a.csv", table)
    with (tmp_path / "a.csv").open(newline="") as handle:
        again = pd.read_csv(handle, keep_default_na=False)
    assert again.iloc[:, 0].tolist() == [f"'{text}", "x", ""]
    assert again.columns.tolist() == ["a", f"'{text}"]
    assert table.iloc[0, 0] == text


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_and_other_text_are_left_as_they_are(text):
    assert escaped(text) == text


@given(st.text(max_size=6))
def test_escaping_can_be_undone(text):
    if not text.startswith("'"):
        assert unescaped(escaped(text)) == text
    assert escaped(text)[:1] not in ("=", "@", "\t", "\r")


def test_identifiers_unlike_the_others_and_numbers_not_expected_are_queries(ccp_study):
    for path in Path("data/raw").glob("*.csv"):
        table = path.read_text(encoding="utf-8")
        path.write_text(table.replace("CP005,", "5,"), encoding="utf-8")
    ccp_study.change("config/study.yaml", "expected: 32", "expected: 33")
    ccp_study.change("config/study.yaml", "month6: 127", "month6: 126")
    ccp_study.clean()
    queries = pd.read_csv("data/derived/queries.csv", dtype=str, keep_default_na=False)
    found = queries[queries["rule"] == "identifier unlike the others"]
    assert set(found["raw_value"]) == {"5"}
    assert {"recruitment.csv", "baseline.csv"} <= set(found["file"])
    for file, rule, value in (
        ("status.csv", "33 rows expected", "32"),
        ("study.yaml", "126 participants expected at stage month6", "127"),
    ):
        [query] = queries[(queries["file"] == file) & (queries["row"].isin(["0", ""]))].to_dict(
            "records"
        )
        assert (query["rule"], query["raw_value"]) == (rule, value)
