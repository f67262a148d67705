"""The committed data of the two studies: every planted fault is found, and no other."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

PLANTED = Path(__file__).parents[1] / "simulation" / "data" / "planted_faults.csv"
RULES = {
    "missing_code": "missing code",
    "white_space": "spelling",
    "recoded": "spelling",
    "duplicate_row": "identical row repeated",
    "unknown": "unknown",
}
UNKNOWN = {
    "a participant who was not recruited": "unknown",
    "not one of the practitioners": "unknown",
}


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_every_planted_fault_is_a_query_and_no_other(ccp_done):
    planted = table(PLANTED)
    planted = planted[planted["kind"] != "blank"]  # nothing was there to be changed
    queries = table(ccp_done / "data/derived/queries.csv")
    where = ["file", "row", "participant", "column", "raw_value"]
    expected = Counter(planted.assign(file=planted["file"] + ".csv")[where].agg("|".join, axis=1))
    assert Counter(queries[where].agg("|".join, axis=1)) == expected
    rules = planted.assign(
        file=planted["file"] + ".csv", rule=planted["kind"].map(RULES).fillna("outside")
    )
    found = queries.assign(rule=queries["rule"].str.replace(r"^outside.*", "outside", regex=True))
    found["rule"] = found["rule"].replace(UNKNOWN)
    keys = [*where, "rule"]
    assert set(map(tuple, found[keys].to_numpy())) == set(map(tuple, rules[keys].to_numpy()))


def test_a_query_quotes_the_cell_of_its_line(ccp_done):
    queries = table(ccp_done / "data/derived/queries.csv")
    files = {name: table(ccp_done / f"data/raw/{name}") for name in queries["file"].unique()}
    for query in queries[queries["column"] != ""].itertuples():
        assert files[query.file][query.column].iloc[int(query.row) - 2] == query.raw_value
    severity = queries.groupby("rule")["severity"].unique().map(list)
    for rule, found in severity.items():
        asked = rule.startswith("identical") or rule in UNKNOWN
        expected = "query" if asked else "note"
        assert found == (["error"] if rule.startswith("outside") else [expected])


def test_what_was_set_missing_is_missing_and_all_else_is_kept(ccp_done):
    """Counted from the raw files by plain means: cells in minus cells queried away."""
    people = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    queries = table(ccp_done / "data/derived/queries.csv")
    raw = table(ccp_done / "data/raw/followup.csv")
    gone = queries[
        (queries["file"] == "followup.csv") & queries["action"].str.startswith("set missing")
    ]
    for column in ("rgu_11", "wemwbs_04", "eq_vas", "su_gp", "qpr_01"):
        filled = (raw[column].str.strip() != "").sum() - (gone["column"] == column).sum()
        assert people[f"{column}_month6"].notna().sum() == filled


def test_what_outcomes_and_other_variables_lost_is_counted(ccp_done):
    """The planted values that are impossible, by variable and by instrument."""
    flow = json.loads((ccp_done / "data/derived/flow.json").read_text())
    planted = table(PLANTED)
    planted = planted[planted["file"] != "practitioners"]
    items = planted.loc[planted["kind"] == "impossible", "column"].tolist()
    scores = ["social_capital", "recovery", "wellbeing", "goal_attainment", "utility", "utility_3l"]
    scores.append("fidelity")
    lost = dict.fromkeys(items + scores, 1)
    assert {entry["name"]: entry["n"] for entry in flow["set_missing"]} == lost
    assert all(e["reasons"] == {"outside the limits": 1} for e in flow["set_missing"])


def test_flow(ccp_done):
    flow = json.loads((ccp_done / "data/derived/flow.json").read_text())
    stages = flow["stages"]
    assert [stage["n"] for stage in stages] == [159, 151, 127]
    for stage in stages:
        assert sum(stage["by_arm"].values()) == stage["n"]
        assert sum(entry["n"] for entry in stage["by_cluster"]) == stage["n"]
        assert len(stage["by_cluster"]) == 10
        for arm, n in stage["by_arm"].items():
            assert sum(e["n"] for e in stage["by_cluster"] if e["arm"] == arm) == n
    for before, after in zip(stages, stages[1:], strict=False):
        missing = after["missing"]
        assert sum(entry["n"] for entry in missing) == before["n"] - after["n"]
        for arm, n in before["by_arm"].items():
            assert sum(e["by_arm"][arm] for e in missing) == n - after["by_arm"][arm]
        assert all(sum(e["by_arm"].values()) == e["n"] for e in missing)
    assert all(sum(e["recorded"].values()) == e["n"] for e in stages[2]["missing"])
    assert "no reason recorded" not in [e["reason"] for s in stages[1:] for e in s["missing"]]
    assert all(e["expected"] == e["found"] for e in flow["expected"])
    duplicates = {f["file"]: f["identical_rows_left_out"] for f in flow["files"]}
    assert duplicates["baseline.csv"] == duplicates["delivery.csv"] == 1
    assert sum(duplicates.values()) == 2
    [unknown] = [f for f in flow["rows"] if "of_nobody" in f]
    assert (unknown["file"], unknown["of_nobody"]) == ("delivery.csv", 1)


def test_scores_lie_on_their_scales(ccp_done):
    people = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    limits = {
        "social_capital": (0, 27),
        "recovery": (0, 60),
        "wellbeing": (14, 70),
        "goal_attainment": (0, 10),
        "inclusion": (1, 5),
        "utility": (-0.285, 1),
    }
    for name, (low, high) in limits.items():
        for visit in ("baseline", "month6"):
            score = people[f"{name}_{visit}"].dropna()
            assert len(score) > 110
            assert score.between(low - 1e-9, high + 1e-9).all()
    parts = people.filter(regex="^social_capital_[a-z_]+_baseline$")
    complete = people.filter(regex=r"^rgu_\d\d_baseline$").notna().all(axis=1)
    assert parts.shape[1] == 4
    np.testing.assert_allclose(
        parts[complete].sum(axis=1), people.loc[complete, "social_capital_baseline"]
    )


def test_beat_the_blues_is_taken_as_it_stands(btheb_done):
    assert table(btheb_done / "data/derived/queries.csv").empty
    flow = json.loads((btheb_done / "data/derived/flow.json").read_text())
    assert [stage["n"] for stage in flow["stages"]] == [100, 100, 97, 73, 58, 52]
    assert flow["data_status"] == "public"


def test_a_level_6_of_the_eq5d_is_an_error_and_leaves_no_utility(ccp_study, ccp_done):
    """Two cells are changed, and nothing else that comes out but what follows from them."""
    before = pd.read_parquet(ccp_done / "data/derived/participants.parquet")
    ccp_study.cell("data/raw/baseline.csv", 2, "eq_pain", "6")
    ccp_study.cell("data/raw/baseline.csv", 2, "eq_vas", "61")
    ccp_study.clean()
    queries = table(ccp_study / "data/derived/queries.csv")
    found = queries[(queries["file"] == "baseline.csv") & (queries["row"] == "2")]
    [query] = found[found["column"] == "eq_pain"].to_dict("records")
    assert (query["severity"], query["participant"]) == ("error", "CP001")
    assert (query["raw_value"], query["rule"]) == ("6", "outside 1 to 5")
    assert query["action"].startswith("set missing")
    after = pd.read_parquet(ccp_study / "data/derived/participants.parquet")
    hit = ["eq_pain_baseline", "utility_baseline", "utility_3l_baseline"]
    assert before.loc[0, hit].notna().all() and after.loc[0, hit].isna().all()
    assert (before.loc[0, "eq_vas_baseline"], after.loc[0, "eq_vas_baseline"]) == (62, 61)
    hit.append("eq_vas_baseline")
    pd.testing.assert_frame_equal(before.drop(columns=hit), after.drop(columns=hit))
