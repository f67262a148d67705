"""Reading raw files: every cell as text, every row with its line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccp_analysis.reading import csv_rows, first_of
from ccp_analysis.study import STUDY

LINE = "__line__"


def read_raw(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read a raw CSV file without interpreting a single cell.

    Parameters
    ----------
    path : Path
        The file (UTF-8 with or without byte order mark, comma separated, first line the header).
    columns : list of str
        Columns the data dictionary expects.

    Returns
    -------
    pandas.DataFrame
        All columns as text, exactly as they stand in the file, and `LINE`, the line on which the
        row begins (the header is line 1). Rows without any content are left out.

    Raises
    ------
    StudyError
        If the file is missing, is not UTF-8 text, has no header, has a row with another number of
        cells than the header, or has not just the expected columns.
    """
    content = csv_rows(path, f"{STUDY} lists it")
    _, header = next(content)
    _check_header(path, header, columns)
    lines, rows = [], []
    for line, row in content:
        lines.append(line)
        rows.append(row)
    table = pd.DataFrame(rows, columns=[name.strip() for name in header], dtype=str)
    table[LINE] = lines
    return table


def _check_header(path: Path, header: list[str], columns: list[str]) -> None:
    names = [name.strip() for name in header]
    faults = [
        f"{path}, line 1: column '{name}' stands twice."
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    faults += [
        f"{path}, line 1: column '{name}' is missing; the data dictionary expects it."
        for name in columns
        if name not in names
    ]
    faults += [
        f"{path}, line 1: column '{name}' is not in the data dictionary; expected only its columns."
        for name in names
        if name not in columns
    ]
    if faults:
        raise first_of(faults)
