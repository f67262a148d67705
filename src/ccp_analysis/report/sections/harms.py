"""What happened to people: harms, intercurrent events of the plan and others, by arm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ccp_analysis.config.events import ANY_HARM, EVENTS, FEW, Losses, codes_of
from ccp_analysis.report.cells import ALL, by_arm, contrast, estimate, level_of
from ccp_analysis.report.section import Configured, Item, Section, TableItem
from ccp_analysis.report.sections.checklist import HARMS
from ccp_analysis.report.sections.implementation import percent
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import inside, interval, known, listed, number, sentence
from ccp_analysis.results.terms import Population, Term

OTHERS = "events"  # name of the table where no event is declared a harm


class Event(NamedTuple):
    """What is counted: of which kind it is, and the outcome of its rows."""

    kind: str
    outcome: str


SILENT = "Of harms these data have no record, and so nothing can be said of them."


def losses_of(source: Source) -> Losses:
    """Return where it is recorded what happened."""
    if source.study.losses is None:
        raise ValueError("asked of a study without a file of events")
    return source.study.losses


def _row(source: Source, outcome: str, term: str, level: str = ALL, **where: str) -> Row | None:
    where = {"population": Population.COMPLETED, "subgroup": "", **where}
    return source.one(analysis=EVENTS, outcome=outcome, term=term, level=level, **where)


def counted(source: Source) -> list[Event]:
    """Return what the table has: harms, intercurrent events, and others that ended nothing."""
    losses = losses_of(source)
    there = {row["outcome"] for row in source.rows(analysis=EVENTS, term=Term.NUMBER)}
    codes = codes_of(losses, source.dictionary)
    in_order = [code for code in codes if code in there] + sorted(there.difference(codes))
    planned = {e.event for estimand in source.plan.estimands for e in estimand.intercurrent_events}
    apart = {*losses.harms, ANY_HARM}
    harms = [ANY_HARM] * (len(losses.harms) > 1) + losses.harms
    between = [event for event in in_order if event in planned - apart]
    others = [e for e in in_order if e not in {*apart, *between, *losses.ending}]
    kinds = {"Harms": harms, "Intercurrent events": between, "Other events": others}
    return [Event(kind, e) for kind, events in kinds.items() for e in events if e in there]


def label(source: Source, outcome: str) -> str:
    """Return what an event is called."""
    if outcome == ANY_HARM:
        return "Any harm"
    return source.category(losses_of(source).event, outcome)


def events(source: Source) -> Table[Event]:
    """Set out people with each event, and events, by arm."""

    def people(level: str, event: Event) -> str | None:
        return percent(_row(source, event.outcome, Term.PROPORTION, level))

    def times(level: str, event: Event) -> str | None:
        return estimate(_row(source, event.outcome, Term.EVENTS, level))

    what = "Harms and other events" if losses_of(source).harms else "What happened to people"
    return Table(
        f"{what}, by arm: people with {level_of(source)} intervals, and events",
        [
            Column("Kind", lambda event: event.kind),
            Column("Event", lambda event: label(source, event.outcome), 24, "l"),
            *by_arm(source, ("people", people, 21), ("events", times, 14)),
            Column("people", lambda event: people(ALL, event), 22, group="All"),
            Column("events", lambda event: times(ALL, event), 9, group="All"),
        ],
        found := counted(source),
        grouped=True,
        stub="Event",
        notes=_notes(source, found),
    )


def _notes(source: Source, found: list[Event]) -> list[str]:
    losses, clusters = losses_of(source), source.study.clusters
    few = f"where fewer than {FEW} had the event, or had it not, they are exact"
    if clusters:
        few = f"allow for {clusters.unit_label}s; {few} at an assumed intraclass correlation of "
        few += f"{losses.assumed_icc:g}"
    kinds = [event.outcome for event in found if event.outcome != ANY_HARM]
    return [
        "Of everyone analysed, in the arm at recruitment. Shares of people are no rates: whoever "
        "left was observed for less time, and what happened after that is not known.",
        f"Intervals {few if clusters else f'are of people, and {few}'}; that of a difference is "
        "made of those of the arms.",
        *(_reasons(source, outcome) for outcome in kinds if _total(source, outcome)),
        *_not_analysed(source, kinds),
        "What ended participation stands in the table of the flow.",
    ]


def _total(source: Source, outcome: str) -> float:
    row = _row(source, outcome, Term.EVENTS)
    return row["estimate"] if row else 0


def _reasons(source: Source, outcome: str) -> str:
    """Say which reasons were recorded with an event, by arm."""
    by = []
    for arm, name in source.arms:
        where = {"outcome": outcome, "level": arm, "population": Population.COMPLETED}
        rows = source.rows(analysis=EVENTS, term=Term.EVENTS, **where)
        given = [row for row in rows if row["subgroup"] and row["estimate"]]
        variable = losses_of(source).reason
        said = [f"{inside(source.category(variable, r['subgroup']))} {estimate(r)}" for r in given]
        by.append(f"{name}: {', '.join(said) or 'none'}")
    return f"{label(source, outcome)} by reason, {'; '.join(by)}."


def _not_analysed(source: Source, outcomes: list[str]) -> Iterator[str]:
    """Say what is recorded of those recruited who are in no analysis."""
    where = {"population": Population.NOT_ANALYSED}
    rows = [(outcome, _row(source, outcome, Term.NUMBER, **where)) for outcome in outcomes]
    there = [(outcome, row) for outcome, row in rows if row and row["n"]]
    if there:
        had = []
        for outcome, row in there:
            arms = [(a, _row(source, outcome, Term.NUMBER, arm, **where)) for arm, a in source.arms]
            parts = [f"{estimate(own)} in {arm}" for arm, own in arms if own and own["estimate"]]
            if row["estimate"]:
                had.append(f"{inside(label(source, outcome))} {listed(parts)}")
        n = number(there[0][1]["n"])
        yield (
            f"Of the {n} people recruited who had no baseline interview, and so are not analysed, "
            f"there is a record of {'; '.join(had) or 'none of these'}."
        )


def recorded_how(source: Source) -> list[str]:
    """Say what counts as a harm and how harms were asked for, or that the authors must."""
    losses, where = losses_of(source), "under losses in config/study.yaml"
    if not losses.harms:
        return [
            "Which of the events recorded are harms is not declared and is to be stated by the "
            f"authors (harms {where}); none is reported as one."
        ]
    names = listed([inside(label(source, event)) for event in losses.harms])
    how = (
        sentence(losses.harms_asked)
        if losses.harms_asked
        else "How they were asked for, by whom and until when is to be stated by the authors "
        f"(harms_asked {where})."
    )
    return [f"Counted as harms are events recorded as {names}.", how]


def harms_by_arm(source: Source) -> str:
    """Say of how many people any harm is recorded, and what the interval of the difference allows.

    Empty where no harms are declared, or no results are there.
    """
    shares = []
    for arm, name in source.arms:
        row = _row(source, ANY_HARM, Term.PROPORTION, arm)
        if row is not None and known(row["estimate"]):
            limits = interval(100 * row["conf_low"], 100 * row["conf_high"], 0)
            have, share = round(row["estimate"] * row["n"]), number(100 * row["estimate"])
            shares.append(f"{have} of {number(row['n'])} people with {name} ({share}%, {limits})")
    if not shares:
        return ""
    text = f"Any harm is recorded of {listed(shares)}, with {level_of(source)} intervals."
    arms = source.study.arms
    row = _row(source, ANY_HARM, Term.GROUP_DIFFERENCE, f"{arms.active} - {arms.reference}")
    if row is None or not known(row["estimate"]):
        return text
    apart = f"The difference, {contrast(source)}, was {number(100 * row['estimate'], 1)} "
    apart += "percentage points"
    if not (known(row["conf_low"]) and known(row["conf_high"])):
        return f"{text} {apart} ({row['note']})."
    low, high = 100 * row["conf_low"], 100 * row["conf_high"]
    least, most = (f"{number(abs(x), 1)} {'fewer' if x < 0 else 'more'}" for x in (low, high))
    apart += f" ({interval(low, high, 1)})"
    return f"{text} {apart}: in a hundred people this allows {least} to {most} with a harm."


def unrecorded(source: Source) -> str:
    """Name the intercurrent events of the plan of which there is no record."""
    planned = [e for estimand in source.plan.estimands for e in estimand.intercurrent_events]
    names = dict.fromkeys(inside(entry.event) for entry in planned if not entry.recorded)
    return f"Intercurrent events without a record: {'; '.join(names)}." if names else ""


def sentences(source: Source) -> list[str]:
    """Return what the text says beside the table."""
    said = [*recorded_how(source), harms_by_arm(source), unrecorded(source)]
    return [one for one in said if one]


def name_of(of: Configured) -> str:
    """Return the name of the table: a report claims harms only where some events are harms."""
    return HARMS if of.study.losses and of.study.losses.harms else OTHERS


def _items(of: Configured) -> Iterator[Item]:
    yield TableItem(name_of(of), events)


SECTION = Section(
    "harms",
    _items,
    lambda source: {"happened": sentences(source), "events": name_of(source)},
    there=lambda of: of.study.losses is not None,
)
