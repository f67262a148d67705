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
    items: list[str] = Field(min_length=1)


class Instrument(Strict):
    """A scale: which items make it, and how.

    `standing` says in a sentence what a value set is worth in an appraisal; the report prints it.
    """

    label: str
    items: list[str] = Field(min_length=1)
    score: Literal["sum", "mean", "value_set"]
    range: tuple[float, float]
    minimum_answered: Share = 1.0
    reversed: list[str] = []
    benefit: Literal["higher", "lower"]
    mcid: float | None = None
    unit: str = "points"
    subscales: dict[str, Subscale] = {}
    value_set: Path | None = None
    standing: str | None = None

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


def load_instruments() -> dict[str, Instrument]:
    """Read ``config/instruments.yaml``: instrument id → `Instrument`."""
    return dict(load(Instruments, INSTRUMENTS).instruments)


def unit_of(name: str, instruments: dict[str, Instrument], dictionary: list[Column]) -> str:
    """Return the unit of an instrument or variable; points where none is given."""
    if name in instruments:
        return instruments[name].unit
    return next((c.unit for c in dictionary if c.name == name and c.unit), "points")
