"""Numbers of single precision, as Stata's float: read as the decimals that were entered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.sheet import Note, Sheet
from ccp_analysis.cleaning.spelling import NUMBERS
from ccp_analysis.cleaning.spreadsheet import text_of

SINGLE = "stored in single precision"
DIGITS = 1e-14


def as_entered(sheet: Sheet) -> Sheet:
    """Return a sheet with the numbers of its columns of single precision as they were entered.

    The 0.6 of such a column comes as 0.6000000238418579, whatever a later program stored it as. A
    column is of single precision if every number with a fraction in it is one, to the fourteen
    digits that spreadsheets keep; of other decimals, one in three million is by chance.
    """
    cells_as_entered, notes, changed = {}, [], {}
    for name, column in sheet.cells.items():
        cells = column.cat
        entered = _entered(cells.categories)
        if not entered:
            continue
        texts = pd.Index([entered.get(t, t) for t in cells.categories], dtype="str")
        changed[name] = entered
        cells_as_entered[name] = pd.Categorical.from_codes(cells.codes, texts)
        n = int(column.isin(list(entered)).sum())
        text, value = next(iter(entered.items()))
        notes.append(Note(name, n, text, value, SINGLE))
    labels, missing = (_renamed(part, changed) for part in (sheet.labels, sheet.missing))
    return replace(
        sheet,
        cells=sheet.cells.assign(**cells_as_entered),
        labels=labels,
        missing=missing,
        notes=(*sheet.notes, *notes),
    )


def _entered(texts: pd.Index) -> dict[str, str]:
    """Return text → shortest decimal that is the same number in single precision."""
    fractions = [t for t in texts if ("." in t or "e" in t) and NUMBERS["point"].fullmatch(t)]
    numbers = np.array(fractions, dtype=float)
    with np.errstate(over="ignore", under="ignore"):
        single = numbers.astype(np.float32)
    if not np.isclose(single.astype(float), numbers, rtol=DIGITS, atol=0).all():
        return {}
    # NumPy writes a number of single precision with the fewest digits that tell it from others.
    shortest = [text_of(float(str(number))) for number in single]
    return {t: s for t, s in zip(fractions, shortest, strict=True) if float(t) != float(s)}


def _renamed(
    meanings: dict[str, dict[str, str]], changed: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    return {
        column: {changed.get(column, {}).get(text, text): meaning for text, meaning in of.items()}
        for column, of in meanings.items()
    }
