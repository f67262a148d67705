"""The imputation models, and whether there were iterations and imputations enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ccp_analysis.refused import NOT_IMPUTED
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.money import COST, ECONOMICS, MODEL, NET_BENEFIT, QALY, per_qaly
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import inside, known, listed, number
from ccp_analysis.results.terms import Pooling, Role, Term

EXPLAINED = {
    "pmm": "PMM, predictive mean matching",
    "lrd": "LRD, local residual draws",
    "norm": "normal, normal regression",
    "logreg": "logistic, logistic regression",
    "polyreg": "multinomial, multinomial regression",
    "2l.norm": "two-level normal, normal regression with a random intercept of clusters",
    "derived": "computed, by its formula from imputed values",
    NOT_IMPUTED: "not imputed, for want of values to impute from",
}
# Of the notes on a model, those on what it lacks.
LACKS = re.compile("is no predictor|donors, as")
METHODS = {
    "pmm": "PMM",
    "lrd": "LRD",
    "norm": "normal",
    "logreg": "logistic",
    "polyreg": "multinomial",
    "2l.norm": "two-level normal",
    "derived": "computed",
    NOT_IMPUTED: NOT_IMPUTED,
}
MONEY = {COST: "costs", QALY: "QALYs"}
UNMIXED = "the iterations may be too few"


def imputation_models(source: Source) -> Table[Any]:
    """List every imputed variable with its method, predictors and convergence."""
    predicting = source.models[source.models["predictor"] != ""]
    predictors = {
        name: how_many(own["missing"])
        for name, own in predicting.drop_duplicates(["variable", "predictor"]).groupby("variable")
    }
    clusters = source.study.clusters
    fixed = f"indicators of the {clusters.unit_label}s" if clusters else "an indicator of the arm"
    used = set(source.models["method"])
    explained = "; ".join(text for method, text in EXPLAINED.items() if method in used)
    return Table(
        "Imputation models",
        [
            Column("Variable", lambda model: source.variable(model.Index), 56, "l"),
            Column("Method", lambda model: METHODS.get(model.method, model.method), 14, "l"),
            Column("Missing", lambda model: number(model.missing), 10),
            Column("R-hat", lambda model: number(model.r_hat, 2), 10),
            Column("Predictors", lambda model: number(predictors.get(model.Index, 0)), 12),
        ],
        list(_models(source).itertuples()),
        notes=[
            f"{explained + '. ' if explained else ''}Every model has "
            f"{fixed} beside the predictors counted here.",
            *_limits(source),
        ],
    )


def _models(source: Source) -> pd.DataFrame:
    """Return what is known of each imputed variable, but for its predictors."""
    return source.models.groupby("variable", sort=False).first()


def _limits(source: Source) -> list[str]:
    """Say what could not be imputed, and of the rest what its model lacks."""
    texts = []
    for name, row in _models(source).iterrows():
        if row["method"] == NOT_IMPUTED:
            texts.append(
                f"{source.variable(name)} could not be imputed ({row['note']}): analyses of "
                "imputed data that need it are refused."
            )
            continue
        lacks = [part for part in row["note"].split("; ") if LACKS.search(part)]
        if lacks:
            texts.append(f"{source.variable(name)}: {'; '.join(lacks)}.")
    return texts


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
    return [text for text in (unmixed(source), _imputations(source)) if text]


def unmixed(source: Source) -> str:
    """Say which chains had not mixed; empty where all had."""
    if source.models.empty:
        return ""
    first = _models(source)
    slow = first[first["note"].str.contains(UNMIXED, regex=False)]
    if slow.empty:
        return ""
    worst = max(r for column in ("r_hat", "r_hat_sd") for r in slow[column] if known(r))
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
    if not made or source.models.empty:
        return ""
    short = [row for row in pooled if row["needed"]]
    every = how_many(row["fmi"] for row in pooled)
    how = _judged(pooled)
    if not short:
        return (
            f"With {number(made)} imputations every pooled standard error has a Monte Carlo error "
            f"of at most 5% ({how})."
        )
    needed = [row["needed"] for row in short]
    return (
        f"For {number(how_many(needed))} of {number(every)} pooled estimates {number(made)} "
        "imputations are too few: the Monte Carlo error of their standard errors is more than 5%. "
        f"{_main_ones(source, short)}{number(max(needed))} imputations would do for all of them "
        f"({how}); the notes in results.csv say how many each one needs."
    )


def _judged(rows: list[Row]) -> str:
    """Say by what rule the number of imputations is judged, which goes with the pooling."""
    averaged = [row.get("pooling") == Pooling.AVERAGED for row in rows]
    if not any(averaged):
        return "von Hippel 2020"
    return "jackknife over the imputations" + "; von Hippel 2020" * (not all(averaged))


def _main_ones(source: Source, short: list[Row]) -> str:
    """Say which main differences are among those with too few imputations."""
    found = (_main(source, row) for row in short if row.get("term") == Term.DIFFERENCE)
    names = [inside(name) for name in found if name]
    if not names:
        return "No main difference is among them. "
    return f"Main differences among them: in {listed(names)}. "


def _main(source: Source, row: Row) -> str:
    """Return of what a row is the main difference; empty where it is another's."""
    outcome, at = row["outcome"], row["threshold"]
    if row["role"] == Role.PRIMARY:
        return source.name(outcome)
    if row["analysis"] != ECONOMICS or row["model"] != MODEL.get(outcome):
        return ""
    if outcome != NET_BENEFIT:
        return MONEY[outcome]
    of = f"net benefit at {per_qaly(source, at)}"
    return of if at in source.evaluation.main_thresholds else ""


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem("imputation_models", imputation_models)


SECTION = Section("imputation", _items)
