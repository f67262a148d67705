"""Rows of who came and what happened, of how alike the arms were, and of what was not measured."""

from __future__ import annotations

from ccp_analysis.archive.explained.basis import Basis, arm_of, design_of
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config import formulas
from ccp_analysis.config.formulas import Formula, Part
from ccp_analysis.config.models import WEIGHTED, Model
from ccp_analysis.results.terms import Population, Role, Term

COUNTED = (Term.OBSERVED, Term.MISSING)


def of_description(facts: Facts, row: Row) -> Basis:
    """Return the basis of a number of the baseline table, or of outcomes as observed."""
    name = variable_of(facts, row)
    known = () if row["term"] in COUNTED else (name,)
    return Basis(
        "A description of what was observed, before any model; nothing is imputed",
        needed=known,
        groups=arm_of(facts, row),
        others=[name],
    )


def variable_of(facts: Facts, row: Row) -> str:
    """Return the variable that a row describes: with its visit where it has one."""
    return f"{row['outcome']}_{row['visit']}" if row["visit"] else row["outcome"]


def of_events(facts: Facts, row: Row) -> Basis:
    """Return the basis of a number of people with an event."""
    losses = facts.study.losses
    analysed = row["population"] == Population.COMPLETED
    what = "harms" if row["outcome"] == "any harm" else f"the event '{row['outcome']}'"
    how = "people with it" if row["term"] != Term.EVENTS else "events, of which one can have many"
    if row["term"] in (Term.PROPORTION, Term.GROUP_DIFFERENCE):
        how = "the share of people with it, with an interval that knows their clusters"
    names = [losses.event, losses.date, losses.reason] if losses else []
    return Basis(
        f"Counted in the file of what happened to people: {what}; {how}. Nothing is imputed",
        who="analysed" if analysed else "not analysed",
        groups=arm_of(facts, row),
        others=[facts.study.arms.variable, *names],
    )


def of_balance(facts: Facts, row: Row) -> Basis:
    """Return the basis of how alike the arms are in one characteristic."""
    study, plan = facts.study, facts.plan
    stem, baseline = row["outcome"], study.baseline.id
    name = f"{stem}_{baseline}" if f"{stem}_{baseline}" in (*facts.measured, COST) else stem
    if stem in plan.baseline_table:
        name = stem
    says = "The arms are compared in one characteristic, in units of its standard deviation"
    if row["term"] == Term.CLUSTER_DIFFERENCE:
        says = "The means of clusters are compared within pairs, in standard deviations of people"
    if row["term"] == Term.VARIANCE_RATIO:
        says = "The variance in one arm over that in the other"
    primary = next((o for o in plan.outcomes if o.role == Role.PRIMARY), plan.outcomes[0])
    others = [study.arms.variable, *_clusters(facts)]
    formula, fill = None, design_of(facts)
    if row["model"] in WEIGHTED and plan.confounding:
        own = f"{primary.id}_{baseline}"
        fill[Part.BALANCED] = list(dict.fromkeys([own, *plan.confounding.covariates]))
        formula = Formula(((Part.BALANCED,), (Part.PAIR,)), more=WEIGHED[row["model"]])
        others += fill[Part.BALANCED]
        says += ", of people weighed"
    else:
        fill = {}
    seen: list[str] = []
    if row["subgroup"]:
        says += f": whether it is '{row['subgroup']}'"
    if row["population"] == Population.COMPLETE_CASES:
        last = f"{primary.id}_{study.follow_ups[-1].id}"
        says += f", among those whose {last} was observed"
        seen.append(last)
    return Basis(
        says,
        formula,
        study.arms.variable if formula else "",
        fill,
        [name],
        observed=seen,
        completed=True,
        others=others,
        notes=["values that were imputed are averaged over the imputations"],
    )


COST = "cost_baseline"
WEIGHED = {
    Model.OVERLAP: "by logistic regression; the weight of a person is the probability of being in "
    "the other arm",
    Model.ENTROPY: "entropy balancing: the weights nearest to equal ones with which each arm has "
    "everybody's means",
}


def _clusters(facts: Facts) -> list[str]:
    clusters = facts.study.clusters
    return [clusters.pair, clusters.unit] if clusters else []


def of_unmeasured(facts: Facts, row: Row) -> Basis:
    """Return the basis of how strong something unmeasured would have to be."""
    study, plan = facts.study, facts.plan
    baseline = f"{row['outcome']}_{study.baseline.id}"
    value = f"{row['outcome']}_{row['visit']}"
    fill = design_of(facts) | {
        Part.BASELINE: [baseline],
        Part.COVARIATES: list(plan.covariates),
    }
    also = plan.confounding.covariates if plan.confounding else []
    said = {
        Term.PER_SD: "What one standard deviation of a covariate changes in the outcome, by the "
        "regression of the primary analysis",
        Term.ROBUSTNESS: ROBUST,
        Term.ROBUSTNESS_OF_INTERVAL: ROBUST,
        Term.R2_ARM: "How much of the difference between the arms, in means of clusters within "
        "pairs, goes with a covariate that was measured",
        Term.R2_OUTCOME: "How much of the outcome's pair differences goes with the arm, or with a "
        "covariate that was measured",
    }
    says = said.get(
        row["term"],
        "Read off the interval of the primary analysis: how far clusters of the arms would have to "
        "differ in something that was not measured",
    )
    paired = row["model"] == Model.TEAM_MEANS
    return Basis(
        says,
        Model(row["model"]).spec.formula or formulas.ANCOVA,
        value,
        fill,
        [value, baseline, *plan.covariates],
        completed=True,
        others=also if paired else (),
    )


ROBUST = (
    "How strong something unmeasured would have to be, in both its share of the arm and of the "
    "outcome, to take the paired difference of cluster means to zero (or its interval)"
)
