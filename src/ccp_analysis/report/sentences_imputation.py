"""Sentences on whether there were iterations and imputations enough."""

from __future__ import annotations

from ccp_analysis.report.format import known, listed, number
from ccp_analysis.report.lookup import Source

UNMIXED = "the iterations may be too few"


def enough(source: Source) -> list[str]:
    """Return what is to be said of the number of iterations and of imputations.

    Parameters
    ----------
    source : Source
        Imputation models and results.

    Returns
    -------
    list of str
        None where nothing was imputed.
    """
    return [text for text in (_iterations(source), _imputations(source)) if text]


def _iterations(source: Source) -> str:
    """Say which chains had not mixed; empty where all had."""
    if source.models is None or source.models.empty:
        return ""
    first = source.models.groupby("variable", sort=False).first()
    slow = first[first["note"].str.contains(UNMIXED, regex=False)]
    if slow.empty:
        return ""
    worst = max(float(r) for column in ("r_hat", "r_hat_sd") for r in slow[column] if r)
    return (
        f"After {number(source.plan.imputation.iterations)} iterations the chains of "
        f"{listed([source.variable(name) for name in slow.index])} had not mixed (split R-hat up "
        f"to {number(worst, 2)}): results that rest on them are provisional until they are imputed "
        "again with more iterations."
    )


def _imputations(source: Source) -> str:
    """Say how many imputations the pooled standard errors need."""
    pooled = [r for r in source.results if known(r["fmi"]) and known(r["std_error"])]
    made = max((r["m"] for r in pooled), default=None)
    if not made or source.models is None or source.models.empty:
        return ""
    short = [row["needed"] for row in pooled if row["needed"]]
    if not short:
        return (
            f"With {number(made)} imputations every pooled standard error has a Monte Carlo error "
            "of at most 5% (von Hippel 2020)."
        )
    return (
        f"For {number(len(short))} of {number(len(pooled))} pooled estimates {number(made)} "
        "imputations are too few: the Monte Carlo error of their standard errors is more than 5%. "
        f"{number(max(short))} imputations would do for all of them (von Hippel 2020); the notes "
        "in results.csv say how many each one needs."
    )
