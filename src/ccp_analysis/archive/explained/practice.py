"""Rows of how the intervention was put into practice, and what goes with more of it."""

from __future__ import annotations

from collections.abc import Sequence

from ccp_analysis.archive.explained.basis import Basis, Who, arm_of, design_of, of_completed
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config import formulas
from ccp_analysis.config.formulas import Part
from ccp_analysis.config.implementation import Implementation, Rating
from ccp_analysis.config.models import Model
from ccp_analysis.implementation.exposures import variable_of
from ccp_analysis.results.terms import Population, Term


def of_exposure(facts: Facts, row: Row) -> Basis:
    """Return the basis of a row that sets an outcome against an exposure."""
    asked, study, plan = asked_of(facts), facts.study, facts.plan
    takers = row["analysis"] == "takers"
    name = row["subgroup"] if takers else row["level"]
    entry = next(a for a in plan.analyses if a.model == Model.ANCOVA)
    value, baseline = f"{row['outcome']}_{entry.visit}", f"{row['outcome']}_{study.baseline.id}"
    variable = variable_of(asked, name)
    fill = design_of(facts) | {
        Part.BASELINE: [baseline],
        Part.COVARIATES: list(plan.covariates),
        Part.EXPOSURE: ["exposure"],
    }
    along = of_completed(row)
    arm = () if takers else [(study.arms.variable, study.arms.active)]
    says = f"The exposure '{name}' ({asked.exposures.get(name, name)}) is made of {variable}. " + (
        "The arm is the instrument: the difference between the arms in the outcome, over that "
        "in the exposure"
        if takers
        else "People of the active arm alone; an association and no effect"
    )
    if row["term"] in (Term.WITHIN_CLUSTERS, Term.BETWEEN_CLUSTERS):
        says += ". The exposure is taken apart into the mean of each cluster and what people differ"
        says += " from it; both stand in the regression"
    formula = Model(row["model"]).spec.formula if takers else formulas.DOSE
    observed = () if along else [value]
    return Basis(
        says,
        formula,
        value,
        fill,
        [value, baseline, *plan.covariates, variable],
        completed=True,
        exposed=along,
        groups=arm,
        notes=[
            "outcomes and exposures are imputed along with each other, once more beside the "
            "imputation of the plan"
            if along
            else "whoever has no exposure or no outcome is left out"
        ],
        others=[*observed, *((study.arms.variable,) if takers else ()), *_unit(facts)],
    )


def _unit(facts: Facts) -> list[str]:
    return [facts.study.clusters.unit] if facts.study.clusters else []


def asked_of(facts: Facts) -> Implementation:
    """Return what is asked of the implementation, in what is said of one."""
    if facts.implementation is None:
        raise ValueError("asked of a study without config/implementation.yaml")
    return facts.implementation


def of_practice(facts: Facts, row: Row) -> Basis:
    """Return the basis of a row of what was done, and how it was received."""
    asked, name = asked_of(facts), row["outcome"]
    for rating in asked.ratings:
        if name == rating.id or name in rating.items:
            return _rated(facts, row, rating)
    if name in {barrier.id for barrier in asked.barriers}:
        says = "The share of practitioners who named it as standing in the way"
        return _staff(facts, row, says, [f"{name}_{row['visit']}"])
    if name in ("adoption", "trained"):
        return _adopted(facts, row, asked)
    return _done(facts, row, asked)


def _done(facts: Facts, row: Row, asked: Implementation) -> Basis:
    """Return the basis of a stage of the cascade, of fidelity or of dose."""
    name, study = row["outcome"], facts.study
    steps = {step.id: step.label for step in asked.steps}
    needed: Sequence[str] = ()
    others: Sequence[str] = ()
    if name == "recruited":
        says = "How many were recruited in the arm"
    elif name == "interviewed":
        says = "The share of those recruited with a baseline interview"
        others = [f"interviewed_{study.baseline.id}"]
    elif name in (*steps, "contact", "dose"):
        done = "the contacts of each participant, as practitioners recorded them"
        says = f"Counted from {done}"
        if name in steps:
            says += f": who had the step '{steps[name]}' and all before it"
        others = _delivery(facts)
    elif name == "reach":
        says = f"The share to whom it is so: {asked.reach.label} ({asked.reach.code})"
        needed = [asked.reach.variable]
    else:
        at = asked.fidelity
        assert at is not None
        says = f"The score {at.variable}"
        if name == "high_fidelity":
            says += f", of which {at.high:g} and more is high"
        needed = [at.variable]
    if row["level"] == study.arms.reference and name not in ("recruited", "interviewed"):
        says += "; in this arm it is contamination"
    return Basis(says, needed=needed, who="recruited", groups=_of_group(facts, row), others=others)


def _of_group(facts: Facts, row: Row) -> list[tuple[str, str]]:
    """Return the arm, or the cluster within it, that a row is of."""
    clusters = facts.study.clusters
    if row["subgroup"] and clusters:
        return [(clusters.unit, row["subgroup"])]
    return arm_of(facts, row)


def _delivery(facts: Facts) -> list[str]:
    named = facts.study.delivery
    return [named.date, named.step, named.practitioner] if named else []


def _staff(facts: Facts, row: Row, says: str, needed: Sequence[str]) -> Basis:
    groups = _of_group(facts, row) if row["subgroup"] else []
    return Basis(says, needed=needed, who="practitioners", groups=groups)


def _adopted(facts: Facts, row: Row, asked: Implementation) -> Basis:
    arms, staff = facts.study.arms, asked.practitioners
    active = [(arms.variable, arms.active)]
    needed: Sequence[str] = ()
    others: Sequence[str] = ()
    if row["outcome"] == "trained" and staff and staff.trained:
        says, needed = "The share of practitioners who were trained", [staff.trained.variable]
    else:
        says, others = "The share of practitioners with any contact", _delivery(facts)
    groups = _of_group(facts, row) if row["subgroup"] else active
    return Basis(says, needed=needed, who="practitioners", groups=groups, others=others)


def _rated(facts: Facts, row: Row, rating: Rating) -> Basis:
    """Return the basis of what was said of an item, or of a group of items."""
    asked, term, item = asked_of(facts), row["term"], row["outcome"]
    boxes = ", ".join(f"{value:g}" for value in rating.top)
    one = item in rating.items
    says = f"Answers to '{rating.items[item]}'" if one else f"The items of '{rating.label}'"
    says += f", rated by {rating.who}"
    if not one:
        says += ": each person's mean of those answered"
    if term in (Term.TOP_BOXES, Term.GROUP_DIFFERENCE):
        says += f"; the top boxes are {boxes}"
    visits = [rating.visit or row["visit"]]
    if term == Term.CHANGE:
        visits = _occasions(facts)
    names = [item] if one else list(rating.items)
    if row["population"] == Population.RATERS:
        return _beside(facts, row, rating, says, names)
    columns = [f"{name}_{visit}" for visit in visits for name in names]
    who: Who = "practitioners" if rating.who == "practitioners" else "recruited"
    every = one or term == Term.ALPHA
    needed, any_of, groups = (columns, [], []) if every else ([], columns, [])
    more: list[str] = []
    if asked.practitioners and (profession := asked.practitioners.profession):
        of_interest = asked.practitioners.of_interest or ""
        if row["subgroup"] == of_interest:
            groups = [(profession, of_interest)]
        elif row["subgroup"] or (term == Term.GROUP_DIFFERENCE):
            needed, more = [*needed, profession], [profession]
    without = None
    if row["subgroup"] == "others" and more:
        without = (more[0], asked.practitioners.of_interest or "")  # type: ignore[union-attr]
    if term == Term.CHANGE:
        return Basis(
            f"{says}; of those who answered at both occasions",
            who=who,
            any_of=[f"{name}_{visits[-1]}" for name in names],
            both=[f"{name}_{visits[0]}" for name in names],
        )
    return Basis(says, needed=needed, any_of=any_of, who=who, groups=groups, without=without)


def _beside(facts: Facts, row: Row, rating: Rating, says: str, names: list[str]) -> Basis:
    """Return the basis of practitioners beside the service users who rated the same."""
    staff = next(r for r in asked_of(facts).ratings if r.id == rating.beside)
    last = _occasions(facts)[-1]
    own = list(staff.items)
    one = row["outcome"] in rating.items
    if one:
        own = [own[list(rating.items).index(row["outcome"])]]
    return Basis(
        f"{says}, beside practitioners at the occasion '{last}'",
        who="raters",
        any_of=[f"{name}_{rating.visit}" for name in names],
        both=[f"{name}_{last}" for name in own],
    )


def _occasions(facts: Facts) -> list[str]:
    file = facts.study.practitioners
    return [occasion.id for occasion in facts.study.files[file].occasions] if file else []
