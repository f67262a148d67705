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
from typing import Any

import pandas as pd

from ccp_analysis.config.events import EVENTS, NO_REASON, UNRECORDED
from ccp_analysis.config.models import Model
from ccp_analysis.config.study import Study
from ccp_analysis.results.counted import SHARES, SINGLE, Counted, no_number
from ccp_analysis.results.protect import Counts, Key, hidden
from ccp_analysis.results.table import ESTIMATES, KEY, as_numbers
from ccp_analysis.results.terms import Status, Term

FEW = "not shown: it is of too few people, or such a number would follow from it"
WITHHELD = Status.SUPPRESSED.value  # in the place of a number of the flow
VALUES = [column for column in ESTIMATES if column != "conf_level"] + ["p_adjusted", "mc_error"]
AVERAGES = (Term.MEAN, Term.SD, Term.MEDIAN, *SHARES)  # of a whole, as of its parts
_PEOPLE = re.compile(
    r"\b\d[\d,]*(?:\.\d+)?(?= (?:of \d+ )?(?:people|participants|persons?|practitioners|others)\b)"
)
# Degrees of freedom: with the clusters and what is adjusted for they make the number of people.
_WITHIN = re.compile(r"\b\d[\d,]*(?= within clusters\b)")


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
    """

    table: pd.DataFrame
    flow: dict[str, Any]
    counts: Counts = field(default_factory=Counts)
    away: set[Key] = field(default_factory=set)


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
        _Guard(study, found)
    return found


class _Guard:
    """Empties what rests on few people, and lists it."""

    def __init__(self, study: Study, found: Released) -> None:
        self.study, self.found = study, found
        self.smallest = study.disclosure.smallest
        own = Counted(study, found.table, found.flow)
        self.rows, self.behind, self.sizes = own.rows, own.behind, own.sizes
        self.places, self.counts = own.places, own.counts
        found.counts, found.away = own.counts, hidden(own.counts, self.smallest)
        self.texts = self._reasons()
        self._empty()
        self._rename(found.flow)

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
                row["note"] = _WITHIN.sub("some", row["note"])
            if at in few:
                row |= dict.fromkeys(VALUES) | {"status": Status.SUPPRESSED.value, "note": FEW}
            if row["analysis"] == EVENTS:
                row["subgroup"] = self.texts.get(row["subgroup"], row["subgroup"])
        self.found.table = as_numbers(pd.DataFrame(self.rows, columns=self.found.table.columns))
        for key, place in self.places:
            if place[0] == "flow" and key in away:
                part: Any = self.found.flow
                for step in place[1:-1]:
                    part = part[step]
                part[place[-1]] = WITHHELD
        # Whether a hidden number is the expected one must not be said either.
        expected = self.found.flow.get("expected", [])
        self.found.flow["expected"] = [e for e in expected if e["found"] != WITHHELD]

    def _reasons(self) -> dict[str, str]:
        """Return what stands in the place of reasons of which every number is hidden.

        They may be free text, which tells of whom it is. What the configuration declares stays.
        """
        told: dict[str, bool] = {}
        for key, value in self.counts.values.items():
            there = value > 0 and key not in self.found.away
            texts: list[Any] = (
                [key[key.index("by") + 1]] if key[0] == "lost" and "by" in key else []
            )
            texts += [key[-1]] if key[0] == "recorded" else []
            if key[:2] == ("count", EVENTS) and key[6] == Term.EVENTS:
                texts.append(key[7])
            for text in texts:
                told[str(text)] = told.get(str(text), False) or there
        losses = self.study.losses
        declared = {"", NO_REASON, UNRECORDED, *(losses.ending if losses else [])}
        gone = [text for text, there in told.items() if not there and text not in declared]
        return {text: f"reason {at} (not shown)" for at, text in enumerate(gone, start=1)}

    def _rename(self, part: Any) -> None:
        """Put other words for hidden reasons in flow, wherever they stand."""
        for own in part if isinstance(part, list) else []:
            self._rename(own)
        if not isinstance(part, dict):
            return
        if isinstance(part.get("reason"), str):
            for text, words in self.texts.items():
                if part["reason"] == text or part["reason"].endswith(f" {text}"):
                    part["reason"] = part["reason"].removesuffix(text) + words
        if isinstance(part.get("recorded"), dict):
            part["recorded"] = {self.texts.get(w, w): n for w, n in part["recorded"].items()}
        for own in part.values():
            self._rename(own)

    def _means_beside(self, few: set[int]) -> set[int]:
        """Return rows that with the whole would tell the mean of a subgroup that is not shown."""
        families: dict[Key, dict[str, int]] = {}
        for at, row in enumerate(self.rows):
            if not no_number(row["n"]) and row["term"] in AVERAGES:
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
        for key, place in self.places:
            if key not in self.found.away:
                continue
            if place[0] == "flow":
                path = (self.texts.get(step, str(step)) for step in place[1:])
                yield "flow", "/".join(path), "number of people", small
            elif place[2] == "n" and place[1] not in few:
                yield "results.csv", self.rows[place[1]]["row"], "n", small


def _said(known: set[int], found: re.Match[str]) -> str:
    """Return a number of people in a note: as it is where it stands elsewhere too."""
    number = float(found[0].replace(",", ""))
    return found[0] if number == 0 or number in known or number >= 1000 else "some"


def _rounded(value: Any, digits: int) -> Any:
    if no_number(value) or not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.{digits}g}")
