"""Checklists of reporting and where their items are answered; here that of CHEERS 2022."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from ccp_analysis.report.section import Checklist, Numbers, Section, has_economics
from ccp_analysis.report.source import Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import listed, sentence

# Headings that every report has, then those of every economic evaluation.
SUMMARY, PARTICIPANTS, OUTCOMES = "Summary", "Participants", "Outcomes"
MISSING, METHODS, LIMITS, RECORDS = (
    "Missing data",
    "Statistical methods",
    "Limits",
    "Data and software",
)
MONEY = "Costs and quality-adjusted life years"
RESOURCES = "Resources and prices"
DIFFERENCES = "Differences in costs and outcomes"
WORTH = "Net benefit and its uncertainty"
VARIED = "What the evaluation hangs on"
HARMS = "harms"  # name of the table that has some
FOR_AUTHORS = "Not answered here: to be stated by the authors"


@dataclass(frozen=True)
class Item:
    """An item of a checklist.

    Attributes
    ----------
    number : str
        As in its source.
    topic, asks : str
        Its topic, and in our own short words what it asks for.
    sections : tuple of str
        Headings of this report under which it is answered; none where no analysis can answer it.
    tables, figures : tuple of str
        Names of tables and figures that answer it, where the report has them.
    said : str
        What is to be said before the places.
    left : str
        What part of it no analysis can answer.
    unless : str
        Name of the table that answers what is left, where the report has it.
    """

    number: str
    topic: str
    asks: str
    sections: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    said: str = ""
    left: str = ""
    unless: str = ""


ITEMS = (
    Item("1", "Title", "Says that this is an economic evaluation, and of what"),
    Item(
        "2",
        "Abstract",
        "Context, methods, results and alternative analyses in short",
        (SUMMARY,),
    ),
    Item("3", "Background and objectives", "Context, question, and why it matters for decisions"),
    Item("4", "Analysis plan", "Whether there was one, and where it can be read", (METHODS,)),
    Item(
        "5",
        "Study population",
        "Who was studied",
        (PARTICIPANTS,),
        ("flow", "baseline"),
        ("flow",),
    ),
    Item("6", "Setting and location", "What about the place may bear on the findings"),
    Item(
        "7",
        "Comparators",
        "What is compared, and why",
        tables=("estimands",),
        left="why they were chosen",
    ),
    Item(
        "8",
        "Perspective",
        "Whose costs count, and why",
        (MONEY,),
        ("prices",),
        left="why it was chosen",
    ),
    Item("9", "Time horizon", "Over how long, and why", (MONEY,), left="why it is long enough"),
    Item("10", "Discount rate", "At what rate, and why", (MONEY,)),
    Item(
        "11",
        "Selection of outcomes",
        "Which benefits and harms were measured",
        (MONEY, METHODS),
        (HARMS,),
        left="which harms were measured",
        unless=HARMS,
    ),
    Item("12", "Measurement of outcomes", "How they were measured", (METHODS,), ("scales",)),
    Item(
        "13",
        "Valuation of outcomes",
        "By whose values and how",
        (MONEY, METHODS),
        ("economic_means",),
    ),
    Item(
        "14",
        "Measurement and valuation of resources and costs",
        "How use was counted and priced",
        (RESOURCES, METHODS),
        ("resource_use", "prices"),
        left="who reported use, and against what it was checked",
    ),
    Item(
        "15",
        "Currency, price date and conversion",
        "Dates of use and prices, currency, and how prices came to its year",
        (MONEY, RESOURCES),
        ("prices",),
    ),
    Item(
        "16",
        "Rationale and description of model",
        "Which decision model, why, and where it can be had",
        (METHODS,),
        said="Not applicable, as there is none: ",
    ),
    Item(
        "17",
        "Analytics and assumptions",
        "How data were analysed, transformed and extrapolated, what is assumed, and how any "
        "model was validated",
        (METHODS, MISSING),
        ("imputation_models",),
    ),
    Item(
        "18",
        "Heterogeneity",
        "By what methods results are given for kinds of people",
        (LIMITS,),
        ("subgroups",),
    ),
    Item(
        "19",
        "Distributional effects",
        "Who gains and who loses, and whether some groups have priority",
        (LIMITS,),
        ("subgroups", "budget_impact"),
    ),
    Item(
        "20",
        "Characterising uncertainty",
        "By which methods",
        (WORTH, METHODS),
        ("net_benefit", "standard_errors"),
        ("acceptability", "plane"),
    ),
    Item("21", "Engagement with patients and others", "How those affected took part in the study"),
    Item(
        "22",
        "Study parameters",
        "All inputs with their sources, ranges and distributions",
        (RESOURCES,),
        ("resource_use", "prices"),
    ),
    Item(
        "23",
        "Main results",
        "Mean costs and outcomes, and one measure of both",
        (DIFFERENCES, WORTH),
        ("economic_means", "economics", "net_benefit", "ratios_of_cost"),
    ),
    Item(
        "24",
        "Effect of uncertainty",
        "What changes the findings, discount rate and horizon too",
        (VARIED,),
        ("economic_sensitivity",),
        ("tornado", "departures"),
    ),
    Item("25", "Effect of engagement", "What their taking part changed"),
    Item(
        "26",
        "Findings, limitations, generalisability, current knowledge",
        "What was found, how far it reaches, whether it is fair, and what it may mean",
        (SUMMARY, LIMITS),
        left="what it means for people, policy and practice",
    ),
    Item("27", "Source of funding", "Who paid, what part they had, and other support"),
    Item("28", "Conflicts of interest", "Of the authors"),
)


# What every report of a value of information has to say, in an order and in words of our own.
INFORMATION = (
    Item("VOI", "Decision", "Between what, from whose perspective, at which threshold", (WORTH,)),
    Item(
        "VOI",
        "Kind and measure",
        "Which value of information, and in what unit",
        (WORTH,),
        ("net_benefit",),
        ("acceptability",),
        said="Perfect information, in pounds per person; none of single parameters, as there is no "
        "model, and none of a sample: ",
    ),
    Item(
        "VOI",
        "Uncertainty",
        "What is taken to be uncertain, and what is not",
        (METHODS, WORTH),
        ("standard_errors",),
        left="how far beyond the study the estimate holds",
    ),
    Item("VOI", "Computation", "How it was worked out, and how exactly", (METHODS,)),
    Item(
        "VOI",
        "Population",
        "Whom the decision concerns, for how long, discounted at what rate",
        tables=("net_benefit",),
        left="why for so many people and so long",
    ),
    Item(
        "VOI",
        "Findings and limits",
        "What it is worth over the thresholds, and what that leaves out",
        (WORTH, VARIED),
        ("net_benefit",),
        ("acceptability",),
        left="what further research would cost",
    ),
)


def cheers(source: Source, numbers: Numbers) -> Table[Item]:
    """Set out the checklist for economic evaluations, and what is asked of information."""
    said = source.evaluation.statements
    return answered(
        "The CHEERS 2022 checklist for economic evaluations",
        ITEMS + INFORMATION,
        {str(number): text for number, text in said.items()},
        numbers,
        [
            "Items in our own short words, after Husereau et al. (2022). VOI: of the value of "
            "information. CHEERS-VOI (Kunst et al. 2023) elaborates seven of the items and adds "
            "six; the rows here are ours, not a rendering of these, which have to be looked up."
        ],
        "statements of config/economics.yaml",
    )


def answered(
    name: str,
    items: Iterable[Item],
    statements: Mapping[str, str],
    numbers: Numbers,
    notes: list[str],
    key: str,
) -> Table[Item]:
    """Set out a checklist with the places that answer it.

    Parameters
    ----------
    name : str
        What it is called.
    items : iterable of Item
        In its order.
    statements : mapping
        Number of an item and what the authors say to it.
    numbers : Numbers
        Of the tables and figures that this report shows.
    notes : list of str
        To stand under it.
    key : str
        Key of the configuration that takes what the authors say, and its file.

    Returns
    -------
    Table
    """
    where = key.partition(" ")[0]
    taken = f"What the authors say of an item is taken, by its number, from {key}."
    return Table(
        f"{name}, and where its items are answered",
        [
            Column("Item", attrgetter("number"), 7, "l"),
            Column("Topic", attrgetter("topic"), 24, "l"),
            Column("What it asks for", attrgetter("asks"), 30, "l"),
            Column("Where", lambda item: _answer(statements, numbers, item, where), 39, "l"),
        ],
        list(items),
        notes=[*notes, taken],
    )


def _answer(statements: Mapping[str, str], numbers: Numbers, item: Item, key: str) -> str:
    """Say where an item is answered, what the authors state, or that they have to."""
    # The section on variations stands with its table.
    absent = set() if "economic_sensitivity" in numbers.tables else {VARIED}
    places = [f"“{section}”" for section in item.sections if section not in absent]
    for kind, names, shown in (
        ("Table", item.tables, numbers.tables),
        ("Figure", item.figures, numbers.figures),
    ):
        places += [f"{kind} {shown[name]}" for name in names if name in shown]
    said = statements.get(item.number, "").strip()
    statement = sentence(said) if said else ""
    if not places:
        return statement or f"{FOR_AUTHORS}, in {key}.{item.number}."
    if statement:
        return f"{statement} See {listed(places)}."
    where = f"{item.said}{listed(places)}"
    left = "" if item.unless in numbers.tables else item.left
    return f"{where}; {left} is to be stated by the authors." if left else f"{where}."


SECTION = Section("checklist", lambda of: iter([Checklist("cheers", cheers)]), there=has_economics)
