"""Reading SPSS and Stata files, as text, with their value labels and their missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat

from ccp_analysis.cleaning.sheet import Sheet, categorical_of, check_header
from ccp_analysis.cleaning.spreadsheet import text_of
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError

# What pyreadstat raises for files that are not what their names say, or broken ones.
BROKEN = (
    pyreadstat.ReadstatError,
    pyreadstat.PyreadstatError,
    ValueError,
    OverflowError,
    OSError,
    MemoryError,
    LookupError,
)
NAMES = {"sav": "an SPSS file (.sav)", "dta": "a Stata file (.dta)"}
UNLABELLED = "missing by the file"


def read_statistical(file: RawFile, columns: Sequence[str]) -> Sheet:
    """Read an SPSS or Stata file: values as text, value labels and missing values beside them.

    Parameters
    ----------
    file : RawFile
        Path, format and, where it is not what the file says, encoding.
    columns : sequence of str
        Columns the data dictionary expects.

    Returns
    -------
    Sheet
        System-missing values are empty; user-missing values (-99, .a) are kept as text, and
        `missing` has them with their labels.

    Raises
    ------
    StudyError
        If the file is not of the format or damaged, or has not just the expected columns.
    """
    read = {"sav": pyreadstat.read_sav, "dta": pyreadstat.read_dta}[str(file.kind)]
    try:
        table, meta = read(str(file.path), user_missing=True, encoding=file.encoding)
        if meta.missing_user_values:
            # With tagged values in a column, pyreadstat 1.3 puts arbitrary ones for what is
            # system-missing; read without tags, all of both is missing.
            known, _ = read(str(file.path), user_missing=False, encoding=file.encoding)
            for name, tags in meta.missing_user_values.items():
                tag = table[name].map(
                    lambda value, tags=tags: isinstance(value, str) and value in tags
                )
                table[name] = known[name].astype(object).where(~tag, table[name])
    except BROKEN as error:
        raise StudyError(
            f"{file.path}: not readable as {NAMES[str(file.kind)]}, or damaged ({error})."
        ) from error
    header = list(table.columns)
    check_header(file.path, "", header, columns)
    if meta.number_rows not in (None, len(table)):
        raise StudyError(
            f"{file.path}: {len(table)} cases found, {meta.number_rows} announced; the file is "
            "damaged."
        )
    tagged = {name: set(codes) for name, codes in meta.missing_user_values.items()}
    texts = {c: _texts(table[c], tagged.get(c, set())) for c in header}
    labels = {
        column: {_text(value, tagged.get(column, set())): str(label) for value, label in of.items()}
        for column, of in meta.variable_value_labels.items()
    }
    missing = {
        column: _missing(texts[column], meta.missing_ranges.get(column, []), tagged.get(column))
        for column in {*meta.missing_ranges, *tagged} & set(header)
    }
    reasons = {
        column: {text: labels.get(column, {}).get(text, UNLABELLED) for text in codes}
        for column, codes in missing.items()
    }
    cells = pd.DataFrame({c: categorical_of(t) for c, t in texts.items()})
    empty = pd.DataFrame({c: cells[c].cat.categories[cells[c].cat.codes] == "" for c in header})
    kept = ~empty.all(axis=1).to_numpy()
    sheet = Sheet(
        file.path,
        cells,
        np.arange(1, len(table) + 1),
        word="case",
        labels=labels,
        missing=reasons,
    )
    return sheet.take(kept)


def _texts(values: pd.Series, tagged: set[Any]) -> list[str]:
    return [_text(value, tagged) for value in values.to_numpy(dtype=object, na_value=None)]


def _text(value: object, tagged: set[Any]) -> str:
    """Return a value as text; Stata's extended missing values as they are written there: .a."""
    return f".{value}" if isinstance(value, str) and value in tagged else text_of(value)


def _missing(texts: list[str], ranges: list[Any], tagged: set[Any] | None) -> set[str]:
    """Return the texts that the file declares missing, out of those that occur."""
    found = {f".{code}" for code in tagged or ()}
    for text in set(texts):
        for part in ranges:
            low, high = part["lo"], part["hi"]
            if isinstance(low, str):
                found |= {text} if text.strip() == low.strip() else set()
                continue
            try:
                found |= {text} if low <= float(text) <= high else set()
            except ValueError:
                continue
    return found
