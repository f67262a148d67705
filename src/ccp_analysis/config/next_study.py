"""What is asked of the next trial: a part of ``config/analysis.yaml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from ccp_analysis.config.reading import Name, Share, Strict, Text, among, place
from ccp_analysis.config.study import Study
from ccp_analysis.layout import ECONOMICS, PLAN, STUDY

# Of which intraclass correlation a power is, as rows of the results call it.
POINT, UPPER = "point estimate", "upper limit"
Positive = Annotated[float, Field(gt=0)]


class Sought(Strict):
    """A difference that the next trial is to find."""

    outcome: str
    """An outcome of the plan that is a number."""
    difference: Positive | None = None
    """Difference to be found, in its units; where it is left out the outcome's MCID, else the
    planned difference, else the report says which difference would be found."""
    sd: float = Field(default=0, ge=0)
    """How uncertain the true difference is: the standard deviation of a normal distribution about
    it, over which the assurance is averaged too; 0 takes it as fixed."""
    source: Text | None = None
    """Where the difference comes from; printed beside the figures."""
    assumed: bool = False
    """Whether it is assumed for illustration."""


class Prior(Strict):
    """A beta distribution of the intraclass correlation before this study's data."""

    id: Name
    """Name of the prior, for the results."""
    label: Text
    """What the report calls it."""
    a: float = Field(default=1, ge=0.25, le=1000)
    """First parameter of the beta distribution."""
    b: float = Field(default=1, ge=0.25, le=1000)
    """Second parameter; with a: 1 and b: 1 every value is equally likely."""
    source: Text | None = None
    """Where it comes from; printed beside the figures."""


class Costs(Strict):
    """What a trial costs."""

    cluster: float = Field(ge=0)
    """Of taking part for a cluster of either arm, beside the intervention."""
    person: Positive
    """Of recruiting and interviewing a person."""
    intervention: float | None = Field(default=None, ge=0)
    """Of the intervention in a cluster; where it is left out that of the economic evaluation."""
    source: Text
    """Where the figures come from; printed beside them."""
    assumed: bool = False
    """Whether they are assumed for illustration."""


FLAT = Prior(id="flat", label="every correlation equally likely")


class NextStudy(Strict):
    """How large a next trial of the same design should be."""

    outcomes: list[Sought] = Field(min_length=1)
    """Outcomes for which it is planned, and the differences to be found; the first is drawn."""
    pairs: list[Annotated[int, Field(ge=3, le=1000)]] = []
    """Pairs of clusters that are tried, increasing; of a study with clusters alone."""
    people: list[Annotated[int, Field(ge=2, le=100_000)]] = Field(min_length=1)
    """People recruited in each cluster (in each arm where people are allocated) that are tried,
    increasing."""
    power: list[Annotated[float, Field(gt=0.5, lt=1)]] = Field(default=[0.8, 0.9], min_length=1)
    """Power, and assurance, that is wanted, increasing."""
    most_pairs: int = Field(default=200, ge=3, le=1000)
    """Pairs, at most, among which the number needed is sought."""
    retest: list[Share] = []
    """Correlations of baseline and follow-up for which sizes are given beside that of this study;
    0 is a trial without a baseline interview."""
    priors: list[Prior] = Field(default=[FLAT], min_length=1)
    """Prior distributions of the intraclass correlation; the first is the main one."""
    costs: Costs | None = None
    """What a trial costs, for the cheapest size; of a study with clusters alone."""

    @staticmethod
    def named(people: int, pairs: int = 0) -> str:
        """Return how rows of the results call a size."""
        return f"{pairs} pairs, {people} people" if pairs else f"{people} people"

    def faults(self) -> Iterator[str]:
        """Yield lists that are not in order, and what stands twice."""
        for name in ("pairs", "people", "power", "retest"):
            for before, after in pairwise(getattr(self, name)):
                if before >= after:
                    yield (
                        f"next_study.{name}: {after:g} stands behind {before:g}; expected in "
                        "increasing order"
                    )
        for value, times in Counter(sought.outcome for sought in self.outcomes).items():
            if times > 1:
                yield f"next_study.outcomes: '{value}' stands {times} times; expected once"
        for value, times in Counter(prior.id for prior in self.priors).items():
            if times > 1:
                yield f"next_study.priors: '{value}' stands {times} times; expected once"
        for sought in self.outcomes:
            if sought.difference is not None and sought.source is None:
                yield (
                    f"next_study.outcomes: the difference of '{sought.outcome}' has no source; "
                    "expected where it comes from"
                )
        for retest in self.retest:
            if retest >= 1:
                yield f"next_study.retest: {retest:g} found; expected correlations below 1"


def next_study_faults(asked: NextStudy | None, outcomes: set[str]) -> Iterator[str]:
    """Yield what a next study names that its plan does not have, and what is out of order."""
    if asked is not None:
        yield from asked.faults()
        named = [sought.outcome for sought in asked.outcomes]
        yield from among("next_study.outcomes", named, outcomes, "outcomes")


def misplanned(asked: NextStudy | None, study: Study, economics: bool) -> Iterator[str]:
    """Yield what of a next study does not go with the design of this one.

    Parameters
    ----------
    asked : NextStudy, optional
        What the plan asks.
    study : Study
        Whether there are clusters.
    economics : bool
        Whether there is an economic evaluation, whose currency costs are in.
    """
    if asked is None:
        return
    where = f"{place(PLAN, 'next_study')}: next_study"
    if study.clusters and not asked.pairs:
        yield (
            f"{where}.pairs is missing, as {study.clusters.unit_label}s are allocated; expected "
            f"numbers of {study.clusters.pair_label}s."
        )
    if study.clusters is None:
        for name in ("pairs", "costs"):
            if getattr(asked, name):
                yield (
                    f"{where}.{name} is of clusters, which {STUDY} does not declare; expected "
                    "numbers of people in each arm alone."
                )
    elif asked.costs and not economics:
        yield f"{where}.costs is in the currency of {ECONOMICS}, which is missing; expected it."
