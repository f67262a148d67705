"""From text to values, by the data dictionary."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.queries import Queries
from ccp_analysis.cleaning.read import LINE
from ccp_analysis.study import Column


def key_of(text: pd.Series) -> pd.Series:
    """Return text without surrounding and repeated white space, in one case: for comparing."""
    return text.str.split().str.join(" ").str.casefold()


def decode(
    raw: pd.DataFrame, column: Column, file: str, participant: pd.Series, queries: Queries
) -> pd.Series:
    """Turn one raw column into values; whatever is not taken as it stands becomes a query.

    Parameters
    ----------
    raw : pandas.DataFrame
        A raw file, from `read_raw`.
    column : Column
        What the dictionary says of the column.
    file : str
        Name of the file, for the queries.
    participant : pandas.Series
        Identifier of each row, for the queries.
    queries : Queries
        Where queries go.

    Returns
    -------
    pandas.Series
        Same index as `raw`: float for integer, number and ordinal columns with numeric codes, text
        for id, category and text, datetime64 for dates; missing where nothing valid was found.
    """
    text = raw[column.column]
    key = key_of(text)
    blank = key == ""
    reasons = {code.casefold(): why for code, why in column.missing.items()}
    coded_missing = key.isin(list(reasons)) & ~blank

    def ask(severity: str, where: pd.Series, action: str | pd.Series, rule: str) -> None:
        cells = pd.DataFrame({"row": raw[LINE], "participant": participant, "raw_value": text})
        chosen = action[where] if isinstance(action, pd.Series) else action
        queries.add(severity, file, cells[where], column=column.column, action=chosen, rule=rule)

    reason = pd.Series([f"set missing: {reasons.get(k, '')}" for k in key], index=key.index)
    ask("note", coded_missing, reason, "missing code")
    present = ~blank & ~coded_missing
    values, valid, changed = _BY_TYPE[column.type](text, key, column)
    ask("error", present & ~valid, "set missing", f"not {_EXPECTED[column.type]}")
    kept = present & valid
    if column.minimum is not None or column.maximum is not None:
        low = -np.inf if column.minimum is None else column.minimum
        high = np.inf if column.maximum is None else column.maximum
        outside = kept & ~values.between(low, high)
        ask("error", outside, "set missing", f"outside {low:.15g} to {high:.15g}")
        kept &= ~outside
    read = pd.Series([f"read as {_plain(value)}" for value in values], index=values.index)
    ask("note", kept & changed, read, "spelling")
    return values.where(kept)


def _plain(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _text(text: pd.Series, key: pd.Series, column: Column) -> tuple[pd.Series, ...]:
    values = text.str.strip()
    if column.type == "text":
        # Free text is not kept, so nothing of it is changed; and no query may repeat it.
        return values, key != "", values != values
    values = values.str.upper()
    return values, key != "", values != text


def _numeric(text: pd.Series, key: pd.Series, column: Column) -> tuple[pd.Series, ...]:
    values = pd.to_numeric(key, errors="coerce").astype(float)
    # Words that a parser takes for numbers ("inf", "1e400", "nan") are not answers.
    valid = np.isfinite(values) & key.str.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?")
    if column.type == "integer":
        valid &= values == values.round()
    return values, valid, text != text.str.strip()


def _category(text: pd.Series, key: pd.Series, column: Column) -> tuple[pd.Series, ...]:
    values = key.map(column.meanings())
    # A file is written in codes or in labels, whichever are more; the rest is spelt otherwise.
    labels = {code: (names or [code])[0] for code, names in column.codes.items()}
    by_code, by_label = text == values, text == values.map(labels)
    changed = ~(by_code if by_code.sum() >= by_label.sum() else by_label)
    valid = values.notna()
    if column.type == "ordinal":
        values = pd.to_numeric(values)
    return values, valid, changed


def _date(text: pd.Series, key: pd.Series, column: Column) -> tuple[pd.Series, ...]:
    values = pd.to_datetime(key, format="%Y-%m-%d", errors="coerce")
    return values, values.notna(), text != text.str.strip()


_BY_TYPE = {
    "id": _text,
    "text": _text,
    "integer": _numeric,
    "number": _numeric,
    "category": _category,
    "ordinal": _category,
    "date": _date,
}
_EXPECTED = {
    "id": "an identifier",
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "category": "one of the codes",
    "ordinal": "one of the codes",
    "date": "a date as in 2020-01-31",
}
