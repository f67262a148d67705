"""The study's own checks of its data, within a row and across files: ``config/rules.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import Name, Strict, first_of, load, place
from ccp_analysis.config.study import Study
from ccp_analysis.layout import RULES


class _Rule(Strict):
    """What every rule has: an id, how serious it is, and what is done with the values it finds."""

    id: Name
    """Name of the rule, for queries and decisions."""
    label: str
    """What the query says."""
    severity: Literal["error", "query", "note"] = "query"
    """How serious it is."""
    action: Literal["keep", "set missing"] = "keep"
    """What is done with the values it finds."""


class Order(_Rule):
    """One date must not lie before another."""

    kind: Literal["order"]
    """One date must not lie before another."""
    first: str
    """Variable of the earlier date."""
    then: str
    """Variable of the later one, which is asked about."""

    @property
    def dates(self) -> list[str]:
        """Variables that must be dates."""
        return [self.first, self.then]


class Window(_Rule):
    """A date must lie so many days after another: at least and at most."""

    kind: Literal["window"]
    """A date must lie within some days of another."""
    since: str
    """Variable of the date from which days are counted."""
    date: str
    """Variable of the date that is asked about."""
    days: tuple[int, int]
    """Fewest and most days."""

    @model_validator(mode="after")
    def _rising(self) -> Window:
        if self.days[0] > self.days[1]:
            raise ValueError("days: the first must not be larger than the second")
        return self

    @property
    def dates(self) -> list[str]:
        """Variables that must be dates."""
        return [self.since, self.date]


class Age(_Rule):
    """An age in years must agree with a date of birth, but for `tolerance` years."""

    kind: Literal["age"]
    """An age must agree with a date of birth."""
    age: str
    """Variable of the age, which is asked about."""
    birth: str
    """Variable of the date of birth."""
    at: str
    """Variable of the date at which the age holds."""
    tolerance: int = Field(default=1, ge=0)
    """By how many years they may differ."""

    @property
    def dates(self) -> list[str]:
        """Variables that must be dates."""
        return [self.birth, self.at]


class Agree(_Rule):
    """Variables, as of several files, must have the same value where they have one."""

    kind: Literal["agree"]
    """Variables must hold the same."""
    variables: list[str] = Field(min_length=2)
    """The first, and those that are asked about."""


class Skip(_Rule):
    """Where a variable has one of some values, others must be missing.

    `value` is what they are worth where they rightly are: no days off work without work.
    """

    kind: Literal["skip"]
    """Questions that were rightly not asked."""
    when: str
    """Variable on which it depends."""
    values: list[str] = Field(alias="is", min_length=1)
    """Its codes with which the others are not asked."""
    missing: list[str] = Field(min_length=1)
    """Variables that are then missing."""
    value: float | None = None
    """What they are worth then, where that is known."""


class NothingAfter(_Rule):
    """After some events, as withdrawn consent or death, there must be no date of these."""

    kind: Literal["nothing after"]
    """Nothing can be known after an event."""
    events: list[str] = Field(min_length=1)
    """Events of the file of losses."""
    variables: list[str] = Field(alias="dates", min_length=1)
    """Variables that must be missing after them."""

    @property
    def dates(self) -> list[str]:
        """Variables that must be dates."""
        return self.variables


Rule = Annotated[Order | Window | Age | Agree | Skip | NothingAfter, Field(discriminator="kind")]


class Rules(Strict):
    """The study's own checks of its data: ``config/rules.yaml``."""

    rules: list[Rule]
    """The study's own checks of its data, in order."""


def variables_of(rule: Rule) -> list[str]:
    """Return all variables that a rule names."""
    names = [*getattr(rule, "dates", []), *getattr(rule, "variables", [])]
    names += [*getattr(rule, "missing", [])]
    names += [getattr(rule, key) for key in ("age", "when") if hasattr(rule, key)]
    return list(dict.fromkeys(names))


def asked_about(rule: Rule) -> list[str]:
    """Return the variables that a rule asks about, and would set missing."""
    if isinstance(rule, Order):
        return [rule.then]
    if isinstance(rule, Window):
        return [rule.date]
    if isinstance(rule, Age):
        return [rule.age]
    if isinstance(rule, Agree):
        return rule.variables[1:]
    return rule.missing if isinstance(rule, Skip) else rule.variables


def load_rules(study: Study, dictionary: list[Column]) -> list[Rule]:
    """Read the rules; none where there is no such file.

    Parameters
    ----------
    study, dictionary
        For the variables, codes and events that rules may name.

    Raises
    ------
    StudyError
        Names the first fault; `faults` lists all.
    """
    if not RULES.is_file():
        return []
    rules = load(Rules, RULES).rules
    by_variable = {column.variable: column for column in dictionary}
    faults = [
        f"{place(RULES, 'rules', rule.id)}: {rule.id}: {fault}."
        for number, rule in enumerate(rules)
        for fault in _faults(rule, study, by_variable, {r.id for r in rules[:number]})
    ]
    if faults:
        raise first_of(faults)
    return rules


def _faults(
    rule: Rule, study: Study, columns: dict[str, Column], earlier: set[str]
) -> Iterator[str]:
    if rule.id in earlier:
        yield "the id stands twice"
    known = [name for name in variables_of(rule) if name in columns]
    for name in variables_of(rule):
        if name not in columns:
            yield f"'{name}' is not a variable of the data dictionary"
        elif study.files[columns[name].file].rows == "practitioner":
            yield f"'{name}' belongs to practitioners; rules are about participants"
        elif (
            rule.action != "keep"
            and name in asked_about(rule)
            and study.files[columns[name].file].rows == "cluster"
        ):
            yield f"'{name}' belongs to a cluster; only the action 'keep' goes with it"
    for name in getattr(rule, "dates", []):
        if name in columns and columns[name].type != "date":
            yield f"'{name}' is not a date in the data dictionary"
    events = {columns[n].file for n in known if study.files[columns[n].file].rows == "event"}
    if len(events) > 1:
        yield "it names variables of several files of events; one is expected"
    if isinstance(rule, Age) and rule.age in columns and not columns[rule.age].numeric:
        yield f"'{rule.age}' is not a number in the data dictionary"
    if isinstance(rule, Skip) and rule.when in columns:
        codes = columns[rule.when].codes
        for value in rule.values:
            if value not in codes:
                yield f"'{value}' is not one of the codes of '{rule.when}'"
    if isinstance(rule, Skip) and rule.value is not None:
        named = [columns[n] for n in (rule.when, *rule.missing) if n in columns]
        if any(study.files[column.file].rows == "event" for column in named):
            yield "a value goes with variables of participants, not with those of events"
        yield from _worth_faults(rule, named[1:])
    if isinstance(rule, NothingAfter):
        if study.losses is None:
            yield "the study declares no losses, and so no events"
        elif study.losses.event in columns:
            for event in rule.events:
                if event not in columns[study.losses.event].codes:
                    yield f"'{event}' is not one of the codes of '{study.losses.event}'"


def _worth_faults(rule: Skip, columns: list[Column]) -> Iterator[str]:
    """Yield why skipped variables cannot have the value that the rule gives them."""
    assert rule.value is not None
    for column in columns:
        low, high = column.minimum, column.maximum
        if not column.numeric:
            yield f"a value does not go with '{column.variable}', which is not a number"
        elif (low is not None and rule.value < low) or (high is not None and rule.value > high):
            yield f"the value {rule.value:g} lies outside the limits of '{column.variable}'"
