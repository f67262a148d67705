"""What is estimated, by the five attributes of ICH E9(R1)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Strict, among
from ccp_analysis.errors import few

EventStrategy = Literal[
    "treatment policy",
    "composite",
    "hypothetical",
    "while on treatment",
    "while alive",
    "principal stratum",
]


class IntercurrentEvent(Strict):
    """Something that happens after the start and bears on the outcome, and what is done about it.

    `event` is one of those that the study records, or with `recorded: false` anything in words;
    `outcomes` are those to which the strategy applies, all others where none are named.
    """

    event: str
    """Event of the file of losses, or any other in words."""
    strategy: EventStrategy
    """How the estimand deals with it."""
    how: str
    """What that means for the analysis, in words."""
    outcomes: list[str] = []
    """Outcomes for which it holds; all unless given."""
    recorded: bool = True
    """Whether it stands in the file of losses."""


class Estimand(Strict):
    """An estimand: population, treatment, variable, intercurrent events and summary measure.

    `analyses` are the ids of the analyses and sensitivity analyses that estimate it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    """Short name, for the results."""
    label: str | None = None
    """What it is called in the report."""
    population: str
    """For whom."""
    treatment: str
    """What against what."""
    variable: str
    """Of what, and when."""
    intercurrent_events: list[IntercurrentEvent]
    """What may come in between."""
    summary: str
    """The measure that sums it up."""
    analyses: list[str] = []
    """Analyses and sensitivity analyses that estimate it; those that no estimand names estimate the
    plan's."""

    @property
    def name(self) -> str:
        """Its label, otherwise its id."""
        return self.label or self.id

    @model_validator(mode="after")
    def _one_strategy(self) -> Estimand:
        taken: set[tuple[str, str]] = set()
        for entry in self.intercurrent_events:
            for outcome in entry.outcomes or [""]:
                if (entry.event, outcome) in taken:
                    where = f" for '{outcome}'" if outcome else ""
                    raise ValueError(
                        f"estimand '{self.id}': the event '{entry.event}' stands twice{where}; "
                        "expected one strategy for each outcome"
                    )
                taken.add((entry.event, outcome))
        return self


def estimand_faults(
    estimands: Sequence[Estimand],
    default: str,
    analyses: Collection[str],
    outcomes: Collection[str],
) -> Iterator[str]:
    """Say where estimands do not fit the plan; nothing is said where there are none.

    Parameters
    ----------
    estimands : sequence of Estimand
        Those of the plan.
    default : str
        Id of the one that is estimated by all analyses that none names.
    analyses, outcomes : collection of str
        Ids of analyses and sensitivity analyses, and of outcomes, that the plan has.

    Yields
    ------
    str
        An id that stands twice, a default that is not among them, an analysis or outcome that is
        not in the plan, an analysis of two estimands, an estimand of no analysis.
    """
    ids = [estimand.id for estimand in estimands]
    if len(set(ids)) < len(ids):
        yield "estimands: every id must be its own"
    if ids and default not in ids:
        yield f"estimand: '{default}' is not one of the estimands ({few(ids)})"
    taken: dict[str, str] = {}
    for estimand in estimands:
        where = f"estimand '{estimand.id}'"
        yield from among(where, estimand.analyses, analyses, "analyses or sensitivity analyses")
        for name in estimand.analyses:
            if taken.get(name) == estimand.id:
                yield f"{where}: the analysis '{name}' stands twice"
            elif name in taken:
                yield f"{where}: the analysis '{name}' belongs to '{taken[name]}' already"
            taken.setdefault(name, estimand.id)
        named = [name for event in estimand.intercurrent_events for name in event.outcomes]
        yield from among(where, named, outcomes, "outcomes")
        if not estimand.analyses and estimand.id != default:
            yield f"{where}: no analysis estimates it; expected some, unless it is the default"
