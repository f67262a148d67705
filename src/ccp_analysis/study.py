"""Configuration files in, validated typed objects out: the only door to ``config/``.

What is written in the files is read by `ccp_analysis.reading`; the data dictionary has a module of
its own, `ccp_analysis.dictionary`, and so have the plan, `ccp_analysis.plan`, and that of the
economic evaluation, `ccp_analysis.evaluation`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.dictionary import DICTIONARY, Column
from ccp_analysis.dictionary import load_dictionary as load_dictionary
from ccp_analysis.errors import StudyError
from ccp_analysis.evaluation import ECONOMICS as ECONOMICS
from ccp_analysis.evaluation import Economics as Economics
from ccp_analysis.plan import PLAN, Name, Plan
from ccp_analysis.reading import Strict, load

STUDY = Path("config/study.yaml")
INSTRUMENTS = Path("config/instruments.yaml")
RULES = Path("config/rules.yaml")
DECISIONS = Path("config/decisions.csv")

Share = Annotated[float, Field(ge=0, le=1)]


class Visit(Strict):
    """A planned interview; `file` holds one row for each person interviewed, where there is one.

    `date` names the date of the interview, `reason` the reason why somebody has none.
    """

    id: Name
    label: str
    months: float = Field(ge=0)
    file: str | None = None
    reason: str | None = None
    date: str | None = None


Format = Literal["csv", "xlsx", "sav", "dta"]


class RawFile(Strict):
    """A raw file, how it is written, what one of its rows is, and how many there should be.

    `header_rows` are the rows of its header, one of which names the columns; `where` are the texts
    that some columns must hold in its rows, the rest of the file being left to others.
    """

    path: Path
    rows: Literal["participant", "cluster", "event"]
    format: Format | None = None
    delimiter: Literal["comma", "semicolon", "tab"] | None = None
    encoding: Literal["utf-8", "latin-1", "windows-1252"] | None = None
    decimal: Literal["point", "comma", "either"] = "point"
    dates: Literal["iso", "day-first"] = "iso"
    sheet: str | None = None
    header_rows: int = Field(default=1, ge=1, le=20)
    where: dict[str, str] = {}
    expected: int | None = None

    @model_validator(mode="after")
    def _written(self) -> RawFile:
        if self.kind is None:
            raise ValueError(
                f"'{self.path}' is of no format that is read; save it as .xlsx (a spreadsheet), "
                ".csv (text), .sav (SPSS) or .dta (Stata), or where only its name says otherwise "
                "give the format: csv, xlsx, sav or dta"
            )
        for key, kinds in {"delimiter": "csv", "encoding": "csv sav dta", "sheet": "xlsx"}.items():
            if getattr(self, key) is not None and self.kind not in kinds.split():
                raise ValueError(f"'{key}' does not go with the format {self.kind}")
        if self.header_rows > 1 and self.kind in ("sav", "dta"):
            raise ValueError(f"'header_rows' does not go with the format {self.kind}")
        if self.decimal != "point" and self.kind != "csv":
            raise ValueError(f"a decimal comma does not go with the format {self.kind}")
        return self

    @property
    def kind(self) -> Format | None:
        """The format: as declared, otherwise by the suffix."""
        suffixes: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".txt": "csv"}
        suffixes |= {".xlsx": "xlsx", ".sav": "sav", ".dta": "dta"}
        return self.format or suffixes.get(self.path.suffix.lower())

    @property
    def words(self) -> str:
        """Its name, with the rows that are meant where other files of the study share it."""
        rows = ", ".join(f"{column}: {text}" for column, text in self.where.items())
        return f"{self.path.name} ({rows})" if rows else self.path.name

    @property
    def separator(self) -> str:
        """The delimiter as a character: as declared, otherwise by the suffix."""
        name = self.delimiter or ("tab" if self.path.suffix.lower() == ".tsv" else "comma")
        return {"comma": ",", "semicolon": ";", "tab": "\t"}[name]


class Arms(Strict):
    """The two arms; effects are the other arm minus the reference."""

    variable: Name
    reference: str
    levels: dict[str, str]

    @model_validator(mode="after")
    def _two(self) -> Arms:
        if len(self.levels) != 2 or self.reference not in self.levels:
            raise ValueError("two arms are expected, one of them the reference")
        return self

    @property
    def active(self) -> str:
        """The arm that is compared with the reference."""
        return next(arm for arm in self.levels if arm != self.reference)

    @property
    def ordered(self) -> list[str]:
        """Both arms, the reference first."""
        return [self.reference, self.active]


class Clusters(Strict):
    """The unit of allocation, and the pairs of units that hold one of each arm."""

    unit: Name
    pair: Name
    unit_label: str
    pair_label: str


class Losses(Strict):
    """Where it is recorded why somebody left: a file with a row for each event.

    `death` is the event after which utility is 0.
    """

    file: str
    event: str
    date: str
    reason: str
    ending: list[str]
    death: str | None = None


class Invalid(Strict):
    """How many cells of a column may be not valid, or outside its limits, before the run stops."""

    share: Share = Field(
        default=0.05, description="Of the filled cells: neither blank nor a code for missing."
    )
    cells: int = Field(default=5, ge=1, description="So many at least; fewer never stop the run.")


class Study(Strict):
    """What the study is: ``config/study.yaml``."""

    id: Name
    title: str
    short_title: str
    registration: str
    data_status: Literal["synthetic", "public", "real"]
    data_date: dt.date
    randomised: bool
    arms: Arms
    visits: list[Visit] = Field(min_length=2)
    files: dict[str, RawFile] = Field(min_length=1)
    clusters: Clusters | None = None
    losses: Losses | None = None
    expected: dict[str, int] = {}
    invalid: Invalid = Invalid()
    complete_case: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        ids = [visit.id for visit in self.visits]
        if len(set(ids)) < len(ids):
            raise ValueError("visits: every visit needs an id of its own")
        if any(a.months >= b.months for a, b in zip(self.visits, self.visits[1:], strict=False)):
            raise ValueError("visits: months must increase from visit to visit")
        named = [(v.file, "participant") for v in self.visits if v.file]
        named += [(self.losses.file, "event")] if self.losses else []
        for file, rows in [(self.roster, "participant"), *named]:
            if file not in self.files:
                raise ValueError(f"'{file}' is not one of the files ({', '.join(self.files)})")
            if self.files[file].rows != rows:
                raise ValueError(f"files: '{file}' needs rows: {rows}")
        for one in ids:
            if any(one.endswith(f"_{other}") for other in ids):
                raise ValueError(f"visits: '{one}' ends in the id of another visit")
        for key in self.expected:
            if key != "recruited" and key not in ids:
                raise ValueError(f"expected: '{key}' is neither 'recruited' nor a visit")
        return self

    @property
    def baseline(self) -> Visit:
        """The first visit."""
        return self.visits[0]

    @property
    def follow_ups(self) -> list[Visit]:
        """All visits after the baseline."""
        return self.visits[1:]

    @property
    def roster(self) -> str:
        """The id of the file that lists everyone recruited: the first one."""
        return next(iter(self.files))

    def visit(self, visit: str) -> Visit:
        """Return the visit of that id; StudyError if there is none."""
        for candidate in self.visits:
            if candidate.id == visit:
                return candidate
        known = ", ".join(v.id for v in self.visits)
        raise StudyError(f"{PLAN}: visit '{visit}' is not in {STUDY}; expected one of {known}.")

    def position(self, visit: str) -> int:
        """Return the place of a visit in time, by which visits are ordered everywhere.

        What is of all visits together, and so names none, comes first.
        """
        return self.visits.index(self.visit(visit)) if visit else -1

    @property
    def data_label(self) -> str:
        """The words by which every table and page says what kind of data it rests on."""
        return {"synthetic": "SYNTHETIC DATA", "public": "public data", "real": "study data"}[
            self.data_status
        ]


class Subscale(Strict):
    """Some items of an instrument with a score of their own."""

    label: str
    items: list[str] = Field(min_length=1)


class Instrument(Strict):
    """A scale: which items make it, and how.

    `standing` says in a sentence what a value set is worth in an appraisal; the report prints it.
    """

    label: str
    items: list[str] = Field(min_length=1)
    score: Literal["sum", "mean", "value_set"]
    range: tuple[float, float]
    minimum_answered: Share = 1.0
    reversed: list[str] = []
    benefit: Literal["higher", "lower"]
    mcid: float | None = None
    unit: str = "points"
    subscales: dict[str, Subscale] = {}
    value_set: Path | None = None
    standing: str | None = None

    @model_validator(mode="after")
    def _items(self) -> Instrument:
        if (self.score == "value_set") != (self.value_set is not None):
            raise ValueError("a value set file goes with score: value_set, and only with it")
        if len(set(self.items)) < len(self.items):
            raise ValueError("an item stands twice")
        if self.range[0] >= self.range[1]:
            raise ValueError("the range must go from a lower to a higher score")
        for name in [*self.reversed, *(i for s in self.subscales.values() for i in s.items)]:
            if name not in self.items:
                raise ValueError(f"'{name}' is not one of the items")
        return self


def load_study() -> Study:
    """Read ``config/study.yaml``; StudyError names the first fault, its `faults` all of them."""
    return load(Study, STUDY)


def load_plan() -> Plan:
    """Read ``config/analysis.yaml``; StudyError names the first fault, its `faults` all of them."""
    return load(Plan, PLAN)


def load_economics() -> Economics | None:
    """Read ``config/economics.yaml``; None where the study has no economic evaluation."""
    return load(Economics, ECONOMICS) if ECONOMICS.is_file() else None


def load_instruments() -> dict[str, Instrument]:
    """Read ``config/instruments.yaml``: instrument id → `Instrument`."""

    class _File(Strict):
        instruments: dict[Name, Instrument]

    return dict(load(_File, INSTRUMENTS).instruments)


def unit_of(name: str, instruments: dict[str, Instrument], dictionary: list[Column]) -> str:
    """Return the unit of an instrument or variable; points where none is given."""
    if name in instruments:
        return instruments[name].unit
    return next((c.unit for c in dictionary if c.name == name and c.unit), "points")


def configuration_files() -> dict[str, list[str]]:
    """Return, for each kind of rule, the configuration files that it reads.

    Returns
    -------
    dict
        Rule → paths, as text, in the study folder.
    """
    study = [STUDY.as_posix()]
    checks = [path.as_posix() for path in (RULES, DECISIONS) if path.is_file()]
    measures = [DICTIONARY.as_posix(), INSTRUMENTS.as_posix()]
    plan = [PLAN.as_posix()]
    levels = load_plan().imputation.level
    value_sets = [i.value_set.as_posix() for i in load_instruments().values() if i.value_set]
    economics = load_economics()
    money = [ECONOMICS.as_posix()] if economics else []
    prices = [economics.unit_costs, economics.price_index] if economics else []
    if economics and economics.intervention:
        prices.append(economics.intervention.costs)
    return {
        "clean": study + measures + list(dict.fromkeys(value_sets)) + checks,
        "cost": study + measures[:1] + money + [path.as_posix() for path in prices if path],
        "impute": study + measures + plan + money + (value_sets if levels else []),
        "analyse": study + measures + plan,
        "check": study + measures + plan,
        "sensitivity": study + measures + plan,
        "describe": study + measures + plan,
        "evaluate": study + measures + plan + money,
        "results": study + plan,
        "codebook": study + measures[1:],
        "report": study + measures + plan + money,
    }
