"""Where a variable comes from: raw columns, how it is scored, what cleaning did to its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ccp_analysis.archive.explained import money
from ccp_analysis.archive.explained.facts import Facts
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.rules import asked_about, variables_of
from ccp_analysis.implementation.exposures import CONTACTS

COST = "cost"
_WORD = re.compile(r"[A-Za-z_]\w*")
READ = re.compile(r"^read as .*")  # what it was read as is a value of somebody
FEWER = "fewer than {}"
Node = dict[str, Any]


class Lineage:
    """The variables of a study as a tree whose leaves are raw columns; each is looked up once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._nodes: dict[tuple[str, bool, str], Node] = {}
        self._cleaned: dict[tuple[tuple[str, str], ...], list[Node]] = {}
        self._ruled: dict[frozenset[str], list[Node]] = {}
        self._asked = [(rule, set(variables_of(rule))) for rule in facts.rules]

    def node(self, name: str, staff: bool = False, perspective: str = "") -> Node:
        """Return what a variable is, of what it is made, and the raw columns at the end.

        Parameters
        ----------
        name : str
            As in the derived tables, with its visit.
        staff : bool
            Whether it is of practitioners.
        perspective : str
            Whose costs count, of a total of costs; of the main evaluation unless given.
        """
        key = (name, staff, perspective)
        if key not in self._nodes:
            self._nodes[key] = self._node(name, staff, perspective)
        return self._nodes[key]

    def _node(self, name: str, staff: bool, perspective: str) -> Node:
        columns = self._columns(name, staff)
        if columns:
            return _raw(self.facts, name, columns)
        stem, visit = self._parted(name)
        if stem in self.facts.instruments and visit:
            return self._score(name, stem, visit)
        made, parts, label = self._made(name, stem, visit, perspective)
        return self._composed(name, label or name, "derived", made, parts)

    def _columns(self, name: str, staff: bool) -> list[Column]:
        """Return the raw columns of a variable: of practitioners, or of participants and events."""
        found, files = self.facts.columns.get(name, []), self.facts.study.files
        others = "participant" if staff else "practitioner"
        return [c for c in found if files[c.file].rows != others] or found

    def _parted(self, name: str) -> tuple[str, str]:
        for visit in self.facts.study.visits:
            stem = name.removesuffix(f"_{visit.id}")
            if stem != name:
                return stem, visit.id
        return name, ""

    def _score(self, name: str, stem: str, visit: str) -> Node:
        """Return a score of an instrument, of its items and whatever values them."""
        one, facts = self.facts.instruments[stem], self.facts
        parts = [f"{item}_{visit}" for item in one.items]
        made = scored(one)
        if one.valued_by:
            parts += [one.valued_by.age, one.valued_by.sex]
            made += f"; whose value is whose goes by {one.valued_by.age} and {one.valued_by.sex}"
        losses = facts.study.losses
        if one.value_set and losses and losses.death and visit != facts.study.baseline.id:
            parts += [losses.event, losses.date]
            made += f"; 0 after the event '{losses.death}'"
        node = self._composed(name, one.label, "score", made, parts)
        low, high = one.range
        return node | {"range": [low, high], "unit": one.unit, "better": one.benefit}

    def _made(
        self, name: str, stem: str, visit: str, perspective: str
    ) -> tuple[str, list[str], str]:
        """Say how a variable of the pipeline's own is made, of what, and what it is called."""
        facts, study = self.facts, self.facts.study
        losses, delivery, drugs = study.losses, study.delivery, study.medication
        formula = facts.plan.imputation.derived.get(name)
        if formula is not None:
            parts = [word for word in dict.fromkeys(_WORD.findall(formula)) if word != name]
            known = [part for part in parts if part in facts.measured]
            return f"by the formula {formula} of the plan", known, ""
        if stem == COST and facts.economics:
            own = perspective or facts.economics.main
            used = money.used_at(facts, [visit], own)
            label = f"{facts.labels.outcome(COST)}, {facts.economics.perspectives[own].label}"
            return "the use of each service times its price, added up", used, label
        if stem == "interviewed":
            of = study.visit(visit)
            label = f"Interview at {of.label.lower()}"
            if of.file:
                name = study.files[of.file].path.name
                return f"whether {name} has a row of the participant", [f"@{of.file}"], label
            there = [v for v, cs in facts.columns.items() if cs[0].visit == visit]
            return "whether anything was recorded at the visit", there, label
        if stem == "alive" and losses:
            label = "Share of the period lived through"
            return "from the date of death", [losses.event, losses.date], label
        if name == CONTACTS and delivery:
            label = "Number of contacts"
            return "the contacts recorded of a participant, counted", _contacts(facts), label
        if drugs and stem == drugs.service:
            parts = [drugs.visit, drugs.drug, drugs.quantity, drugs.price]
            return "quantity times price of each drug listed, added up", parts, drugs.label
        return "made by the pipeline", [], ""

    def _composed(self, name: str, label: str, kind: str, made: str, parts: list[str]) -> Node:
        raw: dict[tuple[str, str], Node] = {}
        for part in parts:
            if part.startswith("@"):
                found = [c for c in self.facts.columns["participant"] if c.file == part[1:]]
                leaves = [_place(self.facts, column) for column in found]
            else:
                leaves = self.node(part)["raw"]
            raw |= {(leaf["file"], leaf["column"]): leaf for leaf in leaves}
        of = [part for part in parts if not part.startswith("@")]
        return {
            "variable": name,
            "label": label,
            "kind": kind,
            "made": made,
            "of": of,
            "raw": list(raw.values()),
        }

    def cleaned(self, raw: Iterable[Node]) -> list[Node]:
        """Return what cleaning did to cells of raw columns: rules of the study, queries, decisions.

        Counts alone; of real data those of few are not said.
        """
        leaves = list(raw)
        key = tuple((leaf["file"], leaf["column"]) for leaf in leaves)
        if key not in self._cleaned:
            self._cleaned[key] = list(self._cleaning(leaves))
        return self._cleaned[key]

    def _cleaning(self, leaves: list[Node]) -> Iterable[Node]:
        done: Counter[tuple[str, str]] = Counter()
        answered: Counter[tuple[str, str]] = Counter()
        for leaf in leaves:
            place = leaf["path"].rpartition("/")[2], leaf["column"]
            for query in self.facts.queries.get(place, ()):
                kind = query["rule"], READ.sub("read as what was meant", query["action"])
                done[kind] += 1
                answered[kind] += bool(query["decision"])
        for (rule, action), n in sorted(done.items(), key=lambda item: (-item[1], item[0])):
            decided = answered[rule, action]
            yield {
                "rule": rule,
                "action": action,
                "cells": self._few(n),
                "decided": self._few(decided),
            }

    def _few(self, n: int) -> int | str:
        smallest = self.facts.study.disclosure.smallest
        return FEWER.format(smallest) if self.facts.study.guarded and 0 < n < smallest else n

    def rules(self, raw: Iterable[Node]) -> list[Node]:
        """Return the rules of the study that read, or change, any of the variables at the end."""
        ends = frozenset(leaf["variable"] for leaf in raw)
        if ends not in self._ruled:
            self._ruled[ends] = self._rules(ends)
        return self._ruled[ends]

    def _rules(self, ends: frozenset[str]) -> list[Node]:
        return [
            {
                "rule": rule.id,
                "label": rule.label,
                "kind": rule.kind,
                "action": rule.action,
                "asks about": sorted(ends.intersection(asked_about(rule))),
                "reads": sorted(names),
            }
            for rule, names in self._asked
            if names & ends
        ]


def scored(one: Instrument) -> str:
    """Say how the items of an instrument make its score."""
    if one.value_set:
        return f"one less the decrements of {one.value_set.as_posix()} for the state of the items"
    how = f"the {one.score} of {len(one.items)} items"
    if one.reversed:
        how += f", {len(one.reversed)} of them scored from the other end"
    if one.minimum_answered < 1:
        how += (
            f", if at least {one.minimum_answered:.0%} are answered; the others then count as the "
            "person's mean of those answered"
        )
    else:
        how += ", if all are answered"
    return how


def _contacts(facts: Facts) -> list[str]:
    named = facts.study.delivery
    return [named.date, named.step, named.practitioner] if named else []


def _place(facts: Facts, column: Column) -> Node:
    path = facts.study.files[column.file].path.as_posix()
    return {
        "file": column.file,
        "path": path,
        "column": column.column,
        "variable": column.variable,
    }


def _raw(facts: Facts, name: str, columns: list[Column]) -> Node:
    """Return a variable that is read from raw columns as it is."""
    first = columns[0]
    node: Node = {
        "variable": name,
        "label": first.label,
        "kind": "raw",
        "made": "read as it is",
        "of": [],
        "raw": [_place(facts, column) for column in columns],
        "type": first.type,
        "unit": first.unit,
    }
    if first.codes:
        node["codes"] = {code: names[0] if names else code for code, names in first.codes.items()}
    if (first.minimum, first.maximum) != (None, None):
        node["range"] = [first.minimum, first.maximum]
    return node
