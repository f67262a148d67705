"""Cross-products of repeated measures, summed over people with the same pattern of visits.

After one pass over the rows nothing depends on their number any more: a likelihood with a
covariance over visits, and its derivatives, are functions of these sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ccp_analysis.models.symmetric import cross_products, pairs, positions


@dataclass(frozen=True)
class TeamSums:
    """Sums over the people of each team that share a pattern; N such cells, by pattern.

    Attributes
    ----------
    cell_team, cell_pattern : numpy.ndarray of int
        Team and pattern of each cell, shape (N,).
    people : numpy.ndarray
        People in each cell, shape (N,), or (B, N) where fits have not the same rows.
    counts : numpy.ndarray
        The same as a table, shape (G, S) or (B, G, S).
    design : numpy.ndarray
        Sums of the basis at every visit, shape (Bx, N, v, p); zero at visits not in the pattern.
    outcome : numpy.ndarray
        Sums of the residuals, shape (B, N, v).
    """

    cell_team: np.ndarray
    cell_pattern: np.ndarray
    people: np.ndarray
    counts: np.ndarray
    design: np.ndarray
    outcome: np.ndarray

    def by_team(self, cells: np.ndarray) -> np.ndarray:
        """Sum over the cells of each team: (..., N, a, b) to (..., G, a, b)."""
        order = np.argsort(self.cell_team, kind="stable")
        starts = np.searchsorted(self.cell_team[order], np.arange(self.counts.shape[-2]))
        return np.add.reduceat(cells[..., order, :, :], starts, axis=-3)

    def augmented(self) -> np.ndarray:
        """Return basis and residuals side by side, shape (B, N, v, p + 1)."""
        outcome = self.outcome[..., None]
        shape = (*outcome.shape[:-1], self.design.shape[-1])
        return np.concatenate([np.broadcast_to(self.design, shape), outcome], axis=-1)


@dataclass(frozen=True)
class VisitMoments:
    """What the likelihood needs to know of the rows: B fits, S patterns, L pairs of visits.

    A pair (a, b) with a < b counts both orders. The leading axis of what depends on the design
    alone, Bx, is 1 where the batch shares it.

    Attributes
    ----------
    seen : numpy.ndarray of bool
        Visits of each pattern, shape (S, v).
    people : numpy.ndarray
        People with each pattern, shape (S,), or (B, S) where fits have not the same rows.
    design : numpy.ndarray
        Cross-products of the basis, its p x p upper triangle packed, shape (Bx, S, L, p (p+1) / 2).
    mixed : numpy.ndarray
        Cross-products of basis and residuals, shape (B, S, L, p).
    outcome : numpy.ndarray
        Cross-products of residuals, shape (B, S, L).
    teams : TeamSums, optional
        Where teams are modelled.
    """

    seen: np.ndarray
    people: np.ndarray
    design: np.ndarray
    mixed: np.ndarray
    outcome: np.ndarray
    teams: TeamSums | None

    @property
    def visits(self) -> int:
        """Number of visits, v."""
        return self.seen.shape[1]

    @property
    def columns(self) -> int:
        """Number of columns, p."""
        return self.mixed.shape[-1]

    def take(self, fits: np.ndarray) -> VisitMoments:
        """Return the moments of some fits of the batch."""
        teams = self.teams
        if teams is not None:
            teams = replace(
                teams,
                people=_own(teams.people, fits, 1),
                counts=_own(teams.counts, fits, 2),
                design=_some(teams.design, fits),
                outcome=_some(teams.outcome, fits),
            )
        return replace(
            self,
            people=_own(self.people, fits, 1),
            design=_some(self.design, fits),
            mixed=_some(self.mixed, fits),
            outcome=_some(self.outcome, fits),
            teams=teams,
        )


def _some(values: np.ndarray, fits: np.ndarray) -> np.ndarray:
    return values if len(values) == 1 else values[fits]


def _own(values: np.ndarray, fits: np.ndarray, shared: int) -> np.ndarray:
    """Return what some fits have of numbers of people; with so many axes all share them."""
    return values if values.ndim == shared else values[fits]


@cache
def triangle_weights(p: int) -> np.ndarray:
    """Return 1 on the diagonal of a packed upper triangle and 2 beside it."""
    rows, columns = pairs(p)
    return np.where(rows == columns, 1.0, 2.0)


def visit_moments(
    basis: np.ndarray,
    residuals: np.ndarray,
    person: np.ndarray,
    visit: np.ndarray,
    team: np.ndarray | None,
) -> VisitMoments:
    """Sum the rows of a study.

    Parameters
    ----------
    basis : numpy.ndarray
        Design, shape (Bx, n, p) with Bx either 1 or B.
    residuals : numpy.ndarray
        What the design leaves of the outcomes, shape (B, n).
    person, visit : numpy.ndarray of int
        Codes from 0 without gaps, shape (n,); no visit twice in one person.
    team : numpy.ndarray of int, optional
        Team of each row, codes from 0 without gaps, shape (n,); one team for each person.

    Returns
    -------
    VisitMoments
    """
    n_people, v = person.max() + 1, visit.max() + 1
    attended = np.zeros((n_people, v), dtype=bool)
    attended[person, visit] = True
    seen, pattern = np.unique(attended, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    keys = [visit, person, pattern[person]]
    if team is not None:
        keys.insert(2, team)
    order = np.lexsort(keys)
    sums = _Sums(basis[:, order], residuals[:, order], seen, pattern[person][order])
    people = np.bincount(pattern).astype(float)
    teams = None if team is None else sums.of_teams(team[order])
    return VisitMoments(seen, people, *sums.of_patterns(), teams)


class _Sums:
    """Rows ordered by pattern, (team,) person and visit, so that each pattern is one block."""

    def __init__(
        self, basis: np.ndarray, residuals: np.ndarray, seen: np.ndarray, pattern: np.ndarray
    ) -> None:
        self.basis, self.residuals, self.seen = basis, residuals, seen
        self.edges = np.searchsorted(pattern, np.arange(len(seen) + 1))

    def blocks(self) -> list[tuple[int, slice, np.ndarray]]:
        """Return number, rows and visits of each pattern."""
        return [
            (s, slice(self.edges[s], self.edges[s + 1]), np.flatnonzero(visits))
            for s, visits in enumerate(self.seen)
        ]

    def by_person(self, values: np.ndarray, rows: slice, visits: int) -> np.ndarray:
        block = values[:, rows]
        return block.reshape(len(block), -1, visits, *values.shape[2:])

    def of_patterns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cross-products `design`, `mixed` and `outcome` of `VisitMoments`."""
        p, (S, v) = self.basis.shape[-1], self.seen.shape
        L = v * (v + 1) // 2
        upper = pairs(p)
        design = np.zeros((len(self.basis), S, L, len(upper[0])))
        mixed = np.zeros((len(self.residuals), S, L, p))
        outcome = np.zeros((len(self.residuals), S, L))
        for s, rows, visits in self.blocks():
            x = self.by_person(self.basis, rows, len(visits))
            e = self.by_person(self.residuals, rows, len(visits))[..., None]
            a, b = pairs(len(visits))
            at = positions(v)[visits[a], visits[b]]
            design[:, s, at] = cross_products(x, x)[..., upper[0], upper[1]]
            mixed[:, s, at] = cross_products(x, e)[..., 0]
            outcome[:, s, at] = cross_products(e, e)[..., 0, 0]
        return design, mixed, outcome

    def of_teams(self, team: np.ndarray) -> TeamSums:
        """Return the sums over cells; `team` in the order of the rows."""
        p, (S, v) = self.basis.shape[-1], self.seen.shape
        cells = []
        for s, rows, visits in self.blocks():
            codes, starts, people = np.unique(
                team[rows][:: len(visits)], return_index=True, return_counts=True
            )
            x = self.by_person(self.basis, rows, len(visits))
            e = self.by_person(self.residuals, rows, len(visits))
            design = np.zeros((len(x), len(codes), v, p))
            outcome = np.zeros((len(e), len(codes), v))
            design[:, :, visits] = np.add.reduceat(x, starts, axis=1)
            outcome[:, :, visits] = np.add.reduceat(e, starts, axis=1)
            cells.append((codes, np.full(len(codes), s), people, design, outcome))
        codes, patterns, people = (
            np.concatenate(part) for part in list(zip(*cells, strict=True))[:3]
        )
        counts = np.zeros((team.max() + 1, S))
        counts[codes, patterns] = people
        return TeamSums(
            codes,
            patterns,
            people.astype(float),
            counts,
            np.concatenate([cell[3] for cell in cells], axis=1),
            np.concatenate([cell[4] for cell in cells], axis=1),
        )
