"""The TARGET checklist for studies that emulate a target trial."""

from __future__ import annotations

from ccp_analysis.report.section import Checklist, Numbers, Section, not_allocated
from ccp_analysis.report.sections.checklist import (
    LIMITS,
    METHODS,
    MISSING,
    OUTCOMES,
    PARTICIPANTS,
    RECORDS,
    SUMMARY,
    Item,
    answered,
)
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

COMPARED = ("target_trial",)  # the table that has the target trial beside this study

ITEMS = (
    Item(
        "1a",
        "Abstract: kind of study",
        "Says that a target trial is emulated, to what end, and which trial",
        tables=COMPARED,
        left="an abstract that says so",
    ),
    Item("1b", "Abstract: data", "Which data were used", (RECORDS,), ("files",)),
    Item("1c", "Abstract: key elements", "Assumptions, methods, findings, conclusions", (SUMMARY,)),
    Item("2", "Background", "What was known, and what was not"),
    Item("3", "Causal question", "The question in short", (METHODS,), ("estimands",)),
    Item("4", "Rationale", "Why a trial is emulated with these data, and which trials it follows"),
    Item(
        "5",
        "Data sources",
        "To what end, where and when data were collected, of what kind, and how they were linked",
        (RECORDS,),
        ("files",),
        left="where, when and to what end they were collected",
    ),
    Item("6a", "Target trial: eligibility", "Who would take part", (), COMPARED),
    Item("6b", "Target trial: strategies", "What would be compared", (), COMPARED),
    Item("6c", "Target trial: assignment", "At random, and known to whom", (), COMPARED),
    Item("6d", "Target trial: follow-up", "Its start at assignment, and its end", (), COMPARED),
    Item("6e", "Target trial: outcomes", "What would be measured, how and when", (), COMPARED),
    Item("6f", "Target trial: contrasts", "Which effects, in which measures", (), COMPARED),
    Item("6g", "Target trial: assumptions", "What would identify each estimand, by what variables"),
    Item("6h", "Target trial: analysis", "Models, assumptions, missing data", (), COMPARED),
    Item("7a", "This study: eligibility", "How it was put into these data", (), COMPARED),
    Item(
        "7b",
        "This study: strategies",
        "How they were put into these data",
        tables=(*COMPARED, "estimands"),
    ),
    Item(
        "7c",
        "This study: assignment",
        "How it was put into these data",
        tables=(*COMPARED, "flow_by_cluster"),
    ),
    Item("7d", "This study: follow-up", "Its start at assignment, and its end", (), COMPARED),
    Item(
        "7e",
        "This study: outcomes",
        "How they were put into these data",
        tables=(*COMPARED, "scales"),
    ),
    Item(
        "7f",
        "This study: contrasts",
        "How they were put into these data",
        tables=(*COMPARED, "estimands"),
    ),
    Item(
        "7g(i)",
        "This study: assumptions",
        "What is assumed for each estimand, of confounding at baseline too",
        (LIMITS,),
        ("target_trial", "not_randomised", "unmeasured"),
    ),
    Item(
        "7g(ii)",
        "Variables of the assumptions",
        "How they were measured and used",
        (METHODS,),
        ("baseline", "imputation_models"),
    ),
    Item(
        "7h(i)",
        "This study: analysis",
        "Models, assumptions, missing data",
        (METHODS, MISSING),
        (*COMPARED, "imputation_models"),
    ),
    Item(
        "7h(ii)",
        "Sensitivity analyses",
        "Which were done on data, assumptions and models",
        (METHODS,),
        ("estimands", "methods", "not_randomised", "unmeasured", "deltas", "scenarios"),
    ),
    Item(
        "8",
        "Selection of participants",
        "How many were assessed, eligible and in each arm, as a flow diagram",
        (PARTICIPANTS,),
        ("flow",),
        ("flow",),
        left="how many were assessed for eligibility",
    ),
    Item("9", "Baseline data", "Characteristics by arm", (PARTICIPANTS,), ("baseline", "alike")),
    Item(
        "10",
        "Follow-up",
        "How long it was, and why it ended, by arm",
        (PARTICIPANTS,),
        ("target_trial", "flow", "losses"),
    ),
    Item(
        "11",
        "Missing data",
        "How much is missing of every variable, by arm",
        (MISSING,),
        ("missing",),
        ("missing", "patterns"),
    ),
    Item(
        "12",
        "Outcomes",
        "How each is distributed, by arm",
        (OUTCOMES,),
        ("observed",),
        ("course",),
    ),
    Item(
        "13",
        "Effect estimates",
        "Each contrast with its precision, absolute and relative where both apply",
        (OUTCOMES,),
        ("comparison", "ratios"),
        ("forest",),
    ),
    Item(
        "14",
        "Additional analyses",
        "What the choices made change",
        tables=(
            "methods",
            "not_randomised",
            "unmeasured",
            "deltas",
            "scenarios",
            "economic_sensitivity",
        ),
        figures=("methods", "tipping"),
    ),
    Item(
        "15",
        "Interpretation",
        "Key findings in view of the causal question",
        (SUMMARY,),
        left="what they mean",
    ),
    Item(
        "16",
        "Limitations",
        "Where study and target trial differ, and how far the assumptions may be believed",
        (LIMITS,),
        ("target_trial",),
    ),
    Item("17", "Ethics", "Who approved the study"),
    Item("18", "Registration", "Whether, when and where"),
    Item(
        "19",
        "Data sharing",
        "Where data, code and materials can be had",
        (RECORDS,),
        left="where data and code can be had",
    ),
    Item("20", "Funding", "Who paid, and what part they had"),
    Item("21", "Conflicts of interest", "Of all authors"),
)


def target(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for studies that emulate a target trial."""
    study = source.study
    notes = ["Items in our own short words, after Cashin et al. (2025)."]
    if study.clusters:
        notes.append(
            "The statement was written for trials that allocate people; this one would allocate "
            f"{study.clusters.unit_label}s."
        )
    registered = {"18": f"Registration: {study.registration}"}
    return answered(
        "The TARGET checklist for studies that emulate a target trial",
        ITEMS,
        registered | study.statements.get("target", {}),
        numbers,
        notes,
        "statements.target of config/study.yaml",
    )


SECTION = Section("target", lambda of: iter([Checklist("target", target)]), there=not_allocated)
