"""Which terms of each analysis its imputation models contain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ccp_analysis.config.models import LABELS
from ccp_analysis.config.plan import Analysis
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Cells, Table, positional
from ccp_analysis.report.words import capitalised, listed, uncapitalised
from ccp_analysis.results.terms import Pooling

COST = "cost"
COMPUTED = "derived"


def congenial(source: Source) -> Table[Any]:
    """List the terms of each analysis of imputed data, and what its imputation models lack."""
    rows: list[Cells] = []
    imputed = source.models is not None and not source.models.empty
    for analysis in source.plan.analyses if imputed else ():
        if analysis.data == "imputed":
            rows.append(_of_analysis(source, analysis))
    for subgroup in source.plan.subgroups if imputed else ():
        if source.plan.analysis(subgroup.analysis).data == "imputed":
            label = uncapitalised(source.name(subgroup.variable))
            rows.append(
                [f"Subgroups by {label}", f"arm \N{MULTIPLICATION SIGN} {label}", _without(source)]
            )
    if source.economics and imputed:
        stems = (COST, source.economics.utility)
        first = [f"{stem}_{source.study.baseline.id}" for stem in stems]
        lacks = _lacking(source, stems, [*first, *source.plan.covariates])
        terms = ["arm", *_pair(source), "costs and utility at baseline", *_covariates(source)]
        rows.append(["Economic evaluation", listed(terms), lacks])
    clusters = source.study.clusters
    held = (
        f"every {clusters.unit_label}, which holds those of arm and pair" if clusters else "the arm"
    )
    return positional(
        caption="Terms of the analyses of imputed data, and which the imputation models lack",
        header=["Analysis", "Terms", "Not in the imputation models"],
        rows=rows,
        align="lll",
        widths=[28, 46, 40],
        notes=[
            f"Every imputation model has an effect of {held}. What it lacks is drawn towards zero "
            "by imputation, and no interval allows for that."
        ]
        if rows
        else [],
    )


def _of_analysis(source: Source, analysis: Analysis) -> Cells:
    """Return the row of an analysis of the plan."""
    outcomes = [outcome.id for outcome in source.plan.outcomes_of(analysis)]
    terms = ["arm", *_pair(source), "the outcome at baseline", *_covariates(source)]
    first = source.study.baseline.id
    lacks = "; ".join(
        filter(
            None,
            (
                _lacking(source, [name], [f"{name}_{first}", *source.plan.covariates], none="")
                for name in outcomes
            ),
        )
    )
    return [f"{LABELS[analysis.fit]} ({analysis.id})", listed(terms), lacks or "none"]


def _pair(source: Source) -> list[str]:
    clusters = source.study.clusters
    return [clusters.pair_label] if clusters else []


def _covariates(source: Source) -> list[str]:
    return [uncapitalised(source.name(name)) for name in source.plan.covariates]


def _lacking(source: Source, stems, wanted: list[str], none: str = "none") -> str:
    """Say which of the variables wanted do not predict follow-up values of the stems."""
    by_variable = dict(list(source.models.groupby("variable", sort=False)))
    said = []
    for stem in stems:
        for visit in source.study.follow_ups:
            model = by_variable.get(f"{stem}_{visit.id}")
            if model is None or model["method"].iloc[0] == COMPUTED:
                continue
            lacks = [name for name in wanted if name not in set(model["predictor"])]
            # A baseline that the outcome does not have is no term either.
            lacks = [name for name in lacks if _is_variable(source, name)]
            if lacks:
                names = listed([source.variable(name) for name in lacks])
                said.append(f"{names} (of {source.variable(f'{stem}_{visit.id}')})")
    return capitalised("; ".join(said)) if said else none


def _is_variable(source: Source, name: str) -> bool:
    """Return whether anything is known of a variable beside its name."""
    predictors = set(source.models["predictor"]) | set(source.models["variable"])
    return name in predictors


def _without(source: Source) -> str:
    """Say what follows for subgroups, whose interaction no imputation model has."""
    if source.plan.pooling == Pooling.AVERAGED:
        return "The interaction: it is given on the observed data"
    return "The interaction: it is drawn towards zero"


def _items(of: Configured) -> Iterator[Item]:
    if any(analysis.data == "imputed" for analysis in of.plan.analyses):
        yield TableItem("congenial", congenial)


SECTION = Section("congenial", _items)
