"""How the intervention was put into practice: ``config/implementation.yaml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.reading import Name, Strict, among, load, place
from ccp_analysis.config.study import Study, Text
from ccp_analysis.layout import DICTIONARY, IMPLEMENTATION, INSTRUMENTS, STUDY

# Domains of the framework for implementation research (CFIR, Damschroder et al. 2022).
Domain = Literal["innovation", "outer setting", "inner setting", "individuals", "process"]
Exposed = Literal["uptake", "fidelity", "dose", "high_fidelity"]
# Items of the checklists, numbered as in their sources: StaRI has two strands from item 1 to 27.
CHECKLISTS = {
    "stari": tuple(str(number) for number in range(1, 28)),
    "tidier": tuple(str(number) for number in range(1, 13)),
}
# What a file of practitioners and one of delivery must tell beside what is named here.
PRACTITIONER, CONTACT = ("practitioner",), ("participant", "step")


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
    """Who was to deliver it, as a file with a row for each practitioner has it."""

    file: str
    """Id of the file with a row for each practitioner."""
    occasions: list[Name] = Field(min_length=1, max_length=2)
    """Occasions at which they were asked; of two it is said what changed."""
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
    delivery: str | None = None
    """Id of the file with a row for each contact."""
    steps: list[Step] = []
    """Steps of delivery in order; all of them are a full delivery."""
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
    assumed_icc: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Intraclass correlation of clusters that is assumed where nobody, or everybody, has
    something, so that the data say nothing of it."""
    smallest_cell: int = Field(default=5, ge=1)
    """Fewest practitioners of whom something is shown where data are real: of those asked, and of
    those who answered one way or the other."""
    statements: dict[Literal["stari", "tidier"], dict[str, Text]] = {}
    """Checklist, item of it and what the authors say to it."""

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
        if (self.delivery is None) != (not self.steps):
            yield "delivery: a file of contacts and the steps of delivery go together"
        for name, there in {"dose": self.delivery, "fidelity": self.fidelity}.items():
            if there is None and {name, f"high_{name}"} & set(self.exposures):
                yield f"exposures: there is no {name} to set outcomes against"
        yield from self._of_ratings()

    def _of_ratings(self) -> Iterator[str]:
        asked = {r.id: r for r in self.ratings if r.who == "practitioners"}
        if self.practitioners is None and (asked or self.barriers):
            key = "ratings" if asked else "barriers"
            yield f"{key}: practitioners were asked, and practitioners names no file of them"
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
    files: dict[str, tuple[str | None, str, tuple[str, ...]]]
    files = {"delivery": (asked.delivery, "event", CONTACT)}
    people = asked.practitioners
    if people:
        files["practitioners.file"] = (people.file, "practitioner", PRACTITIONER)
    names: dict[str, set[str]] = {}
    for key, (file, rows, needed) in files.items():
        if file is None:
            continue
        way: tuple[str | int, ...] = tuple(key.split("."))
        ask(way, [file], study.files, f"files of {STUDY}")
        if file in study.files:
            names[key] = {c.variable for c in dictionary if c.file == file}
            if study.files[file].rows != rows:
                found.append((way, f"{key}: '{file}' needs rows: {rows} in {STUDY}"))
            ask(way, list(needed), names[key], f"variables of the file '{file}' in {DICTIONARY}")
    codes = [c.codes for c in dictionary if c.file == asked.delivery and c.name == "step"]
    for at_step, step in enumerate(asked.steps if codes else []):
        ask(("steps", at_step), [step.id], codes[0], f"codes of 'step' in {DICTIONARY}")
    there = names.get("practitioners.file")
    if people and there is not None:
        if people.profession:
            one = Coded(variable=people.profession, code=people.of_interest or "", label="")
            coded(("practitioners",), one, there)
        if people.trained:
            coded(("practitioners", "trained"), people.trained, there)
    for number, rating in enumerate(asked.ratings):
        own = [f"{item}_{rating.visit}" for item in rating.items]
        if rating.who == "participants":
            ask(("ratings", number), own, variables, "variables")
        elif people and there is not None:
            own = [f"{item}_{end}" for item in rating.items for end in people.occasions]
            ask(("ratings", number), own, there, "variables of practitioners")
    for number, barrier in enumerate(asked.barriers if people and there is not None else []):
        own = [f"{barrier.id}_{end}" for end in people.occasions] if people else []
        ask(("barriers", number), own, there or (), "variables of practitioners")
    for keys, sentence in found:
        yield f"{place(IMPLEMENTATION, *keys)}: {sentence}."


def load_implementation() -> Implementation | None:
    """Read ``config/implementation.yaml``; None where the study does not ask how it was done."""
    return load(Implementation, IMPLEMENTATION) if IMPLEMENTATION.is_file() else None
