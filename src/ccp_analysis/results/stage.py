"""The results table of a study, from its parts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.results.families import adjusted
from ccp_analysis.results.table import by_key


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
    table = by_key(pd.concat(tables, ignore_index=True), study)
    files.write_csv(out, adjusted(table, load_plan(), study))
