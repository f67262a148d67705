"""Characterise: what analyses found in drawn studies → rows of the results, and a text of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis import files
from ccp_analysis.characteristics.actual import Actual, actual, primary_of
from ccp_analysis.characteristics.draws import STREAM
from ccp_analysis.characteristics.measures import BAND, Measure, measures
from ccp_analysis.characteristics.scenarios import FLAGGED, Scenario, scenario
from ccp_analysis.characteristics.text import markdown
from ccp_analysis.config.characteristics import AT_ESTIMATE, WHOLE
from ccp_analysis.config.plan import Analysis, Outcome
from ccp_analysis.config.trial import Trial
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

ANALYSIS = "characteristics"
SHARES = (Term.TEST_LEVEL, Term.COVERAGE, Term.POWER, Term.SIGN_ERROR)
BY_MODEL: dict[str, Inference] = {
    Model.ANCOVA: Inference.CR2,
    Model.MIXED: Inference.KENWARD_ROGER,
    Model.TEAM_MEANS: Inference.PAIRED_T,
}


def run(
    *, drawn: list[Path], imputed: Path, models: Path, results: Path, text: Path | None = None
) -> None:
    """Measure the analyses of the plan on the studies that were drawn.

    Parameters
    ----------
    drawn : list of Path
        What batches wrote, in any order.
    imputed : Path
        Observed and completed tables.
    models : Path
        CSV file of the imputation models.
    results : Path
        Parquet or CSV file to write: rows of the results table. A measure's interval is its Monte
        Carlo interval, `n` the number of drawn studies.
    text : Path, optional
        Markdown file to write: the same to be read.
    """
    trial = Trial()
    tables, listed = files.read_parquet(imputed), files.read_csv(models)
    found = pd.concat([files.read_parquet(path) for path in drawn], ignore_index=True)
    found = found.sort_values(["outcome", "scenario", "analysis", "draw"], kind="stable")
    rows: list[dict[str, Any]] = []
    for outcome, entry in primary_of(trial):
        shared = {
            "analysis": ANALYSIS,
            "role": Role.DESCRIPTIVE,
            "outcome": outcome.id,
            "visit": entry.visit,
            "population": Population.DRAWN,
        }
        try:
            like = actual(trial, outcome, entry, tables, listed)
        except ValueError as error:
            rows.append(shared | _not_drawn(trial, entry, error))
            continue
        own = found[found["outcome"] == outcome.id]
        rows += [shared | row for row in _rows(trial, like, outcome, own)]
    table = results_table(rows, trial.study.data_status)
    (files.write_csv if results.suffix == ".csv" else files.write_parquet)(results, table)
    if text is not None:
        files.write_text(text, markdown(table))


def _not_drawn(trial: Trial, entry: Analysis, error: ValueError) -> dict[str, Any]:
    """Return the row of an outcome of which no study is drawn, with the reason."""
    return {
        "estimand": trial.plan.estimand_of(entry.id),
        "model": entry.fit,
        "term": Term.TEST_LEVEL,
        "level": entry.id,
        "scale": "proportion",
        "status": Status.REFUSED,
        "note": f"no studies were drawn: {str(error).rstrip('.')}",
    }


def _rows(
    trial: Trial, like: Actual, outcome: Outcome, found: pd.DataFrame
) -> list[dict[str, Any]]:
    level, rows = trial.plan.confidence_level, []
    inference = BY_MODEL if trial.study.clusters else {str(Model.ANCOVA): Inference.T}
    for name in found["scenario"].unique():
        true = scenario(like, AT_ESTIMATE if name == WHOLE else name)
        if true is None:
            continue
        differences = true.differences(like)
        for entry in like.entries:
            own = found[(found["scenario"] == name) & (found["analysis"] == entry.id)]
            if own.empty:
                continue
            estimate, error, df = (
                own[c].to_numpy(dtype=float) for c in ("estimate", "std_error", "df")
            )
            measured = measures((estimate, error, df), differences[entry.id], level, true.seeks)
            note = said(like, true, name, len(own), differences[entry.id])
            first = entry.id == like.entry.id
            for term, measure in measured.items():
                flag = term == Term.TEST_LEVEL and first and name in FLAGGED and measure.off
                rows.append(
                    {
                        "estimand": trial.plan.estimand_of(entry.id),
                        "model": entry.fit,
                        "inference": inference[entry.model],
                        "term": term,
                        "level": entry.id,
                        "perspective": name,
                        "scale": _scale(like, entry, term),
                        "m": like.m if entry.data == "imputed" and like.method else None,
                        "status": Status.FLAGGED if flag else Status.OK,
                        "note": note + _without(own, measure, term),
                        **_numbers(measure),
                    }
                )
    return rows


def _numbers(measure: Measure) -> dict[str, Any]:
    return {
        "estimate": measure.estimate,
        "mc_error": measure.error,
        "conf_low": measure.low,
        "conf_high": measure.high,
        "conf_level": BAND,
        "n": measure.draws,
    }


def _scale(like: Actual, entry: Analysis, term: Term) -> str:
    if term in SHARES:
        return "proportion"
    return "ratio" if term == Term.SIZE_ERROR else like.asked[entry.id].scale


def _without(own: pd.DataFrame, measure: Measure, term: Term) -> str:
    """Say how many studies had no standard error."""
    failed = int((~np.isfinite(own["std_error"].to_numpy(dtype=float))).sum())
    of_rejected = term in (Term.SIGN_ERROR, Term.SIZE_ERROR)
    parts = [f"; of the {measure.draws:,} whose test rejects"] * of_rejected
    parts += [f"; {failed:,} had no standard error"] * bool(failed)
    return "".join(parts)


def said(like: Actual, true: Scenario, name: str, draws: int, difference: float) -> str:
    """Say what was drawn, from which stream."""
    whole = ", each imputed by all models of the plan" * (name == WHOLE)
    return (
        f"simulation: {draws:,} drawn studies{whole}, stream '{STREAM}'; intraclass correlation "
        f"{true.truth.icc:.3f}, true difference {difference:.3g}"
    )
