"""Values not missing at random: deltas against brute force, tipping points, scenarios as rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.cases import edits
from trial import INFERRED, ask, pick, study, tables

from ccp_analysis.analyses.comparison import compare
from ccp_analysis.analyses.reference_based import _alike, reference_rows
from ccp_analysis.analyses.shifted import refitted, response, shifted
from ccp_analysis.analyses.tipping import delta_rows, tipping_point
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.sensitivity import Delta, ReferenceBased
from ccp_analysis.errors import StudyError
from ccp_analysis.models.inference import Inference

DERIVED = Path("data/derived")
BEFORE, AFTER = "y_before", "y_after"


def lost() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the clustered trial with a sixth of the outcomes imputed, and its participants."""
    whole = tables()
    rng = np.random.default_rng(11)
    people = whole.loc[whole["imputation"] == 0, "participant"].to_numpy()
    gone = whole["participant"].isin(people[::6])
    spread = rng.normal(scale=2.0, size=len(whole))
    whole[AFTER] = whole[AFTER] + np.where(gone, spread, 0.0)
    whole.loc[gone & (whole["imputation"] == 0), AFTER] = np.nan
    first = whole[whole["imputation"] == 0]
    missing = first[AFTER].isna().to_numpy()
    reason = np.where(np.arange(len(first)) // 6 % 2, "withdrawal", "loss")
    participants = first[["participant", "arm"]].assign(
        interviewed_before=True,
        interviewed_after=~missing,
        left=np.where(missing, reason, None),
    )
    return whole, participants.sample(frac=1, random_state=3)


def delta(**more) -> Delta:
    plain = {
        "id": "delta",
        "analysis": "ancova",
        "outcomes": ["y"],
        "deltas": [-3, 0, 3],
        "directions": {
            "intervention": {"intervention": 1},
            "opposite": {"intervention": 1, "control": -1},
        },
    }
    return Delta.model_validate(plain | more)


def based(*scenarios: dict, **more) -> ReferenceBased:
    plain = {"id": "reference_based", "outcomes": ["y"], "scenarios": list(scenarios)}
    return ReferenceBased.model_validate(plain | more)


class Kind:
    """The model of the analysis that is repeated; all that deltas need to know of it."""

    def __init__(self, model: str) -> None:
        self.model = model


def shift(entry: Delta, model: str = "ancova", limits: tuple[float, float] | None = None):
    """Return the rows and the map of deltas."""
    return delta_rows(entry, Kind(model), study(), *lost(), ask(), limits)


def scenarios(entry: ReferenceBased) -> list[dict]:
    """Return the rows of scenarios by reference."""
    return reference_rows(entry, study(), *lost(), ask(value="y"), np.random.default_rng(2))


@pytest.mark.parametrize("clusters", [True, False])
@pytest.mark.parametrize("model", ["ancova", "change"])
def test_the_response_is_what_brute_force_gives(model, clusters):
    """Shift the tables, fit again, pool: the same numbers at any pair of deltas."""
    here = study() if clusters else study(clusters=None, randomised=True)
    whole, people = lost()
    data = shifted(delta(reasons={"withdrawal": 0.5}), here, whole, people, ask())
    fast, name = response(model, here, data, ask(), 3.0)
    slow, other = refitted(model, here, whole, data, ask())
    assert name == other == ("cr2" if clusters else "t")
    reference, active = np.array([0.0, -7.0, 2.5, 40.0]), np.array([0.0, 1.0, 2.5, -35.0])
    found, expected = fast(reference, active), slow(reference, active)
    for part in ("estimate", "std_error", "df"):
        ours, theirs = getattr(found, part), getattr(expected, part)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=part)


@pytest.mark.parametrize("deltas", [[-3, 0, 3], [1, 2]])
def test_without_a_delta_the_result_is_that_of_the_analysis(deltas):
    """Which is always among the deltas."""
    rows, grid = shift(delta(deltas=deltas, map_steps=4))
    [zero] = [row for row in rows if row.get("delta") == 0]
    planned = pick(compare("ancova", study(), lost()[0], "imputed", ask()), "difference")
    for part in (*INFERRED, "p_value", "fmi", "n", "m"):
        assert zero[part] == pytest.approx(planned[part], rel=1e-9), part
    assert zero["perspective"] == "" and zero["population"] == "all-with-baseline"
    # The map is the grid of both deltas.
    assert len(grid) == 16 and set(grid["delta_active"]) >= {min(deltas), max(deltas)}
    row = grid.iloc[-1]
    data = shifted(delta(), study(), *lost(), ask())
    at = (np.array([row["delta_reference"]]), np.array([row["delta_active"]]))
    expected = refitted("ancova", study(), lost()[0], data, ask())[0](*at)
    assert row["estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
    limits = [float(end[0]) for end in expected.interval(0.95)]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(limits, rel=1e-9)


def test_only_imputed_values_are_shifted_and_by_reason():
    whole, people = lost()
    entry = delta(reasons={"withdrawal": 2, "loss": 0.5})
    data = shifted(entry, study(), whole, people, ask())
    order = data.chosen.first["participant"]
    observed = whole[whole["imputation"] == 0].set_index("participant").loc[order, AFTER]
    left = people.set_index("participant").loc[order, "left"]
    expected = left.map({"withdrawal": 2.0, "loss": 0.5}).fillna(0.0)
    np.testing.assert_array_equal(data.weight, expected)
    np.testing.assert_array_equal(data.weight > 0, observed.isna())
    pattern = data.pattern()
    assert not pattern[0, data.active].any() and not pattern[1, ~data.active].any()


def test_who_was_interviewed_without_a_score_has_a_reason_of_its_own():
    whole, people = lost()
    someone = people["left"].notna().to_numpy().nonzero()[0][0]
    people.iloc[someone, people.columns.get_loc("interviewed_after")] = True
    entry = delta(reasons={"interviewed": 0})
    data = shifted(entry, study(), whole, people, ask())
    there = (data.chosen.first["participant"] == people.iloc[someone]["participant"]).to_numpy()
    assert data.weight[there] == 0
    assert data.weight.sum() == people["left"].notna().sum() - 1


def test_a_value_that_does_not_exist_is_neither_shifted_nor_analysed():
    whole, people = lost()
    dead = people.loc[people["left"].notna(), "participant"].iloc[0]
    whole.loc[whole["participant"] == dead, AFTER] = np.nan
    data = shifted(delta(), study(), whole, people, ask())
    assert dead not in set(data.chosen.first["participant"])
    given = study(), whole, people, ask(value="y"), np.random.default_rng(1)
    rows = reference_rows(based({"strategy": "MAR"}), *given)
    assert {row["n"] for row in rows} == {len(people) - 1}


@pytest.mark.parametrize("model", ["ancova", "mixed"])
def test_at_the_tipping_point_a_limit_of_the_interval_is_zero(model):
    """By shifting the tables by what the row says and fitting them again."""
    whole, people = lost()
    entry = delta(limit=200, directions={"opposite": {"intervention": 1, "control": -1}})
    rows, grid = shift(entry, model)
    tips = {row["level"]: row for row in rows if row["term"] == "tipping point"}
    assert set(tips) == {"positive deltas", "negative deltas"}
    gone = whole["participant"].isin(people.loc[people["left"].notna(), "participant"])
    sign = np.where(whole["arm"] == "intervention", 1.0, -1.0)
    imputed = gone & (whole["imputation"] > 0)
    for level, limit in (("positive deltas", "conf_low"), ("negative deltas", "conf_high")):
        at = tips[level]["estimate"]
        assert 0 < abs(at) < 200 and (at > 0) == level.startswith("positive")
        moved = whole.assign(**{AFTER: whole[AFTER] + imputed * sign * at})
        row = next(r for r in compare(model, study(), moved, "imputed", ask()))
        assert row[limit] == pytest.approx(0.0, abs=1e-6)
        assert "includes zero" in tips[level]["note"] and "not clipped" in tips[level]["note"]
        there = [row for row in rows if row["term"] == "difference at the tipping point"]
        [there] = [row for row in there if row["level"] == level]
        assert there.get("delta") is None and tips[level].get("delta") is None
        assert there["perspective"] == "opposite" and there[limit] == pytest.approx(0.0, abs=1e-9)
        assert there["estimate"] == pytest.approx(row["estimate"], rel=1e-9)
    assert len(grid) == 9 and set(grid["conclusion"]) <= {-1, 0, 1}


@pytest.mark.parametrize(("moved", "groups"), [(3e-12, [[0, 1], [2]]), (1e-6, [[0], [1], [2]])])
def test_scenarios_are_alike_whatever_the_last_digits(moved, groups):
    """What joins scenarios names their row, and so must not hang on the processor."""
    values = np.array([[20.0, 0.0, -4.0]])
    found = {0: values, 1: values + moved * 20.0, 2: values + 1.0}
    assert _alike(found) == groups


def test_values_beyond_the_scale_are_counted_not_clipped():
    rows, _ = shift(delta(deltas=[0, 1000]), limits=(0.0, lost()[0][AFTER].max()))
    notes = [row["note"] for row in rows if row.get("delta") == 1000]
    assert notes and all("100% of them lie beyond it" in note for note in notes)


def line(at_zero: float, half: float):
    """Return intervals around the delta of the active arm."""

    def evaluate(reference: np.ndarray, active: np.ndarray) -> Inference:
        shape = np.shape(active)
        se = np.full(shape, half / 1.959963984540054)
        return Inference(at_zero + active, se, np.full(shape, np.inf))

    return evaluate


def test_tipping_points_of_a_straight_line():
    along = np.array([0.0, 1.0])
    includes = line(1.0, 3.0)  # at zero from -2 to 4
    assert tipping_point(includes, along, 10, 0.95) == (pytest.approx(2.0), 0, 1)
    assert tipping_point(includes, along, -10, 0.95) == (pytest.approx(-4.0), 0, -1)
    assert tipping_point(includes, along, 1.5, 0.95) == (None, 0, 0)
    excludes = line(5.0, 3.0)  # from 2 to 8
    assert tipping_point(excludes, along, -10, 0.95) == (pytest.approx(-2.0), 1, 0)
    assert tipping_point(excludes, along, 10, 0.95) == (None, 1, 1)
    assert tipping_point(line(-5.0, 3.0), along, 10, 0.95) == (pytest.approx(2.0), -1, 0)


def test_strategies_that_coincide_have_one_row():
    rows = scenarios(based(*({"strategy": s} for s in ("MAR", "JR", "CR", "CIR"))))
    found = [(r["perspective"], r["inference"]) for r in rows if r["term"] == "difference"]
    names = ("MAR", "JR = CR = CIR")
    assert sorted(found) == sorted((n, i) for n in names for i in ("jackknife", "cr2"))
    jump = next(r for r in rows if r["perspective"] == names[1] and r["inference"] == "jackknife")
    assert "the same as CR, CIR" in jump["note"] and "repeated-sampling" in jump["note"]
    assert jump["df"] == 4 and jump["n_clusters"] == 10
    drawn = next(r for r in rows if r["perspective"] == "MAR" and r["inference"] == "cr2")
    assert "information-anchored" in drawn["note"] and drawn["m"] == 2


def test_the_jackknife_leaves_out_one_pair_at_a_time():
    """Against least squares on data with the expectation of the lost filled in, pair by pair."""
    rows = scenarios(based({"strategy": "JR"}, variances=["jackknife"]))
    found, (whole, _) = pick(rows, "difference"), lost()
    data = whole[whole["imputation"] == 0].reset_index(drop=True)

    def estimate(part: pd.DataFrame) -> float:
        active = (part["arm"] == "intervention").to_numpy()
        _, team = np.unique(part["team"], return_inverse=True)
        covariates = part[[BEFORE, "age", "female"]].to_numpy(dtype=float)
        dummies = np.eye(team.max() + 1)[team]
        y, seen = part[AFTER].to_numpy(copy=True), part[AFTER].notna().to_numpy()
        beta = np.linalg.lstsq(np.column_stack([dummies, covariates])[seen], y[seen], rcond=None)[0]
        teams = part.drop_duplicates("team").sort_values("team")
        of_team = beta[: len(teams)] * np.where(teams["arm"] == "intervention", 1, -1)
        effect = of_team.sum() / teams["trust"].nunique()
        mean = np.column_stack([dummies, covariates]) @ beta - active * effect
        y[~seen] = mean[~seen]
        trusts = pd.get_dummies(part["trust"]).to_numpy(dtype=float)
        return np.linalg.lstsq(np.column_stack([active, trusts, covariates]), y, rcond=None)[0][0]

    left_out = np.array([estimate(data[data["trust"] != t]) for t in sorted(set(data["trust"]))])
    se = np.sqrt(0.8 * ((left_out - left_out.mean()) ** 2).sum())
    assert found["estimate"] == pytest.approx(estimate(data), rel=1e-9)
    assert found["std_error"] == pytest.approx(se, rel=1e-9)


@pytest.mark.parametrize(
    ("unit", "clusters", "sentence"),
    [
        ("unit", True, "leaves out single teams.*resample: pair"),
        ("participant", True, "leaves out single participants.*resample: pair"),
        ("pair", False, "has no clusters"),
    ],
)
def test_leaving_out_anything_but_pairs_is_refused(unit, clusters, sentence):
    entry = based({"strategy": "MAR"}, resample=unit)
    here = study() if clusters else study(clusters=None)
    with pytest.raises(StudyError, match=sentence):
        reference_rows(entry, here, *lost(), ask(value="y"), np.random.default_rng(2))


def test_strategies_by_reason_of_loss():
    """Those who withdrew jump, the others do not: between the two pure scenarios."""
    entry = based(
        {"strategy": "MAR"},
        {"strategy": "JR"},
        {"strategy": "MAR", "id": "mixture", "reasons": {"withdrawal": "JR"}},
        {"strategy": "JR", "id": "same", "reasons": {"withdrawal": "MAR", "loss": "MAR"}},
        variances=["jackknife"],
    )
    rows = scenarios(entry)
    found = {r["perspective"]: r["estimate"] for r in rows if r["term"] == "difference"}
    low, high = sorted([found["MAR = same"], found["JR"]])
    assert low < found["mixture"] < high


def test_a_delta_of_a_scenario_moves_the_estimate_by_its_share():
    moved = {"strategy": "MAR", "id": "MAR + 3", "delta": {"intervention": 3, "control": 3}}
    rows = scenarios(based({"strategy": "MAR"}, moved, variances=["draws"]))
    mine, plain = (
        next(r for r in rows if (r["perspective"], r["level"]) == (name, "control"))
        for name in ("MAR + 3", "MAR")
    )
    assert 0 < mine["estimate"] - plain["estimate"] < 3
    assert mine["delta"] == 3


def test_beat_the_blues_has_the_figures_of_r(btheb_done):
    """Raw file to row of the results table."""
    table = pd.read_parquet(btheb_done / "data/derived/results/sensitivity.parquet")
    file = Path(__file__).parents[1] / "imputation" / "data" / "reference_based.reference.json"
    expected = json.loads(file.read_text())["results"]
    found = table[(table["inference"] == "jackknife") & (table["term"] == "difference")]
    for name, case in (("MAR", "MAR"), ("JR", "JR"), ("CR", "CR"), ("MAR + 3", "MAR_delta3")):
        for position, visit in enumerate(("month2", "month3", "month5", "month8")):
            row = found[(found["visit"] == visit)]
            row = row[[name in p.split(" = ") for p in row["perspective"]]].iloc[0]
            r = expected[case][3 * position]
            assert abs(row["estimate"] - r["est"]) <= 1e-4 * r["se"], (case, visit)
            assert row["std_error"] == pytest.approx(r["se"], rel=1e-4), (case, visit)
    # Only people of the reference arm have no visit at two months: nothing can differ.
    alike = found.loc[found["visit"] == "month2", "perspective"]
    assert list(alike) == ["MAR = JR = CR = CIR = MAR + 3"]
    assert set(table["role"]) == {"sensitivity"} and set(table["data_status"]) == {"public"}
    assert np.isnan(found["df"]).all()


def test_what_is_not_possible_is_refused_in_a_row(copy_of_ccp):
    """A strategy without what it takes; a model of visits that a zero of the dead would answer."""
    copy_of_ccp.change(
        "config/analysis.yaml", "        - {strategy: CIR}\n", "        - {strategy: LMCF}\n"
    )
    asked = "outcomes: [social_capital{}]\n      scenarios"
    copy_of_ccp.change("config/analysis.yaml", asked.format(""), asked.format(", utility"))
    table = copy_of_ccp.sensitivity()
    table = table[table["analysis"] == "reference_based"]
    [row] = table[table["outcome"] == "utility"].to_dict("records")
    assert row["status"] == "refused"
    note = "at Six months a death decides the value of 1, which says nothing"
    assert row["note"].startswith(note)
    rest = table[table["outcome"] == "social_capital"]
    refused = rest[rest["perspective"] == "LMCF"]
    assert list(refused["status"]) == ["refused"] and refused["estimate"].isna().all()
    assert "no observed follow-up" in refused["note"].iloc[0]
    assert set(rest.loc[rest["perspective"] != "LMCF", "status"]) == {"ok"}


FAULTS = edits("analyses/data/faults.csv", "sensitivity")


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_the_plan_are_named(copy_of_ccp, case):
    [change], sentence = FAULTS[case]
    copy_of_ccp.change(*change)
    with pytest.raises(StudyError, match=sentence):
        copy_of_ccp.sensitivity()


def test_a_plan_without_sensitivity_has_an_empty_map(copy_of_ccp):
    file = copy_of_ccp / "config/analysis.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("sensitivity:\n")], encoding="utf-8")
    assert load_plan().sensitivity is None
    assert copy_of_ccp.sensitivity().empty
    assert pd.read_parquet(DERIVED / "figure_data/tipping.parquet").empty
