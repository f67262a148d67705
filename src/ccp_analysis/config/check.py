"""What is asked before anything is computed: rights, and whether the configuration agrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ccp_analysis.config.dictionary import TOTALS, Column, is_reserved, line_of, read_dictionary
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.events import event_faults, unrecorded_faults
from ccp_analysis.config.implementation import Implementation, misplaced
from ccp_analysis.config.instruments import Instrument, Instruments, misvalued
from ccp_analysis.config.models import CLUSTERED, WEIGHTED, WITHOUT_BASELINE
from ccp_analysis.config.next_study import misplanned
from ccp_analysis.config.plan import Analysis, Plan, mispooled, sized
from ccp_analysis.config.reading import Strict, among, place
from ccp_analysis.config.salvage import salvage
from ccp_analysis.config.study import Study
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import DICTIONARY, ECONOMICS, IMPLEMENTATION, INSTRUMENTS, PLAN, STUDY

PARTS: dict[str, tuple[type[Strict], Path]] = {
    "study": (Study, STUDY),
    "plan": (Plan, PLAN),
    "instruments": (Instruments, INSTRUMENTS),
    "economics": (Economics, ECONOMICS),
    "implementation": (Implementation, IMPLEMENTATION),
}
OPTIONAL = (ECONOMICS, IMPLEMENTATION)
FULL_HEALTH = 1.0


def faults(trial: Trial) -> list[str]:
    """Say everything that is wrong with the configuration and needs no data to be known.

    Parameters
    ----------
    trial : Trial
        Of the current folder. Parts that can be read only in part are set to what can be.

    Returns
    -------
    list of str
        One sentence for each fault, with file and line, and what it says is expected: wrong shapes,
        names that stand nowhere, and parts that do not agree. A part whose shape is wrong is left
        out, and the rest is checked; what names an entry that was left out is no further fault.
    """
    found: list[str] = []
    left_out: set[str] = set()
    whole: dict[str, Any] = dict.fromkeys(PARTS)
    for name, (model, path) in PARTS.items():
        if path in OPTIONAL and not path.is_file():
            continue
        read = salvage(model, path)
        found += read.faults
        left_out |= read.left_out
        whole[name] = read.value
        if read.value is not None and name != "instruments":
            trial.__dict__[name] = read.value  # what can be read of it serves the other checks
    study, plan, economics = (whole[name] for name in ("study", "plan", "economics"))
    scales = whole["instruments"].instruments if whole["instruments"] else None
    dictionary = None
    if study is not None:
        try:
            dictionary, wrong = read_dictionary(study)
            trial.__dict__["dictionary"] = dictionary
            found += wrong
        except StudyError as error:
            found += error.faults or [str(error)]
    more: list[Iterator[str]] = []
    if study and plan:
        more += [
            _analyses(study, plan),
            mispooled(plan, study.clusters),
            _design_variables(study, plan),
        ]
        more.append(sized(plan.planned, study.clusters is not None))
        more.append(misplanned(plan.next_study, study, ECONOMICS.is_file()))
    if study and economics:
        more += [_horizon(study, economics), _arms(study, economics)]
    if economics:
        more += [_outcomes(plan, economics)] if plan else []
        more.append(_missing_files(economics))
    if study and study.losses and dictionary is not None:
        more.append(event_faults(study.losses, dictionary))
    if study and plan and dictionary is not None:
        more.append(unrecorded_faults(plan.estimands, study.losses, dictionary))
    if study and plan and dictionary is not None and scales:
        known = Known(study, plan, dictionary, scales)
        more += [_variables(known), _reserved(known, economics), _ordinals(known)]
        more.append(misvalued(scales, dictionary, known.variables, plan.imputation.level))
        if economics:
            more.append(_utilities(known, economics))
        if asked := whole["implementation"]:
            more.append(misplaced(asked, study, dictionary, scales, known.variables))
    found += [sentence for sentences in more for sentence in sentences]
    # What names an entry that was left out has no fault of its own.
    silent = [f"'{name}' is not one of" for name in left_out]
    return list(dict.fromkeys(s for s in found if not any(name in s for name in silent)))


@dataclass(frozen=True)
class Known:
    """What the files say there is: the parts of the configuration in which variables are named."""

    study: Study
    plan: Plan
    dictionary: list[Column]
    instruments: dict[str, Instrument]

    @cached_property
    def variables(self) -> set[str]:
        """Names in the participants table, scores and what is derived among them."""
        names = {c.variable for c in self.dictionary if self.of_people(c)}
        for name, instrument in self.instruments.items():
            scores = [name, *(f"{name}_{part}" for part in instrument.subscales)]
            for end in ("", *(f"_{visit.id}" for visit in self.study.visits)):
                if all(f"{item}{end}" in names for item in instrument.items):
                    names |= {f"{score}{end}" for score in scores}
        return names | set(self.plan.imputation.derived)

    def of_people(self, column: Column) -> bool:
        """Return whether a column stands in a file that has rows of people or clusters."""
        return column.file in self.study.files and self.study.files[column.file].of_people


def misfits(entry: Analysis, study: Study) -> Iterator[tuple[str, str]]:
    """Return what of an analysis does not fit the design of the study.

    Parameters
    ----------
    entry : Analysis
        Of the plan.
    study : Study
        Visits, clusters, allocation.

    Yields
    ------
    tuple of str
        The key of the analysis that is at fault, and a sentence.
    """
    known = ", ".join(visit.id for visit in study.follow_ups)
    if entry.visit and entry.visit not in {visit.id for visit in study.visits}:
        yield (
            "visit",
            f"analysis '{entry.id}': visit '{entry.visit}' is not in {STUDY}; expected one of "
            f"{known}.",
        )
    if entry.visit == study.baseline.id:
        yield (
            "visit",
            f"analysis '{entry.id}' is at the baseline, to which it would be adjusted; expected "
            f"one of {known}.",
        )
    if entry.model in CLUSTERED and study.clusters is None:
        yield (
            "model",
            f"analysis '{entry.id}' (model: {entry.model}) needs clusters, which {STUDY} lacks; "
            "expected another model.",
        )
    if entry.model == "clda" and entry.role != "sensitivity" and not study.randomised:
        yield (
            "role",
            f"analysis '{entry.id}' (model: clda) takes the arms to be alike at baseline, which "
            f"only randomisation makes them, and {STUDY} says randomised: false; expected role: "
            "sensitivity.",
        )


def _analyses(study: Study, plan: Plan) -> Iterator[str]:
    for at, entry in enumerate(plan.analyses):
        for key, sentence in misfits(entry, study):
            yield f"{place(PLAN, 'analyses', at, key)}: {sentence}"
        if entry.model in WEIGHTED and plan.confounding is None:
            yield (
                f"{place(PLAN, 'analyses', at, 'model')}: analysis '{entry.id}' (model: "
                f"{entry.model}) weighs people, and the plan does not say by what; expected "
                "confounding.covariates."
            )
    if study.randomised and plan.confounding is not None:
        yield (
            f"{place(PLAN, 'confounding')}: confounding is for arms that were not allocated at "
            f"random, and {STUDY} says randomised: true; expected one or the other."
        )


def _measured(plan: Plan) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what the plan takes to be measured of people, with the keys that name it."""
    lists: dict[tuple[str, ...], list[str]] = {
        ("covariates",): plan.covariates,
        ("baseline_table",): plan.baseline_table,
        ("confounding", "covariates"): plan.confounding.covariates if plan.confounding else [],
        ("imputation", "auxiliary"): plan.imputation.auxiliary,
    }
    named: list[tuple[tuple[str | int, ...], str]] = [
        ((*keys, at), name) for keys, names in lists.items() for at, name in enumerate(names)
    ]
    return named + [
        (("subgroups", at, "variable"), s.variable) for at, s in enumerate(plan.subgroups)
    ]


def _design_variables(study: Study, plan: Plan) -> Iterator[str]:
    """Name the design variables that the plan lists among what was measured of people."""
    design = {"participant": "the identifier", study.arms.variable: "the arm"}
    if clusters := study.clusters:
        design |= {clusters.unit: f"the {clusters.unit_label}"}
        design |= {clusters.pair: f"the {clusters.pair_label}"}
    named = _measured(plan)
    named += [(("outcomes", at, "id"), outcome.id) for at, outcome in enumerate(plan.outcomes)]
    for keys, name in named:
        if name in design:
            key = ".".join(str(part) for part in keys if isinstance(part, str))
            yield (
                f"{place(PLAN, *keys)}: {key} names '{name}', which is {design[name]}: it is part "
                "of the design, and of every model that needs it, already; expected a variable "
                "that was measured of people."
            )


def _variables(known: Known) -> Iterator[str]:
    """Name variables of the plan that the files of the study do not have."""
    plan, there = known.plan, known.variables
    named = _measured(plan)
    asked = plan.imputation
    for key in ("methods", "bounds", "predictors"):
        named += [(("imputation", key, name), name) for name in getattr(asked, key)]
    for keys, name in named:
        path = ".".join(str(key) for key in keys if isinstance(key, str) and key != name)
        for sentence in among(path, [name], there, "variables"):
            yield f"{place(PLAN, *keys)}: {sentence}."
    yield from _unmeasured(known)


def _unmeasured(known: Known) -> Iterator[str]:
    """Name outcomes that are not measured at a visit at which an analysis needs them."""
    plan, first = known.plan, known.study.baseline.id
    visits = [visit.id for visit in known.study.visits]
    for at, outcome in enumerate(plan.outcomes):
        needed: dict[str, list[str]] = {}
        for entry in plan.analyses:
            if outcome in plan.outcomes_of(entry):
                own = [first] if entry.model not in WITHOUT_BASELINE else []
                for visit in [*own, entry.visit]:
                    if visit in visits and f"{outcome.id}_{visit}" not in known.variables:
                        needed.setdefault(visit, []).append(entry.id)
        for visit, entries in sorted(needed.items(), key=lambda item: visits.index(item[0])):
            others = f" and {len(entries) - 1} others" if len(entries) > 1 else ""
            yield (
                f"{place(PLAN, 'outcomes', at)}: outcome '{outcome.id}' is not measured at the "
                f"visit '{visit}', which analysis '{entries[0]}'{others} needs; expected a column "
                f"of {DICTIONARY}, or all items of an instrument of {INSTRUMENTS}, there."
            )


def _reserved(known: Known, economics: Economics | None) -> Iterator[str]:
    """Name the variables that are called as a column of the pipeline's own is."""
    named = {
        f"{DICTIONARY}, line {line_of(column)}": [column.variable]
        for column in known.dictionary
        if known.of_people(column) and column.name in TOTALS
    }
    for name in known.plan.imputation.derived:
        named[place(PLAN, "imputation", "derived", name)] = [name]
    for name, instrument in known.instruments.items():
        scores = [name, *(f"{name}_{part}" for part in instrument.subscales)]
        visits = ["", *(f"_{visit.id}" for visit in known.study.visits)]
        where = place(INSTRUMENTS, "instruments", name)
        named[where] = [f"{score}{visit}" for score in scores for visit in visits]
    for where, variables in named.items():
        for name in variables:
            if is_reserved(name, known.study, economics is not None):
                yield (
                    f"{where}: the variable '{name}' has a name that the pipeline needs for "
                    "itself; expected another."
                )


def _ordinals(known: Known) -> Iterator[str]:
    """Name ordinal variables whose codes are analysed as numbers though the plan does not say so.

    Items of an instrument are numbers by the instrument's `score`.
    """
    plan = known.plan
    ordinals = [column for column in known.dictionary if column.type == "ordinal"]
    names = {name: column.name for column in ordinals for name in (column.name, column.variable)}
    uses: list[tuple[tuple[str, ...], list[str]]] = [
        (("outcomes",), [outcome.id for outcome in plan.outcomes]),
        (("covariates",), plan.covariates),
        (("baseline_table",), plan.baseline_table),
        (("subgroups",), [subgroup.variable for subgroup in plan.subgroups]),
        (("imputation", "auxiliary"), plan.imputation.auxiliary),
    ]
    said = {names.get(name) for name in plan.ordinal_as_numbers}
    yield from (
        f"{place(PLAN, *keys)}: {'.'.join(keys)}: '{name}' is ordinal, so that its codes are "
        "analysed as numbers only if ordinal_as_numbers lists it; do so, or give it the type "
        f"category in {DICTIONARY}."
        for keys, used in uses
        for name in used
        if name in names and names[name] not in said
    )
    yield from (
        f"{place(PLAN, 'ordinal_as_numbers')}: ordinal_as_numbers names '{name}'; expected a "
        f"variable of the type ordinal in {DICTIONARY}."
        for name in plan.ordinal_as_numbers
        if name not in names
    )


def _missing_files(economics: Economics) -> Iterator[str]:
    paths: dict[tuple[str, ...], Path | None] = {
        ("unit_costs",): economics.unit_costs,
        ("price_index",): economics.price_index,
    }
    if economics.intervention:
        paths["intervention", "costs"] = economics.intervention.costs
    for keys, path in paths.items():
        if path is not None and not path.is_file():
            where = f"{place(ECONOMICS, *keys)}: {'.'.join(keys)}"
            yield f"{where}: {path}: the file is missing; expected a CSV file there."


def _horizon(study: Study, economics: Economics) -> Iterator[str]:
    months = [visit.months for visit in study.follow_ups]
    if economics.months not in months:
        yield (
            f"{place(ECONOMICS, 'months')}: the horizon is {economics.months:g} months, at which "
            f"there is no visit; expected {' or '.join(f'{m:g}' for m in months)}."
        )


def _utilities(known: Known, economics: Economics) -> Iterator[str]:
    """Name what is no utility: of a utility the highest value is full health."""
    highest = {column.name: column.maximum for column in known.dictionary}
    highest |= {name: instrument.range[1] for name, instrument in known.instruments.items()}
    named: dict[tuple[str, ...], str | None] = {("utility",): economics.utility}
    named |= {("sensitivity", v.id, "utility"): v.utility for v in economics.sensitivity}
    for keys, name in named.items():
        if name is not None and ((most := highest.get(name)) is None or most > FULL_HEALTH):
            yield (
                f"{place(ECONOMICS, *keys)}: {'.'.join(keys)} is '{name}'; expected an instrument "
                "or variable on the scale of utility, whose highest value, full health, is 1."
            )


def _outcomes(plan: Plan, economics: Economics) -> Iterator[str]:
    outcomes = [outcome.id for outcome in plan.outcomes]
    for name in economics.cost_per:
        if name not in outcomes:
            yield (
                f"{place(ECONOMICS, 'cost_per')}: cost_per names '{name}'; expected outcomes of "
                f"{PLAN}: {few(outcomes)}."
            )


def _arms(study: Study, economics: Economics) -> Iterator[str]:
    expected = " or ".join(study.arms.levels)
    for arm in economics.departures.arms if economics.departures else []:
        if arm not in study.arms.levels:
            yield (
                f"{place(ECONOMICS, 'departures', 'arms')}: departures.arms names the arm '{arm}'; "
                f"expected {expected}."
            )
    for variation in economics.sensitivity:
        named = {**variation.delta.cost, **variation.delta.utility} if variation.delta else {}
        for arm in named:
            if arm not in study.arms.levels:
                yield (
                    f"{place(ECONOMICS, 'sensitivity', variation.id, 'delta')}: sensitivity "
                    f"'{variation.id}' names the arm '{arm}'; expected {expected}."
                )
