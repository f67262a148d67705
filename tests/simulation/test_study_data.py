"""The drawn study: reproducible to the byte, and built as the published figures say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic.description import raw_readme
from synthetic.parameters import DEFAULT, DEFAULT_SEED
from synthetic.study_data import (
    FILES,
    StudyData,
    run,
    simulate,
)

WRITTEN = (*(f"{name}.csv" for name in FILES), "README.md")


def test_committed_files_are_what_is_drawn(tmp_path: Path, root: Path) -> None:
    """And another seed draws other data."""
    run(tmp_path / "one")
    listed = root / "tests" / "simulation" / "data" / "planted_faults.csv"
    kept = {name: root / "data" / "raw" / name for name in WRITTEN} | {listed.name: listed}
    assert {p.name for p in (tmp_path / "one").iterdir()} == set(kept)
    for name, path in kept.items():
        assert (tmp_path / "one" / name).read_bytes() == path.read_bytes(), name
    simulate(tmp_path / "other", seed=6)
    for name in (f"{file}.csv" for file in FILES if file != "teams"):
        assert (tmp_path / "other" / name).read_bytes() != kept[name].read_bytes(), name


def test_readme_opens_with_synthetic_and_tabulates_the_truth() -> None:
    page, other = raw_readme(), raw_readme(DEFAULT.with_effects(social_capital=1.5), seed=8)
    assert "SYNTHETIC" in page.splitlines()[0]
    for figure in ("13.5", "5.6", "0.87", "-0.4", "159 / 151 / 127", str(DEFAULT_SEED)):
        assert figure in page
    row = next(line for line in other.splitlines() if line.startswith("| `social_capital`"))
    assert row.split(" | ")[7] == "1.5" and "seed 8;" in other
    numbers = "recruited / baseline / six months: 159 / 151 / 127 | "
    assert f"{numbers}chosen for this draw" in other and f"{numbers}public" in page


def test_numbers_of_people_teams_and_events_and_their_dates(clean: StudyData) -> None:
    numbers = [len(table) for table in (clean.recruitment, clean.baseline, clean.followup)]
    assert numbers == [159, 151, 127]
    people = [set(t["participant"]) for t in (clean.recruitment, clean.baseline, clean.followup)]
    assert [len(who) for who in people] == numbers and people[0] >= people[1] >= people[2]
    without = clean.recruitment[clean.recruitment["no_baseline_reason"] != ""]
    assert set(without["participant"]) == people[0] - people[1] and len(without) == 8
    assert len(clean.teams) == 10 and clean.teams["trust"].nunique() == 5
    assert (clean.teams.groupby("trust")["arm"].nunique() == 2).all()
    sizes = clean.recruitment["team"].value_counts().sort_index()
    assert tuple(sizes) == DEFAULT.team_sizes and (sizes.min(), sizes.max()) == (8, 22)
    events = clean.status.assign(date=pd.to_datetime(clean.status["date"]))
    ended = events[events["event"].isin(["loss", "withdrawal", "death"])]
    assert len(ended) == 24 and set(ended["participant"]) == people[1] - people[2]
    others = events.drop(ended.index)
    assert set(others["event"]) == {"moved_team", "adverse_event"}
    assert set(others["participant"]) <= people[2] and (events["reason"] != "").all()
    moved = others[others["event"] == "moved_team"].merge(clean.recruitment)
    assert len(moved) and (moved["to_team"] != moved["team"]).all()
    # In the order in which things happen, on working days.
    recruited, first, later = (
        pd.to_datetime(table.set_index("participant")[name])
        for table, name in (
            (clean.recruitment, "recruited"),
            (clean.baseline, "interview_date"),
            (clean.followup, "interview_date"),
        )
    )
    waited = (first - recruited.loc[first.index]).dt.days
    assert waited.between(1, DEFAULT.interview_days).all()
    between = (later - first.loc[later.index]).dt.days
    assert ((between - DEFAULT.follow_up_days).abs() <= DEFAULT.follow_up_window).all()
    assert all((dates.dt.day_of_week < 5).all() for dates in (recruited, first, later))
    assert (events["date"].to_numpy() > first.loc[events["participant"]].to_numpy()).all()
    assert (others["date"].to_numpy() < later.loc[others["participant"]].to_numpy()).all()


@pytest.mark.parametrize("visit", ["baseline", "month6"])
def test_truth_is_the_score_of_the_raw_answers(clean: StudyData, visit: str) -> None:
    raw = clean.baseline if visit == "baseline" else clean.followup
    truth = clean.truth.set_index("participant").loc[raw["participant"]]
    for scale in DEFAULT.scales:
        items = raw[list(scale.items)].astype(float).to_numpy()
        if scale.levels:
            taken = np.array(scale.weights)[np.arange(5), items.astype(int) - 1]
            expected = 1 - taken.sum(axis=1)
        else:
            expected = np.nanmean(items, axis=1) if scale.score == "mean" else items.sum(axis=1)
        assert truth[f"{scale.name}_{visit}"].to_numpy() == pytest.approx(expected, abs=1e-12)
