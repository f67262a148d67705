"""Value sets by age band and sex: each person's own cell, and what is refused before any data."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ccp_analysis import before
from ccp_analysis.cleaning.score import score_instruments
from ccp_analysis.cleaning.value_set import cells, check_value_set, read_value_set
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument, ValuedBy, misvalued
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError

BANDS = {"1": 16, "2": 35, "3": 45, "4": 55, "5": 65}
SEXES = {"Male": ["male"], "Female": ["female"]}
BY = {"age": "age", "age_bands": BANDS, "sex": "gender", "sexes": SEXES}
ITEMS = ["i0", "i1"]
STANDING = {"what": "made up", "recommended": "by nobody", "source": "this test"}


def made_up(profile: str, band: str, sex: str) -> float:
    """Return a utility that no other cell has."""
    tenths = int(profile) / 10 ** (len(profile) + 1)  # less than the steps between cells
    return 1 - tenths / 2 - int(band) / 10 - (0.05 if sex == "Male" else 0)


def table(levels: int, bands=BANDS, sexes=SEXES, items: int = 2) -> list[str]:
    digits = [str(level) for level in range(1, levels + 1)]
    profiles = ["".join(p) for p in itertools.product(digits, repeat=items)]
    return [
        f"{profile},{band},{sex},{made_up(profile, band, sex):.7f}"
        for band in bands
        for sex in sexes
        for profile in profiles
    ]


def scale(path: Path, rows: list[str], header: str = "profile,age_band,sex,utility", **more):
    path.write_text("\n".join([header, *rows]) + "\n")
    plain = {"label": "U", "items": ITEMS, "score": "value_set", "range": (-2, 1)}
    plain |= {"benefit": "higher", "value_set": path, "standing": STANDING, "valued_by": BY}
    return Instrument.model_validate(plain | more)


def dictionary(maximum: float = 5, items=ITEMS) -> list[Column]:
    plain = {"file": "f", "visit": "", "label": "", "missing": {}, "unit": "", "maximum": None}
    plain |= {"minimum": None, "codes": {}, "type": "integer"}
    asked = [plain | {"column": i, "name": i, "visit": "a", "maximum": maximum} for i in items]
    sexes = {code: [code] for code in ("male", "female", "other")}
    about = [
        plain | {"column": "age", "name": "age"},
        plain | {"column": "gender", "name": "gender", "type": "category", "codes": sexes},
    ]
    return [Column.model_validate(row) for row in [*about, *asked]]


@pytest.mark.parametrize("levels", [3, 5])
def test_everyone_has_the_value_of_their_own_cell(tmp_path, levels):
    """Everybody of every state, age and sex, against the number that was written for them."""
    instrument = scale(tmp_path / "v.csv", table(levels))
    digits = range(1, levels + 1)
    ages = {16: "1", 34: "1", 34.9: "1", 35: "2", 44: "2", 45: "3", 55: "4", 64: "4", 65: "5"}
    ages |= {99: "5"}
    who = list(itertools.product(ages, ["male", "female"], digits, digits))
    people = pd.DataFrame(who, columns=["age", "gender", "i0_a", "i1_a"]).astype({"age": float})
    found = score_instruments(people, {"u": instrument}, dictionary(levels))["u_a"]
    wanted = [made_up(f"{a}{b}", ages[age], sex.capitalize()) for age, sex, a, b in who]
    assert np.allclose(found, wanted, atol=1e-9)
    assert len({round(value, 7) for value in found}) == 5 * 2 * levels**2


def test_who_has_no_cell_has_no_utility():
    by = ValuedBy.model_validate(BY)
    people = pd.DataFrame(
        {
            "age": [40, np.nan, 40, 15, 40],
            "gender": ["male", "male", None, "female", "other"],
        }
    )
    assert cells(people, by).tolist() == ["age band 2, sex Male", None, None, None, None]


def test_the_table_of_the_decision_support_unit_has_its_size(tmp_path):
    five = [f"i{k}" for k in range(5)]
    instrument = scale(tmp_path / "v.csv", table(5, items=5), items=five, range=(-60, 1))
    states = read_value_set(instrument).states
    assert len(states) == 10
    assert sum(map(len, states.values())) == 31_250


def faults(what) -> list[str]:
    with pytest.raises(StudyError) as caught:
        what()
    return caught.value.faults or [str(caught.value)]


def test_a_missing_cell_is_named_with_its_line(tmp_path):
    rows = table(3)
    path = tmp_path / "v.csv"
    gone = 9 * 5 + 4
    assert rows[gone].startswith("22,3,Female,")
    instrument = scale(path, rows[:gone] + rows[gone + 1 :])
    assert faults(lambda: read_value_set(instrument)) == [
        f"{path}, line {gone + 1}: there is no utility for the state 22 in the cell age band 3, "
        "sex Female; expected a row for it behind this line."
    ]


def test_all_missing_cells_are_named_at_once(tmp_path):
    path = tmp_path / "v.csv"
    instrument = scale(path, [row for row in table(3) if not row.startswith(("11,1,M", "33,5,F"))])
    assert [fault.partition(";")[0] for fault in faults(lambda: read_value_set(instrument))] == [
        f"{path}, line 1: there is no utility for the state 11 in the cell age band 1, sex Male",
        f"{path}, line 89: there is no utility for the state 33 in the cell age band 5, sex Female",
    ]
    alone = scale(path, [row for row in table(3) if ",4,Male," not in row])
    assert faults(lambda: read_value_set(alone))[0].startswith(
        f"{path}, line 82: there is no utility for any state in the cell age band 4, sex Male;"
    )
    few = scale(path, ["11,1,Male,1", "33,1,Male,0"])
    assert faults(lambda: read_value_set(few))[-1].startswith(f"{path}, line 3: there is no")
    many = scale(path, ["11111,1,Male,1", "55555,1,Male,0"], items=[f"i{k}" for k in range(5)])
    assert faults(lambda: read_value_set(many))[-1] == f"{path}: 3112 more states have no utility."


REFUSED = {
    "age and sex that nobody uses": (
        table(3),
        {"valued_by": None},
        "line 1: the table has the columns age_band, sex, and nothing says whose cell is whose",
    ),
    "a blank cell": (
        ["11,1,Male,"],
        {},
        "line 2: utility must be a number.",
    ),
    "a band that is not declared": (
        ["11,6,Male,1"],
        {},
        "line 2: age_band '6' found; expected one of those of valued_by.age_bands in "
        "config/instruments.yaml: 1, 2, 3, 4, 5.",
    ),
    "a sex that is not declared": (["11,1,male,1"], {}, "line 2: sex 'male' found; expected one"),
    "twice": (
        ["11,1,Male,1", "11,1,Male,1"],
        {},
        "line 3: the state 11 of age band 1, sex Male stands twice.",
    ),
    "too many digits": (["111,1,Male,1"], {}, "line 2: profile '111' found; expected 2 digits"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_table_by_age_and_sex_that_is_refused(tmp_path, fault):
    rows, more, sentence = REFUSED[fault]
    found = faults(lambda: read_value_set(scale(tmp_path / "v.csv", rows, **more)))
    assert found[0].startswith(f"{tmp_path / 'v.csv'}, {sentence}")


@pytest.mark.parametrize("name", ["Age", "gender", "MALE", "age_group", "patient_sex"])
def test_a_table_for_everybody_may_not_tell_people_apart(tmp_path, name):
    instrument = scale(tmp_path / "v.csv", ["11,1,1"], f"profile,{name},utility", valued_by=None)
    assert f"the columns {name}, and nothing" in faults(lambda: read_value_set(instrument))[0]


def test_other_columns_are_nobodys_business(tmp_path):
    rows = [f"{row.partition(',')[0]},0.5,x" for row in table(3, ["1"], ["Male"])]
    header = "profile,utility,average"
    assert read_value_set(scale(tmp_path / "v.csv", rows, header, valued_by=None)).states[""]


def test_one_cell_for_everybody_is_refused(tmp_path):
    alone = BY | {"age_bands": {"2": 35}, "sexes": {"Male": ["male", "female"]}}
    with pytest.raises(ValidationError, match="one age band and one sex: everybody would be"):
        scale(tmp_path / "v.csv", table(3), valued_by=alone)
    cut = scale(tmp_path / "v.csv", [row for row in table(3) if ",2,Male," in row])
    assert len(faults(lambda: read_value_set(cut))) == 9


def test_a_value_set_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    three = scale(Path("v.csv"), table(3))
    monkeypatch.setattr("ccp_analysis.cleaning.value_set.line_of", lambda column: 7)
    monkeypatch.setattr(
        "ccp_analysis.cleaning.value_set.place", lambda path, *keys: f"{path}, line 9"
    )
    check_value_set("u", three, dictionary(3))
    for maximum in (5, 2):
        assert faults(lambda m=maximum: check_value_set("u", three, dictionary(m))) == [
            f"config/instruments.yaml, line 9: v.csv has 3 levels of 'i0', which goes up to "
            f"{maximum} (config/dictionary.csv, line 7); expected the value set of the version "
            "that was asked."
        ]
    check_value_set("u", three, dictionary(None))


def test_answers_that_make_no_state_are_counted(tmp_path):
    instrument = scale(tmp_path / "v.csv", table(3))
    people = pd.DataFrame(
        {
            "participant": ["P1", "P2", "P3", "P4"],
            "age": [40.0, 40, 70, np.nan],
            "gender": ["male", "male", "female", "female"],
            "i0_a": [1.0, 4, 4, 4],
            "i1_a": [1.0, 1, 5, 5],
        }
    )
    assert faults(lambda: score_instruments(people, {"u": instrument}, dictionary(None))) == [
        f"{tmp_path / 'v.csv'}: the answers of 2 participants make a state that has no utility "
        "there, the first those of 'P2': 41 (age band 2, sex Male)."
    ]


MISVALUED = {
    "no age": ({"age": "years"}, "valued_by.age is 'years'; expected a variable of participants"),
    "age is no number": ({"age": "gender"}, "valued_by.age is 'gender', a category; expected a nu"),
    "no such code": (
        {"sexes": {"Male": ["man"], "Female": ["female"]}},
        "valued_by.sexes: 'man' is not one of the codes",
    ),
}


@pytest.mark.parametrize("fault", MISVALUED)
def test_variables_of_age_and_sex_are_checked(tmp_path, monkeypatch, fault):
    more, sentence = MISVALUED[fault]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/instruments.yaml").write_text("instruments: {u: {}}\n")
    (tmp_path / "config/analysis.yaml").write_text("imputation: {level: {u: items}}\n")
    columns = dictionary()
    names = {column.variable for column in columns}
    instrument = scale(tmp_path / "v.csv", table(3), valued_by=BY | more)
    first, last = misvalued({"u": instrument}, columns, names, {"u": "items"})
    assert first.startswith("config/instruments.yaml, line 1: ")
    assert sentence in first
    assert last.startswith("config/analysis.yaml, line 1: 'u' is valued by age and sex")
    unsaid = instrument.model_copy(update={"standing": None, "valued_by": None})
    (found,) = misvalued({"u": unsaid}, columns, names, {})
    assert "the value set of 'u' has no standing; expected standing: {what: …," in found


@pytest.fixture
def mapped(ccp_study):
    """The shipped study with a made-up mapping by age and sex in place of the rough one."""
    five = itertools.product("12345", repeat=5)
    rows = [
        f"{''.join(p)},{band},{sex},{1 - sum(map(int, p)) / 40 - int(band) / 100 - male:.4f}"
        for p in five
        for band in BANDS
        for sex, male in (("Male", 0.2), ("Female", 0))
    ]
    path = ccp_study / "config/mapping.csv"
    path.write_text("\n".join(["profile,age_band,sex,utility", *rows]) + "\n")
    ccp_study.change(
        "config/instruments.yaml",
        "    value_set: config/eq5d_3l_rough_mapping.csv\n",
        "    value_set: config/mapping.csv\n    valued_by: {age: age, age_bands: {1: 16, 2: 35, "
        "3: 45, 4: 55, 5: 65}, sex: gender, sexes: {Male: [male], Female: [female]}}\n",
    )
    return ccp_study


def test_the_study_with_a_mapping_by_age_and_sex(mapped):
    assert before.faults(Trial()) == []
    mapped.clean()
    people = pd.read_parquet("data/derived/participants.parquet")
    items = ["eq_mobility", "eq_selfcare", "eq_activities", "eq_pain", "eq_anxiety"]
    youngest = list(BANDS.values())
    seen = 0
    for visit in ("baseline", "month6"):
        levels = people[[f"{item}_{visit}" for item in items]]
        band = np.searchsorted(youngest, people["age"].astype(float).fillna(0), side="right")
        sex = people["gender"].map({"male": 0.2, "female": 0.0}).astype(float)
        wanted = 1 - levels.sum(axis=1, skipna=False) / 40 - band / 100 - sex
        wanted = wanted.where(people["age"].notna())
        found = people[f"utility_3l_{visit}"]
        alive = ~((found == 0) & wanted.isna())
        assert np.allclose(found[alive], wanted[alive].astype(float), equal_nan=True, atol=1e-9)
        seen += int(wanted.notna().sum())
    assert seen > 200
    queries = pd.read_csv("data/derived/queries.csv", dtype=str, keep_default_na=False)
    asked = queries[queries["rule"] == "no cell of the value set of 'utility_3l'"]
    answered = people[[f"{i}_baseline" for i in items]].notna().all(axis=1)
    answered |= people[[f"{i}_month6" for i in items]].notna().all(axis=1)
    other = ~people["gender"].isin(["male", "female"])
    lost = people.loc[answered & (other | people["age"].isna()), "participant"]
    assert len(lost) > 0
    assert set(asked["participant"]) == set(lost)
    assert set(asked["file"]) == {"baseline.csv"}
    assert (asked["row"].astype(int) > 1).all()
    assert set(asked["column"]) <= {"age", "gender"}
    assert set(asked["action"]) == {"no utility by config/mapping.csv"}


def test_faults_of_a_mapping_are_said_before_the_first_job(mapped):
    text = (mapped / "config/mapping.csv").read_text().splitlines()
    profile, band, sex, _ = text[4321].split(",")
    (mapped / "config/mapping.csv").write_text("\n".join(text[:4321] + text[4322:]) + "\n")
    (fault,) = before.faults(Trial())
    assert f"no utility for the state {profile} in the cell age band {band}, sex {sex};" in fault
    assert fault.startswith("config/mapping.csv, line ")
