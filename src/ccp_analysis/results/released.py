"""The results and the flow as they may leave the house: where data are real, without few people.

The rules are those of `acro` (docs/disclosure.md). What is not shown is empty here, its row says
`suppressed`; the reports say so wherever it would stand.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pandas as pd

from ccp_analysis.config.models import Model
from ccp_analysis.config.study import Study
from ccp_analysis.results.protect import Counts, Key, hidden, is_small
from ccp_analysis.results.table import ESTIMATES, KEY, as_numbers
from ccp_analysis.results.terms import Population, Status, Term

ALL = "all"
FEW = "not shown: it is of too few people, or such a number would follow from it"
WITHHELD = "suppressed"  # in the place of a number of the flow
VALUES = [column for column in ESTIMATES if column != "conf_level"] + ["p_adjusted", "mc_error"]
# They are those of single people, however many there are.
SINGLE = (
    *(Term.MINIMUM, Term.MAXIMUM, Term.COOK, Term.WITHOUT_PERSON, Term.LARGEST, Term.TOP_SHARE),
)
COUNTED = (Term.OBSERVED, Term.MISSING, Term.NUMBER, Term.EVENTS, Term.ABOVE_COOK, Term.EFFECTIVE)
SHARES = (Term.PROPORTION, Term.REACHED, Term.TOP_BOXES, Term.NAMED, Term.USERS)
USE = (Term.MEAN_USE, Term.SD_OF_USE, Term.MEAN_COST, Term.SD_OF_COST)
BY_PAIR = (Term.PAIR_DIFFERENCE, Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR)
BY_CLUSTER = (Term.WITHOUT_CLUSTER, Term.CHANGE_WITHOUT_CLUSTER)
_PEOPLE = re.compile(
    r"\b\d[\d,]*(?:\.\d+)?(?= (?:of \d+ )?(?:people|participants|persons?|practitioners|others)\b)"
)


@dataclass
class Released:
    """What may be shown.

    Attributes
    ----------
    table : pandas.DataFrame
        The results table.
    flow : dict
        The participant flow.
    counts : Counts
        All counts of people in both, and how they hang together.
    away : set
        Those that are not shown.
    places : list of tuple
        Cell and where it is printed: row and column of the table, or a path in the flow.
    """

    table: pd.DataFrame
    flow: dict[str, Any]
    counts: Counts = field(default_factory=Counts)
    away: set[Key] = field(default_factory=set)
    places: list[tuple[Key, tuple[Any, ...]]] = field(default_factory=list)


def released(table: pd.DataFrame, flow: dict[str, Any], study: Study) -> Released:
    """Return the results and the flow without what is of few people, where data are real.

    Parameters
    ----------
    table : pandas.DataFrame
        The results table.
    flow : dict
        The participant flow.
    study : Study
        Its `disclosure` says how many are few.

    Returns
    -------
    Released
        Of other data both as they were.
    """
    found = Released(table, flow)
    if study.guarded:
        found = Released(table.copy(), copy.deepcopy(flow))
        _Guard(study, found).release()
    return found


class _Guard:
    """Finds the counts, hides what must be, and empties the cells that rest on it."""

    def __init__(self, study: Study, found: Released) -> None:
        self.study, self.found, self.counts = study, found, found.counts
        self.smallest = study.disclosure.smallest
        self.rows: list[dict[str, Any]] = found.table.to_dict("records")
        self.behind: list[set[Key]] = [set() for _ in self.rows]  # an estimate goes with these
        self.sizes: list[Key | None] = [None for _ in self.rows]
        self.arm_of: dict[str, str] = {}
        self.pair_of: dict[str, str] = {}
        self.stages = [stage["stage"] for stage in found.flow["stages"]]

    def release(self) -> None:
        self._flow()
        self._described()
        self._sizes()
        self._shares()
        self.found.away = hidden(self.counts, self.smallest)
        self._empty()

    # The flow

    def _put(self, key: Key, holder: Any, name: Any, *path: Any) -> Key:
        key = self.counts.put(key, holder[name])
        self.found.places.append((key, ("flow", *path, name)))
        return key

    def _flow(self) -> None:
        flow, names = self.found.flow, {}
        for at, stage in enumerate(flow["stages"]):
            for entry in stage.get("by_cluster", ()):
                self.arm_of[entry["cluster"]] = entry["arm"]
                self.pair_of[entry["cluster"]] = entry["pair"]
            self._group(("in", stage["stage"]), stage, "stages", at)
            self._lost(stage, at)
        first = {"recruited": "recruited", "itt": self.study.baseline.id}
        for at, entry in enumerate(flow.get("sets", ())):
            same = next((s for s in flow["stages"] if _alike(s, entry)), {"stage": ""})["stage"]
            name = ("in", first.get(entry["set"], same or f"set {entry['set']}"))
            names[entry["set"]] = name
            self._group(name, entry, "sets", at)
            self._parts((*name, "left out"), entry.get("left_out", ()), "sets", at, "left_out")
        chain = [("in", stage) for stage in self.stages] + list(names.values())
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
            own = [self._put((*name, one), why, one, *path, "reasons") for one in why]
            self.counts.relate(total, own)

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
                self.counts.relate(
                    ("in", before, group), [("in", stage["stage"], group), *parts]
                )

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
        self.found.places.append((key, ("row", at, column)))
        if column == "n":
            self.sizes[at] = key
        else:
            self.behind[at].add(key)
        return key

    def _described(self) -> None:
        """Put characteristics, outcomes and events: how many have each, by arm and in all."""
        base, families = self.study.baseline.id, {}
        for at, row in enumerate(self.rows):
            if row["term"] not in COUNTED or row["scale"] != "count" or _no(row["estimate"]):
                continue
            term, level, sub = row["term"], row["level"], row["subgroup"]
            key = ("count", row["analysis"], row["outcome"], row["visit"], row["population"])
            key = (*key, row["model"], term, sub, level)
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
            if _no(n):
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
            if is_small(n, self.smallest):
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
            if term not in SHARES or _no(n) or _no(share):
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

    # What is left

    def _empty(self) -> None:
        """Take out of table and flow what is not shown, and list it."""
        away = self.found.away
        few = {at for at, keys in enumerate(self.behind) if keys & away}
        few |= self._means_beside(few)
        known = {
            number
            for key, number in self.counts.values.items()
            if key[0] == "in" and key not in away and self.counts.uses[key]
        }
        self.found.flow["suppressed"] = list(map(list, self._list(few)))
        for at, (row, size) in enumerate(zip(self.rows, self.sizes, strict=True)):
            row["note"] = _PEOPLE.sub(partial(_said, known), row["note"])
            if size in away:
                row |= dict.fromkeys(("n", "df", "df_num"))
                row |= {"n_clusters": None} if row["model"] == Model.REPEATED else {}
                digits = self.study.disclosure.digits
                row |= {column: _rounded(row[column], digits) for column in VALUES}
            if at in few:
                row |= dict.fromkeys(VALUES) | {"status": Status.SUPPRESSED.value, "note": FEW}
        self.found.table = as_numbers(pd.DataFrame(self.rows, columns=self.found.table.columns))
        for key, place in self.found.places:
            if place[0] == "flow" and key in away:
                part: Any = self.found.flow
                for step in place[1:-1]:
                    part = part[step]
                part[place[-1]] = WITHHELD

    def _means_beside(self, few: set[int]) -> set[int]:
        """Return rows that with the whole would tell the mean of a subgroup that is not shown."""
        families: dict[Key, dict[str, int]] = {}
        for at, row in enumerate(self.rows):
            if not _no(row["n"]) and row["term"] in (Term.MEAN, Term.SD, Term.MEDIAN, *SHARES):
                key = tuple(row[c] for c in KEY if c != "subgroup")
                families.setdefault(key, {})[row["subgroup"]] = at
        more: set[int] = set()
        for own in families.values():
            parts = [at for sub, at in own.items() if sub]
            gone = [at for at in parts if at in few]
            whole = sum(self.rows[at]["n"] for at in gone)
            if "" not in own or own[""] in few or not gone:
                continue
            rest = sorted((at for at in parts if at not in gone), key=lambda a: self.rows[a]["n"])
            while rest and (len(gone) < 2 or whole < self.smallest):
                gone.append(rest.pop(0))
                whole += self.rows[gone[-1]]["n"]
                more.add(gone[-1])
        return more

    def _list(self, few: set[int]) -> Iterator[tuple[str, str, str, str]]:
        """Yield file, place, what and why of everything that is not shown."""
        small = f"fewer than {self.smallest} people, or such a number would follow from it"
        single = "a value of a single person"
        for at in sorted(few):
            row = self.rows[at]
            why = single if row["term"] in SINGLE else small
            yield "results.csv", row["row"], "estimate and interval", why
        for key, place in self.found.places:
            if key not in self.found.away:
                continue
            if place[0] == "flow":
                yield "flow", "/".join(map(str, place[1:])), "number of people", small
            elif place[2] == "n" and place[1] not in few:
                yield "results.csv", self.rows[place[1]]["row"], "n", small


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two groups have the same numbers: anyone would take them for the same people."""
    return all(one.get(name) == other.get(name) for name in ("n", "by_arm", "by_cluster"))


def _said(known: set[int], found: re.Match[str]) -> str:
    """Return a number of people in a note: as it is where it stands elsewhere too."""
    number = float(found[0].replace(",", ""))
    return found[0] if number == 0 or number in known or number >= 1000 else "some"


def _no(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _rounded(value: Any, digits: int) -> Any:
    if _no(value) or not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.{digits}g}")
