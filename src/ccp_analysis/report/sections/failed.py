"""What could not be estimated, and why."""

from __future__ import annotations

from typing import Any

from ccp_analysis.config.models import LABELS
from ccp_analysis.report.cells import method, model_name
from ccp_analysis.report.money import ECONOMICS, pounds
from ccp_analysis.report.section import Section, TableItem
from ccp_analysis.report.sections.subgroups import subgroup_label
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, listed
from ccp_analysis.results.terms import Model, Status

IMPLEMENTATION = "implementation"
CHECKS = "checks_"
# What has rows of its own beside the analyses of the plan.
CALLED = {
    "balance": "how alike the arms were",
    "characteristics": "drawn studies",
    "delta": "values not missing at random",
    "descriptive": "description",
    "dose_response": "dose and response",
    "next_study": "the next trial",
    "takers": "those who took it up",
    "unmeasured": "unmeasured differences",
}
NOT_THERE = (Status.FAILED, Status.REFUSED)


def failed(source: Source) -> Table[Any]:
    """List the outcomes of which something could not be estimated, by reason."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for row in source.results:
        if row["status"] in NOT_THERE:
            key = (_outcome(source, row), row["note"] or row["status"])
            reasons.setdefault(key, {})[_analysis(source, row)] = None
    return Table(
        "What could not be estimated",
        [
            Column("Outcome", lambda found: found[0][0], 24, "l"),
            Column("Analysis", lambda found: capitalised(listed(list(found[1]))), 38, "l"),
            Column("Reason", lambda found: f"{capitalised(found[0][1])}.", 38, "l"),
        ],
        list(reasons.items()),
    )


def _outcome(source: Source, row: Row) -> str:
    return capitalised(source.name(row["outcome"]).replace("qaly", "QALY"))


def _analysis(source: Source, row: Row) -> str:
    """Return the analysis to which a row belongs, with the part of it that failed."""
    analysis = row["analysis"]
    if analysis.startswith(CHECKS):
        checked = model_name(source, analysis.removeprefix(CHECKS))
        return f"checks of the {checked} ({row['term']})"
    if analysis == IMPLEMENTATION:
        unit = source.study.clusters.unit if source.study.clusters else ""
        own = source.category(unit, row["subgroup"])
        return f"{row['term']} of what was done{f' in {own}' if own else ''}"
    if analysis == "balance" and row["model"] == Model.NONE:
        return f"how alike the arms were ({row['term']})"
    name = method(row)
    if source.economics and analysis.startswith(f"{ECONOMICS}_"):
        labels = {v.id: v.label for v in source.economics.sensitivity}
        varied = analysis.removeprefix(f"{ECONOMICS}_")
        name = f"{labels.get(varied, varied)}: {LABELS.get(row['model'], row['model'])}"
    elif analysis not in {a.id for a in source.plan.analyses} | {ECONOMICS}:
        name = f"{CALLED.get(analysis, analysis.replace('_', ' '))}: {name}"
    parts = [name]
    if row["subgroup"]:
        parts += [subgroup_label(source, row), source.visit(row["visit"])]
    if row["perspective"] and analysis != ECONOMICS and ECONOMICS not in analysis:
        seen = source.economics.perspectives if source.economics else {}
        asked = row["perspective"]
        parts.append(seen[asked].label if asked in seen else asked)
    if row["threshold"] is not None:
        parts.append(f"at {pounds(source, row['threshold'])}")
    return ", ".join(filter(None, parts))


SECTION = Section("failed", lambda of: iter([TableItem("failed", failed)]))
