"""What of a row was imputed: how many values of which variables, by what and from what."""

from __future__ import annotations

from typing import Any

from ccp_analysis.archive.explained.basis import INTERNAL, Basis
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.report.sections.imputation import EXPLAINED


def imputation_of(facts: Facts, basis: Basis, row: Row) -> dict[str, Any]:
    """Return how the values were imputed that a row rests on.

    Returns
    -------
    dict
        `imputed`, whether any value may be; then `how`, a sentence, `m`, `seed` with the name of
        the stream, and `variables`: name, method, values imputed by arm, predictors with the reason
        for each. Of real data the numbers are left out.
    """
    plan = facts.plan.imputation
    if not basis.completed:
        return {"imputed": False, "how": "no value is imputed: what was observed alone"}
    every = dict.fromkeys([*basis.needed, *basis.any_of])
    found = [
        one
        for name in every
        if name not in INTERNAL and (one := _once(facts, basis, name)) is not None
    ]
    how = (
        f"by chained equations, {plan.imputations} completed tables of {plan.iterations} "
        f"iterations, with {plan.donors} donors where people are matched"
    )
    if facts.study.clusters:
        unit = facts.study.clusters.unit_label
        how += f"; every model has an effect of each {unit}"
    if plan.by_arm:
        how += "; each arm has models of its own"
    if basis.exposed:
        how += "; these tables were completed along with exposures (data/derived/exposed.parquet)"
    return {
        "imputed": any(one["values"] != 0 for one in found),
        "how": how,
        "m": row["m"],
        "seed": facts.plan.seed,
        "stream": ["imputation", "chained"],
        "variables": found,
    }


def _once(facts: Facts, basis: Basis, name: str) -> dict[str, Any] | None:
    key = name, basis.exposed
    if key not in facts.told:
        facts.told[key] = _variable(facts, basis, name)
    return facts.told[key]


def _variable(facts: Facts, basis: Basis, name: str) -> dict[str, Any] | None:
    """Return how a variable was imputed; None where no value of anybody analysed is missing."""
    lines, arms = facts.models.get(name, []), facts.study.arms
    seen, there = facts.observed(name), facts.completed(name, basis.exposed)
    by_arm: dict[str, int] = {}
    inside = facts.group(f"interviewed_{facts.study.baseline.id}", "True")
    if basis.exposed and facts.exposed is not None and name in facts.exposed:
        seen = facts.has(name) if seen is None else seen
    if seen is not None and there is not None and inside is not None:
        made = inside & there & ~seen
        for arm in arms.ordered:
            own = facts.group(arms.variable, arm)
            by_arm[arm] = int((made & own).sum()) if own is not None else 0
    total = sum(by_arm.values())
    if not lines and not total:
        return None
    method = lines[0]["method"] if lines else ""
    found: dict[str, Any] = {
        "variable": name,
        "method": method,
        "in words": EXPLAINED.get(method, "as the imputation of the plan").rpartition(", ")[2],
        "values": total if facts.ran else None,
        "by_arm": by_arm,
        "predictors": [
            {"variable": line["predictor"], "why": line["why"]}
            for line in lines
            if line["predictor"]
        ],
    }
    if facts.study.guarded:
        found |= {"values": None, "by_arm": {}}
    elif lines and lines[0]["note"]:
        found["note"] = lines[0]["note"]
    return found
