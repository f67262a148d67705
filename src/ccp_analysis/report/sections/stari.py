"""The StaRI checklist for studies of how something was put into practice."""

from __future__ import annotations

from typing import Literal

from ccp_analysis.report.section import Checklist, Configured, Numbers, Section
from ccp_analysis.report.sections.checklist import (
    HARMS,
    LIMITS,
    METHODS,
    OUTCOMES,
    PARTICIPANTS,
    SUMMARY,
    Item,
    answered,
)
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

IMPLEMENTATION = "Implementation"  # a heading of every study that asks how it was done

ITEMS = (
    Item("1", "Title", "Says that implementation is studied, and by which design"),
    Item(
        "2",
        "Abstract",
        "Strategy, intervention and main outcomes of both, said to be of a study of implementation",
        (SUMMARY,),
        left="an abstract that names the strategy",
    ),
    Item("3", "Introduction", "The problem in care or public health that is to be remedied"),
    Item(
        "4",
        "Rationale",
        "Strategy: theory behind it, how it should work, pilot work. Intervention: evidence that "
        "it works, and how it should",
    ),
    Item(
        "5",
        "Aims and objectives",
        "Those of implementation, told apart from those of the intervention",
        tables=("estimands",),
        left="which aims are those of implementation",
    ),
    Item(
        "6",
        "Design",
        "Design, its key features, and changes of the protocol with reasons",
        (METHODS,),
        ("target_trial",),
        left="what changed in the protocol, and why,",
    ),
    Item(
        "7",
        "Context",
        "Social, economic, political and organisational circumstances that may help or hinder it "
        "elsewhere",
        tables=("barriers",),
        figures=("barriers",),
        left="what else there was of the kind",
    ),
    Item(
        "8",
        "Targeted sites",
        "Strategy: places, staff and means, and which were eligible. Intervention: whom it was "
        "for, and who was eligible",
        (PARTICIPANTS,),
        ("target_trial", "flow_by_cluster"),
        left="what the sites were like, and which were eligible,",
    ),
    Item(
        "9",
        "Description",
        "Strategy and intervention, each in detail",
        tables=("target_trial", "cascade"),
        left="what each consists of",
    ),
    Item("10", "Sub-groups", "Groups recruited for more research tasks, and nested studies"),
    Item(
        "11",
        "Outcomes: methods",
        "Of strategy and intervention: which were set beforehand, how they were assessed, and "
        "targets",
        (IMPLEMENTATION, OUTCOMES),
        ("target_trial", "scales"),
        left="which targets were set beforehand",
    ),
    Item(
        "12",
        "Process evaluation",
        "What was asked and measured of the way in which the strategy should work",
        (IMPLEMENTATION,),
        left="by what mechanism the strategy should work",
    ),
    Item(
        "13",
        "Economic evaluation: methods",
        "Of strategy and intervention: how use, costs and economic outcomes were measured and "
        "analysed",
        tables=("resource_use", "prices"),
        left="how costs of the strategy were told apart",
    ),
    Item(
        "14",
        "Sample size",
        "Why so many: calculation, money, practical reasons, saturation",
        tables=("sample_size",),
        left="why so many sites and practitioners took part",
    ),
    Item(
        "15",
        "Analysis",
        "Methods, and why they were chosen",
        (METHODS, IMPLEMENTATION),
        left="why these methods were chosen",
    ),
    Item(
        "16",
        "Sub-group analyses",
        "Those planned, of sites or kinds of people, and of those in nested research",
        tables=("subgroups",),
        left="which were planned before the data were seen",
    ),
    Item(
        "17",
        "Characteristics",
        "Of those whom strategy and intervention were for: the share recruited, and who they were",
        (PARTICIPANTS,),
        ("flow", "baseline"),
        ("flow",),
        left="which sites and practitioners were asked, and which took part,",
    ),
    Item(
        "18",
        "Outcomes",
        "Of strategy and intervention: the primary and all others",
        (IMPLEMENTATION, OUTCOMES),
        ("cascade", "delivered", "observed", "comparison", "takers"),
        ("cascade", "forest", "takers"),
    ),
    Item(
        "19",
        "Process outcomes",
        "What was found of the way in which the strategy should work",
        (IMPLEMENTATION,),
        ("ratings", "barriers", "dose_response"),
        ("ratings", "barriers"),
        left="what of it belongs to which part of the mechanism",
    ),
    Item(
        "20",
        "Economic evaluation",
        "Of strategy and intervention: use, costs and economic outcomes",
        tables=("resource_use", "prices", "economic_means", "economics", "net_benefit"),
        left="what the strategy itself cost",
    ),
    Item(
        "21",
        "Sub-groups: findings",
        "Outcomes of sub-groups and nested research, and how far these stand for all",
        tables=("subgroups",),
        figures=("subgroups",),
        left="how far they stand for all",
    ),
    Item(
        "22",
        "Fidelity and adaptation",
        "Strategy: how far it went as planned, and how it was adapted. Intervention: how far its "
        "core was delivered",
        (IMPLEMENTATION,),
        ("cascade", "delivered"),
        ("fidelity",),
        left="how far the strategy went as planned, and how it was adapted,",
    ),
    Item(
        "23",
        "Contextual changes",
        "What changed around the study and may have altered outcomes",
    ),
    Item("24", "Harms", "Important harms and unintended effects in each arm", (), (HARMS,)),
    Item(
        "25",
        "Discussion",
        "Findings, strengths and limits, other studies, conclusions",
        (SUMMARY, LIMITS),
        left="how this compares with other studies, and what follows,",
    ),
    Item(
        "26",
        "Implications",
        "For policy, practice and research. Strategy: whether it can be scaled up. Intervention: "
        "whether it can be sustained",
    ),
    Item("27", "Statements", "Approvals, registration and protocol, funding, conflicts"),
)


def has_implementation(of: Configured) -> bool:
    """Return whether it is asked how the intervention was put into practice."""
    return of.implementation is not None


def stated(source: Source, name: Literal["stari", "tidier"]) -> dict[str, str]:
    """Return what the authors say to the items of a checklist of implementation."""
    asked = source.implementation
    return {} if asked is None else asked.statements.get(name, {})


def stari(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for studies of implementation."""
    registered = {
        "27": f"Registration: {source.study.registration}; approvals, the protocol, funding and "
        "conflicts are to be stated by the authors"
    }
    return answered(
        "The StaRI checklist for implementation studies",
        ITEMS,
        registered | stated(source, "stari"),
        numbers,
        [
            "Items in our own short words, after Pinnock et al. (2017); from the twelfth on from "
            "knowledge of the published list rather than from a copy: compare these before it is "
            "submitted. The strategy is what was done to bring the intervention into practice; "
            "both are asked about, each as a strand of its own. The TIDieR checklist has more on "
            "the description of the intervention."
        ],
        "statements.stari of config/implementation.yaml",
    )


SECTION = Section("stari", lambda of: iter([Checklist("stari", stari)]), there=has_implementation)
