"""All of a study's configuration: which files of it each kind of rule reads."""

from __future__ import annotations

from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import load_plan
from ccp_analysis.layout import DECISIONS, DICTIONARY, ECONOMICS, INSTRUMENTS, PLAN, RULES, STUDY


def configuration_files() -> dict[str, list[str]]:
    """Return, for each kind of rule, the configuration files that it reads.

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
    return {
        "clean": study + measures + list(dict.fromkeys(value_sets)) + checks,
        "cost": study + measures[:1] + money + [path.as_posix() for path in prices if path],
        "impute": study + measures + plan + money + (value_sets if levels else []),
        "analyse": study + measures + plan,
        "check": study + measures + plan,
        "sensitivity": study + measures + plan,
        "describe": study + measures + plan,
        "evaluate": study + measures + plan + money,
        "results": study + plan,
        "codebook": study + measures[1:],
        "report": study + measures + plan + money,
    }
