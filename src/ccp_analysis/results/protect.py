"""Which counts must be hidden so that no small one follows from those that are shown."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
import scipy  # reads a part of it when that is first used

Key = tuple[Hashable, ...]
Relation = dict[Key, int]  # coefficients of a sum that is zero
OFTEN = 20  # a number printed in more places is hidden only where nothing else helps


@dataclass
class Counts:
    """Counts of people, how they hang together, and how often each is printed.

    Attributes
    ----------
    values : dict
        Cell → count.
    uses : dict
        Cell → in how many places it is printed; one that is in none is never shown.
    relations : list of dict
        Cell → coefficient, of sums that are zero.
    small : set
        Cells that are small though their number is not, as of people who nearly are a total.
    """

    values: dict[Key, int] = field(default_factory=dict)
    uses: dict[Key, int] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    small: set[Key] = field(default_factory=set)

    def put(self, key: Key, value: float, uses: int = 1) -> Key:
        """Add a place of a cell; where the cell has another number the place is one of its own."""
        while self.values.setdefault(key, int(value)) != int(value):
            key = (*key, int(value))
        self.uses[key] = self.uses.get(key, 0) + uses
        return key

    def relate(self, total: Key, parts: Iterable[Key]) -> bool:
        """Add that parts make a total, if they are known and do."""
        parts = list(parts)
        there = parts and all(key in self.values for key in [total, *parts])
        if not there or self.values[total] != sum(self.values[key] for key in parts):
            return False
        relation: Relation = {total: 1}
        for part in parts:
            relation[part] = relation.get(part, 0) - 1
        self.relations.append(relation)
        return True

    def beside(self, total: Key, part: Key) -> None:
        """Add those of a total who are not in a part: nobody prints them, anyone subtracts."""
        if total in self.values and part in self.values and total != part:
            rest = self.values[total] - self.values[part]
            if rest >= 0:
                key = self.put(("rest", total, part), rest, 0)
                self.relate(total, [part, key])


def is_small(count: float, smallest: int) -> bool:
    """Return whether so few people are some, and too few to be shown."""
    return 0 < count < smallest


def hidden(counts: Counts, smallest: int) -> set[Key]:
    """Return the cells that are not shown: those that are small, and what would reveal them.

    Parameters
    ----------
    counts : Counts
        All cells and relations.
    smallest : int
        The smallest count that is shown.

    Returns
    -------
    set
        Cells, with those that nobody prints. Of each that is hidden, two whole numbers at least go
        with all that is shown (`determined`).

    Notes
    -----
    Cells are hidden one after another, each the one printed least of those that stand in a relation
    with what is still determined: first where a relation has a single unknown, which is quick, then
    where the integer programme says so. It ends, as with every number hidden nothing is determined.
    """
    small = {k for k, v in counts.values.items() if is_small(v, smallest)} | counts.small
    away = small | {key for key in counts.values if not counts.uses[key]}
    by_cell = _by_cell(counts.relations)
    # What nobody prints and is not small may be known: it needs no protection.
    while True:
        needed = {key for key in away if counts.uses[key] or key in small}
        if _lone(counts, away, needed):
            continue
        told = determined(counts, away, needed)
        if not told:
            return away
        for key in sorted(told, key=repr):
            if not _hide_beside(counts, key, away, by_cell):
                raise ValueError(f"{key} is all that is left, and its number is known")


def _by_cell(relations: list[Relation]) -> dict[Key, list[Relation]]:
    found: dict[Key, list[Relation]] = {}
    for relation in relations:
        for key in relation:
            found.setdefault(key, []).append(relation)
    return found


def _lone(counts: Counts, away: set[Key], needed: set[Key]) -> bool:
    """Hide a second cell of every relation in which one alone is unknown; whether any was."""
    changed = False
    for relation in counts.relations:
        unknown = [key for key in relation if key in away]
        if len(unknown) == 1 and unknown[0] in needed:
            changed |= _hide_one(counts, [relation], away)
    return changed


def _hide_beside(
    counts: Counts, key: Key, away: set[Key], by_cell: dict[Key, list[Relation]]
) -> bool:
    """Hide a cell related to one, or to what this is related to; what is said often last."""
    for most in (OFTEN, None):
        seen, near = {key}, {key}
        while near:
            relations = [r for one in sorted(near, key=repr) for r in by_cell.get(one, [])]
            if _hide_one(counts, relations, away, most):
                return True
            near = {one for relation in relations for one in relation} - seen
            seen |= near
    return False


def _hide_one(
    counts: Counts, relations: list[Relation], away: set[Key], most: int | None = None
) -> bool:
    shown = {key for relation in relations for key in relation if key not in away}

    def order(key: Key) -> tuple[bool, bool, int, str]:
        # That there is nobody is the least of secrets; a total that everything rests on is last.
        uses = counts.uses[key]
        return uses > OFTEN, not counts.values[key], uses, repr(key)

    chosen = sorted((k for k in shown if most is None or counts.uses[k] <= most), key=order)
    away |= set(chosen[:1])
    return bool(chosen)


def determined(counts: Counts, away: set[Key], asked: Iterable[Key]) -> set[Key]:
    """Return which hidden cells follow from those that are shown.

    Parameters
    ----------
    counts : Counts
        Relations, and the numbers that are shown.
    away : set
        The cells that are hidden: anyone may suppose that they are whole numbers, and of those that
        are printed as hidden that there is somebody where there is.
    asked : iterable
        Those of which it is asked.

    Returns
    -------
    set
        Those that have one solution alone. Of the others two were found, by integer programmes
        (scipy's HiGHS): the true one, and one at the end of a direction in which it differs.
    """
    asked, found = set(asked), set()
    total = max(counts.values.values(), default=0)
    for cells, relations in _components(counts, away):
        open_ = {at for at, key in enumerate(cells) if key in asked}
        if not relations or not open_:
            continue
        program = _Program(counts, cells, relations, float(total))
        true = np.array([counts.values[key] for key in cells])
        signs = (1.0, -1.0)
        while open_:
            before = len(open_)
            for sign in signs:
                open_ -= program.moved(dict.fromkeys(open_, sign), true)
            if len(open_) == before:
                break
        for at in sorted(open_):
            if at in open_:
                for sign in signs:
                    open_ -= program.moved({at: sign}, true)
        found |= {cells[at] for at in open_}
    return found


class _Program:
    """The solutions of hidden cells that hang together."""

    def __init__(
        self, counts: Counts, cells: list[Key], relations: list[Relation], most: float
    ) -> None:
        place = {key: at for at, key in enumerate(cells)}
        known = np.zeros(len(relations))
        matrix = scipy.sparse.lil_array((len(relations), len(cells)))
        for at, relation in enumerate(relations):
            for key, coefficient in relation.items():
                if key in place:
                    matrix[at, place[key]] = coefficient
                else:
                    known[at] -= coefficient * counts.values[key]
        self.size = len(cells)
        self.rules = scipy.optimize.LinearConstraint(matrix.tocsr(), known, known)
        least = [int(counts.uses[key] > 0 and counts.values[key] > 0) for key in cells]
        self.within = scipy.optimize.Bounds(np.array(least, dtype=float), np.full(self.size, most))

    def moved(self, aim: dict[int, float], true: np.ndarray) -> set[int]:
        """Return where the solution that is furthest in a direction is not the true one."""
        direction = np.zeros(self.size)
        for at, sign in aim.items():
            direction[at] = sign
        solved = scipy.optimize.milp(
            direction,
            constraints=self.rules,
            bounds=self.within,
            integrality=np.ones(self.size),
        )
        if solved.x is None:
            raise ValueError(f"the counts contradict each other: {solved.message}")
        return set(np.flatnonzero(np.round(solved.x) != true))


def _components(counts: Counts, away: set[Key]) -> Iterable[tuple[list[Key], list[Relation]]]:
    """Yield hidden cells that hang together, with the relations between them."""
    by_cell = _by_cell(counts.relations)
    left = dict.fromkeys(sorted(away, key=repr))
    while left:
        cells, rules, stack = [], {}, [next(iter(left))]
        left.pop(stack[0])
        while stack:
            key = stack.pop()
            cells.append(key)
            for relation in by_cell.get(key, []):
                rules[id(relation)] = relation
                for one in relation:
                    if one in left:
                        left.pop(one)
                        stack.append(one)
        yield cells, list(rules.values())
