"""Damaged raw files: each damage is a query and a right result, or one sentence with its place."""

from __future__ import annotations

import csv
import json
import re
import shutil
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
from damages import FILES, KEPT, RAW, Damage, all_damages, reduce_study

from ccp_analysis.cleaning import stage
from ccp_analysis.errors import StudyError
from ccp_analysis.files import unescaped

pytestmark = pytest.mark.simulation

CCP = Path(__file__).parents[2]
VISITS = {"baseline": "baseline", "followup": "month6"}
ONCE = ("age", "gender", "employment")
# How each damage ends: a row that changes is a change of what cleaning accepts.
ENDS_KEPT = Path(__file__).with_name("data") / "ends_of_damages.csv"


class Outcome:
    """What cleaning made of the study in the current folder."""

    def __init__(self) -> None:
        self.error: StudyError | None = None
        try:
            stage.run(
                participants=Path("p.parquet"),
                queries=Path("q.csv"),
                flow=Path("f.json"),
                missing=Path("m.parquet"),
                stopped=Path("stop.csv"),
            )
        except StudyError as error:
            self.error = error
            return
        self.people = pd.read_parquet("p.parquet").set_index("participant")
        self.queries = pd.read_csv("q.csv", dtype=str, keep_default_na=False)
        self.flow = json.loads(Path("f.json").read_text(encoding="utf-8"))
        self.missing = pd.read_parquet("m.parquet")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for part in ("config", RAW):
        shutil.copytree(CCP / part, folder / part)
    reduce_study(folder)
    return folder


@pytest.fixture(scope="module")
def before(study) -> Outcome:
    with chdir(study):
        return Outcome()


def plain_rows(path: Path) -> list[dict[str, str]]:
    """Rows with content, read by plain means."""
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.reader(handle))
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    header = [name.strip() for name in rows[0]]
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]


def check_sentence(error: StudyError, damage: Damage) -> None:
    sentence = str(error)
    assert "\n" not in sentence, damage.name
    assert any(f"{name}." in sentence for name in ("recruitment", "teams", *KEPT, "status")), (
        damage.name,
        sentence,
    )
    listed = pd.read_csv("stop.csv", dtype=str, keep_default_na=False)
    faults = listed[listed["severity"] == "stop"]["rule"].tolist()
    assert [unescaped(f) for f in faults] == (error.faults or [sentence]), damage.name


def check_accounts(found: Outcome, damage: Damage) -> None:
    for account in found.flow["rows"]:
        read = len(plain_rows(RAW / account["file"]))
        assert account["rows"] == read, damage.name
        explained = sum(n for key, n in account.items() if key not in ("file", "rows"))
        assert explained == read, damage.name
    for one in found.flow["sets"]:
        of = [o["n"] for o in found.flow["sets"] if o["set"] == one["of"]]
        out = sum(reason["n"] for reason in one["left_out"])
        assert not of or of == [one["n"] + out], damage.name
    for variable, n in found.missing["variable"].astype(str).value_counts().items():
        assert found.people[variable].isna().sum() == n, damage.name


def explained(found: Outcome, person: str, file: str, column: str, value: object) -> bool:
    """Whether a value is as its raw cell says, or a query is about the cell, row or file."""
    queries = found.queries[found.queries["file"] == f"{file}.csv"]
    about = (queries["participant"] == person) & queries["column"].isin([column, ""])
    counts = found.queries[found.queries["rule"].str.contains("expected")]
    rows = [r for r in plain_rows(RAW / f"{file}.csv") if r["participant"].strip() == person]
    if about.any() or (not rows and not counts.empty):
        return True
    text = rows[0][column] if rows else ""
    if pd.isna(value):
        return text.strip() == ""
    if isinstance(value, pd.Timestamp):
        return text == f"{value:%Y-%m-%d}"
    return text == value or (isinstance(value, float) and float(text) == value)


def check_values(found: Outcome, before: Outcome, damage: Damage) -> None:
    for file, columns in KEPT.items():
        for column in columns.split()[1:]:
            variable = column if column in ONCE else f"{column}_{VISITS[file]}"
            was, now = before.people[variable], found.people[variable].reindex(before.people.index)
            for person in was.index[(was != now) & ~(was.isna() & now.isna())]:
                if person in found.people.index:
                    place = (damage.name, person, variable)
                    assert explained(found, person, file, column, now[person]), place


def check(damage: Damage, before: Outcome) -> str:
    damage.do()
    found = Outcome()
    if found.error is not None:
        assert not damage.same, (damage.name, str(found.error))
        check_sentence(found.error, damage)
        return "stopped"
    check_accounts(found, damage)
    check_values(found, before, damage)
    if damage.same:
        pd.testing.assert_frame_equal(found.people, before.people)
        return "same"
    new = len(found.queries) - len(before.queries)
    changed = not found.people.equals(before.people)
    assert new or changed or "byte" in damage.name or found.queries.equals(before.queries)
    return "asked" if new else "taken as it stands"


ENDS = pd.read_csv(ENDS_KEPT).set_index("damage")["end"]


@pytest.fixture(scope="module")
def damages(study: Path) -> dict[str, Damage]:
    with chdir(study):
        return {damage.name: damage for damage in all_damages()}


def test_the_ends_of_at_least_300_damages_are_kept(damages: dict[str, Damage]) -> None:
    assert len(damages) >= 300
    assert set(damages) == set(ENDS.index)
    assert ENDS.isin(["stopped", "asked", "same", "taken as it stands"]).all()


def cells_together() -> list[list[str]]:
    """Damaged cells that stop nothing, no two of a group in one column of a file."""
    groups: list[dict[str, str]] = []
    for name in ENDS.index[ENDS != "stopped"]:
        column, of_a_cell, _ = name.partition(" of row ")
        if of_a_cell:
            group = next((g for g in groups if column not in g), {})
            groups += [] if group in groups else [group]
            group[column] = name
    return [list(group.values()) for group in groups]


@pytest.mark.parametrize("names", cells_together())
def test_cells_damaged_together_are_each_asked_about(
    names: list[str], study: Path, before: Outcome, damages: dict[str, Damage], tmp_path: Path
) -> None:
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    with chdir(tmp_path):
        for name in names:
            damages[name].do()
        found = Outcome()
        assert found.error is None
        check_accounts(found, damages[names[0]])
        check_values(found, before, damages[names[0]])
    place = ["participant", "file", "column"]
    asked = {*found.queries[place].itertuples(index=False, name=None)}
    asked -= {*before.queries[place].itertuples(index=False, name=None)}
    ends = ["asked" if damages[name].cell in asked else "taken as it stands" for name in names]
    assert dict(zip(names, ends, strict=True)) == dict(ENDS[names])


def one_at_a_time() -> list[object]:
    """Every damage; if not long, one of a kind to two files of five, and cells that stop."""
    kinds: list[str] = []
    found: list[object] = []
    for name in ENDS.index:
        file, _, what = name.partition(": ")
        if " of row " in name:
            kind = name.partition(" of row ")[0]
            left = kind in kinds or ENDS[name] != "stopped"
        else:
            kind = re.sub(r"\d+.*", "", what)
            at = kinds.index(kind) if kind in kinds else len(kinds)
            left = (at + FILES.index(file)) % len(FILES) > 1
        kinds += [kind] * (kind not in kinds)
        found.append(pytest.param(name, marks=pytest.mark.long) if left else name)
    return found


@pytest.mark.parametrize("name", one_at_a_time())
def test_a_damage_ends_well(
    name: str, study: Path, before: Outcome, damages: dict[str, Damage], tmp_path: Path
) -> None:
    assert before.error is None
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    with chdir(tmp_path):
        assert check(damages[name], before) == ENDS[name]
