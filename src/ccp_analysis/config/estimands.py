"""What is estimated, by the five attributes of ICH E9(R1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Strict

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
    strategy: EventStrategy
    how: str
    outcomes: list[str] = []
    recorded: bool = True


class Estimand(Strict):
    """An estimand: population, treatment, variable, intercurrent events and summary measure.

    `analyses` are the ids of the analyses and sensitivity analyses that estimate it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    label: str | None = None
    population: str
    treatment: str
    variable: str
    intercurrent_events: list[IntercurrentEvent]
    summary: str
    analyses: list[str] = []

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


def check_estimands(
    estimands: Sequence[Estimand],
    default: str,
    analyses: Collection[str],
    outcomes: Collection[str],
) -> None:
    """Raise ValueError where estimands do not fit the plan.

    Parameters
    ----------
    estimands : sequence of Estimand
        Those of the plan; nothing is checked where there are none.
    default : str
        Id of the one that is estimated by all analyses that none names.
    analyses, outcomes : collection of str
        Ids of analyses and sensitivity analyses, and of outcomes, that the plan has.

    Raises
    ------
    ValueError
        If an id stands twice, the default is not among them, an analysis or outcome is not in the
        plan, an analysis estimates two of them, or one is estimated by none.
    """
    ids = [estimand.id for estimand in estimands]
    if len(set(ids)) < len(ids):
        raise ValueError("estimands: every id must be its own")
    if ids and default not in ids:
        raise ValueError(f"estimand: '{default}' is not one of the estimands ({', '.join(ids)})")
    taken: dict[str, str] = {}
    for estimand in estimands:
        where = f"estimand '{estimand.id}'"
        for name in estimand.analyses:
            if name not in analyses:
                raise ValueError(
                    f"{where}: '{name}' is not one of the analyses or sensitivity analyses"
                )
            if taken.get(name) == estimand.id:
                raise ValueError(f"{where}: the analysis '{name}' stands twice")
            if name in taken:
                raise ValueError(
                    f"{where}: the analysis '{name}' belongs to '{taken[name]}' already"
                )
            taken[name] = estimand.id
        for event in estimand.intercurrent_events:
            for name in event.outcomes:
                if name not in outcomes:
                    raise ValueError(f"{where}: '{name}' is not one of the outcomes")
        if not estimand.analyses and estimand.id != default:
            raise ValueError(
                f"{where}: no analysis estimates it; expected some, unless it is the default"
            )
