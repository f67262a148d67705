"""What the configuration says to the items of a plan on people and analyses."""

from __future__ import annotations

from ccp_analysis import __version__
from ccp_analysis.config.models import LABELS
from ccp_analysis.report.cells import contrast, level_of
from ccp_analysis.report.sections.plan_said import METHODS, REF, TABLE, TEXT, Piece, Said, text
from ccp_analysis.report.sections.plan_tables import ANALYSES, ASSUMED, MONEY, OUTCOMES, assumes
from ccp_analysis.report.sections.records import software_used
from ccp_analysis.report.source import Source
from ccp_analysis.report.words import capitalised, inside, listed, uncapitalised
from ccp_analysis.results.terms import Role


def eligibility(source: Source) -> list[Piece]:
    """Say who takes part, as far as estimand or target trial do."""
    plan = source.plan
    found = [e.population for e in plan.estimands if e.id == plan.estimand]
    trial = source.study.target_trial
    own = trial.eligibility.study if trial and trial.eligibility else ""
    return text(*found, own or "")


def recruitment(source: Source) -> list[Piece]:
    """Say what the flow diagram counts."""
    clusters = source.study.clusters
    by = f" and by {clusters.unit_label}" if clusters else ""
    visits = listed([inside(visit.label) for visit in source.study.visits])
    return text(
        f"A flow diagram counts, by arm{by}, those recruited, those interviewed at {visits}, those "
        "not interviewed with the reason, and those analysed"
    )


def withdrawal(source: Source) -> list[Piece]:
    """Say which events end participation."""
    losses = source.study.losses
    if losses is None:
        return []
    ends = [uncapitalised(source.category(losses.event, event)) for event in losses.ending]
    return text(f"Participation is ended by {listed(ends, 'or')}")


def withdrawal_timing(source: Source) -> list[Piece]:
    """Say what dates events."""
    if source.study.losses is None:
        return text("Known by visit: who has no interview is lost to that visit")
    return text("Each event has its date, which places it between two visits")


def withdrawal_shown(source: Source) -> list[Piece]:
    """Say how losses are presented."""
    return text(
        "Counts by visit, arm and reason, and what those lost were like at baseline beside those "
        "seen"
    )


def characteristics(source: Source) -> list[Piece]:
    """List the characteristics at baseline."""
    named = []
    for name in source.plan.baseline_table:
        unit = source.unit(name)
        named.append(inside(source.name(name)) + (f" ({unit})" if unit else ""))
    own = [inside(source.name(outcome.id)) for outcome in source.plan.outcomes]
    return text(
        f"{capitalised(listed(named))}" if named else "",
        f"Outcomes at baseline: {listed(own)}",
    )


def summarised(source: Source) -> list[Piece]:
    """Say how the characteristics are summarised."""
    return text(
        "Means with standard deviations of numbers, counts with percentages of categories, of "
        "those observed, by arm and in all; differences at baseline are not tested"
    )


def outcomes(source: Source) -> list[Piece]:
    """Set out the outcomes."""
    several = len(source.primary) > 1
    order = "Primary outcomes stand in their order" if several else ""
    return [*text(order), (TABLE, OUTCOMES)]


def in_table(what: str) -> Said:
    """Return what says that something stands in the table of outcomes."""
    return lambda source: [(TEXT, f"{what}:"), (REF, OUTCOMES)]


def calculation(source: Source) -> list[Piece]:
    """Say how outcomes are calculated beyond their scores."""
    derived = [f"{name} is {formula}" for name, formula in source.plan.imputation.derived.items()]
    return [(TEXT, "How items make a score:"), (REF, OUTCOMES), *text(*derived)]


def methods(source: Source) -> list[Piece]:
    """Set out the analyses, and say what each model is."""
    primary = [a for a in source.plan.analyses if a.role == Role.PRIMARY]
    names = listed([f"{LABELS[a.fit]} ({a.id})" for a in primary])
    shown = (
        f"Effects are adjusted differences, {contrast(source)}, with {level_of(source)} "
        "confidence intervals and p-values"
    )
    main = f"The primary analysis is {names}" if primary else "No analysis is the primary one"
    return [*text(main, shown), (TABLE, ANALYSES), (METHODS, "models")]


def adjusted(source: Source) -> list[Piece]:
    """List the covariates."""
    plan, clusters = source.plan, source.study.clusters
    names = ["the outcome at baseline", *(inside(source.name(c)) for c in plan.covariates)]
    names += [f"the {clusters.pair_label}"] if clusters else []
    balanced = plan.confounding.covariates if plan.confounding else []
    weights = listed([_at_visit(source, name) for name in balanced])
    return text(
        f"Every model adjusts for {listed(names)}",
        f"Weights make alike in the arms, and the weighted models adjust for, {weights}"
        if weights
        else "",
    )


def _at_visit(source: Source, variable: str) -> str:
    for visit in source.study.visits:
        stem = variable.removesuffix(f"_{visit.id}")
        if stem != variable:
            return f"{inside(source.name(stem))} at {inside(visit.label)}"
    return inside(source.name(variable))


def checked(source: Source) -> list[Piece]:
    """Say whose assumptions are checked."""
    names = [f"{LABELS[source.plan.analysis(name).fit]} ({name})" for name in source.plan.checks]
    return [*text(f"Checked are {listed(names)}"), (METHODS, "checks")] if names else []


def alternatives(source: Source) -> list[Piece]:
    """Say what is done where assumptions do not hold."""
    return text(
        "No analysis takes the place of another by what a check shows: what was doubted is "
        "reported beside the result, and the supporting and sensitivity analyses of the plan show "
        "what rests on it"
    )


def sensitivity(source: Source) -> list[Piece]:
    """List sensitivity analyses, and what is assumed of missing values in some."""
    names = [
        f"{LABELS[a.fit]} ({a.id})" for a in source.plan.analyses if a.role == Role.SENSITIVITY
    ]
    said = text(f"Sensitivity analyses are {listed(names)}" if names else "")
    return [*said, *[(TABLE, ASSUMED)] * assumes(source)]


def subgroups(source: Source) -> list[Piece]:
    """List the subgroup analyses."""
    planned = source.plan.subgroups
    if not planned:
        return text("None are planned")
    named = [
        f"{source.name(one.variable)}, in {one.analysis}, for "
        f"{listed([inside(source.name(name)) for name in one.outcomes])}"
        for one in planned
    ]
    return [*text(*named), (METHODS, "subgroups")]


def missing(source: Source) -> list[Piece]:
    """Say how missing values are reported and handled."""
    return [
        *text("What is missing is counted for every variable, visit and arm, with the reasons"),
        (METHODS, "missing"),
    ]


def additional(source: Source) -> list[Piece]:
    """Say what is analysed beside the outcomes."""
    asked = source.implementation
    takers = (
        "The effect in those who would take up the intervention is estimated with the arm as the "
        "instrument"
        if asked and "uptake" in asked.exposures
        else ""
    )
    unmeasured = (
        ""
        if source.study.randomised
        else "How strong an unmeasured difference must be to change the conclusion is computed"
    )
    rest = [*text(takers, unmeasured)]
    if source.economics is None:
        return rest or text("None are planned")
    return [*rest, (TABLE, MONEY), (METHODS, "evaluation")]


def harms(source: Source) -> list[Piece]:
    """Say which events are harms, and how they are summarised."""
    losses = source.study.losses
    if losses is None or not losses.harms:
        return []
    names = [uncapitalised(source.category(losses.event, event)) for event in losses.harms]
    return text(
        f"Harms are {listed(names)}",
        losses.harms_asked or "",
        "People with each are counted by arm; their shares are compared with intervals that allow "
        "for the unit of allocation, and no test decides that the arms are alike",
    )


def software(source: Source) -> list[Piece]:
    """Say what computes."""
    return text(
        f"The program of this study, version {__version__}, with {software_used()}; all packages "
        "are fixed by requirements.lock",
        f"Random numbers start from the seed {source.plan.seed}",
    )


def cited(source: Source) -> list[Piece]:
    """Point to the references."""
    return text(
        "The works behind the methods stand at the end; the order of this plan is that of Gamble "
        "et al. (2017)"
    )
