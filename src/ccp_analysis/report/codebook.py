"""The codebook: a page to read and search, and the same as CSV, of every analysis variable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.instruments import Instrument, load_instruments
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.report.filled import environment
from ccp_analysis.report.head import Head
from ccp_analysis.report.marks import WITHHELD
from ccp_analysis.report.pages import TEMPLATES
from ccp_analysis.report.words import capitalised, decimals, known, number

ONCE = "Measured once"
SCORES = "Scores"
READABLE = ("codes", "limits", "missing_by_reason", "counts")  # JSON in the data
NUMBERS = ("mean", "sd", "minimum", "q1", "median", "q3", "maximum")
LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "soft_minimum": "implausible below",
    "soft_maximum": "implausible above",
}
BARS = 100  # width of a full bar


@dataclass(frozen=True)
class Bar:
    """One bar of a distribution: a code with its number and share."""

    label: str
    n: int
    width: float
    percent: str


@dataclass(frozen=True)
class Box:
    """Where the middle half of a number's values lies on its range, from 0 to 100."""

    low: float
    q1: float
    median: float
    q3: float
    high: float


@dataclass(frozen=True)
class Entry:
    """One variable at one visit, as the page shows it."""

    variable: str
    label: str
    facts: list[tuple[str, str]]
    n: str
    missing: str
    reasons: list[tuple[str, str]]
    bars: list[Bar] = field(default_factory=list)
    box: Box | None = None
    summary: str = ""


@dataclass(frozen=True)
class Part:
    """The variables of one file or instrument at one visit."""

    id: str
    title: str
    entries: list[Entry]


@dataclass(frozen=True)
class Chapter:
    """Everything measured at one visit."""

    id: str
    title: str
    parts: list[Part]


def run(*, codebook: Path, html: Path, csv: Path) -> None:
    """Write the codebook as a page and as CSV.

    Parameters
    ----------
    codebook : Path
        Every variable described, from the cleaned data.
    html, csv : Path
        The files to write.

    Raises
    ------
    StudyError
        If the file is missing, or of a study of another data status.
    """
    study = load_study()
    if not codebook.is_file():
        raise StudyError(f"{codebook}: the file is missing; expected what an earlier rule wrote.")
    table = files.read_parquet(codebook)
    others = sorted(set(table["data_status"]) - {study.data_status})
    if others:
        raise StudyError(
            f"{codebook}: data status '{others[0]}' found; expected '{study.data_status}' as in "
            "config/study.yaml."
        )
    table = described(table) if study.guarded else table
    files.write_text(html, page(study, load_instruments(), table))
    files.write_csv(csv, readable(table), bom=True)


def described(table: pd.DataFrame) -> pd.DataFrame:
    """Return the codebook without what was found: of real data it says what variables are."""
    counted = dict.fromkeys(("n", "missing"), WITHHELD)
    found = dict.fromkeys(NUMBERS, float("nan"))
    table = table.astype(dict.fromkeys(counted, object))
    return table.assign(**counted, **found, counts="{}", missing_by_reason="{}")


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the codebook with ``code=Label; …`` in the place of JSON."""
    table = table.copy()
    for column in READABLE:
        pairs = table[column].map(json.loads)
        table[column] = pairs.map(lambda found: "; ".join(f"{k}={v}" for k, v in found.items()))
    return table


def page(study: Study, instruments: dict[str, Instrument], table: pd.DataFrame) -> str:
    """Return the codebook as one HTML page that needs nothing else.

    Parameters
    ----------
    study : Study
        Title, visits, data status.
    instruments : dict
        Instrument id → `Instrument`, for what belongs together.
    table : pandas.DataFrame
        The codebook's data.

    Returns
    -------
    str
        All text escaped.
    """
    head = Head(
        study.title, "Codebook", study.short_title, study.data_date, study.data_label, False
    )
    template = environment(TEMPLATES).get_template("codebook.html.j2")
    return template.render(
        study=study,
        date=head.written_date,
        chapters=chapters(study, instruments, table),
        variables=len(table),
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "page.js").read_text(encoding="utf-8"),
    )


def chapters(
    study: Study, instruments: dict[str, Instrument], table: pd.DataFrame
) -> list[Chapter]:
    """Return the variables by visit, within a visit by file, items and scores by instrument."""
    found: list[Chapter] = []
    titles = {"": ONCE} | study.times
    for visit, title in titles.items():
        here = table[table["visit"] == visit]
        parts = [
            Part(f"{visit or 'once'}-{key}", name, [entry(row) for row in _records(own)])
            for key, name, own in _parts(study, instruments, here)
        ]
        if parts:
            found.append(Chapter(f"visit-{visit or 'once'}", title, parts))
    return found


def _parts(
    study: Study, instruments: dict[str, Instrument], here: pd.DataFrame
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield key, title and lines of each file's own variables, then of each instrument."""
    owner = {item: name for name, one in instruments.items() for item in one.items}
    for name, one in instruments.items():
        owner |= {f"{name}_{subscale}": name for subscale in one.subscales} | {name: name}
    owned = here["name"].map(owner)
    raw = here[owned.isna()]
    for file in dict.fromkeys(raw["file"]):
        spec = study.files.get(file)
        title = f"File {spec.path.name}" if spec else file or SCORES
        yield f"file-{file}", title, raw[raw["file"] == file]
    for name in [one for one in instruments if (owned == one).any()]:
        yield f"instrument-{name}", instruments[name].label, here[owned == name]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def entry(row: dict[str, Any]) -> Entry:
    """Return one variable as the page shows it; `row` is a line of the codebook's data."""
    codes, limits = json.loads(row["codes"]), json.loads(row["limits"])
    counts, why = json.loads(row["counts"]), json.loads(row["missing_by_reason"])
    facts = [("Type", row["type"]), ("Raw column", row["column"]), ("Unit", row["unit"])]
    facts.append(("Range", ", ".join(f"{LIMITS[k]} {v:g}" for k, v in limits.items())))
    if row["type"] == "date":
        facts += [(f"{capitalised(key)} day", str(day)) for key, day in counts.items()]
        counts = {}
    elif not counts:
        facts.append(("Codes", "; ".join(f"{code} = {label}" for code, label in codes.items())))
    total = row["n"] or 1
    bars = [
        Bar(
            label=f"{code} = {codes[code]}" if codes.get(code, code) != code else code,
            n=n,
            width=BARS * n / total,
            percent=number(100 * n / total) or "",
        )
        for code, n in counts.items()
    ]
    return Entry(
        variable=row["variable"],
        label=row["label"],
        facts=[(name, text) for name, text in facts if text],
        n=number(row["n"]) or "0",
        missing=number(row["missing"]) or "0",
        reasons=[(str(reason), number(n) or "0") for reason, n in why.items()],
        bars=bars,
        box=_box(row),
        summary=_summary(row),
    )


def _box(row: dict[str, Any]) -> Box | None:
    """Put the quartiles on a line from the lowest to the highest value found."""
    ends = [row[name] for name in ("minimum", "q1", "median", "q3", "maximum")]
    if not all(map(known, ends)) or ends[0] == ends[-1]:
        return None
    wide = ends[-1] - ends[0]
    return Box(*(BARS * (end - ends[0]) / wide for end in ends))


def _summary(row: dict[str, Any]) -> str:
    if not known(row["mean"]):
        return ""
    places = decimals(row["sd"])
    sd = number(row["sd"], places)
    ends = {name: row[name] for name in NUMBERS[2:]}
    whole = 0 if all(float(end).is_integer() for end in ends.values()) else places
    shown = {name: number(end, whole) for name, end in ends.items()}
    mean = f"mean {number(row['mean'], places)}{f' (SD {sd})' if sd else ''}"
    quartiles = f"median {shown['median']} (quartiles {shown['q1']} to {shown['q3']})"
    return f"{mean}; {quartiles}; range {shown['minimum']} to {shown['maximum']}"
