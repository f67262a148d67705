"""The results table: one row is one estimate, whatever analysis it comes from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, few
from ccp_analysis.groups import groups
from ccp_analysis.results.terms import VOCABULARY, Status, require_known

KEY = [
    "analysis",
    "outcome",
    "visit",
    "scale",
    "estimand",
    "population",
    "model",
    "inference",
    "term",
    "level",
    "subgroup",
    "perspective",
    "threshold",
    "delta",
]
ESTIMATES = [
    "estimate",
    "std_error",
    "df_num",
    "df",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
    "conf_level",
]
SIZES = ["n", "n_clusters", "m", "fmi", "mc_error"]
COLUMNS = [
    "row",
    "analysis",
    "role",
    *KEY[1:],
    *ESTIMATES,
    "family",
    "p_adjusted",
    *SIZES,
    "pooling",
    "average",
    "status",
    "note",
    "data_status",
]
NUMBERS = ["threshold", "delta", *ESTIMATES, "p_adjusted", *SIZES]
WHOLE = ["df_num", "n", "n_clusters", "m"]
ID_LENGTH = 8  # of 5,000 rows two share an id in one study of some 70,000


def results_table(rows: list[dict[str, object]], data_status: str) -> pd.DataFrame:
    """Make a results table of rows.

    Parameters
    ----------
    rows : list of dict
        Keys are columns of the table; absent ones are missing, `status` is then ok.
    data_status : str
        synthetic, public or real.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, sorted by the unique key `KEY`; `row` is the `row_id` of that key.

    Raises
    ------
    ValueError
        If a row has an unknown column or a word that is not of the vocabulary (`results.terms`),
        or two rows have the same key.

    Examples
    --------
    >>> from ccp_analysis.results.table import results_table
    >>> from ccp_analysis.results.terms import Term
    >>> row = {"analysis": "primary", "term": Term.DIFFERENCE, "estimate": 1.2}
    >>> table = results_table([row], "synthetic")
    >>> print(*table.loc[0, ["analysis", "term", "estimate", "status", "data_status"]])
    primary difference 1.2 ok synthetic
    """
    unknown = {column for row in rows for column in row} - set(COLUMNS)
    if unknown:
        raise ValueError(f"unknown columns of the results table: {', '.join(sorted(unknown))}")
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["data_status"] = data_status
    text = [column for column in COLUMNS if column not in NUMBERS]
    table[text] = table[text].astype(object).where(table[text].notna(), "").astype(str)
    table["status"] = table["status"].replace("", Status.OK.value)
    for column in VOCABULARY:
        for word in table[column].unique():
            require_known(column, word)
    return by_key(as_numbers(table))


def by_key(table: pd.DataFrame, study: Study | None = None) -> pd.DataFrame:
    """Sort by the key, and name every row by it.

    Numbers are sorted as they are, text as groups are, and a study's visits in time; `row` is
    written anew. ValueError if two rows have the same key, or two keys the same `row_id`.
    """
    twice = table[table.duplicated(KEY, keep=False)]
    if not twice.empty:
        raise ValueError(f"two results have one key: {twice.iloc[0][KEY].to_dict()}")
    table["row"] = [row_id(key) for key in table[KEY].itertuples(index=False)]
    twice = table[table.duplicated("row", keep=False)]
    if not twice.empty:
        raise ValueError(f"two keys have one id: {twice[KEY].head(2).to_dict('records')}")

    def place(column: pd.Series) -> Any:
        if study and column.name == "visit":
            return column.map(["", *study.times].index)
        return column if column.name in NUMBERS else groups(column).codes

    return table.sort_values(KEY, kind="stable", key=place, ignore_index=True)


def row_id(key: Iterable[object]) -> str:
    """Return the short name of a row: the same on every machine, in every run.

    Parameters
    ----------
    key : iterable
        The row's values of `KEY`, in that order; NaN is empty.

    Returns
    -------
    str
        The first eight characters from the first letter on of the SHA-256 of the key (as it stands
        in ``results.csv``, joined by tabs) in base32, small letters: no spreadsheet takes it for a
        number.

    Examples
    --------
    >>> from ccp_analysis.results.table import row_id
    >>> row_id(["primary", "social_capital", *[""] * 10, 20000.0, float("nan")])
    'xlszdfws'
    """
    text = "\t".join("" if pd.isna(value) else str(value) for value in key)
    spelt = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return spelt.lstrip("234567")[:ID_LENGTH]


def read_results(path: Path) -> pd.DataFrame:
    """Read a results table written as CSV: text columns as text, empty where there is none."""
    table = files.read_csv(path)
    if list(table.columns) != COLUMNS:
        raise StudyError(f"{path}: not a results table; expected the columns {', '.join(COLUMNS)}.")
    return as_numbers(table)


def as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its numbers as numbers, counts as whole ones."""
    table[NUMBERS] = table[NUMBERS].apply(pd.to_numeric).astype(float)
    table[WHOLE] = table[WHOLE].astype("Int64")
    return table


def not_estimated(path: Path) -> str:
    """Say in a line of which outcomes something could not be estimated; empty where of none.

    Parameters
    ----------
    path : Path
        The results table, as CSV.
    """
    table = read_results(path)
    failed = table[table["status"].isin([Status.FAILED, Status.REFUSED])]
    if failed.empty:
        return ""
    names = few(sorted(set(failed["outcome"]) - {""}) or ["of no outcome"])
    return (
        f"{len(failed)} of {len(table)} results could not be estimated ({names}): the report says "
        "why.\n"
    )
