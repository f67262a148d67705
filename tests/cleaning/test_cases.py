"""Small studies, each with an edit, and all that cleaning makes otherwise of it.

In data/cases/: raw_files (lines, rows, joins), decisions (and rules), practitioners (and contacts),
deaths, invalid (forms of values), others (workbooks, headers, several rows for each person).
``python tests/cleaning/test_cases.py`` writes how they end into data/cases/ again.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support import kept  # noqa: E402
from tiny import RAW, Tiny  # noqa: E402

from ccp_analysis import before  # noqa: E402
from ccp_analysis.config.trial import Trial  # noqa: E402
from ccp_analysis.errors import StudyError  # noqa: E402
from ccp_analysis.files import unescaped  # noqa: E402

DATA = Path(__file__).with_name("data")
FIRST = "raw_files.yaml"
FILES = sorted((DATA / "cases").glob("*.yaml"))
TABLES = {"p": "participant", "events": "", "practitioners": "practitioner", "delivery": ""}


# Parts of an ending that are sentences, not cells.
SAID = ("before the first job", "stopped", "warnings", "queries")


class Warned(logging.Handler):
    """What is said as a warning while a study is cleaned."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    @contextmanager
    def kept(self) -> Iterator[None]:
        logger = logging.getLogger("ccp_analysis")
        logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)


def made(folder: Path, name: str, case: kept.Case) -> Tiny:
    """Return a study of five people, or one of those in data/, with its edits."""
    tiny = Tiny(folder)
    if source := case.get("folder"):
        (folder / "data/raw").mkdir(parents=True)
        for path in (DATA / source).iterdir():
            shutil.copy(path, folder / ("data/raw" if path.stem == "p" else "config") / path.name)
    else:
        kept.edit_all(folder, contents(name).get("study", {}))
    if sheet := case.get("workbook"):
        as_workbook(tiny, sheet)
    kept.edit_all(folder, case.get("edits", {}))
    return tiny


def as_workbook(tiny: Tiny, asked: kept.Case) -> None:
    """Save the first interview as a workbook, with what somebody did to it."""
    book = openpyxl.Workbook()
    sheet = book.active
    for line in asked.get("rows", RAW["first.csv"]).splitlines():
        cells = line.split(",")
        sheet.append([int(cell) if cell.isdecimal() else cell or None for cell in cells])
    for cells in asked.get("merged", []):
        sheet.merge_cells(cells)
    for row in asked.get("hidden_rows", []):
        sheet.row_dimensions[row].hidden = True
    for column in asked.get("hidden_columns", []):
        sheet.column_dimensions[column].hidden = True
    sheet.auto_filter.ref = asked.get("filter")
    if asked.get("hidden"):
        book.create_sheet("Notes")
        sheet.sheet_state, book.active = "hidden", 1
    book.save(tiny.path / "first.xlsx")
    tiny.change("config/study.yaml", "first.csv,", "first.xlsx,")


def cleaned(tiny: Tiny) -> dict[str, dict[str, str]]:
    """Return what is said and written of a study in the current folder, by its places."""
    found = {"before the first job": dict.fromkeys(before.faults(Trial()), "said")}
    warned = Warned()
    try:
        with warned.kept():
            tiny.clean()
    except StudyError as error:
        faults = error.faults or [str(error)]
        listed = pd.read_csv("stop.csv", dtype=str, keep_default_na=False)
        stops = listed.loc[listed["severity"] == "stop", "rule"].map(unescaped)
        assert stops.tolist() == faults
        assert not any("\n" in fault or "nan" in fault for fault in faults)
        assert not [name for name in ("p.parquet", "q.csv", "f.json") if Path(name).exists()]
        new = [fault for fault in faults if fault not in found["before the first job"]]
        asked = (listed["severity"] != "stop").sum()
        kept.without_secrets(Path("stop.csv").read_text(encoding="utf-8"))
        more = [f"and {asked} queries are listed"] if asked else []
        return found | {"stopped": dict.fromkeys([*new, *more], "said")}
    assert not Path("stop.csv").exists()
    for path in Path().glob("*.*"):
        free = b"likes tea" in path.read_bytes()
        assert not free or path.suffix != ".parquet" and path.name in {*RAW, "staff.csv"}, path
    found["codebook"] = cells(Path("c.parquet"), "variable")
    found["warnings"] = dict.fromkeys(warned.said, "said")
    queries = pd.read_csv("q.csv", dtype=str, keep_default_na=False)
    found["queries"] = {", ".join(filter(None, row)): "asked" for row in queries.to_numpy()}
    for name, rows in TABLES.items():
        if Path(f"{name}.parquet").exists():
            found[name if name != "p" else "participants"] = cells(Path(f"{name}.parquet"), rows)
    missing = pd.read_parquet("m.parquet").astype(str)
    names = missing["participant"] + " " + missing["variable"]
    found["why missing"] = dict(zip(names, missing["reason"], strict=True))
    return found | {"accounts": kept.leaves(kept.read(Path("f.json")))}


def cells(path: Path, rows: str) -> dict[str, str]:
    """Return the cells of a table by column and row, those of the codebook by row and column."""
    table = pd.read_parquet(path)
    names = table[rows] if rows else range(len(table))
    found = {
        f"{who} {column}" if rows == "variable" else f"{column} {who}": shown(cell)
        for column in table.columns.drop(rows or [])
        for who, cell in zip(names, table[column].to_list(), strict=True)
    }
    empty = ("nothing", "", "{}") if rows == "variable" else ()
    return {place: cell for place, cell in found.items() if cell not in empty}


def shown(cell: object) -> str:
    """Return a cell as text; of numbers six digits."""
    if pd.isna(cell):
        return "nothing"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell).removesuffix(" 00:00:00")


def ending(folder: Path, name: str, case: kept.Case) -> str:
    """Return how a case ends: what is other than without its edits."""
    base = base_of(FIRST if "folder" in case or "whole" in case else name)
    with chdir(folder):
        found = cleaned(made(folder, name, case))
    lines = []
    for part, places in found.items():
        known = {} if case.get("whole") == "all" else base.get(part, {})
        if "workbook" in case:
            places = {p.replace("first.xlsx", "first.csv"): said for p, said in places.items()}
        if part in SAID:
            new = [place for place in places if place not in base.get(part, {})]
        elif "folder" in case:
            new = columns(places) if part == "participants" else []
        elif part == "codebook" and "whole" not in case:
            new = []
        else:
            new = kept.grouped(kept.differences(known, places))
        lines += [f"{part}:", *(f"  {line}" for line in new)] if new else []
    return kept.without_secrets("\n".join(lines or ["as without the edits"]) + "\n")


def columns(places: dict[str, str]) -> list[str]:
    """Return a table with each column on one line."""
    found: dict[str, list[str]] = {}
    for place, cell in places.items():
        found.setdefault(place.partition(" ")[0], []).append(cell)
    return [f"{column}: {', '.join(cells)}" for column, cells in found.items()]


@cache
def contents(name: str) -> dict[str, object]:
    return kept.read(DATA / "cases" / name)


@cache
def base_of(name: str) -> dict[str, dict[str, str]]:
    """Return what cleaning makes of a study without edits."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        found = cleaned(made(Path(folder), name, {}))
    assert "stopped" not in found, name
    assert len(found["before the first job"]) == 2, name  # it has no plan, and says no schema
    return found


CASES = [(path.name, case) for path in FILES for case in contents(path.name)["cases"]]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[case["case"] for _, case in CASES])
def test_a_case_ends_as_is_kept(tmp_path: Path, name: str, case: kept.Case) -> None:
    assert ending(tmp_path, name, case).splitlines() == case["ends"].splitlines()


if __name__ == "__main__":
    for name, case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            case["ends"] = ending(Path(folder), name, case)
    for path in FILES:
        kept.write(path, contents(path.name))
