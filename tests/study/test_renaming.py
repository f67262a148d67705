"""What teams, pairs, arms, people and visits are called moves no number."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from renaming import Renaming
from support.study import BTHEB, CCP, StudyFolder, copy_study, inside, once

from ccp_analysis.results.table import KEY, NUMBERS, read_results

TEAMS = [f"T{k:02d}" for k in range(1, 11)]
TRUSTS = [f"trust_{letter}" for letter in "abcde"]
ESTIMATES = [name for name in NUMBERS if name not in KEY]
LATER = "month12"


def reduced(folder: Path, imputations: int = 3) -> None:
    """Give the CCP study a second follow-up, few outcomes and every kind of analysis."""
    config = folder / "config"
    study, plan, economics = (
        yaml.safe_load((config / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("study", "analysis", "economics")
    )
    study["files"]["later"] = {"path": "data/raw/later.csv", "rows": "participant"}
    later = {"id": LATER, "label": "A year", "months": 12, "date": "interview_date"}
    study["visits"].append(later | {"file": "later"})
    study["expected"] = {}
    dictionary = pd.read_csv(config / "dictionary.csv", dtype=str, keep_default_na=False)
    again = dictionary[dictionary["file"] == "followup"].assign(file="later")
    again["visit"] = again["visit"].replace("month6", LATER)
    dictionary = pd.concat([dictionary, again])
    dictionary.to_csv(config / "dictionary.csv", index=False)
    # What others answered after six months, of four in five.
    seen = pd.read_csv(folder / "data/raw/followup.csv", dtype=str, keep_default_na=False)
    seen = seen.drop_duplicates("participant", ignore_index=True)
    other = seen.drop(columns="participant").sample(frac=1, random_state=1, ignore_index=True)
    seen = pd.concat([seen[["participant"]], other], axis=1).iloc[: len(seen) * 4 // 5]
    seen["interview_date"] = "2020-06-01"
    seen.to_csv(folder / "data/raw/later.csv", index=False)

    plan["outcomes"] = [o for o in plan["outcomes"] if o["id"] in ("social_capital", "utility")]
    left = {outcome["id"] for outcome in plan["outcomes"]}
    sought = plan["next_study"]["outcomes"]
    plan["next_study"]["outcomes"] = [entry for entry in sought if entry["outcome"] in left]
    plan["characteristics"] = {"quick": 100}
    plan["imputation"] |= {"imputations": imputations, "iterations": 2}
    kept = ["ancova", "ancova_complete", "mixed", "team_means", "did", "change", "clda_observed"]
    plan["analyses"] = [entry for entry in plan["analyses"] if entry["id"] in kept]
    plan["analyses"] += [
        {"id": f"mmrm_{data}", "role": "sensitivity", "model": "mmrm", "data": data}
        for data in ("observed", "imputed")
    ]
    plan["families"] = []
    plan["subgroups"] += [{**plan["subgroups"][0], "variable": "gender"}]
    delta, reference = plan["sensitivity"]["delta"][0], plan["sensitivity"]["reference_based"][0]
    delta |= {"deltas": [-3, 3], "map_steps": 3}
    reference["scenarios"] = reference["scenarios"][:2]
    economics["bootstrap"]["draws"] = 100
    economics["thresholds"] = [0, 20000, 30000]
    varied = ("complete_cases", "teams", "utility_worse")
    economics["sensitivity"] = [e for e in economics["sensitivity"] if e["id"] in varied]
    for name, content in (("study", study), ("analysis", plan), ("economics", economics)):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (config / f"{name}.yaml").write_text(text, encoding="utf-8")


def shuffled(folder: Path) -> None:
    """Put the rows of every raw file in another order."""
    for number, path in enumerate(sorted((folder / "data/raw").glob("*.csv"))):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.sample(frac=1, random_state=number).to_csv(path, index=False)


def numbered(old: list[str], form: str = "{}") -> dict[str, str]:
    return {name: form.format(k) for k, name in enumerate(old, start=1)}


def named(old: list[str], *new: str) -> dict[str, str]:
    return dict(zip(old, new, strict=True))


def people(form: str) -> dict[str, str]:
    """Name the participants by their number."""
    roster = pd.read_csv(CCP / "data/raw/recruitment.csv", dtype=str)["participant"]
    return {who: form.format(int(who[2:])) for who in roster}


def renaming(teams, trusts, arms, who, types, visits) -> Renaming:
    columns = {"team": teams, "to_team": teams, "trust": trusts, "arm": arms, "participant": who}
    return Renaming(columns, types | {"to_team": types.get("team", "category")}, visits)


ARMS = ["control", "intervention"]
VISITS = ["baseline", "month6", LATER]
WHOLE = dict.fromkeys(["team", "trust", "arm", "participant"], "integer")
IN_ORDER = {
    "whole numbers": renaming(
        numbered(TEAMS),
        numbered(TRUSTS),
        named(ARMS, "1", "0"),
        people("{}"),
        WHOLE,
        named(VISITS, "z", "week26", "week104"),
    ),
    "text without zeros, in mixed case": renaming(
        {name: f"{'tT'[k % 2]}{k}" for k, name in enumerate(TEAMS, start=1)},
        named(TRUSTS, "a", "B", "c", "D", "e"),
        named(ARMS, "Usual", "New"),
        people("p{}"),
        {},
        named(VISITS, "before", "after", "last"),
    ),
    "numbers with zeros and points": renaming(
        numbered(TEAMS, "{:03}"),
        numbered(TRUSTS, "{}.0"),
        named(ARMS, "0", "1"),
        people("{:05}"),
        {"trust": "number", "participant": "integer"},
        {},
    ),
    "codes that are numbers": renaming(
        numbered(TEAMS), numbered(TRUSTS, "0{}"), named(ARMS, "1", "2"), people("{}"), {}, {}
    ),
}
BACKWARDS = renaming(
    numbered(TEAMS[::-1]),
    named(TRUSTS, "n", "M", "5", "40", "a"),
    named(ARMS, "z", "a"),
    {who: f"{(7 * int(number)) % 163}" for who, number in people("{}").items()},
    {"team": "integer", "participant": "integer"},
    named(VISITS, "c", "b", "a"),
)


def is_drawn(table: pd.DataFrame) -> pd.Series:
    return table["m"].notna() | table["inference"].isin(["bootstrap", "jackknife"])


def both(
    old: pd.DataFrame, new: pd.DataFrame, change: Renaming, imputed_alike: bool = True
) -> list[pd.DataFrame]:
    """Return the old table under the new names and the new one, rows alike."""
    tables = []
    for table in (change.results(old), new):
        key = [table[column].astype(str) for column in KEY]
        tables.append(table.set_axis(pd.MultiIndex.from_arrays(key)))
    old, new = tables
    common = old.index.intersection(new.index)
    # In which quadrant a ratio lies is imputed and in the key.
    others = pd.concat([table[~table.index.isin(common)] for table in tables])
    assert (others["term"].eq("icer") | (not imputed_alike and is_drawn(others))).all()
    return [old.loc[common], new.loc[common]]


def far(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which a number differs by more than 1e-8 of its size, or of its error."""
    a, b = (table[ESTIMATES].astype(float).to_numpy() for table in (old, new))
    size = np.fmax(np.abs(a), np.nan_to_num(old[["std_error"]].astype(float).to_numpy()))
    alike = (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-8 * size)
    return old[~alike.all(axis=1) | (old["status"] != new["status"]).to_numpy()]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    def make(folder: Path) -> None:
        study = copy_study(CCP, folder)
        reduced(folder)
        with inside(folder):
            study.all_results()

    return read_results(once(tmp_path_factory, "to_be_renamed", make) / "reports/results.csv")


# Every type of each column stands in these two, or among other names and people as units below.
EVERY_CHANGE = ("text without zeros, in mixed case", "numbers with zeros and points")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=[] if name in EVERY_CHANGE else pytest.mark.long)
        for name, change in IN_ORDER.items()
    ],
)
def test_names_of_other_types_in_the_same_order_move_no_number(
    change: Renaming, before: pd.DataFrame, results_of, tmp_path: Path
) -> None:
    after = results_of(CCP, tmp_path, reduced, change.apply, shuffled)
    old, new = both(before, after, change)
    assert far(old, new).empty
    assert (old["note"].str.len() > 0).equals(new["note"].str.len() > 0)


def test_any_other_names_move_nothing_that_was_not_imputed(
    before: pd.DataFrame, results_of, tmp_path: Path
) -> None:
    after = results_of(CCP, tmp_path, reduced, BACKWARDS.apply, shuffled)
    old, new = both(before, after, BACKWARDS, imputed_alike=False)
    drawn = is_drawn(old)
    assert far(old[~drawn], new[~drawn]).empty
    assert (~drawn).sum() > 100


@pytest.mark.long
def test_any_other_names_move_what_was_imputed_by_chance_alone(results_of, tmp_path: Path) -> None:
    more = partial(reduced, imputations=20)
    first = results_of(CCP, tmp_path / "old", more)
    second = results_of(CCP, tmp_path / "new", more, BACKWARDS.apply, shuffled)
    old, new = both(first, second, BACKWARDS)
    # Their Monte Carlo error is that at a tipping point, whose place is imputed as well.
    drawn = is_drawn(old) & (old["term"] != "difference at the tipping point")
    error = np.hypot(*(table["mc_error"].astype(float) for table in (old, new)))
    apart = (old["estimate"] - new["estimate"]).astype(float).abs() / error
    assert apart[drawn & (error > 0)].max() < 4
    assert (drawn & (error > 0)).sum() > 100


BTHEB_VISITS = ["baseline", "month2", "month3", "month5", "month8"]
BTHEB_PEOPLE = [f"B{k:03d}" for k in range(1, 101)]


@pytest.mark.parametrize(
    ("who", "type"),
    [
        ({name: str(int(name[1:])) for name in BTHEB_PEOPLE}, "integer"),
        ({name: f"b{int(name[1:])}" for name in BTHEB_PEOPLE}, "id"),
    ],
    ids=["whole numbers", "text without zeros"],
)
def test_names_move_no_number_where_people_are_the_units(
    who: dict[str, str], type: str, btheb_done: StudyFolder, results_of, tmp_path: Path
) -> None:
    columns = {"participant": who, "arm": {"tau": "2", "btheb": "1"}}
    visits = named(BTHEB_VISITS, "month0", "week9", "week13", "week22", "week35")
    change = Renaming(columns, {"participant": type, "arm": "integer"}, visits)
    after = results_of(BTHEB, tmp_path, change.apply, shuffled)
    old, new = both(read_results(btheb_done / "reports/results.csv"), after, change)
    assert far(old, new).empty
