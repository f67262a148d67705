"""The files of config/ describe the raw files of both studies, column by column."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
import yaml
from synthetic.parameters import DEFAULT
from synthetic.toolkit import FIDELITY

DECREMENTS = {  # Devlin et al. 2018, levels 2 to 5
    "eq_mobility": (0.058, 0.076, 0.207, 0.274),
    "eq_selfcare": (0.050, 0.080, 0.164, 0.203),
    "eq_activities": (0.050, 0.063, 0.162, 0.184),
    "eq_pain": (0.063, 0.084, 0.276, 0.335),
    "eq_anxiety": (0.078, 0.104, 0.285, 0.289),
}


def instruments(folder: Path) -> dict:
    return yaml.safe_load((folder / "config" / "instruments.yaml").read_text())["instruments"]


def test_missing_codes_and_synonyms_clash_with_nothing(columns: dict) -> None:
    for entry in columns.values():
        low, high = entry.limits
        for code in entry.missing:
            assert entry.decode(code) is None
            if code.lstrip("-").isdigit() and entry.type == "integer":
                assert not low <= int(code) <= high
        names = [
            name.strip().lower()
            for code, labels in entry.codes.items()
            for name in {code.lower(), *(label.strip().lower() for label in labels)}
        ]
        assert len(names) == len(set(names))


def test_value_set(root: Path) -> None:
    table = pd.read_csv(root / "config" / "eq5d5l_england_2018.csv")
    assert list(table.columns) == ["dimension", "level", "decrement", "source"]
    found = {
        dimension: tuple(rows.sort_values("level")["decrement"])
        for dimension, rows in table.groupby("dimension")
    }
    assert found == {dimension: (0.0, *levels) for dimension, levels in DECREMENTS.items()}
    worst = 1 - table.loc[table["level"] == 5, "decrement"].sum()
    assert worst == pytest.approx(instruments(root)["utility"]["range"][0], abs=1e-12)
    drawn = next(s for s in DEFAULT.scales if s.levels)
    assert dict(zip(drawn.items, drawn.weights, strict=True)) == found


def test_instruments_agree_with_the_dictionary_and_the_generator(root: Path, columns: dict) -> None:
    described = instruments(root)
    names = {entry.name: entry for entry in columns.values() if entry.visit}
    drawn = {scale.name: scale for scale in DEFAULT.scales}
    assert set(described) == set(drawn) - {"eq_vas"} | {"utility_3l", "fidelity"}
    assert tuple(described.pop("fidelity")["items"]) == FIDELITY
    for name, entry in described.items():
        scale = drawn["utility" if name == "utility_3l" else name]  # another value set
        assert tuple(entry["items"]) == scale.items and entry["score"] == scale.score
        assert all(names[item].limits == [scale.low, scale.high] for item in scale.items)
        if entry["score"] != "value_set":
            count = len(scale.items) if entry["score"] == "sum" else 1
            assert entry["range"] == [count * scale.low, count * scale.high]
        parts = [s["items"] for s in entry.get("subscales", {}).values()]
        assert not parts or sorted(chain(*parts)) == sorted(entry["items"])
    assert described["wellbeing"]["mcid"] == 3 and described["social_capital"]["mcid"] is None
    assert list(described["social_capital"]["subscales"]) == [
        *("domestic", "expert", "skills", "problem_solving"),
    ]
    assert described["goal_attainment"]["minimum_answered"] <= 1 / 3


def test_beat_the_blues(root: Path, btheb: pd.DataFrame, btheb_columns: dict) -> None:
    folder = root / "examples" / "beat_the_blues"
    table, columns = btheb, btheb_columns
    assert set(columns) == {("btheb", column) for column in table.columns}
    assert instruments(folder) == {}
    assert list(table["participant"]) == [f"B{i:03d}" for i in range(1, 101)]
    visits = ["bdi.pre", "bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]
    assert list(table.columns) == ["participant", "drug", "length", "treatment", *visits]
    scores = table[visits].apply(pd.to_numeric)
    # R: colSums(is.na(BtheB)), colSums(BtheB[, 4:8], na.rm = TRUE), tables and first row
    assert list(scores.isna().sum()) == [0, 3, 27, 42, 48]
    assert list(scores.sum()) == [2333, 1641, 1081, 740, 579]
    assert table["treatment"].value_counts().to_dict() == {"TAU": 48, "BtheB": 52}
    assert pd.crosstab(table["drug"], table["length"]).to_numpy().tolist() == [[24, 32], [25, 19]]
    means = scores["bdi.pre"].groupby(table["treatment"]).mean()
    assert means["TAU"] == pytest.approx(24.1875) and means["BtheB"] == pytest.approx(22.53846154)
    assert list(table.iloc[0, 1:]) == ["No", ">6m", "TAU", "29", "2", "2", "", ""]
    for (_, column), entry in columns.items():
        values = table[column][table[column] != ""]
        if entry.type == "category":
            assert all(entry.decode(value) for value in values)
        elif entry.type == "number":
            assert pd.to_numeric(values).between(*entry.limits).all()
    assert columns["btheb", "treatment"].name == "arm"
    described = [(columns["btheb", v].name, columns["btheb", v].visit) for v in visits]
    times = ("baseline", "month2", "month3", "month5", "month8")
    assert described == [("bdi", time) for time in times]
