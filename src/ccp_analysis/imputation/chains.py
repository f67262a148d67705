"""What all conditional models of the chained equations share: the current values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ccp_analysis.imputation import Conditional, Derived
from ccp_analysis.models.ols import Grouping, grouping

FEW_PATTERNS = 4  # so many people to each line of fixed columns make grouping worth while


class Chains:
    """The completed incomplete variables of all chains, standardised, and their cross-products.

    Attributes
    ----------
    slot : dict
        Column of the data → position in `work`, for every column that is imputed, or derived from
        one that is.
    centre, scale : (u,)
        By which the columns of `work` are standardised.
    block : (n, f)
        Intercept, fixed columns and complete predictors, shared by all chains.
    between : (n, 1 + q)
        Intercept and the fixed columns of models with a random intercept.
    work : (m, n, u)
        Incomplete variables.
    gram, cross : (m, u, u), (m, f, u)
        Cross-products of `work` with itself and of `block` with `work`, over all rows.
    clusters : (n,) or None
        Cluster of each row, from 0.
    """

    def __init__(
        self,
        data: np.ndarray,
        plan: Sequence[Conditional],
        derived: Sequence[Derived],
        fixed: np.ndarray,
        m: int,
        clusters: np.ndarray | None = None,
        between: np.ndarray | None = None,
    ) -> None:
        missing = np.isnan(data)
        targets = [column for c in plan for column in c.columns]
        self.derived = {d.target: d for d in derived}
        self.rows: dict[int, np.ndarray] = {}  # of each derived column, those that change
        for column, d in self.derived.items():
            changing = missing[:, list(d.parts)].any(axis=1)
            for part in d.parts:
                if part in self.rows:
                    changing[self.rows[part]] = True
            self.rows[column] = np.flatnonzero(changing)
        moving = [column for column in self.derived if len(self.rows[column])]
        self.slot = {column: i for i, column in enumerate([*targets, *moving])}
        self.data = data
        self.centre, self.scale = np.zeros(len(self.slot)), np.ones(len(self.slot))
        for column, slot in self.slot.items():
            known = data[~missing[:, column], column]
            if known.size and not (known == known[0]).all():
                self.scale[slot] = known.std()
            self.centre[slot] = known.mean() if known.size else 0.0
        used = sorted({p for c in plan for p in c.predictors} - self.slot.keys())
        self.position = {column: 1 + fixed.shape[1] + i for i, column in enumerate(used)}
        self.block = _standardised(np.column_stack([fixed, data[:, used]]))
        self.fixed = range(1 + fixed.shape[1])
        self.pattern = _patterns(self.block[:, : len(self.fixed)])
        self.clusters = clusters
        self.between = _standardised(np.empty((len(data), 0)) if between is None else between)
        self.work = np.empty((m, len(data), len(self.slot)))
        for column, slot in self.slot.items():
            self.work[:, :, slot] = (data[:, column] - self.centre[slot]) / self.scale[slot]
        # Parts are kept as they are too: a level of 3 must not come back as 2.9999999.
        parts = {part for d in self.derived.values() for part in d.parts} & self.slot.keys()
        self.exact = {part: np.repeat(data[None, :, part], m, axis=0) for part in parts}
        self.dirty = set(moving)

    def refresh(self) -> None:
        """Compute derived variables and all cross-products afresh: round-off cannot build up."""
        self.derive(self.dirty, products=False)
        self.gram = self.work.swapaxes(1, 2) @ self.work
        if self.pattern is None:
            self.cross = self.block.T @ self.work
            return
        inside, lines = self.pattern
        self.cross = np.concatenate(
            [lines.T @ inside.sums(self.work), self.block[:, len(self.fixed) :].T @ self.work],
            axis=1,
        )

    def store(
        self, column: int, rows: np.ndarray, values: np.ndarray, there: np.ndarray | None = None
    ) -> None:
        """Put new values (m, rows) into a variable and renew its cross-products.

        Whoever has the rows of `work` as they were before, (m, rows, u), gives them.
        """
        slot = self.slot[column]
        if there is None:
            there = np.take(self.work, rows, axis=1)
        before = there[:, :, slot]
        self.put(column, rows, values)
        if 2 * len(rows) < self.work.shape[1] and np.isfinite(before).all():
            new = self.work[:, rows, slot]
            change = new - before
            product = (change[:, None, :] @ there)[:, 0]
            product[:, slot] += (change * new).sum(axis=1)
            self.gram[:, slot, :] += product
            self.gram[:, :, slot] = self.gram[:, slot, :]
            self.cross[:, :, slot] += change @ self.block[rows]
            return
        whole = np.ascontiguousarray(self.work[:, :, slot])
        product = (whole[:, None, :] @ self.work)[:, 0]
        self.gram[:, slot, :] = self.gram[:, :, slot] = product
        self.cross[:, :, slot] = whole @ self.block

    def put(self, column: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Put new values (m, rows) into a variable; what is derived from it waits."""
        slot = self.slot[column]
        self.work[:, rows, slot] = (values - self.centre[slot]) / self.scale[slot]
        if column in self.exact:
            self.exact[column][:, rows] = values
        waiting = [column]
        while waiting:
            part = waiting.pop()
            found = [t for t, d in self.derived.items() if part in d.parts and t in self.slot]
            self.dirty.update(found)
            waiting += found

    def derive(self, columns: set[int], *, products: bool = True) -> None:
        """Bring derived variables up to date, with those they are themselves derived from."""
        for column, d in self.derived.items():
            if column not in self.dirty:
                continue
            needed = columns | {p for c in columns if c in self.derived for p in self._parts(c)}
            if column not in needed:
                continue
            rows = self.rows[column]
            parts = np.stack([self.natural(part, rows) for part in d.parts], axis=2)
            m = len(parts)
            values = evaluate(d, parts.reshape(m * len(rows), -1), quick=True)
            values = values.reshape(m, len(rows))
            slot = self.slot[column]
            if not np.isfinite(self.work[0, :, slot]).any():  # never complete: its own measure
                self.centre[slot], self.scale[slot] = values.mean(), values.std() or 1.0
            if products:
                self.store(column, rows, values)
            else:
                self.put(column, rows, values)
            self.dirty.discard(column)

    def natural(self, column: int, rows: np.ndarray) -> np.ndarray:
        """Return current values (m, rows) of a part, on its own scale."""
        if column not in self.slot:
            return np.broadcast_to(self.data[rows, column], (len(self.work), len(rows)))
        return self.exact[column][:, rows]

    def _parts(self, column: int) -> set[int]:
        """Return all that a derived column is made of, directly or not."""
        own = set(self.derived[column].parts)
        return own.union(*(self._parts(p) for p in own if p in self.derived))


def _patterns(fixed: np.ndarray) -> tuple[Grouping, np.ndarray] | None:
    """Return rows grouped by what is fixed of them, and each group's (G, f); None of no use.

    Indicators of teams are the same for all people of a team: what is computed of them is computed
    once for each.
    """
    lines, codes = np.unique(fixed, axis=0, return_inverse=True)
    if not 2 <= len(lines) <= len(fixed) / FEW_PATTERNS:
        return None
    return grouping(codes.ravel(), len(fixed)), lines


def evaluate(derived: Derived, parts: np.ndarray, *, quick: bool = False) -> np.ndarray:
    """Compute a derived column from values (rows, parts) of its parts.

    Raises
    ------
    ValueError
        If a value is not a finite number.
    """
    with np.errstate(all="ignore"):
        function = (quick and derived.quick) or derived.function
        values = np.asarray(function(parts), dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(
            f"derived column {derived.target} is not a finite number for some values of its parts"
        )
    return values


def _standardised(columns: np.ndarray) -> np.ndarray:
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    standard = (columns - centre) / np.where(scale > 0, scale, 1.0)
    return np.column_stack([np.ones(len(columns)), standard])
