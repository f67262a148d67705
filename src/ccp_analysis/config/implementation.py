"""How the intervention was put into practice: ``config/implementation.yaml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.events import ASSUMED_ICC
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.reading import Name, Strict, Text, among, load, place
from ccp_analysis.config.study import Study
from ccp_analysis.layout import DICTIONARY, IMPLEMENTATION, INSTRUMENTS, STUDY

# Domains of the framework for implementation research (CFIR, Damschroder et al. 2022).
Domain = Literal["innovation", "outer setting", "inner setting", "individuals", "process"]
Exposed = Literal["uptake", "fidelity", "dose", "high_fidelity"]
# Items of the checklists, numbered as in their sources: StaRI has two strands from item 1 to 27.
CHECKLISTS = {
    "stari": tuple(str(number) for number in range(1, 28)),
    "tidier": tuple(str(number) for number in range(1, 13)),
}


class Coded(Strict):
    """A variable, and the code of it that counts."""

    variable: Name
    """Name of the variable, with the visit where it has one."""
    code: str
    """Code that counts as yes."""
    label: str
    """What it is called in the report."""


class Step(Strict):
    """A step of delivery."""

    id: Name
    """Code of the step in the file of contacts."""
    label: str
    """What it is called in the report."""


class Fidelity(Strict):
    """How closely the intervention was given to each participant."""

    instrument: Name
    """Instrument whose score it is."""
    visit: Name
    """Visit of the score."""
    high: float
    """Score from which fidelity counts as high."""

    @property
    def variable(self) -> str:
        """Name of the score in the participants table."""
        return f"{self.instrument}_{self.visit}"


class Rating(Strict):
    """Items on one subject, rated by practitioners or by service users."""

    id: Name
    """Name of the group of items."""
    label: str
    """What it is called in the report."""
    who: Literal["practitioners", "participants"]
    """Who rates."""
    items: dict[Name, str] = Field(min_length=1)
    """Variable, without the occasion or visit, and what it is called in the report."""
    scale: list[float] = Field(default=[1, 2, 3, 4, 5], min_length=2)
    """Possible answers, in order."""
    top: list[float] = Field(default=[4, 5], min_length=1)
    """Answers that count as favourable: the top boxes."""
    visit: Name | None = None
    """Visit at which service users rated."""
    beside: Name | None = None
    """Of service users: the group of practitioners that rated the same, item by item in order."""

    @model_validator(mode="after")
    def _visit(self) -> Rating:
        if (self.who == "participants") != (self.visit is not None):
            raise ValueError("a visit goes with who: participants, and only with it")
        return self


class Barrier(Strict):
    """Something that may have stood in the way."""

    id: Name
    """Variable, without the occasion, that is 1 where a practitioner named it."""
    label: str
    """What it is called in the report."""
    domain: Domain
    """Domain of the framework for implementation research (CFIR) to which it belongs."""


class Practitioners(Strict):
    """Who was to deliver it, in variables of the file of practitioners."""

    profession: Name | None = None
    """Variable that holds the profession."""
    of_interest: str | None = None
    """Code of the profession that is set against all others."""
    trained: Coded | None = None
    """Who was trained."""

    @model_validator(mode="after")
    def _profession(self) -> Practitioners:
        if (self.profession is None) != (self.of_interest is None):
            raise ValueError("profession and of_interest go together, and one is missing")
        return self


class Implementation(Strict):
    """How the intervention was put into practice: ``config/implementation.yaml``.

    All of it is optional but the reach: a study says what it recorded.
    """

    reach: Coded
    """By what participants themselves said, whom the intervention reached."""
    steps: list[Step] = []
    """Steps of delivery in order, as contacts record them; all of them are a full delivery."""
    fidelity: Fidelity | None = None
    """How closely it was given."""
    exposures: dict[Exposed, str] = {}
    """What outcomes are set against, and what it is called in the report: uptake (the reach),
    fidelity (the score), dose (the number of contacts), high_fidelity."""
    practitioners: Practitioners | None = None
    """Who was to deliver it."""
    ratings: list[Rating] = []
    """How it was received."""
    barriers: list[Barrier] = []
    """What may have stood in the way."""
    assumed_icc: Annotated[float, Field(ge=0, lt=1)] = ASSUMED_ICC
    """Intraclass correlation of clusters that is assumed where nobody, or everybody, has
    something, so that the data say nothing of it."""
    statements: dict[Literal["stari", "tidier"], dict[str, Text]] = {}
    """Checklist, item of it and what the authors say to it."""

    @model_validator(mode="before")
    @classmethod
    def _one_threshold(cls, given: Any) -> Any:
        if isinstance(given, dict) and "smallest_cell" in given:
            raise ValueError(
                f"smallest_cell is gone: practitioners are counted by the rule of all people, "
                f"disclosure.smallest of {STUDY}; expected it there, and not here"
            )
        return given

    @property
    def asks_practitioners(self) -> bool:
        """Whether anything is asked that practitioners alone say."""
        rated = any(rating.who == "practitioners" for rating in self.ratings)
        return rated or bool(self.barriers) or self.practitioners is not None

    def references(self) -> Iterator[str]:
        """Yield ids that stand twice, groups and items that are not there, and what does not go."""
        lists: dict[str, Sequence[Step | Rating | Barrier]] = {
            "steps": self.steps,
            "ratings": self.ratings,
            "barriers": self.barriers,
        }
        for key, entries in lists.items():
            for name, times in Counter(entry.id for entry in entries).items():
                if times > 1:
                    yield f"{key}: '{name}' stands {times} times; expected once"
        for name, said in self.statements.items():
            yield from among(f"statements.{name}", said, CHECKLISTS[name], "items of the checklist")
        for name, there in {"dose": self.steps, "fidelity": self.fidelity}.items():
            if not there and {name, f"high_{name}"} & set(self.exposures):
                yield f"exposures: there is no {name} to set outcomes against"
        yield from self._of_ratings()

    def _of_ratings(self) -> Iterator[str]:
        asked = {r.id: r for r in self.ratings if r.who == "practitioners"}
        for rating in self.ratings:
            where = f"rating '{rating.id}'"
            for value in rating.top:
                if value not in rating.scale:
                    yield f"{where}: the top box {value:g} is not one of the scale"
            if rating.beside is None:
                continue
            yield from among(where, [rating.beside], asked, "groups that practitioners rate")
            other = asked.get(rating.beside)
            if rating.who == "practitioners":
                yield f"{where}: beside is for what service users rate"
            elif other and len(other.items) != len(rating.items):
                yield (
                    f"{where}: {len(rating.items)} items stand beside the {len(other.items)} of "
                    f"'{other.id}'; expected as many"
                )


def misplaced(
    asked: Implementation,
    study: Study,
    dictionary: list[Column],
    instruments: dict[str, Instrument],
    variables: Collection[str],
) -> Iterator[str]:
    """Yield what the file names and the rest of the configuration does not have, with its line.

    Parameters
    ----------
    asked : Implementation
        As it was read.
    study : Study
        Files, visits.
    dictionary : list of Column
        Raw columns.
    instruments : dict of str to Instrument
        Scales.
    variables : collection of str
        Names in the participants table.
    """
    found: list[tuple[tuple[str | int, ...], str]] = []

    def ask(
        keys: tuple[str | int, ...], names: list[str], known: Collection[str], what: str
    ) -> None:
        path = ".".join(str(key) for key in keys)
        found.extend((keys, sentence) for sentence in among(path, names, known, what))

    def coded(keys: tuple[str, ...], of: Coded, there: Collection[str]) -> None:
        ask((*keys, "variable"), [of.variable], there, "variables")
        codes = [list(c.codes) for c in dictionary if c.variable == of.variable and c.codes]
        if codes:
            ask((*keys, "code"), [of.code], codes[0], f"codes of '{of.variable}' in {DICTIONARY}")

    coded(("reach",), asked.reach, variables)
    if asked.fidelity:
        at = asked.fidelity
        ask(("fidelity", "instrument"), [at.instrument], instruments, f"scales of {INSTRUMENTS}")
        ask(("fidelity", "visit"), [at.visit], [v.id for v in study.visits], f"visits of {STUDY}")
        if at.instrument in instruments:
            ask(("fidelity",), [at.variable], variables, "variables")
            low, high = instruments[at.instrument].range
            if not low < at.high <= high:
                sentence = f"fidelity.high: {at.high:g} is not within {low:g} to {high:g}"
                found.append((("fidelity", "high"), sentence))
    if asked.steps and study.delivery is None:
        found.append((("steps",), f"steps: {STUDY} has no delivery, a file of contacts"))
    elif study.delivery:
        of = (study.delivery.file, study.delivery.step)
        codes = [c.codes for c in dictionary if (c.file, c.name) == of]
        for at_step, step in enumerate(asked.steps if codes else []):
            ask(("steps", at_step), [step.id], codes[0], f"codes of '{of[1]}' in {DICTIONARY}")
    for number, rating in enumerate(asked.ratings):
        if rating.who == "participants":
            own = [f"{item}_{rating.visit}" for item in rating.items]
            ask(("ratings", number), own, variables, "variables")
    if asked.asks_practitioners and study.practitioners is None:
        key = "ratings" if asked.ratings else "barriers" if asked.barriers else "practitioners"
        found.append(((key,), f"{key}: {STUDY} has no file with rows: practitioner"))
    elif study.practitioners:
        there = {c.variable for c in dictionary if c.file == study.practitioners}
        people = asked.practitioners or Practitioners()
        if people.profession:
            one = Coded(variable=people.profession, code=people.of_interest or "", label="")
            coded(("practitioners",), one, there)
        if people.trained:
            coded(("practitioners", "trained"), people.trained, there)
        named = [
            (("ratings", number), list(rating.items))
            for number, rating in enumerate(asked.ratings)
            if rating.who == "practitioners"
        ]
        named += [(("barriers", number), [b.id]) for number, b in enumerate(asked.barriers)]
        for way, items in named:
            ends = [occasion.id for occasion in study.files[study.practitioners].occasions]
            own = [f"{item}_{end}" for item in items for end in ends]
            ask(way, own, there, "variables of practitioners")
    for keys, sentence in found:
        yield f"{place(IMPLEMENTATION, *keys)}: {sentence}."


def load_implementation() -> Implementation | None:
    """Read ``config/implementation.yaml``; None where the study does not ask how it was done."""
    return load(Implementation, IMPLEMENTATION) if IMPLEMENTATION.is_file() else None
