"""The results table: one row is one estimate, whatever analysis it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.errors import StudyError

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
NUMBERS = [
    "threshold",
    "delta",
    "estimate",
    "std_error",
    "df_num",
    "df",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
    "conf_level",
    "p_adjusted",
    "n",
    "n_clusters",
    "m",
    "fmi",
    "mc_error",
]
WHOLE = ["df_num", "n", "n_clusters", "m"]
COLUMNS = [
    "analysis",
    "role",
    *KEY[1:],
    "estimate",
    "std_error",
    "df_num",
    "df",
    "statistic",
    "p_value",
    "conf_low",
    "conf_high",
    "conf_level",
    "family",
    "p_adjusted",
    "n",
    "n_clusters",
    "m",
    "fmi",
    "mc_error",
    "status",
    "note",
    "data_status",
]


def results_table(rows: list[dict[str, Any]], data_status: str) -> pd.DataFrame:
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
        Columns `COLUMNS`, sorted by the unique key `KEY`.

    Raises
    ------
    ValueError
        If a row has an unknown column or two rows have the same key.
    """
    unknown = {column for row in rows for column in row} - set(COLUMNS)
    if unknown:
        raise ValueError(f"unknown columns of the results table: {', '.join(sorted(unknown))}")
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["data_status"] = data_status
    text = [column for column in COLUMNS if column not in NUMBERS]
    table[text] = table[text].astype(object).where(table[text].notna(), "").astype(str)
    table["status"] = table["status"].replace("", "ok")
    return _sorted(_numbers(table))


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    twice = table[table.duplicated(KEY, keep=False)]
    if not twice.empty:
        raise ValueError(f"two results have one key: {twice.iloc[0][KEY].to_dict()}")
    return table.sort_values(KEY, kind="stable", ignore_index=True)


def read_results(path: Path) -> pd.DataFrame:
    """Read a results table written as CSV: text columns as text, empty where there is none."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if list(table.columns) != COLUMNS:
        raise StudyError(f"{path}: not a results table; expected the columns {', '.join(COLUMNS)}.")
    return _numbers(table)


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    table[NUMBERS] = table[NUMBERS].apply(pd.to_numeric).astype(float)
    table[WHOLE] = table[WHOLE].astype("Int64")
    return table


def run(*, parts: list[Path], out: Path) -> None:
    """Put the parts of the results table together as CSV, at full precision.

    Parameters
    ----------
    parts : list of Path
        Parquet files, one for each analysis.
    out : Path
        The CSV file to write.
    """
    tables = [pd.read_parquet(part) for part in parts]
    files.write_csv(out, _sorted(pd.concat(tables, ignore_index=True)))
