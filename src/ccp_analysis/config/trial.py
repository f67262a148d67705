"""All of a study's configuration, by part: each is read when it is first asked for, and once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ccp_analysis.config.dictionary import Column, load_dictionary
from ccp_analysis.config.economics import Economics, load_economics
from ccp_analysis.config.implementation import Implementation, load_implementation
from ccp_analysis.config.instruments import Instrument, load_instruments
from ccp_analysis.config.plan import Plan, load_plan
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.layout import (
    DECISIONS,
    DEVIATIONS,
    DICTIONARY,
    ECONOMICS,
    IMPLEMENTATION,
    INSTRUMENTS,
    LOCKED,
    PLAN,
    RULES,
    STUDY,
)

# What is said of a study in its report and nowhere else: no number hangs on it.
TOLD = {
    *("title", "short_title", "registration", "statistician", "reviewer"),
    *("target_trial", "statements", "disclosure", "sharing"),
}


class Trial:
    """The configuration of the study in the current folder.

    A part whose files are not as they must be raises StudyError when it is asked for; what is wrong
    with all of them together says `config.check.faults`.
    """

    @cached_property
    def study(self) -> Study:
        """Design and files: ``config/study.yaml``."""
        return load_study()

    @cached_property
    def plan(self) -> Plan:
        """The statistical analysis plan: ``config/analysis.yaml``."""
        return load_plan()

    @cached_property
    def economics(self) -> Economics | None:
        """The economic evaluation: ``config/economics.yaml``; None where there is none."""
        return load_economics()

    @cached_property
    def implementation(self) -> Implementation | None:
        """How it was put into practice: ``config/implementation.yaml``; None where not asked."""
        return load_implementation()

    @cached_property
    def instruments(self) -> dict[str, Instrument]:
        """The scales: ``config/instruments.yaml``."""
        return load_instruments()

    @cached_property
    def dictionary(self) -> list[Column]:
        """The raw columns: ``config/dictionary.csv``."""
        return load_dictionary(self.study)


def designed(study: Study) -> str:
    """Return what others than the report use of a study, as text that changes with it."""
    return study.model_dump_json(exclude=TOLD)


def configuration_files() -> dict[str, list[str]]:
    """Return, for each kind of rule, the configuration files of which every edit reruns it.

    Costing and imputation read ``economics.yaml`` too: they rerun with `economics.costed` of it.
    Every rule reads ``study.yaml``: those that make no report rerun with `designed` of it.

    Returns
    -------
    dict
        Rule → paths, as text, in the study folder.
    """
    study = [STUDY.as_posix()]
    checks = [path.as_posix() for path in (RULES, DECISIONS) if path.is_file()]
    measures = [DICTIONARY.as_posix(), INSTRUMENTS.as_posix()]
    plan = [PLAN.as_posix()]
    levels = load_plan().imputation.level
    value_sets = [i.value_set.as_posix() for i in load_instruments().values() if i.value_set]
    economics = load_economics()
    money = [ECONOMICS.as_posix()] if economics else []
    prices = [economics.unit_costs, economics.price_index] if economics else []
    if economics and economics.intervention:
        prices.append(economics.intervention.costs)
    practice = [IMPLEMENTATION.as_posix()] if IMPLEMENTATION.is_file() else []
    # The report holds the whole plan against the one that was locked.
    locked = [path for path in LOCKED.rglob("*") if path.is_file()] if LOCKED.is_dir() else []
    everything = [
        *(path for path in checks if path == RULES.as_posix()),
        *value_sets,
        *(path.as_posix() for path in prices if path),
    ]
    held = sorted(path.as_posix() for path in locked)
    held += [*([DEVIATIONS.as_posix()] * DEVIATIONS.is_file()), *(everything if locked else [])]
    return {
        "clean": measures + list(dict.fromkeys(value_sets)) + checks,
        "cost": measures[:1] + [path.as_posix() for path in prices if path],
        "impute": measures + plan + (value_sets if levels else []),
        "analyse": measures + plan,
        "check": measures + plan,
        "characterise_batch": measures + plan,
        "characterise_whole": measures + plan + (value_sets if levels else []),
        "characterise": measures + plan,
        "sensitivity": measures + plan,
        "describe": measures + plan,
        "balance": measures + plan,
        "expose": measures + plan + practice + (value_sets if levels else []),
        "implement": measures + plan + practice,
        "evaluate": measures + plan + money,
        "next_study": measures + plan,
        "results": plan,
        "codebook": study + measures[1:],
        "items": list(dict.fromkeys([*study, *measures, *plan, *money, *practice, *held])),
        "report": study,
    }


def planned_files() -> list[str]:
    """Return the files of the configuration that are a matter of the plan, sorted.

    Decisions on single values, what was locked and the reasons of deviations are not.
    """
    read = {path for paths in configuration_files().values() for path in paths}
    other = {DECISIONS.as_posix(), DEVIATIONS.as_posix()}
    return sorted(path for path in read - other if not Path(path).is_relative_to(LOCKED))
