"""Characterise, batch by batch: completed tables → what analyses find in drawn studies."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ccp_analysis import files
from ccp_analysis.characteristics.actual import actual, primary_of
from ccp_analysis.characteristics.draws import COLUMNS, block
from ccp_analysis.characteristics.scenarios import scenario as of
from ccp_analysis.config.characteristics import BLOCK, slug
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError

log = logging.getLogger(__name__)


def run(*, form: str, scenario: str, batch: int, imputed: Path, models: Path, drawn: Path) -> None:
    """Draw the studies of a batch and analyse them.

    Parameters
    ----------
    form : str
        quick, which has the primary analysis alone, or full.
    scenario : str
        What is true, as file names have it.
    batch : int
        Number of the batch, from 0.
    imputed : Path
        Observed and completed tables.
    models : Path
        CSV file of the imputation models.
    drawn : Path
        Parquet file to write: estimate, standard error and degrees of freedom of every draw and
        analysis; nothing where such studies cannot be drawn.

    Raises
    ------
    StudyError
        If there is no such scenario.

    Notes
    -----
    The studies of a block of 20 share a random stream, named by outcome, scenario and number of the
    block: what is drawn hangs neither on the size of batches nor on where they run.
    """
    trial = Trial()
    asked = trial.plan.characteristics
    names = [name for name in asked.scenarios_of(form) if slug(name) == scenario]
    if not names:
        raise StudyError(f"There is no scenario '{scenario}' among those of the form '{form}'.")
    tables, listed = files.read_parquet(imputed), files.read_csv(models)
    blocks = asked.blocks(form, batch)
    parts = [pd.DataFrame(columns=COLUMNS)]
    for outcome, entry in primary_of(trial):
        try:
            like = actual(trial, outcome, entry, tables, listed)
        except ValueError as error:
            log.info("%s: not drawn: %s", outcome.id, error)
            continue
        true = of(like, names[0])
        if true is None:
            log.info("%s: the study has not what '%s' is about", outcome.id, names[0])
            continue
        entries = like.entries[:1] if form == "quick" else like.entries
        show = progress(f"{outcome.id}, {names[0]}", len(blocks) * BLOCK)
        for done, number in enumerate(blocks, 1):
            parts.append(block(trial, like, true, number, entries))
            show(done * BLOCK)
    files.write_parquet(drawn, pd.concat(parts[1:] or parts, ignore_index=True))


def progress(what: str, draws: int) -> Callable[[int], None]:
    """Return a callback that shows to whoever watches how many studies are drawn, and logs it."""
    started = time.perf_counter()

    def show(done: int) -> None:
        spent = time.perf_counter() - started
        left = spent / done * (draws - done)
        if done == draws or done % (10 * BLOCK) == 0:
            log.info("%s: %d of %d studies, %.1f s", what, done, draws, spent)
        if sys.stderr.isatty():
            end = "\n" if done == draws else ""
            line = f"\rDrawn studies ({what}): {done:,} of {draws:,}, {left:.0f} s left "
            print(line, end=end, file=sys.stderr, flush=True)

    return show
