"""The TREND checklist for evaluations that are not randomised."""

from __future__ import annotations

from ccp_analysis.report.section import Checklist, Numbers, Section, not_allocated
from ccp_analysis.report.sections.checklist import (
    HARMS,
    LIMITS,
    METHODS,
    OUTCOMES,
    PARTICIPANTS,
    RECORDS,
    SUMMARY,
    Item,
    answered,
)
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

ITEMS = (
    Item(
        "1",
        "Title and abstract",
        "How units came into the arms, and whom the study is about, in a structured abstract",
        (SUMMARY,),
        ("target_trial",),
        left="a structured abstract",
    ),
    Item("2", "Background", "What was known, and the theory behind the intervention"),
    Item(
        "3",
        "Participants",
        "Who was eligible at each level, how and where they were recruited, and where data were "
        "collected",
        (PARTICIPANTS,),
        ("target_trial",),
        left="how and where people were recruited",
    ),
    Item(
        "4",
        "Interventions",
        "What each arm was to get and got: content, way, unit, people, place, amount, time span, "
        "help to keep to it",
        tables=("target_trial", "estimands"),
        left="what was given, how, by whom, where and how often",
    ),
    Item(
        "5",
        "Objectives",
        "Aims and hypotheses",
        (METHODS,),
        ("estimands",),
        left="which hypotheses there were",
    ),
    Item(
        "6",
        "Outcomes",
        "Which were primary and secondary, how they were collected, and how good the instruments "
        "are",
        (OUTCOMES,),
        ("target_trial", "scales"),
        left="how data were collected",
    ),
    Item(
        "7",
        "Sample size",
        "How it was determined, and whether there were interim analyses and rules for stopping",
        tables=("sample_size",),
        left="whether there were interim analyses",
    ),
    Item(
        "8",
        "Assignment method",
        "Unit, method and restrictions, and what was done against bias as chance did not decide",
        tables=("target_trial", "flow_by_cluster"),
        left="how it was decided who is in which arm",
    ),
    Item(
        "9",
        "Blinding",
        "Whether those who took part, gave the intervention and assessed outcomes knew the arm, "
        "and how blinding was done and assessed",
    ),
    Item(
        "10",
        "Unit of analysis",
        "The smallest unit analysed, and what was done where the unit of assignment is larger",
        (METHODS,),
        ("target_trial", "intraclass"),
    ),
    Item(
        "11",
        "Statistical methods",
        "Comparisons, further analyses, imputation, software",
        (METHODS, RECORDS),
        ("imputation_models", "congenial"),
    ),
    Item(
        "12",
        "Participant flow",
        "Numbers at every stage, and deviations from the protocol",
        (PARTICIPANTS,),
        ("flow", "flow_by_cluster"),
        ("flow",),
        left="what deviated from the protocol, and why,",
    ),
    Item("13", "Recruitment", "Dates of recruitment and follow-up"),
    Item(
        "14",
        "Baseline data",
        "Characteristics by arm, of those lost and seen, and of the population meant",
        (PARTICIPANTS,),
        ("baseline", "losses"),
        left="how participants compare with the population meant",
    ),
    Item(
        "15",
        "Baseline equivalence",
        "How alike the arms were, and how differences were allowed for",
        (METHODS,),
        ("baseline", "alike", "not_randomised"),
        ("alike",),
    ),
    Item(
        "16",
        "Numbers analysed",
        "How many in each analysis and arm, and in which arm those count who did not keep to it",
        (METHODS,),
        ("sets", "comparison", "methods"),
    ),
    Item(
        "17",
        "Outcomes and estimation",
        "Every outcome by arm with differences and intervals, null findings too, and tests of "
        "causal pathways",
        (OUTCOMES,),
        ("observed", "comparison", "visits"),
        ("forest",),
        left="whether causal pathways were tested",
    ),
    Item(
        "18",
        "Ancillary analyses",
        "Subgroups and other analyses, and which were planned",
        tables=("methods", "subgroups", "deltas", "scenarios", "economic_sensitivity"),
        left="which were planned before the data were seen",
    ),
    Item(
        "19",
        "Adverse events",
        "Harms and unintended effects in each arm, with differences and intervals",
        (),
        (HARMS,),
    ),
    Item(
        "20",
        "Interpretation",
        "What was found in view of bias, imprecision, multiplicity and other limits; mechanisms; "
        "how implementation went; what follows",
        (SUMMARY, LIMITS),
        ("target_trial", "detectable"),
        left="what it means, and how the intervention was put into practice,",
    ),
    Item(
        "21",
        "Generalisability",
        "How far findings hold in view of who took part, intervention, follow-up, compliance and "
        "place",
        (LIMITS,),
        left="for which other people and places it may hold",
    ),
    Item("22", "Overall evidence", "Findings in view of what else is known, and of theory"),
)


def trend(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for evaluations that are not randomised."""
    return answered(
        "The TREND checklist for evaluations that are not randomised",
        ITEMS,
        source.study.statements.get("trend", {}),
        numbers,
        [
            "Items in our own short words, after Des Jarlais et al. (2004); the ninth to the "
            "seventeenth from knowledge of the published list rather than from a copy: compare "
            "these before it is submitted."
        ],
        "statements.trend of config/study.yaml",
    )


SECTION = Section("trend", lambda of: iter([Checklist("trend", trend)]), there=not_allocated)
