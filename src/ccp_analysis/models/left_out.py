"""Models without one unit after the other, from sums over teams.

The restricted likelihood is that of what is orthogonal to the design (Patterson & Thompson 1971),
so that the indicators of pairs can be swept out of all rows beforehand, whatever the variances. Of
the effects of the teams of a pair, n people in each, that leaves D = diag(n) - nn' / sum n. With
eigenvalues d > 0 and vectors v of D, a direction v of the teams counts as a team of d people whose
sums are those of the teams times v: two teams are one direction, of their harmonic mean. Nothing is
then larger than the columns beside the pairs, and a fit without some teams needs their sums taken
off. Kenward and Roger's inference depends on the design through the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.absorbed import fit_absorbed
from ccp_analysis.models.condensed import condensed
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.mixed import fit_moments
from ccp_analysis.models.mixed_moments import TeamSums, VisitMoments
from ccp_analysis.models.mixed_problem import Problem
from ccp_analysis.models.mixed_start import ABSORBED
from ccp_analysis.models.mixed_structures import (
    Joint,
    structure_of_people,
    structure_of_teams,
)
from ccp_analysis.models.ols import grouping
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.symmetric import pack

# Share of the squares of a column that must be left of it without a unit.
LEFT = 1e-6


def random_intercept_without(
    X: np.ndarray, y: np.ndarray, teams: np.ndarray, pairs: np.ndarray, units: np.ndarray
) -> Inference | None:
    """Infer from the arm by the model with a random intercept, without one unit at a time.

    Parameters
    ----------
    X : numpy.ndarray
        Intercept, arm and covariates, shape (n, p); the indicators of pairs are not among them.
    y : numpy.ndarray
        Outcome, shape (n,).
    teams, pairs : numpy.ndarray of int
        Team of each row, which has the random intercept, and its pair, which has a fixed effect;
        codes from 0 without gaps, shape (n,).
    units : numpy.ndarray of int
        What is left out, codes from 0 without gaps: teams, or pairs of them.

    Returns
    -------
    Inference or None
        Of Kenward and Roger, shape (U,). None where any of the fits would fail or lose a column:
        by the whole design it is seen which.
    """
    fit = fit_absorbed(X, y, pairs)
    first = np.unique(teams, return_index=True)[1]
    if fit is None or not _nested(teams, pairs, units, first):
        return None
    sums = _Sums(np.column_stack([fit.basis, fit.residuals]), teams, pairs[first], units[first])
    kept = sums.without_each()
    r = X.shape[-1] - 1
    square, mixed = kept.cross[:, :r, :r], kept.cross[:, :r, r:]
    if not (np.linalg.eigvalsh(square)[:, 0] > LEFT).all() or (kept.people.max(axis=1) == 0).any():
        return None
    turn = np.swapaxes(np.linalg.inv(np.linalg.cholesky(square)), -1, -2)
    shift = turn @ (np.swapaxes(turn, -1, -2) @ mixed)
    left = kept.cross[:, r, r] - (mixed * shift).sum(axis=(-2, -1))
    if not (left > LEFT * kept.cross[:, r, r]).all() or not (kept.rows > r).all():
        return None
    scale = np.sqrt(left / kept.rows)
    residuals = (kept.sums[..., r:] - kept.sums[..., :r] @ shift) / scale[:, None, None]
    count, J = kept.people.shape
    of_teams = TeamSums(
        np.arange(J),
        np.zeros(J, dtype=int),
        kept.people,
        kept.people[..., None],
        (kept.sums[..., :r] @ turn)[:, :, None],
        residuals,
    )
    unit = pack(np.eye(r)) * np.ones((count, 1, 1, 1))
    moments = VisitMoments(
        np.ones((1, 1), dtype=bool),
        kept.rows[:, None],
        unit,
        np.zeros((count, 1, 1, r)),
        kept.rows[:, None, None],
        of_teams,
    )
    joint = Joint(structure_of_people("us", 1), structure_of_teams("intercept", 1))
    back = fit.inverse[1:, -r:]
    coef = fit.coef[1:] + (back @ shift)[..., 0]
    found = fit_moments(
        Problem(moments, joint, True),
        kept.rows.astype(int),
        np.zeros(1, dtype=int),
        coef,
        back @ turn,
        scale,
        np.full(count, ""),
    )
    if (found.status == "failed").any():
        return None
    return kenward_roger(found, np.eye(r)[:1]).part(np.s_[:, 0])


def ancova_without(
    X: np.ndarray, y: np.ndarray, teams: np.ndarray, pairs: np.ndarray, units: np.ndarray
) -> Inference | None:
    """Infer from the arm by least squares and CR2, without one unit at a time.

    Parameters
    ----------
    X, y, teams, pairs, units
        As for `random_intercept_without`.

    Returns
    -------
    Inference or None
        Shape (U,). None as there.
    """
    first = np.unique(teams, return_index=True)[1]
    if not _nested(teams, pairs, units, first) or len(np.unique(pairs)) < 2:
        return None
    rows = condensed(X, y, teams, pairs)
    of, found = units[first][rows.team], []
    for unit in range(int(units.max()) + 1):
        fit, clusters = rows.fit(of != unit)
        if fit is None:
            return None
        found.append(cluster_robust(fit, clusters, np.eye(X.shape[-1])[[1]]))
    return Inference(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("estimate", "std_error", "df")
        )
    )


def _nested(teams: np.ndarray, pairs: np.ndarray, units: np.ndarray, first: np.ndarray) -> bool:
    """Whether every team lies in one pair and in one unit, and there are two units."""
    inside = (pairs[first][teams] == pairs).all() and (units[first][teams] == units).all()
    return bool(inside) and len(np.unique(units)) > 1


@dataclass(frozen=True)
class _Kept:
    """What is left without each of U units, pairs swept out.

    Attributes
    ----------
    rows : numpy.ndarray
        Rows less pairs, shape (U,).
    cross : numpy.ndarray
        Cross-products of the columns, shape (U, q, q).
    people, sums : numpy.ndarray
        Of each direction between the teams of a pair: d (U, J), zero where there is none, and sums
        of the columns (U, J, q).
    """

    rows: np.ndarray
    cross: np.ndarray
    people: np.ndarray
    sums: np.ndarray


class _Sums:
    """Sums over the rows of each team, of columns (n, q) from which pairs are swept out."""

    def __init__(
        self, columns: np.ndarray, teams: np.ndarray, pair: np.ndarray, unit: np.ndarray
    ) -> None:
        by_team = grouping(teams, len(columns))
        self.people = by_team.sizes.astype(float)
        self.sums, self.squares = by_team.sums(columns), by_team.squares(columns)
        self.unit = unit
        self.inside = [np.flatnonzero(pair == k) for k in range(pair.max() + 1)]
        self.pair = pair

    def without_each(self) -> _Kept:
        """Take the sums of each unit off those of all."""
        whole, n = self.squares.sum(axis=0), self.people.sum()
        people, sums = np.zeros(len(self.people)), np.zeros_like(self.sums)
        for inside in self.inside:
            people[inside], sums[inside] = self._between(inside)
        count = int(self.unit.max()) + 1
        kept = _Kept(
            np.full(count, n - len(self.inside)),
            np.repeat(whole[None], count, axis=0),
            np.repeat(people[None], count, axis=0),
            np.repeat(sums[None], count, axis=0),
        )
        for k in range(count):
            out = np.flatnonzero(self.unit == k)
            kept.rows[k] -= self.people[out].sum()
            kept.cross[k] -= self.squares[out].sum(axis=0)
            for pair in np.unique(self.pair[out]):
                inside = self.inside[pair]
                stay = inside[self.unit[inside] != k]
                kept.people[k, inside], kept.sums[k, inside] = 0.0, 0.0
                if not stay.size:
                    kept.rows[k] += 1.0
                    continue
                total = self.sums[stay].sum(axis=0)
                kept.cross[k] -= np.outer(total, total) / self.people[stay].sum()
                kept.people[k, stay], kept.sums[k, stay] = self._between(stay)
        used = kept.people.any(axis=0)
        return _Kept(kept.rows, kept.cross, kept.people[:, used], kept.sums[:, used])

    def _between(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return d and the sums of the directions between some teams of a pair."""
        n, total = self.people[inside], self.people[inside].sum()
        d, vectors = np.linalg.eigh(np.diag(n) - np.outer(n, n) / total)
        there = d > ABSORBED * total
        swept = self.sums[inside] - np.outer(n, self.sums[inside].sum(axis=0)) / total
        return np.where(there, d, 0.0), np.where(there[:, None], vectors.T @ swept, 0.0)
