"""The data dictionary: one row for each raw column, and what it means."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ccp_analysis.config.reading import Strict, complaints, first_of
from ccp_analysis.config.tables import read_table
from ccp_analysis.errors import few, like
from ccp_analysis.layout import DICTIONARY

if TYPE_CHECKING:
    from ccp_analysis.config.study import Study

NUMERIC = ("integer", "number", "ordinal")
LIMITS = ("minimum", "maximum", "soft_minimum", "soft_maximum")
# What the pipeline calls columns of its own, beside those that begin with an underscore: variables,
# stems of variables of a visit, and those of an evaluation, which no service may be called either.
RESERVED = ("imputation", "left", "months", "person", "table", "value", "visit")
RESERVED_AT_VISITS = ("alive", "interviewed")
MEDICATION = ("visit", "drug", "dose", "quantity", "price")  # columns of a list of it
TOTALS = ("cost", "intervention")
OPTIONAL = ("soft_minimum", "soft_maximum", "identifying", "note")


class Column(Strict):
    """One row of the data dictionary: a raw column and what it means.

    What lies outside `minimum` to `maximum` is impossible, what lies outside `soft_minimum` to
    `soft_maximum` implausible. `identifying` says whether the column may hold what can identify a
    person: allowed, or for cleaning only, and then it goes no further.
    """

    file: str
    """Id of the raw file."""
    column: str
    """Name of the column there."""
    name: str
    """Name of the variable, without the visit."""
    visit: str
    """Id of the visit at which it was asked; empty where it was asked once."""
    label: str
    """What it is called in the report."""
    type: Literal["id", "integer", "number", "category", "ordinal", "date", "text"]
    """What its values are."""
    codes: dict[str, list[str]]
    """Codes with their labels and other spellings, as 0=No;1=Yes|y."""
    missing: dict[str, str]
    """Codes for missing values with their reasons, as -99=not answered."""
    minimum: float | None
    """Below it a value is impossible."""
    maximum: float | None
    """Above it a value is impossible."""
    unit: str
    """Unit of its values."""
    soft_minimum: float | None = None
    """Below it a value is implausible."""
    soft_maximum: float | None = None
    """Above it a value is implausible."""
    identifying: Literal["", "allowed", "cleaning only"] = ""
    """Whether it may hold what can identify a person: allowed, or for cleaning only."""
    note: str = ""
    """Anything else that is to be known of it."""

    @property
    def variable(self) -> str:
        """Name of the variable in the participants table: with the visit where there is one."""
        return f"{self.name}_{self.visit}" if self.visit else self.name

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in NUMERIC

    @property
    def hidden(self) -> bool:
        """Whether its values stand in no query and go no further than cleaning."""
        return self.type == "text" or self.identifying == "cleaning only"

    def meanings(self) -> dict[str, str]:
        """Return every spelling of every code, in one case and spacing, with the code it means.

        Raises
        ------
        ValueError
            If a spelling belongs to two codes.
        """
        found: dict[str, str] = {}
        for code, names in self.codes.items():
            for name in [code, *names]:
                spelling = key_of(name)
                if found.setdefault(spelling, code) != code:
                    raise ValueError(f"'{name}' belongs to the codes {found[spelling]} and {code}")
        return found


def key_of(text: str) -> str:
    """Return text without surrounding and repeated white space, in one case: for comparing."""
    return " ".join(text.split()).casefold()


def load_dictionary(study: Study) -> list[Column]:
    """Read the data dictionary, one `Column` for each raw column.

    Parameters
    ----------
    study : Study
        For the files and visits that rows may name.

    Raises
    ------
    StudyError
        Names the first fault with its line; `faults` lists all.
    """
    columns, faults = read_dictionary(study)
    if faults:
        raise first_of(faults)
    return columns


def read_dictionary(study: Study) -> tuple[list[Column], list[str]]:
    """Return the columns of the data dictionary that can be read, and every fault with its line.

    Raises
    ------
    StudyError
        If the file cannot be read as a table with the columns expected.
    """
    columns: list[Column] = []
    faults: list[str] = []
    seen: dict[tuple[str, ...], int] = {}
    required = [key for key in Column.model_fields if key not in OPTIONAL]
    for line, row in read_table(DICTIONARY, required, OPTIONAL):
        where = f"{DICTIONARY}, line {line}"
        content: dict[str, Any] = {key: row.get(key, "") for key in Column.model_fields}
        content["codes"] = _codes(row["codes"])
        content["missing"] = {code: "; ".join(why) for code, why in _codes(row["missing"]).items()}
        content |= {key: _number(content[key]) for key in LIMITS}
        try:
            column = Column.model_validate(content)
        except ValidationError as error:
            faults += complaints(where, error)
            continue
        columns.append(column)
        faults += [f"{where}: {fault}." for fault in _faults(column, study)]
        for key, what in _unique(column, study):
            if key in seen:
                faults.append(f"{where}: {what} stands already in line {seen[key]}.")
            seen.setdefault(key, line)
    return columns, faults or [f"{DICTIONARY}: {fault}." for fault in _lacking(columns, study)]


def _lacking(columns: list[Column], study: Study) -> Iterator[str]:
    """Yield what files of practitioners, contacts and medication need and do not have."""
    needed: list[tuple[str, str, str]] = []
    if study.practitioners and (clusters := study.clusters):
        needed.append((study.practitioners, clusters.unit, f"the {clusters.unit_label}"))
    if (named := study.delivery) is not None:
        needed += [
            (named.file, getattr(named, key), key) for key in ("practitioner", "date", "step")
        ]
    if (drugs := study.medication) is not None:
        keys = [key for key in MEDICATION if getattr(drugs, key)]
        needed += [(drugs.file, getattr(drugs, key), key) for key in keys]
        if any(column.name == drugs.service for column in columns):
            yield f"'{drugs.service}' is what the list of medication makes; expected another name"
    there = {(column.file, column.variable): column for column in columns}
    for file, name, what in needed:
        if (file, name) not in there:
            yield f"the file '{file}' has no column of the name '{name}' ({what})"
        elif drugs is not None and file == drugs.file:
            yield from _unlisted(there[file, name], what, study)


def _unlisted(column: Column, what: str, study: Study) -> Iterator[str]:
    """Yield why a column of a list of medication cannot be what it is named as."""
    if what in ("quantity", "price") and not column.numeric:
        yield f"'{column.name}' of the file '{column.file}' ({what}) is no number"
    if column.type == "text":
        yield f"'{column.name}' of the file '{column.file}' ({what}) is text; expected codes or id"
    visits = {visit.id for visit in study.visits}
    if what == "visit" and not (column.codes and visits.issuperset(column.codes)):
        yield (
            f"'{column.name}' of the file '{column.file}' ({what}) needs ids of visits as codes: "
            f"{few(sorted(visits))}"
        )


def is_reserved(variable: str, study: Study, totals: bool = False) -> bool:
    """Return whether the pipeline has a column of its own of that name.

    Parameters
    ----------
    variable : str
        Name in the participants table, with the visit where it has one.
    study : Study
        Visits.
    totals : bool
        Whether there is an evaluation, which has the `TOTALS` too.
    """
    stems = [*RESERVED_AT_VISITS, *(TOTALS if totals else ())]
    at_visits = {f"{stem}_{visit.id}" for stem in stems for visit in study.visits}
    return variable in at_visits or variable in RESERVED


def line_of(column: Column) -> int:
    """Return the line of the data dictionary in which a column stands."""
    rows = read_table(DICTIONARY, ["file", "column"])
    return next(n for n, r in rows if (r["file"], r["column"]) == (column.file, column.column))


def of_their_cluster(study: Study) -> list[str]:
    """Return what practitioners have from their cluster: the pair and the arm."""
    return [study.clusters.pair, study.arms.variable] if study.clusters else []


def _number(text: str) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _codes(text: str) -> dict[str, list[str]]:
    codes = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        code, _, names = part.partition("=")
        codes[code.strip()] = [n.strip() for n in names.split("|") if n.strip()]
    return codes


def _faults(column: Column, study: Study) -> Iterator[str]:
    """Yield what is wrong with a row as such."""
    if not re.fullmatch("[a-z][a-z0-9_]*", column.name):
        yield f"name '{column.name}' found; expected small letters, digits and underscores"
    if column.file not in study.files:
        yield f"file '{column.file}' is not in config/study.yaml{like(column.file, study.files)}"
    file = study.files.get(column.file)
    times = file.occasions if file and file.rows == "practitioner" else study.visits
    if column.visit not in ("", *(time.id for time in times)):
        kind = "visit" if times is study.visits else "occasion"
        most = like(column.visit, [time.id for time in times])
        yield f"{kind} '{column.visit}' is not in config/study.yaml{most}"
    if column.type in ("category", "ordinal") and not column.codes:
        yield f"a {column.type} needs codes, as in 0=No;1=Yes"
    if (file is None or file.of_people) and is_reserved(column.variable, study):
        yield (
            f"the variable '{column.variable}' has a name that the pipeline needs for itself; "
            "expected another (the column of the file keeps its own)"
        )
    if file and file.rows == "practitioner" and column.variable in of_their_cluster(study):
        yield f"'{column.variable}' of practitioners is that of their cluster, and asked for there"
    if column.type == "ordinal":
        for code in column.codes:
            if not isinstance(_number(code), float):
                yield f"code '{code}' found; the codes of an ordinal are numbers"
    try:
        column.meanings()
    except ValueError as error:
        yield str(error)
    if any(getattr(column, key) is not None for key in LIMITS) and not column.numeric:
        yield f"a minimum or maximum does not go with the type {column.type}"
    yield from _limit_faults(column)
    yield from _missing_faults(column)


def _limit_faults(column: Column) -> Iterator[str]:
    """Yield the first limits that contradict each other; the hard ones come first."""
    order = ("minimum", "soft_minimum", "soft_maximum", "maximum")
    pairs = sorted(itertools.combinations(order, 2), key=lambda pair: pair != (order[0], order[3]))
    for low, high in pairs:
        lower, upper = getattr(column, low), getattr(column, high)
        if lower is not None and upper is not None and lower > upper:
            names = (low.replace("_", " "), high.replace("_", " "))
            yield f"the {names[0]} {lower:g} lies above the {names[1]} {upper:g}"
            return


def _missing_faults(column: Column) -> Iterator[str]:
    """Yield codes for what is missing that are also answers."""
    spellings = {key_of(name) for code, names in column.codes.items() for name in (code, *names)}
    limited = column.numeric and (column.minimum, column.maximum) != (None, None)
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    for code in column.missing:
        number = _number(code)
        if key_of(code) in spellings:
            yield f"'{code}' is both one of the codes and a code for missing"
        elif limited and isinstance(number, float) and low <= number <= high:
            yield f"'{code}' is a code for missing and also lies within the limits"


def _unique(column: Column, study: Study) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what may stand only once: the column in its file, the variable among all files.

    Identifiers link files and so stand in several; files of events and of practitioners are not
    joined to the others.
    """
    yield ("column", column.file, column.column), f"column '{column.column}'"
    links = {"participant", study.clusters.unit if study.clusters else "participant"}
    file = study.files.get(column.file)
    apart = column.name in links or (file is not None and not file.of_people)
    place = (column.file,) if apart else ()
    yield ("variable", column.variable, *place), f"the variable '{column.variable}'"
