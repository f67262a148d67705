"""The data dictionary: one row for each raw column, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ccp_analysis.reading import Strict, complaints, first_of, read_table

if TYPE_CHECKING:
    from ccp_analysis.study import Study

DICTIONARY = Path("config/dictionary.csv")
NUMERIC = ("integer", "number", "ordinal")


class Column(Strict):
    """One row of the data dictionary: a raw column and what it means."""

    file: str
    column: str
    name: str
    visit: str
    label: str
    type: Literal["id", "integer", "number", "category", "ordinal", "date", "text"]
    codes: dict[str, list[str]]
    missing: dict[str, str]
    minimum: float | None
    maximum: float | None
    unit: str

    @property
    def variable(self) -> str:
        """Name of the variable in the participants table: with the visit where there is one."""
        return f"{self.name}_{self.visit}" if self.visit else self.name

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.type in NUMERIC

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
                spelling = " ".join(name.split()).casefold()
                if found.setdefault(spelling, code) != code:
                    raise ValueError(f"'{name}' belongs to the codes {found[spelling]} and {code}")
        return found


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
    columns: list[Column] = []
    faults: list[str] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, row in read_table(DICTIONARY, list(Column.model_fields)):
        where = f"{DICTIONARY}, line {line}"
        content: dict[str, Any] = {key: row[key] for key in Column.model_fields}
        content["codes"] = _codes(row["codes"])
        content["missing"] = {code: "; ".join(why) for code, why in _codes(row["missing"]).items()}
        content |= {key: _number(row[key]) for key in ("minimum", "maximum")}
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
    if faults:
        raise first_of(faults)
    return columns


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
        yield f"file '{column.file}' is not in config/study.yaml"
    if column.visit not in ("", *(visit.id for visit in study.visits)):
        yield f"visit '{column.visit}' is not in config/study.yaml"
    if column.type in ("category", "ordinal") and not column.codes:
        yield f"a {column.type} needs codes, as in 0=No;1=Yes"
    if column.type == "ordinal":
        for code in column.codes:
            if not isinstance(_number(code), float):
                yield f"code '{code}' found; the codes of an ordinal are numbers"
    try:
        column.meanings()
    except ValueError as error:
        yield str(error)
    low, high = column.minimum, column.maximum
    if (low, high) != (None, None) and not column.numeric:
        yield f"a minimum or maximum does not go with the type {column.type}"
    if low is not None and high is not None and low > high:
        yield f"the minimum {low:g} lies above the maximum {high:g}"


def _unique(column: Column, study: Study) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what may stand only once: the column in its file, the variable among all files.

    Identifiers link files and so stand in several; files of events are not joined to the others.
    """
    yield ("column", column.file, column.column), f"column '{column.column}'"
    links = {"participant", study.clusters.unit if study.clusters else "participant"}
    file = study.files.get(column.file)
    apart = column.name in links or (file is not None and file.rows == "event")
    place = (column.file,) if apart else ()
    yield ("variable", column.variable, *place), f"the variable '{column.variable}'"
