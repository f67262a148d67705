"""Scales, and how their items make a score: ``config/instruments.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import Name, Share, Strict, load
from ccp_analysis.layout import INSTRUMENTS


class Subscale(Strict):
    """Some items of an instrument with a score of their own."""

    label: str
    """What it is called in the report."""
    items: list[str] = Field(min_length=1)
    """Its items, of those of the instrument."""


class Instrument(Strict):
    """A scale: which items make it, and how.

    `standing` says in a sentence what a value set is worth in an appraisal; the report prints it.
    """

    label: str
    """What it is called in the report."""
    items: list[str] = Field(min_length=1)
    """Names of its items, without the visit."""
    score: Literal["sum", "mean", "value_set"]
    """How the items make a score."""
    range: tuple[float, float]
    """Lowest and highest possible score."""
    minimum_answered: Share = 1.0
    """Share of items that must be answered for a score; the rest is prorated."""
    reversed: list[str] = []
    """Items that are scored the other way round."""
    benefit: Literal["higher", "lower"]
    """Which scores are the better ones."""
    mcid: float | None = None
    """Smallest difference that matters."""
    unit: str = "points"
    """What a point of the score is called."""
    subscales: dict[str, Subscale] = {}
    """Parts of it that have a score of their own."""
    value_set: Path | None = None
    """Table of utilities of health states."""
    standing: str | None = None
    """What the value set is worth in an appraisal; the report prints it."""

    @model_validator(mode="after")
    def _items(self) -> Instrument:
        if (self.score == "value_set") != (self.value_set is not None):
            raise ValueError("a value set file goes with score: value_set, and only with it")
        if len(set(self.items)) < len(self.items):
            raise ValueError("an item stands twice")
        if self.range[0] >= self.range[1]:
            raise ValueError("the range must go from a lower to a higher score")
        for name in [*self.reversed, *(i for s in self.subscales.values() for i in s.items)]:
            if name not in self.items:
                raise ValueError(f"'{name}' is not one of the items")
        return self


class Instruments(Strict):
    """All scales of the study: ``config/instruments.yaml``."""

    instruments: dict[Name, Instrument]
    """Scales by id, which is the name of their score."""


def load_instruments() -> dict[str, Instrument]:
    """Read ``config/instruments.yaml``: instrument id → `Instrument`."""
    return dict(load(Instruments, INSTRUMENTS).instruments)


def unit_of(name: str, instruments: dict[str, Instrument], dictionary: list[Column]) -> str:
    """Return the unit of an instrument or variable; points where none is given."""
    if name in instruments:
        return instruments[name].unit
    return next((c.unit for c in dictionary if c.name == name and c.unit), "points")
