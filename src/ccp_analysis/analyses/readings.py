"""What people read off a difference: in SDs, beside what matters, beside what could be detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.design import Sample
from ccp_analysis.analyses.question import Question
from ccp_analysis.analyses.rows import Rows
from ccp_analysis.config.study import Study
from ccp_analysis.models.inference import detected_multiple
from ccp_analysis.results.terms import Term


@dataclass(frozen=True)
class Spread:
    """Standard deviation of an outcome within arms at baseline.

    Attributes
    ----------
    sd : float
        In units of the outcome.
    people : int
        People it rests on.
    """

    sd: float
    people: int

    @property
    def correction(self) -> float:
        """Hedges' factor for small samples, 1 - 3 / (4 (n - 2) - 1) (Hedges 1981, equation 6e)."""
        return 1.0 - 3.0 / (4.0 * (self.people - 2) - 1.0)


def baseline_spread(study: Study, data: Sample, baseline: str) -> Spread | None:
    """Return the pooled within-arm SD of a baseline variable; None if it does not vary.

    Under imputation the variances are averaged over the imputations. `data` has a row for each
    person.
    """
    arm = data.first[study.arms.variable].to_numpy()
    values = data.stacked(baseline)
    squares = sum(
        ((values[:, arm == a] - values[:, arm == a].mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        for a in study.arms.ordered
    )
    variance = float(np.mean(squares / (data.n - 2)))
    return Spread(variance**0.5, data.n) if variance > 0 else None


def with_readings(rows: Rows, study: Study, ask: Question, people: Sample | None = None) -> Rows:
    """Add to every difference that has a standard error the rows that are read off it.

    Parameters
    ----------
    rows : list of dict
        Rows of the results table.
    study : Study
        Labels of the arms.
    ask : Question
        Direction of benefit, MCID and power.
    people : Sample, optional
        People with the baseline of the outcome, for the standardised difference.

    Returns
    -------
    list of dict
        The rows given, and after them those of `STANDARDISED`, `DETECTABLE` and `BEYOND_MCID`, as
        far as the question has what they need.
    """
    spread = baseline_spread(study, people, ask.baseline) if people and ask.standardise else None
    added: Rows = []
    for row in rows:
        if row.get("term") != Term.DIFFERENCE or pd.isna(row.get("std_error")):
            continue
        plain = {k: v for k, v in row.items() if k not in ("note", "term")}
        if spread:
            added.append(_standardised(plain, spread))
        if ask.power:
            added.append(_detectable(plain, ask.power))
        if ask.mcid and ask.benefit:
            added += _beyond_mcid(plain, study, ask.mcid, ask.benefit == "higher")
    return rows + added


def _standardised(row: dict[str, Any], spread: Spread) -> dict[str, Any]:
    factor = spread.correction / spread.sd
    scaled = {
        name: row[name] * factor
        for name in ("estimate", "std_error", "conf_low", "conf_high", "mc_error")
        if row.get(name) is not None
    }
    note = (
        f"difference over the pooled within-arm baseline SD of {spread.sd:.4g}, times "
        f"{spread.correction:.4f} for the sample's size (Hedges)"
    )
    return {**row, **scaled, "term": Term.STANDARDISED, "scale": "standardised", "note": note}


def _detectable(row: dict[str, Any], power: float) -> dict[str, Any]:
    """Return the true difference that the test finds with the power wanted, at this SE and df.

    By the noncentral t distribution, both tails.
    """
    df = np.inf if row["df"] is None else row["df"]
    alpha = 1.0 - row["conf_level"]
    test = f"with a power of {100 * power:g}% and a two-sided test at {100 * alpha:g}%"
    kept = [
        *("outcome", "visit", "scale", "population", "model", "inference", "level", "status"),
        *("df", "df_num", "m", "n", "n_clusters", "pooling", "average"),
    ]
    return {
        **{name: row[name] for name in kept if name in row},
        "term": Term.DETECTABLE,
        "estimate": detected_multiple(df, row["conf_level"], power) * row["std_error"],
        "note": f"at the fitted variances, {test}",
    }


def _beyond_mcid(row: dict[str, Any], study: Study, mcid: float, higher: bool) -> Rows:
    """Return how far the difference in favour of either arm is beyond the MCID.

    Above zero it is more than the MCID; an interval below zero excludes a difference as large.
    """
    rows = []
    for arm in study.arms.ordered[::-1]:
        sign = 1.0 if (arm == study.arms.active) == higher else -1.0
        ends = sorted(sign * row[end] - mcid for end in ("conf_low", "conf_high"))
        unit = "" if row["scale"] in ("utility", "standardised") else f" {row['scale']}"
        what = f"a difference of {mcid:g}{unit} or more in favour of {study.arms.levels[arm]}"
        if ends[1] < 0:
            note = f"the interval excludes {what}"
        elif ends[0] > 0:
            note = f"the whole interval is {what}"
        else:
            note = f"the interval does not exclude {what}"
        rows.append(
            {
                **row,
                "term": Term.BEYOND_MCID,
                "level": arm,
                "threshold": mcid,
                "estimate": sign * row["estimate"] - mcid,
                "conf_low": ends[0],
                "conf_high": ends[1],
                "statistic": None,
                "p_value": None,
                "note": note,
            }
        )
    return rows
