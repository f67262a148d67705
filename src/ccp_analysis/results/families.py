"""Families of hypotheses, and the visit at which a hypothesis of an analysis stands."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccp_analysis.config.plan import Analysis, Plan
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN
from ccp_analysis.results.terms import Term


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


P = npt.NDArray[np.float64]
# By what p-values, from the least to the greatest, are multiplied or divided, and in which
# direction what comes of it never falls.
METHODS: dict[str, Callable[[P], P]] = {
    "holm": lambda p: np.maximum.accumulate(p * np.arange(len(p), 0, -1)),
    "hochberg": lambda p: _from_the_greatest(p * np.arange(len(p), 0, -1)),
    "benjamini-hochberg": lambda p: _from_the_greatest(p / (np.arange(1, len(p) + 1) / len(p))),
}


def _from_the_greatest(p: P) -> P:
    return np.minimum.accumulate(p[::-1])[::-1]


def _corrected(p: P, method: str) -> P:
    """Return p-values corrected for their number (statsmodels takes a second to load)."""
    order = np.argsort(p, kind="stable")
    found = np.empty_like(p)
    found[order] = np.minimum(1, METHODS[method](p[order]))
    return found


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
    (1995, J R Stat Soc B 57:289-300).
    """
    table = table.copy()
    for family in plan.families:
        own = table[table["analysis"] == family.analysis]
        if own.empty:
            continue
        rows = own[own["outcome"].isin(family.outcomes) & (own["term"] == Term.DIFFERENCE)]
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
            p_values = both["p_value"].fillna(1.0).to_numpy(float)
            found = _corrected(p_values, family.method)
            kept = both["p_value"].notna()
            table.loc[both.index, "family"] = family.id
            table.loc[both.index[kept], "p_adjusted"] = found[kept]
    return table


def _at_headline(rows: pd.DataFrame, study: Study, analysis: Analysis) -> pd.DataFrame:
    """Keep of every outcome the rows at the visit that stands for the analysis."""
    visits = rows.groupby("outcome")["visit"].agg(set)
    chosen = {outcome: headline(study, analysis, own) for outcome, own in visits.items()}
    return rows[rows["visit"] == rows["outcome"].map(chosen)]
