"""The results table: one row is one estimate, whatever analysis it comes from."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import groups
from ccp_analysis.plan import PLAN, Analysis, Plan
from ccp_analysis.study import Study, load_plan, load_study

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
    "analysis",
    "role",
    *KEY[1:],
    *ESTIMATES,
    "family",
    "p_adjusted",
    *SIZES,
    "status",
    "note",
    "data_status",
]
NUMBERS = ["threshold", "delta", *ESTIMATES, "p_adjusted", *SIZES]
WHOLE = ["df_num", "n", "n_clusters", "m"]


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


def _sorted(table: pd.DataFrame, study: Study | None = None) -> pd.DataFrame:
    """Sort by the key: numbers as they are, text as groups are, and a study's visits in time."""
    twice = table[table.duplicated(KEY, keep=False)]
    if not twice.empty:
        raise ValueError(f"two results have one key: {twice.iloc[0][KEY].to_dict()}")

    def place(column: pd.Series) -> Any:
        if study and column.name == "visit":
            return column.map(study.position)
        return column if column.name in NUMBERS else groups(column).codes

    return table.sort_values(KEY, kind="stable", key=place, ignore_index=True)


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


def headline(study: Study, analysis: Analysis, visits: Collection[str]) -> str:
    """Return the visit that stands for an analysis: the plan's, by default the last.

    Parameters
    ----------
    study : Study
        The order of the visits.
    analysis : Analysis
        Of the plan.
    visits : collection of str
        Those at which the analysis has the row in question.

    Returns
    -------
    str
        Empty where it has one row for all visits, or none.
    """
    if analysis.visit in visits:
        return str(analysis.visit)
    return max(visits, key=study.position, default="")


METHODS = {"holm": "holm", "hochberg": "simes-hochberg", "benjamini-hochberg": "fdr_bh"}


def adjusted(table: pd.DataFrame, plan: Plan, study: Study) -> pd.DataFrame:
    """Adjust the p-values of differences for the number of hypotheses in their family.

    Parameters
    ----------
    table : pandas.DataFrame
        A results table.
    plan : Plan
        Its families.
    study : Study
        The order of the visits.

    Returns
    -------
    pandas.DataFrame
        With `family` and `p_adjusted` of the rows whose term is difference. The plan has one
        hypothesis for each outcome: where an analysis has several visits it is that at the
        `headline`, and where it has several inferences each is adjusted by itself. A hypothesis
        whose analysis failed counts as one with p = 1. A family whose analysis is not in the
        table is left alone.

    Raises
    ------
    StudyError
        If the analysis of a family has no difference for one of its outcomes.

    Notes
    -----
    Holm (1979, Scand J Stat 6:65-70), Hochberg (1988, Biometrika 75:800-802), Benjamini & Hochberg
    (1995, J R Stat Soc B 57:289-300), by statsmodels.
    """
    from statsmodels.stats.multitest import multipletests  # slow to import, seldom needed

    table = table.copy()
    for family in plan.families:
        own = table[table["analysis"] == family.analysis]
        if own.empty:
            continue
        rows = own[own["outcome"].isin(family.outcomes) & (own["term"] == "difference")]
        for outcome in family.outcomes:
            if outcome not in set(rows["outcome"]):
                raise StudyError(
                    f"{PLAN}: family '{family.id}' holds '{outcome}', for which analysis "
                    f"'{family.analysis}' has no difference."
                )
        rows = _at_headline(rows, study, plan.analysis(family.analysis))
        failed = rows[rows["inference"] == ""]
        tested = rows[rows["inference"] != ""]
        groups = [g for _, g in tested.groupby(["model", "inference"])] or [failed.iloc[:0]]
        for group in groups:
            both = pd.concat([group, failed])
            p_values = both["p_value"].fillna(1.0)
            found = multipletests(p_values, method=METHODS[family.method])[1]
            kept = both["p_value"].notna()
            table.loc[both.index, "family"] = family.id
            table.loc[both.index[kept], "p_adjusted"] = found[kept]
    return table


def not_estimated(path: Path) -> str:
    """Say in a line of which outcomes something could not be estimated; empty where of none.

    Parameters
    ----------
    path : Path
        The results table, as CSV.
    """
    table = read_results(path)
    failed = table[table["status"].isin(["failed", "refused"])]
    if failed.empty:
        return ""
    names = ", ".join(sorted(set(failed["outcome"])))
    return (
        f"{len(failed)} of {len(table)} results could not be estimated ({names}): the report says "
        "why.\n"
    )


def _at_headline(rows: pd.DataFrame, study: Study, analysis: Analysis) -> pd.DataFrame:
    """Keep of every outcome the rows at the visit that stands for the analysis."""
    visits = rows.groupby("outcome")["visit"].agg(set)
    chosen = {outcome: headline(study, analysis, own) for outcome, own in visits.items()}
    return rows[rows["visit"] == rows["outcome"].map(chosen)]


def run(*, parts: list[Path], out: Path) -> None:
    """Put the parts of the results table together as CSV, at full precision, visits in time.

    Parameters
    ----------
    parts : list of Path
        Parquet files, one for each analysis.
    out : Path
        The CSV file to write.

    Raises
    ------
    StudyError
        If a family of the plan has no results to adjust.
    """
    tables = [pd.read_parquet(part) for part in parts]
    study = load_study()
    table = _sorted(pd.concat(tables, ignore_index=True), study)
    files.write_csv(out, adjusted(table, load_plan(), study))
