"""Files with a row for each event: what happened to people, contacts, medication."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ccp_analysis.config.reading import Name, Strict, Text, among, place
from ccp_analysis.layout import DICTIONARY, PLAN, STUDY

if TYPE_CHECKING:
    from ccp_analysis.config.dictionary import Column
    from ccp_analysis.config.estimands import Estimand

EVENTS = "events"  # id of what is counted among the analyses
ANY_HARM = "any harm"  # outcome of whoever had one of the events that are harms
UNRECORDED = "not recorded"  # an event, or a reason, of which the file says nothing
NO_REASON = "no reason recorded"  # of whoever was not interviewed
# With fewer people who have an event the data say too little of how clusters differ: what is made
# of it covers shares but no difference (benchmarks/harms_in_teams.py).
FEW = 10
ASSUMED_ICC = 0.1  # of a share of which the data say next to nothing, unless another is declared


class Losses(Strict):
    """Where it is recorded what happened to people: a file with a row for each event.

    `ending` are events that ended participation, `harms` those that are harms; one may be both.
    `death` is the event after which utility is 0.
    """

    file: str
    """Id of the file with a row for each event."""
    event: str
    """Variable that says what happened."""
    date: str
    """Variable with its date."""
    reason: str
    """Variable with the reason for it."""
    ending: list[str]
    """Events that end participation; of several on one day the one listed first counts."""
    death: str | None = None
    """Event after which utility is 0 and nothing costs anything."""
    harms: list[str] = []
    """Events that are harms, as adverse events and deaths; unless given none is reported as one."""
    harms_asked: Text | None = None
    """How harms were asked for, by whom and until when; the report asks for it unless given."""
    assumed_icc: Annotated[float, Field(ge=0, lt=1)] = ASSUMED_ICC
    """Intraclass correlation of clusters that is assumed of an event that few people had, of which
    the data say next to nothing."""


class Delivery(Strict):
    """Where it is recorded what was delivered to whom: a file with a row for each contact."""

    file: str
    """Id of the file with a row for each contact."""
    practitioner: str
    """Variable that says who was there of the team."""
    date: str
    """Variable with the date of the contact."""
    step: str
    """Variable that says which step of the intervention it was."""


class Medication(Strict):
    """Where medication is listed: a file with a row for each drug of a participant at a visit.

    What it costs, quantity times price summed over a person's rows of a visit, is a service of the
    evaluation; who was interviewed and has no row takes nothing.
    """

    file: str
    """Id of the file with a row for each drug."""
    service: Name
    """Name of the service that the list makes, for the evaluation."""
    label: str
    """What it is called in the report."""
    visit: str
    """Variable that says at which visit it was reported; its codes are ids of visits."""
    drug: str
    """Variable with the drug."""
    dose: str | None = None
    """Variable with the dose, where prices differ by it."""
    quantity: str
    """Variable with the quantity taken over the period before the visit."""
    price: str
    """Variable with the price of one."""


def codes_of(losses: Losses, dictionary: Sequence[Column]) -> list[str]:
    """Return the codes of what can happen, in the dictionary's order; none where it has none.

    Parameters
    ----------
    losses : Losses
        File of events, and its variable.
    dictionary : sequence of Column
        Raw columns.
    """
    of = (losses.file, losses.event)
    return [code for c in dictionary if (c.file, c.name) == of for code in c.codes]


def event_faults(losses: Losses, dictionary: Sequence[Column]) -> Iterator[str]:
    """Name events that the dictionary has no code of, with their line.

    Parameters
    ----------
    losses : Losses
        As it was read.
    dictionary : sequence of Column
        Raw columns; events without codes may have any name.

    Yields
    ------
    str
        A sentence for each event under ``ending``, ``death`` and ``harms`` that cannot happen.
    """
    codes, death = codes_of(losses, dictionary), [losses.death] if losses.death else []
    named = {"ending": losses.ending, "death": death, "harms": losses.harms}
    what = f"codes of '{losses.event}' in {DICTIONARY}"
    for key, events in named.items() if codes else ():
        for sentence in among(f"losses.{key}", events, codes, what):
            yield f"{place(STUDY, 'losses', key)}: {sentence}."


def unrecorded_faults(
    estimands: Sequence[Estimand], losses: Losses | None, dictionary: Sequence[Column]
) -> Iterator[str]:
    """Name intercurrent events that the file of events cannot have, with their line.

    Parameters
    ----------
    estimands : sequence of Estimand
        Those of the plan.
    losses : Losses or None
        File of events, and its variable; without one everything is named in words.
    dictionary : sequence of Column
        Raw columns; events without codes may have any name.

    Yields
    ------
    str
        A sentence for each event that is taken to be recorded and has no code.
    """
    codes = codes_of(losses, dictionary) if losses else []
    known = list(dict.fromkeys([*losses.ending, *codes])) if losses and codes else []
    for one, estimand in enumerate(estimands):
        for at, entry in enumerate(estimand.intercurrent_events if known else ()):
            named = [entry.event] if entry.recorded else []
            what = f"events that {DICTIONARY} has codes of"
            for sentence in among(f"estimand '{estimand.id}'", named, known, what):
                line = place(PLAN, "estimands", one, "intercurrent_events", at, "event")
                yield f"{line}: {sentence}; one that is not recorded has recorded: false beside it."
