"""Tables of the plan as a document: outcomes, analyses, assumptions on missing values, money."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from ccp_analysis.config.dictionary import Column as RawColumn
from ccp_analysis.config.models import LABELS, LONGITUDINAL
from ccp_analysis.config.plan import Analysis, Outcome
from ccp_analysis.config.sensitivity import Delta, ReferenceBased, Scenario, Sensitivity
from ccp_analysis.report.cells import POOLED
from ccp_analysis.report.section import Configured
from ccp_analysis.report.sections.departures import MEANINGS, STRATEGIES
from ccp_analysis.report.sections.estimands import ROLES, data_of
from ccp_analysis.report.sections.resources import sharing
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import MINUS, capitalised, inside, listed, number, uncapitalised
from ccp_analysis.results.terms import Inference

Line = tuple[str, ...]
OUTCOMES, ANALYSES, ASSUMED, MONEY = "plan_outcomes", "plan_analyses", "plan_assumed", "plan_money"


def _columns(*heads: tuple[str, int]) -> list[Column[Line]]:
    """Return columns of text, each with its head and width."""
    cells = enumerate(heads)
    return [Column(head, itemgetter(place), width, "l") for place, (head, width) in cells]


def outcomes(source: Source) -> Table[Line]:
    """Set out every outcome: its measure, unit and better end, its score, and when it is taken."""
    return Table(
        "Outcomes, in the order of the report",
        _columns(
            ("Role", 0), ("Outcome", 25), ("Measure and unit", 29), ("Score", 30), ("Taken at", 16)
        ),
        [
            (
                {"primary": "Primary outcome", "secondary": "Secondary outcomes"}[outcome.role],
                source.outcome(outcome.id),
                _measure(source, outcome),
                _score(source, outcome.id),
                capitalised(listed([inside(label) for label in taken_at(source, outcome.id)])),
            )
            for outcome in source.plan.outcomes
        ],
        grouped=True,
        stub="Outcome",
    )


def taken_at(source: Source, outcome: str) -> list[str]:
    """Return the labels of the visits at which an outcome is measured."""
    names = {outcome}
    if outcome in source.instruments:
        names = set(source.instruments[outcome].items)
    asked = {column.visit for column in source.dictionary if column.name in names}
    return [visit.label for visit in source.study.visits if visit.id in asked]


def _raw(source: Source, name: str) -> RawColumn | None:
    return next((column for column in source.dictionary if column.name == name), None)


def _measure(source: Source, outcome: Outcome) -> str:
    """Say on which range and in which unit an outcome is, and which end is the better one."""
    scale, raw = source.instruments.get(outcome.id), _raw(source, outcome.id)
    low, high = scale.range if scale else (raw.minimum, raw.maximum) if raw else (None, None)
    unit = scale.unit if scale else raw.unit if raw else ""
    words = f"{low:g} to {high:g}" if low is not None and high is not None else ""
    parts = [" ".join(filter(None, [words, unit]))]
    benefit = source.benefit(outcome.id)
    parts += [f"{benefit} values are better"] if benefit else []
    if scale and scale.mcid is not None:
        parts.append(f"smallest difference that matters: {scale.mcid:g}")
    return capitalised("; ".join(filter(None, parts)))


def _score(source: Source, outcome: str) -> str:
    """Say how a score is made of its items."""
    scale = source.instruments.get(outcome)
    if scale is None:
        return "As recorded"
    words = {
        "sum": f"Sum of {len(scale.items)} items",
        "mean": f"Mean of {len(scale.items)} items",
        "value_set": f"Utility of {len(scale.items)} dimensions by a value set",
    }[scale.score]
    if scale.standing:
        words += f": {scale.standing.what} ({scale.standing.source})"
    if scale.reversed:
        words += f", {len(scale.reversed)} of them reversed"
    share = f"from {100 * scale.minimum_answered:g}% of items on, the rest prorated"
    return f"{words}; {share if scale.minimum_answered < 1 else 'every item must be answered'}"


def analyses(source: Source) -> Table[Line]:
    """Set out every analysis of the plan by its role, and what it is fitted to."""
    return Table(
        "Analyses of the plan",
        _columns(
            ("Role", 0),
            ("Analysis", 22),
            ("Model", 24),
            ("Data", 20),
            ("Visit", 14),
            ("Outcomes", 20),
        ),
        [
            (
                words,
                analysis.id,
                LABELS[analysis.fit],
                _data(source, analysis),
                source.visit(analysis.visit or "")
                or ("Every follow-up" if analysis.model in LONGITUDINAL else "–"),
                "All"
                if analysis.outcomes is None
                else capitalised(listed([inside(source.name(name)) for name in analysis.outcomes])),
            )
            for role, words in ROLES.items()
            for analysis in source.plan.analyses
            if analysis.role == role
        ],
        grouped=True,
        stub="Analysis",
    )


def _data(source: Source, analysis: Analysis) -> str:
    rule = f", {POOLED[analysis.pooling]}" if analysis.pooling else ""
    robust = ", unequal variances" if analysis.variance == "robust" else ""
    return capitalised(f"{data_of(analysis)}{rule}{robust}")


def assumed(source: Source) -> Table[Line]:
    """Set out the analyses of values that are not missing at random."""
    asked = source.plan.sensitivity or Sensitivity()
    based = [line for entry in asked.reference_based for line in _scenarios(source, entry)]
    used = {name for entry in asked.reference_based for name in entry.variances}
    meanings = [MEANINGS[name] for name in (Inference.JACKKNIFE, "draws") if name in used]
    return Table(
        "What is assumed of values that are missing, beside missing at random",
        _columns(("Analysis", 0), ("Case", 30), ("What is assumed", 70)),
        [*(line for entry in asked.delta for line in _directions(source, entry)), *based],
        grouped=True,
        stub="Case",
        notes=meanings if based else [],
    )


def _title(source: Source, entry: Delta | ReferenceBased) -> str:
    names = listed([inside(source.name(name)) for name in entry.outcomes])
    return f"{entry.id}: {names}"


def _directions(source: Source, entry: Delta) -> Iterator[Line]:
    unit = source.unit(entry.outcomes[0]) or "points"
    title = _title(source, entry)
    steps = listed([_signed(delta) for delta in entry.deltas])
    analysis = LABELS[source.plan.analysis(entry.analysis).fit]
    added = f"{steps} {unit} are added to what was imputed"
    yield title, "Deltas", f"{added}, and {analysis} ({entry.analysis}) is repeated"
    for name, arms in entry.directions.items():
        parts = [
            f"{'the delta' if times == 1 else f'{_signed(times)} times the delta'} in "
            f"{source.arm(arm)}"
            for arm, times in arms.items()
        ]
        yield title, f"Direction: {name}", capitalised(listed(parts))
    for reason, times in entry.reasons.items():
        yield title, f"Lost by {reason.replace('_', ' ')}", f"{_signed(times)} times the delta"
    yield title, "Tipping points", f"Sought up to {entry.reach:g} {unit} along each direction"


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


def _scenarios(source: Source, entry: ReferenceBased) -> Iterator[Line]:
    for scenario in entry.scenarios:
        yield _title(source, entry), scenario.name, _scenario(source, scenario)


def _scenario(source: Source, scenario: Scenario) -> str:
    parts = [f"those lost: {STRATEGIES[scenario.strategy]}"]
    for reason, strategy in scenario.reasons.items():
        parts.append(f"lost by {reason.replace('_', ' ')}: {STRATEGIES[strategy]}")
    for arm, delta in scenario.delta.items():
        parts.append(f"{number(delta, 1)} added to what was imputed in {source.arm(arm)}")
    return capitalised("; ".join(parts))


def money(source: Source) -> Table[Line]:
    """Set out the economic evaluation."""
    plan = source.evaluation
    main, *others = plan.perspectives.values()
    rates = plan.discount
    lines = [
        ("Perspective", main.label),
        ("Other perspectives", listed([inside(one.label) for one in others])),
        ("Currency and prices", f"{plan.money.label}, prices of {plan.price_year}"),
        ("Horizon", f"{plan.months:g} months from baseline on"),
        (
            "Discounting",
            f"From the second year on: costs {100 * rates.costs:g}% and effects "
            f"{100 * rates.effects:g}% a year",
        ),
        ("Effects", f"Quality-adjusted life years by {source.outcome(plan.utility)}"),
        ("Cost of the intervention", sharing(source)),
        ("Thresholds", listed([_worth(source, value) for value in plan.main_thresholds])),
        ("Cost per unit of", listed([inside(source.name(name)) for name in plan.cost_per])),
        ("Bootstrap", f"{plan.bootstrap.draws:,} two-stage draws"),
        ("Sensitivity analyses", "; ".join(uncapitalised(v.label) for v in plan.sensitivity)),
    ]
    return Table(
        "The economic evaluation",
        _columns(("Part", 25), ("What is planned", 75)),
        [(name, capitalised(said)) for name, said in lines if said],
    )


def _worth(source: Source, threshold: float) -> str:
    return f"{number(threshold, 0, source.evaluation.money.symbol)} for a QALY"


def assumes(of: Configured) -> bool:
    """Return whether the plan asks what values not missing at random would change."""
    asked = of.plan.sensitivity
    return asked is not None and bool(asked.delta or asked.reference_based)


BUILT: dict[str, Any] = {OUTCOMES: outcomes, ANALYSES: analyses, ASSUMED: assumed, MONEY: money}
