"""Reading raw files of every format: a cell is text, a row has its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ccp_analysis.cleaning.delimited import read_delimited
from ccp_analysis.cleaning.precision import as_entered
from ccp_analysis.cleaning.sheet import Sheet
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError, denied
from ccp_analysis.layout import STUDY


def read_raw(file: RawFile, columns: Sequence[Column]) -> Sheet:
    """Read a raw file without interpreting a single cell.

    Parameters
    ----------
    file : RawFile
        Path, format and how it is written.
    columns : sequence of Column
        What the data dictionary expects there.

    Returns
    -------
    Sheet
        All cells as text, with their places.

    Raises
    ------
    StudyError
        If the file is missing, may not be read or cannot be read as what it is declared to be, or
        has not just the expected columns.
    """
    if not file.path.is_file():
        raise StudyError(f"{file.path}: the file is missing; {STUDY} lists it.")
    try:
        file.path.open("rb").close()
    except OSError as error:
        raise StudyError(denied(error)) from error
    names = list(dict.fromkeys(column.column for column in columns))
    # The readers of spreadsheets and statistical files are loaded where there are such files.
    if file.kind == "csv":
        sheet = read_delimited(file, names)
    elif file.kind == "xlsx":
        from ccp_analysis.cleaning.concealed import look
        from ccp_analysis.cleaning.spreadsheet import read_spreadsheet

        sheet = look(read_spreadsheet(file, names))
    else:
        from ccp_analysis.cleaning.statistical import read_statistical

        sheet = read_statistical(file, names)
    sheet = as_entered(sheet, columns, file.decimal)
    return replace(sheet, hidden=frozenset(c.column for c in columns if c.hidden))
