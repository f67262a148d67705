"""The CONSORT 2025 checklist for trials allocated at random, and what it asks of clusters."""

from __future__ import annotations

from ccp_analysis.report.section import Checklist, Configured, Numbers, Section
from ccp_analysis.report.sections.checklist import (
    HARMS,
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
from ccp_analysis.report.sections.deviations import HEADING, NAME
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

DESIGN = "Design and methods"
MADE = ("design",)  # the table of how the study was made

ITEMS = (
    Item("1a", "Title", "Says that the trial is randomised"),
    Item(
        "1b",
        "Abstract",
        "Design, methods, results and conclusions in a structured abstract",
        (SUMMARY,),
        left="what is concluded",
    ),
    Item("2", "Registration", "Registry, number with address, and date of registration"),
    Item(
        "3",
        "Protocol and analysis plan",
        "Where both can be read",
    ),
    Item(
        "4",
        "Data sharing",
        "Where and how data, code and other materials can be had",
        (RECORDS,),
        left="where data and code can be had",
    ),
    Item("5a", "Funding", "Who paid, and what part they had"),
    Item("5b", "Conflicts of interest", "Of the authors, financial and other"),
    Item("6", "Background", "What was known, and why the trial was done"),
    Item(
        "7",
        "Objectives",
        "Those of benefits and of harms",
        (METHODS,),
        ("estimands",),
        left="what was to be learnt of harms",
    ),
    Item("8", "Patients and public", "How they took part in design, conduct and reporting"),
    Item(
        "9",
        "Design",
        "Kind of trial, ratio of allocation, and whether superiority or something else was asked",
        (DESIGN,),
        MADE,
        left="the ratio of allocation, and in which framework the question was put,",
    ),
    Item(
        "10",
        "Changes",
        "What changed after the start, outcomes and analyses too, and why",
        (HEADING,),
        (NAME,),
        left="what changed beside the plan of the analysis",
    ),
    Item("11", "Setting", "Kinds of places, and where they are"),
    Item(
        "12a",
        "Eligibility",
        "Of participants",
        tables=MADE,
        left="by which criteria people were eligible",
    ),
    Item("12b", "Eligibility: providers", "Of sites and of those who gave the intervention"),
    Item(
        "13",
        "Intervention and comparator",
        "What was given in each arm, so that others could do it, and where more of it is",
        tables=MADE,
        left="what was given, how, by whom, where and how often,",
    ),
    Item(
        "14",
        "Outcomes",
        "Primary and secondary: variable, measure, summary and time of each",
        (OUTCOMES,),
        (*MADE, "scales"),
        left="how data were collected, and which outcomes were set beforehand,",
    ),
    Item("15", "Harms: methods", "How harms were defined and asked for"),
    Item(
        "16a",
        "Sample size",
        "How it was determined, and on which assumptions",
        tables=("sample_size",),
        left="where the assumptions come from",
    ),
    Item("16b", "Interim analyses", "Which there were, and rules for stopping"),
    Item("17a", "Sequence", "Who made the random sequence, and how"),
    Item("17b", "Kind of randomisation", "Strata, blocks and other restrictions"),
    Item("18", "Concealment", "How the sequence was carried out, and hidden until assignment"),
    Item(
        "19", "Implementation", "Whether those who enrolled and assigned people knew the sequence"
    ),
    Item("20a", "Blinding", "Who did not know the arm after assignment"),
    Item("20b", "Blinding: how", "How it was done, and how alike the interventions were"),
    Item(
        "21a",
        "Statistical methods",
        "Comparisons of outcomes and of harms",
        (METHODS,),
        left="how harms were compared",
        unless=HARMS,
    ),
    Item(
        "21b",
        "Who is analysed",
        "Who is in each analysis, and in which arm",
        (METHODS,),
        ("sets", "methods"),
    ),
    Item(
        "21c",
        "Missing data: methods",
        "How they were handled",
        (METHODS, MISSING),
        ("imputation_models", "congenial"),
    ),
    Item(
        "21d",
        "Additional analyses: methods",
        "Subgroups and sensitivity, and which were set beforehand",
        (METHODS,),
        left="which were planned before the data were seen",
    ),
    Item(
        "22a",
        "Participant flow",
        "Allocated, treated as meant and analysed, by arm, as a diagram",
        (PARTICIPANTS,),
        ("flow",),
        ("flow",),
        left="how many received what was meant for them",
    ),
    Item("22b", "Losses", "After allocation, by arm, with reasons", tables=("flow", "losses")),
    Item("23a", "Recruitment", "Dates of recruitment and follow-up"),
    Item("23b", "End of trial", "Why it ended or was stopped"),
    Item(
        "24a",
        "Delivery",
        "What was really given, by whom, how people kept to it, and fidelity",
        tables=("cascade", "delivered"),
        figures=("cascade", "fidelity"),
        left="how the comparator was given",
    ),
    Item("24b", "Other care", "What else people received during the trial, by arm"),
    Item("25", "Baseline data", "Characteristics by arm", (PARTICIPANTS,), ("baseline",)),
    Item(
        "26",
        "Numbers, outcomes, estimates",
        "Of each outcome and arm: numbers analysed and observed, result; effect with its "
        "precision; absolute and relative of binary outcomes",
        (OUTCOMES,),
        ("observed", "comparison", "ratios", "visits"),
        ("forest",),
    ),
    Item("27", "Harms", "All harms and unintended events in each arm", (), (HARMS,)),
    Item(
        "28",
        "Additional analyses",
        "What else was done, and which of it was set beforehand",
        tables=("methods", "subgroups", "deltas", "scenarios", "economic_sensitivity"),
        figures=("methods", "tipping"),
        left="which were planned before the data were seen",
    ),
    Item(
        "29",
        "Interpretation",
        "In keeping with results, with benefits and harms weighed, in view of other evidence",
        (SUMMARY,),
        left="what it means, and what else is known,",
    ),
    Item(
        "30",
        "Limitations",
        "Bias, imprecision, generalisability, several analyses",
        (LIMITS,),
        left="for which other people and places it may hold",
    ),
)

# Numbers of the extension are those of the statement of 2010, which it was written for.
CLUSTERS = (
    Item("C1a", "Clusters: title", "Says that clusters were randomised"),
    Item(
        "C1b",
        "Clusters: abstract",
        "Clusters in eligibility, aims, outcomes, allocation, numbers and results",
        (SUMMARY,),
        left="what a structured abstract has to say of clusters",
    ),
    Item("C2a", "Clusters: rationale", "Why clusters were allocated"),
    Item("C2b", "Clusters: objectives", "Whether they are about clusters, people or both"),
    Item(
        "C3a",
        "Clusters: design",
        "What a cluster is, and how the design applies to clusters",
        (DESIGN,),
        MADE,
        left="what makes a cluster",
    ),
    Item("C4a", "Clusters: eligibility", "Which clusters were eligible"),
    Item("C5", "Clusters: interventions", "Whether given to clusters, people or both"),
    Item(
        "C6a",
        "Clusters: outcomes",
        "Whether measured of clusters, people or both",
        tables=("observed",),
        left="whether any was measured of clusters",
    ),
    Item(
        "C7a",
        "Clusters: sample size",
        "Number and size of clusters, intraclass correlation and how uncertain it is",
        tables=("sample_size",),
        left="how uncertain the correlation assumed was",
    ),
    Item("C8b", "Clusters: restrictions", "Strata or pairs of clusters"),
    Item(
        "C9",
        "Clusters: concealment",
        "That clusters were allocated; whether hidden from clusters, people or both",
    ),
    Item("C10a", "Clusters: who", "Who made the sequence, enrolled clusters and assigned them"),
    Item("C10b", "Clusters: people", "How people came into clusters: all of them, or a sample"),
    Item("C10c", "Clusters: consent", "Of whom, and before or after allocation"),
    Item("C12a", "Clusters: analysis", "How clustering was allowed for", (METHODS,)),
    Item(
        "C13a",
        "Clusters: flow",
        "Clusters allocated, treated as meant and analysed, by arm",
        (PARTICIPANTS,),
        ("flow_by_cluster",),
        left="how many clusters received what was meant for them",
    ),
    Item(
        "C13b",
        "Clusters: losses",
        "Of clusters and of people, by arm",
        tables=("flow_by_cluster",),
        left="whether clusters were lost, and why,",
    ),
    Item(
        "C15",
        "Clusters: baseline",
        "Characteristics of people and of clusters, by arm",
        tables=("baseline",),
        left="what clusters were like",
    ),
    Item(
        "C16",
        "Clusters: numbers analysed",
        "Clusters in each analysis, by arm",
        tables=("flow_by_cluster", "comparison"),
    ),
    Item(
        "C17a",
        "Clusters: estimates",
        "Of people or clusters, with an intraclass correlation for each primary outcome",
        tables=("comparison", "intraclass"),
    ),
    Item(
        "C21",
        "Clusters: generalisability",
        "To which other clusters and people findings may apply",
    ),
)


def allocated(of: Configured) -> bool:
    """Return whether arms were allocated at random."""
    return of.study.randomised


def consort(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for randomised trials, with its extension where clusters were."""
    study = source.study
    notes = ["Items in our own short words, after Hopewell et al. (2025)."]
    if study.clusters:
        notes.append(
            "C, of the extension to trials of clusters (Campbell et al. 2012), numbered as the "
            f"statement of 2010; clusters here are {study.clusters.unit_label}s."
        )
    registered = {
        "2": f"Registration: {study.registration}; its date is to be stated by the authors"
    }
    if study.losses and study.losses.harms_asked:
        registered["15"] = study.losses.harms_asked
    return answered(
        "The CONSORT 2025 checklist for randomised trials",
        ITEMS + CLUSTERS if study.clusters else ITEMS,
        registered | study.statements.get("consort", {}),
        numbers,
        notes,
        "statements.consort of config/study.yaml",
    )


SECTION = Section("consort", lambda of: iter([Checklist("consort", consort)]), there=allocated)
