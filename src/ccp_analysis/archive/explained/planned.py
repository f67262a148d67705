"""Rows of the plan's analyses, of their checks, and of values not missing at random."""

from __future__ import annotations

from ccp_analysis.archive.explained.basis import (
    Basis,
    arm_of,
    design_of,
    left_out_of,
    of_completed,
)
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config import formulas
from ccp_analysis.config.characteristics import WHOLE
from ccp_analysis.config.formulas import Formula, Part
from ccp_analysis.config.models import LONGITUDINAL, WEIGHTED, WITHOUT_BASELINE, Model
from ccp_analysis.config.plan import Analysis
from ccp_analysis.config.sensitivity import Delta, ReferenceBased
from ccp_analysis.results.terms import Inference, Term

CHECKED = {
    Term.NORMALITY: "Shapiro and Wilk's test of the residuals",
    Term.HETEROSCEDASTICITY: "The size of the residuals is regressed on the fitted values",
    Term.VARIANCE_RATIO: "The squared residuals of the two arms are compared",
    Term.SLOPES: "The arm's interaction with the baseline is added to the model",
    Term.ALONG_BASELINE: "The arm's interaction with the baseline is added to the model",
    Term.LINEARITY: "The terms of a spline of the baseline, or its square, are added to the model",
    Term.CLUSTER_EFFECTS: "The clusters' effects are predicted by a random intercept",
    Term.OUTLYING_PAIR: "The baseline-adjusted difference of each pair is compared with the others",
    Term.COOK: "How far the fit moves without each person",
    Term.ABOVE_COOK: "How far the fit moves without each person",
}
LEFT_OUT = "The model is fitted again without those left out"


def of_analysis(facts: Facts, row: Row, entry: Analysis) -> Basis:
    """Return the basis of a row of an analysis of the plan."""
    study, plan, model = facts.study, facts.plan, Model(row["model"])
    outcome, baseline = row["outcome"], f"{row['outcome']}_{study.baseline.id}"
    fill = design_of(facts) | {Part.COVARIATES: list(plan.covariates)}
    formula = model.spec.formula or formulas.ANCOVA
    follow_ups = [f"{outcome}_{v.id}" for v in study.follow_ups]
    follow_ups = [name for name in follow_ups if name in facts.measured]
    completed = of_completed(row)
    says = f"The analysis '{entry.id}' of the plan ({entry.role})"
    if entry.model in LONGITUDINAL:
        visits = "all visits" if entry.model == Model.CLDA else "all follow-ups"
        says = f"{says}, of {visits}"
        if entry.model == Model.CLDA:
            return Basis(
                says,
                formula,
                outcome,
                fill,
                plan.covariates,
                any_of=[baseline, *follow_ups],
                completed=completed,
            )
        fill[Part.BASELINE] = [baseline]
        needed = [baseline, *plan.covariates]
        each = entry.model == Model.REPEATED
        return Basis(
            says,
            formula,
            outcome,
            fill,
            needed,
            any_of=follow_ups,
            each_visit=each,
            completed=completed,
        )
    value = f"{outcome}_{entry.visit}"
    if baseline in facts.measured or entry.model not in WITHOUT_BASELINE:
        fill[Part.BASELINE] = [baseline]
    if entry.model == Model.DID:
        return _differences(facts, row, says, fill, [baseline, value])
    needed = [value, *fill.get(Part.BASELINE, ()), *plan.covariates]
    if entry.model in WEIGHTED and plan.confounding:
        fill[Part.BALANCED] = list(plan.confounding.covariates)
        needed += plan.confounding.covariates
    if row["subgroup"] and row["term"] in (Term.INTERACTION, Term.WITHIN_SUBGROUP):
        return _subgroup(facts, row, says, fill, [*needed], value)
    if row["model"] == Model.CHANGE:
        formula, y = _change(facts, row, formula, value)
        return Basis(says, formula, y, fill, needed, notes=_beside(row), completed=completed)
    return Basis(says, formula, value, fill, needed, completed=completed)


def _change(facts: Facts, row: Row, formula: Formula, value: str) -> tuple[Formula, str]:
    """Return the formula of a change score: of people, or of the means of clusters."""
    if row["inference"] != Inference.PAIRED_T:
        return formula, value
    means = Formula(((Part.UNIT,),), left=formula.left, more=formulas.CLUSTER_MEANS.more)
    return means, value


def _beside(row: Row) -> list[str]:
    if row["term"] != Term.LORD:
        return []
    return ["ANCOVA has the baseline as a term as well; both are fitted as one"]


def _differences(
    facts: Facts, row: Row, says: str, fill: dict[Part, list[str]], values: list[str]
) -> Basis:
    """Return the basis of a difference in differences: two visits, one below another."""
    formula, covariates = formulas.DID, facts.plan.covariates
    if row["inference"] == Inference.PAIRED_T:
        formula = Formula(((Part.UNIT, Part.VISIT),), more=formulas.CLUSTER_MEANS.more)
    fill = {part: names for part, names in fill.items() if part != Part.BASELINE}
    completed = of_completed(row)
    y = row["outcome"]
    return Basis(says, formula, y, fill, covariates, any_of=values, completed=completed)


def _subgroup(
    facts: Facts, row: Row, says: str, fill: dict[Part, list[str]], needed: list[str], value: str
) -> Basis:
    variable, _, code = row["subgroup"].partition(", ")
    fill = fill | {Part.SUBGROUP: [variable]}
    fill[Part.COVARIATES] = [name for name in fill[Part.COVARIATES] if name != variable]
    within = row["term"] == Term.WITHIN_SUBGROUP and code in _codes(facts, variable)
    return Basis(
        f"{says}, with the arm's interaction with {variable}",
        formulas.WITHIN_SUBGROUPS,
        value,
        fill,
        [*needed, variable],
        completed=of_completed(row),
        groups=[(variable, code)] if within else (),
    )


def _codes(facts: Facts, variable: str) -> list[str]:
    return [code for column in facts.columns.get(variable, ()) for code in column.codes]


def of_check(facts: Facts, row: Row) -> Basis:
    """Return the basis of a check: the model of an analysis on what was observed."""
    entry = facts.plan.analysis(row["analysis"].removeprefix("checks_"))
    study, outcome = facts.study, row["outcome"]
    value, baseline = f"{outcome}_{entry.visit}", f"{outcome}_{study.baseline.id}"
    fill = design_of(facts) | {
        Part.BASELINE: [baseline],
        Part.COVARIATES: list(facts.plan.covariates),
    }
    made = CHECKED.get(row["term"], LEFT_OUT)
    return Basis(
        f"A check of the analysis '{entry.id}', on what was observed. {made}",
        Model(entry.model).spec.formula,
        value,
        fill,
        [value, baseline, *facts.plan.covariates],
        without=left_out_of(facts, row),
    )


def of_delta(facts: Facts, row: Row, entry: Delta) -> Basis:
    """Return the basis of an analysis that is repeated on shifted values."""
    base = of_analysis(facts, row, facts.plan.analysis(entry.analysis))
    amounts = ", ".join(f"{delta:g}" for delta in entry.deltas)
    arms = entry.directions.get(row["perspective"], {})
    who = " and ".join(f"{multiple:g} times in {arm}" for arm, multiple in arms.items())
    says = (
        f"The sensitivity analysis '{entry.id}' of the plan: a number (the delta) is added to each "
        f"imputed value of the outcome, and the analysis '{entry.analysis}' is repeated. The "
        f"plan's deltas are {amounts}"
    )
    if who:
        says += f"; in the direction '{row['perspective']}' the delta is added {who}"
    return Basis(says, base.formula, base.y, base.fill, base.needed, completed=True)


def of_reference(facts: Facts, row: Row, entry: ReferenceBased) -> Basis:
    """Return the basis of reference-based imputation, analysed by ANCOVA."""
    study, outcome, covariates = facts.study, row["outcome"], facts.plan.covariates
    baseline = f"{outcome}_{study.baseline.id}"
    values = [f"{outcome}_{visit.id}" for visit in study.follow_ups]
    values = [name for name in values if name in facts.measured]
    fill = design_of(facts) | {Part.BASELINE: [baseline], Part.COVARIATES: list(covariates)}
    how = (
        "the conditional means of those lost, and a jackknife of all of it"
        if row["inference"] == Inference.JACKKNIFE
        else "draws of the values of those lost, pooled by Rubin's rules"
    )
    return Basis(
        f"The sensitivity analysis '{entry.id}' of the plan: the outcome of those who were lost is "
        f"imputed as the scenario '{row['perspective']}' says (MAR: as others of their arm; JR, "
        "CR, CIR: towards the reference arm, by jumping to it, copying it, or its increments; "
        "LMCF: as last seen), from a model of all visits; ANCOVA at each follow-up. Here by "
        f"{how}",
        formulas.ANCOVA,
        f"{outcome}_{row['visit']}",
        fill,
        [baseline, *covariates, *values],
        completed=True,
        stream=("sensitivity", entry.id, outcome),
        notes=["values of those lost are imputed anew; baselines and covariates as in the plan"],
    )


def of_next_study(facts: Facts, row: Row) -> Basis:
    """Return the basis of what a next trial like this one would find, and cost."""
    outcome, asked = row["outcome"], facts.plan.next_study
    says = "What a next trial of this design would find (next_study in config/analysis.yaml)"
    if not row["visit"] or asked is None:
        return Basis(f"{says}: this outcome says nothing of it, as the row's note tells")
    value, baseline = f"{outcome}_{row['visit']}", f"{outcome}_{facts.study.baseline.id}"
    covariates = list(facts.plan.covariates)
    fill = design_of(facts) | {Part.BASELINE: [baseline], Part.COVARIATES: covariates}
    return Basis(
        f"{says}. The variances between and within clusters that are left by ANCOVA, on what was "
        "observed, are known to their degrees of freedom: power is by the formula for so many "
        "pairs and people at one variance, assurance is power averaged over what the variances "
        f"may be, by the priors {', '.join(prior.id for prior in asked.priors)}",
        formulas.ANCOVA,
        value,
        fill,
        [] if row["term"] == Term.LOST else [value, baseline, *covariates],
    )


def of_drawn(facts: Facts, row: Row) -> Basis:
    """Return the basis of what an analysis does in studies that were drawn."""
    asked, analysis = facts.plan.characteristics, facts.plan.analysis(row["level"])
    base = of_analysis(facts, row, analysis)
    draws = asked.draws if asked.form == "full" else asked.quick
    if row["perspective"] == WHOLE:
        draws = asked.whole
    return Basis(
        f"A simulation: studies with the teams, covariates, losses and variances of this one are "
        f"drawn, of which the truth is known ('{row['perspective']}'), imputed and analysed as "
        f"the analysis '{analysis.id}' of the plan is, and the results counted",
        base.formula,
        base.y,
        base.fill,
        base.needed,
        who="drawn",
        draws=draws,
        stream=("characteristics", row["outcome"]),
    )


def of_sample_size(facts: Facts, row: Row) -> Basis:
    """Return the basis of planned and achieved numbers."""
    planned = facts.plan.planned
    what = ""
    if planned:
        what = (
            f"; SD {planned.sd:g}, intraclass correlation {planned.icc:g}, correlation with the "
            f"baseline {planned.retest:g}, power {facts.plan.power:g}"
        )
    value = [f"{row['outcome']}_{row['visit']}"] if row["visit"] else []
    return Basis(
        f"What the plan was made for (planned in config/analysis.yaml) beside who came{what}. "
        "A formula for two equal arms of clusters; nothing is fitted",
        others=[*value, *(name for name, _ in arm_of(facts, row))],
        notes=[planned.source] if planned and planned.source else (),
    )
