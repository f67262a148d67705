"""Which counts of people the results and the flow have, and how they hang together."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pandas as pd

from ccp_analysis.config.models import Model
from ccp_analysis.config.study import Study
from ccp_analysis.results.protect import Counts, Key, is_small
from ccp_analysis.results.table import KEY
from ccp_analysis.results.terms import Population, Term

ALL = "all"
# They are those of single people, however many there are.
SINGLE = (
    *(Term.MINIMUM, Term.MAXIMUM, Term.COOK, Term.WITHOUT_PERSON, Term.LARGEST, Term.TOP_SHARE),
)
COUNTED = (Term.OBSERVED, Term.MISSING, Term.NUMBER, Term.EVENTS, Term.ABOVE_COOK, Term.EFFECTIVE)
# Counts of a trial that is only thought of: of nobody, however small.
IMAGINED = (Term.REQUIRED, Term.REQUIRED_PAIRS, Term.CHEAPEST_PEOPLE)
SHARES = (Term.PROPORTION, Term.REACHED, Term.TOP_BOXES, Term.NAMED, Term.USERS, Term.LOST)
USE = (Term.MEAN_USE, Term.SD_OF_USE, Term.MEAN_COST, Term.SD_OF_COST)
BY_PAIR = (Term.PAIR_DIFFERENCE, Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR)
BY_CLUSTER = (Term.WITHOUT_CLUSTER, Term.CHANGE_WITHOUT_CLUSTER)


class Counted:
    """All counts of people in the results and the flow.

    Attributes
    ----------
    counts : Counts
        What they are, and how they hang together.
    rows : list of dict
        The rows of the results.
    behind : list of set
        Of each row the cells on which its estimate rests.
    sizes : list
        Of each row the cell that is its n; None where it has none.
    places : list of tuple
        Cell and where it is printed: row and column of the results, or a path in the flow.
    """

    def __init__(self, study: Study, table: pd.DataFrame, flow: dict[str, Any]) -> None:
        self.study, self.flow, self.counts = study, flow, Counts()
        self.places: list[tuple[Key, tuple[Any, ...]]] = []
        self.smallest = study.disclosure.smallest
        self.rows: list[dict[str, Any]] = table.to_dict("records")
        self.behind: list[set[Key]] = [set() for _ in self.rows]
        self.sizes: list[Key | None] = [None for _ in self.rows]
        self.arm_of: dict[str, str] = {}
        self.pair_of: dict[str, str] = {}
        self.stages = [stage["stage"] for stage in flow["stages"]]
        self._flow()
        self._described()
        self._sizes()
        self._shares()

    # The flow

    def _put(self, key: Key, holder: Any, name: Any, *path: Any) -> Key:
        key = self.counts.put(key, holder[name])
        self.places.append((key, ("flow", *path, name)))
        return key

    def _flow(self) -> None:
        flow = self.flow
        names: dict[str, Key] = {}
        for at, stage in enumerate(flow["stages"]):
            for entry in stage.get("by_cluster", ()):
                self.arm_of[entry["cluster"]] = entry["arm"]
                self.pair_of[entry["cluster"]] = entry["pair"]
            self._group(("in", stage["stage"]), stage, "stages", at)
            self._lost(stage, at)
        first = {"recruited": "recruited", "itt": self.study.baseline.id}
        for at, entry in enumerate(flow.get("sets", ())):
            same = next((s for s in flow["stages"] if _alike(s, entry)), {"stage": ""})["stage"]
            name: Key = ("in", first.get(entry["set"], same or f"set {entry['set']}"))
            names[entry["set"]] = name
            self._group(name, entry, "sets", at)
            self._parts((*name, "left out"), entry.get("left_out", ()), "sets", at, "left_out")
        chain: list[Key] = [("in", stage) for stage in self.stages] + list(names.values())
        for one, other in pairwise(chain):
            self._between(one, other)
        for name in chain:
            self._between(("in", self.stages[0]), name)
            self._between(("in", self.stages[min(1, len(self.stages) - 1)]), name)
        for kind in ("files", "rows"):
            for at, entry in enumerate(flow.get(kind, ())):
                own = {
                    name: self._put(("file", entry["file"], name), entry, name, kind, at)
                    for name, value in entry.items()
                    if isinstance(value, int)
                }
                left, kept = own.get("identical_rows_left_out"), own.get("kept")
                if left and kept:
                    self.counts.relate(own["rows"], [left, kept])
                shown = [k for name, k in own.items() if name not in ("rows", "kept")]
                if kept is None:
                    self.counts.relate(own["rows"], shown)
                else:
                    self.counts.relate(kept, [k for k in shown if k != left])
        for at, entry in enumerate(flow.get("expected", ())):
            self._put(("in", entry["stage"], ALL), entry, "found", "expected", at)
        for at, entry in enumerate(flow.get("deaths", ())):
            self._group(("died", entry["visit"]), entry, "deaths", at)
        for at, entry in enumerate(flow.get("set_missing", ())):
            path, name = ("set_missing", at), ("removed", entry["name"])
            total = self._put(name, entry, "n", *path)
            why = entry["reasons"]
            self.counts.relate(
                total, [self._put((*name, one), why, one, *path, "reasons") for one in why]
            )

    def _group(self, name: Key, entry: dict[str, Any], *path: Any) -> None:
        """Put the numbers of a group in all, by arm and by cluster."""
        total = self._put((*name, ALL), entry, "n", *path)
        arms = {
            arm: self._put((*name, arm), entry["by_arm"], arm, *path, "by_arm")
            for arm in entry["by_arm"]
        }
        self.counts.relate(total, arms.values())
        clusters = [
            (own["arm"], self._put((*name, own["cluster"]), own, "n", *path, "by_cluster", at))
            for at, own in enumerate(entry.get("by_cluster", ()))
        ]
        for arm, key in arms.items():
            self.counts.relate(key, [own for of, own in clusters if of == arm])

    def _lost(self, stage: dict[str, Any], at: int) -> None:
        """Put those not interviewed, by reason, who with those interviewed make those before."""
        name, path = ("lost", stage["stage"]), ("stages", at)
        self._parts(name, stage.get("missing", ()), *path, "missing")
        whole = stage.get("missing_by_arm", {})
        for arm in whole:
            total = self._put((*name, arm), whole, arm, *path, "missing_by_arm")
            self.counts.relate(total, [k for k in self._named(name) if k[-1] == arm and k != total])
        for before in self.stages[:at]:
            for group in (ALL, *self.study.arms.ordered):
                parts = [k for k in self._named((*name, "by")) if k[-1] == group]
                self.counts.relate(("in", before, group), [("in", stage["stage"], group), *parts])

    def _parts(self, name: Key, parts: Any, *path: Any) -> None:
        """Put parts by reason, in all and by arm, and the events recorded with them."""
        for at, part in enumerate(parts):
            own = (*name, "by", part["reason"])
            total = self._put((*own, ALL), part, "n", *path, at)
            arms = [
                self._put((*own, arm), part["by_arm"], arm, *path, at, "by_arm")
                for arm in part["by_arm"]
            ]
            self.counts.relate(total, arms)
            said = part.get("recorded") or {}
            recorded = [
                self._put(("recorded", *own, why), said, why, *path, at, "recorded") for why in said
            ]
            self.counts.relate(total, recorded)

    def _named(self, start: Key) -> list[Key]:
        return [key for key in self.counts.values if key[: len(start)] == start]

    def _between(self, one: Key, other: Key) -> None:
        """Add those of a group who are not in a later one, of whom anyone subtracts."""
        for group in (ALL, *self.study.arms.ordered, *self.arm_of):
            self.counts.beside((*one, group), (*other, group))

    # The results

    def _cell(self, at: int, key: Key, value: float, column: str = "estimate") -> Key:
        key = self.counts.put(key, round(value))
        self.places.append((key, ("row", at, column)))
        if column == "n":
            self.sizes[at] = key
        else:
            self.behind[at].add(key)
        return key

    def _described(self) -> None:
        """Put characteristics, outcomes and events: how many have each, by arm and in all."""
        base = self.study.baseline.id
        families: dict[Key, dict[str, Key]] = {}
        for at, row in enumerate(self.rows):
            if row["term"] not in COUNTED or row["scale"] != "count" or no_number(row["estimate"]):
                continue
            term, level, sub = row["term"], row["level"], row["subgroup"]
            of = [row[c] for c in ("analysis", "outcome", "visit", "population", "model")]
            key: Key = ("count", *of, term, sub, level)
            if row["analysis"] == "descriptive" and term == Term.OBSERVED:
                key = self._observed(row)
            if abs(row["estimate"] - round(row["estimate"])) > 1e-9:
                if is_small(row["estimate"], self.smallest):
                    self.behind[at].add(self._few())
                continue
            families.setdefault(key[:-1], {})[level] = self._cell(at, key, row["estimate"])
        for own in families.values():
            if ALL in own:
                self.counts.relate(own[ALL], [key for level, key in own.items() if level != ALL])
        for name, own in families.items():
            for level, key in own.items():
                if name[0] != "count":
                    missing = ("count", "descriptive", *name[1:3], str(Population.COMPLETED))
                    missing = (*missing, str(Model.NONE), Term.MISSING, "", level)
                    self.counts.relate(("in", base, level), [key, missing])
                    self._categories(key, ("count", *missing[1:6], Term.NUMBER), level, families)
                    if name[2] and name[2] in self.stages:
                        self.counts.beside(("in", name[2], level), key)
                elif name[6] == Term.EVENTS and not name[7]:
                    self._categories(key, name[:7], level, families)
                elif name[6] == Term.NUMBER and not name[7]:
                    self.counts.beside(("in", base, level), key)

    def _categories(self, total: Key, start: Key, level: str, families: Any) -> None:
        parts = [
            own[level]
            for name, own in families.items()
            if name[:7] == start and name[7] and level in own
        ]
        if not self.counts.relate(total, parts):
            return
        for part in parts:
            self.counts.beside(total, part)

    def _observed(self, row: dict[str, Any]) -> Key:
        return ("observed", row["outcome"], row["visit"], row["level"])

    def _few(self) -> Key:
        key = self.counts.put(("few",), 1)
        self.counts.small.add(key)
        return key

    def _sizes(self) -> None:
        """Put how many people each row rests on: one who nearly is in a group hides the number."""
        families: dict[Key, dict[str, Key]] = {}
        for at, row in enumerate(self.rows):
            n = row["n_clusters"] if row["model"] == Model.REPEATED else row["n"]
            if no_number(n):
                continue
            group = self._group_of(row)
            described = row["analysis"] == "descriptive" and self._observed(row) in (
                self.counts.values
            )
            same = [s for s in self.stages if self.counts.values.get(("in", s, group)) == n]
            base = self.study.baseline.id
            if same:
                key: Key = ("in", base if base in same else same[0], group)
            elif described and self.counts.values[self._observed(row)] == n:
                key = self._observed(row)
            else:
                of = [row[c] for c in ("analysis", "outcome", "visit", "population", "level")]
                key = ("n", *of, row["subgroup"], int(n))
            key = self._cell(at, key, n, "n")
            if is_small(n, self.smallest) and row["scale"] != "count":
                self.behind[at].add(key)
            if key[0] == "n":
                for stage in self.stages:
                    self.counts.beside(("in", stage, group), key)
            family = tuple(row[c] for c in KEY if c != "subgroup")
            families.setdefault(family, {})[row["subgroup"]] = key
        self._add_up(families)

    def _add_up(self, families: dict[Key, dict[str, Key]]) -> None:
        """Add that subgroups make the whole, if they do."""
        for own in families.values():
            if "" in own:
                self.counts.relate(own[""], [key for sub, key in own.items() if sub])

    def _group_of(self, row: dict[str, Any]) -> str:
        """Return of which cluster or arm a row is; of all where of neither."""
        for name in (row["subgroup"], row["level"]):
            if name in self.arm_of:
                return str(name)
        return str(row["level"]) if row["level"] in self.study.arms.levels else ALL

    def _shares(self) -> None:
        """Put the people behind shares, and what else an estimate rests on."""
        families: dict[Key, dict[str, Key]] = {}
        users: dict[Key, Key] = {}
        for at, row in enumerate(self.rows):
            term, n, share = row["term"], row["n"], row["estimate"]
            if term in SINGLE:
                self.behind[at].add(self._few())
            if term not in SHARES or no_number(n) or no_number(share):
                continue
            family = tuple(row[c] for c in KEY if c != "subgroup")
            counted = ("count", *(row[c] for c in ("analysis", "outcome", "visit", "population")))
            key = (*counted, row["model"], Term.NUMBER, row["subgroup"], row["level"])
            if key not in self.counts.values:
                key = ("share", *family, row["subgroup"])
            key = self._cell(at, key, n * share)
            size = self.sizes[at]
            if size:
                self.behind[at].add(size)
                self.counts.beside(size, key)
            families.setdefault(family, {})[row["subgroup"]] = key
            if term == Term.USERS:
                users[tuple(row[c] for c in ("outcome", "visit", "level"))] = key
        self._add_up(families)
        for at, row in enumerate(self.rows):
            if row["term"] in USE:
                own = users.get(tuple(row[c] for c in ("outcome", "visit", "level")))
                self.behind[at] |= {own} if own else set()
        self._rest_on_parts()

    def _rest_on_parts(self) -> None:
        """Put what differences rest on: categories, both arms of a pair, a cluster left out."""
        base = self.study.baseline.id
        numbers: dict[Key, set[Key]] = {}
        for at, row in enumerate(self.rows):
            if row["term"] == Term.NUMBER:
                numbers.setdefault((row["outcome"], row["subgroup"]), set()).update(self.behind[at])
        for at, row in enumerate(self.rows):
            if row["analysis"] == "balance" and row["subgroup"]:
                self.behind[at] |= numbers.get((row["outcome"], row["subgroup"]), set())
            if row["term"] == Term.GROUP_DIFFERENCE and row["analysis"] == "events":
                self.behind[at] |= numbers.get((row["outcome"], ""), set())
            if row["term"] in BY_PAIR or row["term"] in BY_CLUSTER:
                own = [
                    cluster
                    for cluster, pair in self.pair_of.items()
                    if row["level"] in (pair if row["term"] in BY_PAIR else cluster,)
                ]
                if any(
                    is_small(self.counts.values[("in", stage, cluster)], self.smallest)
                    for cluster in own
                    for stage in {base, row["visit"] or base} & set(self.stages)
                    if ("in", stage, cluster) in self.counts.values
                ):
                    self.behind[at].add(self._few())


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two groups have the same numbers: anyone takes them for the same people."""
    return all(one.get(name) == other.get(name) for name in ("n", "by_arm", "by_cluster"))


def no_number(value: Any) -> bool:
    """Return whether there is no number."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
