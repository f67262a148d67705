"""What the study is, its arms, visits, files and clusters: ``config/study.yaml``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from ccp_analysis.config.events import Delivery, Losses, Medication
from ccp_analysis.config.reading import Name, Share, Strict, Text, among, load
from ccp_analysis.config.sharing import Sharing
from ccp_analysis.config.target_trial import TargetTrial
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import PLAN, STUDY


class Visit(Strict):
    """A planned interview; `file` holds one row for each person interviewed, where there is one.

    `date` names the date of the interview, `reason` the reason why somebody has none.
    """

    id: Name
    """Name of the visit, with which names of variables end."""
    label: str
    """What it is called in the report."""
    months: float = Field(ge=0)
    """Months since the baseline; they increase from visit to visit."""
    file: str | None = None
    """Id of a file with a row for each person interviewed, where there is one."""
    reason: str | None = None
    """Variable that says why somebody was not interviewed."""
    date: str | None = None
    """Variable with the date of the interview."""


SCHEMA = 1  # form of the configuration that this program reads

Format = Literal["csv", "xlsx", "sav", "dta"]
PLAN_ITEMS = "plan"
# Items of the checklists, numbered as in their sources: that of randomised trials, two of studies
# that are not randomised, and that of statistical analysis plans.
CHECKLISTS = {
    "trend": tuple(str(number) for number in range(1, 23)),
    "target": (
        *("1a", "1b", "1c", "2", "3", "4", "5"),
        *("6a", "6b", "6c", "6d", "6e", "6f", "6g", "6h"),
        *("7a", "7b", "7c", "7d", "7e", "7f", "7g(i)", "7g(ii)", "7h(i)", "7h(ii)"),
        *(str(number) for number in range(8, 22)),
    ),
    "consort": (
        *("1a", "1b", "2", "3", "4", "5a", "5b", "6", "7", "8", "9", "10", "11", "12a", "12b"),
        *("13", "14", "15", "16a", "16b", "17a", "17b", "18", "19", "20a", "20b"),
        *("21a", "21b", "21c", "21d", "22a", "22b", "23a", "23b", "24a", "24b"),
        *(str(number) for number in range(25, 31)),
        *("C1a", "C1b", "C2a", "C2b", "C3a", "C4a", "C5", "C6a", "C7a", "C8b", "C9"),
        *("C10a", "C10b", "C10c", "C12a", "C13a", "C13b", "C15", "C16", "C17a", "C21"),
    ),
    PLAN_ITEMS: (
        *("1a", "1b", "2", "3", "4a", "4b", "4c", "5", "6a", "6b", "6c", "7", "8", "9", "10"),
        *("11", "12", "13a", "13b", "13c", *map(str, range(14, 19)), "19a", "19b", "19c", "19d"),
        *("20", "21", "22", "23", "24a", "24b", "24c", "25a", "25b", "26a", "26b", "26c"),
        *("27a", "27b", "27c", "27d", "27e", "27f", "28", "29", "30", "31"),
        *("32a", "32b", "32c", "32d"),
    ),
}


class Occasion(Strict):
    """A time at which practitioners were asked; visits are those of participants."""

    id: Name
    """Name of the occasion, with which names of variables end."""
    label: str
    """What it is called in the report."""


class RawFile(Strict):
    """A raw file, how it is written, what one of its rows is, and how many there should be.

    `header_rows` are the rows of its header, one of which names the columns; `where` are the texts
    that some columns must hold in its rows, the rest of the file being left to others.
    """

    path: Path
    """The file, in the study folder."""
    rows: Literal["participant", "cluster", "event", "practitioner"]
    """What one of its rows is."""
    occasions: list[Occasion] = []
    """When practitioners were asked, of a file of theirs."""
    format: Format | None = None
    """How it is written, where its suffix does not say so."""
    delimiter: Literal["comma", "semicolon", "tab"] | None = None
    """What stands between cells, where the suffix does not say so."""
    encoding: Literal["utf-8", "latin-1", "windows-1252"] | None = None
    """How letters are written, UTF-8 unless given."""
    decimal: Literal["point", "comma", "either"] = "point"
    """What stands before the decimals of a number."""
    dates: Literal["iso", "day-first"] = "iso"
    """How dates are written: 2020-01-31, or 31/01/2020 as well."""
    sheet: str | None = None
    """Name of the sheet, where there are several."""
    header_rows: int = Field(default=1, ge=1, le=20)
    """Rows of the header, one of which names the columns."""
    where: dict[str, str] = {}
    """Column and text: only rows that have it belong to the file."""
    expected: int | None = None
    """How many rows there should be; another number becomes a query."""

    @model_validator(mode="after")
    def _written(self) -> RawFile:
        ids = [occasion.id for occasion in self.occasions]
        if ids and self.rows != "practitioner":
            raise ValueError("occasions are of practitioners, and go with 'rows: practitioner'")
        if len(set(ids)) < len(ids):
            raise ValueError("occasions: every occasion needs an id of its own")
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
    def of_people(self) -> bool:
        """Whether its variables are of participants, their own or those of their clusters."""
        return self.rows in ("participant", "cluster")

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
    """Variable of the data dictionary that holds the arm."""
    reference: str
    """Code of the arm that the other is compared with."""
    levels: dict[str, str]
    """Code of each arm and what it is called."""

    @model_validator(mode="after")
    def _two(self) -> Arms:
        if len(self.levels) != 2 or self.reference not in self.levels:
            found = f"found: {few(self.levels)}; the reference is '{self.reference}'"
            raise ValueError(f"two arms are expected, one of them the reference ({found})")
        return self

    @property
    def active(self) -> str:
        """The arm that is compared with the reference."""
        return next(arm for arm in self.levels if arm != self.reference)

    @property
    def ordered(self) -> list[str]:
        """Both arms, the reference first."""
        return [self.reference, self.active]

    def taken(self, what: str) -> str:
        """Name a column of differences so that nobody takes them the other way round."""
        return f"{what}_{self.active}_minus_{self.reference}"


class Clusters(Strict):
    """The unit of allocation, and the pairs of units that hold one of each arm."""

    unit: Name
    """Variable of the unit of allocation."""
    pair: Name
    """Variable of the pair, or stratum, that holds units of both arms."""
    unit_label: str
    """What a unit is called."""
    pair_label: str
    """What a pair is called."""


class Invalid(Strict):
    """How many cells of a column may be not valid, or outside its limits, before the run stops."""

    share: Share = 0.05
    """Of the filled cells: neither blank nor a code for missing."""
    cells: int = Field(default=5, ge=1)
    """So many at least; fewer never stop the run."""


class Disclosure(Strict):
    """What is shown of few people where data are real: ``docs/disclosure.md``."""

    smallest: int = Field(default=8, ge=2)
    """The smallest count of people that is shown; 0 is, as nobody has it."""
    digits: int = Field(default=3, ge=1)
    """Significant digits of an estimate of a number of people that is not shown."""


class Study(Strict):
    """What the study is: ``config/study.yaml``."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: int = Field(default=SCHEMA, alias="schema")
    """Form of this folder's configuration; another than the program's stops the run."""
    id: Name
    """Short name of the study, for files."""
    title: str
    """Title of the report."""
    short_title: str
    """What is printed above its pages."""
    registration: str
    """Registration of the study."""
    data_status: Literal["synthetic", "public", "real"]
    """What kind of data these are; printed on every page and in every table."""
    data_date: dt.date
    """Date of the data, and of the documents."""
    statistician: str = ""
    """Who answers for the analysis, and signs the report."""
    reviewer: str = ""
    """Who reviewed it, and signs the report."""
    randomised: bool
    """Whether arms were allocated at random."""
    target_trial: TargetTrial | None = None
    """The target trial beside this study, where arms were not allocated at random."""
    statements: dict[Literal["trend", "target", "consort", "plan"], dict[str, Text]] = {}
    """Checklist, item of it and what the authors say to it: consort where arms were allocated at
    random, trend and target where they were not; plan for the document of the analysis plan."""
    arms: Arms
    """The two arms."""
    visits: list[Visit] = Field(min_length=2)
    """Planned interviews in time; the first is the baseline."""
    files: dict[str, RawFile] = Field(min_length=1)
    """Raw files by id; the first lists everyone recruited."""
    clusters: Clusters | None = None
    """The unit of allocation; without it people are the units."""
    losses: Losses | None = None
    """Where it is recorded what happened to people: why somebody left, and harms."""
    delivery: Delivery | None = None
    """Where it is recorded what was delivered to whom."""
    medication: Medication | None = None
    """Where medication is listed, drug by drug, for an economic evaluation."""
    expected: dict[str, int] = {}
    """Counts that should come out, of those recruited or at a visit; another becomes a query."""
    invalid: Invalid = Invalid()
    """When a column stops the run."""
    disclosure: Disclosure = Disclosure()
    """What is shown of few people where data are real."""
    sharing: Sharing = Sharing()
    """What an archive says of the study to those who rerun it."""
    complete_case: list[str] = []
    """Outcomes that must be there at every visit for a complete case; the primary ones unless
    given."""

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        ids = [visit.id for visit in self.visits]
        if len(set(ids)) < len(ids):
            raise ValueError("visits: every visit needs an id of its own")
        if any(a.months >= b.months for a, b in zip(self.visits, self.visits[1:], strict=False)):
            raise ValueError("visits: months must increase from visit to visit")
        named = [(v.file, "participant") for v in self.visits if v.file]
        listed = ("losses", "delivery", "medication")
        parts = {name: part for name in listed if (part := getattr(self, name))}
        named += [(part.file, "event") for part in parts.values()]
        for file, rows in [(self.roster, "participant"), *named]:
            if file not in self.files:
                raise ValueError(f"'{file}' is not one of the files ({few(self.files)})")
            if self.files[file].rows != rows:
                raise ValueError(f"files: '{file}' needs rows: {rows}")
        for (one, first), (other, second) in combinations(parts.items(), 2):
            if first.file == second.file:
                raise ValueError(f"{other}: its file is that of the {one}; expected another")
        if [spec.rows for spec in self.files.values()].count("practitioner") > 1:
            raise ValueError("files: one file of practitioners is expected")
        for one in ids:
            if any(one.endswith(f"_{other}") for other in ids):
                raise ValueError(f"visits: '{one}' ends in the id of another visit")
        for key in self.expected:
            if key != "recruited" and key not in ids:
                raise ValueError(f"expected: '{key}' is neither 'recruited' nor a visit")
        return self

    def references(self) -> Iterator[str]:
        """Yield what does not go with the design, and items that no checklist has."""
        if self.practitioners and self.clusters is None:
            yield f"files.{self.practitioners}: practitioners belong to clusters; expected clusters"
        keys = [f"statements.{name}" for name in self.statements if name != PLAN_ITEMS]
        for key in [*keys, *["target_trial"] * bool(self.target_trial)]:
            if self.randomised != (key == "statements.consort"):
                others = "not allocated" if self.randomised else "allocated"
                yield (
                    f"{key}: this is for studies whose arms were {others} at random, and the file "
                    f"says randomised: {str(self.randomised).lower()}; expected one without the "
                    "other"
                )
        for name, said in self.statements.items():
            yield from among(f"statements.{name}", said, CHECKLISTS[name], "items of the checklist")
        yield from self.sharing.unnamed(self.files)

    @property
    def guarded(self) -> bool:
        """Whether what is of few people is kept out of the reports: of real data."""
        return self.data_status == "real"

    @property
    def baseline(self) -> Visit:
        """The first visit."""
        return self.visits[0]

    @property
    def follow_ups(self) -> list[Visit]:
        """All visits after the baseline."""
        return self.visits[1:]

    @property
    def practitioners(self) -> str | None:
        """The id of the file of practitioners, where there is one."""
        return next((f for f, spec in self.files.items() if spec.rows == "practitioner"), None)

    @property
    def times(self) -> dict[str, str]:
        """Visits, and occasions on which practitioners were asked, with their labels."""
        occasions = self.files[self.practitioners].occasions if self.practitioners else []
        labels = {visit.id: visit.label for visit in self.visits}
        return labels | {occasion.id: occasion.label for occasion in occasions}

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


def load_study() -> Study:
    """Read ``config/study.yaml``; StudyError names the first fault, its `faults` all of them."""
    return load(Study, STUDY)
