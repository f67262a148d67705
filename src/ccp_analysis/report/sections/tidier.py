"""The TIDieR checklist for the description of an intervention."""

from __future__ import annotations

from ccp_analysis.report.section import Checklist, Numbers, Section
from ccp_analysis.report.sections.checklist import Item, answered
from ccp_analysis.report.sections.stari import IMPLEMENTATION, has_implementation, stated
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Table

ITEMS = (
    Item("1", "Brief name", "A name or phrase for it"),
    Item("2", "Why", "Rationale, theory or goal of its essential parts"),
    Item(
        "3",
        "What: materials",
        "What is handed out, or used to deliver it or to train for it, and where it can be had",
    ),
    Item(
        "4",
        "What: procedures",
        "What is done, and what is done in support of it",
        tables=("target_trial", "cascade"),
        left="what is done at each step, and in support of it,",
    ),
    Item("5", "Who provided", "Expertise, background and training of each kind of provider"),
    Item("6", "How", "Face to face or otherwise, singly or in groups"),
    Item("7", "Where", "Kinds of places, and what these need to have"),
    Item(
        "8",
        "When and how much",
        "How often and over what time; schedule, length, intensity or dose",
        tables=("delivered",),
        left="which schedule, length and dose were planned",
    ),
    Item("9", "Tailoring", "What was to be adapted to the person: why, when and how"),
    Item("10", "Modifications", "What was changed during the study: why, when and how"),
    Item(
        "11",
        "How well: planned",
        "How and by whom adherence or fidelity was assessed, and how it was kept up",
        (IMPLEMENTATION,),
        left="by whom it was assessed, and how it was kept up,",
    ),
    Item(
        "12",
        "How well: actual",
        "How far it was delivered as planned",
        (IMPLEMENTATION,),
        ("cascade", "delivered"),
        ("cascade", "fidelity"),
    ),
)


def tidier(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for the description of the intervention."""
    return answered(
        "The TIDieR checklist for the description of an intervention",
        ITEMS,
        stated(source, "tidier"),
        numbers,
        ["Items in our own short words, after Hoffmann et al. (2014)."],
        "statements.tidier of config/implementation.yaml",
    )


SECTION = Section(
    "tidier", lambda of: iter([Checklist("tidier", tidier)]), there=has_implementation
)
