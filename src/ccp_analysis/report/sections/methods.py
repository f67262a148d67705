"""How it was done: populations, models, imputation, costs."""

from __future__ import annotations

from typing import Any

from ccp_analysis.config import formulas
from ccp_analysis.config.formulas import Part
from ccp_analysis.report.cells import ADJUSTMENTS, few_clusters
from ccp_analysis.report.section import Section
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import Markdown, inside, listed, number
from ccp_analysis.results.terms import Model

# Of the baseline in an MMRM.
SLOPES = {
    Model.MMRM: "a slope of the baseline at every visit (Mallinckrodt et al. 2008)",
    Model.MMRM_ONE_SLOPE: "one slope of the baseline for all visits",
}
ESTIMANDS = {
    "treatment-policy": "Treatment policy: the difference between the arms whatever was received, "
    "and whether or not it was received as planned.",
}


def said(source: Source) -> dict[str, Any]:
    """Return what the paragraphs of the methods are made of."""
    plan = source.plan
    pair = [f"the {source.study.clusters.pair_label}"] if source.study.clusters else []
    names = {
        Part.COVARIATES: [inside(source.name(name)) for name in plan.covariates],
        Part.PAIR: pair,
    }
    fits = dict.fromkeys(analysis.fit for analysis in plan.analyses)
    clusters = next((row["n_clusters"] for row in source.rows(model=Model.ANCOVA)), None)
    return {
        "ancova_terms": listed(formulas.ANCOVA.words(names)),
        "repeated_terms": listed(formulas.REPEATED.words(names)),
        "slopes": listed([words for fit, words in SLOPES.items() if fit in fits], "or"),
        "estimand": ESTIMANDS.get(plan.estimand, f"{plan.estimand}."),
        "robust": any(analysis.variance == "robust" for analysis in plan.analyses),
        "n_clusters": number(clusters),
        "few": few_clusters(clusters),
        "paragraphs": [Markdown(words) for fit in fits if (words := Model(fit).spec.methods)],
        "families": list(dict.fromkeys(ADJUSTMENTS[family.method] for family in plan.families)),
        "power": f"{source.economics.variance_power:g}" if source.economics else "",
    }


SECTION = Section("methods", said=said)
