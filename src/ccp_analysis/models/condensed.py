"""Teams turned until few rows are left, of which least squares and CR2 see the same.

Of a team of n people and k columns (one of them the intercept) the triangle R of its QR
decomposition has k rows and the same cross-products. Leaving out teams is leaving out their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.absorbed import fit_swept
from ccp_analysis.models.ols import OlsFit, grouping


@dataclass(frozen=True)
class Condensed:
    """Rows of teams that lie in pairs; R of them.

    Attributes
    ----------
    columns : numpy.ndarray
        Intercept, arm and covariates, shape (..., R, p), as far as a design without pairs has them.
    outcomes : numpy.ndarray
        Shape (..., R), with an axis for outcomes before the last where there are several.
    team, pair : numpy.ndarray of int
        Of each row, shape (R,).
    people : numpy.ndarray of int
        People of the team of each row, shape (R,).
    """

    columns: np.ndarray
    outcomes: np.ndarray
    team: np.ndarray
    pair: np.ndarray
    people: np.ndarray

    def fit(self, stay: np.ndarray) -> tuple[OlsFit | None, np.ndarray]:
        """Fit the teams that stay, with pairs absorbed.

        Parameters
        ----------
        stay : numpy.ndarray of bool
            Of each row, shape (R,); whole teams.

        Returns
        -------
        OlsFit or None
            As of `absorbed.fit_absorbed` but for its rows; None where it would fail.
        team : numpy.ndarray of int
            Team of each row of the fit.
        """
        columns, team, pair = self.columns[..., stay, :], self.team[stay], self.pair[stay]
        first = np.unique(team, return_index=True)[1]
        codes, of = np.unique(pair, return_inverse=True)
        if len(codes) < 2:
            return None, team
        people = np.bincount(of[first], self.people[stay][first]).astype(int)
        if people.sum() <= len(codes) + columns.shape[-1] - 1:
            return None, team
        inside, W = grouping(of, len(of)), columns[..., 1:]
        found = fit_swept(columns[..., 0], W, self.outcomes[..., stay], inside, people, columns)
        return found, team


def condensed(X: np.ndarray, y: np.ndarray, team: np.ndarray, pair: np.ndarray) -> Condensed:
    """Condense people.

    Parameters
    ----------
    X : numpy.ndarray
        Intercept, arm and covariates, shape (n, p) or (m, n, p).
    y : numpy.ndarray
        Outcome, shape (n,), or outcomes, shape (m, o, n).
    team, pair : numpy.ndarray of int
        Of each person, codes from 0 without gaps, shape (n,). A team lies in one pair.
    """
    several = y.ndim > 1
    outcome = np.swapaxes(y, -1, -2) if several else y[:, None]
    lead = np.broadcast_shapes(X.shape[:-2], outcome.shape[:-2])
    whole = np.concatenate(
        [np.broadcast_to(part, (*lead, *part.shape[-2:])) for part in (X, outcome)], axis=-1
    )
    teams, k = grouping(team, X.shape[-2]), whole.shape[-1]
    rows = np.zeros((*lead, len(teams.sizes), k, k))
    for g, own in enumerate(np.split(teams.order, teams.starts[1:])):
        triangle = np.asarray(np.linalg.qr(whole[..., own, :], mode="r"))
        rows[..., g, : triangle.shape[-2], :] = triangle
    rows = rows.reshape(*lead, -1, k)
    columns, outcomes = rows[..., : X.shape[-1]], rows[..., X.shape[-1] :]
    code = np.repeat(np.arange(len(teams.sizes)), k)
    of = pair[teams.order[teams.starts]]
    if several:
        columns, outcomes = columns[..., None, :, :], np.swapaxes(outcomes, -1, -2)
    else:
        outcomes = outcomes[..., 0]
    return Condensed(columns, outcomes, code, of[code], teams.sizes[code])
