from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from synthetic.study_data import FILES, StudyData, draw_study

ROOT = Path(__file__).parents[2]


def read(path: Path) -> pd.DataFrame:
    """A table as it stands in its file: every cell text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


class Entry:
    """One row of a data dictionary, read by plain means."""

    def __init__(self, row: dict[str, str]) -> None:
        self.type, self.name, self.visit = row["type"], row["name"], row["visit"]
        self.limits = [float(row[k]) if row[k] else None for k in ("minimum", "maximum")]
        self.missing = {part.split("=")[0].strip() for part in row["missing"].split(";") if part}
        self.codes: dict[str, list[str]] = {}
        for part in filter(None, row["codes"].split(";")):
            code, _, names = part.strip().partition("=")
            self.codes[code] = names.split("|")

    def decode(self, text: str) -> str | None:
        """The code that a category's text stands for."""
        for code, names in self.codes.items():
            if text.strip().lower() in {n.strip().lower() for n in (code, *names)}:
                return code
        return None


def dictionary(folder: Path) -> dict[tuple[str, str], Entry]:
    with (folder / "config" / "dictionary.csv").open(newline="", encoding="utf-8") as handle:
        return {(row["file"], row["column"]): Entry(row) for row in csv.DictReader(handle)}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def clean() -> StudyData:
    return draw_study()


@pytest.fixture(scope="session")
def committed() -> dict[str, pd.DataFrame]:
    return {name: read(ROOT / "data" / "raw" / f"{name}.csv") for name in FILES}


@pytest.fixture(scope="session")
def planted() -> pd.DataFrame:
    faults = read(Path(__file__).parent / "data" / "planted_faults.csv")
    return faults.assign(row=faults["row"].astype(int))


@pytest.fixture(scope="session")
def columns() -> dict[tuple[str, str], Entry]:
    return dictionary(ROOT)


@pytest.fixture(scope="session")
def btheb() -> pd.DataFrame:
    return read(ROOT / "examples" / "beat_the_blues" / "data" / "raw" / "btheb.csv")


@pytest.fixture(scope="session")
def btheb_columns() -> dict[tuple[str, str], Entry]:
    return dictionary(ROOT / "examples" / "beat_the_blues")
