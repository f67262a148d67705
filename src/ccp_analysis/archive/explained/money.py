"""Rows of the economic evaluation."""

from __future__ import annotations

from collections.abc import Iterable

from ccp_analysis.archive.explained.basis import (
    Basis,
    arm_of,
    design_of,
    left_out_of,
    of_completed,
)
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config import formulas
from ccp_analysis.config.economics import Economics, Variation
from ccp_analysis.config.formulas import Part
from ccp_analysis.config.models import Model
from ccp_analysis.economics.perspectives import categories
from ccp_analysis.results.terms import Inference, Term

PREFIX = "economics_"
LEFT_SIDES = {"cost": "cost", "qaly": "QALY", "net_benefit": "net benefit"}


def evaluation_of(facts: Facts) -> Economics:
    """Return the plan of the evaluation, in what is said of one."""
    if facts.economics is None:
        raise ValueError("asked of a study without config/economics.yaml")
    return facts.economics


def variation_of(facts: Facts, row: Row) -> Variation | None:
    """Return the sensitivity analysis of the evaluation that a row is of; None of the main one."""
    name = row["analysis"].removeprefix(PREFIX)
    return next((v for v in evaluation_of(facts).sensitivity if v.id == name), None)


def of_evaluation(facts: Facts, row: Row) -> Basis:
    """Return the basis of a row of the evaluation."""
    if row["model"] == Model.DESCRIPTIVE:
        return _described(facts, row)
    economics, varied = evaluation_of(facts), variation_of(facts, row)
    perspective, utility = perspective_of(facts, row), utility_of(facts, row)
    adjust = varied.adjust if varied else None
    baselines, covariates = _adjusted(facts, row, utility, adjust)
    fill = design_of(facts) | {Part.COVARIATES: covariates, Part.BASELINE: baselines}
    formula, outcome = Model(row["model"]).spec.formula or formulas.ANCOVA, row["outcome"]
    if row["model"] in (Model.TEAM_MEANS, Model.SUR) or adjust == "own_baseline":
        each = {"cost": baselines[:1], "qaly": baselines[1:]}
        fill[Part.BASELINE] = each.get(outcome, baselines)
    effects = [e for e in economics.cost_per if outcome == f"cost per {e}"]
    own = [f"{e}_{visit}" for e in effects for visit in (last_visit(facts), first_visit(facts))]
    own = [name for name in own if name in facts.measured]
    fill[Part.BASELINE] = [*fill[Part.BASELINE], *own[1:]]
    notes = list(_notes(facts, row, varied))
    subgroup = row["subgroup"].partition(", ")[0]
    if row["term"] in (Term.INTERACTION, Term.WITHIN_SUBGROUP):
        formula = formulas.WITHIN_SUBGROUPS
        fill |= {Part.SUBGROUP: [subgroup]}
        fill[Part.COVARIATES] = [name for name in covariates if name != subgroup]
    if adjust == "own_baseline":
        notes.append("costs and QALYs are adjusted each for its own baseline alone")
    if adjust == "change":
        notes.append("changes from baseline are compared")
    people = people_of(facts, perspective, utility)
    needed = [*people, *facts.plan.covariates, *own]
    needed += [subgroup] if subgroup in facts.columns else []
    return Basis(
        _says(facts, row, varied),
        formula,
        _left(facts, row),
        fill,
        needed,
        completed=of_completed(row),
        lived=True,
        without=left_out_of(facts, row),
        fewer=int(row["term"] == Term.WITHOUT_PERSON),
        others=[*alive_of(facts), *dates_of(facts, varied)],
        notes=notes,
        stream=_stream(row),
    )


def _adjusted(
    facts: Facts, row: Row, utility: str, adjust: str | None
) -> tuple[list[str], list[str]]:
    """Return the baselines and covariates that costs and effects are adjusted for."""
    first = first_visit(facts)
    both = [f"cost_{first}", f"{utility}_{first}"]
    if row["model"] == Model.TEAM_MEANS:
        return both, []
    found: dict[str | None, tuple[list[str], list[str]]] = {
        None: (both, list(facts.plan.covariates)),
        "pair": ([], []),
        "change": ([], []),
    }
    return found.get(adjust, (both, []))


def _left(facts: Facts, row: Row) -> str:
    outcome = row["outcome"]
    if row["model"] == Model.NET_BENEFIT or outcome == "net_benefit":
        return "(threshold × QALY - cost)"
    if row["model"] == Model.LOG_LINK:
        return "cost of services"
    return LEFT_SIDES.get(outcome, " and ".join(LEFT_SIDES[k] for k in ("cost", "qaly")))


def _says(facts: Facts, row: Row, varied: Variation | None) -> str:
    economics = evaluation_of(facts)
    if row["analysis"] == f"{PREFIX}departures":
        return (
            "The main evaluation, with what was imputed for missed interviews changed: its costs "
            f"('{row['perspective']}') and its utilities (the delta), in "
            f"{' and '.join(_changed_arms(facts))}"
        )
    if row["analysis"] == f"{PREFIX}reference_based":
        return (
            "The main evaluation, with the net benefit of those who were lost imputed as the "
            f"strategy '{row['perspective']}' says, and compared by ANCOVA"
        )
    if varied:
        return f"The sensitivity analysis '{varied.id}' of the evaluation: {varied.label}"
    if str(row["term"]).startswith(Term.BUDGET):
        asked = economics.budget_impact
        price = f"{asked.caseload:,} people a year" if asked else "the caseload"
        return f"What it would cost whoever pays, for {price} and the difference in costs found"
    if row["model"] == Model.TWO_STAGE_BOOTSTRAP:
        return (
            f"{economics.bootstrap.draws:,} draws of the study, resampled within arms and imputed "
            "anew in each, with the main evaluation repeated in every one"
        )
    return "The main economic evaluation"


def _changed_arms(facts: Facts) -> list[str]:
    asked = evaluation_of(facts).departures
    return list(asked.arms) if asked and asked.arms else [facts.study.arms.active]


def _notes(facts: Facts, row: Row, varied: Variation | None) -> Iterable[str]:
    if varied and varied.winsorise:
        yield f"costs of a visit above the quantile {varied.winsorise:g} are set to it"
    if varied and varied.delta:
        yield "values imputed for missed interviews are changed"
    if row["threshold"] is not None:
        yield f"a quality-adjusted life year is taken to be worth {row['threshold']:g}"
    yield (
        "cost is the use of each service times its price, added up over the visits of follow-up, "
        "with the intervention's; QALYs are the area under the curve of utilities"
    )


def _stream(row: Row) -> tuple[str, ...]:
    if row["model"] == Model.TWO_STAGE_BOOTSTRAP:
        return ("economics", str(Inference.BOOTSTRAP.value))
    if row["analysis"] == f"{PREFIX}reference_based":
        return ("economics", row["analysis"], f"{row['threshold']:g}")
    return ()


def _described(facts: Facts, row: Row) -> Basis:
    """Return the basis of use and cost before any model."""
    arm, outcome = arm_of(facts, row), row["outcome"]
    perspective = perspective_of(facts, row)
    parts = parts_of(facts, outcome, row["visit"], perspective)
    if row["term"] in (Term.MEAN_USE, Term.SD_OF_USE, Term.USERS):
        return Basis(
            f"Use of the service '{outcome}' as reported at the visit, before any model",
            needed=parts,
            groups=arm,
        )
    economics = evaluation_of(facts)
    main = people_of(facts, economics.main, economics.utility)
    says = "An average over people, and over imputations, before any model"
    if outcome == "intervention":
        says = "What the intervention cost in all, shared over people; no data of theirs"
    return Basis(
        f"{says}; of everyone in the main evaluation",
        needed=[*main, *facts.plan.covariates],
        completed=of_completed(row),
        lived=True,
        groups=arm,
        others=[*parts, *alive_of(facts)],
        notes=list(_notes(facts, row, None))[-1:],
    )


def parts_of(facts: Facts, outcome: str, visit: str, perspective: str) -> list[str]:
    """Return the variables of which the use, or the cost, of a service or category is made."""
    if outcome in ("cost", "qaly", "intervention"):
        return []
    every = list(dict.fromkeys(name for own in facts.services.values() for name in own))
    grouped = categories(evaluation_of(facts), every)
    names = grouped.get(outcome, [outcome])
    counted = set(facts.services.get(perspective, ()))
    found = [name for name in used_at(facts, [visit]) if _stem(name, visit) in names]
    return [n for n in found if outcome not in grouped or _stem(n, visit) in counted]


def _stem(name: str, visit: str) -> str:
    return name.removesuffix(f"_{visit}")


def perspective_of(facts: Facts, row: Row) -> str:
    """Return the perspective of a row; that of the main evaluation where it is of another kind."""
    economics = evaluation_of(facts)
    return row["perspective"] if row["perspective"] in economics.perspectives else economics.main


def utility_of(facts: Facts, row: Row) -> str:
    """Return the instrument or variable whose utilities a row rests on."""
    varied = variation_of(facts, row)
    return (varied.utility if varied else None) or evaluation_of(facts).utility


def first_visit(facts: Facts) -> str:
    """Return the id of the baseline."""
    return facts.study.baseline.id


def visits_of(facts: Facts) -> list[str]:
    """Return the visits up to the horizon of the evaluation."""
    horizon = facts.study.baseline.months + evaluation_of(facts).months
    return [visit.id for visit in facts.study.visits if visit.months <= horizon]


def last_visit(facts: Facts) -> str:
    """Return the visit at the horizon."""
    return visits_of(facts)[-1]


def used_at(facts: Facts, visits: Iterable[str], perspective: str = "") -> list[str]:
    """Return the variables of services at some visits: of a perspective, or of any."""
    groups = [facts.services[perspective]] if perspective else facts.services.values()
    stems = dict.fromkeys(name for own in groups for name in own)
    names = [f"{stem}_{visit}" for visit in visits for stem in stems]
    return [name for name in names if name in facts.columns or _is_medication(facts, name)]


def _is_medication(facts: Facts, name: str) -> bool:
    drugs = facts.study.medication
    return drugs is not None and name.startswith(f"{drugs.service}_")


def people_of(facts: Facts, perspective: str, utility: str) -> list[str]:
    """Return the variables without which nobody is in an evaluation."""
    visits = visits_of(facts)
    return [*used_at(facts, visits, perspective), *(f"{utility}_{visit}" for visit in visits)]


def alive_of(facts: Facts) -> list[str]:
    """Return the shares of the periods that people lived through."""
    if facts.study.losses is None or facts.study.losses.death is None:
        return []
    return [f"alive_{visit}" for visit in visits_of(facts)[1:]]


def dates_of(facts: Facts, varied: Variation | None) -> list[str]:
    """Return the dates of the interviews, where utilities hold at them."""
    if varied is None or varied.times is None:
        return []
    return [f"{v.date}_{v.id}" for v in facts.study.visits if v.date and v.id in visits_of(facts)]


def is_money(facts: Facts, row: Row) -> bool:
    """Return whether a row is of the economic evaluation."""
    return facts.economics is not None and row["analysis"].startswith("economics")
