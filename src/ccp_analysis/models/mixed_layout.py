"""Rows of repeated measures, checked: people, visits, teams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.ols import OlsFit, grouping

# Share of the variation of team effects that a design must leave to tell their covariance.
ABSORBED_TOLERANCE = 1e-10


@dataclass(frozen=True)
class VisitLayout:
    """Rows that count, with codes from 0 without gaps.

    Attributes
    ----------
    X, y : numpy.ndarray
        Design (..., n, p) and outcome (..., n) without missed visits.
    person, visit : numpy.ndarray of int
        Shape (n,).
    visits : numpy.ndarray of int
        Codes of the visits as given, shape (v,).
    team : numpy.ndarray of int or None
        Shape (n,).
    """

    X: np.ndarray
    y: np.ndarray
    person: np.ndarray
    visit: np.ndarray
    visits: np.ndarray
    team: np.ndarray | None

    @property
    def rows(self) -> int:
        """Number of rows, n."""
        return len(self.person)

    def require_estimable(self, structure: str) -> None:
        """Check that people were seen often enough for a covariance.

        Parameters
        ----------
        structure : str
            "us" needs every two visits together in somebody, the others any two.

        Raises
        ------
        ValueError
            If they were not; it names the visits.
        """
        v = len(self.visits)
        seen = np.zeros((self.person.max() + 1, v))
        seen[self.person, self.visit] = 1.0
        together = seen.T @ seen
        if structure == "us":
            apart = np.argwhere(together == 0)
            if apart.size:
                a, b = self.visits[apart[0]]
                raise ValueError(
                    f"Visits {a} and {b} are never seen in the same person: an unstructured "
                    "covariance cannot be estimated."
                )
        elif v > 1 and together.sum() == np.trace(together):
            raise ValueError(
                "Nobody was seen at two visits: the covariance of a person's visits cannot be "
                "estimated."
            )

    def teams_absorbed(self, ols: OlsFit) -> np.ndarray:
        """Tell whether the design explains every difference between teams.

        Parameters
        ----------
        ols : OlsFit
            Least squares fits of the rows.

        Returns
        -------
        numpy.ndarray of bool
            With the leading axes of the design; False without teams.
        """
        if self.team is None:
            return np.zeros(ols.basis.shape[:-2], dtype=bool)
        sums = grouping(self.team, self.rows)
        left = 1.0 - np.square(sums.sums(ols.basis)).sum(axis=-1) / sums.sizes
        return left.max(axis=-1) <= ABSORBED_TOLERANCE


def visit_layout(
    X: np.ndarray,
    y: np.ndarray,
    person: np.ndarray,
    visit: np.ndarray,
    team: np.ndarray | None,
) -> VisitLayout:
    """Read the rows of repeated measures.

    Parameters
    ----------
    X, y, person, visit, team
        As for `fit_mixed`.

    Returns
    -------
    VisitLayout

    Raises
    ------
    ValueError
        As `fit_mixed`, for shapes, codes, repeated and single visits.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    if X.ndim < 2 or y.ndim < 1 or X.shape[-2] != y.shape[-1]:
        raise ValueError(
            "The design must be (..., n, p) and the outcome (..., n) with the same n; their shapes "
            f"are {X.shape} and {y.shape}."
        )
    n = y.shape[-1]
    codes = [_codes(person, n, "People"), _codes(visit, n, "Visits")]
    if team is not None:
        codes.append(_codes(team, n, "Teams"))
    kept = ~np.isnan(y).reshape(-1, n).all(axis=0)
    if not kept.all():
        X, y, codes = X[..., kept, :], y[..., kept], [code[kept] for code in codes]
    if not kept.any():
        raise ValueError("Every outcome is missing.")
    _, people = np.unique(codes[0], return_inverse=True)
    visits, at = np.unique(codes[1], return_inverse=True)
    if len(visits) < 2 and team is None:
        raise ValueError("There is a single visit: a model without teams needs two.")
    key = people * len(visits) + at
    cells, counts = np.unique(key, return_counts=True)
    if counts.max() > 1:
        who, when = divmod(cells[counts > 1][0], len(visits))
        code = codes[0][people == who][0]
        raise ValueError(f"Person {code} has visit {visits[when]} more than once.")
    if team is None:
        return VisitLayout(X, y, people, at, visits, None)
    names, teams = np.unique(codes[2], return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"At least two teams are needed, {len(names)} found.")
    first = np.zeros(people.max() + 1, dtype=int)
    first[people] = teams
    moved = first[people] != teams
    if moved.any():
        raise ValueError(f"Person {codes[0][moved][0]} has rows in more than one team.")
    return VisitLayout(X, y, people, at, visits, teams)


def _codes(values: np.ndarray, n: int, what: str) -> np.ndarray:
    codes = np.asarray(values)
    if codes.shape != (n,) or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"{what} must be one integer code for each of the {n} rows.")
    return codes
