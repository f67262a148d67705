"""Drawn studies that all models of the plan impute: outcomes are drawn, all else is as it was."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.analyses.comparison import compare
from ccp_analysis.characteristics.actual import Actual, actual, primary_of
from ccp_analysis.characteristics.batch import progress
from ccp_analysis.characteristics.draws import COLUMNS, STREAM
from ccp_analysis.characteristics.scenarios import scenario
from ccp_analysis.characteristics.trials import draw_given
from ccp_analysis.config.characteristics import AT_ESTIMATE, WHOLE, WHOLE_BATCH
from ccp_analysis.config.plan import Analysis
from ccp_analysis.config.trial import Trial
from ccp_analysis.imputation.completed import completed, read_people
from ccp_analysis.random import stream
from ccp_analysis.results.terms import Term

log = logging.getLogger(__name__)


def run(
    *,
    batch: int,
    participants: Path,
    imputed: Path,
    models: Path,
    drawn: Path,
    costs: Path | None = None,
    prices: Path | None = None,
) -> None:
    """Draw outcomes of the actual people without a difference, and impute all that they lack.

    Parameters
    ----------
    batch : int
        Number of the batch, from 0.
    participants : Path
        The cleaned table.
    imputed, models : Path
        Observed and completed tables, and the imputation models.
    drawn : Path
        Parquet file to write: as that of a batch.
    costs, prices : Path, optional
        Of the services, where there is an economic evaluation.

    Notes
    -----
    The primary outcome of those who were seen is drawn anew and everything else is as it was, so
    that the same people are lost. Analyses are those of the pipeline, row by row.
    """
    trial = Trial()
    tables, listed = files.read_parquet(imputed), files.read_csv(models)
    people = read_people(trial.study, participants, costs)
    parts = [pd.DataFrame(columns=COLUMNS)]
    last = min((batch + 1) * WHOLE_BATCH, trial.plan.characteristics.whole)
    for outcome, entry in primary_of(trial):
        try:
            like = actual(trial, outcome, entry, tables, listed)
        except ValueError as error:
            log.info("%s: not drawn: %s", outcome.id, error)
            continue
        true = scenario(like, AT_ESTIMATE)
        if true is None:
            continue
        value = like.asked[entry.id].value
        place = people["participant"].isin(like.people.frame["participant"])
        show = progress(f"{outcome.id}, all models", last - batch * WHOLE_BATCH)
        for number in range(batch * WHOLE_BATCH, last):
            rng = stream(trial.plan.seed, STREAM, outcome.id, WHOLE, str(number))
            y = draw_given(like.layout, true.truth, like.expected, 1, rng)[0][0] * like.sd
            fresh = people.copy()
            by_person = pd.Series(y, index=like.people.frame["participant"].to_numpy())
            new = fresh["participant"].map(by_person).where(fresh[value].notna())
            fresh[value] = new.where(place, fresh[value])
            seed = int(rng.integers(2**31))
            done = completed(trial.plan.model_copy(update={"seed": seed}), fresh, prices).tables
            for one in like.entries:
                keys = [outcome.id, WHOLE, number, one.id]
                numbers = _compared(trial, like, one, done)
                parts.append(pd.DataFrame([[*keys, *numbers]], columns=COLUMNS))
            show(number - batch * WHOLE_BATCH + 1)
    files.write_parquet(drawn, pd.concat(parts[1:] or parts, ignore_index=True))


def _compared(trial: Trial, like: Actual, entry: Analysis, tables: pd.DataFrame) -> list[float]:
    """Return difference, standard error and df as the pipeline has them; NaN where it has none."""
    try:
        rows = compare(entry.fit, trial.study, tables, entry.data, like.asked[entry.id])
    except ValueError as error:
        log.info("%s: %s", entry.id, error)
        return [np.nan] * 3
    row = next(r for r in rows if r["term"] == Term.DIFFERENCE)
    df = np.inf if row.get("df") is None else row["df"]
    return [row["estimate"], row["std_error"], df]
