"""Every planted mistake is listed, and nothing else differs from the clean draw."""

from __future__ import annotations

import pandas as pd
from synthetic.mess import FAULT_COLUMNS, Mess, as_text, plant_mess
from synthetic.study_data import FILES, StudyData


def test_list_is_complete(clean: StudyData, committed: dict, planted: pd.DataFrame) -> None:
    assert list(planted.columns) == FAULT_COLUMNS
    cells = planted[planted["column"] != ""]
    assert not cells.duplicated(["file", "row", "column"]).any()
    for file in FILES:
        before, after = as_text(clean.tables()[file]), committed[file]
        differ = before.ne(after.iloc[: len(before)]).stack()
        found = {(row + 2, column) for row, column in differ[differ].index}
        listed = cells[cells["file"] == file]
        assert found == set(zip(listed["row"], listed["column"], strict=True))


def test_kinds_agree_with_the_dictionary(
    clean: StudyData, planted: pd.DataFrame, columns: dict
) -> None:
    drawn = {file: as_text(table) for file, table in clean.tables().items()}
    agrees = {
        "missing_code": lambda raw, before, entry, all_: raw in entry.missing,
        "blank": lambda raw, before, entry, all_: raw == "",
        "white_space": lambda raw, before, entry, all_: raw != before and raw.strip() == before,
        "recoded": lambda raw, before, entry, all_: raw != before and entry.decode(raw) == before,
        "unknown": lambda raw, before, entry, all_: raw not in set(all_),
        "impossible": lambda raw, before, entry, all_: (
            not entry.limits[0] <= float(raw) <= entry.limits[1]
        ),
    }
    for _, fault in planted[planted["column"] != ""].iterrows():
        every = drawn[fault["file"]][fault["column"]]
        before, entry = every.iat[fault["row"] - 2], columns[fault["file"], fault["column"]]
        assert before != ""
        assert agrees[fault["kind"]](fault["raw_value"], before, entry, every), fault


def test_identities_have_no_mistakes(planted: pd.DataFrame) -> None:
    assert set(planted["file"]) == set(FILES) - {"recruitment", "teams"}
    spared = {"participant", "team", "to_team", "trust", "arm", "date", "interview_date"}
    mistaken = planted[planted["column"].isin(spared | {"practitioner"})]
    assert mistaken[["file", "column", "kind"]].to_numpy().tolist() == [
        ["delivery", name, "unknown"] for name in ("participant", "practitioner")
    ]


def test_nothing_planted_nothing_changed(clean: StudyData) -> None:
    none = Mess(0.0, 0, 0, 0, 0, 0, 0, (), 0, 0.0, 0, 0, (), ())
    messy, faults = plant_mess(clean, 1, none)
    assert faults.empty and list(faults.columns) == FAULT_COLUMNS
    for file in FILES:
        pd.testing.assert_frame_equal(messy.tables()[file], as_text(clean.tables()[file]))


def test_other_seeds_list_their_mistakes_too(clean: StudyData) -> None:
    before = as_text(clean.baseline)
    messy, faults = plant_mess(clean, 2, Mess(duplicates=3))
    listed = faults[(faults["file"] == "baseline") & (faults["column"] != "")]
    assert before.ne(messy.baseline.iloc[: len(before)]).to_numpy().sum() == len(listed)
    assert len(messy.baseline) == len(before) + 3
    assert messy.baseline.duplicated().sum() == 3
    pd.testing.assert_frame_equal(as_text(clean.baseline), before)
