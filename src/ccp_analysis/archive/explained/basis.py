"""What a row of the results rests on: a formula, the variables in it, and who is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.config.formulas import Fill, Formula, Part
from ccp_analysis.results.terms import Population, Term

Who = Literal["analysed", "recruited", "not analysed", "practitioners", "raters", "drawn"]


@dataclass(frozen=True)
class Basis:
    """What a row rests on.

    Attributes
    ----------
    says : str
        How a number of this kind is made, in sentences.
    formula : Formula or None
        What is regressed on what.
    y : str
        The outcome as the formula has it.
    fill : mapping
        What stands in the formula, by its parts.
    needed : sequence of str
        Variables of which everyone who is counted has a value.
    observed : sequence of str
        Variables of which a value was observed of everyone who is counted.
    any_of : sequence of str
        Variables of which everyone who is counted has one at least.
    both : sequence of str
        A second such list; of practitioners, where participants are counted with them.
    completed : bool
        Whether values may be imputed ones.
    exposed : bool
        Whether they are those imputed along with exposures.
    who : str
        Among whom is counted.
    groups : sequence of tuple
        Variable and code: of those who have it alone.
    without : tuple or None
        Variable and code of those left out.
    lived : bool
        Whether what the dead used is known: nothing.
    draws : int
        How many studies were drawn, where these are what is counted.
    fewer : int
        How many more are left out one by one.
    each_visit : bool
        Whether people count once for each visit of `any_of` that they have.
    others : sequence of str
        Variables on which the number rests beside, who lacks them being counted all the same.
    notes : sequence of str
        More that is to be said.
    stream : sequence of str
        The name of the stream of random numbers that is drawn from, beside that of the imputation.
    """

    says: str
    formula: Formula | None = None
    y: str = ""
    fill: Fill = field(default_factory=dict)
    needed: Sequence[str] = ()
    observed: Sequence[str] = ()
    any_of: Sequence[str] = ()
    both: Sequence[str] = ()
    completed: bool = False
    exposed: bool = False
    who: Who = "analysed"
    groups: Sequence[tuple[str, str]] = ()
    without: tuple[str, str] | None = None
    lived: bool = False
    draws: int = 0
    fewer: int = 0
    each_visit: bool = False
    others: Sequence[str] = ()
    notes: Sequence[str] = ()
    stream: Sequence[str] = ()

    @property
    def variables(self) -> list[str]:
        """All variables that the number rests on, each once."""
        terms = [*self.formula.terms, *self.formula.random] if self.formula else []
        parts = {*DESIGN, *(part for term in terms for part in term)} if terms else set()
        own = [name for part, names in self.fill.items() if part in parts for name in names]
        grouped = [name for name, _ in self.groups]
        left = [self.without[0]] if self.without else []
        every = [*self.needed, *self.observed, *self.any_of, *self.both]
        every += [*own, *grouped, *left, *self.others]
        return [name for name in dict.fromkeys(every) if name not in INTERNAL]


# Names in formulas that are no variables of the data: the visit that a row of the long form is of.
INTERNAL = ("visit", "months", "exposure")
# What inference goes by, whether or not the formula has it.
DESIGN = (Part.ARM, Part.PAIR, Part.UNIT)


def design_of(facts: Facts) -> dict[Part, list[str]]:
    """Return what the design of the study fills into a formula."""
    study = facts.study
    fill = {
        Part.ARM: [study.arms.variable],
        Part.VISIT: ["visit"],
        Part.MONTHS: ["months"],
        Part.PERSON: ["participant"],
    }
    if study.clusters:
        fill |= {Part.PAIR: [study.clusters.pair], Part.UNIT: [study.clusters.unit]}
    return fill


def arm_of(facts: Facts, row: Row) -> list[tuple[str, str]]:
    """Return the arm that a row is of, as a group; none where it is of both."""
    arms = facts.study.arms
    return [(arms.variable, row["level"])] if row["level"] in arms.levels else []


def left_out_of(facts: Facts, row: Row) -> tuple[str, str] | None:
    """Return the cluster, or pair of clusters, that a row leaves out."""
    clusters = facts.study.clusters
    if clusters is None:
        return None
    if row["term"] in (Term.WITHOUT_CLUSTER, Term.CHANGE_WITHOUT_CLUSTER):
        return clusters.unit, row["level"]
    if row["term"] in (Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR):
        return clusters.pair, row["level"]
    return None


@dataclass(frozen=True)
class LeftOut:
    """Why some are not counted, how many, and how many of them lack what."""

    why: str
    n: int | None
    lacking: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """Who is counted: of how many, who was left out and why, and how many remain.

    Numbers are None where the derived tables are not there.
    """

    of: str
    start: int | None
    left_out: list[LeftOut]
    n: int | None
    counts: str = "people"

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written for programs."""
        left = [{"why": o.why, "n": o.n, "lacking": o.lacking} for o in self.left_out]
        told = {"of": self.of, "start": self.start, "left_out": left}
        return told | {"n": self.n, "counts": self.counts}


def count(facts: Facts, basis: Basis) -> Counted:
    """Count who a row rests on, in the derived tables."""
    if basis.who == "drawn":
        there = None if facts.participants is None else basis.draws
        return Counted("studies drawn", there, [], there, "drawn studies")
    if basis.who == "raters":
        users, staff = (_among(facts, basis, who) for who in ("recruited", "practitioners"))
        both = [one.n for one in (users, staff) if one.n is not None]
        start = [one.start for one in (users, staff) if one.start is not None]
        return Counted(
            f"{users.of} and {staff.of}",
            sum(start) if len(start) == 2 else None,
            [*users.left_out, *staff.left_out],
            sum(both) if len(both) == 2 else None,
        )
    return _among(facts, basis, basis.who)


def _among(facts: Facts, basis: Basis, who: str) -> Counted:
    of = "practitioners" if who == "practitioners" else "participants recruited"
    table = facts.practitioners if who == "practitioners" else facts.participants
    steps = list(_steps(facts, basis, who))
    if table is None or any(stay is None for _, stay, _ in steps):
        return Counted(of, None, [LeftOut(why, None) for why, _, _ in steps], None)
    there = np.ones(len(table), dtype=bool)
    left: list[LeftOut] = []
    for why, stay, known in steps:
        gone = there & ~stay
        lacking = {name: int((gone & ~has).sum()) for name, has in known.items()}
        if gone.any():
            left.append(LeftOut(why, int(gone.sum()), {k: v for k, v in lacking.items() if v}))
        there &= stay
    n = int(there.sum())
    if basis.fewer:
        left.append(LeftOut("one person left out at a time", basis.fewer))
        n -= basis.fewer
    if basis.each_visit:
        n = sum(int((there & _has(facts, basis, who, name)).sum()) for name in basis.any_of)
    unit = "people and visits" if basis.each_visit else "people"
    return Counted(of, len(table), left, n, unit)


Step = tuple[str, Any, dict[str, np.ndarray]]


def _steps(facts: Facts, basis: Basis, who: str) -> list[Step]:
    """Return why people are left out, who stays, and who has each of what is needed."""
    steps: list[Step] = []
    baseline = facts.study.baseline
    interviewed = f"interviewed_{baseline.id}"
    if who in ("analysed", "not analysed"):
        there = _bool(facts, interviewed)
        label = baseline.label.lower()
        if who == "analysed":
            steps.append((f"no {label} interview", there, {}))
        else:
            inverse = None if there is None else ~there
            steps.append((f"a {label} interview: they are analysed", inverse, {}))
    staff = who == "practitioners"
    for variable, code in basis.groups:
        held = facts.group(variable, code, staff)
        steps.append((f"another {variable} than '{code}'", held, {}))
    steps += _missed(facts, basis, who)
    if needed := _without(basis, basis.needed):
        masks = {name: _has(facts, basis, who, name) for name in needed}
        there = None
        if all(mask is not None for mask in masks.values()):
            there = np.logical_and.reduce(list(masks.values()))
        steps.append(("a value that is needed is missing", there, masks))
    for name in basis.observed:
        label = f"{name} was not observed"
        steps.append((label, facts.observed(name), {}))
    for names in _lists(basis, who):
        masks = {name: _has(facts, basis, who, name) for name in names}
        there = None
        if all(mask is not None for mask in masks.values()):
            there = np.logical_or.reduce(list(masks.values()))
        listed = ", ".join(names)
        steps.append((f"no value of {listed}", there, {}))
    if basis.without:
        variable, code = basis.without
        held = facts.group(variable, code, staff)
        steps.append((f"{variable} '{code}' is left out", None if held is None else ~held, {}))
    return [(why, stay, known if stay is not None else {}) for why, stay, known in steps]


def _lists(basis: Basis, who: str) -> list[Sequence[str]]:
    """Return the lists of variables of each of which one is needed."""
    if basis.who == "raters":
        return [basis.both if who == "practitioners" else basis.any_of]
    return [names for names in (basis.any_of, basis.both) if names]


def _without(basis: Basis, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name not in INTERNAL]


def _missed(facts: Facts, basis: Basis, who: str) -> list[Step]:
    """Return a step for each follow-up at which people were not seen who have to be."""
    if basis.completed or who != "analysed":
        return []
    steps: list[Step] = []
    for visit in facts.study.follow_ups:
        own = [name for name in basis.needed if name.endswith(f"_{visit.id}")]
        there = _bool(facts, f"interviewed_{visit.id}")
        # Whoever died has a utility of 0 without an interview, and so may stay.
        known = [_has(facts, basis, who, name) for name in own]
        if not own or there is None or any(mask is None for mask in known):
            continue
        stay = there | np.logical_and.reduce(known)
        steps.append((f"no interview at {visit.label.lower()}", stay, {}))
    return steps


def _bool(facts: Facts, name: str) -> np.ndarray | None:
    return facts.group(name, "True")


def _has(facts: Facts, basis: Basis, who: str, name: str) -> Any:
    """Return who has a value of a variable; None where that is not known here."""
    if who != "analysed":
        return facts.has(name, who == "practitioners")
    known = facts.completed(name, basis.exposed) if basis.completed else facts.observed(name)
    if basis.lived and known is not None:
        return known | facts.dead(name.rpartition("_")[2])
    return known


def of_completed(row: Row) -> bool:
    """Return whether a row rests on completed tables."""
    return bool(row["population"] == Population.COMPLETED)
