"""Which terms of each analysis its imputation models contain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from ccp_analysis.config.models import LABELS
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, listed, uncapitalised
from ccp_analysis.results.terms import Pooling

COST = "cost"
COMPUTED = "derived"


class Line(NamedTuple):
    """An analysis, its terms, and which of them its imputation models lack."""

    analysis: str
    terms: list[str]
    lacks: str


def congenial(source: Source) -> Table[Line]:
    """List the terms of each analysis of imputed data, and what its imputation models lack."""
    clusters = source.study.clusters
    held = (
        f"every {clusters.unit_label}, which holds those of arm and pair" if clusters else "the arm"
    )
    return Table(
        "Terms of the analyses of imputed data, and which the imputation models lack",
        [
            Column("Analysis", attrgetter("analysis"), 28, "l"),
            Column("Terms", lambda line: listed(line.terms), 46, "l"),
            Column("Not in the imputation models", attrgetter("lacks"), 40, "l"),
        ],
        [] if source.models.empty else list(_lines(source)),
        notes=[
            f"Every imputation model has an effect of {held}. What it lacks is drawn towards zero "
            "by imputation, and no interval allows for that."
        ],
    )


def _lines(source: Source) -> Iterator[Line]:
    plan, first = source.plan, source.study.baseline.id
    before, after = ["arm", *_pair(source)], _covariates(source)
    for analysis in plan.analyses:
        if analysis.data == "imputed":
            lacks = [
                _lacking(source, [outcome.id], [f"{outcome.id}_{first}", *plan.covariates])
                for outcome in plan.outcomes_of(analysis)
            ]
            terms = [*before, "the outcome at baseline", *after]
            said = "; ".join(filter(None, lacks)) or "none"
            yield Line(f"{LABELS[analysis.fit]} ({analysis.id})", terms, said)
    for subgroup in plan.subgroups:
        if plan.analysis(subgroup.analysis).data == "imputed":
            label = uncapitalised(source.name(subgroup.variable))
            terms = [f"arm \N{MULTIPLICATION SIGN} {label}"]
            yield Line(f"Subgroups by {label}", terms, _without(source))
    if source.economics:
        stems = (COST, source.economics.utility)
        wanted = [*(f"{stem}_{first}" for stem in stems), *plan.covariates]
        terms = [*before, "costs and utility at baseline", *after]
        yield Line("Economic evaluation", terms, _lacking(source, stems, wanted) or "none")


def _pair(source: Source) -> list[str]:
    clusters = source.study.clusters
    return [clusters.pair_label] if clusters else []


def _covariates(source: Source) -> list[str]:
    return [uncapitalised(source.name(name)) for name in source.plan.covariates]


def _lacking(source: Source, stems: Iterable[str], wanted: list[str]) -> str:
    """Say which of the variables wanted do not predict follow-up values of the stems, if any."""
    models = source.models
    said = []
    for stem in stems:
        for visit in source.study.follow_ups:
            model = models[models["variable"] == f"{stem}_{visit.id}"]
            if model.empty or model["method"].iloc[0] == COMPUTED:
                continue
            lacks = [name for name in wanted if name not in set(model["predictor"])]
            # A baseline that the outcome does not have is no term either.
            lacks = [name for name in lacks if _is_variable(source, name)]
            if lacks:
                names = listed([source.variable(name) for name in lacks])
                said.append(f"{names} (of {source.variable(f'{stem}_{visit.id}')})")
    return capitalised("; ".join(said))


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
