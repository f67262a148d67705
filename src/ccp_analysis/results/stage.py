"""The results table of a study, from its parts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.results.families import adjusted
from ccp_analysis.results.released import released as released_of
from ccp_analysis.results.table import by_key


def run(
    *, parts: list[Path], out: Path, flow: Path | None = None, released: Path | None = None
) -> None:
    """Put the parts of the results table together as CSV, at full precision, visits in time.

    Parameters
    ----------
    parts : list of Path
        Parquet files, one for each analysis.
    out : Path
        The CSV file to write. Where data are real, without what is of few people.
    flow, released : Path, optional
        The participant flow, and the file to write of it what may be shown.

    Raises
    ------
    StudyError
        If a family of the plan has no results to adjust.
    """
    tables = [files.read_parquet(part) for part in parts]
    study = load_study()
    table = by_key(pd.concat(tables, ignore_index=True), study)
    counted = files.read_json(flow) if flow else {"stages": []}
    shown = released_of(adjusted(table, load_plan(), study), counted, study)
    files.write_csv(out, shown.table)
    if released:
        files.write_json(released, shown.flow)
