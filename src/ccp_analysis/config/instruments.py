"""Scales, and how their items make a score: ``config/instruments.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import Name, Share, Strict, Text, among, load, place
from ccp_analysis.layout import DICTIONARY, INSTRUMENTS, PLAN


class Subscale(Strict):
    """Some items of an instrument with a score of their own."""

    label: str
    """What it is called in the report."""
    items: list[str] = Field(min_length=1)
    """Its items, of those of the instrument."""


class Standing(Strict):
    """What a value set is worth in an appraisal; the report prints all of it."""

    what: Text
    """What it is: whose values, of which version, in the middle of a sentence."""
    recommended: Text
    """Who recommends it for what, or does not, and since when: a sentence."""
    source: Text
    """Where it is published."""


class ValuedBy(Strict):
    """Whose cell of a value set is whose, where it has one for each age band and sex.

    Ages are in years; each band begins at its youngest age and ends where the next begins. Who is
    younger than the first, or of a sex that no code stands for, has no cell and so no utility.
    """

    age: str
    """Variable of the age in years."""
    age_bands: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1)
    """Age band as the table calls it and its youngest age, increasing."""
    sex: str
    """Variable of the sex."""
    sexes: dict[str, list[str]] = Field(min_length=1)
    """Sex as the table calls it and the codes of the variable that stand for it."""

    @model_validator(mode="after")
    def _cells(self) -> ValuedBy:
        if any(a >= b for a, b in pairwise(self.age_bands.values())):
            raise ValueError("age_bands: the youngest ages must increase from band to band")
        codes = [code for named in self.sexes.values() for code in named]
        if len(set(codes)) < len(codes):
            raise ValueError("sexes: a code stands for two of them")
        if len(self.age_bands) * len(self.sexes) == 1:
            raise ValueError(
                "one age band and one sex: everybody would be valued as people of one cell of the "
                "table; expected all of its age bands and sexes"
            )
        return self


class Instrument(Strict):
    """A scale: which items make it, and how."""

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
    valued_by: ValuedBy | None = None
    """Which variables say whose cell is whose, of a table by age band and sex."""
    standing: Standing | None = None
    """What the value set is worth in an appraisal."""

    @model_validator(mode="after")
    def _items(self) -> Instrument:
        if (self.score == "value_set") != (self.value_set is not None):
            raise ValueError("a value set file goes with score: value_set, and only with it")
        for name in ("standing", "valued_by"):
            if self.value_set is None and getattr(self, name) is not None:
                raise ValueError(f"{name} is of a value set, and there is none")
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


def misvalued(
    instruments: Mapping[str, Instrument],
    dictionary: Sequence[Column],
    variables: set[str],
    levels: Mapping[str, str],
) -> Iterator[str]:
    """Yield what is missing from value sets, or names what there is not.

    Parameters
    ----------
    instruments : mapping
        Instrument id → `Instrument`.
    dictionary : sequence of Column
        For the types and codes of age and sex.
    variables : set of str
        What the participants table has.
    levels : mapping
        Instrument id → whether its items or its score are imputed.
    """
    columns = {column.variable: column for column in dictionary}
    for name, instrument in instruments.items():
        for key, sentence in _misvalued(name, instrument, columns, variables):
            yield f"{place(INSTRUMENTS, 'instruments', name, *key)}: {sentence}."
        if instrument.valued_by and levels.get(name) == "items":
            yield (
                f"{place(PLAN, 'imputation', 'level', name)}: '{name}' is valued by age and sex, "
                "so that its score is imputed and not its items; expected level: score."
            )


def _misvalued(
    name: str, instrument: Instrument, columns: Mapping[str, Column], variables: set[str]
) -> Iterator[tuple[list[str], str]]:
    """Yield the key of what is wrong with a value set, and the sentence."""
    if instrument.value_set and instrument.standing is None:
        yield (
            [],
            f"the value set of '{name}' has no standing; expected standing: {{what: …, "
            "recommended: …, source: …}, which the report prints",
        )
    if (by := instrument.valued_by) is None:
        return
    for key, variable in (("age", by.age), ("sex", by.sex)):
        column = columns.get(variable)
        if variable not in variables or column is None:
            yield (
                ["valued_by", key],
                f"valued_by.{key} is '{variable}'; expected a variable of participants in "
                f"{DICTIONARY}",
            )
        elif key == "age" and not column.numeric:
            yield (
                ["valued_by", key],
                f"valued_by.age is '{variable}', a {column.type}; expected a number",
            )
        elif key == "sex":
            codes = [code for named in by.sexes.values() for code in named]
            for sentence in among("valued_by.sexes", codes, column.codes, "codes"):
                yield ["valued_by", "sexes"], f"{sentence} of '{variable}'"
