"""A raw file that several files of the study share: which rows and columns each of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ccp_analysis.cleaning.sheet import Sheet, spans
from ccp_analysis.config.dictionary import Column, key_of
from ccp_analysis.config.study import RawFile, Study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DICTIONARY, STUDY


def beside(study: Study, file: str) -> list[str]:
    """Return the files of the study that are read from the same table, this one included."""
    spec = study.files[file]
    return [f for f, s in study.files.items() if (s.path, s.sheet) == (spec.path, spec.sheet)]


def choose(sheet: Sheet, spec: RawFile, columns: Sequence[Column]) -> Sheet:
    """Return the rows that a file's `where` names, and the columns that the dictionary gives it.

    Raises
    ------
    StudyError
        If `where` names a column that the dictionary does not know.
    """
    keep = np.ones(len(sheet.rows), dtype=bool)
    for name, text in spec.where.items():
        if name not in sheet.cells:
            raise StudyError(
                f"{STUDY}: where names the column '{name}', which {DICTIONARY} does not have in "
                f"{spec.path}; expected one of its columns."
            )
        labels, cells = sheet.labels.get(name, {}), sheet.cells[name]
        wanted = [
            key_of(text) in (key_of(found), key_of(labels.get(found, "")))
            for found in cells.cat.categories
        ]
        keep &= np.array(wanted, dtype=bool)[cells.cat.codes.to_numpy()]
    own = {column.column for column in columns}
    cells = sheet.cells[[name for name in sheet.cells if name in own]]
    return replace(sheet, cells=cells).take(keep)


def left_over(
    study: Study, whole: Mapping[str, Sheet], chosen: Mapping[str, Sheet]
) -> Iterator[tuple[str, str]]:
    """Yield a file's name, and words for its rows that no file of the study takes."""
    for file, sheet in whole.items():
        sharing = beside(study, file)
        taken = np.concatenate([chosen[name].rows for name in sharing])
        rows = sheet.rows[~np.isin(sheet.rows, taken)].tolist()
        if rows and file == sharing[0]:
            yield sheet.path.name, f"{sheet.word}s that no file's 'where' takes: {spans(rows)}"
